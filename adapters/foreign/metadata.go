package foreign

import "github.com/clientele-oauth/clientele/domain"

// secretsStay is why no secret is carried over.
const secretsStay = "secrets are made here and shown once; create one, and hand it to the client"

// metadata reads client metadata (RFC 7591 §2), which Hydra's export is as well,
// with members of its own.
func metadata(o *object) (Client, bool) {
	id, _ := take[string](o, "client_id")
	c := Client{ID: domain.ClientID(id), Wish: domain.Change{
		Name:          text[string](o, "client_name"),
		RedirectURIs:  texts[domain.RedirectURI](o, "redirect_uris"),
		GrantTypes:    texts[domain.GrantType](o, "grant_types"),
		Scopes:        fields[domain.Scope](o, "scope"),
		JWKS:          jsonText(o, "jwks"),
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
	if signed, _ := o.members["userinfo_signed_response_alg"].(string); signed == "none" { // as where it is absent
		o.drop("userinfo_signed_response_alg")
	}
	// The response types follow from the grants here (RFC 7591 §2.1).
	o.drop("response_types", "created_at", "updated_at", "client_id_issued_at", "client_secret_expires_at",
		"registration_client_uri", "subject_type", "access_token_strategy")
	c.Lost = o.left(map[string]string{
		"client_secret":             secretsStay,
		"registration_access_token": "clients are not managed by themselves here",
		"software_statement":        "is not verified here",
	})
	return c, true
}
