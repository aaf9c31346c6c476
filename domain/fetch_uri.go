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
	return p.checkFetchURI(&u, fetchURIFault(&u, FieldJWKSURI))
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

// fetchURIFault says why nothing can be fetched from the URI in a field, "" if it can.
func fetchURIFault(u *uri, field Field) string {
	switch {
	case u.fault != "":
		return "this is not an absolute URI: " + u.fault
	case u.scheme != "https":
		return "a " + field.String() + " must be https"
	case u.userinfo:
		return "a " + field.String() + " must not have user information; remove everything before the @"
	case u.hasFragment:
		return "a " + field.String() + " must not have a fragment; remove the # and everything after it"
	default:
		return u.hostFault()
	}
}

// sectorIdentifierURIFault is [fetchURIFault] for a sector_identifier_uri, whose path
// must have one reading as well.
func sectorIdentifierURIFault(u *uri) string {
	if fault := fetchURIFault(u, FieldSectorIdentifierURI); fault != "" {
		return fault
	}
	if strings.Contains(u.path, "*") {
		return "a sector_identifier_uri must not have a wildcard"
	}
	return u.pathTrick()
}

// allowsFetchHost reports whether documents may be fetched from the host as it is
// written; what a name resolves to is found out by the resolver.
func (p *Policy) allowsFetchHost(u *uri) bool {
	host := strings.ToLower(u.host)
	if slices.Contains(p.KeyHosts, host) {
		return true
	}
	if ip, ok := u.address(); ok {
		return p.AllowsFetchAddress(ip)
	}
	return host != "localhost" && !strings.HasSuffix(host, ".localhost") // RFC 6761 §6.3
}

// AllowsFetchAddress reports whether documents may be fetched from the address.
func (p *Policy) AllowsFetchAddress(ip netip.Addr) bool {
	return IsPublicAddress(ip) || slices.ContainsFunc(p.KeyNetworks, func(n netip.Prefix) bool { return n.Contains(ip.Unmap()) })
}
