package clientfile

import (
	"fmt"
	"slices"

	"github.com/clientele-oauth/clientele/adapters/internal/contract"
	"github.com/clientele-oauth/clientele/domain"
)

// Identifiers finds duplicate client_ids. The zero value is ready to use.
type Identifiers struct {
	places map[string]string // of the first declaration, by client_id
}

// Problems returns the problems of the configuration d of a file, except for
// violations of the rules: an invalid or duplicate client_id, and violations of the
// schema.
func (i *Identifiers) Problems(d Document, file string) domain.Findings {
	return slices.Concat(d.IDProblems, i.add(d, fmt.Sprintf("%s:%d", file, d.Line(""))), d.Breaches)
}

// add records the place of a configuration, such as "a.yaml:3". If the client_id was
// declared before, it returns a violation that contains the earlier place.
func (i *Identifiers) add(d Document, place string) domain.Findings {
	if d.ClientID == "" {
		return nil
	}
	if i.places == nil {
		i.places = map[string]string{}
	}
	if earlier, duplicate := i.places[d.ClientID]; duplicate {
		return domain.Findings{contract.Breach{Pointer: "/client_id", Message: d.ClientID + " is already declared at " + earlier}.Finding()}
	}
	i.places[d.ClientID] = place
	return nil
}
