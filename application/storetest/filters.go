package storetest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// filterCombinations lists with every combination of filters, by page and by cursor,
// and compares the result with filters in Go.
func filterCombinations(t *testing.T, store application.Store) {
	r := rand.New(rand.NewPCG(1, 1)) //nolint:gosec // the same clients in each run
	var clients []domain.Client
	for i := range 40 {
		settings := domain.Settings{
			Name: fmt.Sprintf("Application %d", i), RedirectURIs: []domain.RedirectURI{domain.RedirectURI(fmt.Sprintf("https://h%d.example.com/cb", r.IntN(2)))}, Scopes: []domain.Scope{domain.Scope([]string{"openid", "profile"}[r.IntN(2)])},
		}
		if r.IntN(2) == 0 {
			settings.GrantTypes = []domain.GrantType{domain.GrantAuthorizationCode, domain.GrantRefreshToken}
		}
		if r.IntN(2) == 0 {
			settings.AuthMethods, settings.Profile = []domain.AuthMethod{domain.AuthPrivateKeyJWT}, domain.ProfileFAPI2Security
			settings.Keys = domain.KeysAt("https://keys.example.com/jwks")
		}
		client := commitNew(t, store, tenant, domain.ClientID(fmt.Sprintf("app-%02d", i)), domain.ChangeOf(settings))
		commitNew(t, store, "tenant_b", domain.ClientID(fmt.Sprintf("app-%02d", i)), domain.ChangeOf(settings))
		switch r.IntN(6) {
		case 0:
			deleted := deleted(t, client, now.Add(time.Hour))
			require.NoError(t, store.Commit(t.Context(), revisionOf(domain.ActionDelete, deleted)))
			continue
		case 1:
			client = commitChange(t, store, client, domain.ChangeOf(domain.Settings{Status: domain.StatusSuspended}))
		case 2: // changed twice, the second time by a clock that is behind
			late, _ := revise(t, client, domain.ChangeOf(domain.Settings{Name: "Application late"}), now.Add(time.Hour))
			require.NoError(t, store.Commit(t.Context(), updated(late)))
			early, _ := revise(t, late, domain.ChangeOf(domain.Settings{Name: fmt.Sprintf("Application %d", i)}), now.Add(time.Second))
			require.NoError(t, store.Commit(t.Context(), updated(early)))
			clients = append(clients, late) // its latest time counts, see changedSince
			client = early
		}
		clients = append(clients, client)
	}
	changedSince := map[domain.ClientID]time.Time{}
	current := map[domain.ClientID]domain.Client{}
	for _, c := range clients {
		id := c.Identity().ClientID
		current[id] = c
		if c.UpdatedAt().After(changedSince[id]) {
			changedSince[id] = c.UpdatedAt()
		}
	}
	for bits := range 1 << 8 {
		var q application.Query
		var checks []func(c domain.Client, s domain.Settings) bool
		filters := []func() func(domain.Client, domain.Settings) bool{
			func() func(domain.Client, domain.Settings) bool {
				q.Name = "ATION 1"
				return func(_ domain.Client, s domain.Settings) bool { return strings.Contains(s.Name, "ation 1") }
			},
			func() func(domain.Client, domain.Settings) bool {
				q.Status = domain.StatusActive
				return func(_ domain.Client, s domain.Settings) bool { return s.Status == domain.StatusActive }
			},
			func() func(domain.Client, domain.Settings) bool {
				q.GrantType = domain.GrantRefreshToken
				return func(_ domain.Client, s domain.Settings) bool {
					return slices.Contains(s.GrantTypes, domain.GrantRefreshToken)
				}
			},
			func() func(domain.Client, domain.Settings) bool {
				q.AuthMethod = domain.AuthPrivateKeyJWT
				return func(_ domain.Client, s domain.Settings) bool {
					return slices.Contains(s.AuthMethods, domain.AuthPrivateKeyJWT)
				}
			},
			func() func(domain.Client, domain.Settings) bool {
				q.Profile = domain.ProfileFAPI2Security
				return func(_ domain.Client, s domain.Settings) bool { return s.Profile == domain.ProfileFAPI2Security }
			},
			func() func(domain.Client, domain.Settings) bool {
				q.Scope = "openid"
				return func(_ domain.Client, s domain.Settings) bool { return slices.Contains(s.Scopes, "openid") }
			},
			func() func(domain.Client, domain.Settings) bool {
				q.RedirectHost = "h1.example.com"
				return func(_ domain.Client, s domain.Settings) bool {
					return slices.ContainsFunc(s.RedirectURIs, func(uri domain.RedirectURI) bool {
						return domain.FieldRedirectURIs.FacetValue(string(uri)) == "h1.example.com"
					})
				}
			},
			func() func(domain.Client, domain.Settings) bool {
				q.UpdatedSince = now.Add(30 * time.Second)
				return func(c domain.Client, _ domain.Settings) bool {
					return !changedSince[c.Identity().ClientID].Before(q.UpdatedSince)
				}
			},
		}
		for i, filter := range filters {
			if bits&(1<<i) != 0 {
				checks = append(checks, filter())
			}
		}
		want := []string{}
		for id, c := range current {
			if !slices.ContainsFunc(checks, func(check func(domain.Client, domain.Settings) bool) bool { return !check(c, c.Settings()) }) {
				want = append(want, string(id))
			}
		}
		slices.Sort(want)

		q.Count, q.Limit = true, 3
		page := list(t, store, q)
		assert.Equal(t, want[:min(3, len(want))], ids(page.Clients), "%+v", q)
		assert.Equal(t, len(want), page.Total, "%+v", q)
		q.Offset = 3
		page = list(t, store, q)
		assert.Equal(t, want[min(3, len(want)):min(6, len(want))], ids(page.Clients), "%+v", q)
		assert.Equal(t, len(want), page.Total, "%+v", q)
		assert.Equal(t, len(want) > 6, page.More, "%+v", q)
		q.Offset, q.Count, q.Limit, q.After = 0, false, 100, "app-07"
		page = list(t, store, q)
		following := slices.DeleteFunc(want, func(id string) bool { return id <= "app-07" })
		assert.Equal(t, following, ids(page.Clients), "%+v", q)
		assert.Zero(t, page.Total, "%+v", q)
		assert.False(t, page.More, "%+v", q)
	}
}
