package application_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// An authorization server that has no client of a document reads its keys as those of any
// other client.
func TestTheKeysOfADocument(t *testing.T) {
	onDocumentHosts(t, func(t *testing.T, h *documentHost) {
		var keys any
		require.NoError(t, json.Unmarshal([]byte(newSigningKey(t, "1").jwks(t)), &keys))
		digest := h.serve(t, map[string]any{"token_endpoint_auth_method": "private_key_jwt", "jwks": keys, "token_endpoint_auth_signing_alg": "ES256"})
		found := func() {
			t.Helper()
			inForce, err := h.ClientKeys(t.Context(), admin, h.url)
			require.NoError(t, err)
			set, seen := inForce.Keys.Set()
			require.True(t, seen)
			require.Len(t, set.Keys, 1)
			assert.Equal(t, "1", set.Keys[0].KeyID)
		}
		unknown := func(id domain.ClientID) {
			t.Helper()
			_, err := h.ClientKeys(t.Context(), admin, id)
			require.ErrorIs(t, err, application.ErrNotFound)
		}
		found()
		_, err := h.ClientKeys(t.Context(), application.Caller{Tenant: "tenant_a"}, h.url)
		require.ErrorIs(t, err, application.ErrForbidden)
		unknown("https://a.example/#")
		unknown("nobody")
		h.fail()
		_, err = h.ClientKeys(t.Context(), admin, h.url)
		require.ErrorIs(t, err, application.ErrUnavailable, "it is not known whether there is such a client")
		require.NotErrorIs(t, err, application.ErrNotFound)

		h.serve(t, map[string]any{"token_endpoint_auth_method": "private_key_jwt", "jwks": keys, "token_endpoint_auth_signing_alg": "ES256"})
		h.approve(t, digest)
		h.fail()
		found()
		require.NoError(t, h.Delete(t.Context(), admin, h.url, application.Options{}))
		unknown(h.url)
	})
}
