package serverlimits

import (
	"maps"
	"slices"
	"strings"

	"github.com/clientele-oauth/clientele/domain"
)

// keycloakColumn is the longest text that Keycloak stores in a column for URIs: 256
// characters are a 500.
const keycloakColumn = 255

func keycloak() []Limit {
	const version = "Keycloak 26.7.3"
	return []Limit{
		{ID: "keycloak-redirect-uri-length", Refused: true, Source: version + ", measured", Summary: "a redirect URI of more than 255 characters", check: func(c *candidate) {
			for i, uri := range c.s.RedirectURIs {
				if n := len([]rune(uri)); n > keycloakColumn {
					c.at(domain.FieldRedirectURIs, i, "the server takes at most %d characters; this URI has %d", keycloakColumn, n)
				}
			}
		}},
		{ID: "keycloak-text-length", Refused: true, Source: version + ", table CLIENT", Summary: "a name, home page, description or origin of more than 255 characters", check: func(c *candidate) {
			texts := map[domain.Field]string{
				domain.FieldName: c.s.Name, domain.FieldWebsite: string(c.s.Website), domain.FieldDescription: c.s.Description,
			}
			for _, f := range slices.Sorted(maps.Keys(texts)) {
				if n := len([]rune(texts[f])); n > keycloakColumn {
					c.on(f, "the server takes at most %d characters; this text has %d", keycloakColumn, n)
				}
			}
			for i, o := range c.s.CORSOrigins {
				if len(o) > keycloakColumn {
					c.at(domain.FieldCORSOrigins, i, "the server takes at most %d characters; this origin has %d", keycloakColumn, len(o))
				}
			}
		}},
		oneMethod("keycloak-auth-method", version+", measured",
			domain.AuthNone, domain.AuthSecretBasic, domain.AuthSecretPost, domain.AuthSecretJWT, domain.AuthPrivateKeyJWT, domain.AuthTLS),
		{ID: "keycloak-secret-place", Source: version + ", measured", Summary: "client_secret_basic and client_secret_post apart: it accepts both", check: func(c *candidate) {
			if c.has(domain.AuthSecretBasic) != c.has(domain.AuthSecretPost) {
				c.on(domain.FieldAuthMethods, "the server accepts the secret both in the header and in the body")
			}
		}},
		tlsSubjectOnly("keycloak-tls-subject", version+", client authenticator client-x509"),
		onlyGrants("keycloak-grant-type", version+", measured", false,
			domain.GrantAuthorizationCode, domain.GrantImplicit, domain.GrantPassword, domain.GrantClientCredentials,
			domain.GrantRefreshToken, domain.GrantDeviceCode, domain.GrantTokenExchange, domain.GrantCIBA),
		ignores("keycloak-ignored", version, "settings that it has for a realm only, or not at all",
			domain.FieldAuthorizationDetailsTypes, domain.FieldResources, domain.FieldInitiateLoginURI, domain.FieldResponseModes,
			domain.FieldSectorIdentifierURI, domain.FieldRefreshTokenRotation, domain.FieldRequireAuthTime, domain.FieldDefaultMaxAge,
			domain.FieldIDTokenLifetime, domain.FieldRefreshTokenLifetime, domain.FieldCIBAUserCode),
		{ID: "keycloak-pattern", Refused: true, Source: version + ", org.keycloak.protocol.oidc.utils.RedirectUtils", Summary: "a redirect URI that ends with *, and one that is + or -, which it takes for patterns", check: func(c *candidate) {
			for _, f := range []domain.Field{domain.FieldRedirectURIs, domain.FieldPostLogoutRedirectURIs, domain.FieldCORSOrigins} {
				c.each(f, func(i int, value string) {
					if strings.HasSuffix(value, "*") || value == "+" || value == "-" {
						c.at(f, i, "the server takes this value for a pattern, and would accept others")
					}
				})
			}
		}},
		{ID: "keycloak-separator", Refused: true, Source: version + ", org.keycloak.models.Constants", Summary: "## in values of which it keeps several in one attribute", check: func(c *candidate) {
			for _, f := range []domain.Field{domain.FieldPostLogoutRedirectURIs, domain.FieldRequestURIs, domain.FieldDefaultACRValues} {
				c.each(f, func(i int, value string) {
					if strings.Contains(value, "##") {
						c.at(f, i, "the server separates values by ##, and would take this one for two")
					}
				})
			}
		}},
		{ID: "keycloak-subject-type", Source: version, Summary: "pairwise subjects, which need a protocol mapper", check: func(c *candidate) {
			if c.s.SubjectType == domain.SubjectPairwise {
				c.on(domain.FieldSubjectType, "the server needs a protocol mapper for pairwise subjects; without it, they are public")
			}
		}},
		ignoresAlgorithms("keycloak-algorithms", version, domain.FieldIntrospectionSigningAlg, domain.FieldIntrospectionEncryptionAlg),
	}
}

func hydra() []Limit {
	const version = "Hydra 2.3.0"
	const validator = version + ", client/validator.go"
	return []Limit{
		{ID: "hydra-client-id", Refused: true, Source: version + ", measured", Summary: "a client_id with a slash", check: func(c *candidate) {
			if strings.Contains(string(c.id), "/") {
				c.report(true, "/client_id", "the server cannot address a client whose client_id has a slash")
			}
		}},
		oneMethod("hydra-auth-method", version, domain.AuthNone, domain.AuthSecretBasic, domain.AuthSecretPost, domain.AuthPrivateKeyJWT),
		{ID: "hydra-auth-signing-alg", Refused: true, Source: validator, Summary: "another algorithm of client assertions than RS, PS and ES with 256, 384 or 512", check: func(c *candidate) {
			const supported = " RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 "
			if alg := c.s.AuthSigningAlg; c.has(domain.AuthPrivateKeyJWT) && alg != "" && !strings.Contains(supported, " "+alg+" ") {
				c.on(domain.FieldAuthSigningAlg, "the server does not support %s", shown(alg))
			}
		}},
		{ID: "hydra-userinfo-alg", Refused: true, Source: validator, Summary: "another userinfo_signed_response_alg than RS256", check: func(c *candidate) {
			if alg := c.s.UserInfo.Signing; alg != "" && alg != "RS256" {
				c.on(domain.FieldUserInfoSigningAlg, "the server signs userinfo responses with RS256 only")
			}
		}},
		{ID: "hydra-post-logout", Refused: true, Source: validator, Summary: "a post-logout redirect URI at another origin than every redirect URI", check: func(c *candidate) {
			for i, uri := range c.s.PostLogoutRedirectURIs {
				if !slices.ContainsFunc(c.s.RedirectURIs, func(r domain.RedirectURI) bool { return origin(string(r)) == origin(string(uri)) }) {
					c.at(domain.FieldPostLogoutRedirectURIs, i, "the server takes only URIs with the scheme, host and port of a redirect URI")
				}
			}
		}},
		onlyGrants("hydra-grant-type", version+", measured: it accepts them in a client, and cannot do them", false,
			domain.GrantAuthorizationCode, domain.GrantImplicit, domain.GrantClientCredentials, domain.GrantRefreshToken, domain.GrantJWTBearer),
		{ID: "hydra-rotation", Source: version + ", measured", Summary: "two secrets at a time: it has no grace period", check: func(c *candidate) {
			if c.s.UsesSecret() {
				c.on(domain.FieldAuthMethods, "the server has one secret for each client, and only its value: after a rotation it needs the new value, and then the old one ends at once")
			}
		}},
		{ID: "hydra-empty-scope", Source: validator, Summary: "a client without scopes: it gives it its own default scopes", check: func(c *candidate) {
			if len(c.s.Scopes) == 0 {
				c.on(domain.FieldScopes, "the server gives a client without scopes its default scopes")
			}
		}},
		ignores("hydra-pkce", version, "require_pkce, which it has for all clients only (oauth2.pkce.enforced)", domain.FieldRequirePKCE),
		ignores("hydra-ignored", version, "settings that it has for all clients only, or not at all",
			domain.FieldRequirePAR, domain.FieldDPoPBound, domain.FieldCertificateBound, domain.FieldRequireSignedRequestObject,
			domain.FieldAuthorizationDetailsTypes, domain.FieldResponseModes, domain.FieldInitiateLoginURI, domain.FieldDefaultMaxAge,
			domain.FieldRequireAuthTime, domain.FieldDefaultACRValues, domain.FieldRefreshTokenRotation, domain.FieldIDTokenEncryptionAlg,
			domain.FieldUserInfoEncryptionAlg, domain.FieldRequestObjectEncryptionAlg, domain.FieldIntrospectionEncryptionAlg,
			domain.FieldAuthorizationEncryptionAlg, domain.FieldCIBADeliveryMode),
		ignoresAlgorithms("hydra-algorithms", version, domain.FieldIDTokenSigningAlg, domain.FieldIntrospectionSigningAlg, domain.FieldAuthorizationSigningAlg),
	}
}

func oidcProvider() []Limit {
	const version = "node-oidc-provider 9.13.3"
	const schema = version + ", lib/helpers/client_schema.js"
	isHTTP := func(uri domain.RedirectURI) bool {
		return strings.HasPrefix(string(uri), "http://") || strings.HasPrefix(string(uri), "https://")
	}
	isLocal := func(uri domain.RedirectURI) bool {
		host := strings.TrimPrefix(origin(string(uri)), "https://")
		name, _, _ := strings.Cut(host, ":")
		return name == "localhost" || strings.HasPrefix(host, "127.0.0.1") || strings.HasPrefix(host, "[::1]")
	}
	return []Limit{
		onlyGrants("oidc-provider-grant-type", version+", measured; other grants must be registered in it", true,
			domain.GrantAuthorizationCode, domain.GrantImplicit, domain.GrantClientCredentials, domain.GrantRefreshToken, domain.GrantDeviceCode, domain.GrantCIBA),
		oneMethod("oidc-provider-auth-method", version, domain.AuthNone, domain.AuthSecretBasic, domain.AuthSecretPost, domain.AuthSecretJWT,
			domain.AuthPrivateKeyJWT, domain.AuthTLS, domain.AuthSelfSignedTLS),
		{ID: "oidc-provider-ciba-delivery", Refused: true, Source: schema, Summary: "CIBA with the delivery mode push", check: func(c *candidate) {
			if c.s.CIBA.DeliveryMode == domain.DeliveryPush {
				c.on(domain.FieldCIBADeliveryMode, "the server supports only poll and ping")
			}
		}},
		{ID: "oidc-provider-native", Refused: true, Source: schema, Summary: "a private-use scheme beside an https redirect URI in a web client, and https at a loopback address in a native one", check: func(c *candidate) {
			for i, uri := range c.s.RedirectURIs {
				switch {
				case c.s.ApplicationType != domain.ApplicationNative && !isHTTP(uri):
					c.at(domain.FieldRedirectURIs, i, "the server refuses a private-use scheme unless application_type is native")
				case c.s.ApplicationType == domain.ApplicationNative && strings.HasPrefix(string(uri), "https://") && isLocal(uri):
					c.at(domain.FieldRedirectURIs, i, "the server refuses https at a loopback address for a native client")
				}
			}
		}},
		{ID: "oidc-provider-contacts", Refused: true, Source: schema, Summary: "contacts that are no e-mail addresses", check: func(c *candidate) {
			for i, contact := range c.s.Contacts {
				if name, host, ok := strings.Cut(contact, "@"); !ok || name == "" || host == "" || strings.ContainsAny(contact, " \t\n/") {
					c.at(domain.FieldContacts, i, "the server takes only e-mail addresses")
				}
			}
		}},
		{ID: "oidc-provider-bound-twice", Refused: true, Source: schema, Summary: "access tokens that are bound both to a DPoP key and to a certificate", check: func(c *candidate) {
			if c.s.DPoPBound && c.s.CertificateBound {
				c.on(domain.FieldDPoPBound, "the server refuses this together with tls_client_certificate_bound_access_tokens")
			}
		}},
		{ID: "oidc-provider-userinfo", Refused: true, Source: schema, Summary: "encrypted userinfo responses that are not signed", check: func(c *candidate) {
			if c.s.UserInfo.KeyManagement != "" && c.s.UserInfo.Signing == "" {
				c.on(domain.FieldUserInfoEncryptionAlg, "the server requires userinfo_signed_response_alg with it")
			}
		}},
		{ID: "oidc-provider-algorithms", Refused: true, Source: schema, Summary: "the algorithms RSA1_5 and ES256K", check: func(c *candidate) {
			for _, f := range slices.Sorted(maps.Keys(c.algorithms())) {
				if alg := c.algorithms()[f]; alg == "RSA1_5" || alg == "ES256K" {
					c.on(f, "the server does not support %s", alg)
				}
			}
		}},
		{ID: "oidc-provider-response-type", Refused: true, Source: schema, Summary: "the response type token", check: func(c *candidate) {
			for i, r := range c.s.ResponseTypes {
				if r == "token" {
					c.at(domain.FieldResponseTypes, i, "the server does not support the response type token alone")
				}
			}
		}},
		{ID: "oidc-provider-pairwise-ports", Refused: true, Source: schema, Summary: "pairwise subjects with redirect URIs at several hosts or ports and no sector_identifier_uri", check: func(c *candidate) {
			if c.s.SubjectType != domain.SubjectPairwise || c.s.SectorIdentifierURI != "" {
				return
			}
			var first string
			for i, uri := range c.s.RedirectURIs {
				_, authority, _ := strings.Cut(origin(string(uri)), "://")
				if i == 0 {
					first = authority
				} else if authority != first {
					c.at(domain.FieldRedirectURIs, i, "the server requires sector_identifier_uri if the hosts or ports of redirect URIs differ")
					return
				}
			}
		}},
		ignores("oidc-provider-ignored", version, "request_uris and frontchannel_logout_uri", domain.FieldRequestURIs, domain.FieldFrontchannelLogoutURI),
	}
}

func spring() []Limit {
	const version = "Spring Authorization Server 1.5.3"
	return []Limit{
		onlyGrants("spring-grant-type", version, false,
			domain.GrantAuthorizationCode, domain.GrantClientCredentials, domain.GrantRefreshToken, domain.GrantDeviceCode, domain.GrantTokenExchange),
		{ID: "spring-response-type", Refused: true, Source: version, Summary: "another response type than code", check: func(c *candidate) {
			for i, r := range c.s.ResponseTypes {
				if r != "code" {
					c.at(domain.FieldResponseTypes, i, "the server supports only the response type code")
				}
			}
		}},
		{ID: "spring-inline-jwks", Source: version + ", ClientSettings", Summary: "inline keys, unless it uses the artifact of Clientele", check: func(c *candidate) {
			if c.s.Keys.Inline() != "" {
				c.on(domain.FieldJWKS, "the server has only a URL for keys: use the artifact clientele-spring-authorization-server, or the keys by URL of the registry")
			}
		}},
		{ID: "spring-auth-signing-alg", Source: version + ", ClientSettings", Summary: "client assertions with several algorithms: it has one for each client", check: func(c *candidate) {
			if c.has(domain.AuthPrivateKeyJWT) && c.s.AuthSigningAlg == "" {
				c.on(domain.FieldAuthMethods, "the server accepts client assertions with one algorithm; set token_endpoint_auth_signing_alg")
			}
		}},
		tlsSubjectOnly("spring-tls-subject", version+", ClientSettings"),
		ignores("spring-ignored", version, "settings that it does not have",
			domain.FieldResponseModes, domain.FieldSectorIdentifierURI, domain.FieldUserInfoSigningAlg, domain.FieldUserInfoEncryptionAlg,
			domain.FieldIDTokenEncryptionAlg, domain.FieldRequestObjectSigningAlg, domain.FieldRequestObjectEncryptionAlg,
			domain.FieldRequireSignedRequestObject, domain.FieldRequirePAR, domain.FieldDPoPBound, domain.FieldDefaultMaxAge,
			domain.FieldRequireAuthTime, domain.FieldDefaultACRValues, domain.FieldInitiateLoginURI, domain.FieldRequestURIs,
			domain.FieldBackchannelLogoutURI, domain.FieldFrontchannelLogoutURI, domain.FieldAuthorizationDetailsTypes,
			domain.FieldResources, domain.FieldCORSOrigins, domain.FieldCIBADeliveryMode),
		{ID: "spring-subject-type", Source: version, Summary: "pairwise subjects, which need a token customizer", check: func(c *candidate) {
			if c.s.SubjectType == domain.SubjectPairwise {
				c.on(domain.FieldSubjectType, "the server has only public subjects, unless a token customizer changes them")
			}
		}},
		ignoresAlgorithms("spring-algorithms", version, domain.FieldIntrospectionSigningAlg, domain.FieldAuthorizationSigningAlg),
	}
}
