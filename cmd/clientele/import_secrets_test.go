package main_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/api/client"
)

const exports = "../../adapters/clientfile/importer/testdata/"

// plainSecrets returns the secrets of the clients of a Keycloak realm that authenticate
// with one, by client_id.
func plainSecrets(t *testing.T, name string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(name)
	require.NoError(t, err)
	var realm struct {
		Clients []struct{ ClientID, ClientAuthenticatorType, Secret string }
	}
	require.NoError(t, json.Unmarshal(text, &realm))
	secrets := map[string]string{}
	for _, c := range realm.Clients {
		if strings.HasPrefix(c.ClientAuthenticatorType, "client-secret") && c.Secret != "" {
			secrets[c.ClientID] = c.Secret
		}
	}
	return secrets
}

// assertVerifies checks that the registry accepts the secret of a client, and no other.
func assertVerifies(t *testing.T, api *client.ClientWithResponses, id, secret string) {
	t.Helper()
	for value, valid := range map[string]bool{secret + "x": false, secret: true} {
		for range 2 { // the first success replaces the hash
			verified, err := api.VerifySecretWithResponse(t.Context(), id, nil, client.VerifySecretRequest{Secret: value})
			require.NoError(t, err)
			require.NotNil(t, verified.JSON200, "%s: %s", id, verified.Body)
			assert.Equal(t, valid, *verified.JSON200.Data.Valid, "%s with %q", id, value)
		}
	}
}

// The clients of a Keycloak realm and of Hydra keep their secrets: the files of an import
// have hashes and no plain values, and after apply the old secrets verify.
func TestImportedClientsKeepTheirSecrets(t *testing.T) {
	onBothStores(t, func(t *testing.T, data string, flags ...string) {
		p := start(t, append(flags, "--dev", "--data", data, "--key-preflight", "off")...)
		registry := pipeline{p.URL, adminToken(t, data)}
		api := p.as(t, registry.token)

		secrets := plainSecrets(t, exports+"keycloak-realm.json")
		require.Len(t, secrets, 13)
		dir := filepath.Join(data, "keycloak")
		imported := registry.run(t, "import", "--from", "keycloak", exports+"keycloak-realm.json", "-o", dir)
		require.Equal(t, 0, imported.status, imported.errors)
		assert.Contains(t, imported.errors, "clients read: 20, settings not converted: ")
		require.Len(t, files(t, dir), 20)
		hashed := 0
		for name, text := range files(t, dir) {
			for _, secret := range secrets {
				assert.NotContains(t, text, secret, name)
				assert.NotContains(t, imported.errors, secret)
			}
			hashed += strings.Count(text, "\nsecret_hash: $pbkdf2-sha256$i=100000,l=32$")
		}
		assert.Equal(t, len(secrets), hashed)
		checked := registry.run(t, "check", dir)
		require.Equal(t, 0, checked.status, checked.output)
		applied := registry.run(t, "apply", "-f", dir, "--yes")
		require.Equal(t, 0, applied.status, applied.output+applied.errors)
		assert.Contains(t, applied.output, "20 to create")
		activated, err := api.UpdateClientWithResponse(t.Context(), "old-shop", nil, client.UpdateClientRequest{Status: new("active")})
		require.NoError(t, err)
		require.Equal(t, 200, activated.StatusCode(), "it was disabled in Keycloak, and no secret of a suspended client verifies")
		for id, secret := range secrets {
			assertVerifies(t, api, id, secret)
		}

		dir = filepath.Join(data, "hydra")
		imported = registry.run(t, "import", "--from", "hydra", exports+"hydra-list.json", "-o", dir)
		require.Equal(t, 0, imported.status, imported.errors)
		applied = registry.run(t, "apply", "-f", dir, "--yes")
		require.Equal(t, 0, applied.status, applied.output+applied.errors)
		for id, secret := range map[string]string{
			"shop": "shop-secret-from-hydra", "worker": "worker-secret-from-hydra", "plain": "worker-secret-in-plain-text",
		} {
			assertVerifies(t, api, id, secret)
		}
		for _, text := range files(t, dir) {
			assert.NotContains(t, text, "worker-secret-in-plain-text")
		}
		require.NoError(t, os.Remove(filepath.Join(data, "keycloak", "old-shop.yaml"))) // changed above
		again := registry.run(t, "apply", "-f", filepath.Join(data, "keycloak"), "-f", dir, "--dry-run")
		assert.Equal(t, 0, again.status, "the hash of a client that exists is no difference: %s", again.output)
	})
}
