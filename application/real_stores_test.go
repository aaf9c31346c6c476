//go:build acceptance

package application_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/postgres"
	"github.com/clientele-oauth/clientele/adapters/postgres/pgtest"
	"github.com/clientele-oauth/clientele/adapters/sqlite"
	"github.com/clientele-oauth/clientele/application"
)

// TestMain runs the tests of the use cases also on SQLite and PostgreSQL, where commits
// are transactions that can overlap, lose a race, or hold back the feed.
func TestMain(m *testing.M) {
	var server *pgtest.Server
	realStores = map[string]func(*testing.T) application.Store{
		"sqlite": func(t *testing.T) application.Store {
			store, err := sqlite.Open(filepath.Join(t.TempDir(), "test.db"))
			require.NoError(t, err)
			t.Cleanup(func() { assert.NoError(t, store.Close()) })
			_, err = store.Migrate(t.Context())
			require.NoError(t, err)
			return store
		},
		"postgres": func(t *testing.T) application.Store {
			url, err := server.NewDatabase(t.Context())
			require.NoError(t, err)
			store, err := postgres.Open(t.Context(), url, nil)
			require.NoError(t, err)
			t.Cleanup(store.Close)
			_, err = store.Migrate(t.Context())
			require.NoError(t, err)
			return store
		},
	}
	os.Exit(pgtest.Main(m, &server))
}
