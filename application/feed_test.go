package application_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// countingStore counts the reads of the change feed per tenant, and can make them fail.
type countingStore struct {
	application.Store
	mu    sync.Mutex
	reads map[domain.TenantID]int
	fail  func() error
}

// countReads wraps the store of the registry in a countingStore.
func countReads(r *registry) *countingStore {
	c := &countingStore{Store: r.Store, reads: map[domain.TenantID]int{}}
	r.with(func(config *application.Config) { config.Store = c })
	return c
}

func (c *countingStore) Changes(ctx context.Context, tenant domain.TenantID, after application.Cursor, limit int) (application.Changes, error) {
	c.mu.Lock()
	c.reads[tenant]++
	fail := c.fail
	c.mu.Unlock()
	if fail != nil {
		return application.Changes{}, fail()
	}
	return c.Store.Changes(ctx, tenant, after, limit)
}

func (c *countingStore) readsOf(tenant domain.TenantID) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.reads[tenant]
}

func (c *countingStore) failWith(fail func() error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fail = fail
}

// follower is a reader of the change feed. It keeps its cursor and what it has read.
type follower struct {
	after application.Cursor
	seen  []string
}

func entryOf(r domain.Revision) string {
	return fmt.Sprintf("%s %d", r.Client.Identity().ClientID, r.Client.Revision())
}

// read waits for changes and reads one page. After end is closed it no longer waits.
func (f *follower) read(ctx context.Context, r *registry, caller application.Caller, limit int, end <-chan struct{}) error {
	wait := application.WaitOptions{Max: application.MaxWait, Stop: end}
	select {
	case <-end:
		wait = application.WaitOptions{}
	default:
	}
	changes, err := r.Changes(ctx, caller, application.FeedQuery{After: f.after, Limit: limit}, wait)
	if err != nil {
		return err
	}
	if len(changes.Revisions) > limit {
		return fmt.Errorf("%d changes for a limit of %d", len(changes.Revisions), limit)
	}
	for _, revision := range changes.Revisions {
		f.seen = append(f.seen, entryOf(revision))
	}
	f.after = changes.Next
	return nil
}

// countFollowers returns the number of goroutines that read the store for waiting readers.
func countFollowers() int {
	stacks := make([]byte, 64<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	return strings.Count(string(stacks), "application.(*Registry).follow(")
}

func requireNoFollowers(t *testing.T) {
	t.Helper()
	require.Eventually(t, func() bool { return countFollowers() == 0 }, 20*time.Second, time.Millisecond)
}

// A commit costs a few reads of the store, however many readers wait. It causes no reads
// for readers of other tenants.
func TestFeedReadsDoNotGrowWithReaders(t *testing.T) {
	onEachStore(t, func(t *testing.T, r *registry) {
		const readers, commits = 1000, 10
		store := countReads(r)
		id := register(t, r)
		start, err := r.Changes(t.Context(), admin, application.FeedQuery{Limit: 10}, application.WaitOptions{})
		require.NoError(t, err)
		end := make(chan struct{})
		followers := make([]*follower, readers)
		var group, others sync.WaitGroup
		var complete atomic.Int64
		for i := range followers {
			f := &follower{after: start.Next}
			followers[i] = f
			group.Go(func() {
				for len(f.seen) < commits {
					if err := f.read(t.Context(), r, admin, 1+i%10, nil); err != nil {
						t.Errorf("reader %d: %v", i, err)
						return
					}
				}
				complete.Add(1)
			})
			others.Go(func() {
				o := &follower{}
				if err := o.read(t.Context(), r, foreignCaller, 10, end); err != nil || len(o.seen) > 0 {
					t.Errorf("reader of another tenant: %v, %v", o.seen, err)
				}
			})
		}
		before := store.readsOf(foreignCaller.Tenant)
		for i := range commits {
			_, err := r.Revise(t.Context(), admin, id, domain.ChangeOf(domain.Settings{Name: fmt.Sprint("name ", i)}), application.Options{})
			require.NoError(t, err)
		}
		group.Wait()
		var want []string
		for i := range commits {
			want = append(want, fmt.Sprintf("%s %d", id, i+2))
		}
		for i, f := range followers {
			require.Equal(t, want, f.seen, "reader %d", i)
		}
		assert.EqualValues(t, readers, complete.Load())
		assert.Less(t, store.readsOf(admin.Tenant), readers*commits/10, "readers that do not share would read %d times", readers*commits)
		assert.Less(t, store.readsOf(foreignCaller.Tenant)-before, readers/10, "a commit of one tenant causes reads for another")
		close(end)
		others.Wait()
		requireNoFollowers(t)
	})
}

// The readers have different limits and cursors, and some disconnect and return, while
// clients are changed, deleted and purged.
func TestWaitingReadersGetEachChangeOnce(t *testing.T) {
	onEachStore(t, func(t *testing.T, r *registry) {
		const readers, steps = 24, 60
		end := make(chan struct{})
		followers := make([]*follower, readers)
		progress := make(chan struct{}, 1) // signalled when a reader has got changes
		var group sync.WaitGroup
		for i := range followers {
			random := rand.New(rand.NewPCG(uint64(i), 1))
			f := &follower{}
			followers[i] = f
			group.Go(func() {
				for ending := false; ; {
					ctx, leave := context.WithCancel(t.Context())
					if random.IntN(3) == 0 {
						timer := time.AfterFunc(time.Duration(random.IntN(5))*time.Millisecond, leave)
						defer timer.Stop()
					}
					known := len(f.seen)
					err := f.read(ctx, r, admin, 1+random.IntN(5), end)
					left := ctx.Err() != nil
					leave()
					if err != nil && !left {
						t.Errorf("reader %d: %v", i, err)
						return
					}
					if len(f.seen) > known {
						select {
						case progress <- struct{}{}:
						default:
						}
					}
					if ending && len(f.seen) == known && !left {
						return
					}
					select {
					case <-end:
						ending = true
					default:
					}
				}
			})
		}
		random := rand.New(rand.NewPCG(2, 2))
		var log []string          // all entries, in order
		gone := map[string]bool{} // purged entries; a reader may have read them before
		live := map[domain.ClientID]int{}
		for range steps {
			ids := slices.Sorted(func(yield func(domain.ClientID) bool) {
				for id := range live {
					if !yield(id) {
						return
					}
				}
			})
			switch {
			case len(live) < 3:
				id := register(t, r)
				live[id] = 1
				log = append(log, fmt.Sprintf("%s 1", id))
			case random.IntN(5) == 0:
				id := ids[random.IntN(len(ids))]
				require.NoError(t, r.Delete(t.Context(), admin, id, application.Options{}))
				for n := range live[id] + 1 {
					gone[fmt.Sprintf("%s %d", id, n+1)] = true
				}
				log = append(log, fmt.Sprintf("%s %d", id, live[id]+1), fmt.Sprintf("%s %d", id, live[id]+2))
				delete(live, id)
				advance(r, time.Second)
				purged, err := application.Purge(t.Context(), r.Store, r.Clock, domain.Actor{Subject: "operator"}, 0)
				require.NoError(t, err)
				require.Equal(t, 1, purged)
			default:
				id := ids[random.IntN(len(ids))]
				live[id]++
				_, err := r.Revise(t.Context(), admin, id, domain.ChangeOf(domain.Settings{Name: fmt.Sprint("name ", live[id])}), application.Options{})
				require.NoError(t, err)
				log = append(log, fmt.Sprintf("%s %d", id, live[id]))
			}
			// Changes are made and read alternately, however fast the store is.
			select {
			case <-progress:
			case <-time.After(20 * time.Second):
				require.Fail(t, "no reader got a change")
			}
		}
		close(end)
		group.Wait()
		for i, f := range followers {
			seen := 0
			for _, entry := range log {
				switch {
				case seen < len(f.seen) && f.seen[seen] == entry:
					seen++
				case gone[entry]:
				default:
					require.Fail(t, "a reader missed a change", "reader %d, %s: %v", i, entry, f.seen)
				}
			}
			require.Equal(t, len(f.seen), seen, "reader %d got an entry twice or out of order: %v", i, f.seen)
		}
		requireNoFollowers(t)
	})
}

// A reader gets the result of the first read even if that takes longer than the reader waits.
func TestFirstReadIsNotLimitedByTheWaitTime(t *testing.T) {
	r := newRegistry(t)
	store := countReads(r)
	id := register(t, r)
	slow := make(chan struct{})
	store.failWith(func() error { <-slow; return errSlow })
	end := make(chan struct{})
	close(end)
	returned := make(chan error, 1)
	go func() {
		_, err := r.Changes(t.Context(), admin, application.FeedQuery{Limit: 10}, application.WaitOptions{Max: time.Nanosecond, Stop: end})
		returned <- err
	}()
	require.Eventually(t, func() bool { return store.readsOf(admin.Tenant) == 1 }, 20*time.Second, time.Millisecond)
	assert.Empty(t, returned)
	close(slow)
	require.ErrorIs(t, <-returned, errSlow)
	store.failWith(nil)
	changes, err := r.Changes(t.Context(), admin, application.FeedQuery{Limit: 10}, application.WaitOptions{Max: time.Nanosecond, Stop: end})
	require.NoError(t, err)
	require.Len(t, changes.Revisions, 1)
	assert.Equal(t, id, changes.Revisions[0].Client.Identity().ClientID)
}

var errSlow = errors.New("slow")

func TestWaitingReadersShareAnError(t *testing.T) {
	r := newRegistry(t)
	store := countReads(r)
	for _, want := range []error{application.ErrUnavailable, errors.New("an internal error"), nil} {
		store.failWith(func() error {
			if want == nil {
				panic("a panic")
			}
			return want
		})
		var group sync.WaitGroup
		for range 10 {
			group.Go(func() {
				err := (&follower{}).read(t.Context(), r, admin, 10, nil)
				if want != nil {
					assert.ErrorIs(t, err, want)
				} else {
					assert.ErrorContains(t, err, "a panic")
				}
			})
		}
		group.Wait()
	}
	requireNoFollowers(t)
}

func TestShutdownReleasesWaitingReaders(t *testing.T) {
	onEachStore(t, func(t *testing.T, r *registry) {
		end := make(chan struct{})
		var group sync.WaitGroup
		for i := range 200 {
			group.Go(func() {
				caller := admin
				caller.Tenant = domain.TenantID(fmt.Sprint("tenant_", i%7))
				f := &follower{}
				if err := f.read(t.Context(), r, caller, 10, end); err != nil || len(f.seen) > 0 {
					t.Errorf("reader %d: %v, %v", i, f.seen, err)
				}
			})
		}
		require.Eventually(t, func() bool { return countFollowers() == 7 }, 20*time.Second, time.Millisecond)
		close(end)
		group.Wait()
		requireNoFollowers(t)
	})
}
