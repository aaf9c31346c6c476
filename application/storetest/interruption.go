package storetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// endedContext requires [application.ErrUnavailable] from every call with an ended
// context. An internal error would be reported as a bug of the service.
func endedContext(t *testing.T, store application.Store) {
	client := register(t, tenant, "app-1")
	require.NoError(t, store.Commit(t.Context(), created(client)))
	other := register(t, tenant, "app-2")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, call := range map[string]func() error{
		"Find":       func() error { _, err := store.Find(ctx, tenant, "app-1"); return err },
		"List":       func() error { _, err := store.List(ctx, tenant, application.Query{Limit: 1}); return err },
		"Commit":     func() error { return store.Commit(ctx, created(other)) },
		"deletion":   func() error { return store.Commit(ctx, revisionOf(domain.ActionDelete, rename(t, client, "x"))) },
		"CommitOnce": func() error { return store.CommitOnce(ctx, created(other), attemptOf(other, "key")) },
		"FindIdempotencyRecord": func() error {
			_, err := store.FindIdempotencyRecord(ctx, tenant, "alice", "key")
			return err
		},
		"Revisions":                func() error { _, err := store.Revisions(ctx, tenant, "app-1", 0, 1); return err },
		"Changes":                  func() error { _, err := store.Changes(ctx, tenant, "", 1); return err },
		"SecretUses":               func() error { _, err := store.SecretUses(ctx, tenant, "app-1"); return err },
		"AdoptSecrets":             func() error { return store.AdoptSecrets(ctx, register(t, tenant, "app-1")) },
		"NoteSecretUses":           func() error { return store.NoteSecretUses(ctx, []application.SecretUse{{TenantID: tenant, At: now}}) },
		"UseAssertion":             func() error { return store.UseAssertion(ctx, useOf(1)) },
		"DeleteAssertionUses":      func() error { _, err := store.DeleteAssertionUses(ctx, now, 1); return err },
		"Purgeable":                func() error { _, _, err := store.Purgeable(ctx, now, 1); return err },
		"DeleteIdempotencyRecords": func() error { return store.DeleteIdempotencyRecords(ctx, now) },
		"Ping":                     func() error { return store.Ping(ctx) },
	} {
		assert.ErrorIs(t, call(), application.ErrUnavailable, name) //nolint:testifylint // all calls are checked
	}
	_, err := store.Find(t.Context(), tenant, "app-2")
	require.ErrorIs(t, err, application.ErrNotFound)
}

// commitDeadline commits with deadlines that end at any point of the commit. An
// acknowledged commit was made; any other was made once or not at all.
func commitDeadline(t *testing.T, store application.Store) {
	const callers, each = 16, 20
	var group sync.WaitGroup
	for i := range callers {
		group.Go(func() {
			for k := range each {
				client := register(t, tenant, domain.ClientID(fmt.Sprintf("app-%d-%d", i, k)))
				limited, cancel := context.WithTimeout(t.Context(), rand.N(3*time.Millisecond)) //nolint:gosec // not a secret
				err := store.Commit(limited, created(client))
				cancel()
				if err != nil {
					assert.ErrorIs(t, err, application.ErrUnavailable) //nolint:testifylint // not on the goroutine of the test
					continue
				}
				_, err = store.Find(t.Context(), tenant, client.Identity().ClientID)
				assert.NoError(t, err)
			}
		})
	}
	group.Wait()
	// Committing again succeeds, or is a conflict with the first commit.
	for i := range callers {
		for k := range each {
			client := register(t, tenant, domain.ClientID(fmt.Sprintf("app-%d-%d", i, k)))
			if err := store.Commit(t.Context(), created(client)); !errors.Is(err, application.ErrConflict) {
				require.NoError(t, err)
			}
			log, err := store.Revisions(t.Context(), tenant, client.Identity().ClientID, 0, 10)
			require.NoError(t, err)
			require.Len(t, log, 1)
		}
	}
	assert.Equal(t, callers*each, list(t, store, application.Query{Count: true}).Total)
}

func ping(t *testing.T, store application.Store) {
	require.NoError(t, store.Ping(t.Context()))
}
