package tokens

import (
	"context"
	"crypto/sha256"
	"log/slog"
	"sync"
	"time"

	"github.com/clientele-oauth/clientele/adapters/internal/keycache"
)

// issuerFetchTimeout bounds a read of the keys of a token issuer.
const issuerFetchTimeout = keycache.DefaultTimeout

// DefaultKeysMaxAge is the age from which keys are no longer used.
const DefaultKeysMaxAge = keycache.DefaultMaxAge

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
	settings KeySettings
	cache    *keycache.Cache[issuerKeySet]

	mu       sync.Mutex
	reported [sha256.Size]byte // digest of the text whose ignored keys were reported last
}

// NewIssuerKeys returns the keys from source. It does not read them yet.
func NewIssuerKeys(source KeySource, settings KeySettings, now func() time.Time) *IssuerKeys {
	if settings.Log == nil {
		settings.Log = slog.New(slog.DiscardHandler)
	}
	k := &IssuerKeys{settings: settings}
	k.cache = keycache.New(keycache.Settings[issuerKeySet]{
		Issuer:  settings.Issuer,
		Source:  source,
		Parse:   func(text []byte) (*issuerKeySet, error) { return parseIssuerKeys(text, settings.RequireKeyID) },
		Has:     (*issuerKeySet).has,
		Now:     now,
		MaxAge:  settings.MaxAge,
		Timeout: issuerFetchTimeout,
		Local:   settings.Local,
		Report:  k.report,
	})
	return k
}

// current returns a set that contains the key keyID if the issuer has it. The error
// is [application.ErrUnavailable] if there is no set, or only one that is too old and
// cannot be read again.
func (k *IssuerKeys) current(ctx context.Context, keyID string) (*issuerKeySet, error) {
	return k.cache.Current(ctx, keyID)
}

// renewed returns a set that was read after the given one, unless the last read was
// too recent; then it returns the same set.
func (k *IssuerKeys) renewed(ctx context.Context, last *issuerKeySet) (*issuerKeySet, error) {
	return k.cache.Renewed(ctx, last)
}

// Ready returns nil if there are usable keys. It reads them if there are none yet.
func (k *IssuerKeys) Ready(ctx context.Context) error { return k.cache.Ready(ctx) }

// Age returns the time since the issuer's keys were last read; ok is false if they
// never were.
func (k *IssuerKeys) Age() (age time.Duration, ok bool) { return k.cache.Age() }

// Issuer returns the name of the issuer.
func (k *IssuerKeys) Issuer() string { return k.settings.Issuer }

// report logs and counts ignored keys once for each change of the set, and logs a
// failure when it begins and when it ends.
func (k *IssuerKeys) report(set *issuerKeySet, digest [sha256.Size]byte, err error, failing bool) {
	log := k.settings.Log.With("issuer", k.settings.Issuer)
	k.mu.Lock()
	changed := set != nil && digest != k.reported
	if changed {
		k.reported = digest
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
