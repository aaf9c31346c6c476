package rest_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/memory"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

const changesPath = "/admin/oauth/changes"

// changesOf returns the changes in a response as "tenant client action", with the tenant
// of the change, or "-" without one.
func changesOf(t *testing.T, a response) []string {
	t.Helper()
	require.Equal(t, http.StatusOK, a.status, a.text)
	list := []string{}
	for _, change := range a.data("changes").([]any) {
		change := change.(map[string]any)
		tenant, ok := change["tenant_id"].(string)
		if !ok {
			tenant = "-"
		} else {
			assert.Equal(t, tenant, change["client"].(map[string]any)["tenant_id"])
		}
		list = append(list, tenant+" "+change["client_id"].(string)+" "+change["action"].(string))
	}
	return list
}

// followUntil reads the feed at a path until it has the changes. It returns the last
// cursor.
func (s service) followUntil(t *testing.T, path, token string, want []string) string {
	t.Helper()
	var got []string
	after := ""
	for deadline := time.Now().Add(20 * time.Second); len(got) < len(want); {
		require.True(t, time.Now().Before(deadline), "%v", got)
		a := s.do(t, call{method: "GET", path: path + after, token: token})
		got = append(got, changesOf(t, a)...)
		after = "&after=" + a.data("next").(string)
	}
	assert.Equal(t, want, got)
	return strings.TrimPrefix(after, "&after=")
}

func TestThePlatformRoleReadsAllTenants(t *testing.T) { onBothStores(t, testAllTenants) }

func testAllTenants(t *testing.T, s service) {
	const fields = `{"client_id":"app","name":"App","redirect_uris":["https://a.example/cb"]}`
	for _, token := range []string{"admin", "other-tenant"} {
		require.Equal(t, 201, s.do(t, call{method: "POST", path: clients, token: token, body: fields}).status)
	}
	s.register(t, "gone", `"name":"Gone","redirect_uris":["https://a.example/cb"]`)
	require.Equal(t, 204, s.do(t, call{method: "DELETE", path: clients + "/gone", token: "admin"}).status)

	for _, query := range []string{"?tenants=all", "?tenants=all&format=rfc7591&effective=true"} {
		a := s.do(t, call{method: "GET", path: snapshotPath + query, token: "platform"})
		require.Equal(t, http.StatusOK, a.status, a.text)
		lines := a.lines(t)
		require.Len(t, lines, 4, "%v", lines)
		assert.Equal(t, []any{"tenant_a", "app"}, []any{lines[1]["tenant_id"], lines[1]["client_id"]})
		assert.Equal(t, []any{"tenant_b", "app"}, []any{lines[2]["tenant_id"], lines[2]["client_id"]})
		assert.EqualValues(t, 2, lines[3]["clients"])
		next := s.do(t, call{method: "GET", path: changesPath + query + "&after=" + lines[0]["changes_cursor"].(string), token: "platform"})
		assert.Empty(t, changesOf(t, next))
		all := []string{"tenant_a app create", "tenant_b app create", "tenant_a gone create", "tenant_a gone delete"}
		s.followUntil(t, changesPath+query, "platform", all)
		s.followUntil(t, changesPath+query+"&actions=delete,purge", "platform", all[3:])
		s.followUntil(t, changesPath+query+"&actions=create&limit=1", "platform", all[:3])
	}
	s.followUntil(t, changesPath+"?%74enants=al%6c&actions=delete", "platform", []string{"tenant_a gone delete"})
	s.followUntil(t, changesPath+"?actions=create", "admin", []string{"- app create", "- gone create"})

	both := http.Header{"X-Tenant-Id": {"tenant_a"}}
	for _, path := range []string{changesPath, snapshotPath} {
		a := s.do(t, call{method: "GET", path: path + "?tenants=all", token: "platform", header: both})
		assert.Equal(t, http.StatusBadRequest, a.status, path)
		assert.Equal(t, []string{"X-Tenant-Id contract"}, a.violated())
		for _, token := range []string{"admin", "read", "write", "unprivileged"} {
			assert.Equal(t, http.StatusForbidden, s.do(t, call{method: "GET", path: path + "?tenants=all", token: token}).status, token)
		}
		assert.Equal(t, http.StatusUnauthorized, s.do(t, call{method: "GET", path: path + "?tenants=all"}).status)
		for _, query := range []string{"?tenants=tenant_a", "?tenants=", "?tenants=all,all", "?tenants=ALL"} {
			a := s.do(t, call{method: "GET", path: path + query, token: "admin"})
			assert.Equal(t, http.StatusBadRequest, a.status, query)
			assert.Equal(t, []string{"?tenants contract"}, a.violated(), query)
		}
		a = s.do(t, call{method: "GET", path: path + "?tenants=all&tenants=all", token: "platform"})
		assert.Equal(t, []string{"?tenants contract"}, a.violated(), a.text)
	}
	for _, path := range []string{clients, clients + "/app", "/admin/oauth/rules"} {
		a := s.do(t, call{method: "GET", path: path + "?tenants=all", token: "platform", header: both})
		assert.Equal(t, http.StatusBadRequest, a.status, path)
		assert.Equal(t, []string{"?tenants contract"}, a.violated(), "other operations do not have the parameter")
		assert.Equal(t, http.StatusForbidden, s.do(t, call{method: "GET", path: path + "?tenants=all", token: "platform"}).status)
	}
}

func TestActionsAreChecked(t *testing.T) {
	s := newService(t)
	s.create(t)
	for _, query := range []string{"?actions=", "?actions=created", "?actions=create,", "?actions=,create", "?actions=create%20,update", "?actions=create&actions=update", "?actions=" + strings.Repeat("create,", 16) + "create"} {
		a := s.do(t, call{method: "GET", path: changesPath + query, token: "admin"})
		assert.Equal(t, http.StatusBadRequest, a.status, query)
		assert.Equal(t, []string{"?actions contract"}, a.violated(), query)
	}
	var all []string
	for _, action := range domain.Actions() {
		all = append(all, string(action))
	}
	for _, query := range []string{"?actions=" + strings.Join(all, ","), "?actions=" + strings.Join(all, "%2C"), "?actions=create"} {
		assert.Len(t, changesOf(t, s.do(t, call{method: "GET", path: changesPath + query, token: "admin"})), 1, query)
	}
	a := s.do(t, call{method: "GET", path: changesPath + "?actions=purge", token: "admin"})
	assert.Empty(t, changesOf(t, a))
	list := s.do(t, call{method: "GET", path: clients, token: "admin"})
	assert.Equal(t, list.body["changes_cursor"], a.data("next"), "the cursor is behind what was left out")
}

// The end of a secret is a change like others: in the feed, in both forms, and in the
// history. It moves the ETag.
func TestTheEndOfASecretIsAChange(t *testing.T) {
	store := memory.New()
	s := serviceOver(t, store)
	id := s.create(t)
	rotated := s.do(t, call{method: "POST", path: clients + "/" + id + "/rotate-secret", token: "admin", body: `{"grace_seconds":1}`})
	require.Equal(t, http.StatusOK, rotated.status, rotated.text)
	before := s.do(t, call{method: "GET", path: clients + "/" + id, token: "admin"}).header.Get("ETag")
	_, err := application.RecordSecretEnds(t.Context(), store, inAnHour{}, domain.Actor{Subject: "clientele serve"})
	require.NoError(t, err)

	for _, query := range []string{"?actions=expire_secret", "?actions=expire_secret&format=rfc7591&effective=true"} {
		a := s.do(t, call{method: "GET", path: changesPath + query, token: "admin"})
		require.Equal(t, []string{"- " + id + " expire_secret"}, changesOf(t, a))
		change := a.data("changes").([]any)[0].(map[string]any)
		assert.Equal(t, map[string]any{"subject": "clientele serve"}, change["actor"])
		assert.EqualValues(t, 3, change["revision"])
		assert.Equal(t, "active", change["client"].(map[string]any)["status"])
	}
	log := s.do(t, call{method: "GET", path: clients + "/" + id + "/revisions?limit=1", token: "admin"})
	entry := log.data("revisions").([]any)[0].(map[string]any)
	assert.Equal(t, []any{"expire_secret", []any{}}, []any{entry["action"], entry["differences"]})
	assert.Equal(t, http.StatusOK, s.do(t, call{method: "GET", path: clients + "/" + id + "/revisions/3", token: "admin"}).status)
	stale := s.do(t, call{method: "PUT", path: clients + "/" + id, token: "admin", body: `{"name":"Another"}`, header: http.Header{"If-Match": {before}}})
	assert.Equal(t, http.StatusPreconditionFailed, stale.status)
	secrets := s.do(t, call{method: "GET", path: clients + "/" + id + "/secrets", token: "admin"})
	assert.Len(t, secrets.data("secrets"), 2)
}

type inAnHour struct{}

func (inAnHour) Now() time.Time { return time.Now().Add(time.Hour) }

func TestASnapshotOfAllTenantsNamesTheTenantsOfDamagedClients(t *testing.T) {
	store := memory.New()
	s := serviceOver(t, store, func(c *setup) { c.Registry.SnapshotPage = 4 })
	for _, token := range []string{"admin", "other-tenant"} {
		for _, id := range []string{"a", "b", "c"} {
			a := s.do(t, call{method: "POST", path: clients, token: token, body: `{"client_id":"` + id + `","name":"X","redirect_uris":["https://a.example/cb"]}`})
			require.Equal(t, 201, a.status)
		}
	}
	for _, key := range []application.ClientKey{{TenantID: "tenant_a", ClientID: "b"}, {TenantID: "tenant_a", ClientID: "c"}, {TenantID: "tenant_b", ClientID: "a"}} {
		require.NoError(t, store.Overwrite(application.UnreadableRecord{TenantID: key.TenantID, ClientID: key.ClientID, Part: application.PartDocument}, []byte(`{`)))
	}
	lines := s.do(t, call{method: "GET", path: snapshotPath + "?tenants=all", token: "platform"}).lines(t)
	var damaged []map[string]any
	for _, line := range lines {
		if _, ok := line["unreadable"]; ok {
			damaged = append(damaged, line)
		}
	}
	assert.Equal(t, []map[string]any{
		{"tenant_id": "tenant_a", "unreadable": []any{"b", "c"}}, {"tenant_id": "tenant_b", "unreadable": []any{"a"}},
	}, damaged)
	assert.Equal(t, map[string]any{"clients": 3.0}, lines[len(lines)-1])
}

// Requests that wait for changes of all tenants have the limit of a tenant of their own.
func TestReadersOfAllTenantsAreLimited(t *testing.T) {
	draining := make(chan struct{})
	observer := &countingObserver{}
	p := &poller{s: newService(t, func(c *setup) {
		c.MaxFollowing, c.MaxFollowingPerCaller, c.MaxFollowingPerTenant = 10, 10, 2
		c.Draining, c.Observer = draining, observer
	})}
	for range 2 {
		p.poll(t.Context(), "platform", everyTenant)
	}
	require.Eventually(t, func() bool { return observer.waiting.Load() == 2 }, 20*time.Second, time.Millisecond)
	assert.Equal(t, http.StatusTooManyRequests, (<-p.poll(t.Context(), "platform", everyTenant)).Code)
	p.poll(t.Context(), "platform", "tenant_a")
	require.Eventually(t, func() bool { return observer.waiting.Load() == 3 }, 20*time.Second, time.Millisecond)
	close(draining)
	p.group.Wait()
	assert.Zero(t, observer.waiting.Load())
}
