package hydra_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/hydra"
	"github.com/clientele-oauth/clientele/adapters/hydra/hydratest"
	"github.com/clientele-oauth/clientele/application/push"
	"github.com/clientele-oauth/clientele/application/push/pushtest"
	"github.com/clientele-oauth/clientele/domain"
)

func start(t *testing.T) (*hydratest.Server, *hydra.Target) {
	t.Helper()
	server := hydratest.Start()
	t.Cleanup(server.Close)
	target, err := hydra.New(hydra.Config{URL: server.URL})
	require.NoError(t, err)
	return server, target
}

// refusable are settings that Hydra refuses if it is not configured for pairwise subjects.
func refusable() domain.Settings {
	s := pushtest.Machine()
	s.SubjectType = domain.SubjectPairwise
	return s
}

func TestTarget(t *testing.T) {
	pushtest.Run(t, func(t *testing.T) pushtest.Server {
		server, target := start(t)
		return pushtest.Server{
			Target: target,
			Plant:  func(_ *testing.T, id domain.ClientID) { server.Change(string(id), func(map[string]any) {}) },
			Tamper: func(_ *testing.T, id domain.ClientID) {
				server.Change(string(id), func(c map[string]any) { c["redirect_uris"] = []any{"https://evil.example.com/*"} })
			},
			Extend: func(_ *testing.T, id domain.ClientID) {
				server.Change(string(id), func(c map[string]any) {
					c["access_token_strategy"] = "jwt"
					c["metadata"].(map[string]any)["theirs"] = map[string]any{"a": 1.5}
				})
			},
			Extended: func(_ *testing.T, id domain.ClientID) bool {
				c := server.Client(string(id))
				theirs, _ := c["metadata"].(map[string]any)["theirs"].(map[string]any)
				return c["access_token_strategy"] == "jwt" && theirs["a"] == 1.5
			},
			Accepts:   func(_ *testing.T, id domain.ClientID, secret string) bool { return server.Accepts(string(id), secret) },
			Refusable: refusable,
			Fail:      func(*testing.T) { server.Fail(http.StatusServiceUnavailable) },
		}
	})
}

func TestRequests(t *testing.T) {
	var mu sync.Mutex
	var got *http.Request
	status, answer := http.StatusOK, `{"client_id": "a b", "grant_types": []}`
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		got = r
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, answer)
	}))
	t.Cleanup(server.Close)
	credentials := "Bearer one"
	target, err := hydra.New(hydra.Config{URL: server.URL + "/base/", Authorize: func() (string, error) { return credentials, nil }})
	require.NoError(t, err)
	held, err := target.Find(t.Context(), "a b")
	require.NoError(t, err)
	assert.Equal(t, "/base/admin/clients/a%20b", got.URL.EscapedPath())
	assert.Equal(t, "Bearer one", got.Header.Get("Authorization"))
	assert.True(t, held.Enabled)
	assert.False(t, held.Managed())
	credentials = "Bearer two"
	_, err = target.Find(t.Context(), "other")
	require.ErrorContains(t, err, "another client")
	assert.Equal(t, "Bearer two", got.Header.Get("Authorization"))

	for code, said := range map[int]string{
		http.StatusUnauthorized: `{"error": {"message": "no", "reason": "token\nexpired"}}`, http.StatusForbidden: "<html>", http.StatusFound: "",
		http.StatusTooManyRequests: "", http.StatusBadGateway: strings.Repeat("x", 10_000), http.StatusOK: "no JSON",
	} {
		status, answer = code, said
		_, err = target.Find(t.Context(), "a b")
		require.Error(t, err)
		assert.Equal(t, push.Words(err.Error()), err.Error(), "%d: one line", code)
		_, isRefusal := errors.AsType[*push.RefusedError](err)
		assert.False(t, isRefusal, code)
		require.Error(t, target.Put(t.Context(), pushtest.Client("a b", pushtest.Machine()), nil), code)
	}
	assert.NotEqual(t, "/elsewhere", got.URL.Path, "no redirect is followed")
	status, answer = http.StatusOK, `{"client_id": "`+strings.Repeat("a", 2<<20)+`"}`
	_, err = target.Find(t.Context(), "a b")
	require.ErrorContains(t, err, "larger than")

	// What the server says does not repeat the secret.
	client := pushtest.Client("a b", pushtest.Machine())
	for _, status = range []int{http.StatusBadRequest, http.StatusInternalServerError} {
		answer = `{"error": "bad", "error_description": "cannot use ` + client.Secret + `"}`
		err = target.Put(t.Context(), client, nil)
		require.ErrorContains(t, err, "bad: cannot use …")
	}
}

func TestListEnds(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", `</admin/clients?page_token=same>; rel="next"`) // it leads to itself
		_, _ = io.WriteString(w, `[{"client_id": "a"}]`)
	}))
	t.Cleanup(server.Close)
	target, err := hydra.New(hydra.Config{URL: server.URL})
	require.NoError(t, err)
	n := 0
	for _, err := range target.List(t.Context()) {
		require.NoError(t, err)
		n++
	}
	assert.Equal(t, 2, n)
}

func TestURLsThatAreRejected(t *testing.T) {
	for _, at := range []string{"", "/admin", "hydra:4445", "http://[::1"} {
		_, err := hydra.New(hydra.Config{URL: at})
		require.Error(t, err, at)
	}
}

// A client that is suspended has nothing that Hydra would serve.
func TestTheFormOfAClientThatIsNotServed(t *testing.T) {
	server, target := start(t)
	s := pushtest.Kinds()["suspended"]
	require.NoError(t, target.Put(t.Context(), pushtest.Client("paused", s), nil))
	c := server.Client("paused")
	assert.Equal(t, []any{"urn:clientele:suspended"}, c["grant_types"])
	assert.Equal(t, []any{"none"}, c["response_types"])
	assert.Empty(t, c["redirect_uris"])
	assert.Equal(t, "10m0s", c["authorization_code_grant_access_token_lifespan"])
	assert.Equal(t, map[string]any{
		"clientele": map[string]any{"tenant": "tenant_a", "revision": 3.0, "secret_id": "secret_01a20a56-bc9d-765b-9f87-54068bbc09f0"},
	}, c["metadata"])

	// Without grants it must not get those that Hydra gives to such a client.
	none := pushtest.Machine()
	none.GrantTypes = nil
	require.NoError(t, target.Put(t.Context(), pushtest.Client("useless", none), nil))
	assert.Equal(t, []any{"urn:clientele:none"}, server.Client("useless")["grant_types"])
}

func TestMetadataThatIsNoObjectIsNotOverwritten(t *testing.T) {
	server, target := start(t)
	server.Change("odd", func(c map[string]any) { c["metadata"] = []any{"theirs"} })
	held, err := target.Find(t.Context(), "odd")
	require.NoError(t, err)
	assert.False(t, held.Managed())
	_, refused := errors.AsType[*push.RefusedError](target.Put(t.Context(), pushtest.Client("odd", pushtest.Machine()), &held))
	assert.True(t, refused)
	assert.Equal(t, []any{"theirs"}, server.Client("odd")["metadata"])
}
