package rest_test

import (
	"fmt"
	"strings"
)

// hostileHTTPRequests returns hostile requests with preconditions, times, numbers,
// content codings, large bodies and tenants. They are sent after the requests that
// create a secret of the client.
func hostileHTTPRequests(t target) []hostile {
	var rows []hostile
	add := func(more []hostile) { rows = append(rows, more...) }
	client := clients + "/" + t.id
	method := func(method, path string) func(string) string {
		body := ""
		if strings.HasSuffix(path, "/compliance") && method == "POST" {
			body = webApp
		}
		return func(h string) string { return t.raw(method, path, body, h) }
	}

	// Preconditions (RFC 9110 §13.1.1, §13.1.2): they are evaluated for all
	// methods, but not if the request would fail without them (§13.2.1).
	add(each(412, "PUT", func(h string) string { return t.put("{}", h) },
		`If-None-Match: *`, `If-Match: "99"`, "If-Match: \"9\"\r\nIf-Match: \"8\"", `If-Match: W/"2"`, "If-Match: *\r\nIf-None-Match: *",
	))
	add(each(200, "PUT", func(h string) string { return t.put("{}", h) },
		`If-Match: *`, `If-None-Match: "9"`, `If-None-Match: ""`,
	))
	add(each(412, "GET", method("GET", client), `If-Match: "9"`, `If-Match: W/"1"`, "If-Match: \"9\"\r\nIf-None-Match: *"))
	add(each(412, "HEAD", method("HEAD", client), `If-Match: "9"`))
	add(each(400, "GET", method("GET", client), `If-Match: 1`, `If-None-Match: 1`, `If-None-Match: "1`))
	add(each(304, "GET", method("GET", client), `If-None-Match: *`, "If-Match: *\r\nIf-None-Match: *"))
	add(each(304, "HEAD", method("HEAD", client), `If-None-Match: *`))
	for _, path := range []string{
		clients, client + "/revisions", client + "/revisions/1", client + "/secrets", client + "/keys", client + "/compliance?profile=none",
		"/admin/oauth/rules", "/admin/oauth/changes",
	} {
		add(each(412, "GET "+path, method("GET", path), `If-Match: "1"`))
		add(each(400, "GET "+path, method("GET", path), `If-Match: 1`))
		add(each(200, "GET "+path, method("GET", path), `If-Match: *`, `If-None-Match: "1"`))
	}
	add(each(412, "POST", method("POST", "/admin/oauth/compliance"), `If-Match: "1"`))
	add(each(412, "DELETE", method("DELETE", client), `If-Match: "99"`, `If-None-Match: *`))
	add(each(412, "DELETE", method("DELETE", client+"/secrets/none"), `If-Match: "99"`))
	add(each(412, "rotate", method("POST", client+"/rotate-secret"), `If-Match: "99"`, `If-None-Match: *`))
	add(each(412, "secrets", method("POST", client+"/secrets"), `If-Match: "99"`, `If-None-Match: *`))
	add(each(412, "revision", method("POST", client+"/revisions/1/restore"), `If-Match: "99"`, `If-None-Match: *`))
	add(each(400, "revision", method("POST", client+"/revisions/1/restore"), `If-Match: 1`))
	add(each(409, "restore", method("POST", client+"/restore"), `If-Match: "99"`)) // the client is not deleted
	add(each(404, "GET of an unknown client", method("GET", clients+"/none"), `If-Match: "1"`, `If-None-Match: *`))

	// Times (RFC 3339 §5.6, §5.7).
	since := func(at string) string {
		return t.raw("GET", clients+"?updated_since="+strings.ReplaceAll(at, "+", "%2B"), "")
	}
	add(each(200, "updated_since", since,
		"2026-04-15t10:30:00z", "2016-12-31T23:59:60Z", "2016-12-31T15:59:60-08:00", "2026-04-15T10:30:00.123456789123Z",
		"2026-04-15T10:30:00-00:00", "9999-12-31T23:59:59+23:59",
	))
	add(each(400, "updated_since", since,
		"9999-12-31T23:59:59-23:59", "0000-01-01T00:00:00+00:01", "2026-04-15T10:30:60Z", "2026-04-15T24:00:00Z", "2026-04-15T10:30:00,5Z",
		"2026-04-15%2010:30:00Z", "2026-04-15T10:30:00", "10000-01-01T00:00:00Z", "2026-04-15T10:30:00+24:00", "20260415T103000Z",
	))
	expires := func(at string) string { return t.raw("POST", client+"/secrets", fmt.Sprintf(`{"expires_at":%q}`, at)) }
	add(each(400, "expires_at", expires,
		"9999-12-31T23:59:59-05:00", "2030-12-30T23:59:60Z", "2030-02-30T00:00:00Z", "2030-01-01", "2030-01-01T00:00:00", "", "2030-01-01T00:00:00,1Z",
	))

	// Numbers (RFC 8259 §6).
	grace := func(n string) string { return t.raw("POST", client+"/rotate-secret", `{"grace_seconds":`+n+`}`) }
	add(each(200, "grace_seconds", grace, "60.0", "6e1", "6.0E+1", "0.0", "-0"))
	add(each(400, "grace_seconds", grace, "60.5", "1e-1", "-1", "2592000.5", "2592001", "1e999", "-1e999", `"60"`, "null", "9223372036854775808", "[60]"))

	// Content codings (RFC 9110 §8.4, §15.5.16).
	coding := func(c string) string { return t.put("{}", "Content-Encoding: "+c) }
	add(each(415, "Content-Encoding", coding, "gzip", "GZIP", "br", "deflate", "zstd", "identity, gzip", "x", "aes128gcm"))
	add(each(200, "Content-Encoding", coding, "identity", ""))

	// Limits. Operations that need only a small body have a low limit.
	small := strings.Repeat(" ", 16<<10+1)
	for _, path := range []string{"/secrets", "/rotate-secret", "/verify-secret"} {
		rows = append(rows, hostile{"a large body for " + path, t.raw("POST", client+path, small), 413})
	}
	ones := "[" + strings.Repeat("1,", 200_000) + "1]"
	rows = append(rows, []hostile{
		{"many wrong elements", t.put(`{"redirect_uris":` + ones + `}`), 400},
		{"many unknown fields", t.put(unknownFields(40_000)), 400},
		{"many wrong elements, to be checked", t.raw("POST", "/admin/oauth/compliance", `{"redirect_uris":`+ones+`}`), 400},
		{"elements within the limit, all wrong", t.put(`{"redirect_uris":["` + strings.Repeat(`#","`, 99) + `#"]}`), 400},
		{"many scopes, all wrong", t.put(`{"scopes":["` + strings.Repeat(`\"","`, 199) + `\""]}`), 400},
		{"a large array in an unknown field", t.put(`{"x":` + ones + `}`), 400},
		{"a string of escape sequences", t.put(`{"name":"` + strings.Repeat(`\u0041`, 80_000) + `"}`), 400},
		{"two content types", t.put("{}", "Content-Type: application/json\r\nContent-Type: text/plain"), 415},
		{"many query parameters", t.raw("GET", clients+"?"+strings.Repeat("a&b&", 10)+manyParameters(3000), ""), 400},
		{"another tenant", t.raw("GET", clients, "", "X-Tenant-Id: tenant_b"), 403},
		{"two tenants", t.raw("GET", clients, "", "X-Tenant-Id: tenant_a\r\nX-Tenant-Id: tenant_b"), 400},
		{"a platform caller without a tenant", t.raw("GET", clients, "", "Authorization: Bearer platform"), 403},
		{"a platform caller with an invalid tenant", t.raw("GET", clients, "", "Authorization: Bearer platform\r\nX-Tenant-Id: a b"), 400},
		{"a platform caller with a long tenant", t.raw("GET", clients, "", "Authorization: Bearer platform\r\nX-Tenant-Id: "+strings.Repeat("t", 256)), 400},
		{"write with read permission", t.put("{}", "Authorization: Bearer read"), 403},
		{"write of invalid JSON with read permission", t.put("{", "Authorization: Bearer read"), 403},
		{"read with write permission", t.raw("GET", client, "", "Authorization: Bearer write"), 403},
		{"a large body without permissions", t.put(ones, "Authorization: Bearer unprivileged"), 403},
		{"a large body of an unknown caller", t.put(ones, "Authorization: Bearer unknown"), 401},
		{"the wrong content type of an unknown caller", t.put("{}", "Authorization: Bearer unknown\r\nContent-Type: text/plain"), 401},
	}...)
	return rows
}

// unknownFields returns a JSON object with n unknown fields and a name.
func unknownFields(n int) string {
	var b strings.Builder
	b.WriteByte('{')
	for i := range n {
		fmt.Fprintf(&b, `"x%d":1,`, i)
	}
	b.WriteString(`"name":"x"}`)
	return b.String()
}

// manyParameters returns a query with n parameters.
func manyParameters(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "p%d=1&", i)
	}
	return b.String()
}
