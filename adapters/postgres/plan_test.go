package postgres_test

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
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

// recorder records the statements that a store sends.
type recorder struct {
	mu         sync.Mutex
	statements []sent
}

type sent struct {
	text string
	args []any
}

func (r *recorder) note(text string, args []any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if text != "" {
		r.statements = append(r.statements, sent{text, args})
	}
}

func (r *recorder) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	r.note(data.SQL, data.Args)
	return ctx
}

func (*recorder) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func (*recorder) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	return ctx
}

func (r *recorder) TraceBatchQuery(_ context.Context, _ *pgx.Conn, data pgx.TraceBatchQueryData) {
	r.note(data.SQL, data.Args)
}

func (*recorder) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData) {}

// grown is a registry that has grown from nothing to 30,000 clients without statistics.
type grown struct {
	name string
	fill []string
}

// grownRegistries returns a registry of one tenant, and one of many tenants of which one is
// large and one is small.
func grownRegistries() []grown {
	fill := func(tenantOf string) []string {
		return []string{
			`ALTER TABLE clients DISABLE TRIGGER USER`,
			`INSERT INTO clients (client_id, tenant_id, revision, document, secrets, name, status, facets)
			SELECT 'app-' || lpad(n::text, 7, '0'), ` + tenantOf + `, 1, '{"name": "x"}', '[]', 'application ' || md5(n::text), 'active',
				ARRAY['status:active', 'grant_type:authorization_code', 'scope:openid', 'client_auth_method:private_key_jwt',
					CASE WHEN n % 200 = 0 THEN 'scope:rare' ELSE 'scope:frequent' END,
					CASE WHEN n % 3 = 0 THEN 'fapi_profile:fapi2' ELSE 'fapi_profile:fapi1' END, 'redirect_host:h' || n / 10 || '.example.com']
			FROM generate_series(1, 30000) n`,
			`INSERT INTO revisions (client_id, number, tenant_id, at, action, actor, document)
			SELECT client_id, number, tenant_id, timestamptz '2026-01-01' + n * interval '1 second' + number * interval '1 day', 'create', 'x', '{}'
			FROM clients, generate_series(1, 2) AS number, LATERAL (SELECT substr(client_id, 5)::int AS n) AS numbers ORDER BY number, n`,
			`INSERT INTO client_counts SELECT tenant_id, status, 0, count(*) FROM clients GROUP BY tenant_id, status`,
			`ALTER TABLE clients ENABLE TRIGGER USER`,
		}
	}
	return []grown{
		{"one tenant", fill(`'large'`)},
		{"many tenants", fill(`CASE WHEN n % 3 = 0 THEN 'large' WHEN n % 100 = 1 THEN 'small' ELSE 'tenant_' || n % 200 END`)},
	}
}

// reads returns the reads of a store that return many clients or revisions, by name.
func reads() map[string]func(ctx context.Context, s *postgres.Store, of domain.TenantID) (int, error) {
	all := map[string]func(ctx context.Context, s *postgres.Store, of domain.TenantID) (int, error){
		"revisions": func(ctx context.Context, s *postgres.Store, of domain.TenantID) (int, error) {
			found, err := s.Revisions(ctx, of, "app-0000300", 0, 20)
			return len(found), err
		},
		"feed from the beginning": func(ctx context.Context, s *postgres.Store, of domain.TenantID) (int, error) {
			found, err := s.Changes(ctx, of, "", 100)
			return len(found.Revisions), err
		},
		"feed after a list": func(ctx context.Context, s *postgres.Store, of domain.TenantID) (int, error) {
			page, err := s.List(ctx, of, application.Query{Limit: 1})
			if err != nil {
				return 0, err
			}
			found, err := s.Changes(ctx, of, page.Changes, 100)
			return len(found.Revisions), err
		},
		"feed of all from the beginning": func(ctx context.Context, s *postgres.Store, _ domain.TenantID) (int, error) {
			found, err := s.AllChanges(ctx, "", 100)
			return len(found.Revisions), err
		},
		"feed of all after a list": func(ctx context.Context, s *postgres.Store, _ domain.TenantID) (int, error) {
			page, err := s.ListAll(ctx, application.ClientKey{}, 1)
			if err != nil {
				return 0, err
			}
			found, err := s.AllChanges(ctx, page.Changes, 100)
			return len(found.Revisions), err
		},
		"list of all": func(ctx context.Context, s *postgres.Store, of domain.TenantID) (int, error) {
			page, err := s.ListAll(ctx, application.ClientKey{TenantID: of, ClientID: "app-0000300"}, 100)
			return len(page.Clients), err
		},
		"secret ends": func(ctx context.Context, s *postgres.Store, _ domain.TenantID) (int, error) {
			ends, err := s.SecretEnds(ctx, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), 100)
			return len(ends), err
		},
		"lag of the feed": func(ctx context.Context, s *postgres.Store, _ domain.TenantID) (int, error) {
			_, err := s.FeedLag(ctx)
			return 0, err
		},
	}
	for name, q := range map[string]application.Query{
		"all":                       {},
		"behind a cursor":           {After: "app-0015000"},
		"with a total":              {Count: true},
		"deep page":                 {Count: true, Offset: 5000},
		"status":                    {Status: domain.StatusActive, Count: true},
		"status behind a cursor":    {Status: domain.StatusActive, After: "app-0015000"},
		"many matches":              {Scope: "openid"},
		"half of all":               {Profile: "fapi2"},
		"many matches, with total":  {Scope: "openid", Count: true},
		"some matches":              {Scope: "rare"},
		"some, behind a cursor":     {Scope: "rare", After: "app-0015000"},
		"few matches":               {RedirectHost: "h77.example.com", Status: domain.StatusActive, Count: true},
		"no match":                  {Scope: "none"},
		"rare part of a name":       {Name: "C4CA4238A0B9", Count: true},
		"frequent part of a name":   {Name: "application"},
		"short part of a name":      {Name: "ap"},
		"name and facets":           {Name: "application", Scope: "openid", Profile: "fapi1"},
		"recently updated":          {UpdatedSince: time.Date(2026, 1, 3, 8, 10, 0, 0, time.UTC)},
		"updated since long ago":    {UpdatedSince: time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)},
		"updated since, with facet": {UpdatedSince: time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC), Scope: "openid", Count: true},
	} {
		q.Limit = 100
		all["list: "+name] = func(ctx context.Context, s *postgres.Store, of domain.TenantID) (int, error) {
			page, err := s.List(ctx, of, q)
			return 1000*len(page.Clients) + page.Total, err
		}
	}
	return all
}

// plans runs a read, and returns the plans that its statements have in a transaction of
// their own, and the result of the read.
func plans(t *testing.T, conn *pgx.Conn, s *postgres.Store, r *recorder, explain string,
	read func(context.Context, *postgres.Store, domain.TenantID) (int, error), of domain.TenantID,
) (plan string, found int) {
	t.Helper()
	r.statements = nil
	found, err := read(t.Context(), s, of)
	require.NoError(t, err)
	tx, err := conn.Begin(t.Context())
	require.NoError(t, err)
	defer func() { _ = tx.Rollback(t.Context()) }()
	var lines []string
	for _, statement := range r.statements {
		if strings.HasPrefix(statement.text, "SELECT set_config") {
			_, err := tx.Exec(t.Context(), statement.text)
			require.NoError(t, err)
			continue
		}
		rows, err := tx.Query(t.Context(), explain+statement.text, append([]any{pgx.QueryExecModeExec}, statement.args...)...)
		require.NoError(t, err)
		more, err := pgx.CollectRows(rows, pgx.RowTo[string])
		require.NoError(t, err, statement.text)
		lines = append(lines, more...)
	}
	return strings.Join(lines, "\n"), found
}

var (
	planned = regexp.MustCompile(`(?m)^Planning Time.*|^Execution Time.*|\(actual[^)]*\)|\(never executed\)`)
	visited = regexp.MustCompile(`rows=(\d+) loops=(\d+)`)
)

// rowsVisited returns how many rows the largest step of a plan returned or removed.
func rowsVisited(t *testing.T, plan string) int {
	t.Helper()
	most := rowsRemoved(t, plan)
	for _, found := range visited.FindAllStringSubmatch(plan, -1) {
		rows, err := strconv.Atoi(found[1])
		require.NoError(t, err)
		loops, err := strconv.Atoi(found[2])
		require.NoError(t, err)
		most = max(most, rows*loops)
	}
	return most
}

// A registry that has just grown has no statistics, and the planner then expects a few rows
// of each tenant. The plans must be the same as with statistics, and visit no more rows.
func TestPlansDoNotDependOnStatistics(t *testing.T) {
	for _, registry := range grownRegistries() {
		t.Run(registry.name, func(t *testing.T) {
			database := newDatabase(t, `ALTER TABLE clients SET (autovacuum_enabled = off)`, `ALTER TABLE revisions SET (autovacuum_enabled = off)`,
				`ALTER TABLE client_counts SET (autovacuum_enabled = off)`)
			conn, err := pgx.Connect(t.Context(), database)
			require.NoError(t, err)
			defer func() { _ = conn.Close(context.Background()) }()
			r := &recorder{}
			store, err := postgres.Open(t.Context(), withConnections(t, database, 1), r)
			require.NoError(t, err)
			t.Cleanup(store.Close)
			for _, read := range reads() { // fills the store's caches
				for range 7 { // and makes generic plans while the tables are empty
					plans(t, conn, store, r, "EXPLAIN (COSTS OFF) ", read, "large")
				}
			}
			for _, statement := range registry.fill {
				_, err := conn.Exec(t.Context(), statement)
				require.NoError(t, err)
			}
			type result struct {
				plan    string
				visited int
				found   int
			}
			seen := map[string]result{}
			for _, analyzed := range []bool{false, true} {
				if analyzed {
					_, err := conn.Exec(t.Context(), `ANALYZE`)
					require.NoError(t, err)
				}
				for name, read := range reads() {
					for _, of := range []domain.TenantID{"large", "small"} {
						key := fmt.Sprintf("%s of tenant %s", name, of)
						plan, found := plans(t, conn, store, r, "EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) ", read, of)
						assert.NotRegexp(t, `Seq Scan on (clients|revisions|purged_changes)`, plan, key)
						if !analyzed {
							seen[key] = result{plan, rowsVisited(t, plan), found}
							continue
						}
						before := seen[key]
						assert.Equal(t, before.found, found, key)
						assert.LessOrEqual(t, before.visited, 2*rowsVisited(t, plan)+100, "%s: without statistics\n%s\nwith\n%s", key, before.plan, plan)
						if name != "lag of the feed" { // which sorts or hashes the few tenants
							assert.Equal(t, nodes(before.plan), nodes(plan), key)
						}
					}
				}
			}
			for name, most := range map[string]int{ // far fewer than the clients of the tenant
				"list: all": 300, "list: behind a cursor": 300, "list: with a total": 300, "list: status": 1100, "list: status behind a cursor": 1100,
				"list: many matches": 1100, "list: half of all": 1100, "list: few matches": 300, "list: rare part of a name": 300,
				"feed from the beginning": 300, "feed after a list": 300, "revisions": 300,
				"feed of all from the beginning": 300, "feed of all after a list": 300, "list of all": 300, "secret ends": 300,
			} {
				assert.LessOrEqual(t, seen[name+" of tenant large"].visited, most, "%s: %s", name, seen[name+" of tenant large"].plan)
			}
		})
	}
}

// nodes returns the joins, sorts and scans of a plan, with the index and condition of each
// scan. It does not distinguish bitmap scans, which read the same rows.
func nodes(plan string) string {
	var kept []string
	for line := range strings.Lines(planned.ReplaceAllString(plan, "")) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "Index Cond") || strings.HasPrefix(line, "Cache") {
			kept = append(kept, line)
		} else if found := step.FindString(line); found != "" {
			kept = append(kept, strings.Replace(found, "Bitmap Index Scan on", "Index Scan using", 1))
		}
	}
	return strings.Join(kept, "\n")
}

var step = regexp.MustCompile(`Bitmap Index Scan on \w+|Index (Only )?Scan( Backward)? using \w+|Seq Scan on (clients|revisions)\w*|Sort$|Sort\b.*|\w+ Join|Nested Loop|BitmapAnd`)

func TestListsDoNotUseAllConnections(t *testing.T) {
	store := open(t, withConnections(t, newDatabase(t), 4))
	release := store.HoldLists()
	defer release()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := store.List(ended, "large", application.Query{Limit: 1})
	require.ErrorIs(t, err, application.ErrUnavailable)
	require.NoError(t, store.Ping(t.Context()))
	_, err = store.Find(t.Context(), "large", "app-1")
	require.ErrorIs(t, err, application.ErrNotFound)
	_, err = store.Changes(t.Context(), "large", "", 1)
	require.NoError(t, err)
}

func TestListsUseThreeQuartersOfTheConnections(t *testing.T) {
	for connections, want := range map[int]int{1: 1, 2: 1, 4: 3, 16: 12} {
		assert.Equal(t, want, open(t, withConnections(t, server.URL("postgres"), connections)).MaxLists(), "%d connections", connections)
	}
}
