package statements

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/clientele-oauth/clientele/adapters/internal/contract"
	"github.com/clientele-oauth/clientele/adapters/internal/jws"
	"github.com/clientele-oauth/clientele/adapters/internal/metadata"
	"github.com/clientele-oauth/clientele/domain"
)

// vouched reports whether statements vouch for the field. A claim for such a field that
// cannot be used makes the statement invalid: if it were ignored, the client could choose
// the value. Claims for other fields are then ignored, e.g. software_version, which is a
// number in Open Banking Brasil.
func vouched(f domain.Field) bool {
	switch f {
	case domain.FieldRedirectURIs, domain.FieldScopes, domain.FieldJWKS, domain.FieldJWKSURI, domain.FieldSoftwareID:
		return true
	default:
		return false
	}
}

// readMetadata sets the client metadata of a statement.
func (v *Verifier) readMetadata(issuer domain.StatementIssuer, claims jws.Members, statement *domain.Statement) error {
	values := map[string]any{}
	for f, claim := range claimsOf(issuer) {
		raw, given := claims[claim]
		if !given {
			continue
		}
		value, usable := v.valueOf(f, raw)
		if !usable && vouched(f) {
			return rejected("the software statement: the claim %s does not have the form of %s", claim, f.Metadata())
		}
		if value != nil {
			values[f.String()] = value
		}
	}
	if scopes, limited := scopesOf(issuer, claims, values[domain.FieldScopes.String()]); limited {
		values[domain.FieldScopes.String()] = scopes
	}
	ceiling := map[string]any{}
	if issuer.Mode == domain.ClaimsCeiling {
		for _, f := range []domain.Field{domain.FieldRedirectURIs, domain.FieldScopes} {
			if value, given := values[f.String()]; given {
				ceiling[f.String()] = value
				delete(values, f.String())
			}
		}
	}
	statement.Fixed, statement.Ceiling = contract.ChangeOf(values), contract.ChangeOf(ceiling)
	statement.SoftwareID = statement.Fixed.Values().SoftwareID
	return nil
}

// claimsOf returns the claim for each field that has one. If several claims have the same
// meaning, it is the first one in alphabetical order. Fields that a client cannot set itself
// have no claim. software_id has this name unless another claim is configured.
func claimsOf(issuer domain.StatementIssuer) map[domain.Field]string {
	claims := map[domain.Field]string{}
	for f := range domain.Fields() {
		if f.Metadata() == "" || f.SetBy() != domain.Anyone {
			continue
		}
		if len(issuer.Claims) == 0 || f == domain.FieldSoftwareID {
			claims[f] = f.Metadata()
		}
		for _, claim := range slices.Sorted(maps.Keys(issuer.Claims)) {
			if issuer.Claims[claim] == f.Metadata() {
				claims[f] = claim
				break
			}
		}
	}
	return claims
}

// valueOf returns the value of a field in the form of the API; nil if the claim is empty,
// which counts as not given (RFC 7592 §2.2). usable is false if the claim does not have the
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

// scopesOf returns the scopes of a statement whose issuer maps roles to scopes: those of the
// admitted roles, without those that a claim for the scope does not have. limited is false if
// roles are not mapped.
func scopesOf(issuer domain.StatementIssuer, claims jws.Members, claimed any) (scopes []any, limited bool) {
	if issuer.RoleClaim == "" {
		return nil, false
	}
	list, given := claimed.([]any)
	scopes = []any{} // no scope is another thing than no limit
	for _, role := range admittedRoles(issuer, claims) {
		for _, scope := range issuer.Roles[role] {
			if text := string(scope); !slices.Contains(scopes, any(text)) && (!given || slices.Contains(list, any(text))) {
				scopes = append(scopes, text)
			}
		}
	}
	return scopes, true
}
