package storetest

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

func oneCommitSucceeds(t *testing.T, store application.Store) {
	const commits = 16
	first := register(t, tenant, "app-1")
	require.NoError(t, store.Commit(t.Context(), created(first)))

	errs := make([]error, commits)
	var group sync.WaitGroup
	for i := range commits {
		revision := updated(rename(t, first, fmt.Sprintf("commit %d", i)))
		group.Go(func() { errs[i] = store.Commit(t.Context(), revision) })
	}
	group.Wait()

	winner := -1
	for i, err := range errs {
		if err == nil {
			assert.Equal(t, -1, winner, "two commits of one revision succeeded")
			winner = i
			continue
		}
		require.ErrorIs(t, err, application.ErrConflict)
	}
	found, err := store.Find(t.Context(), tenant, "app-1")
	require.NoError(t, err)
	assert.Equal(t, fmt.Sprintf("commit %d", winner), found.Settings().Name)
}

func noUpdateIsLost(t *testing.T, store application.Store) {
	const writers, each = 8, 5
	require.NoError(t, store.Commit(t.Context(), created(register(t, tenant, "app-1"))))

	var group sync.WaitGroup
	for i := range writers {
		group.Go(func() {
			for k := 0; k < each; {
				client, err := store.Find(t.Context(), tenant, "app-1")
				if err != nil {
					t.Errorf("find: %v", err)
					return
				}
				err = store.Commit(t.Context(), updated(rename(t, client, fmt.Sprintf("writer %d, %d", i, k))))
				if err == nil {
					k++
				} else if !errors.Is(err, application.ErrConflict) {
					t.Errorf("commit: %v", err)
					return
				}
			}
		})
	}
	group.Wait()

	found, err := store.Find(t.Context(), tenant, "app-1")
	require.NoError(t, err)
	assert.Equal(t, domain.RevisionNumber(1+writers*each), found.Revision())
	log, err := store.Revisions(t.Context(), tenant, "app-1", 0, 1000)
	require.NoError(t, err)
	seen := map[string]bool{}
	for _, r := range log {
		seen[r.Client.Settings().Name] = true
	}
	for i := range writers {
		for k := range each {
			assert.True(t, seen[fmt.Sprintf("writer %d, %d", i, k)], "change %d of writer %d is missing in the history", k, i)
		}
	}
}

// concurrentCalls makes many valid and invalid calls at the same time. A store may
// process them together, but each must have the result that it would have alone.
func concurrentCalls(t *testing.T, store application.Store) {
	const count, rounds = 24, 8
	clients := make([]domain.Client, count)
	for i := range clients {
		clients[i] = register(t, tenant, domain.ClientID(fmt.Sprintf("app-%d", i)))
		require.NoError(t, store.Commit(t.Context(), created(clients[i])))
	}
	for round := range rounds {
		var group sync.WaitGroup
		for i, client := range clients {
			next := rename(t, client, fmt.Sprintf("name %d of %d", round, i))
			fresh := domain.ClientID(fmt.Sprintf("new-%d-%d", round, i))
			commits := []struct {
				revision domain.Revision
				want     error
			}{
				{updated(next), nil},
				{updated(rename(t, rename(t, next, "missing"), "not the next")), application.ErrConflict},
				{created(register(t, tenant, client.Identity().ClientID)), application.ErrConflict},
				{created(register(t, tenant, fresh)), nil},
			}
			if i%3 == 0 { // for some clients, only the two conflicts
				commits = commits[1:3]
				next = client
			}
			for _, c := range commits {
				group.Go(func() { assert.ErrorIs(t, store.Commit(t.Context(), c.revision), c.want) })
			}
			group.Go(func() {
				found, err := store.Find(t.Context(), tenant, client.Identity().ClientID)
				if assert.NoError(t, err) {
					assert.Equal(t, client.Identity(), found.Identity())
				}
			})
			group.Go(func() {
				_, err := store.Find(t.Context(), "tenant_b", client.Identity().ClientID)
				assert.ErrorIs(t, err, application.ErrNotFound)
			})
			group.Go(func() {
				page, err := store.Changes(t.Context(), tenant, "", i+1)
				if assert.NoError(t, err) {
					assert.Len(t, page.Revisions, i+1)
				}
			})
			clients[i] = next
		}
		group.Wait()
	}
	for _, client := range clients {
		found, err := store.Find(t.Context(), tenant, client.Identity().ClientID)
		require.NoError(t, err)
		assert.Equal(t, client.State(), found.State())
		log, err := store.Revisions(t.Context(), tenant, client.Identity().ClientID, 0, 100)
		require.NoError(t, err)
		assert.Len(t, log, int(client.Revision()))
	}
}

// concurrentChanges registers, suspends, deletes and restores clients of several
// tenants at the same time. No change fails because of another one, and the totals
// include all of them.
func concurrentChanges(t *testing.T, store application.Store) {
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
