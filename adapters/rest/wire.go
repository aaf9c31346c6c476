package rest

import (
	"encoding/json"
	"time"

	"github.com/clientele-oauth/clientele/adapters/jsonobject"
	"github.com/clientele-oauth/clientele/adapters/wire"
	"github.com/clientele-oauth/clientele/domain"
)

// wireTime is a time as the contract writes it: RFC 3339 in UTC, whole
// seconds.
func wireTime(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// writeItem writes the members of a client as answers show it. The time decides which
// secrets have not expired.
func writeItem(w *jsonobject.Writer, c domain.Client, now time.Time) {
	identity, settings := c.Identity(), c.Settings()
	w.Text("client_auth_methods", jsonText(settings.AuthMethods))
	w.TextUnlessEmpty("client_id", string(identity.ClientID))
	jsonobject.Texts(w, "cors_origins", settings.CORSOrigins)
	w.Time("created_at", c.CreatedAt(), time.RFC3339)
	if c.Deleted() {
		w.Time("deleted_at", c.DeletedAt(), time.RFC3339)
	}
	w.Text("fapi_profile", string(settings.Profile))
	jsonobject.Texts(w, "grant_types", settings.GrantTypes)
	w.TextUnlessEmpty("id", identity.ID)
	w.Bool("is_confidential", settings.Confidential)
	w.Text("jwks_uri", settings.Keys.URI())
	w.Text("logo_url", string(settings.LogoURL))
	w.Text("name", settings.Name)
	w.Text("privacy_policy", string(settings.PrivacyPolicy))
	jsonobject.Texts(w, "redirect_uris", settings.RedirectURIs)
	jsonobject.Texts(w, "scopes", settings.Scopes)
	w.TextUnlessEmpty("secret_last_four", c.SecretLastFour(now))
	w.Text("status", string(settings.Status))
	w.Text("tenant_id", string(identity.TenantID))
	w.Text("terms_url", string(settings.TermsURL))
	w.TextUnlessEmpty("tls_client_auth_san_dns", settings.TLSSubject.SANDNS)
	w.TextUnlessEmpty("tls_client_auth_san_email", settings.TLSSubject.SANEmail)
	w.TextUnlessEmpty("tls_client_auth_san_ip", settings.TLSSubject.SANIP)
	w.TextUnlessEmpty("tls_client_auth_san_uri", settings.TLSSubject.SANURI)
	w.TextUnlessEmpty("tls_client_auth_subject_dn", settings.TLSSubject.DN)
	w.Time("updated_at", c.UpdatedAt(), time.RFC3339)
	w.Text("website", string(settings.Website))
}

// writeRevised writes the members of a client as an entry of the log left it.
func writeRevised(w *jsonobject.Writer, r domain.Revision) {
	w.Text("action", string(r.Action))
	writeActor(w, r.Actor)
	w.Time("at", r.At, time.RFC3339)
	if r.Unreadable {
		w.Bool("unreadable", true)
	} else {
		w.Object("client", func() { writeItem(w, r.Client, r.At) }) // it has no secrets
		w.TextUnlessEmpty("jwks", r.Client.Settings().Keys.Inline())
	}
	w.TextUnlessEmpty("reason", r.Reason)
	w.TextUnlessEmpty("request_id", r.RequestID)
}

func writeActor(w *jsonobject.Writer, a domain.Actor) {
	w.Object("actor", func() {
		w.TextUnlessEmpty("client_id", string(a.ClientID))
		w.Text("subject", a.Subject)
	})
}

// writeWarnings writes warnings, where there are any.
func writeWarnings(w *jsonobject.Writer, warnings domain.Findings) {
	if len(warnings) == 0 {
		return
	}
	warnings = warnings[:min(len(warnings), maxViolations)]
	text, _ := json.Marshal(wire.FindingsOf(warnings)) // texts alone, which cannot fail
	w.Raw("warnings", text)
}

// jsonText is the contract's form of the authentication methods in answers: a
// string that holds the JSON text of an array.
func jsonText(methods []domain.AuthMethod) string {
	var w jsonobject.Writer
	jsonobject.Texts(&w, "", methods)
	return string(w)
}

// filled shows a text, or nil where it is empty and the member is better absent.
func filled(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// filledTime shows a time, or nil where there is none and the member is better
// absent.
func filledTime(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	return new(wireTime(t))
}
