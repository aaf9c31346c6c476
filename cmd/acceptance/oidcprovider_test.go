//go:build acceptance

package acceptance_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/cmd/servicetest"
)

// oidcProvider returns a function that validates documents with node-oidc-provider. It
// returns the reason why each is rejected, or "".
func oidcProvider(t *testing.T) func(documents []map[string]any) []string {
	t.Helper()
	npm, node := tool(t, "npm", "npm"), tool(t, "node", "nodejs")
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS("oidcprovider")))
	execute(t, dir, nil, npm, "install", "--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund", "--silent")
	return func(documents []map[string]any) []string {
		t.Helper()
		input, err := json.Marshal(documents)
		require.NoError(t, err)
		command := exec.CommandContext(t.Context(), node, "validate.js")
		command.Dir, command.Stdin = dir, bytes.NewReader(input)
		var warnings bytes.Buffer
		command.Stderr = &warnings
		output, err := command.Output()
		require.NoError(t, err, warnings.String())
		var reasons []string
		require.NoError(t, json.Unmarshal(output, &reasons), "%s", output)
		require.Len(t, reasons, len(documents))
		return reasons
	}
}

// registry sends requests to a running service.
type registry struct {
	url, token string
}

// newRegistry starts a service that does not fetch keys.
func newRegistry(t *testing.T) registry {
	t.Helper()
	data := t.TempDir()
	p, err := servicetest.Start(context.WithoutCancel(t.Context()), binary, servicetest.Options{Quiet: true}, "--dev", "--data", data, "--key-preflight", "off")
	require.NoError(t, err)
	t.Cleanup(p.Kill)
	token, err := servicetest.Token(data)
	require.NoError(t, err)
	return registry{p.URL + "/admin/oauth/clients", token}
}

// do sends a request and returns the status and the decoded response.
func (r registry) do(t *testing.T, method, path string, body any) (status int, decoded map[string]any, text string) {
	t.Helper()
	status, read, err := r.send(t.Context(), method, path, body)
	require.NoError(t, err)
	if len(read) > 0 { // a deletion has no body
		require.NoError(t, json.Unmarshal(read, &decoded), "%s", read)
	}
	return status, decoded, string(read)
}

// send sends a request and returns the status and the body of the response.
func (r registry) send(ctx context.Context, method, path string, body any) (status int, read []byte, err error) {
	var content io.Reader = http.NoBody
	if body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			return 0, nil, err
		}
		content = bytes.NewReader(encoded)
	}
	request, err := http.NewRequestWithContext(ctx, method, r.url+path, content)
	if err != nil {
		return 0, nil, err
	}
	request.Header.Set("Authorization", "Bearer "+r.token)
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = response.Body.Close() }()
	read, err = io.ReadAll(response.Body)
	return response.StatusCode, read, err
}

// forServers returns the documents of all clients, with what a server is to apply.
func (r registry) forServers(t *testing.T) []map[string]any {
	t.Helper()
	var documents []map[string]any
	for after := ""; ; {
		status, page, text := r.do(t, http.MethodGet, "?format=rfc7591&effective=true&limit=500"+after, nil)
		require.Equal(t, http.StatusOK, status, text)
		items, _ := page["items"].([]any)
		for _, item := range items {
			document, _ := item.(map[string]any)
			// oidc-provider requires a value for methods that use a secret; docs/metadata.md
			// says what to use instead of the secret, of which the registry has only a hash.
			if method, _ := document["token_endpoint_auth_method"].(string); strings.HasPrefix(method, "client_secret_") {
				document["client_secret"] = "placeholder"
			}
			documents = append(documents, document)
		}
		next, more := page["next"].(string)
		if !more {
			return documents
		}
		after = "&after=" + next
	}
}

// node-oidc-provider accepts random clients in the standard names that the registry
// accepts. The differences that the generator leaves out are in the next test.
func TestOIDCProviderAcceptsLegalClients(t *testing.T) {
	const wanted, mostRejected = 1000, 200
	validate, r := oidcProvider(t), newRegistry(t)
	clients := newGenerator(t, 7591)
	rejected := map[string]int{}
	accepted, tried := 0, 0
	for ; accepted < wanted && tried < wanted+mostRejected; tried++ {
		status, response, text := r.do(t, http.MethodPost, "", clients.client(fmt.Sprintf("app-%04d", tried)))
		violations, _ := response["violations"].([]any)
		switch {
		case status == http.StatusCreated:
			accepted++
		case status == http.StatusBadRequest && len(violations) > 0:
			first, _ := violations[0].(map[string]any)
			rejected[fmt.Sprint(first["rule"], " at ", first["field"])]++
		default:
			require.Fail(t, "unexpected response", "%d: %s", status, text)
		}
	}
	require.Equal(t, wanted, accepted, "rejected by the registry: %v", rejected)
	documents := r.forServers(t)
	require.Len(t, documents, wanted)
	names := map[string]bool{}
	for i, reason := range validate(documents) {
		assert.Empty(t, reason, "%v", documents[i])
		for name := range documents[i] {
			names[name] = true
		}
	}
	for _, name := range []string{ // the generator uses nearly all fields that oidc-provider knows
		"application_type", "authorization_details_types", "authorization_encrypted_response_alg", "backchannel_logout_session_required",
		"backchannel_token_delivery_mode", "contacts", "default_acr_values", "default_max_age", "dpop_bound_access_tokens",
		"id_token_encrypted_response_enc", "initiate_login_uri", "introspection_signed_response_alg", "jwks", "jwks_uri",
		"post_logout_redirect_uris", "request_object_encryption_enc", "require_pushed_authorization_requests", "require_signed_request_object",
		"response_modes", "subject_type", "tls_client_auth_subject_dn", "tls_client_certificate_bound_access_tokens",
		"token_endpoint_auth_signing_alg", "userinfo_encrypted_response_alg", "backchannel_client_notification_endpoint",
	} {
		assert.True(t, names[name], "no client has %s", name)
	}
}

// The differences that docs/metadata.md explains: clients that the registry accepts and
// node-oidc-provider rejects, with a part of its message.
func TestDifferencesToOIDCProvider(t *testing.T) {
	validate, r := oidcProvider(t), newRegistry(t)
	jwks := allKeys(t)
	differences := []struct {
		id     string // also the row in docs/metadata.md
		client map[string]any
		reason string
	}{
		{"scope", map[string]any{"scopes": []string{"payments"}}, "scope must only contain Authorization Server supported scope values"},
		{"private scheme and https", map[string]any{"redirect_uris": []string{"https://a.example.com/cb", "com.example.app:/cb"}}, "redirect_uris must only contain web uris"},
		{"https on localhost", map[string]any{"redirect_uris": []string{"https://localhost/cb"}}, "must not be using localhost as hostname"},
		{"userinfo encryption", map[string]any{"userinfo_encrypted_response_alg": "RSA-OAEP", "jwks": jwks}, "userinfo_signed_response_alg is mandatory"},
		{"RSA1_5", map[string]any{"id_token_encrypted_response_alg": "RSA1_5", "jwks": jwks}, "id_token_encrypted_response_alg must be"},
		{"CIBA push", map[string]any{
			"grant_types": []string{"urn:openid:params:grant-type:ciba"}, "redirect_uris": []string{}, "scopes": []string{"openid"},
			"backchannel_token_delivery_mode": "push", "backchannel_client_notification_endpoint": "https://a.example.com/ciba",
		}, "backchannel_token_delivery_mode must be"},
		{"contacts", map[string]any{"contacts": []string{"the security team"}}, "contacts can only contain email addresses"},
		{"DPoP and mTLS", map[string]any{"dpop_bound_access_tokens": true, "tls_client_certificate_bound_access_tokens": true}, "only one proof of possession mechanism"},
		{"token alone", map[string]any{"grant_types": []string{"implicit"}, "response_types": []string{"token"}}, "response_types can only contain"},
		{"pairwise and ports", map[string]any{
			"subject_type": "pairwise", "redirect_uris": []string{"https://a.example.com/cb", "https://a.example.com:8443/cb"},
		}, "sector_identifier_uri is mandatory"},
	}
	explained, err := os.ReadFile(filepath.Join("../../docs", "metadata.md"))
	require.NoError(t, err)
	for i, d := range differences {
		body := map[string]any{"client_id": fmt.Sprintf("app-%02d", i), "name": "App", "redirect_uris": []string{"https://a.example.com/cb"}}
		maps.Copy(body, d.client)
		status, _, text := r.do(t, http.MethodPost, "", body)
		require.Equal(t, http.StatusCreated, status, "%s: %s", d.id, text)
		assert.Contains(t, string(explained), "\n| "+d.id+" |")
	}
	for i, reason := range validate(r.forServers(t)) {
		assert.Contains(t, reason, differences[i].reason, differences[i].id)
	}
}
