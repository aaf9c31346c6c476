package keycloak

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/clientele-oauth/clientele/domain"
)

// The client authenticators of Keycloak.
const (
	authenticatorID        = "clientele-secret" // adapters/integrations/keycloak
	authenticatorSecret    = "client-secret"
	authenticatorSecretJWT = "client-secret-jwt"
	authenticatorJWT       = "client-jwt"
	authenticatorX509      = "client-x509"
)

// separator separates the values of an attribute that has several
// (org.keycloak.models.Constants.CFG_DELIMITER).
const separator = "##"

// setting is a row of the table: a member of Keycloak's ClientRepresentation, or one of
// its attributes.
type setting struct {
	name      string
	attribute bool
	// absent is what Keycloak takes for the value if there is none, in the form of
	// [canonical].
	absent string
	// of returns the value: a string, a bool or a []string. Attributes are strings or
	// bools. It is nil if the client leaves the member to the server.
	of func(s *domain.Settings, authenticator bool) any
}

// settings returns the table of all that is managed, in the order of reports. The names of
// attributes are those of org.keycloak.protocol.oidc.OIDCConfigAttributes,
// org.keycloak.models.ClientModel and org.keycloak.models.CibaConfig.
func settings() []setting {
	member := func(name, absent string, of func(*domain.Settings) any) setting {
		return setting{name: name, absent: absent, of: func(s *domain.Settings, _ bool) any { return of(s) }}
	}
	attribute := func(name, absent string, of func(*domain.Settings) any) setting {
		row := member(name, absent, of)
		row.attribute = true
		return row
	}
	return []setting{
		member("name", "", func(s *domain.Settings) any { return s.Name }),
		member("description", "", func(s *domain.Settings) any { return s.Description }),
		member("enabled", "true", func(s *domain.Settings) any { return s.Status == domain.StatusActive }),
		member("protocol", "openid-connect", func(*domain.Settings) any { return "openid-connect" }),
		member("bearerOnly", "false", func(*domain.Settings) any { return false }),
		member("publicClient", "false", func(s *domain.Settings) any { return !s.Confidential }),
		{name: "clientAuthenticatorType", of: authenticatorType},
		member("redirectUris", "[]", func(s *domain.Settings) any { return texts(s.RedirectURIs) }),
		member("webOrigins", "[]", func(s *domain.Settings) any { return texts(s.CORSOrigins) }),
		member("baseUrl", "", func(s *domain.Settings) any { return string(s.Website) }),
		member("standardFlowEnabled", "true", grant(domain.GrantAuthorizationCode)),
		member("implicitFlowEnabled", "false", grant(domain.GrantImplicit)),
		member("directAccessGrantsEnabled", "false", grant(domain.GrantPassword)),
		member("serviceAccountsEnabled", "false", grant(domain.GrantClientCredentials)),
		member("consentRequired", "false", func(s *domain.Settings) any { return asksForConsent(s) }),
		member("frontchannelLogout", "false", func(s *domain.Settings) any { return s.FrontchannelLogout.URI != "" }),

		attribute("oauth2.device.authorization.grant.enabled", "false", grant(domain.GrantDeviceCode)),
		attribute("oidc.ciba.grant.enabled", "false", grant(domain.GrantCIBA)),
		attribute("standard.token.exchange.enabled", "false", grant(domain.GrantTokenExchange)),
		attribute("oauth2.jwt.authorization.grant.enabled", "false", grant(domain.GrantJWTBearer)),
		attribute("use.refresh.tokens", "true", grant(domain.GrantRefreshToken)),
		attribute("post.logout.redirect.uris", "+", postLogoutRedirectURIs),
		attribute("backchannel.logout.url", "", func(s *domain.Settings) any { return s.BackchannelLogout.URI }),
		attribute("backchannel.logout.session.required", "true", func(s *domain.Settings) any { return s.BackchannelLogout.SessionRequired }),
		attribute("frontchannel.logout.url", "", func(s *domain.Settings) any { return s.FrontchannelLogout.URI }),
		attribute("frontchannel.logout.session.required", "true", func(s *domain.Settings) any { return s.FrontchannelLogout.SessionRequired }),
		attribute("pkce.code.challenge.method", "", func(s *domain.Settings) any { return when(s.RequirePKCE, "S256") }),
		attribute("require.pushed.authorization.requests", "false", func(s *domain.Settings) any { return s.RequirePAR }),
		attribute("dpop.bound.access.tokens", "false", func(s *domain.Settings) any { return s.DPoPBound }),
		attribute("tls.client.certificate.bound.access.tokens", "false", func(s *domain.Settings) any { return s.CertificateBound }),
		attribute("access.token.lifespan", "", func(s *domain.Settings) any {
			return when(s.AccessTokenLifetime > 0, strconv.FormatInt(s.AccessTokenLifetime, 10))
		}),
		attribute("use.jwks.url", "false", func(s *domain.Settings) any { return s.Keys.URI() != "" }),
		attribute("jwks.url", "", func(s *domain.Settings) any { return s.Keys.URI() }),
		attribute("use.jwks.string", "false", func(s *domain.Settings) any { return s.Keys.Inline() != "" }),
		attribute("jwks.string", "", func(s *domain.Settings) any { return s.Keys.Inline() }),
		attribute("token.endpoint.auth.signing.alg", "", func(s *domain.Settings) any { return s.AuthSigningAlg }),
		attribute("x509.subjectdn", "", func(s *domain.Settings) any { return s.TLSSubject.DN }),
		attribute("x509.allow.regex.pattern.comparison", "false", func(*domain.Settings) any { return false }),
		attribute("id.token.signed.response.alg", "", func(s *domain.Settings) any { return s.IDToken.Signing }),
		attribute("id.token.encrypted.response.alg", "", func(s *domain.Settings) any { return s.IDToken.KeyManagement }),
		attribute("id.token.encrypted.response.enc", "", func(s *domain.Settings) any { return s.IDToken.Content }),
		attribute("user.info.response.signature.alg", "", func(s *domain.Settings) any { return s.UserInfo.Signing }),
		attribute("user.info.encrypted.response.alg", "", func(s *domain.Settings) any { return s.UserInfo.KeyManagement }),
		attribute("user.info.encrypted.response.enc", "", func(s *domain.Settings) any { return s.UserInfo.Content }),
		attribute("authorization.signed.response.alg", "", func(s *domain.Settings) any { return s.Authorization.Signing }),
		attribute("authorization.encrypted.response.alg", "", func(s *domain.Settings) any { return s.Authorization.KeyManagement }),
		attribute("authorization.encrypted.response.enc", "", func(s *domain.Settings) any { return s.Authorization.Content }),
		attribute("request.object.signature.alg", "", func(s *domain.Settings) any { return s.RequestObject.Signing }),
		attribute("request.object.encryption.alg", "", func(s *domain.Settings) any { return s.RequestObject.KeyManagement }),
		attribute("request.object.encryption.enc", "", func(s *domain.Settings) any { return s.RequestObject.Content }),
		attribute("request.object.required", "", func(s *domain.Settings) any {
			return when(s.RequireSignedRequestObject, "request or request_uri")
		}),
		attribute("request.uris", "", func(s *domain.Settings) any { return joined(s.RequestURIs) }),
		attribute("default.acr.values", "", func(s *domain.Settings) any { return joined(s.DefaultACRValues) }),
		attribute("ciba.backchannel.token.delivery.mode", "", func(s *domain.Settings) any { return string(s.CIBA.DeliveryMode) }),
		attribute("ciba.backchannel.client.notification.endpoint", "", func(s *domain.Settings) any { return s.CIBA.NotificationEndpoint }),
		attribute("ciba.backchannel.auth.request.signing.alg", "", func(s *domain.Settings) any { return s.CIBA.RequestSigningAlg }),
		attribute("logoUri", "", func(s *domain.Settings) any { return string(s.LogoURL) }),
		attribute("policyUri", "", func(s *domain.Settings) any { return string(s.PrivacyPolicy) }),
		attribute("tosUri", "", func(s *domain.Settings) any { return string(s.TermsURL) }),
	}
}

// authenticatorType returns how Keycloak authenticates the client. It takes one method,
// and does not tell client_secret_basic and client_secret_post apart.
func authenticatorType(s *domain.Settings, authenticator bool) any {
	switch method(s) {
	case domain.AuthPrivateKeyJWT:
		return authenticatorJWT
	case domain.AuthTLS:
		return authenticatorX509
	case domain.AuthSecretJWT:
		return authenticatorSecretJWT
	case domain.AuthNone:
		return nil // Keycloak ignores it for public clients
	default:
		if authenticator {
			return authenticatorID
		}
		return authenticatorSecret
	}
}

// method returns the one method that Keycloak uses: the first one that it has.
func method(s *domain.Settings) domain.AuthMethod {
	if !s.Confidential {
		return domain.AuthNone
	}
	for _, m := range s.AuthMethods {
		if m != domain.AuthSelfSignedTLS && m != domain.AuthNone {
			return m
		}
	}
	return domain.AuthSecretBasic
}

// asksForConsent reports whether users are asked. Keycloak rejects the grant password for a
// client that asks.
func asksForConsent(s *domain.Settings) bool {
	redirects := slices.Contains(s.GrantTypes, domain.GrantAuthorizationCode) || slices.Contains(s.GrantTypes, domain.GrantImplicit)
	return redirects && !s.SkipConsent
}

// postLogoutRedirectURIs returns "-" for none, because Keycloak takes the redirect URIs if
// there is no value.
func postLogoutRedirectURIs(s *domain.Settings) any {
	if len(s.PostLogoutRedirectURIs) == 0 {
		return "-"
	}
	return joined(s.PostLogoutRedirectURIs)
}

func grant(g domain.GrantType) func(*domain.Settings) any {
	return func(s *domain.Settings) any { return slices.Contains(s.GrantTypes, g) }
}

func when(condition bool, text string) string {
	if condition {
		return text
	}
	return ""
}

func texts[S ~string](values []S) []string {
	list := make([]string, len(values))
	for i, value := range values {
		list[i] = string(value)
	}
	return list
}

func joined[S ~string](values []S) string { return strings.Join(texts(values), separator) }

// canonical returns a value so that equal values are equal texts. The order of a list has
// no meaning; Keycloak keeps sets.
func canonical(value any) string {
	switch value := value.(type) {
	case string:
		return value
	case bool:
		return strconv.FormatBool(value)
	case []string:
		list := slices.Compact(slices.Sorted(slices.Values(value)))
		if list == nil {
			list = []string{}
		}
		text, _ := json.Marshal(list) // strings can always be encoded
		return string(text)
	default:
		return ""
	}
}
