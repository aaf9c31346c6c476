package rest_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/api"
	"github.com/clientele-oauth/clientele/domain"
)

// fullState returns a client with a value in every field.
func fullState() domain.State {
	state := usualState()
	for f := range domain.Fields() {
		if value := f.Of(&state.Settings); value.IsEmpty() && f != domain.FieldJWKSURI {
			fill(value)
		}
	}
	return state
}

// fill sets a field to a value that is not empty.
func fill(value domain.Value) {
	switch v := value.(type) {
	case *domain.Text:
		*v = "x"
	case *domain.Flag:
		*v = true
	case domain.Texts:
		v.SetTexts([]string{"x"})
	case domain.Integer:
		v.SetInt(60)
	case *domain.Map:
		*v = domain.Map{"example.com/tier": "gold"}
	}
}

// fullActor returns an actor with a value in every field.
func fullActor() domain.Actor {
	return domain.Actor{
		Subject: "alice", ClientID: "console", Via: domain.ViaRegistrationToken, TokenID: "iat_1", IssuedBy: "bob", SoftwareID: "software",
	}
}

// fullRegistration returns a registration with a value in every field.
func fullRegistration() *domain.Registration {
	at := usualState().CreatedAt
	return &domain.Registration{
		Via: domain.ViaDocument, TokenID: "iat_1", IssuedBy: "bob", Locks: domain.FieldsOf(domain.FieldName),
		Policy:      fullPolicy(),
		Statement:   &domain.Statement{Issuer: "directory", SoftwareID: "software"},
		AccessToken: &domain.RegistrationToken{CreatedAt: at},
		Document: &domain.ApprovedDocument{
			Digest: "sha-256:00", ApprovedAt: at, Pending: &domain.PendingDocument{Digest: "sha-256:01", SeenAt: at, Changed: []string{"client_name"}},
		},
	}
}

// fullPolicy returns a policy with a value in every field.
func fullPolicy() domain.RegistrationPolicy {
	return domain.RegistrationPolicy{
		RedirectHosts: []string{"example.com"}, RedirectKinds: []domain.RedirectKind{domain.RedirectHTTPS},
		Grants: []domain.GrantType{domain.GrantAuthorizationCode}, ResponseTypes: []domain.ResponseType{"code"},
		AuthMethods: []domain.AuthMethod{domain.AuthNone}, Scopes: []domain.Scope{"openid"}, DefaultScopes: []domain.Scope{"openid"},
		AuthorizationDetailsTypes: []string{"payment"}, Resources: []string{"https://api.example.com"},
		Profile: domain.ProfileFAPI2, RequirePKCE: true, PAR: true, DPoP: true, MTLS: true, SignedRequests: true,
		InitialStatus: domain.StatusSuspended, Labels: map[string]string{"example.com/tier": "gold"}, Owner: "payments",
		AccessTokenLifetime: 60, IDTokenLifetime: 60, RefreshTokenLifetime: 60,
		LinkHosts: domain.LinkHostsRequire, Statement: domain.StatementRequired, Issuers: []string{"directory"},
		MaxClients: 1, SecretTTL: time.Hour, Unmanaged: true, RotateOnUpdate: true,
	}
}

// usualState returns a client with the fields of the given contract.
func usualState() domain.State {
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

// Responses with clients have all fields of openapi.yaml, and no others.
func TestResponsesHaveTheFieldsOfOpenAPI(t *testing.T) {
	doc, err := openapi3.NewLoader().LoadFromData(api.Document)
	require.NoError(t, err)
	active, deleted := fullState(), fullState()
	active.Settings.Keys, deleted.Settings.Keys = domain.InlineKeys(keySet), domain.InlineKeys(keySet)
	active.Registration = fullRegistration()
	deleted.DeletedAt = deleted.UpdatedAt
	withActive, withDeleted := serviceOver(t, fixedStore{client: domain.Restore(active)}), serviceOver(t, fixedStore{client: domain.Restore(deleted)})
	tests := []struct {
		name    string
		service service
		call    call
		schema  string // of the response
		absent  []string
	}{
		{"a client", withActive, call{path: clients + "/app-123?include=jwks"}, "OAuthClientItemDetailResponse", []string{"/warnings", "/data/deleted_at", "/data/effective", "/data/registration/first_seen_at", "/data/registration/last_seen_at", "/data/registration/document/pending/differences", "/data/registration/document/pending/violations"}},
		{"a client without its keys", withActive, call{path: clients + "/app-123"}, "OAuthClientItemDetailResponse", []string{"/warnings", "/data/deleted_at", "/data/jwks", "/data/effective", "/data/registration/first_seen_at", "/data/registration/last_seen_at", "/data/registration/document/pending/differences", "/data/registration/document/pending/violations"}},
		{"a client with what a server is to apply", withActive, call{path: clients + "/app-123?effective=true&format=clientele"}, "OAuthClientItemDetailResponse", []string{"/warnings", "/data/deleted_at", "/data/jwks", "/data/registration/first_seen_at", "/data/registration/last_seen_at", "/data/registration/document/pending/differences", "/data/registration/document/pending/violations"}},
		{"a document", withActive, call{path: clients + "/app-123?format=rfc7591"}, "ClientMetadata", []string{"/deleted_at", "/jwks_uri", "/warnings"}},
		{"a document for a server", withActive, call{path: clients + "/app-123?format=rfc7591&effective=true&active=true"}, "ClientMetadata", []string{"/deleted_at", "/jwks_uri", "/warnings"}},
		{"a page", withActive, call{path: clients + "?page=2&page_size=1&include=jwks"}, "OAuthClientListResponse", []string{"/next", "/unreadable", "/items/deleted_at", "/items/effective"}},
		{"a page by cursor", withActive, call{path: clients + "?limit=1&effective=true"}, "OAuthClientListResponse", []string{"/pagination", "/total", "/unreadable", "/items/deleted_at", "/items/jwks"}},
		{"a page of documents", withActive, call{path: clients + "?limit=1&format=rfc7591"}, "ClientMetadataListResponse", []string{"/pagination", "/total", "/unreadable", "/items/deleted_at", "/items/jwks_uri", "/items/warnings"}},
		{"changes", withDeleted, call{path: "/admin/oauth/changes?limit=1"}, "ChangeListDetailResponse", []string{"/data/changes/tenant_id", "/data/changes/unreadable", "/data/changes/client/effective", "/data/changes/client/jwks", "/data/changes/client/revision"}},
		{"changes with what a server is to apply", withDeleted, call{path: "/admin/oauth/changes?effective=true&limit=1"}, "ChangeListDetailResponse", []string{"/data/changes/tenant_id", "/data/changes/unreadable", "/data/changes/client/jwks", "/data/changes/client/revision"}},
		{"changes with documents", withDeleted, call{path: "/admin/oauth/changes?format=rfc7591&limit=1"}, "ClientMetadataChangeListDetailResponse", []string{"/data/changes/tenant_id", "/data/changes/unreadable", "/data/changes/client/jwks_uri", "/data/changes/client/warnings"}},
		{"changes of all tenants", withDeleted, call{path: "/admin/oauth/changes?tenants=all&limit=1", token: "platform"}, "ChangeListDetailResponse", []string{"/data/changes/unreadable", "/data/changes/client/effective", "/data/changes/client/jwks", "/data/changes/client/revision"}},
		{"changes of all tenants with documents", withDeleted, call{path: "/admin/oauth/changes?tenants=all&format=rfc7591&limit=1", token: "platform"}, "ClientMetadataChangeListDetailResponse", []string{"/data/changes/unreadable", "/data/changes/client/jwks_uri", "/data/changes/client/warnings"}},
		{"a history", withDeleted, call{path: clients + "/app-123/revisions"}, "RevisionListDetailResponse", []string{"/data/revisions/unreadable"}},
		{"a revision", withDeleted, call{path: clients + "/app-123/revisions/7"}, "RevisionDetailResponse", []string{"/data/client/effective", "/data/client/jwks", "/data/client/revision"}},
		{"a dry run", withActive, call{method: http.MethodPost, path: clients + "?dry_run=true", body: `{
			"name": "App", "grant_types": ["client_credentials"], "scopes": ["openid"],
			"client_auth_methods": ["tls_client_auth"], "tls_client_auth_san_dns": "app.example.com"
		}`}, "CreateClientDetailResponse", absentFields("/data/client_id", "/data/id", "/data/revision", "/data/client_secret", "/data/secret_last_four")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.call.token == "" {
				tt.call.token = "admin"
			}
			if tt.call.method == "" {
				tt.call.method = http.MethodGet
			}
			got := tt.service.do(t, tt.call)
			require.Less(t, got.status, 300, got.text)
			require.Contains(t, doc.Components.Schemas, tt.schema)
			schema := doc.Components.Schemas[tt.schema].Value
			var body any
			require.NoError(t, json.Unmarshal([]byte(got.text), &body))
			require.NoError(t, schema.VisitJSON(body, openapi3.VisitAsResponse()))
			operation := operationOf(t, doc, tt.call)
			assert.Equal(t, "#/components/schemas/"+tt.schema, operation.Responses.Status(got.status).Value.Content[got.header.Get("Content-Type")].Schema.Ref)
			var absent []string
			compareFields(t, "", schema, body, &absent)
			assert.ElementsMatch(t, tt.absent, slices.DeleteFunc(absent, onlyOfRegistrations))
		})
	}
}

// onlyOfRegistrations reports whether only clients that registered themselves, or client ID
// metadata documents, have the field.
func onlyOfRegistrations(pointer string) bool {
	return slices.ContainsFunc([]string{
		"/registration", "/document", "/actor/via", "/actor/token_id", "/actor/issued_by", "/actor/software_id",
	}, func(field string) bool { return strings.HasSuffix(pointer, field) })
}

// keySet is the text of a JWK Set with members that are not public.
const keySet = `{"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "kid": "\u0031", "ext": true}], "issuer": "x"}`

// operationOf returns the operation of openapi.yaml that a call is for.
func operationOf(t *testing.T, doc *openapi3.T, c call) *openapi3.Operation {
	t.Helper()
	path, _, _ := strings.Cut(c.path, "?")
	path = strings.NewReplacer("app-123", "{client_id}", "/7", "/{number}").Replace(path)
	item := doc.Paths.Value(path)
	require.NotNil(t, item, path)
	return item.GetOperation(c.method)
}

// absentFields lists the fields of a configuration that a response omits if they are
// unset, except the one that the test sets, and the given ones.
func absentFields(more ...string) []string {
	for f := range domain.Fields() {
		if !domain.AlwaysShown().Has(f) && f != domain.FieldTLSSANDNS && f != domain.FieldJWKS {
			more = append(more, "/data/"+f.String())
		}
	}
	return more
}

// compareFields fails for fields that are not in the schema, and lists the fields of the
// schema that are absent from the value.
func compareFields(t *testing.T, at string, schema *openapi3.Schema, value any, absent *[]string) {
	t.Helper()
	switch value := value.(type) {
	case map[string]any:
		if schema.AdditionalProperties.Schema != nil || schema.AdditionalProperties.Has != nil && *schema.AdditionalProperties.Has {
			return // any names
		}
		for name, field := range value {
			property, known := schema.Properties[name]
			if assert.True(t, known, "%s/%s is not in openapi.yaml", at, name) {
				compareFields(t, at+"/"+name, property.Value, field, absent)
			}
		}
		for _, name := range slices.Sorted(maps.Keys(schema.Properties)) {
			if _, exists := value[name]; !exists {
				*absent = append(*absent, at+"/"+name)
			}
		}
	case []any:
		for _, element := range value {
			compareFields(t, at, schema.Items.Value, element, absent)
		}
	}
}
