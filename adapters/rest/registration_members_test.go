package rest_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/domain"
)

// Every member that a client may register is answered, read, kept by an update that sends it
// and unset by one that does not.

// memberOf is a value of one member, and what must be sent with it.
type memberOf struct {
	value any
	with  map[string]any
}

// registrableMembers has a row for each member that a client may register.
func registrableMembers() map[string]memberOf {
	const host = "https://app.example.com/"
	keys := map[string]any{"jwks": map[string]any{"keys": []any{map[string]any{
		"kty": "EC", "crv": "P-256", "kid": "e", "use": "enc", "alg": "ECDH-ES", "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
	}, map[string]any{
		"kty": "EC", "crv": "P-256", "kid": "s", "use": "sig", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
	}}}}
	tls := map[string]any{"token_endpoint_auth_method": "tls_client_auth"}
	ping := map[string]any{
		"grant_types": []any{"authorization_code", "urn:openid:params:grant-type:ciba"}, "backchannel_token_delivery_mode": "ping",
		"backchannel_client_notification_endpoint": host + "notified",
	}
	joined := func(parts ...map[string]any) map[string]any {
		all := map[string]any{}
		for _, part := range parts {
			maps.Copy(all, part)
		}
		return all
	}
	members := map[string]memberOf{
		"client_name": {"App", nil}, "redirect_uris": {[]any{host + "other"}, nil}, "grant_types": {[]any{"authorization_code", "refresh_token"}, nil},
		"scope": {"openid profile", nil}, "token_endpoint_auth_method": {"client_secret_post", nil}, "response_types": {[]any{"code"}, nil},
		"jwks": {keys["jwks"], nil}, "jwks_uri": {host + "jwks", nil}, "logo_uri": {host + "logo", nil}, "client_uri": {host + "home", nil},
		"policy_uri": {host + "policy", nil}, "tos_uri": {host + "terms", nil}, "response_modes": {[]any{"query"}, nil},
		"application_type": {"web", nil}, "contacts": {[]any{"a@example.com"}, nil}, "description": {"What it does", nil},
		"software_id": {"software-1", nil}, "software_version": {"2", nil}, "subject_type": {"public", nil},
		"sector_identifier_uri":        {host + "sector", nil},
		"id_token_signed_response_alg": {"ES256", nil}, "userinfo_signed_response_alg": {"ES256", nil}, "introspection_signed_response_alg": {"ES256", nil},
		"authorization_signed_response_alg": {"ES256", nil}, "request_object_signing_alg": {"ES256", keys},
		"request_object_encryption_alg": {"RSA-OAEP-256", nil}, "request_object_encryption_enc": {"A128GCM", map[string]any{"request_object_encryption_alg": "RSA-OAEP-256"}},
		"token_endpoint_auth_signing_alg": {"ES256", joined(keys, map[string]any{"token_endpoint_auth_method": "private_key_jwt"})},
		"default_max_age":                 {600.0, nil}, "require_auth_time": {true, nil}, "default_acr_values": {[]any{"urn:example:acr"}, nil},
		"initiate_login_uri": {host + "login", nil}, "request_uris": {[]any{host + "request"}, nil}, "post_logout_redirect_uris": {[]any{host + "bye"}, nil},
		"backchannel_logout_uri": {host + "out", nil}, "backchannel_logout_session_required": {true, map[string]any{"backchannel_logout_uri": host + "out"}},
		"frontchannel_logout_uri": {host + "out", nil}, "frontchannel_logout_session_required": {true, map[string]any{"frontchannel_logout_uri": host + "out"}},
		"require_signed_request_object": {true, keys}, "require_pushed_authorization_requests": {true, nil}, "dpop_bound_access_tokens": {true, nil},
		"tls_client_certificate_bound_access_tokens": {true, map[string]any{"token_endpoint_auth_method": "tls_client_auth", "tls_client_auth_san_dns": "app.example.com"}},
		"use_mtls_endpoint_aliases":                  {true, map[string]any{"token_endpoint_auth_method": "tls_client_auth", "tls_client_auth_san_dns": "app.example.com"}},
		"authorization_details_types":                {[]any{"payment"}, nil},
		"backchannel_token_delivery_mode":            {"ping", ping}, "backchannel_client_notification_endpoint": {host + "notified", ping},
		"backchannel_authentication_request_signing_alg": {"ES256", joined(ping, keys)}, "backchannel_user_code_parameter": {true, ping},
	}
	for name, value := range map[string]string{"subject_dn": "CN=app", "san_dns": "app.example.com", "san_uri": host, "san_ip": "192.0.2.1", "san_email": "a@example.com"} {
		members["tls_client_auth_"+name] = memberOf{value, tls}
	}
	for _, kind := range []string{"id_token", "userinfo", "introspection", "authorization"} {
		signed := map[string]any{kind + "_signed_response_alg": "ES256"}
		members[kind+"_encrypted_response_alg"] = memberOf{"ECDH-ES", joined(keys, signed)}
		members[kind+"_encrypted_response_enc"] = memberOf{"A128GCM", joined(keys, signed, map[string]any{kind + "_encrypted_response_alg": "ECDH-ES"})}
	}
	return members
}

func TestEveryMemberIsRegisteredKeptAndUnset(t *testing.T) {
	members := registrableMembers()
	for f := range domain.SelfFields().All() {
		require.Contains(t, members, f.Metadata(), "a member without a row")
	}
	require.Len(t, members, domain.SelfFields().Len())
	policy := onlyTenant(`grants: [authorization_code, refresh_token, "urn:openid:params:grant-type:ciba"], ` +
		`auth_methods: [client_secret_basic, client_secret_post, private_key_jwt, tls_client_auth]`)
	onBothStores(t, func(t *testing.T, s service) {
		for name, row := range members {
			t.Run(name, func(t *testing.T) {
				least := map[string]any{"redirect_uris": []any{"https://app.example.com/cb"}}
				sent := maps.Clone(least)
				maps.Copy(sent, row.with)
				sent[name] = row.value
				c := s.registered(t, object(t, sent))
				assertMembers(t, c.sent, map[string]any{name: row.value})
				assert.Equal(t, row.value, c.do(t, "GET", "").body[name])

				sent["client_id"] = c.id
				same := c.do(t, "PUT", object(t, sent))
				require.Equal(t, http.StatusOK, same.status, same.text)
				assertMembers(t, same, map[string]any{name: row.value})
				assert.Equal(t, `"1"`, same.header.Get("ETag"), "nothing was changed")

				least["client_id"] = c.id
				text, err := json.Marshal(least)
				require.NoError(t, err)
				unset := c.do(t, "PUT", string(text))
				require.Equal(t, http.StatusOK, unset.status, unset.text)
				plain := map[string]any{ // what is answered of the least metadata
					"redirect_uris": []any{"https://app.example.com/cb"}, "grant_types": []any{"authorization_code"},
					"response_types": []any{"code"}, "token_endpoint_auth_method": "client_secret_basic",
				}
				for f := range domain.SelfFields().All() {
					assertMembers(t, unset, map[string]any{f.Metadata(): plain[f.Metadata()]})
				}
			})
		}
	}, registering(t, policy))
}
