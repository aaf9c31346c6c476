package sqlite_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/sqlite"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// BenchmarkLists shows that the cost of a list depends on the size of the page, not on the
// number of clients.
func BenchmarkLists(b *testing.B) {
	for _, clients := range []int{1_000, 100_000} {
		store := filled(b, clients)
		queries := map[string]application.Query{
			"page":                    {Count: true},
			"walk":                    {After: domain.ClientID(fmt.Sprintf("app-%08d", clients/2))},
			"status":                  {Status: domain.StatusActive, Count: true},
			"scope that all have":     {Scope: "openid"},
			"host that ten have":      {RedirectHost: "h7.example.com", Count: true},
			"rare part of a name":     {Name: "number 777", Count: true},
			"part of every name":      {Name: "application"},
			"a scope and a rare host": {Scope: "openid", RedirectHost: "h7.example.com"},
		}
		for name, q := range queries {
			q.Limit = 100
			b.Run(fmt.Sprintf("%s/%d", name, clients), func(b *testing.B) {
				for b.Loop() {
					if _, err := store.List(b.Context(), "tenant_a", q); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// filled returns a store with that many clients.
func filled(b testing.TB, clients int) *sqlite.Store {
	b.Helper()
	store, err := sqlite.Open(b.TempDir() + "/x.db")
	require.NoError(b, err)
	b.Cleanup(func() { _ = store.Close() })
	_, err = store.Migrate(b.Context())
	require.NoError(b, err)
	book, err := domain.NewRulebook(domain.Policy{})
	require.NoError(b, err)
	now := time.Date(2026, 4, 15, 10, 30, 0, 0, time.UTC)
	var revisions []domain.Revision
	for i := range clients {
		id := fmt.Sprintf("app-%08d", i)
		outcome := book.Register(domain.Identity{ID: id, TenantID: "tenant_a", ClientID: domain.ClientID(id)}, domain.ChangeOf(domain.Settings{
			Name: fmt.Sprintf("Application number %d", i), RedirectURIs: []domain.RedirectURI{domain.RedirectURI(fmt.Sprintf("https://h%d.example.com/cb", i/10))}, Scopes: []domain.Scope{"openid"},
		})).Decide(domain.Facts{}, now)
		require.False(b, outcome.Findings.HasViolations())
		revisions = append(revisions, domain.Revision{Action: domain.ActionCreate, At: now, Client: outcome.Client})
	}
	require.NoError(b, store.CommitAll(b.Context(), revisions))
	return store
}
