package sqlite_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/sqlite"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/application/storetest"
)

// A file that is restored from an older copy continues from that copy.
func TestCursorsProveTheirHistory(t *testing.T) {
	paths := map[application.Store]string{}
	openAt := func(t *testing.T, path string) application.Store {
		store, err := sqlite.Open(path)
		require.NoError(t, err)
		t.Cleanup(func() { assert.NoError(t, store.Close()) })
		_, err = store.Migrate(t.Context())
		require.NoError(t, err)
		paths[store] = path
		return store
	}
	storetest.RunForks(t, 10,
		func(t *testing.T) application.Store { return openAt(t, filepath.Join(t.TempDir(), "x.db")) },
		func(t *testing.T, store application.Store) (same, restored application.Store) {
			require.NoError(t, store.(*sqlite.Store).Close())
			content, err := os.ReadFile(paths[store])
			require.NoError(t, err)
			backup := filepath.Join(t.TempDir(), "backup.db")
			require.NoError(t, os.WriteFile(backup, content, 0o600))
			return openAt(t, paths[store]), openAt(t, backup)
		})
}
