package domain

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"time"
)

// SecretEntropy is how many random bytes a client secret is made of: 256 bits,
// which no one guesses, so that a fast hash is enough to keep it
// (NIST SP 800-63B §5.1.2.2 asks for a slow one below 112 bits).
const SecretEntropy = 32

// Bounds of a client's secrets.
const (
	MaxActiveSecrets = 2
	// maxRetiringSecrets bounds those that were rotated away and still verify;
	// a further rotation ends the oldest.
	maxRetiringSecrets = 2
	// MaxGrace bounds how long a secret that was rotated away still verifies.
	MaxGrace = 30 * 24 * time.Hour
)

// secretPrefix makes a leaked secret recognisable to secret scanners.
const secretPrefix = "clientele_"

// lastShown is how many characters of a secret stay readable.
const lastShown = 4

// The reasons why secrets cannot be changed as requested.
var (
	// ErrNoSecretUse: no authentication method of the client uses a secret.
	ErrNoSecretUse = errors.New("no authentication method of the client uses a secret")
	// ErrTooManySecrets: the client has [MaxActiveSecrets] active ones.
	ErrTooManySecrets = errors.New("the client has two active secrets")
	// ErrNoSuchSecret: the client has no secret of that id.
	ErrNoSuchSecret = errors.New("no such secret")
	// ErrLastSecret: the client would be left without an active secret.
	ErrLastSecret = errors.New("the last active secret cannot be deleted")
	// ErrSecretExpired: the requested expiry time of a new secret is not in the future.
	ErrSecretExpired = errors.New("the expiry time of the secret is in the past")
	// ErrSecretsUnreadable: the store cannot read the client's secrets, see
	// [State.SecretsUnreadable].
	ErrSecretsUnreadable = errors.New("the stored secrets of the client cannot be read")
)

// Secret is what the registry keeps of a client secret: never its value.
type Secret struct {
	ID          string
	Description string
	Hash        []byte // HMAC-SHA-256 under the pepper that KeyID names, or SHA-256 where KeyID is empty
	KeyID       string
	SlowHash    string // the hash of another system, instead of Hash; empty for the registry's own
	LastFour    string // empty for an imported secret until its value is known, and for one that could be guessed
	CreatedAt   time.Time
	UpdatedAt   time.Time
	ExpiresAt   time.Time // zero where it does not expire
	Retiring    bool      // rotated away: it verifies until ExpiresAt
}

// SecretStatus says what a secret is good for.
type SecretStatus string

// The states of a secret. Active and retiring ones verify.
const (
	SecretActive   SecretStatus = "active"
	SecretRetiring SecretStatus = "retiring"
	SecretExpired  SecretStatus = "expired"
)

// Status is the state of the secret at a time.
func (s Secret) Status(now time.Time) SecretStatus {
	switch {
	case !s.ExpiresAt.IsZero() && !now.Before(s.ExpiresAt):
		return SecretExpired
	case s.Retiring:
		return SecretRetiring
	default:
		return SecretActive
	}
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
		UpdatedAt: now,
	}, value
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

// SecretLastFour returns the last four characters of the newest secret that has
// not expired, or an empty string if there is none or they are not known.
func (c Client) SecretLastFour(now time.Time) string {
	for _, s := range slices.Backward(c.state.Secrets) {
		if s.Status(now) != SecretExpired {
			return s.LastFour
		}
	}
	return ""
}

// Secrets returns what is kept of the client's secrets, oldest first. They must not
// be changed.
func (c Client) Secrets() []Secret { return c.state.Secrets }

// WithFirstSecret returns the client as it is registered together with its
// first secret: the revision stays.
func (c Client) WithFirstSecret(s Secret) Client {
	c.state.Secrets = []Secret{s}
	return c
}

// IssueSecret returns the client with one more secret, one revision further.
// The error is [ErrDeleted], [ErrNoSecretUse], [ErrTooManySecrets],
// [ErrSecretsUnreadable] or one
// of those of [Secret.WithExpiry].
func (c Client) IssueSecret(s Secret, now time.Time) (Client, error) {
	kept := unexpired(c.state.Secrets, now)
	switch {
	case c.Deleted():
		return c, ErrDeleted
	case !c.UsesSecret():
		return c, ErrNoSecretUse
	case c.state.SecretsUnreadable:
		return c, ErrSecretsUnreadable
	case s.checkExpiry(now) != nil:
		return c, s.checkExpiry(now)
	case count(kept, SecretActive, now) >= MaxActiveSecrets:
		return c, ErrTooManySecrets
	}
	c.state.Secrets = slices.Concat(kept, []Secret{s})
	return c.next(now), nil
}

// RotateSecret returns the client with s as its one active secret, one revision
// further. Those that were active verify for the grace period, or as long as
// they would have if that is shorter. The error is [ErrDeleted],
// [ErrNoSecretUse] or [ErrSecretsUnreadable].
func (c Client) RotateSecret(s Secret, grace time.Duration, now time.Time) (Client, error) {
	switch {
	case c.Deleted():
		return c, ErrDeleted
	case !c.UsesSecret():
		return c, ErrNoSecretUse
	case c.state.SecretsUnreadable:
		return c, ErrSecretsUnreadable
	}
	end := now.Add(min(grace, MaxGrace))
	kept := unexpired(c.state.Secrets, now)
	for i := range kept {
		if kept[i].Retiring {
			continue
		}
		kept[i].Retiring, kept[i].UpdatedAt = true, now
		if kept[i].ExpiresAt.IsZero() || kept[i].ExpiresAt.After(end) {
			kept[i].ExpiresAt = end
		}
	}
	kept = unexpired(kept, now)
	kept = kept[max(0, len(kept)-maxRetiringSecrets):]
	c.state.Secrets = slices.Concat(kept, []Secret{s})
	return c.next(now), nil
}

// DeleteSecret returns the client without the secret, one revision further. The
// error is [ErrDeleted], [ErrNoSuchSecret], [ErrLastSecret] or
// [ErrSecretsUnreadable].
func (c Client) DeleteSecret(id string, now time.Time) (Client, error) {
	if c.Deleted() {
		return c, ErrDeleted
	}
	if c.state.SecretsUnreadable {
		return c, ErrSecretsUnreadable
	}
	i := slices.IndexFunc(c.state.Secrets, func(s Secret) bool { return s.ID == id })
	if i < 0 {
		return c, ErrNoSuchSecret
	}
	if c.state.Secrets[i].Status(now) == SecretActive && count(c.state.Secrets, SecretActive, now) == 1 {
		return c, ErrLastSecret
	}
	c.state.Secrets = slices.Delete(slices.Clone(c.state.Secrets), i, i+1)
	return c.next(now), nil
}

// VerifySecret tells which secret of the client value is, of those that are
// kept under one of the peppers or under none. It takes the same time whether it
// is one or not, and whichever it is. A suspended client has no valid secret. Those
// with hashes of other systems are left out, see [Client.SlowSecrets].
func (c Client) VerifySecret(value string, peppers []Pepper, now time.Time) (id string, ok bool) {
	hashes := map[string][]byte{"": Pepper{}.hash(value)}
	for _, pepper := range peppers {
		hashes[pepper.ID] = pepper.hash(value)
	}
	active := c.state.Settings.Status == StatusActive
	for _, s := range c.state.Secrets {
		hash, known := hashes[s.KeyID]
		if hmac.Equal(s.Hash, hash) && known && active && s.Status(now) != SecretExpired {
			id, ok = s.ID, true
		}
	}
	return id, ok
}

// unexpired copies the secrets that have not expired.
func unexpired(secrets []Secret, now time.Time) []Secret {
	return slices.DeleteFunc(slices.Clone(secrets), func(s Secret) bool { return s.Status(now) == SecretExpired })
}

func count(secrets []Secret, status SecretStatus, now time.Time) int {
	n := 0
	for _, s := range secrets {
		if s.Status(now) == status {
			n++
		}
	}
	return n
}
