package rest_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The wire form of registrations (RFC 7591 §2, §3).

// many is a policy under which clients may use most grants.
const many = `grants: [authorization_code, refresh_token, client_credentials, implicit], scopes: [openid, profile, email]`

func TestWhatClientsRegister(t *testing.T) {
	onBothStores(t, testWhatClientsRegister, registering(t, onlyTenant(many+`, auth_methods: [none, client_secret_basic, client_secret_post, private_key_jwt]`)))
}

func testWhatClientsRegister(t *testing.T, s service) {
	const uri = `"redirect_uris":["https://app.example.com/cb"]`
	for name, tt := range map[string]struct {
		metadata string
		want     map[string]any // nil: absent
		warned   []string
	}{
		"the least": {`{` + uri + `}`, map[string]any{
			"redirect_uris": []any{"https://app.example.com/cb"}, "grant_types": []any{"authorization_code"}, "response_types": []any{"code"},
			"token_endpoint_auth_method": "client_secret_basic", "client_secret_expires_at": 0.0, "client_name": nil, "scope": nil,
			"status": nil, "is_confidential": nil, "tenant_id": nil, "client_auth_methods": nil, "software_statement": nil,
		}, nil},
		"standard names and forms": {`{` + uri + `,"client_name":"App","scope":"openid profile","client_uri":"https://app.example.com/","contacts":["a@example.com"]}`, map[string]any{
			"client_name": "App", "scope": "openid profile", "client_uri": "https://app.example.com/", "contacts": []any{"a@example.com"}, "name": nil, "scopes": nil, "website": nil,
		}, nil},
		"unknown members": {`{` + uri + `,"claims_redirect_uris":1,"client_name#de":"x","foo":{"a":[null]}}`, map[string]any{"foo": nil, "client_name#de": nil, "claims_redirect_uris": nil}, nil},
		"members of administrators": {`{` + uri + `,"status":"suspended","fapi_profile":"fapi2-security","labels":{"a.example/b":"c"},"owner":"me","access_token_lifetime":60,` +
			`"require_pkce":true,"skip_consent":true,"resources":["https://api.example.com"],"cors_origins":["https://app.example.com"],"is_confidential":false}`, map[string]any{
			"status": nil, "fapi_profile": nil, "labels": nil, "owner": nil, "access_token_lifetime": nil, "require_pkce": nil, "skip_consent": nil, "resources": nil, "cors_origins": nil,
		}, nil},
		"members of administrators, of wrong types": {`{` + uri + `,"status":7,"labels":[],"skip_consent":"yes","access_token_lifetime":{}}`, nil, nil},
		"null, empty strings and lists are not given": {
			`{` + uri + `,"client_name":"","scope":null,"contacts":[],"jwks":null,"require_auth_time":null,"response_types":[],"grant_types":null,"token_endpoint_auth_method":""}`,
			map[string]any{"client_name": nil, "contacts": nil, "scope": nil, "jwks": nil, "grant_types": []any{"authorization_code"}},
			nil,
		},
		"members of the response":                  {`{` + uri + `,"client_id":"mine","client_secret":"mine","client_secret_expires_at":1,"client_id_issued_at":1,"registration_access_token":"x","registration_client_uri":"https://x.example/"}`, nil, nil},
		"a service":                                {`{"grant_types":["client_credentials"]}`, map[string]any{"response_types": []any{}, "grant_types": []any{"client_credentials"}, "redirect_uris": nil}, nil},
		"a service with response types":            {`{"grant_types":["client_credentials"],"response_types":["token"]}`, map[string]any{"response_types": []any{}}, []string{"/response_types registration-value-replaced"}},
		"a service with the default response type": {`{"grant_types":["client_credentials"],"response_types":["code"]}`, map[string]any{"response_types": []any{}}, []string{"/response_types registration-value-replaced"}},
		"a response type without its grant":        {`{` + uri + `,"response_types":["code","id_token"]}`, map[string]any{"response_types": []any{"code"}}, []string{"/response_types/1 registration-value-dropped"}},
		"application type mobile":                  {`{"redirect_uris":["com.example.app:/cb"],"token_endpoint_auth_method":"none","application_type":"mobile"}`, map[string]any{"application_type": "native"}, []string{"/application_type registration-value-replaced"}},
		"application type browser":                 {`{` + uri + `,"application_type":"browser","token_endpoint_auth_method":"none"}`, map[string]any{"application_type": nil}, []string{"/application_type registration-value-replaced"}},
		"application type service":                 {`{` + uri + `,"application_type":"service"}`, map[string]any{"application_type": nil}, []string{"/application_type registration-value-replaced"}},
		"a native app that says web":               {`{"redirect_uris":["com.example.app:/cb"],"token_endpoint_auth_method":"none","application_type":"web"}`, map[string]any{"application_type": "native"}, []string{"/application_type registration-value-replaced"}},
		"any request object algorithm":             {`{` + uri + `,"request_object_signing_alg":"any"}`, map[string]any{"request_object_signing_alg": nil}, []string{"/request_object_signing_alg registration-value-replaced"}},
		"no assertion algorithm":                   {`{` + uri + `,"token_endpoint_auth_signing_alg":"none"}`, map[string]any{"token_endpoint_auth_signing_alg": nil}, []string{"/token_endpoint_auth_signing_alg registration-value-replaced"}},
		"scopes beyond the policy":                 {`{` + uri + `,"scope":"openid admin"}`, map[string]any{"scope": "openid"}, []string{"/scope registration-value-dropped"}},
		"grants beyond the policy":                 {`{` + uri + `,"grant_types":["authorization_code","urn:ietf:params:oauth:grant-type:device_code","magic"]}`, map[string]any{"grant_types": []any{"authorization_code"}}, []string{"/grant_types/1 registration-value-dropped", "/grant_types/2 registration-value-dropped"}},
		"a value after unknown ones":               {`{` + uri + `,"response_types":["bogus","code","token"]}`, map[string]any{"response_types": []any{"code"}}, []string{"/response_types/0 registration-value-dropped", "/response_types/2 registration-value-dropped"}},
		"unknown response modes":                   {`{` + uri + `,"response_modes":["query","magic"]}`, map[string]any{"response_modes": []any{"query"}}, []string{"/response_modes/1 registration-value-dropped"}},
		"members that others reject":               {`{` + uri + `,"resource":"https://api.example.com","application_type":"native","grants":1}`, map[string]any{"resource": nil, "application_type": "native"}, nil},
		"a public client":                          {publicClient, map[string]any{"client_secret": nil, "client_secret_expires_at": nil, "token_endpoint_auth_method": "none"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			a := s.registerSelf(t, tt.metadata)
			require.Equal(t, http.StatusCreated, a.status, a.text)
			assertMembers(t, a, tt.want)
			for _, warning := range tt.warned {
				assert.Contains(t, a.found("warnings"), warning, a.text)
			}
			assert.NotEqual(t, "mine", a.body["client_id"])
			assert.NotEqual(t, "mine", a.body["client_secret"])
			read := s.do(t, call{method: "GET", path: clients + "/" + a.body["client_id"].(string), token: "admin"})
			assert.Equal(t, "active", read.data("status"))
			for _, member := range []string{"labels", "owner", "skip_consent", "access_token_lifetime", "require_pkce", "resources"} {
				assert.Nil(t, read.data(member), member)
			}
			assert.NotEmpty(t, read.data("name"), "a name is required here")
			assert.Equal(t, tt.want["token_endpoint_auth_method"] != "none" && !strings.Contains(tt.metadata, `"none"`) || strings.Contains(tt.metadata, "signing_alg"), read.data("is_confidential"))
		})
	}
}

// What a response of a registration has in addition to the metadata.
func TestResponsesOfRegistrations(t *testing.T) {
	onBothStores(t, testResponsesOfRegistrations, registering(t,
		`tenants: {tenant_a: {registration: {enabled: true}}, tenant_b: {registration: {enabled: true, grants: [client_credentials]}}}`))
}

func testResponsesOfRegistrations(t *testing.T, s service) {
	c := s.registered(t, webClient)
	a := c.sent
	assert.Equal(t, "no-store", a.header.Get("Cache-Control"))
	assert.Equal(t, `"1"`, a.header.Get("ETag"))
	assert.Equal(t, "application/json", a.header.Get("Content-Type"))
	assert.Equal(t, publicURL+c.path, a.body["registration_client_uri"], "never from the Host of the request")
	assert.Equal(t, publicURL+c.path, a.header.Get("Location"))
	assert.Contains(t, a.body["registration_access_token"], "clientele_rat_")
	assert.Contains(t, a.body["client_secret"], "clientele_")
	assert.InDelta(t, 1_770_000_000, a.body["client_id_issued_at"], 100_000_000)
	assert.NotRegexp(t, "^https?://", c.id)
	for _, member := range []string{"code", "message", "timestamp", "data"} {
		assert.NotContains(t, a.body, member, "there is no envelope")
	}
	assert.NotContains(t, s.logs.String(), c.token)
	assert.NotContains(t, s.logs.String(), a.body["client_secret"])

	unmanaged := s.do(t, call{method: "POST", path: registerPath, token: s.initialToken(t, `{"policy":{"management":false}}`), body: webClient})
	require.Equal(t, http.StatusCreated, unmanaged.status, unmanaged.text)
	assertMembers(t, unmanaged, map[string]any{"registration_access_token": nil, "registration_client_uri": nil})
	assert.Empty(t, unmanaged.header.Get("Location"))

	service := s.do(t, call{method: "POST", path: "/oauth/tenant_b/register", token: s.do(t, call{method: "POST", path: tokensPath, token: "other-tenant"}).data("token").(string), body: `{"grant_types":["client_credentials"]}`})
	require.Equal(t, http.StatusCreated, service.status, service.text)
	item := s.do(t, call{method: "GET", path: clients + "/" + service.body["client_id"].(string), token: "other-tenant"})
	assert.Equal(t, service.body["client_id"], item.data("name"), "without redirect URIs and software_id")
	assertMembers(t, service, map[string]any{"client_name": nil})

	expiring := s.do(t, call{method: "POST", path: registerPath, token: s.initialToken(t, `{"policy":{"secret_ttl":3600}}`), body: webClient})
	require.Equal(t, http.StatusCreated, expiring.status, expiring.text)
	assert.InDelta(t, expiring.body["client_id_issued_at"].(float64)+3600, expiring.body["client_secret_expires_at"], 2)
}

func TestMalformedRegistrations(t *testing.T) {
	onBothStores(t, testMalformedRegistrations, registering(t, onlyTenant(many)))
}

func testMalformedRegistrations(t *testing.T, s service) {
	const uri = `"redirect_uris":["https://app.example.com/cb"]`
	token := s.initialToken(t, `{}`)
	kind := func(value string) http.Header { return http.Header{"Content-Type": {value}} }
	for name, tt := range map[string]struct {
		call   call
		status int
		code   string
		found  []string
	}{
		"a wrong type":                     {call{body: `{` + uri + `,"client_name":1}`}, 400, "invalid_client_metadata", []string{"/client_name contract"}},
		"scope as a list":                  {call{body: `{` + uri + `,"scope":["openid"]}`}, 400, "invalid_client_metadata", []string{"/scope contract"}},
		"keys as a string":                 {call{body: `{` + uri + `,"jwks":"{}"}`}, 400, "invalid_client_metadata", []string{"/jwks contract"}},
		"a null element":                   {call{body: `{` + uri + `,"contacts":[null]}`}, 400, "invalid_client_metadata", []string{"/contacts/0 contract"}},
		"a member beyond its bounds":       {call{body: `{` + uri + `,"client_name":"` + strings.Repeat("x", 257) + `"}`}, 400, "invalid_client_metadata", []string{"/client_name contract"}},
		"keys beyond their bounds":         {call{body: `{` + uri + `,"jwks":{"keys":[{"x":"` + strings.Repeat("x", 66_000) + `"}]}}`}, 400, "invalid_client_metadata", []string{"/jwks contract"}},
		"redirect URIs of the wrong type":  {call{body: `{"redirect_uris":"https://app.example.com/cb"}`}, 400, "invalid_redirect_uri", nil},
		"a duplicate member":               {call{body: `{` + uri + `,` + uri + `}`}, 400, "invalid_client_metadata", nil},
		"a duplicate in an unknown member": {call{body: `{` + uri + `,"foo":{"a":1,"a":2}}`}, 400, "invalid_client_metadata", nil},
		"trailing bytes":                   {call{body: `{` + uri + `} x`}, 400, "invalid_client_metadata", nil},
		"truncated JSON":                   {call{body: `{` + uri}, 400, "invalid_client_metadata", nil},
		"an array":                         {call{body: `[]`}, 400, "invalid_client_metadata", nil},
		"null":                             {call{body: `null`}, 400, "invalid_client_metadata", nil},
		"invalid UTF-8":                    {call{body: "{\"client_name\":\"\xff\"}"}, 400, "invalid_client_metadata", nil},
		"no body":                          {call{header: kind("application/json")}, 400, "invalid_client_metadata", nil},
		"too large":                        {call{body: `{` + uri + `,"foo":"` + strings.Repeat("x", 256<<10) + `"}`}, 413, "invalid_client_metadata", nil},
		"plain text":                       {call{body: webClient, header: kind("text/plain")}, 415, "invalid_client_metadata", nil},
		"a form":                           {call{body: "a=b", header: kind("application/x-www-form-urlencoded")}, 415, "invalid_client_metadata", nil},
		"no media type":                    {call{body: webClient, header: kind("")}, 415, "invalid_client_metadata", nil},
		"a JWT without such an issuer":     {call{body: "a.b.c", header: kind("application/jwt")}, 415, "invalid_client_metadata", nil},
		"a content coding":                 {call{body: webClient, header: http.Header{"Content-Encoding": {"gzip"}}}, 415, "invalid_client_metadata", nil},
		"a text that is not ASCII":         {call{body: `{` + uri + `,"application_type":"ä\"\\"}`}, 400, "invalid_client_metadata", nil},
		"an unknown parameter":             {call{path: registerPath + "?dryrun=true", body: webClient}, 400, "invalid_request", []string{"?dryrun contract"}},
		"a malformed query":                {call{path: registerPath + "?a=%", body: webClient}, 400, "invalid_request", []string{"? contract"}},
		"a malformed header":               {call{body: webClient, header: http.Header{"Idempotency-Key": {"a b"}}}, 400, "invalid_request", []string{"Idempotency-Key contract"}},
		"If-Match":                         {call{body: webClient, header: http.Header{"If-Match": {`"1"`}}}, 412, "invalid_request", nil},
	} {
		t.Run(name, func(t *testing.T) {
			c := tt.call
			c.method, c.token = "POST", token
			if c.path == "" {
				c.path = registerPath
			}
			a := s.do(t, c)
			assertRejected(t, a, tt.status, tt.code)
			if tt.found != nil {
				assert.Equal(t, tt.found, a.violated(), a.text)
			}
		})
	}
	accepted := s.do(t, call{method: "POST", path: registerPath, token: token, body: webClient, header: kind("application/json; charset=UTF-8")})
	assert.Equal(t, http.StatusCreated, accepted.status, "rejections have used nothing up: %s", accepted.text)
}

// A member that cannot be read has one violation, not others that follow from its absence.
func TestAMemberThatCannotBeReadHasOneViolation(t *testing.T) {
	const redirects = `"redirect_uris":["https://app.example.com/cb"]`
	onBothStores(t, func(t *testing.T, s service) {
		c := s.registered(t, webClient)
		token := s.initialToken(t, `{}`)
		for name, tt := range map[string]struct {
			members  string
			violated []string
		}{
			"a text instead of a list":       {`"redirect_uris":"https://app.example.com/cb"`, []string{"/redirect_uris contract"}},
			"too long a redirect URI":        {`"redirect_uris":["https://app.example.com/` + strings.Repeat("x", 4000) + `"]`, []string{"/redirect_uris/0 contract"}},
			"a text instead of keys":         {redirects + `,"token_endpoint_auth_method":"private_key_jwt","jwks":"x"`, []string{"/jwks contract"}},
			"grants that are a text":         {redirects + `,"grant_types":"implicit","response_types":["code"]`, []string{"/grant_types contract"}},
			"an independent violation stays": {`"redirect_uris":1,"logo_uri":"javascript:x"`, []string{"/redirect_uris contract", "/logo_uri link-syntax"}},
		} {
			t.Run(name, func(t *testing.T) {
				for _, a := range []response{
					s.do(t, call{method: "POST", path: registerPath, token: token, body: "{" + tt.members + "}"}),
					s.do(t, call{method: "POST", path: registerPath + "?dry_run=true", token: token, body: "{" + tt.members + "}"}),
					c.do(t, "PUT", `{"client_id":"{id}",`+tt.members+"}"),
				} {
					require.Equal(t, http.StatusBadRequest, a.status, a.text)
					assert.ElementsMatch(t, tt.violated, a.violated(), a.text)
				}
			})
		}
	}, registering(t, onlyTenant("")))
}
