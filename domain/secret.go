package domain

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"hash/crc32"
	"time"
)

// SecretEntropy is how many random bytes a client secret is made of: 256 bits,
// which no one guesses, so that a fast hash is enough to keep it
// (NIST SP 800-63B §5.1.2.2 asks for a slow one below 112 bits).
const SecretEntropy = 32

// secretPrefix makes a leaked secret recognisable to secret scanners.
const secretPrefix = "clientele_"

// lastShown is how many characters of a secret stay readable.
const lastShown = 4

// Secret is what the registry keeps of a client secret: never its value.
type Secret struct {
	ID        string
	Hash      []byte // HMAC-SHA-256 under the pepper that KeyID names, or SHA-256 where KeyID is empty
	KeyID     string
	LastFour  string
	CreatedAt time.Time
}

// Pepper is the key under which secrets are hashed; the zero value hashes
// without one.
type Pepper struct {
	ID  string
	Key []byte
}

// NewSecret makes a secret of 32 random bytes: the record to keep, and the
// value to show once. The value is a prefix, the bytes in base64url, and a
// checksum by which a scanner can tell it from a look-alike.
func NewSecret(id string, entropy [SecretEntropy]byte, pepper Pepper, now time.Time) (kept Secret, value string) {
	body := secretPrefix + base64.RawURLEncoding.EncodeToString(entropy[:])
	value = body + fmt.Sprintf("%08x", crc32.ChecksumIEEE([]byte(body)))
	return Secret{
		ID:        id,
		Hash:      pepper.hash(value),
		KeyID:     pepper.ID,
		LastFour:  value[len(value)-lastShown:],
		CreatedAt: now,
	}, value
}

// Matches reports whether value is the secret, in time that does not depend on
// where the two differ. The pepper is the one that s.KeyID names.
func (s Secret) Matches(value string, pepper Pepper) bool {
	return pepper.ID == s.KeyID && hmac.Equal(s.Hash, pepper.hash(value))
}

func (p Pepper) hash(value string) []byte {
	if p.ID == "" {
		sum := sha256.Sum256([]byte(value))
		return sum[:]
	}
	mac := hmac.New(sha256.New, p.Key)
	mac.Write([]byte(value))
	return mac.Sum(nil)
}
