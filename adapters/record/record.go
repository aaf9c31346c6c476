// Package record is the stored form of a client: one JSON document that is the
// same in every store, so that a log can be read without knowing which store
// wrote it. The columns that a store keeps beside the document are what it
// searches by, nothing else.
//
// Members are only ever added. A document that lacks a member is read as if it
// were empty, which is what it was when the document was written.
package record

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/mailru/easyjson/jlexer"

	"github.com/clientele-oauth/clientele/domain"
)

// document is the whole of a client, its secrets excepted.
type document struct {
	ID            string                `json:"id"`
	TenantID      domain.TenantID       `json:"tenant_id"`
	ClientID      domain.ClientID       `json:"client_id"`
	Revision      domain.RevisionNumber `json:"revision"`
	CreatedAt     time.Time             `json:"created_at"`
	UpdatedAt     time.Time             `json:"updated_at"`
	DeletedAt     time.Time             `json:"deleted_at,omitzero"`
	PurgedAt      time.Time             `json:"purged_at,omitzero"`
	Name          string                `json:"name"`
	Status        domain.Status         `json:"status"`
	Confidential  bool                  `json:"is_confidential"`
	RedirectURIs  []domain.RedirectURI  `json:"redirect_uris,omitempty"`
	GrantTypes    []domain.GrantType    `json:"grant_types,omitempty"`
	Scopes        []domain.Scope        `json:"scopes,omitempty"`
	AuthMethods   []domain.AuthMethod   `json:"client_auth_methods,omitempty"`
	Profile       domain.Profile        `json:"fapi_profile,omitempty"`
	JWKS          string                `json:"jwks,omitempty"`
	JWKSURI       string                `json:"jwks_uri,omitempty"`
	LogoURL       domain.Link           `json:"logo_url,omitempty"`
	Website       domain.Link           `json:"website,omitempty"`
	PrivacyPolicy domain.Link           `json:"privacy_policy,omitempty"`
	TermsURL      domain.Link           `json:"terms_url,omitempty"`
	CORSOrigins   []domain.Origin       `json:"cors_origins,omitempty"`
	TLSSubjectDN  string                `json:"tls_client_auth_subject_dn,omitempty"`
	TLSSANDNS     string                `json:"tls_client_auth_san_dns,omitempty"`
	TLSSANURI     string                `json:"tls_client_auth_san_uri,omitempty"`
	TLSSANIP      string                `json:"tls_client_auth_san_ip,omitempty"`
	TLSSANEmail   string                `json:"tls_client_auth_san_email,omitempty"`
}

// secret is what is kept of one secret. It never stands in a document.
type secret struct {
	ID          string    `json:"id"`
	Description string    `json:"description,omitempty"`
	Hash        []byte    `json:"hash"`
	KeyID       string    `json:"key_id,omitempty"`
	LastFour    string    `json:"last_four"`
	CreatedAt   time.Time `json:"created_at"`
	UpdatedAt   time.Time `json:"updated_at,omitzero"` // documents of version 1 lack it
	ExpiresAt   time.Time `json:"expires_at,omitzero"`
	Retiring    bool      `json:"retiring,omitzero"`
}

// Encode returns the document of the client and, apart from it, its secrets.
func Encode(c domain.Client) (doc, secrets []byte, err error) {
	state := c.State()
	settings := state.Settings
	doc, err = json.Marshal(document{
		ID:            state.Identity.ID,
		TenantID:      state.Identity.TenantID,
		ClientID:      state.Identity.ClientID,
		Revision:      state.Revision,
		CreatedAt:     state.CreatedAt,
		UpdatedAt:     state.UpdatedAt,
		DeletedAt:     state.DeletedAt,
		PurgedAt:      state.PurgedAt,
		Name:          settings.Name,
		Status:        settings.Status,
		Confidential:  settings.Confidential,
		RedirectURIs:  settings.RedirectURIs,
		GrantTypes:    settings.GrantTypes,
		Scopes:        settings.Scopes,
		AuthMethods:   settings.AuthMethods,
		Profile:       settings.Profile,
		JWKS:          settings.Keys.Inline(),
		JWKSURI:       settings.Keys.URI(),
		LogoURL:       settings.LogoURL,
		Website:       settings.Website,
		PrivacyPolicy: settings.PrivacyPolicy,
		TermsURL:      settings.TermsURL,
		CORSOrigins:   settings.CORSOrigins,
		TLSSubjectDN:  settings.TLSSubject.DN,
		TLSSANDNS:     settings.TLSSubject.SANDNS,
		TLSSANURI:     settings.TLSSubject.SANURI,
		TLSSANIP:      settings.TLSSubject.SANIP,
		TLSSANEmail:   settings.TLSSubject.SANEmail,
	})
	if err != nil {
		return nil, nil, fmt.Errorf("encode client document: %w", err)
	}
	kept := make([]secret, len(state.Secrets))
	for i, s := range state.Secrets {
		kept[i] = secret(s)
	}
	if secrets, err = json.Marshal(kept); err != nil {
		return nil, nil, fmt.Errorf("encode client secrets: %w", err)
	}
	return doc, secrets, nil
}

// ErrUnreadable is a record that nobody of us has written.
var ErrUnreadable = errors.New("a stored record cannot be read")

// Decode is the inverse of [Encode]. Nil secrets are none. The client keeps the
// bytes of the document, which are not to be changed any more. The error is
// [ErrUnreadable].
//
// Each answer with a client decodes one, and a page a hundred; so this reads the
// members one by one, where reflection would take four times as long.
func Decode(doc, secrets []byte) (domain.Client, error) {
	in := jlexer.Lexer{Data: doc}
	state := readClient(&in)
	if err := end(&in); err != nil {
		return domain.Client{}, fmt.Errorf("%w: client document: %w", ErrUnreadable, err)
	}
	if secrets != nil {
		in = jlexer.Lexer{Data: secrets}
		state.Secrets = readSecrets(&in)
		if err := end(&in); err != nil {
			return domain.Client{}, fmt.Errorf("%w: client secrets: %w", ErrUnreadable, err)
		}
	}
	return domain.Restore(state), nil
}

// end tells whether all was read. It repeats nothing of what was.
func end(in *jlexer.Lexer) error {
	in.Consumed()
	if wrong, ok := errors.AsType[*jlexer.LexerError](in.Error()); ok {
		return fmt.Errorf("%s at byte %d", wrong.Reason, wrong.Offset)
	}
	return in.Error()
}

// readClient reads what [document] describes.
func readClient(in *jlexer.Lexer) (state domain.State) {
	var inline, uri string
	settings := &state.Settings
	readObject(in, func(member string) {
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
	})
	settings.Keys = domain.InlineKeys(inline)
	if uri != "" {
		settings.Keys = domain.KeysAt(uri)
	}
	return state
}

// readSecrets reads a list of what [secret] describes.
func readSecrets(in *jlexer.Lexer) (list []domain.Secret) {
	readArray(in, func() {
		var s domain.Secret
		readObject(in, func(member string) {
			switch member {
			case "id":
				readText(in, &s.ID)
			case "description":
				readText(in, &s.Description)
			case "hash":
				s.Hash = in.Bytes()
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
		})
		if s.UpdatedAt.IsZero() {
			s.UpdatedAt = s.CreatedAt
		}
		list = append(list, s)
	})
	return list
}

func readObject(in *jlexer.Lexer, read func(member string)) {
	in.Delim('{')
	for !in.IsDelim('}') {
		member := in.UnsafeFieldName(false)
		in.WantColon()
		read(member)
		in.WantComma()
	}
	in.Delim('}')
}

func readArray(in *jlexer.Lexer, read func()) {
	in.Delim('[')
	for !in.IsDelim(']') {
		read()
		in.WantComma()
	}
	in.Delim(']')
}

// readText reads a text where it is, if nothing in it is escaped.
func readText[S ~string](in *jlexer.Lexer, s *S) { *s = S(in.UnsafeString()) }

func readTexts[S ~string](in *jlexer.Lexer, list *[]S) {
	var short [8]S
	found := short[:0]
	readArray(in, func() { found = append(found, S(in.UnsafeString())) })
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
