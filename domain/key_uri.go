package domain

import "errors"

// The reasons why nothing is fetched from a jwks_uri, which
// [Policy.CheckKeyURI] returns.
var (
	// ErrKeyURISyntax: the URI breaks the rule jwks-uri-syntax.
	ErrKeyURISyntax = errors.New("keys cannot be fetched from this URI")
	// ErrKeyURIHost: the host as it is written is an IP address that is not public,
	// or localhost, and no policy allows it (the rule jwks-uri-address).
	ErrKeyURIHost = errors.New("keys cannot be fetched from this host")
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
	return u.formFault(formHTTPS | formNoFragment)
}
