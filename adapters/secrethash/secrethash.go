// Package secrethash verifies client secrets against hashes that other systems made:
// bcrypt, and PHC strings of Argon2id (RFC 9106), scrypt (RFC 7914) and PBKDF2 (RFC 8018),
// also in the variants of Ory Hydra, passlib and Spring Security.
package secrethash

import (
	"context"
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"errors"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
	"golang.org/x/crypto/scrypt"
	"golang.org/x/sync/singleflight"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// Limits of slow verifications. They bound the work that wrong secrets can cause.
const (
	// maxPerClient limits the verifications of one client that run or wait.
	maxPerClient = 4
	// maxWaiting limits the verifications that wait.
	maxWaiting = 64
	// maxQueueTime is the maximum time that a verification waits for its turn.
	maxQueueTime = time.Second
)

// Hashes implements [application.SecretHashes]. It is safe for concurrent use.
type Hashes struct {
	slots   chan struct{}
	flights singleflight.Group
	compute func(hash, value string) bool

	mu      sync.Mutex
	waiting int
	clients map[clientKey]int // verifications that run or wait
}

type clientKey struct {
	tenant domain.TenantID
	id     domain.ClientID
}

// New returns hashes of which at most n are computed at once. Each takes a processor, and
// up to 128 MiB of memory.
func New(n int) *Hashes {
	return &Hashes{slots: make(chan struct{}, max(n, 1)), compute: matches, clients: map[clientKey]int{}}
}

// Verify implements [application.SecretHashes]. Equal concurrent calls share one
// computation.
func (h *Hashes) Verify(ctx context.Context, tenant domain.TenantID, id domain.ClientID, hash, value string) (bool, error) {
	digest := sha256.Sum256([]byte(strings.Join([]string{string(tenant), string(id), hash, value}, "\x00")))
	shared := context.WithoutCancel(ctx) // others may wait for the result
	result := h.flights.DoChan(string(digest[:]), func() (any, error) {
		leave, err := h.enter(shared, clientKey{tenant, id})
		if err != nil {
			return false, err
		}
		defer leave()
		return h.compute(hash, value), nil
	})
	select {
	case r := <-result:
		valid, _ := r.Val.(bool)
		return valid, r.Err
	case <-ctx.Done():
		return false, errors.Join(application.ErrUnavailable, ctx.Err())
	}
}

// enter takes a slot; leave releases it. The error is [application.ErrTooManyRequests]
// if the client has too many verifications, and [application.ErrTooManyVerifications] if
// all clients together do.
func (h *Hashes) enter(ctx context.Context, client clientKey) (leave func(), err error) {
	if err := h.queue(client); err != nil {
		return nil, err
	}
	timer := time.NewTimer(maxQueueTime)
	defer timer.Stop()
	select {
	case h.slots <- struct{}{}:
	case <-timer.C:
		err = application.ErrTooManyVerifications
	case <-ctx.Done():
		err = application.ErrTooManyVerifications
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.waiting--
	if err != nil {
		h.forget(client)
		return nil, err
	}
	return func() {
		<-h.slots
		h.mu.Lock()
		defer h.mu.Unlock()
		h.forget(client)
	}, nil
}

// queue counts a verification that is about to wait.
func (h *Hashes) queue(client clientKey) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.clients[client] >= maxPerClient:
		return application.ErrTooManyRequests
	case h.waiting >= maxWaiting:
		return application.ErrTooManyVerifications
	}
	h.clients[client]++
	h.waiting++
	return nil
}

// forget ends a verification of the client. The caller holds the lock.
func (h *Hashes) forget(client clientKey) {
	if h.clients[client]--; h.clients[client] == 0 {
		delete(h.clients, client)
	}
}

// maxBcryptBytes is how much of a value bcrypt uses. A longer value never matches:
// Ory Hydra and newer versions of other systems reject it, too.
const maxBcryptBytes = 72

// ambiguous reports whether a value can have the hash of another one: HMAC, which PBKDF2
// and scrypt use, pads keys with U+0000, and bcrypt repeats its key after U+0000. Such a
// value would become the secret when the hash is replaced.
func ambiguous(value string) bool { return strings.Contains(value, "\x00") }

// matches computes the hash of the value. It takes the same time whether it is the right
// one or not. A hash that [Hashes.Parse] would reject matches nothing.
func matches(hash, value string) bool {
	if ambiguous(value) {
		return false
	}
	if strings.HasPrefix(hash, "$2") {
		if checkBcrypt(hash) != nil {
			return false
		}
		err := bcrypt.CompareHashAndPassword([]byte(hash), []byte(value))
		return err == nil && len(value) <= maxBcryptBytes
	}
	p, err := parsePHC(hash)
	if err != nil || p.check() != nil {
		return false
	}
	computed, err := p.compute(value)
	return err == nil && subtle.ConstantTimeCompare(computed, p.hash) == 1
}

// compute returns the hash of the value with the parameters of p, which are valid.
func (p phc) compute(value string) ([]byte, error) {
	size := len(p.hash)
	number := func(name string) int { return int(p.parameters[name]) } //nolint:gosec // parameters have at most 32 bits
	switch p.id {
	case "argon2id":
		passes, memory, lanes := uint32(number("t")), uint32(number("m")), uint8(number("p")) //nolint:gosec // check has bounded them
		return argon2.IDKey([]byte(value), p.salt, passes, memory, lanes, uint32(size)), nil  //nolint:gosec // check has bounded it
	case "scrypt":
		return scrypt.Key([]byte(value), p.salt, 1<<number("ln"), number("r"), number("p"), size)
	case "pbkdf2-sha512":
		return pbkdf2.Key(sha512.New, value, p.salt, number("i"), size)
	default:
		return pbkdf2.Key(sha256.New, value, p.salt, number("i"), size)
	}
}

var _ application.SecretHashes = (*Hashes)(nil)
