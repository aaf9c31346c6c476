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

// A 403 says what is missing, and the log what was looked at.
func TestA403SaysWhatIsMissing(t *testing.T) {
	s := serviceOver(t, still{client: domain.Restore(everything())}, func(c *setup) {
		c.Tokens.(names)["homeless"] = application.Caller{
			Subject: "hal", Permissions: application.Permissions(), Sources: application.ClaimSources{
				Tenant: application.ClaimSource{Claims: "org.tenant", Missing: "is not in the token"},
				Roles:  application.ClaimSource{Claims: "realm_access.roles"},
			},
		}
		c.Tokens.(names)["nothing"] = application.Caller{Subject: "nil"}
	})
	for name, tt := range map[string]struct {
		call    call
		message string
		scope   string
	}{
		"a reader writes":          {call{method: "PUT", token: "read", body: `{}`}, "administrator role required, or the scope clients:write", "clients:write"},
		"a writer reads":           {call{method: "GET", token: "write"}, "administrator role required, or the scope clients:read", "clients:read"},
		"no tenant":                {call{method: "GET", token: "homeless"}, "the access token has no tenant", ""},
		"nothing at all":           {call{method: "GET", token: "nothing"}, "administrator role required, or the scope clients:read; the access token has no tenant", "clients:read"},
		"a platform caller":        {call{method: "GET", token: "platform"}, "with the platform role, set the header X-Tenant-Id to the tenant to act in", ""},
		"a tenant of others":       {call{method: "GET", token: "admin", header: http.Header{"X-Tenant-Id": {"tenant_b"}}}, "X-Tenant-Id is not the tenant of the access token; only the platform role may act in another tenant", ""},
		"a tenant, without having": {call{method: "GET", token: "homeless", header: http.Header{"X-Tenant-Id": {"tenant_b"}}}, "X-Tenant-Id is not the tenant of the access token; only the platform role may act in another tenant", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s.logs.Reset()
			tt.call.path = clients + "/app-123"
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

// A platform caller has one rate, whatever tenants it names.
func TestACallerHasOneRateInAllTenants(t *testing.T) {
	now := time.Now()
	s := serviceOver(t, still{client: domain.Restore(everything())}, func(c *setup) {
		c.Callers = ratelimit.PerSecond(2, func() time.Time { return now })
	})
	var statuses []int
	for _, tenant := range []string{"tenant_a", "tenant_b", "tenant_c", "tenant_d"} {
		a := s.do(t, call{method: "GET", path: clients, token: "platform", header: http.Header{"X-Tenant-Id": {tenant}}})
		statuses = append(statuses, a.status)
	}
	assert.Equal(t, []int{200, 200, 429, 429}, statuses)
	assert.Equal(t, 200, s.do(t, call{method: "GET", path: clients, token: "admin"}).status, "another caller has its own")
	for range 3 { // what is forbidden does not count
		assert.Equal(t, 403, s.do(t, call{method: "PUT", path: clients + "/x", token: "read", body: `{}`}).status)
	}
	assert.Equal(t, 200, s.do(t, call{method: "GET", path: clients, token: "read"}).status)
}

// A caller that may write and not read gets back what it sent, and no more.
func TestAWriterReadsNothing(t *testing.T) {
	s := newService(t)
	body := strings.Replace(webApp, `"name":"App"`, `"name":"Hidden","logo_url":"https://hidden.example/logo","website":"http://hidden.example/"`, 1)
	a := s.do(t, call{method: "POST", path: clients, token: "admin", body: body})
	require.Equal(t, 201, a.status, a.text)
	path := clients + "/" + a.data("client_id").(string)
	for name, tt := range map[string]struct {
		call   call
		fields []string
	}{
		"an empty update":        {call{method: "PUT", path: path, body: `{}`}, nil},
		"an empty dry run":       {call{method: "PUT", path: path + "?dry_run=true", body: `{}`}, nil},
		"an update":              {call{method: "PUT", path: path, body: `{"scopes":["openid","email"],"terms_url":"https://a.example/"}`}, []string{"scopes", "terms_url"}},
		"a revision":             {call{method: "POST", path: path + "/revisions/1/restore"}, nil},
		"a revision, in advance": {call{method: "POST", path: path + "/revisions/1/restore?dry_run=true"}, nil},
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
			assert.NotContains(t, a.body, "warnings", "the warning about website is about what was not sent")
		})
	}
	assert.Equal(t, 204, s.do(t, call{method: "DELETE", path: path, token: "write"}).status)
	restored := s.do(t, call{method: "POST", path: path + "/restore", token: "write"})
	assert.Equal(t, 200, restored.status)
	assert.NotContains(t, strings.ToLower(restored.text), "hidden")
	sent := s.do(t, call{method: "PUT", path: path, token: "write", body: `{"website":"http://b.example/"}`})
	assert.Len(t, sent.body["warnings"], 1, "what is wrong with what was sent: %s", sent.text)
	assert.Equal(t, "http://b.example/", sent.data("website"))
}

// No response of the administration is to be stored, whatever it is (RFC 9111
// §5.2.2.5).
func TestNothingIsStored(t *testing.T) {
	s := newService(t)
	for _, o := range operations(t) {
		for _, token := range []string{"admin", "nobody", "", "defect"} {
			a := s.do(t, o.call(s.create(t), token))
			assert.Equal(t, []string{"no-store"}, a.header.Values("Cache-Control"), "%s by %q: %d", o.id, token, a.status)
		}
	}
	assert.Equal(t, "no-store", s.do(t, call{method: "GET", path: "/admin/none", token: "admin"}).header.Get("Cache-Control"))
	assert.Equal(t, "no-store", s.do(t, call{method: "PATCH", path: clients, token: "admin"}).header.Get("Cache-Control"))
	same := s.do(t, call{method: "GET", path: clients + "/" + s.create(t), token: "admin", header: http.Header{"If-None-Match": {"*"}}})
	assert.Equal(t, 304, same.status)
	assert.Equal(t, "no-store", same.header.Get("Cache-Control"))
	assert.Empty(t, s.do(t, call{method: "GET", path: "/openapi.yaml"}).header.Get("Cache-Control"))
}

// Nothing that operators can look at shows the command line, in which the URL of
// the database may stand.
func TestOperatorsSeeNoCommandLine(t *testing.T) {
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
