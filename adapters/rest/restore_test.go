package rest_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestRestoreSuspended(t *testing.T) {
	onBothStores(t, func(t *testing.T, s service) {
		id := s.create(t)
		s.do(t, call{method: "DELETE", path: clients + "/" + id, token: "admin"})
		restore := func(query, ifMatch string) response {
			c := call{method: "POST", path: clients + "/" + id + "/restore" + query, token: "admin"}
			if ifMatch != "" {
				c.header = http.Header{"If-Match": {ifMatch}}
			}
			return s.do(t, c)
		}
		assert.Equal(t, http.StatusBadRequest, restore("?status=active", "").status, "suspended is the only allowed status")
		assert.Equal(t, http.StatusPreconditionFailed, restore("?status=suspended", `"1"`).status)
		a := restore("?status=suspended&dry_run=true", `"2"`)
		assert.Equal(t, http.StatusOK, a.status, a.text)
		assert.Equal(t, "suspended", a.data("status"))
		a = restore("?status=suspended", `"2"`)
		assert.Equal(t, http.StatusOK, a.status, a.text)
		assert.Equal(t, "suspended", a.data("status"))
		assert.Equal(t, `"3"`, a.header.Get("ETag"))
		assert.Equal(t, http.StatusConflict, restore("?status=suspended", "").status)
	})
}
