package declare

import (
	"cmp"
	"slices"

	"github.com/clientele-oauth/clientele/domain"
)

// declared returns the differences that a plan shows for a new client: every declared
// field that is not empty, and every declared empty field whose default is not empty
// (RFC 7591 §2), such as is_confidential: false.
func declared(change domain.Change) []domain.Difference {
	_, list := change.Needed(domain.Settings{})
	_, overDefaults := change.Needed(domain.Defaults())
	for _, d := range overDefaults {
		if !slices.ContainsFunc(list, func(shown domain.Difference) bool { return shown.Field == d.Field }) {
			d.Before = nil
			list = append(list, d)
		}
	}
	slices.SortFunc(list, func(a, b domain.Difference) int { return cmp.Compare(a.Field.String(), b.Field.String()) })
	return list
}
