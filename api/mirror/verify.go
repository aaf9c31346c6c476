package mirror

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"
)

// Limits of verifications.
const (
	// maxVerifications is how many verifications ask the registry at the same time; others
	// wait.
	maxVerifications = 64
	// maxCached is how many positive results are kept per client. A client has at most two
	// valid secrets.
	maxCached = 8
	// maxCacheAge limits how long a result is kept, whatever the registry permits.
	maxCacheAge = 5 * time.Minute
	// maxSecretBytes is more than the longest secret that a client can have.
	maxSecretBytes = 4096
)

// Verification describes a secret that was verified.
type Verification struct {
	// SecretID identifies the secret.
	SecretID string
	// ExpiresAt is when it expires; zero if it never does.
	ExpiresAt time.Time
	// Local reports that nothing was requested from the registry: the result was kept, or
	// verified against a hash.
	Local bool
}

// digest is the HMAC of a value under the key of the process. Caches have no values.
type digest [sha256.Size]byte

// result is a positive result.
type result struct {
	Verification
	until time.Time
}

// flight is a verification that runs, with those who wait for it.
type flight struct {
	cancel  context.CancelFunc
	waiting int
	done    chan struct{} // closed when the fields below are set
	result  Verification
	err     error
}

// VerifySecret verifies a secret of the client. The error is nil only if the value is
// valid; otherwise it is [ErrWrongSecret], that of [Mirror.Get], or [ErrUnavailable] if the
// registry is needed and does not respond.
//
// A positive result is kept for as long as the registry permits, and at most until the
// secret expires or the client changes. A negative one is never kept: each wrong value
// is sent to the registry, which limits how many may be tried. With [Config].Verifiers a value
// that matches a hash is valid without a request.
func (m *Mirror) VerifySecret(ctx context.Context, id, value string) (Verification, error) {
	e, err := m.find(id)
	if err != nil {
		return Verification{}, err
	}
	// JSON would replace invalid UTF-8, and so change the value.
	if value == "" || len(value) > maxSecretBytes || !utf8.ValidString(value) {
		return Verification{}, ErrWrongSecret
	}
	now := m.now()
	if v, ok := e.match(value, now); ok {
		return v, nil
	}
	key := m.digest(value)
	f, kept, err := m.join(e, key, now, id, value) //nolint:contextcheck // others may wait for it, too
	if f == nil {
		return kept, err
	}
	select {
	case <-f.done:
		return f.result, f.err
	case <-ctx.Done():
		e.leave(key, f)
		return Verification{}, fmt.Errorf("%w: %w", ErrUnavailable, context.Cause(ctx))
	}
}

// match verifies a value against the hashes. All are compared.
func (e *entry) match(value string, now time.Time) (Verification, bool) {
	if len(e.verifiers) == 0 {
		return Verification{}, false
	}
	hash := sha256.Sum256([]byte(value))
	found := Verification{}
	valid := false
	for _, v := range e.verifiers {
		equal := subtle.ConstantTimeCompare(hash[:], v.hash) == 1
		if equal && (v.expires.IsZero() || now.Before(v.expires)) {
			found, valid = Verification{SecretID: v.id, ExpiresAt: v.expires, Local: true}, true
		}
	}
	return found, valid
}

func (m *Mirror) digest(value string) (d digest) {
	mac := hmac.New(sha256.New, m.key)
	mac.Write([]byte(value))
	mac.Sum(d[:0])
	return d
}

// join returns a result that was kept, or the flight of the value, which it starts if there
// is none.
func (m *Mirror) join(e *entry, key digest, now time.Time, id, value string) (*flight, Verification, error) {
	c := &e.cache
	c.mu.Lock()
	defer c.mu.Unlock()
	if kept, ok := c.verified[key]; ok {
		if now.Before(kept.until) {
			return nil, kept.Verification, nil
		}
		delete(c.verified, key)
	}
	if f := c.flights[key]; f != nil {
		f.waiting++
		return f, Verification{}, nil
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.closed {
		return nil, Verification{}, fmt.Errorf("%w: the mirror is closed", ErrUnavailable)
	}
	ctx, cancel := context.WithCancel(m.context)
	f := &flight{cancel: cancel, waiting: 1, done: make(chan struct{})}
	if c.flights == nil {
		c.flights = map[digest]*flight{}
	}
	c.flights[key] = f
	m.flights.Go(func() {
		defer cancel()
		m.request(ctx, e, key, f, id, value)
	})
	return f, Verification{}, nil
}

// leave ends the wait for a flight, and the flight if no other caller waits for it.
func (e *entry) leave(key digest, f *flight) {
	e.cache.mu.Lock()
	defer e.cache.mu.Unlock()
	f.waiting--
	if f.waiting == 0 {
		f.cancel()
		if e.cache.flights[key] == f {
			delete(e.cache.flights, key)
		}
	}
}

// request verifies the value at the registry. The result is kept in the entry that was current at the start: if
// the client has changed since then, it is not read.
func (m *Mirror) request(ctx context.Context, e *entry, key digest, f *flight, id, value string) {
	response, started, err := m.send(ctx, id, value)
	c := &e.cache
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.flights[key] == f {
		delete(c.flights, key)
	}
	defer close(f.done)
	if err != nil {
		f.err = err
		return
	}
	f.result = Verification{SecretID: response.SecretID, ExpiresAt: response.ExpiresAt}
	age := time.Duration(min(max(response.MaxAgeSeconds, 0), int64(maxCacheAge/time.Second))) * time.Second
	until := started.Add(age)
	if !response.ExpiresAt.IsZero() && response.ExpiresAt.Before(until) {
		until = response.ExpiresAt
	}
	if m.now().Before(until) {
		c.keep(key, result{Verification{response.SecretID, response.ExpiresAt, true}, until})
	}
}

// keep keeps a result, instead of the one that ends first if there are many. The caller
// holds the mutex.
func (c *cache) keep(key digest, r result) {
	if c.verified == nil {
		c.verified = map[digest]result{}
	}
	if len(c.verified) >= maxCached {
		first := key
		for k, kept := range c.verified {
			if first == key || kept.until.Before(c.verified[first].until) {
				first = k
			}
		}
		delete(c.verified, first)
	}
	c.verified[key] = r
}

// send sends the request when there is a place for it, and returns when it began.
func (m *Mirror) send(ctx context.Context, id, value string) (verification, time.Time, error) {
	select {
	case m.verify <- struct{}{}:
		defer func() { <-m.verify }()
	case <-ctx.Done():
		return verification{}, time.Time{}, fmt.Errorf("%w: %w", ErrUnavailable, context.Cause(ctx))
	}
	started := m.now()
	response, err := m.registry.verifySecret(ctx, id, value)
	if err != nil && !errors.Is(err, ErrWrongSecret) {
		err = fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return response, started, err
}
