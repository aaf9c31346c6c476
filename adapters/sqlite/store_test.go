package sqlite_test

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/gofrs/flock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/sqlite"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/application/push"
	"github.com/clientele-oauth/clientele/application/push/pushtest"
	"github.com/clientele-oauth/clientele/application/storetest"
)

func open(t *testing.T) *sqlite.Store {
	t.Helper()
	store, err := sqlite.Open(filepath.Join(t.TempDir(), "a folder? with #signs%41", "x.db"))
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, store.Close()) })
	return store
}

func migrated(t *testing.T) *sqlite.Store {
	t.Helper()
	store, err := sqlite.Open(filepath.Join(t.TempDir(), "what? #1%41.db"))
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, store.Close()) })
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

func TestProcessesMigrateAtOnce(t *testing.T) {
	for range 20 {
		path := filepath.Join(t.TempDir(), "x.db")
		const processes = 4
		steps := make([]int, processes)
		errs := make([]error, processes)
		var group sync.WaitGroup
		for i := range processes {
			store, err := sqlite.Open(path)
			require.NoError(t, err)
			t.Cleanup(func() { assert.NoError(t, store.Close()) })
			group.Go(func() { steps[i], errs[i] = store.Migrate(t.Context()) })
		}
		group.Wait()

		migrating := 0
		for i := range processes {
			require.NoError(t, errs[i])
			if steps[i] > 0 {
				migrating++
			}
		}
		assert.Equal(t, 1, migrating, "one process runs all steps, the others none")
	}
}

func TestMigrateStopsWaitingWhenItsContextEnds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	other := flock.New(path + ".migrating")
	require.NoError(t, other.Lock())
	t.Cleanup(func() { assert.NoError(t, other.Close()) })
	store, err := sqlite.Open(path)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, store.Close()) })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = store.Migrate(ctx)
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

func TestAFileThatCannotBeOpenedIsUnavailable(t *testing.T) {
	require.ErrorIs(t, open(t).Ping(t.Context()), application.ErrUnavailable)
}

func TestUpgradeFromTheFirstVersion(t *testing.T) {
	store, err := sqlite.Open(filepath.Join(t.TempDir(), "x.db"))
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, store.Close()) })
	storetest.RunUpgrade(t, store)
}

// The schemas that main had after the first release, in their order.
func TestUpgradeFromEarlierSchemas(t *testing.T) {
	dump, err := os.ReadFile(filepath.Join("testdata", "first-release.sql"))
	require.NoError(t, err)
	storetest.RunEarlierSchemas(t, []storetest.Schema{
		{Name: "with peppers of secrets", Steps: []int64{10}},
		{Name: "with times of updates", Steps: []int64{10, 30}},
		{Name: "with purged changes", Steps: []int64{10, 30, 40}},
	}, func(t *testing.T) storetest.Loaded {
		path := filepath.Join(t.TempDir(), "x.db")
		db, err := sql.Open("sqlite", path)
		require.NoError(t, err)
		_, err = db.ExecContext(t.Context(), string(dump))
		require.NoError(t, err)
		require.NoError(t, db.Close())
		store, err := sqlite.Open(path)
		require.NoError(t, err)
		t.Cleanup(func() { assert.NoError(t, store.Close()) })
		return store
	})
}

func TestRegistrations(t *testing.T) {
	storetest.RunRegistrations(t, func(t *testing.T) storetest.Registrations { return migrated(t) })
}
