package clientfile

import (
	"bytes"

	"go.yaml.in/yaml/v4"

	"github.com/clientele-oauth/clientele/adapters/wire"
	"github.com/clientele-oauth/clientele/domain"
)

// written is a configuration as it is written: everything that it says, in the
// order in which people read it. Only what an odd authentication method needs is
// left out where it is empty.
type written struct {
	ClientID               string    `yaml:"client_id,omitempty"`
	Name                   *string   `yaml:"name,omitempty"`
	Status                 *string   `yaml:"status,omitempty"`
	IsConfidential         *bool     `yaml:"is_confidential,omitempty"`
	FapiProfile            *string   `yaml:"fapi_profile,omitempty"`
	RedirectURIs           *[]string `yaml:"redirect_uris,omitempty"`
	GrantTypes             *[]string `yaml:"grant_types,omitempty"`
	Scopes                 *[]string `yaml:"scopes,omitempty"`
	ClientAuthMethods      *[]string `yaml:"client_auth_methods,omitempty"`
	TLSClientAuthSubjectDN *string   `yaml:"tls_client_auth_subject_dn,omitempty"`
	TLSClientAuthSANDNS    *string   `yaml:"tls_client_auth_san_dns,omitempty"`
	TLSClientAuthSANURI    *string   `yaml:"tls_client_auth_san_uri,omitempty"`
	TLSClientAuthSANIP     *string   `yaml:"tls_client_auth_san_ip,omitempty"`
	TLSClientAuthSANEmail  *string   `yaml:"tls_client_auth_san_email,omitempty"`
	Jwks                   *string   `yaml:"jwks,omitempty"`
	JwksURI                *string   `yaml:"jwks_uri,omitempty"`
	CorsOrigins            *[]string `yaml:"cors_origins,omitempty"`
	LogoURL                *string   `yaml:"logo_url,omitempty"`
	Website                *string   `yaml:"website,omitempty"`
	PrivacyPolicy          *string   `yaml:"privacy_policy,omitempty"`
	TermsURL               *string   `yaml:"terms_url,omitempty"`
}

// Write writes a configuration as YAML, as [Reader.Read] reads it: a member that
// the wish leaves out is left out, and so is an empty member that only
// tls_client_auth has a use for.
func Write(id domain.ClientID, wish domain.Change) ([]byte, error) {
	for _, subject := range []**string{&wish.TLSSubjectDN, &wish.TLSSANDNS, &wish.TLSSANURI, &wish.TLSSANIP, &wish.TLSSANEmail} {
		if *subject != nil && **subject == "" {
			*subject = nil
		}
	}
	body := wire.BodyOf(wish)
	var text bytes.Buffer
	encoder := yaml.NewEncoder(&text)
	encoder.SetIndent(2)
	err := encoder.Encode(written{
		ClientID:               string(id),
		Name:                   body.Name,
		Status:                 body.Status,
		IsConfidential:         body.IsConfidential,
		FapiProfile:            body.FapiProfile,
		RedirectURIs:           body.RedirectUris,
		GrantTypes:             body.GrantTypes,
		Scopes:                 body.Scopes,
		ClientAuthMethods:      body.ClientAuthMethods,
		TLSClientAuthSubjectDN: body.TLSClientAuthSubjectDn,
		TLSClientAuthSANDNS:    body.TLSClientAuthSanDNS,
		TLSClientAuthSANURI:    body.TLSClientAuthSanURI,
		TLSClientAuthSANIP:     body.TLSClientAuthSanIP,
		TLSClientAuthSANEmail:  body.TLSClientAuthSanEmail,
		Jwks:                   body.Jwks,
		JwksURI:                body.JwksURI,
		CorsOrigins:            body.CorsOrigins,
		LogoURL:                body.LogoURL,
		Website:                body.Website,
		PrivacyPolicy:          body.PrivacyPolicy,
		TermsURL:               body.TermsURL,
	})
	if err != nil {
		return nil, err
	}
	return text.Bytes(), nil
}
