package registrationpolicy

import (
	"net/netip"
	"strings"

	"github.com/clientele-oauth/clientele/adapters/internal/jsonvalue"
)

// HostFault returns what is wrong with a pattern for hosts, or "". A pattern is a host, or
// *. and a domain, for the hosts below the domain. Hosts are in lower case and ASCII, as URIs
// are compared (RFC 3986 §6.2.2.1, RFC 5891 §4.4).
func HostFault(pattern string) string {
	const form = `must be a host such as app.example.com, or *. and a domain`
	if strings.ContainsAny(pattern, "/:@?#") && !strings.HasPrefix(pattern, "[") {
		return form + ", without a scheme, user name, port or path"
	}
	name, wildcard := strings.CutPrefix(pattern, "*.")
	switch {
	case pattern == "*":
		return form + "; omit the list to allow any host"
	case strings.ToLower(pattern) != pattern:
		return "must be in lower case"
	case isAddress(pattern):
		return ""
	case len(name) > 253 || wildcard && isAddress(name):
		return form
	}
	for label := range strings.SplitSeq(name, ".") {
		if message := labelFault(label); message != "" {
			return message
		}
	}
	return ""
}

// isAddress reports whether the host is an IP address, in brackets if it is an IPv6
// address (RFC 3986 §3.2.2).
func isAddress(host string) bool {
	inner, opened := strings.CutPrefix(host, "[")
	inner, closed := strings.CutSuffix(inner, "]")
	address, err := netip.ParseAddr(inner)
	return err == nil && opened == closed && opened == address.Is6() && address.Zone() == ""
}

// labelFault returns what is wrong with a label of a host name (RFC 1123 §2.1; an
// underscore is allowed, as in many internal names), or "".
func labelFault(label string) string {
	switch {
	case label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-':
		return "must be a host name, with dots between labels that are not empty"
	case strings.Contains(label, "*"):
		return "must have * only as the first label, for all hosts below a domain"
	case strings.ContainsFunc(label, func(c rune) bool { return c > 0x7e }):
		return "must be in its ASCII form, with labels that begin with xn--"
	}
	return jsonvalue.When(strings.ContainsFunc(label, func(c rune) bool {
		return c != '-' && c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z')
	}), "must be a host name of a-z, 0-9, - and dots")
}
