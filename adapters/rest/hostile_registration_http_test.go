package rest_test

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"strings"
)

// hostileRegistrationTokens returns requests with tokens of another kind, client or tenant.
func hostileRegistrationTokens(s stranger) []says {
	bearer := func(token string) string { return s.register(webClient, "Authorization: Bearer "+token) }
	rows := saying(invalidToken, each(401, "token of a registration", bearer,
		"admin", "platform", "read", s.foreign, s.registered.token, strings.ToUpper(s.initial), s.initial[:len(s.initial)-1], s.initial+"a", " "+s.initial,
		s.initial+"="+s.initial, "clientele_iat_", "clientele_iat_"+strings.Repeat("a", 43), "clientele_iat_'or'1'='1", strings.Repeat("a", 10_000), "null", "undefined", "../"+s.initial,
		"eyJhbGciOiJub25lIn0.e30.", "ä",
	))
	header := func(h string) string { return s.register(webClient, h) }
	rows = append(rows, saying(invalidToken, each(401, "authorization of a registration", header,
		"Authorization:-", "Authorization: ", "Authorization: Bearer", "Authorization: "+s.initial, "Authorization: DPoP "+s.initial,
		"Authorization: Basic "+base64.StdEncoding.EncodeToString([]byte(s.initial+":")), "Authorization: Bearer\t"+s.initial,
		"Authorization: Bearer "+s.initial+"\r\nAuthorization: Bearer "+s.initial, "Authorization:-\r\nX-Authorization: Bearer "+s.initial,
	))...)
	manage := func(token string) string { return s.manage("GET", "", "Authorization: Bearer "+token) }
	rows = append(rows, saying(invalidToken, each(401, "token of a client", manage,
		"admin", "platform", s.initial, s.foreign, s.other.token, strings.ToUpper(s.registered.token), s.registered.token[:20], s.registered.token+"a", "clientele_rat_", "x",
	))...)
	for _, path := range []string{
		clients, clients + "/" + s.registered.id, changesPath, tokensPath, clientMetadata + "?client_id=x", "/admin/oauth/authorization-server-metadata", "/admin/oauth/snapshot",
	} {
		get := func(token string) string { return s.raw("GET", path, "", "Authorization: Bearer "+token) }
		rows = append(rows, saying("", each(401, "registration token at "+path, get, s.initial, s.registered.token))...)
	}
	remove := func(path string) string {
		return s.raw("DELETE", path, "", "Authorization: Bearer "+s.registered.token)
	}
	rows = append(rows, saying("", each(401, "registration access token of the client", remove,
		clients+"/"+s.registered.id, clients+"/"+s.registered.id+"/locks", clients+"/"+s.registered.id+"/registration-token", tokensPath+"/x",
	))...)
	token := url.QueryEscape(s.initial)
	return append(rows, []says{
		{hostile{"a token in the query", s.raw("POST", registerPath+"?access_token="+token, webClient, "Authorization:-"), 401}, invalidToken},
		{hostile{"a token in the body", s.register(`{"access_token":"`+s.initial+`"}`, "Authorization:-"), 401}, invalidToken},
		{hostile{"an invalid token and invalid JSON", s.register("{", "Authorization: Bearer x"), 401}, invalidToken},
		{hostile{"an invalid token and an invalid parameter", s.raw("POST", registerPath+"?dry_run=maybe", webClient, "Authorization: Bearer x"), 401}, invalidToken},
		{hostile{"an invalid token and a malformed If-Match", s.manage("PUT", "{}", "Authorization: Bearer x\r\nIf-Match: 1"), 401}, invalidToken},
		{hostile{"an invalid token and a malformed If-Match of a deletion", s.manage("DELETE", "", "Authorization: Bearer x\r\nIf-Match: 1"), 401}, invalidToken},
		{hostile{"no token and a malformed If-Match", s.manage("GET", "", "Authorization:-\r\nIf-Match: 1"), 401}, invalidToken},
		{hostile{"an invalid token and a wrong media type", s.register(webClient, "Authorization: Bearer x\r\nContent-Type: text/plain"), 401}, invalidToken},
		{hostile{"an invalid token and a large body", s.register(strings.Repeat(" ", 300_000), "Authorization: Bearer x"), 401}, invalidToken},
		{hostile{"an invalid token and an invalid Idempotency-Key", s.register(webClient, "Authorization: Bearer x\r\nIdempotency-Key: ä"), 401}, invalidToken},
	}...)
}

// hostileRegistrationPaths returns requests with other paths and methods.
func hostileRegistrationPaths(s stranger) []says {
	at := func(path string) string {
		return s.raw("POST", path, webClient, "Authorization: Bearer "+s.initial)
	}
	long := strings.Repeat("a", 10_000)
	rows := saying("no such endpoint", each(404, "tenant", at,
		"/oauth/tenant_b/register", "/oauth/none/register", "/oauth/TENANT_A/register", "/oauth/tenant_a%20/register", "/oauth/%20tenant_a/register", "/oauth/tenant_a%00/register",
		"/oauth/tenant_a;x/register", "/oauth/tenant_a%2f/register", "/oauth/tenant_a%2fregister", "/oauth/tenant_a%252f/register", "/oauth/%2574enant_a/register",
		"/oauth/%ff/register", "/oauth/%c3%a4/register", "/oauth/*/register", "/oauth/'or'1'='1/register", "/oauth/%2e%2e/register", "/oauth/..%2ftenant_a/register",
		"/oauth/"+long+"/register", "/oauth/register", "/oauth//register", "//oauth/tenant_a/register", "/oauth/tenant_a//register", "/OAUTH/tenant_a/register",
		"/oauth/tenant_a/Register", "/oauth/tenant_a/register/", "/oauth/tenant_a/register;x", "/oauth/tenant_a/../tenant_a/register", "/oauth/./tenant_a/register",
		"/oauth/tenant_a/register.json", "/oauth/tenant_a%2eregister",
	))
	client := func(id string) string {
		return s.raw("GET", registerPath+"/"+id, "", "Authorization: Bearer "+s.registered.token)
	}
	own := s.registered.id
	rows = append(rows, saying(invalidToken, each(401, "client_id", client,
		"none", s.other.id, s.id, strings.ToUpper(own), own+"%00", "%00", own+"%20", "%20"+own, own+"%2f", own+"%2e", "%2e%2e%2f"+own, "%2e%2e", "..", ".", own+";x", own+",", "*", "%2a",
		"'or'1'='1", "%ff", "%c3%28", "%e2%80%ae"+own, long, url.PathEscape("https://app.example.com/client"), url.PathEscape(strings.ToUpper("https://")+own), "%252e",
	))...)
	rows = append(rows, saying("", each(404, "client_id", client, "", own+"/", own+"/x", "/"+own, own+"/../"+own))...)
	rows = append(rows, saying("", each(400, "malformed path", at, "/oauth/%/register", "/oauth/%zz/register", registerPath+"/%", "/oauth/tenant_a/%register"))...)
	one := registerPath + "/" + own
	locks, token, seen := clients+"/"+own+"/locks", clients+"/"+own+"/registration-token", clients+"/"+own+"/seen"
	for path, methods := range map[string][]string{
		registerPath: {"GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"}, one: {"POST", "PATCH", "OPTIONS", "TRACE"}, locks: {"GET", "HEAD", "POST", "PUT", "OPTIONS"},
		token: {"GET", "HEAD", "PUT", "PATCH", "OPTIONS"}, seen: {"GET", "HEAD", "PUT", "DELETE", "OPTIONS"}, tokensPath: {"PUT", "PATCH", "DELETE", "OPTIONS"},
		tokensPath + "/x": {"GET", "POST", "PUT", "OPTIONS"}, clientMetadata: {"POST", "PUT", "DELETE", "OPTIONS"}, approvals: {"GET", "PUT", "DELETE"},
		"/admin/oauth/authorization-server-metadata": {"POST", "PUT", "DELETE", "TRACE"},
	} {
		rows = append(rows, saying("", each(405, "method of "+path, func(method string) string { return s.raw(method, path, "") }, methods...))...)
	}
	return append(rows, []says{
		{hostile{"a method override of a registration", s.raw("POST", one, "{}", "X-HTTP-Method-Override: DELETE"), 405}, ""},
		{hostile{"HEAD of a registration without a token", s.raw("HEAD", one, "", "Authorization:-"), 401}, ""},
		{hostile{"HEAD of a registration", s.manage("HEAD", ""), 200}, ""},
		{hostile{"a path override", s.raw("POST", "/", webClient, "X-Original-URL: "+registerPath), 404}, ""},
		{hostile{"an absolute URL of another host", strings.Replace(s.register(webClient), "POST /", "POST http://evil.example/", 1), 200}, ""},
		{hostile{"another Host", s.register(webClient, "Host: evil.example"), 200}, ""},
		{hostile{"an encoded tenant", s.raw("POST", "/oauth/%74enant_a/register?dry_run=true", webClient, "Authorization: Bearer "+s.initial), 200}, ""},
		{hostile{"a statement in a tenant without issuers", s.raw("POST", "/oauth/tenant_c/register?dry_run=true", `{"software_statement":"a.b.c"}`, "Authorization: Bearer "+s.foreign), 400}, invalidStatement},
		{hostile{"a JWT in a tenant without issuers", s.raw("POST", "/oauth/tenant_c/register?dry_run=true", "a.b.c", "Authorization: Bearer "+s.foreign+"\r\nContent-Type: application/jwt"), 415}, invalidClientMetadata},
		{hostile{"X-Change-Reason is not for clients", s.register(webClient, "X-Change-Reason: "+strings.Repeat("r", 501)), 200}, ""},
		{hostile{"X-Tenant-Id is not for clients", s.register(webClient, "X-Tenant-Id: tenant_b"), 200}, ""},
	}...)
}

// hostileRegistrationMessages returns registrations with hostile headers and queries.
func hostileRegistrationMessages(s stranger) []says {
	kind := func(h string) string { return s.register(webClient, "Content-Type: "+h) }
	rows := saying(invalidClientMetadata, each(415, "content type of a registration", kind,
		"", "text/plain", "text/plain; application/json", "text/html", "application/xml", "application/jsonx", "application", "application/", "json", "*/*", "application/*",
		"application/json; charset=utf-16", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/json, text/plain", "application/json;;",
		"application/jwt+json", "application/jwk-set+json", "application/json\r\nContent-Type: text/plain", "application/jwt\r\nContent-Type: application/json",
	))
	coding := func(c string) string { return s.register(webClient, "Content-Encoding: "+c) }
	rows = append(rows, saying(invalidClientMetadata, each(415, "content coding of a registration", coding, "gzip", "GZIP", "br", "deflate", "zstd", "identity, gzip", "x"))...)
	key := func(k string) string {
		return s.raw("POST", registerPath, webClient, "Authorization: Bearer "+s.initial, "Idempotency-Key: "+k)
	}
	rows = append(rows, saying("Idempotency-Key", each(400, "Idempotency-Key of a registration", key,
		"a b", "ä", strings.Repeat("k", 129), strings.Repeat("k", 10_000), "a\r\nIdempotency-Key: b", "\u202e",
	))...)
	forwarded := func(f string) string { return s.register(webClient, "X-Forwarded-For: "+f) }
	rows = append(rows, saying("", each(200, "X-Forwarded-For", forwarded,
		"", ",", ",,,", "unknown", "_hidden", "127.0.0.1", "127.0.0.1, 127.0.0.1", "::1", "[::1]", "[::1]:80", "1.2.3.4:80", "fe80::1%eth0", "fe80::1%"+strings.Repeat("z", 1000),
		"::ffff:127.0.0.1", "0177.0.0.1", "256.1.1.1", "1.2.3", "-1", strings.Repeat("1.2.3.4,", 10_000), strings.Repeat("127.0.0.1,", 10_000), "10.0.0.1\r\nX-Forwarded-For: 10.0.0.2",
		"<script>", "' OR 1=1", "\u202e", strings.Repeat("9", 100_000), "1.2.3.4\tx", "2001:db8::/32",
	))...)
	query := func(q string) string {
		return s.raw("POST", registerPath+"?"+q, webClient, "Authorization: Bearer "+s.initial)
	}
	rows = append(rows, saying(`"invalid_request"`, each(400, "query of a registration", query,
		"dry_run=", "dry_run=1", "dry_run=TRUE", "dry_run=true&dry_run=false", "dry_run=%00", "dry_run[]=true", "unknown=1", "Dry_run=true", "%zz", "a;b", "%00=1",
		strings.Repeat("a&", 3000)+"b", "x="+strings.Repeat("a", 100_000),
	))...)
	body := func(b string) string { return s.register(b) }
	rows = append(rows, saying(invalidClientMetadata, each(413, "large registration", body,
		strings.Repeat(" ", 262_145), `{"x":"`+strings.Repeat("a", 300_000)+`"}`, `{"redirect_uris":["`+strings.Repeat(`a","`, 100_000)+`"]}`,
	))...)
	whole := s.register(webClient)
	return append(rows, []says{
		{hostile{"a registration without a body", s.register(""), 400}, invalidClientMetadata},
		{hostile{"two lengths", strings.Replace(whole, "Content-Length:", "Content-Length: 3\r\nContent-Length:", 1), 400}, ""},
		{hostile{"length and chunks", s.register("0\r\n\r\n", "Transfer-Encoding: chunked"), 400}, ""},
		{hostile{"endless chunks", s.register(strings.Repeat("8000\r\n"+strings.Repeat(" ", 0x8000)+"\r\n", 9), "Content-Length:-", "Transfer-Encoding: chunked"), 413}, invalidClientMetadata},
		{hostile{"a NUL in a token", s.register(webClient, "Authorization: Bearer a\x00b"), 400}, ""},
		{hostile{"If-Match of a registration", s.register(webClient, `If-Match: "1"`), 412}, `"invalid_request"`},
		{hostile{"a malformed If-Match of a registration", s.register(webClient, `If-Match: 1`), 400}, "If-Match"},
		{hostile{"a forged address of a preflight request", s.raw("OPTIONS", registerPath, "", "Origin: https://evil.example\r\nAccess-Control-Request-Method: POST"), 405}, ""},
	}...)
}

// hostileUpdates returns updates of a registration that must change nothing.
func hostileUpdates(s stranger) []says {
	id := s.registered.id
	body := func(b string) string { return s.manage("PUT", b) }
	rows := saying("/client_id", each(400, "client_id of an update", body,
		webClient, `{"client_id":""}`, `{"client_id":null}`, `{"client_id":1}`, `{"client_id":["`+id+`"]}`, `{"client_id":"`+s.other.id+`"}`, `{"client_id":"`+strings.ToUpper(id)+`"}`,
		`{"client_id":"`+id+` "}`, `{"client_id":"`+id+`\u0000"}`, `{"client_id":"`+strings.Repeat("a", 100_000)+`"}`,
	))
	for _, member := range []string{"registration_access_token", "registration_client_uri", "client_secret_expires_at", "client_id_issued_at"} {
		rows = append(rows, saying("/"+member, each(400, "update", func(value string) string { return s.update(quoted(member) + ":" + value + ",") },
			`"x"`, `1`, `{}`, `false`, quoted(s.registered.token), quoted(strings.Repeat("a", 100_000))))...)
	}
	secret := func(value string) string { return s.update(`"client_secret":` + value + `,`) }
	rows = append(rows, saying("/client_secret", each(400, "secret of an update", secret,
		`"x"`, `1`, `{}`, `true`, `"\u0000"`, quoted(s.registered.token), quoted(strings.Repeat("a", 100_000)),
	))...)
	rows = append(rows, saying(invalidClientMetadata, each(400, "update", body,
		"{", "[]", `{"client_id":"`+id+`","client_id":"`+id+`"}`, `{"client_id":"`+id+`"}{}`, `{"client_id":"`+id+`","x":`+strings.Repeat("[", 50_000),
	))...)
	tags := func(h string) string {
		return s.manage("PUT", `{"client_id":"`+id+`","redirect_uris":["https://app.example.com/2"]}`, "If-Match: "+h)
	}
	rows = append(rows, saying("If-Match", each(400, "If-Match of an update", tags, "1", `"`, `"1`, `'1'`, "**", `*, "1"`, `"1" "2"`, strings.Repeat(`"1", `, 300)))...)
	rows = append(rows, saying(`"invalid_request"`, each(412, "If-Match of an update", tags, "", `""`, `"99"`, `W/"1"`, `"9223372036854775808"`, `"-1"`, `"1;"`, ","))...)
	remove := func(h string) string { return s.manage("DELETE", "", "If-Match: "+h) }
	rows = append(rows, saying("", each(412, "If-Match of a deletion", remove, `"99"`, `W/"1"`))...)
	rows = append(rows, saying("If-Match", each(400, "If-Match of a deletion", remove, "1", "**"))...)
	read := func(h string) string { return s.manage("GET", "", h) }
	rows = append(rows, saying("", each(400, "read", read, "If-Match: 1"))...)
	rows = append(rows, saying("", each(412, "read", read, `If-Match: "99"`))...)
	return append(rows, []says{
		{hostile{"a statement in an update", s.update(`"software_statement":"a.b.c",`), 400}, invalidStatement},
		{hostile{"a script in an update", s.update(`"logo_uri":"javascript:alert(1)",`), 400}, "/logo_uri"},
		{hostile{"a redirect URI beyond the policy", s.manage("PUT", `{"client_id":"`+id+`","redirect_uris":["https://evil.example/"]}`), 400}, invalidRedirectURI},
		{hostile{"an update as a JWT", s.manage("PUT", "a.b.c", "Content-Type: application/jwt"), 415}, invalidClientMetadata},
		{hostile{"a query of a deletion", strings.Replace(s.manage("DELETE", ""), " HTTP/1.1", "?force=true HTTP/1.1", 1), 400}, "force"},
		{hostile{"a large update", s.update(`"x":"` + strings.Repeat("a", 300_000) + `",`), 413}, invalidClientMetadata},
		{hostile{"a name of an administrator", s.update(`"status":"suspended","skip_consent":true,"owner":"me",`), 200}, fmt.Sprintf("%q", id)},
	}...)
}
