// Package document defines the stored form of a client: a JSON document. The form is
// the same in every store, so that the log of any store can be read. The additional
// columns of a store are used only for searches.
//
// New versions only add fields. A field that is missing from a document is read as
// empty, which was its value when the document was written.
package document

import (
	"encoding/base64"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/mailru/easyjson/jlexer"

	"github.com/clientele-oauth/clientele/adapters/internal/jsonobject"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// Encode returns the document of the client and, separately, its secrets. Unset fields
// are omitted. The secrets are nil for a client with [domain.State.SecretsUnreadable]:
// the stored secrets must not be overwritten. [EncodeRegistration] returns the rest. The error wraps
// [application.ErrUnstorable] if [Decode] would not return the same client.
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

// EncodeSecrets returns the secrets of the client as [Encode] does. The error wraps
// [application.ErrUnstorable] if [Decode] would not return them.
func EncodeSecrets(c domain.Client) ([]byte, error) {
	_, secrets, err := Encode(c)
	if err == nil && secrets == nil {
		err = fmt.Errorf("%w: secrets that cannot be read", application.ErrUnstorable)
	}
	return secrets, err
}

// usualBytes is the initial buffer size, in bytes; most documents are smaller.
const usualBytes = 1 << 10

// encodeSecrets returns the stored form of secrets, which is never part of a document.
func encodeSecrets(list []domain.Secret) []byte {
	var w jsonobject.Writer
	w.Array("", func() {
		for _, s := range list {
			w.Object("", func() {
				w.Text("id", s.ID)
				w.TextUnlessEmpty("description", s.Description)
				w.Text("hash", base64.StdEncoding.EncodeToString(s.Hash))
				w.TextUnlessEmpty("key_id", s.KeyID)
				w.TextUnlessEmpty("slow_hash", s.SlowHash)
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

// Decode is the inverse of [Encode]. Nil secrets mean no secrets. The client refers to
// the bytes of the document, which must not be changed afterwards. The error is
// [application.ErrUnreadable] if the document cannot be decoded. If only the secrets
// cannot be decoded, the client has [domain.State.SecretsUnreadable].
//
// Every response with a client decodes a document, and a page up to a hundred.
// Therefore the fields are read one by one; reflection takes four times as long.
func Decode(doc, secrets []byte) (domain.Client, error) { return decode(doc, secrets, nil) }

// decode is [Decode] for a client with a registration, unless that is nil. The error wraps
// [errRegistration] if only the registration cannot be decoded.
func decode(doc, secrets, registration []byte) (domain.Client, error) {
	r, ok := readers.Get().(*reader)
	if !ok {
		r = new(reader)
	}
	defer func() {
		*r = reader{}
		readers.Put(r)
	}()
	r.Lexer = jlexer.Lexer{Data: doc}
	r.readClient()
	if err := end(&r.Lexer); err != nil {
		return domain.Client{}, fmt.Errorf("%w: client document: %w", application.ErrUnreadable, err)
	}
	if secrets != nil {
		var err error
		r.state.Secrets, err = decodeSecrets(secrets)
		r.state.SecretsUnreadable = err != nil
	}
	if registration != nil {
		var err error
		if r.state.Registration, err = decodeRegistration(registration); err != nil {
			return domain.Client{}, err
		}
	}
	return domain.RestoreFilled(r.state, r.filled), nil
}

// readers are reused, because each is as large as a client, and is reached through pointers
// to its fields, so that it cannot be on the stack.
//
//nolint:gochecknoglobals // a pool of memory without state
var readers sync.Pool

// decodeSecrets is the inverse of encodeSecrets.
func decodeSecrets(secrets []byte) ([]domain.Secret, error) {
	in := jlexer.Lexer{Data: secrets}
	list := readSecrets(&in)
	if err := end(&in); err != nil {
		return nil, err
	}
	return list, nil
}

// end returns an error unless all input was read. The error contains no part of the
// input.
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
				in.SkipRecursive() // written by a later version
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
	case domain.Integer:
		v.SetInt(r.Int64())
	case *domain.Map:
		texts := domain.Map{}
		for r.Delim('{'); !r.IsDelim('}'); r.WantComma() {
			name := r.UnsafeFieldName(false)
			r.WantColon()
			texts[name] = r.UnsafeString()
		}
		r.Delim('}')
		if r.Ok() && len(texts) > 0 {
			*v = texts
		}
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
			case "slow_hash":
				readText(in, &s.SlowHash)
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
		if s.UpdatedAt.IsZero() { // missing in documents of version 1
			s.UpdatedAt = s.CreatedAt
		}
		list = append(list, s)
	}
	in.Delim(']')
	return list
}

// readText reads a string without a copy, unless it contains escapes: it is then a part
// of the document, which must not be changed afterwards ([Decode]). With copies decoding
// takes a tenth longer and twice as many allocations (BenchmarkDecode), and a page
// decodes a hundred documents.
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
