package domain

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestWhatAStatementSetsForItsClient(t *testing.T) {
	roles := map[string][]Scope{"a": {"openid", "accounts"}, "b": {"accounts", "payments"}, "none": {}}
	plain, ceiling := StatementIssuer{Mode: ClaimsFixed}, StatementIssuer{Mode: ClaimsCeiling}
	byRole := StatementIssuer{Mode: ClaimsFixed, RoleClaim: "roles", Roles: roles}
	ceilingByRole := StatementIssuer{Mode: ClaimsCeiling, RoleClaim: "roles", Roles: roles}
	unnamed := StatementIssuer{Mode: ClaimsCeiling, Claims: map[string]string{"name": "client_name"}}
	renamed := StatementIssuer{Mode: ClaimsCeiling, Claims: map[string]string{"software_scope": "scope"}}
	both := redirect("https://app.example.com/cb")
	for _, c := range []struct {
		name           string
		issuer         StatementIssuer
		claimed        Change
		roles          []string
		fixed, ceiling Change
	}{
		{"all claims", plain, sent(nameOf("App"), both, scopes("openid")), nil, sent(nameOf("App"), both, scopes("openid")), Change{}},
		{"roles without a claim for them", plain, sent(nameOf("App")), []string{"a"}, sent(nameOf("App")), Change{}},
		{"a ceiling", ceiling, sent(nameOf("App"), both, scopes("openid")), nil, sent(nameOf("App")), sent(both, scopes("openid"))},
		{"a ceiling that is not claimed", ceiling, sent(nameOf("App")), nil, sent(nameOf("App")), ChangeOf(Settings{}, FieldRedirectURIs, FieldScopes)},
		{"a ceiling that is empty", ceiling, ChangeOf(Settings{}, FieldRedirectURIs, FieldScopes), nil, Change{}, ChangeOf(Settings{}, FieldRedirectURIs, FieldScopes)},
		{"no claims for a ceiling", unnamed, sent(nameOf("App")), nil, sent(nameOf("App")), ChangeOf(Settings{}, FieldRedirectURIs)},
		{"another claim for a ceiling", renamed, sent(nameOf("App")), nil, sent(nameOf("App")), ChangeOf(Settings{}, FieldRedirectURIs, FieldScopes)},
		{"the scopes of all roles", byRole, Change{}, []string{"b", "unknown", "a"}, sent(scopes("accounts", "payments", "openid")), Change{}},
		{"roles and scopes", byRole, sent(scopes("payments", "other")), []string{"b"}, sent(scopes("payments")), Change{}},
		{"a role without scopes", byRole, sent(scopes("payments")), []string{"none"}, ChangeOf(Settings{Scopes: []Scope{}}, FieldScopes), Change{}},
		{"a ceiling of roles", ceilingByRole, sent(nameOf("App")), []string{"a"}, sent(nameOf("App")), ChangeOf(Settings{Scopes: []Scope{"openid", "accounts"}}, FieldRedirectURIs)},
	} {
		fixed, ceiling := c.issuer.Bind(c.claimed, c.roles)
		assert.Equal(t, c.fixed, fixed, c.name)
		assert.Equal(t, c.ceiling, ceiling, c.name)
	}
}

func TestTheRolesThatAnIssuerAdmits(t *testing.T) {
	byRole := StatementIssuer{RoleClaim: "roles", Roles: map[string][]Scope{"a": {"openid"}, "none": {}}}
	for _, c := range []struct {
		name   string
		issuer StatementIssuer
		roles  []string
		want   bool
	}{
		{"any without a claim for roles", StatementIssuer{}, nil, true},
		{"none", byRole, nil, false},
		{"an unknown one", byRole, []string{"b"}, false},
		{"one of several", byRole, []string{"b", "a"}, true},
		{"one without scopes", byRole, []string{"none"}, true},
	} {
		assert.Equal(t, c.want, c.issuer.AdmitsOneOf(c.roles), c.name)
	}
}
