package domain

import (
	"slices"
	"strings"
	"time"
)

// RuleRegistrationPolicy is the id of the rule about policies, as in [RegistrationRules].
const RuleRegistrationPolicy = "registration-policy"

// CheckWritten returns the violations of what the policy writes to every client: with them,
// no client could be registered. The pointers are "/" and the key, or into its value.
func (b *Rulebook) CheckWritten(p RegistrationPolicy) Findings {
	settings := Settings{
		GrantTypes: []GrantType{GrantAuthorizationCode, GrantRefreshToken}, Scopes: []Scope{"openid"},
		Resources: p.Resources, Labels: p.Labels, Owner: p.Owner,
		AccessTokenLifetime: p.AccessTokenLifetime, IDTokenLifetime: p.IDTokenLifetime, RefreshTokenLifetime: p.RefreshTokenLifetime,
	}
	written := FieldsOf(FieldResources, FieldLabels, FieldOwner, FieldAccessTokenLifetime, FieldIDTokenLifetime, FieldRefreshTokenLifetime)
	return slices.DeleteFunc(b.Validate(settings, Facts{}, time.Time{}), func(f Finding) bool {
		name, _, _ := strings.Cut(strings.TrimPrefix(f.Pointer, "/"), "/")
		field, known := FieldNamed(name, LastField)
		return f.Level != Violation || !known || !written.Has(field)
	})
}
