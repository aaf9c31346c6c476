package postgres_test

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/postgres"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// connect opens a connection that is closed with the test.
func connect(t *testing.T, database string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), database)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
	return conn
}

// execute runs statements one by one.
func execute(t *testing.T, conn *pgx.Conn, statements ...string) {
	t.Helper()
	for _, statement := range statements {
		_, err := conn.Exec(t.Context(), statement)
		require.NoError(t, err, statement)
	}
}

// awaitLocks waits until that many backends of the database wait for a lock.
func awaitLocks(t *testing.T, conn *pgx.Conn, backends int) {
	t.Helper()
	require.Eventually(t, func() bool {
		var waiting int
		err := conn.QueryRow(t.Context(), `
			SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`).Scan(&waiting)
		return err == nil && waiting == backends
	}, time.Minute, time.Millisecond)
}

// newRevision returns the first revision of a client.
func newRevision(t *testing.T, of domain.TenantID, id domain.ClientID) domain.Revision {
	t.Helper()
	change := domain.ChangeOf(domain.Settings{Name: "App", RedirectURIs: []domain.RedirectURI{"https://app.example.com/cb"}})
	client := newBook(t).Register(domain.Identity{ID: string(id), TenantID: of, ClientID: id}, change).Decide(domain.Facts{}, now).Client
	return domain.Revision{Action: domain.ActionCreate, At: now, Client: client}
}

// suspended returns the next revision of a client, with another status.
func suspended(client domain.Client) domain.Revision {
	state := client.State()
	state.Settings.Status = domain.StatusSuspended
	state.Revision++
	return domain.Revision{Action: domain.ActionUpdate, At: now, Client: domain.Restore(state)}
}

// total returns the number of clients of a tenant, or of those with a status, as the store
// has counted them.
func total(t *testing.T, store *postgres.Store, of domain.TenantID, status domain.Status) int {
	t.Helper()
	page, err := store.List(t.Context(), of, application.Query{Status: status, Count: true, Limit: 1})
	require.NoError(t, err)
	return page.Total
}

// withParameter sets a parameter in the URL of a database.
func withParameter(t *testing.T, database, name, value string) string {
	t.Helper()
	u, err := url.Parse(database)
	require.NoError(t, err)
	query := u.Query()
	query.Set(name, value)
	u.RawQuery = query.Encode()
	return u.String()
}

// inOneSlot opens two stores with one connection each. The IDs of their server processes
// are equal modulo 16, so that both prefer the same slot of the counters.
func inOneSlot(t *testing.T, database string) [2]*postgres.Store {
	t.Helper()
	known := map[int]*postgres.Store{}
	for {
		store := open(t, withConnections(t, database, 1))
		pid, err := store.Backend(t.Context())
		require.NoError(t, err)
		if other, ok := known[pid%16]; ok {
			return [2]*postgres.Store{other, store}
		}
		known[pid%16] = store
	}
}

// Two batches each register a client in one tenant and suspend one in the other tenant, in
// opposite order. Both are stopped between their two statements, so that each has counted
// in one tenant before it counts in the other.
func TestBatchesThatCountInOppositeOrdersDoNotDeadlock(t *testing.T) {
	database := newDatabase(t, `
		CREATE FUNCTION stop() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_advisory_xact_lock_shared(42); RETURN NULL; END $$`, `
		CREATE TRIGGER stop BEFORE UPDATE ON clients FOR EACH STATEMENT EXECUTE FUNCTION stop()`)
	stores := inOneSlot(t, withParameter(t, database, "deadlock_timeout", "10ms"))
	tenants := [2]domain.TenantID{"tenant_a", "tenant_b"}
	var first [2]domain.Client
	for i, of := range tenants {
		r := newRevision(t, of, "first")
		require.NoError(t, stores[0].Commit(t.Context(), r))
		first[i] = r.Client
	}
	admin := connect(t, database)
	execute(t, admin, `SELECT pg_advisory_lock(42)`)

	var errs [2][]error
	var repeated [2]int
	var group sync.WaitGroup
	for i := range stores {
		group.Go(func() {
			errs[i], repeated[i] = stores[i].CommitBatch(t.Context(), newRevision(t, tenants[i], "second"), suspended(first[1-i]))
		})
	}
	awaitLocks(t, admin, 2)
	execute(t, admin, `SELECT pg_advisory_unlock(42)`)
	group.Wait()

	for i, of := range tenants {
		assert.Zero(t, repeated[i], "no commit had to be repeated")
		require.NoError(t, errs[i][0])
		require.NoError(t, errs[i][1])
		assert.Equal(t, 2, total(t, stores[0], of, ""))
		assert.Equal(t, 1, total(t, stores[0], of, domain.StatusActive))
		assert.Equal(t, 1, total(t, stores[0], of, domain.StatusSuspended))
	}
}

// If every slot is in use, a transaction waits for one, and counts correctly.
func TestCountingWaitsWhileEverySlotIsInUse(t *testing.T) {
	database := newDatabase(t)
	store := open(t, database)
	holder, admin := connect(t, database), connect(t, database)
	execute(t, holder, `SELECT pg_advisory_lock('clients'::regclass::oid::integer, slot) FROM generate_series(0, 15) AS slot`)
	r := newRevision(t, tenant, "app")
	committed := make(chan error, 1)
	go func() { committed <- store.Commit(t.Context(), r) }()
	awaitLocks(t, admin, 1)
	execute(t, holder, `SELECT pg_advisory_unlock_all()`)
	require.NoError(t, <-committed)
	assert.Equal(t, 1, total(t, store, tenant, domain.StatusActive))
}

// Two batches register the same clients in opposite orders, and some of their own. Each
// client is registered by one of them, and no batch is repeated because of a deadlock.
func TestBatchesThatRegisterTheSameClientsDoNotDeadlock(t *testing.T) {
	const both, own = 30, 10
	database := newDatabase(t, `
		CREATE FUNCTION delay() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.001); RETURN NEW; END $$`, `
		CREATE TRIGGER delay BEFORE INSERT ON clients FOR EACH ROW EXECUTE FUNCTION delay()`)
	var stores [2]*postgres.Store
	var revisions [2][]domain.Revision
	for i := range both {
		r := newRevision(t, tenant, domain.ClientID("app-"+strconv.Itoa(i)))
		revisions[0] = append(revisions[0], r)
		revisions[1] = append([]domain.Revision{r}, revisions[1]...)
	}
	for i := range revisions {
		for n := range own {
			revisions[i] = append(revisions[i], newRevision(t, tenant, domain.ClientID(fmt.Sprintf("own-%d-%d", i, n))))
		}
	}
	var errs [2][]error
	var repeated [2]int
	var group sync.WaitGroup
	for i := range stores {
		stores[i] = open(t, withParameter(t, database, "deadlock_timeout", "10ms"))
		group.Go(func() { errs[i], repeated[i] = stores[i].CommitBatch(t.Context(), revisions[i]...) })
	}
	group.Wait()
	assert.Equal(t, both, repeated[0]+repeated[1])
	for i := range both {
		one, other := errs[0][i], errs[1][both-1-i]
		if one != nil {
			one, other = other, one
		}
		require.NoError(t, one)
		require.ErrorIs(t, other, application.ErrConflict)
	}
	assert.Equal(t, both+2*own, total(t, stores[0], tenant, ""))
}

// A transaction that the server rolls back because of a conflict with another one is
// repeated; the commits of a batch each in a transaction of their own.
func TestACommitIsRepeatedAfterAConflict(t *testing.T) {
	for code, name := range map[string]string{"40P01": "deadlock", "40001": "serialization failure"} {
		t.Run(name, func(t *testing.T) {
			database := newDatabase(t, `CREATE SEQUENCE failures`, fmt.Sprintf(`
				CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
					IF nextval('failures') <= 3 THEN RAISE EXCEPTION 'as if' USING ERRCODE = '%s'; END IF;
					RETURN NEW;
				END $$`, code), `CREATE TRIGGER fail BEFORE INSERT ON revisions FOR EACH ROW EXECUTE FUNCTION fail()`)
			store, conn := open(t, database), connect(t, database)
			r := newRevision(t, tenant, "alone")
			require.NoError(t, store.Commit(t.Context(), r))
			execute(t, conn, `SELECT setval('failures', 1, false)`)
			deleted := r.Client.State()
			deleted.Revision, deleted.DeletedAt = 2, now
			require.NoError(t, store.Commit(t.Context(), domain.Revision{Action: domain.ActionDelete, At: now, Client: domain.Restore(deleted)}))
			execute(t, conn, `SELECT setval('failures', 1, false)`)
			once := newRevision(t, tenant, "once")
			require.NoError(t, store.CommitOnce(t.Context(), once, application.IdempotencyRecord{Subject: "x", Key: "k", At: now, ClientID: "once", Revision: 1}))
			execute(t, conn, `SELECT setval('failures', 1, false)`)
			errs, repeated := store.CommitBatch(t.Context(), newRevision(t, tenant, "one"), newRevision(t, tenant, "two"))
			assert.Equal(t, 2, repeated)
			for _, err := range errs {
				require.NoError(t, err)
			}
			assert.Equal(t, 3, total(t, store, tenant, ""), "each is registered once")
			var logged int
			require.NoError(t, conn.QueryRow(t.Context(), `SELECT count(*) FROM revisions`).Scan(&logged))
			assert.Equal(t, 5, logged)
		})
	}
}

func TestRepetitionsAreBounded(t *testing.T) {
	database := newDatabase(t, `CREATE SEQUENCE failures`, `
		CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			PERFORM nextval('failures'); RAISE EXCEPTION 'as if' USING ERRCODE = '40P01';
		END $$`, `CREATE TRIGGER fail BEFORE INSERT ON revisions FOR EACH ROW EXECUTE FUNCTION fail()`)
	store, conn := open(t, database), connect(t, database)
	require.ErrorIs(t, store.Commit(t.Context(), newRevision(t, tenant, "app")), application.ErrUnavailable)
	var tries int
	require.NoError(t, conn.QueryRow(t.Context(), `SELECT last_value FROM failures`).Scan(&tries))
	assert.LessOrEqual(t, tries, 10)
}

// A batch that fails because of a lock is repeated one by one, so that only the commit that
// needs the lock waits, or fails.
func TestALockFailsOnlyTheCommitThatNeedsIt(t *testing.T) {
	database := newDatabase(t)
	store := open(t, withParameter(t, database, "lock_timeout", "50ms"))
	holder := connect(t, database)
	tx, err := holder.Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), `
		INSERT INTO clients (client_id, tenant_id, revision, document, secrets) VALUES ('taken', $1, 1, '{}', '[]')`, string(tenant))
	require.NoError(t, err)
	errs, repeated := store.CommitBatch(t.Context(), newRevision(t, tenant, "free"), newRevision(t, tenant, "taken"))
	assert.Equal(t, 2, repeated)
	require.NoError(t, errs[0])
	require.ErrorIs(t, errs[1], application.ErrUnavailable)
	require.NoError(t, tx.Rollback(t.Context()))
}
