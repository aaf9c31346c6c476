package domain

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"
)

// Limits of initial access tokens.
const (
	DefaultInitialTokenLifetime = 24 * time.Hour
	MaxInitialTokenLifetime     = 90 * 24 * time.Hour
	MaxInitialTokenUses         = 10_000
)

// InitialToken is the record of an initial access token (RFC 7591 §3), which allows others to
// register clients. Its value is not kept.
type InitialToken struct {
	TenantID    TenantID
	ID          string
	Hash        []byte // as [Secret.Hash]
	KeyID       string // as [Secret.KeyID]
	Description string
	IssuedBy    string // the subject of the administrator
	CreatedAt   time.Time
	ExpiresAt   time.Time
	RevokedAt   time.Time // zero unless it was revoked
	MaxUses     int
	Uses        int
	// Policy narrows the policy of the tenant.
	Policy RegistrationPolicy
}

// InitialTokenProperties are the properties of a new initial access token.
type InitialTokenProperties struct {
	Description string        // at most [MaxDescription] characters, none of them invisible
	ExpiresIn   time.Duration // 1 second to [MaxInitialTokenLifetime]
	MaxUses     int           // 1 to [MaxInitialTokenUses]
	// Policy narrows the policy of the tenant.
	Policy RegistrationPolicy
}

// WithDefaults returns the properties with [DefaultInitialTokenLifetime] and one use for what
// is 0.
func (p InitialTokenProperties) WithDefaults() InitialTokenProperties {
	p.ExpiresIn = cmp.Or(p.ExpiresIn, DefaultInitialTokenLifetime)
	p.MaxUses = cmp.Or(p.MaxUses, 1)
	return p
}

// CheckLimits returns the violations of the limits of the properties, without the policy. The
// pointers are /expires_in, /max_uses and /description.
func (p InitialTokenProperties) CheckLimits() (findings Findings) {
	add := func(pointer, message string) {
		findings = append(findings, RegistrationFinding(ruleInitialToken, pointer, message))
	}
	if p.ExpiresIn < time.Second || p.ExpiresIn > MaxInitialTokenLifetime {
		add("/expires_in", fmt.Sprintf("must be between 1 second and %d days", MaxInitialTokenLifetime/(24*time.Hour)))
	}
	if p.MaxUses < 1 || p.MaxUses > MaxInitialTokenUses {
		add("/max_uses", fmt.Sprintf("must be between 1 and %d", MaxInitialTokenUses))
	}
	if fault := descriptionFault(p.Description); fault != "" {
		add("/description", fault)
	}
	return findings
}

// NewInitialToken creates an initial access token of a tenant from 32 random bytes. It
// returns the record to store and the value to show once. issuedBy is the subject of the
// administrator.
func NewInitialToken(
	entropy [SecretEntropy]byte, pepper Pepper, tenant TenantID, issuedBy string, p InitialTokenProperties, now time.Time,
) (kept InitialToken, value string) {
	value = tokenValue(initialTokenPrefix, entropy)
	return InitialToken{
		TenantID: tenant, ID: initialTokenID(value), Hash: pepper.hash(value), KeyID: pepper.ID,
		Description: p.Description, IssuedBy: issuedBy, CreatedAt: now, ExpiresAt: now.Add(p.ExpiresIn), MaxUses: p.MaxUses, Policy: p.Policy,
	}, value
}

// InitialTokenID returns the id of the initial access token with this value. It is derived
// from the value, so that the token can be found by it; the value cannot be derived from
// it. ok is false if the value does not have the form of such a token. The caller
// verifies the value with [InitialToken.Verify].
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

// Verify reports whether the token has the value, with the pepper that its KeyID names. It
// takes the same time whether it has or not.
func (t *InitialToken) Verify(value string, peppers []Pepper) bool {
	return newTokenHashes(value, peppers).match(t.Hash, t.KeyID)
}

// Ended reports whether the token has expired or was revoked.
func (t *InitialToken) Ended(now time.Time) bool {
	return !t.RevokedAt.IsZero() || !now.Before(t.ExpiresAt)
}

// UsedUp reports whether the token has no use left.
func (t *InitialToken) UsedUp() bool { return t.Uses >= t.MaxUses }

// InitialTokenStatus is whether clients can be registered with an initial access token and,
// if not, why.
type InitialTokenStatus string

// The statuses.
const (
	InitialTokenActive  InitialTokenStatus = "active"
	InitialTokenRevoked InitialTokenStatus = "revoked"
	InitialTokenUsedUp  InitialTokenStatus = "used_up"
	InitialTokenExpired InitialTokenStatus = "expired"
)

// Status returns the status of the token. If several apply, it is the first one of revoked,
// used up and expired.
func (t *InitialToken) Status(now time.Time) InitialTokenStatus {
	switch {
	case !t.RevokedAt.IsZero():
		return InitialTokenRevoked
	case t.UsedUp():
		return InitialTokenUsedUp
	case t.Ended(now):
		return InitialTokenExpired
	default:
		return InitialTokenActive
	}
}
