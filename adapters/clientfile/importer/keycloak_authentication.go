package importer

import (
	"slices"

	"github.com/clientele-oauth/clientele/domain"
)

// keycloakGrants converts the flags for flows to grant types; nil if all are off.
func keycloakGrants(o, attributes *object) *[]domain.GrantType {
	grants := []domain.GrantType{}
	add := func(on bool, grant domain.GrantType) {
		if on {
			grants = append(grants, grant)
		}
	}
	standard, given := take[bool](o, "standardFlowEnabled")
	add(standard || !given, domain.GrantAuthorizationCode)
	add(o.flag("implicitFlowEnabled"), domain.GrantImplicit)
	add(o.flag("directAccessGrantsEnabled"), domain.GrantPassword)
	add(o.flag("serviceAccountsEnabled"), domain.GrantClientCredentials)
	on := func(name string) bool {
		value, _ := attributeFlag(attributes, name)
		return value
	}
	add(on("oauth2.device.authorization.grant.enabled"), domain.GrantDeviceCode)
	add(on("oidc.ciba.grant.enabled"), domain.GrantCIBA)
	add(on("standard.token.exchange.enabled"), domain.GrantTokenExchange)
	add(on("oauth2.jwt.authorization.grant.enabled"), domain.GrantJWTBearer)
	if refresh, given := attributeFlag(attributes, "use.refresh.tokens"); !given || refresh {
		add(slices.Contains(grants, domain.GrantAuthorizationCode), domain.GrantRefreshToken)
	}
	if len(grants) == 0 {
		return nil
	}
	return &grants
}

// keycloakAuthentication reads the authentication method of the client and its keys.
func keycloakAuthentication(o, attributes *object, change *domain.Change) {
	public := o.flag("publicClient")
	setFlag(change, domain.FieldConfidential, !public)
	authenticator, _ := take[string](o, "clientAuthenticatorType")
	method := domain.AuthSecretBasic
	switch {
	case public:
		method = domain.AuthNone
		if authenticator != "" && authenticator != "client-secret" {
			o.report("clientAuthenticatorType", authenticator+" is ignored: the client is public")
		}
	case authenticator == "client-jwt":
		method = domain.AuthPrivateKeyJWT
	case authenticator == "client-x509":
		method = domain.AuthTLS
	case authenticator == "client-secret-jwt":
		o.report("clientAuthenticatorType", "client_secret_jwt requires the plain secret, but Clientele stores only a hash; converted to client_secret_basic")
	case authenticator != "" && authenticator != "client-secret":
		o.report("clientAuthenticatorType", authenticator+" is not supported by Clientele; converted to client_secret_basic")
	}
	setTexts(change, domain.FieldAuthMethods, &[]domain.AuthMethod{method})
	const signing = "token.endpoint.auth.signing.alg"
	if alg := text[string](attributes, signing); method == domain.AuthPrivateKeyJWT {
		setText(change, domain.FieldAuthSigningAlg, alg)
	} else if alg != nil {
		attributes.report(signing, "is ignored: the client does not authenticate with private_key_jwt")
	}
	keycloakCertificate(attributes, method, change)
	keycloakKeys(attributes, change)
}

// keycloakCertificate reads the subject of the certificate with which the client
// authenticates.
func keycloakCertificate(attributes *object, method domain.AuthMethod, change *domain.Change) {
	regex := attributes.members["x509.allow.regex.pattern.comparison"] == "true"
	subject := text[string](attributes, "x509.subjectdn")
	switch {
	case subject == nil:
	case method != domain.AuthTLS:
		attributes.report("x509.subjectdn", "is ignored: the client does not authenticate with a certificate")
	case regex:
		attributes.report("x509.subjectdn", *subject+" is a regular expression; set tls_client_auth_subject_dn to one distinguished name")
	default:
		setText(change, domain.FieldTLSSubjectDN, subject)
	}
}

// keycloakKeys reads the keys that are in use.
func keycloakKeys(attributes *object, change *domain.Change) {
	on := func(name string) bool {
		return attributes.members[name] == "true"
	}
	byURL, inline := on("use.jwks.url"), on("use.jwks.string")
	uri, keys := text[string](attributes, "jwks.url"), keySet(attributes, "jwks.string")
	if byURL {
		delete(attributes.members, "use.jwks.url")
		setText(change, domain.FieldJWKSURI, uri)
	} else if uri != nil {
		attributes.report("jwks.url", "is ignored: use.jwks.url is not set")
	}
	switch {
	case inline && !byURL:
		delete(attributes.members, "use.jwks.string")
		setText(change, domain.FieldJWKS, keys)
	case keys != nil:
		attributes.report("jwks.string", "is ignored: other keys are in use")
	}
	if certificate, _ := take[string](attributes, "jwt.credential.certificate"); certificate != "" {
		if !change.Names(domain.FieldJWKSURI) && !change.Names(domain.FieldJWKS) {
			attributes.report("jwt.credential.certificate", "is not supported by Clientele; convert it to a JWK Set, and set jwks")
		} else {
			attributes.report("jwt.credential.certificate", "is ignored: other keys are in use")
		}
	}
}
