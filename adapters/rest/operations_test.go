package rest_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/api"
	"github.com/clientele-oauth/clientele/application"
)

// operation is an operation of openapi.yaml.
type operation struct {
	id, method, path string
	permission       string
	administrators   bool // only administrators may call it
	body             bool
}

// operations returns all operations of openapi.yaml that need an access token, sorted by id.
func operations(t *testing.T) []operation {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(api.Document)
	require.NoError(t, err)
	var list []operation
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			if op.Security != nil {
				continue
			}
			permission, _ := op.Extensions["x-required-permission"].(string)
			administrators, _ := op.Extensions["x-administrators-only"].(bool)
			list = append(list, operation{op.OperationID, method, path, permission, administrators, op.RequestBody != nil && op.RequestBody.Value.Required})
		}
	}
	slices.SortFunc(list, func(a, b operation) int { return strings.Compare(a.id, b.id) })
	return list
}

// call returns a valid request of the operation for a client.
func (o operation) call(id, token string) call {
	path := strings.NewReplacer("{client_id}", id, "{number}", "1", "{secret_id}", "none", "{token_id}", "none").Replace(o.path)
	c := call{method: o.method, path: path, token: token}
	switch {
	case o.id == "verifySecret":
		c.body = `{"secret":"x"}`
	case o.id == "authenticateClient":
		c.body = fmt.Sprintf(`{"form":{"client_id":%q,"client_secret":"x"}}`, id)
	case o.id == "approveClientMetadata":
		c.body = `{"client_id":"https://app.example/client.json","digest":"sha-256:0"}`
	case o.id == "getClientMetadata":
		c.path += "?client_id=" + url.QueryEscape("https://app.example/client.json")
	case o.id == "createClient", o.id == "checkCompliance":
		c.body = webApp
	case o.body:
		c.body = `{}`
	}
	return c
}

// openapi.yaml and the table of permissions agree, and the service enforces them: each
// operation is called by callers with only one permission.
func TestPermissionsMatchOpenAPI(t *testing.T) {
	s := newService(t)
	for _, o := range operations(t) {
		require.NotEmpty(t, o.permission, "%s has no permission", o.id)
		assert.Equal(t, o.permission, string(application.Operation(o.id).Needs()), o.id)
		for _, token := range []string{"read", "verify", "write", "verifiers"} {
			a := s.do(t, o.call(s.create(t), token))
			if o.permission == "clients:"+token && !o.administrators {
				assert.NotEqual(t, http.StatusForbidden, a.status, "%s by %s: %s", o.id, token, a.text)
				assert.Less(t, a.status, 500)
			} else {
				assert.Equal(t, http.StatusForbidden, a.status, "%s by %s", o.id, token)
			}
		}
	}
}

// No operation lets a tenant read, change or detect a client of another tenant.
func TestTenantsAreIsolated(t *testing.T) { onBothStores(t, testTwoTenants) }

func testTwoTenants(t *testing.T, s service) {
	id := s.create(t)
	for _, o := range operations(t) {
		a := s.do(t, o.call(id, "other-tenant"))
		assert.NotContains(t, a.text, id, o.id)
		if o.id == "authenticateClient" {
			assert.Equal(t, "client_unknown", a.body["reason"])
		}
		if strings.Contains(o.path, "{client_id}") {
			assert.Equal(t, http.StatusNotFound, a.status, o.id)
			unknown := s.do(t, o.call("no-such-client", "other-tenant"))
			assert.Equal(t, unknown.body["message"], a.body["message"], "%s: the response reveals that the client exists", o.id)
		}
	}
	read := s.do(t, call{method: "GET", path: clients + "/" + id, token: "admin"})
	assert.Equal(t, `"1"`, read.header.Get("ETag"))
}

func TestPlatformCallersSelectATenant(t *testing.T) {
	s := newService(t)
	id := s.create(t)
	inTenantA := http.Header{"X-Tenant-Id": {"tenant_a"}}
	assert.Equal(t, 200, s.do(t, call{method: "GET", path: clients + "/" + id, token: "platform", header: inTenantA}).status)
	assert.Equal(t, 403, s.do(t, call{method: "GET", path: clients + "/" + id, token: "platform"}).status)
	assert.Equal(t, 200, s.do(t, call{method: "GET", path: clients + "/" + id, token: "admin", header: inTenantA}).status)
	assert.Equal(t, 400, s.do(t, call{method: "GET", path: clients, token: "platform", header: http.Header{"X-Tenant-Id": {"a b"}}}).status)
}

func TestListsByPageAndByCursor(t *testing.T) { onBothStores(t, testLists) }

func testLists(t *testing.T, s service) {
	empty := s.do(t, call{method: "GET", path: clients, token: "admin"})
	require.Equal(t, 200, empty.status, empty.text)
	assert.Equal(t, map[string]any{
		"page": 1.0, "page_size": 20.0, "total": 0.0, "total_pages": 0.0, "has_next": false, "has_prev": false,
	}, empty.body["pagination"])
	assert.Equal(t, []any{}, empty.body["items"])
	var want []string
	for range 5 {
		want = append(want, s.create(t))
	}
	slices.Sort(want)
	page := s.do(t, call{method: "GET", path: clients + "?page=2&page_size=2&name=APP&status=active", token: "admin"})
	assert.Equal(t, want[2:4], idsOf(page))
	assert.Equal(t, map[string]any{
		"page": 2.0, "page_size": 2.0, "total": 5.0, "total_pages": 3.0, "has_next": true, "has_prev": true,
	}, page.body["pagination"])
	assert.EqualValues(t, 5, page.body["total"])

	var found []string
	for path := clients + "?limit=2"; path != ""; {
		a := s.do(t, call{method: "GET", path: path, token: "admin"})
		require.Equal(t, 200, a.status, a.text)
		assert.NotContains(t, a.body, "pagination")
		found = append(found, idsOf(a)...)
		next, more := a.body["next"].(string)
		path = ""
		if more {
			path = clients + "?limit=2&after=" + next
		}
	}
	assert.Equal(t, want, found)
}

func idsOf(r response) []string {
	var ids []string
	items, _ := r.body["items"].([]any)
	for _, item := range items {
		ids = append(ids, item.(map[string]any)["client_id"].(string))
	}
	return ids
}

func TestRegistryOverHTTP(t *testing.T) { onBothStores(t, testRegistry) }

func testRegistry(t *testing.T, s service) {
	created := s.do(t, call{method: "POST", path: clients, token: "admin", body: strings.Replace(webApp, "{", `{"client_id":"app-1",`, 1), header: http.Header{"Idempotency-Key": {"k1"}}})
	require.Equal(t, 201, created.status, created.text)
	assert.Equal(t, "app-1", created.data("client_id"))
	path := clients + "/app-1"
	first, _ := created.data("client_secret").(string)
	require.NotEmpty(t, first)

	repeated := s.do(t, call{method: "POST", path: clients, token: "admin", body: strings.Replace(webApp, "{", `{"client_id":"app-1",`, 1), header: http.Header{"Idempotency-Key": {"k1"}}})
	require.Equal(t, 201, repeated.status, repeated.text)
	assert.Equal(t, "true", repeated.header.Get("Idempotent-Replayed"))
	assert.NotContains(t, repeated.text, "client_secret\"")
	assert.Contains(t, repeated.body["message"], "rotate the secret")
	other := s.do(t, call{method: "POST", path: clients, token: "admin", body: webApp, header: http.Header{"Idempotency-Key": {"k1"}}})
	assert.Equal(t, 409, other.status)
	taken := s.do(t, call{method: "POST", path: clients, token: "admin", body: strings.Replace(webApp, "{", `{"client_id":"app-1",`, 1)})
	assert.Equal(t, 409, taken.status)

	verify := func(value string) bool {
		a := s.do(t, call{method: "POST", path: path + "/verify-secret", token: "verify", body: fmt.Sprintf(`{"secret":%q}`, value)})
		require.Equal(t, 200, a.status, a.text)
		valid, _ := a.data("valid").(bool)
		assert.Equal(t, valid, a.data("secret_id") != nil)
		return valid
	}
	assert.True(t, verify(first))
	assert.False(t, verify("clientele_wrong"))

	second := s.do(t, call{method: "POST", path: path + "/secrets", token: "admin", body: `{"description":"Frankfurt","expires_at":"` +
		time.Now().AddDate(1, 0, 0).Format(time.RFC3339) + `"}`})
	require.Equal(t, 201, second.status, second.text)
	assert.Equal(t, "active", second.data("status"))
	assert.True(t, verify(second.data("secret_value").(string)))
	assert.Equal(t, 409, s.do(t, call{method: "POST", path: path + "/secrets", token: "admin"}).status)
	secrets := s.do(t, call{method: "GET", path: path + "/secrets", token: "admin"})
	list, _ := secrets.data("secrets").([]any)
	require.Len(t, list, 2)
	assert.ElementsMatch(t, []string{"secret_id", "description", "status", "last_four", "created_at", "updated_at", "expires_at", "last_used_at"},
		slices.Collect(maps.Keys(list[1].(map[string]any))))
	assert.Equal(t, 204, s.do(t, call{method: "DELETE", path: path + "/secrets/" + second.data("secret_id").(string), token: "admin"}).status)
	last := list[0].(map[string]any)["secret_id"].(string)
	assert.Equal(t, 400, s.do(t, call{method: "DELETE", path: path + "/secrets/" + last, token: "admin"}).status)
	rotated := s.do(t, call{method: "POST", path: path + "/rotate-secret", token: "admin", body: `{"grace_seconds":0}`})
	require.Equal(t, 200, rotated.status, rotated.text)
	assert.False(t, verify(first))
	assert.True(t, verify(rotated.data("new_secret").(string)))

	update := s.do(t, call{
		method: "PUT", path: path, token: "admin", body: `{"client_auth_methods":["private_key_jwt"],"jwks_uri":"https://a.example/jwks"}`,
		header: http.Header{"X-Change-Reason": {"ticket – 1"}, "X-Request-Id": {"r-1"}},
	})
	require.Equal(t, 200, update.status, update.text)
	assert.Contains(t, update.body["message"], "1 secret revoked")
	back := s.do(t, call{method: "PUT", path: path, token: "admin", body: `{"client_auth_methods":["client_secret_post"]}`})
	assert.Contains(t, back.body["message"], "the client has no secret yet")

	history := s.do(t, call{method: "GET", path: path + "/revisions?limit=2", token: "read"})
	require.Equal(t, 200, history.status, history.text)
	revisions, _ := history.data("revisions").([]any)
	require.Len(t, revisions, 2)
	entry := revisions[1].(map[string]any)
	assert.Equal(t, "ticket – 1", entry["reason"])
	assert.Equal(t, "r-1", entry["request_id"])
	assert.Equal(t, map[string]any{"subject": "alice", "via": "admin"}, entry["actor"])
	assert.Equal(t, []any{
		map[string]any{"field": "/client_auth_methods", "before": []any{"client_secret_basic"}, "after": []any{"private_key_jwt"}},
		map[string]any{"field": "/jwks_uri", "before": []any{}, "after": []any{"https://a.example/jwks"}},
	}, entry["differences"])
	assert.Equal(t, entry["number"], history.data("next_before"))
	original := s.do(t, call{method: "GET", path: path + "/revisions/1", token: "read"})
	assert.Equal(t, "create", original.data("action"))
	assert.Equal(t, "app-1", original.data("client").(map[string]any)["client_id"])
	reverted := s.do(t, call{method: "POST", path: path + "/revisions/1/restore", token: "admin"})
	require.Equal(t, 200, reverted.status, reverted.text)
	assert.Equal(t, `["client_secret_basic"]`, reverted.data("client_auth_methods"))

	assert.Equal(t, 412, s.do(t, call{method: "DELETE", path: path, token: "admin", header: http.Header{"If-Match": {`"1"`}}}).status)
	deleted := s.do(t, call{method: "DELETE", path: path, token: "admin"})
	assert.Equal(t, 204, deleted.status)
	assert.Empty(t, deleted.text)
	assert.Equal(t, 404, s.do(t, call{method: "GET", path: path, token: "admin"}).status)
	restored := s.do(t, call{method: "POST", path: path + "/restore", token: "admin"})
	assert.Equal(t, 200, restored.status, restored.text)
	assert.NotEmpty(t, restored.header.Get("ETag"))

	changes := s.do(t, call{method: "GET", path: "/admin/oauth/changes?limit=500", token: "read"})
	require.Equal(t, 200, changes.status, changes.text)
	seen, _ := changes.data("changes").([]any)
	var actions []string
	for _, c := range seen {
		actions = append(actions, c.(map[string]any)["action"].(string))
	}
	assert.Equal(t, []string{"create", "create_secret", "delete_secret", "rotate_secret", "update", "update", "revert", "delete", "restore"}, actions)
	assert.NotEmpty(t, seen[7].(map[string]any)["client"].(map[string]any)["deleted_at"])
	rest := s.do(t, call{method: "GET", path: "/admin/oauth/changes?after=" + changes.data("next").(string), token: "read"})
	assert.Equal(t, []any{}, rest.data("changes"))

	for _, value := range []string{first, second.data("secret_value").(string), rotated.data("new_secret").(string)} {
		for name, text := range map[string]string{"history": history.text, "changes": changes.text, "logs": s.logs.String(), "secrets": secrets.text} {
			assert.NotContains(t, text, value, name)
		}
	}
}
