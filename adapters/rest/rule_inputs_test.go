package rest_test

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/sqlite"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// fields is the body of a registration, or a part of it.
type fields map[string]any

// ruleInput is a registration and the rule that rejects it.
type ruleInput struct {
	body fields // in addition to a name and the client_credentials grant
	rule string // "" if it is accepted
	at   string // the field of the violation
}

func redirecting(uri string) fields {
	return fields{"grant_types": []string{"authorization_code"}, "redirect_uris": []string{uri}}
}

func tlsClient(form, value string) fields {
	return fields{"client_auth_methods": []string{"tls_client_auth"}, "tls_client_auth_" + form: value}
}

func keyed(jwks string) fields {
	return fields{"client_auth_methods": []string{"private_key_jwt"}, "jwks": jwks}
}

func ruleInputs() map[string]ruleInput {
	return map[string]ruleInput{
		"client_id dot":        {fields{"client_id": "."}, "client-id-syntax", "/client_id"},
		"client_id dot-dot":    {fields{"client_id": ".."}, "client-id-syntax", "/client_id"},
		"client_id three dots": {body: fields{"client_id": "..."}},

		"redirect with a dot segment and a path parameter": {redirecting("https://app.example.com/public/..;/callback"), "redirect-uri-path-tricks", "/redirect_uris/0"},
		"redirect with a path parameter":                   {body: redirecting("https://app.example.com/public;v=1/callback")},

		"name in Persian":                {body: fields{"name": "می\u200cخواهم"}},
		"name of emoji":                  {body: fields{"name": "👩\u200d💻"}},
		"name with a hidden non-joiner":  {fields{"name": "pay\u200cpal"}, "name-text", "/name"},
		"name of blank Braille patterns": {fields{"name": "\u2800"}, "name-required", "/name"},

		"origin with a mapped address":              {body: fields{"cors_origins": []string{"https://[::ffff:102:304]"}}},
		"origin with a mapped address, dotted form": {fields{"cors_origins": []string{"https://[::ffff:1.2.3.4]"}}, "cors-origin-syntax", "/cors_origins/0"},

		"subject DN of blanks":          {tlsClient("subject_dn", "   "), "tls-subject-dn-syntax", "/tls_client_auth_subject_dn"},
		"subject DN of OpenSSL":         {tlsClient("subject_dn", "/C=GB/O=X"), "tls-subject-dn-syntax", "/tls_client_auth_subject_dn"},
		"subject DN":                    {body: tlsClient("subject_dn", "CN=app,O=Example\\, Ltd,C=DE")},
		"SAN DNS that is a URL":         {tlsClient("san_dns", "https://x"), "tls-san-dns-syntax", "/tls_client_auth_san_dns"},
		"SAN DNS":                       {body: tlsClient("san_dns", "app.example.com")},
		"SAN URI that is not a URI":     {tlsClient("san_uri", "not a uri"), "tls-san-uri-syntax", "/tls_client_auth_san_uri"},
		"SAN URI":                       {body: tlsClient("san_uri", "spiffe://example/app")},
		"SAN IP that is not an address": {tlsClient("san_ip", "999.1.1.1"), "tls-san-ip-syntax", "/tls_client_auth_san_ip"},
		"SAN IP not as in RFC 5952":     {tlsClient("san_ip", "2001:DB8::1"), "tls-san-ip-syntax", "/tls_client_auth_san_ip"},
		"SAN IP":                        {body: tlsClient("san_ip", "2001:db8::1")},
		"SAN email that is a word":      {tlsClient("san_email", "nope"), "tls-san-email-syntax", "/tls_client_auth_san_email"},
		"SAN email":                     {body: tlsClient("san_email", "app@example.com")},

		"Ed25519 key of small order":       {fields{"jwks": `{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a","x":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}]}`}, "jwk-malformed", "/jwks"},
		"Ed25519 key that is not a point":  {fields{"jwks": `{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a","x":"AgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}]}`}, "jwk-malformed", "/jwks"},
		"Ed25519 key":                      {body: keyed(`{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`)},
		"X25519 key alone":                 {keyed(`{"keys":[{"kty":"OKP","crv":"X25519","kid":"a","use":"sig","x":"hSDwCYkwp1R0i33ctD73Wg2_Og0mOBr066SpjqqbTmo"}]}`), "jwks-no-signing-key", "/jwks"},
		"key with use tls":                 {keyed(`{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a","use":"tls","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`), "jwks-no-signing-key", "/jwks"},
		"ECDH-ES key with use sig":         {keyed(`{"keys":[{"kty":"EC","crv":"P-256","kid":"a","x":"iGC2zRvo9yWBoaeifaDaBHWPGlF-OHyPaYp8ztkkjfY","y":"Tam1nR5cp8I3XDqANKvRxgFBqcv8FJt4vGrgR01khRc","use":"sig","alg":"ECDH-ES"}]}`), "jwks-no-signing-key", "/jwks"},
		"certificate of an Ed448 key":      {body: keyed(`{"keys":[{"kty":"OKP","crv":"Ed448","kid":"a","x":"vL2jDBH9Ii5yeD0VzW7RDOLtrBKLo1E3tv62E3aCjhDqo4slK_z3N-VAkrmuQaO5o_sGp_ikq5sA","x5c":["MIHdMIGQAgEHMAUGAytlcDAPMQ0wCwYDVQQDDAR0ZXN0MB4XDTI2MTEyODEyNTUwOFoXDTM2MTEyNTEyNTUwOFowDjEMMAoGA1UEAwwDYXBwMEMwBQYDK2VxAzoAvL2jDBH9Ii5yeD0VzW7RDOLtrBKLo1E3tv62E3aCjhDqo4slK/z3N+VAkrmuQaO5o/sGp/ikq5sAMAUGAytlcANBABbYfkwXud857DsfrxPSCB+jssbFiUvDwD6AKRWYZGxPZnH3niJtV7DKwDB/GvRn9gl76Z0/1M06h4uSmXu5JAI="]}]}`)},
		"certificate with negative serial": {body: keyed(`{"keys":[{"kty":"EC","crv":"P-256","kid":"a","x":"iGC2zRvo9yWBoaeifaDaBHWPGlF-OHyPaYp8ztkkjfY","y":"Tam1nR5cp8I3XDqANKvRxgFBqcv8FJt4vGrgR01khRc","x5c":["MIHzMIGmAgH7MAUGAytlcDAPMQ0wCwYDVQQDDAR0ZXN0MB4XDTI2MTEyODEyNTUwOFoXDTM2MTEyNTEyNTUwOFowDjEMMAoGA1UEAwwDYXBwMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEiGC2zRvo9yWBoaeifaDaBHWPGlF+OHyPaYp8ztkkjfZNqbWdHlynwjdcOoA0q9HGAUGpy/wUm3i8auBHTWSFFzAFBgMrZXADQQA1l+t9uq/wCq0W/6Q0Kp7e0vje/PuHHBZpkHRiklqc7G0FfGlN9rUq8Q9AFagDkwqFWJgmOg3UkrVfYsDrv2AI"]}]}`)},
		"certificate with a line feed":     {keyed(`{"keys":[{"kty":"EC","crv":"P-256","kid":"a","x":"iGC2zRvo9yWBoaeifaDaBHWPGlF-OHyPaYp8ztkkjfY","y":"Tam1nR5cp8I3XDqANKvRxgFBqcv8FJt4vGrgR01khRc","x5c":["MIHzMIGmAgEHMAUGAytlcDAPMQ0wCwYDVQQDDAR0ZXN0MB4XDTI2MTEyODEyNTUw\nOFoXDTM2MTEyNTEyNTUwOFowDjEMMAoGA1UEAwwDYXBwMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEiGC2zRvo9yWBoaeifaDaBHWPGlF+OHyPaYp8ztkkjfZNqbWdHlynwjdcOoA0q9HGAUGpy/wUm3i8auBHTWSFFzAFBgMrZXADQQBpPF3+sRojq3T04+hkBd6PgAYCdwVUMxKGATMONBxMRBdK/WcjkvqFsesfs9RlZhy5iZWc4PCWsbVEgR08DG0L"]}]}`), "jwk-x5c-mismatch", "/jwks"},
		"mTLS in FAPI 1.0 Advanced with an encryption key": {fields{
			"fapi_profile": "fapi1-advanced", "grant_types": []string{"authorization_code"}, "redirect_uris": []string{"https://app.example.com/cb"},
			"client_auth_methods": []string{"tls_client_auth"}, "tls_client_auth_san_dns": "app.example.com",
			"jwks": `{"keys":[{"kty":"EC","crv":"P-256","kid":"a","x":"iGC2zRvo9yWBoaeifaDaBHWPGlF-OHyPaYp8ztkkjfY","y":"Tam1nR5cp8I3XDqANKvRxgFBqcv8FJt4vGrgR01khRc","use":"enc"}]}`,
		}, "jwks-signing-required", "/jwks"},

		"no grant": {fields{"grant_types": []string{}}, "grant-types-empty", "/grant_types"},
	}
}

// A registration that violates a rule is rejected with the rule and the field, and
// nothing is stored. A valid registration is stored, and reads return it unchanged.
func TestRegistrationsAreCheckedOnBothStores(t *testing.T) {
	onBothStores(t, func(t *testing.T, s service) {
		inputs := ruleInputs()
		for _, name := range slices.Sorted(maps.Keys(inputs)) {
			input := inputs[name]
			t.Run(name, func(t *testing.T) {
				registration := fields{"name": "App", "grant_types": []string{"client_credentials"}}
				maps.Copy(registration, input.body)
				body, err := json.Marshal(registration)
				require.NoError(t, err)
				before := s.do(t, call{method: "GET", path: clients, token: "admin"}).body["total"]
				created := s.do(t, call{method: "POST", path: clients, token: "admin", body: string(body)})
				if input.rule != "" {
					require.Equal(t, http.StatusBadRequest, created.status, created.text)
					assert.Equal(t, []string{input.at + " " + input.rule}, created.violated(), created.text)
					assert.Equal(t, before, s.do(t, call{method: "GET", path: clients, token: "admin"}).body["total"])
					return
				}
				require.Equal(t, http.StatusCreated, created.status, created.text)
				read := s.do(t, call{method: "GET", path: clients + "/" + created.data("client_id").(string), token: "admin"})
				require.Equal(t, http.StatusOK, read.status, read.text)
				for field, value := range input.body {
					if read.data(field) != nil { // responses omit jwks
						want, err := json.Marshal(value)
						require.NoError(t, err)
						got, err := json.Marshal(read.data(field))
						require.NoError(t, err)
						if field == "client_auth_methods" { // a string with JSON text in responses
							got = []byte(read.data(field).(string))
						}
						assert.JSONEq(t, string(want), string(got), field)
					}
				}
			})
		}
	})
}

// The first release accepted the client_id "..". Such a client stays reachable by
// HTTP clients that send the path as it is: the segment is percent-encoded.
func TestStoredClientIDOfDotsIsReachablePercentEncoded(t *testing.T) {
	store, err := sqlite.Open(filepath.Join(t.TempDir(), "test.db"))
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, store.Close()) })
	_, err = store.Migrate(t.Context())
	require.NoError(t, err)
	now := time.Date(2026, 4, 15, 10, 30, 0, 0, time.UTC)
	require.NoError(t, store.Commit(t.Context(), domain.Revision{Action: domain.ActionCreate, At: now, Client: domain.Restore(domain.State{
		Identity: domain.Identity{ID: "client_1", TenantID: "tenant_a", ClientID: ".."},
		Settings: domain.Settings{
			Name: "App", Status: domain.StatusActive, Confidential: true,
			GrantTypes: []domain.GrantType{domain.GrantClientCredentials}, AuthMethods: []domain.AuthMethod{domain.AuthSecretBasic},
		},
		Revision: 1, CreatedAt: now, UpdatedAt: now,
	})}))
	s := serviceOver(t, store)
	read := s.do(t, call{method: "GET", path: clients + "/%2E%2E", token: "admin"})
	require.Equal(t, http.StatusOK, read.status, read.text)
	assert.Equal(t, "..", read.data("client_id"))
	updated := s.do(t, call{method: "PUT", path: clients + "/%2E%2E", token: "admin", body: `{"name":"Other"}`})
	assert.Equal(t, http.StatusOK, updated.status, updated.text)
	assert.Equal(t, http.StatusNoContent, s.do(t, call{method: "DELETE", path: clients + "/%2E%2E", token: "admin"}).status)
}

// A redirect URI whose query has a parameter of authorization responses is accepted with
// a warning.
func TestResponseParameterInRedirectURIGetsAWarning(t *testing.T) {
	s := newService(t)
	a := s.do(t, call{method: "POST", path: clients, token: "admin", body: `{"name":"App","redirect_uris":["https://a.example/cb?error_uri=x"]}`})
	require.Equal(t, http.StatusCreated, a.status, a.text)
	warnings := list(t, a.body, "warnings")
	require.Len(t, warnings, 1, a.text)
	assert.Equal(t, "redirect-uri-reserved-parameter", warnings[0]["rule"])
	assert.Equal(t, "/redirect_uris/0", warnings[0]["field"])
}

// The message of grant-types-empty advises to keep the grant types and set status to
// suspended. An update that does this is accepted. Suspending a client and removing its
// grant types is rejected.
func TestAdviceForAClientWithoutGrantTypesWorks(t *testing.T) {
	s := newService(t)
	path := clients + "/" + s.create(t)
	empty := s.do(t, call{method: "PUT", path: path, token: "admin", body: `{"grant_types":[],"status":"suspended"}`})
	require.Equal(t, http.StatusBadRequest, empty.status, empty.text)
	require.Equal(t, []string{"/grant_types grant-types-empty"}, empty.violated())
	assert.Contains(t, empty.text, "keep its grant types and set status to suspended")
	advised := s.do(t, call{method: "PUT", path: path, token: "admin", body: `{"status":"suspended"}`})
	assert.Equal(t, http.StatusOK, advised.status, advised.text)
}

// overloadedResolver is a resolver that rejects all fetches.
type overloadedResolver struct{ application.KeyResolver }

func (overloadedResolver) Fetch(context.Context, domain.TenantID, string) (domain.Keys, time.Time, error) {
	return domain.Keys{}, time.Time{}, application.ErrTooManyFetches
}

// If the service already fetches too many key sets, the client has not violated a rule.
// Requests that need its keys get a 503 and change nothing, also with a profile that
// rejects unreachable keys.
func TestTooManyFetchesGet503(t *testing.T) {
	store, err := sqlite.Open(filepath.Join(t.TempDir(), "test.db"))
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, store.Close()) })
	_, err = store.Migrate(t.Context())
	require.NoError(t, err)
	book, err := domain.NewRulebook(domain.Policy{})
	require.NoError(t, err)
	s := serviceOver(t, store, func(c *setup) {
		c.Registry.Book, c.Registry.Keys = book, overloadedResolver{c.Registry.Keys}
	})
	id := s.create(t)
	for name, c := range map[string]call{
		"create": {method: "POST", path: clients, body: `{"name":"App","fapi_profile":"fapi2-security","redirect_uris":["https://a.example/cb"],
			"client_auth_methods":["private_key_jwt"],"jwks_uri":"https://keys.example/jwks"}`},
		"dry run": {method: "POST", path: clients + "?dry_run=true", body: `{"name":"App","redirect_uris":["https://a.example/cb"],"jwks_uri":"https://keys.example/jwks"}`},
		"update":  {method: "PUT", path: clients + "/" + id, body: `{"jwks_uri":"https://keys.example/jwks"}`},
		"compliance": {method: "POST", path: "/admin/oauth/compliance", body: `{"name":"App","redirect_uris":["https://a.example/cb"],
			"jwks_uri":"https://keys.example/jwks"}`},
	} {
		t.Run(name, func(t *testing.T) {
			c.token = "admin"
			a := s.do(t, c)
			assert.Equal(t, http.StatusServiceUnavailable, a.status, a.text)
			assert.Equal(t, "1", a.header.Get("Retry-After"))
			assert.Nil(t, a.body["violations"])
		})
	}
	list := s.do(t, call{method: "GET", path: clients, token: "admin"})
	assert.EqualValues(t, 1, list.body["total"])
	read := s.do(t, call{method: "GET", path: clients + "/" + id, token: "admin"})
	assert.Equal(t, `"1"`, read.header.Get("ETag"))
}
