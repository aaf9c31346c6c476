package postgres_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/postgres/pgtest"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// listeners returns the IDs of the server's processes that listen to commits of the database.
func listeners(t *testing.T, conn *pgx.Conn) (pids []int) {
	t.Helper()
	rows, err := conn.Query(t.Context(), `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN %'`)
	require.NoError(t, err)
	pids, err = pgx.CollectRows(rows, pgx.RowTo[int])
	require.NoError(t, err)
	return pids
}

// Notifications that are sent while the connection is broken are lost. So all readers are
// signaled once the store listens again. Before that would be too early: a notification
// could still be lost afterwards.
func TestAllReadersAreSignaledAfterAReconnect(t *testing.T) {
	database := newDatabase(t)
	store := open(t, database)
	conn := connect(t, database)
	first, stop := store.Watch(tenant)
	defer stop()
	requireSignal(t, first) // it listens for the first time
	before := listeners(t, conn)
	require.Len(t, before, 1)

	reader, stopReader := store.Watch(tenant)
	defer stopReader()
	other, stopOther := store.Watch("tenant_b")
	defer stopOther()
	_, err := conn.Exec(t.Context(), `SELECT pg_terminate_backend($1)`, before[0])
	require.NoError(t, err)
	for _, changed := range []<-chan struct{}{reader, other} {
		requireSignal(t, changed)
	}
	after := listeners(t, conn)
	require.Len(t, after, 1, "it listens again when they are signaled")
	assert.NotEqual(t, before, after)
}

func TestNotificationsSignalTheTenantsThatTheyList(t *testing.T) {
	database := newDatabase(t)
	store := open(t, database)
	first, stop := store.Watch(tenant)
	defer stop()
	requireSignal(t, first) // it listens, and no further notification comes from the server

	many := make([]domain.TenantID, 1000)
	for i := range many {
		many[i] = domain.TenantID(fmt.Sprintf("tenant_%08d", i))
	}
	require.Less(t, len(store.Payload(many...)), 8000, "PostgreSQL, NOTIFY")
	for name, tt := range map[string]struct {
		payload       string
		signaled, all bool
	}{
		"the tenant":                           {store.Payload(tenant), true, false},
		"the tenant and others":                {store.Payload("tenant_c", tenant, "tenant_d"), true, false},
		"a tenant with special characters":     {store.Payload("it's \"\\\n\x00", tenant), true, false},
		"another tenant":                       {store.Payload("tenant_c"), false, false},
		"more tenants than fit in the payload": {store.Payload(many...), true, true},
		"of the first release":                 {"", true, true},
		"of a later release":                   {"v2 something", true, true},
		"of this process":                      {store.OwnPayload(), false, false},
	} {
		reader, stopReader := store.Watch(tenant)
		other, stopOther := store.Watch("tenant_b")
		everyone, stopEveryone := store.WatchAll()
		store.Receive(tt.payload)
		assert.Equal(t, tt.signaled, isClosed(reader), name)
		assert.Equal(t, tt.all, isClosed(other), name)
		assert.Equal(t, name != "of this process", isClosed(everyone), name)
		stopReader()
		stopOther()
		stopEveryone()
	}
}

func requireSignal(t *testing.T, changed <-chan struct{}) {
	t.Helper()
	select {
	case <-changed:
	case <-time.After(30 * time.Second):
		require.Fail(t, "a reader was not signaled")
	}
}

func isClosed(changed <-chan struct{}) bool {
	select {
	case <-changed:
		return true
	default:
		return false
	}
}

// requireHeldBack requires that the feed holds a change back while the transaction is open
// that begin starts in another database of the server.
func requireHeldBack(t *testing.T, s *pgtest.Server, begin, end string) {
	t.Helper()
	store := open(t, database(t, s))
	_, err := store.Migrate(t.Context())
	require.NoError(t, err)
	elsewhere := connect(t, database(t, s)) // another database
	f := &fork{store: store}
	f.named(t, "first")
	known := f.end(t)

	_, err = elsewhere.Exec(t.Context(), begin, pgx.QueryExecModeSimpleProtocol)
	require.NoError(t, err)
	f.named(t, "second")
	ofTenant, ofAll, err := f.read(t, known)
	require.NoError(t, err)
	for _, page := range []application.Changes{ofTenant, ofAll} {
		assert.Empty(t, page.Revisions)
		assert.Positive(t, page.HeldBack)
	}
	reached := cursors{ofTenant.Next, ofAll.Next}
	assert.Equal(t, known, reached)
	lag, err := store.FeedLag(t.Context())
	require.NoError(t, err)
	assert.Positive(t, lag)
	list, err := store.List(t.Context(), tenant, application.Query{Limit: 1})
	require.NoError(t, err)
	everything, err := store.ListAll(t.Context(), application.ClientKey{}, 1)
	require.NoError(t, err)
	reached = cursors{list.Changes, everything.Changes}
	assert.Equal(t, known, reached, "the cursor of a list is one that the feed has reached")
	other, err := store.Changes(t.Context(), "tenant_b", "", 10)
	require.NoError(t, err)
	assert.Zero(t, other.HeldBack, "nothing of this tenant is held back")

	_, err = elsewhere.Exec(t.Context(), end, pgx.QueryExecModeSimpleProtocol)
	require.NoError(t, err)
	ofTenant, ofAll, err = f.read(t, known)
	require.NoError(t, err)
	for _, page := range []application.Changes{ofTenant, ofAll} {
		assert.Len(t, page.Revisions, 1)
		assert.Zero(t, page.HeldBack)
	}
	lag, err = store.FeedLag(t.Context())
	require.NoError(t, err)
	assert.Zero(t, lag)
}

func TestAnyOpenTransactionOfTheServerHoldsTheFeedBack(t *testing.T) {
	s := own(t, "max_prepared_transactions=2", "autovacuum=off")
	t.Run("in another database", func(t *testing.T) {
		requireHeldBack(t, s, `BEGIN; SELECT pg_current_xact_id()`, `ROLLBACK`)
	})
	t.Run("prepared, in another database", func(t *testing.T) {
		requireHeldBack(t, s, `BEGIN; CREATE TABLE x (); PREPARE TRANSACTION 'forgotten'`, `ROLLBACK PREPARED 'forgotten'`)
	})
}

// The plans do not depend on statistics: a table that was just filled is read by its index.
func TestProofsUseTheIndexWithoutStatistics(t *testing.T) {
	url := newDatabase(t, `ALTER TABLE revisions SET (autovacuum_enabled = off)`)
	store := open(t, url)
	cursor := application.Cursor("p1234.56.00112233445566778899")
	empty, err := store.ExplainProofs(t.Context(), tenant, cursor)
	require.NoError(t, err)
	conn := connect(t, url)
	_, err = conn.Exec(t.Context(), `
		INSERT INTO revisions (client_id, number, tenant_id, at, action, actor, document)
		SELECT 'app-' || n, 1, 'tenant_a', now(), 'create', 'x', '{}' FROM generate_series(1, 50000) n`)
	require.NoError(t, err)
	filled, err := store.ExplainProofs(t.Context(), tenant, cursor)
	require.NoError(t, err)
	for _, plan := range []string{empty, filled} {
		assert.Contains(t, plan, "revisions_feed")
		assert.NotContains(t, plan, "Seq Scan on revisions", plan)
		assert.NotContains(t, plan, "Seq Scan on purged_changes", plan)
		assert.NotContains(t, plan, "Sort", plan)
		assert.NotContains(t, plan, "hashed", plan)
	}
}
