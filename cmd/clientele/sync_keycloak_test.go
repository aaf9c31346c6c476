package main_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/keycloak/keycloaktest"
	"github.com/clientele-oauth/clientele/api/client"
)

func TestSyncToKeycloak(t *testing.T) {
	keycloak := keycloaktest.Start()
	t.Cleanup(keycloak.Close)
	data := t.TempDir()
	p := start(t, "--dev", "--data", data)
	admin := p.as(t, adminToken(t, data))
	registerMachine(t, admin, "batch")
	secret := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(secret, []byte(keycloaktest.Secret+"\n"), 0o600))
	target := []string{
		"--data", data, "--tenant", "tenant_dev", "--to", "keycloak", "--target", keycloak.URL, "--realm", "test",
		"--keycloak-client", keycloaktest.ClientID, "--keycloak-secret-file", secret,
	}

	_, errors, status := synced(t, append(target, "--once")...)
	assert.Equal(t, 1, status)
	assert.Contains(t, errors, "! batch (secret): its secret is unknown to the server, which accepts none\n")
	assert.Equal(t, "client-secret", keycloak.Client("batch")["clientAuthenticatorType"])

	// With the authenticator, no secret is needed; but clients use it only when it is there.
	target = append(target, "--keycloak-authenticator")
	_, errors, status = synced(t, append(target, "--once")...)
	assert.NotZero(t, status)
	assert.Contains(t, errors, "--keycloak-set-up-flow")
	assert.Equal(t, "client-secret", keycloak.Client("batch")["clientAuthenticatorType"])
	output, _, status := synced(t, append(target, "--keycloak-set-up-flow", "--dry-run")...)
	assert.Equal(t, 3, status)
	assert.Contains(t, output, "clientAuthenticationFlow")
	assert.Contains(t, output, "the server asks the registry about each secret")
	assert.Equal(t, "clients", keycloak.Flow())
	_, errors, status = synced(t, append(target, "--keycloak-set-up-flow", "--once")...)
	assert.Equal(t, 0, status, errors)
	assert.Equal(t, "clients-with-clientele", keycloak.Flow())
	assert.Equal(t, "clientele-secret", keycloak.Client("batch")["clientAuthenticatorType"])
	output, _, status = synced(t, append(target, "--dry-run")...)
	assert.Equal(t, 0, status, output)
	assert.Contains(t, output, "1 client compared with keycloak "+keycloak.URL+"/realms/test, 0 differ\n")

	scopes := []string{"no-such-scope"}
	_, err := admin.UpdateClientWithResponse(t.Context(), "batch", nil, client.UpdateClientRequest{Scopes: &scopes})
	require.NoError(t, err)
	_, errors, status = synced(t, append(target, "--once")...)
	assert.Equal(t, 1, status)
	assert.Contains(t, errors, `! batch (refused): the realm has no client scope "no-such-scope"`)
}

func TestSyncToKeycloakRejectsWrongFlags(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(file, []byte("x"), 0o600))
	for name, tt := range map[string]struct {
		args []string
		want string
	}{
		"no realm":           {[]string{"--keycloak-secret-file", file}, "requires --realm"},
		"no secret":          {[]string{"--realm", "r"}, "--keycloak-secret-file"},
		"a flow for nothing": {[]string{"--realm", "r", "--keycloak-secret-file", file, "--keycloak-set-up-flow"}, "requires --keycloak-authenticator"},
		"a token":            {[]string{"--realm", "r", "--keycloak-secret-file", file, "--token-file", file}, "not for Keycloak"},
	} {
		t.Run(name, func(t *testing.T) {
			_, errors, status := synced(t, append([]string{"--tenant", "t", "--to", "keycloak", "--target", "https://k.example.com"}, tt.args...)...)
			assert.Equal(t, 2, status)
			assert.Contains(t, errors, tt.want)
		})
	}
}
