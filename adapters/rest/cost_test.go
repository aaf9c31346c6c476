package rest_test

import (
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/domain"
)

// cost is the resources that a request uses.
type cost struct {
	bytes float64 // allocated
	cpu   float64 // seconds, of all threads
}

// costOf returns the minimum of several measurements, to exclude the cost of whatever
// else runs.
func costOf(t *testing.T, s service, c call) cost {
	t.Helper()
	lowest := cost{math.Inf(1), math.Inf(1)}
	for range 5 {
		r := httptest.NewRequestWithContext(t.Context(), c.method, "http://service"+c.path, strings.NewReader(c.body))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer "+c.token)
		w := httptest.NewRecorder()
		runtime.GC()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		started := processTime(t)
		s.handler.ServeHTTP(w, r)
		took := processTime(t) - started
		runtime.ReadMemStats(&after)
		require.Less(t, w.Code, 500)
		lowest.bytes = min(lowest.bytes, float64(after.TotalAlloc-before.TotalAlloc))
		lowest.cpu = min(lowest.cpu, took.Seconds())
	}
	return lowest
}

// processTime returns the CPU time that the process has used so far.
func processTime(t *testing.T) time.Duration {
	t.Helper()
	var used syscall.Rusage
	require.NoError(t, syscall.Getrusage(syscall.RUSAGE_SELF, &used))
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// filled returns a text of about the given size: head, repetitions, tail.
func filled(head, repeated, tail string, size int) string {
	return head + strings.Repeat(repeated, max((size-len(head)-len(tail))/len(repeated), 1)) + tail
}

// legalBody returns a valid registration of about the given size, at most about
// 200 KB, with as many redirect URIs of nearly the maximum length as needed.
func legalBody(size int) string {
	const uri = 2000
	uris := make([]string, min(max(size/uri, 1), 100))
	for i := range uris {
		uris[i] = fmt.Sprintf(`"https://a.example/%d/%s"`, i, strings.Repeat("x", uri-24))
	}
	return `{"name":"App","redirect_uris":[` + strings.Join(uris, ",") + `]}`
}

// hostileBodies returns bodies of the given size that are expensive to check.
func hostileBodies(size int) map[string]string {
	return map[string]string{
		"URIs that break many rules":     `{"redirect_uris":[` + strings.Repeat(`"http://u:p@*.a.example/../%2e/`+strings.Repeat("*", size/100-60)+`#",`, 99) + `"x"]}`,
		"keys":                           filled(`{"jwks":"{\"keys\":[`, `{\"kty\":\"RSA\"},`, `{}]}"}`, min(size, 60<<10)),
		"wrong elements":                 filled(`{"redirect_uris":[`, "1,", "1]}", size),
		"null elements":                  filled(`{"scopes":[`, "null,", "null]}", size),
		"empty objects":                  filled(`{"scopes":[`, "{},", "{}]}", size),
		"short strings":                  filled(`{"cors_origins":[`, `"",`, `""]}`, size),
		"an array instead of a string":   filled(`{"name":[`, "1,", "1]}", size),
		"a nested array":                 filled(`{"scopes":[[`, "[],", "[]]]}", size),
		"an unknown array":               filled(`{"x":[`, "1,", "1]}", size),
		"unknown fields":                 unknownFields(size / 10),
		"nested values in a known field": filled(`{"name":{"a":[`, `{"b":1},`, "1]}}", size),
		"escapes":                        filled(`{"name":"`, `\u0041`, `"}`, size),
		"spaces":                         filled(`{`, " ", "}", size),
		"digits":                         filled(`{"name":`, "1", "}", size),
		"a long string":                  filled(`{"name":"`, "a", `"}`, size),
		"deep nesting":                   filled(`{"name":`, "[", "", min(size, 9000)),
		"not JSON at the end":            filled(`{"redirect_uris":[`, "1,", "1]", size),
		"a duplicate at the end":         filled(`{"name":[`, "1,", `1],"name":1}`, size),
	}
}

// From callers with the permission, a hostile body costs at most a few times as much as
// a valid one of the same size (most of it for comparing the names of unknown fields),
// and a body of twice the size costs at most about twice as much. From callers without
// the permission, the cost does not depend on the size of the body.
func TestHostileBodiesAreNotExpensive(t *testing.T) {
	const size = 200 << 10
	s := serviceOver(t, fixedStore{client: domain.Restore(fullState())})
	targets := []call{
		{method: http.MethodPost, path: clients + "?dry_run=true", token: "admin"},
		{method: http.MethodPut, path: clients + "/app-123?dry_run=true", token: "admin"},
		{method: http.MethodPost, path: "/admin/oauth/compliance", token: "admin"},
	}
	for _, c := range targets {
		c.body = legalBody(size)
		legal := costOf(t, s, c)
		for name, body := range hostileBodies(size) {
			c.body = body
			once := costOf(t, s, c)
			c.body = hostileBodies(2 * size)[name]
			twice := costOf(t, s, c)
			t.Logf("%-24s %-40s %5.2f × the bytes, %5.2f × the CPU of a legal body; twice as large: %.2f ×, %.2f ×", name, c.path,
				once.bytes/legal.bytes, once.cpu/legal.cpu, twice.bytes/once.bytes, twice.cpu/once.cpu)
			assert.Less(t, once.bytes, 6*legal.bytes, "%s to %s: bytes", name, c.path)
			assert.Less(t, twice.bytes, 2.5*once.bytes+float64(size), "%s to %s: bytes, twice as large", name, c.path)
			assert.Less(t, once.cpu, 8*legal.cpu, "%s to %s: CPU", name, c.path)
		}
	}
	for _, path := range []string{"/secrets", "/rotate-secret", "/verify-secret"} {
		empty := costOf(t, s, call{method: http.MethodPost, path: clients + "/app-123" + path, token: "admin", body: `{"secret":"x"}`})
		for name, body := range hostileBodies(size) {
			c := costOf(t, s, call{method: http.MethodPost, path: clients + "/app-123" + path, token: "admin", body: body})
			if len(body) > 16<<10 {
				assert.Less(t, c.bytes, 3*empty.bytes, "%s to %s", name, path)
			}
		}
	}
	empty := costOf(t, s, call{method: http.MethodPut, path: clients + "/app-123", token: "unprivileged", body: `{}`})
	for name, body := range hostileBodies(size) {
		c := costOf(t, s, call{method: http.MethodPut, path: clients + "/app-123", token: "unprivileged", body: body})
		assert.Less(t, c.bytes, 2*empty.bytes, "%s by a caller without permissions", name)
	}
}
