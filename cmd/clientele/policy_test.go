package main_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/api/client"
)

// What a deployment allows holds for check and for the service alike.
func TestPoliciesOfADeployment(t *testing.T) {
	const dotless = `{"name": "Editor", "is_confidential": false, "redirect_uris": ["cursor://callback", "oc:/callback"]}`
	const private = `{"name": "Shop", "redirect_uris": ["https://shop.example.com/"], "backchannel_logout_uri": "https://10.0.0.1/logout"}`
	const loopback = `{"name": "Shop", "redirect_uris": ["https://shop.example.com/"], "backchannel_logout_uri": "http://localhost:8080/logout"}`
	tests := []struct {
		name   string
		client string
		flags  []string
		says   string // "" if the client is accepted
	}{
		{"schemes", dotless, []string{"--private-schemes", "Cursor,oc"}, ""},
		{"another scheme", dotless, []string{"--private-schemes", "cursor"}, "redirect-uri-private-scheme"},
		{"a private network", private, []string{"--allow-private-networks"}, ""},
		{"no private network", private, []string{"--dev"}, "backchannel-logout-address"},
		{"a loopback address in development", loopback, []string{"--dev"}, ""},
		{"a loopback address", loopback, []string{"--allow-private-networks"}, "backchannel-logout-address"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			output, status := clientele(t, t.TempDir(), tt.client, append([]string{"check", "-"}, tt.flags...)...)
			if tt.says == "" {
				assert.Zero(t, status, output)
				return
			}
			assert.Equal(t, 1, status, output)
			assert.Contains(t, output, tt.says)
		})
	}

	data := t.TempDir()
	p := start(t, "--dev", "--data", data, "--private-schemes", "cursor,oc", "--allow-private-networks")
	admin := p.as(t, adminToken(t, data))
	for _, text := range []string{dotless, private, loopback} {
		var request client.CreateClientRequest
		require.NoError(t, json.Unmarshal([]byte(text), &request))
		created, err := admin.CreateClientWithResponse(t.Context(), nil, request)
		require.NoError(t, err)
		assert.NotNil(t, created.JSON201, string(created.Body))
	}
}
