package foreign

import (
	"slices"
	"strings"

	"github.com/clientele-oauth/clientele/domain"
)

// The clients that every realm of Keycloak has for itself.
func builtIn() []string {
	return []string{"account", "account-console", "admin-cli", "broker", "realm-management", "security-admin-console", "master-realm"}
}

// keycloak reads a ClientRepresentation of Keycloak's.
func keycloak(o *object) (Client, bool) {
	id, _ := take[string](o, "clientId")
	protocol, _ := take[string](o, "protocol")
	bearerOnly := o.flag("bearerOnly") // a resource server
	if id == "" || protocol != "" && protocol != "openid-connect" || bearerOnly || slices.Contains(builtIn(), id) {
		return Client{}, false
	}
	attributes, _ := take[map[string]any](o, "attributes")
	more := &object{members: attributes}
	name, _ := take[string](o, "name")
	if name == "" || strings.HasPrefix(name, "${") { // a key of a translation
		name = id
	}
	root, _ := take[string](o, "rootUrl")
	c := Client{ID: domain.ClientID(id), Wish: domain.Change{
		Name:          &name,
		RedirectURIs:  keycloakRedirects(o, root),
		GrantTypes:    keycloakGrants(o, more),
		Scopes:        keycloakScopes(o),
		CORSOrigins:   keycloakOrigins(o, root),
		LogoURL:       text[domain.Link](more, "logoUri"),
		PrivacyPolicy: text[domain.Link](more, "policyUri"),
		TermsURL:      text[domain.Link](more, "tosUri"),
		TLSSubjectDN:  text[string](more, "x509.subjectdn"),
	}}
	if enabled, given := take[bool](o, "enabled"); given && !enabled {
		c.Wish.Status = new(domain.StatusSuspended)
	}
	if base, _ := take[string](o, "baseUrl"); strings.HasPrefix(base, "https://") {
		c.Wish.Website = new(domain.Link(base))
	} else if strings.HasPrefix(root, "https://") {
		c.Wish.Website = new(domain.Link(root))
	}
	keycloakAuthentication(o, more, &c.Wish)
	o.drop("id", "surrogateAuthRequired", "nodeReRegistrationTimeout", "notBefore", "alwaysDisplayInConsole", "access",
		"fullScopeAllowed", "authenticationFlowBindingOverrides", "clientTemplate", "adminUrl")
	for name := range more.members { // what Keycloak notes for itself
		if strings.HasPrefix(name, "client.secret.") || name == "realm_client" || strings.HasSuffix(name, ".lifespan") && empty(more.members[name]) {
			more.drop(name)
		}
	}
	c.Lost = o.left(map[string]string{
		"secret":          secretsStay,
		"protocolMappers": "claims are the authorization server's affair",
		"consentRequired": "consent is the authorization server's affair",
	})
	for name, value := range more.members {
		if value != "false" && !empty(value) {
			c.Lost = append(c.Lost, "attributes."+name+": has no counterpart here")
		}
	}
	for _, lost := range more.lost {
		c.Lost = append(c.Lost, "attributes."+lost)
	}
	slices.Sort(c.Lost)
	return c, true
}

// keycloakRedirects makes relative URIs absolute. Patterns are lost: here a
// redirect URI is compared as it stands (RFC 9700 §2.1).
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
			o.lose("redirectUris", string(uri)+" is a pattern; name each redirect URI")
		case strings.HasPrefix(string(uri), "/"):
			o.lose("redirectUris", string(uri)+" is relative, and there is no rootUrl")
		default:
			kept = append(kept, uri)
		}
	}
	return &kept
}

// keycloakOrigins reads the web origins; "+" stands for those of the redirect
// URIs, which need no naming here.
func keycloakOrigins(o *object, root string) *[]domain.Origin {
	list := texts[domain.Origin](o, "webOrigins")
	if list == nil {
		return nil
	}
	kept := []domain.Origin{}
	for _, origin := range *list {
		switch {
		case origin == "+":
			o.lose("webOrigins", "+ stands for the origins of the redirect URIs; name them in cors_origins")
		case strings.Contains(string(origin), "*"):
			o.lose("webOrigins", string(origin)+" is a pattern; name each origin")
		case origin == "" || strings.HasPrefix(string(origin), "/"):
			kept = append(kept, domain.Origin(root))
		default:
			kept = append(kept, domain.Origin(strings.TrimSuffix(string(origin), "/")))
		}
	}
	return &kept
}

// keycloakGrants reads the switches for flows.
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
	return &grants
}

// keycloakScopes reads the scopes that the client is given, asked for or not. Each
// client of OpenID Connect has openid.
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

// keycloakAuthentication reads how the client authenticates, and its keys.
func keycloakAuthentication(o, attributes *object, wish *domain.Change) {
	public := o.flag("publicClient")
	wish.Confidential = new(!public)
	authenticator, _ := take[string](o, "clientAuthenticatorType")
	method := domain.AuthSecretBasic
	switch {
	case public:
		method = domain.AuthNone
	case authenticator == "client-jwt":
		method = domain.AuthPrivateKeyJWT
	case authenticator == "client-x509":
		method = domain.AuthTLS
	case authenticator == "client-secret-jwt":
		o.lose("clientAuthenticatorType", "client_secret_jwt needs the secret itself, of which only a hash is kept here; client_secret_basic stands in")
	}
	wish.AuthMethods = &[]domain.AuthMethod{method}
	byURL, _ := take[string](attributes, "use.jwks.url")
	inline, _ := take[string](attributes, "use.jwks.string")
	uri, keys := text[string](attributes, "jwks.url"), text[string](attributes, "jwks.string")
	switch {
	case byURL == "true":
		wish.JWKSURI = uri
	case inline == "true":
		wish.JWKS = keys
	}
	if certificate, _ := take[string](attributes, "jwt.credential.certificate"); certificate != "" && wish.JWKSURI == nil && wish.JWKS == nil {
		attributes.lose("jwt.credential.certificate", "make a JWK Set of it, and set jwks")
	}
}
