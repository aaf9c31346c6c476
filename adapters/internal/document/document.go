// Package document is the stored form of a client: one JSON document that is the
// same in every store, so that a log can be read without knowing which store
// wrote it. The columns that a store keeps beside the document are what it
// searches by, nothing else.
//
// Members are only ever added. A document that lacks a member is read as if it
// were empty, which is what it was when the document was written.
package document

import (
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/mailru/easyjson/jlexer"

	"github.com/clientele-oauth/clientele/adapters/internal/jsonobject"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// Encode returns the document of the client and, apart from it, its secrets. Fields
// that are unset are left out. The secrets are nil for a
// client with [domain.State.SecretsUnreadable]: what is stored is to stay. The error
// is [application.ErrUnstorable] for a client that [Decode] would not return as it
// is.
func Encode(c domain.Client) (doc, secrets []byte, err error) {
	state := c.State()
	if err := check(&c); err != nil {
		return nil, nil, err
	}
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
		for f := range c.Filled().All() {
			jsonobject.Value(&w, f.String(), c.Value(f))
		}
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

// Decode is the inverse of [Encode]. Nil secrets are none. The client keeps the
// bytes of the document, which are not to be changed any more. The error is
// [application.ErrUnreadable] if the document cannot be decoded. If only the secrets
// cannot, the client has [domain.State.SecretsUnreadable].
//
// Each answer with a client decodes one, and a page a hundred; so this reads the
// members one by one, where reflection would take four times as long.
func Decode(doc, secrets []byte) (domain.Client, error) {
	r := reader{Lexer: jlexer.Lexer{Data: doc}}
	r.readClient()
	if err := end(&r.Lexer); err != nil {
		return domain.Client{}, fmt.Errorf("%w: client document: %w", application.ErrUnreadable, err)
	}
	if secrets != nil {
		var err error
		r.state.Secrets, err = decodeSecrets(secrets)
		r.state.SecretsUnreadable = err != nil
	}
	return domain.RestoreFilled(r.state, r.filled), nil
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

// reader reads one document. All that it needs is in one piece of memory.
type reader struct {
	jlexer.Lexer
	state  domain.State
	filled domain.FieldSet
	texts  [8]string // for lists while they are read; most have fewer elements
}

// readClient reads a document.
func (r *reader) readClient() {
	in, state := &r.Lexer, &r.state
	previous := domain.LastField
	for in.Delim('{'); !in.IsDelim('}'); in.WantComma() {
		name := in.UnsafeFieldName(false)
		in.WantColon()
		switch name {
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
		default:
			f, known := domain.FieldNamed(name, previous)
			if !known {
				in.SkipRecursive() // of a later version
				continue
			}
			value := f.Of(&state.Settings)
			r.readValue(value)
			if !value.IsEmpty() {
				r.filled.Add(f)
			}
			previous = f
		}
	}
	in.Delim('}')
}

// readValue reads the value of a field.
func (r *reader) readValue(value domain.Value) {
	switch v := value.(type) {
	case *domain.Text:
		readText(&r.Lexer, v)
	case *domain.Flag:
		*v = domain.Flag(r.Bool())
	case domain.Texts:
		r.readTexts(v)
	default:
		panic("record: a kind of field without a stored form")
	}
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

// readText reads a text without copying it, if nothing in it is escaped: it is then a
// part of the document, which must not be changed any more ([Decode]). To copy the texts
// would make decoding a tenth slower, with twice as many allocations
// (BenchmarkDecode); a page decodes a hundred documents.
func readText[S ~string](in *jlexer.Lexer, s *S) { *s = S(in.UnsafeString()) }

func (r *reader) readTexts(list domain.Texts) {
	found := r.texts[:0]
	for r.Delim('['); !r.IsDelim(']'); r.WantComma() {
		found = append(found, r.UnsafeString())
	}
	r.Delim(']')
	list.SetTexts(found)
}

func readTime(in *jlexer.Lexer, t *time.Time) {
	text := in.UnsafeBytes()
	if in.Ok() && t.UnmarshalText(text) != nil {
		in.AddError(&jlexer.LexerError{Reason: "no time", Offset: in.GetPos()})
	}
}
