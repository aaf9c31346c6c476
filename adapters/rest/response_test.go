package rest_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/api"
	"github.com/clientele-oauth/clientele/domain"
)

// everything is a client with a value in every member.
func everything() domain.State {
	at := time.Date(2026, 4, 15, 10, 30, 0, 0, time.UTC)
	return domain.State{
		Identity: domain.Identity{ID: "client_abc123", TenantID: "tenant_a", ClientID: "app-123"},
		Settings: domain.Settings{
			Name: "My App", Status: domain.StatusActive, Confidential: true,
			RedirectURIs: []domain.RedirectURI{"https://app.example.com/callback"}, GrantTypes: []domain.GrantType{domain.GrantAuthorizationCode},
			Scopes: []domain.Scope{"openid"}, AuthMethods: []domain.AuthMethod{domain.AuthTLS}, Profile: domain.ProfileFAPI2,
			Keys:       domain.InlineKeys(`{"keys":[]}`),
			TLSSubject: domain.TLSSubject{DN: "dn", SANDNS: "dns", SANURI: "uri", SANIP: "ip", SANEmail: "email"},
			LogoURL:    "https://app.example.com/logo", Website: "https://app.example.com/", PrivacyPolicy: "https://app.example.com/privacy",
			TermsURL: "https://app.example.com/terms", CORSOrigins: []domain.Origin{"https://app.example.com"},
		},
		Secrets:  []domain.Secret{{ID: "s", LastFour: "abcd", CreatedAt: at, UpdatedAt: at}},
		Revision: 7, CreatedAt: at, UpdatedAt: at,
	}
}

// Answers that tell of clients have the members that openapi.yaml names, all of
// them, and no others.
func TestAnswersHaveTheMembersOfTheContract(t *testing.T) {
	doc, err := openapi3.NewLoader().LoadFromData(api.Document)
	require.NoError(t, err)
	living, ended := everything(), everything()
	ended.DeletedAt = ended.UpdatedAt
	here, gone := serviceOver(t, still{client: domain.Restore(living)}), serviceOver(t, still{client: domain.Restore(ended)})
	tests := []struct {
		name    string
		service service
		call    call
		schema  string // of the answer
		absent  []string
	}{
		{"a client", here, call{path: clients + "/app-123"}, "OAuthClientItemDetailResponse", []string{"/warnings", "/data/deleted_at"}},
		{"a page", here, call{path: clients + "?page=2&page_size=1"}, "OAuthClientListResponse", []string{"/next", "/unreadable", "/items/deleted_at"}},
		{"a walk", here, call{path: clients + "?limit=1"}, "OAuthClientListResponse", []string{"/pagination", "/total", "/unreadable", "/items/deleted_at"}},
		{"changes", gone, call{path: "/admin/oauth/changes"}, "ChangeListDetailResponse", []string{"/data/changes/unreadable"}},
		{"a history", gone, call{path: clients + "/app-123/revisions"}, "RevisionListDetailResponse", []string{"/data/revisions/unreadable"}},
		{"a revision", gone, call{path: clients + "/app-123/revisions/7"}, "RevisionDetailResponse", nil},
		{"a dry run", here, call{method: http.MethodPost, path: clients + "?dry_run=true", body: `{
			"name": "App", "grant_types": ["client_credentials"], "scopes": ["openid"],
			"client_auth_methods": ["tls_client_auth"], "tls_client_auth_san_dns": "app.example.com"
		}`}, "CreateClientDetailResponse", []string{
			"/data/client_id", "/data/id", "/data/client_secret", "/data/secret_last_four", "/data/tls_client_auth_san_email",
			"/data/tls_client_auth_san_ip", "/data/tls_client_auth_san_uri", "/data/tls_client_auth_subject_dn",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.call.token = "admin"
			if tt.call.method == "" {
				tt.call.method = http.MethodGet
			}
			answer := tt.service.do(t, tt.call)
			require.Less(t, answer.status, 300, answer.text)
			require.Contains(t, doc.Components.Schemas, tt.schema)
			schema := doc.Components.Schemas[tt.schema].Value
			var body any
			require.NoError(t, json.Unmarshal([]byte(answer.text), &body))
			require.NoError(t, schema.VisitJSON(body, openapi3.VisitAsResponse()))
			var absent []string
			compareMembers(t, "", schema, body, &absent)
			assert.ElementsMatch(t, tt.absent, absent)
		})
	}
}

// compareMembers fails for members that the schema does not know, and lists those
// that are absent from the value.
func compareMembers(t *testing.T, at string, schema *openapi3.Schema, value any, absent *[]string) {
	t.Helper()
	switch value := value.(type) {
	case map[string]any:
		for name, member := range value {
			property, known := schema.Properties[name]
			if assert.True(t, known, "%s/%s is not in openapi.yaml", at, name) {
				compareMembers(t, at+"/"+name, property.Value, member, absent)
			}
		}
		for _, name := range slices.Sorted(maps.Keys(schema.Properties)) {
			if _, there := value[name]; !there {
				*absent = append(*absent, at+"/"+name)
			}
		}
	case []any:
		for _, element := range value {
			compareMembers(t, at, schema.Items.Value, element, absent)
		}
	}
}
