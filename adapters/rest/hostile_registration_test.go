package rest_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/ratelimit"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// stranger sends requests of an attacker to the operations for registrations from outside.
type stranger struct {
	target
	initial, foreign string // initial access tokens of tenant_a and of tenant_c
	registered       *selfClient
	other            *selfClient // with a registration access token of its own
	directory        directory   // a trusted issuer of software statements
	documents        string      // a URL on a host whose documents are not admitted
}

// says is a hostile request whose response must contain a text, such as the name of the
// member that is wrong.
type says struct {
	hostile
	text string
}

// saying returns the requests, whose responses must contain a text.
func saying(text string, rows []hostile) []says {
	list := make([]says, len(rows))
	for i, row := range rows {
		list[i] = says{row, text}
	}
	return list
}

// register returns a registration with the initial access token. It is a dry run, so that
// nothing is stored even if it is accepted.
func (s stranger) register(body string, headers ...string) string {
	return s.raw("POST", registerPath+"?dry_run=true", body, append([]string{"Authorization: Bearer " + s.initial}, headers...)...)
}

// member returns a registration with one member in addition to valid ones. value is JSON.
func (s stranger) member(name, value string) string {
	member := quoted(name) + ":" + value
	if name == "redirect_uris" {
		return s.register("{" + member + "}")
	}
	return s.register("{" + member + "," + strings.TrimPrefix(webClient, "{"))
}

func quoted(text string) string { return `"` + text + `"` }

// manage returns a request of the registered client.
func (s stranger) manage(method, body string, headers ...string) string {
	return s.raw(method, registerPath+"/"+s.registered.id, body, append([]string{"Authorization: Bearer " + s.registered.token}, headers...)...)
}

// update returns an update of the registered client with further members.
func (s stranger) update(members string) string {
	return s.manage("PUT", `{"client_id":"`+s.registered.id+`",`+members+strings.TrimPrefix(webClient, "{"))
}

// hostileRegistrations returns requests that must be rejected, or do nothing.
func hostileRegistrations(t *testing.T, s stranger) []says {
	t.Helper()
	rows := saying("", hostileRegistrationBodies(s))
	rows = append(rows, hostileMembers(s)...)
	rows = append(rows, hostileStatements(t, s)...)
	rows = append(rows, hostileRegistrationTokens(s)...)
	rows = append(rows, hostileRegistrationPaths(s)...)
	rows = append(rows, hostileRegistrationMessages(s)...)
	rows = append(rows, hostileUpdates(s)...)
	rows = append(rows, hostileInitialTokens(s)...)
	return append(rows, hostileDocuments(s)...)
}

// hostileRegistrationBodies returns bodies that are not strict JSON objects.
func hostileRegistrationBodies(s stranger) []hostile {
	return each(400, "registration", func(b string) string { return s.register(b) },
		"{", "}", "[]", "[{}]", `""`, "1", "true", "null", "nul", "{}{}", "{} {}", "{},", "{}\x00", "\ufeff{}", "\x00{}", `{"client_name":}`,
		`{"client_name"}`, `{client_name:"x"}`, `{'client_name':'x'}`, `{"client_name":"x",}`, `{"client_name":"x"/**/}`, `{"default_max_age":NaN}`,
		`{"default_max_age":1e999}`, `{"default_max_age":01}`, `{"x":"\ud800"}`, `{"x":"\udc00\ud800"}`, `{"\ud800":1}`, `{"x":"\x41"}`,
		"{\"x\":\"\xc3\x28\"}", "{\"x\":\"\xed\xa0\x80\"}", "{\"\xff\":1}", `{"client_name":"a","client_name":"b"}`,
		`{"client_name":"a","\u0063lient_name":"b"}`, `{"x":{"a":1,"a":2}}`, `{"x":[{"a":1,"a":2}]}`, `{"jwks":{"keys":[],"keys":[]}}`,
		`{"x":`+strings.Repeat("[", 100_000), strings.Repeat(`{"x":`, 40_000), `{"x":`+strings.Repeat("[", 20_000)+strings.Repeat("]", 20_000)+`}`,
		`{"jwks":`+strings.Repeat(`{"keys":`, 12_000)+`[]`+strings.Repeat("}", 12_001), `{"client_name":"`+strings.Repeat("a", 200_000)+`"`,
	)
}

// hostileMembers returns known members with wrong types and values.
func hostileMembers(s stranger) []says {
	var rows []says
	long := strings.Repeat("a", 3000)
	for f := range domain.SelfFields().All() {
		name := f.Metadata()
		bad := []string{
			`1.5`, `-1`, `1e400`, `9223372036854775808`, `{"a":{}}`, `[[]]`, `[{}]`, `[null]`, `["a\u0000b"]`,
			quoted(strings.Repeat("a", 70_000)), `[` + strings.Repeat(`"a",`, 50_000) + `"a"]`,
		}
		if f != domain.FieldAuthMethods { // an unknown one is replaced
			bad = append(bad, `"a\u0000b"`)
		}
		if f != domain.FieldAuthorizationDetailsTypes { // which are names for programs
			bad = append(bad, `["\u202e"]`)
		}
		if strings.Contains(name, "_uri") {
			bad = append(bad,
				`"javascript:alert(1)"`, `["javascript:alert(1)"]`, `"JaVaScRiPt:alert(1)"`, `"data:text/html,x"`, `"//a.example"`, `"https://u:p@a.example/"`,
				`"https://a.example/\r\nX: y"`, `"https://a.example\\x"`, `"https://ä.example/"`, `"https://[fe80::1%25eth0]/"`,
				`["https://app.example.com/\u0000"]`, quoted("https://a.example/"+long),
			)
		}
		place := "/" + name
		if name == "redirect_uris" {
			place = invalidRedirectURI
		}
		rows = append(rows, saying(place, each(400, name, func(value string) string { return s.member(name, value) }, bad...))...)
	}
	uri := func(u string) string { return s.register(`{"redirect_uris":["` + u + `"]}`) }
	rows = append(rows, saying(invalidRedirectURI, each(400, "redirect URI", uri,
		"*", "https://*.example.com/", "https://app.example.com@evil.example/", "https://evil.example/?app.example.com",
		"https://evilexample.com/", "https://example.com.evil.example/", "https://app.example.com:x@evil.example/", "https://app.example.com%2eevil.example/",
		"https://app.example.com%00.evil.example/", "https://app.example.com\\\\.evil.example/", "https://evil.example#.example.com/",
		"https://app.example.com./", "https://APP.EXAMPLE.COM.evil.example/", "https://xn--app-.example.com/", "https://[::1]/", "http://app.example.com/",
		"https://app.example.com/#", "https://app.example.com/../", "https://app.example.com/%2e%2e/", "https:app.example.com/", "https:///app.example.com/",
		"https://app。example.com/", "http://127.0.0.1.example.com/", "http://localhost.example.com/", "http://127.1/", "http://[::ffff:127.0.0.1]/",
		"javascript://app.example.com/%0aalert(1)", "com.example.app:/cb", "data:text/html,x", "urn:ietf:wg:oauth:2.0:oob",
	))...)
	return append(rows, []says{
		{hostile{"many redirect URIs", s.register(`{"redirect_uris":["` + strings.Repeat(`https://app.example.com/cb","`, 101) + `https://app.example.com/cb"]}`), 400}, invalidRedirectURI},
		{hostile{"only unknown grants", s.member("grant_types", `["magic","urn:ietf:params:oauth:grant-type:jwt-bearer"]`), 400}, "/grant_types"},
		{hostile{"only scopes beyond the policy", s.member("scope", `"admin root"`), 400}, "/scope"},
		{hostile{"a private key", s.member("jwks", `{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}]}`), 400}, "/jwks"},
		{hostile{"a symmetric key", s.member("jwks", `{"keys":[{"kty":"oct","k":"AAAA"}]}`), 400}, "/jwks"},
		{hostile{"keys and the location of keys", s.register(`{"redirect_uris":["https://app.example.com/cb"],"jwks_uri":"https://app.example.com/k","jwks":` + `{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}}`), 400}, "jwks"},
		{hostile{"keys at an address of the cloud", s.member("jwks_uri", `"https://169.254.169.254/"`), 400}, "/jwks_uri"},
		{hostile{"a sector at a loopback address", s.member("sector_identifier_uri", `"https://localhost/"`), 400}, "/sector_identifier_uri"},
		{hostile{"a method beyond the policy is replaced", s.member("token_endpoint_auth_method", `"tls_client_auth"`), 200}, `"client_secret_basic"`},
		{hostile{"an unknown method is replaced", s.member("token_endpoint_auth_method", `"a\u0000b"`), 200}, `"client_secret_basic"`},
		{hostile{"members of administrators are ignored", s.register(`{"status":"x","skip_consent":true,"owner":1,"labels":[],"redirect_uris":["https://app.example.com/cb"]}`), 200}, "redirect_uris"},
	}...)
}

// hostileStatements returns registrations with forged software statements.
func hostileStatements(t *testing.T, s stranger) []says {
	t.Helper()
	d, now := s.directory, time.Now().Unix()
	mine := newDirectory(t, d.name)
	jwk := publicJWK(t, mine.signer, map[string]any{"kid": "d1"})
	forged := func(header map[string]any) string {
		return signedJWT(t, mine.signer, header, map[string]any{"iss": d.name, "software_id": "s"})
	}
	claims := func(more map[string]any) string { return d.statement(t, more) }
	valid := claims(nil)
	parts := strings.Split(valid, ".")
	signature := parts[2]
	with := func(payload string) string {
		head := parts[0] + "." + base64url([]byte(payload))
		return head + "." + base64url(sign(t, d.signer, head, "ES256"))
	}
	headed := func(header string) string {
		head := base64url([]byte(header)) + "." + parts[1]
		return head + "." + base64url(sign(t, d.signer, head, "ES256"))
	}
	statements := []string{
		"x", ".", "..", "...", "a.b.c", "a.b.c.d.e", valid + ".", "." + valid, valid + "=", valid + "\n", " " + valid, parts[0] + "." + parts[1] + ".",
		parts[0] + "." + parts[1], parts[0] + ".." + signature, "." + parts[1] + "." + signature, parts[0] + "." + parts[1] + "." + signature[:20],
		parts[0] + "." + parts[1] + "." + base64url(make([]byte, 64)), parts[1] + "." + parts[0] + "." + signature,
		base64.StdEncoding.EncodeToString([]byte(`{"alg":"ES256"}`)) + ".e30.", "ey" + strings.Repeat("A", 20_000) + "." + parts[1] + "." + signature,
		strings.Repeat(".", 20_000), forged(nil), forged(map[string]any{"alg": "none"}), forged(map[string]any{"alg": "NONE"}), forged(map[string]any{"alg": "HS256"}),
		forged(map[string]any{"alg": ""}), forged(map[string]any{"alg": []string{"ES256"}}), forged(map[string]any{"alg": nil}), forged(map[string]any{"alg": "RS256"}),
		forged(map[string]any{"jwk": jwk}), forged(map[string]any{"jku": s.documents}), forged(map[string]any{"x5u": s.documents}), forged(map[string]any{"x5c": []string{"MII="}}),
		forged(map[string]any{"kid": "../../dev/null"}), forged(map[string]any{"kid": "' OR 1=1 --"}), forged(map[string]any{"kid": strings.Repeat("k", 9000)}),
		forged(map[string]any{"kid": 1}), forged(map[string]any{"kid": nil, "jwk": jwk}), forged(map[string]any{"crit": []string{"exp"}}), forged(map[string]any{"crit": []string{}}),
		signedJWT(t, d.signer, map[string]any{"b64": false, "crit": []string{"b64"}}, map[string]any{"iss": d.name}), signedJWT(t, d.signer, map[string]any{"zip": "DEF", "crit": []string{"zip"}}, map[string]any{"iss": d.name}),
		with(`[]`), with(`1`), with(``), with(`{`), with(`{"iss":"x","iss":"` + d.name + `"}`), with(strings.Repeat(`{"a":`, 2000)), with(valid), with("\x00"), with(fmt.Sprintf(`{"iss":%q,"iat":1e400}`, d.name)),
		headed(`[]`), headed(`{"alg":"ES256","alg":"none","kid":"d1"}`), headed(`{"alg":"ES256","kid":"d1"}{}`),
		claims(map[string]any{"iss": []string{d.name}}), claims(map[string]any{"iss": nil}), claims(map[string]any{"iss": strings.ToUpper(d.name)}), claims(map[string]any{"iss": d.name + "/"}),
		claims(map[string]any{"exp": "tomorrow"}), claims(map[string]any{"exp": 1e30}), claims(map[string]any{"exp": -1}), claims(map[string]any{"exp": now - 100}),
		claims(map[string]any{"iat": nil}), claims(map[string]any{"iat": "0"}), claims(map[string]any{"iat": 1e18}), claims(map[string]any{"iat": now + 3600}), claims(map[string]any{"nbf": now + 3600}),
		claims(map[string]any{"nbf": true}), claims(map[string]any{"jti": nil}), claims(map[string]any{"jti": ""}), claims(map[string]any{"jti": 1}),
	}
	statement := func(text string) string {
		return s.register(object(t, map[string]any{"software_statement": text, "redirect_uris": []string{"https://app.example.com/cb"}}))
	}
	rows := saying(invalidStatement, each(400, "statement", statement, statements...))
	rows = append(rows, saying(invalidStatement, each(400, "statement", func(value string) string { return s.member("software_statement", value) },
		`1`, `true`, `{}`, `["`+valid+`"]`, `{"payload":"`+parts[1]+`","protected":"`+parts[0]+`","signature":"`+signature+`"}`,
	))...)
	jwt := func(body string) string { return s.register(body, "Content-Type: application/jwt") }
	return append(rows, saying(invalidClientMetadata, each(400, "request", jwt,
		"{}", "x", "..", "a.b.c", valid, forged(nil), forged(map[string]any{"alg": "none"}), " ", "\x00", strings.Repeat(".", 100_000), strings.Repeat("e", 200_000),
		signedJWT(t, mine.signer, nil, map[string]any{"iss": "s", "aud": publicURL + registerPath, "software_statement": valid}),
		signedJWT(t, mine.signer, nil, map[string]any{"iss": "s", "aud": publicURL + registerPath, "software_statement": 1}),
	))...)
}

const (
	invalidRedirectURI    = `"invalid_redirect_uri"`
	invalidClientMetadata = `"invalid_client_metadata"`
	invalidStatement      = `"invalid_software_statement"`
	invalidToken          = `"invalid_token"`
)

// onHostileRegistrations is a service on which everything is switched on for tenant_a.
func onHostileRegistrations(t *testing.T, test func(t *testing.T, s service, issuer directory)) {
	t.Helper()
	d := newDirectory(t, "https://directory.example")
	requests := newDirectory(t, "cdr-register")
	policy := map[string]any{
		"enabled": true, "statement": "optional", "scopes": []string{"openid", "profile"}, "redirect_hosts": []string{"*.example.com"}, "redirect_kinds": []string{"https", "loopback"},
		"issuers": []any{d.issuer(t, map[string]any{"jti": "once"}), requests.issuer(t, map[string]any{"request_jwt": true})},
	}
	file := object(t, map[string]any{"tenants": map[string]any{
		"tenant_a": map[string]any{"registration": policy, "cimd": map[string]any{"mode": "allow", "hosts": []string{"127.0.0.1", "app.example.com"}}},
		"tenant_b": map[string]any{"cimd": map[string]any{"mode": "off"}}, "tenant_c": map[string]any{"registration": map[string]any{"enabled": true}},
	}})
	onBothStores(t, func(t *testing.T, s service) { test(t, s, d) }, registering(t, file), func(c *setup) {
		c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
		c.Registrations.Register = ratelimit.ByNetwork(time.Now, ratelimit.Rate{Count: 100_000, Period: time.Minute})
		c.Registrations.Management = ratelimit.ByNetwork(time.Now, ratelimit.Rate{Count: 100_000, Period: time.Minute})
		c.Registrations.FailedTokens = ratelimit.ByNetwork(time.Now, ratelimit.Rate{Count: 100_000, Period: time.Minute})
	})
}

// Each hostile request gets the expected response. Afterwards nothing was stored or used up,
// and the service still works and has logged no error.
func TestHostileRegistrations(t *testing.T) { onHostileRegistrations(t, testHostileRegistrations) }

func testHostileRegistrations(t *testing.T, s service, issuer directory) {
	server := httptest.NewServer(s.handler)
	t.Cleanup(server.Close)
	address, err := url.Parse(server.URL)
	require.NoError(t, err)
	from := stranger{
		target: target{host: address.Host, id: s.create(t)}, initial: s.initialToken(t, `{}`), registered: s.registered(t, webClient), other: s.registered(t, webClient),
		directory: issuer, documents: "https://documents.example/client.json",
	}
	foreign := s.do(t, call{method: "POST", path: tokensPath, token: "platform", header: http.Header{"X-Tenant-Id": {"tenant_c"}}})
	require.Equal(t, http.StatusCreated, foreign.status, foreign.text)
	from.foreign, _ = foreign.data("token").(string)
	before := s.stored(t)

	rows := hostileRegistrations(t, from)
	t.Logf("%d requests", len(rows))
	assert.GreaterOrEqual(t, len(rows), 100)
	for _, row := range rows {
		text := from.send(t, row.hostile)
		assert.Contains(t, text, row.text, "%s: %.300s", row.name, text)
	}
	assert.NotContains(t, s.logs.String(), `"level":"ERROR"`)
	for _, secret := range []string{from.initial, from.foreign, from.registered.token} {
		assert.NotContains(t, s.logs.String(), secret)
	}
	assert.Equal(t, before, s.stored(t), "nothing was stored or used up")
	assert.Equal(t, 200, from.registered.do(t, "GET", "").status)
	made := s.do(t, call{method: "POST", path: registerPath, token: from.initial, body: webClient})
	assert.Equal(t, http.StatusCreated, made.status, made.text)
}

// stored returns everything that registrations store: the clients with their revisions, the
// changes and the initial access tokens with their uses.
func (s service) stored(t *testing.T) []string {
	t.Helper()
	var list []string
	for path, key := range map[string]string{clients: "items", changesPath: "changes", tokensPath: "tokens"} {
		a := s.do(t, call{method: "GET", path: path, token: "admin"})
		require.Equal(t, http.StatusOK, a.status, a.text)
		of := a.body
		if data, ok := a.body["data"].(map[string]any); ok {
			of = data
		}
		require.NotEmpty(t, of[key], a.text)
		list = append(list, path, fmt.Sprint(of[key]))
	}
	slices.Sort(list)
	return list
}

// brokenPolicies are policies with a defect.
type brokenPolicies struct{}

// Registration implements [application.RegistrationPolicies].
func (brokenPolicies) Registration(domain.TenantID) application.TenantRegistration { panic("defect") }

// Tenants implements [application.RegistrationPolicies].
func (brokenPolicies) Tenants() []domain.TenantID { return nil }

// A defect has the form of the responses of a registration, too.
func TestPanicDuringARegistration(t *testing.T) {
	s := newService(t, registering(t, openTenant), func(c *setup) { c.Registry.Registrations.Policies = brokenPolicies{} })
	for path, method := range map[string]string{registerPath: "POST", registerPath + "/x": "GET"} {
		assertRejected(t, s.do(t, call{method: method, path: path, body: webClient}), http.StatusInternalServerError, "server_error")
	}
	assert.Contains(t, s.logs.String(), "panic")
}
