package sqlite_test

import (
	"context"
	"fmt"
	"math/bits"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// combinations calls do with a query for each combination of up to four filters and for all
// of them together, once for a numbered page and once for a page after a cursor.
func combinations(do func(name string, q application.Query)) {
	since := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	for set := range uint(1 << 9) {
		if n := bits.OnesCount(set); n > 4 && n < 9 {
			continue
		}
		q := application.Query{Limit: 20}
		filters := []func(){
			func() { q.Name = "application" },
			func() { q.Name = "ap" }, // too short for the index
			func() { q.Status = domain.StatusActive },
			func() { q.Scope = "openid" },
			func() { q.GrantType = domain.GrantAuthorizationCode },
			func() { q.AuthMethod = domain.AuthSecretBasic },
			func() { q.Profile = domain.ProfileFAPI2 },
			func() { q.RedirectHost = "h1.example.com" },
			func() { q.UpdatedSince = since },
		}
		for i, filter := range filters {
			if set&(1<<i) != 0 {
				filter()
			}
		}
		name := fmt.Sprintf("%+v", q)
		q.Offset, q.Count = 40, true
		do("page of "+name, q)
		q.Offset, q.Count, q.After = 0, false, "app-00000003"
		do("after a cursor: "+name, q)
	}
}

// scanned matches tables that a plan reads completely. It does not match the index of names,
// a virtual table whose use a plan always calls a scan, or chosen, the rows of a page.
var scanned = regexp.MustCompile(`(?m)^SCAN (?:clients|revisions|client_facets|[cerf]\b|e\d)`)

func TestNoCombinationOfFiltersScansATableOrRunsACorrelatedSubquery(t *testing.T) {
	store := filled(t, 30)
	combinations(func(name string, q application.Query) {
		plans, pages, err := store.ListPlans(t.Context(), "tenant_a", q)
		require.NoError(t, err)
		for of, plan := range plans {
			assert.NotContains(t, plan, "CORRELATED", "%s, %s", name, of)
			assert.NotRegexp(t, scanned, plan, "%s, %s", name, of)
			assert.NotContains(t, plan, "revisions", "%s, %s: the log grows with every change", name, of)
			assert.NotContains(t, plan, "AUTOMATIC", "%s, %s", name, of)
		}
		for _, page := range pages {
			assert.Equal(t, pages[0], page, "%s: the page depends on the filter that leads", name)
		}
	})
}

func TestUpdatedSinceIsReadFromAnIndex(t *testing.T) {
	store := filled(t, 30)
	plans, _, err := store.ListPlans(t.Context(), "tenant_a", application.Query{
		Limit: 20, Scope: "openid", UpdatedSince: time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC),
	})
	require.NoError(t, err)
	assert.Contains(t, strings.Join([]string{plans["probe, lead -3"], plans["page, lead -3"]}, "\n"), "clients_updated")
	assert.NotContains(t, plans["page, lead 0"], "TEMP B-TREE FOR ORDER BY", "the clients of a facet are in order")
}

func TestListsDoNotUseTheConnectionsOfOtherReads(t *testing.T) {
	store := filled(t, 3)
	release, err := store.HoldLists(t.Context())
	require.NoError(t, err)
	defer release()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = store.List(ended, "tenant_a", application.Query{Limit: 1})
	require.ErrorIs(t, err, application.ErrUnavailable)
	require.NoError(t, store.Ping(t.Context()))
	_, err = store.Find(t.Context(), "tenant_a", "app-00000001")
	require.NoError(t, err)
	_, err = store.Changes(t.Context(), "tenant_a", "", 1)
	require.NoError(t, err)
}

// An earlier version of the program may use the file again. It does not know the column with
// the time of the last change.
func TestAChangeByAnEarlierVersionIsFoundByItsTime(t *testing.T) {
	store := filled(t, 2)
	require.NoError(t, store.Exec(t.Context(), `
		INSERT INTO revisions (client_id, number, tenant_id, at, action, actor, actor_client, request_id, reason, document)
		SELECT client_id, 2, tenant_id, '2026-05-01T00:00:00.000000Z', 'update', 'x', '', '', '', document FROM clients
		WHERE client_id = 'app-00000001'`))
	page, err := store.List(t.Context(), "tenant_a", application.Query{Limit: 10, UpdatedSince: time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)})
	require.NoError(t, err)
	require.Len(t, page.Clients, 1)
	assert.Equal(t, domain.ClientID("app-00000001"), page.Clients[0].Identity().ClientID)
}
