// Package serverlimits knows what authorization servers do not take of a client: one table
// of limits for each product.
//
// A limit is about a version of the product, which its source names. Some were measured,
// and the others are in the product's source or documentation.
package serverlimits

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/clientele-oauth/clientele/domain"
)

// Product is an authorization server that the package knows.
type Product string

// The products.
const (
	Keycloak     Product = "keycloak"
	Hydra        Product = "hydra"
	OIDCProvider Product = "oidc-provider"
	Spring       Product = "spring"
)

// Products lists the products that the package knows.
func Products() []Product { return []Product{Keycloak, Hydra, OIDCProvider, Spring} }

// Limit is one thing that a product does not take.
type Limit struct {
	// ID is its stable name, which begins with that of the product.
	ID string
	// Refused means that the product refuses the client, or that the client cannot be
	// used as it is meant. Otherwise the product ignores a setting. If Softens is set,
	// it is the strictest of the two.
	Refused bool
	Softens bool
	// Source is the version of the product, and where that is known from.
	Source string
	// Summary completes the sentence "it does not take …".
	Summary string

	check func(*candidate)
}

// Limits returns the table of a product.
func Limits(p Product) []Limit {
	switch p {
	case Keycloak:
		return keycloak()
	case Hydra:
		return hydra()
	case OIDCProvider:
		return oidcProvider()
	case Spring:
		return spring()
	default:
		return nil
	}
}

// Check returns what the product does not take of a configuration with effective settings:
// a violation if it refuses the client, or the client could not be used as it is meant, and
// a warning if it ignores a setting.
func Check(p Product, effective domain.Settings) domain.Findings {
	return CheckClient(p, "", effective)
}

// CheckClient is [Check] for a client with an identifier.
func CheckClient(p Product, id domain.ClientID, effective domain.Settings) domain.Findings {
	c := candidate{id: id, s: effective}
	for _, limit := range Limits(p) {
		c.limit = limit
		limit.check(&c)
	}
	return c.findings
}

// candidate is a configuration that is checked.
type candidate struct {
	id       domain.ClientID // may be empty
	s        domain.Settings
	limit    Limit
	findings domain.Findings
}

// on reports the current limit for a field.
func (c *candidate) on(f domain.Field, format string, args ...any) {
	c.report(c.limit.Refused, "/"+f.String(), format, args...)
}

// at reports the current limit for an element of a field.
func (c *candidate) at(f domain.Field, i int, format string, args ...any) {
	c.report(c.limit.Refused, "/"+f.String()+"/"+strconv.Itoa(i), format, args...)
}

// soft reports the current limit for a field, as something that is only ignored.
func (c *candidate) soft(f domain.Field, format string, args ...any) {
	c.report(false, "/"+f.String(), format, args...)
}

func (c *candidate) report(refused bool, pointer, format string, args ...any) {
	level := domain.Warning
	if refused {
		level = domain.Violation
	}
	c.findings = append(c.findings, domain.Finding{
		Rule: c.limit.ID, Level: level, Pointer: pointer, Message: fmt.Sprintf(format, args...), Source: c.limit.Source, KeyIndex: domain.NoKey,
	})
}

// each calls visit for each value of a field that has several.
func (c *candidate) each(f domain.Field, visit func(i int, value string)) {
	if list, ok := f.Of(&c.s).(domain.Texts); ok {
		for i := range list.Len() {
			visit(i, list.Text(i))
		}
	}
}

// has reports whether a method is one of the client's.
func (c *candidate) has(m domain.AuthMethod) bool { return slices.Contains(c.s.AuthMethods, m) }

// maxShown limits how much of a value a message repeats.
const maxShown = 80

// shown returns a value for a message.
func shown[S ~string](s S) string {
	if len(s) > maxShown {
		return strconv.QuoteToASCII(string(s[:maxShown])) + "…"
	}
	return strconv.QuoteToASCII(string(s))
}

// ignores is the limit that the product ignores fields, of which the client has set some.
func ignores(id, source, summary string, fields ...domain.Field) Limit {
	return Limit{ID: id, Source: source, Summary: summary, check: func(c *candidate) {
		for _, f := range fields {
			if !f.Of(&c.s).IsEmpty() {
				c.on(f, "the server ignores this field")
			}
		}
	}}
}

// onlyGrants is the limit that the product supports only these grants. If alone is true, it
// refuses the client if any other is there; otherwise if no other is left.
func onlyGrants(id, source string, alone bool, supported ...domain.GrantType) Limit {
	return Limit{ID: id, Refused: true, Softens: !alone, Source: source, Summary: "a grant type that the server does not support", check: func(c *candidate) {
		// A refresh token comes with another grant.
		works := slices.ContainsFunc(c.s.GrantTypes, func(g domain.GrantType) bool {
			return g != domain.GrantRefreshToken && slices.Contains(supported, g)
		})
		for i, g := range c.s.GrantTypes {
			switch {
			case slices.Contains(supported, g):
			case alone || !works:
				c.at(domain.FieldGrantTypes, i, "the server does not support the grant type %s", shown(g))
			default:
				c.report(false, "/grant_types/"+strconv.Itoa(i), "the server does not support the grant type %s; the client keeps the others", shown(g))
			}
		}
	}}
}

// oneMethod is the limit that the product supports only one authentication method of a
// client: the first one of those that it supports.
func oneMethod(id, source string, supported ...domain.AuthMethod) Limit {
	return Limit{ID: id, Refused: true, Softens: true, Source: source, Summary: "more than one authentication method, and one that the server does not support", check: func(c *candidate) {
		if len(c.s.AuthMethods) == 0 {
			return
		}
		used := slices.IndexFunc(c.s.AuthMethods, func(m domain.AuthMethod) bool { return slices.Contains(supported, m) })
		if used < 0 {
			c.on(domain.FieldAuthMethods, "the server supports none of the client's authentication methods")
			return
		}
		if len(c.s.AuthMethods) > 1 {
			c.soft(domain.FieldAuthMethods, "the server supports one authentication method for each client; it uses %s", c.s.AuthMethods[used])
		}
	}}
}

// tlsSubjectOnly is the limit that the product compares only the subject of a certificate.
func tlsSubjectOnly(id, source string) Limit {
	return Limit{ID: id, Refused: true, Source: source, Summary: "a subject alternative name as the subject of tls_client_auth", check: func(c *candidate) {
		if !c.has(domain.AuthTLS) || c.s.TLSSubject.DN != "" {
			return
		}
		for _, f := range []domain.Field{domain.FieldTLSSANDNS, domain.FieldTLSSANURI, domain.FieldTLSSANIP, domain.FieldTLSSANEmail} {
			if !f.Of(&c.s).IsEmpty() {
				c.on(f, "the server compares only tls_client_auth_subject_dn")
			}
		}
	}}
}

// algorithms are the fields with algorithms, and their values.
func (c *candidate) algorithms() map[domain.Field]string {
	return map[domain.Field]string{
		domain.FieldIDTokenSigningAlg: c.s.IDToken.Signing, domain.FieldIDTokenEncryptionAlg: c.s.IDToken.KeyManagement,
		domain.FieldUserInfoSigningAlg: c.s.UserInfo.Signing, domain.FieldUserInfoEncryptionAlg: c.s.UserInfo.KeyManagement,
		domain.FieldIntrospectionSigningAlg: c.s.Introspection.Signing, domain.FieldIntrospectionEncryptionAlg: c.s.Introspection.KeyManagement,
		domain.FieldAuthorizationSigningAlg: c.s.Authorization.Signing, domain.FieldAuthorizationEncryptionAlg: c.s.Authorization.KeyManagement,
		domain.FieldRequestObjectSigningAlg: c.s.RequestObject.Signing, domain.FieldRequestObjectEncryptionAlg: c.s.RequestObject.KeyManagement,
		domain.FieldAuthSigningAlg: c.s.AuthSigningAlg, domain.FieldCIBARequestSigningAlg: c.s.CIBA.RequestSigningAlg,
	}
}

// ignoresAlgorithms is the limit that the product ignores fields with algorithms whose
// values are not the default.
func ignoresAlgorithms(id, source string, fields ...domain.Field) Limit {
	return Limit{ID: id, Source: source, Summary: "algorithms for a client that are not those of the server", check: func(c *candidate) {
		for _, f := range fields {
			if value := c.algorithms()[f]; value != "" && value != "RS256" {
				c.on(f, "the server ignores this field, and uses its own algorithm")
			}
		}
	}}
}

// origin returns the scheme, the host and the port of a URI.
func origin(uri string) string {
	scheme, rest, _ := strings.Cut(uri, "://")
	authority, _, _ := strings.Cut(rest, "/")
	authority, _, _ = strings.Cut(authority, "?")
	return strings.ToLower(scheme + "://" + authority)
}
