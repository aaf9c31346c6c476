package jose

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"
	"golang.org/x/sync/singleflight"

	"github.com/clientele-oauth/clientele/application"
)

// How the keys of the token issuer are kept.
const (
	maxIssuerKeysBytes = 1 << 20
	issuerFetchTimeout = 5 * time.Second
	// issuerKeysFresh is how long a set is used without looking again.
	issuerKeysFresh = 5 * time.Minute
	// issuerRetryInterval is the least time between two looks, whatever tokens
	// come: a token with an invented kid must not make the service a hammer.
	issuerRetryInterval = 10 * time.Second
	// issuerColdInterval is the same while there is no set at all.
	issuerColdInterval = time.Second
)

// KeySource reads the JWK Set of the token issuer.
type KeySource func(ctx context.Context) ([]byte, error)

// KeysFromURL reads the set at url. It is the operator's own setting, so it
// may be anywhere; the answer is bounded and must come in time.
func KeysFromURL(url string) KeySource {
	client := &http.Client{Timeout: issuerFetchTimeout}
	return func(ctx context.Context) ([]byte, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
		if err != nil {
			return nil, fmt.Errorf("issuer keys: %w", err)
		}
		req.Header.Set("Accept", "application/jwk-set+json, application/json")
		resp, err := client.Do(req)
		if err != nil {
			return nil, fmt.Errorf("issuer keys: %w", err)
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("issuer keys: %s answers %s", url, resp.Status)
		}
		text, err := io.ReadAll(io.LimitReader(resp.Body, maxIssuerKeysBytes+1))
		if err != nil {
			return nil, fmt.Errorf("issuer keys: %w", err)
		}
		if len(text) > maxIssuerKeysBytes {
			return nil, fmt.Errorf("issuer keys: %s is over %d bytes", url, maxIssuerKeysBytes)
		}
		return text, nil
	}
}

// KeysFromFile reads the set in a file.
func KeysFromFile(path string) KeySource {
	return func(context.Context) ([]byte, error) {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("issuer keys: %w", err)
		}
		return text, nil
	}
}

// IssuerKeys keeps the public keys of the token issuer: read when first
// needed, read again when they have aged or a token names an unknown key, and
// kept while the issuer cannot be asked. It is safe for concurrent use.
type IssuerKeys struct {
	source KeySource
	now    func() time.Time
	flight singleflight.Group

	mu      sync.RWMutex
	set     jwk.Set // nil until the first success; never changed once here
	readAt  time.Time
	triedAt time.Time
}

// NewIssuerKeys returns the keys behind source. Nothing is read yet.
func NewIssuerKeys(source KeySource, now func() time.Time) *IssuerKeys {
	return &IssuerKeys{source: source, now: now}
}

// Set returns a set that holds the key kid if the issuer has it. It waits for
// the issuer only where there is no set at all or kid is not in it. The error
// is [application.ErrUnavailable] where there has never been a set.
func (k *IssuerKeys) Set(ctx context.Context, kid string) (jwk.Set, error) {
	k.mu.RLock()
	set, readAt, triedAt := k.set, k.readAt, k.triedAt
	k.mu.RUnlock()

	now := k.now()
	if set == nil {
		if now.Sub(triedAt) < issuerColdInterval {
			return nil, fmt.Errorf("%w: the issuer's keys were asked for just now, in vain", application.ErrUnavailable)
		}
		return k.wait(ctx, nil)
	}
	_, known := set.LookupKeyID(kid)
	switch {
	case known && now.Sub(readAt) < issuerKeysFresh, now.Sub(triedAt) < issuerRetryInterval:
		return set, nil
	case known:
		k.flight.DoChan("", k.read) // nobody waits for it
		return set, nil
	default:
		return k.wait(ctx, set)
	}
}

// Ready returns nil where there is a set, and reads it where there is none yet.
func (k *IssuerKeys) Ready(ctx context.Context) error {
	k.mu.RLock()
	known := k.set != nil
	k.mu.RUnlock()
	if known {
		return nil
	}
	_, err := k.Set(ctx, "")
	return err
}

// wait reads the keys together with everybody else who waits for them; last is
// the set to fall back on, nil for none.
func (k *IssuerKeys) wait(ctx context.Context, last jwk.Set) (jwk.Set, error) {
	select {
	case done := <-k.flight.DoChan("", k.read):
		if fresh, ok := done.Val.(jwk.Set); ok {
			return fresh, nil
		}
		if last != nil {
			return last, nil
		}
		return nil, errors.Join(application.ErrUnavailable, done.Err)
	case <-ctx.Done():
		return nil, errors.Join(application.ErrUnavailable, ctx.Err())
	}
}

// read asks the source once, for everybody who waits. The request of one
// caller ending must not fail it for the others, so it has a time of its own.
func (k *IssuerKeys) read() (any, error) {
	ctx, cancel := context.WithTimeout(context.Background(), issuerFetchTimeout)
	defer cancel()
	text, err := k.source(ctx)
	var set jwk.Set
	if err == nil {
		set, err = verificationKeys(text)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.triedAt = k.now()
	if err != nil {
		return nil, err
	}
	k.set, k.readAt = set, k.triedAt
	return set, nil
}

// verificationKeys reads a JWK Set and keeps the public part of the keys that
// can verify; symmetric keys are dropped, since whoever can read them could
// make tokens.
func verificationKeys(text []byte) (jwk.Set, error) {
	parsed, err := jwk.Parse(text)
	if err != nil {
		return nil, errors.New("issuer keys: not a JWK Set")
	}
	kept := jwk.NewSet()
	for i := range parsed.Len() {
		key, ok := parsed.Key(i)
		if !ok || key.KeyType() == jwa.OctetSeq || key.KeyUsage() == string(jwk.ForEncryption) {
			continue
		}
		public, err := key.PublicKey()
		if err != nil {
			return nil, errors.New("issuer keys: a key has no public part")
		}
		if err := kept.AddKey(public); err != nil {
			return nil, errors.New("issuer keys: a key stands in the set twice")
		}
	}
	if kept.Len() == 0 {
		return nil, errors.New("issuer keys: no key can verify a token")
	}
	return kept, nil
}
