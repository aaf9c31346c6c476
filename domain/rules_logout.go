package domain

// The rows on logout: OpenID Connect RP-Initiated Logout §3.1, Back-Channel Logout §2.2,
// Front-Channel Logout §2.
func logoutRules() []Rule {
	after := []Field{FieldPostLogoutRedirectURIs}
	endpoints := []Field{FieldBackchannelLogoutURI, FieldFrontchannelLogoutURI}
	front, back := endpoints[1:], endpoints[:1]
	return []Rule{
		{
			ID: "post-logout-uri", Level: Violation, Softens: true, Source: "OIDC RP-Initiated Logout §3.1; fragment: own", needs: after,
			Summary: "a URI of post_logout_redirect_uris is not an absolute URI, has user information, a fragment or a wildcard, violates redirect-uri-host or redirect-uri-path-tricks, or has a scheme that redirect URIs must not have; a warning if the deployment allows the scheme",
			check: func(j *candidate, r *report) {
				r.eachURI(j, Violation, after, postLogoutFault)
				r.eachURI(j, Warning, after, func(j *candidate, u *uri) string {
					return when(isDotless(u) && j.policy.allowsScheme(u), dotlessAllowed)
				})
			},
		},
		{
			ID: "post-logout-uri-http", Level: Violation, Source: "own; OIDC RP-Initiated Logout §3.1 leaves it to the server", needs: after,
			Summary: "a URI of post_logout_redirect_uris is http and the host is not exactly 127.0.0.1, [::1] or localhost",
			check: eachURIOf(after, func(_ *candidate, u *uri) string {
				return when(u.scheme == "http" && !u.isLoopback(), "the user must not be sent to an http page; use https, or a loopback address for a native app")
			}),
		},
		{
			ID: "post-logout-uri-host", Level: Warning, Source: "own", needs: []Field{FieldPostLogoutRedirectURIs, FieldRedirectURIs},
			Summary: "a URI of post_logout_redirect_uris is http or https and no redirect URI has its host, so the logout may be an open redirect",
			check: eachURIOf(after, func(j *candidate, u *uri) string {
				return when(u.isWeb() && !j.hasRedirectHost(u), "no redirect URI has this host; check that the client controls it")
			}),
		},
		{
			ID: "post-logout-uri-duplicate", Level: Violation, Source: "own; RFC 3986 §6.2.2", needs: after,
			Summary: "a URI of post_logout_redirect_uris equals another one after the normalisation of RFC 3986 §6.2.2; an empty path and / differ",
			check: func(j *candidate, r *report) {
				if len(j.PostLogoutRedirectURIs) > 1 {
					checkDuplicateURIs(r, FieldPostLogoutRedirectURIs, parseURIs(j.PostLogoutRedirectURIs), (*uri).syntaxNormalised)
				}
			},
		},
		{
			ID: "logout-uri", Level: Violation, Source: "OIDC Back-Channel Logout §2.2, OIDC Front-Channel Logout §2", needs: endpoints,
			Summary: "backchannel_logout_uri or frontchannel_logout_uri is not an absolute http or https URI, has user information, a fragment or a wildcard, or violates redirect-uri-host or redirect-uri-path-tricks",
			check: eachURIOf(endpoints, func(_ *candidate, u *uri) string {
				return u.formFault(formWeb | formNoFragment | formExact)
			}),
		},
		{
			ID: "logout-uri-http", Level: Violation, Softens: true,
			Source:  "OIDC Back-Channel Logout §2.2, OIDC Front-Channel Logout §2; FAPI 2.0 SP §5.2.1-1",
			needs:   []Field{FieldBackchannelLogoutURI, FieldFrontchannelLogoutURI, FieldConfidential, FieldProfile},
			Summary: "backchannel_logout_uri or frontchannel_logout_uri is http; a warning for a confidential client that is not in fapi1-advanced, fapi2-security or fapi2-message-signing",
			check: func(j *candidate, r *report) {
				level := Violation
				if j.Confidential && (inAdvanced|inFAPI2)&j.profile.bit() == 0 {
					level = Warning
				}
				r.eachURI(j, level, endpoints, func(_ *candidate, u *uri) string {
					return when(u.scheme == "http", "a logout that is reported over http can be suppressed or forged in transit; use https")
				})
			},
		},
		{
			ID: "frontchannel-logout-origin", Level: Violation, Source: "OIDC Front-Channel Logout §2",
			needs:   []Field{FieldFrontchannelLogoutURI, FieldRedirectURIs},
			Summary: "no redirect URI has the scheme, host and port of frontchannel_logout_uri",
			check: eachURIOf(front, func(j *candidate, u *uri) string {
				origin := u.origin()
				for i := range j.uris {
					if j.uris[i].origin() == origin {
						return ""
					}
				}
				return "the scheme, host and port must be those of a redirect URI; use such an origin, or register a redirect URI with this one"
			}),
		},
		{
			ID: "backchannel-logout-address", Level: Violation, Source: "own", needs: back,
			Summary: "the host of backchannel_logout_uri is localhost or an IP address that is not public; addresses of private networks can be allowed by the deployment, and loopback addresses are allowed in development",
			check:   eachURIOf(back, callbackAddressFault),
		},
		{
			ID: "logout-session-alone", Level: Warning, Source: "own",
			needs: []Field{
				FieldBackchannelLogoutURI, FieldBackchannelLogoutSession, FieldFrontchannelLogoutURI, FieldFrontchannelLogoutSession,
			},
			Summary: "backchannel_logout_session_required or frontchannel_logout_session_required is true without the URI",
			check: func(j *candidate, r *report) {
				if j.BackchannelLogout.SessionRequired && j.BackchannelLogout.URI == "" {
					r.alone(Warning, FieldBackchannelLogoutSession, []Field{FieldBackchannelLogoutURI}, "it has no effect without backchannel_logout_uri; set the URI, or clear the field")
				}
				if j.FrontchannelLogout.SessionRequired && j.FrontchannelLogout.URI == "" {
					r.alone(Warning, FieldFrontchannelLogoutSession, []Field{FieldFrontchannelLogoutURI}, "it has no effect without frontchannel_logout_uri; set the URI, or clear the field")
				}
			},
		},
	}
}

// postLogoutFault says why the user must not be sent to the URI after a logout, "" if
// nothing is wrong.
func postLogoutFault(j *candidate, u *uri) string {
	fault := u.formFault(formNoFragment | formExact)
	switch {
	case fault != "":
		return fault
	case isDangerousScheme(u.scheme):
		return "the scheme " + u.scheme + " does not lead back to a client; use https"
	case isOutOfBand(u):
		return "an out-of-band URI leads nowhere after a logout; use https, a loopback address or a private-use scheme"
	default:
		return when(isDotless(u) && !j.policy.allowsScheme(u), dotlessRejected)
	}
}
