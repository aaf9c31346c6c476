package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/postgres"
	"github.com/clientele-oauth/clientele/adapters/postgres/pgtest"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/application/storetest"
	"github.com/clientele-oauth/clientele/domain"
)

// pooler starts a PgBouncer in transaction mode with fewer connections to the server than
// the store has to the pooler.
func pooler(t *testing.T, settings ...string) *pgtest.Pooler {
	t.Helper()
	p, err := pgtest.StartPooler(t.Context(), server, append([]string{"default_pool_size = 4"}, settings...)...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Stop()) })
	return p
}

// through returns the URL of a database through the pooler.
func through(t *testing.T, p *pgtest.Pooler, database string) string {
	t.Helper()
	pooled, err := p.Through(database)
	require.NoError(t, err)
	return pooled
}

// The whole suite, migrations included.
func TestStoreThroughAPooler(t *testing.T) {
	p := pooler(t)
	storetest.Run(t, func(t *testing.T) application.Store {
		t.Helper()
		database, err := server.NewDatabase(t.Context())
		require.NoError(t, err)
		store := open(t, through(t, p, database))
		_, err = store.Migrate(t.Context())
		require.NoError(t, err)
		return store
	})
}

func TestUpgradeFromTheFirstVersionThroughAPooler(t *testing.T) {
	database, err := server.NewDatabase(t.Context())
	require.NoError(t, err)
	storetest.RunUpgrade(t, open(t, through(t, pooler(t), database)))
}

// Sixteen callers use all operations of the store at the same time.
func TestMixedLoadThroughAPoolerHasNoErrors(t *testing.T) {
	const callers, rounds = 16, 25
	database := newDatabase(t)
	store := open(t, through(t, pooler(t), database))
	var group sync.WaitGroup
	for i := range callers {
		group.Go(func() {
			for k := range rounds {
				if err := everything(t.Context(), store, newRevision(t, tenant, domain.ClientID(fmt.Sprintf("app-%d-%d", i, k)))); err != nil {
					t.Errorf("caller %d, round %d: %v", i, k, err)
					return
				}
			}
		})
	}
	group.Wait()
	assert.Equal(t, callers*rounds, total(t, store, tenant, domain.StatusActive))
	assert.Equal(t, callers*rounds, total(t, store, tenant, domain.StatusSuspended))
	assert.Equal(t, int32(16), store.Connections().MaxConns())
}

// everything registers two clients, suspends one, and calls all reading methods.
func everything(ctx context.Context, store *postgres.Store, r domain.Revision) error {
	client := r.Client
	identity := client.Identity()
	other := client.State()
	other.Identity.ClientID += "-once"
	_, find := store.Find(ctx, tenant, identity.ClientID)
	if errors.Is(find, application.ErrNotFound) {
		find = nil
	}
	attempt := application.IdempotencyRecord{Subject: "x", Key: string(other.Identity.ClientID), At: now, ClientID: other.Identity.ClientID, Revision: 1}
	errs := []error{
		find,
		store.Commit(ctx, r),
		store.Commit(ctx, suspended(client)),
		store.CommitOnce(ctx, domain.Revision{Action: domain.ActionCreate, At: now, Client: domain.Restore(other)}, attempt),
		store.NoteSecretUses(ctx, []application.SecretUse{{TenantID: tenant, ClientID: identity.ClientID, SecretID: "s", At: now}}),
		store.DeleteIdempotencyRecords(ctx, now.Add(-time.Hour)),
	}
	for _, read := range []func() error{
		func() error { _, err := store.Find(ctx, tenant, identity.ClientID); return err },
		func() error { _, err := store.FindIdempotencyRecord(ctx, tenant, "x", attempt.Key); return err },
		func() error {
			_, err := store.List(ctx, tenant, application.Query{Name: "app", Count: true, Limit: 3})
			return err
		},
		func() error { _, err := store.List(ctx, tenant, application.Query{Limit: 3}); return err },
		func() error { _, err := store.Changes(ctx, tenant, "", 5); return err },
		func() error { _, err := store.Revisions(ctx, tenant, identity.ClientID, 0, 5); return err },
		func() error { _, err := store.SecretUses(ctx, tenant, identity.ClientID); return err },
		func() error { _, _, err := store.Purgeable(ctx, now, 5); return err },
		func() error { _, err := store.FeedLag(ctx); return err },
		func() error { return store.Ping(ctx) },
	} {
		errs = append(errs, read())
	}
	return errors.Join(errs...)
}

// The two statements of a batch reach the same connection of the server, in one
// transaction: if the second one fails, the first one has done nothing.
func TestABatchThroughAPoolerIsOneTransaction(t *testing.T) {
	database := newDatabase(t)
	store := open(t, through(t, pooler(t), database))
	clients := registered(t, store, 2)
	var others sync.WaitGroup
	var done atomic.Bool
	for range 8 { // make the pooler reassign its connections
		others.Go(func() {
			for !done.Load() {
				_, _ = store.Find(t.Context(), tenant, "app-0")
			}
		})
	}
	for i := range 20 {
		fresh := domain.ClientID(fmt.Sprintf("new-%d", i))

		errs, repeated := store.CommitBatch(t.Context(), newRevision(t, tenant, fresh), renamed(t, clients[0], "not\x00text"))
		assert.Equal(t, 2, repeated)
		require.NoError(t, errs[0], "it would be a conflict if the batch had registered it")
		require.Error(t, errs[1])
	}
	done.Store(true)
	others.Wait()
	assert.Equal(t, 22, total(t, store, tenant, ""))
}

func TestNotificationsArriveOnTheDirectConnection(t *testing.T) {
	database := newDatabase(t)
	p := pooler(t)
	one := openWith(t, through(t, p, database), postgres.WithDirectURL(database))
	other := openWith(t, through(t, p, database), postgres.WithDirectURL(database))
	requireSignal(t, watch(t, other)) // it listens for the first time
	awaitListener(t, connect(t, database))
	changed := watch(t, other)
	require.NoError(t, one.Commit(t.Context(), newRevision(t, tenant, "app")))
	requireSignal(t, changed)
}

// LISTEN would succeed through the pooler, but on a connection that the pooler then gives to
// another client, so no notification would arrive.
func TestTheStoreDoesNotListenThroughAPooler(t *testing.T) {
	database := newDatabase(t)
	var logged logText
	store := openWith(t, through(t, pooler(t), database), postgres.WithLog(slog.New(slog.NewTextHandler(&logged, nil))))
	watch(t, store)
	require.Eventually(t, func() bool { return strings.Contains(logged.String(), "direct database URL") }, time.Minute, time.Millisecond)
	require.NoError(t, store.Commit(t.Context(), newRevision(t, tenant, "app")))
	page, err := store.Changes(t.Context(), tenant, "", 10)
	require.NoError(t, err)
	assert.Len(t, page.Revisions, 1)
	var listening int
	require.NoError(t, connect(t, database).QueryRow(t.Context(),
		`SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'`).Scan(&listening))
	assert.Zero(t, listening)
	assert.Equal(t, 1, strings.Count(logged.String(), "\n"), logged.String())
}

func TestReplicasMigrateAtOnceThroughAPooler(t *testing.T) {
	p := pooler(t)
	database, err := server.NewDatabase(t.Context())
	require.NoError(t, err)
	for name, options := range map[string][]postgres.Option{"pooled": nil, "directly": {postgres.WithDirectURL(database)}} {
		t.Run(name, func(t *testing.T) {
			var errs [3]error
			var group sync.WaitGroup
			for i := range errs {
				store := openWith(t, through(t, p, database), options...)
				group.Go(func() { _, errs[i] = store.Migrate(t.Context()) })
			}
			group.Wait()
			require.NoError(t, errors.Join(errs[:]...))
		})
	}
	var held int
	require.NoError(t, connect(t, database).QueryRow(t.Context(), `SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'`).Scan(&held))
	assert.Zero(t, held, "no lock stays with a connection of the pooler")
}

// With a single connection of the pooler, migrations need direct connections: one
// transaction holds the lock while another one migrates.
func TestMigrationsUseTheDirectURL(t *testing.T) {
	database, err := server.NewDatabase(t.Context())
	require.NoError(t, err)
	store := openWith(t, through(t, pooler(t, "default_pool_size = 1"), database), postgres.WithDirectURL(database))
	_, err = store.Migrate(t.Context())
	require.NoError(t, err)
}

// Earlier releases, and processes without a pooler, hold the lock in their session.
func TestMigrationsThroughAPoolerWaitForOthers(t *testing.T) {
	database, err := server.NewDatabase(t.Context())
	require.NoError(t, err)
	other := connect(t, database)
	execute(t, other, `SELECT pg_advisory_lock(4097083626)`)
	store := open(t, through(t, pooler(t), database))
	limited, cancel := context.WithTimeout(t.Context(), 250*time.Millisecond)
	defer cancel()
	_, err = store.Migrate(limited)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	execute(t, other, `SELECT pg_advisory_unlock(4097083626)`)
	_, err = store.Migrate(t.Context())
	require.NoError(t, err)
}

func TestTheURLCanSetTheQueryExecMode(t *testing.T) {
	database := newDatabase(t)
	for _, mode := range []string{"exec", "simple_protocol", "describe_exec"} {
		_, err := postgres.Open(t.Context(), withParameter(t, database, "default_query_exec_mode", mode), nil)
		require.ErrorContains(t, err, "default_query_exec_mode")
	}
	p := pooler(t)
	for mode, prepared := range map[string]bool{"": false, "cache_describe": false, "cache_statement": true} {
		url := withConnections(t, through(t, p, newDatabase(t)), 1)
		if mode != "" {
			url = withParameter(t, url, "default_query_exec_mode", mode)
		}
		store := open(t, url)
		_, err := store.Find(t.Context(), tenant, "app")
		require.ErrorIs(t, err, application.ErrNotFound)
		_, _, err = store.Plans(t.Context(), "%WITH ORDINALITY AS keys%")
		assert.Equal(t, prepared, err == nil, mode)
	}
	_, err := postgres.Open(t.Context(), database, nil, postgres.WithDirectURL("postgres://admin:hunter2@host:notaport/db"))
	require.Error(t, err)
	assert.NotContains(t, err.Error(), "hunter2")
}
