package domain

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
)

// The reasons why nothing is fetched from a URI of a client, which
// [Policy.CheckFetchURI] returns.
var (
	// ErrFetchURISyntax: the URI breaks the rule jwks-uri-syntax or
	// sector-identifier-syntax.
	ErrFetchURISyntax = errors.New("nothing can be fetched from this URI")
	// ErrFetchURIHost: the host as it is written is an IP address that is not public,
	// or localhost, and no policy allows it (the rules jwks-uri-address and
	// sector-identifier-address).
	ErrFetchURIHost = errors.New("nothing is fetched from this host")
)

// CheckFetchURI reports whether a document may be fetched from uri, as far as its text
// shows: nil, [ErrFetchURISyntax] or [ErrFetchURIHost]. It comes before anything is
// opened, for a jwks_uri and for each redirect. What a name resolves to is checked when
// the address is connected to ([Policy.AllowsFetchAddress]).
func (p *Policy) CheckFetchURI(uri string) error {
	u := parseURI(uri)
	return p.checkFetchURI(&u, fetchURIFault(&u))
}

// CheckSectorIdentifierURI is [Policy.CheckFetchURI] for a sector_identifier_uri.
func (p *Policy) CheckSectorIdentifierURI(uri string) error {
	u := parseURI(uri)
	return p.checkFetchURI(&u, sectorIdentifierURIFault(&u))
}

func (p *Policy) checkFetchURI(u *uri, fault string) error {
	switch {
	case fault != "":
		return ErrFetchURISyntax
	case !p.allowsFetchHost(u):
		return ErrFetchURIHost
	default:
		return nil
	}
}

// fetchURIFault returns the reason why no keys can be fetched from the URI, or "" if they
// can.
func fetchURIFault(u *uri) string { return u.formFault(formHTTPS | formNoFragment) }

// sectorIdentifierURIFault is [fetchURIFault] for a sector_identifier_uri, whose path
// must not be ambiguous.
func sectorIdentifierURIFault(u *uri) string { return u.formFault(formEndpoint) }

// allowsFetchHost reports whether documents may be fetched from the host as it is
// written; what a name resolves to is found out by the resolver.
func (p *Policy) allowsFetchHost(u *uri) bool {
	if slices.Contains(p.KeyHosts, strings.ToLower(u.host)) {
		return true
	}
	if ip, ok := u.address(); ok {
		return p.AllowsFetchAddress(ip)
	}
	return u.reach() == reachPublic
}

// AllowsFetchAddress reports whether documents may be fetched from the address.
func (p *Policy) AllowsFetchAddress(ip netip.Addr) bool {
	return IsPublicAddress(ip) || slices.ContainsFunc(p.KeyNetworks, func(n netip.Prefix) bool { return n.Contains(ip.Unmap()) })
}
