package rest_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/domain"
)

// list returns a field of a JSON object that is an array of objects.
func list(t *testing.T, of any, field string) []map[string]any {
	t.Helper()
	object, ok := of.(map[string]any)
	require.True(t, ok, "%v", of)
	elements, ok := object[field].([]any)
	require.True(t, ok, "%v", object)
	objects := make([]map[string]any, len(elements))
	for i, element := range elements {
		objects[i] = element.(map[string]any)
	}
	return objects
}

func TestListRulesReturnsAllRules(t *testing.T) {
	s := newService(t)
	a := s.do(t, call{method: "GET", path: "/admin/oauth/rules", token: "admin"})
	require.Equal(t, http.StatusOK, a.status)
	rules := list(t, a.body["data"], "rules")
	require.Len(t, rules, len(domain.PublishedRules()))
	for i, rule := range domain.PublishedRules() {
		assert.Equal(t, rule.ID, rules[i]["id"])
		assert.Equal(t, rule.Source, rules[i]["source"])
		assert.NotEmpty(t, rules[i]["levels"])
		assert.NotEmpty(t, rules[i]["applies_to"])
	}
	assert.Equal(t, []any{"none", "fapi1-baseline", "fapi1-advanced", "fapi2-security", "fapi2-message-signing"}, rules[0]["applies_to"])
	assert.Equal(t, http.StatusForbidden, s.do(t, call{method: "GET", path: "/admin/oauth/rules", token: "unprivileged"}).status)
}

func TestClientCompliance(t *testing.T) {
	s := newService(t)
	path := clients + "/" + s.create(t) + "/compliance"

	a := s.do(t, call{method: "GET", path: path + "?profile=fapi2-security", token: "admin"})
	require.Equal(t, http.StatusOK, a.status, a.text)
	reports := list(t, a.body["data"], "reports")
	require.Len(t, reports, 1)
	assert.Equal(t, "fapi2-security", reports[0]["profile"])
	assert.Equal(t, false, reports[0]["compliant"])
	failed := list(t, reports[0], "failed")
	require.Len(t, failed, 1)
	assert.Equal(t, "auth-method-fapi", failed[0]["rule"])
	assert.Equal(t, "/client_auth_methods/0", list(t, failed[0], "findings")[0]["field"])
	assert.NotEmpty(t, list(t, reports[0], "passed"))
	assert.NotEmpty(t, list(t, reports[0], "obligations"))

	a = s.do(t, call{method: "GET", path: path, token: "admin"})
	reports = list(t, a.body["data"], "reports")
	require.Len(t, reports, 5)
	assert.Equal(t, "none", reports[0]["profile"])
	assert.Equal(t, true, reports[0]["compliant"])

	for _, profile := range []string{"none", "fapi1", "fapi2", "fapi1-advanced"} {
		a = s.do(t, call{method: "GET", path: path + "?profile=" + profile, token: "admin"})
		assert.Equal(t, profile, list(t, a.body["data"], "reports")[0]["profile"])
	}
	assert.Equal(t, 400, s.do(t, call{method: "GET", path: path + "?profile=fapi3", token: "admin"}).status)
	assert.Equal(t, 400, s.do(t, call{method: "GET", path: path + "?profile=", token: "admin"}).status)
	assert.Equal(t, 404, s.do(t, call{method: "GET", path: path, token: "other-tenant"}).status)
	assert.Equal(t, 403, s.do(t, call{method: "GET", path: path, token: "unprivileged"}).status)
}

func TestComplianceOfAnUnsavedConfiguration(t *testing.T) {
	s := newService(t)
	post := func(body string) response {
		return s.do(t, call{method: "POST", path: "/admin/oauth/compliance?profile=fapi1-advanced", token: "admin", body: body})
	}
	a := post(`{"name":"App","redirect_uris":["http://127.0.0.1/"],"grant_types":["authorization_code","implicit"],"scopes":["openid"],
		"client_auth_methods":["tls_client_auth"],"tls_client_auth_san_dns":"a.example"}`)
	require.Equal(t, http.StatusOK, a.status, a.text)
	report := list(t, a.body["data"], "reports")[0]
	var failed []any
	for _, result := range list(t, report, "failed") {
		failed = append(failed, result["rule"])
	}
	assert.Equal(t, []any{"redirect-uri-https", "jwks-signing-required"}, failed)

	rules := map[any]any{}
	for _, obligation := range list(t, report, "obligations") {
		rules[obligation["demand"]] = obligation["rules"]
	}
	assert.Equal(t, []any{"request-object-undeclared"}, rules["require signed request objects"])
	assert.Contains(t, rules, "require nonce in requests with the scope openid")
	assert.Nil(t, rules["require nonce in requests with the scope openid"], "no registration shows it")
	declared := post(`{"name":"App","redirect_uris":["https://a.example/"],"require_signed_request_object":true}`)
	for _, obligation := range list(t, list(t, declared.body["data"], "reports")[0], "obligations") {
		assert.NotEqual(t, "require signed request objects", obligation["demand"])
	}

	both := post(`{"name":"App","jwks":"{\"keys\":[]}","jwks_uri":"https://a.example/jwks"}`)
	assert.Equal(t, 400, both.status)
	assert.Equal(t, []string{"/jwks jwks-exclusive"}, both.violated())
	assert.Equal(t, 400, post(`{"nme":"App"}`).status)
	assert.Equal(t, 403, s.do(t, call{method: "POST", path: "/admin/oauth/compliance", token: "unprivileged", body: webApp}).status)
}

func TestClientKeys(t *testing.T) {
	s := newService(t)
	id := s.create(t)
	path := clients + "/" + id
	none := s.do(t, call{method: "GET", path: path + "/keys", token: "admin"})
	require.Equal(t, http.StatusOK, none.status, none.text)
	assert.Equal(t, "none", none.data("source"))
	assert.Equal(t, "none", none.data("state"))
	assert.Equal(t, []any{}, none.data("keys"))

	set := s.do(t, call{method: "PUT", path: path, token: "admin", body: `{"jwks":"{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"use\":\"sig\",\"note\":\"x\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}"}`})
	require.Equal(t, http.StatusOK, set.status, set.text)
	a := s.do(t, call{method: "GET", path: path + "/keys", token: "admin"})
	assert.Equal(t, "jwks", a.data("source"))
	assert.Equal(t, "seen", a.data("state"))
	keys := list(t, a.body["data"], "keys")
	require.Len(t, keys, 1)
	assert.Equal(t, map[string]any{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}, keys[0]["public_key"], "only the members that define the key")
	assert.Equal(t, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k", keys[0]["thumbprint"], "RFC 8037, appendix A.3")
	assert.Equal(t, "jwk-kid-missing", list(t, keys[0], "warnings")[0]["rule"])
	assert.Empty(t, keys[0]["violations"])

	s.do(t, call{method: "PUT", path: path, token: "admin", body: `{"jwks":"","jwks_uri":"https://10.0.0.1.example/jwks"}`})
	a = s.do(t, call{method: "GET", path: path + "/keys", token: "admin"})
	assert.Equal(t, "jwks_uri", a.data("source"))
	assert.Equal(t, "unreachable", a.data("state"))
	assert.NotEmpty(t, a.data("detail"))
	assert.NotEmpty(t, a.data("fetched_at"))
	assert.Equal(t, 404, s.do(t, call{method: "GET", path: path + "/keys", token: "other-tenant"}).status)
	assert.Equal(t, 403, s.do(t, call{method: "GET", path: path + "/keys", token: "unprivileged"}).status)
}
