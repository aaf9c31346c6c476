package domain

import (
	"slices"
	"strings"
)

// The rules about redirection endpoints: RFC 6749 §3.1.2, RFC 8252, RFC 9700 §2.1
// and §4.1, FAPI 1.0 Part 1 §5.2.2.
func redirectURIRules() []Rule {
	uris := []Field{FieldRedirectURIs}
	urisAndType := []Field{FieldRedirectURIs, FieldConfidential}
	return []Rule{
		{
			ID: "redirect-uri-syntax", Level: Violation, Source: "RFC 6749 §3.1.2, RFC 3986 §4.3", needs: uris,
			Summary: "it is not an absolute URI of RFC 3986: no scheme, a character outside ASCII, a space, a control character, a bad percent-encoding, a bad port",
			check: eachURI(func(_ *candidate, u *uri) string {
				if u.fault == "" {
					return ""
				}
				return "this is not an absolute URI: " + u.fault
			}),
		},
		{
			ID: "redirect-uri-fragment", Level: Violation, Source: "RFC 6749 §3.1.2", needs: uris,
			Summary: "it has a fragment, even an empty one",
			check: eachURI(func(_ *candidate, u *uri) string {
				return when(u.hasFragment, "a redirect URI must not have a fragment; remove the # and everything after it")
			}),
		},
		{
			ID: "redirect-uri-userinfo", Level: Violation, Source: "RFC 3986 §3.2.1, RFC 9700 §4.1", needs: uris,
			Summary: "it has user information",
			check: eachURI(func(_ *candidate, u *uri) string {
				return when(u.userinfo, "a redirect URI must not have user information; remove everything before the @")
			}),
		},
		{
			ID: "redirect-uri-host", Level: Violation, Source: "RFC 3986 §3.2.2", needs: uris,
			Summary: "it is http or https and has no host, or the host is not a DNS name, an IPv4 address or an IPv6 address in brackets, is percent-encoded, ends in a dot, or is not ASCII (use the A-label)",
			check: eachURI(func(_ *candidate, u *uri) string {
				if !u.isWeb() {
					return ""
				}
				named := *u
				named.host = strings.ReplaceAll(u.host, "*", "x") // wildcards have their own rule
				return named.hostFault()
			}),
		},
		{
			ID: "redirect-uri-wildcard", Level: Violation, Source: "RFC 9700 §2.1", needs: uris,
			Summary: "it has a * in the host or the path: redirect URIs are matched exactly",
			check: eachURI(func(_ *candidate, u *uri) string {
				return when(strings.Contains(u.host+u.path, "*"),
					"redirect URIs are compared exactly, so a * matches nothing; register each complete URI")
			}),
		},
		{
			ID: "redirect-uri-path-tricks", Level: Violation, Source: "RFC 3986 §6.2.2.3, RFC 9700 §4.1", needs: uris,
			Summary: "its path has . or .. segments (also encoded, or with path parameters as in ..;a), a backslash, an encoded slash or backslash, or an empty first segment",
			check: eachURI(func(_ *candidate, u *uri) string {
				trick := u.pathTrick()
				if trick == "" {
					return ""
				}
				return trick + ", which parsers interpret differently; register the plain path"
			}),
		},
		{
			ID: "redirect-uri-http", Level: Violation, Source: "RFC 9700 §2.6, RFC 8252 §7.3; FAPI 2.0 SP §5.3.2.2-8", needs: uris,
			Summary: "it is http and the host is not exactly 127.0.0.1, [::1] or localhost",
			check: eachURI(func(_ *candidate, u *uri) string {
				return when(u.scheme == "http" && !u.isLoopback(),
					"an authorization response must not travel over http; use https, or a loopback address for a native app")
			}),
		},
		{
			ID: "redirect-uri-loopback-confidential", Level: Warning, Source: "RFC 8252 §8.4", needs: urisAndType,
			Summary: "it is loopback http and the client is confidential",
			check: eachURI(func(j *candidate, u *uri) string {
				return when(j.Confidential && u.scheme == "http" && u.isLoopback(),
					"a loopback redirect belongs to a native app, which cannot keep a secret; register it as a public client")
			}),
		},
		{
			ID: "redirect-uri-localhost", Level: Warning, Source: "RFC 8252 §8.3", needs: uris,
			Summary: "the host is the name localhost",
			check: eachURI(func(_ *candidate, u *uri) string {
				return when(u.host == "localhost", "localhost may resolve to another interface; use 127.0.0.1 or [::1]")
			}),
		},
		{
			ID: "redirect-uri-scheme", Level: Violation, Source: "own; RFC 3986 §7, RFC 9700 §4.11", needs: uris,
			Summary: "its scheme executes code, embeds data, or reaches the local machine or another protocol (javascript, data, file, blob, ftp, ws, mailto, intent or similar)",
			check: eachURI(func(_ *candidate, u *uri) string {
				if !isDangerousScheme(u.scheme) {
					return ""
				}
				return "the scheme " + u.scheme + " does not lead back to a client; use https"
			}),
		},
		{
			ID: "redirect-uri-oob", Level: Violation, Source: "RFC 8252 §7", needs: uris,
			Summary: "it is urn:ietf:wg:oauth:2.0:oob or similar",
			check: eachURI(func(_ *candidate, u *uri) string {
				return when(isOutOfBand(u),
					"the out-of-band (copy-paste) redirect is not allowed; use https, a loopback address or a private-use scheme")
			}),
		},
		{
			ID: "redirect-uri-private-scheme", Level: Violation, Softens: true, Source: "RFC 8252 §7.1, §8.4; OAuth 2.1 §2.3.1", needs: uris,
			Summary: "its scheme is a custom one without a dot, so it is not a reversed domain name; a warning if the deployment allows the scheme",
			check: func(j *candidate, r *report) {
				for i := range j.uris {
					u := &j.uris[i]
					switch {
					case !isDotless(u):
					case j.policy.allowsScheme(u):
						r.add(Warning, FieldRedirectURIs.element(i), u.raw, "%s", dotlessAllowed)
					default:
						r.at(FieldRedirectURIs, i, u.raw, "%s", dotlessRejected)
					}
				}
			},
		},
		{
			ID: "redirect-uri-private-scheme-form", Level: Warning, Source: "RFC 8252 §7.1", needs: uris,
			Summary: "a custom scheme is followed by //",
			check: eachURI(func(_ *candidate, u *uri) string {
				return when(isPrivateUse(u) && u.hasAuthority,
					"a URI with a private-use scheme has no naming authority; use a single slash, e.g. com.example.app:/callback")
			}),
		},
		{
			ID: "redirect-uri-private-scheme-confidential", Level: Warning, Source: "RFC 8252 §8.4", needs: urisAndType,
			Summary: "it has a custom scheme and the client is confidential",
			check: eachURI(func(j *candidate, u *uri) string {
				return when(j.Confidential && isPrivateUse(u),
					"a private-use scheme belongs to a native app, which cannot keep a secret; register it as a public client")
			}),
		},
		{
			ID: "redirect-uri-address", Level: Warning, Source: "own", needs: uris,
			Summary: "it is https to a private, link-local or unspecified IP address",
			check: eachURI(func(_ *candidate, u *uri) string {
				ip, ok := u.address()
				return when(ok && u.scheme == "https" && (ip.IsPrivate() || ip.IsLinkLocalUnicast() || ip.IsUnspecified()),
					"a private address is a different machine on every network; use a DNS name")
			}),
		},
		{
			ID: "redirect-uri-reserved-parameter", Level: Warning, Source: "RFC 6749 §4.1.2, §4.1.2.1, §4.2.2; RFC 9207 §2", needs: uris,
			Summary: "its query has a parameter of an authorization response (" + strings.Join(responseParameters(), ", ") + ")",
			check: eachURI(func(_ *candidate, u *uri) string {
				name := reservedParameter(u.query)
				if name == "" {
					return ""
				}
				return "the query holds " + name + ", which the authorization response adds too; use another name"
			}),
		},
		{
			ID: "redirect-uri-duplicate", Level: Violation, Source: "RFC 3986 §6.2.2", needs: uris,
			Summary: "it equals another one after normalisation (RFC 3986 §6.2.2)",
			check: func(j *candidate, r *report) {
				checkDuplicateURIs(r, FieldRedirectURIs, j.uris, (*uri).normalised)
			},
		},
		{
			ID: "redirect-uri-https", Level: Violation, Source: "FAPI 1.0 Part 1 §5.2.2-20", in: inFAPI1,
			needs:   []Field{FieldRedirectURIs, FieldProfile},
			Summary: "its scheme is not https",
			check: eachURI(func(_ *candidate, u *uri) string {
				return when(u.scheme != "https", "FAPI 1.0 allows only https redirect URIs")
			}),
		},
	}
}

// eachURI returns a check that calls check for each redirect URI. check returns the
// message of a violation, or "" if there is none.
func eachURI(check func(*candidate, *uri) string) func(*candidate, *report) {
	return func(j *candidate, r *report) {
		for i := range j.uris {
			if message := check(j, &j.uris[i]); message != "" {
				r.at(FieldRedirectURIs, i, j.uris[i].raw, "%s", message)
			}
		}
	}
}

// when returns the message if broken is true, otherwise "".
func when(broken bool, message string) string {
	if broken {
		return message
	}
	return ""
}

// checkDuplicateURIs finds URIs of a field that are equal after normalisation.
func checkDuplicateURIs(r *report, field Field, uris []uri, normalise func(*uri) string) {
	if len(uris) < 2 {
		return
	}
	seen := make(map[string]bool, len(uris))
	for i := range uris {
		normalised := normalise(&uris[i])
		if seen[normalised] {
			r.at(field, i, uris[i].raw, "this URI is listed twice; remove one")
		}
		seen[normalised] = true
	}
}

// isDangerousScheme reports whether the scheme makes a browser run, show or open
// something instead of calling a client.
func isDangerousScheme(scheme string) bool {
	switch scheme {
	case "javascript", "vbscript", "livescript", "data", "blob", "filesystem", "file", "about", "view-source",
		"chrome", "chrome-extension", "chrome-search", "chrome-untrusted", "devtools", "edge", "brave", "opera",
		"moz-extension", "resource", "safari-web-extension", "ms-browser-extension", "wyciwyg",
		"ftp", "ftps", "sftp", "tftp", "ssh", "telnet", "gopher", "ws", "wss", "ldap", "ldaps", "smb", "nfs", "dict",
		"imap", "pop", "nntp", "news", "irc", "rtsp", "sip", "sips", "xmpp", "git", "svn",
		"mailto", "tel", "sms", "mms", "facetime", "callto", "skype", "maps", "geo",
		"intent", "android-app", "market", "content", "ms-settings", "ms-appinstaller", "ms-msdt", "search-ms",
		"itms-services", "jar", "mhtml", "mk", "res", "shell", "cid", "mid", "feed":
		return true
	default:
		return false
	}
}

// isOutOfBand reports whether the URI is one of the pseudo URIs that made the
// authorization server show the code, for users to copy by hand.
func isOutOfBand(u *uri) bool {
	return u.scheme == "urn" && strings.HasPrefix(strings.ToLower(u.path), "ietf:wg:oauth:2.0:oob")
}

// isPrivateUse reports whether the scheme is neither a web scheme nor one that
// another rule rejects.
func isPrivateUse(u *uri) bool {
	return u.scheme != "" && !u.isWeb() && !isDangerousScheme(u.scheme) && !isOutOfBand(u)
}

// isDotless reports whether the scheme is a private-use one that is not a reversed domain
// name.
func isDotless(u *uri) bool { return isPrivateUse(u) && !strings.Contains(u.scheme, ".") }

// allowsScheme reports whether the deployment allows the private-use scheme.
func (p *Policy) allowsScheme(u *uri) bool { return slices.Contains(p.PrivateSchemes, u.scheme) }

// What is reported about a private-use scheme without a dot.
const (
	dotlessRejected = "a private-use scheme must be a domain name under your control in reverse order, e.g. com.example.app:/callback"
	dotlessAllowed  = "this deployment allows the scheme, but any app can claim it; prefer a domain name in reverse order, e.g. com.example.app:/callback"
)

// reservedParameter returns the first parameter of an authorization response
// that the query contains.
func reservedParameter(query string) string {
	for pair := range strings.SplitSeq(query, "&") {
		name, _, _ := strings.Cut(pair, "=")
		if name = percentDecoded(name); slices.Contains(responseParameters(), name) {
			return name
		}
	}
	return ""
}

// responseParameters lists the parameters of authorization responses, successful or
// not, in the IANA registry of OAuth parameters.
func responseParameters() []string {
	return []string{
		"code", "state", // RFC 6749 §4.1.2
		"error", "error_description", "error_uri", // RFC 6749 §4.1.2.1
		"access_token", "token_type", "expires_in", "scope", // RFC 6749 §4.2.2
		"iss",           // RFC 9207 §2
		"id_token",      // OIDC Core §3.2.2.5
		"session_state", // OIDC Session Management §2
		"response",      // JARM §2.3
		"vp_token",      // OpenID4VP §8.1
	}
}
