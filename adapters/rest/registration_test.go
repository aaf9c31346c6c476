package rest_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/jwks"
	"github.com/clientele-oauth/clientele/adapters/registrationfile"
	"github.com/clientele-oauth/clientele/adapters/statements"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// The tests of registrations from outside: a test for each row of the specifications and of
// the policy, as an exchange over HTTP on both stores.

// publicURL is where others reach the service. Requests of tests come with another Host.
const publicURL = "https://clients.example.com/base"

// registering returns a configuration with the text of a registration file, for documents
// and keys at loopback addresses.
func registering(t *testing.T, file string) func(*setup) {
	t.Helper()
	policy := domain.Policy{KeyPreflight: domain.PreflightOff, Loopback: true}
	book, err := domain.NewRulebook(policy)
	require.NoError(t, err)
	policies, err := registrationfile.Parse("test.yaml", []byte(file), book)
	require.NoError(t, err)
	return func(c *setup) {
		resolver := jwks.NewResolver(jwks.Options{Policy: policy})
		c.PublicURL, c.Registry.Book = publicURL, book
		c.Registry.Registrations = registrationPorts(t, c, policies, resolver)
		c.Registry.Registrations.PublicURL = publicURL
	}
}

// registrationPorts returns the ports for registrations from outside over the store of a
// service.
func registrationPorts(
	t *testing.T, c *setup, policies application.RegistrationPolicies, resolver *jwks.Resolver,
) application.RegistrationConfig {
	t.Helper()
	store, ok := c.Registry.Store.(application.RegistrationStore)
	require.True(t, ok)
	verifier, err := statements.New(statements.Options{Keys: resolver})
	require.NoError(t, err)
	return application.RegistrationConfig{Store: store, Policies: policies, Statements: verifier, Documents: resolver}
}

// onlyTenant returns a registration file in which one tenant is switched on, with these
// settings in addition.
func onlyTenant(settings string) string {
	return "tenants: {tenant_a: {registration: {enabled: true" + strings.TrimSuffix(", "+settings, ", ") + "}}}"
}

const (
	registerPath = "/oauth/tenant_a/register"
	tokensPath   = "/admin/oauth/registration-tokens"
)

// initialToken returns a new initial access token with the properties.
func (s service) initialToken(t *testing.T, properties string) string {
	t.Helper()
	a := s.do(t, call{method: "POST", path: tokensPath, token: "admin", body: properties})
	require.Equal(t, http.StatusCreated, a.status, a.text)
	value, _ := a.data("token").(string)
	require.NotEmpty(t, value, a.text)
	return value
}

// register registers a client with a new initial access token.
func (s service) registerSelf(t *testing.T, metadata string) response {
	t.Helper()
	return s.do(t, call{method: "POST", path: registerPath, token: s.initialToken(t, `{}`), body: metadata})
}

// selfClient is a client that registered itself.
type selfClient struct {
	service service
	id      string
	token   string // the registration access token
	path    string
	sent    response
}

// registered registers a client, which must succeed.
func (s service) registered(t *testing.T, metadata string) *selfClient {
	t.Helper()
	a := s.registerSelf(t, metadata)
	require.Equal(t, http.StatusCreated, a.status, a.text)
	c := &selfClient{service: s, id: a.body["client_id"].(string), sent: a}
	c.token, _ = a.body["registration_access_token"].(string)
	c.path = registerPath + "/" + url.PathEscape(c.id)
	return c
}

// do sends a request with the registration access token of the client. {id} in the body
// is its identifier.
func (c *selfClient) do(t *testing.T, method, body string) response {
	t.Helper()
	return c.service.do(t, call{method: method, path: c.path, token: c.token, body: strings.ReplaceAll(body, "{id}", c.id)})
}

// item reads the client as an administrator sees it.
func (c *selfClient) item(t *testing.T) response {
	t.Helper()
	a := c.service.do(t, call{method: "GET", path: clients + "/" + c.id + "?include=jwks", token: "admin"})
	require.Equal(t, http.StatusOK, a.status, a.text)
	return a
}

// change changes the client as an administrator.
func (c *selfClient) change(t *testing.T, body string) {
	t.Helper()
	a := c.service.do(t, call{method: "PUT", path: clients + "/" + c.id, token: "admin", body: body})
	require.Equal(t, http.StatusOK, a.status, a.text)
}

// assertMembers compares some members of the response; nil means that the member is absent.
func assertMembers(t *testing.T, a response, members map[string]any) {
	t.Helper()
	for name, want := range members {
		got, given := a.body[name]
		if want == nil {
			assert.False(t, given, "%s: %s", name, a.text)
			continue
		}
		assert.Equal(t, want, got, "%s: %s", name, a.text)
	}
}

// assertRejected checks a rejection of a registration.
func assertRejected(t *testing.T, a response, status int, code string) {
	t.Helper()
	require.Equal(t, status, a.status, a.text)
	assert.Equal(t, code, a.body["error"], a.text)
	description, _ := a.body["error_description"].(string)
	assert.Regexp(t, `^[\x20-\x21\x23-\x5b\x5d-\x7e]+$`, description)
	assert.Equal(t, "no-store", a.header.Get("Cache-Control"))
	assert.Equal(t, "application/json", a.header.Get("Content-Type"))
	assert.NotContains(t, a.body, "code", "there is no envelope")
	assert.NotContains(t, a.body, "timestamp")
}

const (
	// webClient is the least metadata of a client.
	webClient = `{"redirect_uris":["https://app.example.com/cb"]}`
	// publicClient is a client without a secret.
	publicClient = `{"redirect_uris":["https://app.example.com/cb"],"token_endpoint_auth_method":"none","client_name":"App"}`
)
