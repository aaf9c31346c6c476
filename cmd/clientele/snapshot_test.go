package main_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/api/client"
)

const inlineKeys = `{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"1","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`

// createKeyed registers a client with inline keys.
func createKeyed(t *testing.T, c *client.ClientWithResponses, id string) {
	t.Helper()
	created, err := c.CreateClientWithResponse(t.Context(), nil, client.CreateClientRequest{
		ClientID: &id, Name: new("Keyed"), GrantTypes: &[]string{"client_credentials"},
		ClientAuthMethods: &[]string{"private_key_jwt"}, Jwks: new(inlineKeys),
	})
	require.NoError(t, err)
	require.NotNil(t, created.JSON201, string(created.Body))
}

// A snapshot has all clients with their keys, in more than one page, and the changes after
// its cursor are those that it lacks. An export takes one request.
func TestSnapshotOfManyClients(t *testing.T) {
	onBothStores(t, func(t *testing.T, data string, flags ...string) {
		const n = 700 // a page has 500
		p := start(t, append(flags, "--dev", "--data", data, "--admin-listen", "127.0.0.1:0")...)
		admin := p.as(t, adminToken(t, data))
		registry := pipeline{p.URL, adminToken(t, data)}
		dir := filepath.Join(data, "clients")
		declareClients(t, dir, n-1)
		require.Equal(t, 0, registry.run(t, "apply", "-f", dir, "--yes").status)
		createKeyed(t, admin, "keyed")

		snapshot, err := admin.Snapshot(t.Context(), nil)
		require.NoError(t, err)
		revisions := map[string]int64{}
		for {
			line, err := snapshot.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			require.NoError(t, err)
			var item client.OAuthClientItem
			require.NoError(t, json.Unmarshal(line, &item))
			revisions[*item.ClientID] = *item.Revision
			if *item.ClientID == "keyed" {
				assert.Equal(t, inlineKeys, *item.Jwks) //nolint:testifylint // byte for byte
			}
		}
		require.NoError(t, snapshot.Close())
		require.Len(t, revisions, n)

		_, err = admin.DeleteClientWithResponse(t.Context(), "keyed", nil)
		require.NoError(t, err)
		changes, err := admin.ListChangesWithResponse(t.Context(), &client.ListChangesParams{After: &snapshot.ChangesCursor, WaitSeconds: new(int32(30))})
		require.NoError(t, err)
		require.NotNil(t, changes.JSON200, string(changes.Body))
		require.Len(t, *changes.JSON200.Data.Changes, 1)
		assert.Equal(t, "delete", *(*changes.JSON200.Data.Changes)[0].Action)
		assert.Greater(t, *(*changes.JSON200.Data.Changes)[0].Revision, revisions["keyed"])

		requests := func(operation string) string {
			_, text := read(t, p.Operators+"/metrics")
			return metric(text, fmt.Sprintf(`clientele_requests_total{operation="%s",status="200"}`, operation))
		}
		singles, lists := requests("getClient"), requests("listClients")
		exported := registry.run(t, "export", "-o", filepath.Join(data, "exported"))
		require.Equal(t, 0, exported.status, exported.errors)
		assert.Contains(t, exported.errors, fmt.Sprintf("clients exported: %d\n", n-1))
		assert.Equal(t, "2", requests("getSnapshot"))
		assert.Equal(t, singles, requests("getClient"))
		assert.Equal(t, lists, requests("listClients"))
	})
}

func TestPublicKeys(t *testing.T) {
	onBothStores(t, func(t *testing.T, data string, flags ...string) {
		const path = "/oauth/tenant_dev/clients/keyed/jwks.json"
		off := start(t, append(flags, "--dev", "--data", data)...)
		createKeyed(t, off.as(t, adminToken(t, data)), "keyed")
		status, _ := read(t, off.URL+path)
		assert.Equal(t, http.StatusNotFound, status)
		off.Kill()

		p := start(t, append(flags, "--dev", "--data", data, "--public-url", "https://clientele.example.com/registry/")...)
		admin := p.as(t, adminToken(t, data))
		keys, err := admin.GetClientKeysWithResponse(t.Context(), "keyed", nil)
		require.NoError(t, err)
		assert.Equal(t, "https://clientele.example.com/registry"+path, *keys.JSON200.Data.PublicURL)
		response, err := http.Get(p.URL + path)
		require.NoError(t, err)
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		assert.Equal(t, http.StatusOK, response.StatusCode)
		assert.Equal(t, "application/jwk-set+json", response.Header.Get("Content-Type"))
		assert.Equal(t, "public, max-age=60", response.Header.Get("Cache-Control"))
		assert.JSONEq(t, inlineKeys, string(text))

		suspended, err := admin.UpdateClientWithResponse(t.Context(), "keyed", nil, client.UpdateClientRequest{Status: new("suspended")})
		require.NoError(t, err)
		require.NotNil(t, suspended.JSON200, string(suspended.Body))
		status, gone := read(t, p.URL+path)
		assert.Equal(t, http.StatusNotFound, status)
		status, unknown := read(t, p.URL+"/oauth/tenant_dev/clients/unknown/jwks.json")
		assert.Equal(t, http.StatusNotFound, status)
		assert.Equal(t, messageOf(t, unknown), messageOf(t, gone))
	})
}

// messageOf returns the message of an error response.
func messageOf(t *testing.T, text string) string {
	t.Helper()
	var body struct{ Message string }
	require.NoError(t, json.Unmarshal([]byte(text), &body))
	return body.Message
}

// metric returns the value of a metric; empty if there is none.
func metric(text, name string) string {
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
