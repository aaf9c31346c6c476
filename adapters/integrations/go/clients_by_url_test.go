package integrations_test

import (
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/integrations/go/internal/servertest"
	"github.com/clientele-oauth/clientele/api/client"
)

// site is a web site with client ID metadata documents.
type site struct {
	*httptest.Server
	mu        sync.Mutex
	documents map[string]map[string]any // by path
	requests  int
}

// newSite starts a site with documents of a public client, and of clients with keys in the
// document and at a URL.
func newSite(t *testing.T, key servertest.Key) *site {
	t.Helper()
	s := &site{}
	s.Server = httptest.NewTLSServer(http.HandlerFunc(s.serve))
	t.Cleanup(s.Close)
	var keys map[string]any
	require.NoError(t, json.Unmarshal([]byte(servertest.JWKS(t, key)), &keys))
	document := func(path string, members map[string]any) map[string]any {
		members["client_id"], members["client_name"], members["redirect_uris"] = s.URL+path, "Agent", []string{redirect}
		members["grant_types"], members["scope"] = []string{"authorization_code", "refresh_token"}, "openid email offline_access"
		return members
	}
	s.documents = map[string]map[string]any{
		"/public": document("/public", map[string]any{"token_endpoint_auth_method": "none"}),
		"/inline": document("/inline", map[string]any{"token_endpoint_auth_method": "private_key_jwt", "jwks": keys}),
		"/linked": document("/linked", map[string]any{"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": s.URL + "/keys"}),
		"/other":  document("/public", map[string]any{"token_endpoint_auth_method": "none"}),
		"/keys":   keys,
	}
	return s
}

func (s *site) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	document := s.documents[r.URL.Path]
	if document == nil {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(document)
}

// change changes a document.
func (s *site) change(path string, change func(map[string]any)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s.documents[path])
}

// newWorldByURL starts a registry that admits the documents of the site, and a server.
func newWorldByURL(t *testing.T, name string) (*world, *site) {
	t.Helper()
	key := servertest.NewKey(t, "one")
	s := newSite(t, key)
	dir := t.TempDir()
	policy, authority := filepath.Join(dir, "registration.yaml"), filepath.Join(dir, "authority.pem")
	require.NoError(t, os.WriteFile(policy, []byte(`tenants:
  tenant_dev:
    registration: {enabled: true, open: true, grants: [authorization_code, refresh_token], scopes: [openid, email, offline_access]}
    cimd: {mode: allow, hosts: [127.0.0.1]}
`), 0o600))
	require.NoError(t, os.WriteFile(authority, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600))
	w := &world{
		T: t, name: name, listen: servertest.FreeAddress(t), file: filepath.Join(dir, "mirror"), key: key, secrets: map[string]string{},
		Registry: servertest.NewRegistry(t, registryBinary, "--registration-file", policy, "--key-ca-file", authority, "--key-host", "127.0.0.1"),
	}
	w.startServer()
	return w, s
}

// codeFlow runs the code flow of a client, with assertions unless it is public, and returns the
// response of the token endpoint.
func (w *world) codeFlow(id string, public bool) servertest.Response {
	w.Helper()
	response := w.Authorize(w, w.AuthorizeURL(id, redirect, "openid email offline_access"))
	require.NotEmpty(w, response.Code(), "%d %s %s", response.Status, response.Location, response.Text)
	form := servertest.CodeForm(response.Code(), redirect, "client_id", id)
	if !public {
		form = servertest.CodeForm(response.Code(), redirect, w.key.Assertion(w, servertest.Claims(id, w.Token))...)
	}
	return servertest.Post(w, w.Token, form)
}

// A server admits clients by the URL of their client ID metadata document.
func TestClientsByURL(t *testing.T) {
	for name := range serverBinaries {
		t.Run(name, func(t *testing.T) {
			w, s := newWorldByURL(t, name)
			for _, path := range []string{"/public", "/inline", "/linked"} {
				tokens := w.codeFlow(s.URL+path, path == "/public")
				require.Equal(t, http.StatusOK, tokens.Status, "%s: %s", path, tokens.Text)
				user := servertest.Get(t, w.Userinfo, tokens.Value("access_token"))
				assert.Equal(t, "alice@example.com", user.Value("email"), "%s: %s", path, user.Text)
				form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {tokens.Value("refresh_token")}, "client_id": {s.URL + path}}
				if path != "/public" {
					pairs := w.key.Assertion(t, servertest.Claims(s.URL+path, w.Token))
					form.Set(pairs[0], pairs[1])
					form.Set(pairs[2], pairs[3])
				}
				refreshed := servertest.Post(t, w.Token, form)
				assert.Equal(t, http.StatusOK, refreshed.Status, "%s: %s", path, refreshed.Text)
			}
			assert.Equal(t, 4, s.requests, "the documents and the keys were fetched once")
			other := servertest.NewKey(t, w.key.ID)
			form := servertest.CredentialsForm("openid", other.Assertion(t, servertest.Claims(s.URL+"/linked", w.Token))...)
			assert.Equal(t, "invalid_client", servertest.Post(t, w.Token, form).ErrorCode(), "another key")
			registered(t, w)
			rejectedByURL(t, w, s)
			outageByURL(t, w, s)
		})
	}
}

// The discovery document says how clients register, and one that registers itself gets tokens.
func registered(t *testing.T, w *world) {
	t.Helper()
	assert.True(t, w.Documents)
	require.Equal(t, w.URL+"/oauth/tenant_dev/register", w.Registration)
	r := servertest.PostJSON(t, w.Registration, map[string]any{
		"client_name": "Agent", "redirect_uris": []string{redirect}, "token_endpoint_auth_method": "none",
		"grant_types": []string{"authorization_code", "refresh_token"}, "scope": "openid email offline_access",
	})
	require.Equal(t, http.StatusCreated, r.Status, r.Text)
	id := r.Value("client_id")
	w.within("registration", func() bool { return w.Authorize(t, w.AuthorizeURL(id, redirect, "openid")).Code() != "" })
	tokens := w.codeFlow(id, true)
	require.Equal(t, http.StatusOK, tokens.Status, tokens.Text)
	assert.Equal(t, "alice", servertest.Get(t, w.Userinfo, tokens.Value("access_token")).Value("sub"))
}

// What the registry does not admit is an unknown client, and gets no redirect.
func rejectedByURL(t *testing.T, w *world, s *site) {
	t.Helper()
	for name, id := range map[string]string{
		"no document":                    s.URL + "/missing",
		"a document of another client":   s.URL + "/other",
		"a host that is not listed":      strings.Replace(s.URL, "127.0.0.1", "localhost", 1) + "/public",
		"not the URL of a document":      s.URL + "/public#fragment",
		"the URL of a document but http": strings.Replace(s.URL, "https:", "http:", 1) + "/public",
	} {
		r := w.Authorize(t, w.AuthorizeURL(id, redirect, "openid"))
		assert.Empty(t, r.Location, name)
		assert.Contains(t, []int{http.StatusBadRequest, http.StatusUnauthorized}, r.Status, "%s: %s", name, r.Text)
		form := servertest.CodeForm("x", redirect, "client_id", id)
		assert.Equal(t, "invalid_client", servertest.Post(t, w.Token, form).ErrorCode(), name)
	}
	r := w.Authorize(t, w.AuthorizeURL(s.URL+"/public", redirect+"/", "openid"))
	assert.Empty(t, r.Location, "another redirect URI")
}

// An approved document works as it was approved while the registry is away, also after a
// restart of the server; the others are unavailable, not unknown.
func outageByURL(t *testing.T, w *world, s *site) {
	t.Helper()
	id := s.URL + "/public"
	resolved, err := w.Admin.GetClientMetadataWithResponse(t.Context(), &client.GetClientMetadataParams{ClientID: id})
	require.NoError(t, err)
	_, err = w.Admin.ApproveClientMetadataWithResponse(t.Context(), nil, client.ApproveClientMetadataRequest{
		ClientID: id, Digest: *resolved.JSON200.Data.Document.Digest,
	})
	require.NoError(t, err)
	s.change("/public", func(document map[string]any) {
		document["redirect_uris"] = []string{"https://evil.example.com/callback"}
	})
	w.Kill()
	w.Start() // it does not have the document in memory any more
	require.Eventually(t, func() bool {
		_ = w.Authorize(t, w.AuthorizeURL(id, redirect, "openid"))
		changes, err := w.Admin.ListRevisionsWithResponse(t.Context(), id, nil)
		return err == nil && len(*changes.JSON200.Data.Revisions) == 2
	}, 10*time.Second, 10*time.Millisecond, "the registry notices the change, because the server resolves the client")
	assert.Empty(t, w.Authorize(t, w.AuthorizeURL(id, "https://evil.example.com/callback", "openid")).Location)

	w.Kill()
	w.stopServer()
	w.startServer()
	tokens := w.codeFlow(id, true)
	assert.Equal(t, http.StatusOK, tokens.Status, tokens.Text)
	unknown := w.Authorize(t, w.AuthorizeURL(s.URL+"/inline", redirect, "openid"))
	assert.Equal(t, http.StatusServiceUnavailable, unknown.Status, unknown.Text)
	assert.Empty(t, unknown.Location)
}
