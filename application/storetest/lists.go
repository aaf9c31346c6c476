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

func listIsPaged(t *testing.T, store application.Store) {
	var want []string
	for i := range 7 {
		id := fmt.Sprintf("app-%d", i)
		commitNew(t, store, tenant, domain.ClientID(id), domain.Change{})
		commitNew(t, store, "tenant_b", domain.ClientID(id+"b"), domain.Change{})
		want = append(want, id)
	}
	var listed []string
	after := domain.ClientID("")
	for {
		page := list(t, store, application.Query{After: after, Limit: 3})
		listed = append(listed, ids(page.Clients)...)
		if !page.More {
			break
		}
		after = domain.ClientID(listed[len(listed)-1])
	}
	assert.Equal(t, want, listed)

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

func pagingDuringChanges(t *testing.T, store application.Store) {
	const count = 40
	clients := make([]domain.Client, count)
	for i := range count {
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
			k := i % count
			revised, _ := revise(t, clients[k], domain.ChangeOf(domain.Settings{Name: fmt.Sprintf("name %d", i)}), now)
			if err := store.Commit(t.Context(), updated(revised)); err != nil {
				t.Errorf("commit: %v", err)
				return
			}
			clients[k] = revised
		}
	})
	for range 5 {
		var listed []string
		after := domain.ClientID("")
		for {
			page := list(t, store, application.Query{After: after, Limit: 7})
			listed = append(listed, ids(page.Clients)...)
			if !page.More {
				break
			}
			after = domain.ClientID(listed[len(listed)-1])
		}
		assert.Len(t, listed, count)
	}
	close(done)
	group.Wait()
}

func listFilters(t *testing.T, store application.Store) {
	commitNew(t, store, tenant, "plain", domain.Change{})
	commitNew(t, store, tenant, "scoped", domain.ChangeOf(domain.Settings{Scopes: []domain.Scope{"openid", "profile"}}))
	commitNew(t, store, tenant, "machine", domain.ChangeOf(domain.Settings{
		GrantTypes: []domain.GrantType{domain.GrantClientCredentials}, Scopes: []domain.Scope{"reports"},
	}, domain.FieldRedirectURIs))
	commitNew(t, store, tenant, "keyed", domain.ChangeOf(domain.Settings{
		AuthMethods: []domain.AuthMethod{domain.AuthPrivateKeyJWT}, Profile: domain.ProfileFAPI2Security, Keys: domain.KeysAt("https://keys.example.com/jwks"), RedirectURIs: []domain.RedirectURI{"https://Bank.example.com/cb"},
		ApplicationType: domain.ApplicationWeb, SoftwareID: "4NRB1", Owner: "payments", Labels: map[string]string{"example.com/tier": "gold"},
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
		{"application type", application.Query{ApplicationType: domain.ApplicationWeb}, []string{"keyed"}},
		{"software", application.Query{SoftwareID: "4NRB1"}, []string{"keyed"}},
		{"owner", application.Query{Owner: "payments"}, []string{"keyed"}},
		{"another owner", application.Query{Owner: "payment"}, []string{}},
		{"label", application.Query{Label: "example.com/tier"}, []string{"keyed"}},
		{"label with its value", application.Query{Label: "example.com/tier=gold"}, []string{"keyed"}},
		{"label with another value", application.Query{Label: "example.com/tier=silver"}, []string{}},
		{"updated since", application.Query{UpdatedSince: now.Add(time.Second)}, []string{"suspended"}},
		{"updated since an earlier time", application.Query{UpdatedSince: now}, []string{"keyed", "machine", "plain", "scoped", "suspended"}},
		{"several filters", application.Query{Status: domain.StatusActive, GrantType: domain.GrantAuthorizationCode, Scope: "profile"}, []string{"scoped"}},
		{"name and status", application.Query{Name: "E", Status: domain.StatusActive}, []string{"keyed", "machine", "scoped"}},
		{"contradictory", application.Query{Scope: "reports", AuthMethod: domain.AuthPrivateKeyJWT}, []string{}},
		{"no match", application.Query{Scope: "no such"}, []string{}},
		{"no wildcards", application.Query{Scope: "%"}, []string{}},
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

func nameSearch(t *testing.T, store application.Store) {
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

func totals(t *testing.T, store application.Store) {
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
	require.NoError(t, store.Commit(t.Context(), revisionOf(domain.ActionDelete, client)))
	assert.Equal(t, 1, total(application.Query{}))
	assert.Equal(t, 0, total(application.Query{Status: domain.StatusSuspended}))
	back, _ := restore(t, client, now)
	require.NoError(t, store.Commit(t.Context(), revisionOf(domain.ActionRestore, back)))
	assert.Equal(t, 1, total(application.Query{Status: domain.StatusSuspended}))
	deleted := deleted(t, back, now)
	require.NoError(t, store.Commit(t.Context(), revisionOf(domain.ActionDelete, deleted)))
	require.NoError(t, store.Commit(t.Context(), revisionOf(domain.ActionPurge, purged(t, deleted, now))))
	assert.Equal(t, 1, total(application.Query{}))
	assert.Equal(t, 1, total(application.Query{Status: domain.StatusActive}))

	var group sync.WaitGroup
	for i := range 32 {
		group.Go(func() { commitNew(t, store, tenant, domain.ClientID(fmt.Sprintf("many-%d", i)), domain.Change{}) })
	}
	group.Wait()
	assert.Equal(t, 33, total(application.Query{}))
}
