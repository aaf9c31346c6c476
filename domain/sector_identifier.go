package domain

import (
	"slices"
	"strings"
)

// Bounds of the document at a sector_identifier_uri.
const (
	MaxSectorIdentifierBytes = 64 << 10
	MaxSectorIdentifierURIs  = 1000
)

// SectorIdentifier is what is known about the document at a client's
// sector_identifier_uri, which lists the URIs that share pairwise subjects (OIDC
// Registration §5), when the client is validated. The zero value is nothing.
type SectorIdentifier struct {
	state  sectorState
	uris   []string // in order
	detail string   // why the content cannot be used, or why there is none
}

type sectorState uint8

const (
	sectorUnexamined sectorState = iota
	sectorSeen
	sectorMalformed
	sectorUnreachable
	sectorRefused
)

// SectorIdentifierUnexamined is the state of a document that was not examined.
func SectorIdentifierUnexamined() SectorIdentifier { return SectorIdentifier{} }

// SectorIdentifierSeen is the knowledge of a document that lists these URIs.
func SectorIdentifierSeen(uris []string) SectorIdentifier {
	return SectorIdentifier{state: sectorSeen, uris: slices.Sorted(slices.Values(uris))}
}

// SectorIdentifierMalformed is the knowledge of a document that was read and is not a
// JSON array of strings within the bounds. detail says why, without repeating a value.
func SectorIdentifierMalformed(detail string) SectorIdentifier {
	return SectorIdentifier{state: sectorMalformed, detail: detail}
}

// SectorIdentifierUnreachable is the knowledge that the document could not be fetched
// within the limits; reason says why in words that reveal nothing about the network.
func SectorIdentifierUnreachable(reason string) SectorIdentifier {
	return SectorIdentifier{state: sectorUnreachable, detail: reason}
}

// SectorIdentifierRefused is the knowledge that the text of the URI names a host from
// which nothing is fetched ([ErrFetchURIHost]).
func SectorIdentifierRefused() SectorIdentifier { return SectorIdentifier{state: sectorRefused} }

// URIs returns the URIs that the document lists, in order, and false if it was not read
// or cannot be used.
func (s SectorIdentifier) URIs() (uris []string, ok bool) { return s.uris, s.state == sectorSeen }

// Malformed returns why the content of the document cannot be used, and false if it can,
// or was not read.
func (s SectorIdentifier) Malformed() (detail string, ok bool) {
	return s.detail, s.state == sectorMalformed
}

// Unreachable returns why the document could not be fetched, and false if it could, or
// was not fetched.
func (s SectorIdentifier) Unreachable() (reason string, ok bool) {
	return s.detail, s.state == sectorUnreachable
}

// Refused reports whether the URI names a host from which nothing is fetched.
func (s SectorIdentifier) Refused() bool { return s.state == sectorRefused }

// lists reports whether the document contains the URI, byte for byte.
func (s SectorIdentifier) lists(uri string) bool {
	_, found := slices.BinarySearch(s.uris, uri)
	return found
}

// sectorURI is a URI that the document at a sector_identifier_uri must contain.
type sectorURI struct {
	field   Field
	element int // of an array
	uri     string
}

// sectorURIs returns the URIs of the client that the document at its
// sector_identifier_uri must contain: the redirect URIs (OIDC Registration §5), for CIBA
// by poll and ping the jwks_uri, and by push the notification endpoint (CIBA Core §4).
func (s *Settings) sectorURIs() []sectorURI {
	var uris []sectorURI
	for i, uri := range s.RedirectURIs {
		uris = append(uris, sectorURI{FieldRedirectURIs, i, string(uri)})
	}
	switch {
	case s.pollsOrPings() && s.Keys.uri != "":
		uris = append(uris, sectorURI{field: FieldJWKSURI, uri: s.Keys.uri})
	case s.CIBA.DeliveryMode == DeliveryPush && s.CIBA.NotificationEndpoint != "":
		uris = append(uris, sectorURI{field: FieldCIBANotificationEndpoint, uri: s.CIBA.NotificationEndpoint})
	}
	return uris
}

// pollsOrPings reports whether the client receives CIBA tokens by poll or ping. A client
// with the grant that declares no mode polls (CIBA Core §4).
func (s *Settings) pollsOrPings() bool {
	switch s.CIBA.DeliveryMode {
	case "":
		return s.hasGrant(GrantCIBA)
	case DeliveryPoll, DeliveryPing:
		return true
	default:
		return false
	}
}

// redirectHosts returns the hosts of the http and https redirect URIs, each once, in
// lower case and without ports, because sectors are host components (OIDC Core §8.1).
// Redirect URIs with a private-use scheme have none.
func (j *candidate) redirectHosts() []string {
	var hosts []string
	for i := range j.uris {
		if u := &j.uris[i]; u.isWeb() && u.host != "" {
			if host := u.sectorHost(); !slices.Contains(hosts, host) {
				hosts = append(hosts, host)
			}
		}
	}
	return hosts
}

// sectorHost is the host of the URI as a sector identifier.
func (u *uri) sectorHost() string {
	if ip, ok := u.address(); ok {
		return ip.String()
	}
	return strings.ToLower(u.host)
}
