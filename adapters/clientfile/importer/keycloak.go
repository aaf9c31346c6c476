package importer

import (
	"net/url"
	"slices"
	"strings"

	"github.com/clientele-oauth/clientele/domain"
)

// builtIn lists the built-in clients of every Keycloak realm.
func builtIn() []string {
	return []string{"account", "account-console", "admin-cli", "broker", "realm-management", "security-admin-console", "master-realm"}
}

// ignoredOfKeycloak lists the fields of a ClientRepresentation that can be ignored
// without loss.
func ignoredOfKeycloak() map[string]ignorable {
	const standard = "the default"
	return map[string]ignorable{
		"id":                           {reason: "the key of the record in Keycloak"},
		"access":                       {reason: "the permissions of the exporting user on the record"},
		"rootUrl":                      {reason: "used to resolve relative URLs"},
		"nodeReRegistrationTimeout":    {reason: "a setting of the Keycloak adapter"},
		"surrogateAuthRequired":        {reason: standard, unless: not(false)},
		"alwaysDisplayInConsole":       {reason: standard, unless: not(false)},
		"consentRequired":              {reason: standard, unless: not(false)},
		"frontchannelLogout":           {reason: standard, unless: not(false)},
		"authorizationServicesEnabled": {reason: standard, unless: not(false)},
		"fullScopeAllowed":             {reason: standard, unless: not(true)},
		"notBefore":                    {reason: "no token was revoked", unless: not(0.0)},
	}
}

// ignoredAttributes lists the attributes of a Keycloak client that can be ignored
// without loss. Their values are strings.
func ignoredAttributes() map[string]ignorable {
	list := map[string]ignorable{
		"client.secret.creation.time": {reason: "about the secret, which is not imported"},
		"realm_client":                {reason: "bookkeeping of Keycloak", unless: not("false")},
		"acr.loa.map":                 {reason: "empty", unless: not("{}")},
	}
	for _, name := range []string{
		"access.token.header.type.rfc9068", "backchannel.logout.revoke.offline.tokens", "client_credentials.use_refresh_token",
		"client.offline.session.idle.timeout", "client.use.lightweight.access.token.enabled", "display.on.consent.screen",
		"exclude.session.state.from.auth.response", "id.token.as.detached.signature", "require.pushed.authorization.requests",
		"saml.assertion.signature", "saml.authnstatement", "saml.client.signature", "saml.encrypt", "saml.force.post.binding",
		"saml.multivalued.roles", "saml.onetimeuse.condition", "saml.server.signature", "saml.server.signature.keyinfo.ext",
		"saml_force_name_id_format", "saml.artifact.binding", "standard.token.exchange.enabled", "tls.client.certificate.bound.access.tokens",
		"token.response.type.bearer.lower-case", "use.jwks.string", "use.jwks.url", "x509.allow.regex.pattern.comparison",
		"oauth2.device.authorization.grant.enabled", "oidc.ciba.grant.enabled",
	} {
		list[name] = ignorable{reason: "the default", unless: not("false")}
	}
	return list
}

// withoutID is the reason for skipping a record that is not a Keycloak client.
const withoutID = "no clientId"

// keycloak converts a ClientRepresentation of Keycloak.
func keycloak(o *object) (c Client, skipped string) {
	id, _ := take[string](o, "clientId")
	protocol, _ := take[string](o, "protocol")
	bearerOnly := o.flag("bearerOnly")
	switch {
	case id == "":
		return Client{}, withoutID
	case slices.Contains(builtIn(), id):
		return Client{}, id + ": skipped: Keycloak makes this client for itself"
	case protocol != "" && protocol != "openid-connect":
		return Client{}, id + ": skipped: its protocol is " + protocol
	case bearerOnly:
		return Client{}, id + ": skipped: it is bearer-only, a resource server"
	}
	attributes, _ := take[map[string]any](o, "attributes")
	more := &object{members: attributes}
	root, _ := o.members["rootUrl"].(string)
	redirects := keycloakRedirects(o, root)
	c = Client{ID: domain.ClientID(id)}
	setText(&c.Change, domain.FieldName, keycloakName(o, id))
	setTexts(&c.Change, domain.FieldRedirectURIs, redirects)
	grants := keycloakGrants(o, more)
	setTexts(&c.Change, domain.FieldGrantTypes, grants)
	setTexts(&c.Change, domain.FieldScopes, keycloakScopes(o))
	setTexts(&c.Change, domain.FieldCORSOrigins, keycloakOrigins(o, root, redirects))
	setText(&c.Change, domain.FieldLogoURL, text[string](more, "logoUri"))
	setText(&c.Change, domain.FieldPrivacyPolicy, text[string](more, "policyUri"))
	setText(&c.Change, domain.FieldTermsURL, text[string](more, "tosUri"))
	setText(&c.Change, domain.FieldWebsite, keycloakWebsite(o, root))
	enabled, given := take[bool](o, "enabled")
	if grants == nil { // unset grants would mean authorization_code
		o.report("standardFlowEnabled", "no flow is enabled; grant_types is unset and the client suspended")
	}
	if given && !enabled || grants == nil {
		setText(&c.Change, domain.FieldStatus, new(domain.StatusSuspended))
	}
	keycloakAuthentication(o, more, &c.Change)
	o.ignore(ignoredOfKeycloak())
	c.Lost = o.unmapped(map[string]string{
		"secret":          secretsNotImported,
		"protocolMappers": "claims are configured in the authorization server",
		"consentRequired": "consent is configured in the authorization server",
	})
	more.ignore(ignoredAttributes())
	for _, lost := range more.unmapped(nil) {
		c.Lost = append(c.Lost, "attributes."+lost)
	}
	slices.Sort(c.Lost)
	return c, ""
}

// keycloakName returns the name or, if there is none, the client_id.
func keycloakName(o *object, id string) *string {
	switch name, _ := take[string](o, "name"); {
	case name == "":
		o.report("name", "is absent; the client_id is the name")
	case strings.HasPrefix(name, "${"):
		o.report("name", name+" is the key of a translation; the client_id is the name")
	default:
		return &name
	}
	return &id
}

// keycloakWebsite returns the base URL or, if there is none, the root URL.
func keycloakWebsite(o *object, root string) *domain.Link {
	base, _ := take[string](o, "baseUrl")
	given := base
	switch {
	case base == "":
		base = root
	case strings.HasPrefix(base, "/"):
		base = strings.TrimSuffix(root, "/") + base
	}
	if strings.HasPrefix(base, "https://") {
		return new(domain.Link(base))
	}
	if given != "" {
		o.report("baseUrl", given+" is not an https URL")
	}
	return nil
}

// keycloakRedirects makes relative URIs absolute. Patterns cannot be converted: a
// redirect URI must match exactly (RFC 9700 §2.1).
func keycloakRedirects(o *object, root string) *[]domain.RedirectURI {
	list := texts[domain.RedirectURI](o, "redirectUris")
	if list == nil {
		return nil
	}
	kept := []domain.RedirectURI{}
	for _, uri := range *list {
		if strings.HasPrefix(string(uri), "/") {
			uri = domain.RedirectURI(strings.TrimSuffix(root, "/")) + uri
		}
		switch {
		case strings.Contains(string(uri), "*"):
			o.report("redirectUris", string(uri)+" is a pattern; name each redirect URI")
		case strings.HasPrefix(string(uri), "/"):
			o.report("redirectUris", string(uri)+" is relative, and there is no rootUrl")
		default:
			kept = append(kept, uri)
		}
	}
	return &kept
}

// keycloakOrigins reads the web origins. "+" means the origins of the redirect URIs.
func keycloakOrigins(o *object, root string, redirects *[]domain.RedirectURI) *[]domain.Origin {
	list := texts[domain.Origin](o, "webOrigins")
	if list == nil {
		return nil
	}
	kept := []domain.Origin{}
	keep := func(address string) bool {
		origin := originOf(address)
		if origin != "" && !slices.Contains(kept, origin) {
			kept = append(kept, origin)
		}
		return origin != ""
	}
	for _, origin := range *list {
		switch text := string(origin); {
		case text == "+":
			if redirects != nil {
				for _, uri := range *redirects {
					keep(string(uri))
				}
			}
			o.report("webOrigins", "+ is converted to the origins of the redirect URIs")
		case text == "":
			o.report("webOrigins", "an empty origin allows nothing and is left out")
		case strings.Contains(text, "*"):
			o.report("webOrigins", text+" is a pattern; name each origin")
		case strings.HasPrefix(text, "/"):
			if !keep(root) {
				o.report("webOrigins", text+" is relative, and rootUrl has no origin")
			}
		default:
			if !keep(text) {
				o.report("webOrigins", text+" is not an origin")
			}
		}
	}
	return &kept
}

// originOf returns the origin of an http or https URL (RFC 6454 §4), or "" for any
// other URL.
func originOf(address string) domain.Origin {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return ""
	}
	return domain.Origin(u.Scheme + "://" + u.Host)
}

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
		value, _ := take[string](attributes, name)
		return value == "true"
	}
	add(on("oauth2.device.authorization.grant.enabled"), domain.GrantDeviceCode)
	add(on("oidc.ciba.grant.enabled"), domain.GrantCIBA)
	if refresh, given := take[string](attributes, "use.refresh.tokens"); !given || refresh == "true" {
		add(slices.Contains(grants, domain.GrantAuthorizationCode), domain.GrantRefreshToken)
	}
	if len(grants) == 0 {
		return nil
	}
	return &grants
}

// keycloakScopes reads the default and the optional scopes of the client. Every OpenID
// Connect client has openid.
func keycloakScopes(o *object) *[]domain.Scope {
	scopes := []domain.Scope{"openid"}
	for _, name := range []string{"defaultClientScopes", "optionalClientScopes"} {
		if list := texts[domain.Scope](o, name); list != nil {
			for _, scope := range *list {
				if !slices.Contains(scopes, scope) {
					scopes = append(scopes, scope)
				}
			}
		}
	}
	return &scopes
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
