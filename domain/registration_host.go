package domain

import (
	"slices"
	"strings"
)

// hostPattern is an exact host, or *. and a domain. The second form matches every name
// below the domain, but not the domain itself. Case has no meaning.
type hostPattern string

func (p hostPattern) isWildcard() bool { return strings.HasPrefix(string(p), "*.") }

// matches reports whether the pattern has the host. Labels are compared as a whole:
// *.example.com does not match attackerexample.com.
func (p hostPattern) matches(host string) bool {
	host = strings.ToLower(host)
	pattern := strings.ToLower(string(p))
	domain, wildcard := strings.CutPrefix(pattern, "*")
	if !wildcard {
		return host == pattern
	}
	return len(host) > len(domain) && strings.HasSuffix(host, domain) && host[0] != '.'
}

// covers reports whether the pattern matches every host that the other one matches.
func (p hostPattern) covers(other hostPattern) bool {
	if !other.isWildcard() {
		return p.matches(string(other))
	}
	if !p.isWildcard() {
		return false
	}
	return strings.EqualFold(string(p), string(other)) || p.matches(strings.TrimPrefix(string(other), "*."))
}

// anyCovers reports whether one of the patterns covers the other one.
func anyCovers(patterns []string, other string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return hostPattern(p).covers(hostPattern(other)) })
}

// anyMatches reports whether one of the patterns has the host.
func anyMatches(patterns []string, host string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return hostPattern(p).matches(host) })
}

// commonHosts returns the patterns for the hosts that both lists have. nil means any host.
func commonHosts(a, b []string) []string {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	common := []string{}
	for _, pair := range [][2][]string{{a, b}, {b, a}} {
		for _, p := range pair[0] {
			if anyCovers(pair[1], p) && !slices.Contains(common, p) {
				common = append(common, p)
			}
		}
	}
	return common
}

// redirectKind returns the kind of a redirect URI; "" for one that rules reject.
func (u *uri) redirectKind() RedirectKind {
	switch {
	case u.scheme == "http" && u.isLoopback():
		return RedirectLoopback
	case u.scheme == "https":
		return RedirectHTTPS
	case isPrivateUse(u):
		return RedirectPrivateUse
	default:
		return ""
	}
}

// policyHost returns the host that a list of hosts is compared with: that of an http or
// https URI as browsers write it; for a private-use scheme, which is a domain name in
// reverse order (RFC 8252 §7.1), the domain.
func (u *uri) policyHost() string {
	if u.isWeb() {
		return u.canonicalHost()
	}
	labels := strings.Split(u.scheme, ".")
	slices.Reverse(labels)
	return strings.Join(labels, ".")
}
