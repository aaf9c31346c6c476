package rest_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The use of software statements: once, by whom they are accepted, and what is recorded.

// stated returns the metadata of a registration with a software statement.
func stated(t *testing.T, statement string, more map[string]any) string {
	t.Helper()
	members := map[string]any{"software_statement": statement, "redirect_uris": []string{"https://app.example.com/cb"}}
	maps.Copy(members, more)
	return object(t, members)
}

// A statement is used by the registration of a client, and by nothing else.
func TestOnlyARegistrationUsesAStatement(t *testing.T) {
	d := newDirectory(t, "https://directory.example")
	onBothStores(t, func(t *testing.T, s service) {
		statement := d.statement(t, nil)
		for range 2 {
			dry := s.do(t, call{method: "POST", path: registerPath + "?dry_run=true", token: s.initialToken(t, `{}`), body: stated(t, statement, nil)})
			require.Equal(t, http.StatusOK, dry.status, dry.text)
			rejected := s.registerSelf(t, stated(t, statement, map[string]any{"redirect_uris": []string{"javascript:alert(1)"}}))
			assertRejected(t, rejected, 400, "invalid_redirect_uri")
		}
		require.Equal(t, http.StatusCreated, s.registerSelf(t, stated(t, statement, nil)).status)
		assertRejected(t, s.registerSelf(t, stated(t, statement, nil)), 400, "invalid_software_statement")
	}, registering(t, trusting(t, d.issuer(t, nil))))
}

// Concurrent registrations with one statement make one client.
func TestConcurrentUsesOfAStatement(t *testing.T) {
	d := newDirectory(t, "https://directory.example")
	onBothStores(t, func(t *testing.T, s service) {
		token, metadata := s.initialToken(t, `{"max_uses":100}`), stated(t, d.statement(t, nil), nil)
		var wait sync.WaitGroup
		statuses := make([]int, 16)
		for i := range statuses {
			wait.Go(func() {
				statuses[i] = s.do(t, call{method: "POST", path: registerPath, token: token, body: metadata}).status
			})
		}
		wait.Wait()
		count := map[int]int{}
		for _, status := range statuses {
			count[status]++
		}
		assert.Equal(t, map[int]int{201: 1, 400: 15}, count)
		assert.EqualValues(t, 1, s.do(t, call{method: "GET", path: clients, token: "admin"}).body["total"])
	}, registering(t, trusting(t, d.issuer(t, nil))))
}

// Keys that a statement itself names verify nothing.
func TestKeysInTheHeaderOfAStatementAreIgnored(t *testing.T) {
	d := newDirectory(t, "https://directory.example")
	forger := newDirectory(t, d.name)
	onBothStores(t, func(t *testing.T, s service) {
		claims := map[string]any{"iss": d.name, "software_id": "software-1"}
		for name, value := range map[string]any{
			"jwk": publicJWK(t, forger.signer, nil), "jku": "https://forger.example/jwks", "x5u": "https://forger.example/x", "x5c": []string{"MIIB"},
		} {
			forged := signedJWT(t, forger.signer, map[string]any{name: value}, claims)
			assertRejected(t, s.registerSelf(t, stated(t, forged, nil)), 400, "invalid_software_statement")
		}
		long := d.statement(t, map[string]any{"padding": strings.Repeat("x", 16<<10)})
		assertRejected(t, s.registerSelf(t, stated(t, long, nil)), 400, "invalid_software_statement")
	}, registering(t, trusting(t, d.issuer(t, nil))))
}

// Optional claims of a wrong type are ignored, as those of Open Banking Brasil. The claims
// for which statements vouch are not.
func TestClaimsOfWrongTypes(t *testing.T) {
	d := newDirectory(t, "https://directory.example")
	onBothStores(t, func(t *testing.T, s service) {
		a := s.registerSelf(t, stated(t, d.statement(t, map[string]any{"software_version": 1.1, "client_name": 7}), map[string]any{"software_version": "2"}))
		require.Equal(t, http.StatusCreated, a.status, a.text)
		assertMembers(t, a, map[string]any{"software_version": "2", "client_name": nil})
		rejected := s.registerSelf(t, stated(t, d.statement(t, map[string]any{"redirect_uris": "https://app.example.com/cb"}), nil))
		assertRejected(t, rejected, 400, "invalid_software_statement")
	}, registering(t, trusting(t, d.issuer(t, nil))))
}

// What a statement does not vouch for is not registered, whether its claim is empty or absent.
// Here the statement is the only credential.
func TestStatementsVouchForNothingElse(t *testing.T) {
	d := newDirectory(t, "https://directory.example")
	vouched := []string{"https://app.example.com/cb"}
	tests := map[string]struct {
		mode     string
		claims   map[string]any
		metadata map[string]any
		code     string // of the rejection; empty if it is accepted
		want     map[string]any
	}{
		"ceiling, no redirect URIs":                 {mode: "ceiling", claims: map[string]any{"redirect_uris": []string{}}, code: "invalid_redirect_uri"},
		"ceiling, redirect URIs are null":           {mode: "ceiling", claims: map[string]any{"redirect_uris": json.RawMessage("null")}, code: "invalid_redirect_uri"},
		"ceiling, redirect URIs are absent":         {mode: "ceiling", claims: map[string]any{"scope": "openid"}, code: "invalid_redirect_uri"},
		"ceiling, other redirect URIs":              {mode: "ceiling", claims: map[string]any{"redirect_uris": vouched}, code: "invalid_redirect_uri"},
		"fixed, no redirect URIs":                   {mode: "fixed", claims: map[string]any{"redirect_uris": []string{}}, code: "invalid_redirect_uri"},
		"fixed, redirect URIs are absent":           {mode: "fixed", claims: map[string]any{}, want: map[string]any{"redirect_uris": []any{"https://evil.example/cb"}}},
		"ceiling, no scope":                         {mode: "ceiling", claims: map[string]any{"redirect_uris": vouched, "scope": ""}, metadata: map[string]any{"redirect_uris": vouched, "scope": "admin"}, code: "invalid_client_metadata"},
		"ceiling, the scope is absent":              {mode: "ceiling", claims: map[string]any{"redirect_uris": vouched}, metadata: map[string]any{"redirect_uris": vouched, "scope": "admin"}, code: "invalid_client_metadata"},
		"ceiling, neither scope is there":           {mode: "ceiling", claims: map[string]any{"redirect_uris": vouched}, metadata: map[string]any{"redirect_uris": vouched}, want: map[string]any{"scope": nil}},
		"fixed, no scope":                           {mode: "fixed", claims: map[string]any{"redirect_uris": vouched, "scope": ""}, metadata: map[string]any{"scope": "admin"}, want: map[string]any{"scope": nil}},
		"fixed, no keys":                            {mode: "fixed", claims: map[string]any{"redirect_uris": vouched, "jwks_uri": ""}, metadata: map[string]any{"jwks_uri": "https://evil.example/jwks"}, want: map[string]any{"jwks_uri": nil}},
		"ceiling, no redirect URIs, no one is sent": {mode: "ceiling", claims: map[string]any{"redirect_uris": []string{}}, metadata: map[string]any{"redirect_uris": []string{}}, code: "invalid_redirect_uri"},
	}
	file := map[string]any{}
	for name, tt := range tests {
		file[tenantOf(name)] = map[string]any{"registration": map[string]any{
			"enabled": true, "open": true, "statement": "required", "default_scopes": []string{"openid"}, "issuers": []any{d.issuer(t, map[string]any{"mode": tt.mode})},
		}}
	}
	onBothStores(t, func(t *testing.T, s service) {
		for name, tt := range tests {
			t.Run(name, func(t *testing.T) {
				metadata := map[string]any{"redirect_uris": []string{"https://evil.example/cb"}, "token_endpoint_auth_method": "none"}
				maps.Copy(metadata, tt.metadata)
				statement := d.statement(t, tt.claims)
				a := s.do(t, call{method: "POST", path: "/oauth/" + tenantOf(name) + "/register", body: stated(t, statement, metadata)})
				if tt.code != "" {
					assertRejected(t, a, 400, tt.code)
					return
				}
				require.Equal(t, 201, a.status, a.text)
				assertMembers(t, a, tt.want)
			})
		}
	}, registering(t, object(t, map[string]any{"tenants": file})))
}

// Each software has one client that is not deleted, if the issuer is configured so.
func TestASoftwareHasOneClient(t *testing.T) {
	d := newDirectory(t, "https://directory.example")
	onBothStores(t, func(t *testing.T, s service) {
		c := s.registered(t, stated(t, d.statement(t, nil), nil))
		duplicate := s.registerSelf(t, stated(t, d.statement(t, nil), nil))
		assertRejected(t, duplicate, 400, "invalid_software_statement")
		require.Equal(t, http.StatusCreated, s.registerSelf(t, stated(t, d.statement(t, map[string]any{"software_id": "software-2"}), nil)).status)
		for range 2 {
			unnamed := s.registerSelf(t, stated(t, d.statement(t, map[string]any{"software_id": nil}), nil))
			assertRejected(t, unnamed, 400, "invalid_software_statement")
			assert.Contains(t, unnamed.body["error_description"], "software_id")
		}
		require.Equal(t, http.StatusNoContent, c.do(t, "DELETE", "").status)
		again := s.registerSelf(t, stated(t, d.statement(t, nil), nil))
		assert.Equal(t, http.StatusCreated, again.status, again.text)
		restored := c.restore(t)
		assert.Equal(t, http.StatusConflict, restored.status, restored.text)
		assert.Contains(t, restored.body["message"], "software_id")
		require.Equal(t, http.StatusNoContent, s.do(t, call{method: "DELETE", path: clients + "/" + again.body["client_id"].(string), token: "admin"}).status)
		assert.Equal(t, http.StatusOK, c.restore(t).status)
	}, registering(t, trusting(t, d.issuer(t, map[string]any{"unique_software_id": true}))))
}

// A statement is accepted where the policy says so, and never ignored.
func TestWhereStatementsAreAccepted(t *testing.T) {
	d, stranger := newDirectory(t, "https://directory.example"), newDirectory(t, "https://stranger.example")
	issuer := object(t, d.issuer(t, nil))
	in := func(settings string) string {
		return `{"registration":{"enabled":true,"issuers":[` + issuer + `],` + settings + `}}`
	}
	file := `{"tenants":{"none":` + in(`"statement":"none"`) + `,"default":{"registration":{"enabled":true}},"optional":` + in(`"statement":"optional"`) +
		`,"open":` + in(`"open":true,"statement":"required"`) + `}}`
	onBothStores(t, func(t *testing.T, s service) {
		register := func(tenant, token, metadata string) response {
			return s.do(t, call{method: "POST", path: "/oauth/" + tenant + "/register", token: token, body: metadata})
		}
		initial := func(tenant string) string {
			a := s.do(t, call{method: "POST", path: tokensPath, token: "platform", header: http.Header{"X-Tenant-Id": {tenant}}})
			require.Equal(t, http.StatusCreated, a.status, a.text)
			return a.data("token").(string)
		}
		for _, tenant := range []string{"none", "default"} {
			assertRejected(t, register(tenant, initial(tenant), stated(t, d.statement(t, nil), nil)), 400, "invalid_software_statement")
			assert.Equal(t, http.StatusCreated, register(tenant, initial(tenant), webClient).status)
		}
		assert.Equal(t, http.StatusCreated, register("optional", initial("optional"), webClient).status)
		assert.Equal(t, http.StatusCreated, register("optional", initial("optional"), stated(t, d.statement(t, nil), nil)).status)
		assertRejected(t, register("optional", initial("optional"), stated(t, stranger.statement(t, nil), nil)), 400, "invalid_software_statement")

		assertRejected(t, register("open", "", publicClient), 400, "invalid_client_metadata")
		a := register("open", "", stated(t, d.statement(t, nil), nil))
		require.Equal(t, http.StatusCreated, a.status, a.text)
		history := s.do(t, call{method: "GET", path: clients + "/" + a.body["client_id"].(string) + "/revisions", token: "platform", header: http.Header{"X-Tenant-Id": {"open"}}})
		seen, _ := history.data("revisions").([]any)
		require.Len(t, seen, 1, history.text)
		assert.Equal(t, map[string]any{
			"subject": "registration", "client_id": a.body["client_id"], "via": "software_statement", "software_id": "software-1",
		}, seen[0].(map[string]any)["actor"])
		assert.NotContains(t, history.text+s.logs.String(), a.body["software_statement"])
		found := s.do(t, call{method: "GET", path: clients + "?via=software_statement", token: "platform", header: http.Header{"X-Tenant-Id": {"open"}}})
		assert.EqualValues(t, 1, found.body["total"], found.text)

		own := call{method: "PUT", path: "/oauth/open/register/" + a.body["client_id"].(string), token: a.body["registration_access_token"].(string)}
		own.body = stated(t, stranger.statement(t, nil), map[string]any{"client_id": a.body["client_id"]})
		assertRejected(t, s.do(t, own), 400, "invalid_software_statement")
	}, registering(t, file))
}
