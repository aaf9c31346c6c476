// Package wire is the wire form of a client's configuration: held against
// openapi.yaml, and read into the domain's words. Whatever takes such a
// configuration in, over HTTP or from a file, takes it in by this package, so
// that it is the same configuration everywhere.
package wire

import (
	"github.com/clientele-oauth/clientele/api"
	"github.com/clientele-oauth/clientele/domain"
)

// ChangeOf reads the body of an update.
func ChangeOf(body *api.UpdateClientRequest) domain.Change {
	return domain.Change{
		Name:          body.Name,
		Status:        typed[domain.Status](body.Status),
		Confidential:  body.IsConfidential,
		RedirectURIs:  typedList[domain.RedirectURI](body.RedirectUris),
		GrantTypes:    typedList[domain.GrantType](body.GrantTypes),
		Scopes:        typedList[domain.Scope](body.Scopes),
		AuthMethods:   typedList[domain.AuthMethod](body.ClientAuthMethods),
		Profile:       typed[domain.Profile](body.FapiProfile),
		JWKS:          body.Jwks,
		JWKSURI:       body.JwksURI,
		TLSSubjectDN:  body.TLSClientAuthSubjectDn,
		TLSSANDNS:     body.TLSClientAuthSanDNS,
		TLSSANURI:     body.TLSClientAuthSanURI,
		TLSSANIP:      body.TLSClientAuthSanIP,
		TLSSANEmail:   body.TLSClientAuthSanEmail,
		LogoURL:       typed[domain.Link](body.LogoURL),
		Website:       typed[domain.Link](body.Website),
		PrivacyPolicy: typed[domain.Link](body.PrivacyPolicy),
		TermsURL:      typed[domain.Link](body.TermsURL),
		CORSOrigins:   typedList[domain.Origin](body.CorsOrigins),
	}
}

// RegistrationOf reads the body of a registration, which is that of an update
// without the status.
func RegistrationOf(body *api.CreateClientRequest) domain.Change {
	return ChangeOf(&api.UpdateClientRequest{
		ClientAuthMethods:      body.ClientAuthMethods,
		CorsOrigins:            body.CorsOrigins,
		FapiProfile:            body.FapiProfile,
		GrantTypes:             body.GrantTypes,
		IsConfidential:         body.IsConfidential,
		Jwks:                   body.Jwks,
		JwksURI:                body.JwksURI,
		LogoURL:                body.LogoURL,
		Name:                   body.Name,
		PrivacyPolicy:          body.PrivacyPolicy,
		RedirectUris:           body.RedirectUris,
		Scopes:                 body.Scopes,
		TermsURL:               body.TermsURL,
		TLSClientAuthSanDNS:    body.TLSClientAuthSanDNS,
		TLSClientAuthSanEmail:  body.TLSClientAuthSanEmail,
		TLSClientAuthSanIP:     body.TLSClientAuthSanIP,
		TLSClientAuthSanURI:    body.TLSClientAuthSanURI,
		TLSClientAuthSubjectDn: body.TLSClientAuthSubjectDn,
		Website:                body.Website,
	})
}

// BodyOf writes the body of the update that the change is.
func BodyOf(c domain.Change) api.UpdateClientRequest {
	return api.UpdateClientRequest{
		Name:                   c.Name,
		Status:                 typed[string](c.Status),
		IsConfidential:         c.Confidential,
		RedirectUris:           typedList[string](c.RedirectURIs),
		GrantTypes:             typedList[string](c.GrantTypes),
		Scopes:                 typedList[string](c.Scopes),
		ClientAuthMethods:      typedList[string](c.AuthMethods),
		FapiProfile:            typed[string](c.Profile),
		Jwks:                   c.JWKS,
		JwksURI:                c.JWKSURI,
		TLSClientAuthSubjectDn: c.TLSSubjectDN,
		TLSClientAuthSanDNS:    c.TLSSANDNS,
		TLSClientAuthSanURI:    c.TLSSANURI,
		TLSClientAuthSanIP:     c.TLSSANIP,
		TLSClientAuthSanEmail:  c.TLSSANEmail,
		LogoURL:                typed[string](c.LogoURL),
		Website:                typed[string](c.Website),
		PrivacyPolicy:          typed[string](c.PrivacyPolicy),
		TermsURL:               typed[string](c.TermsURL),
		CorsOrigins:            typedList[string](c.CORSOrigins),
	}
}

// typed changes the type of an optional string.
func typed[To, From ~string](s *From) *To {
	if s == nil {
		return nil
	}
	return new(To(*s))
}

// typedList changes the type of an optional list; an empty one stays there.
func typedList[To, From ~string](list *[]From) *[]To {
	if list == nil {
		return nil
	}
	converted := make([]To, len(*list))
	for i, s := range *list {
		converted[i] = To(s)
	}
	return &converted
}
