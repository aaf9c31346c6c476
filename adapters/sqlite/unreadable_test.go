package sqlite_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/sqlite"
	"github.com/clientele-oauth/clientele/application/storetest"
)

func TestUnreadableRecords(t *testing.T) {
	storetest.RunUnreadable(t, func(t *testing.T) storetest.Damageable { return migrated(t) })
}

func TestUpgradeOfSecretKeys(t *testing.T) {
	store, err := sqlite.Open(filepath.Join(t.TempDir(), "x.db"))
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, store.Close()) })
	storetest.RunSecretKeysUpgrade(t, store)
}
