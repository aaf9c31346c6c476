package sqlite_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/sqlite"
	"github.com/clientele-oauth/clientele/adapters/storetest"
	"github.com/clientele-oauth/clientele/application"
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

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) application.Store { return migrated(t) })
}

func TestMigratingTwiceTakesNoFurtherStep(t *testing.T) {
	steps, err := migrated(t).Migrate(t.Context())
	require.NoError(t, err)
	assert.Zero(t, steps)
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
