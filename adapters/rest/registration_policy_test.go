package rest_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The policy: what it allows, forces and writes, at the registration and at every update.

func TestPolicies(t *testing.T) {
	const keys = `"jwks":{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"1","use":"sig","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`
	tests := map[string]struct {
		policy   string
		metadata string
		code     string         // of the rejection; empty if it is accepted
		want     map[string]any // members of the response
		item     map[string]any // fields of the client
	}{
		"a host of the policy":                {`redirect_hosts: ["*.example.com"]`, webClient, "", nil, nil},
		"another host":                        {`redirect_hosts: ["*.example.com"]`, `{"redirect_uris":["https://app.example.org/"]}`, "invalid_redirect_uri", nil, nil},
		"a host that only ends alike":         {`redirect_hosts: ["*.example.com"]`, `{"redirect_uris":["https://attackerexample.com/"]}`, "invalid_redirect_uri", nil, nil},
		"the domain of a wildcard":            {`redirect_hosts: ["*.example.com"]`, `{"redirect_uris":["https://example.com/"]}`, "invalid_redirect_uri", nil, nil},
		"another host to log out to":          {`redirect_hosts: ["*.example.com"]`, `{"redirect_uris":["https://app.example.com/cb"],"post_logout_redirect_uris":["https://evil.example/"]}`, "invalid_client_metadata", nil, nil},
		"another host to report logouts to":   {`redirect_hosts: ["*.example.com"]`, `{"redirect_uris":["https://app.example.com/cb"],"backchannel_logout_uri":"https://evil.example/"}`, "invalid_client_metadata", nil, nil},
		"a kind of redirect URI":              {`redirect_kinds: [https]`, `{"redirect_uris":["com.example.app:/cb"],"token_endpoint_auth_method":"none"}`, "invalid_redirect_uri", nil, nil},
		"a kind of URI to log out to":         {`redirect_kinds: [https]`, strings.Replace(publicClient, "{", `{"post_logout_redirect_uris":["com.example.app:/out"],`, 1), "invalid_client_metadata", nil, nil},
		"a loopback redirect URI":             {`redirect_kinds: [https]`, `{"redirect_uris":["http://127.0.0.1/cb"],"token_endpoint_auth_method":"none"}`, "invalid_redirect_uri", nil, nil},
		"only grants beyond the policy":       {``, `{"grant_types":["client_credentials"]}`, "invalid_client_metadata", nil, nil},
		"only scopes beyond the policy":       {`scopes: [openid]`, strings.Replace(webClient, "{", `{"scope":"admin",`, 1), "invalid_client_metadata", nil, nil},
		"no scope, no default":                {`scopes: [openid]`, webClient, "", map[string]any{"scope": nil}, map[string]any{"scopes": []any{}}},
		"no scope, a default":                 {`scopes: [openid, profile], default_scopes: [profile]`, webClient, "", map[string]any{"scope": "profile"}, nil},
		"an omitted method beyond the policy": {`auth_methods: [none]`, webClient, "", map[string]any{"token_endpoint_auth_method": "none", "client_secret": nil}, nil},
		"a method with keys that are there":   {`auth_methods: [private_key_jwt]`, strings.Replace(webClient, "{", `{`+keys+`,`, 1), "", map[string]any{"token_endpoint_auth_method": "private_key_jwt"}, nil},
		"a method without its keys":           {`auth_methods: [private_key_jwt]`, webClient, "invalid_client_metadata", nil, nil},
		"a secret method, none without PKCE":  {`auth_methods: [none]`, strings.Replace(webClient, "{", `{"token_endpoint_auth_method":"client_secret_post",`, 1), "invalid_client_metadata", nil, nil},
		"a secret method, none with PKCE":     {`auth_methods: [none], require_pkce: true`, strings.Replace(webClient, "{", `{"token_endpoint_auth_method":"client_secret_post",`, 1), "", map[string]any{"token_endpoint_auth_method": "none"}, map[string]any{"require_pkce": true}},
		"a method with a shared secret":       {`auth_methods: [client_secret_jwt, none]`, strings.Replace(webClient, "{", `{"token_endpoint_auth_method":"client_secret_jwt",`, 1), "invalid_client_metadata", nil, nil},
		"what is forced":                      {`require_pkce: true, par: true, dpop: true`, webClient, "", map[string]any{"require_pushed_authorization_requests": true, "dpop_bound_access_tokens": true, "require_pkce": nil}, map[string]any{"require_pkce": true}},
		"what is written":                     {`owner: team, access_token_lifetime: 300, labels: {example.com/tier: gold}`, webClient, "", map[string]any{"owner": nil, "labels": nil}, map[string]any{"owner": "team", "access_token_lifetime": 300.0, "labels": map[string]any{"example.com/tier": "gold"}}},
		"a client that waits":                 {`initial_status: suspended`, webClient, "", nil, map[string]any{"status": "suspended"}},
		"a link on another host, warned":      {``, strings.Replace(webClient, "{", `{"logo_uri":"https://bank.example/logo.png",`, 1), "", map[string]any{"logo_uri": "https://bank.example/logo.png"}, nil},
		"a link on another host, required":    {`link_hosts: require`, strings.Replace(webClient, "{", `{"logo_uri":"https://bank.example/logo.png",`, 1), "invalid_client_metadata", nil, nil},
		"response types beyond the policy":    {`response_types: [code], grants: [authorization_code, implicit]`, strings.Replace(webClient, "{", `{"grant_types":["authorization_code","implicit"],"response_types":["code","id_token"],`, 1), "", map[string]any{"response_types": []any{"code"}}, nil},
		"response types beyond, replaced":     {`response_types: ["code id_token"], grants: [authorization_code, implicit]`, strings.Replace(webClient, "{", `{"grant_types":["authorization_code","implicit"],"scope":"openid",`, 1), "", map[string]any{"response_types": []any{"code id_token"}}, nil},
		"response types beyond, not usable":   {`response_types: ["code id_token", code], grants: [authorization_code, implicit]`, strings.Replace(webClient, "{", `{"grant_types":["implicit"],`, 1), "invalid_client_metadata", nil, nil},
		"an extension grant":                  {`grants: ["urn:example:grant", authorization_code]`, strings.Replace(webClient, "{", `{"grant_types":["authorization_code","urn:example:grant"],`, 1), "", map[string]any{"grant_types": []any{"authorization_code"}}, nil},
		"a host in an exact list":             {`redirect_hosts: [app.example.com]`, webClient, "", nil, nil},
		"a host below an exact one":           {`redirect_hosts: [example.com]`, webClient, "invalid_redirect_uri", nil, nil},
		"another host to report at in front":  {`redirect_hosts: ["*.example.com"]`, strings.Replace(webClient, "{", `{"frontchannel_logout_uri":"https://evil.example/",`, 1), "invalid_client_metadata", nil, nil},
		"no key for scopes":                   {``, strings.Replace(webClient, "{", `{"scope":"openid anything",`, 1), "", map[string]any{"scope": "openid anything"}, nil},
		"no scope is allowed":                 {`scopes: []`, strings.Replace(webClient, "{", `{"scope":"openid",`, 1), "invalid_client_metadata", nil, nil},
		"only unknown response types":         {``, strings.Replace(webClient, "{", `{"response_types":["magic"],`, 1), "invalid_client_metadata", nil, nil},
		"only unknown response modes":         {``, strings.Replace(webClient, "{", `{"response_modes":["magic"],`, 1), "invalid_client_metadata", nil, nil},
		"a response type of another profile":  {`profile: fapi2-security, auth_methods: [private_key_jwt]`, strings.Replace(webClient, "{", `{"response_types":["code","code id_token"],`+keys+`,"dpop_bound_access_tokens":true,"require_pushed_authorization_requests":true,`, 1), "", map[string]any{"response_types": []any{"code"}}, map[string]any{"fapi_profile": "fapi2-security"}},
		"types of authorization details":      {`authorization_details_types: [payment]`, strings.Replace(webClient, "{", `{"authorization_details_types":["payment","account"],`, 1), "", map[string]any{"authorization_details_types": []any{"payment"}}, nil},
		"only other authorization details":    {`authorization_details_types: [payment]`, strings.Replace(webClient, "{", `{"authorization_details_types":["account"],`, 1), "invalid_client_metadata", nil, nil},
		"resources":                           {`resources: ["https://api.example.com"]`, webClient, "", map[string]any{"resources": nil}, map[string]any{"resources": []any{"https://api.example.com"}}},
		"bound to certificates":               {`mtls: true, auth_methods: [tls_client_auth]`, strings.Replace(webClient, "{", `{"tls_client_auth_san_dns":"app.example.com",`, 1), "", map[string]any{"tls_client_certificate_bound_access_tokens": true, "token_endpoint_auth_method": "tls_client_auth"}, nil},
		"signed requests":                     {`signed_requests: true`, strings.Replace(webClient, "{", `{`+keys+`,"request_object_signing_alg":"EdDSA",`, 1), "", map[string]any{"require_signed_request_object": true}, nil},
		"other lifetimes":                     {`grants: [authorization_code, refresh_token], id_token_lifetime: 200, refresh_token_lifetime: 86400`, strings.Replace(webClient, "{", `{"grant_types":["authorization_code","refresh_token"],`, 1), "", nil, map[string]any{"id_token_lifetime": 200.0, "refresh_token_lifetime": 86400.0}},
		"a link on another host, not checked": {`link_hosts: off`, strings.Replace(webClient, "{", `{"client_name":"App","logo_uri":"https://bank.example/logo.png",`, 1), "", map[string]any{"warnings": nil}, nil},
		"a method that nothing replaces":      {`auth_methods: [private_key_jwt, client_secret_post]`, strings.Replace(webClient, "{", `{"token_endpoint_auth_method":"client_secret_basic",`, 1), "", map[string]any{"token_endpoint_auth_method": "client_secret_post"}, nil},
		"a shared secret to sign with":        {``, strings.Replace(webClient, "{", `{"token_endpoint_auth_method":"client_secret_jwt",`, 1), "", map[string]any{"token_endpoint_auth_method": "client_secret_basic"}, nil},
		"a script to redirect to":             {``, `{"redirect_uris":["javascript:alert(1)"]}`, "invalid_redirect_uri", nil, nil},
		"the name of a web client":            {``, webClient, "", map[string]any{"client_name": nil}, map[string]any{"name": "app.example.com"}},
		"the name of a service":               {`grants: [client_credentials]`, `{"grant_types":["client_credentials"],"software_id":"software-1"}`, "", map[string]any{"client_name": nil}, map[string]any{"name": "software-1"}},
		"a statement that is required":        {`statement: required, issuers: [{iss: d, keys: {` + strings.TrimPrefix(keys, `"jwks":{`) + `}]`, webClient, "invalid_client_metadata", nil, nil},
	}
	var file strings.Builder // with a tenant for each test
	file.WriteString("tenants:\n")
	for name, tt := range tests {
		file.WriteString("  " + tenantOf(name) + ": {registration: {enabled: true" + strings.TrimSuffix(", "+tt.policy, ", ") + "}}\n")
	}
	onBothStores(t, func(t *testing.T, s service) {
		for name, tt := range tests {
			t.Run(name, func(t *testing.T) {
				in := http.Header{"X-Tenant-Id": {tenantOf(name)}}
				token := s.do(t, call{method: "POST", path: tokensPath, token: "platform", header: in}).data("token").(string)
				a := s.do(t, call{method: "POST", path: "/oauth/" + tenantOf(name) + "/register", token: token, body: tt.metadata})
				if tt.code != "" {
					assertRejected(t, a, http.StatusBadRequest, tt.code)
					return
				}
				require.Equal(t, http.StatusCreated, a.status, a.text)
				assertMembers(t, a, tt.want)
				read := s.do(t, call{method: "GET", path: clients + "/" + a.body["client_id"].(string), token: "platform", header: in})
				for field, want := range tt.item {
					assert.Equal(t, want, read.data(field), field)
				}
				if strings.Contains(name, "warned") {
					assert.Contains(t, a.found("warnings"), "/logo_uri link-host")
				}
			})
		}
	}, registering(t, file.String()))
}

// tenantOf returns the tenant of the test with that name.
func tenantOf(name string) string { return strings.NewReplacer(" ", "-", ",", "").Replace(name) }

// The policy is applied to the result of every update, not to what the request has.
func TestPoliciesApplyToUpdates(t *testing.T) {
	onBothStores(t, func(t *testing.T, s service) {
		c := s.registered(t, `{"redirect_uris":["https://app.example.com/cb"],"scope":"openid","token_endpoint_auth_method":"none","client_name":"App"}`)
		for name, tt := range map[string]struct{ metadata, code string }{
			"another host":      {`{"client_id":"{id}","redirect_uris":["https://evil.example/cb"],"token_endpoint_auth_method":"none"}`, "invalid_redirect_uri"},
			"only other scopes": {`{"client_id":"{id}","redirect_uris":["https://app.example.com/cb"],"token_endpoint_auth_method":"none","scope":"admin"}`, "invalid_client_metadata"},
			"another grant":     {`{"client_id":"{id}","grant_types":["client_credentials"]}`, "invalid_client_metadata"},
			"another link":      {`{"client_id":"{id}","redirect_uris":["https://app.example.com/cb"],"token_endpoint_auth_method":"none","logo_uri":"https://bank.example/"}`, "invalid_client_metadata"},
		} {
			t.Run(name, func(t *testing.T) { assertRejected(t, c.do(t, "PUT", tt.metadata), 400, tt.code) })
		}
		dropped := c.do(t, "PUT", `{"client_id":"{id}","redirect_uris":["https://app.example.com/cb"],"token_endpoint_auth_method":"none","scope":"openid admin","require_pkce":false,"skip_consent":true,"require_pushed_authorization_requests":false}`)
		require.Equal(t, http.StatusOK, dropped.status, dropped.text)
		assertMembers(t, dropped, map[string]any{"scope": "openid", "require_pushed_authorization_requests": true})
		assert.Equal(t, true, c.item(t).data("require_pkce"))
		assert.Nil(t, c.item(t).data("skip_consent"))
	}, registering(t, onlyTenant(`redirect_hosts: ["*.example.com"], scopes: [openid], link_hosts: require, require_pkce: true, par: true`)))
}

// A tenant and a token have a limit of clients.
func TestLimitOfRegisteredClients(t *testing.T) {
	onBothStores(t, func(t *testing.T, s service) {
		token := s.initialToken(t, `{"max_uses":10}`)
		register := func() response {
			return s.do(t, call{method: "POST", path: registerPath, token: token, body: publicClient})
		}
		one, two := register(), register()
		require.Equal(t, 201, two.status, two.text)
		full := register()
		require.Equal(t, http.StatusTooManyRequests, full.status, "some were never used: %s", full.text)
		assert.NotEmpty(t, full.header.Get("Retry-After"))
		for _, a := range []response{one, two} {
			require.Equal(t, 204, s.do(t, call{method: "POST", path: clients + "/" + a.body["client_id"].(string) + "/seen", token: "verify"}).status)
		}
		assertRejected(t, register(), 400, "invalid_client_metadata")
		require.Equal(t, 204, s.do(t, call{method: "DELETE", path: clients + "/" + one.body["client_id"].(string), token: "admin"}).status)
		assert.Equal(t, 201, register().status)
		assert.Equal(t, 404, s.do(t, call{method: "POST", path: clients + "/none/seen", token: "verify"}).status)
		assert.Equal(t, 403, s.do(t, call{method: "POST", path: clients + "/none/seen", token: "read"}).status)
	}, registering(t, onlyTenant(`max_clients: 2`)))
}

// An initial access token may have a lower limit than its tenant.
func TestLimitOfTheClientsOfAToken(t *testing.T) {
	onBothStores(t, func(t *testing.T, s service) {
		token := s.initialToken(t, `{"max_uses":10,"policy":{"max_clients":1}}`)
		register := func(token string) response {
			return s.do(t, call{method: "POST", path: registerPath, token: token, body: publicClient})
		}
		require.Equal(t, 201, register(token).status)
		assertRejected(t, register(token), 429, "temporarily_unavailable")
		assert.Equal(t, 201, register(s.initialToken(t, `{}`)).status)
	}, registering(t, onlyTenant(`max_clients: 5`)))
}
