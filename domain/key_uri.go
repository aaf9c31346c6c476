package domain

import "errors"

// The reasons why keys are not fetched from a jwks_uri; see [Policy.CheckKeyURI].
var (
	// ErrKeyURISyntax: the URI violates the rule jwks-uri-syntax.
	ErrKeyURISyntax = errors.New("keys cannot be fetched from this URI")
	// ErrKeyURIHost: the host in the URI is localhost or an IP address that is not
	// public, and the policy does not allow it (the rule jwks-uri-address).
	ErrKeyURIHost = errors.New("keys cannot be fetched from this host")
)

// CheckKeyURI reports whether the text of uri allows fetching keys from it:
// it returns nil, [ErrKeyURISyntax] or [ErrKeyURIHost]. It must be called before each
// connection, for the jwks_uri and for each redirect. The address that a name resolves
// to is checked when the connection is made ([Policy.AllowsKeyAddress]).
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

// keyURIFault returns the reason why keys cannot be fetched from the URI, or "" if they
// can.
func keyURIFault(u *uri) string {
	switch {
	case u.fault != "":
		return "this is not an absolute URI: " + u.fault
	case u.scheme != "https":
		return "keys are fetched only over https"
	case u.userinfo:
		return "a jwks_uri must not have user information; remove everything before the @"
	case u.hasFragment:
		return "a jwks_uri must not have a fragment; remove the # and everything after it"
	default:
		return u.hostFault()
	}
}
