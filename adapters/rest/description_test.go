package rest_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/api"
)

// A response reports violations of openapi.yaml and of the rules together.
func TestContractAndRuleViolationsAreReportedTogether(t *testing.T) {
	onBothStores(t, testContractAndRules)
}

func testContractAndRules(t *testing.T, s service) {
	id := s.create(t)
	path := clients + "/" + id
	for name, tt := range map[string]struct {
		call       call
		violations []string
	}{
		"create": {
			call{method: "POST", path: clients, body: `{"name":1,"redirect_uris":["https://a.example/#x"],"scopes":["a","a"],"grant_types":["magic"]}`},
			[]string{"/name contract", "/grant_types/0 grant-type-unknown", "/redirect_uris/0 redirect-uri-fragment", "/scopes/1 scope-duplicate"},
		},
		"create, with a rule that depends on the broken field": {
			call{method: "POST", path: clients, body: `{"grant_types":"authorization_code","scopes":["a","a"]}`},
			[]string{"/grant_types contract", "/name name-required", "/scopes/1 scope-duplicate"},
		},
		"update": {
			call{method: "PUT", path: path, body: `{"nme":"x","status":"paused","logo_url":["x"],"website":"y","jwks":null,"jwks_uri":"z"}`},
			[]string{"/jwks contract", "/logo_url contract", "/nme contract", "/status status-unknown", "/website link-syntax", "/jwks_uri jwks-uri-syntax"},
		},
		"update, with a query and a header": {
			call{method: "PUT", path: path + "?dryrun=true", body: `{"name":""}`, header: http.Header{"If-Match": {"1"}}},
			[]string{"?dryrun contract", "If-Match contract", "/name name-required"},
		},
		"update of an unknown client":            {call{method: "PUT", path: clients + "/none", body: `{"name":1,"status":"paused"}`}, []string{"/name contract"}},
		"update that violates only the contract": {call{method: "PUT", path: path, body: `{"name":1,"status":"suspended"}`}, []string{"/name contract"}},
		"compliance": {
			call{method: "POST", path: "/admin/oauth/compliance?profile=x", body: `{"name":1,"jwks":"{}","jwks_uri":"https://a.example/"}`},
			[]string{"?profile contract", "/name contract", "/jwks jwks-exclusive"},
		},
		"secret": {
			call{method: "POST", path: path + "/secrets", body: `{"description":"\u0000","expires_at":"2001-01-01T00:00:00Z"}`},
			[]string{"/description contract", "/expires_at contract"},
		},
		"rotation": {call{method: "POST", path: path + "/rotate-secret", body: `{"grace_seconds":0.5}`}, []string{"/grace_seconds contract"}},
	} {
		t.Run(name, func(t *testing.T) {
			tt.call.token = "admin"
			a := s.do(t, tt.call)
			assert.Equal(t, http.StatusBadRequest, a.status, a.text)
			assert.ElementsMatch(t, tt.violations, a.violated(), a.text)
			assert.Contains(t, a.body["message"], "does not match the API description")
		})
	}
	read := s.do(t, call{method: "GET", path: path, token: "admin"})
	assert.Equal(t, `"1"`, read.header.Get("ETag"), "nothing was changed")
	found := s.do(t, call{method: "GET", path: clients, token: "admin"})
	assert.EqualValues(t, 1, found.body["total"], "nothing was created")
}

// A response lists at most 100 violations and counts the others.
func TestResponsesListAtMost100Violations(t *testing.T) {
	s := newService(t)
	id := s.create(t)
	for name, tt := range map[string]struct {
		body  string
		total int
	}{
		"unknown fields":                   {unknownFields(250), 250},
		"unknown fields, many":             {unknownFields(30_000), 30_000},
		"wrong elements, within the limit": {`{"scopes":[` + strings.Repeat("1,", 199) + "1]}", 200},
		"wrong elements, beyond it":        {`{"scopes":[` + strings.Repeat("1,", 100_000) + "1]}", 1},
		"rules":                            {`{"redirect_uris":["` + strings.Repeat(`#","`, 99) + `#"],"cors_origins":["` + strings.Repeat(`#","`, 99) + `#"]}`, 0},
		"both":                             {`{"scopes":[` + strings.Repeat("1,", 59) + `1],"cors_origins":["` + strings.Repeat(`#","`, 99) + `#"]}`, 160},
	} {
		t.Run(name, func(t *testing.T) {
			a := s.do(t, call{method: "PUT", path: clients + "/" + id, token: "admin", body: tt.body})
			require.Equal(t, http.StatusBadRequest, a.status)
			assert.LessOrEqual(t, len(a.violated()), 100)
			omitted, _ := a.body["violations_omitted"].(float64)
			if tt.total > 0 {
				assert.Equal(t, tt.total, len(a.violated())+int(omitted))
			}
			if omitted > 0 {
				assert.Len(t, a.violated(), 100)
				assert.Contains(t, a.body["message"], fmt.Sprintf("the first 100 are listed, and %.0f more are not", omitted))
			} else {
				assert.NotContains(t, a.body, "violations_omitted")
			}
			assert.Less(t, len(a.text), 60_000)
		})
	}
	queried := s.do(t, call{method: "GET", path: clients + "?" + strings.TrimSuffix(manyParameters(300), "&"), token: "admin"})
	assert.Len(t, queried.violated(), 100)
	assert.EqualValues(t, 200, queried.body["violations_omitted"])
}

// Messages about invalid parameters name the parameter and contain no regular
// expression. This holds for all parameters.
func TestMessagesAboutParametersArePlain(t *testing.T) {
	doc, err := openapi3.NewLoader().LoadFromData(api.Document)
	require.NoError(t, err)
	s := newService(t)
	id := s.create(t)
	seen := 0
	for path, item := range doc.Paths.Map() {
		for method, described := range item.Operations() {
			o := operation{id: described.OperationID, method: method, path: path, body: described.RequestBody != nil}
			for _, ref := range slices.Concat(item.Parameters, described.Parameters) {
				for _, value := range []string{"\x7f", strings.Repeat("x", 2000), "\xff"} {
					p := ref.Value
					c := o.call(id, "admin")
					field := p.Name
					switch p.In {
					case "query":
						c.path, _, _ = strings.Cut(c.path, "?")
						c.path += "?" + p.Name + "=" + url.QueryEscape(value)
						field = "?" + p.Name
					case "header":
						if p.Name == "X-Tenant-Id" {
							continue // 403 comes first
						}
						c.header = http.Header{http.CanonicalHeaderKey(p.Name): {value}}
					case "path":
						c.path = strings.ReplaceAll(o.path, "{"+p.Name+"}", url.PathEscape(value))
						c.path = strings.NewReplacer("{client_id}", id, "{number}", "1").Replace(c.path)
						field = "{" + p.Name + "}"
					}
					a := s.do(t, c)
					if a.status == 404 || p.Schema.Value.MaxLength != nil && a.status == 200 {
						continue // a search text may contain DEL
					}
					seen++
					assert.Equal(t, http.StatusBadRequest, a.status, "%s %s", o.id, p.Name)
					assert.Contains(t, a.violated(), field+" contract", "%s: %s", o.id, a.text)
					for _, f := range a.body["violations"].([]any) {
						message := f.(map[string]any)["message"].(string)
						assert.NotRegexp(t, `\^|\\x|\$|regular expression|schema`, message)
						if f.(map[string]any)["field"] == field {
							assert.Contains(t, message, p.Name)
						}
					}
				}
			}
		}
	}
	assert.Greater(t, seen, 150)
}

func TestMessagesAboutBodiesArePlain(t *testing.T) {
	s := newService(t)
	id := s.create(t)
	for body, want := range map[string]string{
		`{"nme":"x"}`: "unknown field", `{"name":1}`: "must be a string", `{"scopes":"a"}`: "must be an array", `{"is_confidential":1}`: "must be a boolean",
		`{"name":null}`: "null is not allowed", `{"tls_client_auth_subject_dn":"\u0001"}`: "must have no control characters",
		`{"name":"` + strings.Repeat("ä", 257) + `"}`: "must have at most 256 characters", `[]`: "must be an object",
		`{"scopes":[` + strings.Repeat(`"a",`, 200) + `"a"]}`: "must have at most 200 elements",
	} {
		a := s.do(t, call{method: "PUT", path: clients + "/" + id, token: "admin", body: body})
		require.Equal(t, 400, a.status, body)
		assert.Contains(t, a.body["violations"].([]any)[0].(map[string]any)["message"], want, body)
	}
	const toClear = "null is not allowed; omit the field to leave it unchanged, or send an empty value to clear it"
	for path, want := range map[string]string{
		"PUT " + clients + "/" + id: toClear, "POST " + clients: "null is not allowed; omit the field", "POST " + tokensPath: "null is not allowed; omit the field",
	} {
		method, path, _ := strings.Cut(path, " ")
		a := s.do(t, call{method: method, path: path, token: "admin", body: `{"name":null,"description":null}`})
		require.Equal(t, 400, a.status, a.text)
		assert.Contains(t, a.text, `"`+want+`"`, path)
	}
	a := s.do(t, call{method: "POST", path: clients, token: "admin", body: `{"client_id":"my#app","name":"x","redirect_uris":["https://a.example/"]}`})
	assert.Contains(t, a.text, "must consist of ASCII letters, digits, spaces and the characters - . _ ~ : / @ +")
}

// Requests may contain all forms of times (RFC 3339) and numbers (RFC 8259).
func TestTimesAndNumbersInRequests(t *testing.T) { onBothStores(t, testTimesAndNumbers) }

func testTimesAndNumbers(t *testing.T, s service) {
	id := s.create(t)
	total := func(since string) any {
		a := s.do(t, call{method: "GET", path: clients + "?updated_since=" + url.QueryEscape(since), token: "admin"})
		require.Equal(t, 200, a.status, a.text)
		return a.body["total"]
	}
	assert.EqualValues(t, 1, total("2016-12-31t23:59:60z"))
	assert.EqualValues(t, 0, total("9999-12-31t23:59:59z"))
	assert.EqualValues(t, 0, total("9999-12-31T23:59:59.999999999+23:59"))
	assert.EqualValues(t, 1, total("0000-01-01T00:00:00-23:59"))
	outOfRange := s.do(t, call{method: "GET", path: clients + "?updated_since=9999-12-31T23:59:59-23:59", token: "admin"})
	assert.Equal(t, 400, outOfRange.status)
	assert.Equal(t, []string{"?updated_since contract"}, outOfRange.violated())
	assert.Contains(t, outOfRange.text, "the parameter updated_since must be between the years 0000 and 9999 in UTC")

	created := s.do(t, call{method: "POST", path: clients + "/" + id + "/secrets", token: "admin", body: `{"expires_at":"2030-12-31t18:59:60-05:00"}`})
	require.Equal(t, 201, created.status, created.text)
	assert.Equal(t, "2031-01-01T00:00:00Z", created.data("expires_at"))
	for _, grace := range []string{"60.0", "6e1"} {
		a := s.do(t, call{method: "POST", path: clients + "/" + id + "/rotate-secret", token: "admin", body: `{"grace_seconds":` + grace + `}`})
		assert.Equal(t, 200, a.status, a.text)
	}
	half := s.do(t, call{method: "POST", path: clients + "/" + id + "/rotate-secret", token: "admin", body: `{"grace_seconds":60.5}`})
	assert.Equal(t, []string{"/grace_seconds contract"}, half.violated())
	assert.Contains(t, half.text, "must be a whole number")
}

func TestContentCodingsAreNotDecoded(t *testing.T) {
	s := newService(t)
	a := s.do(t, call{method: "POST", path: clients, token: "admin", body: webApp, header: http.Header{"Content-Encoding": {"gzip"}}})
	assert.Equal(t, 415, a.status)
	assert.Equal(t, "identity", a.header.Get("Accept-Encoding"))
	a = s.do(t, call{method: "POST", path: clients, token: "admin", body: webApp, header: http.Header{"Content-Type": {"text/plain"}}})
	assert.Equal(t, 415, a.status)
	assert.Empty(t, a.header.Values("Accept-Encoding"), "the media type was rejected, not the coding (RFC 9110 §12.5.3)")
}

// Every response body ends with a newline.
func TestResponsesEndWithANewline(t *testing.T) {
	s := newService(t)
	for _, o := range operations(t) {
		for _, token := range []string{"admin", "unprivileged"} {
			a := s.do(t, o.call(s.create(t), token))
			if a.status != http.StatusNoContent {
				assert.True(t, strings.HasSuffix(a.text, "}\n"), "%s: %d", o.id, a.status)
			}
		}
	}
}

// The report for a configuration with very many violations is not much larger than the
// report for a valid one.
func TestComplianceReportsAreBounded(t *testing.T) {
	s := newService(t)
	size := func(body string) int {
		a := s.do(t, call{method: "POST", path: "/admin/oauth/compliance", token: "admin", body: body})
		require.Equal(t, 200, a.status, a.text)
		for _, report := range list(t, a.body["data"], "reports") {
			findings, omitted := 0, 0
			for _, kind := range []string{"failed", "warned", "passed"} {
				for _, result := range list(t, report, kind) {
					listed, _ := result["findings"].([]any)
					assert.LessOrEqual(t, len(listed), 20)
					findings += len(listed)
					more, _ := result["findings_omitted"].(float64)
					omitted += int(more)
				}
			}
			assert.LessOrEqual(t, findings, 100)
			if len(body) > 1000 {
				assert.Positive(t, omitted)
				assert.Equal(t, false, report["compliant"])
			}
		}
		return len(a.text)
	}
	legal := size(webApp)
	hostile := size(`{"redirect_uris":["` + strings.Repeat(`http://a.example/*#","`, 99) + `#"],"cors_origins":["` + strings.Repeat(`#","`, 99) +
		`#"],"scopes":["` + strings.Repeat(`\"","`, 199) + `\""],"grant_types":["` + strings.Repeat(`x","`, 31) + `x"],"client_auth_methods":["` + strings.Repeat(`x","`, 15) + `x"]}`)
	assert.Less(t, hostile, 4*legal)
}
