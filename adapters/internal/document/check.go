package document

import (
	"fmt"
	"reflect"
	"time"
	"unicode/utf8"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// Only these values can be stored and read again: text in UTF-8, the only encoding of
// JSON (RFC 8259 §8.1), and times that RFC 3339 §5.6 can represent. PostgreSQL also
// rejects U+0000 in text (its documentation, §8.3).

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

// value checks the value of a field.
func (c *checker) value(name string, value domain.Value) {
	switch v := value.(type) {
	case *domain.Text:
		c.text(name, string(*v))
	case domain.Texts:
		for i := range v.Len() {
			c.text(name, v.Text(i))
		}
	case *domain.Map:
		for key, text := range *v {
			c.text(name, key)
			c.text(name, text)
		}
	}
}

// CheckRevision returns an error that wraps [application.ErrUnstorable] if the
// revision cannot be stored.
func CheckRevision(r domain.Revision) error {
	var c checker
	if r.Unreadable {
		c.fail("the revision", "is one that could not be read")
	}
	c.time("at", r.At)
	c.text("action", string(r.Action))
	c.text("actor", r.Actor.Subject)
	c.text("actor_client", string(r.Actor.ClientID))
	c.text("via", string(r.Actor.Via))
	c.text("token_id", r.Actor.TokenID)
	c.text("issued_by", r.Actor.IssuedBy)
	c.text("software_id", r.Actor.SoftwareID)
	c.text("request_id", r.RequestID)
	c.text("reason", r.Reason)
	return c.err
}

// CheckIdempotencyRecord returns an error that wraps [application.ErrUnstorable] if the
// record cannot be stored.
func CheckIdempotencyRecord(a application.IdempotencyRecord) error {
	var c checker
	c.time("at", a.At)
	c.text("subject", a.Subject)
	c.text("key", a.Key)
	c.text("client_id", string(a.ClientID))
	c.text("secret_id", a.CreatedID)
	return c.err
}

// check returns an error that wraps [application.ErrUnstorable] if [Decode] would not
// return the client as it is.
func check(client *domain.Client) error {
	s := client.State()
	var c checker
	c.text("id", s.Identity.ID)
	c.text("tenant_id", string(s.Identity.TenantID))
	c.text("client_id", string(s.Identity.ClientID))
	c.time("created_at", s.CreatedAt)
	c.time("updated_at", s.UpdatedAt)
	c.time("deleted_at", s.DeletedAt)
	c.time("purged_at", s.PurgedAt)
	for f := range client.Filled().All() {
		c.value(f.String(), client.Value(f))
	}
	if s.Settings.Keys.Inline() != "" && s.Settings.Keys.URI() != "" {
		c.fail("jwks", "and jwks_uri are both set") // only drafts may have both
	}
	if s.SecretsUnreadable && len(s.Secrets) > 0 {
		c.fail("secrets", "are given for a client whose secrets cannot be read")
	}
	for _, secret := range s.Secrets {
		c.text("secrets id", secret.ID)
		c.text("secrets description", secret.Description)
		c.text("secrets key_id", secret.KeyID)
		c.text("secrets slow_hash", secret.SlowHash)
		c.text("secrets last_four", secret.LastFour)
		c.time("secrets created_at", secret.CreatedAt)
		c.time("secrets updated_at", secret.UpdatedAt)
		c.time("secrets expires_at", secret.ExpiresAt)
		if secret.UpdatedAt.IsZero() && !secret.CreatedAt.IsZero() {
			c.fail("secrets updated_at", "is unset") // Decode would set it to created_at
		}
	}
	return c.err
}

// registration checks all values of a registration but its policy, which [EncodePolicy]
// checks.
func (c *checker) registration(r *domain.Registration) {
	of := *r
	of.Policy = domain.RegistrationPolicy{}
	c.values("registration", of)
	if s := r.Statement; s != nil {
		c.change("statement fixed", s.Fixed)
		c.change("statement ceiling", s.Ceiling)
	}
}

func (c *checker) change(name string, change domain.Change) {
	for f := range change.Named().All() {
		c.value(name+" "+f.String(), change.Value(f))
	}
}

// values checks all texts and times in v, which may be a structure. It skips changes.
func (c *checker) values(name string, v any) { c.reflected(name, reflect.ValueOf(v)) }

func (c *checker) reflected(name string, v reflect.Value) {
	switch value := v.Interface().(type) {
	case time.Time:
		c.time(name, value)
		return
	case domain.Change:
		return
	}
	switch v.Kind() {
	case reflect.String:
		c.text(name, v.String())
	case reflect.Pointer:
		if !v.IsNil() {
			c.reflected(name, v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			c.reflected(name+" "+v.Type().Field(i).Name, v.Field(i))
		}
	case reflect.Slice:
		for i := range v.Len() {
			c.reflected(name, v.Index(i))
		}
	case reflect.Map:
		for member := v.MapRange(); member.Next(); {
			c.reflected(name, member.Key())
			c.reflected(name+" "+member.Key().String(), member.Value())
		}
	default: // numbers, flags and bytes
	}
}
