package postgres_test

import (
	"context"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/postgres"
	"github.com/clientele-oauth/clientele/adapters/postgres/pgtest"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/application/push"
	"github.com/clientele-oauth/clientele/application/push/pushtest"
	"github.com/clientele-oauth/clientele/application/storetest"
)

var server *pgtest.Server

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m, &server)) }

func open(t *testing.T, url string) *postgres.Store {
	t.Helper()
	store, err := postgres.Open(t.Context(), url, nil)
	require.NoError(t, err)
	t.Cleanup(store.Close)
	return store
}

func migrated(t *testing.T) *postgres.Store {
	t.Helper()
	url, err := server.NewDatabase(t.Context())
	require.NoError(t, err)
	store := open(t, url)
	_, err = store.Migrate(t.Context())
	require.NoError(t, err)
	return store
}

func TestLedger(t *testing.T) {
	pushtest.RunLedger(t, func(t *testing.T) push.Ledger { return migrated(t) })
}

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) application.Store { return migrated(t) })
}

func TestMigratingTwiceTakesNoStep(t *testing.T) {
	steps, err := migrated(t).Migrate(t.Context())
	require.NoError(t, err)
	assert.Zero(t, steps)
}

func TestReplicasMigrateAtOnce(t *testing.T) {
	url, err := server.NewDatabase(t.Context())
	require.NoError(t, err)
	const replicas = 3
	steps := make([]int, replicas)
	errs := make([]error, replicas)
	var group sync.WaitGroup
	for i := range replicas {
		store := open(t, url)
		group.Go(func() { steps[i], errs[i] = store.Migrate(t.Context()) })
	}
	group.Wait()

	total := 0
	for i := range replicas {
		require.NoError(t, errs[i])
		total += steps[i]
	}
	assert.Positive(t, total)
	again, err := open(t, url).Migrate(t.Context())
	require.NoError(t, err)
	assert.Zero(t, again)
}

func TestAServerThatCannotBeReachedIsUnavailable(t *testing.T) {
	store := open(t, "postgres:///none?host="+t.TempDir()+"&user=postgres")
	require.ErrorIs(t, store.Ping(t.Context()), application.ErrUnavailable)
	_, err := store.Find(t.Context(), "tenant", "client")
	require.ErrorIs(t, err, application.ErrUnavailable)
	require.ErrorIs(t, open(t, server.URL("no_such_database")).Ping(t.Context()), application.ErrUnavailable)
}

func TestTheErrorOfAnInvalidURLDoesNotRepeatIt(t *testing.T) {
	_, err := postgres.Open(t.Context(), "postgres://admin:hunter2@host:notaport/db", nil)
	require.Error(t, err)
	assert.NotContains(t, err.Error(), "hunter2")
}

func TestUpgradeFromTheFirstVersion(t *testing.T) {
	url, err := server.NewDatabase(t.Context())
	require.NoError(t, err)
	storetest.RunUpgrade(t, open(t, url))
}

// The schemas that main had before and after the first release, in their order.
func TestUpgradeFromEarlierSchemas(t *testing.T) {
	dump, err := os.ReadFile(filepath.Join("testdata", "first-release.sql"))
	require.NoError(t, err)
	const (
		withoutHome = `DROP TABLE home;`
		withJSONB   = `
			ALTER TABLE clients ALTER COLUMN document TYPE jsonb USING document::jsonb, ALTER COLUMN secrets TYPE jsonb USING secrets::jsonb;
			ALTER TABLE revisions ALTER COLUMN document TYPE jsonb USING document::jsonb;`
	)
	storetest.RunEarlierSchemas(t, []storetest.Schema{
		{Name: "step 2 as it was first", Statement: withoutHome + withJSONB},
		{Name: "step 2 with documents as json", Statement: withoutHome},
		// The migration to these failed, but kept its steps, until step 4 was added.
		{Name: "step 2 as it was first, and later steps", Statement: withoutHome + withJSONB, Steps: []int64{10, 11, 40, 50}},
		{Name: "step 2 with documents as json, and later steps", Statement: withoutHome, Steps: []int64{10, 11, 40, 50}},
		{Name: "with peppers of secrets", Steps: []int64{10, 11}},
		{Name: "with purged changes", Steps: []int64{10, 11, 40}},
		{Name: "with one slot for each transaction", Steps: []int64{10, 11, 40, 50}},
	}, func(t *testing.T) storetest.Loaded {
		url, err := server.NewDatabase(t.Context())
		require.NoError(t, err)
		conn, err := pgx.Connect(t.Context(), url)
		require.NoError(t, err)
		_, err = conn.Exec(t.Context(), string(dump))
		require.NoError(t, err)
		require.NoError(t, conn.Close(t.Context()))
		return open(t, url)
	})
}

// The service needs no more rights than those of the owner of its database.
func TestTheOwnerOfTheDatabaseCanMigrateAndServe(t *testing.T) {
	admin, err := pgx.Connect(t.Context(), server.URL("postgres"))
	require.NoError(t, err)
	defer func() { _ = admin.Close(context.Background()) }()
	for _, statement := range []string{`CREATE ROLE plain LOGIN`, `CREATE DATABASE plain OWNER plain`} {
		_, err = admin.Exec(t.Context(), statement)
		require.NoError(t, err)
	}
	u, err := url.Parse(server.URL("plain"))
	require.NoError(t, err)
	query := u.Query()
	query.Set("user", "plain")
	u.RawQuery = query.Encode()
	store := open(t, u.String())
	_, err = store.Migrate(t.Context())
	require.NoError(t, err)
	_, err = store.List(t.Context(), tenant, application.Query{Limit: 1, Count: true})
	require.NoError(t, err)
}

// Replicas with connections of their own accept a client assertion once together.
func TestReplicasShareTheListOfUsedAssertions(t *testing.T) {
	url, err := server.NewDatabase(t.Context())
	require.NoError(t, err)
	replicas := []*postgres.Store{open(t, url), open(t, url)}
	_, err = replicas[0].Migrate(t.Context())
	require.NoError(t, err)
	now := time.Now()
	use := application.AssertionUse{TenantID: "t", ClientID: "c", Digest: [32]byte{1}, At: now, ExpiresAt: now.Add(time.Minute)}
	errs := make([]error, 32)
	var group sync.WaitGroup
	for i := range errs {
		group.Go(func() { errs[i] = replicas[i%2].UseAssertion(t.Context(), use) })
	}
	group.Wait()
	succeeded := 0
	for _, err := range errs {
		if err == nil {
			succeeded++
		} else {
			require.ErrorIs(t, err, application.ErrReplayed)
		}
	}
	assert.Equal(t, 1, succeeded)
}

func TestRegistrations(t *testing.T) {
	storetest.RunRegistrations(t, func(t *testing.T) storetest.Registrations { return migrated(t) })
}
