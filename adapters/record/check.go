package record

import (
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// Values that can be stored and read again: text in UTF-8, since JSON has no other
// (RFC 8259 §8.1), and times that RFC 3339 §5.6 can write. PostgreSQL rejects U+0000
// in text in addition (its documentation, §8.3).

// checker collects the first value that cannot be stored.
type checker struct{ err error }

func (c *checker) fail(name, reason string) {
	if c.err == nil {
		c.err = fmt.Errorf("%w: %s %s", application.ErrUnstorable, name, reason)
	}
}

func (c *checker) text(name, value string) {
	if !utf8.ValidString(value) {
		c.fail(name, "is not UTF-8 text")
	}
}

func (c *checker) time(name string, value time.Time) {
	if !domain.Storable(value) {
		c.fail(name, "is outside the years 0001 to 9999 in UTC")
	}
}

func checkTexts[S ~string](c *checker, name string, list []S) {
	for _, value := range list {
		c.text(name, string(value))
	}
}

// CheckRevision returns an error that wraps [application.ErrUnstorable] if the entry
// of the log cannot be stored.
func CheckRevision(r domain.Revision) error {
	var c checker
	if r.Unreadable {
		c.fail("the revision", "is one that could not be read")
	}
	c.time("at", r.At)
	c.text("action", string(r.Action))
	c.text("actor", r.Actor.Subject)
	c.text("actor_client", string(r.Actor.ClientID))
	c.text("request_id", r.RequestID)
	c.text("reason", r.Reason)
	return c.err
}

// CheckAttempt returns an error that wraps [application.ErrUnstorable] if the attempt
// cannot be stored.
func CheckAttempt(a application.Attempt) error {
	var c checker
	c.time("at", a.At)
	c.text("subject", a.Subject)
	c.text("key", a.Key)
	c.text("client_id", string(a.ClientID))
	c.text("secret_id", a.SecretID)
	return c.err
}

// check returns an error that wraps [application.ErrUnstorable] if [Decode] would not
// return the state as it is.
func check(s domain.State) error {
	var c checker
	c.text("id", s.Identity.ID)
	c.text("tenant_id", string(s.Identity.TenantID))
	c.text("client_id", string(s.Identity.ClientID))
	c.time("created_at", s.CreatedAt)
	c.time("updated_at", s.UpdatedAt)
	c.time("deleted_at", s.DeletedAt)
	c.time("purged_at", s.PurgedAt)
	settings := s.Settings
	c.text("name", settings.Name)
	c.text("status", string(settings.Status))
	checkTexts(&c, "redirect_uris", settings.RedirectURIs)
	checkTexts(&c, "grant_types", settings.GrantTypes)
	checkTexts(&c, "scopes", settings.Scopes)
	checkTexts(&c, "client_auth_methods", settings.AuthMethods)
	c.text("fapi_profile", string(settings.Profile))
	c.text("jwks", settings.Keys.Inline())
	c.text("jwks_uri", settings.Keys.URI())
	c.text("logo_url", string(settings.LogoURL))
	c.text("website", string(settings.Website))
	c.text("privacy_policy", string(settings.PrivacyPolicy))
	c.text("terms_url", string(settings.TermsURL))
	checkTexts(&c, "cors_origins", settings.CORSOrigins)
	c.text("tls_client_auth_subject_dn", settings.TLSSubject.DN)
	c.text("tls_client_auth_san_dns", settings.TLSSubject.SANDNS)
	c.text("tls_client_auth_san_uri", settings.TLSSubject.SANURI)
	c.text("tls_client_auth_san_ip", settings.TLSSubject.SANIP)
	c.text("tls_client_auth_san_email", settings.TLSSubject.SANEmail)
	if s.SecretsUnreadable && len(s.Secrets) > 0 {
		c.fail("secrets", "are given for a client whose secrets cannot be read")
	}
	for _, secret := range s.Secrets {
		c.text("secrets id", secret.ID)
		c.text("secrets description", secret.Description)
		c.text("secrets key_id", secret.KeyID)
		c.text("secrets last_four", secret.LastFour)
		c.time("secrets created_at", secret.CreatedAt)
		c.time("secrets updated_at", secret.UpdatedAt)
		c.time("secrets expires_at", secret.ExpiresAt)
		if secret.UpdatedAt.IsZero() && !secret.CreatedAt.IsZero() {
			c.fail("secrets updated_at", "is unset") // it would be read as created_at
		}
	}
	return c.err
}
