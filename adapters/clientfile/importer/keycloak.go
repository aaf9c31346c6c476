package importer

import (
	"slices"
	"strconv"
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
		"authorizationServicesEnabled": {reason: standard, unless: not(false)},
		"fullScopeAllowed":             {reason: standard, unless: not(true)},
		"notBefore":                    {reason: "no token was revoked", unless: not(0.0)},
		"frontchannelLogout":           {reason: "has no effect without frontchannel.logout.url"},
	}
}

// ignoredAttributes lists the attributes of a Keycloak client that can be ignored
// without loss. Their values are strings.
func ignoredAttributes() map[string]ignorable {
	const noURL = "has no effect without the URL"
	list := map[string]ignorable{
		"client.secret.creation.time":                             {reason: "the age of the secret is not imported"},
		"client.secret.expiration.time":                           {reason: "0 means that it does not expire", unless: not("0")},
		"realm_client":                                            {reason: "bookkeeping of Keycloak", unless: not("false")},
		"acr.loa.map":                                             {reason: "empty", unless: not("{}")},
		"backchannel.logout.session.required":                     {reason: noURL},
		"frontchannel.logout.session.required":                    {reason: noURL},
		"standard.token.exchange.enableRefreshRequestedTokenType": {reason: "the default", unless: not("NO")},
	}
	for _, name := range []string{
		"access.token.header.type.rfc9068", "backchannel.logout.revoke.offline.tokens", "client_credentials.use_refresh_token",
		"client.introspection.response.allow.jwt.claim.enabled", "client.use.lightweight.access.token.enabled", "display.on.consent.screen",
		"exclude.issuer.from.auth.response", "exclude.session.state.from.auth.response", "id.token.as.detached.signature",
		"logout.confirmation.enabled", "saml.assertion.signature", "saml.authnstatement", "saml.client.signature", "saml.encrypt",
		"saml.force.post.binding", "saml.multivalued.roles", "saml.onetimeuse.condition", "saml.server.signature",
		"saml.server.signature.keyinfo.ext", "saml_force_name_id_format", "saml.artifact.binding", "token.response.type.bearer.lower-case",
		"use.jwks.string", "use.jwks.url", "x509.allow.regex.pattern.comparison",
	} {
		list[name] = ignorable{reason: "the default", unless: not("false")}
	}
	return list
}

// unsupportedOfKeycloak lists why fields of a ClientRepresentation are not supported.
func unsupportedOfKeycloak() map[string]string {
	const permissions = "permissions on resources are configured in the authorization server"
	return map[string]string{
		"protocolMappers":                    "claims are configured in the authorization server",
		"authorizationServicesEnabled":       permissions,
		"authorizationSettings":              permissions,
		"authenticationFlowBindingOverrides": "logins are configured in the authorization server",
		"registrationAccessToken":            "clients cannot manage themselves",
		"fullScopeAllowed":                   "roles are configured in the authorization server",
		"defaultRoles":                       "roles are configured in the authorization server",
		"notBefore":                          "tokens are revoked in the authorization server",
	}
}

// unsupportedAttributes lists why attributes of a Keycloak client are not supported.
func unsupportedAttributes() map[string]string {
	const (
		sessions = "the lifetime of sessions is configured in the authorization server"
		consent  = "the consent screen is configured in the authorization server"
		logins   = "logins are configured in the authorization server"
		rotated  = "only the current secret is imported"
	)
	return map[string]string{
		"client.session.idle.timeout":           sessions,
		"client.session.max.lifespan":           sessions,
		"client.offline.session.idle.timeout":   sessions,
		"client.offline.session.max.lifespan":   sessions,
		"display.on.consent.screen":             consent,
		"consent.screen.text":                   consent,
		"login_theme":                           logins,
		"acr.loa.map":                           logins,
		"minimum.acr.value":                     logins,
		"client.secret.rotated":                 rotated,
		"client.secret.rotated.creation.time":   rotated,
		"client.secret.rotated.expiration.time": rotated,
		"client.secret.expiration.time":         "expiry times of secrets are not imported",
		"access.token.signed.response.alg":      "the format of access tokens is configured in the authorization server",
		"access.token.header.type.rfc9068":      "the format of access tokens is configured in the authorization server",
		"oauth2.jwt.authorization.grant.idp":    "trusted issuers are configured in the authorization server",
	}
}

// attributeTexts lists the attributes of Keycloak that have the same form here
// (org.keycloak.protocol.oidc.OIDCConfigAttributes, org.keycloak.models.ClientModel,
// org.keycloak.models.CibaConfig).
func attributeTexts() map[string]domain.Field {
	return map[string]domain.Field{
		"logoUri":                                       domain.FieldLogoURL,
		"policyUri":                                     domain.FieldPrivacyPolicy,
		"tosUri":                                        domain.FieldTermsURL,
		"id.token.signed.response.alg":                  domain.FieldIDTokenSigningAlg,
		"id.token.encrypted.response.alg":               domain.FieldIDTokenEncryptionAlg,
		"id.token.encrypted.response.enc":               domain.FieldIDTokenEncryption,
		"user.info.response.signature.alg":              domain.FieldUserInfoSigningAlg,
		"user.info.encrypted.response.alg":              domain.FieldUserInfoEncryptionAlg,
		"user.info.encrypted.response.enc":              domain.FieldUserInfoEncryption,
		"authorization.signed.response.alg":             domain.FieldAuthorizationSigningAlg,
		"authorization.encrypted.response.alg":          domain.FieldAuthorizationEncryptionAlg,
		"authorization.encrypted.response.enc":          domain.FieldAuthorizationEncryption,
		"backchannel.logout.url":                        domain.FieldBackchannelLogoutURI,
		"ciba.backchannel.token.delivery.mode":          domain.FieldCIBADeliveryMode,
		"ciba.backchannel.client.notification.endpoint": domain.FieldCIBANotificationEndpoint,
		"ciba.backchannel.auth.request.signing.alg":     domain.FieldCIBARequestSigningAlg,
	}
}

// attributeFlags lists the attributes of Keycloak that are booleans here.
func attributeFlags() map[string]domain.Field {
	return map[string]domain.Field{
		"require.pushed.authorization.requests":      domain.FieldRequirePAR,
		"tls.client.certificate.bound.access.tokens": domain.FieldCertificateBound,
		"dpop.bound.access.tokens":                   domain.FieldDPoPBound,
	}
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
	setText(&c.Change, domain.FieldDescription, keycloakDescription(o))
	setTexts(&c.Change, domain.FieldRedirectURIs, redirects)
	grants := keycloakGrants(o, more)
	setTexts(&c.Change, domain.FieldGrantTypes, grants)
	setTexts(&c.Change, domain.FieldResponseTypes, keycloakResponseTypes(grants))
	setTexts(&c.Change, domain.FieldScopes, keycloakScopes(o))
	setTexts(&c.Change, domain.FieldCORSOrigins, keycloakOrigins(o, root, redirects))
	setText(&c.Change, domain.FieldWebsite, keycloakWebsite(o, root))
	stated := o.members["enabled"] != nil
	enabled, _ := take[bool](o, "enabled")
	if grants == nil { // unset grants would mean authorization_code
		o.report("standardFlowEnabled", "no flow is enabled; grant_types is unset and the client suspended")
	}
	if stated && !enabled || grants == nil { // also with a value that is not a boolean
		setText(&c.Change, domain.FieldStatus, new(domain.StatusSuspended))
	}
	if asked, given := take[bool](o, "consentRequired"); given {
		setFlag(&c.Change, domain.FieldSkipConsent, !asked)
	}
	keycloakAuthentication(o, more, &c.Change)
	for name, f := range attributeTexts() {
		setText(&c.Change, f, text[string](more, name))
	}
	for name, f := range attributeFlags() {
		if value, given := attributeFlag(more, name); given {
			setFlag(&c.Change, f, value)
		}
	}
	keycloakLogout(o, more, &c.Change, root, redirects)
	keycloakRequests(more, &c.Change)
	keycloakLifetime(more, &c.Change)
	keycloakSubjects(o, more, &c.Change)
	expires := more.members["client.secret.expiration.time"]
	c.setSecret(o, "secret", !absent(expires) && expires != "0")
	o.ignore(ignoredOfKeycloak())
	c.Lost = o.unmapped(unsupportedOfKeycloak())
	more.ignore(ignoredAttributes())
	for _, lost := range more.unmapped(unsupportedAttributes()) {
		c.Lost = append(c.Lost, "attributes."+lost)
	}
	slices.Sort(c.Lost)
	return c, ""
}

// attributeFlag removes an attribute that is "true" or "false" and returns it.
func attributeFlag(attributes *object, name string) (value, given bool) {
	switch text, _ := take[string](attributes, name); text {
	case "true":
		return true, true
	case "false":
		return false, true
	case "":
	default:
		attributes.report(name, text+" is neither true nor false")
	}
	return false, false
}

// attributeList removes an attribute with several values and returns them
// (org.keycloak.models.Constants.CFG_DELIMITER); nil if it is omitted.
func attributeList(attributes *object, name string) []string {
	text, _ := take[string](attributes, name)
	if text == "" {
		return nil
	}
	list := []string{}
	for value := range strings.SplitSeq(text, "##") {
		if value != "" {
			list = append(list, value)
		}
	}
	return list
}

// keycloakDescription returns the description; nil if it is omitted.
func keycloakDescription(o *object) *string {
	description, _ := take[string](o, "description")
	if strings.HasPrefix(description, "${") {
		o.report("description", description+" is the key of a translation")
		return nil
	}
	return orNil(description)
}

// keycloakResponseTypes returns the response types of the flows, if one of them is the
// implicit flow: the types that Keycloak allows for it are more than the default. With
// the standard flow, Keycloak also allows the hybrid flow (OpenID Connect Core §3.3).
func keycloakResponseTypes(grants *[]domain.GrantType) *[]domain.ResponseType {
	if grants == nil || !slices.Contains(*grants, domain.GrantImplicit) {
		return nil
	}
	list := []domain.ResponseType{"id_token", "id_token token"}
	if slices.Contains(*grants, domain.GrantAuthorizationCode) {
		list = append(list, "code", "code id_token", "code token", "code id_token token")
	}
	return &list
}

// keycloakRequests reads how authorization requests are protected.
func keycloakRequests(attributes *object, c *domain.Change) {
	switch method, _ := take[string](attributes, "pkce.code.challenge.method"); method {
	case "":
	case "S256":
		setFlag(c, domain.FieldRequirePKCE, true)
	default:
		attributes.report("pkce.code.challenge.method", method+" is not supported by Clientele; set require_pkce if the client can use S256")
	}
	for name, f := range map[string]domain.Field{
		"request.object.signature.alg":  domain.FieldRequestObjectSigningAlg,
		"request.object.encryption.alg": domain.FieldRequestObjectEncryptionAlg,
		"request.object.encryption.enc": domain.FieldRequestObjectEncryption,
	} {
		if alg := text[string](attributes, name); alg != nil && *alg != "any" {
			setText(c, f, alg)
		}
	}
	switch required, _ := take[string](attributes, "request.object.required"); required {
	case "", "not required":
	case "request or request_uri", "request only", "request_uri only":
		setFlag(c, domain.FieldRequireSignedRequestObject, true)
		if alg := c.Values().RequestObject.Signing; alg == "" || alg == "none" {
			attributes.report("request.object.required", "request objects without a signature are rejected from now on")
		}
		if required != "request or request_uri" {
			attributes.report("request.object.required", required+" is converted to require_signed_request_object, which allows both")
		}
	default:
		attributes.report("request.object.required", required+" is unknown")
	}
	if uris := attributeList(attributes, "request.uris"); uris != nil {
		c.Set(domain.FieldRequestURIs).(domain.Texts).SetTexts(uris)
	}
	if values := attributeList(attributes, "default.acr.values"); values != nil {
		c.Set(domain.FieldDefaultACRValues).(domain.Texts).SetTexts(values)
	}
}

// keycloakLifetime reads the lifetime of access tokens, in seconds.
func keycloakLifetime(attributes *object, c *domain.Change) {
	const name = "access.token.lifespan"
	given, _ := take[string](attributes, name)
	if given == "" {
		return
	}
	switch seconds, err := strconv.ParseInt(given, 10, 32); {
	case err == nil && seconds > 0:
		setNumber(c, domain.FieldAccessTokenLifetime, seconds)
	case err == nil && seconds == -1:
		attributes.report(name, "-1, the lifetime of the session, is not supported by Clientele")
	default:
		attributes.report(name, given+" is not a positive number of seconds")
	}
}

// pairwiseMapper is the protocol mapper of Keycloak for pairwise subject identifiers.
const pairwiseMapper = "oidc-sha256-pairwise-sub-mapper"

// keycloakSubjects reads the type of the subject identifiers, which a protocol mapper
// determines.
func keycloakSubjects(o, attributes *object, c *domain.Change) {
	setText(c, domain.FieldSectorIdentifierURI, text[string](attributes, "sectorIdentifierUri"))
	mappers, _ := o.members["protocolMappers"].([]any)
	rest := []any{}
	for _, element := range mappers {
		mapper, _ := element.(map[string]any)
		if mapper["protocolMapper"] != pairwiseMapper {
			rest = append(rest, element)
			continue
		}
		setText(c, domain.FieldSubjectType, new(domain.SubjectPairwise))
		config, _ := mapper["config"].(map[string]any)
		if uri := stringOf(config["sectorIdentifierUri"]); uri != "" {
			setText(c, domain.FieldSectorIdentifierURI, &uri)
		}
		if !absent(config["pairwiseSubAlgorithmSalt"]) {
			o.report("protocolMappers", "keep the salt of the pairwise subject identifiers; without it, they change")
		}
	}
	if len(mappers) > 0 {
		o.members["protocolMappers"] = rest
	}
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
