package domain

import (
	"errors"
	"time"
)

// MaxSecretYears is the maximum lifetime of a secret with an expiry time, in years
// from its creation. For a longer lifetime, omit the expiry time.
const MaxSecretYears = 10

// The reasons why the expiry time of a new secret is rejected, in addition to
// [ErrSecretExpired].
var (
	// ErrSecretExpiryRange: the year of the expiry time in UTC is outside 1 to 9999,
	// which are the years that RFC 3339 §5.6 can represent, or it is the zero time.
	ErrSecretExpiryRange = errors.New("the expiry time is outside the years 0001 to 9999 in UTC")
	// ErrSecretExpiryTooFar: the expiry time is more than [MaxSecretYears] away.
	ErrSecretExpiryTooFar = errors.New("the expiry time is more than 10 years away")
)

// WithExpiry returns the secret with an expiry time, in UTC and truncated to
// microseconds, which is the resolution of the stores. The error is
// [ErrSecretExpiryRange], [ErrSecretExpired] if the time is not after now, or
// [ErrSecretExpiryTooFar].
func (s Secret) WithExpiry(at, now time.Time) (Secret, error) {
	at = at.UTC()
	if !Storable(at) || at.IsZero() {
		return s, ErrSecretExpiryRange
	}
	s.ExpiresAt = at.Truncate(time.Microsecond)
	return s, s.checkExpiry(now)
}

// checkExpiry validates the expiry time of a new secret, if it has one.
func (s Secret) checkExpiry(now time.Time) error {
	switch {
	case s.ExpiresAt.IsZero():
		return nil
	case !Storable(s.ExpiresAt):
		return ErrSecretExpiryRange
	case s.Status(now) == SecretExpired:
		return ErrSecretExpired
	case s.ExpiresAt.After(now.AddDate(MaxSecretYears, 0, 0)):
		return ErrSecretExpiryTooFar
	default:
		return nil
	}
}

// Storable reports whether a time can be written and read again in the format of RFC
// 3339 §5.6: whether its year in UTC is between 1 and 9999. The zero time is storable;
// it means an unset time.
func Storable(t time.Time) bool {
	year := t.UTC().Year()
	return 1 <= year && year <= 9999
}
