package storetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

func deletedClient(t *testing.T, store application.Store) {
	client := register(t, tenant, "app-1")
	require.NoError(t, store.Commit(t.Context(), created(client)))
	deleted := deleted(t, client, now.Add(time.Hour))
	require.NoError(t, store.Commit(t.Context(), revisionOf(domain.ActionDelete, deleted)))

	found, err := store.Find(t.Context(), tenant, "app-1")
	require.NoError(t, err)
	assert.Equal(t, deleted.State(), found.State(), "including its secrets, because it can be restored")
	for _, q := range []application.Query{{}, {Name: "App"}, {Status: domain.StatusActive}, {UpdatedSince: now}} {
		assert.Empty(t, list(t, store, q).Clients)
	}

	back, findings := restore(t, found, now.Add(2*time.Hour))
	require.False(t, findings.HasViolations())
	require.NoError(t, store.Commit(t.Context(), revisionOf(domain.ActionRestore, back)))
	assert.Equal(t, []string{"app-1"}, ids(list(t, store, application.Query{}).Clients))
}

func purgedClient(t *testing.T, store application.Store) {
	client := register(t, tenant, "app-1")
	require.NoError(t, store.Commit(t.Context(), created(client)))
	other := commitNew(t, store, tenant, "app-2", domain.Change{})
	require.NoError(t, store.NoteSecretUses(t.Context(), []application.SecretUse{{TenantID: tenant, ClientID: "app-1", SecretID: "s", At: now}}))
	deleted := deleted(t, client, now)
	require.NoError(t, store.Commit(t.Context(), revisionOf(domain.ActionDelete, deleted)))
	tombstone := purged(t, deleted, now.Add(time.Hour))
	require.NoError(t, store.Commit(t.Context(), revisionOf(domain.ActionPurge, tombstone)))

	found, err := store.Find(t.Context(), tenant, "app-1")
	require.NoError(t, err)
	assert.Equal(t, tombstone.State(), found.State())
	assert.Empty(t, found.Settings().Name)
	log, err := store.Revisions(t.Context(), tenant, "app-1", 0, 10)
	require.NoError(t, err)
	require.Len(t, log, 1)
	assert.Equal(t, domain.ActionPurge, log[0].Action)
	assert.Equal(t, domain.RevisionNumber(3), log[0].Client.Revision())
	used, err := store.SecretUses(t.Context(), tenant, "app-1")
	require.NoError(t, err)
	assert.Empty(t, used)
	log, err = store.Revisions(t.Context(), tenant, other.Identity().ClientID, 0, 10)
	require.NoError(t, err)
	assert.Len(t, log, 1, "the history of another client")
	assert.ErrorIs(t, store.Commit(t.Context(), created(client)), application.ErrConflict, "the identifier stays reserved")
}

func purgeableClients(t *testing.T, store application.Store) {
	for i, id := range []domain.ClientID{"app-1", "app-2", "app-3"} {
		client := commitNew(t, store, tenant, id, domain.Change{})
		if i < 2 {
			require.NoError(t, store.Commit(t.Context(), revisionOf(domain.ActionDelete, deleted(t, client, now.Add(time.Duration(i)*time.Hour)))))
		}
	}
	find := func(before time.Time, limit int) []string {
		clients, _, err := store.Purgeable(t.Context(), before, limit)
		require.NoError(t, err)
		return ids(clients)
	}
	assert.Empty(t, find(now, 10))
	assert.Equal(t, []string{"app-1"}, find(now.Add(time.Minute), 10))
	assert.Equal(t, []string{"app-1", "app-2"}, find(now.Add(2*time.Hour), 10))
	assert.Len(t, find(now.Add(2*time.Hour), 1), 1)
	client, err := store.Find(t.Context(), tenant, "app-1")
	require.NoError(t, err)
	require.NoError(t, store.Commit(t.Context(), revisionOf(domain.ActionPurge, purged(t, client, now))))
	assert.Equal(t, []string{"app-2"}, find(now.Add(2*time.Hour), 10))
}
