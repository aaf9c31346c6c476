package domain

import (
	"bytes"
	"encoding/hex"
	"math"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// MaxSecretHashBytes limits the text of the hash of an imported secret, in bytes.
const MaxSecretHashBytes = 512

// The ids of the violations of a hash of a secret. They are as stable as those of
// [Rules], but are about a hash, which is not part of the configuration.
const (
	// RuleSecretHashSyntax: the hash has no supported form.
	RuleSecretHashSyntax = "secret-hash-syntax"
	// RuleSecretHashBounds: a parameter of the hash is out of bounds, so that a
	// verification would be too expensive, or the hash too weak.
	RuleSecretHashBounds = "secret-hash-bounds"
	// RuleSecretHashUnused: no authentication method of the client uses a secret.
	RuleSecretHashUnused = "secret-hash-unused"
)

// pointerSecretHash is the JSON Pointer of the hash in the body of a request.
const pointerSecretHash = "/secret_hash"

// SecretHashViolation returns a violation of the hash of a secret.
func SecretHashViolation(rule, message string) Finding {
	return Finding{
		Rule: rule, Level: Violation, Pointer: pointerSecretHash, Message: message, Source: "own", KeyIndex: NoKey,
	}
}

// ImportedHash is the hash of a secret that another system made. Exactly one field is
// set.
type ImportedHash struct {
	// SHA256 is the SHA-256 of the value, 32 bytes, without a salt. It is the form in
	// which the registry itself keeps secrets without a pepper.
	SHA256 []byte
	// Slow is the text of a hash that is slow to compute, such as a PHC string.
	Slow string
}

// ImportSecret returns the record of a secret whose value only its client knows.
func ImportSecret(id string, hash ImportedHash, now time.Time) Secret {
	return Secret{ID: id, Hash: hash.SHA256, SlowHash: hash.Slow, CreatedAt: now, UpdatedAt: now}
}

// The names of the algorithms of the registry's own hashes, see [Secret.Algorithm].
const (
	AlgorithmSHA256     = "sha-256"
	AlgorithmHMACSHA256 = "hmac-sha-256"
	algorithmBcrypt     = "bcrypt"
)

// Algorithm names the algorithm of the stored hash: [AlgorithmSHA256],
// [AlgorithmHMACSHA256] under the pepper that KeyID names or, for a slow hash,
// "bcrypt" or the identifier of its PHC string, such as "argon2id".
func (s Secret) Algorithm() string {
	switch {
	case strings.HasPrefix(s.SlowHash, "$2"):
		return algorithmBcrypt
	case s.SlowHash != "":
		name, _, _ := strings.Cut(strings.TrimPrefix(s.SlowHash, "$"), "$")
		return name
	case s.KeyID != "":
		return AlgorithmHMACSHA256
	default:
		return AlgorithmSHA256
	}
}

// HashText returns the stored hash as a text: a slow hash as it was imported, any other
// in lower-case hexadecimal digits.
func (s Secret) HashText() string {
	if s.SlowHash != "" {
		return s.SlowHash
	}
	return hex.EncodeToString(s.Hash)
}

// LiveSecrets returns the secrets that verify now, oldest first. A client that is
// suspended or deleted has none.
func (c *Client) LiveSecrets(now time.Time) []Secret {
	if c.Deleted() || c.state.Settings.Status != StatusActive {
		return nil
	}
	return unexpired(c.state.Secrets, now)
}

// SlowSecrets returns the live secrets that [Client.VerifySecret] cannot verify, because
// their hashes are slow ones of other systems.
func (c *Client) SlowSecrets(now time.Time) []Secret {
	return slices.DeleteFunc(c.LiveSecrets(now), func(s Secret) bool { return s.SlowHash == "" })
}

// Secret returns what is kept of the secret with that id.
func (c *Client) Secret(id string) (s Secret, ok bool) {
	i := slices.IndexFunc(c.state.Secrets, func(s Secret) bool { return s.ID == id })
	if i < 0 {
		return Secret{}, false
	}
	return c.state.Secrets[i], true
}

// minFastBits is the entropy, in bits, from which on a fast hash is enough for a value.
// NIST SP 800-63B §5.1.2.2 asks for a slow hash below 112 bits; the margin is for values
// that are less random than they look.
const minFastBits = 128

// AdoptSecret returns the client with the registry's own hash of an imported secret in
// place of that of the other system. value is its value, which was verified. The
// revision stays, because nothing changes for anyone who uses the client. adopted is
// false if the client stays as it is: the secret is the registry's own, is not there,
// or its value could be guessed and is better protected by its slow hash.
func (c Client) AdoptSecret(id, value string, pepper Pepper) (after Client, adopted bool) {
	i := slices.IndexFunc(c.state.Secrets, func(s Secret) bool { return s.ID == id })
	if i < 0 || c.state.Secrets[i].LastFour != "" { // own secrets and adopted ones have it
		return c, false
	}
	s := c.state.Secrets[i]
	strong := mostBits(value) >= minFastBits
	if s.SlowHash != "" && !strong {
		return c, false
	}
	hash, keyID, slow := s.Hash, s.KeyID, s.SlowHash
	s.Hash, s.KeyID, s.SlowHash = pepper.hash(value), pepper.ID, ""
	if strong { // four characters of a short value would be too many
		s.LastFour = lastCharacters(value)
	}
	if s.LastFour == "" && s.KeyID == keyID && s.SlowHash == slow && bytes.Equal(s.Hash, hash) {
		return c, false
	}
	c.state.Secrets = slices.Clone(c.state.Secrets)
	c.state.Secrets[i] = s
	return c, true
}

// Guessable reports whether the value of the secret might be guessed: it was imported, and
// is unknown yet or does not look random. Own secrets and random imported ones have
// [Secret.LastFour].
func (s Secret) Guessable() bool { return s.LastFour == "" }

// lastCharacters returns the last four characters of a value; empty if one of them
// cannot be printed.
func lastCharacters(value string) string {
	start := len(value)
	for range lastShown {
		r, size := utf8.DecodeLastRuneInString(value[:start])
		if size == 0 || r == utf8.RuneError || !unicode.IsPrint(r) {
			return ""
		}
		start -= size
	}
	return value[start:]
}

// minDistinct is how many different characters a random value of [minFastBits] has at
// least: with fewer, it is a repetition.
const minDistinct = 8

// mostBits returns the entropy, in bits, that a random value of this length and with
// these kinds of characters would have. A value that someone made up has less.
func mostBits(value string) float64 {
	var digits, hexLetters, lower, upper, others bool
	distinct := map[rune]bool{}
	for _, r := range value {
		distinct[r] = true
		switch {
		case '0' <= r && r <= '9':
			digits = true
		case 'a' <= r && r <= 'f':
			hexLetters = true
		case 'a' <= r && r <= 'z':
			lower = true
		case 'A' <= r && r <= 'Z':
			upper = true
		default:
			others = true
		}
	}
	characters := 0
	if digits {
		characters += 10
	}
	switch {
	case lower, hexLetters && (upper || !digits):
		characters += 26
	case hexLetters:
		characters += 6
	}
	if upper {
		characters += 26
	}
	if others { // of base64 and base64url
		characters += 2
	}
	if len(distinct) < minDistinct {
		return 0
	}
	return float64(utf8.RuneCountInString(value)) * math.Log2(float64(characters))
}
