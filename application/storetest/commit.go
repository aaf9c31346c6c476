package storetest

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

func findCommitted(t *testing.T, store application.Store) {
	client := register(t, tenant, "app-1")
	require.NoError(t, store.Commit(t.Context(), created(client)))

	found, err := store.Find(t.Context(), tenant, "app-1")
	require.NoError(t, err)
	assert.Equal(t, client.State(), found.State())
}

func findWithinTenant(t *testing.T, store application.Store) {
	require.NoError(t, store.Commit(t.Context(), created(register(t, tenant, "app-1"))))

	_, err := store.Find(t.Context(), "tenant_b", "app-1")
	require.ErrorIs(t, err, application.ErrNotFound)
	_, err = store.Find(t.Context(), tenant, "app-2")
	require.ErrorIs(t, err, application.ErrNotFound)
	log, err := store.Revisions(t.Context(), "tenant_b", "app-1", 0, 10)
	require.NoError(t, err)
	assert.Empty(t, log)
}

func updateReplacesClient(t *testing.T, store application.Store) {
	first := register(t, tenant, "app-1")
	second := rename(t, first, "Another")
	require.NoError(t, store.Commit(t.Context(), created(first)))
	require.NoError(t, store.Commit(t.Context(), updated(second)))

	found, err := store.Find(t.Context(), tenant, "app-1")
	require.NoError(t, err)
	assert.Equal(t, second.State(), found.State())
}

func staleRevision(t *testing.T, store application.Store) {
	first := register(t, tenant, "app-1")
	second := rename(t, first, "second")
	third := rename(t, second, "third")
	require.NoError(t, store.Commit(t.Context(), created(first)))

	require.ErrorIs(t, store.Commit(t.Context(), updated(third)), application.ErrConflict, "a revision is missing before it")
	require.NoError(t, store.Commit(t.Context(), updated(second)))
	require.ErrorIs(t, store.Commit(t.Context(), updated(rename(t, first, "other"))), application.ErrConflict)
	for _, stale := range []domain.Client{first, third} {
		require.ErrorIs(t, store.Commit(t.Context(), revisionOf(domain.ActionDelete, deleted(t, stale, now))), application.ErrConflict)
	}

	found, err := store.Find(t.Context(), tenant, "app-1")
	require.NoError(t, err)
	assert.Equal(t, "second", found.Settings().Name)
	log, err := store.Revisions(t.Context(), tenant, "app-1", 0, 10)
	require.NoError(t, err)
	assert.Len(t, log, 2)
}

func identifierIsUnique(t *testing.T, store application.Store) {
	require.NoError(t, store.Commit(t.Context(), created(register(t, tenant, "app-1"))))
	require.ErrorIs(t, store.Commit(t.Context(), created(register(t, tenant, "app-1"))), application.ErrConflict)
	require.NoError(t, store.Commit(t.Context(), created(register(t, "tenant_b", "app-1"))), "identifiers are unique per tenant")
	client, err := store.Find(t.Context(), tenant, "app-1")
	require.NoError(t, err)
	require.NoError(t, store.Commit(t.Context(), revisionOf(domain.ActionDelete, deleted(t, client, now))))
	require.ErrorIs(t, store.Commit(t.Context(), created(register(t, tenant, "app-1"))), application.ErrConflict)

	log, err := store.Revisions(t.Context(), tenant, "app-1", 0, 10)
	require.NoError(t, err)
	assert.Len(t, log, 2)
}

func updateOfUnknownClient(t *testing.T, store application.Store) {
	client := rename(t, register(t, tenant, "app-1"), "Another")
	require.ErrorIs(t, store.Commit(t.Context(), updated(client)), application.ErrConflict)

	log, err := store.Revisions(t.Context(), tenant, "app-1", 0, 10)
	require.NoError(t, err)
	assert.Empty(t, log)
}
