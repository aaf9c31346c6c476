package postgres_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/url"
	"regexp"
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

const tenant domain.TenantID = "tenant_a"

var now = time.Date(2026, 4, 15, 10, 30, 0, 0, time.UTC)

func newBook(tb testing.TB) *domain.Rulebook {
	tb.Helper()
	book, err := domain.NewRulebook(domain.Policy{})
	require.NoError(tb, err)
	return book
}

// revised returns the client as the change makes it.
func revised(t *testing.T, c domain.Client, change domain.Change) domain.Client {
	t.Helper()
	draft, err := newBook(t).Revise(c, change)
	require.NoError(t, err)
	return draft.Decide(domain.Facts{}, now).Client
}

// newDatabase creates a migrated database, runs statements there, and returns its URL.
func newDatabase(t *testing.T, statements ...string) (database string) {
	t.Helper()
	database, err := server.NewDatabase(t.Context())
	require.NoError(t, err)
	migrated := open(t, database)
	_, err = migrated.Migrate(t.Context())
	require.NoError(t, err)
	conn, err := pgx.Connect(t.Context(), database)
	require.NoError(t, err)
	defer func() { _ = conn.Close(context.Background()) }()
	for _, statement := range statements {
		_, err = conn.Exec(t.Context(), statement)
		require.NoError(t, err, statement)
	}
	return database
}

// withConnections sets the size of the pool in the URL of a database.
func withConnections(t *testing.T, database string, n int) string {
	t.Helper()
	u, err := url.Parse(database)
	require.NoError(t, err)
	query := u.Query()
	query.Set("pool_max_conns", strconv.Itoa(n))
	u.RawQuery = query.Encode()
	return u.String()
}

// Transactions end in a different order than they began, because each waits for a random
// time after its last statement. Calls of readers are canceled at random, and the readers
// continue from the last cursor that they got.
func TestTheFeedMissesNothingWhenCommitsFinishOutOfOrder(t *testing.T) {
	t.Run("of a tenant", func(t *testing.T) {
		finishOutOfOrder(t, 1, func(ctx context.Context, s *postgres.Store, after application.Cursor) (application.Changes, error) {
			return s.Changes(ctx, tenant, after, 7)
		})
	})
	t.Run("of all tenants", func(t *testing.T) {
		finishOutOfOrder(t, 5, func(ctx context.Context, s *postgres.Store, after application.Cursor) (application.Changes, error) {
			return s.AllChanges(ctx, after, 7)
		})
	})
}

// reader reads a page of a feed.
type reader func(ctx context.Context, s *postgres.Store, after application.Cursor) (application.Changes, error)

// finishOutOfOrder commits in the tenants while readers read.
func finishOutOfOrder(t *testing.T, tenants int, read reader) {
	t.Helper()
	const (
		writers, each = 32, 12
		readers       = 4
	)
	database := withConnections(t, newDatabase(t, `
		CREATE FUNCTION delay() RETURNS trigger LANGUAGE plpgsql AS
			$$ BEGIN PERFORM pg_sleep(random() * 0.03); RETURN NULL; END $$`, `
		CREATE CONSTRAINT TRIGGER delay AFTER INSERT ON revisions DEFERRABLE INITIALLY DEFERRED
			FOR EACH ROW EXECUTE FUNCTION delay()`), 8)
	replicas := make([]*postgres.Store, 8) // so that each has small batches
	for i := range replicas {
		replicas[i] = open(t, database)
	}
	book := newBook(t)

	done := make(chan struct{})
	seen := make([]map[string]int, readers)
	var reading, writing sync.WaitGroup
	for i := range readers {
		seen[i] = map[string]int{}
		reading.Go(func() { readUntil(t, replicas[i], read, done, seen[i]) })
	}
	for i := range writers {
		store := replicas[i%len(replicas)]
		writing.Go(func() {
			change := domain.ChangeOf(domain.Settings{Name: "App", RedirectURIs: []domain.RedirectURI{"https://app.example.com/cb"}})
			of := tenant
			if i%tenants > 0 {
				of = domain.TenantID(fmt.Sprintf("tenant_%d", i%tenants))
			}
			identity := domain.Identity{ID: strconv.Itoa(i), TenantID: of, ClientID: domain.ClientID(fmt.Sprintf("app-%d", i))}
			client := book.Register(identity, change).Decide(domain.Facts{}, now).Client
			action := domain.ActionCreate
			for k := range each {
				if err := store.Commit(t.Context(), domain.Revision{Action: action, At: now, Client: client}); err != nil {
					t.Errorf("commit: %v", err)
					return
				}
				action = domain.ActionUpdate
				client = revised(t, client, domain.ChangeOf(domain.Settings{Name: fmt.Sprintf("name %d", k)}))
			}
		})
	}
	writing.Wait()
	close(done)
	reading.Wait()
	for i := range readers {
		assert.Len(t, seen[i], writers)
		for id, newest := range seen[i] {
			assert.Equal(t, each, newest, "reader %d, client %s", i, id)
		}
	}
}

// readUntil follows the feed until done is closed and the feed is at its end. It records
// the newest revision of each client, and requires that revisions come without a gap.
func readUntil(t *testing.T, store *postgres.Store, read reader, done <-chan struct{}, newest map[string]int) {
	var after application.Cursor
	ending := false
	for {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rand.Int64N(int64(20*time.Millisecond))))
		page, err := read(ctx, store, after)
		cancel()
		if err != nil {
			if t.Context().Err() != nil {
				return
			}
			continue // canceled: again from the last cursor
		}
		for _, r := range page.Revisions {
			id := string(r.Client.Identity().ClientID)
			if got := int(r.Client.Revision()); got != newest[id]+1 {
				t.Errorf("client %s: revision %d comes after %d", id, got, newest[id])
			}
			newest[id] = int(r.Client.Revision())
		}
		after = page.Next
		if len(page.Revisions) > 0 {
			continue
		}
		if ending {
			return
		}
		select {
		case <-done:
			ending = true // after one more read
		default:
		}
	}
}

func TestReplicasSignalCommitsToEachOther(t *testing.T) {
	database := newDatabase(t)
	one, other := open(t, database), open(t, database)
	_, stop := other.Watch(tenant)
	stop()
	book := newBook(t)
	outcome := book.Register(domain.Identity{ID: "1", TenantID: tenant, ClientID: "app-1"},
		domain.ChangeOf(domain.Settings{Name: "App", RedirectURIs: []domain.RedirectURI{"https://app.example.com/cb"}})).Decide(domain.Facts{}, now)
	client := outcome.Client
	require.False(t, outcome.Findings.HasViolations())
	require.NoError(t, one.Commit(t.Context(), domain.Revision{Action: domain.ActionCreate, At: now, Client: client}))

	// The first commit may come before the other replica listens, so there are more.
	deadline := time.After(20 * time.Second)
	for k := 0; ; k++ {
		changed, stop := other.Watch(tenant)
		client = revised(t, client, domain.ChangeOf(domain.Settings{Name: fmt.Sprintf("name %d", k)}))
		require.NoError(t, one.Commit(t.Context(), domain.Revision{Action: domain.ActionUpdate, At: now, Client: client}))
		select {
		case <-changed:
			stop()
			return
		case <-time.After(200 * time.Millisecond):
			stop()
		case <-deadline:
			require.Fail(t, "a reader was not signaled")
		}
	}
}

// Lists over many clients use an index and read few rows that do not match, also if the
// planner expects that a filter matches many clients and it matches few.
func TestListsUseTheirIndexes(t *testing.T) {
	database := newDatabase(t, `ALTER TABLE clients DISABLE TRIGGER USER`, `
		INSERT INTO clients (client_id, tenant_id, revision, document, secrets, name, status, facets)
		SELECT 'app-' || lpad(n::text, 7, '0'), 'tenant_' || n % 2, 1, '{"name": "x"}', '[]', 'application ' || md5(n::text),
			'active', ARRAY['grant_type:a', 'grant_type:b', 'scope:a', 'scope:b', 'scope:c', 'scope:d', 'scope:e', 'auth_method:a', 'profile:a',
				'status:active', 'scope:openid', 'redirect_host:h' || n / 10 || '.example.com']
		FROM generate_series(1, 100000) n`, `
		INSERT INTO revisions (client_id, number, tenant_id, at, action, actor, document)
		SELECT client_id, 1, tenant_id, timestamptz '2026-01-01' + n * interval '1 second', 'create', 'x', '{}'
		FROM clients, LATERAL (SELECT substr(client_id, 5)::int AS n) AS numbers ORDER BY n`,
		`INSERT INTO client_counts SELECT tenant_id, status, 0, count(*) FROM clients GROUP BY tenant_id, status`,
		`ANALYZE clients`, `ANALYZE revisions`, `ANALYZE client_counts`)
	store := open(t, database)
	tests := []struct {
		name  string
		q     application.Query
		index string
	}{
		{"all", application.Query{}, "clients_pkey"},
		{"from a cursor", application.Query{After: "app-0050000"}, "clients_pkey"},
		{"a common facet", application.Query{Scope: "openid"}, "clients_pkey"},
		{"a rare facet", application.Query{RedirectHost: "h77.example.com"}, "clients_facets"},
		{"a rare and a common facet", application.Query{RedirectHost: "h9977.example.com", Scope: "openid", Count: true}, "clients_facets"},
		{"a rare part of a name", application.Query{Name: "C4CA4238A0B9"}, "clients_name"},
		{"a common part of a name", application.Query{Name: "application"}, "clients_pkey"},
		{"recently updated", application.Query{UpdatedSince: time.Date(2026, 1, 2, 3, 46, 0, 0, time.UTC)}, "revisions_at"},
		{"with a total", application.Query{Count: true}, "client_counts"},
	}
	for _, tt := range tests {
		for _, limit := range []int{1, 20, 100} {
			tt.q.Limit = limit
			plans, err := store.Explain(t.Context(), "tenant_1", tt.q)
			require.NoError(t, err)
			plan := fmt.Sprint(plans)
			assert.Contains(t, plan, tt.index, tt.name)
			assert.NotContains(t, plan, "Seq Scan on revisions", tt.name)
			assert.Less(t, rowsRemoved(t, plan), 3000, "%s, limit %d: %s", tt.name, limit, plan)
		}
	}
	t.Run("the feed is planned once", func(t *testing.T) {
		one := open(t, withConnections(t, database, 1))
		page, err := one.List(t.Context(), "tenant_1", application.Query{Limit: 1})
		require.NoError(t, err)
		for range 50 {
			for _, after := range []application.Cursor{"", page.Changes} {
				_, err := one.Changes(t.Context(), "tenant_1", after, 100)
				require.NoError(t, err)
			}
		}
		generic, custom, err := one.Plans(t.Context(), "%ORDER BY revisions.xid, seq%")
		require.NoError(t, err)
		assert.LessOrEqual(t, custom, 5, "PostgreSQL chooses the generic plan after five executions")
		assert.GreaterOrEqual(t, generic, 95)
	})
}

var removed = regexp.MustCompile(`Rows Removed by Filter: (\d+)`)

// rowsRemoved returns how many rows a plan read that did not match its filters.
func rowsRemoved(t *testing.T, plan string) int {
	t.Helper()
	sum := 0
	for _, found := range removed.FindAllStringSubmatch(plan, -1) {
		n, err := strconv.Atoi(found[1])
		require.NoError(t, err)
		sum += n
	}
	return sum
}

// The log of a dump from another server has transaction numbers that this server has not
// assigned yet.
func TestRestoredDumpRebasesFeed(t *testing.T) {
	database := newDatabase(t)
	store := open(t, database)
	book := newBook(t)
	change := domain.ChangeOf(domain.Settings{Name: "App", RedirectURIs: []domain.RedirectURI{"https://app.example.com/cb"}})
	client := book.Register(domain.Identity{ID: "1", TenantID: tenant, ClientID: "app-1"}, change).Decide(domain.Facts{}, now).Client
	commit := func(store *postgres.Store, action domain.Action) {
		require.NoError(t, store.Commit(t.Context(), domain.Revision{Action: action, At: now, Client: client}))
		client = revised(t, client, domain.ChangeOf(domain.Settings{Name: fmt.Sprint("name ", client.Revision())}))
	}
	commit(store, domain.ActionCreate)
	commit(store, domain.ActionUpdate)
	before, err := store.Changes(t.Context(), tenant, "", 10)
	require.NoError(t, err)
	beforeOfAll, err := store.AllChanges(t.Context(), "", 10)
	require.NoError(t, err)
	require.Len(t, beforeOfAll.Revisions, 2)

	conn, err := pgx.Connect(t.Context(), database)
	require.NoError(t, err)
	defer func() { _ = conn.Close(context.Background()) }()
	for _, statement := range []string{`UPDATE feed_epoch SET server = 'another'`, `UPDATE revisions SET xid = (4000000000 - number)::text::xid8`} {
		_, err = conn.Exec(t.Context(), statement)
		require.NoError(t, err)
	}
	there := open(t, database)
	_, err = there.Migrate(t.Context())
	require.NoError(t, err)
	commit(there, domain.ActionUpdate)
	_, err = there.Changes(t.Context(), tenant, before.Next, 10)
	require.ErrorIs(t, err, application.ErrCursor, "the other server's cursor")
	_, err = there.AllChanges(t.Context(), beforeOfAll.Next, 10)
	require.ErrorIs(t, err, application.ErrCursor)
	page, err := there.Changes(t.Context(), tenant, "", 10)
	require.NoError(t, err)
	var numbers []domain.RevisionNumber
	for _, r := range page.Revisions {
		numbers = append(numbers, r.Client.Revision())
	}
	assert.Equal(t, []domain.RevisionNumber{1, 2, 3}, numbers)
	_, err = there.Migrate(t.Context())
	require.NoError(t, err)
	rest, err := there.Changes(t.Context(), tenant, page.Next, 10)
	require.NoError(t, err, "a second migration does not rebase the feed again")
	assert.Empty(t, rest.Revisions)
}
