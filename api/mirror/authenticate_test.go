package mirror_test

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/api/client"
	"github.com/clientele-oauth/clientele/api/mirror"
)

func TestAuthenticate(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	secret := r.register("app", nil)
	r.register("spa", func(c *client.CreateClientRequest) {
		c.GrantTypes, c.RedirectUris = &[]string{"authorization_code"}, &[]string{"https://app.example.com/callback"}
		c.ClientAuthMethods, c.IsConfidential = &[]string{"none"}, new(false)
	})
	p := newProxy(t, r.url)
	m := open(t, mirror.Config{Client: connect(t, p.URL, r.token())})
	basic := func(id, secret string) string {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(id)+":"+url.QueryEscape(secret)))
	}
	a, err := m.Authenticate(t.Context(), mirror.Credentials{
		Authorization: basic("app", secret), Form: url.Values{"grant_type": {"client_credentials"}, "code_verifier": {strings.Repeat("x", 100)}},
	})
	require.NoError(t, err)
	assert.Equal(t, "client_secret_basic", a.Method)
	assert.NotEmpty(t, a.SecretID)
	assert.Equal(t, "app", a.Client.ID)
	assert.Equal(t, []string{"client_credentials"}, a.Client.GrantTypes)
	assert.Equal(t, "RS256", a.Client.IDTokenSignedResponseAlg, "an effective value")
	a, err = m.Authenticate(t.Context(), mirror.Credentials{Form: url.Values{"client_id": {"spa"}}})
	require.NoError(t, err)
	assert.Equal(t, "none", a.Method)

	for name, c := range map[string]mirror.Credentials{
		"a wrong secret":      {Authorization: basic("app", "wrong")},
		"nobody":              {Authorization: basic("nobody", "x")},
		"nothing":             {},
		"another method":      {Form: url.Values{"client_id": {"app"}, "client_secret": {secret}}},
		"a secret twice":      {Form: url.Values{"client_id": {"app"}, "client_secret": {secret, secret}}},
		"a long member":       {Form: url.Values{"client_id": {strings.Repeat("x", 5000)}}},
		"a long request":      {Authorization: basic("app", strings.Repeat("x", 200_000))},
		"a bad assertion":     {Form: url.Values{"client_assertion": {"x"}, "client_assertion_type": {"y"}}, Audiences: []string{"https://as.example.com"}},
		"a bad certificate":   {Form: url.Values{"client_id": {"app"}}, Certificate: "x"},
		"an unverified chain": {Form: url.Values{"client_id": {"app"}}, Certificate: "x", CertificateUnverified: true},
	} {
		_, err := m.Authenticate(t.Context(), c)
		require.ErrorIs(t, err, mirror.ErrNotAuthenticated, name)
		require.NotErrorIs(t, err, mirror.ErrUnavailable, name)
	}
	for name, replace := range map[string]http.HandlerFunc{
		"401 for the token": status(http.StatusUnauthorized), "403": status(http.StatusForbidden), "404": status(http.StatusNotFound),
		"400 of a proxy": status(http.StatusBadRequest), "413 of a proxy": status(http.StatusRequestEntityTooLarge),
		"429": status(http.StatusTooManyRequests), "503": status(http.StatusServiceUnavailable), "garbage": respond("{}"), "endless": endless,
		"a suspended client": respond(`{"data":{"method":"none","client":{"client_id":"app","revision":1,"status":"suspended"}}}`),
	} {
		p.set(only("authenticate", replace))
		_, err := m.Authenticate(t.Context(), mirror.Credentials{Authorization: basic("app", secret)})
		require.ErrorIs(t, err, mirror.ErrUnavailable, name)
		require.NotErrorIs(t, err, mirror.ErrNotAuthenticated, name)
	}
}
