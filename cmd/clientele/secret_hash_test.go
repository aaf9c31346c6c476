package main_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/api/client"
)

// Hashes of other programs (see adapters/secrethash), and their values.
var movedClients = map[string]struct{ hash, value, algorithm string }{
	"hydra-pbkdf2": {"$pbkdf2-sha256$i=2500,l=32$MDEyMzQ1Njc4OWFiY2RlZvv/$NcPXZZEfugsHOW1ZLVhdYelAl57UDVUu0+NIKlGScM0", "GeheimesWort-4711_fuer.Clientele", "pbkdf2-sha256"},
	"hydra-bcrypt": {"$2a$05$9K0Gl4NmZcbkl6LbDKXIquYBM2Z2Tjne0lcLrVxyTL2HxYASyk1/K", "GeheimesWort-4711_fuer.Clientele", "bcrypt"},
	"argon2":       {"$argon2id$v=19$m=512,t=2,p=2$vbYWAxuwD/l71S9SWSOwfg$dMCLdL6SVpg4kyemk6R96csP9MKuQ5p8", "GeheimesWort-4711_fuer.Clientele", "argon2id"},
	"spring":       {"{SHA-256}0e658262850776c1d3226ae4d36de87212a2dfab542bb2939eae0997bb2da3f1", "GeheimesWort-4711_fuer.Clientele", "sha-256"},
	"short":        {"$argon2id$v=19$m=32,t=2,p=4$cm94YnRVOW5jZzFzcVE4bQ$MNzk5BtR2vUhrp6qQEjRNw", "test", "argon2id"},
}

// Clients of another system are applied from files with the hashes of their secrets, and
// their secrets verify, before and after the service was restarted.
func TestClientsMoveWithTheirSecrets(t *testing.T) {
	onBothStores(t, func(t *testing.T, data string, flags ...string) {
		pepper := filepath.Join(t.TempDir(), "pepper")
		key := []byte("0123456789abcdef0123456789abcdef")
		require.NoError(t, os.WriteFile(pepper, key, 0o600))
		flags = append(flags, "--dev", "--data", data, "--pepper-file", pepper)
		p := start(t, flags...)
		dir := t.TempDir()
		for id, moved := range movedClients {
			text := "client_id: " + id + "\nname: Moved\ngrant_types: [client_credentials]\nsecret_hash: '" + moved.hash + "'\n"
			require.NoError(t, os.WriteFile(filepath.Join(dir, id+".yaml"), []byte(text), 0o600))
		}
		checked := pipeline{}.run(t, "check", dir)
		assert.Equal(t, 0, checked.status, checked.output)

		admin := pipeline{p.URL, adminToken(t, data)}
		writer := pipeline{p.URL, token(t, data, "--role", "", "--scope", "clients:read clients:write")}
		rejected := writer.run(t, "apply", "-f", dir, "--yes")
		assert.Equal(t, 1, rejected.status)
		assert.Contains(t, rejected.errors, "administrator role required for secret_hash")
		secrets := filepath.Join(t.TempDir(), "secrets.jsonl")
		applied := admin.run(t, "apply", "-f", dir, "--yes", "--secrets-file", secrets)
		require.Equal(t, 0, applied.status, applied.errors)
		written, err := os.ReadFile(secrets)
		require.NoError(t, err)
		for _, moved := range movedClients {
			for _, text := range []string{rejected.output, rejected.errors, applied.output, applied.errors, string(written)} {
				assert.NotContains(t, text, moved.hash)
			}
		}
		again := admin.run(t, "apply", "-f", dir, "--dry-run")
		assert.Equal(t, 0, again.status, "existing clients keep their secrets: %s", again.output)

		verifier := token(t, data, "--role", "", "--scope", "clients:verify clients:verifiers")
		for run := range 2 {
			caller := p.as(t, verifier)
			for id, moved := range movedClients {
				want := moved.algorithm
				if run == 1 && id != "short" { // its value could be guessed
					want = "hmac-sha-256"
				}
				found := verifierOf(t, caller, id)
				require.Equal(t, want, *found.Algorithm, id)
				if want == "hmac-sha-256" { // as another server that has the pepper verifies it
					mac := hmac.New(sha256.New, key)
					mac.Write([]byte(moved.value))
					assert.Equal(t, hex.EncodeToString(mac.Sum(nil)), *found.Hash)
					sum := sha256.Sum256(append([]byte("pepper id "), key...))
					assert.Equal(t, hex.EncodeToString(sum[:])[:8], *found.KeyID)
				}
				for value, want := range map[string]bool{moved.value: true, moved.value + "x": false} {
					verified, err := caller.VerifySecretWithResponse(t.Context(), id, nil, client.VerifySecretRequest{Secret: value})
					require.NoError(t, err)
					require.NotNil(t, verified.JSON200, string(verified.Body))
					assert.Equal(t, want, *verified.JSON200.Data.Valid, id)
					if want {
						assert.EqualValues(t, 10, *verified.JSON200.Data.MaxAgeSeconds)
					}
				}
			}
			p.Kill()
			assert.NotContains(t, p.Log.String(), "GeheimesWort")
			p = start(t, flags...)
		}
		items := p.as(t, adminToken(t, data))
		for id := range movedClients {
			read, err := items.GetClientWithResponse(t.Context(), id, nil)
			require.NoError(t, err)
			assert.Equal(t, id == "short", read.JSON200.Data.SecretLastFour == nil, id)
		}
		forbidden, err := items.ListSecretVerifiersWithResponse(t.Context(), "short", nil)
		require.NoError(t, err)
		assert.NotNil(t, forbidden.JSON403, "the administrator's role is not enough")
	})
}

func verifierOf(t *testing.T, c *client.ClientWithResponses, id string) client.SecretVerifier {
	t.Helper()
	found, err := c.ListSecretVerifiersWithResponse(t.Context(), id, nil)
	require.NoError(t, err)
	require.NotNil(t, found.JSON200, string(found.Body))
	require.Len(t, *found.JSON200.Data.SecretVerifiers, 1)
	return (*found.JSON200.Data.SecretVerifiers)[0]
}

func TestCheckRejectsAHashThatCannotBeUsed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "client.yaml")
	text := "name: Moved\ngrant_types: [client_credentials]\nsecret_hash: my-plain-secret\n"
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	checked := pipeline{}.run(t, "check", file)
	assert.Equal(t, 1, checked.status)
	assert.Contains(t, checked.output, "secret-hash-syntax")
	assert.Contains(t, checked.output, ":3:", "the line of the hash")
	assert.NotContains(t, checked.output+checked.errors, "my-plain-secret", "it may be a secret")
}
