package rest_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/ratelimit"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// keysOf is the path of the public keys of a client of tenant_a.
func keysOf(id string) string { return "/oauth/tenant_a/clients/" + id + "/jwks.json" }

// published turns the operations without a token on.
func published(c *setup) { c.PublicURL = "https://clientele.example.com" }

// registerKeyed registers a client with inline keys.
func (s service) registerKeyed(t *testing.T, id, jwks string) {
	t.Helper()
	s.register(t, id, `"name":"App","grant_types":["client_credentials"],"client_auth_methods":["private_key_jwt"],"jwks":`+strconv.Quote(jwks))
}

func TestPublicKeysAreServedWithoutAToken(t *testing.T) { onBothStores(t, testPublicKeys, published) }

func testPublicKeys(t *testing.T, s service) {
	// The values are served with the bytes that were registered, here with an escape.
	registered := strings.Replace(oneKey, `"kid":"1"`, `"ext":true,"kid":"\u0031","use" : "sig","x5u":"https://a.example/"`, 1)
	s.registerKeyed(t, "app", registered)
	a := s.do(t, call{method: "GET", path: keysOf("app")})
	require.Equal(t, http.StatusOK, a.status, a.text)
	assert.Equal(t, "application/jwk-set+json", a.header.Get("Content-Type"))
	assert.Equal(t, "public, max-age=60", a.header.Get("Cache-Control"))
	assert.Equal(t, strconv.Itoa(len(a.text)), a.header.Get("Content-Length"))
	const want = `{"keys":[{"kty":"OKP","use":"sig","kid":"\u0031","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`
	assert.Equal(t, want, a.text) //nolint:testifylint // byte for byte
	tag := a.header.Get("ETag")
	require.Regexp(t, `^"[0-9a-f]{32}"$`, tag)
	assert.Equal(t, "https://clientele.example.com"+keysOf("app"), s.do(t, call{method: "GET", path: clients + "/app/keys", token: "admin"}).data("public_url"))

	for _, tt := range []struct {
		header, value string
		status        int
	}{
		{"If-None-Match", tag, 304},
		{"If-None-Match", "W/" + tag, 304},
		{"If-None-Match", `"x", ` + tag, 304},
		{"If-None-Match", "*", 304},
		{"If-None-Match", `"1"`, 200},
		{"If-None-Match", "1", 400},
		{"If-Match", tag, 200},
		{"If-Match", "*", 200},
		{"If-Match", `"1"`, 412},
		{"If-Match", "W/" + tag, 412},
		{"If-Match", "1", 400},
	} {
		got := s.do(t, call{method: "GET", path: keysOf("app"), header: http.Header{tt.header: {tt.value}}})
		assert.Equal(t, tt.status, got.status, "%s: %s", tt.header, tt.value)
		if tt.status == 304 {
			assert.Empty(t, got.text)
			assert.Equal(t, tag, got.header.Get("ETag"))
			assert.Equal(t, "public, max-age=60", got.header.Get("Cache-Control"))
		}
		if tt.status >= 400 {
			assert.Equal(t, "no-store", got.header.Get("Cache-Control"))
		}
	}
	head := s.do(t, call{method: "HEAD", path: keysOf("app")})
	assert.Equal(t, 200, head.status)
	assert.Equal(t, tag, head.header.Get("ETag"))

	// Whether the client or the tenant exists cannot be distinguished.
	s.register(t, "keyless", `"name":"App","redirect_uris":["https://a.example/cb"]`)
	s.registerKeyed(t, "paused", oneKey)
	s.registerKeyed(t, "gone", oneKey)
	s.register(t, "fetched", `"name":"App","grant_types":["client_credentials"],"client_auth_methods":["private_key_jwt"],"jwks_uri":"https://a.example/jwks"`)
	require.Equal(t, 200, s.do(t, call{method: "PUT", path: clients + "/paused", token: "admin", body: `{"status":"suspended"}`}).status)
	require.Equal(t, 204, s.do(t, call{method: "DELETE", path: clients + "/gone", token: "admin"}).status)
	for _, path := range []string{
		keysOf("none"), keysOf("keyless"), keysOf("paused"), keysOf("gone"), keysOf("fetched"), strings.Replace(keysOf("app"), "tenant_a", "tenant_b", 1),
		strings.Replace(keysOf("app"), "tenant_a", "no-such-tenant", 1),
	} {
		got := s.do(t, call{method: "GET", path: path})
		assert.Equal(t, 404, got.status, path)
		assert.Equal(t, "client not found", got.body["message"], path)
		assert.Equal(t, "no-store", got.header.Get("Cache-Control"), path)
	}
	assert.Equal(t, []string{"?x contract"}, s.do(t, call{method: "GET", path: keysOf("app") + "?x=1"}).violated())
	assert.Equal(t, []string{"{tenant} contract"}, s.do(t, call{method: "GET", path: strings.Replace(keysOf("app"), "tenant_a", "a%20b", 1)}).violated())
	assert.Equal(t, 405, s.do(t, call{method: "PUT", path: keysOf("app"), body: "{}"}).status)

	rotated := strings.Replace(registered, `\u0031`, "2", 1)
	require.Equal(t, 200, s.do(t, call{method: "PUT", path: clients + "/app", token: "admin", body: `{"jwks":` + strconv.Quote(rotated) + `}`}).status)
	changed := s.do(t, call{method: "GET", path: keysOf("app"), header: http.Header{"If-None-Match": {tag}}})
	assert.Equal(t, 200, changed.status)
	assert.NotEqual(t, tag, changed.header.Get("ETag"))
}

// Without a public URL there are no such operations: not even a limit or a parameter is
// checked.
func TestPublicKeysAreOffByDefault(t *testing.T) {
	s := newService(t, func(c *setup) { c.Addresses = denyNetworks{} })
	s.registerKeyed(t, "app", oneKey)
	for _, path := range []string{keysOf("app"), keysOf("none"), keysOf("app") + "?x=1"} {
		a := s.do(t, call{method: "GET", path: path, token: "admin"})
		assert.Equal(t, http.StatusNotFound, a.status, path)
		assert.Equal(t, "no such endpoint", a.body["message"], path)
	}
	assert.Nil(t, s.do(t, call{method: "GET", path: clients + "/app/keys", token: "admin"}).data("public_url"))
}

// cachedResolver is a resolver that has fetched a key set, and fails the test if it is
// asked to fetch one.
type cachedResolver struct {
	application.KeyResolver
	t    *testing.T
	text string
}

func (c cachedResolver) Cached(uri string) (string, bool) {
	assert.Equal(c.t, "https://a.example/jwks", uri)
	return c.text, c.text != ""
}

func (c cachedResolver) Fetch(context.Context, domain.TenantID, string) (domain.Keys, time.Time, error) {
	assert.Fail(c.t, "keys were fetched")
	return domain.Keys{}, time.Time{}, application.ErrUnavailable
}

// Keys behind a jwks_uri are served from the cache only, and only the public ones.
func TestFetchedKeysAreServedFromTheCache(t *testing.T) {
	private := `{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"2","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}]}`
	for text, want := range map[string]int{oneKey: 200, "": 404, private: 404, `{"keys":[]}`: 404, "no JSON": 404} {
		s := newService(t, published, func(c *setup) { c.Registry.Keys = cachedResolver{c.Registry.Keys, t, text} })
		s.register(t, "app", `"name":"App","grant_types":["client_credentials"],"client_auth_methods":["private_key_jwt"],"jwks_uri":"https://a.example/jwks"`)
		a := s.do(t, call{method: "GET", path: keysOf("app")})
		assert.Equal(t, want, a.status, text)
		if want == 200 {
			var set, expected any
			require.NoError(t, json.Unmarshal([]byte(a.text), &set))
			require.NoError(t, json.Unmarshal([]byte(text), &expected))
			assert.Equal(t, expected, set)
		}
		assert.NotContains(t, a.text, "nWGxne")
	}
}

// The rate limit is that of the address of the connection, whatever headers say.
func TestPublicKeysAreLimitedByAddress(t *testing.T) {
	at := time.Now()
	s := newService(t, published, func(c *setup) {
		c.Addresses = ratelimit.ByNetwork(func() time.Time { return at }, ratelimit.Rate{Count: 2, Period: time.Second})
	})
	s.registerKeyed(t, "app", oneKey)
	get := func(remote string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, keysOf("app"), http.NoBody)
		r.RemoteAddr = remote
		r.Header.Set("X-Forwarded-For", strconv.Itoa(int(time.Now().UnixNano())))
		w := httptest.NewRecorder()
		s.handler.ServeHTTP(w, r)
		return w
	}
	for _, same := range [][]string{
		{"192.0.2.1:1", "192.0.2.1:2", "[::ffff:192.0.2.1]:3"},
		{"[2001:db8::1]:1", "[2001:db8::ffff:2]:1", "[2001:db8::3]:9"},
		{"[fe80::1%eth0]:1", "[fe80::2%eth1]:1", "[fe80::3]:1"},
		{"@", "@", "@"}, // a Unix socket
	} {
		for i, remote := range same {
			w := get(remote)
			assert.Equal(t, i == 2, w.Code == http.StatusTooManyRequests, remote)
			assert.Equal(t, i == 2, w.Header().Get("Retry-After") == "1", remote)
		}
	}
	assert.Equal(t, http.StatusOK, get("192.0.2.2:1").Code)
	assert.Equal(t, http.StatusOK, get("[2001:db8:0:1::1]:1").Code)
	assert.Equal(t, 200, s.do(t, call{method: "GET", path: clients + "/app", token: "admin"}).status, "callers have other limits")
}

// blockingStore is a store whose reads wait until the channel is closed.
type blockingStore struct {
	application.Store
	entered chan struct{}
	release chan struct{}
}

func (b blockingStore) Find(ctx context.Context, tenant domain.TenantID, id domain.ClientID) (domain.Client, error) {
	if tenant == "blocked" {
		b.entered <- struct{}{}
		<-b.release
	}
	return b.Store.Find(ctx, tenant, id)
}

// Requests without a token cannot take the slots of callers.
func TestStrangersHaveSlotsOfTheirOwn(t *testing.T) {
	blocking := blockingStore{entered: make(chan struct{}), release: make(chan struct{})}
	s := newService(t, published, func(c *setup) {
		c.MaxConcurrent = 1
		blocking.Store = c.Registry.Store
		c.Registry.Store = blocking
	})
	id := s.create(t)
	done := make(chan int)
	go func() {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, strings.Replace(keysOf("app"), "tenant_a", "blocked", 1), http.NoBody)
		w := httptest.NewRecorder()
		s.handler.ServeHTTP(w, r)
		done <- w.Code
	}()
	<-blocking.entered
	assert.Equal(t, 200, s.do(t, call{method: "GET", path: clients + "/" + id, token: "admin"}).status)
	close(blocking.release)
	assert.Equal(t, 404, <-done)
}
