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
			TenantID: d.TenantID,
			ClientID: d.ClientID,
		},
		Settings: domain.Settings{
			Name:         d.Name,
			Status:       d.Status,
			Confidential: d.Confidential,
			RedirectURIs: d.RedirectURIs,
			GrantTypes:   d.GrantTypes,
			Scopes:       d.Scopes,
			AuthMethods:  d.AuthMethods,
			Profile:      d.Profile,
			Keys:         keys,
			TLSSubject: domain.TLSSubject{
				DN:       d.TLSSubjectDN,
				SANDNS:   d.TLSSANDNS,
				SANURI:   d.TLSSANURI,
				SANIP:    d.TLSSANIP,
				SANEmail: d.TLSSANEmail,
			},
			LogoURL:       d.LogoURL,
			Website:       d.Website,
			PrivacyPolicy: d.PrivacyPolicy,
			TermsURL:      d.TermsURL,
			CORSOrigins:   d.CORSOrigins,
		},
		Revision:  d.Revision,
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
