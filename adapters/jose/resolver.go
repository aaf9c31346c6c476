package jose

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// Bounds of a fetch of a client's keys.
const (
	maxRedirects      = 3
	maxResponseHeader = 16 << 10
	// What is under way at once. A tenant has a share, and less of it is for one host,
	// so that hosts that hang leave room for others. The last places are for
	// tenants that have no fetch under way.
	maxFetches          = 128
	reservedFetches     = 32
	maxFetchesPerTenant = 16
	maxFetchesPerHost   = 4 // of one tenant
	// How long an answer is used: as its Cache-Control says, within bounds.
	minFresh     = 10 * time.Second
	maxFresh     = time.Hour
	defaultFresh = time.Minute
	// How long a failure is remembered, so that it is not asked for again by
	// every attempt to store the same client.
	failureFresh = 2 * time.Second
	maxCached    = 1000
	// A name that does not exist and a name without a public address are reported
	// no earlier than this after the start of the fetch, or half its timeout, so that
	// the time does not tell them apart either. Resolvers mostly answer sooner.
	unresolvedAfter = 500 * time.Millisecond
)

// FetchRules say from where and how clients' keys are fetched.
type FetchRules struct {
	// Policy knows the addresses and hosts that may hold keys.
	Policy domain.Policy
	// Timeout bounds everything about one fetch: names, connections, redirects
	// and the body. Zero is 3 seconds.
	Timeout time.Duration
	// Roots are the certificate authorities to trust; nil are the system's.
	Roots *x509.CertPool
	// Names resolves host names; nil is the system's resolver.
	Names *net.Resolver
	// Now tells the time; nil is the machine's clock.
	Now func() time.Time
	// Wait waits before a name without a public address is reported; nil waits on
	// the machine's clock.
	Wait func(ctx context.Context, d time.Duration)
}

// Resolver reads clients' public keys. It implements
// [github.com/clientele-oauth/clientele/application.KeyResolver] and is safe
// for concurrent use.
type Resolver struct {
	rules  FetchRules
	client *http.Client
	flight singleflight.Group

	mu        sync.Mutex
	cache     map[string]fetched
	total     int                     // fetches under way
	perTenant map[domain.TenantID]int // the same by tenant
	perHost   map[tenantHost]int      // the same by tenant and host
}

type tenantHost struct {
	tenant domain.TenantID
	host   string
}

// fetched is the outcome of a fetch, and how long it is good for.
type fetched struct {
	keys domain.Keys
	at   time.Time
	till time.Time
}

// NewResolver returns a resolver that fetches by the rules.
func NewResolver(rules FetchRules) *Resolver {
	if rules.Timeout == 0 {
		rules.Timeout = 3 * time.Second
	}
	if rules.Now == nil {
		rules.Now = time.Now
	}
	if rules.Wait == nil {
		rules.Wait = wait
	}
	r := &Resolver{
		rules: rules, cache: map[string]fetched{}, perTenant: map[domain.TenantID]int{}, perHost: map[tenantHost]int{},
	}
	r.client = &http.Client{
		Timeout: rules.Timeout,
		Transport: &http.Transport{
			Proxy:                  nil, // a proxy would connect to what is refused here
			DialContext:            r.dial,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: rules.Roots},
			ForceAttemptHTTP2:      true,
			DisableKeepAlives:      true,
			DisableCompression:     true, // a small body must not become a large one
			MaxResponseHeaderBytes: maxResponseHeader,
		},
		CheckRedirect: func(next *http.Request, via []*http.Request) error {
			next.Header.Del("Referer") // the target must not see the URI that led to it
			target := *next.URL
			target.Fragment, target.RawFragment = "", "" // never sent; legal in a redirect (RFC 9110 §10.2.2)
			switch {
			case len(via) > maxRedirects:
				return errRedirects
			case rules.Policy.CheckKeyURI(target.String()) != nil:
				return errRedirectTarget
			default:
				return nil
			}
		},
	}
	return r
}

// The refusals of a fetch that are not the network's.
var (
	errRefused        = errors.New("the address may not hold keys")
	errRedirects      = errors.New("too many redirects")
	errRedirectTarget = errors.New("a redirect to a URI that may not hold keys")
)

// dial connects to the host of a URI or of a redirect. What is allowed is
// judged by the address that is connected to, after names are resolved, so that
// no name can change its mind in between.
func (r *Resolver) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, errRefused
	}
	dialer := &net.Dialer{Resolver: r.rules.Names}
	if !slices.Contains(r.rules.Policy.KeyHosts, strings.ToLower(host)) {
		dialer.Control = r.control
	}
	return dialer.DialContext(ctx, network, address)
}

// control refuses a connection to an address that may not hold keys.
func (r *Resolver) control(_, address string, _ syscall.RawConn) error {
	ip, err := netip.ParseAddrPort(address)
	if err != nil || !r.rules.Policy.AllowsKeyAddress(ip.Addr()) {
		return errRefused
	}
	return nil
}

// Fetch implements [application.KeyResolver]. Fetches of one URI that would run at
// once are one, also those of several tenants. Nothing is opened for a URI that
// [domain.Policy.CheckKeyURI] rejects: one with a wrong syntax is not examined, since
// a rule reports it, and one with a host that is not public is
// [domain.KeysRefused].
func (r *Resolver) Fetch(ctx context.Context, tenant domain.TenantID, uri string) (domain.Keys, time.Time, error) {
	now := r.rules.Now()
	switch err := r.rules.Policy.CheckKeyURI(uri); {
	case errors.Is(err, domain.ErrKeyURIHost):
		return domain.KeysRefused(), now, nil
	case err != nil:
		return domain.KeysUnexamined(), now, nil //nolint:nilerr // the rule jwks-uri-syntax reports it
	}
	target, err := url.Parse(uri)
	if err != nil {
		return domain.KeysUnreachable("the URI cannot be read"), now, nil //nolint:nilerr // the keys say it
	}
	if known, ok := r.cached(uri, now); ok {
		return known.keys, known.at, nil
	}
	for {
		// The request of one caller ending must not fail the fetch for the others,
		// so it has a time of its own.
		outcome := r.flight.DoChan(uri, func() (any, error) { //nolint:contextcheck // see above
			if known, ok := r.cached(uri, r.rules.Now()); ok {
				return known, nil
			}
			return r.fetchAdmitted(tenant, uri, target.Hostname())
		})
		select {
		case done := <-outcome:
			if result, ok := done.Val.(fetched); ok && done.Err == nil {
				return result.keys, result.at, nil
			}
			busy, ok := errors.AsType[*busyError](done.Err)
			if ok && busy.tenant != tenant {
				continue // it was the share of another tenant that was used up
			}
			return domain.Keys{}, now, done.Err
		case <-ctx.Done():
			return domain.Keys{}, now, fmt.Errorf("%w: %w", application.ErrUnavailable, ctx.Err())
		}
	}
}

// busyError says that a fetch was not started.
type busyError struct {
	tenant domain.TenantID // for whom
}

func (*busyError) Error() string { return application.ErrTooManyFetches.Error() }

func (*busyError) Unwrap() error { return application.ErrTooManyFetches }

func (r *Resolver) cached(uri string, now time.Time) (fetched, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	known, ok := r.cache[uri]
	return known, ok && now.Before(known.till)
}

// admit takes a place for a fetch and returns what gives it back, and false if
// there is none.
func (r *Resolver) admit(tenant domain.TenantID, host string) (release func(), ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	at := tenantHost{tenant, host}
	switch {
	case r.total >= maxFetches,
		r.total >= maxFetches-reservedFetches && r.perTenant[tenant] > 0,
		r.perTenant[tenant] >= maxFetchesPerTenant,
		r.perHost[at] >= maxFetchesPerHost:
		return nil, false
	}
	r.total++
	r.perTenant[tenant]++
	r.perHost[at]++
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.total--
		if r.perTenant[tenant]--; r.perTenant[tenant] == 0 {
			delete(r.perTenant, tenant)
		}
		if r.perHost[at]--; r.perHost[at] == 0 {
			delete(r.perHost, at)
		}
	}, true
}

// fetchAdmitted fetches if not too much is under way already, and remembers
// the outcome. The error is a [*busyError].
func (r *Resolver) fetchAdmitted(tenant domain.TenantID, uri, host string) (fetched, error) {
	release, ok := r.admit(tenant, host)
	if !ok {
		return fetched{}, &busyError{tenant}
	}
	defer release()
	keys, fresh := r.fetch(uri)
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.cache) >= maxCached {
		clear(r.cache)
	}
	now := r.rules.Now()
	result := fetched{keys: keys, at: now, till: now.Add(fresh)}
	r.cache[uri] = result
	return result, nil
}

// fetch asks once.
func (r *Resolver) fetch(uri string) (keys domain.Keys, fresh time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), r.rules.Timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, uri, http.NoBody)
	if err != nil {
		return domain.KeysUnreachable("the URI cannot be asked"), failureFresh
	}
	request.Header.Set("Accept", "application/jwk-set+json, application/json")
	began := time.Now()
	answer, err := r.client.Do(request)
	if err != nil {
		if _, unresolved := errors.AsType[*net.DNSError](err); unresolved || errors.Is(err, errRefused) {
			r.rules.Wait(ctx, min(unresolvedAfter, r.rules.Timeout/2)-time.Since(began))
		}
		return failure(err), failureFresh
	}
	defer answer.Body.Close()
	if reason := unacceptable(answer); reason != "" {
		return domain.KeysUnreachable(reason), failureFresh
	}
	text, err := io.ReadAll(io.LimitReader(answer.Body, domain.MaxKeySetBytes+1))
	if err != nil {
		return failure(err), failureFresh
	}
	return domain.KeysSeen(parseKeySet(text)), freshness(answer.Header, r.rules.Now())
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

// failure says why a fetch failed. A name that does not exist, one without a
// public address and a host that cannot be reached have one text, so that the
// registry cannot be used to find out about a network.
func failure(err error) domain.Keys {
	var timeout interface{ Timeout() bool }
	switch {
	case errors.Is(err, errRedirectTarget):
		return domain.KeysUnreachable("the host redirects to a URI that keys are not fetched from")
	case errors.Is(err, errRedirects):
		return domain.KeysUnreachable("the host redirects more than " + strconv.Itoa(maxRedirects) + " times")
	case errors.Is(err, errRefused):
		return domain.KeysUnreachable(notReached)
	case errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return domain.KeysUnreachable("the host did not answer in time")
	default:
		return domain.KeysUnreachable(notReached)
	}
}

const notReached = "the host cannot be reached at a public address, or does not speak TLS with a valid certificate"

// unacceptable says why an answer is not read, "" where it is.
func unacceptable(answer *http.Response) string {
	if answer.StatusCode != http.StatusOK {
		return "the host answers " + strconv.Itoa(answer.StatusCode)
	}
	kind, _, err := mime.ParseMediaType(answer.Header.Get("Content-Type"))
	if err != nil || kind != "application/jwk-set+json" && kind != "application/json" {
		return "the answer is neither application/jwk-set+json nor application/json"
	}
	if encoding := answer.Header.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		return "the answer is compressed, though that was not asked for"
	}
	return ""
}

// freshness is how long a response that came now may be used (RFC 9111 §4.2), within
// bounds: its freshness lifetime, less its age.
func freshness(header http.Header, now time.Time) time.Duration {
	lifetime, ok := lifetime(header, now)
	if !ok {
		return minFresh
	}
	return min(max(lifetime-age(header, now), minFresh), maxFresh)
}

// lifetime is the freshness lifetime of a response in a shared cache (RFC 9111
// §4.2.1): s-maxage, or else max-age, or else Expires less Date, or else
// defaultFresh. It is false if the response must not be used again without asking
// or its directives cannot be read.
func lifetime(header http.Header, now time.Time) (time.Duration, bool) {
	ages := map[string]time.Duration{}
	for directive := range strings.SplitSeq(strings.Join(header.Values("Cache-Control"), ","), ",") {
		name, value, _ := strings.Cut(strings.ToLower(strings.TrimSpace(directive)), "=")
		switch name {
		case "no-store", "no-cache", "private":
			return 0, false
		case "max-age", "s-maxage":
			seconds, ok := deltaSeconds(strings.Trim(value, `"`))
			if !ok {
				return 0, false
			}
			if _, repeated := ages[name]; !repeated { // the first counts
				ages[name] = seconds
			}
		}
	}
	for _, name := range []string{"s-maxage", "max-age"} {
		if lifetime, ok := ages[name]; ok {
			return lifetime, true
		}
	}
	if values := header.Values("Expires"); len(values) > 0 {
		expires, err := http.ParseTime(values[0])
		if err != nil { // as "0", which is the past (RFC 9111 §5.3)
			return 0, false
		}
		return expires.Sub(dateOf(header, now)), true
	}
	return defaultFresh, true
}

// age is how old a response is that came now (RFC 9111 §4.2.3): the larger of
// its Age and the time since its Date.
func age(header http.Header, now time.Time) time.Duration {
	stated, _ := deltaSeconds(header.Get("Age"))
	return max(stated, now.Sub(dateOf(header, now)), 0)
}

// dateOf is the Date of a response; now if it has none (RFC 9110 §6.6.1).
func dateOf(header http.Header, now time.Time) time.Time {
	date, err := http.ParseTime(header.Get("Date"))
	if err != nil {
		return now
	}
	return date
}

// deltaSeconds reads a number of seconds (RFC 9111 §1.2.2). One that is too large
// stands for 2³¹ seconds.
func deltaSeconds(text string) (time.Duration, bool) {
	if text == "" || strings.Trim(text, "0123456789") != "" {
		return 0, false
	}
	seconds, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		seconds = 1 << 31
	}
	return time.Duration(seconds) * time.Second, true
}
