package main_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	neturl "net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/api/client"
)

// applyAndPrune applies a client and prunes it. It returns the file that declared it.
func applyAndPrune(t *testing.T, registry pipeline, data, text string) (file string) {
	t.Helper()
	file = filepath.Join(data, "app.yaml")
	other := filepath.Join(data, "other.yaml")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	require.NoError(t, os.WriteFile(other, []byte("client_id: other\nname: Other\ngrant_types: [client_credentials]\n"), 0o600))
	applied := registry.run(t, "apply", "-f", file, "-f", other, "--yes")
	require.Equal(t, 0, applied.status, applied.output+applied.errors)
	applied = registry.run(t, "apply", "-f", other, "--prune", "--yes")
	require.Equal(t, 0, applied.status, applied.output+applied.errors)
	require.Contains(t, applied.output, "- delete app (in no file)\n")
	return file
}

const (
	twoRedirectURIs = "client_id: app\nname: App\nredirect_uris: [https://app.example.com/cb, https://old.example.com/cb]\n"
	oneRedirectURI  = "client_id: app\nname: App\nredirect_uris: [https://app.example.com/cb]\n"
)

// Applying the file of a pruned client again restores the client.
func TestApplyRestoresAPrunedClient(t *testing.T) {
	onBothStores(t, func(t *testing.T, data string, flags ...string) {
		p := start(t, append(flags, "--dev", "--data", data)...)
		registry := pipeline{p.URL, adminToken(t, data)}
		admin := p.as(t, registry.token)
		file := applyAndPrune(t, registry, data, twoRedirectURIs)

		applied := registry.run(t, "apply", "-f", file, "--dry-run")
		assert.Equal(t, 3, applied.status, applied.errors)
		const unchanged = ":1), as it was before it was deleted\n" +
			"    secrets from before the deletion are valid again; rotate them if others may know them\n" +
			"0 to create, 0 to update, 1 to restore, 0 to delete, 0 unchanged\n"
		assert.Equal(t, "^ restore app ("+file+unchanged, applied.output)
		found, err := admin.GetClientWithResponse(t.Context(), "app", nil)
		require.NoError(t, err)
		assert.Equal(t, http.StatusNotFound, found.StatusCode(), "a dry run restores nothing")

		// The file has changed. The client must never be active with its previous
		// configuration.
		require.NoError(t, os.WriteFile(file, []byte(oneRedirectURI), 0o600))
		applied = registry.run(t, "apply", "-f", file, "--yes")
		assert.Equal(t, 0, applied.status, applied.errors)
		assert.Contains(t, applied.output, "^ restore app ("+file+":1) as it was before it was deleted, then change:\n"+
			"    redirect_uris:\n      - \"https://old.example.com/cb\"\n    secrets ")
		assert.Equal(t, "changes applied: 1\n", applied.errors)
		changes, err := admin.ListChangesWithResponse(t.Context(), nil)
		require.NoError(t, err)
		deleted := false
		for _, change := range *changes.JSON200.Data.Changes {
			switch {
			case *change.ClientID != "app":
			case *change.Action == "delete":
				deleted = true
			case deleted && *change.Client.Status == "active":
				assert.Equal(t, []string{"https://app.example.com/cb"}, *change.Client.RedirectUris, "revision %d", *change.Revision)
			}
		}
		found, err = admin.GetClientWithResponse(t.Context(), "app", nil)
		require.NoError(t, err)
		require.NotNil(t, found.JSON200)
		assert.Equal(t, "active", *found.JSON200.Data.Status)
		applied = registry.run(t, "apply", "-f", file, "--dry-run")
		assert.Equal(t, 0, applied.status, "it matches the file: %s", applied.output)
	})
}

// A plan shows what the registry would reject, before anything is restored.
func TestApplyDoesNotRestoreARejectedClient(t *testing.T) {
	data := t.TempDir()
	p := start(t, "--dev", "--data", data)
	registry := pipeline{p.URL, adminToken(t, data)}
	file := applyAndPrune(t, registry, data, twoRedirectURIs)
	require.NoError(t, os.WriteFile(file, []byte("client_id: app\nname: App\nredirect_uris:\n- https://app.example.com/#top\n"), 0o600))
	applied := registry.run(t, "apply", "-f", file, "--yes")
	assert.Equal(t, 1, applied.status)
	assert.Contains(t, applied.output, file+":4: rejected: ")
	assert.Contains(t, applied.output, "[redirect-uri-fragment, ")
	found, err := p.as(t, registry.token).GetClientWithResponse(t.Context(), "app", nil)
	require.NoError(t, err)
	assert.Equal(t, http.StatusNotFound, found.StatusCode())
}

// An apply that is interrupted between restoring and changing a client leaves it suspended,
// and the next apply finishes. A client that an administrator suspended stays suspended.
func TestTheNextApplyFinishesAnInterruptedRestoration(t *testing.T) {
	data := t.TempDir()
	p := start(t, "--dev", "--data", data)
	registry := pipeline{p.URL, adminToken(t, data)}
	admin := p.as(t, registry.token)
	file := applyAndPrune(t, registry, data, twoRedirectURIs)
	require.NoError(t, os.WriteFile(file, []byte(oneRedirectURI), 0o600))
	at, err := neturl.Parse(p.URL)
	require.NoError(t, err)
	proxy := httputil.NewSingleHostReverseProxy(at)
	failing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut && r.URL.Query().Get("dry_run") != "true" {
			w.WriteHeader(http.StatusTeapot)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	defer failing.Close()
	applied := pipeline{failing.URL, registry.token}.run(t, "apply", "-f", file, "--yes")
	assert.Equal(t, 1, applied.status)
	assert.Contains(t, applied.errors, "it is restored and suspended, but not changed")
	status := func() string {
		found, err := admin.GetClientWithResponse(t.Context(), "app", nil)
		require.NoError(t, err)
		require.NotNil(t, found.JSON200)
		return *found.JSON200.Data.Status
	}
	assert.Equal(t, "suspended", status())
	applied = registry.run(t, "apply", "-f", file, "--yes")
	assert.Equal(t, 0, applied.status, applied.errors)
	assert.Contains(t, applied.output, `    status: "suspended" -> "active"`)
	assert.Equal(t, "active", status())

	_, err = admin.UpdateClientWithResponse(t.Context(), "app", nil, client.UpdateClientRequest{Status: new("suspended")})
	require.NoError(t, err)
	applied = registry.run(t, "apply", "-f", file, "--yes")
	assert.Equal(t, 0, applied.status)
	assert.Contains(t, applied.output, "1 unchanged")
	assert.Equal(t, "suspended", status())
}

// The identifier of a purged client stays reserved, and the plan reports it.
func TestApplyRejectsAPurgedIdentifier(t *testing.T) {
	data := t.TempDir()
	p := start(t, "--dev", "--data", data)
	registry := pipeline{p.URL, adminToken(t, data)}
	file := applyAndPrune(t, registry, data, twoRedirectURIs)
	output, err := exec.Command(binary, "purge", "--data", data, "--retention", "0s").CombinedOutput()
	require.NoError(t, err, string(output))
	applied := registry.run(t, "apply", "-f", file, "--yes")
	assert.Equal(t, 1, applied.status)
	assert.Contains(t, applied.output, "rejected: the client_id belonged to a client that was permanently removed, and stays reserved: choose another client_id")
}

// For a new client, a plan shows the fields that differ from the defaults of a
// registration.
func TestAPlanShowsDifferencesFromTheDefaults(t *testing.T) {
	data := t.TempDir()
	p := start(t, "--dev", "--data", data)
	registry := pipeline{p.URL, adminToken(t, data)}
	file := filepath.Join(data, "app.yaml")
	require.NoError(t, os.WriteFile(file, []byte("client_id: app\nname: App\nis_confidential: false\nredirect_uris: ['https://app.example.com/cb']\nlogo_url: ''\n"), 0o600))
	applied := registry.run(t, "apply", "-f", file, "--dry-run")
	assert.Equal(t, 3, applied.status, applied.errors)
	assert.Contains(t, applied.output, "    is_confidential: false\n    name: \"App\"\n")
	assert.NotContains(t, applied.output, "logo_url")
	require.NoError(t, os.WriteFile(file, []byte("client_id: app\nname: App\ngrant_types: []\n"), 0o600))
	applied = registry.run(t, "apply", "-f", file, "--dry-run")
	assert.Contains(t, applied.output, "    grant_types: none\n")
}

// A client that another caller restores and changes between the plan and the restoration is
// not overwritten.
func TestApplyDoesNotRestoreAClientThatChanged(t *testing.T) {
	data := t.TempDir()
	p := start(t, "--dev", "--data", data)
	registry := pipeline{p.URL, adminToken(t, data)}
	admin := p.as(t, registry.token)
	file := applyAndPrune(t, registry, data, twoRedirectURIs)
	require.NoError(t, os.WriteFile(file, []byte(oneRedirectURI), 0o600))
	command := registry.command("apply", "-f", file)
	terminal := startOnTerminal(t, command)
	terminal.await(t, "[y/N]")
	_, err := admin.RestoreClientWithResponse(context.Background(), "app", nil)
	require.NoError(t, err)
	_, err = admin.UpdateClientWithResponse(context.Background(), "app", nil, client.UpdateClientRequest{Name: new("Theirs")})
	require.NoError(t, err)
	_, err = admin.DeleteClientWithResponse(context.Background(), "app", nil)
	require.NoError(t, err)
	terminal.enter(t, "y\n")
	output := terminal.end(t)
	assert.Equal(t, 1, command.ProcessState.ExitCode())
	assert.Contains(t, output, "restore app: ")
	found, err := admin.GetClientWithResponse(t.Context(), "app", nil)
	require.NoError(t, err)
	assert.Equal(t, http.StatusNotFound, found.StatusCode(), "the deletion by the other caller is kept")
}

// The inline keys of a deleted client are compared, kept and replaced like those of any
// other client.
func TestApplyRestoresKeys(t *testing.T) {
	data := t.TempDir()
	p := start(t, "--dev", "--data", data)
	registry := pipeline{p.URL, adminToken(t, data)}
	const signed = `client_id: app
name: App
redirect_uris: [https://app.example.com/cb]
client_auth_methods: [private_key_jwt]
jwks: {keys: [{kty: OKP, crv: Ed25519, kid: '%s', alg: EdDSA, use: sig, x: 11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo}]}
`
	file := applyAndPrune(t, registry, data, fmt.Sprintf(signed, "1"))
	applied := registry.run(t, "apply", "-f", file, "--dry-run")
	assert.Contains(t, applied.output, ", as it was before it was deleted\n0 to create", "no secret is restored, and the keys are the same")
	require.NoError(t, os.WriteFile(file, []byte(fmt.Sprintf(signed, "2")), 0o600))
	applied = registry.run(t, "apply", "-f", file, "--yes")
	assert.Equal(t, 0, applied.status, applied.errors)
	assert.Contains(t, applied.output, "    jwks: a key set of ")
	keys, err := p.as(t, registry.token).GetClientKeysWithResponse(t.Context(), "app", nil)
	require.NoError(t, err)
	assert.Contains(t, string(keys.Body), `"kid":"2"`)

	// One update replaces inline keys by keys at a URI.
	_, err = p.as(t, registry.token).DeleteClientWithResponse(t.Context(), "app", nil)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, []byte("client_id: app\nname: App\nredirect_uris: [https://app.example.com/cb]\njwks: ''\njwks_uri: https://keys.invalid/jwks.json\n"), 0o600))
	applied = registry.run(t, "apply", "-f", file, "--yes")
	assert.Equal(t, 0, applied.status, applied.output+applied.errors)
	applied = registry.run(t, "apply", "-f", file, "--dry-run")
	assert.Equal(t, 0, applied.status, applied.output)
}
