package main_test

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/api/client"
)

func TestKeysAreFetchedFromConfiguredNetworks(t *testing.T) {
	keySet := atomic.Value{}
	keySet.Store(`{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"1","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`)
	host := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(keySet.Load().(string)))
	}))
	defer host.Close()
	authority := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(authority, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: host.Certificate().Raw}), 0o600))
	request := client.CreateClientRequest{
		Name: new("My App"), RedirectUris: &[]string{"https://app.example.com/callback"},
		ClientAuthMethods: &[]string{"private_key_jwt"}, FapiProfile: new("fapi2-security"), JwksURI: new(host.URL + "/jwks"),
	}

	data := t.TempDir()
	defaults := start(t, "--dev", "--data", data)
	rejected, err := defaults.as(t, adminToken(t, data)).CreateClientWithResponse(t.Context(), nil, request)
	require.NoError(t, err)
	require.NotNil(t, rejected.JSON400, string(rejected.Body))
	assert.Equal(t, "jwks-uri-address", *(*rejected.JSON400.Violations)[0].Rule)

	configured := start(t, "--dev", "--data", data, "--key-network", "127.0.0.0/8,10.0.0.0/8", "--key-ca-file", authority)
	admin := configured.as(t, adminToken(t, data))
	created, err := admin.CreateClientWithResponse(t.Context(), nil, request)
	require.NoError(t, err)
	require.NotNil(t, created.JSON201, string(created.Body))
	id := *created.JSON201.Data.ClientID

	keys, err := admin.GetClientKeysWithResponse(t.Context(), id, nil)
	require.NoError(t, err)
	require.NotNil(t, keys.JSON200, string(keys.Body))
	assert.Equal(t, "seen", *keys.JSON200.Data.State)

	keySet.Store(`{"keys":[{"kty":"oct","k":"` + strings.Repeat("A", 43) + `","kid":"1"}]}`)
	rejectedUpdate, err := admin.UpdateClientWithResponse(t.Context(), id, nil, client.UpdateClientRequest{JwksURI: new(host.URL + "/others")})
	require.NoError(t, err)
	require.NotNil(t, rejectedUpdate.JSON400, string(rejectedUpdate.Body))
	assert.Equal(t, "jwk-symmetric", *(*rejectedUpdate.JSON400.Violations)[0].Rule)
	assert.NotContains(t, string(rejectedUpdate.Body), "AAAA")
}
