package domain

import (
	"slices"
	"strings"
)

// uriForm is a set of conditions on the URIs of a field, in addition to those that hold
// for all of them: a URI is absolute and has no user information, and one of http or https
// has a host that is resolved in the same way everywhere.
type uriForm uint8

const (
	// formHTTPS requires the scheme https.
	formHTTPS uriForm = 1 << iota
	// formWeb requires the scheme http or https.
	formWeb
	// formNoFragment excludes a fragment, also an empty one.
	formNoFragment
	// formExact excludes wildcards, and paths that parsers read in different ways.
	formExact

	// formEndpoint is the form of an endpoint of the client that an authorization server
	// or a browser calls.
	formEndpoint = formHTTPS | formNoFragment | formExact
)

// formFault says why the URI does not have the form, "" if it has. Every URI of a client
// but the redirect URIs, whose rules report each fault by its own id, is checked by it.
func (u *uri) formFault(form uriForm) string {
	switch {
	case u.fault != "":
		return "this is not an absolute URI: " + u.fault
	case form&formHTTPS != 0 && u.scheme != "https":
		return "the scheme must be https"
	case form&formWeb != 0 && !u.isWeb():
		return "the scheme must be https or http; use https"
	case u.userinfo:
		return "the URI must not have user information; remove everything before the @"
	case form&formNoFragment != 0 && u.hasFragment:
		return "the URI must not have a fragment; remove the # and everything after it"
	case form&formExact != 0 && u.hasWildcard():
		return "the URI must not have a wildcard; use the complete URI"
	}
	if u.isWeb() {
		if fault := u.hostFault(); fault != "" {
			return fault
		}
	}
	if form&formExact != 0 {
		if trick := u.pathTrick(); trick != "" {
			return trick + ", which parsers interpret differently; use the plain path"
		}
	}
	return ""
}

// hasWildcard reports whether there is a * in the host or the path.
func (u *uri) hasWildcard() bool { return strings.Contains(u.host+u.path, "*") }

// fragment returns what follows the first #.
func (u *uri) fragment() string {
	_, fragment, _ := strings.Cut(u.raw, "#")
	return fragment
}

// reach says from where a host can be reached, as far as its text shows.
type reach uint8

const (
	// reachPublic: a public address, or a name. What a name resolves to is checked by
	// the program that connects to it.
	reachPublic reach = iota
	// reachPrivate: an address of a private network (RFC 1918, RFC 4193).
	reachPrivate
	// reachLoopback: a loopback address, localhost, or a name below it (RFC 6761 §6.3).
	reachLoopback
	// reachNone: any other address that is not public, such as link-local, multicast and
	// unspecified ones, and IPv4 addresses inside of IPv6 ones.
	reachNone
)

func (u *uri) reach() reach {
	ip, ok := u.address()
	switch {
	case !ok:
		if host := strings.ToLower(u.host); host == "localhost" || strings.HasSuffix(host, ".localhost") {
			return reachLoopback
		}
		return reachPublic
	case IsPublicAddress(ip):
		return reachPublic
	case ip.Is4In6() || ip.Zone() != "":
		return reachNone
	case ip.IsLoopback():
		return reachLoopback
	case ip.IsPrivate():
		return reachPrivate
	default:
		return reachNone
	}
}

// allowsCallback reports whether clients may register the host of an endpoint that an
// authorization server sends requests to.
func (p *Policy) allowsCallback(u *uri) bool {
	switch u.reach() {
	case reachPublic:
		return true
	case reachPrivate:
		return p.PrivateNetworks
	case reachLoopback:
		return p.Loopback
	default:
		return false
	}
}

// callbackAddressFault says why an authorization server must not send requests to the
// host, "" if it may.
func callbackAddressFault(j *candidate, u *uri) string {
	switch {
	case j.policy.allowsCallback(u):
		return ""
	case u.reach() == reachPrivate:
		return "the address is in a private network, which this deployment does not allow; use a public host"
	case u.reach() == reachLoopback:
		return "a loopback address is the authorization server itself; use a public host"
	default:
		return "the address is not public; use a public host"
	}
}

// hasRedirectHost reports whether some redirect URI has the host of u, whatever the ports.
func (j *candidate) hasRedirectHost(u *uri) bool {
	host := u.canonicalHost()
	return slices.ContainsFunc(j.uris, func(r uri) bool { return r.isWeb() && r.canonicalHost() == host })
}

// parseURIs cuts each of the URIs into its parts.
func parseURIs[S ~string](list []S) []uri {
	uris := make([]uri, len(list))
	for i, raw := range list {
		uris[i] = parseURI(string(raw))
	}
	return uris
}

// eachURIOf makes a check of a candidate from one of a single URI of the fields, each of
// which holds one URI or a list of them. The check returns the message if the rule is
// violated, "" if not.
func eachURIOf(fields []Field, check func(*candidate, *uri) string) func(*candidate, *report) {
	return func(j *candidate, r *report) {
		r.eachURI(j, r.rule.Level, fields, check)
	}
}

// eachURI reports the URIs of the fields for which check returns a message.
func (r *report) eachURI(j *candidate, level Level, fields []Field, check func(*candidate, *uri) string) {
	for _, field := range fields {
		switch value := field.Of(&j.Settings).(type) {
		case *Text:
			if *value == "" {
				continue
			}
			u := parseURI(string(*value))
			if message := check(j, &u); message != "" {
				r.add(level, field.pointer(), "", "%s", message)
				r.except(fields, field)
			}
		case Texts:
			for i := range value.Len() {
				u := parseURI(value.Text(i))
				if message := check(j, &u); message != "" {
					r.add(level, field.element(i), field.String()+" "+u.raw, "%s", message)
					r.except(fields, field)
				}
			}
		}
	}
}
