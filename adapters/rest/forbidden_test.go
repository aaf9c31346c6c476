package rest_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/ratelimit"
	"github.com/clientele-oauth/clientele/adapters/rest"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// A 403 names the missing permission or tenant. The log contains the claims that were
// read.
func TestForbiddenResponseNamesWhatIsMissing(t *testing.T) {
	s := serviceOver(t, fixedStore{client: domain.Restore(fullState())}, func(c *setup) {
		c.Tokens.(callersByToken)["no-tenant"] = application.Caller{
			Subject: "hal", Permissions: application.Permissions(), Sources: application.ClaimSources{
				Tenant: application.ClaimSource{Claims: "org.tenant", Missing: "is not in the token"},
				Roles:  application.ClaimSource{Claims: "realm_access.roles"},
			},
		}
		c.Tokens.(callersByToken)["no-tenant-no-permissions"] = application.Caller{Subject: "nil"}
	})
	for name, tt := range map[string]struct {
		call    call
		message string
		scope   string
	}{
		"write with read permission":            {call{method: "PUT", token: "read", body: `{}`}, "administrator role required, or the scope clients:write", "clients:write"},
		"read with write permission":            {call{method: "GET", token: "write"}, "administrator role required, or the scope clients:read", "clients:read"},
		"no tenant":                             {call{method: "GET", token: "no-tenant"}, "the access token has no tenant", ""},
		"no tenant and no permissions":          {call{method: "GET", token: "no-tenant-no-permissions"}, "administrator role required, or the scope clients:read; the access token has no tenant", "clients:read"},
		"a platform caller without X-Tenant-Id": {call{method: "GET", token: "platform"}, "with the platform role, set the header X-Tenant-Id to the tenant to act in", ""},
		"another tenant":                        {call{method: "GET", token: "admin", header: http.Header{"X-Tenant-Id": {"tenant_b"}}}, "X-Tenant-Id is not the tenant of the access token; only the platform role may act in another tenant", ""},
		"another tenant, without an own one":    {call{method: "GET", token: "no-tenant", header: http.Header{"X-Tenant-Id": {"tenant_b"}}}, "X-Tenant-Id is not the tenant of the access token; only the platform role may act in another tenant", ""},
		"changes of all tenants":                {call{method: "GET", path: "/admin/oauth/changes?tenants=all", token: "admin"}, "tenants=all needs the platform role", ""},
		"a snapshot of all tenants":             {call{method: "GET", path: "/admin/oauth/snapshot?tenants=all", token: "no-tenant"}, "tenants=all needs the platform role", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s.logs.Reset()
			if tt.call.path == "" {
				tt.call.path = clients + "/app-123"
			}
			a := s.do(t, tt.call)
			assert.Equal(t, http.StatusForbidden, a.status)
			assert.Equal(t, tt.message, a.body["message"])
			want := `Bearer realm="clientele", error="insufficient_scope"`
			if tt.scope != "" {
				want += `, scope="` + tt.scope + `"` // RFC 6750 §3
			}
			assert.Equal(t, want, a.header.Get("WWW-Authenticate"))
			line, _, _ := strings.Cut(s.logs.String(), "\n")
			if name == "no tenant" {
				assert.Contains(t, line, `"claims":{"tenant":"org.tenant (is not in the token)","roles":"realm_access.roles","scopes":""}`)
			}
			for _, part := range []string{
				`"msg":"forbidden"`, `"request_id":"` + a.header.Get("X-Request-Id"), `"subject":"`, `"tenant":"`, `"permissions":`, `"platform":`,
				`"claims":{"tenant":"`, `"operation":"`, `"error":"not permitted: `,
			} {
				assert.Contains(t, line, part)
			}
		})
	}
}

// A platform caller has one rate limit for all tenants that it selects.
func TestRateLimitOfACallerCoversAllTenants(t *testing.T) {
	now := time.Now()
	s := serviceOver(t, fixedStore{client: domain.Restore(fullState())}, func(c *setup) {
		c.Callers = ratelimit.PerSecond(2, func() time.Time { return now })
	})
	var statuses []int
	for _, tenant := range []string{"tenant_a", "tenant_b", "tenant_c", "tenant_d"} {
		a := s.do(t, call{method: "GET", path: clients, token: "platform", header: http.Header{"X-Tenant-Id": {tenant}}})
		statuses = append(statuses, a.status)
	}
	assert.Equal(t, []int{200, 200, 429, 429}, statuses)
	assert.Equal(t, 200, s.do(t, call{method: "GET", path: clients, token: "admin"}).status, "another caller has its own limit")
	for range 3 { // forbidden requests do not count
		assert.Equal(t, 403, s.do(t, call{method: "PUT", path: clients + "/x", token: "read", body: `{}`}).status)
	}
	assert.Equal(t, 200, s.do(t, call{method: "GET", path: clients, token: "read"}).status)
}

// A caller with write but not read permission gets only the fields that it sent.
func TestWriteWithoutReadPermission(t *testing.T) {
	s := newService(t)
	body := strings.Replace(webApp, `"name":"App"`, `"name":"Hidden","logo_url":"https://hidden.example/logo","website":"http://hidden.example/"`, 1)
	a := s.do(t, call{method: "POST", path: clients, token: "admin", body: body})
	require.Equal(t, 201, a.status, a.text)
	path := clients + "/" + a.data("client_id").(string)
	for name, tt := range map[string]struct {
		call   call
		fields []string
	}{
		"an empty update":         {call{method: "PUT", path: path, body: `{}`}, nil},
		"an empty dry run":        {call{method: "PUT", path: path + "?dry_run=true", body: `{}`}, nil},
		"an update":               {call{method: "PUT", path: path, body: `{"scopes":["openid","email"],"terms_url":"https://a.example/"}`}, []string{"scopes", "terms_url"}},
		"restore a revision":      {call{method: "POST", path: path + "/revisions/1/restore"}, nil},
		"a revision in a dry run": {call{method: "POST", path: path + "/revisions/1/restore?dry_run=true"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			tt.call.token = "write"
			a := s.do(t, tt.call)
			require.Equal(t, 200, a.status, a.text)
			data, _ := a.body["data"].(map[string]any)
			var fields []string
			for field := range data {
				fields = append(fields, field)
			}
			assert.ElementsMatch(t, append([]string{"client_id", "tenant_id"}, tt.fields...), fields)
			assert.NotContains(t, strings.ToLower(a.text), "hidden")
			assert.NotContains(t, a.body, "warnings", "the caller did not send website")
		})
	}
	assert.Equal(t, 204, s.do(t, call{method: "DELETE", path: path, token: "write"}).status)
	restored := s.do(t, call{method: "POST", path: path + "/restore", token: "write"})
	assert.Equal(t, 200, restored.status)
	assert.NotContains(t, strings.ToLower(restored.text), "hidden")
	sent := s.do(t, call{method: "PUT", path: path, token: "write", body: `{"website":"http://b.example/"}`})
	assert.Len(t, sent.body["warnings"], 1, "a warning about a sent field: %s", sent.text)
	assert.Equal(t, "http://b.example/", sent.data("website"))
}

// All responses of the admin API forbid caches to store them (RFC 9111 §5.2.2.5).
func TestAdminResponsesForbidStoring(t *testing.T) {
	s := newService(t)
	for _, o := range operations(t) {
		for _, token := range []string{"admin", "unprivileged", "", "failure"} {
			a := s.do(t, o.call(s.create(t), token))
			assert.Equal(t, []string{"no-store"}, a.header.Values("Cache-Control"), "%s by %q: %d", o.id, token, a.status)
		}
	}
	assert.Equal(t, "no-store", s.do(t, call{method: "GET", path: "/admin/none", token: "admin"}).header.Get("Cache-Control"))
	assert.Equal(t, "no-store", s.do(t, call{method: "PATCH", path: clients, token: "admin"}).header.Get("Cache-Control"))
	unmodified := s.do(t, call{method: "GET", path: clients + "/" + s.create(t), token: "admin", header: http.Header{"If-None-Match": {"*"}}})
	assert.Equal(t, 304, unmodified.status)
	assert.Equal(t, "no-store", unmodified.header.Get("Cache-Control"))
	assert.Empty(t, s.do(t, call{method: "GET", path: "/openapi.yaml"}).header.Get("Cache-Control"))
}

// The admin listener does not show the command line, which may contain the database
// URL.
func TestOperatorHandlerHidesTheCommandLine(t *testing.T) {
	handler := rest.NewOperatorHandler(rest.Config{Clock: realTime{}}, http.NotFoundHandler())
	for path, status := range map[string]int{
		"/debug/pprof/cmdline": 404, "/debug/pprof/cmdline/": 404, "/debug/vars": 404, "/debug/pprof/": 200, "/debug/pprof/goroutine?debug=2": 200,
		"/debug/pprof/heap?debug=1": 200, "/debug/pprof/threadcreate?debug=1": 200, "/debug/requests": 404, "/debug/events": 404,
	} {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, http.NoBody))
		assert.Equal(t, status, w.Code, path)
		assert.NotContains(t, w.Body.String(), strings.Join(os.Args, "\x00"), path)
		assert.NotContains(t, w.Body.String(), os.Args[len(os.Args)-1], path)
	}
}
