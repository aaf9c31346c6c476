package postgres_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// A replica whose clock is fast must not record the end of a secret before it has come.
func TestSecretEndsAreNotEarlyByTheClockOfTheServer(t *testing.T) {
	database := newDatabase(t)
	store := open(t, database)
	client := newBook(t).Register(domain.Identity{ID: "1", TenantID: tenant, ClientID: "app-1"},
		domain.ChangeOf(domain.Settings{Name: "App", RedirectURIs: []domain.RedirectURI{"https://app.example.com/cb"}})).Decide(domain.Facts{}, now).Client
	at := time.Now().UTC().Truncate(time.Microsecond)
	secret, err := domain.Secret{ID: "s", Hash: []byte{1}, CreatedAt: at, UpdatedAt: at}.WithExpiry(at.Add(time.Hour), at)
	require.NoError(t, err)
	require.NoError(t, store.Commit(t.Context(), domain.Revision{Action: domain.ActionCreate, At: at, Client: client}))
	client, err = client.IssueSecret(secret, at)
	require.NoError(t, err)
	require.NoError(t, store.Commit(t.Context(), domain.Revision{Action: domain.ActionCreateSecret, At: at, Client: client}))

	ends, err := store.SecretEnds(t.Context(), at.Add(2*time.Hour), 10)
	require.NoError(t, err)
	assert.Empty(t, ends, "this clock is two hours ahead of the server's")
	require.NoError(t, store.ScheduleSecretEnd(t.Context(), application.KeyOf(&client), client.Revision(), at.Add(-time.Second)))
	ends, err = store.SecretEnds(t.Context(), at.Add(2*time.Hour), 10)
	require.NoError(t, err)
	assert.Len(t, ends, 1)
	ends, err = store.SecretEnds(t.Context(), at.Add(-time.Hour), 10)
	require.NoError(t, err)
	assert.Empty(t, ends, "this clock is behind")
}

// The migration can be interrupted after each of its statements, and continues.
func TestTheMigrationOfSecretEndsCanBeRepeated(t *testing.T) {
	database := newDatabase(t,
		`INSERT INTO clients (client_id, tenant_id, revision, document, secrets) VALUES ('app-1', 'tenant_a', 1,
			'{"tenant_id":"tenant_a","client_id":"app-1","revision":1}', '[{"id":"s","hash":"AQID","created_at":"2026-04-15T10:30:00Z","expires_at":"2026-04-15T11:00:00Z"}]'),
			('app-2', 'tenant_a', 1, '{"tenant_id":"tenant_a","client_id":"app-2","revision":1}', '[]')`,
		`UPDATE clients SET secret_end = NULL`, `DROP INDEX revisions_of_all`, `DELETE FROM goose_db_version WHERE version_id = 53`)
	store := open(t, database)
	steps, err := store.Migrate(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 1, steps)
	ends, err := store.SecretEnds(t.Context(), now, 10)
	require.NoError(t, err)
	require.Len(t, ends, 1)
	assert.Equal(t, domain.ClientID("app-1"), ends[0].Client.Identity().ClientID)
	assert.False(t, ends[0].Known)
	conn, err := pgx.Connect(t.Context(), database)
	require.NoError(t, err)
	defer func() { _ = conn.Close(context.Background()) }()
	var indexed bool
	require.NoError(t, conn.QueryRow(t.Context(), `SELECT to_regclass('revisions_of_all') IS NOT NULL`).Scan(&indexed))
	assert.True(t, indexed)
}
