package domain

import (
	"errors"
	"time"
)

// ErrNoSecretEnded reports that no secret of the client has an end to record.
var ErrNoSecretEnded = errors.New("no secret of the client has ended since the last revision")

// StaleSecretEnd is the age, at the time of the client's newest revision, beyond which the
// end of a secret needs no revision of its own: readers have learned of that revision.
// Otherwise secrets that ended before the registry recorded ends, or while their client was
// deleted, would make a revision each.
const StaleSecretEnd = 10 * time.Minute

// The end of a secret is recorded when the secret was updated at or after it. Every change
// of a secret happens before its end, except [Client.EndSecrets].
func (s Secret) endRecorded() bool { return s.ExpiresAt.IsZero() || !s.UpdatedAt.Before(s.ExpiresAt) }

// NextSecretEnd returns the earliest time after since at which a secret of the client ends,
// by its expiry time or by the end of its grace period, and which [Client.EndSecrets] has
// not recorded; zero if there is none. It may be in the past.
func (c *Client) NextSecretEnd(since time.Time) time.Time {
	if stale := c.state.UpdatedAt.Add(-StaleSecretEnd); stale.After(since) {
		since = stale
	}
	var next time.Time
	for _, s := range c.state.Secrets {
		if !s.endRecorded() && s.ExpiresAt.After(since) && (next.IsZero() || s.ExpiresAt.Before(next)) {
			next = s.ExpiresAt
		}
	}
	return next
}

// EndSecrets returns the next revision of the client, which records that secrets have
// ended, and their number. The secrets stay, as expired, until a new secret replaces them;
// each end is recorded once. The error is [ErrDeleted], [ErrSecretsUnreadable] or
// [ErrNoSecretEnded].
func (c Client) EndSecrets(now time.Time) (next Client, ended int, err error) {
	switch {
	case c.Deleted():
		return c, 0, ErrDeleted
	case c.state.SecretsUnreadable:
		return c, 0, ErrSecretsUnreadable
	}
	secrets := make([]Secret, len(c.state.Secrets))
	for i, s := range c.state.Secrets {
		if s.Status(now) == SecretExpired && !s.endRecorded() {
			s.UpdatedAt = now
			ended++
		}
		secrets[i] = s
	}
	if ended == 0 {
		return c, 0, ErrNoSecretEnded
	}
	c.state.Secrets = secrets
	return c.next(now), ended, nil
}
