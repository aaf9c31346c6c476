package rest_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A document can be read in the standard names, in which authorization servers read clients.
func TestClientDocumentsInTheStandardNames(t *testing.T) {
	onDocumentServices(t, func(t *testing.T, s *documentService) {
		target := s.url("/client.json")
		s.serves(metadataDocument(target, nil))
		a := s.do(t, call{method: "GET", path: clientMetadata + "?format=rfc7591&client_id=" + url.QueryEscape(target), token: "read"})
		require.Equal(t, http.StatusOK, a.status, a.text)
		assert.Equal(t, "application/vnd.clientele.rfc7591+json", a.header.Get("Content-Type"))
		assertMembers(t, a, map[string]any{
			"client_id": target, "client_name": "App", "response_types": []any{"code"}, "token_endpoint_auth_method": "none", "revision": nil, "data": nil,
		})
		assert.NotNil(t, a.body["document"])
	})
}

func TestWhatAuthorizationServersPublish(t *testing.T) {
	onBothStores(t, func(t *testing.T, s service) {
		get := func(token string) response {
			return s.do(t, call{method: "GET", path: "/admin/oauth/authorization-server-metadata", token: token})
		}
		a := get("read")
		require.Equal(t, http.StatusOK, a.status, a.text)
		for member, want := range map[string]any{
			"registration_endpoint": nil, "client_id_metadata_document_supported": true, "scopes_supported": []any{"openid"},
			"grant_types_supported": []any{"authorization_code", "refresh_token"},
		} {
			assert.Equal(t, want, a.data(member), "%s: %s", member, a.text)
		}
		off := get("other-tenant")
		require.Equal(t, http.StatusOK, off.status, off.text)
		assert.Equal(t, false, off.data("client_id_metadata_document_supported"))
		assert.Nil(t, off.data("registration_endpoint"))
		assert.Equal(t, 403, get("verify").status)
	}, registering(t, `tenants: {tenant_a: {registration: {enabled: true, scopes: [openid]}, cimd: {mode: any}}}`))
}

// Nothing is published that a forced profile forbids to clients.
func TestWhatAuthorizationServersPublishUnderAProfile(t *testing.T) {
	onBothStores(t, func(t *testing.T, s service) {
		a := s.do(t, call{method: "GET", path: "/admin/oauth/authorization-server-metadata", token: "read"})
		require.Equal(t, http.StatusOK, a.status, a.text)
		assert.Equal(t, []any{"private_key_jwt"}, a.data("token_endpoint_auth_methods_supported"))
		assert.Equal(t, []any{"code"}, a.data("response_types_supported"))
	}, registering(t, onlyTenant(`profile: fapi2-security, response_types: [code, "code id_token"], grants: [authorization_code, implicit]`)))
}
