package clientfile

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode"

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
	var node yaml.Node
	err := node.Encode(written{
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
	quoteUnsafe(&node)
	var text bytes.Buffer
	// Without folding, a value never begins a line.
	dumper, err := yaml.NewDumper(&text, yaml.WithIndent(2), yaml.WithLineWidth(-1))
	if err != nil {
		return nil, err
	}
	if err := errors.Join(dumper.Dump(&node), dumper.Close()); err != nil {
		return nil, err
	}
	return escapeUnsafe(text.String()), nil
}

// The output may be printed on a terminal or into the log of a pipeline. So values
// with characters that are not printable, or with "##[", which begins a workflow
// command of GitHub Actions, are in double quotes and escaped.

// quoteUnsafe puts these values into double quotes.
func quoteUnsafe(n *yaml.Node) {
	if n.Kind == yaml.ScalarNode && (strings.Contains(n.Value, "##[") || strings.ContainsFunc(n.Value, unsafeRune)) {
		n.Style = yaml.DoubleQuotedStyle
	}
	for _, part := range n.Content {
		quoteUnsafe(part)
	}
}

// escapeUnsafe escapes what is left of them in the text (YAML 1.2 §5.7).
func escapeUnsafe(text string) []byte {
	var b bytes.Buffer
	for _, r := range strings.ReplaceAll(text, "##[", `#\x23[`) {
		switch {
		case r == '\n' || !unsafeRune(r):
			b.WriteRune(r)
		case r > 0xffff:
			fmt.Fprintf(&b, `\U%08x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.Bytes()
}

// unsafeRune reports whether r is not printable; joiners are, some scripts need them.
func unsafeRune(r rune) bool { return !unicode.IsPrint(r) && r != '\u200c' && r != '\u200d' }
