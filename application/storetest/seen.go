package storetest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

func seenAt(of domain.TenantID, id domain.ClientID, at time.Time) application.Seen {
	return application.Seen{Client: application.ClientKey{TenantID: of, ClientID: id}, At: at}
}

func assertSeen(t *testing.T, store Registrations, of domain.TenantID, id domain.ClientID, first, last time.Time) {
	t.Helper()
	gotFirst, gotLast, err := store.SeenTimes(t.Context(), of, id)
	require.NoError(t, err)
	assert.Equal(t, first, gotFirst)
	assert.Equal(t, last, gotLast)
}

func seenTimes(t *testing.T, store Registrations) {
	commitNew(t, store, tenant, "app-1", domain.Change{})
	commitNew(t, store, "tenant_b", "app-1", domain.Change{})
	assertSeen(t, store, tenant, "app-1", time.Time{}, time.Time{})
	at := func(minutes int) time.Time { return now.Add(time.Duration(minutes) * time.Minute) }
	require.NoError(t, store.NoteSeen(t.Context(), seenAt(tenant, "app-1", at(5))))
	assertSeen(t, store, tenant, "app-1", at(5), at(5))
	for _, report := range []application.Seen{
		seenAt(tenant, "app-1", at(7)), seenAt("tenant_b", "app-1", at(1)), seenAt(tenant, "app-1", at(9)), seenAt(tenant, "app-1", at(8)),
	} {
		require.NoError(t, store.NoteSeen(t.Context(), report))
	}
	assertSeen(t, store, tenant, "app-1", at(5), at(9))
	assertSeen(t, store, "tenant_b", "app-1", at(1), at(1))
	require.NoError(t, store.NoteSeen(t.Context(), seenAt(tenant, "app-1", at(3))))
	assertSeen(t, store, tenant, "app-1", at(3), at(9))
}

func seenUnknown(t *testing.T, store Registrations) {
	gone := commitNew(t, store, tenant, "app-1", domain.Change{})
	gone = deleted(t, gone, now)
	require.NoError(t, store.Commit(t.Context(), revisionOf(domain.ActionDelete, gone)))
	erased := commitNew(t, store, tenant, "app-2", domain.Change{})
	erased = deleted(t, erased, now)
	require.NoError(t, store.Commit(t.Context(), revisionOf(domain.ActionDelete, erased)))
	require.NoError(t, store.Commit(t.Context(), revisionOf(domain.ActionPurge, purged(t, erased, now))))
	commitNew(t, store, "tenant_b", "app-3", domain.Change{})
	for _, id := range []domain.ClientID{"app-1", "app-2", "app-3", "unknown"} {
		require.ErrorIs(t, store.NoteSeen(t.Context(), seenAt(tenant, id, now)), application.ErrNotFound, id)
		assertSeen(t, store, tenant, id, time.Time{}, time.Time{})
	}
}

func concurrentReports(t *testing.T, store Registrations) {
	const clients = 8
	for i := range clients {
		require.NoError(t, commitSelf(t, store, domain.ClientID(fmt.Sprintf("app-%d", i)), 0))
	}
	made := race(t, 16*clients, func(i int) error {
		return store.NoteSeen(t.Context(), seenAt(tenant, domain.ClientID(fmt.Sprintf("app-%d", i%clients)), now.Add(time.Duration(i/clients)*time.Second)))
	})
	assert.Equal(t, 16*clients, made)
	for i := range clients {
		assertSeen(t, store, tenant, domain.ClientID(fmt.Sprintf("app-%d", i)), now, now.Add(15*time.Second))
	}
}

func commitUnseen(t *testing.T, store Registrations) {
	seen, never := selfAt(t, store, tenant, "app-1", now), selfAt(t, store, tenant, "app-2", now)
	selfAt(t, store, "tenant_b", "app-2", now)
	require.NoError(t, store.NoteSeen(t.Context(), seenAt(tenant, "app-1", now)))
	require.NoError(t, store.NoteSeen(t.Context(), seenAt("tenant_b", "app-2", now)))
	deletion := func(c domain.Client) error {
		return store.CommitUnseen(t.Context(), revisionOf(domain.ActionDelete, deleted(t, c, now)))
	}
	require.ErrorIs(t, deletion(seen), application.ErrConflict)
	require.ErrorIs(t, store.CommitUnseen(t.Context(), created(never)), application.ErrConflict, "as for Commit")
	found, err := store.Find(t.Context(), tenant, "app-1")
	require.NoError(t, err)
	assert.Equal(t, seen.State(), found.State())
	require.NoError(t, deletion(never), "the client of another tenant was seen")
	require.ErrorIs(t, deletion(never), application.ErrConflict, "the revision is not the newest")
	entries, _ := follow(t, store, "", 10)
	assert.Equal(t, []string{"app-1 1 create", "app-2 1 create", "app-2 2 delete"}, entries)
}

func deletionDuringReports(t *testing.T, store Registrations) {
	const clients = 24
	var deletions []domain.Revision
	for i := range clients {
		c := selfAt(t, store, tenant, domain.ClientID(fmt.Sprintf("app-%d", i)), now)
		deletions = append(deletions, revisionOf(domain.ActionDelete, deleted(t, c, now)))
	}
	made := race(t, 2*clients, func(i int) error {
		if i%2 == 0 {
			return store.CommitUnseen(t.Context(), deletions[i/2])
		}
		return store.NoteSeen(t.Context(), seenAt(tenant, deletions[i/2].Client.Identity().ClientID, now))
	}, application.ErrConflict, application.ErrNotFound)
	assert.Equal(t, clients, made, "either the report or the deletion of each client succeeds")
	for _, deletion := range deletions {
		id := deletion.Client.Identity().ClientID
		found, err := store.Find(t.Context(), tenant, id)
		require.NoError(t, err)
		first, _, err := store.SeenTimes(t.Context(), tenant, id)
		require.NoError(t, err)
		assert.Equal(t, found.Deleted(), first.IsZero(), id)
	}
}

// selfAt commits a client that registered itself at a time.
func selfAt(t *testing.T, store Registrations, of domain.TenantID, id domain.ClientID, at time.Time) domain.Client {
	t.Helper()
	state := selfRegistered(t, of, id, "").State()
	state.CreatedAt, state.UpdatedAt = at, at
	client := domain.Restore(state)
	require.NoError(t, store.CommitRegistration(t.Context(), created(client), application.RegistrationClaim{}, nil))
	return client
}

func unseen(t *testing.T, store Registrations) {
	at := func(minutes int) time.Time { return now.Add(time.Duration(minutes) * time.Minute) }
	for i, minutes := range []int{4, 2, 3, 3, 1, 0} {
		selfAt(t, store, tenant, domain.ClientID(fmt.Sprintf("app-%d", i)), at(minutes))
	}
	selfAt(t, store, "tenant_b", "app-9", now)
	commitNew(t, store, tenant, "by-hand", domain.Change{})
	require.NoError(t, store.Commit(t.Context(), created(with(register(t, tenant, "url"), &domain.Registration{Via: domain.ViaDocument}))))
	find := func(before time.Time, limit int) []string {
		t.Helper()
		clients, err := store.Unseen(t.Context(), tenant, application.UnseenPosition{}, before, limit)
		require.NoError(t, err)
		return ids(clients)
	}
	var pages []string
	for after := (application.UnseenPosition{}); ; {
		page, err := store.Unseen(t.Context(), tenant, after, at(5), 2)
		require.NoError(t, err)
		if len(page) == 0 {
			break
		}
		pages = append(pages, strings.Join(ids(page), " "))
		after = application.UnseenPositionOf(&page[len(page)-1])
	}
	assert.Equal(t, []string{"app-5 app-4", "app-1 app-2", "app-3 app-0"}, pages)
	assert.Equal(t, []string{"app-5", "app-4", "app-1", "app-2", "app-3", "app-0"}, find(at(5), 10))
	assert.Equal(t, []string{"app-5", "app-4"}, find(at(5), 2))
	assert.Equal(t, []string{"app-5", "app-4", "app-1"}, find(at(3), 10), "registered before the time")
	assert.Empty(t, find(now, 10))

	require.NoError(t, store.NoteSeen(t.Context(), seenAt(tenant, "app-5", now)))
	client, err := store.Find(t.Context(), tenant, "app-4")
	require.NoError(t, err)
	client = deleted(t, client, at(9))
	require.NoError(t, store.Commit(t.Context(), revisionOf(domain.ActionDelete, client)))
	assert.Equal(t, []string{"app-1"}, find(at(3), 10), "the others were seen or are deleted")
	restored, findings := restore(t, client, at(10))
	require.False(t, findings.HasViolations())
	require.NoError(t, store.Commit(t.Context(), revisionOf(domain.ActionRestore, restored)))
	assert.Equal(t, []string{"app-4", "app-1"}, find(at(3), 10))
	require.NoError(t, store.NoteSeen(t.Context(), seenAt(tenant, "app-1", now)))
	client, err = store.Find(t.Context(), tenant, "app-1")
	require.NoError(t, err)
	client = deleted(t, client, at(11))
	require.NoError(t, store.Commit(t.Context(), revisionOf(domain.ActionDelete, client)))
	restored, findings = restore(t, client, at(12))
	require.False(t, findings.HasViolations())
	require.NoError(t, store.Commit(t.Context(), revisionOf(domain.ActionRestore, restored)))
	assert.Equal(t, []string{"app-4"}, find(at(3), 10), "a restored client was seen before")
}

func countRegistered(t *testing.T, store Registrations) {
	assertCount := func(want application.RegisteredCount) {
		t.Helper()
		count, err := store.CountRegistered(t.Context())
		require.NoError(t, err)
		assert.Equal(t, want, count)
	}
	assertCount(application.RegisteredCount{})
	commitNew(t, store, tenant, "by-hand", domain.Change{})
	document := with(register(t, tenant, "url"), &domain.Registration{Via: domain.ViaDocument, Document: &domain.ApprovedDocument{Digest: "a"}})
	approved := created(document)
	approved.Action = domain.ActionApproveDocument
	require.NoError(t, store.Commit(t.Context(), approved))
	assertCount(application.RegisteredCount{})

	one := selfAt(t, store, tenant, "app-1", now)
	selfAt(t, store, tenant, "app-2", now)
	selfAt(t, store, "tenant_b", "app-1", now)
	assertCount(application.RegisteredCount{Clients: 3, Unseen: 3})
	for _, report := range []application.Seen{seenAt(tenant, "app-1", now), seenAt("tenant_b", "app-1", now), seenAt(tenant, "by-hand", now)} {
		require.NoError(t, store.NoteSeen(t.Context(), report))
	}
	pending := &domain.ApprovedDocument{Digest: "a", Pending: &domain.PendingDocument{Digest: "b"}}
	changed := next(document, &domain.Registration{Via: domain.ViaDocument, Document: pending})
	require.NoError(t, store.Commit(t.Context(), revisionOf(domain.ActionDocumentChanged, changed)))
	assertCount(application.RegisteredCount{Clients: 3, Unseen: 1, PendingDocuments: 1})

	gone := deleted(t, one, now)
	require.NoError(t, store.Commit(t.Context(), revisionOf(domain.ActionDelete, gone)))
	require.NoError(t, store.Commit(t.Context(), revisionOf(domain.ActionDelete, deleted(t, changed, now))))
	assertCount(application.RegisteredCount{Clients: 2, Unseen: 1})
	require.NoError(t, store.Commit(t.Context(), revisionOf(domain.ActionPurge, purged(t, gone, now))))
	assertCount(application.RegisteredCount{Clients: 2, Unseen: 1})
}
