package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/postgres"
	"github.com/clientele-oauth/clientele/adapters/postgres/pgtest"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/application/storetest"
	"github.com/clientele-oauth/clientele/domain"
)

// A database that is copied on its server shares the transactions, and so the positions,
// with the original up to the copy.
func TestCursorsProveTheirHistory(t *testing.T) {
	urls := map[application.Store]string{}
	openAt := func(t *testing.T, url string) application.Store {
		store := open(t, url)
		_, err := store.Migrate(t.Context())
		require.NoError(t, err)
		urls[store] = url
		return store
	}
	storetest.RunForks(t, 10,
		func(t *testing.T) application.Store {
			database, err := server.NewDatabase(t.Context())
			require.NoError(t, err)
			return openAt(t, database)
		},
		func(t *testing.T, store application.Store) (same, restored application.Store) {
			original := urls[store]
			store.(*postgres.Store).Close()
			u, err := url.Parse(original)
			require.NoError(t, err)
			name := strings.TrimPrefix(u.Path, "/")
			u.Path += "_copy"
			require.NoError(t, server.Execute(t.Context(), fmt.Sprintf(`CREATE DATABASE %s_copy TEMPLATE %s STRATEGY file_copy`, name, name)))
			return openAt(t, original), openAt(t, u.String())
		})
}

// own starts a server that only this test uses.
func own(t *testing.T, settings ...string) *pgtest.Server {
	t.Helper()
	s, err := pgtest.StartOwn(t.Context(), append(settings, "fsync=off", "max_connections=50")...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Stop()) })
	return s
}

// fork is a history that forks, and a reader with cursors from before and after the fork.
// After the fork the client was changed in one of the two histories.
type fork struct {
	store  *postgres.Store
	client domain.Client
	common cursors // behind an entry of both histories
	lost   cursors // behind an entry that only one history has
}

// cursors are those of a reader of the tenant's feed and of one of the feed of all tenants.
type cursors struct{ tenant, all application.Cursor }

// read reads both feeds.
func (f *fork) read(t *testing.T, from cursors) (ofTenant, ofAll application.Changes, err error) {
	t.Helper()
	ofTenant, err = f.store.Changes(t.Context(), tenant, from.tenant, 100)
	ofAll, errAll := f.store.AllChanges(t.Context(), from.all, 100)
	require.Equal(t, err == nil, errAll == nil, "%v, %v", err, errAll)
	require.Equal(t, errors.Is(err, application.ErrCursor), errors.Is(errAll, application.ErrCursor), "%v, %v", err, errAll)
	return ofTenant, ofAll, err
}

// requireRejected requires that both cursors are rejected.
func (f *fork) requireRejected(t *testing.T, lost cursors) {
	t.Helper()
	_, _, err := f.read(t, lost)
	require.ErrorIs(t, err, application.ErrCursor)
}

// named commits a revision of the fork's client with that name.
func (f *fork) named(t *testing.T, name string) {
	t.Helper()
	action := domain.ActionUpdate
	if f.client.Revision() == 0 {
		change := domain.ChangeOf(domain.Settings{Name: name, RedirectURIs: []domain.RedirectURI{"https://app.example.com/cb"}})
		f.client = newBook(t).Register(domain.Identity{ID: "1", TenantID: tenant, ClientID: "app-1"}, change).Decide(domain.Facts{}, now).Client
		action = domain.ActionCreate
	} else {
		f.client = revised(t, f.client, domain.ChangeOf(domain.Settings{Name: name}))
	}
	r := domain.Revision{Action: action, At: now, Client: f.client, RequestID: name}
	require.Eventually(t, func() bool { // until the store has found the server that accepts writes
		return f.store.Commit(t.Context(), r) == nil
	}, 30*time.Second, 10*time.Millisecond)
}

// end returns the cursors of readers that have read everything.
func (f *fork) end(t *testing.T) cursors {
	t.Helper()
	ofTenant, ofAll, err := f.read(t, cursors{})
	require.NoError(t, err)
	require.Len(t, ofTenant.Revisions, int(f.client.Revision()), "nothing is held back")
	require.Len(t, ofAll.Revisions, int(f.client.Revision()))
	return cursors{ofTenant.Next, ofAll.Next}
}

// before commits the part of both histories.
func (f *fork) before(t *testing.T) {
	t.Helper()
	_, err := f.store.Migrate(t.Context())
	require.NoError(t, err)
	f.named(t, "first")
	f.common = f.end(t)
	f.named(t, "second")
}

// after commits the part that is lost.
func (f *fork) after(t *testing.T) {
	t.Helper()
	for i := range 5 {
		f.named(t, fmt.Sprint("lost ", i))
	}
	f.lost = f.end(t)
}

// requireProof requires that the store now has the other history, in which the client is
// still at its second revision, rejects the lost cursor, and continues from the common one.
func (f *fork) requireProof(t *testing.T) {
	t.Helper()
	state := f.client.State()
	state.Revision = 2
	f.client = domain.Restore(state)
	for i := range 12 { // until it has passed every number of the lost part
		f.named(t, fmt.Sprint("restored ", i))
		f.requireRejected(t, f.lost)
	}
	ofTenant, ofAll, err := f.read(t, f.common)
	require.NoError(t, err)
	want := []string{"second"}
	for i := range 12 {
		want = append(want, fmt.Sprint("restored ", i))
	}
	require.Equal(t, want, namesIn(ofTenant))
	require.Equal(t, want, namesIn(ofAll))
}

// namesIn returns the request IDs of changes.
func namesIn(page application.Changes) []string {
	names := []string{}
	for _, r := range page.Revisions {
		names = append(names, r.RequestID)
	}
	return names
}

func database(t *testing.T, s *pgtest.Server) string {
	t.Helper()
	created, err := s.NewDatabase(t.Context())
	require.NoError(t, err)
	return created
}

// on returns the URL of the database on other servers.
func on(t *testing.T, database string, servers ...*pgtest.Server) string {
	t.Helper()
	u, err := url.Parse(database)
	require.NoError(t, err)
	var hosts []string
	for _, s := range servers {
		hosts = append(hosts, s.Socket())
	}
	query := u.Query()
	query.Set("host", strings.Join(hosts, ","))
	u.RawQuery = query.Encode()
	return u.String()
}

// The files of the server are copied while it is down. It continues and is lost, and the
// copy replaces it while the service keeps running.
func TestACursorAfterAPhysicalCopyWasRestored(t *testing.T) {
	original := own(t)
	url := database(t, original)
	original.Crash()
	require.NoError(t, original.Launch(t.Context()))
	f := &fork{store: open(t, url)}
	f.before(t)
	original.Crash()
	restored, err := original.Copy(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, restored.Stop()) })

	running := open(t, on(t, url, original, restored))
	require.NoError(t, original.Launch(t.Context()))
	f.store = running
	f.after(t)
	original.Crash()
	require.NoError(t, restored.Launch(t.Context()))
	f.requireProof(t)

	f.store = open(t, on(t, url, restored))
	_, err = f.store.Migrate(t.Context())
	require.NoError(t, err)
	f.requireRejected(t, f.lost) // also after a restart
}

// A standby that replicates asynchronously is disconnected. Its primary continues and is
// lost, and the standby is promoted while the service keeps running.
func TestACursorAfterALaggingStandbyWasPromoted(t *testing.T) {
	primary := own(t)
	url := database(t, primary)
	standby, err := primary.Standby(t.Context(), "standby")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, standby.Stop()) })
	f := &fork{store: open(t, on(t, url, primary, standby))}
	f.before(t)

	conn, err := pgx.Connect(t.Context(), on(t, url, standby))
	require.NoError(t, err)
	defer func() { _ = conn.Close(context.Background()) }()
	require.Eventually(t, func() bool {
		var there int
		err := conn.QueryRow(t.Context(), `SELECT count(*) FROM revisions`).Scan(&there)
		return err == nil && there == 2
	}, 30*time.Second, time.Millisecond, "the standby has the common part")
	require.NoError(t, standby.Execute(t.Context(), `ALTER SYSTEM SET primary_conninfo = ''`))
	require.NoError(t, standby.Execute(t.Context(), `SELECT pg_reload_conf()`))
	require.Eventually(t, func() bool {
		var receivers int
		err := conn.QueryRow(t.Context(), `SELECT count(*) FROM pg_stat_wal_receiver`).Scan(&receivers)
		return err == nil && receivers == 0
	}, 30*time.Second, time.Millisecond, "and receives nothing more")

	f.after(t)
	primary.Crash()
	require.NoError(t, standby.Promote(t.Context()))
	f.requireProof(t)
}

// A base backup is recovered to a point in time before the end.
func TestACursorAfterPointInTimeRecovery(t *testing.T) {
	original := own(t)
	url := database(t, original)
	f := &fork{store: open(t, url)}
	recovered, err := original.RecoverTo(t.Context(), "here", func() error {
		f.before(t)
		if err := original.Execute(t.Context(), `SELECT pg_create_restore_point('here')`); err != nil {
			return err
		}
		f.after(t)
		return original.Execute(t.Context(), `SELECT pg_switch_wal()`)
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, recovered.Stop()) })
	require.NoError(t, recovered.AwaitWrites(t.Context()))
	f.store = open(t, on(t, url, recovered))
	f.requireProof(t)
}

// A dump is loaded into another server, whose transactions have other numbers. No position
// of the old server is valid on the new one.
func TestACursorAfterADumpWasLoadedElsewhere(t *testing.T) {
	original := own(t)
	url := database(t, original)
	f := &fork{store: open(t, url)}
	f.before(t)
	file := filepath.Join(original.Socket(), "dump")
	require.NoError(t, original.Tool(t.Context(), "pg_dump", "--format=custom", "--file", file, url))
	f.after(t)

	other := own(t)
	elsewhere := database(t, other)
	require.NoError(t, other.Tool(t.Context(), "pg_restore", "--no-owner", "--dbname", elsewhere, file))
	f.store = open(t, elsewhere)
	_, _, err := f.read(t, f.common)
	require.ErrorIs(t, err, application.ErrUnavailable, "no request can be served before the migration")
	require.ErrorContains(t, err, "clientele migrate")
	_, err = f.store.Migrate(t.Context())
	require.NoError(t, err)
	f.requireRejected(t, f.common)
	f.requireRejected(t, f.lost)
	ofTenant, ofAll, err := f.read(t, cursors{})
	require.NoError(t, err)
	f.common = cursors{ofTenant.After[0], ofAll.After[0]}
	f.requireProof(t)
}

// A dump of another copy of the same server has the same system identifier, and transaction
// numbers that this server has not assigned yet.
func TestACursorAfterADumpOfAnotherCopyOfTheServer(t *testing.T) {
	original := own(t)
	url := database(t, original)
	f := &fork{store: open(t, url)}
	original.Crash()
	older, err := original.Copy(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, older.Stop()) })
	require.NoError(t, original.Launch(t.Context()))
	require.NoError(t, original.Execute(t.Context(), `DO $$ BEGIN
		FOR i IN 1..2000 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP;
	END $$`))
	f.before(t)
	f.after(t)
	file := filepath.Join(original.Socket(), "dump")
	require.NoError(t, original.Tool(t.Context(), "pg_dump", "--format=custom", "--file", file, url))

	require.NoError(t, older.Launch(t.Context()))
	elsewhere := on(t, url, older)
	require.NoError(t, older.Tool(t.Context(), "pg_restore", "--no-owner", "--dbname", elsewhere, file))
	f.store = open(t, elsewhere)
	_, err = f.store.Migrate(t.Context())
	require.NoError(t, err)
	require.Len(t, f.names(t), 7, "no entry is held back until the server has assigned its number")
	f.requireRejected(t, f.lost)
	f.named(t, "last")
	require.Equal(t, "last", f.names(t)[7], "later entries follow")
}

// names returns the request IDs of the whole feed, which both feeds have.
func (f *fork) names(t *testing.T) []string {
	t.Helper()
	ofTenant, ofAll, err := f.read(t, cursors{})
	require.NoError(t, err)
	require.Equal(t, namesIn(ofTenant), namesIn(ofAll))
	return namesIn(ofTenant)
}
