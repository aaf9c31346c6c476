package rest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The management of registrations by the clients themselves (RFC 7592).

// A client that sends back what it read changes nothing, also if the policy replaced what the
// client did not send.
func TestSendingBackWhatWasRead(t *testing.T) {
	onBothStores(t, func(t *testing.T, s service) {
		c := s.registered(t, `{"redirect_uris":["https://app.example.com/cb"],"scope":"openid","grant_types":["authorization_code","implicit"]}`)
		assert.Contains(t, c.sent.found("warnings"), "/response_types registration-value-replaced")
		read := c.do(t, "GET", "")
		for _, member := range []string{"client_id_issued_at", "client_secret_expires_at", "registration_client_uri", "registration_access_token"} {
			delete(read.body, member)
		}
		again := c.do(t, "PUT", object(t, read.body))
		require.Equal(t, http.StatusOK, again.status, again.text)
		assertMembers(t, again, map[string]any{"response_types": []any{"code id_token"}})
		assert.Equal(t, read.header.Get("ETag"), again.header.Get("ETag"))
	}, registering(t, onlyTenant(`response_types: ["code id_token"], grants: [authorization_code, implicit]`)))
}

func TestClientsReadTheirRegistration(t *testing.T) {
	onBothStores(t, func(t *testing.T, s service) {
		c := s.registered(t, webClient)
		for range 2 {
			a := c.do(t, "GET", "")
			require.Equal(t, http.StatusOK, a.status, a.text)
			assert.Equal(t, `"1"`, a.header.Get("ETag"))
			assert.Equal(t, "no-store", a.header.Get("Cache-Control"))
			assertMembers(t, a, map[string]any{
				"client_id": c.id, "registration_access_token": c.token, "registration_client_uri": publicURL + c.path,
				"client_secret": nil, "client_secret_expires_at": nil, "client_name": nil, "redirect_uris": []any{"https://app.example.com/cb"},
				"client_id_issued_at": c.sent.body["client_id_issued_at"],
			})
		}
		head := c.do(t, "HEAD", "")
		assert.Equal(t, http.StatusOK, head.status)
		assert.Equal(t, `"1"`, head.header.Get("ETag"))
	}, registering(t, onlyTenant("")))
}

func TestClientsReplaceTheirRegistration(t *testing.T) {
	onBothStores(t, testClientsReplace, registering(t, onlyTenant(`labels: {example.com/from: outside}`)))
}

func testClientsReplace(t *testing.T, s service) {
	c := s.registered(t, `{"redirect_uris":["https://app.example.com/cb"],"client_name":"App","contacts":["a@example.com"],"require_auth_time":true,"logo_uri":"https://app.example.com/l"}`)
	c.change(t, `{"access_token_lifetime":300,"owner":"team"}`)
	a := c.do(t, "PUT", `{"client_id":"{id}","redirect_uris":["https://app.example.com/other"],"client_name":"Renamed","status":"suspended","owner":"me","labels":{},"foo":1}`)
	require.Equal(t, http.StatusOK, a.status, a.text)
	assert.Equal(t, `"3"`, a.header.Get("ETag"))
	assertMembers(t, a, map[string]any{
		"redirect_uris": []any{"https://app.example.com/other"}, "client_name": "Renamed", "contacts": nil, "require_auth_time": nil, "logo_uri": nil,
		"registration_access_token": c.token, "registration_client_uri": publicURL + c.path, "client_secret": nil,
	})
	item := c.item(t)
	for field, want := range map[string]any{
		"owner": "team", "access_token_lifetime": 300.0, "labels": map[string]any{"example.com/from": "outside"}, "status": "active", "contacts": nil, "name": "Renamed",
	} {
		assert.Equal(t, want, item.data(field), field)
	}
	same := c.do(t, "PUT", `{"redirect_uris":["https://app.example.com/other"],"client_name":"Renamed","client_id":"{id}"}`)
	require.Equal(t, http.StatusOK, same.status, same.text)
	assert.Equal(t, `"3"`, same.header.Get("ETag"), "an update without effect makes no revision")
	noName := c.do(t, "PUT", `{"redirect_uris":["https://app.example.com/other"],"client_id":"{id}"}`)
	assertMembers(t, noName, map[string]any{"client_name": nil})
}

func TestWhatARegistrationReadsItCanSend(t *testing.T) {
	onBothStores(t, func(t *testing.T, s service) {
		for _, metadata := range []string{webClient, publicClient} {
			c := s.registered(t, metadata)
			members := c.do(t, "GET", "").body
			for _, member := range []string{"registration_access_token", "registration_client_uri", "client_id_issued_at"} {
				delete(members, member)
			}
			body, err := json.Marshal(members)
			require.NoError(t, err)
			a := c.do(t, "PUT", string(body))
			require.Equal(t, http.StatusOK, a.status, a.text)
			assert.Equal(t, `"1"`, a.header.Get("ETag"), "nothing was changed")
		}
	}, registering(t, onlyTenant("")))
}

func TestUpdatesThatAreRejected(t *testing.T) {
	onBothStores(t, func(t *testing.T, s service) {
		c := s.registered(t, webClient)
		body := func(more string) string {
			return `{"redirect_uris":["https://app.example.com/cb"]` + more + `}`
		}
		for name, tt := range map[string]struct{ body, at string }{
			"no client_id":                    {body(""), "/client_id"},
			"another client_id":               {body(`,"client_id":"other"`), "/client_id"},
			"a client_id of another type":     {body(`,"client_id":1`), "/client_id"},
			"a registration_access_token":     {body(`,"client_id":"{id}","registration_access_token":"` + c.token + `"`), "/registration_access_token"},
			"a registration_client_uri":       {body(`,"client_id":"{id}","registration_client_uri":"` + publicURL + c.path + `"`), "/registration_client_uri"},
			"a client_secret_expires_at":      {body(`,"client_id":"{id}","client_secret_expires_at":0`), "/client_secret_expires_at"},
			"a client_id_issued_at":           {body(`,"client_id":"{id}","client_id_issued_at":1`), "/client_id_issued_at"},
			"a client_secret that is wrong":   {body(`,"client_id":"{id}","client_secret":"clientele_wrong"`), "/client_secret"},
			"a client_secret of another type": {body(`,"client_id":"{id}","client_secret":{}`), "/client_secret"},
			"a wrong type":                    {body(`,"client_id":"{id}","client_name":[1]`), "/client_name"},
		} {
			t.Run(name, func(t *testing.T) {
				a := c.do(t, "PUT", tt.body)
				assertRejected(t, a, 400, "invalid_client_metadata")
				assert.Contains(t, strings.Join(a.violated(), "\n"), tt.at+" ", a.text)
			})
		}
		secret := c.sent.body["client_secret"].(string)
		accepted := c.do(t, "PUT", body(`,"client_id":"{id}","client_secret":"`+secret+`","registration_client_uri":null`))
		assert.Equal(t, http.StatusOK, accepted.status, accepted.text)
		assert.Equal(t, `"1"`, c.item(t).header.Get("ETag"))
	}, registering(t, onlyTenant("")))
}

// The preconditions of RFC 9110 §13.1, as those of administrators.
func TestPreconditionsOfTheManagement(t *testing.T) {
	onBothStores(t, testPreconditionsOfTheManagement, registering(t, onlyTenant("")))
}

func testPreconditionsOfTheManagement(t *testing.T, s service) {
	update := strings.Replace(publicClient, "{", `{"client_id":"{id}","contacts":["a@example.com"],`, 1)
	for _, tt := range []struct {
		method, body   string
		success, unmet int // unmet is the status of If-None-Match
	}{
		{"GET", "", 200, 304},
		{"HEAD", "", 200, 304},
		{"PUT", update, 200, 412},
		{"DELETE", "", 204, 412},
	} {
		for _, row := range []struct {
			header, value string
			status        int
		}{
			{"If-Match", `"1"`, tt.success},
			{"If-Match", `"99", "1"`, tt.success},
			{"If-Match", "*", tt.success},
			{"If-Match", `"99"`, 412},
			{"If-Match", `W/"1"`, 412},
			{"If-Match", "1", 400},
			{"If-None-Match", `"99"`, tt.success},
			{"If-None-Match", `"1"`, tt.unmet},
			{"If-None-Match", `W/"1"`, tt.unmet},
			{"If-None-Match", "*", tt.unmet},
			{"If-None-Match", "1", 400},
		} {
			t.Run(tt.method+" "+row.header+" "+row.value, func(t *testing.T) {
				c := s.registered(t, publicClient)
				a := s.do(t, call{
					method: tt.method, path: c.path, token: c.token, body: strings.ReplaceAll(tt.body, "{id}", c.id),
					header: http.Header{row.header: {row.value}},
				})
				require.Equal(t, row.status, a.status, a.text)
				switch row.status {
				case 200:
					assert.NotEmpty(t, a.header.Get("ETag"))
				case 304:
					assert.Equal(t, `"1"`, a.header.Get("ETag"))
					assert.Empty(t, a.text)
				case 400, 412:
					if tt.method != "HEAD" {
						assertRejected(t, a, row.status, "invalid_request")
					}
				}
				if row.status >= 300 {
					assert.Equal(t, `"1"`, c.item(t).header.Get("ETag"), "the client was changed")
				}
			})
		}
	}
}

// A client gets a secret when it needs one and has none, and loses it with its method.
func TestSecretsOfUpdates(t *testing.T) {
	onBothStores(t, func(t *testing.T, s service) {
		c := s.registered(t, webClient)
		first := c.sent.body["client_secret"].(string)
		verify := func(value string) any {
			return s.do(t, call{method: "POST", path: clients + "/" + c.id + "/verify-secret", token: "verify", body: fmt.Sprintf(`{"secret":%q}`, value)}).data("valid")
		}
		assert.Equal(t, true, verify(first))
		const uri = `"client_id":"{id}","redirect_uris":["https://app.example.com/cb"]`
		public := c.do(t, "PUT", `{`+uri+`,"token_endpoint_auth_method":"none"}`)
		require.Equal(t, http.StatusOK, public.status, public.text)
		assertMembers(t, public, map[string]any{"client_secret": nil, "client_secret_expires_at": nil})
		assert.Equal(t, false, c.item(t).data("is_confidential"))
		back := c.do(t, "PUT", `{`+uri+`}`)
		require.Equal(t, http.StatusOK, back.status, back.text)
		second, _ := back.body["client_secret"].(string)
		assert.NotEmpty(t, second)
		assertMembers(t, back, map[string]any{"client_secret_expires_at": 0.0})
		assert.Equal(t, false, verify(first))
		assert.Equal(t, true, verify(second))
		again := c.do(t, "PUT", `{`+uri+`}`)
		assertMembers(t, again, map[string]any{"client_secret": nil, "client_secret_expires_at": nil})
	}, registering(t, onlyTenant("")))
}

// What an administrator changes is locked until the locks are lifted.
func TestLocks(t *testing.T) {
	onBothStores(t, func(t *testing.T, s service) {
		c := s.registered(t, `{"redirect_uris":["https://app.example.com/cb"],"client_name":"App","scope":"openid email"}`)
		c.change(t, `{"scopes":["openid"],"name":"Checked"}`)
		registration, _ := c.item(t).data("registration").(map[string]any)
		assert.Equal(t, []any{"name", "scopes"}, registration["locks"])
		const body = `{"client_id":"{id}","redirect_uris":["https://app.example.com/cb"],"client_name":"Mine","scope":"openid email","contacts":["a@example.com"]}`
		a := c.do(t, "PUT", body)
		require.Equal(t, http.StatusOK, a.status, a.text)
		assertMembers(t, a, map[string]any{"client_name": "Checked", "scope": "openid", "contacts": []any{"a@example.com"}})
		assert.Equal(t, 403, s.do(t, call{method: "DELETE", path: clients + "/" + c.id + "/locks", token: "write"}).status)
		assert.Equal(t, 204, s.do(t, call{method: "DELETE", path: clients + "/" + c.id + "/locks", token: "admin"}).status)
		a = c.do(t, "PUT", body)
		assertMembers(t, a, map[string]any{"client_name": "Mine", "scope": "openid email"})

		c.change(t, `{"client_auth_methods":["client_secret_basic","client_secret_post"]}`)
		kept := c.do(t, "PUT", body)
		require.Equal(t, http.StatusOK, kept.status, kept.text)
		assert.Equal(t, `["client_secret_basic","client_secret_post"]`, c.item(t).data("client_auth_methods"))
	}, registering(t, onlyTenant("")))
}

// Concurrent updates by the client and an administrator lose nothing.
func TestConcurrentUpdatesOfARegistration(t *testing.T) {
	onBothStores(t, func(t *testing.T, s service) {
		c := s.registered(t, publicClient)
		var wait sync.WaitGroup
		for i := range 8 {
			wait.Go(func() {
				a := c.do(t, "PUT", strings.Replace(publicClient, "{", fmt.Sprintf(`{"client_id":"{id}","contacts":["%d@example.com"],`, i), 1))
				assert.Contains(t, []int{200, 503}, a.status, a.text)
			})
			wait.Go(func() {
				a := s.do(t, call{method: "PUT", path: clients + "/" + c.id, token: "admin", body: fmt.Sprintf(`{"access_token_lifetime":%d}`, 300+i)})
				assert.Contains(t, []int{200, 503}, a.status, a.text)
			})
		}
		wait.Wait()
		item := c.item(t)
		assert.NotNil(t, item.data("contacts"))
		assert.NotNil(t, item.data("access_token_lifetime"))
		assert.Equal(t, 200, c.do(t, "GET", "").status)
	}, registering(t, onlyTenant("")))
}
