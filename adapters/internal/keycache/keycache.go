// Package keycache keeps the keys of an issuer that the operator trusts: the keys are read
// again after a while, and at once for a message that names a key which is not known. The
// number of reads is bounded, regardless of the keys that messages name. What a set of keys is, and where it is
// read, is decided by the callers.
//
//	cache := keycache.New(keycache.Settings[keySet]{
//		Issuer: issuer, Source: read, Parse: parse, Has: (*keySet).has, Now: time.Now,
//	})
//	set, err := cache.Current(ctx, keyID)
package keycache

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/clientele-oauth/clientele/application"
)

// How keys are kept, unless the settings say otherwise.
const (
	// DefaultTimeout bounds one read.
	DefaultTimeout = 5 * time.Second
	// DefaultMaxAge is the age from which keys are no longer used.
	DefaultMaxAge = 24 * time.Hour
	// RetryInterval is the minimum time between two reads: messages with an invented
	// kid must not cause a flood of requests to the issuer.
	RetryInterval = 10 * time.Second

	// fresh is how long a set is used without reading it again.
	fresh = 5 * time.Minute
	// stale is the age from which callers wait until the set is read again, so that a
	// revoked key is not accepted after an hour without requests.
	stale = 15 * time.Minute
	// coldInterval is the minimum between two reads while there is no usable set.
	coldInterval = time.Second
	// downInterval is the time after a failed read in which callers do not wait for
	// the next one: the issuer is known to be down, and its keys are read in the
	// background.
	downInterval = time.Minute
	// localInterval is how often keys are read again that are cheap to read.
	localInterval = time.Second
)

// Settings configure how the keys of an issuer are read and kept. Issuer, Source, Parse, Has
// and Now must be set.
type Settings[K any] struct {
	Issuer string // for errors
	// Source reads the text of the keys.
	Source func(ctx context.Context) ([]byte, error)
	// Parse reads a set of keys. With an error, the set is only reported.
	Parse func(text []byte) (*K, error)
	// Has reports whether the set has a key with that ID. For an empty ID it must
	// return true.
	Has func(set *K, keyID string) bool
	Now func() time.Time

	MaxAge  time.Duration // 0 means [DefaultMaxAge]
	Timeout time.Duration // 0 means [DefaultTimeout]
	// Local means that reading is cheap, for example from a file. Such keys are read
	// again every second.
	Local bool
	// Report is called after each read, before its result is used. failing reports whether
	// the previous read failed. It may be nil.
	Report func(set *K, digest [sha256.Size]byte, err error, failing bool)
}

// Cache keeps the keys of one issuer. A set is used for five minutes, and then read again
// in the background; from an age of fifteen minutes, callers wait until it is read. While
// the issuer cannot be reached, the last set is used up to its maximum age. It is safe for
// concurrent use.
type Cache[K any] struct {
	settings Settings[K]
	flight   singleflight.Group

	mu    sync.RWMutex
	known state[K]
}

// state is what is known.
type state[K any] struct {
	set             *K                // nil until the first success
	digest          [sha256.Size]byte // of the text of the set
	readAt, triedAt time.Time         // readAt is when the set was last confirmed
	failed          error             // of the last read; nil if it succeeded
}

// New returns a cache with these settings. It does not read the keys yet.
func New[K any](settings Settings[K]) *Cache[K] {
	if settings.MaxAge <= 0 {
		settings.MaxAge = DefaultMaxAge
	}
	if settings.Timeout <= 0 {
		settings.Timeout = DefaultTimeout
	}
	return &Cache[K]{settings: settings}
}

func (c *Cache[K]) state() state[K] {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.known
}

// Current returns a set that contains the key keyID if the issuer has it. The set is the
// same pointer as long as its text is the same. The error is [application.ErrUnavailable]
// if there is no set, or only one that is too old and cannot be read again.
func (c *Cache[K]) Current(ctx context.Context, keyID string) (*K, error) {
	now, known := c.settings.Now(), c.state()
	fresh, stale, retry := fresh, stale, RetryInterval
	if c.settings.Local {
		fresh, stale, retry = localInterval, localInterval, localInterval
	}
	age, sinceTry := now.Sub(known.readAt), now.Sub(known.triedAt)
	switch {
	case known.set == nil || age >= c.settings.MaxAge:
		if sinceTry < coldInterval {
			return nil, c.unavailable(known.failed)
		}
		return c.wait(ctx)
	case age < fresh && c.settings.Has(known.set, keyID), sinceTry < retry:
		return known.set, nil
	case !c.settings.Has(known.set, keyID):
		return c.wait(ctx)
	case age < stale, known.failed != nil && sinceTry < downInterval:
		c.flight.DoChan("", c.read) // in the background
		return known.set, nil
	default:
		return c.wait(ctx)
	}
}

// Renewed returns a set that was read after the given one, unless the last read was too
// recent; then it returns the same set. The error is that of [Cache.Current].
func (c *Cache[K]) Renewed(ctx context.Context, last *K) (*K, error) {
	switch known := c.state(); {
	case known.set != last:
		return c.Current(ctx, "")
	case c.settings.Now().Sub(known.triedAt) < RetryInterval:
		return last, nil
	default:
		return c.wait(ctx)
	}
}

// Ready returns nil if there are usable keys. It reads them if there are none yet. The error
// is that of [Cache.Current].
func (c *Cache[K]) Ready(ctx context.Context) error {
	if known := c.state(); known.set != nil && c.settings.Now().Sub(known.readAt) < c.settings.MaxAge {
		return nil
	}
	_, err := c.Current(ctx, "")
	return err
}

// Age returns the time since the keys were last read; ok is false if they never were.
func (c *Cache[K]) Age() (age time.Duration, ok bool) {
	known := c.state()
	return max(0, c.settings.Now().Sub(known.readAt)), known.set != nil
}

// unavailable returns the error for a call without usable keys.
func (c *Cache[K]) unavailable(cause error) error {
	if cause == nil {
		cause = errors.New("they were never read")
	}
	return fmt.Errorf("%w: the keys of issuer %s: %w", application.ErrUnavailable, c.settings.Issuer, cause)
}

// wait reads the keys, once for all callers that wait, and returns the latest set if it may
// be used.
func (c *Cache[K]) wait(ctx context.Context) (*K, error) {
	select {
	case <-c.flight.DoChan("", c.read):
		known := c.state()
		if known.set == nil || c.settings.Now().Sub(known.readAt) >= c.settings.MaxAge {
			return nil, c.unavailable(known.failed)
		}
		return known.set, nil
	case <-ctx.Done():
		return nil, c.unavailable(ctx.Err())
	}
}

// read reads the source once. It has its own deadline, so that the end of one caller's
// request does not fail the others.
func (c *Cache[K]) read() (any, error) {
	ctx, cancel := context.WithTimeout(context.Background(), c.settings.Timeout)
	defer cancel()
	text, err := c.settings.Source(ctx)
	var set *K
	if err == nil {
		set, err = c.settings.Parse(text)
	}
	digest := sha256.Sum256(text)
	if c.settings.Report != nil {
		c.settings.Report(set, digest, err, c.state().failed != nil)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known.triedAt, c.known.failed = c.settings.Now(), err
	if err != nil {
		return nil, err
	}
	c.known.readAt = c.known.triedAt
	if c.known.set == nil || c.known.digest != digest { // the same pointer keeps results valid that depend on it
		c.known.set, c.known.digest = set, digest
	}
	return nil, nil
}
