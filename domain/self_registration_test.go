package domain

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// selfIdentity identifies the clients that register themselves in tests.
var selfIdentity = Identity{ID: "cl_1", TenantID: "acme", ClientID: "generated"}

// app is what a client sends that every policy of the tests allows.
func app(s *Settings) {
	s.Name = "App"
	s.RedirectURIs = []RedirectURI{"https://app.example.com/cb"}
}

// sent returns the metadata of a client.
func sent(edits ...func(*Settings)) Change {
	var s Settings
	all(edits...)(&s)
	return ChangeOf(s)
}

// registered returns the outcome of a registration by the client itself.
func registered(t *testing.T, r SelfRegistration) Outcome {
	t.Helper()
	return testBook(t, Policy{}).RegisterSelf(selfIdentity, r).Decide(Facts{Keys: KeysSeen(*keySet(ecKey()))}, testNow)
}

// fromOutside returns the findings of the rules on registrations from outside.
func fromOutside(findings Findings) []string {
	texts := []string{}
	for _, f := range findings {
		if slices.ContainsFunc(RegistrationRules(), func(r Rule) bool { return r.ID == f.Rule }) {
			texts = append(texts, fmt.Sprintf("%s %s %s", f.Level, f.Rule, f.Pointer))
		}
	}
	slices.Sort(texts)
	return texts
}

// selfCase is a registration and what becomes of it.
type selfCase struct {
	name      string
	sends     []func(*Settings) // in addition to app
	only      []func(*Settings) // in place of app
	policy    RegistrationPolicy
	statement *Statement
	server    map[string][]string
	want      map[Field]any // of the registered client, or else of the draft
	findings  []string      // of the rules on registrations from outside, sorted
	rejected  string        // a rule with a violation; empty if there is none
}

func (c selfCase) run(t *testing.T) {
	t.Helper()
	edits := c.only
	if edits == nil {
		edits = append([]func(*Settings){app}, c.sends...)
	}
	draft := testBook(t, Policy{}).RegisterSelf(selfIdentity, SelfRegistration{
		Metadata: sent(edits...), Policy: c.policy, Statement: c.statement, Via: ViaOpen,
	})
	facts := Facts{Keys: KeysSeen(*keySet(ecKey()))}
	if c.server != nil {
		facts.Server = NewServerMetadata(c.server, false)
	}
	outcome := draft.Decide(facts, testNow)
	settings := draft.Settings()
	if c.rejected == "" {
		require.Empty(t, outcome.Findings.Violations())
		settings = outcome.Client.Settings()
	} else {
		assert.Zero(t, outcome.Client)
		assert.Contains(t, rulesOf(outcome.Findings.Violations()), c.rejected)
	}
	for f, value := range c.want {
		assert.Equal(t, value, Plain(f.Of(&settings)), f.String())
	}
	wanted := append([]string{}, c.findings...)
	assert.Equal(t, wanted, fromOutside(outcome.Findings))
}

func runSelfCases(t *testing.T, cases []selfCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, c.run)
	}
}

func listed(list ...GrantType) func(*Settings) { return func(s *Settings) { s.GrantTypes = list } }

func keys(s *Settings) { s.Keys = InlineKeys("{}") }

func kind(k ApplicationType) func(*Settings) { return func(s *Settings) { s.ApplicationType = k } }

func TestTheFormOfARegistration(t *testing.T) {
	machines := RegistrationPolicy{Grants: []GrantType{GrantClientCredentials, GrantAuthorizationCode, GrantImplicit}}
	runSelfCases(t, []selfCase{
		{
			name: "omitted members have the defaults of RFC 7591",
			want: map[Field]any{
				FieldGrantTypes: []string{"authorization_code"}, FieldAuthMethods: []string{"client_secret_basic"},
				FieldConfidential: true, FieldResponseTypes: []string{}, FieldScopes: []string{}, FieldStatus: "active",
			},
		},
		{
			name: "members that are ours are ignored",
			sends: []func(*Settings){func(s *Settings) {
				s.Status, s.SkipConsent, s.Owner, s.Labels = StatusSuspended, true, "eve", map[string]string{"a": "b"}
				s.RequirePKCE, s.Resources, s.CORSOrigins, s.AccessTokenLifetime = true, []string{"x"}, []Origin{"https://e.example"}, 5
				s.Profile = ProfileFAPI2Security
			}},
			want: map[Field]any{
				FieldStatus: "active", FieldSkipConsent: false, FieldOwner: "", FieldLabels: map[string]string{},
				FieldRequirePKCE: false, FieldResources: []string{}, FieldCORSOrigins: []string{}, FieldAccessTokenLifetime: nil, FieldProfile: "",
			},
		},
		{
			name:     "response types without a grant that redirects are none",
			only:     []func(*Settings){nameOf("Job"), listed(GrantClientCredentials), responseTypes("token")},
			policy:   machines,
			want:     map[Field]any{FieldResponseTypes: []string{}, FieldGrantTypes: []string{"client_credentials"}},
			findings: []string{"warning registration-value-replaced /response_types"},
		},
		{
			name:     "a bare id_token is left out if another response type remains",
			sends:    []func(*Settings){responseTypes("code", "id_token", "token")},
			want:     map[Field]any{FieldResponseTypes: []string{"code"}},
			findings: []string{"warning registration-value-dropped /response_types/1", "warning registration-value-dropped /response_types/2"},
		},
		{
			name:     "a bare id_token alone is rejected",
			sends:    []func(*Settings){responseTypes("id_token")},
			findings: []string{"violation registration-not-allowed /response_types"}, rejected: "registration-not-allowed",
		},
		{
			name:   "a response type alone that needs a grant that is allowed is rejected",
			sends:  []func(*Settings){responseTypes("id_token")},
			policy: machines, rejected: "response-type-grant",
		},
		{
			name:   "the default response type stays unset where it is allowed",
			policy: RegistrationPolicy{ResponseTypes: []ResponseType{"code id_token", "code"}},
			want:   map[Field]any{FieldResponseTypes: []string{}},
		},
		{
			name:     "the default response type is replaced where it is not allowed",
			policy:   RegistrationPolicy{ResponseTypes: []ResponseType{"none", "id_token code"}, Grants: []GrantType{GrantAuthorizationCode, GrantImplicit}},
			sends:    []func(*Settings){listed(GrantAuthorizationCode, GrantImplicit)},
			want:     map[Field]any{FieldResponseTypes: []string{"code id_token"}},
			findings: []string{"warning registration-value-replaced /response_types"},
		},
		{
			name:     "of several default response types those that are not allowed are left out",
			policy:   RegistrationPolicy{ResponseTypes: []ResponseType{"code token", "code"}, Grants: []GrantType{GrantAuthorizationCode, GrantImplicit}},
			sends:    []func(*Settings){listed(GrantAuthorizationCode, GrantImplicit)},
			want:     map[Field]any{FieldResponseTypes: []string{"code"}},
			findings: []string{"warning registration-value-replaced /response_types"},
		},
		{
			name:     "the default response type is rejected if no other one can be used",
			policy:   RegistrationPolicy{ResponseTypes: []ResponseType{"code id_token"}},
			findings: []string{"violation registration-not-allowed /response_types"}, rejected: "registration-not-allowed",
		},
		{
			name:   "a response type stays if its grant is listed",
			sends:  []func(*Settings){listed(GrantAuthorizationCode, GrantImplicit), responseTypes("code", "id_token")},
			policy: machines,
			want:   map[Field]any{FieldResponseTypes: []string{"code", "id_token"}},
		},
		{
			name:     "a response type that a forced profile forbids is left out",
			sends:    []func(*Settings){methods(AuthPrivateKeyJWT), keys, responseTypes("code id_token", "code")},
			policy:   RegistrationPolicy{Profile: ProfileFAPI2Security, RequirePKCE: true, PAR: true, DPoP: true},
			want:     map[Field]any{FieldResponseTypes: []string{"code"}, FieldProfile: "fapi2-security"},
			findings: []string{"warning registration-value-dropped /response_types/0"},
		},
		{
			name: "mobile is native", sends: []func(*Settings){kind("mobile")},
			want:     map[Field]any{FieldApplicationType: "native"},
			findings: []string{"warning registration-value-replaced /application_type"},
		},
		{
			name: "browser is unset", sends: []func(*Settings){kind("browser")},
			want:     map[Field]any{FieldApplicationType: ""},
			findings: []string{"warning registration-value-replaced /application_type"},
		},
		{
			name: "service is unset", sends: []func(*Settings){kind("service")},
			want:     map[Field]any{FieldApplicationType: ""},
			findings: []string{"warning registration-value-replaced /application_type"},
		},
		{
			name: "another application type is rejected", sends: []func(*Settings){kind("toaster")},
			rejected: "application-type-unknown",
		},
		{
			name:     "a public web client with a private-use URI is native",
			sends:    []func(*Settings){kind(ApplicationWeb), methods(AuthNone), redirect("com.example.app:/cb")},
			want:     map[Field]any{FieldApplicationType: "native", FieldConfidential: false},
			findings: []string{"warning registration-value-replaced /application_type"},
		},
		{
			name:     "a confidential web client with a private-use URI is rejected",
			sends:    []func(*Settings){kind(ApplicationWeb), redirect("com.example.app:/cb")},
			rejected: "application-type-web-private",
		},
		{
			name:     "the request object algorithm any is unset",
			sends:    []func(*Settings){alg(FieldRequestObjectSigningAlg, "any")},
			want:     map[Field]any{FieldRequestObjectSigningAlg: ""},
			findings: []string{"warning registration-value-replaced /request_object_signing_alg"},
		},
		{
			name:     "the assertion algorithm none is unset",
			sends:    []func(*Settings){alg(FieldAuthSigningAlg, "none")},
			want:     map[Field]any{FieldAuthSigningAlg: ""},
			findings: []string{"warning registration-value-replaced /token_endpoint_auth_signing_alg"},
		},
	})
}

func TestTheNameOfAClientThatHasNone(t *testing.T) {
	software := func(s *Settings) { s.SoftwareID = "4NRB1-0XZABZI9E6-5SM3R" }
	job := RegistrationPolicy{Grants: []GrantType{GrantClientCredentials}}
	made := []string{"warning registration-name /name"}
	runSelfCases(t, []selfCase{
		{
			name: "it is the first redirect host", only: []func(*Settings){redirect("com.example:/cb", "https://App.example.com:8443/cb"), software, methods(AuthNone)},
			want: map[Field]any{FieldName: "app.example.com"}, findings: made,
		},
		{
			name: "it is the software_id without a redirect host", only: []func(*Settings){listed(GrantClientCredentials), software},
			policy: job, want: map[Field]any{FieldName: "4NRB1-0XZABZI9E6-5SM3R"}, findings: made,
		},
		{
			name:   "it is the client_id if the software_id is no name",
			only:   []func(*Settings){listed(GrantClientCredentials), func(s *Settings) { s.SoftwareID = "\u202e" }},
			policy: job, want: map[Field]any{FieldName: "generated"}, findings: made, rejected: "text-deceptive",
		},
		{
			name: "it is the client_id without anything", only: []func(*Settings){listed(GrantClientCredentials)},
			policy: job, want: map[Field]any{FieldName: "generated"}, findings: made,
		},
	})
	outcome := registered(t, SelfRegistration{Metadata: sent(redirect("https://app.example.com/cb"))})
	assert.True(t, outcome.Client.Registration().MadeUpName)
	outcome = registered(t, SelfRegistration{Metadata: sent(app)})
	assert.False(t, outcome.Client.Registration().MadeUpName)
}

func TestTheAuthenticationMethodOfARegistration(t *testing.T) {
	allow := func(list ...AuthMethod) RegistrationPolicy { return RegistrationPolicy{AuthMethods: list} }
	pkce := func(p RegistrationPolicy) RegistrationPolicy { p.RequirePKCE = true; return p }
	replaced := []string{"warning registration-auth-method /client_auth_methods"}
	rejected := []string{"violation registration-auth-method /client_auth_methods"}
	runSelfCases(t, []selfCase{
		{
			name: "one that is allowed stays", sends: []func(*Settings){methods(AuthSecretPost)},
			want: map[Field]any{FieldAuthMethods: []string{"client_secret_post"}},
		},
		{
			name: "none makes a public client", sends: []func(*Settings){methods(AuthNone)},
			want: map[Field]any{FieldConfidential: false},
		},
		{
			name: "an omitted one is none where secrets are not allowed", policy: allow(AuthNone, AuthPrivateKeyJWT),
			want: map[Field]any{FieldAuthMethods: []string{"none"}, FieldConfidential: false}, findings: replaced,
		},
		{
			name: "an omitted one is the first that the metadata satisfy", policy: allow(AuthPrivateKeyJWT, AuthSecretPost),
			want: map[Field]any{FieldAuthMethods: []string{"client_secret_post"}}, findings: replaced,
		},
		{
			name: "an omitted one is private_key_jwt with keys", sends: []func(*Settings){keys}, policy: allow(AuthPrivateKeyJWT, AuthSecretPost),
			want: map[Field]any{FieldAuthMethods: []string{"private_key_jwt"}}, findings: replaced,
		},
		{
			name: "an omitted one is rejected if nothing fits", policy: allow(AuthPrivateKeyJWT),
			findings: rejected, rejected: "registration-auth-method",
		},
		{
			name: "a secret becomes none with PKCE", sends: []func(*Settings){methods(AuthSecretPost)}, policy: pkce(allow(AuthNone)),
			want: map[Field]any{FieldAuthMethods: []string{"none"}, FieldConfidential: false, FieldRequirePKCE: true}, findings: replaced,
		},
		{
			name: "a secret does not become none without PKCE", sends: []func(*Settings){methods(AuthSecretPost)}, policy: allow(AuthNone),
			findings: rejected, rejected: "registration-auth-method",
		},
		{
			name: "a secret skips none without PKCE", sends: []func(*Settings){methods(AuthSecretPost), keys}, policy: allow(AuthNone, AuthPrivateKeyJWT),
			want: map[Field]any{FieldAuthMethods: []string{"private_key_jwt"}}, findings: replaced,
		},
		{
			name:     "client_credentials does not become public",
			sends:    []func(*Settings){methods(AuthSecretPost), listed(GrantAuthorizationCode, GrantClientCredentials)},
			policy:   RegistrationPolicy{AuthMethods: []AuthMethod{AuthNone}, RequirePKCE: true, Grants: GrantTypes()},
			findings: rejected, rejected: "registration-auth-method",
		},
		{
			name: "an unknown one is replaced", sends: []func(*Settings){methods("attest_jwt_client_auth")},
			want: map[Field]any{FieldAuthMethods: []string{"client_secret_basic"}}, findings: replaced,
		},
		{
			name: "client_secret_jwt is never allowed", sends: []func(*Settings){methods(AuthSecretJWT)}, policy: allow(AuthSecretJWT, AuthSecretPost),
			want: map[Field]any{FieldAuthMethods: []string{"client_secret_post"}}, findings: replaced,
		},
		{
			name: "tls_client_auth needs a subject", sends: []func(*Settings){methods(AuthSecretPost)}, policy: allow(AuthTLS, AuthSelfSignedTLS),
			findings: rejected, rejected: "registration-auth-method",
		},
		{
			name:   "an omitted one is tls_client_auth with a subject",
			sends:  []func(*Settings){func(s *Settings) { s.TLSSubject.SANDNS = "app.example.com" }},
			policy: allow(AuthTLS), want: map[Field]any{FieldAuthMethods: []string{"tls_client_auth"}}, findings: replaced,
		},
		{
			name: "a forced profile forbids secrets", sends: []func(*Settings){keys},
			policy: RegistrationPolicy{Profile: ProfileFAPI2Security}, findings: replaced,
			want: map[Field]any{FieldAuthMethods: []string{"private_key_jwt"}, FieldProfile: "fapi2-security"},
		},
		{
			name: "one that the server does not support is replaced", sends: []func(*Settings){methods(AuthSecretPost)},
			server: map[string][]string{"token_endpoint_auth_methods_supported": {"client_secret_basic"}},
			want:   map[Field]any{FieldAuthMethods: []string{"client_secret_basic"}}, findings: replaced,
		},
	})
}

func TestValuesBeyondThePolicyAreLeftOut(t *testing.T) {
	modes := func(list ...ResponseMode) func(*Settings) { return func(s *Settings) { s.ResponseModes = list } }
	details := func(list ...string) func(*Settings) {
		return func(s *Settings) { s.AuthorizationDetailsTypes = list }
	}
	contexts := func(list ...string) func(*Settings) { return func(s *Settings) { s.DefaultACRValues = list } }
	limited := RegistrationPolicy{
		Scopes: []Scope{"openid", "profile"}, AuthorizationDetailsTypes: []string{"payment"}, ResponseTypes: []ResponseType{"id_token code", "code"},
		Grants: []GrantType{GrantAuthorizationCode, GrantImplicit},
	}
	const dropped, none = "warning registration-value-dropped ", "violation registration-not-allowed "
	runSelfCases(t, []selfCase{
		{
			name: "a grant", sends: []func(*Settings){listed(GrantAuthorizationCode, GrantClientCredentials, "urn:example:grant")},
			want:     map[Field]any{FieldGrantTypes: []string{"authorization_code"}},
			findings: []string{dropped + "/grant_types/1", dropped + "/grant_types/2"},
		},
		{
			name: "the only grant", sends: []func(*Settings){listed(GrantClientCredentials)},
			findings: []string{none + "/grant_types"}, rejected: "registration-not-allowed",
		},
		{
			name: "the default grant", policy: RegistrationPolicy{Grants: []GrantType{GrantRefreshToken, GrantClientCredentials}},
			want:     map[Field]any{FieldGrantTypes: []string{"client_credentials"}},
			findings: []string{"warning registration-value-replaced /grant_types"},
		},
		{
			name: "the default grant where no other works alone", policy: RegistrationPolicy{Grants: []GrantType{GrantRefreshToken}},
			findings: []string{none + "/grant_types"}, rejected: "registration-not-allowed",
		},
		{
			name: "a grant that the server does not support", sends: []func(*Settings){listed(GrantAuthorizationCode, GrantRefreshToken)},
			server:   map[string][]string{"grant_types_supported": {"authorization_code"}},
			want:     map[Field]any{FieldGrantTypes: []string{"authorization_code"}},
			findings: []string{dropped + "/grant_types/1"},
		},
		{
			name: "an unknown response type", sends: []func(*Settings){responseTypes("code", "bark")},
			want: map[Field]any{FieldResponseTypes: []string{"code"}}, findings: []string{dropped + "/response_types/1"},
		},
		{
			name:   "a response type, whose words have no order",
			sends:  []func(*Settings){listed(GrantAuthorizationCode, GrantImplicit), responseTypes("code id_token", "code token")},
			policy: limited, want: map[Field]any{FieldResponseTypes: []string{"code id_token"}}, findings: []string{dropped + "/response_types/1"},
		},
		{
			name: "the only response type", sends: []func(*Settings){responseTypes("bark")},
			findings: []string{none + "/response_types"}, rejected: "registration-not-allowed",
		},
		{
			name: "an unknown response mode", sends: []func(*Settings){modes("query", "telepathy")},
			want: map[Field]any{FieldResponseModes: []string{"query"}}, findings: []string{dropped + "/response_modes/1"},
		},
		{
			name: "the only response mode", sends: []func(*Settings){modes("telepathy")},
			findings: []string{none + "/response_modes"}, rejected: "registration-not-allowed",
		},
		{
			name: "no response mode that only the server knows", sends: []func(*Settings){modes("telepathy")},
			server: map[string][]string{"response_modes_supported": {"telepathy"}},
			want:   map[Field]any{FieldResponseModes: []string{"telepathy"}},
		},
		{
			name: "a scope", sends: []func(*Settings){scopes("openid", "admin")}, policy: limited,
			want: map[Field]any{FieldScopes: []string{"openid"}}, findings: []string{dropped + "/scopes/1"},
		},
		{
			name: "a malformed scope", sends: []func(*Settings){scopes("openid", `a"b`)},
			want: map[Field]any{FieldScopes: []string{"openid"}}, findings: []string{dropped + "/scopes/1"},
		},
		{
			name: "the only scope", sends: []func(*Settings){scopes("admin")}, policy: limited,
			findings: []string{none + "/scopes"}, rejected: "registration-not-allowed",
		},
		{
			name: "no scope without a ceiling", sends: []func(*Settings){scopes("anything")},
			want: map[Field]any{FieldScopes: []string{"anything"}},
		},
		{
			name: "a type of authorization details", sends: []func(*Settings){details("payment", "account")}, policy: limited,
			want:     map[Field]any{FieldAuthorizationDetailsTypes: []string{"payment"}},
			findings: []string{dropped + "/authorization_details_types/1"},
		},
		{
			name: "the only type of authorization details", sends: []func(*Settings){details("account")}, policy: limited,
			findings: []string{none + "/authorization_details_types"}, rejected: "registration-not-allowed",
		},
		{
			name: "an authentication context that the server does not list", sends: []func(*Settings){contexts("silver", "gold")},
			server:   map[string][]string{"acr_values_supported": {"gold"}},
			want:     map[Field]any{FieldDefaultACRValues: []string{"gold"}},
			findings: []string{dropped + "/default_acr_values/0"},
		},
		{
			name: "no default scope for a client that requests one", sends: []func(*Settings){scopes("profile")},
			policy: RegistrationPolicy{DefaultScopes: []Scope{"openid"}}, want: map[Field]any{FieldScopes: []string{"profile"}},
		},
	})
}
