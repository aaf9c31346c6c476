package storetest

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// ofSize registers and commits a client of about that number of bytes.
func ofSize(t *testing.T, store application.Store, id domain.ClientID, bytes int) domain.Client {
	t.Helper()
	return commitNew(t, store, tenant, id, domain.ChangeOf(domain.Settings{RedirectURIs: urisOf(0, bytes)}))
}

// urisOf returns redirect URIs of about that number of bytes in total. Lists of
// different variants are different.
func urisOf(variant, bytes int) []domain.RedirectURI {
	list := []domain.RedirectURI{domain.RedirectURI(fmt.Sprintf("https://app.example.com/%d", variant))}
	for i := 0; i < bytes; i += 1000 {
		list = append(list, domain.RedirectURI(fmt.Sprintf("https://app.example.com/%d/%d/%s", variant, i, strings.Repeat("a", min(1000, bytes-i)))))
	}
	return list
}

// listPageSize pages through clients of different sizes with different limits. Each
// client appears once and in order, and no page exceeds the limit by more than its last
// client.
func listPageSize(t *testing.T, store application.Store) {
	r := rand.New(rand.NewPCG(2, 2)) //nolint:gosec // the same clients in each run
	var want []string
	for i := range 40 {
		id := fmt.Sprintf("app-%02d", i)
		ofSize(t, store, domain.ClientID(id), []int{10, 10, 3000, 40_000}[r.IntN(4)])
		want = append(want, id)
	}
	for range 40 {
		q := application.Query{Limit: 1 + r.IntN(20), MaxBytes: 1 + r.IntN(60_000)}
		if r.IntN(2) == 0 {
			q.RedirectHost = "app.example.com" // also filtered lists
		}
		pages := r.IntN(2) == 0
		var listed []string
		for {
			page := list(t, store, q)
			require.NotEmpty(t, page.Clients, "%+v: an empty page has no next page", q)
			require.LessOrEqual(t, len(page.Clients), q.Limit)
			bytes := 0
			for _, c := range page.Clients[:len(page.Clients)-1] {
				bytes += c.Bytes()
			}
			require.Less(t, bytes, q.MaxBytes, "%+v", q)
			listed = append(listed, ids(page.Clients)...)
			if !page.More {
				break
			}
			if pages {
				q.Offset = len(listed)
			} else {
				q.After = domain.ClientID(listed[len(listed)-1])
			}
		}
		require.Equal(t, want, listed, "%+v", q)
	}
}

// historyPageSize reads the history and the feed of large clients. A page ends with
// the entry that reaches the limit, and the next page continues after it.
func historyPageSize(t *testing.T, store application.Store) {
	const size = 100_000
	client := ofSize(t, store, "app-1", size)
	const revisions = 60
	for i := range revisions - 1 {
		client = commitChange(t, store, client, domain.ChangeOf(domain.Settings{RedirectURIs: urisOf(i+1, size)}))
	}
	maxEntries := application.PageBytes/size + 2

	var numbers []int
	before := domain.RevisionNumber(0)
	for {
		log, err := store.Revisions(t.Context(), tenant, "app-1", before, 50)
		require.NoError(t, err)
		if len(log) == 0 {
			break
		}
		assert.LessOrEqual(t, len(log), maxEntries)
		for _, r := range log {
			before = r.Client.Revision()
			numbers = append(numbers, int(before))
		}
	}
	require.Len(t, numbers, revisions)
	for i, n := range numbers {
		assert.Equal(t, revisions-i, n)
	}
	log, err := store.Revisions(t.Context(), tenant, "app-1", 0, 2)
	require.NoError(t, err)
	assert.Len(t, log, 2)

	next := 1
	var after application.Cursor
	for {
		page, err := store.Changes(t.Context(), tenant, after, 50)
		require.NoError(t, err)
		if len(page.Revisions) == 0 {
			break
		}
		assert.LessOrEqual(t, len(page.Revisions), maxEntries)
		for _, r := range page.Revisions {
			require.Equal(t, domain.RevisionNumber(next), r.Client.Revision())
			next++
		}
		after = page.Next
	}
	assert.Equal(t, revisions+1, next)
}
