package rest

import (
	"encoding/json"
	"time"

	"github.com/clientele-oauth/clientele/adapters/wire"
	"github.com/clientele-oauth/clientele/api"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// wireTime is a time as the contract writes it: RFC 3339 in UTC, whole
// seconds.
func wireTime(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// presentClient shows a client.
func presentClient(c domain.Client) api.OAuthClientItem {
	identity, settings := c.Identity(), c.Settings()
	return api.OAuthClientItem{
		ID:                     &identity.ID,
		ClientID:               new(string(identity.ClientID)),
		TenantID:               new(string(identity.TenantID)),
		Name:                   &settings.Name,
		Status:                 new(string(settings.Status)),
		IsConfidential:         &settings.Confidential,
		RedirectUris:           plainList(settings.RedirectURIs),
		GrantTypes:             plainList(settings.GrantTypes),
		Scopes:                 plainList(settings.Scopes),
		ClientAuthMethods:      new(jsonText(settings.AuthMethods)),
		FapiProfile:            new(string(settings.Profile)),
		JwksURI:                new(settings.Keys.URI()),
		LogoURL:                new(string(settings.LogoURL)),
		Website:                new(string(settings.Website)),
		PrivacyPolicy:          new(string(settings.PrivacyPolicy)),
		TermsURL:               new(string(settings.TermsURL)),
		CorsOrigins:            plainList(settings.CORSOrigins),
		TLSClientAuthSubjectDn: filled(settings.TLSSubject.DN),
		TLSClientAuthSanDNS:    filled(settings.TLSSubject.SANDNS),
		TLSClientAuthSanURI:    filled(settings.TLSSubject.SANURI),
		TLSClientAuthSanIP:     filled(settings.TLSSubject.SANIP),
		TLSClientAuthSanEmail:  filled(settings.TLSSubject.SANEmail),
		SecretLastFour:         filled(c.SecretLastFour()),
		CreatedAt:              new(wireTime(c.CreatedAt())),
		UpdatedAt:              new(wireTime(c.UpdatedAt())),
		DeletedAt:              filledTime(c.DeletedAt()),
	}
}

// presentCreated shows a client as it was registered: the item, its inline
// keys and, this once, its secret.
func presentCreated(r application.Registered) api.CreateClientResponse {
	item := presentClient(r.Client)
	identity := r.Client.Identity()
	return api.CreateClientResponse{
		ID:                     filled(identity.ID),
		ClientID:               filled(string(identity.ClientID)),
		ClientSecret:           filled(r.Secret),
		TenantID:               item.TenantID,
		Name:                   item.Name,
		Status:                 item.Status,
		IsConfidential:         item.IsConfidential,
		RedirectUris:           item.RedirectUris,
		GrantTypes:             item.GrantTypes,
		Scopes:                 item.Scopes,
		ClientAuthMethods:      item.ClientAuthMethods,
		FapiProfile:            item.FapiProfile,
		Jwks:                   new(r.Client.Settings().Keys.Inline()),
		JwksURI:                item.JwksURI,
		LogoURL:                item.LogoURL,
		Website:                item.Website,
		PrivacyPolicy:          item.PrivacyPolicy,
		TermsURL:               item.TermsURL,
		CorsOrigins:            item.CorsOrigins,
		TLSClientAuthSubjectDn: item.TLSClientAuthSubjectDn,
		TLSClientAuthSanDNS:    item.TLSClientAuthSanDNS,
		TLSClientAuthSanURI:    item.TLSClientAuthSanURI,
		TLSClientAuthSanIP:     item.TLSClientAuthSanIP,
		TLSClientAuthSanEmail:  item.TLSClientAuthSanEmail,
		SecretLastFour:         item.SecretLastFour,
		CreatedAt:              item.CreatedAt,
		UpdatedAt:              item.UpdatedAt,
	}
}

// presentWarnings shows warnings; nil where there are none, so that the member
// is absent.
func presentWarnings(warnings domain.Findings) *[]api.Finding {
	if len(warnings) == 0 {
		return nil
	}
	return new(wire.FindingsOf(warnings))
}

// jsonText is the contract's form of the authentication methods in answers: a
// string that holds the JSON text of an array.
func jsonText(methods []domain.AuthMethod) string {
	if methods == nil {
		methods = []domain.AuthMethod{}
	}
	text, err := json.Marshal(methods)
	if err != nil {
		return "[]" // strings always have a JSON text
	}
	return string(text)
}

// plainList shows a list; an empty one is [], never null.
func plainList[From ~string](list []From) *[]string {
	plain := make([]string, len(list))
	for i, s := range list {
		plain[i] = string(s)
	}
	return &plain
}

// filled returns s, or nil where it is empty and the member is better absent.
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
