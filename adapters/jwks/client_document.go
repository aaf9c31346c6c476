package jwks

// This file fetches client ID metadata documents
// (draft-ietf-oauth-client-id-metadata-document §4, §5, §8.7).

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/clientele-oauth/clientele/adapters/internal/buckets"
	"github.com/clientele-oauth/clientele/adapters/internal/metadata/self"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

const (
	// fetchesPerMinute limits the fetches from each host, and of each document of a client.
	fetchesPerMinute = 10
	hostSlots        = 1 << 12
)

// documentFreshness is how long a document is reused.
func documentFreshness() freshness {
	return freshness{least: time.Minute, most: 24 * time.Hour, unstated: 5 * time.Minute}
}

// documents fetches client ID metadata documents. Unlike a [source] it remembers neither
// failures nor documents that cannot be read, so that an owner who has repaired a document
// does not wait; instead it limits the fetches from each host.
type documents struct {
	options Options
	fetcher *fetcher
	flight  singleflight.Group
	limits  *fetchLimits // shared with the sources
	hosts   *buckets.Buckets[string]
	// reader returns the reader of documents. To make it takes a moment, and most processes
	// of the command line read no document.
	reader func() (*self.Reader, error)

	mu    sync.Mutex
	cache bounded[documentKey, result[application.FetchedDocument]]
	last  bounded[domain.ClientID, documentVersion]
}

// documentKey identifies a document in the cache. A document that is too large for one
// tenant may be acceptable for another one.
type documentKey struct {
	url      domain.ClientID
	maxBytes int
}

func (k documentKey) String() string { return strconv.Itoa(k.maxBytes) + " " + string(k.url) }

func newDocuments(options Options, limits *fetchLimits) *documents {
	if options.Policy.Loopback {
		options.Policy.KeyHosts = slices.Concat(options.Policy.KeyHosts, loopbackHosts())
	}
	return &documents{
		options: options,
		// A redirect could lead to a document of another owner (§5).
		fetcher: newFetcher(options, media{types: []string{"application/json"}, anyJSON: true}, 0),
		limits:  limits, hosts: buckets.New[string](hostSlots, fetchesPerMinute, time.Minute, options.Now), reader: sync.OnceValues(self.NewReader),
		cache: newBounded[documentKey, result[application.FetchedDocument]](maxCached, maxCachedBytes),
		last:  newBounded[domain.ClientID, documentVersion](maxCached, maxCachedBytes),
	}
}

// loopbackHosts are the hosts from which documents are fetched in development, also without
// TLS.
func loopbackHosts() []string { return []string{"localhost", "127.0.0.1", "::1"} }

// FetchClientDocument implements [application.ClientDocuments]. Concurrent fetches of one
// document share one request, also across tenants. It makes at most ten requests per minute
// and host, and as many for each document that names its URL as the client_id; the error is
// then an [*application.RetryError].
func (r *Resolver) FetchClientDocument(
	ctx context.Context, tenant domain.TenantID, id domain.ClientID, maxBytes int, again bool,
) (application.FetchedDocument, error) {
	return r.documents.fetch(ctx, tenant, id, maxBytes, again)
}

// fetch returns the document at a URL. Unless again is set, it may be a fresh one that was
// fetched before.
func (d *documents) fetch(
	ctx context.Context, tenant domain.TenantID, id domain.ClientID, maxBytes int, again bool,
) (application.FetchedDocument, error) {
	target, err := d.target(id)
	if err != nil {
		return application.FetchedDocument{}, err
	}
	if maxBytes <= 0 {
		maxBytes = domain.DefaultDocumentBytes
	}
	key := documentKey{id, min(maxBytes, domain.MaxDocumentBytes)}
	flight, known := key.String(), func() (result[application.FetchedDocument], bool) { return d.cached(key) }
	if again {
		flight, known = renewedKey(flight), func() (found result[application.FetchedDocument], ok bool) { return found, false }
	}
	get := func() (result[application.FetchedDocument], error) { //nolint:contextcheck // callers share the fetch, so it has a context of its own
		return d.fetchWithinLimits(tenant, key, target.Hostname())
	}
	found, err := share(ctx, &d.flight, tenant, flight, known, get)
	return found.facts, err
}

// target returns the URL of a document, or a [*application.DocumentError] if nothing is
// fetched from it. Which URLs are valid is decided before; this guards the connection.
func (d *documents) target(id domain.ClientID) (*url.URL, error) {
	target, err := url.Parse(string(id))
	policy := &d.options.Policy
	switch {
	case err != nil || policy.CheckDocumentURL(id).HasViolations():
		return nil, documentUnreachable("nothing is fetched from this URL")
	case policy.Loopback && slices.Contains(loopbackHosts(), strings.ToLower(target.Hostname())):
		return target, nil
	}
	switch err := policy.CheckFetchURI(string(id)); {
	case errors.Is(err, domain.ErrFetchURIHost):
		return nil, documentUnreachable("nothing is fetched from this host, because its address is not public")
	case err != nil:
		return nil, documentUnreachable("nothing is fetched from this URL")
	default:
		return target, nil
	}
}

func documentUnreachable(reason string) error {
	return &application.DocumentError{Reason: application.DocumentUnreachable, Message: reason}
}

// cached returns the document of an earlier fetch that is still fresh.
func (d *documents) cached(key documentKey) (result[application.FetchedDocument], bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	known, ok := d.cache.get(key)
	known.facts.Cached = true
	return known, ok && d.options.Now().Before(known.expires)
}

// fetchWithinLimits fetches a document unless too many fetches are in progress, or too many
// were made from the host. It remembers a document that can be read.
func (d *documents) fetchWithinLimits(tenant domain.TenantID, key documentKey, host string) (result[application.FetchedDocument], error) {
	limited, acquire := strings.ToLower(host), d.limits.acquireUnknown
	if d.isOwn(key.url) {
		limited, acquire = string(key.url), d.limits.acquire
	}
	release, ok := acquire(tenant, host)
	if !ok {
		return result[application.FetchedDocument]{}, &limitError{tenant}
	}
	defer release()
	if wait := d.hosts.Take(limited); wait > 0 {
		return result[application.FetchedDocument]{}, &application.RetryError{
			Cause: application.ErrTooManyRequests, After: wait,
			Message: fmt.Sprintf("documents are fetched from a host at most %d times per minute", fetchesPerMinute),
		}
	}
	text, header, failure := d.fetcher.get(string(key.url), int64(key.maxBytes))
	switch {
	case failure != "":
		return result[application.FetchedDocument]{}, documentUnreachable(failure)
	case len(text) > key.maxBytes:
		return result[application.FetchedDocument]{}, documentMalformed(fmt.Sprintf("the document is larger than %d bytes", key.maxBytes))
	}
	document, members, err := d.parse(key.url, text)
	if err != nil {
		return result[application.FetchedDocument]{}, err
	}
	now := d.options.Now()
	document.FetchedAt = now.UTC().Truncate(time.Microsecond) // with the resolution of the stores
	return d.remember(key, len(text), members, result[application.FetchedDocument]{
		facts:     application.FetchedDocument{Document: document},
		fetchedAt: now,
		expires:   now.Add(documentFreshness().of(header, now)),
	}), nil
}

// isOwn reports whether the host had the document of a client at the URL. Such a document has
// a rate limit of its own, and places that unknown ones do not take: anyone can make an
// authorization server ask for other URLs, at the host of a client or at hosts that do not
// respond.
func (d *documents) isOwn(id domain.ClientID) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	version, known := d.last.get(id)
	return known && version.own
}

// remember adds a document to the cache, and notes which members differ from those of the
// one before it.
func (d *documents) remember(
	key documentKey, size int, members memberDigests, fetched result[application.FetchedDocument],
) result[application.FetchedDocument] {
	d.mu.Lock()
	defer d.mu.Unlock()
	document := &fetched.facts.Document
	version := documentVersion{members: members, own: document.ClientID == string(document.URL)}
	if before, ok := d.last.get(key.url); ok {
		version.changes = before.changes.With(version.members.differences(before.members), fetched.fetchedAt)
	}
	d.last.put(key.url, version, len(key.url)+version.size())
	fetched.facts.FreshUntil = fetched.expires
	fetched.facts.Changes = version.changes
	d.cache.put(key, fetched, documentOverhead*size)
	return fetched
}
