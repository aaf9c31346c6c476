package storetest

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

func attemptOf(c domain.Client, key string) application.IdempotencyRecord {
	return application.IdempotencyRecord{
		Subject: "alice", Key: key, Fingerprint: [32]byte{1, 2, 3}, At: now,
		ClientID: c.Identity().ClientID, Revision: c.Revision(), CreatedID: "secret_1",
	}
}

func attemptWithRevision(t *testing.T, store application.Store) {
	client := register(t, tenant, "app-1")
	attempt := attemptOf(client, "key-1")
	_, err := store.FindIdempotencyRecord(t.Context(), tenant, "alice", "key-1")
	require.ErrorIs(t, err, application.ErrNotFound)
	require.NoError(t, store.CommitOnce(t.Context(), created(client), attempt))
	kept, err := store.FindIdempotencyRecord(t.Context(), tenant, "alice", "key-1")
	require.NoError(t, err)
	assert.Equal(t, attempt, kept)

	second := rename(t, client, "Another")
	require.ErrorIs(t, store.CommitOnce(t.Context(), updated(second), attemptOf(second, "key-1")), application.ErrAlreadyProcessed)
	found, err := store.Find(t.Context(), tenant, "app-1")
	require.NoError(t, err)
	assert.Equal(t, domain.RevisionNumber(1), found.Revision(), "the change was made only once")

	require.ErrorIs(t, store.CommitOnce(t.Context(), created(client), attemptOf(client, "key-2")), application.ErrConflict)
	_, err = store.FindIdempotencyRecord(t.Context(), tenant, "alice", "key-2")
	require.ErrorIs(t, err, application.ErrNotFound, "an attempt without its revision is not stored")
	for _, other := range []struct {
		tenant  domain.TenantID
		subject string
	}{{"tenant_b", "alice"}, {tenant, "bob"}} {
		_, err = store.FindIdempotencyRecord(t.Context(), other.tenant, other.subject, "key-1")
		require.ErrorIs(t, err, application.ErrNotFound)
	}
}

func oneAttemptSucceeds(t *testing.T, store application.Store) {
	const attempts = 8
	errs := make([]error, attempts)
	var group sync.WaitGroup
	for i := range attempts {
		client := register(t, tenant, domain.ClientID(fmt.Sprintf("app-%d", i)))
		group.Go(func() { errs[i] = store.CommitOnce(t.Context(), created(client), attemptOf(client, "key")) })
	}
	group.Wait()
	succeeded := 0
	for _, err := range errs {
		if err == nil {
			succeeded++
		} else {
			require.ErrorIs(t, err, application.ErrAlreadyProcessed)
		}
	}
	assert.Equal(t, 1, succeeded)
	assert.Len(t, list(t, store, application.Query{}).Clients, 1)
}

func attemptExpires(t *testing.T, store application.Store) {
	client := register(t, tenant, "app-1")
	require.NoError(t, store.CommitOnce(t.Context(), created(client), attemptOf(client, "key")))
	second := rename(t, client, "Another")
	late := attemptOf(second, "key")
	late.At = now.Add(application.IdempotencyRetention + time.Minute)
	require.NoError(t, store.CommitOnce(t.Context(), updated(second), late), "the key can be used again")
	kept, err := store.FindIdempotencyRecord(t.Context(), tenant, "alice", "key")
	require.NoError(t, err)
	assert.Equal(t, late, kept)

	require.NoError(t, store.DeleteIdempotencyRecords(t.Context(), late.At))
	_, err = store.FindIdempotencyRecord(t.Context(), tenant, "alice", "key")
	require.NoError(t, err)
	require.NoError(t, store.DeleteIdempotencyRecords(t.Context(), late.At.Add(time.Second)))
	_, err = store.FindIdempotencyRecord(t.Context(), tenant, "alice", "key")
	require.ErrorIs(t, err, application.ErrNotFound)
}
