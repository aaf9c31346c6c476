package domain

import (
	"testing"

	"pgregory.net/rapid"
)

func tokenExamples() map[string][]example {
	dpop, mtls := setting(FieldDPoPBound, true), setting(FieldCertificateBound, true)
	rotation := func(to string) func(*Settings) { return setting(FieldRefreshTokenRotation, to) }
	access := func(seconds int) func(*Settings) { return setting(FieldAccessTokenLifetime, seconds) }
	refreshing := grants(GrantAuthorizationCode, GrantRefreshToken)
	resources := func(list ...string) func(*Settings) { return setting(FieldResources, list) }
	skip := setting(FieldSkipConsent, true)
	responses := func(list ...string) func(*Settings) { return setting(FieldResponseTypes, list) }
	return map[string][]example{
		"sender-constraint-both": {
			{name: "both", edit: all(dpop, mtls), at: "/dpop_bound_access_tokens"},
			{name: "DPoP", edit: dpop},
			{name: "mTLS", edit: mtls},
		},
		"sender-constraint-front-channel": {
			{name: "token", edit: all(dpop, responses("code", "token")), at: "/response_types/1"},
			{name: "in a combination", edit: all(mtls, responses("id_token token")), at: "/response_types/0"},
			{name: "id_token", edit: all(dpop, responses("code id_token"))},
			{name: "unbound", edit: responses("token")},
		},
		"refresh-rotation-unknown": {
			{name: "unknown", edit: all(refreshing, rotation("sometimes")), at: "/refresh_token_rotation"},
			{name: "rotate", edit: all(refreshing, rotation("rotate"))},
			{name: "reuse", edit: all(refreshing, rotation("reuse"))},
		},
		"refresh-rotation-public": {
			{name: "public", edit: public(refreshing, rotation("reuse")), at: "/refresh_token_rotation"},
			{name: "bound", edit: public(refreshing, rotation("reuse"), dpop)},
			{name: "bound by mTLS", edit: public(refreshing, rotation("reuse"), mtls)},
			{name: "rotate", edit: public(refreshing, rotation("rotate"))},
			{name: "unset", edit: public(refreshing)},
			{name: "no refresh token", edit: public(rotation("reuse"))},
			{name: "confidential", edit: all(refreshing, rotation("reuse"))},
		},
		"refresh-rotation-fapi2": {
			{name: "Security", profile: ProfileFAPI2Security, edit: all(refreshing, rotation("rotate")), at: "/refresh_token_rotation"},
			{name: "Message Signing", profile: ProfileFAPI2MessageSigning, edit: all(refreshing, rotation("rotate")), at: "/refresh_token_rotation"},
			{name: "reuse", profile: ProfileFAPI2Security, edit: all(refreshing, rotation("reuse"))},
			{name: "FAPI 1.0", profile: ProfileFAPI1Advanced, edit: all(refreshing, rotation("rotate"))},
		},
		"refresh-unused": {
			{name: "rotation", edit: rotation("rotate"), at: "/refresh_token_rotation"},
			{name: "lifetime", edit: setting(FieldRefreshTokenLifetime, 3600), at: "/refresh_token_lifetime"},
			{name: "with refresh_token", edit: all(refreshing, rotation("rotate"), setting(FieldRefreshTokenLifetime, 3600))},
		},
		"lifetime-range": {
			{name: "59 seconds", edit: access(59), at: "/access_token_lifetime"},
			{name: "1 second", edit: setting(FieldIDTokenLifetime, 1), at: "/id_token_lifetime"},
			{name: "299 seconds", edit: all(refreshing, setting(FieldRefreshTokenLifetime, 299)), at: "/refresh_token_lifetime"},
			{name: "more than 30 days", edit: access(2_592_001), at: "/access_token_lifetime"},
			{name: "more than 5 years", edit: setting(FieldRefreshTokenLifetime, 157_680_001), at: "/refresh_token_lifetime"},
			{name: "the shortest", edit: all(refreshing, access(60), setting(FieldIDTokenLifetime, 60), setting(FieldRefreshTokenLifetime, 300))},
			{name: "the longest", edit: all(refreshing, access(2_592_000), setting(FieldRefreshTokenLifetime, 157_680_000))},
			{name: "unset", edit: access(0)},
		},
		"lifetime-long": {
			{name: "access", edit: access(86_401), at: "/access_token_lifetime"},
			{name: "ID token", edit: setting(FieldIDTokenLifetime, 86_401), at: "/id_token_lifetime"},
			{name: "a day", edit: all(access(86_400), setting(FieldIDTokenLifetime, 86_400))},
			{name: "a year for refresh tokens", edit: all(refreshing, setting(FieldRefreshTokenLifetime, 31_557_600))},
		},
		"lifetime-fapi1": {
			{name: "600 seconds", profile: ProfileFAPI1Baseline, edit: access(600), at: "/access_token_lifetime"},
			{name: "599 seconds", profile: ProfileFAPI1Baseline, edit: access(599)},
			{name: "bound", profile: ProfileFAPI1Baseline, edit: all(access(600), mtls)},
			{name: "unset", profile: ProfileFAPI1Baseline},
			{name: "no profile", edit: access(600)},
		},
		"resource-syntax": {
			{name: "relative", edit: resources("api"), at: "/resources/0"},
			{name: "fragment", edit: resources("https://api.example.com/", "https://api.example.com/#a"), at: "/resources/1"},
			{name: "space", edit: resources("https://api.example.com/a b"), at: "/resources/0"},
			{name: "query", edit: resources("https://api.example.com/?a=b"), at: "/resources/0", level: Warning},
			{name: "https and urn", edit: resources("https://api.example.com", "urn:example:api")},
		},
		"exchange-unlimited": {
			{name: "none", edit: grants(GrantTokenExchange), at: "/resources"},
			{name: "one", edit: all(grants(GrantTokenExchange), resources("https://api.example.com"))},
			{name: "no exchange"},
		},
		"skip-consent-public": {
			{name: "loopback", edit: public(skip, redirect("https://app.example.com/", "http://127.0.0.1/")), at: "/skip_consent"},
			{name: "private-use scheme", edit: public(skip, redirect("com.example.app:/cb")), at: "/skip_consent"},
			{name: "https", edit: public(skip)},
			{name: "confidential", edit: all(skip, redirect("http://127.0.0.1/"))},
			{name: "consent", edit: public(redirect("com.example.app:/cb"))},
		},
		"skip-consent-device": {
			{name: "device", edit: all(grants(GrantDeviceCode), skip), at: "/skip_consent"},
			{name: "CIBA", edit: withCIBA(DeliveryPoll, skip), at: "/skip_consent"},
			{name: "authorization_code", edit: skip},
			{name: "consent", edit: grants(GrantDeviceCode)},
		},
	}
}

// drawRecord draws the fields of logout, login, requests, CIBA, tokens and labels, legal or
// not.
func drawRecord(t *rapid.T, s *Settings) {
	uris := []string{
		"", "https://a.example/", "https://a.example/#x", "http://a.example/", "https://10.0.0.1/", "https://localhost/", "com.example.app:/bye",
		"https://a.example/../b", "myapp:/bye", "nothing",
	}
	anyTexts := map[Field][]string{
		FieldBackchannelLogoutURI: uris, FieldFrontchannelLogoutURI: uris, FieldInitiateLoginURI: uris, FieldCIBANotificationEndpoint: uris,
		FieldCIBADeliveryMode:      {"", "poll", "ping", "push", "pull"},
		FieldCIBARequestSigningAlg: {"", "ES256"},
		FieldRefreshTokenRotation:  {"", "rotate", "reuse", "never"},
		FieldDescription:           {"", "What it\nis for", "a\u202eb"},
		FieldSoftwareID:            {"", "a", "a\tb"},
		FieldOwner:                 {"", "payments", "می\u200cخواهم", "pay\u200cments"},
	}
	anyLists := map[Field][]string{
		FieldPostLogoutRedirectURIs: uris, FieldRequestURIs: uris, FieldResources: uris,
		FieldContacts:                  {"", "a@example.com", "a", "\u3164@"},
		FieldDefaultACRValues:          {"", "1", "2"},
		FieldAuthorizationDetailsTypes: {"", "payment", "a\nb"},
	}
	flags := []Field{
		FieldBackchannelLogoutSession, FieldFrontchannelLogoutSession, FieldRequirePAR, FieldRequireSignedRequestObject, FieldCIBAUserCode,
		FieldDPoPBound, FieldCertificateBound, FieldSkipConsent,
	}
	for f := range Fields() {
		if values, ok := anyTexts[f]; ok {
			setting(f, rapid.SampledFrom(values).Draw(t, f.String()))(s)
		}
		if values, ok := anyLists[f]; ok {
			setting(f, rapid.SliceOfN(rapid.SampledFrom(values), 0, 3).Draw(t, f.String()))(s)
		}
	}
	for _, f := range flags {
		setting(f, rapid.Bool().Draw(t, f.String()))(s)
	}
	for _, f := range []Field{FieldAccessTokenLifetime, FieldIDTokenLifetime, FieldRefreshTokenLifetime} {
		setting(f, rapid.SampledFrom([]int{0, 1, 59, 60, 300, 600, 90_000, 3_000_000}).Draw(t, f.String()))(s)
	}
	s.Labels = rapid.MapOfN(
		rapid.SampledFrom([]string{"example.com/tier", "clientele/owner", "tier", "a/b/c", ""}), rapid.SampledFrom([]string{"", "gold", "a\u200bb"}), 0, 3,
	).Draw(t, "labels")
}

// acceptedRecords are configurations of real clients that must have no violation.
func acceptedRecords() map[string]example {
	native := func(name string, redirects ...RedirectURI) func(*Settings) {
		return func(s *Settings) {
			*s = Settings{
				Name: name, Status: StatusActive, RedirectURIs: redirects,
				GrantTypes: []GrantType{GrantAuthorizationCode, GrantRefreshToken}, AuthMethods: []AuthMethod{AuthNone},
			}
		}
	}
	schemes := Policy{PrivateSchemes: []string{"cursor", "oc"}}
	return map[string]example{
		"Cursor": {edit: native("Cursor", "cursor://anysphere.cursor-mcp/oauth/callback"), policy: schemes},
		"ownCloud for Android and iOS": {
			edit: all(native("ownCloud", "oc://android.owncloud.com", "oc://ios.owncloud.com"),
				uris(FieldPostLogoutRedirectURIs, "oc://android.owncloud.com", "oc://ios.owncloud.com")),
			policy: schemes,
		},
		"Claude Code":        {edit: native("Claude Code", "http://localhost:54545/callback", "http://127.0.0.1/callback")},
		"MCP Inspector":      {edit: native("MCP Inspector", "http://localhost:6274/oauth/callback", "http://localhost:6274/oauth/callback/debug")},
		"Visual Studio Code": {edit: native("Visual Studio Code", "http://127.0.0.1:33418/", "https://vscode.dev/redirect")},
		"Auth0 with refresh tokens of a year": {edit: all(
			native("Auth0", "https://app.example.com/callback"),
			setting(FieldRefreshTokenLifetime, 31_557_600), // the default of Auth0
			setting(FieldRefreshTokenRotation, "rotate"),
			setting(FieldAccessTokenLifetime, 86_400),
			setting(FieldIDTokenLifetime, 36_000),
			setting(FieldInitiateLoginURI, "https://app.example.com/login"),
		)},
		"Okta's web application": {edit: all(
			redirect("https://app.example.com/authorization-code/callback"),
			func(s *Settings) {
				s.GrantTypes = []GrantType{GrantAuthorizationCode, GrantRefreshToken, GrantClientCredentials}
			},
			setting(FieldApplicationType, "web"), setting(FieldResponseTypes, []string{"code", "none"}),
			setting(FieldInitiateLoginURI, "https://app.example.com/login"), uris(FieldPostLogoutRedirectURIs, "https://app.example.com/"),
			setting(FieldRefreshTokenRotation, "rotate"), setting(FieldDPoPBound, true), setting(FieldRequestObjectSigningAlg, "ES256"),
		)},
		"a Persian name and owner": {edit: all(
			nameOf("می\u200cخواهم"), setting(FieldOwner, "کتاب\u200cها"),
			setting(FieldDescription, "می\u200cخواهم\n\tکتاب\u200cها"), setting(FieldLabels, map[string]string{"example.com/team": "خانه\u200cها"}),
		)},
		"Keycloak's account console": {edit: all(
			native("${client_account-console}", "https://sso.example.com/realms/demo/account/"),
			func(s *Settings) { s.GrantTypes = []GrantType{GrantAuthorizationCode} },
			uris(FieldPostLogoutRedirectURIs, "https://sso.example.com/realms/demo/account/"),
		)},
		"Keycloak's application with both logouts": {edit: all(
			redirect("https://app.example.com/login/oauth2/code/keycloak"),
			uris(FieldPostLogoutRedirectURIs, "https://app.example.com", "https://app.example.com/"),
			endpoint(FieldBackchannelLogoutURI, "https://app.example.com/logout/connect/back-channel/keycloak"),
			setting(FieldBackchannelLogoutSession, true),
			endpoint(FieldFrontchannelLogoutURI, "https://app.example.com/logout"),
			setting(FieldFrontchannelLogoutSession, true),
		)},
		"Keycloak's application in a cluster": {edit: all(
			endpoint(FieldBackchannelLogoutURI, "http://app.internal:8080/logout"),
		)},
		"Keycloak's application at a private address": {
			edit:   endpoint(FieldBackchannelLogoutURI, "http://10.1.2.3:8080/k_logout"),
			policy: Policy{PrivateNetworks: true},
		},
		"the example of CIBA Core": {edit: all( // §4
			redirect("https://client.example.org/callback"),
			func(s *Settings) { s.GrantTypes = []GrantType{GrantAuthorizationCode, GrantCIBA} },
			scopes(), setting(FieldCIBADeliveryMode, "ping"),
			endpoint(FieldCIBANotificationEndpoint, "https://client.example.com/cb"),
			keysAt("https://client.example.org/my_public_keys.jwks"),
			setting(FieldContacts, []string{"ve7jtb@example.org", "mary@example.org"}),
		)},
		"FAPI-CIBA with unsigned requests": {
			profile: ProfileFAPI1Advanced,
			edit: withCIBA(DeliveryPoll, noKeys, func(s *Settings) {
				s.AuthMethods = []AuthMethod{AuthTLS}
				s.TLSSubject = TLSSubject{DN: "CN=bank.example"}
			}),
		},
	}
}

func TestRealClientsWithLogoutTokensAndLabelsAreAccepted(t *testing.T) {
	for name, e := range acceptedRecords() {
		t.Run(name, func(t *testing.T) {
			if violations := e.findings(t).Violations(); len(violations) > 0 {
				t.Errorf("%+v", violations)
			}
		})
	}
}
