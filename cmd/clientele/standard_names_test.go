package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/api/client"
)

// A response in the standard names is a client file: check accepts it, and applying it
// changes nothing. Problems are reported with the names and lines of the file.
func TestCheckAndApplyFilesInStandardNames(t *testing.T) {
	onBothStores(t, func(t *testing.T, data string, flags ...string) {
		p := start(t, append(flags, "--dev", "--data", data)...)
		registry := pipeline{p.URL, adminToken(t, data)}
		dir := t.TempDir()
		write := func(name, text string) string {
			path := filepath.Join(dir, name)
			require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
			return path
		}
		first := write("bank.json", `{
  "client_id": "bank",
  "client_name": "Bank",
  "redirect_uris": ["https://bank.example.com/cb"],
  "scope": "openid accounts",
  "token_endpoint_auth_method": "private_key_jwt",
  "jwks": {"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "1", "alg": "EdDSA", "use": "sig", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]},
  "post_logout_redirect_uris": ["https://bank.example.com/bye"],
  "labels": {"example.com/tier": "gold"}
}`)
		checked := registry.run(t, "check", first)
		require.Equal(t, 0, checked.status, checked.output)
		applied := registry.run(t, "apply", "--yes", "-f", first)
		require.Equal(t, 0, applied.status, applied.output+applied.errors)

		params := &client.GetClientParams{Format: new(client.GetClientParamsFormatRfc7591)}
		read, err := p.as(t, registry.token).GetClientWithResponse(t.Context(), "bank", params)
		require.NoError(t, err)
		document := read.ApplicationVndClienteleRfc7591JSON200
		require.NotNil(t, document, string(read.Body))
		assert.Equal(t, "openid accounts", *document.Scope)
		assert.Equal(t, "private_key_jwt", *document.TokenEndpointAuthMethod)
		assert.Equal(t, []string{"https://bank.example.com/bye"}, *document.PostLogoutRedirectUris)

		saved := write("saved.json", string(read.Body))
		checked = registry.run(t, "check", saved)
		assert.Equal(t, 0, checked.status, checked.output)
		applied = registry.run(t, "apply", "--dry-run", "-f", saved)
		assert.Equal(t, 0, applied.status, applied.output+applied.errors)
		assert.Contains(t, lastLine(applied.output), "1 unchanged")

		changed := write("changed.yaml", "client_id: bank\nclient_name: Bank\nclient_uri: https://bank.example.com/\nscope: openid accounts payments\n")
		applied = registry.run(t, "apply", "--yes", "-f", changed)
		require.Equal(t, 0, applied.status, applied.output+applied.errors)
		assert.Contains(t, applied.output, "website: \"\" -> \"https://bank.example.com/\"")
		assert.Contains(t, applied.output, "+ \"payments\"")

		wrong := write("wrong.yaml", "client_id: bank\nclient_name: Bank\nclient_uri: ftp://x\n\nscope: a a\n")
		checked = registry.run(t, "check", wrong)
		assert.Equal(t, 1, checked.status)
		assert.Contains(t, checked.output, ":3: violation at /client_uri: ")
		assert.Contains(t, checked.output, ":5: violation at /scope: ")
		applied = registry.run(t, "apply", "--yes", "-f", wrong)
		assert.Equal(t, 1, applied.status)
		assert.Contains(t, applied.output, "wrong.yaml:3: rejected: ")
		assert.Contains(t, applied.output, "wrong.yaml:5: rejected: ")

		mixed := write("mixed.yaml", "client_id: bank\nclient_name: Bank\nlogo_url: https://bank.example.com/logo\n")
		for _, args := range [][]string{{"check", mixed}, {"apply", "--yes", "-f", mixed}} {
			rejected := registry.run(t, args...)
			assert.NotEqual(t, 0, rejected.status)
			assert.Contains(t, strings.ReplaceAll(rejected.output+rejected.errors, "violation at", "at"),
				"mixed.yaml:3: at /logo_url: mixes names of RFC 7591 (client_name) with other names (logo_url)")
		}
	})
}
