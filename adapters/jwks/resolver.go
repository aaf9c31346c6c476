package jwks

import (
	"context"
	"crypto/x509"
	"errors"
	"net"
	"time"

	"github.com/clientele-oauth/clientele/domain"
)

const (
	defaultTimeout = 3 * time.Second
	// maxKeyRedirects bounds the redirects of a jwks_uri.
	maxKeyRedirects = 3
)

// Options configure how clients' documents are fetched. The zero value is usable.
type Options struct {
	// Policy decides which addresses and hosts may serve documents. With
	// [domain.Policy.Loopback], client ID metadata documents may also be at loopback hosts,
	// with or without TLS.
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

// Resolver reads what clients publish: public keys, sector identifiers and client ID metadata
// documents. It implements
// [github.com/clientele-oauth/clientele/application.KeyResolver],
// [github.com/clientele-oauth/clientele/application.SectorResolver] and
// [github.com/clientele-oauth/clientele/application.ClientDocuments], and is safe for
// concurrent use.
type Resolver struct {
	options   Options
	keys      *source[fetchedKeys]
	sectors   *source[domain.SectorIdentifier]
	documents *documents
}

// fetchedKeys are the keys at a jwks_uri.
type fetchedKeys struct {
	facts domain.Keys
	text  string // the JWK Set; empty if none could be read
}

// readKeys returns the keys of a JWK Set.
func readKeys(text []byte) fetchedKeys {
	set := parse(text)
	fetched := fetchedKeys{facts: domain.KeysSeen(set)}
	if set.Fault == domain.KeySetReadable {
		fetched.text = string(text)
	}
	return fetched
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
	limits := newFetchLimits()
	return &Resolver{
		options: options,
		keys: newSource(options, limits, documentKind[fetchedKeys]{
			media:        media{types: []string{"application/jwk-set+json", "application/json"}},
			maxBytes:     domain.MaxKeySetBytes,
			maxRedirects: maxKeyRedirects,
			seen:         readKeys,
			unreachable:  func(reason string) fetchedKeys { return fetchedKeys{facts: domain.KeysUnreachable(reason)} },
		}),
		sectors: newSource(options, limits, documentKind[domain.SectorIdentifier]{
			media:    media{types: []string{"application/json"}},
			maxBytes: domain.MaxSectorIdentifierBytes,
			// A redirect could lead to a document of another owner (OIDC Registration §5
			// does not mention redirects).
			maxRedirects: 0,
			seen:         ParseSectorIdentifier,
			unreachable:  domain.SectorIdentifierUnreachable,
		}),
		documents: newDocuments(options, limits),
	}
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
// [domain.Policy.CheckFetchURI] rejects: one with an invalid syntax is not examined,
// because a rule reports it, and one with a host that is not public is
// [domain.KeysRefused].
func (r *Resolver) Fetch(ctx context.Context, tenant domain.TenantID, uri string) (domain.Keys, time.Time, error) {
	return r.fetchKeys(ctx, tenant, uri, r.keys.fetch)
}

// Refetch implements [application.KeyResolver]. It connects to a host at most every ten
// seconds for a URI.
func (r *Resolver) Refetch(ctx context.Context, tenant domain.TenantID, uri string) (domain.Keys, time.Time, error) {
	return r.fetchKeys(ctx, tenant, uri, r.keys.refetch)
}

func (r *Resolver) fetchKeys(
	ctx context.Context, tenant domain.TenantID, uri string,
	fetch func(context.Context, domain.TenantID, string) (fetchedKeys, time.Time, error),
) (domain.Keys, time.Time, error) {
	switch err := r.options.Policy.CheckFetchURI(uri); {
	case errors.Is(err, domain.ErrFetchURIHost):
		return domain.KeysRefused(), r.options.Now(), nil
	case err != nil:
		return domain.KeysUnexamined(), r.options.Now(), nil //nolint:nilerr // the rule jwks-uri-syntax reports it
	default:
		fetched, at, err := fetch(ctx, tenant, uri)
		return fetched.facts, at, err
	}
}

// Cached implements [application.KeyResolver].
func (r *Resolver) Cached(uri string) (jwks string, ok bool) {
	known, fresh := r.keys.cached(uri, r.options.Now())
	return known.facts.text, fresh && known.facts.text != ""
}

// FetchSectorIdentifier implements [application.SectorResolver] in the same way as
// [Resolver.Fetch], but follows no redirect.
func (r *Resolver) FetchSectorIdentifier(ctx context.Context, tenant domain.TenantID, uri string) (domain.SectorIdentifier, error) {
	switch err := r.options.Policy.CheckSectorIdentifierURI(uri); {
	case errors.Is(err, domain.ErrFetchURIHost):
		return domain.SectorIdentifierRefused(), nil
	case err != nil:
		return domain.SectorIdentifierUnexamined(), nil //nolint:nilerr // the rule sector-identifier-syntax reports it
	default:
		sector, _, err := r.sectors.fetch(ctx, tenant, uri)
		return sector, err
	}
}
