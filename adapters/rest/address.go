package rest

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// NetworkLimiter limits the rate of an operation by the network that its requests come from:
// an IPv4 address, or the network of 64 bits of an IPv6 address.
type NetworkLimiter interface {
	// Allow reports whether the operation is allowed once more now.
	Allow(network string) bool
	// Wait returns how long it takes until an operation is allowed; 0 if one is allowed now.
	Wait(network string) time.Duration
}

// NetworkFailureLimiter limits by network how often an operation fails. Successes do not
// count.
type NetworkFailureLimiter interface {
	// Wait returns how long the operation must not be tried; 0 means that it may be tried.
	Wait(network string) time.Duration
	// Failed counts a failure.
	Failed(network string)
}

// networkOf returns whose rate limit applies to a request: the IPv4 address that it comes
// from, or the network of 64 bits of an IPv6 address, because a host chooses its address in
// this network (RFC 4291 §2.5.1).
func (s *server) networkOf(r *http.Request) string {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil { // not a TCP connection
		return r.RemoteAddr
	}
	address := s.senderOf(from.Addr().Unmap(), r.Header.Values("X-Forwarded-For"))
	if address.Is4() {
		return address.String()
	}
	network, _ := address.WithZone("").Prefix(64) // an IPv6 address has 128 bits
	return network.String()
}

// senderOf returns the address that a request comes from: that of the connection or, if this
// is a trusted proxy, the last address in X-Forwarded-For that is not. Everything before it
// can be made up by the sender, and so can the whole header without a trusted proxy. After
// a malformed address the proxy that sent it counts.
func (s *server) senderOf(connection netip.Addr, forwarded []string) netip.Addr {
	sender := connection
	hops := strings.Split(strings.Join(forwarded, ","), ",")
	for _, hop := range slices.Backward(hops) {
		if !s.isTrustedProxy(sender) {
			return sender
		}
		address, err := parseHop(strings.TrimSpace(hop))
		if err != nil {
			return sender
		}
		sender = address.Unmap()
	}
	return sender
}

// parseHop reads an address in X-Forwarded-For: some proxies add the port, or write an IPv6
// address in brackets.
func parseHop(hop string) (netip.Addr, error) {
	if inner, ok := strings.CutPrefix(hop, "["); ok && strings.HasSuffix(inner, "]") {
		return netip.ParseAddr(strings.TrimSuffix(inner, "]"))
	}
	if withPort, err := netip.ParseAddrPort(hop); err == nil {
		return withPort.Addr(), nil
	}
	return netip.ParseAddr(hop)
}

// isTrustedProxy reports whether the address is that of a trusted proxy.
func (s *server) isTrustedProxy(address netip.Addr) bool {
	return slices.ContainsFunc(s.proxies, func(p netip.Prefix) bool { return p.Contains(address.WithZone("")) })
}
