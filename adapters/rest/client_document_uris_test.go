package rest_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What a document names is fetched under the same guard, and a logo never.
func TestURIsInsideOfClientDocuments(t *testing.T) {
	onDocumentServices(t, func(t *testing.T, s *documentService) {
		before := s.logos.Load()
		s.serves(metadataDocument(s.url("/client"), map[string]any{
			"logo_uri": s.url("/logo"), "client_uri": s.url("/home"), "policy_uri": s.url("/policy"), "tos_uri": s.url("/terms"),
		}))
		got := s.resolve(t, s.url("/client"))
		require.Equal(t, http.StatusOK, got.status, got.text)
		assert.Equal(t, before, s.logos.Load())

		s.advance(5 * time.Minute)
		s.serves(metadataDocument(s.url("/client"), map[string]any{"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": s.url("/client-keys")}))
		keys := s.requests.Load()
		s.resolve(t, s.url("/client"))
		assert.Equal(t, keys+2, s.requests.Load(), "the document and its keys")
	})
}

// A client is confidential if the method in its document is one.
func TestClientDocumentsWithKeys(t *testing.T) {
	onDocumentServices(t, func(t *testing.T, s *documentService) {
		keys := map[string]any{"keys": []any{map[string]any{"kty": "OKP", "crv": "Ed25519", "kid": "1", "use": "sig", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}}}
		s.serves(metadataDocument(s.url("/client"), map[string]any{"token_endpoint_auth_method": "private_key_jwt", "jwks": keys}))
		got := s.resolve(t, s.url("/client"))
		require.Equal(t, http.StatusOK, got.status, got.text)
		assert.Equal(t, true, got.data("is_confidential"))
		assert.Nil(t, got.data("secret_last_four"))
	})
}
