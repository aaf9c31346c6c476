package jwks

import (
	"context"
	"net/url"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/clientele-oauth/clientele/domain"
)

const (
	// failureFresh is how long a failure is remembered, so that repeated attempts
	// to store the same client do not repeat the request.
	failureFresh = 2 * time.Second
	maxCached    = 1000
)

// documentKind describes the documents that a source fetches, and the facts T that come
// of them.
type documentKind[T any] struct {
	media        media
	maxBytes     int64 // longer documents are cut one byte behind this
	maxRedirects int
	seen         func(text []byte) T           // the facts of a document
	unreachable  func(reason string) (facts T) // the facts of a failure
}

// source fetches documents of one kind, and remembers what it fetched, also failures. The
// URIs were checked by a [domain.Policy].
type source[T any] struct {
	kind    documentKind[T]
	options Options
	fetcher *fetcher
	flight  singleflight.Group
	limits  *fetchLimits // shared with the other sources

	mu    sync.Mutex
	cache map[string]result[T]
}

// result is the outcome of a fetch.
type result[T any] struct {
	facts     T
	fetchedAt time.Time
	expires   time.Time
}

func newSource[T any](options Options, limits *fetchLimits, kind documentKind[T]) *source[T] {
	return &source[T]{
		kind: kind, options: options, fetcher: newFetcher(options, kind.media, kind.maxRedirects), limits: limits,
		cache: map[string]result[T]{},
	}
}

// fetch returns the facts of the document at a URI, and when it was fetched. Concurrent
// fetches of one URI share one request, also across tenants. The error is
// [application.ErrTooManyFetches] or [application.ErrUnavailable].
func (s *source[T]) fetch(ctx context.Context, tenant domain.TenantID, uri string) (facts T, at time.Time, err error) {
	now := s.options.Now()
	target, err := url.Parse(uri)
	if err != nil {
		return s.kind.unreachable("the URI is not valid"), now, nil //nolint:nilerr // it is in the result
	}
	fresh := func() (result[T], bool) { return s.cached(uri, s.options.Now()) }
	return s.share(ctx, tenant, uri, fresh, func() (result[T], error) {
		return s.fetchWithinLimits(tenant, uri, target.Hostname(), false)
	})
}

// share is [share] for the documents of this source.
func (s *source[T]) share(
	ctx context.Context, tenant domain.TenantID, key string, known func() (result[T], bool), fetch func() (result[T], error),
) (facts T, at time.Time, err error) {
	found, err := share(ctx, &s.flight, tenant, key, known, fetch)
	if err != nil {
		return facts, s.options.Now(), err
	}
	return found.facts, found.fetchedAt, nil
}

// renewedKey is the key in the cache of the last attempt to read a document again.
func renewedKey(uri string) string { return "renewed " + uri }

// refetch is fetch, but reads the document again unless that was tried within the last
// [minFresh]. Its own results are remembered for this time. Later fetches return what it
// has read, but not a failure, which says nothing against what was read before.
func (s *source[T]) refetch(ctx context.Context, tenant domain.TenantID, uri string) (facts T, at time.Time, err error) {
	now := s.options.Now()
	target, err := url.Parse(uri)
	if err != nil {
		return s.kind.unreachable("the URI is not valid"), now, nil //nolint:nilerr // it is in the result
	}
	recent := func() (result[T], bool) {
		if known, ok := s.cached(renewedKey(uri), s.options.Now()); ok {
			return known, true
		}
		known, ok := s.cached(uri, s.options.Now())
		return known, ok && s.options.Now().Sub(known.fetchedAt) < minFresh
	}
	return s.share(ctx, tenant, renewedKey(uri), recent, func() (result[T], error) {
		return s.fetchWithinLimits(tenant, uri, target.Hostname(), true)
	})
}

// cached returns the result of an earlier fetch that is still fresh.
func (s *source[T]) cached(uri string, now time.Time) (result[T], bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	known, ok := s.cache[uri]
	return known, ok && now.Before(known.expires)
}

// fetchWithinLimits fetches unless too many fetches are in progress, and caches the
// result; again is set if the document may be in the cache. The error is a [*limitError].
func (s *source[T]) fetchWithinLimits(tenant domain.TenantID, uri, host string, again bool) (result[T], error) {
	release, ok := s.limits.acquire(tenant, host)
	if !ok {
		return result[T]{}, &limitError{tenant}
	}
	defer release()
	facts, fresh := s.request(uri)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.cache) >= maxCached {
		clear(s.cache)
	}
	now := s.options.Now()
	fetched := result[T]{facts: facts, fetchedAt: now, expires: now.Add(fresh)}
	known, isKnown := s.cache[uri]
	if failed := fresh == failureFresh; !again || !failed || !isKnown || !now.Before(known.expires) {
		s.cache[uri] = fetched
	}
	if again {
		fetched.expires = now.Add(minFresh)
		s.cache[renewedKey(uri)] = fetched
	}
	return fetched, nil
}

// request makes one request. The result may be used for the duration fresh.
func (s *source[T]) request(uri string) (facts T, fresh time.Duration) {
	text, header, failure := s.fetcher.get(uri, s.kind.maxBytes)
	if failure != "" {
		return s.kind.unreachable(failure), failureFresh
	}
	return s.kind.seen(text), resourceFreshness().of(header, s.options.Now())
}
