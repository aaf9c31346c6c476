package domain

import (
	"strings"
	"unicode"
)

// The rows on names, links, origins and the two vocabularies without a part of
// their own: RFC 7591 §2 and §5, the Fetch standard, RFC 6454 §6.2.
func metadataRules() []Rule {
	origins := []Field{FieldCORSOrigins}
	profile := []Field{FieldProfile}
	rules := []Rule{
		{
			ID: "name-required", Level: Violation, Source: "own", needs: []Field{FieldName},
			Summary: "the name is empty after trimming",
			check: func(j *judged, r *report) {
				if strings.TrimSpace(j.Name) == "" {
					r.on(FieldName, "a client needs a name that people recognise")
				}
			},
		},
		{
			ID: "name-text", Level: Violation, Source: "own", needs: []Field{FieldName},
			Summary: "the name has control, bidirectional-override, zero-width or private-use characters, which can spoof a consent screen",
			check: func(j *judged, r *report) {
				if strings.ContainsFunc(j.Name, isDeceptive) {
					r.on(FieldName, "the name has characters that nobody sees, which can spoof a consent screen; remove them")
				}
			},
		},
		{
			ID: "link-syntax", Level: Violation, Source: "RFC 7591 §2", needs: links(),
			Summary: "logo_url, website, privacy_policy or terms_url is not an absolute http or https URI with a host, or has user information",
			check: eachLink(func(u *uri) string {
				switch {
				case u.fault != "":
					return "this is not an absolute URI: " + u.fault
				case !u.isWeb():
					return "a link is http or https; use https"
				case u.userinfo:
					return "a link has no user information; remove what stands before the @"
				default:
					return u.hostFault()
				}
			}),
		},
		{
			ID: "link-https", Level: Warning, Source: "RFC 7591 §5", needs: links(),
			Summary: "logo_url, website, privacy_policy or terms_url is http",
			check: eachLink(func(u *uri) string {
				return when(u.scheme == "http", "what is shown over http can be changed on the way; use https")
			}),
		},
		{
			ID: "cors-origin-syntax", Level: Violation, Source: "Fetch standard §3.3.3, RFC 6454 §6.2", needs: origins,
			Summary: "it is not scheme://host[:port] in its canonical form: null, *, a path, user information, an upper-case letter, a default port; or it is http and not loopback",
			check: func(j *judged, r *report) {
				for i, o := range j.CORSOrigins {
					if fault := originFault(o); fault != "" {
						r.at(FieldCORSOrigins, i, string(o), "%s", fault)
					}
				}
			},
		},
		{
			ID: "status-unknown", Level: Violation, Source: "own", needs: []Field{FieldStatus},
			Summary: "the status is neither active nor suspended",
			check: func(j *judged, r *report) {
				if j.Status != StatusActive && j.Status != StatusSuspended {
					r.on(FieldStatus, "a status is active or suspended")
				}
			},
		},
		{
			ID: "fapi-profile-unknown", Level: Violation, Source: "own", needs: profile,
			Summary: "the profile is not in the vocabulary",
			check: func(j *judged, r *report) {
				if _, ok := j.Profile.JudgedAs(); !ok {
					r.on(FieldProfile, "a profile is fapi1-baseline, fapi1-advanced, fapi2-security, fapi2-message-signing, or empty for none")
				}
			},
		},
		{
			ID: "fapi-profile-ambiguous", Level: Warning, Source: "own", needs: profile,
			Summary: "the profile is fapi1, which does not say which part: it is judged as fapi1-baseline",
			check: func(j *judged, r *report) {
				if j.Profile == ProfileFAPI1 {
					r.on(FieldProfile, "fapi1 does not say which part and is judged as fapi1-baseline; choose fapi1-baseline or fapi1-advanced")
				}
			},
		},
	}
	return rules
}

func links() []Field {
	return []Field{FieldLogoURL, FieldWebsite, FieldPrivacyPolicy, FieldTermsURL}
}

// eachLink makes a check of one that judges a single link and returns the
// message where it is broken, "" where not.
func eachLink(check func(*uri) string) func(*judged, *report) {
	return func(j *judged, r *report) {
		for _, field := range links() {
			link := j.link(field)
			if link == "" {
				continue
			}
			u := parseURI(string(link))
			if message := check(&u); message != "" {
				// The link is the subject, so that a change of one link does
				// not touch what stands in another.
				r.add(r.rule.Level, field.pointer(), string(field)+" "+string(link), "%s", message)
			}
		}
	}
}

// isDeceptive knows the characters that change how a name looks without being
// seen: controls, formats (bidirectional, zero-width, tags), separators of
// lines, and private use. U+FFFD is what is left of bytes that were no text.
func isDeceptive(r rune) bool {
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Zl, unicode.Zp) || r == unicode.ReplacementChar
}

// originFault says why o is not the one way in which a browser writes it.
func originFault(o Origin) string {
	u := parseURI(string(o))
	switch {
	case u.fault != "":
		return "this is not an origin such as https://app.example.com: " + u.fault
	case !u.isWeb() || !u.hasAuthority:
		return "an origin is http or https, such as https://app.example.com"
	case u.userinfo || u.hasFragment || u.path != "" || strings.Contains(u.raw, "?"):
		return "an origin is scheme, host and port alone; remove the rest, also a slash at the end"
	}
	if fault := u.hostFault(); fault != "" {
		return fault
	}
	switch canonical := u.origin(); {
	case canonical != u.raw:
		return "browsers write this origin as " + canonical
	case u.scheme == "http" && !u.isLoopback():
		return "an http origin can be changed on the way; use https"
	default:
		return ""
	}
}

// origin is the ASCII serialisation of the URI's origin (RFC 6454 §6.2).
func (u *uri) origin() string {
	host := strings.ToLower(u.host)
	if ip, ok := u.address(); ok && ip.Is6() {
		host = "[" + ip.String() + "]"
	}
	if u.port == "" || u.isDefaultPort() {
		return u.scheme + "://" + host
	}
	return u.scheme + "://" + host + ":" + strings.TrimLeft(u.port, "0")
}
