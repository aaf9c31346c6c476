package serverlimits_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/clientele-oauth/clientele/adapters/internal/serverlimits"
	"github.com/clientele-oauth/clientele/domain"
)

func web() domain.Settings {
	return domain.Settings{
		Name: "App", Status: domain.StatusActive, Confidential: true, RedirectURIs: []domain.RedirectURI{"https://app.example.com/cb"},
		GrantTypes: []domain.GrantType{domain.GrantAuthorizationCode, domain.GrantRefreshToken}, ResponseTypes: []domain.ResponseType{"code"},
		AuthMethods: []domain.AuthMethod{domain.AuthPrivateKeyJWT}, AuthSigningAlg: "ES256", Keys: domain.KeysAt("https://app.example.com/jwks.json"),
		Scopes: []domain.Scope{"openid"}, IDToken: domain.Algorithms{Signing: "RS256"}, Introspection: domain.Algorithms{Signing: "RS256"},
		Authorization: domain.Algorithms{Signing: "RS256"}, ApplicationType: domain.ApplicationWeb, SubjectType: domain.SubjectPublic,
	}
}

// Every server takes a plain client as it is.
func TestAPlainClientIsTaken(t *testing.T) {
	for _, p := range serverlimits.Products() {
		assert.Empty(t, serverlimits.Check(p, web()), p)
		assert.NotEmpty(t, serverlimits.Limits(p), p)
	}
	assert.Empty(t, serverlimits.Limits("nobody"))
}

// found returns the level and the place of each finding, by limit.
func found(p serverlimits.Product, id domain.ClientID, s domain.Settings) map[string][]string {
	all := map[string][]string{}
	for _, f := range serverlimits.CheckClient(p, id, s) {
		all[f.Rule] = append(all[f.Rule], f.Level.String()+" "+f.Pointer)
	}
	return all
}

func TestLimits(t *testing.T) {
	const (
		refused = "violation "
		ignored = "warning "
	)
	long := strings.Repeat("ü", 256)
	tests := []struct {
		limit  string
		change func(*domain.Settings)
		want   []string
	}{
		{"keycloak-redirect-uri-length", func(s *domain.Settings) {
			s.RedirectURIs = []domain.RedirectURI{"https://a.example/", domain.RedirectURI(strings.Repeat("ü", 255)), domain.RedirectURI(long)}
		}, []string{refused + "/redirect_uris/2"}},
		{"keycloak-pattern", func(s *domain.Settings) {
			s.RedirectURIs = []domain.RedirectURI{"https://a.example/*/b", "https://a.example/*", "+"}
			s.PostLogoutRedirectURIs = []domain.RedirectURI{"-"}
		}, []string{refused + "/redirect_uris/1", refused + "/redirect_uris/2", refused + "/post_logout_redirect_uris/0"}},
		{"keycloak-separator", func(s *domain.Settings) {
			s.PostLogoutRedirectURIs, s.DefaultACRValues = []domain.RedirectURI{"https://a.example/##"}, []string{"a#b", "a##b"}
			s.RequestURIs = []domain.RequestURI{"https://a.example/r##x"}
		}, []string{refused + "/post_logout_redirect_uris/0", refused + "/request_uris/0", refused + "/default_acr_values/1"}},
		{"keycloak-text-length", func(s *domain.Settings) {
			s.Name, s.Website, s.Description, s.CORSOrigins = long, domain.Link(long), long, []domain.Origin{domain.Origin(long)}
		}, []string{refused + "/name", refused + "/website", refused + "/description", refused + "/cors_origins/0"}},
		{"keycloak-auth-method", func(s *domain.Settings) { s.AuthMethods = []domain.AuthMethod{domain.AuthSelfSignedTLS} }, []string{refused + "/client_auth_methods"}},
		{"keycloak-auth-method", func(s *domain.Settings) {
			s.AuthMethods = []domain.AuthMethod{domain.AuthPrivateKeyJWT, domain.AuthSecretBasic}
		}, []string{ignored + "/client_auth_methods"}},
		{"keycloak-secret-place", func(s *domain.Settings) { s.AuthMethods = []domain.AuthMethod{domain.AuthSecretBasic} }, []string{ignored + "/client_auth_methods"}},
		{"keycloak-tls-subject", func(s *domain.Settings) {
			s.AuthMethods, s.TLSSubject = []domain.AuthMethod{domain.AuthTLS}, domain.TLSSubject{SANDNS: "app.example.com"}
		}, []string{refused + "/tls_client_auth_san_dns"}},
		{"keycloak-grant-type", func(s *domain.Settings) {
			s.GrantTypes = []domain.GrantType{domain.GrantJWTBearer, domain.GrantRefreshToken}
		}, []string{refused + "/grant_types/0"}},
		{"keycloak-grant-type", func(s *domain.Settings) {
			s.GrantTypes = []domain.GrantType{domain.GrantClientCredentials, domain.GrantJWTBearer}
		}, []string{ignored + "/grant_types/1"}},
		{"keycloak-ignored", func(s *domain.Settings) { s.Resources = []string{"https://api.example.com"} }, []string{ignored + "/resources"}},
		{"keycloak-subject-type", func(s *domain.Settings) { s.SubjectType = domain.SubjectPairwise }, []string{ignored + "/subject_type"}},
		{"keycloak-algorithms", func(s *domain.Settings) { s.Introspection.Signing = "PS256" }, []string{ignored + "/introspection_signed_response_alg"}},

		{"hydra-auth-method", func(s *domain.Settings) { s.AuthMethods = []domain.AuthMethod{domain.AuthTLS} }, []string{refused + "/client_auth_methods"}},
		{"hydra-auth-signing-alg", func(s *domain.Settings) { s.AuthSigningAlg = "EdDSA" }, []string{refused + "/token_endpoint_auth_signing_alg"}},
		{"hydra-userinfo-alg", func(s *domain.Settings) { s.UserInfo.Signing = "ES256" }, []string{refused + "/userinfo_signed_response_alg"}},
		{"hydra-post-logout", func(s *domain.Settings) {
			s.PostLogoutRedirectURIs = []domain.RedirectURI{"https://app.example.com/bye", "https://app.example.com:8443/bye"}
		}, []string{refused + "/post_logout_redirect_uris/1"}},
		{"hydra-grant-type", func(s *domain.Settings) { s.GrantTypes = []domain.GrantType{domain.GrantCIBA} }, []string{refused + "/grant_types/0"}},
		{"hydra-rotation", func(s *domain.Settings) { s.AuthMethods = []domain.AuthMethod{domain.AuthSecretPost} }, []string{ignored + "/client_auth_methods"}},
		{"hydra-empty-scope", func(s *domain.Settings) { s.Scopes = nil }, []string{ignored + "/scopes"}},
		{"hydra-pkce", func(s *domain.Settings) { s.RequirePKCE = true }, []string{ignored + "/require_pkce"}},
		{"hydra-ignored", func(s *domain.Settings) { s.DPoPBound, s.RequirePAR = true, true }, []string{
			ignored + "/require_pushed_authorization_requests", ignored + "/dpop_bound_access_tokens",
		}},
		{"hydra-algorithms", func(s *domain.Settings) { s.IDToken.Signing = "PS256" }, []string{ignored + "/id_token_signed_response_alg"}},

		{"oidc-provider-grant-type", func(s *domain.Settings) {
			s.GrantTypes = []domain.GrantType{domain.GrantAuthorizationCode, domain.GrantTokenExchange}
		}, []string{refused + "/grant_types/1"}},
		{"oidc-provider-auth-method", func(s *domain.Settings) {
			s.AuthMethods = []domain.AuthMethod{domain.AuthSecretPost, domain.AuthTLS}
		}, []string{ignored + "/client_auth_methods"}},
		{"oidc-provider-ciba-delivery", func(s *domain.Settings) { s.CIBA.DeliveryMode = domain.DeliveryPush }, []string{refused + "/backchannel_token_delivery_mode"}},
		{"oidc-provider-native", func(s *domain.Settings) {
			s.RedirectURIs = []domain.RedirectURI{"https://app.example.com/cb", "com.example.app:/cb"}
		}, []string{refused + "/redirect_uris/1"}},
		{"oidc-provider-native", func(s *domain.Settings) {
			s.ApplicationType, s.RedirectURIs = domain.ApplicationNative, []domain.RedirectURI{"com.example.app:/cb", "https://localhost:8080/cb"}
		}, []string{refused + "/redirect_uris/1"}},
		{"oidc-provider-contacts", func(s *domain.Settings) { s.Contacts = []string{"a@example.com", "https://example.com/team"} }, []string{refused + "/contacts/1"}},
		{"oidc-provider-bound-twice", func(s *domain.Settings) { s.DPoPBound, s.CertificateBound = true, true }, []string{refused + "/dpop_bound_access_tokens"}},
		{"oidc-provider-userinfo", func(s *domain.Settings) { s.UserInfo.KeyManagement = "ECDH-ES" }, []string{refused + "/userinfo_encrypted_response_alg"}},
		{"oidc-provider-algorithms", func(s *domain.Settings) { s.IDToken.KeyManagement, s.AuthSigningAlg = "RSA1_5", "ES256K" }, []string{
			refused + "/id_token_encrypted_response_alg", refused + "/token_endpoint_auth_signing_alg",
		}},
		{"oidc-provider-response-type", func(s *domain.Settings) { s.ResponseTypes = []domain.ResponseType{"code", "token"} }, []string{refused + "/response_types/1"}},
		{"oidc-provider-pairwise-ports", func(s *domain.Settings) {
			s.SubjectType, s.RedirectURIs = domain.SubjectPairwise, []domain.RedirectURI{"https://a.example/1", "https://a.example/2", "https://a.example:8443/"}
		}, []string{refused + "/redirect_uris/2"}},
		{"oidc-provider-ignored", func(s *domain.Settings) { s.FrontchannelLogout.URI = "https://app.example.com/fc" }, []string{ignored + "/frontchannel_logout_uri"}},

		{"spring-grant-type", func(s *domain.Settings) { s.GrantTypes = []domain.GrantType{domain.GrantPassword} }, []string{refused + "/grant_types/0"}},
		{"spring-response-type", func(s *domain.Settings) { s.ResponseTypes = []domain.ResponseType{"code id_token"} }, []string{refused + "/response_types/0"}},
		{"spring-inline-jwks", func(s *domain.Settings) { s.Keys = domain.InlineKeys(`{"keys":[]}`) }, []string{ignored + "/jwks"}},
		{"spring-auth-signing-alg", func(s *domain.Settings) { s.AuthSigningAlg = "" }, []string{ignored + "/client_auth_methods"}},
		{"spring-tls-subject", func(s *domain.Settings) {
			s.AuthMethods, s.TLSSubject = []domain.AuthMethod{domain.AuthTLS}, domain.TLSSubject{SANURI: "urn:app"}
		}, []string{refused + "/tls_client_auth_san_uri"}},
		{"spring-ignored", func(s *domain.Settings) { s.RequirePAR = true }, []string{ignored + "/require_pushed_authorization_requests"}},
		{"spring-subject-type", func(s *domain.Settings) { s.SubjectType = domain.SubjectPairwise }, []string{ignored + "/subject_type"}},
		{"spring-algorithms", func(s *domain.Settings) { s.Authorization.Signing = "ES256" }, []string{ignored + "/authorization_signed_response_alg"}},
	}
	tested := map[string]bool{"hydra-client-id": true}
	for _, tt := range tests {
		t.Run(tt.limit, func(t *testing.T) {
			s := web()
			tt.change(&s)
			for _, p := range serverlimits.Products() {
				if strings.HasPrefix(tt.limit, string(p)+"-") {
					assert.Equal(t, tt.want, found(p, "app", s)[tt.limit])
				}
			}
		})
		tested[tt.limit] = true
	}
	assert.Equal(t, map[string][]string{"hydra-client-id": {refused + "/client_id"}}, found(serverlimits.Hydra, "a/b", web()))
	for _, p := range serverlimits.Products() {
		for _, l := range serverlimits.Limits(p) {
			assert.True(t, strings.HasPrefix(l.ID, string(p)+"-"), l.ID)
			assert.True(t, tested[l.ID], "%s is not tested", l.ID)
			assert.NotEmpty(t, l.Source, l.ID)
			assert.NotEmpty(t, l.Summary, l.ID)
		}
	}
}
