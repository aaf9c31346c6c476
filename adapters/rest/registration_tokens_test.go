package rest_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Initial access tokens: how they are created, used up, listed and revoked.

func TestInitialAccessTokens(t *testing.T) {
	onBothStores(t, testInitialTokens, registering(t, onlyTenant(`scopes: [openid, profile], redirect_hosts: ["*.example.com"]`)))
}

func testInitialTokens(t *testing.T, s service) {
	created := s.do(t, call{method: "POST", path: tokensPath, token: "admin", body: `{"description":"Portal","expires_in":3600,"max_uses":2,"policy":{"scopes":["openid"],"labels":{"example.com/from":"portal"}}}`})
	require.Equal(t, http.StatusCreated, created.status, created.text)
	value, id := created.data("token").(string), created.data("token_id").(string)
	assert.Contains(t, value, "clientele_iat_")
	assert.Equal(t, "Portal", created.data("description"))
	assert.Equal(t, "alice", created.data("issued_by"))
	assert.Equal(t, map[string]any{"scopes": []any{"openid"}, "labels": map[string]any{"example.com/from": "portal"}}, created.data("policy"))

	defaults := s.do(t, call{method: "POST", path: tokensPath, token: "admin"})
	require.Equal(t, http.StatusCreated, defaults.status, defaults.text)
	assert.EqualValues(t, 1, defaults.data("max_uses"))
	lifetime := func(a response) time.Duration {
		from, err := time.Parse(time.RFC3339, a.data("created_at").(string))
		require.NoError(t, err)
		to, err := time.Parse(time.RFC3339, a.data("expires_at").(string))
		require.NoError(t, err)
		return to.Sub(from)
	}
	assert.Equal(t, 24*time.Hour, lifetime(defaults))
	assert.Equal(t, time.Hour, lifetime(created))

	for range 2 {
		a := s.do(t, call{method: "POST", path: registerPath, token: value, body: strings.Replace(webClient, "{", `{"scope":"openid profile",`, 1)})
		require.Equal(t, http.StatusCreated, a.status, a.text)
		assert.Equal(t, "openid", a.body["scope"], "the policy of the token narrows that of the tenant")
		read := s.do(t, call{method: "GET", path: clients + "/" + a.body["client_id"].(string), token: "admin"})
		assert.Equal(t, map[string]any{"example.com/from": "portal"}, read.data("labels"))
		registration, _ := read.data("registration").(map[string]any)
		assert.Equal(t, "initial_access_token", registration["via"])
		assert.Equal(t, id, registration["token_id"])
		assert.Equal(t, "alice", registration["issued_by"])
		assert.Equal(t, true, registration["managed"])
	}
	assertRejected(t, s.do(t, call{method: "POST", path: registerPath, token: value, body: webClient}), 401, "invalid_token")

	list := s.do(t, call{method: "GET", path: tokensPath, token: "admin"})
	require.Equal(t, http.StatusOK, list.status, list.text)
	assert.NotContains(t, list.text, value)
	tokens, _ := list.data("tokens").([]any)
	require.Len(t, tokens, 2)
	states := map[any]any{}
	for _, token := range tokens {
		token := token.(map[string]any)
		states[token["token_id"]] = token["status"]
		assert.NotContains(t, token, "token")
	}
	assert.Equal(t, map[any]any{id: "used_up", defaults.data("token_id"): "active"}, states)
	first := s.do(t, call{method: "GET", path: tokensPath + "?limit=1", token: "admin"})
	second := s.do(t, call{method: "GET", path: tokensPath + "?limit=1&after=" + first.data("next").(string), token: "admin"})
	assert.Len(t, second.data("tokens"), 1)
	assert.Nil(t, second.data("next"))
	assert.NotEqual(t, first.data("tokens"), second.data("tokens"))

	via := s.do(t, call{method: "GET", path: clients + "?via=initial_access_token&registration_token=" + id, token: "admin"})
	assert.EqualValues(t, 2, via.body["total"], via.text)
	assert.EqualValues(t, 0, s.do(t, call{method: "GET", path: clients + "?registration_token=other", token: "admin"}).body["total"])
	assert.EqualValues(t, 0, s.do(t, call{method: "GET", path: clients + "?via=open", token: "admin"}).body["total"])

	assert.Equal(t, 204, s.do(t, call{method: "DELETE", path: tokensPath + "/" + id + "?suspend_clients=true", token: "admin"}).status)
	suspended := s.do(t, call{method: "GET", path: clients + "?status=suspended", token: "admin"})
	assert.EqualValues(t, 2, suspended.body["total"], "the clients of the token are suspended")
	assert.Equal(t, 404, s.do(t, call{method: "DELETE", path: tokensPath + "/none", token: "admin"}).status)
	assert.Equal(t, 404, s.do(t, call{method: "DELETE", path: tokensPath + "/" + id, token: "other-tenant"}).status)
	assert.NotContains(t, s.logs.String(), value)
}

// Only administrators create tokens, and only within the policy of the tenant.
func TestInitialAccessTokensThatAreRejected(t *testing.T) {
	onBothStores(t, func(t *testing.T, s service) {
		for body, want := range map[string]string{
			`{"max_uses":0}`: "/max_uses contract", `{"max_uses":10001}`: "/max_uses contract", `{"expires_in":7776001}`: "/expires_in contract",
			`{"expires_in":0}`: "/expires_in contract", `{"max_use":1}`: "/max_use contract", `{"policy":{"scope":["a"]}}`: "/policy/scope contract",
			`{"policy":{"open":true}}`: "/policy/open contract", `{"policy":{"redirect_hosts":["https://x.example"]}}`: "/policy/redirect_hosts/0 contract",
			`{"policy":{"grants":[]}}`:                        "/policy/grants registration-policy",
			`{"policy":{"scopes":["admin"]}}`:                 "/policy/scopes",
			`{"policy":{"redirect_hosts":["x.example"]}}`:     "/policy/redirect_hosts",
			`{"policy":{"grants":["client_credentials"]}}`:    "/policy/grants",
			`{"policy":{"auth_methods":["tls_client_auth"]}}`: "/policy/auth_methods",
			`{"policy":{"statement":"required"}}`:             "/policy/statement",
			// With the label of the tenant it is one more than a client can have.
			`{"policy":{"labels":{` + labels(32) + `}}}`: "/policy/labels",
		} {
			a := s.do(t, call{method: "POST", path: tokensPath, token: "admin", body: body})
			assert.Equal(t, 400, a.status, "%s: %s", body, a.text)
			found := strings.Join(a.violated(), "\n")
			assert.Contains(t, found, want, body)
			if !strings.HasSuffix(want, " contract") {
				assert.Equal(t, "the token is rejected for 1 violation", a.body["message"], body)
			}
		}
		for token, status := range map[string]int{"write": 403, "read": 403, "unprivileged": 403, "": 401} {
			assert.Equal(t, status, s.do(t, call{method: "POST", path: tokensPath, token: token, body: `{}`}).status, token)
			assert.Equal(t, status, s.do(t, call{method: "GET", path: tokensPath, token: token}).status, token)
		}
		assert.Equal(t, 404, s.do(t, call{method: "POST", path: tokensPath, token: "other-tenant", body: `{}`}).status, "registration is switched off there")
	}, registering(t, onlyTenant(`scopes: [openid, profile], redirect_hosts: ["*.example.com"], labels: {example.com/tier: gold}`)))
}

// labels returns members of a JSON object, one for each of so many labels.
func labels(number int) string {
	members := make([]string, number)
	for i := range members {
		members[i] = fmt.Sprintf(`"example.com/%d":"x"`, i)
	}
	return strings.Join(members, ",")
}

// Rejections and dry runs use nothing up.
func TestOnlyARegistrationUsesATokenUp(t *testing.T) {
	onBothStores(t, func(t *testing.T, s service) {
		token := s.initialToken(t, `{}`)
		for range 3 {
			assertRejected(t, s.do(t, call{method: "POST", path: registerPath, token: token, body: `{}`}), 400, "invalid_redirect_uri")
			dry := s.do(t, call{method: "POST", path: registerPath + "?dry_run=true", token: token, body: webClient})
			require.Equal(t, http.StatusOK, dry.status, dry.text)
			assertMembers(t, dry, map[string]any{
				"client_secret": nil, "registration_access_token": nil, "registration_client_uri": nil, "token_endpoint_auth_method": "client_secret_basic",
			})
			assertMembers(t, dry, map[string]any{"client_id": nil, "client_id_issued_at": nil})
			assert.Empty(t, dry.header.Get("ETag"))
		}
		assert.Equal(t, 201, s.do(t, call{method: "POST", path: registerPath, token: token, body: webClient}).status)
		assert.Equal(t, 401, s.do(t, call{method: "POST", path: registerPath, token: token, body: webClient}).status)
		list := s.do(t, call{method: "GET", path: clients, token: "admin"})
		assert.EqualValues(t, 1, list.body["total"])
	}, registering(t, onlyTenant("")))
}

// Of 32 concurrent registrations with a token for five clients, five succeed.
func TestConcurrentUsesOfAToken(t *testing.T) {
	onBothStores(t, func(t *testing.T, s service) {
		token := s.initialToken(t, `{"max_uses":5}`)
		var wait sync.WaitGroup
		statuses := make([]int, 32)
		for i := range statuses {
			wait.Go(func() {
				a := s.do(t, call{method: "POST", path: registerPath, token: token, body: webClient})
				statuses[i] = a.status
			})
		}
		wait.Wait()
		count := map[int]int{}
		for _, status := range statuses {
			count[status]++
		}
		assert.Equal(t, map[int]int{201: 5, 401: 27}, count)
		list := s.do(t, call{method: "GET", path: clients, token: "admin"})
		assert.EqualValues(t, 5, list.body["total"])
	}, registering(t, onlyTenant("")))
}

// A registration that is repeated with its key makes one client and uses the token once.
func TestRepeatedRegistrations(t *testing.T) {
	onBothStores(t, func(t *testing.T, s service) {
		token := s.initialToken(t, `{"max_uses":2}`)
		keyed := func(body string) response {
			return s.do(t, call{method: "POST", path: registerPath, token: token, body: body, header: http.Header{"Idempotency-Key": {"k1"}}})
		}
		first, again := keyed(webClient), keyed(webClient)
		require.Equal(t, http.StatusCreated, first.status, first.text)
		require.Equal(t, http.StatusCreated, again.status, again.text)
		assert.Equal(t, first.body["client_id"], again.body["client_id"])
		assert.Equal(t, "true", again.header.Get("Idempotent-Replayed"))
		assertMembers(t, again, map[string]any{
			"client_secret": nil, "client_secret_expires_at": nil, "registration_access_token": nil, "registration_client_uri": nil,
		})
		assertRejected(t, keyed(publicClient), 409, "invalid_request")
		assert.Equal(t, 201, s.do(t, call{method: "POST", path: registerPath, token: token, body: webClient}).status)
		assert.Equal(t, 201, keyed(webClient).status, "also when the token is used up")
		assertRejected(t, keyed("{"), 400, "invalid_client_metadata") // the key shows that it may be the same request
		list := s.do(t, call{method: "GET", path: clients, token: "admin"})
		assert.EqualValues(t, 2, list.body["total"])
		path := clients + "/" + first.body["client_id"].(string)
		require.Equal(t, 204, s.do(t, call{method: "DELETE", path: path, token: "admin"}).status)
		deleted := keyed(webClient)
		assertRejected(t, deleted, 409, "invalid_request")
		assert.Contains(t, deleted.body["error_description"], "deleted")
		require.Equal(t, 200, s.do(t, call{method: "POST", path: path + "/restore", token: "admin"}).status)
		assert.Equal(t, 201, keyed(webClient).status)

		created := func() response {
			return s.do(t, call{method: "POST", path: tokensPath, token: "admin", body: `{}`, header: http.Header{"Idempotency-Key": {"k1"}}})
		}
		one, two := created(), created()
		assert.Equal(t, one.data("token_id"), two.data("token_id"))
		assert.NotNil(t, one.data("token"))
		assert.Nil(t, two.data("token"))
		assert.Equal(t, "true", two.header.Get("Idempotent-Replayed"))
	}, registering(t, onlyTenant("")))
}

// A dry run decides as a registration does, also where the client gets its client_id as its
// name.
func TestADryRunOfAClientWithoutAName(t *testing.T) {
	onBothStores(t, func(t *testing.T, s service) {
		const service = `{"grant_types":["client_credentials"]}`
		token := s.initialToken(t, `{}`)
		dry := s.do(t, call{method: "POST", path: registerPath + "?dry_run=true", token: token, body: service})
		require.Equal(t, http.StatusOK, dry.status, dry.text)
		assertMembers(t, dry, map[string]any{"client_id": nil, "client_id_issued_at": nil, "client_name": nil})
		assert.Contains(t, dry.text, `\"client_id\" is shown in its place`)
		made := s.do(t, call{method: "POST", path: registerPath, token: token, body: service})
		require.Equal(t, http.StatusCreated, made.status, made.text)
		assert.Equal(t, made.found("warnings"), dry.found("warnings"))
	}, registering(t, onlyTenant("grants: [client_credentials]")))
}
