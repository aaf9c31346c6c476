package main_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/api/client"
	"github.com/clientele-oauth/clientele/cmd/servicetest"
)

// A service without a pepper of live secrets would report each of them as invalid.
func TestAMissingPepperIsRejectedAtStart(t *testing.T) {
	onBothStores(t, func(t *testing.T, data string, flags ...string) {
		pepper := func(name, content string) string {
			path := filepath.Join(data, name)
			require.NoError(t, os.WriteFile(path, []byte(strings.Repeat(content, 32)), 0o600))
			return path
		}
		first, second := pepper("first", "a"), pepper("second", "b")
		const firstID = "ff682f4e" // printf 'pepper id %s' followed by 32 times a, the first 8 digits of its SHA-256
		arguments := func(additional ...string) []string {
			return append(append(flags, "--dev", "--data", data), additional...)
		}
		startError := func(additional ...string) string {
			_, err := servicetest.Start(context.WithoutCancel(t.Context()), binary, servicetest.Options{}, arguments(additional...)...)
			require.Error(t, err)
			return err.Error()
		}
		p := start(t, arguments("--pepper-file", first)...)
		admin := p.as(t, adminToken(t, data))
		created, err := admin.CreateClientWithResponse(t.Context(), nil, client.CreateClientRequest{
			Name: new("App"), RedirectUris: &[]string{"https://app.example.com/callback"},
		})
		require.NoError(t, err)
		require.NotNil(t, created.JSON201, string(created.Body))
		id, secret := *created.JSON201.Data.ClientID, *created.JSON201.Data.ClientSecret
		p.Kill()

		for name, additional := range map[string][]string{
			"no pepper": nil, "another pepper": {"--pepper-file", second},
			"without migrating": {"--no-auto-migrate"},
		} {
			assert.Contains(t, startError(additional...), firstID, name)
		}
		valid := func(p *program) bool {
			verified, err := p.as(t, adminToken(t, data)).VerifySecretWithResponse(t.Context(), id, nil, client.VerifySecretRequest{Secret: secret})
			require.NoError(t, err)
			require.NotNil(t, verified.JSON200, string(verified.Body))
			return *verified.JSON200.Data.Valid
		}
		p = start(t, arguments("--pepper-file", second, "--allow-missing-pepper")...)
		assert.False(t, valid(p))
		assert.Contains(t, p.Log.String(), firstID)
		p.Kill()
		p = start(t, arguments("--pepper-file", second+","+first)...)
		assert.True(t, valid(p))
		rotated, err := p.as(t, adminToken(t, data)).RotateSecretWithResponse(t.Context(), id, nil, client.RotateSecretRequest{GraceSeconds: new(int32(0))})
		require.NoError(t, err)
		require.NotNil(t, rotated.JSON200, string(rotated.Body))
		p.Kill()
		// The old pepper is no longer required, because its last secret was rotated.
		start(t, arguments("--pepper-file", second)...).Kill()

		// A file with the same name but different content is a different pepper.
		require.NoError(t, os.WriteFile(second, []byte(strings.Repeat("c", 32)), 0o600))
		assert.Contains(t, startError("--pepper-file", second), "key id")
	})
}
