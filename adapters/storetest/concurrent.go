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

// endedContext: a call whose context has ended is unavailability, not a defect.
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
		"deletion":   func() error { return store.Commit(ctx, ended(domain.ActionDelete, rename(t, client, "x"))) },
		"CommitOnce": func() error { return store.CommitOnce(ctx, created(other), attemptOf(other, "key")) },
		"FindAttempt": func() error {
			_, err := store.FindAttempt(ctx, tenant, "alice", "key")
			return err
		},
		"Revisions":      func() error { _, err := store.Revisions(ctx, tenant, "app-1", 0, 1); return err },
		"Changes":        func() error { _, err := store.Changes(ctx, tenant, "", 1); return err },
		"SecretUses":     func() error { _, err := store.SecretUses(ctx, tenant, "app-1"); return err },
		"NoteSecretUses": func() error { return store.NoteSecretUses(ctx, []application.SecretUse{{TenantID: tenant, At: now}}) },
		"Purgeable":      func() error { _, _, err := store.Purgeable(ctx, now, 1); return err },
		"ForgetAttempts": func() error { return store.ForgetAttempts(ctx, now) },
		"Ping":           func() error { return store.Ping(ctx) },
	} {
		assert.ErrorIs(t, call(), application.ErrUnavailable, name) //nolint:testifylint // each is looked at
	}
	_, err := store.Find(t.Context(), tenant, "app-2")
	require.ErrorIs(t, err, application.ErrNotFound)
}

// impatientWriters: a commit whose caller does not wait for it was made once or not at
// all, and one that was acknowledged was made.
func impatientWriters(t *testing.T, store application.Store) {
	const callers, each = 16, 20
	var group sync.WaitGroup
	for i := range callers {
		group.Go(func() {
			for k := range each {
				client := register(t, tenant, domain.ClientID(fmt.Sprintf("app-%d-%d", i, k)))
				limited, cancel := context.WithTimeout(t.Context(), rand.N(3*time.Millisecond)) //nolint:gosec // at any time of a commit
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
	// The next request to register them succeeds or finds what was done.
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

// changeEverything: callers of several tenants register, suspend, delete and restore
// clients of their own at once. None fails because of another one, and all are counted.
func changeEverything(t *testing.T, store application.Store) {
	const callers, each = 12, 10
	tenants := []domain.TenantID{"tenant_a", "tenant_b", "tenant_c"}
	next := func(c domain.Client, action domain.Action, change func(*domain.State)) domain.Revision {
		state := c.State()
		state.Revision++
		change(&state)
		return domain.Revision{Action: action, At: now, Client: domain.Restore(state)}
	}
	var group sync.WaitGroup
	for i := range callers {
		group.Go(func() {
			for k := range each {
				client := register(t, tenants[(i+k)%len(tenants)], domain.ClientID(fmt.Sprintf("app-%d-%d", i, k)))
				r := created(client)
				for _, step := range []func() domain.Revision{
					func() domain.Revision { return r },
					func() domain.Revision {
						return next(r.Client, domain.ActionUpdate, func(s *domain.State) { s.Settings.Status = domain.StatusSuspended })
					},
					func() domain.Revision {
						return next(r.Client, domain.ActionDelete, func(s *domain.State) { s.DeletedAt = now })
					},
					func() domain.Revision {
						return next(r.Client, domain.ActionRestore, func(s *domain.State) { s.DeletedAt = time.Time{} })
					},
					func() domain.Revision {
						if k%2 == 0 {
							return next(r.Client, domain.ActionUpdate, func(s *domain.State) { s.Settings.Name = "still suspended" })
						}
						return next(r.Client, domain.ActionUpdate, func(s *domain.State) { s.Settings.Status = domain.StatusActive })
					},
				} {
					r = step()
					if !assert.NoError(t, store.Commit(t.Context(), r)) {
						return
					}
				}
			}
		})
	}
	group.Wait()
	for _, of := range tenants {
		counted := map[domain.Status]int{}
		for _, status := range []domain.Status{"", domain.StatusActive, domain.StatusSuspended} {
			page, err := store.List(t.Context(), of, application.Query{Status: status, Count: true, Limit: callers * each})
			require.NoError(t, err)
			assert.Equal(t, len(page.Clients), page.Total, "%s %s", of, status)
			counted[status] = page.Total
		}
		assert.Equal(t, callers*each/len(tenants), counted[""])
		assert.Equal(t, counted[""], counted[domain.StatusActive]+counted[domain.StatusSuspended])
	}
}
