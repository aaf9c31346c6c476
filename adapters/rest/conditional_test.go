package rest_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// All operations with preconditions implement those of RFC 9110 §13.1.
func TestPreconditionsOfAllOperations(t *testing.T) { onBothStores(t, testPreconditions) }

func testPreconditions(t *testing.T, s service) {
	tests := []struct {
		name    string
		call    call // {id} is a client at revision 1
		deleted bool // delete the client first, which creates revision 2
		success int
	}{
		{"update", call{method: "PUT", path: clients + "/{id}", body: `{"name":"B"}`}, false, 200},
		{"update in a dry run", call{method: "PUT", path: clients + "/{id}?dry_run=true", body: `{"name":"B"}`}, false, 200},
		{"update that changes nothing", call{method: "PUT", path: clients + "/{id}", body: `{}`}, false, 200},
		{"delete", call{method: "DELETE", path: clients + "/{id}"}, false, 204},
		{"create a secret", call{method: "POST", path: clients + "/{id}/secrets"}, false, 201},
		{"rotate", call{method: "POST", path: clients + "/{id}/rotate-secret", body: `{"grace_seconds":0}`}, false, 200},
		{"restore a revision", call{method: "POST", path: clients + "/{id}/revisions/1/restore"}, false, 200},
		{"restore a revision in a dry run", call{method: "POST", path: clients + "/{id}/revisions/1/restore?dry_run=true"}, false, 200},
		{"restore", call{method: "POST", path: clients + "/{id}/restore"}, true, 200},
		{"restore in a dry run", call{method: "POST", path: clients + "/{id}/restore?dry_run=true"}, true, 200},
		{"read", call{method: "GET", path: clients + "/{id}"}, false, 200},
		{"read the header", call{method: "HEAD", path: clients + "/{id}"}, false, 200},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			current, unmet := `"1"`, 412
			if tt.deleted {
				current = `"2"`
			}
			if tt.call.method == "GET" || tt.call.method == "HEAD" {
				unmet = 304 // RFC 9110 §13.1.2
			}
			existing := unmet // the status of If-None-Match: *
			if tt.deleted {
				existing = tt.success // a deleted client does not exist
			}
			for _, row := range []struct {
				header, value string
				status        int
			}{
				{"If-Match", current, tt.success},
				{"If-Match", `"99", ` + current, tt.success},
				{"If-Match", "*", tt.success},
				{"If-Match", `"99"`, 412},
				{"If-Match", "W/" + current, 412},
				{"If-Match", `""`, 412},
				{"If-Match", strings.Trim(current, `"`), 400},
				{"If-None-Match", `"99"`, tt.success},
				{"If-None-Match", current, unmet},
				{"If-None-Match", "W/" + current, unmet}, // weak comparison
				{"If-None-Match", `"99", ` + current, unmet},
				{"If-None-Match", "*", existing},
				{"If-None-Match", strings.Trim(current, `"`), 400},
			} {
				id := s.create(t)
				if tt.deleted {
					require.Equal(t, 204, s.do(t, call{method: "DELETE", path: clients + "/" + id, token: "admin"}).status)
				}
				c := tt.call
				c.token, c.path, c.header = "admin", strings.ReplaceAll(c.path, "{id}", id), http.Header{row.header: {row.value}}
				a := s.do(t, c)
				assert.Equal(t, row.status, a.status, "%s: %s: %s", row.header, row.value, a.text)
				history := s.do(t, call{method: "GET", path: clients + "/" + id + "/revisions", token: "admin"})
				if row.status >= 300 {
					assert.Equal(t, strings.Trim(current, `"`), numberOf(t, history), "%s: %s: the client was changed", row.header, row.value)
				}
				if row.status == 400 {
					assert.Equal(t, []string{row.header + " contract"}, a.violated())
					assert.Contains(t, a.text, `in double quotes, as in \"3\"`)
				}
			}
		})
	}
}

// numberOf returns the number of the newest revision in a history.
func numberOf(t *testing.T, history response) string {
	t.Helper()
	revisions := list(t, history.body["data"], "revisions")
	require.NotEmpty(t, revisions)
	return strings.TrimSuffix(strings.TrimSuffix(jsonOf(t, revisions[0]["number"]), "\n"), ".0")
}

// If-Match is evaluated first, then If-None-Match (RFC 9110 §13.2.2). Neither is
// evaluated if the request would not succeed without them (§13.2.1).
func TestOrderOfPreconditions(t *testing.T) {
	s := newService(t)
	id := s.create(t)
	both := http.Header{"If-Match": {`"9"`}, "If-None-Match": {`"1"`}}
	assert.Equal(t, 412, s.do(t, call{method: "GET", path: clients + "/" + id, token: "admin", header: both}).status)
	assert.Equal(t, 404, s.do(t, call{method: "GET", path: clients + "/none", token: "admin", header: both}).status)
	assert.Equal(t, 404, s.do(t, call{method: "PUT", path: clients + "/none", token: "admin", body: `{}`, header: both}).status)
	assert.Equal(t, 403, s.do(t, call{method: "GET", path: clients + "/" + id, token: "unprivileged", header: both}).status)
	assert.Equal(t, 409, s.do(t, call{method: "POST", path: clients + "/" + id + "/restore", token: "admin", header: both}).status)
	several := http.Header{"If-Match": {`"9"`, `"1"`}} // one list (RFC 9110 §5.3)
	assert.Equal(t, 200, s.do(t, call{method: "PUT", path: clients + "/" + id, token: "admin", body: `{}`, header: several}).status)
}

// No ETag matches a resource that has none. A request with If-Match is rejected instead
// of being executed unconditionally.
func TestIfMatchForResourcesWithoutETag(t *testing.T) {
	s := newService(t)
	for _, o := range operations(t) {
		if o.id == "getClient" {
			continue
		}
		id := s.create(t)
		c := o.call(id, "admin")
		c.header = http.Header{"If-Match": {`"77"`}}
		a := s.do(t, c)
		if slices.Contains([]string{"restoreClient", "deleteSecret", "issueClientRegistrationToken", "deleteClientLocks"}, o.id) { // 409 and 404 come first
			assert.GreaterOrEqual(t, a.status, 400, o.id)
			continue
		}
		assert.Equal(t, 412, a.status, "%s: %s", o.id, a.text)
	}
}
