package rest_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func jsonOf(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	require.NoError(t, err)
	return string(text)
}

// The revision of a dry run does not exist. If its response had an ETag, another writer
// could create a revision with the same ETag, and an If-Match with it would overwrite
// that revision unseen.
func TestDryRunHasNoETag(t *testing.T) { onBothStores(t, testDryRunsWithoutETag) }

func testDryRunsWithoutETag(t *testing.T, s service) {
	deleted := s.create(t)
	require.Equal(t, 204, s.do(t, call{method: "DELETE", path: clients + "/" + deleted, token: "admin"}).status)
	id := s.create(t)
	for name, tt := range map[string]struct {
		call    call
		message string
	}{
		"create":                           {call{method: "POST", path: clients + "?dry_run=true", body: webApp}, "dry run: the client would be created"},
		"update":                           {call{method: "PUT", path: clients + "/" + id + "?dry_run=true", body: `{"name":"B"}`}, "dry run: the client would be updated"},
		"nothing to update":                {call{method: "PUT", path: clients + "/" + id + "?dry_run=true", body: `{"name":"App"}`}, "dry run: nothing to change"},
		"restore":                          {call{method: "POST", path: clients + "/" + deleted + "/restore?dry_run=true"}, "dry run: the client would be restored"},
		"restore a revision":               {call{method: "POST", path: clients + "/" + deleted + "/revisions/1/restore?dry_run=true"}, ""},
		"restore the same revision":        {call{method: "POST", path: clients + "/" + id + "/revisions/1/restore?dry_run=true"}, "dry run: nothing to change; the client already has the configuration of revision 1"},
		"nothing to update, not a dry run": {call{method: "PUT", path: clients + "/" + id, body: `{}`}, "client unchanged: it already has the requested configuration"},
		"same revision, not a dry run":     {call{method: "POST", path: clients + "/" + id + "/revisions/1/restore"}, "client unchanged: it already has the configuration of revision 1"},
	} {
		t.Run(name, func(t *testing.T) {
			tt.call.token = "admin"
			a := s.do(t, tt.call)
			if tt.message == "" {
				assert.Equal(t, http.StatusNotFound, a.status)
				return
			}
			require.Equal(t, http.StatusOK, a.status, a.text)
			assert.Equal(t, tt.message, a.body["message"])
			if name == "nothing to update, not a dry run" || name == "same revision, not a dry run" {
				assert.Equal(t, `"1"`, a.header.Get("ETag"), "the current revision")
			} else {
				assert.Empty(t, a.header.Values("ETag"))
			}
		})
	}
	// An update with the ETag of a dry run does not overwrite another one.
	checked := s.do(t, call{method: "PUT", path: clients + "/" + id + "?dry_run=true", token: "admin", body: `{"name":"mine"}`})
	require.Equal(t, 200, s.do(t, call{method: "PUT", path: clients + "/" + id, token: "admin", body: `{"name":"theirs"}`}).status)
	a := s.do(t, call{
		method: "PUT", path: clients + "/" + id, token: "admin", body: `{"name":"mine"}`,
		header: http.Header{"If-Match": {`"` + checked.header.Get("ETag") + `"`}},
	})
	assert.Equal(t, http.StatusPreconditionFailed, a.status)
}
