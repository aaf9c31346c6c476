package statements

import (
	"encoding/json"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/clientele-oauth/clientele/adapters/internal/contract"
	"github.com/clientele-oauth/clientele/adapters/internal/jws"
	"github.com/clientele-oauth/clientele/adapters/internal/metadata"
	"github.com/clientele-oauth/clientele/domain"
)

// readMetadata sets the client metadata of a statement. A claim that is empty counts as not
// given, unless the statement vouches for it: then there is nothing of it.
func (v *Verifier) readMetadata(issuer domain.StatementIssuer, claims jws.Members, statement *domain.Statement) error {
	values, empty := map[string]any{}, []domain.Field{}
	for f := range domain.SelfFields().All() {
		claim := issuer.ClaimFor(f)
		raw, given := claims[claim]
		if claim == "" || !given {
			continue
		}
		vouched := domain.VouchedFields().Has(f)
		value, usable := v.valueOf(f, raw)
		switch {
		case !usable && vouched:
			return rejected("the software statement: the claim %s does not have the form of %s", claim, f.Metadata())
		case value != nil:
			values[f.String()] = value
		case vouched:
			empty = append(empty, f)
		}
	}
	claimed := contract.ChangeOf(values)
	for _, f := range empty {
		claimed.Set(f)
	}
	statement.Fixed, statement.Ceiling = issuer.Bind(claimed, rolesOf(issuer, claims))
	statement.SoftwareID = statement.Fixed.Values().SoftwareID
	return nil
}

// valueOf returns the value of a field in the form of the API; nil if the claim is empty. usable is false if the claim does not have the
// form of the field; of a list, the values are returned that do.
func (v *Verifier) valueOf(f domain.Field, claim jsontext.Value) (value any, usable bool) {
	var decoded any
	if json.Unmarshal(claim, &decoded) != nil {
		return nil, false
	}
	document, _, _ := metadata.Recognize(map[string]any{f.Metadata(): decoded}) // one name mixes no forms
	configuration, breaches := document.Configuration()
	contract.Normalize(configuration)
	value = configuration[f.String()]
	switch {
	case len(breaches) > 0:
		return nil, false
	case isEmpty(value):
		return nil, true
	}
	if v.accepts(f, value) {
		return value, true
	}
	list, _ := value.([]any)
	list = slices.DeleteFunc(slices.Clone(list), func(element any) bool { return !v.accepts(f, []any{element}) })
	if len(list) == 0 || !v.accepts(f, list) {
		return nil, false
	}
	return list, false
}

// accepts reports whether a value has the form that openapi.yaml describes.
func (v *Verifier) accepts(f domain.Field, value any) bool {
	return len(v.schema.Check(map[string]any{f.String(): value})) == 0
}

// isEmpty reports whether a value counts as not given.
func isEmpty(value any) bool {
	switch value := value.(type) {
	case nil:
		return true
	case string:
		return value == ""
	case []any:
		return len(value) == 0
	default:
		return false
	}
}
