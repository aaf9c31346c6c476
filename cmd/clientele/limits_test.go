package main_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/api/client"
)

func TestMaxClients(t *testing.T) {
	data := t.TempDir()
	p := start(t, "--dev", "--data", data, "--max-clients", "1")
	admin := p.as(t, adminToken(t, data))
	for _, want := range []int{http.StatusCreated, http.StatusConflict} {
		created, err := admin.CreateClientWithResponse(t.Context(), nil, client.CreateClientRequest{
			Name: new("App"), RedirectUris: &[]string{"https://app.example.com/callback"},
		})
		require.NoError(t, err)
		assert.Equal(t, want, created.StatusCode(), string(created.Body))
	}
}

func TestListTimeout(t *testing.T) {
	data := t.TempDir()
	p := start(t, "--dev", "--data", data, "--list-timeout", "1ns")
	listed, err := p.as(t, adminToken(t, data)).ListClientsWithResponse(t.Context(), nil)
	require.NoError(t, err)
	assert.Equal(t, http.StatusServiceUnavailable, listed.StatusCode())
	assert.Contains(t, string(listed.Body), "the list took too long")
}
