package rest_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// An Idempotency-Key identifies one request. The same request with the same key is
// executed once. A request with the same key and another path, precondition, reason or
// body is rejected.
func TestIdempotencyKeyIsForOneRequest(t *testing.T) { onBothStores(t, testIdempotencyKey) }

func testIdempotencyKey(t *testing.T, s service) {
	id, other := s.create(t), s.create(t)
	first := call{
		method: "POST", path: clients + "/" + id + "/secrets", token: "admin", body: `{}`,
		header: http.Header{"Idempotency-Key": {"k"}, "X-Change-Reason": {"one"}, "If-Match": {`"1"`}},
	}
	a := s.do(t, first)
	require.Equal(t, 201, a.status, a.text)
	again := s.do(t, first)
	assert.Equal(t, 201, again.status, "the precondition is not evaluated again; the client is at revision 2 now: %s", again.text)
	assert.Equal(t, "true", again.header.Get("Idempotent-Replayed"))
	assert.Equal(t, a.data("secret_id"), again.data("secret_id"))

	edited := func(edit func(*call)) call {
		c := first
		c.header = first.header.Clone()
		edit(&c)
		return c
	}
	for name, c := range map[string]call{
		"another client":               edited(func(c *call) { c.path = clients + "/" + other + "/secrets" }),
		"another operation":            edited(func(c *call) { c.path = clients + "/" + id + "/rotate-secret" }),
		"a registration":               edited(func(c *call) { c.path, c.body = clients, webApp; c.header.Del("If-Match") }),
		"another reason":               edited(func(c *call) { c.header.Set("X-Change-Reason", "two") }),
		"no reason":                    edited(func(c *call) { c.header.Del("X-Change-Reason") }),
		"another revision":             edited(func(c *call) { c.header.Set("If-Match", `"2"`) }),
		"no precondition":              edited(func(c *call) { c.header.Del("If-Match") }),
		"one more precondition":        edited(func(c *call) { c.header.Set("If-None-Match", `"9"`) }),
		"another body":                 edited(func(c *call) { c.body = `{"description":"x"}` }),
		"the same JSON in other bytes": edited(func(c *call) { c.body = ` {}` }),
	} {
		a := s.do(t, c)
		assert.Equal(t, http.StatusConflict, a.status, "%s: %s", name, a.text)
		assert.NotContains(t, a.text, strings.Trim(jsonOf(t, again.data("secret_id")), `"`), name)
	}
	secrets := s.do(t, call{method: "GET", path: clients + "/" + id + "/secrets", token: "admin"})
	assert.Len(t, list(t, secrets.body["data"], "secrets"), 2)
	secrets = s.do(t, call{method: "GET", path: clients + "/" + other + "/secrets", token: "admin"})
	assert.Len(t, list(t, secrets.body["data"], "secrets"), 1)
}
