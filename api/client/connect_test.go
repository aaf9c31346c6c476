package client_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/api/client"
)

// unreliable is a proxy in front of the service. For a given number of requests, it lets
// the service process the request and then replaces the response.
type unreliable struct {
	*httptest.Server
	left, seen atomic.Int32
	keys       atomic.Value // the last Idempotency-Key
}

func newUnreliable(t *testing.T, failures int32, response http.HandlerFunc) *unreliable {
	t.Helper()
	target, err := url.Parse(serviceURL)
	require.NoError(t, err)
	through := httputil.NewSingleHostReverseProxy(target)
	u := &unreliable{}
	u.left.Store(failures)
	u.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u.seen.Add(1)
		u.keys.Store(r.Header.Get("Idempotency-Key"))
		if u.left.Add(-1) < 0 {
			through.ServeHTTP(w, r)
			return
		}
		through.ServeHTTP(httptest.NewRecorder(), r)
		response(w, r)
	}))
	t.Cleanup(u.Close)
	return u
}

func busy(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Retry-After", "1")
	w.WriteHeader(http.StatusServiceUnavailable)
}

func reset(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

func connect(t *testing.T, at string, s client.Settings) *client.ClientWithResponses {
	t.Helper()
	s.Token = client.StaticToken(token)
	s.LongestPause = 10 * time.Millisecond
	c, err := client.Connect(at, s)
	require.NoError(t, err)
	return c
}

func TestRetriedRegistrationCreatesOneClient(t *testing.T) {
	for name, response := range map[string]http.HandlerFunc{"busy": busy, "no response": reset} {
		proxy := newUnreliable(t, 2, response)
		created, err := connect(t, proxy.URL, client.Settings{}).CreateClientWithResponse(t.Context(), nil, client.CreateClientRequest{
			Name: new("Once " + name), GrantTypes: &[]string{"client_credentials"},
		})
		require.NoError(t, err, name)
		assert.Equal(t, "true", created.HTTPResponse.Header.Get("Idempotent-Replayed"))
		assert.EqualValues(t, 3, proxy.seen.Load())
		found, err := connect(t, serviceURL, client.Settings{}).ListClientsWithResponse(t.Context(), &client.ListClientsParams{Name: new("Once " + name)})
		require.NoError(t, err)
		assert.EqualValues(t, 1, *found.JSON200.Total)
	}
}

func TestRetries(t *testing.T) {
	id := "again"
	_, err := connect(t, serviceURL, client.Settings{}).CreateClientWithResponse(t.Context(), nil, client.CreateClientRequest{
		ClientID: &id, Name: new("Again"), GrantTypes: &[]string{"client_credentials"},
	})
	require.NoError(t, err)
	tooMany := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTooManyRequests) }
	gateway := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }
	broken := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }
	read := func(c *client.ClientWithResponses) error {
		_, err := c.GetClientWithResponse(context.Background(), id, nil)
		return err
	}
	update := func(c *client.ClientWithResponses) error {
		_, err := c.UpdateClientWithResponse(context.Background(), id, nil, client.UpdateClientRequest{Name: new("Again and again")})
		return err
	}
	verify := func(c *client.ClientWithResponses) error {
		_, err := c.VerifySecretWithResponse(context.Background(), id, nil, client.VerifySecretRequest{Secret: "x"})
		return err
	}
	for name, tt := range map[string]struct {
		response http.HandlerFunc
		do       func(*client.ClientWithResponses) error
		sent     int32
	}{
		"a read without a response":         {reset, read, 2},
		"an update without a response":      {reset, update, 2},
		"an update behind a broken gateway": {gateway, update, 2},
		"a request over the rate limit":     {tooMany, verify, 2},
		"a POST without a response":         {reset, verify, 1},
		"a POST to a busy service":          {busy, verify, 1},
		"an internal error":                 {broken, read, 1},
	} {
		t.Run(name, func(t *testing.T) {
			proxy := newUnreliable(t, 1, tt.response)
			err := tt.do(connect(t, proxy.URL, client.Settings{}))
			assert.Equal(t, tt.sent, proxy.seen.Load())
			assert.Equal(t, tt.sent > 1, err == nil, "%v", err)
		})
	}
}

func TestRetriesEnd(t *testing.T) {
	proxy := newUnreliable(t, 100, busy)
	_, err := connect(t, proxy.URL, client.Settings{Attempts: 3}).ListClientsWithResponse(t.Context(), nil)
	var problem *client.ProblemError
	require.ErrorAs(t, err, &problem)
	assert.Equal(t, http.StatusServiceUnavailable, problem.Status)
	assert.Equal(t, time.Second, problem.RetryAfter)
	assert.True(t, problem.Repeated)
	assert.EqualValues(t, 3, proxy.seen.Load())

	ctx, cancel := context.WithCancel(t.Context())
	proxy = newUnreliable(t, 100, func(w http.ResponseWriter, r *http.Request) { cancel(); busy(w, r) })
	_, err = connect(t, proxy.URL, client.Settings{}).ListClientsWithResponse(ctx, nil)
	require.Error(t, err)
	assert.EqualValues(t, 1, proxy.seen.Load(), "no retry after the context has ended")
}

func TestProblemErrors(t *testing.T) {
	c := connect(t, serviceURL, client.Settings{})
	_, err := c.GetClientWithResponse(t.Context(), "none", nil)
	var problem *client.ProblemError
	require.ErrorAs(t, err, &problem)
	assert.Equal(t, 404, problem.Status)
	assert.Equal(t, "client not found", problem.Message)
	assert.NotEmpty(t, problem.RequestID)
	_, err = c.UpdateClientWithResponse(t.Context(), "none", nil, client.UpdateClientRequest{Name: new("")})
	require.ErrorAs(t, err, &problem)
	assert.Equal(t, 404, problem.Status)
	_, err = c.CreateClientWithResponse(t.Context(), nil, client.CreateClientRequest{Name: new("x"), RedirectUris: &[]string{"a#b"}})
	require.ErrorAs(t, err, &problem)
	assert.Contains(t, problem.Error(), "\n  /redirect_uris/0: ")

	html := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, "<html>no</html>")
	}))
	defer html.Close()
	_, err = connect(t, html.URL, client.Settings{}).ListClientsWithResponse(t.Context(), nil)
	require.ErrorAs(t, err, &problem)
	assert.Equal(t, "forbidden", problem.Message)
}

func TestTokenSource(t *testing.T) {
	asked := 0
	c, err := client.Connect(serviceURL, client.Settings{Token: func(context.Context) (string, error) {
		if asked++; asked > 1 {
			return "", errors.New("the vault is closed")
		}
		return token, nil
	}})
	require.NoError(t, err)
	_, err = c.ListClientsWithResponse(t.Context(), nil)
	require.NoError(t, err)
	_, err = c.ListClientsWithResponse(t.Context(), nil)
	require.ErrorContains(t, err, "the vault is closed")
	_, err = connect(t, serviceURL, client.Settings{Tenant: "tenant_other"}).ListClientsWithResponse(t.Context(), nil)
	var problem *client.ProblemError
	require.ErrorAs(t, err, &problem)
	assert.Equal(t, http.StatusForbidden, problem.Status, "the request names the tenant")
}

// A proxy may add a charset to the media type.
func TestMediaTypesWithParameters(t *testing.T) {
	target, err := url.Parse(serviceURL)
	require.NoError(t, err)
	through := httputil.NewSingleHostReverseProxy(target)
	through.ModifyResponse = func(r *http.Response) error {
		r.Header.Set("Content-Type", r.Header.Get("Content-Type")+" ; charset=utf-8")
		return nil
	}
	proxy := httptest.NewServer(through)
	t.Cleanup(proxy.Close)
	c := connect(t, proxy.URL, client.Settings{})
	plain, err := c.ListClientsWithResponse(t.Context(), nil)
	require.NoError(t, err)
	require.NotNil(t, plain.JSON200)
	assert.NotNil(t, plain.JSON200.Items)
	standard, err := c.ListClientsWithResponse(t.Context(), &client.ListClientsParams{Format: new(client.ListClientsParamsFormatRfc7591)})
	require.NoError(t, err)
	require.NotNil(t, standard.ApplicationVndClienteleRfc7591JSON200)
	assert.NotNil(t, standard.ApplicationVndClienteleRfc7591JSON200.Items)
}

func TestATokenIsReadFromItsFileForEachRequest(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	source := client.FileToken(path)
	_, err := source(t.Context())
	require.ErrorIs(t, err, os.ErrNotExist)
	for _, text := range []string{"first", " second\n"} {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		got, err := source(t.Context())
		require.NoError(t, err)
		assert.Equal(t, strings.TrimSpace(text), got)
	}
	require.NoError(t, os.WriteFile(path, []byte("\n"), 0o600))
	_, err = source(t.Context())
	require.Error(t, err)
}
