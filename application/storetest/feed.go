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

// entry describes a revision in the feed.
func entry(r domain.Revision) string {
	return fmt.Sprintf("%s %d %s", r.Client.Identity().ClientID, r.Client.Revision(), r.Action)
}

// follow reads the feed from a cursor to the end.
func follow(t *testing.T, store application.Store, after application.Cursor, limit int) (entries []string, next application.Cursor) {
	t.Helper()
	entries = []string{}
	for {
		page, err := store.Changes(t.Context(), tenant, after, limit)
		require.NoError(t, err)
		for _, r := range page.Revisions {
			entries = append(entries, entry(r))
		}
		after = page.Next
		if len(page.Revisions) == 0 && page.HeldBack == 0 { // see releasedChanges
			return entries, after
		}
		assert.LessOrEqual(t, len(page.Revisions), limit)
	}
}

func feedIsComplete(t *testing.T, store application.Store) {
	first := register(t, tenant, "app-1")
	require.NoError(t, store.Commit(t.Context(), created(first)))
	commitNew(t, store, "tenant_b", "app-9", domain.Change{})
	second := commitChange(t, store, first, domain.ChangeOf(domain.Settings{Name: "Another"}))
	commitNew(t, store, tenant, "app-2", domain.Change{})
	require.NoError(t, store.Commit(t.Context(), revisionOf(domain.ActionDelete, deleted(t, second, now))))

	want := []string{"app-1 1 create", "app-1 2 update", "app-2 1 create", "app-1 3 delete"}
	for _, limit := range []int{1, 2, 100} {
		entries, next := follow(t, store, "", limit)
		assert.Equal(t, want, entries)
		rest, same := follow(t, store, next, limit)
		assert.Empty(t, rest)
		assert.Equal(t, next, same)
	}
	page, err := store.Changes(t.Context(), tenant, "", 2)
	require.NoError(t, err)
	assert.Equal(t, "Another", page.Revisions[1].Client.Settings().Name)
	assert.Equal(t, domain.Actor{Subject: "bob", ClientID: "console"}, page.Revisions[1].Actor)
	assert.Empty(t, page.Revisions[0].Client.Secrets(), "the feed contains no secrets")
	entries, _ := follow(t, store, page.Next, 100)
	assert.Equal(t, want[2:], entries)
}

func feedAfterList(t *testing.T, store application.Store) {
	empty := list(t, store, application.Query{})
	first := commitNew(t, store, tenant, "app-1", domain.Change{})
	follow(t, store, "", 100) // until the entry is not held back: the cursor of a list is before such entries
	page := list(t, store, application.Query{})
	entries, _ := follow(t, store, page.Changes, 100)
	assert.Empty(t, entries, "the feed does not repeat what the list contains")
	commitChange(t, store, first, domain.ChangeOf(domain.Settings{Name: "Another"}))
	entries, _ = follow(t, store, page.Changes, 100)
	assert.Equal(t, []string{"app-1 2 update"}, entries)
	entries, _ = follow(t, store, empty.Changes, 100)
	assert.Equal(t, []string{"app-1 1 create", "app-1 2 update"}, entries)
}

func unknownCursor(t *testing.T, store application.Store) {
	for _, cursor := range []application.Cursor{
		"x", "p", "s", "p1", "p1.", "p.1", "s-1x", "p1.1", "p01.1.1", "p9.1.1", "p1.1.1.1", "p1.-1.1", "s01", "p99999999999999999999999.1", "1", " s1",
		// Forms of the first release, without a digest; positions that do not exist.
		"p1.1.1", "p1.1234.56", "s1", "s9223372036854775807", "s9223372036854775808.00112233445566778899",
		"s9223372036854775807.00112233445566778899", "p18446744073709551615.9223372036854775807.00112233445566778899",
		"p0.0.00112233445566778899", "s0.00112233445566778899", "p1.1.0011223344556677889X", "p1.1.001122334455667788AA", "p1.1.",
	} {
		_, err := store.Changes(t.Context(), tenant, cursor, 10)
		assert.ErrorIs(t, err, application.ErrCursor, "%q", cursor)
	}
}

func feedDuringCommits(t *testing.T, store application.Store) {
	readDuringCommits(t, store, tenant, func(int) domain.TenantID { return tenant })
}

// readDuringCommits requires that concurrent readers of a feed get each of the revisions
// that writers commit at the same time in their tenants.
func readDuringCommits(t *testing.T, store application.Store, of domain.TenantID, tenantOf func(writer int) domain.TenantID) {
	t.Helper()
	const writers, each, readers = 8, 12, 3
	var writing, reading sync.WaitGroup
	done := make(chan struct{})
	seen := make([][]string, readers)
	for i := range readers {
		reading.Go(func() {
			var after application.Cursor
			for last := false; ; {
				page, err := changesIn(t, store, of, after, 5)
				if err != nil {
					t.Errorf("changes: %v", err)
					return
				}
				for _, r := range page.Revisions {
					seen[i] = append(seen[i], entry(r))
				}
				after = page.Next
				if len(page.Revisions) > 0 {
					continue
				}
				if last {
					return
				}
				select {
				case <-done:
					last = true // read once more
				default:
				}
			}
		})
	}
	for i := range writers {
		writing.Go(func() {
			client := commitNew(t, store, tenantOf(i), domain.ClientID(fmt.Sprintf("app-%d", i)), domain.Change{})
			for k := range each - 1 {
				client = commitChange(t, store, client, domain.ChangeOf(domain.Settings{Name: fmt.Sprintf("name %d", k)}))
			}
		})
	}
	writing.Wait()
	close(done)
	reading.Wait()
	for i := range readers {
		assertEachOnceInOrder(t, seen[i], writers, each)
	}
}

// assertEachOnceInOrder requires that a reader received every revision of every client
// once, and those of one client in order.
func assertEachOnceInOrder(t *testing.T, seen []string, clients, each int) {
	t.Helper()
	assert.Len(t, seen, clients*each)
	newest := map[string]int{}
	for _, line := range seen {
		var id, action string
		var number int
		_, err := fmt.Sscanf(line, "%s %d %s", &id, &number, &action)
		require.NoError(t, err)
		assert.Equal(t, newest[id]+1, number, "%s follows revision %d", line, newest[id])
		newest[id] = number
	}
	assert.Len(t, newest, clients)
}

func watch(t *testing.T, store application.Store) {
	committed, stop := store.Watch(tenant)
	defer stop()
	client := commitNew(t, store, tenant, "app-1", domain.Change{})
	requireSignal(t, committed)

	// A store that listens to other processes may wake all readers when it connects.
	for try := 0; ; try++ {
		other, stopOther := store.Watch("tenant_b")
		own, stopOwn := store.Watch(tenant)
		client = commitChange(t, store, client, domain.ChangeOf(domain.Settings{Name: fmt.Sprint("name ", try)}))
		requireSignal(t, own)
		notified := false
		select {
		case <-other:
			notified = true
		default:
		}
		stopOther()
		stopOwn()
		if !notified {
			return
		}
		require.Less(t, try, 100, "commits of a tenant wake readers of another one")
	}
}

// requireSignal requires that the channel is closed soon.
func requireSignal(t *testing.T, committed <-chan struct{}) {
	t.Helper()
	select {
	case <-committed:
	case <-time.After(20 * time.Second):
		require.Fail(t, "the reader was not notified")
	}
}
