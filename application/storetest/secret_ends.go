package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// rotated returns the next revision of a client, whose secrets end after the grace period.
func rotated(t *testing.T, c domain.Client, grace time.Duration) domain.Client {
	t.Helper()
	secret := domain.Secret{ID: fmt.Sprint("rotated-", c.Revision()), Hash: []byte{1}, CreatedAt: now, UpdatedAt: now}
	next, err := c.RotateSecret(secret, grace, now)
	require.NoError(t, err)
	return next
}

// commitRotated registers a client and rotates its secret.
func commitRotated(t *testing.T, store application.Store, of domain.TenantID, id domain.ClientID, grace time.Duration) domain.Client {
	t.Helper()
	client := register(t, of, id)
	require.NoError(t, store.Commit(t.Context(), created(client)))
	client = rotated(t, client, grace)
	require.NoError(t, store.Commit(t.Context(), revisionOf(domain.ActionRotateSecret, client)))
	return client
}

// ended returns the keys of the clients of which SecretEnds knows that a secret has ended.
func ended(t *testing.T, store application.Store, at time.Time, limit int) []string {
	t.Helper()
	ends, err := store.SecretEnds(t.Context(), at, limit)
	require.NoError(t, err)
	keys := []string{}
	for _, end := range ends {
		if end.Known {
			keys = append(keys, keysOf([]domain.Client{end.Client})...)
		}
	}
	return keys
}

func secretEnds(t *testing.T, store application.Store) {
	commitNew(t, store, tenant, "app-0", domain.Change{})
	client := commitRotated(t, store, tenant, "app-1", 2*time.Hour)
	commitRotated(t, store, "tenant_b", "app-1", time.Hour)
	commitRotated(t, store, tenant, "app-2", time.Hour)
	gone := commitRotated(t, store, tenant, "app-3", time.Hour)
	require.NoError(t, store.Commit(t.Context(), revisionOf(domain.ActionDelete, deleted(t, gone, now))))

	assert.Empty(t, ended(t, store, now.Add(time.Hour-time.Microsecond), 10))
	assert.Equal(t, []string{"tenant_a app-2", "tenant_b app-1"}, ended(t, store, now.Add(time.Hour), 10))
	all := []string{"tenant_a app-2", "tenant_b app-1", "tenant_a app-1"}
	assert.Equal(t, all, ended(t, store, now.Add(2*time.Hour), 10), "those that ended first come first")
	assert.Equal(t, all[:2], ended(t, store, now.Add(2*time.Hour), 2))
	ends, err := store.SecretEnds(t.Context(), now.Add(2*time.Hour), 10)
	require.NoError(t, err)
	assert.Equal(t, client.State(), ends[2].Client.State())

	after, count, err := client.EndSecrets(now.Add(2 * time.Hour))
	require.NoError(t, err)
	assert.Equal(t, 1, count)
	require.NoError(t, store.Commit(t.Context(), revisionOf(domain.ActionExpireSecret, after)))
	assert.Equal(t, all[:2], ended(t, store, now.Add(24*time.Hour), 10), "the end is recorded")
	found, err := store.Find(t.Context(), tenant, "app-1")
	require.NoError(t, err)
	assert.Equal(t, after.State(), found.State())
	log, err := store.Revisions(t.Context(), tenant, "app-1", 0, 1)
	require.NoError(t, err)
	assert.Equal(t, domain.ActionExpireSecret, log[0].Action)
}

func secretEndsFollowChanges(t *testing.T, store application.Store) {
	at := now.Add(time.Hour)
	commit := func(action domain.Action, c domain.Client) domain.Client {
		t.Helper()
		require.NoError(t, store.Commit(t.Context(), revisionOf(action, c)))
		return c
	}
	client := commitRotated(t, store, tenant, "app-1", time.Hour)
	require.Len(t, ended(t, store, at, 10), 1)
	client = commit(domain.ActionUpdate, rename(t, client, "Another"))
	assert.Len(t, ended(t, store, at, 10), 1, "after an update of something else")
	client = commit(domain.ActionDelete, deleted(t, client, now))
	assert.Empty(t, ended(t, store, at, 10), "a deleted client")
	client, _ = restore(t, client, now)
	client = commit(domain.ActionRestore, client)
	assert.Len(t, ended(t, store, at, 10), 1, "a restored client")
	suspended, _ := revise(t, client, domain.ChangeOf(domain.Settings{Status: domain.StatusSuspended}), now)
	client = commit(domain.ActionUpdate, suspended)
	assert.Len(t, ended(t, store, at, 10), 1, "a suspended client")
	without, err := client.DeleteSecret(client.Secrets()[0].ID, now)
	require.NoError(t, err)
	client = commit(domain.ActionDeleteSecret, without)
	ends, err := store.SecretEnds(t.Context(), at, 10)
	require.NoError(t, err)
	assert.Empty(t, ends, "the secret is deleted")
	client = commit(domain.ActionDelete, deleted(t, client, now))
	commit(domain.ActionPurge, purged(t, client, now))

	imported := imported(t, tenant, "app-2")
	require.NoError(t, store.Commit(t.Context(), created(imported)))
	require.NoError(t, store.AdoptSecrets(t.Context(), adopt(t, imported)))
	ends, err = store.SecretEnds(t.Context(), at, 10)
	require.NoError(t, err)
	assert.Empty(t, ends)
}

func scheduleSecretEnd(t *testing.T, store application.Store) {
	client := commitRotated(t, store, tenant, "app-1", time.Hour)
	other := commitRotated(t, store, "tenant_b", "app-1", time.Hour)
	key, at := application.KeyOf(&client), now.Add(time.Hour)
	schedule := func(revision domain.RevisionNumber, to time.Time) {
		t.Helper()
		require.NoError(t, store.ScheduleSecretEnd(t.Context(), key, revision, to))
	}
	schedule(client.Revision()-1, time.Time{})
	schedule(client.Revision()+1, time.Time{})
	require.NoError(t, store.ScheduleSecretEnd(t.Context(), application.ClientKey{TenantID: tenant, ClientID: "none"}, 1, now))
	assert.Len(t, ended(t, store, at, 10), 2)
	schedule(client.Revision(), at.Add(time.Hour))
	assert.Equal(t, keysOf([]domain.Client{other}), ended(t, store, at, 10))
	assert.Len(t, ended(t, store, at.Add(time.Hour), 10), 2)
	schedule(client.Revision(), time.Time{})
	assert.Len(t, ended(t, store, at.Add(time.Hour), 10), 1)
	client = commitChange(t, store, client, domain.ChangeOf(domain.Settings{Name: "Another"}))
	assert.Len(t, ended(t, store, at, 10), 2, "a commit sets it")
	found, err := store.Find(t.Context(), tenant, "app-1")
	require.NoError(t, err)
	assert.Equal(t, client.State(), found.State(), "nothing else is changed")
	changes, err := store.Changes(t.Context(), tenant, "", 10)
	require.NoError(t, err)
	assert.LessOrEqual(t, len(changes.Revisions), 3, "there is no entry in the log")
}

// secretEndsOfOthers damages records and changes them as a program does that does not know
// the column for the next end.
func secretEndsOfOthers(t *testing.T, store Damageable) {
	at := now.Add(time.Hour)
	damaged := commitRotated(t, store, tenant, "app-1", time.Hour)
	secrets := commitRotated(t, store, tenant, "app-2", time.Hour)
	commitRotated(t, store, tenant, "app-3", time.Hour)
	damage(t, store, `UPDATE clients SET document = '{"name": 5}' WHERE client_id = 'app-1'`)
	damage(t, store, `UPDATE clients SET secrets = '[{"id": 5, "expires_at": "never"}]' WHERE client_id = 'app-2'`)
	find := func() map[string]application.SecretEnd {
		t.Helper()
		ends, err := store.SecretEnds(t.Context(), at, 10)
		require.NoError(t, err)
		found := map[string]application.SecretEnd{}
		for _, end := range ends {
			id := end.Client.Identity().ClientID
			if end.Unreadable != nil {
				id = end.Unreadable.ClientID
			}
			found[string(id)] = end
		}
		return found
	}
	found := find()
	require.Len(t, found, 3)
	require.NotNil(t, found["app-1"].Unreadable)
	assert.Equal(t, damaged.Revision(), found["app-1"].Unreadable.Revision)
	assert.True(t, found["app-2"].Client.SecretsUnreadable())
	assert.False(t, found["app-2"].Known)
	assert.True(t, found["app-3"].Known)
	later := at.Add(time.Hour)
	for _, c := range []domain.Client{damaged, secrets} {
		require.NoError(t, store.ScheduleSecretEnd(t.Context(), application.KeyOf(&c), c.Revision(), later))
	}
	require.Len(t, find(), 1, "damaged clients can be looked at later")
	unreadable, err := store.Find(t.Context(), tenant, "app-2")
	require.NoError(t, err)
	require.NoError(t, store.Commit(t.Context(), updated(rename(t, unreadable, "Another"))))
	require.Len(t, find(), 1)
	all, err := store.SecretEnds(t.Context(), later, 10)
	require.NoError(t, err)
	require.Len(t, all, 3, "a client that keeps its damaged secrets also keeps when it is looked at")

	// An earlier release: its statements do not have the column.
	const written = `[{"id":"s","hash":"AQID","last_four":"","created_at":"2026-04-15T10:30:00Z","expires_at":"2026-04-15T11:00:00Z"}]`
	damage(t, store, `UPDATE clients SET secrets = '`+written+`' WHERE client_id = 'app-3'`)
	damage(t, store, `INSERT INTO clients (client_id, tenant_id, revision, document, secrets, name, status, facets, purged)
		SELECT 'app-4', tenant_id, 1, '{"tenant_id":"tenant_a","client_id":"app-4","revision":1}', secrets, name, status, facets, purged
		FROM clients WHERE client_id = 'app-3'`)
	found = find()
	require.Len(t, found, 2)
	for _, id := range []string{"app-3", "app-4"} {
		end := found[id]
		require.Nil(t, end.Unreadable, id)
		assert.False(t, end.Known, id)
		assert.Equal(t, "2026-04-15T11:00:00Z", end.Client.Secrets()[0].ExpiresAt.Format(time.RFC3339))
		require.NoError(t, store.ScheduleSecretEnd(t.Context(), application.KeyOf(&end.Client), end.Client.Revision(), time.Time{}))
	}
	require.Empty(t, find())
	damage(t, store, `UPDATE clients SET name = 'other' WHERE client_id = 'app-3'`)
	require.Empty(t, find(), "its secrets have not changed")
	damage(t, store, `UPDATE clients SET secrets = '[]' WHERE client_id = 'app-3'`)
	require.Empty(t, find(), "it has no secret that ends")
}
