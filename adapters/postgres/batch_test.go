package postgres_test

import (
	"context"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/postgres"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// registered commits n clients of the tenant and returns them.
func registered(t *testing.T, store *postgres.Store, n int) []domain.Client {
	t.Helper()
	change := domain.ChangeOf(domain.Settings{Name: "App", RedirectURIs: []domain.RedirectURI{"https://app.example.com/cb"}})
	clients := make([]domain.Client, n)
	for i := range clients {
		identity := domain.Identity{ID: strconv.Itoa(i), TenantID: tenant, ClientID: domain.ClientID(fmt.Sprintf("app-%d", i))}
		clients[i] = newBook(t).Register(identity, change).Decide(domain.Facts{}, now).Client
		require.NoError(t, store.Commit(t.Context(), domain.Revision{Action: domain.ActionCreate, At: now, Client: clients[i]}))
	}
	return clients
}

// renamed returns the next revision of a client, with another name.
func renamed(t *testing.T, client domain.Client, name string) domain.Revision {
	t.Helper()
	state := client.State()
	state.Settings.Name = name
	state.Revision++
	return domain.Revision{Action: domain.ActionUpdate, At: now, Client: domain.Restore(state)}
}

func nameOf(t *testing.T, store *postgres.Store, client domain.Client) string {
	t.Helper()
	found, err := store.Find(t.Context(), tenant, client.Identity().ClientID)
	require.NoError(t, err)
	return found.Settings().Name
}

func TestACommitThatFailsDoesNotFailTheOthersOfItsBatch(t *testing.T) {
	store := open(t, newDatabase(t))
	clients := registered(t, store, 3)
	errs, repeated := store.CommitBatch(t.Context(),
		renamed(t, clients[0], "first"), renamed(t, clients[1], "not\x00text"), renamed(t, clients[2], "third"))

	assert.Equal(t, 3, repeated, "the batch has committed nothing")
	require.NoError(t, errs[0])
	require.Error(t, errs[1])
	require.NotErrorIs(t, errs[1], application.ErrUnavailable)
	require.NoError(t, errs[2])
	assert.Equal(t, "first", nameOf(t, store, clients[0]))
	assert.Equal(t, "App", nameOf(t, store, clients[1]))
	assert.Equal(t, "third", nameOf(t, store, clients[2]))
}

func TestABatchDoesNotWaitForALockedRow(t *testing.T) {
	database := newDatabase(t)
	store := open(t, database)
	clients := registered(t, store, 3)
	conn, err := pgx.Connect(t.Context(), database)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	holder, err := conn.Begin(t.Context())
	require.NoError(t, err)
	_, err = holder.Exec(t.Context(), `SELECT FROM clients WHERE client_id = 'app-1' FOR UPDATE`)
	require.NoError(t, err)

	limited, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	errs, repeated := store.CommitBatch(limited,
		renamed(t, clients[0], "first"), renamed(t, clients[1], "second"), renamed(t, clients[2], "third"))

	assert.Equal(t, 1, repeated)
	require.NoError(t, errs[0])
	require.Error(t, errs[1], "only this one waits, until its deadline")
	require.NoError(t, errs[2])
	assert.Equal(t, "first", nameOf(t, store, clients[0]))
	assert.Equal(t, "third", nameOf(t, store, clients[2]))
	// The server is sent a cancel request. Until it has processed it, it would still run
	// the statement.
	watcher, err := pgx.Connect(t.Context(), database)
	require.NoError(t, err)
	t.Cleanup(func() { _ = watcher.Close(context.Background()) })
	require.Eventually(t, func() bool {
		var waiting int
		err := watcher.QueryRow(t.Context(),
			`SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`).Scan(&waiting)
		return err == nil && waiting == 0
	}, time.Minute, time.Millisecond)
	require.NoError(t, holder.Rollback(t.Context()))
	require.NoError(t, store.Commit(t.Context(), renamed(t, clients[1], "second")))
}

func TestABatchCommitsOneRevisionOfAClient(t *testing.T) {
	store := open(t, newDatabase(t))
	client := registered(t, store, 1)[0]
	errs, repeated := store.CommitBatch(t.Context(), renamed(t, client, "first"), renamed(t, client, "second"))
	assert.Equal(t, 1, repeated)
	require.NoError(t, errs[0])
	require.ErrorIs(t, errs[1], application.ErrConflict)
	assert.Equal(t, "first", nameOf(t, store, client))
	log, err := store.Revisions(t.Context(), tenant, client.Identity().ClientID, 0, 10)
	require.NoError(t, err)
	assert.Len(t, log, 2)
}

// The plan that is made while the tables are nearly empty uses the indexes, as it must
// when there are many clients.
func TestCommitsAndFindsHaveOnePlan(t *testing.T) {
	database := newDatabase(t)
	store := open(t, withConnections(t, database, 1))
	clients := registered(t, store, 2)
	for i := range 20 {
		errs, repeated := store.CommitBatch(t.Context(), renamed(t, clients[0], "name"), renamed(t, clients[1], "name"))
		require.NoError(t, errs[0], i)
		require.Zero(t, repeated)
		for k := range clients {
			clients[k] = renamed(t, clients[k], "name").Client
		}
		nameOf(t, store, clients[0])
	}
	for _, like := range []string{"%FOR UPDATE SKIP LOCKED%", "%WITH ORDINALITY AS keys%"} {
		generic, custom, err := store.Plans(t.Context(), like)
		require.NoError(t, err)
		assert.LessOrEqual(t, custom, 5, "PostgreSQL chooses the generic plan after five executions")
		assert.GreaterOrEqual(t, generic, 15)
	}
	plan, err := store.ExplainUpdate(t.Context(), renamed(t, clients[0], "last"))
	require.NoError(t, err)
	assert.Contains(t, plan, "clients_pkey")
	assert.Contains(t, plan, "Tid Scan")
	assert.NotContains(t, plan, "Seq Scan")
	assert.NotContains(t, plan, "Hash Join")
}
