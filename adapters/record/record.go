// Package record is the stored form of a client: one JSON document that is the
// same in every store, so that a log can be read without knowing which store
// wrote it. The columns that a store keeps beside the document are what it
// searches by, nothing else.
//
// Members are only ever added. A document that lacks a member is read as if it
// were empty, which is what it was when the document was written.
package record

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/mailru/easyjson/jlexer"

	"github.com/clientele-oauth/clientele/adapters/jsonobject"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// Encode returns the document of the client and, apart from it, its secrets. What
// is empty is left out, but for what every document has. The secrets are nil for a
// client with [domain.State.SecretsUnreadable]: what is stored is to stay. The error
// is [application.ErrUnstorable] for a client that [Decode] would not return as it
// is.
func Encode(c domain.Client) (doc, secrets []byte, err error) {
	state := c.State()
	if err := check(state); err != nil {
		return nil, nil, err
	}
	settings := state.Settings
	w := make(jsonobject.Writer, 0, usualBytes)
	w.Object("", func() {
		w.Text("id", state.Identity.ID)
		w.Text("tenant_id", string(state.Identity.TenantID))
		w.Text("client_id", string(state.Identity.ClientID))
		w.Int("revision", int64(state.Revision))
		w.Time("created_at", state.CreatedAt, time.RFC3339Nano)
		w.Time("updated_at", state.UpdatedAt, time.RFC3339Nano)
		writeTime(&w, "deleted_at", state.DeletedAt)
		writeTime(&w, "purged_at", state.PurgedAt)
		w.Text("name", settings.Name)
		w.Text("status", string(settings.Status))
		w.Bool("is_confidential", settings.Confidential)
		writeTexts(&w, "redirect_uris", settings.RedirectURIs)
		writeTexts(&w, "grant_types", settings.GrantTypes)
		writeTexts(&w, "scopes", settings.Scopes)
		writeTexts(&w, "client_auth_methods", settings.AuthMethods)
		w.TextUnlessEmpty("fapi_profile", string(settings.Profile))
		w.TextUnlessEmpty("jwks", settings.Keys.Inline())
		w.TextUnlessEmpty("jwks_uri", settings.Keys.URI())
		w.TextUnlessEmpty("logo_url", string(settings.LogoURL))
		w.TextUnlessEmpty("website", string(settings.Website))
		w.TextUnlessEmpty("privacy_policy", string(settings.PrivacyPolicy))
		w.TextUnlessEmpty("terms_url", string(settings.TermsURL))
		writeTexts(&w, "cors_origins", settings.CORSOrigins)
		w.TextUnlessEmpty("tls_client_auth_subject_dn", settings.TLSSubject.DN)
		w.TextUnlessEmpty("tls_client_auth_san_dns", settings.TLSSubject.SANDNS)
		w.TextUnlessEmpty("tls_client_auth_san_uri", settings.TLSSubject.SANURI)
		w.TextUnlessEmpty("tls_client_auth_san_ip", settings.TLSSubject.SANIP)
		w.TextUnlessEmpty("tls_client_auth_san_email", settings.TLSSubject.SANEmail)
	})
	if state.SecretsUnreadable {
		return w, nil, nil
	}
	return w, encodeSecrets(state.Secrets), nil
}

// usualBytes is more than most documents have.
const usualBytes = 1 << 10

// encodeSecrets writes what is kept of secrets. It never stands in a document.
func encodeSecrets(list []domain.Secret) []byte {
	var w jsonobject.Writer
	w.Array("", func() {
		for _, s := range list {
			w.Object("", func() {
				w.Text("id", s.ID)
				w.TextUnlessEmpty("description", s.Description)
				w.Text("hash", base64.StdEncoding.EncodeToString(s.Hash))
				w.TextUnlessEmpty("key_id", s.KeyID)
				w.Text("last_four", s.LastFour)
				w.Time("created_at", s.CreatedAt, time.RFC3339Nano)
				writeTime(&w, "updated_at", s.UpdatedAt)
				writeTime(&w, "expires_at", s.ExpiresAt)
				if s.Retiring {
					w.Bool("retiring", true)
				}
			})
		}
	})
	return w
}

func writeTime(w *jsonobject.Writer, name string, t time.Time) {
	if !t.IsZero() {
		w.Time(name, t, time.RFC3339Nano)
	}
}

func writeTexts[S ~string](w *jsonobject.Writer, name string, list []S) {
	if len(list) > 0 {
		jsonobject.Texts(w, name, list)
	}
}

// Decode is the inverse of [Encode]. Nil secrets are none. The client keeps the
// bytes of the document, which are not to be changed any more. The error is
// [application.ErrUnreadable] if the document cannot be decoded. If only the secrets
// cannot, the client has [domain.State.SecretsUnreadable].
//
// Each answer with a client decodes one, and a page a hundred; so this reads the
// members one by one, where reflection would take four times as long.
func Decode(doc, secrets []byte) (domain.Client, error) {
	in := jlexer.Lexer{Data: doc}
	state := readClient(&in)
	if err := end(&in); err != nil {
		return domain.Client{}, fmt.Errorf("%w: client document: %w", application.ErrUnreadable, err)
	}
	if secrets != nil {
		var err error
		state.Secrets, err = decodeSecrets(secrets)
		state.SecretsUnreadable = err != nil
	}
	return domain.Restore(state), nil
}

// decodeSecrets is the inverse of encodeSecrets.
func decodeSecrets(secrets []byte) ([]domain.Secret, error) {
	in := jlexer.Lexer{Data: secrets}
	list := readSecrets(&in)
	if err := end(&in); err != nil {
		return nil, err
	}
	return list, nil
}

// end tells whether all was read. It repeats nothing of what was.
func end(in *jlexer.Lexer) error {
	in.Consumed()
	if wrong, ok := errors.AsType[*jlexer.LexerError](in.Error()); ok {
		return fmt.Errorf("%s at byte %d", wrong.Reason, wrong.Offset)
	}
	return in.Error()
}

// readClient reads a document.
func readClient(in *jlexer.Lexer) (state domain.State) {
	var inline, uri string
	settings := &state.Settings
	for in.Delim('{'); !in.IsDelim('}'); in.WantComma() {
		member := in.UnsafeFieldName(false)
		in.WantColon()
		switch member {
		case "id":
			readText(in, &state.Identity.ID)
		case "tenant_id":
			readText(in, &state.Identity.TenantID)
		case "client_id":
			readText(in, &state.Identity.ClientID)
		case "revision":
			state.Revision = domain.RevisionNumber(in.Int64())
		case "created_at":
			readTime(in, &state.CreatedAt)
		case "updated_at":
			readTime(in, &state.UpdatedAt)
		case "deleted_at":
			readTime(in, &state.DeletedAt)
		case "purged_at":
			readTime(in, &state.PurgedAt)
		case "name":
			readText(in, &settings.Name)
		case "status":
			readText(in, &settings.Status)
		case "is_confidential":
			settings.Confidential = in.Bool()
		case "redirect_uris":
			readTexts(in, &settings.RedirectURIs)
		case "grant_types":
			readTexts(in, &settings.GrantTypes)
		case "scopes":
			readTexts(in, &settings.Scopes)
		case "client_auth_methods":
			readTexts(in, &settings.AuthMethods)
		case "fapi_profile":
			readText(in, &settings.Profile)
		case "jwks":
			readText(in, &inline)
		case "jwks_uri":
			readText(in, &uri)
		case "logo_url":
			readText(in, &settings.LogoURL)
		case "website":
			readText(in, &settings.Website)
		case "privacy_policy":
			readText(in, &settings.PrivacyPolicy)
		case "terms_url":
			readText(in, &settings.TermsURL)
		case "cors_origins":
			readTexts(in, &settings.CORSOrigins)
		case "tls_client_auth_subject_dn":
			readText(in, &settings.TLSSubject.DN)
		case "tls_client_auth_san_dns":
			readText(in, &settings.TLSSubject.SANDNS)
		case "tls_client_auth_san_uri":
			readText(in, &settings.TLSSubject.SANURI)
		case "tls_client_auth_san_ip":
			readText(in, &settings.TLSSubject.SANIP)
		case "tls_client_auth_san_email":
			readText(in, &settings.TLSSubject.SANEmail)
		default:
			in.SkipRecursive() // of a later version
		}
	}
	in.Delim('}')
	settings.Keys = domain.InlineKeys(inline)
	if uri != "" {
		settings.Keys = domain.KeysAt(uri)
	}
	return state
}

// readSecrets reads what encodeSecrets wrote.
func readSecrets(in *jlexer.Lexer) (list []domain.Secret) {
	for in.Delim('['); !in.IsDelim(']'); in.WantComma() {
		var s domain.Secret
		for in.Delim('{'); !in.IsDelim('}'); in.WantComma() {
			member := in.UnsafeFieldName(false)
			in.WantColon()
			switch member {
			case "id":
				readText(in, &s.ID)
			case "description":
				readText(in, &s.Description)
			case "hash":
				if s.Hash = in.Bytes(); len(s.Hash) == 0 {
					s.Hash = nil
				}
			case "key_id":
				readText(in, &s.KeyID)
			case "last_four":
				readText(in, &s.LastFour)
			case "created_at":
				readTime(in, &s.CreatedAt)
			case "updated_at":
				readTime(in, &s.UpdatedAt)
			case "expires_at":
				readTime(in, &s.ExpiresAt)
			case "retiring":
				s.Retiring = in.Bool()
			default:
				in.SkipRecursive()
			}
		}
		in.Delim('}')
		if s.UpdatedAt.IsZero() { // documents of version 1 lack it
			s.UpdatedAt = s.CreatedAt
		}
		list = append(list, s)
	}
	in.Delim(']')
	return list
}

// readText reads a text where it is, if nothing in it is escaped.
func readText[S ~string](in *jlexer.Lexer, s *S) { *s = S(in.UnsafeString()) }

func readTexts[S ~string](in *jlexer.Lexer, list *[]S) {
	var short [8]S
	found := short[:0]
	for in.Delim('['); !in.IsDelim(']'); in.WantComma() {
		found = append(found, S(in.UnsafeString()))
	}
	in.Delim(']')
	if len(found) > 0 {
		*list = slices.Clone(found)
	}
}

func readTime(in *jlexer.Lexer, t *time.Time) {
	text := in.UnsafeBytes()
	if in.Ok() && t.UnmarshalText(text) != nil {
		in.AddError(&jlexer.LexerError{Reason: "no time", Offset: in.GetPos()})
	}
}
