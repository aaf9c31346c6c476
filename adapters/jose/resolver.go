package jose

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
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

	"github.com/clientele-oauth/clientele/domain"
)

// Bounds of a fetch of a client's keys.
const (
	maxRedirects      = 3
	maxResponseHeader = 16 << 10
	// What is under way at once. The share of one host is small, so that a slow
	// one leaves room for all others.
	maxFetches        = 64
	maxFetchesPerHost = 4
	// How long an answer is used: as its Cache-Control says, within bounds.
	minFresh     = 10 * time.Second
	maxFresh     = time.Hour
	defaultFresh = time.Minute
	// How long a failure is remembered, so that it is not asked for again by
	// every attempt to store the same client.
	failureFresh = 2 * time.Second
	maxCached    = 1000
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
}

// Resolver reads clients' public keys. It implements
// [github.com/clientele-oauth/clientele/application.KeyResolver] and is safe
// for concurrent use.
type Resolver struct {
	rules  FetchRules
	client *http.Client
	flight singleflight.Group

	mu      sync.Mutex
	cache   map[string]fetched
	total   int            // fetches under way
	perHost map[string]int // the same by host
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
	r := &Resolver{rules: rules, cache: map[string]fetched{}, perHost: map[string]int{}}
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
			switch {
			case len(via) > maxRedirects:
				return errRedirects
			case next.URL.Scheme != "https":
				return errRefused
			default:
				return nil
			}
		},
	}
	return r
}

// The refusals of a fetch that are not the network's.
var (
	errRefused   = errors.New("the address may not hold keys")
	errRedirects = errors.New("too many redirects")
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

// Fetch reads the JWK Set behind an https URI, or remembers what it read a
// short while ago. Fetches of one URI that would run at once are one. A URI
// that is none, or not https, is not examined: rules say so by themselves.
func (r *Resolver) Fetch(ctx context.Context, uri string) (domain.Keys, time.Time) {
	now := r.rules.Now()
	target, err := url.Parse(uri)
	if err != nil || target.Scheme != "https" || target.Host == "" {
		return domain.KeysUnexamined(), now
	}
	if known, ok := r.cached(uri, now); ok {
		return known.keys, known.at
	}
	// The request of one caller ending must not fail the fetch for the others,
	// so it has a time of its own.
	outcome := r.flight.DoChan(uri, func() (any, error) { //nolint:contextcheck // see above
		if known, ok := r.cached(uri, r.rules.Now()); ok {
			return known, nil
		}
		return r.fetchAdmitted(uri, target.Hostname()), nil
	})
	select {
	case done := <-outcome:
		if result, ok := done.Val.(fetched); ok {
			return result.keys, result.at
		}
	case <-ctx.Done():
	}
	return domain.KeysUnreachable("the host did not answer in time"), now
}

func (r *Resolver) cached(uri string, now time.Time) (fetched, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	known, ok := r.cache[uri]
	return known, ok && now.Before(known.till)
}

// fetchAdmitted fetches if not too much is under way already, and remembers
// the outcome.
func (r *Resolver) fetchAdmitted(uri, host string) fetched {
	r.mu.Lock()
	if r.total >= maxFetches || r.perHost[host] >= maxFetchesPerHost {
		r.mu.Unlock()
		return fetched{keys: domain.KeysUnreachable("too many fetches are under way; try again"), at: r.rules.Now()}
	}
	r.total++
	r.perHost[host]++
	r.mu.Unlock()

	keys, fresh := r.fetch(uri)

	r.mu.Lock()
	defer r.mu.Unlock()
	r.total--
	if r.perHost[host]--; r.perHost[host] == 0 {
		delete(r.perHost, host)
	}
	if len(r.cache) >= maxCached {
		clear(r.cache)
	}
	now := r.rules.Now()
	result := fetched{keys: keys, at: now, till: now.Add(fresh)}
	r.cache[uri] = result
	return result
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
	answer, err := r.client.Do(request)
	if err != nil {
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
	return domain.KeysSeen(parseKeySet(text)), freshness(answer.Header)
}

// failure tells why a fetch failed. A refused address is always told in the
// same words, and nothing else about the network is told, so that nobody can
// find out about it this way.
func failure(err error) domain.Keys {
	var timeout interface{ Timeout() bool }
	switch {
	case errors.Is(err, errRefused):
		return domain.KeysRefused()
	case errors.Is(err, errRedirects):
		return domain.KeysUnreachable("the host redirects more than " + strconv.Itoa(maxRedirects) + " times")
	case errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return domain.KeysUnreachable("the host did not answer in time")
	default:
		return domain.KeysUnreachable("the host cannot be reached, or does not speak TLS with a valid certificate")
	}
}

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

// freshness is how long the answer says it is good for (RFC 9111 §5.2.2),
// within bounds.
func freshness(header http.Header) time.Duration {
	fresh := defaultFresh
	for directive := range strings.SplitSeq(strings.Join(header.Values("Cache-Control"), ","), ",") {
		name, value, _ := strings.Cut(strings.ToLower(strings.TrimSpace(directive)), "=")
		switch name {
		case "no-store", "no-cache":
			return minFresh
		case "max-age":
			if seconds, err := strconv.ParseUint(strings.Trim(value, `"`), 10, 31); err == nil {
				fresh = time.Duration(seconds) * time.Second
			}
		}
	}
	return min(max(fresh, minFresh), maxFresh)
}
