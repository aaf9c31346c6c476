package main_test

import (
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/api/client"
)

func TestClientsAreComparedWithTheMetadataOfTheServer(t *testing.T) {
	file := filepath.Join(t.TempDir(), "metadata.json")
	write := func(text string) { require.NoError(t, os.WriteFile(file, []byte(text), 0o600)) }
	write(`{"grant_types_supported":["client_credentials"]}`)
	data := t.TempDir()
	p := start(t, "--dev", "--data", data, "--server-metadata", file+",another=http://127.0.0.1:1/metadata")
	admin := p.as(t, adminToken(t, data))
	request := client.CreateClientRequest{Name: new("My App"), RedirectUris: &[]string{"https://app.example.com/callback"}}

	rejected, err := admin.CreateClientWithResponse(t.Context(), nil, request)
	require.NoError(t, err)
	require.NotNil(t, rejected.JSON400, string(rejected.Body))
	assert.Equal(t, "server-unsupported", *(*rejected.JSON400.Violations)[0].Rule)
	assert.Equal(t, "/grant_types/0", *(*rejected.JSON400.Violations)[0].Field)

	write(`{"grant_types_supported":["authorization_code"],"require_signed_request_object":true}`)
	rejected, err = admin.CreateClientWithResponse(t.Context(), nil, request)
	require.NoError(t, err)
	require.NotNil(t, rejected.JSON400, string(rejected.Body))
	assert.Equal(t, "server-requires-signed", *(*rejected.JSON400.Violations)[0].Rule)

	write(`{"grant_types_supported":["authorization_code"]}`)
	created, err := admin.CreateClientWithResponse(t.Context(), nil, request)
	require.NoError(t, err)
	require.NotNil(t, created.JSON201, string(created.Body))

	ready, err := http.Get(p.URL + "/readyz")
	require.NoError(t, err)
	defer ready.Body.Close()
	text, err := io.ReadAll(ready.Body)
	require.NoError(t, err)
	assert.Equal(t, http.StatusOK, ready.StatusCode, "the service is ready without metadata")
	assert.Contains(t, string(text), "server metadata: cannot be read for 1 of 2 authorization servers")
}

func TestCheckComparesWithTheMetadataOfTheServer(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"response_modes_supported":["query"],"grant_types_supported":["authorization_code"]}`)
	}))
	defer server.Close()
	output, status := clientele(t, t.TempDir(), validClient, "check", "--server-metadata", server.URL, "-")
	assert.Equal(t, 0, status, output)
	output, status = clientele(t, t.TempDir(), `{"name":"Shop","grant_types":["client_credentials"]}`, "check", "--server-metadata", server.URL, "-")
	assert.Equal(t, 1, status, output)
	assert.Contains(t, output, "the authorization server does not list")
	_, status = clientele(t, t.TempDir(), validClient, "check", "--server-metadata", "none.json", "-")
	assert.Equal(t, 2, status)
}

func TestCheckFetchesSectorIdentifiers(t *testing.T) {
	host := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `["https://shop.example.com/callback"]`)
	}))
	defer host.Close()
	authority := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(authority, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: host.Certificate().Raw}), 0o600))
	check := func(redirect string, flags ...string) (string, int) {
		document := `{"name":"Shop","redirect_uris":["` + redirect + `"],"sector_identifier_uri":"https://sector.example.com/uris.json"}`
		if len(flags) > 0 {
			document = `{"name":"Shop","redirect_uris":["` + redirect + `"],"sector_identifier_uri":"` + host.URL + `/"}`
		}
		return clientele(t, t.TempDir(), document, append([]string{"check", "-"}, flags...)...)
	}
	flags := []string{"--fetch-keys", "--key-network", "127.0.0.0/8", "--key-ca-file", authority}
	output, status := check("https://shop.example.com/callback", flags...)
	assert.Equal(t, 0, status, output)
	output, status = check("https://shop.example.com/another", flags...)
	assert.Equal(t, 1, status, output)
	assert.Contains(t, output, "the document at the sector_identifier_uri does not contain this URI")
	output, status = check("https://shop.example.com/another")
	assert.Equal(t, 0, status, "nothing is fetched without the flag: %s", output)
}
