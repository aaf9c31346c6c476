//go:build acceptance

package push_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/postgres"
	"github.com/clientele-oauth/clientele/adapters/postgres/pgtest"
)

// TestMain runs the tests of the worker also on PostgreSQL.
func TestMain(m *testing.M) {
	var server *pgtest.Server
	postgresStore = func(t *testing.T) store {
		url, err := server.NewDatabase(t.Context())
		require.NoError(t, err)
		store, err := postgres.Open(t.Context(), url, nil)
		require.NoError(t, err)
		t.Cleanup(store.Close)
		_, err = store.Migrate(t.Context())
		require.NoError(t, err)
		return store
	}
	os.Exit(pgtest.Main(m, &server))
}
