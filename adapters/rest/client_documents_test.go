package rest_test

// These tests are what is specified of client ID metadata documents, as exchanges over HTTP:
// how they are fetched, cached and approved, and which ones a tenant admits.

import (
	"compress/gzip"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strconv"
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

const (
	clientMetadata = "/admin/oauth/client-metadata"
	approvals      = clientMetadata + "/approvals"
)

// documentClock is a clock that a test advances.
type documentClock struct{ offset atomic.Int64 }

func (c *documentClock) Now() time.Time {
	return time.Date(2026, 4, 15, 10, 30, 0, 0, time.UTC).Add(time.Duration(c.offset.Load()))
}

func (c *documentClock) advance(d time.Duration) { c.offset.Add(int64(d)) }

// documentService is a service that may fetch documents from the host of a client.
type documentService struct {
	service
	documentClock
	host     *httptest.Server
	requests atomic.Int64 // for documents
	logos    atomic.Int64 // requests for anything else

	mu      sync.Mutex
	respond http.HandlerFunc
	policy  domain.DocumentPolicy
}

// Registration implements [application.RegistrationPolicies].
func (s *documentService) Registration(tenant domain.TenantID) application.TenantRegistration {
	if tenant != "tenant_a" {
		return application.TenantRegistration{}
	}
	return application.TenantRegistration{Documents: s.policy}
}

// Tenants implements [application.RegistrationPolicies].
func (*documentService) Tenants() []domain.TenantID { return []domain.TenantID{"tenant_a"} }

func newDocumentHost(t *testing.T) *documentService {
	t.Helper()
	s := &documentService{policy: domain.DocumentPolicy{Mode: domain.DocumentsAny}}
	s.host = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		respond := s.respond
		s.mu.Unlock()
		if !strings.HasPrefix(r.URL.Path, "/client") && r.URL.Path != "/" {
			s.logos.Add(1)
			return
		}
		s.requests.Add(1)
		respond(w, r)
	}))
	t.Cleanup(func() { s.host.CloseClientConnections(); s.host.Close() })
	return s
}

// onDocumentServices runs a test with a service on each of the stores.
func onDocumentServices(t *testing.T, test func(t *testing.T, s *documentService)) {
	t.Helper()
	host := newDocumentHost(t)
	roots := x509.NewCertPool()
	roots.AddCert(host.host.Certificate())
	adjust := func(c *setup) {
		policy := domain.Policy{KeyNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}}
		book, err := domain.NewRulebook(policy)
		require.NoError(t, err)
		resolver := jwks.NewResolver(jwks.Options{Policy: policy, Roots: roots, Timeout: 300 * time.Millisecond, Now: host.Now})
		c.Registry.Book, c.Registry.Keys, c.Registry.Sectors, c.Registry.Clock, c.Clock = book, resolver, resolver, host, host
		c.Registry.Registrations = registrationPorts(t, c, host, resolver)
	}
	onBothStores(t, func(t *testing.T, s service) {
		host.service, host.policy = s, domain.DocumentPolicy{Mode: domain.DocumentsAny}
		host.requests.Store(0)
		host.advance(48 * time.Hour)
		test(t, host)
	}, adjust)
}

// url is the URL of a document.
func (s *documentService) url(path string) string { return s.host.URL + path }

// metadataDocument is a valid document, in which these members have other values. A member that is
// nil is removed.
func metadataDocument(url string, members map[string]any) map[string]any {
	d := map[string]any{
		"client_id": url, "client_name": "App", "redirect_uris": []string{"https://127.0.0.1/cb"}, "token_endpoint_auth_method": "none",
	}
	maps.Copy(d, members)
	maps.DeleteFunc(d, func(_ string, value any) bool { return value == nil })
	return d
}

// serves makes the host respond with a document.
func (s *documentService) serves(d map[string]any, header ...string) {
	s.responds(func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		if w.Header().Get("Content-Type") == "" {
			w.Header().Set("Content-Type", "application/json")
		}
		_ = json.NewEncoder(w).Encode(d)
	})
}

func (s *documentService) responds(respond http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.respond = func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Date"] = nil // the clock of the registry is another one
		respond(w, r)
	}
}

// resolve resolves the document at a URL as an authorization server.
func (s *documentService) resolve(t *testing.T, target string) response {
	t.Helper()
	return s.do(t, call{method: "GET", path: clientMetadata + "?client_id=" + url.QueryEscape(target), token: "read"})
}

func (s *documentService) approve(t *testing.T, target, digest string) response {
	t.Helper()
	body, err := json.Marshal(map[string]string{"client_id": target, "digest": digest})
	require.NoError(t, err)
	return s.do(t, call{method: "POST", path: approvals, token: "admin", body: string(body)})
}

// found lists the fields and rules of a list of findings.
func (r response) found(list string) (found []string) {
	findings, _ := r.body[list].([]any)
	for _, f := range findings {
		finding, _ := f.(map[string]any)
		found = append(found, fmt.Sprintf("%s %s", finding["field"], finding["rule"]))
	}
	return found
}

// documentOf returns a member of the description of the document.
func (r response) documentOf(name string) any {
	described, _ := r.data("document").(map[string]any)
	return described[name]
}

func TestFetchesOfClientDocuments(t *testing.T) {
	onDocumentServices(t, func(t *testing.T, s *documentService) {
		valid, err := json.Marshal(metadataDocument(s.url("/client"), nil))
		require.NoError(t, err)
		send := func(kind, text string) http.HandlerFunc {
			return func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", kind)
				_, _ = io.WriteString(w, text)
			}
		}
		status := func(code int) http.HandlerFunc {
			return func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(code)
				if code != http.StatusNotModified && code != http.StatusNoContent {
					_, _ = w.Write(valid)
				}
			}
		}
		redirect := func(to string) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, http.StatusFound) }
		}
		slow := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
		endless := func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			for r.Context().Err() == nil {
				if _, err := io.WriteString(w, strings.Repeat(" ", 1<<16)); err != nil {
					return
				}
			}
		}
		for name, tt := range map[string]struct {
			respond http.HandlerFunc
			reason  string // empty if the document is usable
		}{
			"as it should be":      {send("application/json", string(valid)), ""},
			"with a character set": {send("application/json; charset=utf-8", string(valid)), ""},
			"another kind of JSON": {send("application/client+json", string(valid)), ""},
			"slow":                 {slow, "unreachable"},
			"endless":              {endless, "malformed"},
			"a redirect":           {redirect("/client2"), "unreachable"},
			"a redirect inside":    {redirect("http://127.0.0.1:1/"), "unreachable"},
			"201":                  {status(http.StatusCreated), "unreachable"},
			"203":                  {status(http.StatusNonAuthoritativeInfo), "unreachable"},
			"204":                  {status(http.StatusNoContent), "unreachable"},
			"304":                  {status(http.StatusNotModified), "unreachable"},
			"404":                  {status(http.StatusNotFound), "unreachable"},
			"500":                  {status(http.StatusInternalServerError), "unreachable"},
			"HTML":                 {send("text/html", string(valid)), "unreachable"},
			"text/json":            {send("text/json", string(valid)), "unreachable"},
			"larger than 5 KiB":    {send("application/json", string(valid)+strings.Repeat(" ", 5<<10)), "malformed"},
			"an array":             {send("application/json", "["+string(valid)+"]"), "malformed"},
			"no JSON":              {send("application/json", "<html>"), "malformed"},
			"empty":                {send("application/json", ""), "malformed"},
			"trailing data":        {send("application/json", string(valid)+"{}"), "malformed"},
			"a duplicate member":   {send("application/json", `{"client_id":"a","client_id":"b"}`), "malformed"},
			"a member of a type":   {send("application/json", `{"redirect_uris":"https://127.0.0.1/cb"}`), "malformed"},
			"compressed by a choice": {func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				w.Header().Set("Content-Encoding", "gzip")
				z := gzip.NewWriter(w)
				_, _ = z.Write(valid)
				_ = z.Close()
			}, "unreachable"},
		} {
			s.advance(24 * time.Hour)
			s.responds(tt.respond)
			began := time.Now()
			got := s.resolve(t, s.url("/client"))
			assert.Less(t, time.Since(began), 5*time.Second, name)
			if tt.reason == "" {
				assert.Equal(t, http.StatusOK, got.status, "%s: %s", name, got.text)
				continue
			}
			assert.Equal(t, http.StatusNotFound, got.status, name)
			assert.Equal(t, tt.reason, got.body["reason"], name)
		}
		for _, internal := range []string{"https://10.0.0.1/client", "https://169.254.169.254/client", "https://localhost/client", "https://[::1]/client"} {
			got := s.resolve(t, internal)
			assert.Equal(t, http.StatusNotFound, got.status, internal)
			assert.Equal(t, "unreachable", got.body["reason"], internal)
		}
		malformed := s.resolve(t, s.url("/client"))
		assert.NotEqual(t, http.StatusInternalServerError, malformed.status)
	})
}

func TestPoliciesForClientDocuments(t *testing.T) {
	onDocumentServices(t, func(t *testing.T, s *documentService) {
		hosts := func(names ...string) (list []domain.DocumentHost) {
			for _, name := range names {
				list = append(list, domain.DocumentHost{Host: name})
			}
			return list
		}
		scopes := &domain.RegistrationPolicy{Scopes: []domain.Scope{"openid"}}
		s.serves(metadataDocument(s.url("/client"), map[string]any{"scope": "openid admin"}))
		for name, tt := range map[string]struct {
			policy domain.DocumentPolicy
			status int
			scopes []any
		}{
			"off":                     {domain.DocumentPolicy{Mode: domain.DocumentsOff}, 404, nil},
			"no policy":               {domain.DocumentPolicy{}, 404, nil},
			"allow":                   {domain.DocumentPolicy{Mode: domain.DocumentsAllow, Hosts: hosts("127.0.0.1")}, 200, []any{"openid", "admin"}},
			"allow others":            {domain.DocumentPolicy{Mode: domain.DocumentsAllow, Hosts: hosts("app.example", "*.127.0.0.1")}, 404, nil},
			"deny":                    {domain.DocumentPolicy{Mode: domain.DocumentsDeny, Hosts: hosts("127.0.0.1")}, 404, nil},
			"deny others":             {domain.DocumentPolicy{Mode: domain.DocumentsDeny, Hosts: hosts("app.example")}, 200, []any{"openid", "admin"}},
			"any":                     {domain.DocumentPolicy{Mode: domain.DocumentsAny}, 200, []any{"openid", "admin"}},
			"ceilings of the tenant":  {domain.DocumentPolicy{Mode: domain.DocumentsAny, Ceilings: *scopes}, 200, []any{"openid"}},
			"a policy of the host":    {domain.DocumentPolicy{Mode: domain.DocumentsAllow, Hosts: []domain.DocumentHost{{Host: "127.0.0.1", Policy: scopes}}}, 200, []any{"openid"}},
			"only other scopes":       {domain.DocumentPolicy{Mode: domain.DocumentsAny, Ceilings: domain.RegistrationPolicy{Scopes: []domain.Scope{"profile"}, DefaultScopes: []domain.Scope{"profile"}}}, 200, []any{"profile"}},
			"a policy of other hosts": {domain.DocumentPolicy{Mode: domain.DocumentsAny, Hosts: []domain.DocumentHost{{Host: "app.example", Policy: scopes}}}, 200, []any{"openid", "admin"}},
		} {
			s.policy = tt.policy
			before := s.requests.Load()
			s.advance(24 * time.Hour)
			got := s.resolve(t, s.url("/client"))
			assert.Equal(t, tt.status, got.status, "%s: %s", name, got.text)
			if tt.status == http.StatusOK {
				assert.Equal(t, tt.scopes, got.data("scopes"), name)
				continue
			}
			assert.Equal(t, "denied", got.body["reason"], name)
			assert.Equal(t, before, s.requests.Load(), "%s: the policy comes before a fetch", name)
		}
		before := s.requests.Load()
		for target, policy := range map[string]domain.DocumentPolicy{
			"https://attackerexample.com/c":   {Mode: domain.DocumentsAllow, Hosts: hosts("*.example.com", "example.com")},
			"https://example.com.evil.test/c": {Mode: domain.DocumentsAllow, Hosts: hosts("*.example.com", "example.com")},
			"https://example.com/c":           {Mode: domain.DocumentsAllow, Hosts: hosts("*.example.com")},
			"https://app.example.com/c":       {Mode: domain.DocumentsDeny, Hosts: hosts("*.example.com")},
			"https://APP.example.com:444/c":   {Mode: domain.DocumentsDeny, Hosts: hosts("app.example.com")},
		} {
			s.policy = policy
			assert.Equal(t, "denied", s.resolve(t, target).body["reason"], target)
		}
		assert.Equal(t, before, s.requests.Load())
		s.policy = domain.DocumentPolicy{Mode: domain.DocumentsAny}
		other := s.do(t, call{method: "GET", path: clientMetadata + "?client_id=" + url.QueryEscape(s.url("/client")), token: "other-tenant"})
		assert.Equal(t, http.StatusNotFound, other.status)
		assert.Equal(t, "denied", other.body["reason"])

		s.policy = domain.DocumentPolicy{Mode: domain.DocumentsAny, MaxBytes: 8 << 10}
		s.advance(24 * time.Hour)
		s.serves(metadataDocument(s.url("/client"), map[string]any{"unknown": strings.Repeat("a", 6<<10)}))
		assert.Equal(t, http.StatusOK, s.resolve(t, s.url("/client")).status)
	})
}

func TestClientDocumentsAreCached(t *testing.T) {
	onDocumentServices(t, func(t *testing.T, s *documentService) {
		for cacheControl, fresh := range map[string]time.Duration{
			"": 5 * time.Minute, "no-store": time.Minute, "max-age=1": time.Minute, "max-age=900": 15 * time.Minute, "max-age=999999": 24 * time.Hour,
		} {
			s.advance(24 * time.Hour)
			s.serves(metadataDocument(s.url("/client"), map[string]any{"software_version": cacheControl}), "Cache-Control", cacheControl)
			before := s.requests.Load()
			got := s.resolve(t, s.url("/client"))
			assert.Equal(t, s.Now().Format(time.RFC3339), got.documentOf("fetched_at"), cacheControl)
			assert.Equal(t, s.Now().Add(fresh).Format(time.RFC3339), got.documentOf("fresh_until"), cacheControl)
			s.advance(fresh - time.Second)
			s.responds(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
			assert.Equal(t, http.StatusOK, s.resolve(t, s.url("/client")).status)
			assert.Equal(t, before+1, s.requests.Load(), cacheControl)
			s.advance(time.Second)
			assert.Equal(t, http.StatusNotFound, s.resolve(t, s.url("/client")).status, "nothing stale is served")
		}

		// A document that changes its mind.
		s.advance(24 * time.Hour)
		s.serves(metadataDocument(s.url("/client"), map[string]any{"client_name": "One", "software_version": "999"}))
		s.resolve(t, s.url("/client"))
		s.advance(5 * time.Minute)
		s.serves(metadataDocument(s.url("/client"), map[string]any{"client_name": "Two", "jwks_uri": s.url("/jwks"), "software_version": "999"}))
		changed := s.resolve(t, s.url("/client"))
		require.Equal(t, http.StatusOK, changed.status, changed.text)
		assert.Equal(t, []any{"client_name", "jwks_uri"}, changed.documentOf("changed"))
		assert.Equal(t, true, changed.documentOf("keys_changed"))
		assert.Equal(t, s.Now().Format(time.RFC3339), changed.documentOf("changed_at"))
		assert.Contains(t, changed.documentOf("digest"), "sha-256:")
	})
}

// A document that cannot be used is not cached, so a host is asked ten times in a minute at
// most.
func TestFetchesFromAHostAreLimited(t *testing.T) {
	onDocumentServices(t, func(t *testing.T, s *documentService) {
		s.responds(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) })
		for i := range 10 {
			assert.Equal(t, http.StatusNotFound, s.resolve(t, s.url("/client"+strconv.Itoa(i%3))).status)
		}
		limited := s.resolve(t, s.url("/client"))
		assert.Equal(t, http.StatusTooManyRequests, limited.status, limited.text)
		assert.Equal(t, "6", limited.header.Get("Retry-After"))
		assert.EqualValues(t, 10, s.requests.Load())
		s.advance(6 * time.Second)
		s.serves(metadataDocument(s.url("/client"), nil))
		assert.Equal(t, http.StatusOK, s.resolve(t, s.url("/client")).status)
	})
}

// Requests for one document at the same time wait for one fetch.
func TestADocumentIsFetchedOnce(t *testing.T) {
	onDocumentServices(t, func(t *testing.T, s *documentService) {
		arrived, release := make(chan struct{}), make(chan struct{})
		document, err := json.Marshal(metadataDocument(s.url("/client"), nil))
		require.NoError(t, err)
		var once sync.Once
		s.responds(func(w http.ResponseWriter, _ *http.Request) {
			once.Do(func() { close(arrived) })
			<-release
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write(document)
		})
		var wait sync.WaitGroup
		for range 12 {
			wait.Go(func() { assert.Equal(t, http.StatusOK, s.resolve(t, s.url("/client")).status) })
		}
		<-arrived
		close(release)
		wait.Wait()
		assert.EqualValues(t, 1, s.requests.Load(), "the limit of the host would be ten")
	})
}

func TestClientDocumentsAreApproved(t *testing.T) {
	onDocumentServices(t, func(t *testing.T, s *documentService) {
		target := s.url("/client")
		item := clients + "/" + url.PathEscape(target)
		digestOf := func(members map[string]any) string {
			t.Helper()
			s.advance(5 * time.Minute)
			s.serves(metadataDocument(target, members))
			s.policy.RequireApproval = false
			defer func() { s.policy.RequireApproval = true }()
			got := s.resolve(t, target)
			require.Equal(t, http.StatusOK, got.status, got.text)
			return got.documentOf("digest").(string)
		}
		first := digestOf(nil)
		waiting := s.resolve(t, target)
		assert.Equal(t, http.StatusNotFound, waiting.status)
		assert.Equal(t, "denied", waiting.body["reason"])
		described, _ := waiting.body["document"].(map[string]any)
		assert.Equal(t, first, described["digest"], "an administrator learns what to approve")

		wrong := s.approve(t, target, "sha-256:"+strings.Repeat("0", 64))
		assert.Equal(t, http.StatusBadRequest, wrong.status, wrong.text)
		assert.Equal(t, []string{"/digest cimd-digest"}, wrong.violated())
		assert.Equal(t, "the request is rejected for 1 violation", wrong.body["message"])
		assert.Contains(t, wrong.text, first)
		assert.Equal(t, http.StatusNotFound, s.do(t, call{method: "GET", path: item, token: "read"}).status)

		approved := s.approve(t, target, first)
		require.Equal(t, http.StatusOK, approved.status, approved.text)
		assert.Equal(t, target, approved.data("client_id"))
		resolved := s.resolve(t, target)
		require.Equal(t, http.StatusOK, resolved.status, resolved.text)
		assert.Equal(t, true, resolved.documentOf("approved"))
		assert.EqualValues(t, 1, resolved.data("revision"))
		assert.Equal(t, http.StatusOK, s.do(t, call{method: "GET", path: item, token: "read"}).status, "it is a client like any other")

		s.advance(5 * time.Minute)
		s.serves(metadataDocument(target, map[string]any{"client_name": "Other"}))
		for range 3 {
			pending := s.resolve(t, target)
			require.Equal(t, http.StatusOK, pending.status, pending.text)
			assert.Equal(t, "App", pending.data("name"), "the approved document stays in force")
			assert.Equal(t, first, pending.documentOf("digest"))
			described := pending.documentOf("pending").(map[string]any)
			assert.Equal(t, []any{"client_name"}, described["changed"])
			assert.NotEqual(t, first, described["digest"])
		}
		feed := s.changes(t, "", 2)
		assert.Equal(t, 1, strings.Count(feed.text, `"approve_document"`), feed.text)
		assert.Equal(t, 1, strings.Count(feed.text, `"document_changed"`), feed.text)
		rejected := s.do(t, call{method: "PUT", path: item, token: "admin", body: `{"name":"Mine"}`})
		assert.Equal(t, http.StatusBadRequest, rejected.status)
		assert.Equal(t, []string{"/name cimd-managed"}, rejected.violated())

		second := s.resolve(t, target).documentOf("pending").(map[string]any)["digest"].(string)
		assert.Equal(t, http.StatusBadRequest, s.approve(t, target, first).status, "the document is another one now")
		approved = s.approve(t, target, second)
		require.Equal(t, http.StatusOK, approved.status, approved.text)
		resolved = s.resolve(t, target)
		assert.Equal(t, "Other", resolved.data("name"))
		assert.Nil(t, resolved.documentOf("pending"))
		assert.EqualValues(t, 3, resolved.data("revision"))

		s.advance(5 * time.Minute)
		s.responds(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
		down := s.resolve(t, target)
		assert.Equal(t, http.StatusOK, down.status, "what was approved stays in force")
		assert.Equal(t, []string{" cimd-unavailable"}, down.found("warnings"))

		assert.Equal(t, http.StatusOK, s.do(t, call{method: "PUT", path: item, token: "admin", body: `{"status":"suspended"}`}).status)
		assert.Equal(t, "denied", s.resolve(t, target).body["reason"])
		assert.Equal(t, http.StatusNoContent, s.do(t, call{method: "DELETE", path: item, token: "admin"}).status)
		assert.Equal(t, "denied", s.resolve(t, target).body["reason"])
	})
}

func TestPermissionsForClientDocuments(t *testing.T) {
	onDocumentServices(t, func(t *testing.T, s *documentService) {
		s.serves(metadataDocument(s.url("/client"), nil))
		path := clientMetadata + "?client_id=" + url.QueryEscape(s.url("/client"))
		for token, status := range map[string]int{"read": 200, "admin": 200, "write": 403, "verify": 403, "unprivileged": 403, "unknown": 401, "": 401} {
			assert.Equal(t, status, s.do(t, call{method: "GET", path: path, token: token}).status, token)
		}
		body := fmt.Sprintf(`{"client_id":%q,"digest":"sha-256:%s"}`, s.url("/client"), strings.Repeat("0", 64))
		for token, status := range map[string]int{"read": 403, "write": 403, "other-tenant": 404, "": 401, "admin": 400} {
			assert.Equal(t, status, s.do(t, call{method: "POST", path: approvals, token: token, body: body}).status, token)
		}
		for _, broken := range []string{`{}`, `[]`, `{"client_id":"x","digest":1}`, `{"client_id":"https://a.example/c"}`, `{"client_id":"https://a.example/c","digest":"x","a":1}`} {
			assert.Equal(t, http.StatusBadRequest, s.do(t, call{method: "POST", path: approvals, token: "admin", body: broken}).status, broken)
		}
		ordinary := s.do(t, call{method: "POST", path: clients, token: "admin", body: `{"client_id":"https://a.example/c","name":"App","redirect_uris":["https://a.example/cb"]}`})
		assert.Equal(t, []string{"/client_id client-id-syntax"}, ordinary.violated(), "an ordinary client_id never looks like a URL")
	})
}
