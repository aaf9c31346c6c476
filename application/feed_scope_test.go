package application_test

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// platform returns a platform caller that has selected all tenants.
func platform(t *testing.T) application.Caller {
	t.Helper()
	caller, err := application.Caller{Subject: "root", Permissions: application.Permissions(), Platform: true}.InAll()
	require.NoError(t, err)
	return caller
}

// readAll reads the feed to its end, until it has n changes.
func readAll(t *testing.T, r *registry, caller application.Caller, q application.FeedQuery, n int) (entries []string, requests int, next application.Cursor) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; {
		changes, err := r.Changes(t.Context(), caller, q, application.WaitOptions{})
		require.NoError(t, err)
		require.LessOrEqual(t, len(changes.Revisions), q.Limit)
		require.Len(t, changes.After, len(changes.Revisions))
		requests++
		for _, revision := range changes.Revisions {
			entries = append(entries, fmt.Sprintf("%s %s", revision.Client.Identity().TenantID, revision.Action))
		}
		if len(entries) >= n && changes.Next == q.After {
			return entries, requests, changes.Next
		}
		require.True(t, time.Now().Before(deadline), "%v", entries)
		q.After = changes.Next
	}
}

func TestPlatformCallersFollowAllTenants(t *testing.T) {
	onEachStore(t, func(t *testing.T, r *registry) {
		id := register(t, r)
		_, err := r.Register(t.Context(), foreignCaller, "", validChange(), application.Options{})
		require.NoError(t, err)
		_, err = r.Revise(t.Context(), admin, id, domain.ChangeOf(domain.Settings{Name: "Another"}), application.Options{})
		require.NoError(t, err)
		want := []string{"tenant_a create", "tenant_b create", "tenant_a update"}
		for _, limit := range []int{1, 2, 100} {
			entries, _, _ := readAll(t, r, platform(t), application.FeedQuery{Limit: limit}, len(want))
			assert.Equal(t, want, entries)
		}
		page, err := r.Snapshot(t.Context(), platform(t), application.ClientKey{}, true)
		require.NoError(t, err)
		require.Len(t, page.Clients, 2)
		assert.Equal(t, domain.TenantID("tenant_b"), page.LastKey().TenantID)

		// A reader waits, and a change in any tenant ends its wait.
		_, _, next := readAll(t, r, platform(t), application.FeedQuery{Limit: 10}, len(want))
		for _, caller := range []application.Caller{admin, foreignCaller} {
			changed := make(chan error, 1)
			go func() {
				for countFollowers() == 0 { // until the reader waits
					runtime.Gosched()
				}
				_, err := r.Register(context.WithoutCancel(t.Context()), caller, "", validChange(), application.Options{})
				changed <- err
			}()
			changes, err := r.Changes(t.Context(), platform(t), application.FeedQuery{After: next, Limit: 10}, application.WaitOptions{Max: application.MaxWait})
			require.NoError(t, err)
			require.NoError(t, <-changed)
			require.Len(t, changes.Revisions, 1)
			assert.Equal(t, caller.Tenant, changes.Revisions[0].Client.Identity().TenantID)
			next = changes.Next
		}
		requireNoFollowers(t)
	})
}

func TestOnlyPlatformCallersReadAllTenants(t *testing.T) {
	r := newRegistry(t)
	register(t, r)
	for name, caller := range map[string]application.Caller{"administrator": admin, "no tenant": callerWithoutTenant, "no permission": callerWithoutPermissions} {
		_, err := caller.InAll()
		require.ErrorIs(t, err, application.ErrForbidden, name)
		var forbidden *application.ForbiddenError
		require.ErrorAs(t, err, &forbidden)
		assert.Equal(t, application.TenantsForeign, forbidden.Tenant)
		assert.Contains(t, err.Error(), "only a platform caller may select all tenants")
	}
	unprivileged, err := application.Caller{Platform: true, Permissions: []application.Permission{application.PermissionVerify}}.InAll()
	require.NoError(t, err)
	_, err = r.Changes(t.Context(), unprivileged, application.FeedQuery{Limit: 1}, application.WaitOptions{})
	require.ErrorIs(t, err, application.ErrForbidden)
	_, err = r.Snapshot(t.Context(), unprivileged, application.ClientKey{}, false)
	require.ErrorIs(t, err, application.ErrForbidden)
	reader, err := application.Caller{Platform: true, Permissions: []application.Permission{application.PermissionRead}}.InAll()
	require.NoError(t, err)
	_, err = r.Snapshot(t.Context(), reader, application.ClientKey{}, true)
	require.ErrorIs(t, err, application.ErrForbidden, "the hashes of secrets need a permission of their own")

	// A caller of all tenants acts in none.
	for operation, call := range operationCalls(r, "app", "fresh") {
		if operation != application.OpListChanges && operation != application.OpGetSnapshot {
			assert.ErrorIs(t, call(t.Context(), platform(t)), application.ErrForbidden, operation)
		}
	}
}

func TestChangesAreFilteredByAction(t *testing.T) {
	onEachStore(t, func(t *testing.T, r *registry) {
		var ids []domain.ClientID
		for range 3 {
			id := register(t, r)
			ids = append(ids, id)
			for i := range 4 {
				_, err := r.Revise(t.Context(), admin, id, domain.ChangeOf(domain.Settings{Name: fmt.Sprint("name ", i)}), application.Options{})
				require.NoError(t, err)
			}
		}
		require.NoError(t, r.Delete(t.Context(), admin, ids[0], application.Options{}))
		create, remove := "tenant_a create", "tenant_a delete"
		for _, tt := range []struct {
			actions []domain.Action
			want    []string
		}{
			{[]domain.Action{domain.ActionCreate}, []string{create, create, create}},
			{[]domain.Action{domain.ActionDelete, domain.ActionCreate}, []string{create, create, create, remove}},
			{[]domain.Action{domain.ActionPurge}, nil},
		} {
			for _, caller := range []application.Caller{admin, platform(t)} {
				for _, limit := range []int{1, 2, 100} {
					entries, requests, next := readAll(t, r, caller, application.FeedQuery{Limit: limit, Actions: tt.actions}, len(tt.want))
					assert.Equal(t, tt.want, entries)
					assert.LessOrEqual(t, requests, len(tt.want)+20, "a request passes over what is left out")
					all, _, _ := readAll(t, r, caller, application.FeedQuery{After: next, Limit: 100}, 0)
					assert.Empty(t, all, "the cursor is behind what was left out")
				}
			}
		}
	})
}

// A request that passes over many changes ends, and the next one continues.
func TestAFilteredRequestIsBounded(t *testing.T) {
	r := newRegistry(t)
	store := countReads(r)
	id := register(t, r)
	const updates = 4500
	for i := range updates {
		_, err := r.Revise(t.Context(), admin, id, domain.ChangeOf(domain.Settings{Name: fmt.Sprint("name ", i)}), application.Options{})
		require.NoError(t, err)
	}
	q := application.FeedQuery{Limit: 100, Actions: []domain.Action{domain.ActionPurge}}
	requests := 0
	for more := true; more; requests++ {
		before := store.readsOf(admin.Tenant)
		changes, err := r.Changes(t.Context(), admin, q, application.WaitOptions{})
		require.NoError(t, err)
		assert.Empty(t, changes.Revisions)
		assert.LessOrEqual(t, store.readsOf(admin.Tenant)-before, 20)
		more, q.After = changes.Next != q.After, changes.Next
	}
	assert.Equal(t, 4, requests, "2000, 2000, 501 and none")
}

// A reader with a filter waits for a change that it wants, passing over the others, and
// shares the reads of the store with all other readers.
func TestFilteredReadersWaitForAMatchingChange(t *testing.T) {
	onEachStore(t, func(t *testing.T, r *registry) {
		const readers, updates = 200, 10
		store := countReads(r)
		id := register(t, r)
		_, _, start := readAll(t, r, admin, application.FeedQuery{Limit: 10}, 1)
		before := store.readsOf(admin.Tenant)
		var group sync.WaitGroup
		for i := range readers {
			q := application.FeedQuery{After: start, Limit: 10}
			if i%2 == 0 {
				q.Actions = []domain.Action{domain.ActionDelete}
			}
			group.Go(func() {
				for {
					changes, err := r.Changes(t.Context(), admin, q, application.WaitOptions{Max: application.MaxWait})
					if err != nil {
						t.Errorf("reader %d: %v", i, err)
						return
					}
					for _, revision := range changes.Revisions {
						if revision.Action == domain.ActionDelete {
							return
						}
						if len(q.Actions) > 0 {
							t.Errorf("reader %d: %s", i, revision.Action)
						}
					}
					q.After = changes.Next
				}
			})
		}
		for i := range updates {
			_, err := r.Revise(t.Context(), admin, id, domain.ChangeOf(domain.Settings{Name: fmt.Sprint("name ", i)}), application.Options{})
			require.NoError(t, err)
		}
		require.NoError(t, r.Delete(t.Context(), admin, id, application.Options{}))
		group.Wait()
		assert.Less(t, store.readsOf(admin.Tenant)-before, readers*updates/4, "readers that do not share would read %d times", readers*updates)
		requireNoFollowers(t)
	})
}

// positionStore records the cursors that the feed is read from.
type positionStore struct {
	application.Store
	mu    sync.Mutex
	after map[application.Cursor]bool
}

func (s *positionStore) Changes(ctx context.Context, tenant domain.TenantID, after application.Cursor, limit int) (application.Changes, error) {
	s.mu.Lock()
	s.after[after] = true
	s.mu.Unlock()
	return s.Store.Changes(ctx, tenant, after, limit)
}

func (s *positionStore) has(after application.Cursor) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.after[after]
}

func TestAFilteredWaitEndsWithAMovedCursor(t *testing.T) {
	r := newRegistry(t)
	store := &positionStore{Store: r.Store, after: map[application.Cursor]bool{}}
	r.with(func(c *application.Config) { c.Store = store })
	id := register(t, r)
	_, _, start := readAll(t, r, admin, application.FeedQuery{Limit: 10}, 1)
	stop := make(chan struct{})
	result := make(chan application.Changes, 1)
	go func() {
		changes, err := r.Changes(t.Context(), admin, application.FeedQuery{After: start, Limit: 10, Actions: []domain.Action{domain.ActionPurge}},
			application.WaitOptions{Max: application.MaxWait, Stop: stop})
		if err != nil {
			t.Errorf("changes: %v", err)
		}
		result <- changes
	}()
	_, err := r.Revise(t.Context(), admin, id, domain.ChangeOf(domain.Settings{Name: "Another"}), application.Options{})
	require.NoError(t, err)
	page, err := r.List(t.Context(), admin, application.Query{Limit: 1})
	require.NoError(t, err)
	require.NotEqual(t, start, page.Changes)
	require.Eventually(t, func() bool { return store.has(page.Changes) }, 20*time.Second, time.Millisecond, "the reader passes over the update")
	close(stop)
	changes := <-result
	assert.Empty(t, changes.Revisions)
	assert.Equal(t, page.Changes, changes.Next)
}
