package rest

import (
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/clientele-oauth/clientele/adapters/wire"
	"github.com/clientele-oauth/clientele/api"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// wireTime is a time as the contract writes it: RFC 3339 in UTC, whole
// seconds.
func wireTime(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// shown is what the members of an item point to, together, since pages of clients
// are made of them.
type shown struct {
	id, clientID, tenantID, name, status            string
	redirectURIs, grantTypes, scopes, corsOrigins   []string
	authMethods, profile, jwksURI                   string
	logoURL, website, privacyPolicy, termsURL       string
	subjectDN, sanDNS, sanURI, sanIP, sanEmail      string
	secretLastFour, createdAt, updatedAt, deletedAt string
	confidential                                    bool
}

// presentClient shows a client.
func presentClient(c domain.Client) api.OAuthClientItem {
	identity, settings := c.Identity(), c.Settings()
	v := &shown{
		id: identity.ID, clientID: string(identity.ClientID), tenantID: string(identity.TenantID),
		name: settings.Name, status: string(settings.Status), confidential: settings.Confidential,
		redirectURIs: plainList(settings.RedirectURIs), grantTypes: plainList(settings.GrantTypes),
		scopes: plainList(settings.Scopes), corsOrigins: plainList(settings.CORSOrigins),
		authMethods: jsonText(settings.AuthMethods), profile: string(settings.Profile), jwksURI: settings.Keys.URI(),
		logoURL: string(settings.LogoURL), website: string(settings.Website),
		privacyPolicy: string(settings.PrivacyPolicy), termsURL: string(settings.TermsURL),
		subjectDN: settings.TLSSubject.DN, sanDNS: settings.TLSSubject.SANDNS, sanURI: settings.TLSSubject.SANURI,
		sanIP: settings.TLSSubject.SANIP, sanEmail: settings.TLSSubject.SANEmail,
		secretLastFour: c.SecretLastFour(), createdAt: wireTime(c.CreatedAt()), updatedAt: wireTime(c.UpdatedAt()),
	}
	if c.Deleted() {
		v.deletedAt = wireTime(c.DeletedAt())
	}
	return api.OAuthClientItem{
		ID: &v.id, ClientID: &v.clientID, TenantID: &v.tenantID, Name: &v.name, Status: &v.status, IsConfidential: &v.confidential,
		RedirectUris: &v.redirectURIs, GrantTypes: &v.grantTypes, Scopes: &v.scopes, CorsOrigins: &v.corsOrigins,
		ClientAuthMethods: &v.authMethods, FapiProfile: &v.profile, JwksURI: &v.jwksURI,
		LogoURL: &v.logoURL, Website: &v.website, PrivacyPolicy: &v.privacyPolicy, TermsURL: &v.termsURL,
		TLSClientAuthSubjectDn: unlessEmpty(&v.subjectDN), TLSClientAuthSanDNS: unlessEmpty(&v.sanDNS),
		TLSClientAuthSanURI: unlessEmpty(&v.sanURI), TLSClientAuthSanIP: unlessEmpty(&v.sanIP), TLSClientAuthSanEmail: unlessEmpty(&v.sanEmail),
		SecretLastFour: unlessEmpty(&v.secretLastFour),
		CreatedAt:      &v.createdAt, UpdatedAt: &v.updatedAt, DeletedAt: unlessEmpty(&v.deletedAt),
	}
}

// presentCreated shows a client as it was registered: the item, its inline
// keys and, this once, its secret.
func presentCreated(r application.Registered) api.CreateClientResponse {
	item := presentClient(r.Client)
	return api.CreateClientResponse{
		ID:                     unlessEmpty(item.ID),
		ClientID:               unlessEmpty(item.ClientID),
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
	text := []byte{'['}
	for i, method := range methods {
		if i > 0 {
			text = append(text, ',')
		}
		text, _ = jsontext.AppendQuote(text, string(method)) // what is not UTF-8 is replaced
	}
	return string(append(text, ']'))
}

// plainList shows a list; an empty one is [], never null.
func plainList[From ~string](list []From) []string {
	plain := make([]string, len(list))
	for i, s := range list {
		plain[i] = string(s)
	}
	return plain
}

// filled shows a text, or nil where it is empty and the member is better absent.
func filled(s string) *string { return unlessEmpty(&s) }

// unlessEmpty is filled for a text that has its place already.
func unlessEmpty(s *string) *string {
	if *s == "" {
		return nil
	}
	return s
}

// filledTime shows a time, or nil where there is none and the member is better
// absent.
func filledTime(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	return new(wireTime(t))
}
