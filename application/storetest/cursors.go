package storetest

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// Fork closes a store and returns two that continue from its data: the store itself,
// and one restored from a copy of it.
type Fork func(t *testing.T, store application.Store) (same, restored application.Store)

// RunForks requires that a cursor identifies its history. Random histories fork at
// random points. A reader that uses a cursor of one history with the other receives
// exactly the entries after the entry that the cursor names, or
// [application.ErrCursor] if the other history does not have this entry.
func RunForks(t *testing.T, histories int, open func(t *testing.T) application.Store, fork Fork) {
	t.Helper()
	for seed := range uint64(histories) { //nolint:gosec // a small number
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, seed)) //nolint:gosec // the same choices in every run
			first := newHistory(random, open(t), "before")
			first.steps(t, random.IntN(25))
			same, restored := fork(t, first.store)
			first.store = same
			second := first.fork(restored, "restored")
			first.name = "original"
			first.steps(t, random.IntN(15))
			second.steps(t, random.IntN(15))
			first.read(t)
			second.read(t)
			for _, seen := range first.cursors {
				second.check(t, seen)
			}
			for _, seen := range second.cursors {
				first.check(t, seen)
			}
		})
	}
}

// history is a store with the expected content of its feed.
type history struct {
	name    string
	random  *rand.Rand
	store   application.Store
	serial  int
	clients map[key]domain.Client
	log     map[domain.TenantID][]logEntry
	cursors []seenCursor
}

type key struct {
	tenant domain.TenantID
	id     domain.ClientID
}

// logEntry is an entry of the log, identified by its request ID.
type logEntry struct {
	requestID string
	client    key
	purged    bool
}

// everywhere stands for the feed of all tenants where a test reads that of a tenant.
const everywhere domain.TenantID = "*"

// feeds are the feeds that a history reads.
var feeds = []domain.TenantID{tenant, "tenant_b", everywhere}

// changesIn reads the feed of a tenant, or of all tenants.
func changesIn(
	t *testing.T, store application.Store, of domain.TenantID, after application.Cursor, limit int,
) (application.Changes, error) {
	t.Helper()
	if of == everywhere {
		return store.AllChanges(t.Context(), after, limit)
	}
	return store.Changes(t.Context(), of, after, limit)
}

// newestIn returns the cursor of a list of the clients of a tenant, or of all tenants.
func newestIn(t *testing.T, store application.Store, of domain.TenantID) application.Cursor {
	t.Helper()
	page, err := store.ListAll(t.Context(), application.ClientKey{}, 1)
	if of != everywhere {
		page, err = store.List(t.Context(), of, application.Query{Limit: 1})
	}
	require.NoError(t, err)
	return page.Changes
}

// seenCursor is a cursor that a reader received, and the request ID of the entry that
// it follows; empty at the beginning.
type seenCursor struct {
	tenant  domain.TenantID
	cursor  application.Cursor
	follows string
	history string
}

func newHistory(random *rand.Rand, store application.Store, name string) *history {
	return &history{name: name, random: random, store: store, clients: map[key]domain.Client{}, log: map[domain.TenantID][]logEntry{}}
}

// fork returns a copy of the history that continues in another store.
func (h *history) fork(store application.Store, name string) *history {
	other := newHistory(h.random, store, name)
	other.serial = h.serial
	maps.Copy(other.clients, h.clients)
	for tenant, log := range h.log {
		other.log[tenant] = slices.Clone(log)
	}
	other.cursors = slices.Clone(h.cursors)
	return other
}

// steps makes random commits, and reads the feed at random times.
func (h *history) steps(t *testing.T, n int) {
	t.Helper()
	for range n {
		k := key{[]domain.TenantID{tenant, "tenant_b"}[h.random.IntN(2)], domain.ClientID(fmt.Sprintf("app-%d", h.random.IntN(4)))}
		client, exists := h.clients[k]
		switch choice := h.random.IntN(6); {
		case !exists:
			h.commit(t, k, created(register(t, k.tenant, k.id)))
		case client.Purged():
		case client.Deleted() && choice < 4:
			h.commit(t, k, revisionOf(domain.ActionPurge, purged(t, client, now)))
			for _, of := range []domain.TenantID{k.tenant, everywhere} {
				for i := range h.log[of] {
					e := &h.log[of][i]
					e.purged = e.purged || e.client == k && i < len(h.log[of])-1
				}
			}
		case client.Deleted():
		case choice == 0:
			h.commit(t, k, revisionOf(domain.ActionDelete, deleted(t, client, now)))
		default:
			// The same name and time in both histories: only the request ID differs.
			h.commit(t, k, updated(rename(t, client, fmt.Sprint("name ", client.Revision()))))
		}
		if h.random.IntN(3) == 0 {
			h.read(t)
		}
	}
}

func (h *history) commit(t *testing.T, k key, r domain.Revision) {
	t.Helper()
	h.serial++
	r.RequestID = fmt.Sprintf("%s-%d", h.name, h.serial)
	require.NoError(t, h.store.Commit(t.Context(), r))
	h.clients[k] = r.Client
	for _, of := range []domain.TenantID{k.tenant, everywhere} {
		h.log[of] = append(h.log[of], logEntry{requestID: r.RequestID, client: k})
	}
}

// read reads each feed from the beginning or from a known cursor, and
// keeps all cursors that it receives, and that of a list. It reads until the newest
// entry, which may be delayed: transactions in other databases of the server hold it
// back as well.
func (h *history) read(t *testing.T) {
	t.Helper()
	for _, of := range feeds {
		seen := seenCursor{tenant: of, history: h.name}
		if k := h.random.IntN(len(h.cursors) + 1); k < len(h.cursors) && h.cursors[k].tenant == of {
			seen = h.cursors[k]
		}
		newest := ""
		if log := h.log[of]; len(log) > 0 {
			newest = log[len(log)-1].requestID
		}
		limit := 1 + h.random.IntN(4)
		for deadline := time.Now().Add(time.Minute); seen.follows != newest; {
			require.True(t, time.Now().Before(deadline), "the feed does not contain its newest entry")
			page, err := changesIn(t, h.store, of, seen.cursor, limit)
			require.NoError(t, err)
			require.Len(t, page.After, len(page.Revisions))
			if len(page.Revisions) == 0 {
				continue
			}
			for i, r := range page.Revisions {
				seen = seenCursor{of, page.After[i], r.RequestID, h.name}
				h.cursors = append(h.cursors, seen)
			}
			require.Equal(t, seen.cursor, page.Next)
		}
		h.cursors = append(h.cursors, seenCursor{of, newestIn(t, h.store, of), newest, h.name})
	}
}

// check reads from a cursor of either history.
func (h *history) check(t *testing.T, from seenCursor) {
	t.Helper()
	at := slices.IndexFunc(h.log[from.tenant], func(e logEntry) bool { return e.requestID == from.follows })
	page, err := changesIn(t, h.store, from.tenant, from.cursor, 1000)
	if at < 0 && from.follows != "" {
		require.ErrorIs(t, err, application.ErrCursor, "the cursor %s of history %q in %q", from.cursor, from.history, h.name)
		return
	}
	require.NoError(t, err, "the cursor %s of history %q in %q", from.cursor, from.history, h.name)
	var want, got []string
	for _, e := range h.log[from.tenant][at+1:] {
		if !e.purged {
			want = append(want, e.requestID)
		}
	}
	for _, r := range page.Revisions {
		got = append(got, r.RequestID)
	}
	require.Equal(t, want, got, "after the cursor %s of history %q in %q", from.cursor, from.history, h.name)
	for _, other := range feeds {
		if other != from.tenant && from.follows != "" {
			_, err = changesIn(t, h.store, other, from.cursor, 10)
			require.ErrorIs(t, err, application.ErrCursor, "a cursor of another feed")
		}
	}
}
