package domain

import "errors"

// The reasons why nothing is fetched from a jwks_uri, which
// [Policy.CheckKeyURI] returns.
var (
	// ErrKeyURISyntax: the URI breaks the rule jwks-uri-syntax.
	ErrKeyURISyntax = errors.New("not a URI that keys can be fetched from")
	// ErrKeyURIHost: the host as it is written is an IP address that is not public,
	// or localhost, and no policy allows it (the rule jwks-uri-address).
	ErrKeyURIHost = errors.New("not a host that keys can be fetched from")
)

// CheckKeyURI reports whether keys may be fetched from uri, as far as its text tells:
// nil, [ErrKeyURISyntax] or [ErrKeyURIHost]. It comes before anything is opened, for
// the jwks_uri and for each redirect. What a name resolves to is checked when the
// address is connected to ([Policy.AllowsKeyAddress]).
func (p *Policy) CheckKeyURI(uri string) error {
	u := parseURI(uri)
	switch {
	case keyURIFault(&u) != "":
		return ErrKeyURISyntax
	case !p.allowsKeyHost(&u):
		return ErrKeyURIHost
	default:
		return nil
	}
}

// keyURIFault says why keys cannot be fetched from the URI, "" if they can.
func keyURIFault(u *uri) string {
	switch {
	case u.fault != "":
		return "this is not an absolute URI: " + u.fault
	case u.scheme != "https":
		return "keys are fetched over https only"
	case u.userinfo:
		return "a jwks_uri has no user information; remove what stands before the @"
	case u.hasFragment:
		return "a jwks_uri has no fragment; remove the # and what follows"
	default:
		return u.hostFault()
	}
}
