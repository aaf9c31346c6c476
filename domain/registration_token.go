package domain

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"
	"time"
)

// The prefixes of the values of registration tokens. They allow secret scanners to
// recognise a leaked token, and people to know what it is for.
const (
	registrationTokenPrefix = secretPrefix + "rat_"
	initialTokenPrefix      = secretPrefix + "iat_"
	initialTokenIDPrefix    = "iat_"
)

// MaxTokenOverlap limits how long a registration access token is valid after a rotation
// replaced it. It ends earlier when the new one is first used.
const MaxTokenOverlap = 10 * time.Minute

// maxTokenLength is more than the length of every token, so that longer values are not
// hashed.
const maxTokenLength = 128

// The reasons why the registration of a client cannot be changed as requested.
var (
	// ErrNoRegistrationToken: the client has no registration access token.
	ErrNoRegistrationToken = errors.New("the client has no registration access token")
	// ErrDocumentClient: the client is defined by a client ID metadata document, so it
	// cannot have a registration access token.
	ErrDocumentClient = errors.New("the client is defined by a client ID metadata document")
	// ErrNoDocumentClient: the client is not defined by a client ID metadata document.
	ErrNoDocumentClient = errors.New("the client is not defined by a client ID metadata document")
)

// NewRegistrationToken creates a registration access token (RFC 7592 §3) from 32 random
// bytes. It returns the record to store and the value to show.
func NewRegistrationToken(entropy [SecretEntropy]byte, pepper Pepper, now time.Time) (kept RegistrationToken, value string) {
	value = tokenValue(registrationTokenPrefix, entropy)
	return RegistrationToken{Hash: pepper.hash(value), KeyID: pepper.ID, CreatedAt: now}, value
}

// tokenValue returns the prefix, the bytes in base64url, and a checksum.
func tokenValue(prefix string, entropy [SecretEntropy]byte) string {
	body := prefix + base64.RawURLEncoding.EncodeToString(entropy[:])
	return body + checksum(body)
}

// checksum allows scanners to exclude false positives.
func checksum(body string) string { return fmt.Sprintf("%08x", crc32.ChecksumIEEE([]byte(body))) }

// wellFormedToken reports whether the value has the prefix, the length and the checksum of
// a token.
func wellFormedToken(prefix, value string) bool {
	const sum = 8
	if len(value) != len(prefix)+base64.RawURLEncoding.EncodedLen(SecretEntropy)+sum || !strings.HasPrefix(value, prefix) {
		return false
	}
	body := value[:len(value)-sum]
	return checksum(body) == value[len(body):]
}

// tokenHashes are the hashes of a presented token, by the ids of the peppers.
type tokenHashes map[string][]byte

func newTokenHashes(value string, peppers []Pepper) tokenHashes {
	if len(value) > maxTokenLength {
		value = "" // no token has this value
	}
	hashes := tokenHashes{"": Pepper{}.hash(value)}
	for _, p := range peppers {
		hashes[p.ID] = p.hash(value)
	}
	return hashes
}

// match compares in constant time. A hash whose pepper is not known does not match.
func (t tokenHashes) match(hash []byte, keyID string) bool {
	own, known := t[keyID]
	if !known {
		own = t[""]
	}
	return hmac.Equal(own, hash) && known
}

// VerifyRegistrationToken reports whether the value is the registration access token of
// the client, and whether it is the current one: false if it is the [PreviousToken] that has
// not expired. It makes the same comparisons for a client without a token, so
// that the time of a response does not show which clients exist; call it with the zero
// Client if there is none. A suspended client keeps its token.
func (c *Client) VerifyRegistrationToken(value string, peppers []Pepper, now time.Time) (current, ok bool) {
	hashes := newTokenHashes(value, peppers)
	// The decoy is a hash that no value is known for.
	token := RegistrationToken{Hash: make([]byte, sha256.Size)}
	if r := c.state.Registration; r != nil && r.AccessToken != nil && !c.Deleted() {
		token = *r.AccessToken
	}
	previous := PreviousToken{Hash: make([]byte, sha256.Size)}
	if token.Previous != nil {
		previous = *token.Previous
	}
	current = hashes.match(token.Hash, token.KeyID)
	former := hashes.match(previous.Hash, previous.KeyID) && previous.valid(now)
	return current, current || former
}

// WithRegistrationOf returns an earlier state of a client with the registration of its
// current one, at the same revision: the registration is no part of the log. It has no
// effect if current is another client.
func (c Client) WithRegistrationOf(current Client) Client {
	if c.state.Identity == current.state.Identity {
		c.state.Registration = current.state.Registration
	}
	return c
}

// withRegistration returns the client with a changed copy of its registration, at the same
// revision. A client without one gets that of a client of an administrator.
func (c Client) withRegistration(change func(*Registration)) Client {
	r := Registration{Via: ViaAdmin}
	if c.state.Registration != nil {
		r = *c.state.Registration
	}
	change(&r)
	c.state.Registration = &r
	return c
}

// withAccessToken returns the client with the token as its only one, at the same revision.
func (c Client) withAccessToken(t *RegistrationToken) Client {
	return c.withRegistration(func(r *Registration) { r.AccessToken = t })
}

// IssueRegistrationToken returns the next revision of the client, with the token as its
// only registration access token. A client that an administrator made gets the policy,
// which limits its own updates; others keep theirs. The error is [ErrDeleted] or
// [ErrDocumentClient].
func (c Client) IssueRegistrationToken(t RegistrationToken, policy RegistrationPolicy, now time.Time) (Client, error) {
	switch r := c.state.Registration; {
	case c.Deleted():
		return c, ErrDeleted
	case r != nil && r.Via == ViaDocument:
		return c, ErrDocumentClient
	}
	t.Previous = nil
	return c.withRegistration(func(r *Registration) {
		if c.state.Registration == nil {
			r.Policy = policy.WithDefaults()
		}
		r.AccessToken = &t
	}).next(now), nil
}

// WithRotatedToken returns the client with the token as its registration access token, at the
// same revision. The token before it is valid for [MaxTokenOverlap]. The error is
// [ErrDeleted] or [ErrNoRegistrationToken].
func (c Client) WithRotatedToken(t RegistrationToken, now time.Time) (Client, error) {
	old := c.state.Registration
	switch {
	case c.Deleted():
		return c, ErrDeleted
	case old == nil || old.AccessToken == nil:
		return c, ErrNoRegistrationToken
	}
	t.Previous = &PreviousToken{Hash: old.AccessToken.Hash, KeyID: old.AccessToken.KeyID, ExpiresAt: now.Add(MaxTokenOverlap)}
	return c.withAccessToken(&t), nil
}

// WithFormerToken returns the client with the registration access token before the last
// rotation as the current one again, at the same revision. A client that still changes its
// registration with it may not have received the new one, whose value is not kept, or may
// have repeated a request whose response it received. So both are valid until
// [Client.WithTokenUse]. It has no effect on a client without a former token.
func (c Client) WithFormerToken() Client {
	old := c.state.Registration
	if old == nil || old.AccessToken == nil || old.AccessToken.Previous == nil {
		return c
	}
	current, former := old.AccessToken, old.AccessToken.Previous
	return c.withAccessToken(&RegistrationToken{
		Hash: former.Hash, KeyID: former.KeyID, CreatedAt: current.CreatedAt,
		Previous: &PreviousToken{Hash: current.Hash, KeyID: current.KeyID},
	})
}

// WithFirstRegistrationToken returns a new client that registered itself with its
// registration access token, at the same revision. It has no effect on other clients.
func (c Client) WithFirstRegistrationToken(t RegistrationToken) Client {
	if c.state.Registration == nil {
		return c
	}
	return c.withAccessToken(&t)
}

// WithTokenUse returns the client after a use of its registration access token, at the same
// revision. current is that of [Client.VerifyRegistrationToken]. A use that shows which of
// two tokens the client has ends the other one:
//
//   - After a rotation, every use of the new token.
//   - After [Client.WithFormerToken], every use of the token that the rotation created, which
//     becomes the current one, and reading with the one before. Another update with it shows
//     nothing, because it may be repeated once more.
//
// changed is false if no token ended.
func (c Client) WithTokenUse(current, reading bool) (used Client, changed bool) {
	old := c.state.Registration
	if old == nil || old.AccessToken == nil || old.AccessToken.Previous == nil {
		return c, false
	}
	token, other := *old.AccessToken, old.AccessToken.Previous
	either := other.ExpiresAt.IsZero()
	switch {
	case current && (reading || !either):
	case !current && either:
		token.Hash, token.KeyID = other.Hash, other.KeyID
	default:
		return c, false
	}
	token.Previous = nil
	return c.withAccessToken(&token), true
}

// RevokeRegistrationToken returns the next revision of the client, without a registration
// access token. The error is [ErrDeleted] or [ErrNoRegistrationToken].
func (c Client) RevokeRegistrationToken(now time.Time) (Client, error) {
	switch old := c.state.Registration; {
	case c.Deleted():
		return c, ErrDeleted
	case old == nil || old.AccessToken == nil:
		return c, ErrNoRegistrationToken
	}
	return c.withoutToken().next(now), nil
}

// withoutToken returns the client without a registration access token, at the same
// revision.
func (c Client) withoutToken() Client {
	if c.state.Registration == nil {
		return c
	}
	return c.withAccessToken(nil)
}
