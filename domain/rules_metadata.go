package domain

import (
	"fmt"
	"net/netip"
	"strings"
)

// The rules about names, links, origins, the status and the profile: RFC 7591 §2 and
// §5, the Fetch standard, RFC 6454 §6.2.
func metadataRules() []Rule {
	origins := []Field{FieldCORSOrigins}
	profile := []Field{FieldProfile}
	rules := []Rule{
		{
			ID: "name-required", Level: Violation, Source: "own", needs: []Field{FieldName},
			Summary: "the name is empty or has no visible character",
			check: func(j *candidate, r *report) {
				if !hasVisible(j.Name) {
					r.on(FieldName, "the client needs a name with a visible character")
				}
			},
		},
		{
			ID: "name-text", Level: Violation, Source: "own; RFC 5892 appendix A.1, A.2", needs: []Field{FieldName},
			Summary: "the name has control, bidirectional-override, zero-width, filler or private-use characters, which can spoof a consent screen; joiners and variation selectors are allowed if a script or an emoji needs them",
			check: func(j *candidate, r *report) {
				if fault := nameFault(j.Name); fault != "" {
					r.on(FieldName, "%s", fault)
				}
			},
		},
		{
			ID: "link-syntax", Level: Violation, Source: "RFC 7591 §2", needs: links(),
			Summary: linkNames() + " is not an absolute http or https URI with a host, or has user information",
			check:   eachURIOf(links(), func(_ *candidate, u *uri) string { return u.formFault(formWeb) }),
		},
		{
			ID: "link-https", Level: Warning, Source: "RFC 7591 §5", needs: links(),
			Summary: linkNames() + " is http",
			check: eachURIOf(links(), func(_ *candidate, u *uri) string {
				return when(u.scheme == "http", "content loaded over http can be tampered with in transit; use https")
			}),
		},
		{
			ID: "link-address", Level: Warning, Source: "own", needs: links(),
			Summary: linkNames() + " is at localhost or an IP address that is not public",
			check: eachURIOf(links(), func(_ *candidate, u *uri) string {
				return when(u.isWeb() && u.reach() != reachPublic, "this address is a different machine on every network, or the server itself that opens the link; use a public host")
			}),
		},
		{
			ID: "cors-origin-syntax", Level: Violation, Source: "Fetch standard §3.3.3, RFC 6454 §6.2", needs: origins,
			Summary: "an origin is not scheme://host[:port] in canonical form (null, *, a path, user information, an upper-case letter, a default port), or is http and not loopback",
			check: func(j *candidate, r *report) {
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
			check: func(j *candidate, r *report) {
				if j.Status != StatusActive && j.Status != StatusSuspended {
					r.on(FieldStatus, "the status must be active or suspended")
				}
			},
		},
		{
			ID: "fapi-profile-unknown", Level: Violation, Source: "own", needs: profile,
			Summary: "the profile is unknown",
			check: func(j *candidate, r *report) {
				if _, ok := j.Profile.ValidatedAs(); !ok {
					r.on(FieldProfile, "the profile must be fapi1-baseline, fapi1-advanced, fapi2-security, fapi2-message-signing, or empty for none")
				}
			},
		},
		{
			ID: "fapi-profile-ambiguous", Level: Warning, Source: "own", needs: profile,
			Summary: "the profile is fapi1, which does not specify the part: it is checked as fapi1-baseline",
			check: func(j *candidate, r *report) {
				if j.Profile == ProfileFAPI1 {
					r.on(FieldProfile, "fapi1 does not specify the part and is checked as fapi1-baseline; choose fapi1-baseline or fapi1-advanced")
				}
			},
		},
	}
	return rules
}

func links() []Field {
	return []Field{FieldLogoURL, FieldWebsite, FieldPrivacyPolicy, FieldTermsURL}
}

// linkNames lists the names of the links for a summary.
func linkNames() string {
	var names []string
	for _, f := range links() {
		names = append(names, f.String())
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " or " + names[last]
}

// originFault returns the reason why o does not have the form in which browsers send
// the origin, or "" if it does.
func originFault(o Origin) string {
	u := parseURI(string(o))
	switch {
	case u.fault != "":
		return "this is not an origin such as https://app.example.com: " + u.fault
	case !u.isWeb() || !u.hasAuthority:
		return "an origin must be http or https, such as https://app.example.com"
	case u.userinfo || u.hasFragment || u.path != "" || strings.Contains(u.raw, "?"):
		return "an origin has only scheme, host and port; remove the rest, including a trailing slash"
	}
	if fault := u.hostFault(); fault != "" {
		return fault
	}
	switch canonical := u.origin(); {
	case canonical != u.raw:
		return "browsers write this origin as " + canonical
	case u.scheme == "http" && !u.isLoopback():
		return "an http origin can be tampered with in transit; use https"
	default:
		return ""
	}
}

// origin returns the ASCII serialisation of the URI's origin (RFC 6454 §6.2), with
// the host as browsers write it (WHATWG URL, host serializer).
func (u *uri) origin() string {
	if u.port == "" || u.isDefaultPort() {
		return u.scheme + "://" + u.canonicalHost()
	}
	return u.scheme + "://" + u.canonicalHost() + ":" + strings.TrimLeft(u.port, "0")
}

// canonicalHost is the host as browsers write it.
func (u *uri) canonicalHost() string {
	if ip, ok := u.address(); ok && ip.Is6() {
		return "[" + browserIPv6(ip) + "]"
	}
	return strings.ToLower(u.host)
}

// browserIPv6 returns the address as the IPv6 serializer of the WHATWG URL standard
// writes it: as in RFC 5952, but without the dotted form of IPv4-mapped addresses.
func browserIPv6(ip netip.Addr) string {
	if !ip.Is4In6() {
		return ip.String()
	}
	v4 := ip.Unmap().As4()
	return fmt.Sprintf("::ffff:%x:%x", uint16(v4[0])<<8|uint16(v4[1]), uint16(v4[2])<<8|uint16(v4[3]))
}
