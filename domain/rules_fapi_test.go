package domain

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// declared declares everything that the profile requires.
func declared(profile Profile) func(*Settings) {
	return func(s *Settings) {
		s.CertificateBound = profile != ProfileFAPI1Baseline && profile != ProfileNone
		s.RequirePKCE = profile != ProfileNone
		switch profile {
		case ProfileFAPI1Advanced:
			s.IDToken.Signing = "PS256"
			s.Authorization.Signing = "PS256"
			s.RequireSignedRequestObject = true
			s.RequestObject.Signing = "ES256"
		case ProfileFAPI2Security:
			s.IDToken.Signing = "PS256"
			s.RequirePAR = true
		case ProfileFAPI2MessageSigning:
			s.IDToken.Signing = "PS256"
			s.RequirePAR = true
			s.RequireSignedRequestObject = true
			s.RequestObject.Signing = "ES256"
		default:
		}
	}
}

// fapiExamples holds the examples of the rules on declarations.
func fapiExamples() map[string][]example {
	required := Policy{Declarations: DeclarationsRequire}
	dpop := func(s *Settings) { s.DPoPBound = true }
	mtls := func(s *Settings) { s.CertificateBound = true }
	par := func(s *Settings) { s.RequirePAR = true }
	pkce := func(s *Settings) { s.RequirePKCE = true }
	service := grants(GrantClientCredentials)
	jarm := alg(FieldAuthorizationSigningAlg, "PS256")
	return map[string][]example{
		"sender-constraint-undeclared": {
			{name: "Advanced", profile: ProfileFAPI1Advanced, at: "/tls_client_certificate_bound_access_tokens"},
			{name: "FAPI 2.0", profile: ProfileFAPI2Security, at: "/tls_client_certificate_bound_access_tokens"},
			{name: "a service", profile: ProfileFAPI2MessageSigning, edit: service, at: "/tls_client_certificate_bound_access_tokens"},
			{name: "required", profile: ProfileFAPI2Security, policy: required, at: "/tls_client_certificate_bound_access_tokens", level: Violation},
			{name: "DPoP", profile: ProfileFAPI2Security, edit: dpop, policy: required},
			{name: "mTLS", profile: ProfileFAPI1Advanced, edit: mtls, policy: required},
			{name: "Baseline", profile: ProfileFAPI1Baseline, policy: required},
			{name: "no profile", policy: required},
		},
		"sender-constraint-mtls": {
			{name: "DPoP alone", profile: ProfileFAPI1Advanced, edit: dpop, at: "/dpop_bound_access_tokens"},
			{name: "both", profile: ProfileFAPI1Advanced, edit: all(dpop, mtls)},
			{name: "FAPI 2.0", profile: ProfileFAPI2Security, edit: dpop},
		},
		"par-undeclared": {
			{name: "authorization_code", profile: ProfileFAPI2Security, at: "/require_pushed_authorization_requests"},
			{name: "required", profile: ProfileFAPI2MessageSigning, policy: required, at: "/require_pushed_authorization_requests", level: Violation},
			{name: "declared", profile: ProfileFAPI2Security, edit: par, policy: required},
			{name: "a service", profile: ProfileFAPI2Security, edit: service, policy: required},
			{name: "Advanced", profile: ProfileFAPI1Advanced, policy: required},
		},
		"pkce-undeclared": {
			{name: "Baseline", profile: ProfileFAPI1Baseline, at: "/require_pkce"},
			{name: "FAPI 2.0", profile: ProfileFAPI2Security, at: "/require_pkce"},
			{name: "Advanced with PAR", profile: ProfileFAPI1Advanced, edit: par, at: "/require_pkce"},
			{name: "required", profile: ProfileFAPI1Baseline, policy: required, at: "/require_pkce", level: Violation},
			{name: "Advanced without PAR", profile: ProfileFAPI1Advanced, policy: required},
			{name: "a service", profile: ProfileFAPI2Security, edit: service, policy: required},
			{name: "declared", profile: ProfileFAPI2Security, edit: pkce, policy: required},
			{name: "no profile", policy: required},
		},
		"request-object-undeclared": {
			{name: "authorization_code", profile: ProfileFAPI1Advanced, at: "/require_signed_request_object"},
			{name: "required", profile: ProfileFAPI1Advanced, policy: required, at: "/require_signed_request_object", level: Violation},
			{name: "declared", profile: ProfileFAPI1Advanced, edit: signedRequests, policy: required},
			{name: "a service", profile: ProfileFAPI1Advanced, edit: service, policy: required},
			{name: "FAPI 2.0", profile: ProfileFAPI2Security, policy: required},
		},
		"request-alg-undeclared": {
			{name: "Advanced", profile: ProfileFAPI1Advanced, edit: signedRequests, at: "/request_object_signing_alg"},
			{name: "required", profile: ProfileFAPI2MessageSigning, edit: signedRequests, policy: required, at: "/request_object_signing_alg", level: Violation},
			{name: "declared", profile: ProfileFAPI1Advanced, edit: all(signedRequests, alg(FieldRequestObjectSigningAlg, "ES256")), policy: required},
			{name: "unsigned requests are allowed", profile: ProfileFAPI1Advanced, policy: required},
			{name: "Security Profile", profile: ProfileFAPI2Security, edit: signedRequests, policy: required},
		},
		"id-token-alg-undeclared": {
			{name: "Advanced", profile: ProfileFAPI1Advanced, at: "/id_token_signed_response_alg"},
			{name: "required", profile: ProfileFAPI2Security, policy: required, at: "/id_token_signed_response_alg", level: Violation},
			{name: "no openid", profile: ProfileFAPI2Security, edit: scopes("profile"), policy: required},
			{name: "declared", profile: ProfileFAPI2Security, edit: alg(FieldIDTokenSigningAlg, "ES256"), policy: required},
			{name: "Baseline", profile: ProfileFAPI1Baseline, policy: required},
		},
		"jarm-undeclared": {
			{name: "no response types", profile: ProfileFAPI1Advanced, at: "/authorization_signed_response_alg"},
			{name: "code", profile: ProfileFAPI1Advanced, edit: responseTypes("code"), at: "/authorization_signed_response_alg"},
			{name: "required", profile: ProfileFAPI1Advanced, policy: required, at: "/authorization_signed_response_alg", level: Violation},
			{name: "code id_token", profile: ProfileFAPI1Advanced, edit: responseTypes("code", "id_token code"), policy: required},
			{name: "code id_token by the grants", profile: ProfileFAPI1Advanced, edit: hybrid, policy: required},
			{name: "declared", profile: ProfileFAPI1Advanced, edit: jarm, policy: required},
			{name: "a service", profile: ProfileFAPI1Advanced, edit: service, policy: required},
			{name: "FAPI 2.0", profile: ProfileFAPI2MessageSigning, policy: required},
		},
		"response-mode-jarm": {
			{name: "no JWT", profile: ProfileFAPI1Advanced, edit: responseModes("query", "form_post"), at: "/response_modes"},
			{name: "a JWT", profile: ProfileFAPI1Advanced, edit: responseModes("query", "query.jwt")},
			{name: "any", profile: ProfileFAPI1Advanced},
			{name: "code id_token", profile: ProfileFAPI1Advanced, edit: all(hybrid, responseTypes("code id_token"), responseModes("fragment"))},
			{name: "FAPI 2.0", profile: ProfileFAPI2Security, edit: responseModes("query")},
		},
		"message-signing-none": {
			{name: "nothing", profile: ProfileFAPI2MessageSigning, at: "/fapi_profile"},
			{name: "required", profile: ProfileFAPI2MessageSigning, policy: required, at: "/fapi_profile", level: Violation},
			{name: "JARM without a jwt mode", profile: ProfileFAPI2MessageSigning, edit: all(jarm, responseModes("query")), at: "/fapi_profile"},
			{name: "requests", profile: ProfileFAPI2MessageSigning, edit: signedRequests, policy: required},
			{name: "responses", profile: ProfileFAPI2MessageSigning, edit: jarm, policy: required},
			{name: "responses by a jwt mode", profile: ProfileFAPI2MessageSigning, edit: all(jarm, responseModes("jwt")), policy: required},
			{name: "introspection", profile: ProfileFAPI2MessageSigning, edit: alg(FieldIntrospectionSigningAlg, "PS256"), policy: required},
			{name: "Security Profile", profile: ProfileFAPI2Security, policy: required},
		},
	}
}

func TestAPolicyWithUnknownValuesIsRejected(t *testing.T) {
	_, err := NewRulebook(Policy{Declarations: "maybe"})
	require.ErrorContains(t, err, "maybe")
	_, err = NewRulebook(Policy{ProfileSigningAlg: "RS256"})
	require.ErrorContains(t, err, "RS256")
}

// acceptedClients are configurations of real clients and servers that must have no
// violation.
func acceptedClients() map[string]func(*Settings) {
	loopback := func(uris ...RedirectURI) func(*Settings) {
		return func(s *Settings) {
			*s = Settings{
				Name: s.Name, Status: StatusActive, RedirectURIs: uris,
				GrantTypes: []GrantType{GrantAuthorizationCode, GrantRefreshToken}, AuthMethods: []AuthMethod{AuthNone},
				ResponseTypes: []ResponseType{"code"},
			}
		}
	}
	openBanking := func(profile Profile) func(*Settings) {
		return func(s *Settings) { // "Dynamic Client Registration" v3.3 of Open Banking UK
			s.Profile = profile
			s.RedirectURIs = []RedirectURI{"https://tpp.example/cb"}
			s.GrantTypes = []GrantType{GrantAuthorizationCode, GrantRefreshToken, GrantClientCredentials}
			s.ResponseTypes = []ResponseType{"code id_token"}
			s.Scopes = []Scope{"openid", "accounts", "payments"}
			s.ApplicationType = ApplicationWeb
			s.IDToken.Signing = "PS256"
			s.RequestObject.Signing = "PS256"
			s.AuthSigningAlg = "PS256"
			s.Keys = KeysAt("https://keystore.openbankingtest.example/org/sw.jwks")
			s.SoftwareID = "4NRB10XZABZI9E65SM3R"
		}
	}
	return map[string]func(*Settings){
		"Open Banking UK, FAPI 1.0 Advanced": openBanking(ProfileFAPI1Advanced),
		"Open Banking UK, FAPI 1.0 Baseline": openBanking(ProfileFAPI1Baseline),
		"Hydra's response": func(s *Settings) {
			s.AuthMethods = []AuthMethod{AuthSecretBasic}
			s.Keys = KeySource{}
			s.ResponseTypes = []ResponseType{"code"}
			s.UserInfo.Signing = "none"
			s.IDToken.Signing = "RS256"
			s.RequestObject.Signing = "RS256"
			s.AuthSigningAlg = "RS256"
		},
		"Keycloak's implicit client on localhost": public(func(s *Settings) {
			s.RedirectURIs = []RedirectURI{"https://localhost:8443/app"}
			s.GrantTypes = []GrantType{GrantImplicit}
		}),
		"Keycloak's hybrid client on localhost": public(func(s *Settings) {
			s.RedirectURIs = []RedirectURI{"https://localhost/app", "http://localhost/app"}
			s.GrantTypes = []GrantType{GrantAuthorizationCode, GrantImplicit}
			s.ResponseTypes = []ResponseType{"code", "id_token token", "code id_token"}
		}),
		"Claude Code":     loopback("http://localhost:54545/callback", "http://127.0.0.1:54545/callback"),
		"an MCP loopback": loopback("http://127.0.0.1/callback", "com.example.editor:/callback"),
		"Auth0's single-page app": public(func(s *Settings) {
			s.GrantTypes = []GrantType{GrantAuthorizationCode, GrantImplicit, GrantRefreshToken}
			s.ResponseTypes = []ResponseType{"code", "token", "id_token", "id_token token"}
			s.IDToken.Signing = "RS256"
			s.ApplicationType = ApplicationWeb
		}),
	}
}

func TestRealClientsAreAccepted(t *testing.T) {
	for name, edit := range acceptedClients() {
		t.Run(name, func(t *testing.T) {
			settings := legal()
			edit(&settings)
			keys := KeysUnexamined()
			if settings.Keys.Inline() != "" {
				keys = KeysSeen(*keySet(ecKey()))
			}
			assert.Empty(t, testBook(t, Policy{}).Validate(settings, Facts{Keys: keys}, testNow).Violations())
		})
	}
}

func TestOpenBankingWithoutImplicitIsAWarning(t *testing.T) {
	settings := legal()
	acceptedClients()["Open Banking UK, FAPI 1.0 Advanced"](&settings)
	found := testBook(t, Policy{}).Validate(settings, Facts{Keys: KeysSeen(*keySet(rsaKey()))}, testNow)
	assert.Empty(t, found.Violations())
	assert.Contains(t, rulesOf(found.Warnings()), "response-type-grant")

	settings.Profile = ProfileNone
	found = testBook(t, Policy{}).Validate(settings, Facts{Keys: KeysSeen(*keySet(rsaKey()))}, testNow)
	assert.Contains(t, rulesOf(found.Violations()), "response-type-grant")
}
