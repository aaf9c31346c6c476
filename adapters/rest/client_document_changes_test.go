package rest_test

import (
	"net/http"
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
