package domain

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestFindingsAboutOneOfSeveralFieldsDependOnItAlone(t *testing.T) {
	findings := example{edit: all(
		endpoint(FieldInitiateLoginURI, "https://app.example.com/"), grants(GrantDeviceCode),
		setting(FieldContacts, []string{"", "a@example.com"}), setting(FieldOwner, "a\u200bb"),
		endpoint(FieldBackchannelLogoutURI, "https://app.example.com/#"), setting(FieldIDTokenLifetime, 1),
		setting(FieldRefreshTokenRotation, "rotate"), setting(FieldCIBAUserCode, true),
	)}.findings(t)
	want := []string{"logout-uri", "redirecting-unused", "ciba-unused", "refresh-unused", "lifetime-range", "text-deceptive", "list-element"}
	assert.Subset(t, rulesOf(findings), want)
	neighbours := FieldsOf(FieldResources, FieldDescription, FieldFrontchannelLogoutURI, FieldAccessTokenLifetime, FieldRefreshTokenLifetime, FieldCIBARequestSigningAlg)
	assert.Subset(t, rulesOf(findings.Independent(neighbours)), want)
}

func TestIndependentOmitsFindingsAboutUnreadFields(t *testing.T) {
	book, err := NewRulebook(Policy{})
	require.NoError(t, err)
	// No name, no redirect URI, a duplicate scope, two bad links, and a method
	// that the profile does not allow.
	_, findings := registerClient(book, Identity{}, ChangeOf(Settings{
		Scopes: []Scope{"a", "a"}, LogoURL: Link("x"), Website: Link("y"), Profile: ProfileFAPI1Advanced, AuthMethods: []AuthMethod{AuthSecretBasic}, Keys: KeysAt("https://a.example/jwks"),
	}), KeysUnexamined(), time.Time{})
	all := []string{
		"grant-needs-redirect-uri /redirect_uris", "auth-method-fapi /client_auth_methods/0", "scope-duplicate /scopes/1",
		"name-required /name", "link-syntax /logo_url", "link-syntax /website",
	}
	tests := []struct {
		unread []Field
		absent []string
	}{
		{nil, nil},
		{[]Field{FieldName}, []string{"name-required /name"}},
		{[]Field{FieldGrantTypes}, []string{"grant-needs-redirect-uri /redirect_uris"}},
		{[]Field{FieldLogoURL}, []string{"link-syntax /logo_url"}},
		{[]Field{FieldAuthMethods, FieldScopes}, []string{"auth-method-fapi /client_auth_methods/0", "scope-duplicate /scopes/1"}},
		{[]Field{FieldProfile}, []string{"grant-needs-redirect-uri /redirect_uris", "auth-method-fapi /client_auth_methods/0"}},
	}
	for _, tt := range tests {
		var got, want []string
		for _, f := range findings.Violations().Independent(FieldsOf(tt.unread...)) {
			got = append(got, f.Rule+" "+f.Pointer)
		}
		for _, f := range all {
			if !slices.Contains(tt.absent, f) {
				want = append(want, f)
			}
		}
		assert.ElementsMatch(t, want, got, "%v", tt.unread)
	}
}
