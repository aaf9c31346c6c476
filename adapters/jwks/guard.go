package jwks

// This file decides which hosts a fetch may connect to.

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"syscall"

	"github.com/clientele-oauth/clientele/domain"
)

const maxResponseHeader = 16 << 10 // bytes

// Reasons for which the guard ends a fetch.
var (
	errAddress        = errors.New("the address is not allowed")
	errRedirects      = errors.New("too many redirects")
	errRedirectTarget = errors.New("the redirect target is not allowed")
)

// guardedClient returns a client that connects only to the addresses and follows
// only the redirects that the policy allows, at most maxRedirects.
func guardedClient(options Options, maxRedirects int) *http.Client {
	return &http.Client{
		Timeout: options.Timeout,
		Transport: &http.Transport{
			Proxy:                  nil, // a proxy would connect to addresses that are not allowed here
			DialContext:            dialer{policy: options.Policy, names: options.Names}.dial,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: options.Roots},
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
			case options.Policy.CheckFetchURI(target.String()) != nil:
				return errRedirectTarget
			default:
				return nil
			}
		},
	}
}

type dialer struct {
	policy domain.Policy
	names  *net.Resolver
}

// dial connects to the host of a URI or of a redirect. The policy applies to the
// address that is connected to, after names are resolved, so a name that resolves
// differently the second time (DNS rebinding) gains nothing.
func (d dialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, errAddress
	}
	dialer := &net.Dialer{Resolver: d.names}
	if !slices.Contains(d.policy.KeyHosts, strings.ToLower(host)) {
		dialer.Control = d.control
	}
	return dialer.DialContext(ctx, network, address)
}

// control rejects a connection to an address that must not serve documents.
func (d dialer) control(_, address string, _ syscall.RawConn) error {
	ip, err := netip.ParseAddrPort(address)
	if err != nil || !d.policy.AllowsFetchAddress(ip.Addr()) {
		return errAddress
	}
	return nil
}
