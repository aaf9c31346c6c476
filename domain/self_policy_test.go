package domain

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func hosts(list ...string) RegistrationPolicy { return RegistrationPolicy{RedirectHosts: list} }

func TestThePolicyOfARegistration(t *testing.T) {
	host := func(at string) []string { return []string{"violation registration-redirect-host " + at} }
	const hostRule, kindRule = "registration-redirect-host", "registration-redirect-kind"
	public := methods(AuthNone)
	runSelfCases(t, []selfCase{
		{name: "a redirect host below a domain", policy: hosts("*.Example.com"), sends: []func(*Settings){redirect("https://APP.example.com/cb", "https://a.b.example.com/cb")}},
		{name: "an exact redirect host", policy: hosts("app.example.com")},
		{
			name: "the domain itself is not below it", policy: hosts("*.example.com"), sends: []func(*Settings){redirect("https://example.com/cb")},
			findings: host("/redirect_uris/0"), rejected: hostRule,
		},
		{
			name: "a domain that ends with the same letters", policy: hosts("*.example.com"), sends: []func(*Settings){redirect("https://app.example.com/cb", "https://attackerexample.com/cb")},
			findings: host("/redirect_uris/1"), rejected: hostRule,
		},
		{
			name: "a name below an exact host", policy: hosts("example.com"), sends: []func(*Settings){redirect("https://app.example.com/cb")},
			findings: host("/redirect_uris/0"), rejected: hostRule,
		},
		{
			name: "user information that looks like the host", policy: hosts("app.example.com"), sends: []func(*Settings){redirect("https://app.example.com@evil.example/cb")},
			findings: host("/redirect_uris/0"), rejected: hostRule,
		},
		{
			name: "an empty list of hosts allows none", policy: RegistrationPolicy{RedirectHosts: []string{}},
			findings: host("/redirect_uris/0"), rejected: hostRule,
		},
		{
			name: "a loopback address is a host like others", policy: hosts("*.example.com"), sends: []func(*Settings){public, redirect("http://127.0.0.1/cb")},
			findings: host("/redirect_uris/0"), rejected: hostRule,
		},
		{name: "a loopback address that is listed", policy: hosts("127.0.0.1"), sends: []func(*Settings){public, redirect("http://127.0.0.1/cb")}},
		{name: "a private-use scheme of a domain that is listed", policy: hosts("*.example.com"), sends: []func(*Settings){public, redirect("com.example.app:/cb")}},
		{
			name: "a private-use scheme of another domain", policy: hosts("*.example.com"), sends: []func(*Settings){public, redirect("org.example.app:/cb")},
			findings: host("/redirect_uris/0"), rejected: hostRule,
		},
		{
			name: "the host of a post-logout redirect URI", policy: hosts("app.example.com"),
			sends:    []func(*Settings){func(s *Settings) { s.PostLogoutRedirectURIs = []RedirectURI{"https://evil.example/out"} }},
			findings: host("/post_logout_redirect_uris/0"), rejected: hostRule,
		},
		{
			name: "the host of a back-channel logout URI", policy: hosts("app.example.com"),
			sends:    []func(*Settings){func(s *Settings) { s.BackchannelLogout.URI = "https://evil.example/out" }},
			findings: host("/backchannel_logout_uri"), rejected: hostRule,
		},
		{
			name: "the host of a front-channel logout URI", policy: hosts("app.example.com"),
			sends:    []func(*Settings){func(s *Settings) { s.FrontchannelLogout.URI = "https://evil.example/out" }},
			findings: host("/frontchannel_logout_uri"), rejected: hostRule,
		},
		{
			name: "https is not allowed", policy: RegistrationPolicy{RedirectKinds: []RedirectKind{RedirectLoopback}},
			findings: []string{"violation registration-redirect-kind /redirect_uris/0"}, rejected: kindRule,
		},
		{
			name: "loopback is not allowed", policy: RegistrationPolicy{RedirectKinds: []RedirectKind{RedirectHTTPS}},
			sends:    []func(*Settings){public, redirect("http://[::1]:8080/cb")},
			findings: []string{"violation registration-redirect-kind /redirect_uris/0"}, rejected: kindRule,
		},
		{
			name: "private-use is not allowed", policy: RegistrationPolicy{RedirectKinds: []RedirectKind{RedirectHTTPS}},
			sends:    []func(*Settings){public, redirect("com.example.app:/cb")},
			findings: []string{"violation registration-redirect-kind /redirect_uris/0"}, rejected: kindRule,
		},
		{
			name: "the kind of a post-logout redirect URI", policy: RegistrationPolicy{RedirectKinds: []RedirectKind{RedirectHTTPS}},
			sends: []func(*Settings){public, func(s *Settings) {
				s.PostLogoutRedirectURIs = []RedirectURI{"https://app.example.com/out", "com.example.app:/out"}
			}},
			findings: []string{"violation registration-redirect-kind /post_logout_redirect_uris/1"}, rejected: kindRule,
		},
		{
			name: "the kind of logout URIs", policy: RegistrationPolicy{RedirectKinds: []RedirectKind{RedirectHTTPS}},
			sends: []func(*Settings){func(s *Settings) {
				s.BackchannelLogout.URI, s.FrontchannelLogout.URI = "http://127.0.0.1/out", "http://127.0.0.1/out"
			}},
			findings: []string{"violation registration-redirect-kind /backchannel_logout_uri", "violation registration-redirect-kind /frontchannel_logout_uri"}, rejected: kindRule,
		},
		{name: "an omitted scope gets the default ones", policy: RegistrationPolicy{Scopes: []Scope{"a", "b"}, DefaultScopes: []Scope{"a"}}, want: map[Field]any{FieldScopes: []string{"a"}}},
		{name: "an omitted scope gets not everything", policy: RegistrationPolicy{Scopes: []Scope{"a", "b"}}, want: map[Field]any{FieldScopes: []string{}}},
		{
			name: "what is forced", policy: RegistrationPolicy{RequirePKCE: true, PAR: true, DPoP: true, MTLS: true, SignedRequests: true},
			sends: []func(*Settings){keys},
			want: map[Field]any{
				FieldRequirePKCE: true, FieldRequirePAR: true, FieldDPoPBound: true, FieldCertificateBound: true, FieldRequireSignedRequestObject: true,
			},
		},
		{
			name: "what is written", policy: RegistrationPolicy{
				InitialStatus: StatusSuspended, Labels: map[string]string{"example.com/tier": "self"}, Owner: "platform", Resources: []string{"https://api.example.com"},
				AccessTokenLifetime: 300, IDTokenLifetime: 301, RefreshTokenLifetime: 3600,
			},
			sends: []func(*Settings){listed(GrantAuthorizationCode, GrantRefreshToken), scopes("openid")},
			want: map[Field]any{
				FieldStatus: "suspended", FieldLabels: map[string]string{"example.com/tier": "self"}, FieldOwner: "platform", FieldResources: []string{"https://api.example.com"},
				FieldAccessTokenLifetime: int64(300), FieldIDTokenLifetime: int64(301), FieldRefreshTokenLifetime: int64(3600),
			},
			findings: []string{"warning registration-waits "},
		},
		{
			name: "resources of the token that the tenant does not have", policy: RegistrationPolicy{Resources: []string{}},
			findings: []string{"violation registration-not-allowed /resources"}, rejected: "registration-not-allowed",
		},
		{
			name: "a link at another host is a warning", sends: []func(*Settings){func(s *Settings) { s.LogoURL, s.Website = "https://bank.example/logo", "https://app.example.com/" }},
			findings: []string{"warning link-host /logo_url"},
		},
		{
			name: "a link at another host is rejected", policy: RegistrationPolicy{LinkHosts: LinkHostsRequire},
			sends:    []func(*Settings){func(s *Settings) { s.TermsURL = "https://bank.example/" }},
			findings: []string{"violation link-host /terms_url"}, rejected: "link-host",
		},
		{
			name: "links are not compared", policy: RegistrationPolicy{LinkHosts: LinkHostsOff},
			sends: []func(*Settings){func(s *Settings) { s.PrivacyPolicy = "https://bank.example/" }},
		},
		{
			name: "a statement is required", policy: RegistrationPolicy{Statement: StatementRequired},
			findings: []string{"violation registration-statement /software_statement"}, rejected: "registration-statement",
		},
		{name: "a statement is optional", policy: RegistrationPolicy{Statement: StatementOptional}},
		{
			name: "an open policy allows only grants and methods without secrets",
			policy: RegistrationPolicy{
				Open: true, Grants: []GrantType{GrantClientCredentials, GrantAuthorizationCode}, AuthMethods: []AuthMethod{AuthSecretBasic, AuthNone},
			},
			sends: []func(*Settings){listed(GrantAuthorizationCode, GrantClientCredentials), methods(AuthSecretBasic)},
			want: map[Field]any{
				FieldGrantTypes: []string{"authorization_code"}, FieldAuthMethods: []string{"none"}, FieldRequirePKCE: true, FieldSkipConsent: false,
			},
			findings: []string{"warning registration-auth-method /client_auth_methods", "warning registration-value-dropped /grant_types/1"},
		},
		{
			name: "an extension grant is left out under every policy", policy: RegistrationPolicy{Grants: []GrantType{"urn:example:grant", GrantAuthorizationCode}},
			sends:    []func(*Settings){listed(GrantAuthorizationCode, "urn:example:grant")},
			want:     map[Field]any{FieldGrantTypes: []string{"authorization_code"}},
			findings: []string{"warning registration-value-dropped /grant_types/1"},
		},
		{
			name: "a javascript URI is rejected by the rules for all clients", sends: []func(*Settings){redirect("javascript:alert(1)")},
			rejected: "redirect-uri-scheme",
		},
	})
}

func TestWhatIsKeptOfARegistration(t *testing.T) {
	policy := RegistrationPolicy{Owner: "platform", SecretTTL: time.Hour}
	statement := &Statement{Issuer: "https://issuer.example", Text: "a.b.c"}
	outcome := registered(t, SelfRegistration{
		Metadata: sent(app), Policy: policy, Statement: statement, Via: ViaInitialToken, TokenID: "iat_1", IssuedBy: "alice",
	})
	require.Empty(t, outcome.Findings)
	client := outcome.Client
	assert.Equal(t, selfIdentity, client.Identity())
	assert.Equal(t, RevisionNumber(1), client.Revision())
	assert.Equal(t, testNow, client.CreatedAt())
	assert.Equal(t, &Registration{
		Via: ViaInitialToken, TokenID: "iat_1", IssuedBy: "alice", Policy: policy.WithDefaults(), Statement: statement,
	}, client.Registration())
}

func TestAClientCannotChooseTheIdentifierOfADocument(t *testing.T) {
	id := selfIdentity
	id.ClientID = "https://app.example.com/client"
	outcome := testBook(t, Policy{}).RegisterSelf(id, SelfRegistration{Metadata: sent(app)}).Decide(Facts{}, testNow)
	assert.Contains(t, rulesOf(outcome.Findings), "client-id-syntax")
}
