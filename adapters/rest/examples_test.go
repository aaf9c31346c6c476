package rest_test

import (
	"encoding/json"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/sqlite"
	"github.com/clientele-oauth/clientele/api"
	"github.com/clientele-oauth/clientele/domain"
)

// Every request example in openapi.yaml is accepted as it is, and the response contains
// the values of the example.
func TestRequestExamplesAreAccepted(t *testing.T) {
	doc, err := openapi3.NewLoader().LoadFromData(api.Document)
	require.NoError(t, err)
	sent := 0
	onBothStores(t, func(t *testing.T, s service) {
		for path, item := range doc.Paths.Map() {
			for method, op := range item.Operations() {
				if op.RequestBody == nil {
					continue
				}
				examples := op.RequestBody.Value.Content.Get("application/json").Examples
				require.NotEmpty(t, examples, "%s has no example", op.OperationID)
				for name, example := range examples {
					sent++
					body, err := json.Marshal(example.Value.Value)
					require.NoError(t, err)
					a := s.do(t, exampleCall(t, s, op.OperationID, method, path, string(body)))
					switch op.OperationID {
					case "authenticateClient": // the examples have no valid credentials
						require.Equal(t, "invalid_client", a.body["error"], "%s: %s", name, a.text)
						continue
					case "approveClientMetadata": // the example is no document
						require.Equal(t, "denied", a.body["reason"], "%s: %s", name, a.text)
						continue
					}
					require.Contains(t, []int{http.StatusOK, http.StatusCreated}, a.status, "%s %s: %s", op.OperationID, name, a.text)
					if op.OperationID != "createClient" && op.OperationID != "updateClient" {
						continue
					}
					fields, _ := example.Value.Value.(map[string]any)
					for field, value := range fields {
						if field != "jwks" && field != "secret_hash" { // responses omit them
							assert.Equal(t, value, a.data(field), "%s %s: %s", op.OperationID, name, field)
						}
					}
				}
			}
		}
	}, registering(t, onlyTenant("")))
	assert.GreaterOrEqual(t, sent, 20)
}

// exampleCall returns the request with an example as its body.
func exampleCall(t *testing.T, s service, operation, method, path, body string) call {
	t.Helper()
	switch operation {
	case "registerClient":
		return call{method: method, path: registerPath, token: s.initialToken(t, `{}`), body: body}
	case "updateRegistration":
		client := s.registered(t, publicClient)
		return call{method: method, path: client.path, token: client.token, body: strings.ReplaceAll(body, "app-123", client.id)}
	default:
		return call{method: method, path: strings.ReplaceAll(path, "{client_id}", s.create(t)), token: "admin", body: body}
	}
}

// denyAll is a rate limiter that allows nothing.
type denyAll struct{}

func (denyAll) Allow(domain.TenantID, string) bool { return false }

// denyNetworks is a rate limiter that allows nothing to any network.
type denyNetworks struct{}

func (denyNetworks) Allow(string) bool { return false }

func (denyNetworks) Wait(string) time.Duration { return time.Second }

// Every error example in openapi.yaml is exactly the response to such a request.
func TestErrorExamplesMatchTheResponses(t *testing.T) {
	doc, err := openapi3.NewLoader().LoadFromData(api.Document)
	require.NoError(t, err)
	s := newService(t, registering(t, onlyTenant("")))
	id := s.create(t)
	path := clients + "/" + id
	self := s.registered(t, publicClient)
	suspended := s.registered(t, publicClient)
	suspended.change(t, `{"status":"suspended"}`)
	s.do(t, call{method: "POST", path: path + "/secrets", token: "admin"})
	store, err := sqlite.Open(filepath.Join(t.TempDir(), "test.db"))
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, store.Close()) })
	limited := serviceOver(t, store, registering(t, onlyTenant("")), func(c *setup) {
		c.Callers, c.Registrations.Register = denyAll{}, denyNetworks{}
	})

	received := map[string]response{
		"BadRequest": s.do(t, call{method: "PUT", path: path, token: "admin", body: `{
			"redirect_uris": ["https://app.example.com/#top"], "jwks_uri": "https://app.example.com/jwks.json",
			"jwks": "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"1\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}"}`}),
		"Unauthorized":         s.do(t, call{method: "GET", path: path, token: "expired"}),
		"InvalidClient":        s.authenticate(t, map[string]any{"form": form("client_id", id, "client_secret", "x")}),
		"Forbidden":            s.do(t, call{method: "GET", path: path, token: "unprivileged"}),
		"NotFound":             s.do(t, call{method: "GET", path: clients + "/none", token: "admin"}),
		"PreconditionFailed":   s.do(t, call{method: "PUT", path: path, token: "admin", body: `{}`, header: http.Header{"If-Match": {`"9"`}}}),
		"Conflict":             s.do(t, call{method: "POST", path: path + "/secrets", token: "admin"}),
		"TooManyRequests":      limited.do(t, call{method: "GET", path: path, token: "admin"}),
		"PayloadTooLarge":      s.do(t, call{method: "PUT", path: path, token: "admin", body: `{"name": "` + strings.Repeat("x", 1<<20) + `"}`}),
		"UnsupportedMediaType": s.do(t, call{method: "PUT", path: path, token: "admin", body: `{}`, header: http.Header{"Content-Encoding": {"gzip"}}}),
		"RequestTimeout":       responseToLateBody(t),
		"InternalServerError":  s.do(t, call{method: "GET", path: path, token: "failure"}),
		"ServiceUnavailable":   s.do(t, call{method: "GET", path: path, token: "unavailable"}),

		"RegistrationRejected":     self.do(t, "PUT", `{"client_id":"{id}","redirect_uris":["https://app.example.com/#top"],"token_endpoint_auth_method":"none","client_name":"App"}`),
		"RegistrationUnauthorized": s.do(t, call{method: "GET", path: self.path, token: "other"}),
		"RegistrationForbidden":    suspended.do(t, "GET", ""),
		"NoRegistration":           s.do(t, call{method: "POST", path: "/oauth/tenant_b/register", body: webClient}),
		"RegistrationRetry":        limited.do(t, call{method: "POST", path: registerPath, body: webClient}),
	}
	for name, described := range doc.Components.Responses {
		got, known := received[name]
		if !assert.True(t, known, "no request of this test causes %s", name) {
			continue
		}
		shown, _ := described.Value.Content.Get("application/json").Example.(map[string]any)
		require.NotNil(t, shown, name)
		delete(shown, "timestamp")
		delete(got.body, "timestamp")
		assert.Equal(t, shown, got.body, name)
		if code, enveloped := shown["code"]; enveloped {
			assert.EqualValues(t, code, got.status, name)
		}
		for header := range described.Value.Headers {
			assert.NotEmpty(t, got.header.Get(header), "%s: %s", name, header)
		}
	}
}
