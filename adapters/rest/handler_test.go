package rest_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/credentials"
	"github.com/clientele-oauth/clientele/adapters/jwks"
	"github.com/clientele-oauth/clientele/adapters/memory"
	"github.com/clientele-oauth/clientele/adapters/postgres"
	"github.com/clientele-oauth/clientele/adapters/postgres/pgtest"
	"github.com/clientele-oauth/clientele/adapters/rest"
	"github.com/clientele-oauth/clientele/adapters/secrethash"
	"github.com/clientele-oauth/clientele/adapters/sqlite"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

const clients = "/admin/oauth/clients"

type realTime struct{}

func (realTime) Now() time.Time { return time.Now() }

type random struct{}

func (random) ID() string { return uuid.NewString() }

func (random) Entropy() (entropy [domain.SecretEntropy]byte) {
	_, _ = rand.Read(entropy[:]) // never fails
	return entropy
}

// callersByToken is a TokenVerifier for tests: a map from tokens to callers.
type callersByToken map[string]application.Caller

func (c callersByToken) Verify(_ context.Context, token string) (application.Caller, error) {
	switch caller, ok := c[token]; {
	case token == "unavailable":
		return application.Caller{}, application.ErrUnavailable
	case token == "panic":
		panic("internal error")
	case token == "failure":
		return application.Caller{}, errors.New("internal error with a password in its text")
	case !ok:
		return application.Caller{}, fmt.Errorf("%w: unknown", application.ErrUnauthenticated)
	default:
		return caller, nil
	}
}

// service is the handler under test and its log.
type service struct {
	handler http.Handler
	logs    *bytes.Buffer
}

var database *pgtest.Server

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m, &database)) }

// onBothStores runs a test with a handler on each of the stores.
func onBothStores(t *testing.T, test func(t *testing.T, s service), adjust ...func(*setup)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		store, err := sqlite.Open(filepath.Join(t.TempDir(), "test.db"))
		require.NoError(t, err)
		t.Cleanup(func() { assert.NoError(t, store.Close()) })
		_, err = store.Migrate(t.Context())
		require.NoError(t, err)
		test(t, serviceOver(t, store, adjust...))
	})
	t.Run("postgres", func(t *testing.T) {
		url, err := database.NewDatabase(t.Context())
		require.NoError(t, err)
		store, err := postgres.Open(t.Context(), url, nil)
		require.NoError(t, err)
		t.Cleanup(store.Close)
		_, err = store.Migrate(t.Context())
		require.NoError(t, err)
		test(t, serviceOver(t, store, adjust...))
	})
}

// newService returns a handler on an empty store in memory.
func newService(t *testing.T, adjust ...func(*setup)) service {
	t.Helper()
	return serviceOver(t, memory.New(), adjust...)
}

// setup configures a service under test. Registry configures the registry of the
// handler.
type setup struct {
	rest.Config
	Registry application.Config
}

func serviceOver(t testing.TB, store application.Store, adjust ...func(*setup)) service {
	t.Helper()
	book, err := domain.NewRulebook(domain.Policy{KeyPreflight: domain.PreflightOff})
	require.NoError(t, err)
	logs := &bytes.Buffer{}
	resolver := jwks.NewResolver(jwks.Options{})
	config := setup{Registry: application.Config{
		Book: book, Store: store, Keys: resolver, Sectors: resolver, Clock: realTime{}, Random: random{},
		Hashes: secrethash.New(2), Credentials: credentials.Reader{},
	}}
	config.Config = rest.Config{
		Tokens: callersByToken{
			"admin":        {Subject: "alice", Tenant: "tenant_a", Permissions: application.Permissions(), Administrator: true},
			"other-tenant": {Subject: "eve", Tenant: "tenant_b", Permissions: application.Permissions(), Administrator: true},
			"unprivileged": {Subject: "noah", Tenant: "tenant_a"},
			"platform":     {Subject: "root", Permissions: application.Permissions(), Platform: true, Administrator: true},
			"read":         {Subject: "rita", Tenant: "tenant_a", Permissions: []application.Permission{application.PermissionRead}},
			"verify":       {Subject: "vera", Tenant: "tenant_a", Permissions: []application.Permission{application.PermissionVerify}},
			"verifiers":    {Subject: "vito", Tenant: "tenant_a", Permissions: []application.Permission{application.PermissionVerifiers}},
			"write":        {Subject: "will", Tenant: "tenant_a", Permissions: []application.Permission{application.PermissionWrite}},
		},
		Checks:   []rest.Check{{Name: "store", Run: store.Ping}},
		Clock:    realTime{},
		Log:      slog.New(slog.NewJSONHandler(logs, nil)),
		Deadline: 10 * time.Second,
	}
	for _, change := range adjust {
		change(&config)
	}
	config.Config.Registry = application.NewRegistry(config.Registry)
	handler, err := rest.NewHandler(config.Config)
	require.NoError(t, err)
	return service{handler, logs}
}

// call is a request.
type call struct {
	method, path, token, body string
	header                    http.Header
}

// response is a response. body is the decoded text if it is JSON.
type response struct {
	status int
	header http.Header
	text   string
	body   map[string]any
}

func (s service) do(t *testing.T, c call) response {
	t.Helper()
	var body io.Reader = http.NoBody
	if c.body != "" {
		body = strings.NewReader(c.body)
	}
	r := httptest.NewRequest(c.method, "http://service", body)
	target, err := url.Parse(c.path)
	require.NoError(t, err)
	r.URL = target
	if c.body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	for name, values := range c.header {
		r.Header[http.CanonicalHeaderKey(name)] = values
	}
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	a := response{status: w.Code, header: w.Header(), text: w.Body.String()}
	if kind := a.header.Get("Content-Type"); (kind == "application/json" || strings.HasSuffix(kind, "+json")) && a.text != "" {
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &a.body), "%s", a.text)
	}
	if a.status == http.StatusTooManyRequests { // wherever it comes from
		require.NotEmpty(t, a.header.Get("Retry-After"))
	}
	if _, enveloped := a.body["code"]; enveloped && a.status == http.StatusTooManyRequests {
		require.Equal(t, a.header.Get("Retry-After"), fmt.Sprint(a.body["retry_after"]))
	}
	return a
}

// data returns a field of the data in the response.
func (r response) data(field string) any {
	data, _ := r.body["data"].(map[string]any)
	return data[field]
}

// violated lists the fields and rules of the violations.
func (r response) violated() []string {
	list, _ := r.body["violations"].([]any)
	var violations []string
	for _, v := range list {
		f, _ := v.(map[string]any)
		violations = append(violations, fmt.Sprintf("%s %s", f["field"], f["rule"]))
	}
	return violations
}

const webApp = `{"name":"App","redirect_uris":["https://a.example/cb"],"scopes":["openid"]}`

func (s service) create(t *testing.T) string {
	t.Helper()
	a := s.do(t, call{method: "POST", path: clients, token: "admin", body: webApp})
	require.Equal(t, http.StatusCreated, a.status, a.text)
	return a.data("client_id").(string)
}

func TestCreateReturnsTheItemAndShowsTheSecretOnce(t *testing.T) {
	s := newService(t)
	a := s.do(t, call{method: "POST", path: clients, token: "admin", body: webApp})
	require.Equal(t, http.StatusCreated, a.status)
	assert.Equal(t, `"1"`, a.header.Get("ETag"))
	assert.Equal(t, clients+"/"+a.data("client_id").(string), a.header.Get("Location"))
	assert.Contains(t, a.data("client_secret"), "clientele_")
	assert.EqualValues(t, 0, a.body["code"])
	read := s.do(t, call{method: "GET", path: a.header.Get("Location"), token: "admin"})
	assert.Equal(t, http.StatusOK, read.status)
	assert.NotContains(t, read.text, a.data("client_secret"))
	assert.NotContains(t, s.logs.String(), a.data("client_secret"))
	assert.Equal(t, a.data("secret_last_four"), read.data("secret_last_four"))
}

func TestItemHasTheNamesAndTypesOfOpenAPI(t *testing.T) {
	s := newService(t)
	id := s.create(t)
	a := s.do(t, call{method: "PUT", path: clients + "/" + id, token: "admin", body: `{
		"name": "Another", "status": "suspended", "is_confidential": true, "redirect_uris": ["https://b.example/cb"],
		"grant_types": ["authorization_code", "refresh_token"], "scopes": ["openid", "profile"],
		"client_auth_methods": ["client_secret_basic", "client_secret_post"], "fapi_profile": "",
		"jwks_uri": "https://b.example/jwks", "logo_url": "https://b.example/logo", "website": "https://b.example/",
		"privacy_policy": "https://b.example/privacy", "terms_url": "https://b.example/terms", "cors_origins": ["https://b.example"]}`})
	require.Equal(t, http.StatusOK, a.status, a.text)
	assert.Equal(t, `"2"`, a.header.Get("ETag"))
	data := a.body["data"].(map[string]any)
	for _, volatile := range []string{"id", "created_at", "updated_at", "secret_last_four"} {
		assert.IsType(t, "", data[volatile], volatile)
		delete(data, volatile)
	}
	assert.Equal(t, map[string]any{
		"client_id": id, "tenant_id": "tenant_a", "name": "Another", "status": "suspended", "is_confidential": true,
		"redirect_uris": []any{"https://b.example/cb"}, "grant_types": []any{"authorization_code", "refresh_token"},
		"scopes": []any{"openid", "profile"}, "client_auth_methods": `["client_secret_basic","client_secret_post"]`,
		"fapi_profile": "", "jwks_uri": "https://b.example/jwks", "logo_url": "https://b.example/logo",
		"website": "https://b.example/", "privacy_policy": "https://b.example/privacy", "terms_url": "https://b.example/terms",
		"cors_origins": []any{"https://b.example"}, "revision": 2.0,
	}, data)
	_, err := time.Parse("2006-01-02T15:04:05Z", a.body["timestamp"].(string))
	require.NoError(t, err)
}

func TestInvalidUpdateIsRejectedWithAllViolations(t *testing.T) {
	s := newService(t)
	id := s.create(t)
	a := s.do(t, call{method: "PUT", path: clients + "/" + id, token: "admin", body: `{
		"redirect_uris": ["https://a.example/cb", "https://b.example/cb#x"], "grant_types": ["authorization_code", "magic"],
		"jwks": "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"d\":\"c2VjcmV0LWtleQ\"}]}", "jwks_uri": "https://a.example/jwks"}`})
	require.Equal(t, http.StatusBadRequest, a.status)
	assert.EqualValues(t, 400, a.body["code"])
	assert.Equal(t, []string{
		"/redirect_uris/1 redirect-uri-fragment", "/grant_types/1 grant-type-unknown", "/jwks jwks-exclusive",
		"/jwks jwk-private",
	}, a.violated())
	assert.Contains(t, a.text, `"source":"RFC 6749 §3.1.2"`)
	assert.NotContains(t, a.text+s.logs.String(), "c2VjcmV0LWtleQ")
	read := s.do(t, call{method: "GET", path: clients + "/" + id, token: "admin"})
	assert.Equal(t, `"1"`, read.header.Get("ETag"), "the client is unchanged")
}

func TestResponseContainsWarnings(t *testing.T) {
	s := newService(t)
	a := s.do(t, call{method: "POST", path: clients, token: "admin", body: `{"name":"App","redirect_uris":["http://localhost/cb"]}`})
	require.Equal(t, http.StatusCreated, a.status)
	assert.Len(t, a.body["warnings"], 2)
	assert.NotContains(t, s.do(t, call{method: "POST", path: clients, token: "admin", body: webApp}).body, "warnings")
}

func TestBadRequestsAreRejectedAndChangeNothing(t *testing.T) {
	s := newService(t)
	id := s.create(t)
	put := func(body string) call {
		return call{method: "PUT", path: clients + "/" + id, token: "admin", body: body}
	}
	at := func(path string) call { return call{method: "GET", path: path, token: "admin"} }
	long := strings.Repeat("a", 3000)
	tests := map[string]struct {
		call       call
		status     int
		violations []string
	}{
		"no body":                                {put(""), http.StatusUnsupportedMediaType, nil},
		"no body, but a content type":            {call{method: "PUT", path: clients + "/" + id, token: "admin", header: http.Header{"Content-Type": {"application/json"}}}, 400, nil},
		"not JSON":                               {put("name=x"), 400, nil},
		"truncated JSON":                         {put(`{"name":"x"`), 400, nil},
		"trailing bytes":                         {put(`{"name":"x"}]`), 400, nil},
		"two JSON texts":                         {put(`{"name":"x"}{"name":"y"}`), 400, nil},
		"duplicate fields":                       {put(`{"name":"x","name":"y"}`), 400, []string{"/name contract"}},
		"duplicate fields, one escaped":          {put(`{"name":"x","n\u0061me":"y"}`), 400, []string{"/name contract"}},
		"an array":                               {put(`[]`), 400, []string{" contract"}},
		"null":                                   {put(`null`), 400, []string{" contract"}},
		"a null field":                           {put(`{"name":null}`), 400, []string{"/name contract"}},
		"a null element":                         {put(`{"scopes":["a",null]}`), 400, []string{"/scopes/1 contract"}},
		"wrong types":                            {put(`{"name":1,"scopes":"a","is_confidential":"true"}`), 400, []string{"/is_confidential contract", "/name contract", "/scopes contract"}},
		"unknown fields":                         {put(`{"redirect_uri":[],"nme":"x"}`), 400, []string{"/nme contract", "/redirect_uri contract"}},
		"a field name in another case":           {put(`{"Name":"x"}`), 400, []string{"/Name contract"}},
		"a read-only field":                      {put(`{"client_id":"x"}`), 400, []string{"/client_id contract"}},
		"a slash in a name":                      {put(`{"a/b~c":1}`), 400, []string{"/a~1b~0c contract"}},
		"methods as a string":                    {put(`{"client_auth_methods":"[\"none\"]"}`), 400, []string{"/client_auth_methods contract"}},
		"jwks as an object":                      {put(`{"jwks":{"keys":[]}}`), 400, []string{"/jwks contract"}},
		"a long name":                            {put(`{"name":"` + long + `"}`), 400, []string{"/name contract"}},
		"a long URI":                             {put(`{"redirect_uris":["https://a.example/` + long + `"]}`), 400, []string{"/redirect_uris/0 contract"}},
		"too many URIs":                          {put(`{"redirect_uris":["x"` + strings.Repeat(`,"x"`, 100) + `]}`), 400, []string{"/redirect_uris contract"}},
		"invalid UTF-8":                          {put("{\"name\":\"a\xff\"}"), 400, nil},
		"a lone surrogate":                       {put(`{"name":"\ud800"}`), 400, nil},
		"a NUL in a name":                        {put(`{"name":"a\u0000"}`), 400, []string{"/name name-text"}},
		"a NUL in a subject":                     {put(`{"tls_client_auth_subject_dn":"a\u0000"}`), 400, []string{"/tls_client_auth_subject_dn contract"}},
		"a NUL in a scope":                       {put(`{"scopes":["\u0000"]}`), 400, []string{"/scopes/0 scope-syntax"}},
		"a NUL in a key id":                      {put(`{"jwks":"{\"keys\":[{\"kid\":\"\\u0000\",\"kty\":\"X\"},{}]}"}`), 400, nil},
		"deep nesting":                           {put(`{"name":` + strings.Repeat("[", 100000) + strings.Repeat("]", 100000) + `}`), 400, nil},
		"one byte more than 512 KiB":             {put(`{"name":"` + strings.Repeat("a", rest.MaxBodyBytes) + `"}`), http.StatusRequestEntityTooLarge, nil},
		"form encoding":                          {call{method: "PUT", path: clients + "/" + id, token: "admin", body: "{}", header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}}, http.StatusUnsupportedMediaType, nil},
		"another charset":                        {call{method: "PUT", path: clients + "/" + id, token: "admin", body: "{}", header: http.Header{"Content-Type": {"application/json; charset=utf-16"}}}, http.StatusUnsupportedMediaType, nil},
		"misspelled dry_run":                     {call{method: "PUT", path: clients + "/" + id + "?dryrun=true", token: "admin", body: `{"name":"x"}`}, 400, []string{"?dryrun contract"}},
		"dry_run is not a boolean":               {call{method: "PUT", path: clients + "/" + id + "?dry_run=maybe", token: "admin", body: `{"name":"x"}`}, 400, []string{"?dry_run contract"}},
		"dry_run twice":                          {call{method: "PUT", path: clients + "/" + id + "?dry_run=true&dry_run=false", token: "admin", body: `{"name":"x"}`}, 400, []string{"?dry_run contract"}},
		"a bad query":                            {call{method: "PUT", path: clients + "/" + id + "?%zz", token: "admin", body: `{"name":"x"}`}, 400, []string{"? contract"}},
		"a long If-Match":                        {call{method: "PUT", path: clients + "/" + id, token: "admin", body: `{"name":"x"}`, header: http.Header{"If-Match": {long}}}, 400, []string{"If-Match contract"}},
		"a status on creation":                   {call{method: "POST", path: clients, token: "admin", body: `{"name":"x","status":"active"}`}, 400, []string{"/status contract", "/redirect_uris grant-needs-redirect-uri"}},
		"a long client_id":                       {at(clients + "/" + long), 400, []string{"{client_id} contract"}},
		"NUL in the path":                        {at(clients + "/%00"), 400, []string{"{client_id} contract"}},
		"a line break in the path":               {at(clients + "/%0a"), 400, []string{"{client_id} contract"}},
		"a space in the path":                    {at(clients + "/%20"), 400, []string{"{client_id} contract"}},
		"a space inside of the id":               {at(clients + "/a%20b"), 404, nil},
		"not UTF-8 in the path":                  {at(clients + "/%ff"), 400, []string{"{client_id} contract"}},
		"dot segments":                           {at(clients + "/../" + id), 404, nil},
		"encoded dot segments":                   {at(clients + "/%2e%2e%2f" + id), 404, nil},
		"a slash in the id":                      {at(clients + "/a%2Fb"), 404, nil},
		"page 0":                                 {at(clients + "?page=0"), 400, []string{"?page contract"}},
		"a page that is not a number":            {at(clients + "?page=one"), 400, []string{"?page contract"}},
		"a page that overflows":                  {at(clients + "?page=99999999999999999999"), 400, []string{"?page contract"}},
		"too large a page_size":                  {at(clients + "?page_size=201"), 400, []string{"?page_size contract"}},
		"page and after together":                {at(clients + "?page=1&after=x"), 400, nil},
		"an unknown status":                      {at(clients + "?status=paused"), 400, []string{"?status contract"}},
		"NUL in a name":                          {at(clients + "?name=%00"), 400, []string{"?name contract"}},
		"not UTF-8 in a name":                    {at(clients + "?name=%ff"), 400, []string{"?name contract"}},
		"an invalid time":                        {at(clients + "?updated_since=2026-13-45T00:00:00Z"), 400, []string{"?updated_since contract"}},
		"a malformed cursor":                     {at("/admin/oauth/changes?after=s1x"), 400, []string{"?after contract"}},
		"too long a wait":                        {at("/admin/oauth/changes?wait_seconds=31"), 400, []string{"?wait_seconds contract"}},
		"revision 0":                             {at(clients + "/" + id + "/revisions/0"), 400, []string{"{number} contract"}},
		"a revision that is not a number":        {at(clients + "/" + id + "/revisions/first"), 400, []string{"{number} contract"}},
		"no such revision":                       {at(clients + "/" + id + "/revisions/99"), 404, nil},
		"no such secret":                         {call{method: "DELETE", path: clients + "/" + id + "/secrets/x", token: "admin"}, 404, nil},
		"an expiry time in the past":             {call{method: "POST", path: clients + "/" + id + "/secrets", token: "admin", body: `{"expires_at":"2001-01-01T00:00:00Z"}`}, 400, []string{"/expires_at contract"}},
		"an expiry time that is not a time":      {call{method: "POST", path: clients + "/" + id + "/secrets", token: "admin", body: `{"expires_at":"soon"}`}, 400, []string{"/expires_at contract"}},
		"a NUL in a description":                 {call{method: "POST", path: clients + "/" + id + "/secrets", token: "admin", body: `{"description":"\u0000"}`}, 400, []string{"/description contract"}},
		"too long a grace period":                {call{method: "POST", path: clients + "/" + id + "/rotate-secret", token: "admin", body: `{"grace_seconds":2592001}`}, 400, []string{"/grace_seconds contract"}},
		"a fractional grace period":              {call{method: "POST", path: clients + "/" + id + "/rotate-secret", token: "admin", body: `{"grace_seconds":0.5}`}, 400, []string{"/grace_seconds contract"}},
		"no secret to verify":                    {call{method: "POST", path: clients + "/" + id + "/verify-secret", token: "admin", body: `{}`}, 400, []string{"/secret contract"}},
		"no body for verify-secret":              {call{method: "POST", path: clients + "/" + id + "/verify-secret", token: "admin"}, http.StatusUnsupportedMediaType, nil},
		"an Idempotency-Key with a space":        {call{method: "POST", path: clients, token: "admin", body: webApp, header: http.Header{"Idempotency-Key": {"a b"}}}, 400, []string{"Idempotency-Key contract"}},
		"an empty Idempotency-Key":               {call{method: "POST", path: clients, token: "admin", body: webApp, header: http.Header{"Idempotency-Key": {""}}}, 400, []string{"Idempotency-Key contract"}},
		"a change reason that is not UTF-8":      {call{method: "PUT", path: clients + "/" + id, token: "admin", body: `{"name":"x"}`, header: http.Header{"X-Change-Reason": {"\xff"}}}, 400, []string{"X-Change-Reason contract"}},
		"a client_id with a backslash":           {call{method: "POST", path: clients, token: "admin", body: `{"name":"x","client_id":"a\\b"}`}, 400, []string{"/client_id contract", "/redirect_uris grant-needs-redirect-uri"}},
		"restoring a client that is not deleted": {call{method: "POST", path: clients + "/" + id + "/restore", token: "admin"}, 409, nil},
		"another tenant":                         {call{method: "GET", path: clients, token: "admin", header: http.Header{"X-Tenant-Id": {"tenant_b"}}}, 403, nil},
		"a client_id encoded twice":              {at(clients + "/" + strings.Replace(id, "app", "%2561pp", 1)), 404, nil},
		"an empty client_id":                     {at(clients + "/"), 404, nil},
		"an unknown path":                        {at("/admin"), 404, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			a := s.do(t, tt.call)
			assert.Equal(t, tt.status, a.status, a.text)
			assert.EqualValues(t, tt.status, a.body["code"])
			assert.NotEmpty(t, a.body["message"])
			assert.NotEmpty(t, a.body["timestamp"])
			assert.Less(t, len(a.text), 2000)
			if tt.violations != nil {
				assert.Equal(t, tt.violations, a.violated())
			}
		})
	}
	read := s.do(t, call{method: "GET", path: clients + "/" + id, token: "admin"})
	assert.Equal(t, `"1"`, read.header.Get("ETag"), "the client is unchanged")
	assert.NotContains(t, s.logs.String(), `"level":"ERROR"`)
}

func TestUpdateClearsOrKeepsFields(t *testing.T) {
	s := newService(t)
	id := s.create(t)
	path := clients + "/" + id
	a := s.do(t, call{method: "PUT", path: path, token: "admin", body: `{"logo_url":"https://a.example/l","cors_origins":["https://a.example"]}`})
	require.Equal(t, http.StatusOK, a.status)
	a = s.do(t, call{method: "PUT", path: path, token: "admin", body: `{"logo_url":"","cors_origins":[]}`})
	require.Equal(t, http.StatusOK, a.status)
	assert.Empty(t, a.data("logo_url"))
	assert.Equal(t, []any{}, a.data("cors_origins"))
	assert.Equal(t, "App", a.data("name"))
	assert.Equal(t, `"3"`, a.header.Get("ETag"))
	a = s.do(t, call{method: "PUT", path: path, token: "admin", body: `{}`})
	assert.Equal(t, http.StatusOK, a.status)
	assert.Equal(t, `"3"`, a.header.Get("ETag"), "an empty update creates no revision")
}

func TestDryRun(t *testing.T) {
	s := newService(t)
	a := s.do(t, call{method: "POST", path: clients + "?dry_run=true", token: "admin", body: webApp})
	require.Equal(t, http.StatusOK, a.status)
	data := a.body["data"].(map[string]any)
	assert.NotContains(t, data, "client_secret")
	assert.NotContains(t, data, "client_id")
	assert.Equal(t, "App", data["name"])

	id := s.create(t)
	a = s.do(t, call{method: "PUT", path: clients + "/" + id + "?dry_run=true", token: "admin", body: `{"name":"Another"}`})
	require.Equal(t, http.StatusOK, a.status)
	assert.Equal(t, "Another", a.data("name"))
	a = s.do(t, call{method: "GET", path: clients + "/" + id, token: "admin"})
	assert.Equal(t, "App", a.data("name"))
	a = s.do(t, call{method: "PUT", path: clients + "/" + id + "?dry_run=true", token: "admin", body: `{"name":""}`})
	assert.Equal(t, http.StatusBadRequest, a.status)
}

func TestConditionalRequests(t *testing.T) {
	s := newService(t)
	id := s.create(t)
	tests := []struct {
		method, header, value string
		status                int
	}{
		{"GET", "If-None-Match", `"1"`, 304},
		{"GET", "If-None-Match", `W/"1"`, 304},
		{"GET", "If-None-Match", `"7", "1"`, 304},
		{"GET", "If-None-Match", `*`, 304},
		{"GET", "If-None-Match", `"2"`, 200},
		{"GET", "If-None-Match", `1`, 400},
		{"PUT", "If-Match", `"1"`, 200},
		{"PUT", "If-Match", `*`, 200},
		{"PUT", "If-Match", `"7", "1"`, 200},
		{"PUT", "If-Match", `"2"`, 412},
		{"PUT", "If-Match", `W/"1"`, 412},
		{"PUT", "If-Match", `1`, 400},
		{"PUT", "If-Match", `"01"`, 412},
		{"PUT", "If-Match", `"+1"`, 412},
		{"PUT", "If-Match", ``, 412},
	}
	for _, tt := range tests {
		t.Run(tt.method+" "+tt.value, func(t *testing.T) {
			c := call{method: tt.method, path: clients + "/" + id, token: "admin", header: http.Header{tt.header: {tt.value}}}
			if tt.method == "PUT" {
				c.body = `{"name":"App"}`
			}
			a := s.do(t, c)
			assert.Equal(t, tt.status, a.status, a.text)
			if tt.status == 304 {
				assert.Empty(t, a.text)
				assert.Equal(t, `"1"`, a.header.Get("ETag"))
			}
		})
	}
}

func TestAuthentication(t *testing.T) {
	s := newService(t)
	id := s.create(t)
	for token, want := range map[string]int{"": 401, "unknown": 401, "unprivileged": 403, "unavailable": 503, "failure": 500, "panic": 500} {
		for _, o := range operations(t) {
			t.Run(o.id+" as "+token, func(t *testing.T) {
				a := s.do(t, o.call(id, token))
				assert.Equal(t, want, a.status)
				assert.EqualValues(t, want, a.body["code"])
				assert.NotContains(t, a.text, "password")
				assert.NotEmpty(t, a.header.Get("X-Request-Id"))
				assert.Equal(t, want == 401 || want == 403, strings.HasPrefix(a.header.Get("WWW-Authenticate"), `Bearer realm="clientele"`))
				assert.Equal(t, want == 503, a.header.Get("Retry-After") != "")
			})
		}
	}
	for name, header := range map[string]http.Header{
		"basic":       {"Authorization": {"Basic YWRtaW46YWRtaW4="}},
		"no token":    {"Authorization": {"Bearer "}},
		"two headers": {"Authorization": {"Bearer admin", "Bearer admin"}},
	} {
		a := s.do(t, call{method: "GET", path: clients + "/" + id, header: header})
		assert.Equal(t, 401, a.status, name)
	}
	a := s.do(t, call{method: "GET", path: clients + "/" + id, token: "other-tenant"})
	assert.Equal(t, 404, a.status, "another tenant's client does not exist")
	a = s.do(t, call{method: "PUT", path: clients + "/" + id, token: "other-tenant", body: `{"name":"x"}`})
	assert.Equal(t, 404, a.status)
	a = s.do(t, call{method: "GET", path: clients + "/" + id, header: http.Header{"Authorization": {"bearer admin"}}})
	assert.Equal(t, 200, a.status, "the scheme is case-insensitive")
}

func TestHeadIsGetWithoutBody(t *testing.T) {
	s := newService(t)
	server := httptest.NewServer(s.handler)
	t.Cleanup(server.Close)
	for path, want := range map[string]int{
		clients + "/" + s.create(t): 200, clients + "/none": 404, clients: 200, clients + "?page=0": 400, "/healthz": 200, "/openapi.yaml": 200,
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodHead, server.URL+path, http.NoBody)
		require.NoError(t, err)
		r.Header.Set("Authorization", "Bearer admin")
		got, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		text, err := io.ReadAll(got.Body)
		require.NoError(t, err)
		require.NoError(t, got.Body.Close())
		assert.Equal(t, want, got.StatusCode, path)
		assert.Empty(t, text, path)
	}
}

func TestPublicEndpoints(t *testing.T) {
	s := newService(t)
	assert.Equal(t, "alive\n", s.do(t, call{method: "GET", path: "/healthz"}).text)
	assert.Equal(t, "store: ok\n", s.do(t, call{method: "GET", path: "/readyz"}).text)
	document := s.do(t, call{method: "GET", path: "/openapi.yaml"})
	assert.Equal(t, "application/yaml", document.header.Get("Content-Type"))
	assert.Contains(t, document.text, "openapi: 3.0.3")
	a := s.do(t, call{method: "PATCH", path: clients + "/x"})
	assert.Equal(t, 405, a.status)
	assert.Equal(t, "GET, HEAD, PUT, DELETE", a.header.Get("Allow"))
}

func TestRequestIDs(t *testing.T) {
	s := newService(t)
	a := s.do(t, call{method: "GET", path: clients + "/x?secret=1", token: "admin", header: http.Header{"X-Request-Id": {"abc-1"}}})
	assert.Equal(t, "abc-1", a.header.Get("X-Request-Id"))
	assert.Contains(t, s.logs.String(), `"request_id":"abc-1"`)
	assert.NotContains(t, s.logs.String(), "secret")
	a = s.do(t, call{method: "GET", path: clients + "/x", token: "admin", header: http.Header{"X-Request-Id": {"a\nb"}}})
	assert.NotEqual(t, "a\nb", a.header.Get("X-Request-Id"))
}

// FuzzBody checks that no body causes a 5xx response or a logged error.
func FuzzBody(f *testing.F) {
	f.Add(webApp)
	f.Add(`{"jwks":"{\"keys\":[{\"kty\":\"RSA\",\"n\":\"AQ\",\"e\":\"AQAB\"}]}"}`)
	f.Add(`{"tls_client_auth_san_ip":"::1","client_auth_methods":["tls_client_auth"]}`)
	f.Add(`{"status":"suspended","fapi_profile":"fapi2"}`)
	s := serviceOver(f, fixedStore{client: domain.Restore(fullState())})
	f.Fuzz(func(t *testing.T, body string) {
		s.logs.Reset()
		for _, c := range []call{
			{method: http.MethodPost, path: clients, token: "admin", body: body},
			{method: http.MethodPut, path: clients + "/app-123", token: "admin", body: body},
		} {
			if a := s.do(t, c); a.status >= 500 || strings.Contains(s.logs.String(), `"level":"ERROR"`) {
				t.Fatalf("%d: %s", a.status, s.logs.String())
			}
		}
	})
}
