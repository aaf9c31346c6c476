package storetest

import (
	"fmt"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// pagesAndFeed reads lists page by page while clients are created, changed, deleted and
// restored. Each list, and the feed after the cursor of its first page, give the clients
// that there are in the end.
func pagesAndFeed(t *testing.T, store application.Store) {
	const writers, own, rounds, lists = 3, 6, 8, 20
	var writing sync.WaitGroup
	done, committed := make(chan struct{}), make(chan struct{})
	for w := range writers {
		writing.Go(func() {
			clients := map[domain.ClientID]domain.Client{}
			for i := range own * rounds {
				id := domain.ClientID(fmt.Sprintf("app-%d-%d", (i*5)%own, w))
				client, exists := clients[id]
				switch {
				case !exists:
					client = commitNew(t, store, tenant, id, domain.Change{})
				case client.Deleted():
					client, _ = restore(t, client, now)
					if err := store.Commit(t.Context(), revisionOf(domain.ActionRestore, client)); err != nil {
						t.Errorf("restore: %v", err)
						return
					}
				case i%7 == 0:
					client = deleted(t, client, now)
					if err := store.Commit(t.Context(), revisionOf(domain.ActionDelete, client)); err != nil {
						t.Errorf("delete: %v", err)
						return
					}
				default:
					client = commitChange(t, store, client, domain.ChangeOf(domain.Settings{Name: fmt.Sprintf("name %d", i)}))
				}
				clients[id] = client
				select {
				case committed <- struct{}{}:
				default: // the reader is busy
				}
			}
		})
	}
	go func() {
		writing.Wait()
		close(done)
	}()
	type copied struct {
		revisions map[domain.ClientID]domain.RevisionNumber
		cursor    application.Cursor
	}
	var copies []copied
	for last := false; !last; {
		select {
		case <-done:
			last = true // one more, of what there is in the end
		default:
			if len(copies) == lists {
				<-done
				last = true
			}
		}
		c := copied{revisions: map[domain.ClientID]domain.RevisionNumber{}}
		for page, first := (application.Page{More: true}), true; page.More; first = false {
			page = list(t, store, application.Query{After: page.Last(), Limit: 4})
			if first {
				c.cursor = page.Changes
			}
			select { // the next page shows a later time
			case <-committed:
			case <-done:
			}
			for _, client := range page.Clients {
				c.revisions[client.Identity().ClientID] = client.Revision()
			}
		}
		copies = append(copies, c)
	}
	want := copies[len(copies)-1].revisions
	require.NotEmpty(t, want)
	deadline := time.Now().Add(time.Minute)
	for n, c := range copies {
		// The feed may hold the newest changes back for a moment.
		for !maps.Equal(want, c.revisions) && time.Now().Before(deadline) {
			page, err := store.Changes(t.Context(), tenant, c.cursor, 5)
			require.NoError(t, err)
			c.cursor = page.Next
			for _, r := range page.Revisions {
				id := r.Client.Identity().ClientID
				if known, listed := c.revisions[id]; listed {
					require.LessOrEqual(t, r.Client.Revision(), known+1, "a change of %s is missing", id)
				}
				switch {
				case r.Client.Revision() <= c.revisions[id]: // the list has a newer state
				case r.Client.Deleted():
					delete(c.revisions, id)
				default:
					c.revisions[id] = r.Client.Revision()
				}
			}
		}
		require.Equal(t, want, c.revisions, "list %d of %d", n, len(copies))
	}
}
