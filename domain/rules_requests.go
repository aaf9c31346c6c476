package domain

import (
	"encoding/base64"
	"slices"
	"strings"
)

// Bounds of OpenID Connect Core §6.2.
const (
	maxRequestURILength = 512 // characters, recommended
	sha256Base64URL     = 43  // characters of a SHA-256 hash in base64url without padding
)

// The rows on logins that a third party starts, and on request objects and authorization
// details: OIDC Registration §2, OIDC Core §4 and §6.2, RFC 9396 §10.
func requestRules() []Rule {
	login := []Field{FieldInitiateLoginURI}
	requests := []Field{FieldRequestURIs}
	details := []Field{FieldAuthorizationDetailsTypes}
	return []Rule{
		{
			ID: "login-uri", Level: Violation, Source: "OIDC Registration §2, OIDC Core §4", needs: login,
			Summary: "initiate_login_uri is not an absolute https URI with a host, has user information, a fragment or a wildcard, or violates redirect-uri-host or redirect-uri-path-tricks",
			check:   eachURIOf(login, func(_ *candidate, u *uri) string { return u.formFault(formEndpoint) }),
		},
		{
			ID: "login-uri-host", Level: Warning, Source: "own", needs: []Field{FieldInitiateLoginURI, FieldRedirectURIs},
			Summary: "no redirect URI has the host of initiate_login_uri",
			check: eachURIOf(login, func(j *candidate, u *uri) string {
				return when(u.isWeb() && !j.hasRedirectHost(u), "no redirect URI has this host; check that the client controls it")
			}),
		},
		{
			ID: "request-uri-syntax", Level: Violation, Source: "OIDC Registration §2", needs: requests,
			Summary: "a URI of request_uris is not an absolute https URI with a host, has user information or a wildcard, or violates redirect-uri-host or redirect-uri-path-tricks; http is not allowed for signed request objects either",
			check:   eachURIOf(requests, func(_ *candidate, u *uri) string { return u.formFault(formHTTPS | formExact) }),
		},
		{
			ID: "request-uri-address", Level: Violation, Source: "own (CVE-2020-10770)", needs: requests,
			Summary: "the host of a URI of request_uris is localhost or an IP address that is not public",
			check: eachURIOf(requests, func(_ *candidate, u *uri) string {
				return when(u.reach() != reachPublic, "authorization servers fetch request objects only from public hosts; use a public host")
			}),
		},
		{
			ID: "request-uri-hash", Level: Warning, Source: "OIDC Core §6.2", needs: requests,
			Summary: "a URI of request_uris has a fragment that is not the SHA-256 hash of the request object in base64url (43 characters)",
			check: eachURIOf(requests, func(_ *candidate, u *uri) string {
				return when(u.hasFragment && !isSHA256(u.fragment()), "the fragment must be the SHA-256 hash of the request object in base64url; correct or remove it")
			}),
		},
		{
			ID: "request-uri-length", Level: Warning, Source: "OIDC Core §6.2", needs: requests,
			Summary: "a URI of request_uris is longer than 512 characters",
			check: eachURIOf(requests, func(_ *candidate, u *uri) string {
				return when(len(u.raw) > maxRequestURILength, "request URIs should not be longer than 512 characters; shorten it")
			}),
		},
		{
			ID: "request-uri-unused", Level: Warning, Source: "FAPI 2.0 SP §5.3.2.2-3", in: inFAPI2, needs: []Field{FieldRequestURIs, FieldProfile},
			Summary: "request_uris is set: FAPI 2.0 allows only request URIs of pushed requests",
			check: func(j *candidate, r *report) {
				if len(j.RequestURIs) > 0 {
					r.on(FieldRequestURIs, "FAPI 2.0 allows only request URIs of pushed requests, so these are not used; remove them")
				}
			},
		},
		{
			ID: "request-demand-unused", Level: Warning, Source: "own",
			needs:   []Field{FieldRequirePAR, FieldRequireSignedRequestObject, FieldGrantTypes},
			Summary: "require_pushed_authorization_requests or require_signed_request_object is true, but no grant type uses authorization requests",
			check: func(j *candidate, r *report) {
				reportUnredirected(j, r, []Field{FieldRequirePAR, FieldRequireSignedRequestObject})
			},
		},
		{
			ID: "redirecting-unused", Level: Warning, Source: "own",
			needs:   append(redirectingFields(), FieldGrantTypes),
			Summary: "response_modes, request_uris, initiate_login_uri, frontchannel_logout_uri or frontchannel_logout_session_required is set, but no grant type uses redirects",
			check:   func(j *candidate, r *report) { reportUnredirected(j, r, redirectingFields()) },
		},
		{
			ID: "authorization-details-type", Level: Violation, Source: "RFC 9396 §10", needs: details,
			Summary: "a type of authorization_details_types is empty, has a control character, or is listed twice",
			check: func(j *candidate, r *report) {
				for i, name := range j.AuthorizationDetailsTypes {
					switch {
					case name == "":
						r.at(FieldAuthorizationDetailsTypes, i, "", "a type must not be empty; remove it")
					case strings.IndexFunc(name, isControl) >= 0:
						r.at(FieldAuthorizationDetailsTypes, i, name, "%s has a control character; remove the character", quoted(name))
					}
				}
				checkDuplicates(r, FieldAuthorizationDetailsTypes, j.AuthorizationDetailsTypes)
			},
		},
	}
}

// redirectingFields are the fields that only grants with a redirect use.
func redirectingFields() []Field {
	return []Field{
		FieldResponseModes, FieldRequestURIs, FieldInitiateLoginURI, FieldFrontchannelLogoutURI, FieldFrontchannelLogoutSession,
	}
}

// reportUnredirected reports those of the fields that are set for a client whose grants do
// not redirect.
func reportUnredirected(j *candidate, r *report, fields []Field) {
	if slices.ContainsFunc(j.GrantTypes, GrantType.redirects) {
		return
	}
	for _, field := range fields {
		if !field.Of(&j.Settings).IsEmpty() {
			r.on(field, "no grant type of this client redirects the user; clear it, or add authorization_code")
			r.except(fields, field)
		}
	}
}

// isControl knows the control characters of ASCII and Latin-1.
func isControl(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 }

// isSHA256 reports whether text can be a SHA-256 hash in base64url without padding.
func isSHA256(text string) bool {
	_, err := base64.RawURLEncoding.DecodeString(text)
	return err == nil && len(text) == sha256Base64URL
}
