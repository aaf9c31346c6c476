package rest

import (
	"time"

	"github.com/clientele-oauth/clientele/adapters/internal/contract"
	"github.com/clientele-oauth/clientele/adapters/internal/jsonobject"
	"github.com/clientele-oauth/clientele/adapters/internal/registrationpolicy"
	"github.com/clientele-oauth/clientele/domain"
)

// writeTime writes a time in the format of responses: RFC 3339 in UTC, whole seconds.
// It omits an unset time.
func writeTime(w *jsonobject.Writer, name string, t time.Time) {
	if !t.IsZero() {
		w.Time(name, t, time.RFC3339)
	}
}

// writeItem writes a client in the format of responses. now determines which secrets
// have expired.
func (s *server) writeItem(w *jsonobject.Writer, c *domain.Client, now time.Time) {
	writeIdentity(w, c)
	w.TextUnlessEmpty("id", c.Identity().ID)
	w.Time("created_at", c.CreatedAt(), time.RFC3339)
	w.Time("updated_at", c.UpdatedAt(), time.RFC3339)
	if c.Deleted() {
		w.Time("deleted_at", c.DeletedAt(), time.RFC3339)
	}
	w.TextUnlessEmpty("secret_last_four", c.SecretLastFour(now))
	for f := range s.alwaysShown.Union(c.Filled()).All() {
		writeField(w, c, f)
	}
}

// writeFields writes the identity of a client, which the caller knows already, and
// those of the given fields that responses contain.
func (s *server) writeFields(w *jsonobject.Writer, c *domain.Client, fields domain.FieldSet) {
	writeIdentity(w, c)
	for f := range s.alwaysShown.Union(c.Filled()).All() {
		if fields.Has(f) {
			writeField(w, c, f)
		}
	}
}

func writeIdentity(w *jsonobject.Writer, c *domain.Client) {
	w.TextUnlessEmpty("client_id", string(c.Identity().ClientID))
	w.Text("tenant_id", string(c.Identity().TenantID))
}

// writeField writes a field of a client. Two fields are special in responses: jwks is
// omitted, and the authentication methods are a string with the JSON text of an array.
func writeField(w *jsonobject.Writer, c *domain.Client, f domain.Field) {
	switch f {
	case domain.FieldJWKS:
	case domain.FieldAuthMethods:
		text := make(jsonobject.Writer, 0, 64) // more than most clients need
		jsonobject.Value(&text, "", c.Value(f))
		w.Text(f.String(), string(text))
	default:
		jsonobject.Value(w, f.String(), c.Value(f))
	}
}

// seen is when authorization servers first and last reported the use of a client.
type seen struct {
	first, last time.Time // zero if none did
}

// writeRegistration writes how a client registered itself and what it may manage, if it did
// or may.
func writeRegistration(w *jsonobject.Writer, r *domain.Registration, seen seen) {
	if r == nil {
		return
	}
	w.Object("registration", func() {
		if d := r.Document; d != nil {
			w.Object("document", func() {
				w.Time("approved_at", d.ApprovedAt, time.RFC3339)
				w.Text("digest", d.Digest)
				writePending(w, d.Pending, nil)
			})
		}
		writeTime(w, "first_seen_at", seen.first)
		w.TextUnlessEmpty("issued_by", r.IssuedBy)
		writeTime(w, "last_seen_at", seen.last)
		w.Array("locks", func() {
			for f := range r.Locks.All() {
				w.Text("", f.String())
			}
		})
		w.Bool("managed", r.AccessToken != nil)
		w.Object("policy", func() { registrationpolicy.Write(w, r.Policy, registrationpolicy.InToken) })
		if r.Statement != nil {
			w.TextUnlessEmpty("software_id", r.Statement.SoftwareID)
			w.Text("statement_issuer", r.Statement.Issuer)
		}
		w.TextUnlessEmpty("token_id", r.TokenID)
		w.TextUnlessEmpty("via", string(r.Via))
	})
}

// writeRevised writes an entry of the change log with the client after the change. The
// inline keys are beside the client, or in it in the standard names.
func (s *server) writeRevised(w *jsonobject.Writer, r *domain.Revision, form clientForm) {
	w.Text("action", string(r.Action))
	writeActor(w, r.Actor)
	w.Time("at", r.At, time.RFC3339)
	if r.Unreadable {
		w.Bool("unreadable", true)
	} else {
		w.Object("client", func() { s.writeClient(w, &r.Client, r.At, form) }) // revisions contain no secrets
		if !form.standard {
			if r.Client.Filled().Has(domain.FieldJWKS) {
				jsonobject.Value(w, domain.FieldJWKS.String(), r.Client.Value(domain.FieldJWKS))
			}
		}
	}
	w.TextUnlessEmpty("reason", r.Reason)
	w.TextUnlessEmpty("request_id", r.RequestID)
}

// writeSecretVerifiers writes the hashes of secrets, which [domain.Client.LiveSecrets]
// returns. Only callers with [application.PermissionVerifiers] may see them.
func writeSecretVerifiers(w *jsonobject.Writer, secrets []domain.Secret) {
	w.Array("secret_verifiers", func() {
		for i := range secrets {
			w.Object("", func() {
				w.Text("algorithm", secrets[i].Algorithm())
				writeTime(w, "expires_at", secrets[i].ExpiresAt)
				w.Text("hash", secrets[i].HashText())
				w.TextUnlessEmpty("key_id", secrets[i].KeyID)
				w.Text("secret_id", secrets[i].ID)
			})
		}
	})
}

func writeActor(w *jsonobject.Writer, a domain.Actor) {
	w.Object("actor", func() {
		w.TextUnlessEmpty("client_id", string(a.ClientID))
		w.TextUnlessEmpty("issued_by", a.IssuedBy)
		w.TextUnlessEmpty("software_id", a.SoftwareID)
		w.Text("subject", a.Subject)
		w.TextUnlessEmpty("token_id", a.TokenID)
		w.TextUnlessEmpty("via", string(a.Via))
	})
}

// writeWarnings writes the warnings, if there are any.
func writeWarnings(w *jsonobject.Writer, warnings domain.Findings) {
	if len(warnings) == 0 {
		return
	}
	contract.WriteFindings(w, "warnings", warnings[:min(len(warnings), maxViolations)])
}
