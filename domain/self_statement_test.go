package domain

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// statementWith returns a statement with fixed claims.
func statementWith(fixed Change) *Statement {
	return &Statement{Issuer: "https://issuer.example", SoftwareID: "sw", Fixed: fixed, Text: "a.b.c"}
}

func ceilingOf(edits ...func(*Settings)) *Statement {
	return &Statement{Issuer: "https://issuer.example", Ceiling: sent(edits...), Text: "a.b.c"}
}

func TestThePrecedenceOfASoftwareStatement(t *testing.T) {
	const warning, violation = "warning registration-statement-claim ", "violation registration-statement-claim "
	both := redirect("https://app.example.com/cb", "https://app.example.com/other")
	runSelfCases(t, []selfCase{
		{
			name: "its claims replace what the client sends", statement: statementWith(sent(nameOf("Bank App"), scopes("openid"))),
			sends:    []func(*Settings){scopes("profile")},
			want:     map[Field]any{FieldName: "Bank App", FieldScopes: []string{"openid"}},
			findings: []string{warning + "/name", warning + "/scopes"},
		},
		{
			name: "the same value is no replacement", statement: statementWith(sent(nameOf("App"))),
			want: map[Field]any{FieldName: "App"},
		},
		{
			name: "its claims add what the client does not send", statement: statementWith(sent(nameOf("Bank App"))),
			only: []func(*Settings){redirect("https://app.example.com/cb")}, want: map[Field]any{FieldName: "Bank App"},
		},
		{
			name: "claims that are ours are ignored", statement: statementWith(ChangeOf(Settings{SkipConsent: true, Owner: "eve"})),
			want: map[Field]any{FieldSkipConsent: false, FieldOwner: ""},
		},
		{
			name: "its keys replace another source of keys", statement: statementWith(sent(keysAt("https://app.example.com/jwks"))),
			sends:    []func(*Settings){keys},
			want:     map[Field]any{FieldJWKSURI: "https://app.example.com/jwks", FieldJWKS: ""},
			findings: []string{warning + "/jwks"},
		},
		{
			name: "the policy limits its claims, too", statement: statementWith(sent(scopes("openid", "admin"))), policy: RegistrationPolicy{Scopes: []Scope{"openid"}},
			want: map[Field]any{FieldScopes: []string{"openid"}}, findings: []string{"warning registration-value-dropped /scopes/1"},
		},
		{
			name: "the policy limits the hosts of its redirect URIs", statement: statementWith(sent(redirect("https://evil.example/cb"))), policy: hosts("app.example.com"),
			findings: []string{"violation registration-redirect-host /redirect_uris/0", warning + "/redirect_uris"}, rejected: "registration-redirect-host",
		},
		{
			name: "a part of the redirect URIs of a ceiling", statement: ceilingOf(both),
			want: map[Field]any{FieldRedirectURIs: []string{"https://app.example.com/cb"}},
		},
		{
			name: "a redirect URI beyond a ceiling", statement: ceilingOf(redirect("https://app.example.com/other")),
			findings: []string{violation + "/redirect_uris/0"}, rejected: "registration-statement-claim",
		},
		{
			name: "no redirect URIs are all of a ceiling", statement: ceilingOf(both), only: []func(*Settings){nameOf("App")},
			want: map[Field]any{FieldRedirectURIs: []string{"https://app.example.com/cb", "https://app.example.com/other"}},
		},
		{
			name: "a scope beyond a ceiling is left out", statement: ceilingOf(scopes("accounts", "openid")), sends: []func(*Settings){scopes("openid", "payments")},
			want: map[Field]any{FieldScopes: []string{"openid"}}, findings: []string{"warning registration-value-dropped /scopes/1"},
		},
		{
			name: "no scopes are all of a ceiling", statement: ceilingOf(scopes("accounts", "openid")),
			want: map[Field]any{FieldScopes: []string{"accounts", "openid"}},
		},
		{
			name: "a ceiling without a scope allows none", statement: &Statement{Ceiling: ChangeOf(Settings{}, FieldScopes)},
			sends: []func(*Settings){scopes("payments")}, findings: []string{"violation registration-not-allowed /scopes"}, rejected: "registration-not-allowed",
		},
		{
			name: "under a ceiling without a scope a client has not even the default ones", statement: &Statement{Ceiling: ChangeOf(Settings{}, FieldScopes)},
			policy: RegistrationPolicy{DefaultScopes: []Scope{"openid"}}, want: map[Field]any{FieldScopes: []string{}},
		},
		{
			name: "a claim of no scope replaces what the client sends", statement: statementWith(ChangeOf(Settings{}, FieldScopes)),
			sends: []func(*Settings){scopes("payments")}, policy: RegistrationPolicy{DefaultScopes: []Scope{"openid"}},
			want: map[Field]any{FieldScopes: []string{}}, findings: []string{warning + "/scopes"},
		},
		{
			name: "a ceiling without redirect URIs allows none", statement: &Statement{Ceiling: ChangeOf(Settings{}, FieldRedirectURIs)},
			findings: []string{violation + "/redirect_uris/0"}, rejected: "registration-statement-claim",
		},
		{
			name: "an empty claim for redirect URIs allows none", statement: statementWith(ChangeOf(Settings{}, FieldRedirectURIs)),
			findings: []string{violation + "/redirect_uris/0"}, rejected: "registration-statement-claim",
		},
		{
			name: "an empty claim for keys allows none", statement: statementWith(ChangeOf(Settings{}, FieldJWKS)), sends: []func(*Settings){keys},
			want: map[Field]any{FieldJWKS: ""}, findings: []string{warning + "/jwks"},
		},
		{
			name: "an empty claim for keys allows none at another place", statement: statementWith(ChangeOf(Settings{}, FieldJWKS)),
			sends: []func(*Settings){keysAt("https://app.example.com/jwks")},
			want:  map[Field]any{FieldJWKSURI: ""}, findings: []string{warning + "/jwks_uri"},
		},
		{
			name:      "an empty claim for keys beside another one is not another source",
			statement: statementWith(ChangeOf(Settings{Keys: KeysAt("https://app.example.com/jwks")}, FieldJWKS)),
			want:      map[Field]any{FieldJWKSURI: "https://app.example.com/jwks"},
		},
		{
			name: "other empty claims are not given", statement: statementWith(ChangeOf(Settings{}, FieldName)),
			want: map[Field]any{FieldName: "App"},
		},
		{
			name: "a required statement is there", statement: statementWith(Change{}), policy: RegistrationPolicy{Statement: StatementRequired},
		},
	})
}

func TestTheClaimsOfAStatementStayAtAnUpdateWithoutOne(t *testing.T) {
	book := testBook(t, Policy{})
	statement := statementWith(sent(nameOf("Bank App")))
	client := registered(t, SelfRegistration{Metadata: sent(app), Statement: statement, Via: ViaStatement}).Client

	outcome := must(book.ReviseSelf(client, sent(app, scopes("openid")), nil)).Decide(Facts{}, testNow)
	require.Empty(t, outcome.Findings.Violations())
	assert.Equal(t, "Bank App", outcome.Client.Settings().Name)
	assert.Equal(t, []string{"warning registration-statement-claim /name"}, fromOutside(outcome.Findings))
	assert.Same(t, statement, outcome.Client.Registration().Statement)

	newer := statementWith(sent(nameOf("New Bank App")))
	newer.Text = "d.e.f"
	outcome = must(book.ReviseSelf(client, sent(app), newer)).Decide(Facts{}, testNow)
	assert.Equal(t, "New Bank App", outcome.Client.Settings().Name)
	assert.Same(t, newer, outcome.Client.Registration().Statement)

	renewed := statementWith(sent(nameOf("Bank App")))
	renewed.Text = "d.e.f"
	outcome = must(book.ReviseSelf(client, sent(app), renewed)).Decide(Facts{}, testNow)
	assert.Equal(t, RevisionNumber(2), outcome.Client.Revision(), "the statement is answered as it was received last")
	assert.Same(t, renewed, outcome.Client.Registration().Statement)
}
