package rest_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Switches, tenants, credentials and errors of registrations.

// openTenant is a file with a tenant in which clients register without a token.
const openTenant = `tenants: {tenant_a: {registration: {enabled: true, open: true, grants: [authorization_code, refresh_token, client_credentials]}}, tenant_b: {registration: {enabled: false}}}`

func TestATenantThatIsSwitchedOffLooksLikeNone(t *testing.T) {
	onBothStores(t, func(t *testing.T, s service) {
		methods := map[string][]string{"": {"POST", "GET", "PUT", "OPTIONS"}, "/app-1": {"GET", "PUT", "DELETE", "POST", "OPTIONS"}}
		for suffix, list := range methods {
			for _, method := range list {
				request := func(tenant string) response {
					c := call{method: method, path: "/oauth/" + tenant + "/register" + suffix, token: "x"}
					if method == "POST" || method == "PUT" {
						c.body = webClient
					}
					a := s.do(t, c)
					delete(a.body, "timestamp")
					a.header.Del("X-Request-Id")
					return a
				}
				unknown := request("tenant_none")
				assert.Contains(t, []int{404, 405}, unknown.status)
				for _, off := range []string{"tenant_b", "%2561", "a%20b", "%00", strings.Repeat("x", 300)} {
					got := request(off)
					assert.Equal(t, unknown.status, got.status, "%s %s", method, off)
					assert.Equal(t, unknown.body, got.body, "%s %s", method, off)
					assert.Equal(t, unknown.header, got.header, "%s %s", method, off)
				}
			}
		}
	}, registering(t, openTenant))
	t.Run("without a public URL", func(t *testing.T) {
		s := newService(t, registering(t, openTenant), func(c *setup) { c.PublicURL, c.Registry.Registrations.PublicURL = "", "" })
		assert.Equal(t, 404, s.do(t, call{method: "POST", path: registerPath, body: publicClient}).status)
		assert.Equal(t, 404, s.do(t, call{method: "POST", path: tokensPath, token: "admin"}).status)
	})
	t.Run("without a file", func(t *testing.T) {
		s := newService(t, func(c *setup) { c.PublicURL = publicURL })
		assert.Equal(t, 404, s.do(t, call{method: "POST", path: registerPath, body: publicClient}).status)
	})
}

// An open registration forces what a tenant without tokens needs.
func TestOpenRegistration(t *testing.T) {
	onBothStores(t, func(t *testing.T, s service) {
		register := func(metadata string) response {
			return s.do(t, call{method: "POST", path: registerPath, body: metadata})
		}
		a := register(publicClient)
		require.Equal(t, http.StatusCreated, a.status, a.text)
		read := s.do(t, call{method: "GET", path: clients + "/" + a.body["client_id"].(string), token: "admin"})
		assert.Equal(t, true, read.data("require_pkce"))
		assert.Equal(t, "open", read.data("registration").(map[string]any)["via"])
		assert.NotContains(t, read.data("registration").(map[string]any)["policy"], "open", "a policy of a client has the keys of openapi.yaml")

		omitted := register(webClient)
		require.Equal(t, http.StatusCreated, omitted.status, omitted.text)
		assertMembers(t, omitted, map[string]any{"token_endpoint_auth_method": "none", "client_secret": nil})
		assertRejected(t, register(`{"grant_types":["client_credentials"],"token_endpoint_auth_method":"client_secret_basic"}`), 400, "invalid_client_metadata")
		secret := register(`{"redirect_uris":["https://app.example.com/cb"],"token_endpoint_auth_method":"client_secret_post"}`)
		require.Equal(t, http.StatusCreated, secret.status, secret.text)
		assertMembers(t, secret, map[string]any{"token_endpoint_auth_method": "none", "client_secret": nil})
		assertRejected(t, s.do(t, call{method: "POST", path: registerPath, token: "wrong", body: publicClient}), 401, "invalid_token")
		assertRejected(t, s.do(t, call{method: "POST", path: registerPath, body: publicClient, header: http.Header{"Idempotency-Key": {"k"}}}), 400, "invalid_request")
		published := s.do(t, call{method: "GET", path: "/admin/oauth/authorization-server-metadata", token: "read"})
		assert.Equal(t, publicURL+registerPath, published.data("registration_endpoint"), published.text)
	}, registering(t, openTenant))
}

// All faults of a token have the same response, and it comes before all others.
func TestEveryTokenThatIsNotValidGetsTheSameResponse(t *testing.T) {
	onBothStores(t, testTokensThatAreNotValid, registering(t, `tenants: {tenant_a: {registration: {enabled: true}}, tenant_b: {registration: {enabled: true}}}`))
}

func testTokensThatAreNotValid(t *testing.T, s service) {
	c := s.registered(t, webClient)
	other := s.registered(t, webClient)
	deleted := s.registered(t, webClient)
	require.Equal(t, 204, deleted.do(t, "DELETE", "").status)
	byHand := s.create(t)
	initial := s.initialToken(t, `{"max_uses":5}`)
	revoked := s.do(t, call{method: "POST", path: tokensPath, token: "admin"})
	require.Equal(t, 204, s.do(t, call{method: "DELETE", path: tokensPath + "/" + revoked.data("token_id").(string), token: "admin"}).status)
	used := s.initialToken(t, `{}`)
	keyed := func(key, body string) call {
		return call{method: "POST", path: registerPath, token: used, body: body, header: http.Header{"Idempotency-Key": {key}}}
	}
	require.Equal(t, 201, s.do(t, keyed("k1", webClient)).status)
	foreign := s.do(t, call{method: "POST", path: tokensPath, token: "other-tenant"}).data("token").(string)

	register := func(token string) call {
		return call{method: "POST", path: registerPath, token: token, body: webClient}
	}
	manage := func(id, token string) call { return call{method: "GET", path: registerPath + "/" + id, token: token} }
	none := s.do(t, register(""))
	assertRejected(t, none, 401, "invalid_token")
	assert.Equal(t, `Bearer realm="clientele"`, none.header.Get("WWW-Authenticate"), "no error, because there was no token")
	for name, request := range map[string]call{
		"an unknown token":                                    register("clientele_iat_unknown"),
		"a token that was altered":                            register(initial + "x"),
		"a token that was revoked":                            register(revoked.data("token").(string)),
		"a token that is used up":                             register(used),
		"a token that is used up, and another key":            keyed("k2", webClient),
		"a token that is used up, another key, and no JSON":   keyed("k2", "{"),
		"a token that is used up, and an invalid key":         keyed("\xff", "{"),
		"a token of another tenant":                           register(foreign),
		"a registration access token, to register":            register(c.token),
		"an access token of the admin API":                    register("admin"),
		"credentials of another scheme":                       {method: "POST", path: registerPath, body: webClient, header: http.Header{"Authorization": {"Basic YTpi"}}},
		"two tokens":                                          {method: "POST", path: registerPath, body: webClient, header: http.Header{"Authorization": {"Bearer " + initial, "Bearer " + initial}}},
		"an invalid body":                                     {method: "POST", path: registerPath, token: "x", body: `{`},
		"a body of another type":                              {method: "POST", path: registerPath, token: "x", body: `{`, header: http.Header{"Content-Type": {"text/plain"}}},
		"an unknown parameter":                                {method: "POST", path: registerPath + "?x=y", token: "x", body: webClient},
		"no client":                                           manage("no-such-client", c.token),
		"an impossible client":                                manage("%00", c.token),
		"the token of another client":                         manage(c.id, other.token),
		"the token of a client that is deleted":               manage(deleted.id, deleted.token),
		"a client that does not manage itself":                manage(byHand, c.token),
		"an initial access token, to manage":                  manage(c.id, initial),
		"an access token of the admin API, to manage":         manage(c.id, "admin"),
		"the token of a client, in another tenant":            {method: "GET", path: "/oauth/tenant_b/register/" + c.id, token: c.token},
		"an update with an unknown token and an invalid ETag": {method: "PUT", path: c.path, token: "x", body: `{`, header: http.Header{"If-Match": {"x"}}},
		"a deletion with an unknown token":                    {method: "DELETE", path: c.path, token: "x", header: http.Header{"If-Match": {`"9"`}}},
	} {
		t.Run(name, func(t *testing.T) {
			a := s.do(t, request)
			assertRejected(t, a, 401, "invalid_token")
			assert.Equal(t, none.body, a.body)
			assert.Equal(t, `Bearer realm="clientele", error="invalid_token"`, a.header.Get("WWW-Authenticate"))
		})
	}
	assertRejected(t, s.do(t, manage(c.id, "")), 401, "invalid_token")
	for _, token := range []string{initial, c.token} { // RATs and IATs open no other API
		for _, path := range []string{clients, clients + "/" + c.id, tokensPath, "/admin/oauth/changes"} {
			assert.Equal(t, 401, s.do(t, call{method: "GET", path: path, token: token}).status, path)
		}
	}
	assert.Equal(t, 200, c.do(t, "GET", "").status)
}

// Statements first, then redirect URIs, then the rest.
func TestPrecedenceOfErrors(t *testing.T) {
	onBothStores(t, func(t *testing.T, s service) {
		token := s.initialToken(t, `{}`)
		for name, tt := range map[string]struct{ metadata, code, description string }{
			"everything is wrong": {`{"software_statement":"x","redirect_uris":["#"],"client_name":1}`, "invalid_software_statement", ""},
			"redirect URIs and another member": {
				`{"redirect_uris":["https://app.example.com/#x"],"client_name":1,"logo_uri":"x"}`, "invalid_redirect_uri", "fragment",
			},
			"a redirect URI that is not given": {`{}`, "invalid_redirect_uri", ""},
			"a host beyond the policy":         {`{"redirect_uris":["https://attackerexample.com/cb"]}`, "invalid_redirect_uri", ""},
			"other URIs":                       {`{"redirect_uris":["https://app.example.com/cb"],"post_logout_redirect_uris":["javascript:alert(1)"]}`, "invalid_client_metadata", ""},
			"two others":                       {`{"redirect_uris":["https://app.example.com/cb"],"logo_uri":"javascript:x","client_uri":"x"}`, "invalid_client_metadata", "more violation"},
			"a value that is not ASCII":        {`{"redirect_uris":["https://app.example.com/cb"],"scope":"é"}`, "invalid_client_metadata", "U+00e9"},
			"no statement is accepted":         {`{"redirect_uris":["https://app.example.com/cb"],"software_statement":"a.b.c"}`, "invalid_software_statement", ""},
			"a statement that is no string":    {`{"redirect_uris":["https://app.example.com/cb"],"software_statement":{"a":1}}`, "invalid_software_statement", ""},
		} {
			t.Run(name, func(t *testing.T) {
				a := s.do(t, call{method: "POST", path: registerPath, token: token, body: tt.metadata})
				assertRejected(t, a, 400, tt.code)
				assert.Contains(t, a.body["error_description"], tt.description)
				for _, v := range a.violated() {
					assert.NotRegexp(t, `^/(name|scopes|logo_url|website|client_auth_methods)\b`, v, "pointers are in standard names")
				}
			})
		}
		many := s.do(t, call{method: "POST", path: registerPath, token: token, body: `{"redirect_uris":["` + strings.Repeat(`#","`, 99) + `#"],"contacts":[1,2,3]}`})
		assertRejected(t, many, 400, "invalid_redirect_uri")
		assert.LessOrEqual(t, len(many.violated()), 100)
		assert.Positive(t, many.body["violations_omitted"])
	}, registering(t, onlyTenant(`redirect_hosts: ["*.example.com"]`)))
}

// Web pages may call the endpoints only where the policy says so.
func TestCORSOfRegistrations(t *testing.T) {
	onBothStores(t, func(t *testing.T, s service) {
		origin := http.Header{"Origin": {"https://spa.example.com"}, "Access-Control-Request-Method": {"POST"}}
		preflight := s.do(t, call{method: "OPTIONS", path: registerPath, header: origin})
		assert.Equal(t, 204, preflight.status, preflight.text)
		assert.Equal(t, "*", preflight.header.Get("Access-Control-Allow-Origin"))
		assert.Equal(t, "POST", preflight.header.Get("Access-Control-Allow-Methods"))
		assert.Contains(t, preflight.header.Get("Access-Control-Allow-Headers"), "Authorization")
		assert.Empty(t, preflight.header.Get("Access-Control-Allow-Credentials"))
		managing := s.do(t, call{method: "OPTIONS", path: registerPath + "/app", header: origin})
		assert.Equal(t, "GET, PUT, DELETE", managing.header.Get("Access-Control-Allow-Methods"))
		for _, token := range []string{"wrong", s.initialToken(t, `{}`)} {
			a := s.do(t, call{method: "POST", path: registerPath, token: token, body: webClient, header: origin})
			assert.Equal(t, "*", a.header.Get("Access-Control-Allow-Origin"), a.text)
			assert.Contains(t, a.header.Get("Access-Control-Expose-Headers"), "WWW-Authenticate")
			assert.Contains(t, a.header.Get("Access-Control-Expose-Headers"), "ETag")
		}
		without := s.do(t, call{method: "OPTIONS", path: "/oauth/tenant_b/register", header: origin})
		assert.Equal(t, 405, without.status)
		assert.Empty(t, without.header.Get("Access-Control-Allow-Origin"))
		rejected := s.do(t, call{method: "POST", path: "/oauth/tenant_b/register", body: webClient, header: origin})
		assert.Empty(t, rejected.header.Get("Access-Control-Allow-Origin"))
		admin := s.do(t, call{method: "GET", path: clients, token: "admin", header: origin})
		assert.Empty(t, admin.header.Get("Access-Control-Allow-Origin"))
	}, registering(t, `tenants: {tenant_a: {registration: {enabled: true, cors: true}}, tenant_b: {registration: {enabled: true}}}`))
}
