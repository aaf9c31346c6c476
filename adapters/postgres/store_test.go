package postgres_test

import (
	"context"
	"net/url"
	"os"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/postgres"
	"github.com/clientele-oauth/clientele/adapters/postgres/pgtest"
	"github.com/clientele-oauth/clientele/application"
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

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) application.Store { return migrated(t) })
}

func TestMigratingTwiceTakesNoFurtherStep(t *testing.T) {
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

func TestAServerThatIsAwayIsUnavailable(t *testing.T) {
	store := open(t, "postgres:///none?host="+t.TempDir()+"&user=postgres")
	require.ErrorIs(t, store.Ping(t.Context()), application.ErrUnavailable)
	_, err := store.Find(t.Context(), "tenant", "client")
	require.ErrorIs(t, err, application.ErrUnavailable)
	require.ErrorIs(t, open(t, server.URL("no_such_database")).Ping(t.Context()), application.ErrUnavailable)
}

func TestAnUnreadableURLIsRefusedWithoutRepeatingIt(t *testing.T) {
	_, err := postgres.Open(t.Context(), "postgres://admin:hunter2@host:notaport/db", nil)
	require.Error(t, err)
	assert.NotContains(t, err.Error(), "hunter2")
}

func TestUpgradeFromTheFirstVersion(t *testing.T) {
	url, err := server.NewDatabase(t.Context())
	require.NoError(t, err)
	storetest.RunUpgrade(t, open(t, url))
}

// The service's account need not be more than the owner of its database.
func TestAnOrdinaryOwnerCanMigrateAndServe(t *testing.T) {
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
