package memory_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/memory"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/application/push"
	"github.com/clientele-oauth/clientele/application/push/pushtest"
	"github.com/clientele-oauth/clientele/application/storetest"
	"github.com/clientele-oauth/clientele/domain"
)

func TestLedger(t *testing.T) {
	pushtest.RunLedger(t, func(*testing.T) push.Ledger { return memory.New() })
}

func TestStore(t *testing.T) {
	storetest.Run(t, func(*testing.T) application.Store { return memory.New() })
}

func TestCursorsAreValidOnlyInTheirHistory(t *testing.T) {
	storetest.RunForks(t, 25,
		func(*testing.T) application.Store { return memory.New() },
		func(_ *testing.T, store application.Store) (same, restored application.Store) {
			return store, store.(*memory.Store).Copy()
		})
}

var now = time.Date(2026, 4, 15, 10, 30, 0, 0, time.UTC)

// stateOf returns the state of a client at revision 1 with a value in every list. Each
// call allocates new memory.
func stateOf(id domain.ClientID) domain.State {
	return domain.State{
		Identity: domain.Identity{ID: "client_" + string(id), TenantID: "tenant_a", ClientID: id}, Revision: 1,
		CreatedAt: now, UpdatedAt: now,
		Settings: domain.Settings{
			Name: "App", Status: domain.StatusActive, Confidential: true,
			RedirectURIs: []domain.RedirectURI{"https://app.example.com/cb"},
			GrantTypes:   []domain.GrantType{domain.GrantAuthorizationCode},
			Scopes:       []domain.Scope{"openid"},
			AuthMethods:  []domain.AuthMethod{domain.AuthSecretBasic},
			CORSOrigins:  []domain.Origin{"https://app.example.com"},
		},
		Secrets: []domain.Secret{{ID: "secret_1", Hash: []byte{1, 2, 3}, LastFour: "cdef", CreatedAt: now, UpdatedAt: now}},
	}
}

func create(t *testing.T, store *memory.Store, state domain.State) {
	t.Helper()
	require.NoError(t, store.Commit(t.Context(), domain.Revision{Action: domain.ActionCreate, At: now, Client: domain.Restore(state)}))
}

// overwriteLists changes every element of every list of the state.
func overwriteLists(s *domain.State) {
	s.Settings.RedirectURIs[0], s.Settings.GrantTypes[0], s.Settings.Scopes[0] = "x", "x", "x"
	s.Settings.AuthMethods[0], s.Settings.CORSOrigins[0] = "x", "x"
	s.Secrets[0].ID, s.Secrets[0].Hash[0] = "x", 'x'
}

func TestCallersShareNoMemoryWithTheStore(t *testing.T) {
	store := memory.New()
	given := stateOf("app-1")
	create(t, store, given)
	overwriteLists(&given)
	assertStored := func() {
		t.Helper()
		found, err := store.Find(t.Context(), "tenant_a", "app-1")
		require.NoError(t, err)
		assert.Equal(t, stateOf("app-1"), found.State())
		log, err := store.Revisions(t.Context(), "tenant_a", "app-1", 0, 1)
		require.NoError(t, err)
		assert.Equal(t, stateOf("app-1").Settings, log[0].Client.Settings())
	}
	assertStored()

	found, err := store.Find(t.Context(), "tenant_a", "app-1")
	require.NoError(t, err)
	state := found.State()
	overwriteLists(&state)
	assertStored()

	use := application.SecretUse{TenantID: "tenant_a", ClientID: "app-1", SecretID: "secret_1", At: now}
	require.NoError(t, store.NoteSecretUses(t.Context(), []application.SecretUse{use}))
	used, err := store.SecretUses(t.Context(), "tenant_a", "app-1")
	require.NoError(t, err)
	clear(used)
	used, err = store.SecretUses(t.Context(), "tenant_a", "app-1")
	require.NoError(t, err)
	assert.Equal(t, map[string]time.Time{"secret_1": now}, used)
}

// TestUnreadableRecords has the cases of storetest.RunUnreadable that do not need SQL and
// repairs, which this store does not have.
func TestUnreadableRecords(t *testing.T) {
	store := memory.New()
	for _, id := range []domain.ClientID{"app-1", "app-2", "app-3"} {
		create(t, store, stateOf(id))
	}
	overwrite := func(id domain.ClientID, part application.RecordPart, with string) {
		t.Helper()
		require.NoError(t, store.Overwrite(application.UnreadableRecord{TenantID: "tenant_a", ClientID: id, Revision: 1, Part: part}, []byte(with)))
	}
	overwrite("app-1", application.PartDocument, `{"name": 5}`)
	overwrite("app-2", application.PartSecrets, `[{"id": 5}]`)
	overwrite("app-2", application.PartRevision, `{"name": 5}`)

	_, err := store.Find(t.Context(), "tenant_a", "app-1")
	var unreadable *application.UnreadableError
	require.ErrorAs(t, err, &unreadable)
	page, err := store.List(t.Context(), "tenant_a", application.Query{Limit: 2, Count: true})
	require.NoError(t, err)
	assert.Equal(t, []*application.UnreadableError{unreadable}, page.Unreadable)
	require.Len(t, page.Clients, 1)
	assert.Equal(t, domain.ClientID("app-2"), page.Last())
	assert.True(t, page.More, "an unreadable client counts towards the limit")
	assert.Equal(t, 3, page.Total)

	changes, err := store.Changes(t.Context(), "tenant_a", "", 10)
	require.NoError(t, err)
	require.Len(t, changes.Revisions, 3)
	for i, wanted := range []bool{false, true, false} {
		assert.Equal(t, wanted, changes.Revisions[i].Unreadable)
	}
	log, err := store.Revisions(t.Context(), "tenant_a", "app-2", 0, 10)
	require.NoError(t, err)
	require.Len(t, log, 1)
	assert.True(t, log[0].Unreadable)
	assert.Equal(t, domain.ActionCreate, log[0].Action)
	assert.Equal(t, domain.RevisionNumber(1), log[0].Client.Revision())

	// A commit keeps secrets that cannot be read, and Purgeable skips clients that cannot
	// be read.
	for id, deletedAt := range map[domain.ClientID]time.Time{"app-1": now, "app-2": now, "app-3": now.Add(-time.Minute)} {
		state := stateOf(id)
		state.Secrets, state.SecretsUnreadable = nil, true
		state.Revision, state.DeletedAt = 2, deletedAt
		r := domain.Revision{Action: domain.ActionDelete, At: now, Client: domain.Restore(state)}
		require.NoError(t, store.Commit(t.Context(), r), "%s", id)
	}
	found, err := store.Find(t.Context(), "tenant_a", "app-2")
	require.NoError(t, err)
	assert.True(t, found.SecretsUnreadable())
	overwrite("app-1", application.PartDocument, `{"name": 5}`)
	clients, skipped, err := store.Purgeable(t.Context(), now.Add(time.Minute), 2)
	require.NoError(t, err)
	require.Len(t, clients, 2)
	assert.Equal(t, domain.ClientID("app-3"), clients[0].Identity().ClientID, "it was deleted first")
	assert.Equal(t, domain.ClientID("app-2"), clients[1].Identity().ClientID)
	require.Len(t, skipped, 1)
	assert.Equal(t, domain.ClientID("app-1"), skipped[0].ClientID)
}

func TestOverwriteOfAnUnknownRecord(t *testing.T) {
	store := memory.New()
	for _, part := range []application.RecordPart{application.PartDocument, application.PartSecrets, application.PartRevision} {
		err := store.Overwrite(application.UnreadableRecord{TenantID: "tenant_a", ClientID: "app-1", Revision: 1, Part: part}, nil)
		require.ErrorIs(t, err, application.ErrNotFound, part)
	}
}

func TestUnstorableValues(t *testing.T) {
	store := memory.New()
	far := time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)
	valid := domain.Revision{Action: domain.ActionCreate, At: now, Client: domain.Restore(stateOf("app-1"))}
	attempt := application.IdempotencyRecord{Subject: "alice", Key: "key", At: now}
	late, name := valid, stateOf("app-1")
	late.At = far
	name.Settings.Name = "\xff"
	invalid := valid
	invalid.Client = domain.Restore(name)
	for _, r := range []domain.Revision{late, invalid} {
		require.ErrorIs(t, store.Commit(t.Context(), r), application.ErrUnstorable)
		require.ErrorIs(t, store.CommitOnce(t.Context(), r, attempt), application.ErrUnstorable)
	}
	lateAttempt := attempt
	lateAttempt.At = far
	require.ErrorIs(t, store.CommitOnce(t.Context(), valid, lateAttempt), application.ErrUnstorable)
	_, err := store.Find(t.Context(), "tenant_a", "app-1")
	require.ErrorIs(t, err, application.ErrNotFound)
	_, err = store.FindIdempotencyRecord(t.Context(), "tenant_a", "alice", "key")
	require.ErrorIs(t, err, application.ErrNotFound)
}

// The history compares each entry with the previous one.
func TestPageOfLargeRevisionsHasTwoEntries(t *testing.T) {
	store := memory.New()
	for i := range 3 {
		state := stateOf("app-1")
		state.Revision, state.Settings.Name = domain.RevisionNumber(i+1), strings.Repeat("a", application.PageBytes)
		require.NoError(t, store.Commit(t.Context(), domain.Revision{Action: domain.ActionUpdate, At: now, Client: domain.Restore(state)}))
	}
	log, err := store.Revisions(t.Context(), "tenant_a", "app-1", 0, 3)
	require.NoError(t, err)
	assert.Len(t, log, 2)
	log, err = store.Revisions(t.Context(), "tenant_a", "app-1", 0, 1)
	require.NoError(t, err)
	assert.Len(t, log, 1)
}

// Times outside of documents have microseconds, as in the other stores.
func TestTimesHaveMicrosecondsInUTC(t *testing.T) {
	store := memory.New()
	precise := now.Add(1234567 * time.Nanosecond).In(time.FixedZone("", 3600))
	r := domain.Revision{Action: domain.ActionCreate, At: precise, Client: domain.Restore(stateOf("app-1"))}
	attempt := application.IdempotencyRecord{Subject: "alice", Key: "key", At: precise}
	require.NoError(t, store.CommitOnce(t.Context(), r, attempt))
	want := now.Add(1234 * time.Microsecond)
	log, err := store.Revisions(t.Context(), "tenant_a", "app-1", 0, 1)
	require.NoError(t, err)
	assert.Equal(t, want, log[0].At)
	kept, err := store.FindIdempotencyRecord(t.Context(), "tenant_a", "alice", "key")
	require.NoError(t, err)
	assert.Equal(t, want, kept.At)
	page, err := store.List(t.Context(), "tenant_a", application.Query{Limit: 1, UpdatedSince: precise})
	require.NoError(t, err)
	assert.Len(t, page.Clients, 1)
}

func TestRegistrations(t *testing.T) {
	storetest.RunRegistrations(t, func(*testing.T) storetest.Registrations { return memory.New() })
}
