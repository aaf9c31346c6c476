package main_test

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/postgres/pgtest"
	"github.com/clientele-oauth/clientele/api/client"
)

// The service works through PgBouncer in transaction mode, which has fewer connections to
// the server than the service has to PgBouncer: no request fails.
func TestTheServiceWorksThroughAPooler(t *testing.T) {
	const callers, rounds = 16, 10
	direct, err := server.NewDatabase(t.Context())
	require.NoError(t, err)
	pooler, err := pgtest.StartPooler(t.Context(), server, "default_pool_size = 4")
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, pooler.Stop()) })
	url, err := pooler.Through(direct)
	require.NoError(t, err)
	data := t.TempDir()
	one := start(t, "--dev", "--data", data, "--database-url", url, "--database-direct-url", direct)
	other := start(t, "--dev", "--data", data, "--database-url", url)
	admin := [2]*client.ClientWithResponses{one.as(t, adminToken(t, data)), other.as(t, adminToken(t, data))}
	var group sync.WaitGroup
	for i := range callers {
		group.Go(func() {
			for k := range rounds {
				api := admin[(i+k)%2]
				created, err := api.CreateClientWithResponse(t.Context(), nil, client.CreateClientRequest{
					Name: new("My App"), RedirectUris: &[]string{"https://app.example.com/callback"},
				})
				if !assert.NoError(t, err) || !assert.NotNil(t, created.JSON201, string(created.Body)) { //nolint:testifylint // not on the goroutine of the test
					return
				}
				id := *created.JSON201.Data.ClientID
				updated, err := api.UpdateClientWithResponse(t.Context(), id, nil, client.UpdateClientRequest{Name: new(fmt.Sprint("App ", k))})
				if assert.NoError(t, err) {
					assert.Equal(t, http.StatusOK, updated.StatusCode(), string(updated.Body))
				}
				listed, err := api.ListClientsWithResponse(t.Context(), nil)
				if assert.NoError(t, err) {
					assert.Equal(t, http.StatusOK, listed.StatusCode(), string(listed.Body))
				}
				found, err := api.GetClientWithResponse(t.Context(), id, nil)
				if assert.NoError(t, err) {
					assert.Equal(t, http.StatusOK, found.StatusCode(), string(found.Body))
				}
			}
		})
	}
	group.Wait()
	listed, err := admin[0].ListClientsWithResponse(t.Context(), nil)
	require.NoError(t, err)
	assert.EqualValues(t, callers*rounds, *listed.JSON200.Total)
	assert.NotContains(t, one.Log.String(), `"level":"ERROR"`)
	assert.NotContains(t, other.Log.String(), `"level":"ERROR"`)
}

func TestAnInvalidDirectURLIsRejected(t *testing.T) {
	for want, args := range map[string][]string{
		"no effect without --database-url": {"serve", "--dev", "--data", t.TempDir(), "--database-direct-url", "postgres://x"},
		"must begin with postgres://":      {"migrate", "--database-url", "postgres://x", "--database-direct-url", "mysql://x"},
	} {
		command := exec.Command(binary, args...)
		command.Env = []string{"PATH=" + os.Getenv("PATH")}
		output, err := command.CombinedOutput()
		require.Error(t, err)
		assert.Contains(t, string(output), want)
		assert.Contains(t, string(output), "DATABASE_DIRECT_URL")
	}
}
