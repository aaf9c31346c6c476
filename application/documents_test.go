package application_test

import (
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/jwks"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// documentHost is a host with one document, which tests change, and a registry that may
// fetch from it, as in development.
type documentHost struct {
	*registry
	clock    *clock
	url      domain.ClientID
	requests atomic.Int64
	policy   domain.DocumentPolicy // of tenant_a

	mu     sync.Mutex
	text   string
	status int
}

// Registration implements [application.RegistrationPolicies].
func (h *documentHost) Registration(tenant domain.TenantID) application.TenantRegistration {
	if tenant != "tenant_a" {
		return application.TenantRegistration{}
	}
	return application.TenantRegistration{Documents: h.policy}
}

// Tenants implements [application.RegistrationPolicies].
func (*documentHost) Tenants() []domain.TenantID { return []domain.TenantID{"tenant_a"} }

// onDocumentHosts runs a test with a document host and a registry on each store.
func onDocumentHosts(t *testing.T, test func(t *testing.T, h *documentHost)) {
	t.Helper()
	onEachStore(t, func(t *testing.T, r *registry) {
		h := &documentHost{registry: r, clock: r.Clock.(*clock), policy: domain.DocumentPolicy{Mode: domain.DocumentsAny}, status: http.StatusOK}
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			h.requests.Add(1)
			h.mu.Lock()
			defer h.mu.Unlock()
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(h.status)
			_, _ = io.WriteString(w, h.text)
		}))
		t.Cleanup(server.Close)
		h.url = domain.ClientID(server.URL + "/client")
		r.with(func(c *application.Config) {
			policy := domain.Policy{KeyPreflight: domain.PreflightOff, Loopback: true}
			resolver := jwks.NewResolver(jwks.Options{Policy: policy, Now: h.clock.Now})
			c.Keys, c.Book = resolver, rulebook(t, policy)
			c.Registrations = registrationPorts(t, r, h, resolver)
		})
		h.serve(t, nil)
		test(t, h)
	})
}

// serve makes the host respond with a valid document in which these members have other
// values, and returns its digest. What was read before is then no longer fresh.
func (h *documentHost) serve(t *testing.T, members map[string]any) string {
	t.Helper()
	document := map[string]any{
		"client_id": h.url, "client_name": "App", "redirect_uris": []string{"https://app.example/cb"}, "token_endpoint_auth_method": "none",
	}
	maps.Copy(document, members)
	text, err := json.Marshal(document)
	require.NoError(t, err)
	h.mu.Lock()
	h.text, h.status = string(text), http.StatusOK
	h.mu.Unlock()
	h.clock.advance(5 * time.Minute)
	parsed, err := jwks.NewResolver(jwks.Options{}).ParseClientDocument(h.url, text)
	require.NoError(t, err)
	return parsed.Digest
}

// fail makes the host respond with an error.
func (h *documentHost) fail() {
	h.mu.Lock()
	h.status = http.StatusServiceUnavailable
	h.mu.Unlock()
	h.clock.advance(5 * time.Minute)
}

func (h *documentHost) resolve(t *testing.T) application.ResolvedDocument {
	t.Helper()
	resolved, err := h.ResolveDocument(t.Context(), admin, h.url)
	require.NoError(t, err)
	return resolved
}

func (h *documentHost) approve(t *testing.T, digest string) application.Revised {
	t.Helper()
	revised, err := h.ApproveDocument(t.Context(), admin, h.url, digest, application.Options{})
	require.NoError(t, err)
	return revised
}

// failure returns why a document is not usable.
func (h *documentHost) failure(t *testing.T) *application.DocumentError {
	t.Helper()
	_, err := h.ResolveDocument(t.Context(), admin, h.url)
	var failure *application.DocumentError
	require.ErrorAs(t, err, &failure)
	return failure
}

// actions returns the actions of the log of the client, oldest first.
func (h *documentHost) actions(t *testing.T) []domain.Action {
	t.Helper()
	log, err := h.Store.Revisions(t.Context(), "tenant_a", h.url, 0, 100)
	require.NoError(t, err)
	actions := make([]domain.Action, len(log))
	for i := range log {
		actions[len(log)-1-i] = log[i].Action
	}
	return actions
}

func rulesOf(findings domain.Findings) (ids []string) {
	for _, f := range findings {
		ids = append(ids, f.Rule)
	}
	return ids
}

func TestADocumentIsResolvedWithoutAClient(t *testing.T) {
	onDocumentHosts(t, func(t *testing.T, h *documentHost) {
		digest := h.serve(t, map[string]any{"unknown": 1, "skip_consent": true, "grant_types": []string{"authorization_code", "magic"}})
		resolved := h.resolve(t)
		assert.Equal(t, domain.Identity{TenantID: "tenant_a", ClientID: h.url}, resolved.Client.Identity())
		assert.Zero(t, resolved.Client.Revision())
		assert.Nil(t, resolved.Client.Registration().Document, "it is not approved")
		settings := resolved.Client.Settings()
		assert.Equal(t, "App", settings.Name)
		assert.Equal(t, domain.StatusActive, settings.Status)
		assert.False(t, settings.Confidential)
		assert.False(t, settings.SkipConsent)
		assert.Equal(t, []domain.GrantType{"authorization_code"}, settings.GrantTypes)
		assert.Equal(t, digest, resolved.Digest)
		assert.Equal(t, h.clock.Now(), resolved.FetchedAt)
		assert.Equal(t, h.clock.Now().Add(5*time.Minute), resolved.FreshUntil)
		assert.Contains(t, rulesOf(resolved.Warnings), "cimd-redirect-origin")
		assert.False(t, resolved.Approved)
		h.resolve(t)
		assert.EqualValues(t, 1, h.requests.Load())

		_, err := h.Find(t.Context(), admin, h.url)
		require.ErrorIs(t, err, application.ErrNotFound)
		assert.Empty(t, h.actions(t))

		h.serve(t, map[string]any{"redirect_uris": []string{"https://other.example/cb"}})
		resolved = h.resolve(t)
		assert.Equal(t, domain.DocumentChanges{"grant_types": h.clock.Now(), "redirect_uris": h.clock.Now()}, resolved.Changes)
	})
}

func TestWarningsAboutTheURLAreReported(t *testing.T) {
	onDocumentHosts(t, func(t *testing.T, h *documentHost) {
		h.url += "?a=b"
		h.serve(t, nil)
		assert.Contains(t, rulesOf(h.resolve(t).Warnings), "cimd-url-query")
		h.approve(t, h.resolve(t).Digest)
		assert.Contains(t, rulesOf(h.resolve(t).Warnings), "cimd-url-query", "also if it is approved")
	})
}

func TestThePolicyDecidesBeforeAFetch(t *testing.T) {
	onDocumentHosts(t, func(t *testing.T, h *documentHost) {
		hosts := func(names ...string) (list []domain.DocumentHost) {
			for _, name := range names {
				list = append(list, domain.DocumentHost{Host: name})
			}
			return list
		}
		for name, tt := range map[string]struct {
			policy   domain.DocumentPolicy
			admitted bool
		}{
			"no policy":        {domain.DocumentPolicy{}, false},
			"off":              {domain.DocumentPolicy{Mode: domain.DocumentsOff, Hosts: hosts("127.0.0.1")}, false},
			"allowed":          {domain.DocumentPolicy{Mode: domain.DocumentsAllow, Hosts: hosts("127.0.0.1")}, true},
			"not allowed":      {domain.DocumentPolicy{Mode: domain.DocumentsAllow, Hosts: hosts("a.example", "*.a.example")}, false},
			"not any is given": {domain.DocumentPolicy{Mode: domain.DocumentsAllow}, false},
			"denied":           {domain.DocumentPolicy{Mode: domain.DocumentsDeny, Hosts: hosts("127.0.0.1")}, false},
			"not denied":       {domain.DocumentPolicy{Mode: domain.DocumentsDeny, Hosts: hosts("a.example")}, true},
			"any":              {domain.DocumentPolicy{Mode: domain.DocumentsAny}, true},
		} {
			h.policy = tt.policy
			before := h.requests.Load()
			h.clock.advance(time.Hour)
			_, err := h.ResolveDocument(t.Context(), admin, h.url)
			if tt.admitted {
				require.NoError(t, err, name)
				assert.Equal(t, before+1, h.requests.Load(), name)
				continue
			}
			var failure *application.DocumentError
			require.ErrorAs(t, err, &failure, name)
			assert.Equal(t, application.DocumentDenied, failure.Reason, name)
			assert.Equal(t, before, h.requests.Load(), name)
			_, err = h.ApproveDocument(t.Context(), admin, h.url, "x", application.Options{})
			require.ErrorAs(t, err, &failure, name)
			assert.Equal(t, before, h.requests.Load(), name)
		}
		h.policy = domain.DocumentPolicy{Mode: domain.DocumentsAny}
		other := admin
		other.Tenant = "tenant_b"
		_, err := h.ResolveDocument(t.Context(), other, h.url)
		require.ErrorContains(t, err, "denied", "another tenant has a policy of its own")

		h.with(func(c *application.Config) { c.Registrations = application.RegistrationConfig{} })
		_, err = h.ResolveDocument(t.Context(), admin, "https://a.example/client")
		require.ErrorContains(t, err, "denied", "without ports everything is off")
	})
}

func TestAMalformedURLIsRejected(t *testing.T) {
	onDocumentHosts(t, func(t *testing.T, h *documentHost) {
		for _, url := range []domain.ClientID{"", "app", "http://a.example/c", "https://a.example", "https://a@a.example/c", "https://a.example/c#d", "https://a.example/a/%2e%2E/b", "https://a.example/a b"} {
			_, err := h.ResolveDocument(t.Context(), admin, url)
			var invalid *application.InvalidError
			require.ErrorAs(t, err, &invalid, url)
			assert.Equal(t, []string{"cimd-url"}, rulesOf(invalid.Findings), url)
			_, err = h.ApproveDocument(t.Context(), admin, url, "x", application.Options{})
			require.ErrorAs(t, err, &invalid, url)
		}
		h.with(func(c *application.Config) { c.Book = rulebook(t, domain.Policy{}) })
		_, err := h.ResolveDocument(t.Context(), admin, h.url)
		var invalid *application.InvalidError
		require.ErrorAs(t, err, &invalid, "loopback is for development")
		assert.Zero(t, h.requests.Load())
	})
}

func TestADocumentThatViolatesRulesIsRejected(t *testing.T) {
	onDocumentHosts(t, func(t *testing.T, h *documentHost) {
		for rule, members := range map[string]map[string]any{
			"cimd-client-id": {"client_id": string(h.url) + "/"},
			"cimd-secret":    {"client_secret": "s"},
			"cimd-link":      {"logo_uri": "javascript:alert(1)"},
			"cimd-redirects": {"redirect_uris": []string{}},
		} {
			h.serve(t, members)
			failure := h.failure(t)
			assert.Equal(t, application.DocumentRejected, failure.Reason, rule)
			assert.Contains(t, rulesOf(failure.Findings.Violations()), rule)
		}
	})
}

// A document that is rejected is read again, so that its owner does not wait for a cache.
func TestADocumentThatIsRepairedIsUsableAtOnce(t *testing.T) {
	onDocumentHosts(t, func(t *testing.T, h *documentHost) {
		h.serve(t, map[string]any{"client_secret": "s"})
		assert.Equal(t, application.DocumentRejected, h.failure(t).Reason)
		assert.EqualValues(t, 1, h.requests.Load(), "one that was just read is not read again")
		assert.Equal(t, application.DocumentRejected, h.failure(t).Reason)
		assert.EqualValues(t, 2, h.requests.Load())
		h.serve(t, nil)
		h.clock.advance(-5 * time.Minute)
		h.resolve(t)
		assert.EqualValues(t, 3, h.requests.Load())

		h.serve(t, map[string]any{"client_secret": "s"})
		for range 20 {
			assert.Equal(t, application.DocumentRejected, h.failure(t).Reason, "also if the host must not be asked again")
		}
		assert.LessOrEqual(t, h.requests.Load(), int64(13))
	})
}

func TestADocumentThatCannotBeReadIsReported(t *testing.T) {
	onDocumentHosts(t, func(t *testing.T, h *documentHost) {
		h.fail()
		assert.Equal(t, application.DocumentUnreachable, h.failure(t).Reason)
		h.serve(t, nil)
		h.resolve(t)
		h.fail()
		assert.Equal(t, application.DocumentUnreachable, h.failure(t).Reason, "nothing stale is returned")
		h.mu.Lock()
		h.status, h.text = http.StatusOK, "[]"
		h.mu.Unlock()
		assert.Equal(t, application.DocumentMalformed, h.failure(t).Reason)
		for range 10 {
			_, _ = h.ResolveDocument(t.Context(), admin, h.url)
		}
		_, err := h.ResolveDocument(t.Context(), admin, h.url)
		require.ErrorIs(t, err, application.ErrTooManyRequests)
	})
}

func TestPermissionsForDocuments(t *testing.T) {
	onDocumentHosts(t, func(t *testing.T, h *documentHost) {
		reader := application.Caller{Subject: "server", Tenant: "tenant_a", Permissions: []application.Permission{application.PermissionRead}}
		writer := application.Caller{Subject: "writer", Tenant: "tenant_a", Permissions: application.Permissions()}
		_, err := h.ResolveDocument(t.Context(), reader, h.url)
		require.NoError(t, err)
		for _, caller := range []application.Caller{callerWithoutPermissions, callerWithoutTenant} {
			_, err = h.ResolveDocument(t.Context(), caller, h.url)
			require.ErrorIs(t, err, application.ErrForbidden)
		}
		for _, caller := range []application.Caller{reader, writer} {
			_, err = h.ApproveDocument(t.Context(), caller, h.url, "x", application.Options{})
			require.ErrorIs(t, err, application.ErrForbidden, "an approval is for administrators")
		}
	})
}

func TestAClientOfADocumentAuthenticates(t *testing.T) {
	onDocumentHosts(t, func(t *testing.T, h *documentHost) {
		key := newSigningKey(t, "1")
		var keys any
		require.NoError(t, json.Unmarshal([]byte(key.jwks(t)), &keys))
		digest := h.serve(t, map[string]any{"token_endpoint_auth_method": "private_key_jwt", "jwks": keys, "token_endpoint_auth_signing_alg": "ES256"})
		verifier := application.Caller{Subject: "server", Tenant: "tenant_a", Permissions: []application.Permission{application.PermissionVerify}}
		authenticate := func(jti string) (application.Authentication, error) {
			return h.Authenticate(t.Context(), verifier, key.sign(t, h.url, jti, h.clock.Now()))
		}
		result, err := authenticate("1")
		require.NoError(t, err)
		assert.Equal(t, h.url, result.Client.Identity().ClientID)
		assert.Equal(t, domain.AuthPrivateKeyJWT, result.Method)
		_, err = authenticate("1")
		assert.Equal(t, domain.FailureAssertionReplayed, reasonOf(t, err))
		_, err = h.Authenticate(t.Context(), verifier, newSigningKey(t, "1").sign(t, h.url, "2", h.clock.Now()))
		assert.Equal(t, domain.FailureAssertionSignature, reasonOf(t, err))

		h.approve(t, digest)
		_, err = authenticate("3")
		require.NoError(t, err)
		h.fail()
		_, err = authenticate("4")
		require.NoError(t, err, "an approved client does not depend on its host")
		require.NoError(t, h.Delete(t.Context(), admin, h.url, application.Options{}))
		_, err = authenticate("5")
		assert.Equal(t, domain.FailureUnknown, reasonOf(t, err))
	})
}

func TestAClientOfADocumentThatIsNotUsableIsUnknown(t *testing.T) {
	onDocumentHosts(t, func(t *testing.T, h *documentHost) {
		identify := func(id domain.ClientID) error {
			_, err := h.Authenticate(t.Context(), admin, application.AuthenticationRequest{Form: domain.AuthForm{ClientID: id}})
			return err
		}
		require.NoError(t, identify(h.url))
		h.serve(t, map[string]any{"client_secret": "s"})
		assert.Equal(t, domain.FailureUnknown, reasonOf(t, identify(h.url)))
		assert.Equal(t, domain.FailureUnknown, reasonOf(t, identify("https://a.example/#")))
		h.fail()
		err := identify(h.url)
		require.ErrorIs(t, err, application.ErrUnavailable)
		var retry *application.RetryError
		require.ErrorAs(t, err, &retry)
		assert.Contains(t, retry.Message, "status 503")
		before := h.requests.Load()
		_, err = h.Authenticate(t.Context(), admin, application.AuthenticationRequest{Form: domain.AuthForm{ClientID: h.url, ClientSecret: "s"}})
		assert.Equal(t, domain.FailureUnknown, reasonOf(t, err), "such a client has no secret")
		h.policy = domain.DocumentPolicy{}
		assert.Equal(t, domain.FailureUnknown, reasonOf(t, identify(h.url)))
		assert.Equal(t, before, h.requests.Load())
	})
}

func TestTheStoreFailsBeforeAFetch(t *testing.T) {
	onDocumentHosts(t, func(t *testing.T, h *documentHost) {
		h.with(func(c *application.Config) { c.Store = failingStore{c.Store} })
		_, err := h.ResolveDocument(t.Context(), admin, h.url)
		require.ErrorIs(t, err, application.ErrUnavailable)
		assert.Zero(t, h.requests.Load())
	})
}

// failingStore is a store that cannot be reached.
type failingStore struct{ application.Store }

func (failingStore) Find(context.Context, domain.TenantID, domain.ClientID) (domain.Client, error) {
	return domain.Client{}, application.ErrUnavailable
}

func TestTheSizeOfADocumentIsThatOfThePolicy(t *testing.T) {
	onDocumentHosts(t, func(t *testing.T, h *documentHost) {
		h.serve(t, map[string]any{"unknown": strings.Repeat("a", domain.DefaultDocumentBytes)})
		assert.Contains(t, h.failure(t).Message, "5120 bytes")
		h.policy.MaxBytes = 2 * domain.DefaultDocumentBytes
		h.resolve(t)
	})
}
