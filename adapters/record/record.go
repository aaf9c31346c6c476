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
	"time"

	"github.com/go-json-experiment/json"

	"github.com/clientele-oauth/clientele/domain"
)

// document is the whole of a client, its secrets excepted.
type document struct {
	ID            string    `json:"id"`
	TenantID      string    `json:"tenant_id"`
	ClientID      string    `json:"client_id"`
	Revision      int64     `json:"revision"`
	CreatedAt     time.Time `json:"created_at"`
	UpdatedAt     time.Time `json:"updated_at"`
	DeletedAt     time.Time `json:"deleted_at,omitzero"`
	PurgedAt      time.Time `json:"purged_at,omitzero"`
	Name          string    `json:"name"`
	Status        string    `json:"status"`
	Confidential  bool      `json:"is_confidential"`
	RedirectURIs  []string  `json:"redirect_uris,omitempty"`
	GrantTypes    []string  `json:"grant_types,omitempty"`
	Scopes        []string  `json:"scopes,omitempty"`
	AuthMethods   []string  `json:"client_auth_methods,omitempty"`
	Profile       string    `json:"fapi_profile,omitempty"`
	JWKS          string    `json:"jwks,omitempty"`
	JWKSURI       string    `json:"jwks_uri,omitempty"`
	LogoURL       string    `json:"logo_url,omitempty"`
	Website       string    `json:"website,omitempty"`
	PrivacyPolicy string    `json:"privacy_policy,omitempty"`
	TermsURL      string    `json:"terms_url,omitempty"`
	CORSOrigins   []string  `json:"cors_origins,omitempty"`
	TLSSubjectDN  string    `json:"tls_client_auth_subject_dn,omitempty"`
	TLSSANDNS     string    `json:"tls_client_auth_san_dns,omitempty"`
	TLSSANURI     string    `json:"tls_client_auth_san_uri,omitempty"`
	TLSSANIP      string    `json:"tls_client_auth_san_ip,omitempty"`
	TLSSANEmail   string    `json:"tls_client_auth_san_email,omitempty"`
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
		TenantID:      string(state.Identity.TenantID),
		ClientID:      string(state.Identity.ClientID),
		Revision:      int64(state.Revision),
		CreatedAt:     state.CreatedAt,
		UpdatedAt:     state.UpdatedAt,
		DeletedAt:     state.DeletedAt,
		PurgedAt:      state.PurgedAt,
		Name:          settings.Name,
		Status:        string(settings.Status),
		Confidential:  settings.Confidential,
		RedirectURIs:  convert[string](settings.RedirectURIs),
		GrantTypes:    convert[string](settings.GrantTypes),
		Scopes:        convert[string](settings.Scopes),
		AuthMethods:   convert[string](settings.AuthMethods),
		Profile:       string(settings.Profile),
		JWKS:          settings.Keys.Inline(),
		JWKSURI:       settings.Keys.URI(),
		LogoURL:       string(settings.LogoURL),
		Website:       string(settings.Website),
		PrivacyPolicy: string(settings.PrivacyPolicy),
		TermsURL:      string(settings.TermsURL),
		CORSOrigins:   convert[string](settings.CORSOrigins),
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

// Decode is the inverse of [Encode]. Nil secrets are none. The error is
// [ErrUnreadable].
func Decode(doc, secrets []byte) (domain.Client, error) {
	var d document
	if err := json.Unmarshal(doc, &d); err != nil {
		return domain.Client{}, fmt.Errorf("%w: client document: %w", ErrUnreadable, err)
	}
	var kept []secret
	if secrets != nil {
		if err := json.Unmarshal(secrets, &kept); err != nil {
			return domain.Client{}, fmt.Errorf("%w: client secrets: %w", ErrUnreadable, err)
		}
	}
	keys := domain.InlineKeys(d.JWKS)
	if d.JWKSURI != "" {
		keys = domain.KeysAt(d.JWKSURI)
	}
	state := domain.State{
		Identity: domain.Identity{
			ID:       d.ID,
			TenantID: domain.TenantID(d.TenantID),
			ClientID: domain.ClientID(d.ClientID),
		},
		Settings: domain.Settings{
			Name:         d.Name,
			Status:       domain.Status(d.Status),
			Confidential: d.Confidential,
			RedirectURIs: convert[domain.RedirectURI](d.RedirectURIs),
			GrantTypes:   convert[domain.GrantType](d.GrantTypes),
			Scopes:       convert[domain.Scope](d.Scopes),
			AuthMethods:  convert[domain.AuthMethod](d.AuthMethods),
			Profile:      domain.Profile(d.Profile),
			Keys:         keys,
			TLSSubject: domain.TLSSubject{
				DN:       d.TLSSubjectDN,
				SANDNS:   d.TLSSANDNS,
				SANURI:   d.TLSSANURI,
				SANIP:    d.TLSSANIP,
				SANEmail: d.TLSSANEmail,
			},
			LogoURL:       domain.Link(d.LogoURL),
			Website:       domain.Link(d.Website),
			PrivacyPolicy: domain.Link(d.PrivacyPolicy),
			TermsURL:      domain.Link(d.TermsURL),
			CORSOrigins:   convert[domain.Origin](d.CORSOrigins),
		},
		Revision:  domain.RevisionNumber(d.Revision),
		CreatedAt: d.CreatedAt,
		UpdatedAt: d.UpdatedAt,
		DeletedAt: d.DeletedAt,
		PurgedAt:  d.PurgedAt,
	}
	for _, s := range kept {
		if s.UpdatedAt.IsZero() {
			s.UpdatedAt = s.CreatedAt
		}
		state.Secrets = append(state.Secrets, domain.Secret(s))
	}
	return domain.Restore(state), nil
}

// convert changes the string type of a list; an empty list is nil.
func convert[To, From ~string](list []From) []To {
	if len(list) == 0 {
		return nil
	}
	converted := make([]To, len(list))
	for i, value := range list {
		converted[i] = To(value)
	}
	return converted
}
