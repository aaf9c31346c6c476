package storetest

import (
	"fmt"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// entryOfAll describes a revision in the feed of all tenants.
func entryOfAll(r domain.Revision) string {
	return string(r.Client.Identity().TenantID) + " " + entry(r)
}

// followAll reads the feed of all tenants from a cursor until it has the entry.
func followAll(t *testing.T, store application.Store, after application.Cursor, limit int, last string) (entries []string, next application.Cursor) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); len(entries) == 0 || entries[len(entries)-1] != last; {
		require.True(t, time.Now().Before(deadline), "the feed does not contain %q after %q", last, entries)
		page, err := store.AllChanges(t.Context(), after, limit)
		require.NoError(t, err)
		require.LessOrEqual(t, len(page.Revisions), limit)
		require.Len(t, page.After, len(page.Revisions))
		for _, r := range page.Revisions {
			entries = append(entries, entryOfAll(r))
		}
		after = page.Next
	}
	return entries, after
}

func allChangesAreComplete(t *testing.T, store application.Store) {
	first := register(t, tenant, "app-1")
	require.NoError(t, store.Commit(t.Context(), created(first)))
	other := commitNew(t, store, "tenant_b", "app-1", domain.Change{})
	second := commitChange(t, store, first, domain.ChangeOf(domain.Settings{Name: "Another"}))
	gone := deleted(t, other, now)
	require.NoError(t, store.Commit(t.Context(), revisionOf(domain.ActionDelete, gone)))
	commitNew(t, store, "tenant_c", "app-2", domain.Change{})

	want := []string{
		"tenant_a app-1 1 create", "tenant_b app-1 1 create", "tenant_a app-1 2 update", "tenant_b app-1 2 delete", "tenant_c app-2 1 create",
	}
	var end application.Cursor
	for _, limit := range []int{1, 2, 100} {
		var entries []string
		entries, end = followAll(t, store, "", limit, want[len(want)-1])
		assert.Equal(t, want, entries)
	}
	page, err := store.AllChanges(t.Context(), "", 4)
	require.NoError(t, err)
	assert.Equal(t, second.Settings().Name, page.Revisions[2].Client.Settings().Name)
	assert.Empty(t, page.Revisions[0].Client.Secrets(), "the feed contains no secrets")
	assert.Equal(t, page.Next, page.After[3])

	// A purge leaves its entry, and the cursors that name the entries before it.
	require.NoError(t, store.Commit(t.Context(), revisionOf(domain.ActionPurge, purged(t, gone, now))))
	const purge = "tenant_b app-1 3 purge"
	entries, _ := followAll(t, store, "", 100, purge)
	assert.Equal(t, []string{want[0], want[2], want[4], purge}, entries)
	entries, _ = followAll(t, store, page.After[1], 100, purge)
	assert.Equal(t, []string{want[2], want[4], purge}, entries, "after a purged entry")
	entries, _ = followAll(t, store, end, 100, purge)
	assert.Equal(t, []string{purge}, entries)
}

func cursorsOfAnotherKind(t *testing.T, store application.Store) {
	commitNew(t, store, tenant, "app-1", domain.Change{})
	_, ofAll := followAll(t, store, "", 10, "tenant_a app-1 1 create")
	_, ofTenant := follow(t, store, "", 10)
	require.NotEqual(t, ofAll, ofTenant)
	for _, cursor := range []application.Cursor{ofAll, newestIn(t, store, everywhere)} {
		_, err := store.Changes(t.Context(), tenant, cursor, 10)
		require.ErrorIs(t, err, application.ErrCursor, cursor)
		_, err = store.AllChanges(t.Context(), cursor, 10)
		require.NoError(t, err)
	}
	for _, cursor := range []application.Cursor{
		ofTenant, newestIn(t, store, tenant), "x", "pa", "sa", "ma", "p0", "s0", "m0", "pa1.1.1", "sa1.1", "pa01.1.00112233445566778899",
		"pa1.1.00112233445566778899", "sa1.00112233445566778899", "ma.00112233445566778899", "sa9223372036854775808.00112233445566778899",
		ofAll + "0", "a" + ofAll,
	} {
		_, err := store.AllChanges(t.Context(), cursor, 10)
		require.ErrorIs(t, err, application.ErrCursor, "%q", cursor)
	}
}

func allChangesDuringCommits(t *testing.T, store application.Store) {
	readDuringCommits(t, store, everywhere, func(writer int) domain.TenantID {
		return domain.TenantID(fmt.Sprintf("tenant_%d", writer%3))
	})
}

// keysOf lists the keys of clients.
func keysOf(clients []domain.Client) []string {
	list := []string{}
	for i := range clients {
		key := application.KeyOf(&clients[i])
		list = append(list, string(key.TenantID)+" "+string(key.ClientID))
	}
	return list
}

func listAllIsPaged(t *testing.T, store application.Store) {
	page, err := store.ListAll(t.Context(), application.ClientKey{}, 10)
	require.NoError(t, err)
	assert.Empty(t, page.Clients)
	assert.False(t, page.More)
	_, err = store.AllChanges(t.Context(), page.Changes, 10)
	require.NoError(t, err, "the cursor of an empty list")

	var want []string
	for _, of := range []domain.TenantID{tenant, "tenant_b", "tenant_c"} {
		for _, id := range []domain.ClientID{"app-1", "app-2", "app-3"} {
			client := commitNew(t, store, of, id, domain.Change{})
			if of == "tenant_b" && id == "app-2" {
				require.NoError(t, store.Commit(t.Context(), revisionOf(domain.ActionDelete, deleted(t, client, now))))
				continue
			}
			want = append(want, string(of)+" "+string(id))
		}
	}
	for limit := 1; limit <= 10; limit++ {
		var keys []string
		var after application.ClientKey
		for more := true; more; {
			page, err := store.ListAll(t.Context(), after, limit)
			require.NoError(t, err)
			keys = append(keys, keysOf(page.Clients)...)
			more, after = page.More, page.LastKey()
			assert.Equal(t, more, len(keys) < len(want))
		}
		assert.Equal(t, want, keys, "limit %d", limit)
	}
	last := register(t, "tenant_d", "app-1")
	require.NoError(t, store.Commit(t.Context(), created(last)))
	page, err = store.ListAll(t.Context(), application.ClientKey{TenantID: "tenant_c", ClientID: "app-3"}, 1)
	require.NoError(t, err)
	require.Len(t, page.Clients, 1)
	assert.Equal(t, last.State(), page.Clients[0].State(), "as List returns it")
}

func listAllPageSize(t *testing.T, store application.Store) {
	const large = 120_000 // bytes of redirect URIs, of which a page takes fewer than 20
	var want []string
	for i := range 24 {
		of := domain.TenantID(fmt.Sprintf("tenant_%d", i%2))
		id := domain.ClientID(fmt.Sprintf("app-%02d", i))
		commitNew(t, store, of, id, domain.ChangeOf(domain.Settings{RedirectURIs: urisOf(i, large)}))
	}
	for _, of := range []int{0, 1} {
		for i := of; i < 24; i += 2 {
			want = append(want, fmt.Sprintf("tenant_%d app-%02d", of, i))
		}
	}
	for range 2 { // the second time, the store may know the size of the clients
		var keys []string
		pages := 0
		for after, more := (application.ClientKey{}), true; more; pages++ {
			page, err := store.ListAll(t.Context(), after, 500)
			require.NoError(t, err)
			require.NotEmpty(t, page.Clients)
			keys = append(keys, keysOf(page.Clients)...)
			more, after = page.More, page.LastKey()
		}
		assert.Equal(t, want, keys)
		assert.Greater(t, pages, 1)
	}
}

// pagesOfAllAndFeed reads lists page by page while clients of several tenants are created,
// changed, deleted and restored.
func pagesOfAllAndFeed(t *testing.T, store application.Store) {
	const writers, own, rounds, lists = 4, 5, 6, 12
	var writing sync.WaitGroup
	done := make(chan struct{})
	for w := range writers {
		writing.Go(func() {
			clients := map[domain.ClientID]domain.Client{}
			of := domain.TenantID(fmt.Sprintf("tenant_%d", w%3))
			for i := range own * rounds {
				id := domain.ClientID(fmt.Sprintf("app-%d-%d", (i*3)%own, w))
				client, exists := clients[id]
				action := domain.ActionUpdate
				switch {
				case !exists:
					clients[id] = commitNew(t, store, of, id, domain.Change{})
					continue
				case client.Deleted():
					client, _ = restore(t, client, now)
					action = domain.ActionRestore
				case i%4 == 0:
					client, action = deleted(t, client, now), domain.ActionDelete
				default:
					client = rename(t, client, fmt.Sprintf("name %d", i))
				}
				if err := store.Commit(t.Context(), revisionOf(action, client)); err != nil {
					t.Errorf("%s: %v", action, err)
					return
				}
				clients[id] = client
			}
		})
	}
	go func() {
		writing.Wait()
		close(done)
	}()
	type copied struct {
		revisions map[application.ClientKey]domain.RevisionNumber
		cursor    application.Cursor
	}
	var copies []copied
	for last := false; !last; {
		if len(copies) == lists {
			<-done
		}
		select {
		case <-done:
			last = true // one more, of what there is in the end
		default:
		}
		c := copied{revisions: map[application.ClientKey]domain.RevisionNumber{}}
		for page, first := (application.Page{More: true}), true; page.More; first = false {
			var err error
			page, err = store.ListAll(t.Context(), page.LastKey(), 3)
			require.NoError(t, err)
			if first {
				c.cursor = page.Changes
			}
			for i := range page.Clients {
				c.revisions[application.KeyOf(&page.Clients[i])] = page.Clients[i].Revision()
			}
		}
		copies = append(copies, c)
	}
	want := copies[len(copies)-1].revisions
	require.NotEmpty(t, want)
	deadline := time.Now().Add(time.Minute)
	for n, c := range copies {
		for !maps.Equal(want, c.revisions) && time.Now().Before(deadline) { // the feed may hold changes back for a moment
			page, err := store.AllChanges(t.Context(), c.cursor, 5)
			require.NoError(t, err)
			c.cursor = page.Next
			for _, r := range page.Revisions {
				key := application.KeyOf(&r.Client)
				known, listed := c.revisions[key]
				if listed {
					require.LessOrEqual(t, r.Client.Revision(), known+1, "a change of %s is missing", key)
				}
				switch {
				case r.Client.Revision() <= known: // the list has a newer state
				case r.Client.Deleted():
					delete(c.revisions, key)
				default:
					c.revisions[key] = r.Client.Revision()
				}
			}
		}
		require.Equal(t, want, c.revisions, "list %d of %d", n, len(copies))
	}
}

func watchAll(t *testing.T, store application.Store) {
	for _, of := range []domain.TenantID{tenant, "tenant_b"} {
		committed, stop := store.WatchAll()
		commitNew(t, store, of, "app-1", domain.Change{})
		requireSignal(t, committed)
		stop()
	}
}

func listAllDamaged(t *testing.T, store Damageable) {
	for _, of := range []domain.TenantID{tenant, "tenant_b"} {
		for _, id := range []domain.ClientID{"app-1", "app-2", "app-3"} {
			commitNew(t, store, of, id, domain.Change{})
		}
	}
	damage(t, store, `UPDATE clients SET document = '{"name": 5}' WHERE client_id = 'app-3' OR tenant_id = 'tenant_b' AND client_id = 'app-1'`)
	for _, limit := range []int{1, 2, 3, 10} {
		var readable, unreadable []string
		for after, more := (application.ClientKey{}), true; more; {
			page, err := store.ListAll(t.Context(), after, limit)
			require.NoError(t, err)
			require.LessOrEqual(t, len(page.Clients)+len(page.Unreadable), limit)
			readable = append(readable, keysOf(page.Clients)...)
			for _, e := range page.Unreadable {
				unreadable = append(unreadable, string(e.TenantID)+" "+string(e.ClientID))
			}
			more, after = page.More, page.LastKey()
		}
		assert.Equal(t, []string{"tenant_a app-1", "tenant_a app-2", "tenant_b app-2"}, readable)
		assert.Equal(t, []string{"tenant_a app-3", "tenant_b app-1", "tenant_b app-3"}, unreadable)
	}
	page, err := store.AllChanges(t.Context(), "", 10)
	require.NoError(t, err)
	assert.Len(t, page.Revisions, 6, "the log is not damaged")
}
