package rest_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/sqlite"
	"github.com/clientele-oauth/clientele/domain"
)

// fields is a registration's body, or a part of it.
type fields map[string]any

// ruleInput is a registration and the rule that rejects it.
type ruleInput struct {
	body fields // beside a name and a grant without redirects
	rule string // "" if it is accepted
	at   string // where the rule is broken
}

func ruleInputs() map[string]ruleInput {
	return map[string]ruleInput{
		"client_id dot":        {fields{"client_id": "."}, "client-id-syntax", "/client_id"},
		"client_id dot-dot":    {fields{"client_id": ".."}, "client-id-syntax", "/client_id"},
		"client_id three dots": {body: fields{"client_id": "..."}},
	}
}

// A registration that breaks a rule is rejected with the rule and the field, and
// nothing is stored; one that breaks none is stored and read back as it was sent.
func TestRegistrationsAreCheckedOnBothStores(t *testing.T) {
	onBothStores(t, func(t *testing.T, s service) {
		inputs := ruleInputs()
		for _, name := range slices.Sorted(maps.Keys(inputs)) {
			input := inputs[name]
			t.Run(name, func(t *testing.T) {
				wish := fields{"name": "App", "grant_types": []string{"client_credentials"}}
				maps.Copy(wish, input.body)
				body, err := json.Marshal(wish)
				require.NoError(t, err)
				before := s.do(t, call{method: "GET", path: clients, token: "admin"}).body["total"]
				created := s.do(t, call{method: "POST", path: clients, token: "admin", body: string(body)})
				if input.rule != "" {
					require.Equal(t, http.StatusBadRequest, created.status, created.text)
					assert.Equal(t, []string{input.at + " " + input.rule}, created.violated(), created.text)
					assert.Equal(t, before, s.do(t, call{method: "GET", path: clients, token: "admin"}).body["total"])
					return
				}
				require.Equal(t, http.StatusCreated, created.status, created.text)
				read := s.do(t, call{method: "GET", path: clients + "/" + created.data("client_id").(string), token: "admin"})
				require.Equal(t, http.StatusOK, read.status, read.text)
				for field, value := range input.body {
					if read.data(field) != nil { // jwks is not part of an item
						want, err := json.Marshal(value)
						require.NoError(t, err)
						got, err := json.Marshal(read.data(field))
						require.NoError(t, err)
						if field == "client_auth_methods" { // a JSON text in responses
							got = []byte(read.data(field).(string))
						}
						assert.JSONEq(t, string(want), string(got), field)
					}
				}
			})
		}
	})
}

// The first release accepted the client_id "..". Such a client stays reachable by
// HTTP clients that send the path as it is: the segment is percent-encoded.
func TestAStoredClientIDOfDotsIsReachablePercentEncoded(t *testing.T) {
	store, err := sqlite.Open(filepath.Join(t.TempDir(), "test.db"))
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, store.Close()) })
	_, err = store.Migrate(t.Context())
	require.NoError(t, err)
	now := time.Date(2026, 4, 15, 10, 30, 0, 0, time.UTC)
	require.NoError(t, store.Commit(t.Context(), domain.Revision{Action: domain.ActionCreate, At: now, Client: domain.Restore(domain.State{
		Identity: domain.Identity{ID: "client_1", TenantID: "tenant_a", ClientID: ".."},
		Settings: domain.Settings{
			Name: "App", Status: domain.StatusActive, Confidential: true,
			GrantTypes: []domain.GrantType{domain.GrantClientCredentials}, AuthMethods: []domain.AuthMethod{domain.AuthSecretBasic},
		},
		Revision: 1, CreatedAt: now, UpdatedAt: now,
	})}))
	s := serviceOver(t, store)
	read := s.do(t, call{method: "GET", path: clients + "/%2E%2E", token: "admin"})
	require.Equal(t, http.StatusOK, read.status, read.text)
	assert.Equal(t, "..", read.data("client_id"))
	updated := s.do(t, call{method: "PUT", path: clients + "/%2E%2E", token: "admin", body: `{"name":"Other"}`})
	assert.Equal(t, http.StatusOK, updated.status, updated.text)
	assert.Equal(t, http.StatusNoContent, s.do(t, call{method: "DELETE", path: clients + "/%2E%2E", token: "admin"}).status)
}
