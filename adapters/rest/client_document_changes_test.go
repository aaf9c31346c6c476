package rest_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// publishes makes the host respond with a document in which these members have other values,
// and returns the response to an authorization server after it was fetched.
func (s *documentService) publishes(t *testing.T, target string, members map[string]any) response {
	t.Helper()
	s.advance(5 * time.Minute)
	s.serves(metadataDocument(target, members))
	resolved := s.resolve(t, target)
	require.Equal(t, http.StatusOK, resolved.status, resolved.text)
	return resolved
}

func pendingOf(t *testing.T, r response) map[string]any {
	t.Helper()
	pending, waits := r.documentOf("pending").(map[string]any)
	require.True(t, waits, r.text)
	return pending
}

// What changed for an approved client is the difference between two approvals, however often
// its document changed in between.
func TestChangesOfAnApprovedClientDocument(t *testing.T) {
	onDocumentServices(t, func(t *testing.T, s *documentService) {
		target := s.url("/client")
		redirects := []string{"https://127.0.0.1/other"}
		first := s.publishes(t, target, nil)
		require.Equal(t, http.StatusOK, s.approve(t, target, first.documentOf("digest").(string)).status)
		assertChanges := func(r response, at any, changed []any, keys bool) {
			t.Helper()
			assert.Equal(t, at, r.documentOf("changed_at"), r.text)
			assert.Equal(t, changed, r.documentOf("changed"))
			assert.Equal(t, keys, r.documentOf("keys_changed"))
		}
		assertChanges(s.resolve(t, target), nil, []any{}, false)

		s.publishes(t, target, map[string]any{"redirect_uris": redirects})
		last := s.publishes(t, target, map[string]any{"redirect_uris": redirects, "client_name": "Other", "jwks_uri": s.url("/jwks")})
		assertChanges(last, nil, []any{}, false)
		require.Equal(t, http.StatusOK, s.approve(t, target, pendingOf(t, last)["digest"].(string)).status)
		approved, at := s.resolve(t, target), s.Now().Format(time.RFC3339)
		assertChanges(approved, at, []any{"client_name", "jwks_uri", "redirect_uris"}, true)

		s.publishes(t, target, map[string]any{"redirect_uris": redirects, "client_name": "Third", "jwks_uri": s.url("/jwks")})
		back := s.publishes(t, target, map[string]any{"redirect_uris": redirects, "client_name": "Other", "jwks_uri": s.url("/jwks")})
		assert.Nil(t, back.documentOf("pending"))
		assertChanges(back, at, []any{"client_name", "jwks_uri", "redirect_uris"}, true)
		assert.Equal(t, map[string]any{"client_name": at, "jwks_uri": at, "redirect_uris": at}, back.documentOf("members_changed_at"))

		last = s.publishes(t, target, map[string]any{"redirect_uris": redirects, "client_name": "Third", "jwks_uri": s.url("/jwks")})
		require.Equal(t, http.StatusOK, s.approve(t, target, pendingOf(t, last)["digest"].(string)).status)
		later := s.Now().Format(time.RFC3339)
		assertChanges(s.resolve(t, target), later, []any{"client_name"}, false)
		assert.Equal(t, map[string]any{"client_name": later, "jwks_uri": at, "redirect_uris": at}, s.resolve(t, target).documentOf("members_changed_at"))
	})
}

// The warnings about an approved client are those about what was approved, whatever its
// document is now.
func TestWarningsAboutAnApprovedClientDocument(t *testing.T) {
	onDocumentServices(t, func(t *testing.T, s *documentService) {
		target := s.url("/client")
		loopback := map[string]any{"redirect_uris": []string{"http://127.0.0.1/cb"}, "client_name": nil, "logo_uri": "https://logo.example/a.png"}
		warnings := []string{"/client_name cimd-name", "/logo_uri link-host", "/redirect_uris cimd-loopback-only"}
		first := s.publishes(t, target, loopback)
		require.Equal(t, warnings, first.found("warnings"))
		require.Equal(t, http.StatusOK, s.approve(t, target, first.documentOf("digest").(string)).status)
		assert.Equal(t, warnings, s.resolve(t, target).found("warnings"))
		assert.Equal(t, warnings, s.publishes(t, target, nil).found("warnings"), "a change is pending")
		s.advance(5 * time.Minute)
		s.responds(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
		assert.Equal(t, append(warnings, " cimd-unavailable"), s.resolve(t, target).found("warnings"))
	})
}

// A pending document is described so that an administrator sees what an approval would do.
func TestPendingClientDocuments(t *testing.T) {
	onDocumentServices(t, func(t *testing.T, s *documentService) {
		target := s.url("/client")
		first := s.publishes(t, target, nil)
		require.Equal(t, http.StatusOK, s.approve(t, target, first.documentOf("digest").(string)).status)
		private := map[string]any{"keys": []any{map[string]any{"kty": "oct", "k": "c2VjcmV0"}}}
		for _, tt := range []struct {
			name       string
			members    map[string]any
			changed    []any
			violations []string
		}{
			{
				"a link that is a script",
				map[string]any{"logo_uri": "javascript:alert(1)"},
				[]any{"logo_uri"},
				[]string{"/logo_uri link-syntax", "/logo_uri cimd-link"},
			},
			{"another client_id", map[string]any{"client_id": "https://app.example/client"}, []any{"client_id"}, []string{"/client_id cimd-client-id"}},
			{"no client_id", map[string]any{"client_id": nil}, []any{"client_id"}, []string{"/client_id cimd-client-id"}},
			{
				"a secret",
				map[string]any{"client_secret": "s", "client_secret_expires_at": 0},
				[]any{"client_secret", "client_secret_expires_at"},
				[]string{"/client_secret cimd-secret", "/client_secret_expires_at cimd-secret"},
			},
			{"a secret key", map[string]any{"jwks": private}, []any{"jwks"}, []string{"/jwks cimd-private-key"}},
			{"a change that can be approved", map[string]any{"client_name": "Other"}, []any{"client_name"}, nil},
		} {
			pending := pendingOf(t, s.publishes(t, target, tt.members))
			assert.Equal(t, tt.changed, pending["changed"], tt.name)
			violations := response{body: pending}.found("violations")
			assert.Equal(t, tt.violations, violations, tt.name)
			approved := s.approve(t, target, pending["digest"].(string))
			assert.Equal(t, len(violations) == 0, approved.status == http.StatusOK, "%s: %s", tt.name, approved.text)
		}
		pending := pendingOf(t, s.publishes(t, target, map[string]any{"redirect_uris": []string{"https://127.0.0.1/a", "https://127.0.0.1/b"}}))
		assert.Equal(t, []any{
			map[string]any{"field": "/name", "before": []any{"Other"}, "after": []any{"App"}},
			map[string]any{"field": "/redirect_uris", "before": []any{"https://127.0.0.1/cb"}, "after": []any{"https://127.0.0.1/a", "https://127.0.0.1/b"}},
		}, pending["differences"])
		stored := s.do(t, call{method: "GET", path: clients + "/" + url.PathEscape(target), token: "read"})
		registration, _ := stored.data("registration").(map[string]any)
		document, _ := registration["document"].(map[string]any)
		assert.Equal(t, map[string]any{"changed": pending["changed"], "digest": pending["digest"], "seen_at": pending["seen_at"]}, document["pending"])

		s.advance(5 * time.Minute)
		s.responds(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) })
		assert.Equal(t, document["pending"], pendingOf(t, s.resolve(t, target)), "a document that was removed is still pending")
	})
}
