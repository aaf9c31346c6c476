package clientfile

import (
	"strings"

	"github.com/clientele-oauth/clientele/adapters/wire"
	"github.com/clientele-oauth/clientele/domain"
)

// maxClientID is the length of client_id in openapi.yaml's CreateClientRequest.
const maxClientID = 128

// checkClientID returns what the service says to a client_id that a new client is
// to have: the pattern of openapi.yaml's CreateClientRequest, and not . or .., which
// HTTP clients remove from a path (RFC 3986 §5.2.4).
func checkClientID(id domain.ClientID) domain.Findings {
	var message string
	switch {
	case id == "":
		message = "client_id is empty"
	case len(id) > maxClientID:
		message = "client_id is longer than 128 characters"
	case id == "." || id == "..":
		message = "client_id must not be . or ..: HTTP clients remove such path segments, so the client could not be addressed"
	case strings.ContainsFunc(string(id), func(r rune) bool { return !unreserved(r) }):
		message = "client_id has a character other than A-Z a-z 0-9 - . _ ~"
	default:
		return nil
	}
	return domain.Findings{wire.Breach{Pointer: "/client_id", Message: message}.Finding()}
}

// unreserved reports whether r is one of the unreserved characters of RFC 3986 §2.3.
func unreserved(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("-._~", r)
}

// Identifiers finds client_ids that are declared twice.
type Identifiers struct {
	places map[string]string // of the first declaration, by client_id
}

// Add notes a configuration that stands at a place, such as "a.yaml:3". If its
// client_id was noted before, it returns a violation that names the place.
func (i *Identifiers) Add(d Document, place string) domain.Findings {
	if d.ClientID == "" {
		return nil
	}
	if i.places == nil {
		i.places = map[string]string{}
	}
	if before, twice := i.places[d.ClientID]; twice {
		return domain.Findings{wire.Breach{Pointer: "/client_id", Message: d.ClientID + " is already declared at " + before}.Finding()}
	}
	i.places[d.ClientID] = place
	return nil
}
