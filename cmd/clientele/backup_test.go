package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/api/client"
)

// The service is killed while it writes. A backup that was made while the service ran has
// every write that was acknowledged before the backup began.
func TestABackupOfARunningServiceIsComplete(t *testing.T) {
	data := t.TempDir()
	p := start(t, "--dev", "--data", data)
	admin := p.as(t, adminToken(t, data))
	var (
		acknowledged sync.Map
		count        atomic.Int64
		writers      sync.WaitGroup
	)
	enough := make(chan struct{})
	const before = 100
	for w := range 4 {
		writers.Go(func() {
			for i := 0; ; i++ {
				id := fmt.Sprintf("app-%d-%06d", w, i)
				made, err := admin.CreateClientWithResponse(t.Context(), nil, client.CreateClientRequest{
					ClientID: &id, Name: new("App"), RedirectUris: &[]string{"https://app.example.com/callback"},
				})
				if err != nil { // the service was killed
					return
				}
				if made.StatusCode() == 201 {
					acknowledged.Store(id, *made.JSON201.Data.ClientSecret)
					if count.Add(1) == before {
						close(enough)
					}
				}
			}
		})
	}
	<-enough
	known := map[string]string{}
	acknowledged.Range(func(id, secret any) bool {
		known[id.(string)] = secret.(string)
		return true
	})
	backup := filepath.Join(data, "backup.db")
	taken := runCommand(t, "backup", "--data", data, backup)
	require.Equal(t, 0, taken.status, taken.errors)
	assert.Contains(t, taken.output, "backup written and verified: "+backup)
	p.Kill()
	writers.Wait()
	assert.GreaterOrEqual(t, len(known), before-4)

	// The backup is restored into another data directory, and a service runs there.
	other := filepath.Join(t.TempDir(), "data")
	restored := runCommand(t, "restore-backup", "--data", other, backup)
	require.Equal(t, 0, restored.status, restored.errors)
	q := start(t, "--dev", "--data", other)
	again := q.as(t, adminToken(t, other))
	for id, secret := range known {
		verified, err := again.VerifySecretWithResponse(t.Context(), id, nil, client.VerifySecretRequest{Secret: secret})
		require.NoError(t, err)
		require.NotNil(t, verified.JSON200, "%s: %s", id, verified.Body)
		assert.True(t, *verified.JSON200.Data.Valid, id)
	}
	create(t, again)
	assert.Equal(t, 0, runCommand(t, "doctor", "--data", other).status)
}

func TestBackupOverwritesNothingAndRestoreNeedsAStoppedService(t *testing.T) {
	data := t.TempDir()
	p := start(t, "--dev", "--data", data)
	kept := create(t, p.as(t, adminToken(t, data)))
	backup := filepath.Join(data, "backup.db")
	require.Equal(t, 0, runCommand(t, "backup", "--data", data, backup).status)
	info, err := os.Stat(backup)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	twice := runCommand(t, "backup", "--data", data, backup)
	assert.Equal(t, 1, twice.status)
	assert.Contains(t, twice.errors, "exists already")
	later := create(t, p.as(t, adminToken(t, data)))

	running := runCommand(t, "restore-backup", "--data", data, "--force", backup)
	assert.Equal(t, 1, running.status)
	assert.Contains(t, running.errors, "stop the service first")
	status := func(p *program, id string) int {
		found, err := p.as(t, adminToken(t, data)).GetClientWithResponse(t.Context(), id, nil)
		require.NoError(t, err)
		return found.StatusCode()
	}
	assert.Equal(t, 200, status(p, later), "the service is unaffected")
	p.Kill()
	unforced := runCommand(t, "restore-backup", "--data", data, backup)
	assert.Equal(t, 1, unforced.status)
	assert.Contains(t, unforced.errors, "--force")
	forced := runCommand(t, "restore-backup", "--data", data, "--force", backup)
	require.Equal(t, 0, forced.status, forced.errors)
	assert.Contains(t, forced.output, "before-restore-")
	p = start(t, "--dev", "--data", data)
	assert.Equal(t, 200, status(p, kept))
	assert.Equal(t, 404, status(p, later))
	assert.NotEqual(t, 0, runCommand(t, "restore-backup", "--data", data, filepath.Join(data, "admin.token")).status)
}

func TestBackupAndRestoreRejectPostgreSQL(t *testing.T) {
	const url = "postgres://clientele:password@127.0.0.1:1/none"
	file := filepath.Join(t.TempDir(), "backup")
	made := runCommand(t, "backup", "--database-url", url, file)
	assert.Equal(t, 1, made.status, "a script must notice that there is no backup")
	assert.Contains(t, made.errors, "pg_dump")
	assert.NotContains(t, made.errors, "password")
	assert.NoFileExists(t, file)
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	restored := runCommand(t, "restore-backup", "--database-url", url, file)
	assert.Equal(t, 1, restored.status)
	assert.Contains(t, restored.errors, "pg_restore")

	none := filepath.Join(t.TempDir(), "none")
	assert.Equal(t, 1, runCommand(t, "backup", "--data", none, filepath.Join(none, "x")).status)
	assert.NoDirExists(t, none)
}
