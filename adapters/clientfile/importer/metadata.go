package importer

import (
	"github.com/clientele-oauth/clientele/domain"
)

// secretsNotImported is the reason why secrets are not converted.
const secretsNotImported = "secrets are not imported; create one, and give it to the client"

// ignoredMetadata lists the fields of client metadata that can be ignored without loss.
func ignoredMetadata() map[string]ignorable {
	const bookkeeping = "bookkeeping of the source system"
	return map[string]ignorable{
		"created_at":               {reason: bookkeeping},
		"updated_at":               {reason: bookkeeping},
		"client_id_issued_at":      {reason: bookkeeping},
		"registration_client_uri":  {reason: "the management URL in the source system"},
		"client_secret_expires_at": {reason: "0 means that it does not expire (RFC 7591 §3.2.1)", unless: not(0.0)},
		// Hydra writes these for every client.
		"skip_consent":        {reason: "the default", unless: not(false)},
		"skip_logout_consent": {reason: "the default", unless: not(false)},
	}
}

// metadata converts client metadata (RFC 7591 §2). Exports of Hydra have the same
// format with additional fields.
func metadata(o *object) (c Client, skipped string) {
	id, _ := take[string](o, "client_id")
	c = Client{ID: domain.ClientID(id)}
	granted := grants(o, domain.FieldGrantTypes.Metadata())
	for f := range domain.Fields() {
		name := f.Metadata()
		switch {
		case name == "" || f == domain.FieldAuthMethods:
		case f == domain.FieldGrantTypes:
			setTexts(&c.Change, f, granted)
		case f == domain.FieldScopes:
			setTexts(&c.Change, f, fields[domain.Scope](o, name))
		case f == domain.FieldJWKS:
			setText(&c.Change, f, keySet(o, name))
		default:
			setPlain(o, &c.Change, f, name)
		}
	}
	setTexts(&c.Change, domain.FieldCORSOrigins, texts[domain.Origin](o, "allowed_cors_origins")) // a field of Hydra
	// The default is client_secret_basic (RFC 7591 §2).
	method, given := take[string](o, domain.FieldAuthMethods.Metadata())
	if !given || method == "" {
		method = string(domain.AuthSecretBasic)
	}
	setTexts(&c.Change, domain.FieldAuthMethods, &[]domain.AuthMethod{domain.AuthMethod(method)})
	setFlag(&c.Change, domain.FieldConfidential, method != string(domain.AuthNone))
	if id == "" {
		o.report("client_id", "is absent; add one before applying the file")
	}
	if !c.Change.Names(domain.FieldName) && id != "" {
		setText(&c.Change, domain.FieldName, &id) // Clientele requires a name
		o.report(domain.FieldName.Metadata(), "is absent; the client_id is the name")
	}
	o.ignore(ignoredMetadata())
	c.Lost = o.unmapped(map[string]string{
		"client_secret":             secretsNotImported,
		"client_secret_expires_at":  "secrets and their expiry times are not imported",
		"registration_access_token": "clients cannot manage themselves",
		"software_statement":        "is not verified",
	})
	return c, ""
}

// setPlain sets a field that has the same form in client metadata.
func setPlain(o *object, c *domain.Change, f domain.Field, name string) {
	switch f.Of(new(domain.Settings)).(type) {
	case *domain.Text:
		setText(c, f, text[string](o, name))
	case *domain.Flag:
		if value, given := take[bool](o, name); given {
			setFlag(c, f, value)
		}
	case domain.Texts:
		if list := texts[string](o, name); list != nil {
			c.Set(f).(domain.Texts).SetTexts(*list)
		}
	case domain.Integer:
		if number, given := take[float64](o, name); given {
			c.Set(f).(domain.Integer).SetInt(int64(number))
		}
	}
}
