package statements

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/clientele-oauth/clientele/adapters/internal/configured"
	"github.com/clientele-oauth/clientele/adapters/internal/jws"
	"github.com/clientele-oauth/clientele/adapters/internal/keycache"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

const (
	// fetchTimeout bounds a request for the keys of an issuer: some clients wait only ten
	// seconds for their registration.
	fetchTimeout = 3 * time.Second
	// keysMaxAge is the age from which the keys of an issuer are no longer used.
	keysMaxAge = 15 * time.Minute
	// maxCaches bounds the locations of keys that are remembered. There are more only if
	// the operator changes the configuration often.
	maxCaches = 1024
)

// issuerKeys reads the keys of issuers, which the operator configures.
type issuerKeys struct {
	options Options
	client  *http.Client

	mu     sync.Mutex
	caches map[string]*keycache.Cache[domain.KeySet] // by jwks_uri
}

func newIssuerKeys(options Options) *issuerKeys {
	return &issuerKeys{
		options: options, client: configured.NewClient(fetchTimeout), caches: map[string]*keycache.Cache[domain.KeySet]{},
	}
}

// find returns the keys of an issuer, with the one that a message names if the issuer has it.
// For a message without a kid that no key verifies, they are read again, as for an unknown
// kid. The error is [application.ErrUnavailable].
func (k *issuerKeys) find(ctx context.Context, issuer domain.StatementIssuer, message *jws.Message) (domain.KeySet, error) {
	if issuer.JWKSURI == "" {
		set, err := k.parse([]byte(issuer.Keys))
		if err != nil {
			return domain.KeySet{}, fmt.Errorf("%w: the keys of issuer %s: %w", application.ErrUnavailable, issuer.Issuer, err)
		}
		return *set, nil
	}
	cache := k.cache(issuer)
	set, err := cache.Current(ctx, message.Header.KeyID)
	if err != nil {
		return domain.KeySet{}, err
	}
	if message.Header.KeyID == "" && !isSigned(message, *set) {
		if set, err = cache.Renewed(ctx, set); err != nil {
			return domain.KeySet{}, err
		}
	}
	return *set, nil
}

// cache returns the keys at the issuer's jwks_uri.
func (k *issuerKeys) cache(issuer domain.StatementIssuer) *keycache.Cache[domain.KeySet] {
	k.mu.Lock()
	defer k.mu.Unlock()
	if known, ok := k.caches[issuer.JWKSURI]; ok {
		return known
	}
	if len(k.caches) >= maxCaches {
		clear(k.caches)
	}
	log := k.options.Log.With("issuer", issuer.Issuer)
	cache := keycache.New(keycache.Settings[domain.KeySet]{
		Issuer: issuer.Issuer,
		Source: func(ctx context.Context) ([]byte, error) { return k.fetch(ctx, issuer.JWKSURI) },
		Parse:  k.parse,
		Has: func(set *domain.KeySet, id string) bool {
			return id == "" || slices.ContainsFunc(set.Keys, func(key domain.Key) bool { return key.KeyID == id })
		},
		Now:     k.options.Now,
		MaxAge:  keysMaxAge,
		Timeout: fetchTimeout,
		Report:  func(_ *domain.KeySet, _ [sha256.Size]byte, err error, failing bool) { report(log, err, failing) },
	})
	k.caches[issuer.JWKSURI] = cache
	return cache
}

// report logs when reading begins to fail, and when it no longer does.
func report(log *slog.Logger, err error, failing bool) {
	switch {
	case err != nil && !failing:
		log.Warn("the keys of an issuer of software statements cannot be read", "error", err)
	case err == nil && failing:
		log.Info("the keys of an issuer of software statements can be read again")
	}
}

// fetch reads the text at a URL.
func (k *issuerKeys) fetch(ctx context.Context, at string) ([]byte, error) {
	if !fetchable(at) {
		return nil, errors.New("jwks_uri must be an https URL, or an http URL of a loopback address")
	}
	return configured.Get(ctx, k.client, at, "application/jwk-set+json, application/json", domain.MaxKeySetBytes)
}

// fetchable reports whether the keys of an issuer can be fetched from a URL. With http,
// another host on the network could replace them.
func fetchable(text string) bool {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return false
	}
	address, err := netip.ParseAddr(u.Hostname())
	loopback := u.Hostname() == "localhost" || err == nil && address.IsLoopback()
	return u.Scheme == "https" || u.Scheme == "http" && loopback
}

// parse reads a JWK Set.
func (k *issuerKeys) parse(text []byte) (*domain.KeySet, error) {
	set := k.options.Keys.Parse(string(text))
	if set.Fault != domain.KeySetReadable {
		return nil, fmt.Errorf("not a usable JWK Set: %s", set.Detail)
	}
	return &set, nil
}
