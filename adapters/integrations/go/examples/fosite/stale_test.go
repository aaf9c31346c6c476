package main

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	clientele "github.com/clientele-oauth/clientele/adapters/integrations/go/fosite"
	"github.com/clientele-oauth/clientele/adapters/integrations/go/internal/servertest"
	"github.com/clientele-oauth/clientele/api/client"
	"github.com/clientele-oauth/clientele/api/mirror"
)

const redirect = "https://app.example.com/callback"

// When the copy is too old, every endpoint says so, and none says that a client is unknown
// or redirects.
func TestACopyThatIsTooOldIsAnOutage(t *testing.T) {
	binary, err := servertest.Build(t.TempDir(), "../../../../..", "./cmd/clientele")
	require.NoError(t, err)
	r := servertest.NewRegistry(t, binary)
	secret := r.Register(client.CreateClientRequest{
		ClientID: new("app"), Name: new("App"), GrantTypes: &[]string{"authorization_code", "refresh_token", "client_credentials"},
		RedirectUris: &[]string{redirect}, Scopes: &[]string{"openid", "offline_access"},
	})
	key := servertest.NewKey(t, "one")
	r.Register(client.CreateClientRequest{
		ClientID: new("key"), Name: new("Key"), GrantTypes: &[]string{"client_credentials"}, ClientAuthMethods: &[]string{"private_key_jwt"},
		Jwks: new(servertest.JWKS(t, key)),
	})
	registry, err := client.Connect(r.URL, client.Settings{Token: client.FileToken(r.TokenFile)})
	require.NoError(t, err)
	m, err := mirror.Open(t.Context(), mirror.Config{Client: registry, MaxStaleness: 3 * time.Second, Log: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	server := httptest.NewUnstartedServer(nil)
	server.Config.Handler, err = newServer("http://"+server.Listener.Addr().String(),
		clientele.New(m, clientele.Options{}))
	require.NoError(t, err)
	server.Start()
	t.Cleanup(server.Close)
	s := servertest.Discover(t, server.URL)

	at := s.AuthorizeURL("app", redirect, "openid offline_access")
	form := servertest.CodeForm(s.Authorize(t, at).Code(), redirect)
	tokens := servertest.Post(t, s.Token, form, "app", secret)
	require.Equal(t, http.StatusOK, tokens.Status, tokens.Text)
	code := s.Authorize(t, at).Code()

	r.Kill()
	require.Eventually(t, func() bool { return m.Health().Stale }, 30*time.Second, 10*time.Millisecond)
	for name, response := range map[string]servertest.Response{
		"authorize":     servertest.Get(t, at, ""),
		"login":         s.Authorize(t, at),
		"code":          servertest.Post(t, s.Token, servertest.CodeForm(code, redirect), "app", secret),
		"refresh":       servertest.Post(t, s.Token, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {tokens.Value("refresh_token")}}, "app", secret),
		"credentials":   servertest.Post(t, s.Token, servertest.CredentialsForm(""), "app", secret),
		"assertion":     servertest.Post(t, s.Token, servertest.CredentialsForm("", key.Assertion(t, servertest.Claims("key", s.Token))...)),
		"introspection": servertest.Post(t, s.Introspection, url.Values{"token": {"x"}}, "app", secret),
		"revocation":    servertest.Post(t, s.Revocation, url.Values{"token": {"x"}}, "app", secret),
	} {
		assert.Equal(t, http.StatusServiceUnavailable, response.Status, "%s: %s", name, response.Text)
		assert.Equal(t, "server_error", response.ErrorCode(), "%s: %s", name, response.Text)
		assert.Empty(t, response.Location, name)
	}
}
