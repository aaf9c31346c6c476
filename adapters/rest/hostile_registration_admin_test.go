package rest_test

import (
	"net/url"
	"strings"
)

// hostileInitialTokens returns hostile requests about registration tokens, as an
// administrator.
func hostileInitialTokens(s stranger) []says {
	create := func(body string, headers ...string) string { return s.raw("POST", tokensPath, body, headers...) }
	var rows []says
	for property, values := range map[string][]string{
		"max_uses":    {"0", "-1", "10001", "1.5", `"1"`, "null", "true", "[]", "{}", "1e400", "-1e400", "9223372036854775808", "18446744073709551617", "1e-400"},
		"expires_in":  {"0", "-1", "7776001", "0.5", `"60"`, "null", "1e400", "9223372036854775808", "9223372036", "9223372037"},
		"description": {`"a\u0000b"`, `"a\nb"`, `"\u001b[31m"`, `"\u007f"`, `"\u202e"`, `"\u2028"`, `"\u0085"`, `1`, `null`, `[]`, quoted(strings.Repeat("a", 257)), quoted(strings.Repeat("ä", 257))},
		"policy":      {"null", "1", "[]", `""`, `"{}"`, `[{}]`},
		"max_use":     {"1"}, "tenant": {`"tenant_b"`}, "token": {`"x"`}, "uses": {"0"}, "__proto__": {"{}"}, "": {"1"},
	} {
		value := func(v string) string { return create(`{` + quoted(property) + `:` + v + `}`) }
		rows = append(rows, saying(`"/`+property+`"`, each(400, "token with "+property, value, values...))...)
	}
	ones := "[" + strings.Repeat(`"a",`, 10_000) + `"a"]`
	for key, values := range map[string][]string{
		"redirect_hosts": {
			`["evil.example"]`, `["*"]`, `["*."]`, `["*.*"]`, `["example.com"]`, `["*.com"]`, `["a*.example.com"]`, `["https://a.example.com"]`, `["a.example.com:443"]`, `["a.example.com/"]`,
			`["A.EXAMPLE.COM"]`, `["ä.example.com"]`, `["a b"]`, `["\u0000"]`, `[""]`, `["u@a.example.com"]`, `["a..example.com"]`, `[1]`, `[null]`, `"a.example.com"`, `{}`, `null`, `-1`, ones,
		},
		"redirect_kinds": {`["private-use"]`, `["ftp"]`, `["HTTPS"]`, `[""]`, `[["https"]]`}, "grants": {`["client_credentials"]`, `["implicit"]`, `["magic"]`, `["urn:ietf:params:oauth:grant-type:jwt-bearer"]`, `[""]`, ones},
		"response_types": {`["magic"]`, `[1]`}, "auth_methods": {`["tls_client_auth"]`, `["client_secret_jwt"]`, `["magic"]`, `[null]`},
		"scopes": {`["admin"]`, `["openid","admin"]`, `["a b"]`, `["\""]`, `[""]`, `["\u0000"]`, ones}, "default_scopes": {`["admin"]`, `["a\\b"]`}, "resources": {`["x"]`, `["https://a.example/#x"]`, `["\u0000"]`},
		"authorization_details_types": {`["\u0000"]`, `1`}, "profile": {`"fapi9"`, `1`, `"\u0000"`}, "require_pkce": {`"true"`, `1`, `null`}, "par": {`0`}, "dpop": {`[]`}, "mtls": {`"yes"`}, "signed_requests": {`{}`},
		"initial_status": {`"deleted"`, `"ACTIVE"`, `""`, `1`}, "labels": {`{"a b":"x"}`, `{"":"x"}`, `{"a":"\u0000"}`, `{"a":1}`, `{"clientele/x":"y"}`, `{"a":"\u202e"}`, `[]`, `{"` + strings.Repeat("a", 500) + `":"x"}`}, "owner": {`"a\u0000b"`, `"a\nb"`, `1`, `"\u202e"`, quoted(strings.Repeat("a", 600))},
		"access_token_lifetime": {`0`, `-1`, `1e400`, `9223372036854775808`, `1.5`, `"300"`, `157680001`}, "id_token_lifetime": {`-9223372036854775809`}, "refresh_token_lifetime": {`1e19`},
		"link_hosts": {`"never"`, `1`}, "statement": {`"none"`, `"always"`}, "issuers": {`["https://evil.example"]`, `[{"iss":"https://evil.example"}]`, `"x"`}, "max_clients": {`0`, `-1`, `1e400`, `9223372036854775808`, `1000000001`, `0.1`},
		"secret_ttl": {`-1`, `0`, `9223372037`, `9223372036854775807`, `1e400`, `"24h"`, `1.5`}, "management": {`"false"`, `null`}, "rotate_on_update": {`1`},
		"open": {`true`}, "enabled": {`true`}, "cors": {`true`}, "unused_ttl": {`1`}, "scope": {`["openid"]`}, "keys": {`{}`}, "constructor": {`{}`}, "Scopes": {`[]`},
	} {
		value := func(v string) string { return create(`{"policy":{` + quoted(key) + `:` + v + `}}`) }
		rows = append(rows, saying(`"/policy/`+key, each(400, "policy with "+key, value, values...))...)
	}
	rows = append(rows, saying("", each(400, "body of a token", func(b string) string { return create(b) },
		"{", "[]", "1", "null", `{}{}`, `{"max_uses":1,"max_uses":2}`, `{"policy":{"scopes":[],"scopes":["admin"]}}`, `{"description":"\ud800"}`, `{"policy":`+strings.Repeat(`{"policy":`, 5000), "\ufeff{}",
	))...)
	rows = append(rows, saying("", each(413, "body of a token", func(b string) string { return create(b) },
		strings.Repeat(" ", 65_537), `{"policy":{"scopes":[`+strings.Repeat(`"a",`, 100_000)+`"a"]}}`,
	))...)
	rows = append(rows, saying("Idempotency-Key", each(400, "Idempotency-Key of a token", func(k string) string { return create("{}", "Idempotency-Key: "+k) },
		"a b", "ä", strings.Repeat("k", 129), "a\r\nIdempotency-Key: b",
	))...)
	list := func(q string) string { return s.raw("GET", tokensPath+"?"+q, "") }
	rows = append(rows, saying("", each(400, "list of tokens", list,
		"limit=0", "limit=501", "limit=-1", "limit=1e3", "limit=x", "limit=9223372036854775808", "limit=1&limit=2", "after=", "after=%00", "after=%20", "after="+strings.Repeat("a", 256), "after=%ff", "page=1", "token=x",
	))...)
	remove := func(path string) string { return s.raw("DELETE", tokensPath+"/"+path, "") }
	rows = append(rows, saying("", each(404, "token_id", remove, "none", "..%2f..%2fclients", "%2e%2e", "*", "'or'1'='1", "none/", "a/b", "none?suspend_clients=true", url.PathEscape(s.initial)))...)
	rows = append(rows, saying("", each(400, "token_id", remove,
		"%00", "%20", "%ff", "%", "%e2%80%ae", strings.Repeat("a", 256), "none?suspend_clients=", "none?suspend_clients=1", "none?suspend_clients=true&suspend_clients=true", "none?force=true",
	))...)
	return append(rows, hostileTokensOfClients(s)...)
}

// hostileTokensOfClients returns hostile requests about tokens, locks and reports of clients.
func hostileTokensOfClients(s stranger) []says {
	var rows []says
	client := clients + "/" + s.registered.id
	for path, method := range map[string]string{"/registration-token": "POST", "/locks": "DELETE"} {
		with := func(h string) string { return s.raw(method, client+path, "", h) }
		rows = append(rows, saying("If-Match", each(400, path, with, "If-Match: 1", "If-Match: **", `If-Match: "1" "2"`))...)
		rows = append(rows, saying("", each(412, path, with, `If-Match: "99"`, `If-Match: W/"1"`, "If-None-Match: *", `If-None-Match: "1"`))...)
		rows = append(rows, saying("X-Change-Reason", each(400, path, with, "X-Change-Reason: "+strings.Repeat("r", 501)))...)
		rows = append(rows, saying("", each(401, path, with, "Authorization:-", "Authorization: Bearer x"))...)
		rows = append(rows, saying("", each(403, path, with, "Authorization: Bearer write", "Authorization: Bearer read", "X-Tenant-Id: tenant_b"))...)
	}
	for path, method := range map[string]string{"/registration-token": "POST", "/locks": "DELETE", "/seen": "POST"} {
		at := func(id string) string { return s.raw(method, clients+"/"+id+path, "") }
		rows = append(rows, saying("", each(404, path, at, "none", "%2e%2e", "..%2fx", "'or'1'='1", s.registered.id+"/x"))...)
		rows = append(rows, saying("", each(400, path, at, "%00", "%20", "%ff", strings.Repeat("a", 256), "%"))...)
		rows = append(rows, saying("", each(404, path+" of another tenant", func(token string) string {
			return s.raw(method, client+path, "", "Authorization: Bearer "+token)
		}, "other-tenant"))...)
	}
	seen := func(h string) string { return s.raw("POST", client+"/seen", "", h) }
	rows = append(rows, saying("", each(403, "seen", seen, "Authorization: Bearer read", "Authorization: Bearer unprivileged"))...)
	return append(rows, saying("", each(404, "a token that the client does not have", func(path string) string { return s.raw("DELETE", path, "") },
		clients+"/"+s.id+"/registration-token", clients+"/none/registration-token"))...)
}

// hostileDocuments returns hostile requests about client ID metadata documents.
func hostileDocuments(s stranger) []says {
	get := func(id string) string { return s.raw("GET", clientMetadata+"?client_id="+url.QueryEscape(id), "") }
	malformed := []string{
		"", " ", "x", "app-123", "/", "//app.example.com/c", "https:", "https://", "https:///c", "https:app.example.com/c", "https:/app.example.com/c", "https:\\\\app.example.com\\c",
		"http://app.example.com/c", "HTTPS://app.example.com/c", "ftp://app.example.com/c", "file:///etc/passwd", "javascript://app.example.com/%0aalert(1)", "gopher://app.example.com/c",
		"data:text/html,x", "urn:x:y", "https://app.example.com", "https://app.example.com?x", "https://user@app.example.com/c", "https://user:pw@app.example.com/c", "https://@app.example.com/c",
		"https://:@app.example.com/c", "https://app.example.com@evil.example/c", "https://app.example.com/c#", "https://app.example.com/c#x", "https://app.example.com/.", "https://app.example.com/..",
		"https://app.example.com/a/../c", "https://app.example.com/./c", "https://app.example.com/%2e%2e/c", "https://app.example.com/%2E/c", "https://app.example.com/.%2e/c", "https://app.example.com/a\\..\\c",
		"https://app.example.com/\\", "https://app.example.com/ c", "https://app.example.com/c ", " https://app.example.com/c", "https://app.example.com/\tc", "https://app.example.com/\nc", "https://app.example.com/\x00",
		"https://app.example.com/\x7f", "https://app.example.com/%", "https://app.example.com/%zz", "https://app.example.com/ä", "https://app.example.com/\u202e", "https://ä.example/c", "https://app。example.com/c",
		"https://app.exаmple.com/c", "https://app%2eexample.com/c", "https://app..example.com/c", "https://.app.example.com/c", "https://app.example.com./c", "https://*.example.com/c", "https://app_x.example.com/c",
		"https://-app.example.com/c", "https://app.example.com:99999/c", "https://app.example.com:-1/c", "https://app.example.com:0x50/c", "https://app.example.com:80a/c", "https://[::1/c", "https://::1/c", "https://[]/c",
		"https://[fe80::1%25eth0]/c", "https://[fe80::1%eth0]/c", "https://[v1.x]/c", "https://[::ffff:1.2.3.4.5]/c", "https://256.1.1.1/c", "https://0x7f.1/c", "https://2130706433/c", "https://127.1/c", "http://127.0.0.1.evil.example/c",
		"http://127.0.0.2/c", "http://localhost.evil.example/c", "http://0.0.0.0/c", "http://[::2]/c", "https://" + strings.Repeat("a", 64) + ".example/c", "https://app.example.com/" + strings.Repeat("a", 250),
		"https://app.example.com/" + strings.Repeat("a", 10_000), "https://" + strings.Repeat("a.", 130) + "example/c",
	}
	rows := saying("client_id", each(400, "document", get, malformed...))
	rows = append(rows, saying(`"denied"`, each(404, "document", get,
		s.documents, "https://evil.example/c", "https://evilapp.example.com/c", "https://app.example.com.evil.example/c", "https://xn--4ca.example/c", "https://10.0.0.1/c", "https://169.254.169.254/latest/meta-data",
		"https://[::1]/c", "https://[fd00::1]/c", "https://sub.app.example.com/c", "https://example.com/c", "https://localhost/c",
	))...)
	query := func(q string) string { return s.raw("GET", clientMetadata+"?"+q, "") }
	rows = append(rows, saying("", each(400, "query of a document", query,
		"", "client_id", "client_id=https://evil.example/c&client_id=https://evil.example/c", "client_id[]=x", "client_id=%ff", "Client_id=x", "client_id=%zz", "client_id=https://evil.example/c&format=xml",
		"client_id=https://evil.example/c&format=", "client_id=https://evil.example/c&x=1",
	))...)
	approve := func(b string) string { return s.raw("POST", approvals, b) }
	digest := `"sha-256:` + strings.Repeat("0", 64) + `"`
	rows = append(rows, saying("", each(400, "approval", approve,
		"", "{", "[]", "null", "{}", `{"client_id":"https://app.example.com/c"}`, `{"digest":`+digest+`}`, `{"client_id":null,"digest":null}`, `{"client_id":1,"digest":`+digest+`}`, `{"client_id":"https://app.example.com/c","digest":1}`,
		`{"client_id":"https://app.example.com/c","digest":""}`, `{"client_id":"https://app.example.com/c","digest":"`+strings.Repeat("a", 81)+`"}`, `{"client_id":"https://app.example.com/c","digest":`+digest+`,"x":1}`,
		`{"client_id":"https://app.example.com/c","client_id":"https://app.example.com/d","digest":`+digest+`}`, `{"client_id":"https://app.example.com/c","digest":`+digest+`}{}`, `{"client_id":"\ud800","digest":`+digest+`}`,
		`{"client_id":"`+s.registered.id+`","digest":`+digest+`}`, `{"client_id":"javascript:alert(1)","digest":`+digest+`}`, `{"client_id":"https://app.example.com/../c","digest":`+digest+`}`,
		`{"client_id":"https://u:p@app.example.com/c","digest":`+digest+`}`, `{"client_id":"https://app.example.com/`+strings.Repeat("a", 3000)+`","digest":`+digest+`}`, `{"client_id":`+strings.Repeat("[", 8000),
	))...)
	rows = append(rows, saying(`"denied"`, each(404, "approval", approve, `{"client_id":"https://evil.example/c","digest":`+digest+`}`))...)
	rows = append(rows, saying("", each(413, "approval", approve, strings.Repeat(" ", 16_385)))...)
	rows = append(rows, saying("", each(415, "approval", func(kind string) string {
		return s.raw("POST", approvals, "{}", "Content-Type: "+kind)
	}, "text/plain", "application/jwt", ""))...)
	rows = append(rows, saying(`"/client_id"`, each(400, "client_id of a client by hand", func(id string) string {
		return s.raw("POST", clients, `{"client_id":"`+id+`",`+strings.TrimPrefix(webApp, "{"))
	}, "https://app.example.com/c", "http://app.example.com/c", "HTTPS://app.example.com/c", "HttpS://x", "https://"))...)
	published := func(q string) string { return s.raw("GET", "/admin/oauth/authorization-server-metadata?"+q, "") }
	return append(rows, saying("", each(400, "metadata of the server", published, "tenant=tenant_b", "x", "%00=1", "format=rfc7591"))...)
}
