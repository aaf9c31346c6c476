package domain

import (
	"slices"
	"strings"
	"time"
)

// Limits of client assertions.
const (
	// MaxAssertionLifetime is how far in the future an assertion may expire. It is used
	// once, within moments, and its identifier has to be remembered until it expires.
	MaxAssertionLifetime = time.Hour
	// AssertionSkew is the tolerated difference to the client's clock.
	AssertionSkew = 30 * time.Second
)

// ClientAssertion has the facts about a client assertion (RFC 7523 §2.2), which are not
// trusted until its signature is verified. A time or a text that is absent is zero.
type ClientAssertion struct {
	Algorithm string
	KeyID     string
	Type      string // the media type in "typ", in lower case and without "application/"

	Issuer, Subject string
	Audience        []string
	AudienceList    bool // whether "aud" is an array
	ID              string
	ExpiresAt       time.Time
	NotBefore       time.Time
	IssuedAt        time.Time
}

// Names returns the client that the assertion is about. The issuer of a client assertion
// is the client itself (RFC 7523 §3-1, §3-2).
func (a *ClientAssertion) Names() (id ClientID, failure AuthFailure) {
	if a.Issuer == "" || a.Issuer != a.Subject {
		return "", FailureAssertionIssuer
	}
	return ClientID(a.Subject), ""
}

// Check returns why the assertion does not authenticate the client of these settings now,
// apart from its signature (RFC 7523 §3, OIDC Core §9). An audience must be one of those
// that the authorization server accepts. With a FAPI 2.0 profile "aud" must be a string
// (FAPI 2.0 SP §5.3.2.1-8): a server that is one of several audiences could be deceived
// with the assertion for another one.
func (a *ClientAssertion) Check(s Settings, audiences []string, now time.Time) AuthFailure {
	profile, _ := s.Profile.ValidatedAs()
	single := inFAPI2&profile.bit() != 0
	switch {
	case a.isAnotherKind():
		return FailureAssertionKind
	case !slices.Contains(s.AssertionAlgorithms(), a.Algorithm):
		return FailureAssertionAlgorithm
	case single && a.AudienceList, !slices.ContainsFunc(a.Audience, func(aud string) bool { return slices.Contains(audiences, aud) }):
		return FailureAssertionAudience
	case a.ID == "":
		return FailureAssertionID
	case a.ExpiresAt.IsZero(), !now.Before(a.ExpiresAt.Add(AssertionSkew)):
		return FailureAssertionExpired
	case a.ExpiresAt.After(now.Add(MaxAssertionLifetime + AssertionSkew)):
		return FailureAssertionLifetime
	case a.NotBefore.After(now.Add(AssertionSkew)), a.IssuedAt.After(now.Add(AssertionSkew)):
		return FailureAssertionEarly
	default:
		return ""
	}
}

// isAnotherKind reports whether "typ" says that the JWT is for another purpose, such as
// at+jwt (RFC 8725 §3.11). Other values are not judged, because clients set "typ" in many
// ways.
func (a *ClientAssertion) isAnotherKind() bool {
	return strings.HasSuffix(a.Type, "+jwt") && a.Type != "client-authentication+jwt"
}

// UsedUntil returns until when the assertion would be accepted, so that its identifier must
// be remembered until then.
func (a *ClientAssertion) UsedUntil() time.Time { return a.ExpiresAt.Add(AssertionSkew) }

// soundRSA reports whether an RSA key keeps the bounds of the rules jwk-rsa-size and
// jwk-rsa-exponent, which have checked inline keys, but not those that were fetched since.
func (k *Key) soundRSA() bool {
	return k.Bits >= minRSABits && k.Bits <= maxRSABits && k.Exponent >= 3 && k.Exponent%2 == 1
}

// SigningKeys returns the keys of the set that may have signed the assertion, see
// [KeySet.Signers].
func (s KeySet) SigningKeys(a *ClientAssertion) []Key { return s.Signers(a.Algorithm, a.KeyID) }

// Signers returns the keys of the set that may have signed a message: keys for its algorithm
// that have its "kid", or if there is none, keys without a "kid". They are all keys for the
// algorithm if keyID is empty.
func (s KeySet) Signers(algorithm, keyID string) []Key {
	var usable []Key
	for _, k := range s.Keys {
		if k.verifiesWith([]string{algorithm}) && k.Public != nil && (k.Type != ktyRSA || k.soundRSA()) {
			usable = append(usable, k)
		}
	}
	if keyID == "" {
		return usable
	}
	for _, id := range []string{keyID, ""} {
		named := slices.DeleteFunc(slices.Clone(usable), func(k Key) bool { return k.KeyID != id })
		if len(named) > 0 {
			return named
		}
	}
	return nil
}
