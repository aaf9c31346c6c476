package storetest

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// commitNew registers a client with the change and commits it.
func commitNew(t *testing.T, store application.Store, of domain.TenantID, id domain.ClientID, change domain.Change) domain.Client {
	t.Helper()
	defaults := domain.Settings{Name: string(id), RedirectURIs: []domain.RedirectURI{"https://app.example.com/cb"}}
	for _, f := range []domain.Field{domain.FieldName, domain.FieldRedirectURIs} {
		if !change.Names(f) {
			change = change.With(f, defaults)
		}
	}
	outcome := book(t).Register(domain.Identity{ID: "client_" + string(id), TenantID: of, ClientID: id}, change).Decide(domain.KeysUnexamined(), now)
	client, findings := outcome.Client, outcome.Findings
	require.False(t, findings.HasViolations(), "%v", findings)
	require.NoError(t, store.Commit(t.Context(), created(client)))
	return client
}

// commitChange changes a client and commits it.
func commitChange(t *testing.T, store application.Store, c domain.Client, change domain.Change) domain.Client {
	t.Helper()
	revised, findings := revise(t, c, change, c.UpdatedAt().Add(time.Minute))
	require.False(t, findings.HasViolations(), "%v", findings)
	require.NoError(t, store.Commit(t.Context(), updated(revised)))
	return revised
}

func ids(clients []domain.Client) []string {
	list := []string{}
	for _, c := range clients {
		list = append(list, string(c.Identity().ClientID))
	}
	return list
}

func list(t *testing.T, store application.Store, q application.Query) application.Page {
	t.Helper()
	if q.Limit == 0 {
		q.Limit = 100
	}
	page, err := store.List(t.Context(), tenant, q)
	require.NoError(t, err)
	return page
}

func deletedClient(t *testing.T, store application.Store) {
	client := register(t, tenant, "app-1")
	require.NoError(t, store.Commit(t.Context(), created(client)))
	gone := deleted(t, client, now.Add(time.Hour))
	require.NoError(t, store.Commit(t.Context(), ended(domain.ActionDelete, gone)))

	found, err := store.Find(t.Context(), tenant, "app-1")
	require.NoError(t, err)
	assert.Equal(t, gone.State(), found.State(), "its secrets too, since it can be restored")
	for _, q := range []application.Query{{}, {Name: "App"}, {Status: domain.StatusActive}, {UpdatedSince: now}} {
		assert.Empty(t, list(t, store, q).Clients)
	}

	back, findings := restore(t, found, now.Add(2*time.Hour))
	require.False(t, findings.HasViolations())
	require.NoError(t, store.Commit(t.Context(), ended(domain.ActionRestore, back)))
	assert.Equal(t, []string{"app-1"}, ids(list(t, store, application.Query{}).Clients))
}

func purged(t *testing.T, store application.Store) {
	client := register(t, tenant, "app-1")
	require.NoError(t, store.Commit(t.Context(), created(client)))
	other := commitNew(t, store, tenant, "app-2", domain.Change{})
	require.NoError(t, store.NoteSecretUses(t.Context(), []application.SecretUse{{TenantID: tenant, ClientID: "app-1", SecretID: "s", At: now}}))
	gone := deleted(t, client, now)
	require.NoError(t, store.Commit(t.Context(), ended(domain.ActionDelete, gone)))
	left := tombstone(t, gone, now.Add(time.Hour))
	require.NoError(t, store.Commit(t.Context(), ended(domain.ActionPurge, left)))

	found, err := store.Find(t.Context(), tenant, "app-1")
	require.NoError(t, err)
	assert.Equal(t, left.State(), found.State())
	assert.Empty(t, found.Settings().Name)
	log, err := store.Revisions(t.Context(), tenant, "app-1", 0, 10)
	require.NoError(t, err)
	require.Len(t, log, 1)
	assert.Equal(t, domain.ActionPurge, log[0].Action)
	assert.Equal(t, domain.RevisionNumber(3), log[0].Client.Revision())
	used, err := store.SecretUses(t.Context(), tenant, "app-1")
	require.NoError(t, err)
	assert.Empty(t, used)
	log, err = store.Revisions(t.Context(), tenant, other.Identity().ClientID, 0, 10)
	require.NoError(t, err)
	assert.Len(t, log, 1, "the log of another")
	assert.ErrorIs(t, store.Commit(t.Context(), created(client)), application.ErrConflict, "the identifier stays taken")
}

func purgeable(t *testing.T, store application.Store) {
	for i, id := range []domain.ClientID{"app-1", "app-2", "app-3"} {
		client := commitNew(t, store, tenant, id, domain.Change{})
		if i < 2 {
			require.NoError(t, store.Commit(t.Context(), ended(domain.ActionDelete, deleted(t, client, now.Add(time.Duration(i)*time.Hour)))))
		}
	}
	find := func(before time.Time, limit int) []string {
		clients, _, err := store.Purgeable(t.Context(), before, limit)
		require.NoError(t, err)
		return ids(clients)
	}
	assert.Empty(t, find(now, 10))
	assert.Equal(t, []string{"app-1"}, find(now.Add(time.Minute), 10))
	assert.Equal(t, []string{"app-1", "app-2"}, find(now.Add(2*time.Hour), 10))
	assert.Len(t, find(now.Add(2*time.Hour), 1), 1)
	client, err := store.Find(t.Context(), tenant, "app-1")
	require.NoError(t, err)
	require.NoError(t, store.Commit(t.Context(), ended(domain.ActionPurge, tombstone(t, client, now))))
	assert.Equal(t, []string{"app-2"}, find(now.Add(2*time.Hour), 10))
}

func listIsWalked(t *testing.T, store application.Store) {
	var want []string
	for i := range 7 {
		id := fmt.Sprintf("app-%d", i)
		commitNew(t, store, tenant, domain.ClientID(id), domain.Change{})
		commitNew(t, store, "tenant_b", domain.ClientID(id+"b"), domain.Change{})
		want = append(want, id)
	}
	var walked []string
	after := domain.ClientID("")
	for {
		page := list(t, store, application.Query{After: after, Limit: 3})
		walked = append(walked, ids(page.Clients)...)
		if !page.More {
			break
		}
		after = domain.ClientID(walked[len(walked)-1])
	}
	assert.Equal(t, want, walked)

	page := list(t, store, application.Query{Offset: 3, Limit: 3, Count: true})
	assert.Equal(t, want[3:6], ids(page.Clients))
	assert.True(t, page.More)
	assert.Equal(t, 7, page.Total)
	page = list(t, store, application.Query{Offset: 6, Limit: 3, Count: true})
	assert.Equal(t, want[6:], ids(page.Clients))
	assert.False(t, page.More)
	page = list(t, store, application.Query{Offset: 9, Limit: 3, Count: true})
	assert.Empty(t, page.Clients)
	assert.Equal(t, 7, page.Total)
	page = list(t, store, application.Query{Limit: 7})
	assert.Len(t, page.Clients, 7)
	assert.False(t, page.More)
	assert.NotEmpty(t, page.Clients[0].Identity().ID)
}

func walkUnderChange(t *testing.T, store application.Store) {
	const standing = 40
	clients := make([]domain.Client, standing)
	for i := range standing {
		clients[i] = commitNew(t, store, tenant, domain.ClientID(fmt.Sprintf("app-%03d", i)), domain.Change{})
	}
	var group sync.WaitGroup
	done := make(chan struct{})
	group.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-done:
				return
			default:
			}
			k := i % standing
			revised, _ := revise(t, clients[k], domain.ChangeOf(domain.Settings{Name: fmt.Sprintf("name %d", i)}), now)
			if err := store.Commit(t.Context(), updated(revised)); err != nil {
				t.Errorf("commit: %v", err)
				return
			}
			clients[k] = revised
		}
	})
	for range 5 {
		var walked []string
		after := domain.ClientID("")
		for {
			page := list(t, store, application.Query{After: after, Limit: 7})
			walked = append(walked, ids(page.Clients)...)
			if !page.More {
				break
			}
			after = domain.ClientID(walked[len(walked)-1])
		}
		assert.Len(t, walked, standing)
	}
	close(done)
	group.Wait()
}

func listSelects(t *testing.T, store application.Store) {
	commitNew(t, store, tenant, "plain", domain.Change{})
	commitNew(t, store, tenant, "scoped", domain.ChangeOf(domain.Settings{Scopes: []domain.Scope{"openid", "profile"}}))
	commitNew(t, store, tenant, "machine", domain.ChangeOf(domain.Settings{
		GrantTypes: []domain.GrantType{domain.GrantClientCredentials}, Scopes: []domain.Scope{"reports"},
	}, domain.FieldRedirectURIs))
	commitNew(t, store, tenant, "keyed", domain.ChangeOf(domain.Settings{
		AuthMethods: []domain.AuthMethod{domain.AuthPrivateKeyJWT}, Profile: domain.ProfileFAPI2Security, Keys: domain.KeysAt("https://keys.example.com/jwks"), RedirectURIs: []domain.RedirectURI{"https://Bank.example.com/cb"},
	}))
	late := commitNew(t, store, tenant, "suspended", domain.Change{})
	commitChange(t, store, late, domain.ChangeOf(domain.Settings{Status: domain.StatusSuspended}))
	commitNew(t, store, "tenant_b", "foreign", domain.ChangeOf(domain.Settings{Scopes: []domain.Scope{"openid"}}))

	tests := []struct {
		name string
		q    application.Query
		want []string
	}{
		{"all", application.Query{}, []string{"keyed", "machine", "plain", "scoped", "suspended"}},
		{"status", application.Query{Status: domain.StatusSuspended}, []string{"suspended"}},
		{"grant type", application.Query{GrantType: domain.GrantClientCredentials}, []string{"machine"}},
		{"authentication method", application.Query{AuthMethod: domain.AuthPrivateKeyJWT}, []string{"keyed"}},
		{"profile", application.Query{Profile: domain.ProfileFAPI2Security}, []string{"keyed"}},
		{"scope", application.Query{Scope: "openid"}, []string{"scoped"}},
		{"redirect host", application.Query{RedirectHost: "bank.EXAMPLE.com"}, []string{"keyed"}},
		{"updated since", application.Query{UpdatedSince: now.Add(time.Second)}, []string{"suspended"}},
		{"updated since a past", application.Query{UpdatedSince: now}, []string{"keyed", "machine", "plain", "scoped", "suspended"}},
		{"several", application.Query{Status: domain.StatusActive, GrantType: domain.GrantAuthorizationCode, Scope: "profile"}, []string{"scoped"}},
		{"name and status", application.Query{Name: "E", Status: domain.StatusActive}, []string{"keyed", "machine", "scoped"}},
		{"contradictory", application.Query{Scope: "reports", AuthMethod: domain.AuthPrivateKeyJWT}, []string{}},
		{"none", application.Query{Scope: "no such"}, []string{}},
		{"a facet is no pattern", application.Query{Scope: "%"}, []string{}},
	}
	for _, tt := range tests {
		tt.q.Count = true
		page := list(t, store, tt.q)
		assert.Equal(t, tt.want, ids(page.Clients), tt.name)
		assert.Equal(t, len(tt.want), page.Total, tt.name)
		if len(tt.want) > 1 {
			tt.q.After = domain.ClientID(tt.want[0])
			page = list(t, store, tt.q)
			assert.Equal(t, tt.want[1:], ids(page.Clients), tt.name)
			assert.Equal(t, len(tt.want), page.Total, tt.name)
		}
	}
}

func namesAreLiteral(t *testing.T, store application.Store) {
	for id, name := range map[domain.ClientID]string{
		"a": "100% Größe", "b": "1000 GRÖSSE", "c": `back\slash`, "d": "under_score", "e": "underXscore", "f": `"quoted" AND x`,
	} {
		commitNew(t, store, tenant, id, domain.ChangeOf(domain.Settings{Name: name}))
	}
	tests := map[string][]string{
		"100%": {"a"}, "%": {"a"}, "_": {"d"}, "under_": {"d"}, "UNDER": {"d", "e"}, `\`: {"c"}, `k\s`: {"c"},
		"größe": {"a", "b"}, "ss": {"a", "b"}, `"quo`: {"f"}, `" AND`: {"f"}, "x": {"e", "f"}, "nothing": {}, "*": {}, "ack OR": {},
	}
	for name, want := range tests {
		assert.Equal(t, want, ids(list(t, store, application.Query{Name: name}).Clients), name)
	}
}

func totalsFollow(t *testing.T, store application.Store) {
	total := func(q application.Query) int {
		q.Count = true
		return list(t, store, q).Total
	}
	assert.Zero(t, total(application.Query{}))
	client := commitNew(t, store, tenant, "app-1", domain.Change{})
	commitNew(t, store, tenant, "app-2", domain.Change{})
	commitNew(t, store, "tenant_b", "app-3", domain.Change{})
	assert.Equal(t, 2, total(application.Query{}))
	client = commitChange(t, store, client, domain.ChangeOf(domain.Settings{Status: domain.StatusSuspended}))
	assert.Equal(t, 1, total(application.Query{Status: domain.StatusActive}))
	assert.Equal(t, 1, total(application.Query{Status: domain.StatusSuspended}))
	client = commitChange(t, store, client, domain.ChangeOf(domain.Settings{Name: "another"}))
	client = deleted(t, client, now)
	require.NoError(t, store.Commit(t.Context(), ended(domain.ActionDelete, client)))
	assert.Equal(t, 1, total(application.Query{}))
	assert.Equal(t, 0, total(application.Query{Status: domain.StatusSuspended}))
	back, _ := restore(t, client, now)
	require.NoError(t, store.Commit(t.Context(), ended(domain.ActionRestore, back)))
	assert.Equal(t, 1, total(application.Query{Status: domain.StatusSuspended}))
	gone := deleted(t, back, now)
	require.NoError(t, store.Commit(t.Context(), ended(domain.ActionDelete, gone)))
	require.NoError(t, store.Commit(t.Context(), ended(domain.ActionPurge, tombstone(t, gone, now))))
	assert.Equal(t, 1, total(application.Query{}))
	assert.Equal(t, 1, total(application.Query{Status: domain.StatusActive}))

	var group sync.WaitGroup
	for i := range 32 {
		group.Go(func() { commitNew(t, store, tenant, domain.ClientID(fmt.Sprintf("many-%d", i)), domain.Change{}) })
	}
	group.Wait()
	assert.Equal(t, 33, total(application.Query{}))
}

func attemptOf(c domain.Client, key string) application.Attempt {
	return application.Attempt{
		Subject: "alice", Key: key, Fingerprint: [32]byte{1, 2, 3}, At: now,
		ClientID: c.Identity().ClientID, Revision: c.Revision(), SecretID: "secret_1",
	}
}

func attemptKept(t *testing.T, store application.Store) {
	client := register(t, tenant, "app-1")
	attempt := attemptOf(client, "key-1")
	_, err := store.FindAttempt(t.Context(), tenant, "alice", "key-1")
	require.ErrorIs(t, err, application.ErrNotFound)
	require.NoError(t, store.CommitOnce(t.Context(), created(client), attempt))
	kept, err := store.FindAttempt(t.Context(), tenant, "alice", "key-1")
	require.NoError(t, err)
	assert.Equal(t, attempt, kept)

	second := rename(t, client, "Another")
	require.ErrorIs(t, store.CommitOnce(t.Context(), updated(second), attemptOf(second, "key-1")), application.ErrDone)
	found, err := store.Find(t.Context(), tenant, "app-1")
	require.NoError(t, err)
	assert.Equal(t, domain.RevisionNumber(1), found.Revision(), "nothing was done twice")

	require.ErrorIs(t, store.CommitOnce(t.Context(), created(client), attemptOf(client, "key-2")), application.ErrConflict)
	_, err = store.FindAttempt(t.Context(), tenant, "alice", "key-2")
	require.ErrorIs(t, err, application.ErrNotFound, "an attempt without its revision")
	for _, other := range []struct {
		tenant  domain.TenantID
		subject string
	}{{"tenant_b", "alice"}, {tenant, "bob"}} {
		_, err = store.FindAttempt(t.Context(), other.tenant, other.subject, "key-1")
		require.ErrorIs(t, err, application.ErrNotFound)
	}
}

func oneAttempt(t *testing.T, store application.Store) {
	const rivals = 8
	errs := make([]error, rivals)
	var group sync.WaitGroup
	for i := range rivals {
		client := register(t, tenant, domain.ClientID(fmt.Sprintf("app-%d", i)))
		group.Go(func() { errs[i] = store.CommitOnce(t.Context(), created(client), attemptOf(client, "key")) })
	}
	group.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
		} else {
			require.ErrorIs(t, err, application.ErrDone)
		}
	}
	assert.Equal(t, 1, won)
	assert.Len(t, list(t, store, application.Query{}).Clients, 1)
}

func attemptForgotten(t *testing.T, store application.Store) {
	client := register(t, tenant, "app-1")
	require.NoError(t, store.CommitOnce(t.Context(), created(client), attemptOf(client, "key")))
	second := rename(t, client, "Another")
	late := attemptOf(second, "key")
	late.At = now.Add(application.AttemptsKept + time.Minute)
	require.NoError(t, store.CommitOnce(t.Context(), updated(second), late), "the key is free again")
	kept, err := store.FindAttempt(t.Context(), tenant, "alice", "key")
	require.NoError(t, err)
	assert.Equal(t, late, kept)

	require.NoError(t, store.ForgetAttempts(t.Context(), late.At))
	_, err = store.FindAttempt(t.Context(), tenant, "alice", "key")
	require.NoError(t, err)
	require.NoError(t, store.ForgetAttempts(t.Context(), late.At.Add(time.Second)))
	_, err = store.FindAttempt(t.Context(), tenant, "alice", "key")
	require.ErrorIs(t, err, application.ErrNotFound)
}

func secretUses(t *testing.T, store application.Store) {
	note := func(client domain.ClientID, secret string, at time.Time) {
		require.NoError(t, store.NoteSecretUses(t.Context(), []application.SecretUse{
			{TenantID: tenant, ClientID: client, SecretID: secret, At: at},
			{TenantID: "tenant_b", ClientID: client, SecretID: secret, At: at.Add(time.Hour)},
		}))
	}
	note("app-1", "s1", now)
	note("app-1", "s1", now.Add(time.Minute))
	note("app-1", "s1", now.Add(time.Second))
	note("app-1", "s2", now)
	note("app-2", "s3", now)
	used, err := store.SecretUses(t.Context(), tenant, "app-1")
	require.NoError(t, err)
	assert.Equal(t, map[string]time.Time{"s1": now.Add(time.Minute), "s2": now}, used)
	used, err = store.SecretUses(t.Context(), tenant, domain.ClientID(strings.Repeat("x", 10)))
	require.NoError(t, err)
	assert.Empty(t, used)
}
