package sqlite_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/sqlite"
)

// Only the owner can read the files of a store, also those that were created with other
// permissions before.
func TestTheFilesOfAStoreArePrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	for _, name := range []string{path, path + "-wal"} {
		require.NoError(t, os.WriteFile(name, nil, 0o600))
		require.NoError(t, os.Chmod(name, 0o644))
	}
	store, err := sqlite.Open(path)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, store.Close()) })
	_, err = store.Migrate(t.Context())
	require.NoError(t, err)
	files, err := filepath.Glob(path + "*")
	require.NoError(t, err)
	require.Len(t, files, 4, "the database, its log, the index of that, the lock of migrations")
	for _, name := range files {
		info, err := os.Stat(name)
		require.NoError(t, err)
		assert.Equal(t, os.FileMode(0o600), info.Mode().Perm(), name)
	}
}
