package tokens

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/clientele-oauth/clientele/application"
)

// How the keys of a token issuer are kept.
const (
	issuerFetchTimeout = 5 * time.Second
	// issuerKeysFresh is how long a set is used without reading it again.
	issuerKeysFresh = 5 * time.Minute
	// issuerKeysStale is the age from which callers wait until the set is read
	// again, so that a revoked key is not accepted after an hour without requests.
	issuerKeysStale = 15 * time.Minute
	// issuerRetryInterval is the minimum time between two reads: tokens with an
	// invented kid must not cause a flood of requests to the issuer.
	issuerRetryInterval = 10 * time.Second
	// issuerColdInterval is the minimum while there is no usable set.
	issuerColdInterval = time.Second
	// issuerDownInterval is the time after a failed read in which callers do not
	// wait for the next one: the issuer is known to be down, and its keys are read
	// in the background.
	issuerDownInterval = time.Minute
	// keyFileInterval is how often a file of keys is read again.
	keyFileInterval = time.Second

	// DefaultKeysMaxAge is the age from which keys are no longer used.
	DefaultKeysMaxAge = 24 * time.Hour
)

// KeySettings configure how the keys of an issuer are read and cached.
type KeySettings struct {
	// Issuer names the issuer in logs and metrics.
	Issuer string
	// MaxAge is the age from which keys are no longer used if they cannot be read
	// again; 0 means [DefaultKeysMaxAge].
	MaxAge time.Duration
	// Local means that reading is cheap, for example from a file. Such keys are
	// read again every second.
	Local bool
	// RequireKeyID ignores keys without a "kid", because tokens must name their
	// key.
	RequireKeyID bool
	// Log receives a warning for each ignored key whenever the set changes, and
	// when reading fails; nil discards them.
	Log *slog.Logger
	// Ignored is called for each ignored key whenever the set changes. It may be
	// nil.
	Ignored func(issuer string, key IgnoredKey)
}

// IssuerKeys caches the public keys of a token issuer. A set is used for five
// minutes, and then read again in the background; from an age of fifteen minutes,
// callers wait until it is read. While the issuer cannot be reached, the last set is
// used up to its maximum age. A token that names an unknown key also causes the set to
// be read again. It is safe for concurrent use.
type IssuerKeys struct {
	source   KeySource
	settings KeySettings
	now      func() time.Time
	flight   singleflight.Group

	mu       sync.RWMutex
	set      *issuerKeySet // nil until the first success
	readAt   time.Time     // when set was last confirmed
	triedAt  time.Time
	failed   error    // of the last read; nil if it succeeded
	reported [32]byte // digest of the text whose ignored keys were reported last
}

// NewIssuerKeys returns the keys from source. It does not read them yet.
func NewIssuerKeys(source KeySource, settings KeySettings, now func() time.Time) *IssuerKeys {
	if settings.MaxAge <= 0 {
		settings.MaxAge = DefaultKeysMaxAge
	}
	if settings.Log == nil {
		settings.Log = slog.New(slog.DiscardHandler)
	}
	return &IssuerKeys{source: source, settings: settings, now: now}
}

// keyState is a snapshot of what is known.
type keyState struct {
	set             *issuerKeySet
	readAt, triedAt time.Time
	failed          error
}

func (k *IssuerKeys) state() keyState {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return keyState{k.set, k.readAt, k.triedAt, k.failed}
}

// current returns a set that contains the key keyID if the issuer has it. The error
// is [application.ErrUnavailable] if there is no set, or only one that is too old and
// cannot be read again.
func (k *IssuerKeys) current(ctx context.Context, keyID string) (*issuerKeySet, error) {
	now, known := k.now(), k.state()
	fresh, stale, retry := issuerKeysFresh, issuerKeysStale, issuerRetryInterval
	if k.settings.Local {
		fresh, stale, retry = keyFileInterval, keyFileInterval, keyFileInterval
	}
	age, sinceTry := now.Sub(known.readAt), now.Sub(known.triedAt)
	switch {
	case known.set == nil || age >= k.settings.MaxAge:
		if sinceTry < issuerColdInterval {
			return nil, k.unavailable(known.failed)
		}
		return k.wait(ctx)
	case age < fresh && known.set.has(keyID), sinceTry < retry:
		return known.set, nil
	case !known.set.has(keyID):
		return k.wait(ctx)
	case age < stale, known.failed != nil && sinceTry < issuerDownInterval:
		k.flight.DoChan("", k.read) // in the background
		return known.set, nil
	default:
		return k.wait(ctx)
	}
}

// renewed returns a set that was read after the given one, unless the last read was
// too recent; then it returns the same set.
func (k *IssuerKeys) renewed(ctx context.Context, last *issuerKeySet) (*issuerKeySet, error) {
	switch known := k.state(); {
	case known.set != last:
		return k.current(ctx, "")
	case k.now().Sub(known.triedAt) < issuerRetryInterval:
		return last, nil
	default:
		return k.wait(ctx)
	}
}

// Ready returns nil if there are usable keys. It reads them if there are none yet.
func (k *IssuerKeys) Ready(ctx context.Context) error {
	if known := k.state(); known.set != nil && k.now().Sub(known.readAt) < k.settings.MaxAge {
		return nil
	}
	_, err := k.current(ctx, "")
	return err
}

// Age returns the time since the issuer's keys were last read; ok is false if they
// never were.
func (k *IssuerKeys) Age() (age time.Duration, ok bool) {
	known := k.state()
	return max(0, k.now().Sub(known.readAt)), known.set != nil
}

// Issuer returns the name of the issuer.
func (k *IssuerKeys) Issuer() string { return k.settings.Issuer }

// unavailable returns the error for a call without usable keys.
func (k *IssuerKeys) unavailable(cause error) error {
	if cause == nil {
		cause = errors.New("they were never read")
	}
	return fmt.Errorf("%w: the keys of issuer %s: %w", application.ErrUnavailable, k.settings.Issuer, cause)
}

// wait reads the keys, once for all callers that wait, and returns the latest set if
// it may be used.
func (k *IssuerKeys) wait(ctx context.Context) (*issuerKeySet, error) {
	select {
	case <-k.flight.DoChan("", k.read):
		known := k.state()
		if known.set == nil || k.now().Sub(known.readAt) >= k.settings.MaxAge {
			return nil, k.unavailable(known.failed)
		}
		return known.set, nil
	case <-ctx.Done():
		return nil, k.unavailable(ctx.Err())
	}
}

// read reads the source once. It has its own deadline, so that the end of one
// caller's request does not fail the others.
func (k *IssuerKeys) read() (any, error) {
	ctx, cancel := context.WithTimeout(context.Background(), issuerFetchTimeout)
	defer cancel()
	text, err := k.source(ctx)
	var set *issuerKeySet
	if err == nil {
		set, err = parseIssuerKeys(text, k.settings.RequireKeyID)
	}
	k.report(set, err)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.triedAt, k.failed = k.now(), err
	if err != nil {
		return nil, err
	}
	k.readAt = k.triedAt
	if k.set == nil || k.set.digest != set.digest { // the same pointer keeps cached verifications valid
		k.set = set
	}
	return nil, nil
}

// report logs and counts ignored keys once for each change of the set, and logs a
// failure when it begins and when it ends.
func (k *IssuerKeys) report(set *issuerKeySet, err error) {
	log := k.settings.Log.With("issuer", k.settings.Issuer)
	k.mu.Lock()
	failing := k.failed != nil
	changed := set != nil && set.digest != k.reported
	if changed {
		k.reported = set.digest
	}
	k.mu.Unlock()
	if changed {
		for _, key := range set.ignored {
			if key.Detail == notForSigning { // many issuers publish them beside signing keys
				continue
			}
			log.Warn("a key of the issuer is ignored", "index", key.Index, "kid", key.KeyID, "reason", string(key.Reason), "detail", key.Detail)
			if k.settings.Ignored != nil {
				k.settings.Ignored(k.settings.Issuer, key)
			}
		}
	}
	switch {
	case err != nil && (!failing || changed):
		log.Warn("the issuer's keys cannot be read", "error", err)
	case err == nil && failing:
		log.Info("the issuer's keys can be read again")
	}
}
