package domain

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
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

// NewInitialToken creates an initial access token (RFC 7591 §3) from 32 random bytes. It
// returns its id, the hash to store, the id of the pepper, and the value to show once.
func NewInitialToken(entropy [SecretEntropy]byte, pepper Pepper) (id string, hash []byte, keyID, value string) {
	value = tokenValue(initialTokenPrefix, entropy)
	return initialTokenID(value), pepper.hash(value), pepper.ID, value
}

// InitialTokenID returns the id of the initial access token with this value. It is derived
// from the value, so that the token can be found by it; the value cannot be derived from
// it. ok is false if the value does not have the form of such a token. The caller
// verifies the value with [VerifyToken].
func InitialTokenID(value string) (id string, ok bool) {
	if !wellFormedToken(initialTokenPrefix, value) {
		return "", false
	}
	return initialTokenID(value), true
}

func initialTokenID(value string) string {
	sum := sha256.Sum256([]byte("clientele initial access token id " + value))
	return initialTokenIDPrefix + hex.EncodeToString(sum[:16])
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

// VerifyToken reports whether the hash is that of the value, with the pepper that keyID
// names. It takes the same time whether it is or not.
func VerifyToken(value string, hash []byte, keyID string, peppers []Pepper) bool {
	return newTokenHashes(value, peppers).match(hash, keyID)
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
// the client, and whether it is the current one: false if it is the one before a rotation,
// whose time has not ended. It makes the same comparisons for a client without a token, so
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
	former := hashes.match(previous.Hash, previous.KeyID) && now.Before(previous.ExpiresAt)
	return current, current || former
}

// WithRegistration returns the client with the registration, at the same revision.
func (c Client) WithRegistration(r *Registration) Client {
	c.state.Registration = r
	return c
}

// registration returns a copy of the registration, which can be changed; one of a client
// of an administrator with the policy if there is none.
func (c Client) registration(policy RegistrationPolicy) *Registration {
	if c.state.Registration == nil {
		return &Registration{Via: ViaAdmin, Policy: policy}
	}
	r := *c.state.Registration
	return &r
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
	r := c.registration(policy.WithDefaults())
	t.Previous = nil
	r.AccessToken = &t
	return c.WithRegistration(r).next(now), nil
}

// RotateRegistrationToken returns the next revision of the client, with the token as its
// registration access token. The token before it is valid for [MaxTokenOverlap]. The error
// is [ErrDeleted] or [ErrNoRegistrationToken].
func (c Client) RotateRegistrationToken(t RegistrationToken, now time.Time) (Client, error) {
	rotated, err := c.WithRotatedToken(t, now)
	if err != nil {
		return c, err
	}
	return rotated.next(now), nil
}

// WithRotatedToken is [Client.RotateRegistrationToken] at the same revision, for a change
// that also does something else.
func (c Client) WithRotatedToken(t RegistrationToken, now time.Time) (Client, error) {
	old := c.state.Registration
	switch {
	case c.Deleted():
		return c, ErrDeleted
	case old == nil || old.AccessToken == nil:
		return c, ErrNoRegistrationToken
	}
	r := c.registration(old.Policy)
	t.Previous = &PreviousToken{Hash: old.AccessToken.Hash, KeyID: old.AccessToken.KeyID, ExpiresAt: now.Add(MaxTokenOverlap)}
	r.AccessToken = &t
	return c.WithRegistration(r), nil
}

// WithFormerToken returns the client with the registration access token before the last
// rotation as the current one again, at the same revision. A client that still changes its
// registration with it has not received the new one, whose value is not kept. The new one
// is valid for [MaxTokenOverlap], because it may have received it in the meantime. It has
// no effect on a client without a former token.
func (c Client) WithFormerToken(now time.Time) Client {
	old := c.state.Registration
	if old == nil || old.AccessToken == nil || old.AccessToken.Previous == nil {
		return c
	}
	r := c.registration(old.Policy)
	current, former := old.AccessToken, old.AccessToken.Previous
	r.AccessToken = &RegistrationToken{
		Hash: former.Hash, KeyID: former.KeyID, CreatedAt: current.CreatedAt,
		Previous: &PreviousToken{Hash: current.Hash, KeyID: current.KeyID, ExpiresAt: now.Add(MaxTokenOverlap)},
	}
	return c.WithRegistration(r)
}

// WithFirstRegistrationToken returns a new client that registered itself with its
// registration access token, at the same revision. It has no effect on other clients.
func (c Client) WithFirstRegistrationToken(t RegistrationToken) Client {
	if c.state.Registration == nil {
		return c
	}
	r := c.registration(RegistrationPolicy{})
	r.AccessToken = &t
	return c.WithRegistration(r)
}

// WithoutPreviousToken returns the client without the registration access token before the
// last rotation, at the same revision: the new one was used. changed is false if there is
// none.
func (c Client) WithoutPreviousToken() (without Client, changed bool) {
	old := c.state.Registration
	if old == nil || old.AccessToken == nil || old.AccessToken.Previous == nil {
		return c, false
	}
	r := c.registration(old.Policy)
	token := *old.AccessToken
	token.Previous = nil
	r.AccessToken = &token
	return c.WithRegistration(r), true
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
	r := c.registration(RegistrationPolicy{})
	r.AccessToken = nil
	return c.WithRegistration(r)
}
