package keycloak_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/keycloak"
	"github.com/clientele-oauth/clientele/adapters/keycloak/keycloaktest"
	"github.com/clientele-oauth/clientele/application/push"
	"github.com/clientele-oauth/clientele/application/push/pushtest"
	"github.com/clientele-oauth/clientele/domain"
)

func start(t *testing.T) *keycloaktest.Server {
	t.Helper()
	server := keycloaktest.Start()
	t.Cleanup(server.Close)
	return server
}

func connect(t *testing.T, url string, change func(*keycloak.Config)) *keycloak.Target {
	t.Helper()
	config := keycloak.Config{
		URL: url, Realm: "test", ClientID: keycloaktest.ClientID, ClientSecret: func() (string, error) { return keycloaktest.Secret, nil },
	}
	if change != nil {
		change(&config)
	}
	target, err := keycloak.New(config)
	require.NoError(t, err)
	return target
}

func TestTarget(t *testing.T) {
	for name, authenticator := range map[string]bool{"secrets at the server": false, "secrets at the registry": true} {
		t.Run(name, func(t *testing.T) {
			pushtest.Run(t, func(t *testing.T) pushtest.Server { return serve(t, authenticator) })
		})
	}
}

func serve(t *testing.T, authenticator bool) pushtest.Server {
	t.Helper()
	s := start(t)
	server := pushtest.Server{
		Target: connect(t, s.URL+"/", func(c *keycloak.Config) { c.Authenticator = authenticator }),
		Plant: func(_ *testing.T, id domain.ClientID) {
			s.Plant(string(id))
		},
		Tamper: func(_ *testing.T, id domain.ClientID) {
			s.Change(string(id), func(members, _ map[string]any) { members["redirectUris"] = []any{"https://attacker.example.com/*"} })
		},
		Extend: func(_ *testing.T, id domain.ClientID) {
			s.Change(string(id), func(members, attributes map[string]any) {
				attributes["client.session.idle.timeout"], members["protocolMappers"] = "77", []any{"mapper"}
			})
		},
		Extended: func(_ *testing.T, id domain.ClientID) bool {
			client := s.Client(string(id))
			return client["attributes"].(map[string]any)["client.session.idle.timeout"] == "77" && client["protocolMappers"] != nil
		},
		Refusable: func() domain.Settings {
			settings := pushtest.Kinds()["public"]
			settings.RedirectURIs = []domain.RedirectURI{"javascript:alert(1)"}
			return settings
		},
		Fail: func(*testing.T) {
			s.Fail()
		},
	}
	if !authenticator {
		server.Accepts = func(t *testing.T, id domain.ClientID, secret string) bool {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/realms/test/protocol/openid-connect/token", http.NoBody)
			require.NoError(t, err)
			req.SetBasicAuth(string(id), secret)
			resp, err := http.DefaultClient.Do(req)
			require.NoError(t, err)
			defer resp.Body.Close()
			return resp.StatusCode == http.StatusOK
		}
	}
	return server
}

// put puts a client and returns what the server holds then.
func put(t *testing.T, target *keycloak.Target, want push.Client, held *push.Held) push.Held {
	t.Helper()
	require.NoError(t, target.Put(t.Context(), want, held))
	found, err := target.Find(t.Context(), want.Identity().ClientID)
	require.NoError(t, err)
	return found
}

func scoped(scopes ...domain.Scope) push.Client {
	settings := pushtest.Machine()
	settings.Scopes = scopes
	return pushtest.Client("scoped", settings)
}

func TestScopes(t *testing.T) {
	s := start(t)
	target := connect(t, s.URL, nil)
	differences := func(want push.Client, held push.Held) []push.Difference {
		list, err := target.Differences(t.Context(), want, held)
		require.NoError(t, err)
		return list
	}
	want := scoped("openid", "email", "payments")
	held := put(t, target, want, nil)
	assert.Equal(t, []any{"basic", "email"}, s.Client("scoped")["defaultClientScopes"], "hidden scopes stay, and default ones that are wanted")
	assert.Equal(t, []any{"payments"}, s.Client("scoped")["optionalClientScopes"])

	want = scoped("openid", "profile", "phone")
	assert.Equal(t, []push.Difference{{Attribute: "clientScopes", Held: `["email","payments"]`, Want: `["phone","profile"]`}}, differences(want, held))
	held = put(t, target, want, &held)
	assert.Empty(t, differences(want, held))
	assert.Equal(t, []any{"basic"}, s.Client("scoped")["defaultClientScopes"])
	assert.Equal(t, []any{"profile", "phone"}, s.Client("scoped")["optionalClientScopes"])

	assert.Empty(t, differences(scoped(), held), "a client without scopes has those of the server")
	held = put(t, target, scoped(), &held)
	assert.Equal(t, []any{"profile", "phone"}, s.Client("scoped")["optionalClientScopes"])

	before := s.Writes()
	assert.Equal(t, push.Refused(`the realm has no client scope "a", "b"`), target.Put(t.Context(), scoped("openid", "a", "phone", "b"), &held))
	assert.Equal(t, before, s.Writes(), "nothing is written")
	assert.Len(t, differences(scoped("a"), held), 1)
}

func TestA500IsARefusalIfTheServerWorksOtherwise(t *testing.T) {
	s := start(t)
	target := connect(t, s.URL, nil)
	settings := pushtest.Kinds()["public"]
	held := put(t, target, pushtest.Client("long", settings), nil)
	settings.RedirectURIs = []domain.RedirectURI{domain.RedirectURI("https://app.example.com/" + strings.Repeat("x", 232))}
	refused := push.Refused("status 500: unknown_error: For more on this error consult the server log.")
	assert.Equal(t, refused, target.Put(t.Context(), pushtest.Client("long", settings), &held))
	assert.Equal(t, refused, target.Put(t.Context(), pushtest.Client("other", settings), nil))

	broken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/token") {
			respond(w, 200, map[string]any{"access_token": "x", "expires_in": 60})
			return
		}
		respond(w, 500, nil)
	}))
	defer broken.Close()
	err := connect(t, broken.URL, nil).Put(t.Context(), pushtest.Client("other", pushtest.Kinds()["public"]), nil)
	require.Error(t, err)
	_, isRefusal := errors.AsType[*push.RefusedError](err)
	assert.False(t, isRefusal)
}

func TestAuthorizationSettingsAreKept(t *testing.T) {
	s := start(t)
	target := connect(t, s.URL, nil)
	held := put(t, target, pushtest.Client("authorizing", pushtest.Machine()), nil)
	s.Change("authorizing", func(members, _ map[string]any) {
		members["authorizationServicesEnabled"], members["authorizationSettings"] = true, "policies"
	})
	held = put(t, target, pushtest.Client("authorizing", pushtest.Machine()), reread(t, target, held.ClientID))
	assert.Equal(t, "policies", s.Client("authorizing")["authorizationSettings"])
	require.NoError(t, target.Disable(t.Context(), held, held.Mark))
	assert.Equal(t, "policies", s.Client("authorizing")["authorizationSettings"])
}

// reread returns what the server holds.
func reread(t *testing.T, target *keycloak.Target, id domain.ClientID) *push.Held {
	t.Helper()
	held, err := target.Find(t.Context(), id)
	require.NoError(t, err)
	return &held
}

func TestDisablingGivesNoOrigins(t *testing.T) {
	s := start(t)
	target := connect(t, s.URL, nil)
	held := put(t, target, pushtest.Client("web", pushtest.Kinds()["web"]), nil)
	require.NoError(t, target.Disable(t.Context(), held, held.Mark))
	assert.Empty(t, s.Client("web")["webOrigins"])
}

func TestTheAccessTokenIsKeptAndRenewed(t *testing.T) {
	s := start(t)
	target := connect(t, s.URL, nil)
	for range 3 {
		_, err := target.Find(t.Context(), "nobody")
		require.ErrorIs(t, err, push.ErrNotHeld)
	}
	assert.Equal(t, 1, s.Tokens())
	s.Revoke(60)
	_, err := target.Find(t.Context(), "nobody")
	require.ErrorContains(t, err, "status 401")
	require.NotErrorIs(t, err, push.ErrNotHeld)
	_, err = target.Find(t.Context(), "nobody")
	require.ErrorIs(t, err, push.ErrNotHeld)
	assert.Equal(t, 2, s.Tokens())
	s.Revoke(5)
	_, _ = target.Find(t.Context(), "nobody")
	for range 2 {
		_, err = target.Find(t.Context(), "nobody")
		require.ErrorIs(t, err, push.ErrNotHeld)
	}
	assert.Equal(t, 4, s.Tokens(), "a token that is about to end is not used")
}

func respond(w http.ResponseWriter, status int, body any) {
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

func TestErrorsDoNotRevealTheSecret(t *testing.T) {
	s := start(t)
	target := connect(t, s.URL, func(c *keycloak.Config) {
		c.ClientSecret = func() (string, error) { return "wrong-value", nil }
	})
	_, err := target.Find(t.Context(), "nobody")
	require.ErrorContains(t, err, "invalid_client")
	assert.NotContains(t, err.Error(), "wrong-value")
}

func TestResponsesAreBounded(t *testing.T) {
	endless := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/token") {
			respond(w, 200, map[string]any{"access_token": "x", "expires_in": 60})
			return
		}
		_, _ = io.WriteString(w, `[{"name":"`)
		for range 17 {
			if _, err := io.WriteString(w, strings.Repeat("x", 1<<20)); err != nil {
				return
			}
		}
	}))
	defer endless.Close()
	_, err := connect(t, endless.URL, nil).Find(t.Context(), "nobody")
	require.ErrorContains(t, err, "larger than")
}

// A server that returns the same page again and again is not read for ever.
func TestTheListOfClientsIsBounded(t *testing.T) {
	page := make([]map[string]any, 50)
	for i := range page {
		page[i] = map[string]any{"id": strconv.Itoa(i), "clientId": strconv.Itoa(i)}
	}
	pages := 0
	endless := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/token") {
			respond(w, 200, map[string]any{"access_token": "x", "expires_in": 60})
			return
		}
		pages++
		respond(w, 200, page)
	}))
	defer endless.Close()
	listed := 0
	var failed error
	for _, err := range connect(t, endless.URL, nil).List(t.Context()) {
		if failed = err; err == nil {
			listed++
		}
	}
	require.ErrorContains(t, failed, "has no end")
	assert.Equal(t, len(page), listed)
	assert.Equal(t, 2, pages)
}

func TestATokenIsSentToNoOtherAddress(t *testing.T) {
	asked := false
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	defer other.Close()
	redirecting := httptest.NewServer(http.RedirectHandler(other.URL, http.StatusTemporaryRedirect))
	defer redirecting.Close()
	_, err := connect(t, redirecting.URL, nil).Find(t.Context(), "nobody")
	require.ErrorContains(t, err, "status 307")
	assert.False(t, asked)
}

func TestPrepareSetsUpTheFlow(t *testing.T) {
	s := start(t)
	with := func(setUp bool) *keycloak.Target {
		return connect(t, s.URL, func(c *keycloak.Config) { c.Authenticator, c.SetUpFlow = true, setUp })
	}
	_, err := with(false).Prepare(t.Context(), false)
	require.ErrorContains(t, err, "no alternative clientele-secret")
	assert.Zero(t, s.Writes())

	planned, err := with(true).Prepare(t.Context(), true)
	require.NoError(t, err)
	assert.Equal(t, []push.Difference{{Attribute: "clientAuthenticationFlow", Held: "clients without clientele-secret", Want: "a flow with clientele-secret"}}, planned)
	assert.Zero(t, s.Writes())

	done, err := with(true).Prepare(t.Context(), false)
	require.NoError(t, err)
	assert.Equal(t, planned, done)
	assert.Equal(t, "clients-with-clientele", s.Flow())
	before := s.Writes()
	for _, setUp := range []bool{false, true} {
		done, err = with(setUp).Prepare(t.Context(), false)
		require.NoError(t, err)
		assert.Empty(t, done)
	}
	assert.Equal(t, before, s.Writes())

	s.SetFlow("clients") // as after an interrupted run
	_, err = with(true).Prepare(t.Context(), false)
	require.NoError(t, err)
	assert.Equal(t, "clients-with-clientele", s.Flow())

	s.Uninstall()
	_, err = with(true).Prepare(t.Context(), false)
	require.ErrorContains(t, err, "install")
	without, err := connect(t, s.URL, nil).Prepare(t.Context(), false)
	require.NoError(t, err)
	assert.Empty(t, without)
}

func TestConfigurationsThatCannotBeUsed(t *testing.T) {
	good := keycloak.Config{URL: "https://login.example.com", Realm: "r", ClientID: "sync", ClientSecret: func() (string, error) { return "", nil }}
	_, err := keycloak.New(good)
	require.NoError(t, err)
	for name, change := range map[string]func(*keycloak.Config){
		"a URL without a host": func(c *keycloak.Config) { c.URL = "https://" },
		"another scheme":       func(c *keycloak.Config) { c.URL = "ftp://login.example.com" },
		"a URL with a user":    func(c *keycloak.Config) { c.URL = "https://a:b@login.example.com" },
		"no URL":               func(c *keycloak.Config) { c.URL = ":" },
		"no realm":             func(c *keycloak.Config) { c.Realm = "" },
		"no client":            func(c *keycloak.Config) { c.ClientID = "" },
		"no secret":            func(c *keycloak.Config) { c.ClientSecret = nil },
	} {
		t.Run(name, func(t *testing.T) {
			config := good
			change(&config)
			_, err := keycloak.New(config)
			require.Error(t, err)
		})
	}
}

func TestCheck(t *testing.T) {
	settings := pushtest.Kinds()["public"]
	settings.RedirectURIs = []domain.RedirectURI{"https://a.example.com/*", domain.RedirectURI("https://a.example.com/" + strings.Repeat("x", 234))}
	settings.DefaultACRValues = []string{"a", "b##c"}
	s := start(t)
	own, registry := connect(t, s.URL, nil), connect(t, s.URL, func(c *keycloak.Config) { c.Authenticator = true })
	rules := map[string]string{}
	for _, finding := range own.Check(pushtest.Client("checked", settings)).Violations() {
		rules[finding.Rule] = finding.Pointer
	}
	assert.Equal(t, map[string]string{
		"keycloak-pattern": "/redirect_uris/0", "keycloak-redirect-uri-length": "/redirect_uris/1", "keycloak-separator": "/default_acr_values/1",
	}, rules)

	signing := pushtest.Machine()
	signing.AuthMethods = []domain.AuthMethod{domain.AuthSecretJWT}
	assert.Empty(t, own.Check(pushtest.Client("checked", signing)).Violations())
	found := registry.Check(pushtest.Client("checked", signing)).Violations()
	require.Len(t, found, 1)
	assert.Equal(t, "/client_auth_methods", found[0].Pointer)
}

// Each setting that Keycloak has is written where it expects it.
func TestSettings(t *testing.T) {
	s := start(t)
	target := connect(t, s.URL, nil)
	full := domain.Settings{
		Name: "Full", Description: "all that Keycloak has", Status: domain.StatusSuspended, Confidential: true, SkipConsent: false,
		RedirectURIs: []domain.RedirectURI{"https://a.example.com/cb"}, CORSOrigins: []domain.Origin{"https://a.example.com"}, Website: "https://a.example.com",
		GrantTypes: []domain.GrantType{
			domain.GrantAuthorizationCode, domain.GrantImplicit, domain.GrantDeviceCode, domain.GrantCIBA, domain.GrantTokenExchange,
			domain.GrantJWTBearer, domain.GrantClientCredentials, domain.GrantPassword,
		},
		AuthMethods: []domain.AuthMethod{domain.AuthTLS}, TLSSubject: domain.TLSSubject{DN: "CN=a"}, Keys: domain.KeysAt("https://a.example.com/jwks"),
		LogoURL: "https://a.example.com/logo", PrivacyPolicy: "https://a.example.com/policy", TermsURL: "https://a.example.com/terms",
		IDToken: domain.Algorithms{Signing: "1", KeyManagement: "2", Content: "3"}, UserInfo: domain.Algorithms{Signing: "4", KeyManagement: "5", Content: "6"},
		Authorization: domain.Algorithms{Signing: "7", KeyManagement: "8", Content: "9"}, RequestObject: domain.Algorithms{Signing: "10", KeyManagement: "11", Content: "12"},
		AuthSigningAlg: "13", DefaultACRValues: []string{"a", "b"}, RequestURIs: []domain.RequestURI{"https://a.example.com/r1", "https://a.example.com/r2"},
		PostLogoutRedirectURIs: []domain.RedirectURI{"https://a.example.com/bye", "https://a.example.com/out"},
		BackchannelLogout:      domain.Logout{URI: "https://a.example.com/back", SessionRequired: true}, FrontchannelLogout: domain.Logout{URI: "https://a.example.com/front"},
		CIBA:                       domain.CIBA{DeliveryMode: domain.DeliveryPing, NotificationEndpoint: "https://a.example.com/ciba", RequestSigningAlg: "14"},
		RequireSignedRequestObject: true, RequirePAR: true, RequirePKCE: true, DPoPBound: true, CertificateBound: true, AccessTokenLifetime: 600,
	}
	put(t, target, pushtest.Client("full", full), nil)
	client := s.Client("full")
	attributes := client["attributes"].(map[string]any)
	delete(attributes, "realm_client")
	delete(attributes, "clientele.tenant")
	delete(attributes, "clientele.revision")
	assert.Equal(t, map[string]any{
		"oauth2.device.authorization.grant.enabled": "true", "oidc.ciba.grant.enabled": "true", "standard.token.exchange.enabled": "true",
		"oauth2.jwt.authorization.grant.enabled": "true", "use.refresh.tokens": "false",
		"post.logout.redirect.uris": "https://a.example.com/bye##https://a.example.com/out",
		"backchannel.logout.url":    "https://a.example.com/back", "backchannel.logout.session.required": "true",
		"frontchannel.logout.url": "https://a.example.com/front", "frontchannel.logout.session.required": "false",
		"pkce.code.challenge.method": "S256", "require.pushed.authorization.requests": "true", "dpop.bound.access.tokens": "true",
		"tls.client.certificate.bound.access.tokens": "true", "access.token.lifespan": "600", "use.jwks.url": "true",
		"jwks.url": "https://a.example.com/jwks", "use.jwks.string": "false", "token.endpoint.auth.signing.alg": "13",
		"x509.subjectdn": "CN=a", "x509.allow.regex.pattern.comparison": "false",
		"id.token.signed.response.alg": "1", "id.token.encrypted.response.alg": "2", "id.token.encrypted.response.enc": "3",
		"user.info.response.signature.alg": "4", "user.info.encrypted.response.alg": "5", "user.info.encrypted.response.enc": "6",
		"authorization.signed.response.alg": "7", "authorization.encrypted.response.alg": "8", "authorization.encrypted.response.enc": "9",
		"request.object.signature.alg": "10", "request.object.encryption.alg": "11", "request.object.encryption.enc": "12",
		"request.object.required": "request or request_uri", "request.uris": "https://a.example.com/r1##https://a.example.com/r2",
		"default.acr.values": "a##b", "ciba.backchannel.token.delivery.mode": "ping",
		"ciba.backchannel.client.notification.endpoint": "https://a.example.com/ciba", "ciba.backchannel.auth.request.signing.alg": "14",
		"logoUri": "https://a.example.com/logo", "policyUri": "https://a.example.com/policy", "tosUri": "https://a.example.com/terms",
	}, attributes)
	for _, name := range []string{"id", "attributes", "defaultClientScopes", "optionalClientScopes", "secret"} {
		delete(client, name)
	}
	assert.Equal(t, map[string]any{
		"clientId": "full", "name": "Full", "description": "all that Keycloak has", "enabled": false, "protocol": "openid-connect", "bearerOnly": false,
		"publicClient": false, "clientAuthenticatorType": "client-x509", "redirectUris": []any{"https://a.example.com/cb"},
		"webOrigins": []any{"https://a.example.com"}, "baseUrl": "https://a.example.com", "standardFlowEnabled": true, "implicitFlowEnabled": true,
		"directAccessGrantsEnabled": true, "serviceAccountsEnabled": true, "consentRequired": true, "frontchannelLogout": true,
	}, client)
}

func TestUsersAreAskedForConsentUnlessTheClientSkipsIt(t *testing.T) {
	s := start(t)
	target := connect(t, s.URL, nil)
	for name, want := range map[string]struct {
		settings domain.Settings
		asks     bool
	}{
		"third party": {domain.Settings{GrantTypes: []domain.GrantType{domain.GrantAuthorizationCode}}, true},
		"first party": {domain.Settings{GrantTypes: []domain.GrantType{domain.GrantAuthorizationCode}, SkipConsent: true}, false},
		"machine":     {domain.Settings{GrantTypes: []domain.GrantType{domain.GrantClientCredentials}}, false},
	} {
		put(t, target, pushtest.Client(domain.ClientID(name), want.settings), nil)
		assert.Equal(t, want.asks, s.Client(name)["consentRequired"], name)
	}
}

// What Keycloak leaves out has its default, which is no difference.
func TestDefaultsAreNoDifferences(t *testing.T) {
	s := start(t)
	target := connect(t, s.URL, nil)
	s.Plant("plain")
	want := pushtest.Client("plain", domain.Settings{
		Status: domain.StatusActive, Confidential: true, AuthMethods: []domain.AuthMethod{domain.AuthSecretBasic},
		GrantTypes: []domain.GrantType{domain.GrantAuthorizationCode}, SkipConsent: true,
	})
	held := reread(t, target, "plain")
	list, err := target.Differences(t.Context(), want, *held)
	require.NoError(t, err)
	assert.Equal(t, []push.Difference{
		{Attribute: "clientAuthenticatorType", Held: "", Want: "client-secret"},
		{Attribute: "use.refresh.tokens", Held: "true", Want: "false"},
		{Attribute: "post.logout.redirect.uris", Held: "+", Want: "-"},
		{Attribute: "backchannel.logout.session.required", Held: "true", Want: "false"},
		{Attribute: "frontchannel.logout.session.required", Held: "true", Want: "false"},
		{Attribute: "id.token.signed.response.alg", Held: "", Want: "RS256"},
		{Attribute: "authorization.signed.response.alg", Held: "", Want: "RS256"},
	}, list)
}

func TestErrorsAreOneLine(t *testing.T) {
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadGateway)
		_, _ = io.WriteString(w, "<html>\r\n\x1b[31m"+strings.Repeat("x", 1<<20))
	}))
	defer proxy.Close()
	_, err := connect(t, proxy.URL, nil).Find(t.Context(), "nobody")
	require.ErrorContains(t, err, "status 502")
	assert.NotContains(t, err.Error(), "\n")
	assert.NotContains(t, err.Error(), "\x1b")
	assert.Less(t, len(err.Error()), 500)
}

func TestPrepareAddsToAFlowOfTheRealm(t *testing.T) {
	s := start(t)
	s.SetFlow("our clients/1")
	target := connect(t, s.URL, func(c *keycloak.Config) { c.Authenticator, c.SetUpFlow = true, true })
	for range 2 {
		_, err := target.Prepare(t.Context(), false)
		require.NoError(t, err)
		assert.Equal(t, "our clients/1", s.Flow())
	}
	assert.Equal(t, 2, s.Writes(), "the execution, and its requirement")
}

func TestListReturnsNoClientTwice(t *testing.T) {
	s := start(t)
	for i := range 120 {
		s.Plant(fmt.Sprintf("c-%03d", i))
	}
	seen := map[domain.ClientID]bool{}
	for held, err := range connect(t, s.URL, nil).List(t.Context()) {
		require.NoError(t, err)
		require.False(t, seen[held.ClientID], "%s", held.ClientID)
		seen[held.ClientID] = true
		if held.ClientID == "c-040" {
			s.Plant("a-first") // moves all others
		}
	}
	assert.Len(t, seen, 120)
}

func TestListEndsWithTheContext(t *testing.T) {
	s := start(t)
	target := connect(t, s.URL, nil)
	for i := range 120 {
		require.NoError(t, target.Put(t.Context(), pushtest.Client(domain.ClientID(fmt.Sprintf("c-%d", i)), pushtest.Kinds()["public"]), nil))
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	count := 0
	var last error
	for _, err := range target.List(ctx) {
		count++
		last = err
		cancel()
	}
	require.ErrorIs(t, last, context.Canceled)
	assert.Equal(t, 51, count, "one page, and the error")
}
