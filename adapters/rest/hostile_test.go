package rest_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// hostile is a request of an attacker, as bytes on the wire, with the expected status.
type hostile struct {
	name   string
	bytes  string
	status int
}

// target is the service and the client that hostile requests are sent to.
type target struct {
	host, id string
}

// raw returns a request with the usual headers. headers replace or add headers; a value
// of - removes the header.
func (t target) raw(method, path, body string, headers ...string) string {
	lines := []string{
		method + " " + path + " HTTP/1.1", "Host: " + t.host, "Connection: close", "Authorization: Bearer admin",
		"Content-Type: application/json", fmt.Sprintf("Content-Length: %d", len(body)),
	}
	for _, h := range headers {
		name, _, _ := strings.Cut(h, ":")
		for i, line := range lines {
			if strings.HasPrefix(line, name+":") {
				lines = append(lines[:i], lines[i+1:]...)
				break
			}
		}
		if !strings.HasSuffix(h, ":-") { // only removes the header
			lines = append(lines, h)
		}
	}
	return strings.Join(lines, "\r\n") + "\r\n\r\n" + body
}

func (t target) put(body string, headers ...string) string {
	return t.raw("PUT", clients+"/"+t.id, body, headers...)
}

// set returns an update of one field to a value.
func (t target) set(field string, value any) string {
	text, err := json.Marshal(map[string]any{field: value})
	if err != nil {
		panic(err)
	}
	return t.put(string(text))
}

// each returns a request with the expected status for each value.
func each[T any](status int, what string, build func(T) string, values ...T) []hostile {
	rows := make([]hostile, len(values))
	for i, value := range values {
		name := fmt.Sprintf("%s: %.60q", what, fmt.Sprint(value))
		rows[i] = hostile{name, build(value), status}
	}
	return rows
}

func hostileRequests(t target) []hostile {
	var rows []hostile
	add := func(more []hostile) { rows = append(rows, more...) }
	long := strings.Repeat("a", 3000)

	uri := func(u string) string { return t.set("redirect_uris", []string{u}) }
	add(each(400, "redirect URI", uri,
		"", " ", "a", "/", "//", "//a.example", "/cb", "?x", "#", "https", "https:", "https:/", "https://", "https:///cb", "https://#",
		"https://?x", "https:a.example/cb", "https:\\\\a.example", "https:/\\a.example", "https://a.example\\cb", "https://a.example/#",
		"https://a.example/cb#x", "https://a.example/%23\n", "https://a.example/ ", " https://a.example/", "https://a .example/",
		"https://a.example/\t", "https://a.example/\x00", "https://a.example/\x7f", "https://a.example/%", "https://a.example/%2",
		"https://a.example/%zz", "https://a.example/%%30", "https://user@a.example/", "https://user:pw@a.example/", "https://@a.example/",
		"https://:@a.example/", "https://a.example@b.example/", "https://a.example:x@b.example/", "https://a.example:99999/",
		"https://a.example:-1/", "https://a.example:0x50/", "https://a.example:80a/", "https://a.example: 80/", "https://a..example/",
		"https://.a.example/", "https://a.example./", "https://-a.example/", "https://a-.example/", "https://a_b.example/", "https://*/",
		"https://*.a.example/", "https://a.*.example/", "https://a.example/*", "https://a.example/x*y", "https://%61.example/",
		"https://a%2eexample/", "https://ä.example/", "https://а.example/", "https://a.example/ä", "https://a。example/",
		"https://a.example/\u202e", "https://a.example/\u200b", "https://[::1", "https://::1/", "https://[::1]a/", "https://[v1.x]/",
		"https://[::ffff:1.2.3.4.5]/", "https://[fe80::1%25eth0]/", "https://[]/", "https://256.1.1.1/", "https://1.2.3/", "https://0x7f.1/",
		"https://2130706433/", "https://127.1/", "https://a.example/../cb", "https://a.example/./cb", "https://a.example/%2e%2e/cb",
		"https://a.example/.%2e/", "https://a.example/%2E/", "https://a.example/%2f", "https://a.example/%5c", "https://a.example//cb",
		"http://a.example/cb", "http://127.0.0.2/", "http://127.0.0.1.a.example/", "http://localhost.a.example/", "http://LOCALHOST.x/",
		"http://[::2]/", "http://0.0.0.0/", "javascript:alert(1)", "JavaScript:alert(1)", "java\nscript:alert(1)", "data:text/html,x",
		"vbscript:x", "file:///etc/passwd", "blob:https://a.example/x", "filesystem:https://a.example/x", "about:blank",
		"view-source:https://a.example/", "chrome://settings", "ftp://a.example/", "ws://a.example/", "wss://a.example/", "mailto:a@a.example",
		"tel:1", "sms:1", "intent://x", "ldap://a.example/", "jar:https://a.example!/", "urn:ietf:wg:oauth:2.0:oob",
		"urn:ietf:wg:oauth:2.0:oob:auto", "myapp:/cb", "myapp://cb", "1app:/cb", "-app:/cb", ":cb", "a b:/cb", "https://"+long+"/",
		"https://a.example/"+long, "https://"+strings.Repeat("a", 64)+".example/", "https://"+strings.Repeat("a.", 130)+"example/",
	))
	add(each(200, "redirect URI", uri,
		"https://a.example", "https://a.example/cb?x=%23", "https://a.example:8443/", "https://xn--4ca.example/", "http://127.0.0.1/",
		"http://127.0.0.1:1234/cb", "http://[::1]/cb", "com.example.app:/cb", "https://A.EXAMPLE/cb", "https://a.example/a%20b", "https://a.example/x@b.example/",
	))

	name := func(n string) string { return t.set("name", n) }
	add(each(400, "name", name,
		"", "\x00", "a\x00b", "a\nb", "a\rb", "a\tb", "\x1b[31m", "a\x7f", "a\u0085b", "a\u202eb", "a\u202ab", "a\u2066b", "a\u2069b",
		"\u200f\u202e", "a\u2028b", "a\u2029b", strings.Repeat("a", 257), strings.Repeat("ä", 257),
	))
	add(each(200, "name", name, "Ünïcödé", "名前", "😀", "a'; DROP TABLE clients; --", "{{7*7}}", "<script>alert(1)</script>", "%s%n", "$(id)", "../../etc/passwd", "NULL", "a\\b"))

	body := func(b string) string { return t.put(b) }
	add(each(400, "body", body,
		"{", "}", "[]", "[{}]", `""`, "1", "true", "null", "nul", "{}{}", "{} {}", "{},", "{}\x00", "\ufeff{}", "\x00{}", `{"name":}`, `{"name"}`,
		`{name:"x"}`, `{'name':'x'}`, `{"name":"x",}`, `{"name":"x"/**/}`, `{"name":NaN}`, `{"name":1e999}`, `{"name":-}`, `{"name":01}`,
		`{"name":"\ud800"}`, `{"name":"\udc00\ud800"}`, `{"name":"\x41"}`, "{\"name\":\"\xc3\x28\"}", "{\"name\":\"\xed\xa0\x80\"}",
		"{\"name\":\"\xf8\x88\x80\x80\x80\"}", "{\"name\":\"\xc0\x80\"}", "{\"\xff\":1}", `{"name":"a","name":"b"}`, `{"name":"a","\u006eame":"b"}`,
		`{"":1}`, `{"__proto__":{}}`, `{"constructor":{}}`, `{"name":{"$gt":""}}`, `{"name":["x"]}`, `{"name":true}`, `{"status":1}`, `{"status":""}`,
		`{"status":"ACTIVE"}`, `{"status":"deleted"}`, `{"is_confidential":"false"}`, `{"is_confidential":0}`, `{"scopes":{}}`, `{"scopes":"a"}`,
		`{"scopes":[["a"]]}`, `{"scopes":[1]}`, `{"grant_types":[""]}`, `{"redirect_uris":[{}]}`, `{"client_id":"x"}`, `{"tenant_id":"x"}`, `{"id":"x"}`,
		`{"client_secret":"x"}`, `{"created_at":"x"}`, `{"Name":"x"}`, `{"name ":"x"}`, `{"jwks":{}}`, `{"jwks":"{"}`, `{"jwks":"[]"}`, `{"jwks":"{}"}`,
		`{"jwks":"{\"keys\":{}}"}`, `{"jwks":"{\"keys\":[1]}"}`, `{"jwks":"{\"keys\":[{}]}"}`, `{"jwks":"{\"keys\":[],\"keys\":[]}"}`,
		`{"jwks_uri":"file:///etc/passwd"}`, `{"jwks_uri":"https://169.254.169.254/"}`, `{"jwks_uri":"https://localhost/"}`, `{"jwks_uri":"gopher://x"}`,
		`{"logo_url":"javascript:1"}`, `{"website":"x"}`, `{"terms_url":"//x"}`, `{"cors_origins":["*"]}`, `{"cors_origins":["null"]}`,
		`{"cors_origins":["https://a.example/"]}`, `{"fapi_profile":"fapi9"}`, `{"client_auth_methods":["client_secret_basic","magic"]}`,
		`{"name":`+strings.Repeat("[", 50_000), `{"scopes":[`+strings.Repeat(`"a",`, 5_000)+`"a"]}`,
		strings.Repeat(`{"name":`, 20_000), `{"name":"`+strings.Repeat(`\u0041`, 300)+`"}`,
	))
	add(each(413, "body", body, strings.Repeat(" ", 512<<10+1), `{"name":"`+strings.Repeat("a", 600<<10)+`"}`))
	add(each(200, "body", body, "{}", " {} ", "\n{}\r\n", `{"scopes":[]}`, `{"name":"x"}`))

	kind := func(h string) string { return t.put("{}", "Content-Type: "+h) }
	add(each(415, "content type", kind,
		"", "text/plain", "application/xml", "application/jsonx", "application/json+x", "application", "application/", "json", "*/*",
		"application/json; charset=utf-16", "application/json; charset=latin1", "application/x-www-form-urlencoded",
		"multipart/form-data; boundary=x", "application/json, text/plain", "application/json;;", "application/merge-patch+json",
	))
	add(each(200, "content type", kind, "application/json; charset=UTF-8", "Application/JSON", "application/json;charset=\"utf-8\""))

	authorization := func(h string) string { return t.put("{}", "Authorization: "+h) }
	add(each(401, "authorization", authorization,
		"", "Bearer", "Bearer ", "Bearer  admin", "bearer", "Basic admin", "Bearer admin admin", "Bearer admin,Bearer admin", "Digest x", "admin",
		"Bearer null", "Bearer undefined", "Bearer ../admin", "Bearer ADMIN", "Bearer admin\u00e4", "Bearer\tadmin", "Bearer eyJhbGciOiJub25lIn0.e30.",
	))
	add(each(400, "If-Match", func(h string) string { return t.put("{}", "If-Match: "+h) }, strings.Repeat(`"1", `, 300)))
	// Lists of ETags that do not match, and values that are not lists of ETags (RFC 9110
	// §8.8.3).
	add(each(412, "If-Match", func(h string) string { return t.put("{}", "If-Match: "+h) },
		"", `""`, `"-1"`, `"0"`, `"1e0"`, `"0x1"`, `"99999999999999999999"`, `W/"1"`, `"１"`, `"1;"`, `,`, `"a,b"`, `"0" , "2",`,
	))
	add(each(400, "If-Match", func(h string) string { return t.put("{}", "If-Match: "+h) },
		"1", `"`, `"1`, `1"`, `'1'`, "**", `*, "1"`, `"1" "2"`, `"1"x`, `w/"1"`, `W/1`, `W/ "1"`, `"1 "`, `“1”`, `"1","2`,
	))

	get := func(path string) string { return t.raw("GET", path, "") }
	add(each(404, "path", get,
		"/", "//", "/admin", "/admin/", "/admin/oauth", "/admin/oauth/", clients+"/", clients+"//", "/ADMIN/OAUTH/CLIENTS", "/admin/oauth/clients;x",
		clients+"/../../../etc/passwd", clients+"/./x", clients+"/%2e%2e", clients+"/..%2f..%2fx", clients+"/%2e%2e%2f"+t.id, clients+"/a/b", clients+"/a%2fb",
		clients+"/"+t.id+"/", clients+"/"+t.id+"/nothing", clients+"/"+t.id+"/secrets/x/y", "/admin%2foauth%2fclients", "/.git/config",
		"/openapi.json", "/metrics", "/debug/pprof/", clients+"/"+t.id+"/revisions/99", clients+"/'or'1'='1", clients+"/none",
	))
	add(each(400, "path", get,
		clients+"/%00", clients+"/%20", clients+"/"+t.id+"%20", clients+"/%0d%0aX:1", clients+"/%ff", clients+"/%c3%28", clients+"/%", clients+"/%zz", clients+"/"+long,
		clients+"/%e2%80%ae", clients+"/"+t.id+"/revisions/0", clients+"/"+t.id+"/revisions/-1", clients+"/"+t.id+"/revisions/1.5",
		clients+"/"+t.id+"/revisions/1e3", clients+"/"+t.id+"/revisions/0x1", clients+"/"+t.id+"/revisions/99999999999999999999",
		clients+"/"+t.id+"/revisions/9007199254740992", clients+"/"+t.id+"/revisions/%31%00",
	))
	query := func(q string) string { return get(clients + "?" + q) }
	add(each(400, "query", query,
		"page=0", "page=-1", "page=1.5", "page=", "page=one", "page=1e3", "page=0x1", "page=1000001", "page=2147483648", "page=9223372036854775808", "page=1&page=2",
		"page=%31%00", "page_size=0", "page_size=201", "limit=0", "limit=501", "limit=-5", "after=", "after=%00", "after=%20", "page=1&limit=1", "name=%00",
		"name=%ff", "name="+strings.Repeat("a", 257), "status=", "status=deleted", "status=active,suspended", "updated_since=now", "updated_since=2026-02-30T00:00:00Z",
		"updated_since=2026-01-01", "updated_since=", "unknown=1", "Page=1", "page%5b%5d=1", "name[]=x", "%00=1", "%zz", "a;b", "name=%", "dry_run=true",
	))
	add(each(200, "query", query, "", "updated_since=0000-01-01T00:00:00Z", "updated_since=9999-12-31T23:59:59Z", "updated_since=0001-01-01T00:00:00-23:59", "name=", "name=%25", "name=%5f", "name='%20or%201=1", "name=%27%3b--", "page=1000000", "page=2&page_size=200", "limit=500", "after=zzz", "scope=%F0%9F%98%80", "name=\"*"))
	changes := func(q string) string { return get("/admin/oauth/changes?" + q) }
	add(each(400, "changes", changes, "after=", "after=x", "after=s", "after=s-1", "after=s01", "after=S1", "after=s1%00", "after=p1.1", "after=p1.-1.1", "after=s99999999999999999999", "after=p99999999999.1.1", "after=p1.99999999999999999999.1", "after=p1.1.99999999999999999999", "wait_seconds=-1", "wait_seconds=31", "wait_seconds=1.5", "wait_seconds=x", "limit=0", "limit=501"))

	// The HTTP message itself.
	whole := t.put(`{"name":"x"}`)
	add([]hostile{
		{"no host", strings.Replace(whole, "Host: "+t.host+"\r\n", "", 1), 400},
		{"two hosts", strings.Replace(whole, "Host:", "Host: x\r\nHost:", 1), 400},
		{"two lengths", strings.Replace(whole, "Content-Length:", "Content-Length: 3\r\nContent-Length:", 1), 400},
		{"a length that is not a number", t.put("{}", "Content-Length: two"), 400},
		{"a negative length", t.put("{}", "Content-Length: -2"), 400},
		{"a space in a header name", t.put("{}", "X Y: 1"), 400},
		{"a header without a colon", t.put("{}", "XY"), 400},
		{"a folded header", t.put("{}", "X-Y: 1\r\n 2"), 200},
		{"a NUL in a header", t.put("{}", "X-Y: a\x00b"), 400},
		{"a bare carriage return in a header", t.put("{}", "X-Y: a\rb"), 400},
		{"a very long header", t.put("{}", "X-Y: "+strings.Repeat("a", 2<<20)), 431},
		{"length and chunks", t.put("0\r\n\r\n", "Transfer-Encoding: chunked"), 400},
		{"an unknown transfer encoding", t.put("{}", "Transfer-Encoding: gzip"), 501},
		{"a bad chunk", t.raw("PUT", clients+"/"+t.id, "zz\r\n{}\r\n0\r\n\r\n", "Content-Length:-", "Transfer-Encoding: chunked"), 400},
		{"chunks", t.raw("PUT", clients+"/"+t.id, "2\r\n{}\r\n0\r\n\r\n", "Content-Length:-", "Transfer-Encoding: chunked"), 200},
		{"Content-Encoding of an uncompressed body", t.put("{}", "Content-Encoding: gzip"), 415},
		{"HTTP/1.0", strings.Replace(whole, "HTTP/1.1", "HTTP/1.0", 1), 200},
		{"HTTP/3.0", strings.Replace(whole, "HTTP/1.1", "HTTP/3.0", 1), 505},
		{"HTTP/x", strings.Replace(whole, "HTTP/1.1", "HTTP/x", 1), 400},
		{"no version", strings.Replace(whole, " HTTP/1.1", "", 1), 400},
		{"a method in lower case", strings.Replace(whole, "PUT", "put", 1), 405},
		{"a method with invalid characters", strings.Replace(whole, "PUT", "P{}T", 1), 400},
		{"no method", strings.Replace(whole, "PUT ", " ", 1), 400},
		{"TRACE", t.raw("TRACE", clients+"/"+t.id, ""), 405},
		{"CONNECT", t.raw("CONNECT", "a.example:443", ""), 404},
		{"OPTIONS *", t.raw("OPTIONS", "*", ""), 200},
		{"PATCH", t.raw("PATCH", clients+"/"+t.id, "{}"), 405},
		{"HEAD of a path without GET", t.raw("HEAD", clients+"/"+t.id+"/restore", ""), 405},
		{"a method override", t.raw("POST", clients+"/"+t.id, "{}", "X-HTTP-Method-Override: PUT"), 405},
		{"an absolute URL of another host", t.raw("GET", "http://a.example"+clients, ""), 200},
		{"a path override", t.raw("GET", "/", "", "X-Original-URL: "+clients), 404},
		{"two Idempotency-Keys", t.raw("POST", clients, webApp, "Idempotency-Key: a\r\nIdempotency-Key: b"), 400},
		{"a long Idempotency-Key", t.raw("POST", clients, webApp, "Idempotency-Key: "+strings.Repeat("k", 129)), 400},
		{"a long change reason", t.put("{}", "X-Change-Reason: "+strings.Repeat("r", 501)), 400},
		{"an invalid tenant", t.put("{}", "X-Tenant-Id: a b"), 403},
		{"an empty secret", t.raw("POST", clients+"/"+t.id+"/verify-secret", `{"secret":""}`), 200},
		{"a long secret", t.raw("POST", clients+"/"+t.id+"/verify-secret", `{"secret":"`+strings.Repeat("s", 513)+`"}`), 400},
		{"a secret with a NUL", t.raw("POST", clients+"/"+t.id+"/verify-secret", `{"secret":"\u0000"}`), 200},
		{"a year with five digits", t.raw("POST", clients+"/"+t.id+"/secrets", `{"expires_at":"99999-01-01T00:00:00Z"}`), 400},
		{"a leap second", t.raw("POST", clients+"/"+t.id+"/secrets", `{"expires_at":"2030-12-31T23:59:60Z"}`), 201},
	})
	add(hostileHTTPRequests(t))
	return rows
}

// Each hostile request gets the expected status and, unless the HTTP library responds, a
// JSON body. Afterwards the service still works and has logged no error.
func TestHostileRequests(t *testing.T) { onBothStores(t, testHostileRequests) }

func testHostileRequests(t *testing.T, s service) {
	server := httptest.NewServer(s.handler)
	t.Cleanup(server.Close)
	address, err := url.Parse(server.URL)
	require.NoError(t, err)
	to := target{host: address.Host, id: s.create(t)}
	rows := hostileRequests(to)
	assert.GreaterOrEqual(t, len(rows), 600)
	sendHostile(t, s, to, rows)
	read := s.do(t, call{method: "GET", path: clients + "/" + to.id, token: "admin"})
	assert.Equal(t, http.StatusOK, read.status)
}

// sendHostile sends the requests and checks the responses and the log.
func sendHostile(t *testing.T, s service, to target, rows []hostile) {
	t.Helper()
	for _, row := range rows {
		to.send(t, row)
	}
	assert.NotContains(t, s.logs.String(), `"level":"ERROR"`)
}

// send sends the request, checks the status and returns the body of the response.
func (t target) send(test *testing.T, row hostile) string {
	test.Helper()
	conn, err := (&net.Dialer{}).DialContext(test.Context(), "tcp", t.host)
	require.NoError(test, err)
	defer func() { _ = conn.Close() }()
	require.NoError(test, conn.SetDeadline(time.Now().Add(20*time.Second)))
	go func() { _, _ = io.WriteString(conn, row.bytes) }() // the service may respond before it has received everything
	method, _, _ := strings.Cut(row.bytes, " ")
	got, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	require.NoError(test, err, row.name)
	text, err := io.ReadAll(got.Body)
	require.NoError(test, err, row.name)
	require.NoError(test, got.Body.Close())
	assert.Equal(test, row.status, got.StatusCode, "%s: %.300s", row.name, text)
	if got.Header.Get("X-Request-Id") != "" && len(text) > 0 { // not a response of the HTTP library
		assert.True(test, json.Valid(text), "%s: %.300s", row.name, text)
		assert.Less(test, len(text), 100_000, row.name) // the rulebook is the longest response
	}
	return string(text)
}
