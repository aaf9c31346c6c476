package foreign

import (
	"slices"
	"strings"

	"github.com/clientele-oauth/clientele/domain"
)

// secretsStay is why no secret is carried over.
const secretsStay = "secrets are not imported; create one, and give it to the client"

// ignoredMetadata lists the members of client metadata that are not converted and
// lose nothing.
func ignoredMetadata() map[string]ignorable {
	const bookkeeping = "a note of the system about the record"
	return map[string]ignorable{
		"created_at":               {reason: bookkeeping},
		"updated_at":               {reason: bookkeeping},
		"client_id_issued_at":      {reason: bookkeeping},
		"registration_client_uri":  {reason: "where the system manages the client"},
		"client_secret_expires_at": {reason: "0 is never (RFC 7591 §3.2.1)", unless: not(0.0)},
		// Hydra writes these for every client.
		"skip_consent":                         {reason: "the default", unless: not(false)},
		"skip_logout_consent":                  {reason: "the default", unless: not(false)},
		"frontchannel_logout_session_required": {reason: "the default (OpenID Connect Front-Channel Logout §2)", unless: not(false)},
		"backchannel_logout_session_required":  {reason: "the default (OpenID Connect Back-Channel Logout §2.2)", unless: not(false)},
		"userinfo_signed_response_alg":         {reason: "the same as unset", unless: not("none")},
	}
}

// metadata reads client metadata (RFC 7591 §2), which Hydra's export is as well,
// with members of its own.
func metadata(o *object) (c Client, skipped string) {
	id, _ := take[string](o, "client_id")
	c = Client{ID: domain.ClientID(id), Wish: domain.Change{
		Name:          text[string](o, "client_name"),
		RedirectURIs:  texts[domain.RedirectURI](o, "redirect_uris"),
		GrantTypes:    grants(o, "grant_types"),
		Scopes:        fields[domain.Scope](o, "scope"),
		JWKS:          keySet(o, "jwks"),
		JWKSURI:       text[string](o, "jwks_uri"),
		Website:       text[domain.Link](o, "client_uri"),
		LogoURL:       text[domain.Link](o, "logo_uri"),
		PrivacyPolicy: text[domain.Link](o, "policy_uri"),
		TermsURL:      text[domain.Link](o, "tos_uri"),
		CORSOrigins:   texts[domain.Origin](o, "allowed_cors_origins"),
		TLSSubjectDN:  text[string](o, "tls_client_auth_subject_dn"),
		TLSSANDNS:     text[string](o, "tls_client_auth_san_dns"),
		TLSSANURI:     text[string](o, "tls_client_auth_san_uri"),
		TLSSANIP:      text[string](o, "tls_client_auth_san_ip"),
		TLSSANEmail:   text[string](o, "tls_client_auth_san_email"),
	}}
	// RFC 7591 §2: omitted is client_secret_basic.
	method, given := take[string](o, "token_endpoint_auth_method")
	if !given || method == "" {
		method = string(domain.AuthSecretBasic)
	}
	c.Wish.AuthMethods = &[]domain.AuthMethod{domain.AuthMethod(method)}
	c.Wish.Confidential = new(method != string(domain.AuthNone))
	if id == "" {
		o.lose("client_id", "is absent; give the client one before it is applied")
	}
	if c.Wish.Name == nil && id != "" {
		c.Wish.Name = &id // a name is required here
		o.lose("client_name", "is absent; the client_id is the name")
	}
	responseTypes(o, c.Wish.GrantTypes)
	o.ignore(ignoredMetadata())
	c.Lost = o.left(map[string]string{
		"client_secret":             secretsStay,
		"client_secret_expires_at":  "secrets are not imported, and neither is when they expire",
		"registration_access_token": "clients cannot manage themselves",
		"software_statement":        "is not verified",
		"response_types":            "follow from the grant types (RFC 7591 §2.1), and these do not",
	})
	return c, ""
}

// responseTypes ignores response types that follow from the grant types (RFC 7591
// §2.1).
func responseTypes(o *object, granted *[]domain.GrantType) {
	list, ok := o.members["response_types"].([]any)
	if !ok {
		return
	}
	has := func(g domain.GrantType) bool {
		return granted == nil && g == domain.GrantAuthorizationCode || granted != nil && slices.Contains(*granted, g)
	}
	for _, element := range list {
		types, _ := element.(string)
		words := strings.Fields(types)
		if len(words) == 0 {
			return
		}
		for _, word := range words {
			switch {
			case word == "code" && has(domain.GrantAuthorizationCode):
			case (word == "token" || word == "id_token") && has(domain.GrantImplicit):
			default:
				return
			}
		}
	}
	delete(o.members, "response_types")
}
