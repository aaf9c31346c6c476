//go:build acceptance

package acceptance_test

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/cmd/servicetest"
)

// relyingParties is the folder with programs that use libraries of relying parties.
const relyingParties = "relyingparties"

// relyingPartiesFile allows clients of one tenant to register themselves, and those of
// another only with an initial access token.
const relyingPartiesFile = `
tenants:
  tenant_dev:
    registration: {enabled: true, open: true, scopes: [openid], default_scopes: [openid]}
  tenant_closed:
    registration: {enabled: true, scopes: [openid], default_scopes: [openid]}
`

// registrationSite is what relying parties see of a service: the endpoints for
// registration, over TLS, and for each tenant the metadata of an authorization server that
// publishes what the service says (OpenID Connect Discovery 1.0 §3).
type registrationSite struct {
	*httptest.Server
	service  *url.URL
	metadata map[string][]byte // by tenant
	data     string
	roots    string // path of the certificate
}

func newRegistrationSite(t *testing.T, flags []string) *registrationSite {
	t.Helper()
	site := &registrationSite{data: t.TempDir(), metadata: map[string][]byte{}}
	mux := http.NewServeMux()
	mux.Handle("/oauth/", &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(site.service) }})
	mux.HandleFunc("GET /issuers/{tenant}/.well-known/openid-configuration", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(site.metadata[r.PathValue("tenant")])
	})
	site.Server = httptest.NewTLSServer(mux)
	t.Cleanup(site.Close)
	site.roots = filepath.Join(site.data, "roots.pem")
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: site.Certificate().Raw})
	require.NoError(t, os.WriteFile(site.roots, certificate, 0o600))
	file := filepath.Join(site.data, "registration.yaml")
	require.NoError(t, os.WriteFile(file, []byte(relyingPartiesFile), 0o600))
	p, err := servicetest.Start(context.WithoutCancel(t.Context()), binary, servicetest.Options{Quiet: true},
		append(flags, "--dev", "--data", site.data, "--public-url", site.URL, "--registration-file", file)...)
	require.NoError(t, err)
	t.Cleanup(p.Kill)
	site.service, err = url.Parse(p.URL)
	require.NoError(t, err)
	for _, tenant := range []string{"tenant_dev", "tenant_closed"} {
		site.metadata[tenant] = site.metadataOf(t, tenant)
	}
	return site
}

// issuer returns the issuer identifier of the authorization server of a tenant.
func (s *registrationSite) issuer(tenant string) string { return s.URL + "/issuers/" + tenant }

// metadataOf returns the metadata of the authorization server of a tenant. The service
// offers the registration endpoint only if registration is open; here it is always published,
// so that clients with an initial access token find it.
func (s *registrationSite) metadataOf(t *testing.T, tenant string) []byte {
	t.Helper()
	published, _ := s.call(t, tenant, http.MethodGet, "/authorization-server-metadata", "")["data"].(map[string]any)
	issuer := s.issuer(tenant)
	metadata := map[string]any{
		"issuer": issuer, "authorization_endpoint": issuer + "/authorize", "token_endpoint": issuer + "/token", "jwks_uri": issuer + "/jwks",
		"response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"},
		"id_token_signing_alg_values_supported": []string{"RS256"}, "registration_endpoint": s.URL + "/oauth/" + tenant + "/register",
	}
	if tenant == "tenant_dev" {
		assert.Equal(t, metadata["registration_endpoint"], published["registration_endpoint"])
	} else {
		assert.NotContains(t, published, "registration_endpoint")
	}
	maps.Copy(metadata, published)
	text, err := json.Marshal(metadata)
	require.NoError(t, err)
	return text
}

// call sends a request as an administrator of a tenant.
func (s *registrationSite) call(t *testing.T, tenant, method, path, body string) map[string]any {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, s.service.String()+"/admin/oauth"+path, strings.NewReader(body))
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer "+adminToken(t, s.data, "--tenant", tenant))
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Less(t, response.StatusCode, 300, "%s", text)
	var decoded map[string]any
	require.NoError(t, json.Unmarshal(text, &decoded), "%s", text)
	return decoded
}

// actions returns what was done to a client, the last first, and how each
// change was authorized.
func (s *registrationSite) actions(t *testing.T, tenant, id string) (actions []string) {
	t.Helper()
	page, _ := s.call(t, tenant, http.MethodGet, "/clients/"+id+"/revisions", "")["data"].(map[string]any)
	revisions, _ := page["revisions"].([]any)
	for _, item := range revisions {
		revision, _ := item.(map[string]any)
		actor, _ := revision["actor"].(map[string]any)
		actions = append(actions, fmt.Sprint(revision["action"], " ", actor["via"]))
	}
	return actions
}

// run runs a program, and returns the result that it prints.
func (s *registrationSite) run(t *testing.T, dir, name string, args ...string) map[string][]string {
	t.Helper()
	environment := []string{"NODE_EXTRA_CA_CERTS=" + s.roots, "REQUESTS_CA_BUNDLE=" + s.roots}
	lines := strings.Split(strings.TrimSpace(execute(t, dir, environment, name, args...)), "\n")
	var result map[string][]string
	require.NoError(t, json.Unmarshal([]byte(lines[len(lines)-1]), &result), "%s", lines)
	return result
}

// The certified relying party for Node.js registers, reads, updates and deletes itself,
// without a token as a public client, and with an initial access token as one with a secret.
func TestOpenIDClientManagesItsRegistration(t *testing.T) {
	npm, node := tool(t, "npm", "npm"), tool(t, "node", "nodejs")
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS(relyingParties)))
	execute(t, dir, nil, npm, "install", "--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund", "--silent")
	onEachStore(t, func(t *testing.T, flags []string) {
		site := newRegistrationSite(t, flags)
		created, _ := site.call(t, "tenant_closed", http.MethodPost, "/registration-tokens", `{"description":"relying party","max_uses":2}`)["data"].(map[string]any)
		initial, _ := created["token"].(string)
		for _, tt := range []struct {
			tenant, via string
			args        []string
		}{
			{"tenant_dev", "open", []string{"none"}},
			{"tenant_closed", "initial_access_token", []string{"client_secret_basic", initial}},
		} {
			result := site.run(t, dir, node, append([]string{"openid_client.js", site.issuer(tt.tenant)}, tt.args...)...)
			require.Len(t, result["deleted"], 1)
			require.Len(t, result["kept"], 1)
			assert.Equal(t, []string{"delete registration_access_token", "update registration_access_token", "create " + tt.via},
				site.actions(t, tt.tenant, result["deleted"][0]))
			assert.Equal(t, []string{"create " + tt.via}, site.actions(t, tt.tenant, result["kept"][0]))
		}
	})
}

// The relying parties for Python register, read, update and delete themselves.
func TestOidcrpAndPyoidcManageTheirRegistration(t *testing.T) {
	bin := python(t, filepath.Join(relyingParties, "requirements.txt"))
	onEachStore(t, func(t *testing.T, flags []string) {
		site := newRegistrationSite(t, flags)
		result := site.run(t, relyingParties, filepath.Join(bin, "python"), "-W", "ignore", "relying_party.py", site.issuer("tenant_dev"), "none")
		require.Len(t, result["deleted"], 2)
		for _, id := range result["deleted"] {
			assert.Equal(t, []string{"delete registration_access_token", "update registration_access_token", "create open"}, site.actions(t, "tenant_dev", id))
		}
	})
}
