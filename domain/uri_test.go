package domain

import (
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func FuzzRedirectURI(f *testing.F) {
	for _, cases := range examples() {
		for _, e := range cases {
			settings := legal()
			if e.edit != nil {
				e.edit(&settings)
			}
			for _, u := range settings.RedirectURIs {
				f.Add(string(u))
			}
		}
	}
	book, err := NewRulebook(Policy{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		settings := legal()
		settings.RedirectURIs = []RedirectURI{RedirectURI(raw)}
		if book.Validate(settings, Facts{}, testNow).HasViolations() {
			return
		}
		u := parseURI(raw)
		if !u.isWeb() {
			return // the app defines the rest of a URI with a private-use scheme
		}
		// Another parser must interpret an accepted URI the same way.
		other, err := url.Parse(raw)
		if err != nil {
			t.Fatalf("accepted %q, which net/url cannot read: %v", raw, err)
		}
		if other.Host != u.hostPort() || other.Scheme != u.scheme || other.User != nil || strings.Contains(raw, "#") {
			t.Fatalf("accepted %q, which net/url reads as %#v", raw, other)
		}
		if n := u.normalised(); n != new(parseURI(n)).normalised() {
			t.Fatalf("normalising %q is not idempotent: %q", raw, n)
		}
	})
}

// hostPort returns the authority in the form of net/url.
func (u *uri) hostPort() string {
	_, after, _ := strings.Cut(u.raw, "://")
	if !u.hasAuthority {
		return ""
	}
	end := strings.IndexAny(after, "/?#")
	if end < 0 {
		end = len(after)
	}
	return after[:end]
}

func TestPublicAddresses(t *testing.T) {
	for _, rejected := range []string{
		"0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "127.0.0.1", "127.255.255.254", "168.63.129.16", "169.254.169.254",
		"172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.2.1", "192.168.1.1", "198.18.0.1", "198.51.100.1", "203.0.113.1",
		"224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
		"::", "::1", "::ffff:10.0.0.1", "::ffff:8.8.8.8", "64:ff9b::808:808", "64:ff9b:1::1", "100::1", "2001::1", "2001:db8::1",
		"2002:a00:1::1", "3fff::1", "5f00::1", "fc00::1", "fd12:3456::1", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1",
	} {
		assert.False(t, IsPublicAddress(netip.MustParseAddr(rejected)), rejected)
	}
	for _, public := range []string{"1.1.1.1", "8.8.8.8", "172.32.0.1", "2606:4700::1111", "2a00:1450:4001::1"} {
		assert.True(t, IsPublicAddress(netip.MustParseAddr(public)), public)
	}
	assert.False(t, IsPublicAddress(netip.Addr{}))
}

// serialiseIPv6 follows the steps of the IPv6 serializer in the WHATWG URL
// standard.
func serialiseIPv6(pieces [8]uint16) string {
	compress, length := -1, 1
	for i := 0; i < 8; i++ {
		run := 0
		for i+run < 8 && pieces[i+run] == 0 {
			run++
		}
		if run > length {
			compress, length = i, run
		}
		i += run
	}
	var b strings.Builder
	for i := 0; i < 8; i++ {
		if i == compress {
			if i == 0 {
				b.WriteByte(':')
			}
			b.WriteByte(':')
			i += length - 1
			continue
		}
		fmt.Fprintf(&b, "%x", pieces[i])
		if i < 7 {
			b.WriteByte(':')
		}
	}
	return b.String()
}

func TestIPv6OriginsAreThoseOfTheURLStandard(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var pieces [8]uint16
		for i := range pieces {
			pieces[i] = rapid.SampledFrom([]uint16{0, 0, 0, 1, 0x102, 0xffff}).Draw(t, "piece")
		}
		if rapid.Bool().Draw(t, "mapped") {
			copy(pieces[:], []uint16{0, 0, 0, 0, 0, 0xffff})
		}
		var octets [16]byte
		for i, piece := range pieces {
			octets[2*i], octets[2*i+1] = byte(piece>>8), byte(piece)
		}
		ip := netip.AddrFrom16(octets)
		want := "https://[" + serialiseIPv6(pieces) + "]"
		for _, form := range []string{ip.String(), ip.StringExpanded(), strings.ToUpper(ip.String()), serialiseIPv6(pieces)} {
			u := parseURI("https://[" + form + "]")
			require.Equal(t, want, u.origin())
			fault := originFault(Origin(u.raw))
			require.Equal(t, u.raw == want, fault == "", fault)
			if fault != "" {
				require.Contains(t, fault, want)
			}
		}
	})
}
