package jwks

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

const (
	defaultTimeout = 3 * time.Second
	// failureFresh is how long a failure is remembered, so that repeated attempts
	// to store the same client do not repeat the request.
	failureFresh = 2 * time.Second
	maxCached    = 1000
	// unresolvedDelay is the earliest time after the start of a fetch at which a
	// name that does not exist, or one without a public address, is reported, or
	// half the timeout if that is less. So the two cannot be distinguished by time;
	// resolvers mostly respond sooner.
	unresolvedDelay = 500 * time.Millisecond
)

// Options configure how clients' keys are fetched. The zero value is usable.
type Options struct {
	// Policy decides which addresses and hosts may serve keys.
	Policy domain.Policy
	// Timeout bounds a whole fetch: name resolution, connections, redirects and
	// the body. 0 means 3 seconds.
	Timeout time.Duration
	// Roots are the trusted certificate authorities; nil means the system's.
	Roots *x509.CertPool
	// Names resolves host names; nil means the system's resolver.
	Names *net.Resolver
	// Now returns the current time; nil means [time.Now].
	Now func() time.Time
	// Wait delays the report of a name without a public address; nil waits in
	// real time. Tests replace it.
	Wait func(ctx context.Context, d time.Duration)
}

// Resolver reads clients' public keys. It implements
// [github.com/clientele-oauth/clientele/application.KeyResolver] and is safe
// for concurrent use.
type Resolver struct {
	options Options
	client  *http.Client
	flight  singleflight.Group
	limits  fetchLimits

	mu    sync.Mutex
	cache map[string]result
}

// result is the outcome of a fetch.
type result struct {
	keys      domain.Keys
	text      string // of the JWK Set; empty if none was read
	fetchedAt time.Time
	expires   time.Time
}

// NewResolver returns a resolver with these options.
func NewResolver(options Options) *Resolver {
	if options.Timeout == 0 {
		options.Timeout = defaultTimeout
	}
	if options.Now == nil {
		options.Now = time.Now
	}
	if options.Wait == nil {
		options.Wait = wait
	}
	return &Resolver{options: options, client: guardedClient(options), limits: newFetchLimits(), cache: map[string]result{}}
}

// wait returns after d, or when the context ends.
func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// Fetch implements [application.KeyResolver]. Concurrent fetches of one URI share
// one request, also across tenants. No connection is opened for a URI that
// [domain.Policy.CheckKeyURI] rejects: one with an invalid syntax is not examined,
// because a rule reports it, and one with a host that is not public is
// [domain.KeysRefused].
func (r *Resolver) Fetch(ctx context.Context, tenant domain.TenantID, uri string) (domain.Keys, time.Time, error) {
	now := r.options.Now()
	switch err := r.options.Policy.CheckKeyURI(uri); {
	case errors.Is(err, domain.ErrKeyURIHost):
		return domain.KeysRefused(), now, nil
	case err != nil:
		return domain.KeysUnexamined(), now, nil //nolint:nilerr // the rule jwks-uri-syntax reports it
	}
	target, err := url.Parse(uri)
	if err != nil {
		return domain.KeysUnreachable("the URI is not valid"), now, nil //nolint:nilerr // it is in the result
	}
	if known, ok := r.cached(uri, now); ok {
		return known.keys, known.fetchedAt, nil
	}
	for {
		// The end of one caller's request must not fail the fetch for the others,
		// so the fetch has its own deadline.
		outcome := r.flight.DoChan(uri, func() (any, error) { //nolint:contextcheck // see above
			if known, ok := r.cached(uri, r.options.Now()); ok {
				return known, nil
			}
			return r.fetchWithinLimits(tenant, uri, target.Hostname())
		})
		select {
		case done := <-outcome:
			if fetched, ok := done.Val.(result); ok && done.Err == nil {
				return fetched.keys, fetched.fetchedAt, nil
			}
			limited, ok := errors.AsType[*limitError](done.Err)
			if ok && limited.tenant != tenant {
				continue // the share of another tenant was used up, not this one's
			}
			return domain.Keys{}, now, done.Err
		case <-ctx.Done():
			return domain.Keys{}, now, fmt.Errorf("%w: %w", application.ErrUnavailable, ctx.Err())
		}
	}
}

// cached returns the result of an earlier fetch that is still fresh.
func (r *Resolver) cached(uri string, now time.Time) (result, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	known, ok := r.cache[uri]
	return known, ok && now.Before(known.expires)
}

// Cached implements [application.KeyResolver].
func (r *Resolver) Cached(uri string) (jwks string, ok bool) {
	known, fresh := r.cached(uri, r.options.Now())
	return known.text, fresh && known.text != ""
}

// fetchWithinLimits fetches unless too many fetches are in progress, and caches the
// result. The error is a [*limitError].
func (r *Resolver) fetchWithinLimits(tenant domain.TenantID, uri, host string) (result, error) {
	release, ok := r.limits.acquire(tenant, host)
	if !ok {
		return result{}, &limitError{tenant}
	}
	defer release()
	fetched, fresh := r.fetch(uri)
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.cache) >= maxCached {
		clear(r.cache)
	}
	now := r.options.Now()
	fetched.fetchedAt, fetched.expires = now, now.Add(fresh)
	r.cache[uri] = fetched
	return fetched, nil
}

// fetch makes one request. The result may be used for the duration fresh.
func (r *Resolver) fetch(uri string) (fetched result, fresh time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), r.options.Timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, uri, http.NoBody)
	if err != nil {
		return result{keys: domain.KeysUnreachable("the URI cannot be requested")}, failureFresh
	}
	request.Header.Set("Accept", "application/jwk-set+json, application/json")
	began := time.Now()
	response, err := r.client.Do(request)
	if err != nil {
		if _, unresolved := errors.AsType[*net.DNSError](err); unresolved || errors.Is(err, errAddress) {
			r.options.Wait(ctx, min(unresolvedDelay, r.options.Timeout/2)-time.Since(began))
		}
		return result{keys: failure(err)}, failureFresh
	}
	defer response.Body.Close()
	if reason := unacceptable(response); reason != "" {
		return result{keys: domain.KeysUnreachable(reason)}, failureFresh
	}
	text, err := io.ReadAll(io.LimitReader(response.Body, domain.MaxKeySetBytes+1))
	if err != nil {
		return result{keys: failure(err)}, failureFresh
	}
	set := parse(text)
	fetched.keys = domain.KeysSeen(set)
	if set.Fault == domain.KeySetReadable {
		fetched.text = string(text)
	}
	return fetched, freshness(response.Header, r.options.Now())
}

// unreachable is the one reason for a name that does not exist, a name without a
// public address and a host that cannot be reached, so that the registry cannot be
// used to probe a network.
const unreachable = "the host cannot be reached at a public address, or does not speak TLS with a valid certificate"

// failure reports why a fetch failed.
func failure(err error) domain.Keys {
	var timeout interface{ Timeout() bool }
	switch {
	case errors.Is(err, errRedirectTarget):
		return domain.KeysUnreachable("the host redirects to a URI from which keys are not fetched")
	case errors.Is(err, errRedirects):
		return domain.KeysUnreachable("the host redirects more than " + strconv.Itoa(maxRedirects) + " times")
	case errors.Is(err, errAddress):
		return domain.KeysUnreachable(unreachable)
	case errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return domain.KeysUnreachable("the host did not respond in time")
	default:
		return domain.KeysUnreachable(unreachable)
	}
}

// unacceptable reports why the body of a response is not read; empty if it is.
func unacceptable(response *http.Response) string {
	if response.StatusCode != http.StatusOK {
		return "the host responded with status " + strconv.Itoa(response.StatusCode)
	}
	kind, _, err := mime.ParseMediaType(response.Header.Get("Content-Type"))
	if err != nil || kind != "application/jwk-set+json" && kind != "application/json" {
		return "the Content-Type is neither application/jwk-set+json nor application/json"
	}
	if encoding := response.Header.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		return "the response is compressed, although the request did not allow it"
	}
	return ""
}
