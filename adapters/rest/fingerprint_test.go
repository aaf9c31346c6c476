package rest

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
)

// The fingerprint depends on each part of a request, and on which part a value is in.
func TestFingerprintCoversTheWholeRequest(t *testing.T) {
	request := func(edit func(*http.Request)) *http.Request {
		r := httptest.NewRequest(http.MethodPost, "/admin/oauth/clients/a/secrets?a=1&b=2", http.NoBody)
		for _, name := range []string{"Idempotency-Key", "If-Match", "If-None-Match", "X-Change-Reason"} {
			r.Header.Set(name, "x")
		}
		edit(r)
		return r
	}
	unchanged := func(*http.Request) {}
	base := fingerprint(request(unchanged), []byte("{}"))
	assert.NotZero(t, base)
	assert.Equal(t, base, fingerprint(request(unchanged), []byte("{}")))
	assert.Equal(t, base, fingerprint(request(func(r *http.Request) { r.URL.RawQuery = "b=2&a=1" }), []byte("{}")), "the order of query parameters does not matter")
	assert.Equal(t, base, fingerprint(request(func(r *http.Request) { r.Header.Set("Idempotency-Key", "y") }), []byte("{}")), "the key is not part of the fingerprint")
	assert.Zero(t, fingerprint(request(func(r *http.Request) { r.Header.Del("Idempotency-Key") }), []byte("{}")))
	for name, edit := range map[string]func(*http.Request){
		"method":          func(r *http.Request) { r.Method = http.MethodPut },
		"path":            func(r *http.Request) { r.URL.Path = "/admin/oauth/clients/b/secrets" },
		"query":           func(r *http.Request) { r.URL.RawQuery = "a=1&b=3" },
		"If-Match":        func(r *http.Request) { r.Header.Set("If-Match", "y") },
		"If-None-Match":   func(r *http.Request) { r.Header.Set("If-None-Match", "y") },
		"X-Change-Reason": func(r *http.Request) { r.Header.Set("X-Change-Reason", "y") },
		"which header": func(r *http.Request) {
			r.Header.Set("If-Match", "xx")
			r.Header.Set("If-None-Match", "")
		},
	} {
		assert.NotEqual(t, base, fingerprint(request(edit), []byte("{}")), name)
	}
	assert.NotEqual(t, base, fingerprint(request(unchanged), []byte("{} ")))
}
