package rest_test

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/ratelimit"
)

// Registration access tokens, rate limits, and what is recorded of registrations.

// A token is not replaced unless the policy says so, and never by reading.
func TestRotationOfRegistrationAccessTokens(t *testing.T) {
	onBothStores(t, func(t *testing.T, s service) {
		kept := s.registered(t, publicClient)
		update := strings.Replace(publicClient, "{", `{"client_id":"{id}","contacts":["a@example.com"],`, 1)
		assert.Equal(t, kept.token, kept.do(t, "PUT", update).body["registration_access_token"])

		rotating := s.do(t, call{method: "POST", path: registerPath, token: s.initialToken(t, `{"policy":{"rotate_on_update":true}}`), body: publicClient})
		require.Equal(t, 201, rotating.status, rotating.text)
		c := &selfClient{service: s, id: rotating.body["client_id"].(string), token: rotating.body["registration_access_token"].(string)}
		c.path = registerPath + "/" + c.id
		assert.Equal(t, c.token, c.do(t, "GET", "").body["registration_access_token"])
		updated := c.do(t, "PUT", update)
		next, _ := updated.body["registration_access_token"].(string)
		require.NotEqual(t, c.token, next)
		assert.Equal(t, 200, c.do(t, "GET", "").status, "the old one is valid until the new one is used: the response may be lost")
		old := *c
		c.token = next
		assert.Equal(t, 200, c.do(t, "GET", "").status)
		assertRejected(t, old.do(t, "GET", ""), 401, "invalid_token")
	}, registering(t, onlyTenant("")))
}

func TestStateOfTheClientAndItsToken(t *testing.T) {
	onBothStores(t, func(t *testing.T, s service) {
		c := s.registered(t, publicClient)
		c.change(t, `{"status":"suspended"}`)
		for _, method := range []string{"GET", "PUT", "DELETE"} {
			body := ""
			if method == "PUT" {
				body = `{`
			}
			assertRejected(t, c.do(t, method, body), 403, "access_denied")
		}
		assertRejected(t, s.do(t, call{method: "GET", path: c.path, token: "wrong"}), 401, "invalid_token")
		c.change(t, `{"status":"active"}`)
		assert.Equal(t, 200, c.do(t, "GET", "").status)

		deleted := c.do(t, "DELETE", "")
		assert.Equal(t, 204, deleted.status)
		assert.Empty(t, deleted.text)
		assert.Equal(t, "no-store", deleted.header.Get("Cache-Control"))
		assertRejected(t, c.do(t, "GET", ""), 401, "invalid_token")
		assertRejected(t, c.do(t, "DELETE", ""), 401, "invalid_token")
		require.Equal(t, 200, s.do(t, call{method: "POST", path: clients + "/" + c.id + "/restore", token: "admin"}).status)
		assertRejected(t, c.do(t, "GET", ""), 401, "invalid_token")
	}, registering(t, onlyTenant("")))
}

// An administrator gives a client its token, and takes it away.
func TestAdministratorsIssueRegistrationAccessTokens(t *testing.T) {
	onBothStores(t, func(t *testing.T, s service) {
		id := s.create(t)
		path := clients + "/" + id + "/registration-token"
		for token, status := range map[string]int{"write": 403, "read": 403, "": 401} {
			assert.Equal(t, status, s.do(t, call{method: "POST", path: path, token: token}).status, token)
		}
		assert.Equal(t, 404, s.do(t, call{method: "DELETE", path: path, token: "admin"}).status, "it has none")
		assert.Equal(t, 404, s.do(t, call{method: "POST", path: clients + "/none/registration-token", token: "admin"}).status)
		assert.Equal(t, 412, s.do(t, call{method: "POST", path: path, token: "admin", header: http.Header{"If-Match": {`"9"`}}}).status)
		issued := s.do(t, call{method: "POST", path: path, token: "admin"})
		require.Equal(t, http.StatusCreated, issued.status, issued.text)
		assert.Equal(t, publicURL+registerPath+"/"+id, issued.data("registration_client_uri"))
		c := &selfClient{service: s, id: id, token: issued.data("registration_access_token").(string), path: registerPath + "/" + id}
		read := c.do(t, "GET", "")
		require.Equal(t, http.StatusOK, read.status, read.text)
		assert.Equal(t, "App", read.body["client_name"])
		again := s.do(t, call{method: "POST", path: path, token: "admin"})
		assertRejected(t, c.do(t, "GET", ""), 401, "invalid_token")
		c.token = again.data("registration_access_token").(string)
		assert.Equal(t, 200, c.do(t, "GET", "").status)
		assert.Equal(t, 204, s.do(t, call{method: "DELETE", path: path, token: "admin"}).status)
		assertRejected(t, c.do(t, "GET", ""), 401, "invalid_token")
		s.changes(t, "?actions=issue_registration_token,rotate_registration_token,revoke_registration_token", 3)
	}, registering(t, onlyTenant("")))
}

// changes reads the change feed, with a query, until it has n changes: other transactions of
// the database server can hold them back for a moment.
func (s service) changes(t *testing.T, query string, n int) (feed response) {
	t.Helper()
	require.Eventually(t, func() bool {
		feed = s.do(t, call{method: "GET", path: changesPath + query, token: "read"})
		found, _ := feed.data("changes").([]any)
		return len(found) == n
	}, 10*time.Second, 10*time.Millisecond)
	return feed
}

// The log says how each change was authorized, and has no token, secret or address.
func TestLogOfRegistrations(t *testing.T) {
	onBothStores(t, func(t *testing.T, s service) {
		created := s.do(t, call{method: "POST", path: tokensPath, token: "admin"})
		initial, tokenID := created.data("token").(string), created.data("token_id")
		a := s.do(t, call{method: "POST", path: registerPath, token: initial, body: webClient, header: http.Header{"X-Change-Reason": {"mine"}}})
		require.Equal(t, 201, a.status, a.text)
		c := &selfClient{service: s, id: a.body["client_id"].(string), token: a.body["registration_access_token"].(string)}
		c.path = registerPath + "/" + c.id
		require.Equal(t, 200, c.do(t, "PUT", `{"client_id":"{id}","redirect_uris":["https://app.example.com/2"]}`).status)
		deleted := s.do(t, call{method: "DELETE", path: c.path, token: c.token, header: http.Header{"X-Change-Reason": {"mine\xff"}}})
		require.Equal(t, 204, deleted.status, deleted.text)
		feed := s.changes(t, "", 3)
		seen, _ := feed.data("changes").([]any)
		for i, want := range []map[string]any{
			{"action": "create", "via": "initial_access_token"},
			{"action": "update", "via": "registration_access_token"},
			{"action": "delete", "via": "registration_access_token"},
		} {
			entry := seen[i].(map[string]any)
			assert.Equal(t, want["action"], entry["action"])
			assert.Equal(t, map[string]any{
				"subject": "registration", "client_id": c.id, "via": want["via"], "token_id": tokenID, "issued_by": "alice",
			}, entry["actor"])
			assert.NotContains(t, entry, "reason")
		}
		history := s.do(t, call{method: "GET", path: clients + "/" + c.id + "/revisions", token: "read"})
		first, _ := history.data("revisions").([]any)
		require.NotEmpty(t, first, history.text)
		assert.Contains(t, fmt.Sprint(first), "via:registration_access_token")
		for _, value := range []string{initial, c.token, a.body["client_secret"].(string), "192.0.2.1"} {
			assert.NotContains(t, feed.text+history.text, value)
			assert.NotContains(t, s.logs.String(), value)
		}
		admin := s.do(t, call{method: "GET", path: clients + "/" + s.create(t) + "/revisions", token: "read"})
		assert.Contains(t, admin.text, `"actor":{"subject":"alice","via":"admin"}`)
	}, registering(t, onlyTenant("")))
}

// Requests are limited by the address that they come from.
func TestRateLimitsOfRegistrations(t *testing.T) {
	onBothStores(t, func(t *testing.T, s service) {
		token := s.initialToken(t, `{"max_uses":100}`)
		register := func(token string, forwarded ...string) response {
			return s.do(t, call{method: "POST", path: registerPath, token: token, body: publicClient, header: http.Header{"X-Forwarded-For": forwarded}})
		}
		for range 3 {
			require.Equal(t, 201, register(token, "198.51.100.1").status)
		}
		limited := register(token, "198.51.100.1")
		assertRejected(t, limited, 429, "temporarily_unavailable")
		assert.Equal(t, "20", limited.header.Get("Retry-After"))
		assertRejected(t, register(token, "203.0.113.9, 198.51.100.1"), 429, "temporarily_unavailable") // made up by the sender
		assertRejected(t, register(token, "203.0.113.9", "198.51.100.1, 10.0.0.7"), 429, "temporarily_unavailable")
		assert.Equal(t, 201, register(token, "198.51.100.1, 198.51.100.2").status, "the last untrusted address counts")
		for _, address := range []string{"2001:db8::1", "2001:db8::2", "2001:db8::ffff:3"} {
			assert.Equal(t, 201, register(token, address).status)
		}
		assertRejected(t, register(token, "2001:db8::4"), 429, "temporarily_unavailable")
		assert.Equal(t, 201, register(token, "2001:db8:0:1::4").status)
		for _, address := range []string{"198.51.100.1:4711", "[2001:db8::1]:4711", "[2001:db8::1]"} {
			assertRejected(t, register(token, address), 429, "temporarily_unavailable") // as without a port
		}
		assert.Equal(t, 201, register(token, "nonsense").status, "the proxy counts")

		for range 2 {
			assertRejected(t, register("wrong", "198.51.100.7"), 401, "invalid_token")
		}
		failing := register("wrong", "198.51.100.7")
		assertRejected(t, failing, 429, "temporarily_unavailable")
		managed := s.do(t, call{method: "GET", path: registerPath + "/x", token: "wrong", header: http.Header{"X-Forwarded-For": {"198.51.100.7"}}})
		assertRejected(t, managed, 429, "temporarily_unavailable")
		assert.Equal(t, 401, s.do(t, call{method: "GET", path: registerPath + "/x", header: http.Header{"X-Forwarded-For": {"198.51.100.7"}}}).status, "no token is no failed one")
		for range 3 {
			s.do(t, call{method: "GET", path: registerPath + "/x", header: http.Header{"X-Forwarded-For": {"198.51.100.8"}}})
		}
		assert.Equal(t, 401, s.do(t, call{method: "GET", path: registerPath + "/x", header: http.Header{"X-Forwarded-For": {"198.51.100.8"}}}).status)
		assert.Equal(t, 429, s.do(t, call{method: "GET", path: registerPath + "/x", header: http.Header{"X-Forwarded-For": {"198.51.100.8"}}}).status)
		assert.Equal(t, 404, s.do(t, call{method: "POST", path: "/oauth/tenant_b/register", body: publicClient, header: http.Header{"X-Forwarded-For": {"198.51.100.1"}}}).status, "no limit reveals that a tenant is switched off")
	}, registering(t, onlyTenant("")), func(c *setup) {
		now := time.Now()
		clock := func() time.Time { return now }
		c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("10.0.0.0/8")} // 192.0.2.1 is the address of httptest
		c.Registrations.Register = ratelimit.ByNetwork(clock, ratelimit.Rate{Count: 3, Period: time.Minute}, ratelimit.Rate{Count: 50, Period: time.Hour})
		c.Registrations.Management = ratelimit.ByNetwork(clock, ratelimit.Rate{Count: 4, Period: time.Minute})
		c.Registrations.FailedTokens = ratelimit.ByNetwork(clock, ratelimit.Rate{Count: 2, Period: time.Minute})
	})
}

// The limit of the hour is there in addition to that of the minute.
func TestRateLimitOfAnHour(t *testing.T) {
	clock := &documentClock{}
	s := newService(t, registering(t, openTenant), func(c *setup) {
		c.Registrations.Register = ratelimit.ByNetwork(clock.Now, ratelimit.Rate{Count: 3, Period: time.Minute}, ratelimit.Rate{Count: 4, Period: time.Hour})
	})
	register := func() response { return s.do(t, call{method: "POST", path: registerPath, body: publicClient}) }
	for range 3 {
		require.Equal(t, 201, register().status)
	}
	assert.Equal(t, "20", register().header.Get("Retry-After"))
	clock.advance(time.Minute)
	assert.Equal(t, 201, register().status)
	limited := register()
	assertRejected(t, limited, 429, "temporarily_unavailable")
	assert.Equal(t, "840", limited.header.Get("Retry-After"))
}

// Without a trusted proxy, the header means nothing.
func TestForwardedAddressesNeedATrustedProxy(t *testing.T) {
	now := time.Now()
	s := newService(t, registering(t, openTenant), func(c *setup) {
		c.Registrations.Register = ratelimit.ByNetwork(func() time.Time { return now }, ratelimit.Rate{Count: 1, Period: time.Minute})
	})
	register := func(forwarded string) response {
		return s.do(t, call{method: "POST", path: registerPath, body: publicClient, header: http.Header{"X-Forwarded-For": {forwarded}}})
	}
	assert.Equal(t, 201, register("198.51.100.1").status)
	assert.Equal(t, 429, register("198.51.100.2").status)
}

// Registrations with one token are limited, wherever they come from.
func TestRateLimitOfAnInitialAccessToken(t *testing.T) {
	now := time.Now()
	s := newService(t, registering(t, onlyTenant("")), func(c *setup) {
		c.Registry.Registrations.Tokens = ratelimit.Per(2, time.Minute, func() time.Time { return now })
	})
	token, other := s.initialToken(t, `{"max_uses":9}`), s.initialToken(t, `{}`)
	register := func(token string) response {
		return s.do(t, call{method: "POST", path: registerPath, token: token, body: publicClient})
	}
	register(token)
	register(token)
	assertRejected(t, register(token), 429, "temporarily_unavailable")
	assert.Equal(t, 201, register(other).status)
}
