package keycloak

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/clientele-oauth/clientele/application/push"
	"github.com/clientele-oauth/clientele/domain"
)

// maxText is the length of a column of Keycloak's database. Keycloak answers 500 to a
// longer value.
const maxText = 255

// Check returns what Keycloak does not take.
func (t *Target) Check(want push.Client) domain.Findings {
	return Check(want, t.server.config.Authenticator)
}

// limitation is a row of the table of what Keycloak does not take.
type limitation struct {
	rule  string
	level domain.Level
	check func(c *checked)
}

// checked collects the findings about a client.
type checked struct {
	id            domain.ClientID
	settings      domain.Settings
	authenticator bool
	row           *limitation
	findings      domain.Findings
}

// Check returns what a realm of Keycloak does not take of a client. authenticator is
// [Config.Authenticator].
func Check(want push.Client, authenticator bool) domain.Findings {
	c := checked{id: want.Identity().ClientID, settings: want.Settings(), authenticator: authenticator}
	for _, row := range limitations() {
		c.row = &row
		row.check(&c)
	}
	return c.findings
}

// limitations returns the table. What is a violation was tried with Keycloak 26.7.3.
func limitations() []limitation {
	return []limitation{
		{"keycloak-length", domain.Violation, checkLengths},
		{"keycloak-redirect-uri-pattern", domain.Violation, func(c *checked) {
			for _, f := range []domain.Field{domain.FieldRedirectURIs, domain.FieldPostLogoutRedirectURIs, domain.FieldCORSOrigins} {
				c.each(f, func(i int, value string) {
					if strings.HasSuffix(value, "*") || value == "+" || value == "-" {
						c.element(f, i, "Keycloak takes it for a pattern; use another one")
					}
				})
			}
		}},
		{"keycloak-separator", domain.Violation, func(c *checked) {
			for _, f := range []domain.Field{domain.FieldPostLogoutRedirectURIs, domain.FieldRequestURIs, domain.FieldDefaultACRValues} {
				c.each(f, func(i int, value string) {
					if strings.Contains(value, separator) {
						c.element(f, i, "Keycloak separates values by "+separator)
					}
				})
			}
		}},
		{"keycloak-grant", domain.Violation, func(c *checked) {
			for i, g := range c.settings.GrantTypes {
				if g == domain.GrantSAML2Bearer {
					c.element(domain.FieldGrantTypes, i, "Keycloak does not have this grant")
				}
			}
		}},
		{"keycloak-certificate", domain.Violation, func(c *checked) {
			switch method(&c.settings) {
			case domain.AuthSelfSignedTLS:
				c.element(domain.FieldAuthMethods, 0, "Keycloak accepts only certificates of authorities that it trusts, and compares the subject; use tls_client_auth or private_key_jwt")
			case domain.AuthTLS:
				if c.settings.TLSSubject.DN == "" {
					c.field(domain.FieldAuthMethods, "Keycloak compares only the subject of a certificate; set tls_client_auth_subject_dn")
				}
			}
		}},
		{"keycloak-secret-jwt", domain.Violation, func(c *checked) {
			if method(&c.settings) == domain.AuthSecretJWT && c.authenticator {
				c.element(domain.FieldAuthMethods, 0, "the authenticator of the registry verifies secrets that are sent; use private_key_jwt")
			}
		}},
		{"keycloak-one-method", domain.Warning, func(c *checked) {
			used := method(&c.settings)
			for i, m := range c.settings.AuthMethods {
				if m != used && (!isSentSecret(m) || !isSentSecret(used)) {
					c.element(domain.FieldAuthMethods, i, "Keycloak accepts one method; it is "+string(used))
				}
			}
		}},
		{"keycloak-jwt-bearer", domain.Warning, func(c *checked) {
			for i, g := range c.settings.GrantTypes {
				if g == domain.GrantJWTBearer {
					c.element(domain.FieldGrantTypes, i, "choose the trusted issuers in Keycloak (attribute oauth2.jwt.authorization.grant.idp)")
				}
			}
		}},
		{"keycloak-pairwise", domain.Warning, func(c *checked) {
			if c.settings.SubjectType == domain.SubjectPairwise {
				c.field(domain.FieldSubjectType, "a protocol mapper determines this in Keycloak; add it there")
			}
		}},
		{"keycloak-refresh-rotation", domain.Warning, func(c *checked) {
			if c.settings.RefreshTokenRotation == domain.RefreshRotate {
				c.field(domain.FieldRefreshTokenRotation, "this is a setting of the realm in Keycloak (Revoke Refresh Token)")
			}
		}},
		{"keycloak-ignored", domain.Warning, func(c *checked) {
			for _, f := range ignored() {
				if !f.Of(&c.settings).IsEmpty() {
					c.field(f, "Keycloak has no such setting for a client; it is ignored")
				}
			}
		}},
	}
}

// ignored lists the fields that have an effect at an authorization server, but not at
// Keycloak. Response types and modes follow from the flows there.
func ignored() []domain.Field {
	return []domain.Field{
		domain.FieldTLSSANDNS, domain.FieldTLSSANURI, domain.FieldTLSSANIP, domain.FieldTLSSANEmail,
		domain.FieldDefaultMaxAge, domain.FieldRequireAuthTime, domain.FieldInitiateLoginURI, domain.FieldAuthorizationDetailsTypes,
		domain.FieldCIBAUserCode, domain.FieldIDTokenLifetime, domain.FieldRefreshTokenLifetime, domain.FieldResources,
		domain.FieldIntrospectionEncryptionAlg, domain.FieldIntrospectionEncryption,
	}
}

// isSentSecret reports whether the client sends its secret; Keycloak does not tell the
// two methods apart.
func isSentSecret(m domain.AuthMethod) bool {
	return m == domain.AuthSecretBasic || m == domain.AuthSecretPost
}

// checkLengths checks the members that have a column of 255 characters.
func checkLengths(c *checked) {
	for _, f := range []domain.Field{domain.FieldName, domain.FieldDescription, domain.FieldWebsite, domain.FieldRedirectURIs, domain.FieldCORSOrigins} {
		message := fmt.Sprintf("Keycloak takes at most %d characters", maxText)
		if text, ok := f.Of(&c.settings).(*domain.Text); ok && isTooLong(string(*text)) {
			c.field(f, message)
		}
		c.each(f, func(i int, value string) {
			if isTooLong(value) {
				c.element(f, i, message)
			}
		})
	}
}

// each calls visit for each value of a field that has several.
func (c *checked) each(f domain.Field, visit func(i int, value string)) {
	list, ok := f.Of(&c.settings).(domain.Texts)
	if !ok {
		return
	}
	for i := range list.Len() {
		visit(i, list.Text(i))
	}
}

func isTooLong(text string) bool { return utf8.RuneCountInString(text) > maxText }

// field reports a field as a whole.
func (c *checked) field(f domain.Field, message string) { c.at("/"+f.String(), message) }

// element reports an element of a field.
func (c *checked) element(f domain.Field, i int, message string) {
	c.at(fmt.Sprintf("/%s/%d", f, i), message)
}

func (c *checked) at(pointer, message string) {
	c.findings = append(c.findings, domain.Finding{
		Rule: c.row.rule, Level: c.row.level, Pointer: pointer, Message: message, Source: "Keycloak 26", KeyIndex: domain.NoKey,
	})
}
