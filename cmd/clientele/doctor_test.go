package main_test

import (
	"context"
	"database/sql"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/api/client"
)

// execute runs a statement on the database of a service, without the service.
func execute(t *testing.T, data string, flags []string, statement string) {
	t.Helper()
	if len(flags) > 0 {
		conn, err := pgx.Connect(t.Context(), flags[1])
		require.NoError(t, err)
		defer func() { _ = conn.Close(context.Background()) }()
		_, err = conn.Exec(t.Context(), statement)
		require.NoError(t, err)
		return
	}
	db, err := sql.Open("sqlite", filepath.Join(data, "clientele.db")+"?_pragma=busy_timeout(5000)")
	require.NoError(t, err)
	defer db.Close()
	_, err = db.ExecContext(t.Context(), statement)
	require.NoError(t, err)
}

// runCommand runs a command of the program without a database in its environment.
func runCommand(t *testing.T, args ...string) outcome {
	t.Helper()
	command := exec.Command(binary, args...)
	command.Env = append(os.Environ(), "DATABASE_URL=")
	var output, errors strings.Builder
	command.Stdout, command.Stderr = &output, &errors
	_ = command.Run() // the exit status has the result
	return outcome{command.ProcessState.ExitCode(), output.String(), errors.String()}
}

// The first release could store an expiry time of the year 9999 in another time zone as a
// time in the year 10000. doctor finds and repairs it while the service runs.
func TestDoctorRepairsExpiryTimesOfTheFirstRelease(t *testing.T) {
	onBothStores(t, func(t *testing.T, data string, flags ...string) {
		p := start(t, append(flags, "--dev", "--data", data, "--admin-listen", "127.0.0.1:0")...)
		admin := p.as(t, adminToken(t, data))
		damaged, undamaged := create(t, admin), create(t, admin)
		doctor := func(more ...string) outcome {
			return runCommand(t, append(append([]string{"doctor", "--data", data}, flags...), more...)...)
		}
		healthy := doctor()
		assert.Equal(t, 0, healthy.status, healthy.errors)
		assert.Equal(t, "examined 2 clients, 2 revisions, 0 idempotency records, 0 secret uses, 0 initial access tokens: 0 unreadable, 0 repaired\n", healthy.output)

		execute(t, data, flags, `UPDATE clients SET secrets = '[{"id":"s1","hash":"AQID","last_four":"cdef",`+
			`"created_at":"2026-04-15T10:30:00Z","expires_at":"10000-01-01T04:59:59Z"}]' WHERE client_id = '`+damaged+`'`)
		secrets := func() int {
			found, err := admin.ListSecretsWithResponse(t.Context(), damaged, nil)
			require.NoError(t, err)
			return found.StatusCode()
		}
		assert.Equal(t, 500, secrets())
		_, metrics := read(t, p.Operators+"/metrics")
		assert.Contains(t, metrics, `clientele_unreadable_records_total{part="secrets"} 1`)
		assert.Contains(t, p.Log.String(), damaged, "the log names the client")
		assert.NotContains(t, p.Log.String(), `"panic"`)

		reported := doctor("--dry-run")
		assert.Equal(t, 1, reported.status)
		assert.Contains(t, reported.output, `tenant "tenant_dev", client "`+damaged+`", revision 1: the secrets cannot be read`)
		assert.Contains(t, reported.output, "can be repaired")
		assert.NotContains(t, reported.output, undamaged)
		assert.Equal(t, 500, secrets(), "a dry run repairs nothing")

		repaired := doctor()
		assert.Equal(t, 0, repaired.status, repaired.errors)
		assert.Contains(t, repaired.output, "2 clients, 2 revisions, 0 idempotency records, 0 secret uses, 0 initial access tokens: 1 unreadable, 1 repaired\n")
		assert.Equal(t, 200, secrets(), "immediately, without a restart")
		assert.Equal(t, 0, doctor("--dry-run").status)

		execute(t, data, flags, `UPDATE clients SET secrets = '[{"id":5}]' WHERE client_id = '`+damaged+`'`)
		unrepaired := doctor()
		assert.Equal(t, 1, unrepaired.status)
		assert.Contains(t, unrepaired.output, "cannot be repaired")
	})
}

func TestDoctorWithoutADatabase(t *testing.T) {
	data := filepath.Join(t.TempDir(), "none")
	missing := runCommand(t, "doctor", "--data", data)
	assert.Equal(t, 3, missing.status)
	assert.Contains(t, missing.errors, "no database found")
	assert.NoDirExists(t, data)
	assert.Equal(t, 3, runCommand(t, "doctor", "--database-url", "postgres://nobody@127.0.0.1:1/none").status)
	assert.Equal(t, 2, runCommand(t, "doctor", "--wrong").status)
}

// apply and export report stored clients that cannot be read or have no live secret.
func TestApplyAndExportReportProblemsOfStoredClients(t *testing.T) {
	data := t.TempDir()
	p := start(t, "--dev", "--data", data)
	registry := pipeline{p.URL, adminToken(t, data)}
	dir := filepath.Join(data, "clients")
	declareClients(t, dir, 3)
	applied := registry.run(t, "apply", "-f", dir, "--yes")
	require.Equal(t, 0, applied.status, applied.errors)
	admin := p.as(t, registry.token)
	confidential := ""
	for _, id := range []string{"app-0000", "app-0001", "app-0002"} {
		found, err := admin.GetClientWithResponse(t.Context(), id, nil)
		require.NoError(t, err)
		if confidential == "" && found.JSON200.Data.SecretLastFour != nil {
			confidential = id
		}
	}
	execute(t, data, nil, `UPDATE clients SET secrets = '[]' WHERE client_id = '`+confidential+`'`)
	applied = registry.run(t, "apply", "-f", dir, "--dry-run")
	assert.Equal(t, 0, applied.status, applied.errors)
	assert.Contains(t, applied.output, "= unchanged "+confidential)
	assert.Contains(t, applied.output, "[secret-none-live, ")
	assert.Contains(t, lastLine(applied.output), "3 unchanged")

	created, err := admin.CreateClientWithResponse(t.Context(), nil, client.CreateClientRequest{
		ClientID: new("damaged"), Name: new("App"), RedirectUris: &[]string{"https://app.example.com/callback"},
	})
	require.NoError(t, err)
	require.NotNil(t, created.JSON201, string(created.Body))
	execute(t, data, nil, `UPDATE clients SET document = '{}' WHERE client_id = 'damaged'`)
	exported := registry.run(t, "export", "-o", filepath.Join(data, "exported"))
	assert.Equal(t, 1, exported.status)
	assert.Contains(t, exported.errors, "damaged")
	assert.Contains(t, exported.errors, "clientele doctor")
	assert.Len(t, files(t, filepath.Join(data, "exported")), 3, "all other clients are exported")
	pruned := registry.run(t, "apply", "-f", dir, "--prune", "--yes")
	assert.Equal(t, 1, pruned.status, "a client that cannot be read is not pruned")
	assert.Contains(t, pruned.errors, "damaged")
	assert.Equal(t, 0, registry.run(t, "apply", "-f", dir, "--yes").status)
}
