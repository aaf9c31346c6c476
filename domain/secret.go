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

// SecretEntropy is the number of random bytes in a client secret. 256 bits cannot be
// guessed, so a fast hash is sufficient (NIST SP 800-63B §5.1.2.2 requires a slow one
// below 112 bits).
const SecretEntropy = 32

// Limits of a client's secrets.
const (
	MaxActiveSecrets = 2
	// maxRetiringSecrets limits the secrets that were replaced by a rotation and
	// still verify; a further rotation revokes the oldest.
	maxRetiringSecrets = 2
	// MaxGrace limits how long a secret still verifies after a rotation replaced it.
	MaxGrace = 30 * 24 * time.Hour
)

// secretPrefix allows secret scanners to recognise a leaked secret.
const secretPrefix = "clientele_"

// lastShown is the number of characters of a secret that stay readable.
const lastShown = 4

// The reasons why secrets cannot be changed as requested.
var (
	// ErrNoSecretUse: no authentication method of the client uses a secret.
	ErrNoSecretUse = errors.New("no authentication method of the client uses a secret")
	// ErrTooManySecrets: the client has [MaxActiveSecrets] active secrets.
	ErrTooManySecrets = errors.New("the client has two active secrets")
	// ErrNoSuchSecret: the client has no secret with that id.
	ErrNoSuchSecret = errors.New("no such secret")
	// ErrLastSecret: the client would have no active secret left.
	ErrLastSecret = errors.New("the last active secret cannot be deleted")
	// ErrSecretExpired: the requested expiry time of a new secret is not in the future.
	ErrSecretExpired = errors.New("the expiry time of the secret is in the past")
	// ErrSecretsUnreadable: the store cannot read the client's secrets, see
	// [State.SecretsUnreadable].
	ErrSecretsUnreadable = errors.New("the stored secrets of the client cannot be read")
)

// Secret is the stored record of a client secret. It never contains its value.
type Secret struct {
	ID          string
	Description string
	Hash        []byte // HMAC-SHA-256 with the pepper that KeyID names, or SHA-256 if KeyID is empty
	KeyID       string
	SlowHash    string // the hash of another system, instead of Hash; empty for the registry's own
	LastFour    string // empty for an imported secret until its value is known, and for one that could be guessed
	CreatedAt   time.Time
	UpdatedAt   time.Time
	ExpiresAt   time.Time // zero if it does not expire
	Retiring    bool      // replaced by a rotation; it verifies until ExpiresAt
}

// SecretStatus is the state of a secret.
type SecretStatus string

// The states of a secret. Active and retiring secrets verify.
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

// Pepper is a key with which secrets are hashed; the zero value hashes without a key.
type Pepper struct {
	ID  string
	Key []byte
}

// NewSecret creates a secret from 32 random bytes. It returns the record to store and
// the value to show once. The value consists of a prefix, the bytes in base64url, and a
// checksum, with which a scanner can exclude false positives.
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
func (c *Client) SecretLastFour(now time.Time) string {
	for _, s := range slices.Backward(c.state.Secrets) {
		if s.Status(now) != SecretExpired {
			return s.LastFour
		}
	}
	return ""
}

// Secrets returns the records of the client's secrets, oldest first. They must not be
// changed.
func (c *Client) Secrets() []Secret { return c.state.Secrets }

// WithFirstSecret returns a new client with its first secret, at the same revision.
func (c Client) WithFirstSecret(s Secret) Client {
	c.state.Secrets = []Secret{s}
	return c
}

// IssueSecret returns the next revision of the client, with one more secret. The error
// is [ErrDeleted], [ErrNoSecretUse], [ErrTooManySecrets], [ErrSecretsUnreadable] or an
// error of [Secret.WithExpiry].
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
	case countActive(kept, now) >= MaxActiveSecrets:
		return c, ErrTooManySecrets
	}
	c.state.Secrets = slices.Concat(kept, []Secret{s})
	return c.next(now), nil
}

// HasActiveSecret reports whether the client has a secret that is active at the time.
func (c *Client) HasActiveSecret(now time.Time) bool {
	return countActive(c.state.Secrets, now) > 0
}

// WithSecret returns the client with one more secret, at the same revision. It is for a
// client without an active secret, whose configuration changes in the same revision.
func (c Client) WithSecret(s Secret, now time.Time) Client {
	c.state.Secrets = slices.Concat(unexpired(c.state.Secrets, now), []Secret{s})
	return c
}

// RotateSecret returns the next revision of the client, with s as its only active
// secret. Secrets that were active still verify for the grace period, or until they
// expire if that is earlier. The error is [ErrDeleted], [ErrNoSecretUse] or
// [ErrSecretsUnreadable].
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

// DeleteSecret returns the next revision of the client, without the secret. The error
// is [ErrDeleted], [ErrNoSuchSecret], [ErrLastSecret] or [ErrSecretsUnreadable].
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
	if c.state.Secrets[i].Status(now) == SecretActive && countActive(c.state.Secrets, now) == 1 {
		return c, ErrLastSecret
	}
	c.state.Secrets = slices.Delete(slices.Clone(c.state.Secrets), i, i+1)
	return c.next(now), nil
}

// VerifySecret returns the id of the client's secret with that value, if it is hashed
// with one of the peppers or without one. It takes the same time whether and which
// secret matches. A suspended client has no valid secret. Secrets with hashes of other
// systems are left out, see [Client.SlowSecrets].
func (c *Client) VerifySecret(value string, peppers []Pepper, now time.Time) (id string, ok bool) {
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

// unexpired returns a copy of the secrets that have not expired.
func unexpired(secrets []Secret, now time.Time) []Secret {
	return slices.DeleteFunc(slices.Clone(secrets), func(s Secret) bool { return s.Status(now) == SecretExpired })
}

// countActive returns the number of secrets that are active.
func countActive(secrets []Secret, now time.Time) int {
	n := 0
	for _, s := range secrets {
		if s.Status(now) == SecretActive {
			n++
		}
	}
	return n
}
