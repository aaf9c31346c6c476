package postgres_test

import (
	"testing"

	"github.com/clientele-oauth/clientele/application/storetest"
)

func TestUnreadableRecords(t *testing.T) {
	storetest.RunUnreadable(t, func(t *testing.T) storetest.Damageable { return migrated(t) })
}

func TestUpgradeOfSecretKeys(t *testing.T) {
	storetest.RunSecretKeysUpgrade(t, open(t, newDatabase(t)))
}
