package domain

import (
	"net/netip"
	"strings"
)

// uri is a string split into the components of RFC 3986 §3. Nothing is decoded or
// normalised, because redirect URIs are compared as strings; net/url would drop an
// empty fragment, lower-case the scheme and decode the path. If the string is not a
// URI (fault is set), the components are a best guess, so that other rules can still
// check them.
type uri struct {
	raw          string
	fault        string // why raw is not an absolute URI of RFC 3986 §4.3; "" if it is
	scheme       string // lower case
	hasAuthority bool
	userinfo     bool
	host         string // raw
	port         string
	path         string
	query        string
	hasFragment  bool
}

// parseURI splits raw into its components. It never fails: the reason why raw is not an
// absolute URI is in fault.
func parseURI(raw string) uri {
	u := uri{raw: raw}
	rest := raw
	if i := strings.IndexByte(rest, '#'); i >= 0 {
		u.hasFragment = true
		rest = rest[:i]
	}
	u.fault = characterFault(raw)
	colon := strings.IndexByte(rest, ':')
	if colon <= 0 || !wellFormedScheme(rest[:colon]) {
		u.note("it has no scheme")
		colon = -1
	} else {
		u.scheme = strings.ToLower(rest[:colon])
	}
	rest = rest[colon+1:]
	rest, u.query, _ = strings.Cut(rest, "?")
	if after, ok := strings.CutPrefix(rest, "//"); ok {
		u.hasAuthority = true
		authority := after
		if i := strings.IndexByte(after, '/'); i >= 0 {
			authority, rest = after[:i], after[i:]
		} else {
			rest = ""
		}
		u.cutAuthority(authority)
	}
	u.path = rest
	if strings.ContainsAny(u.path+u.query, "[]") {
		u.note("it has a bracket outside the host")
	}
	return u
}

// note records a fault unless there is one already.
func (u *uri) note(fault string) {
	if u.fault == "" {
		u.fault = fault
	}
}

// cutAuthority reads [ userinfo "@" ] host [ ":" port ], RFC 3986 §3.2.
func (u *uri) cutAuthority(authority string) {
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		u.userinfo = true
		authority = authority[i+1:]
	}
	u.host = authority
	if end := strings.IndexByte(authority, ']'); strings.HasPrefix(authority, "[") && end > 0 {
		u.host, authority = authority[:end+1], authority[end+1:]
		if authority == "" {
			return
		}
		if authority[0] != ':' {
			u.note("its host is malformed")
			return
		}
		u.port = authority[1:]
	} else if i := strings.IndexByte(authority, ':'); i >= 0 {
		u.host, u.port = authority[:i], authority[i+1:]
	}
	if !wellFormedPort(u.port) {
		u.note("its port is not a number from 1 to 65535")
	}
}

// wellFormedPort reports whether port is a TCP port, or empty, which RFC 3986 §3.2.3
// allows.
func wellFormedPort(port string) bool {
	if port == "" {
		return true
	}
	number := 0
	for _, c := range []byte(port) {
		if c < '0' || c > '9' {
			return false
		}
		if number = number*10 + int(c-'0'); number > 65535 {
			return false
		}
	}
	return number > 0
}

// wellFormedScheme reports whether s is ALPHA *( ALPHA / DIGIT / "+" / "-" / "." ),
// RFC 3986 §3.1.
func wellFormedScheme(s string) bool {
	for i, c := range []byte(s) {
		switch {
		case isAlpha(c):
		case i > 0 && (isDigit(c) || c == '+' || c == '-' || c == '.'):
		default:
			return false
		}
	}
	return s != ""
}

// characterFault reports characters that RFC 3986 §2 does not allow in any component of
// a URI.
func characterFault(raw string) string {
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		switch {
		case c == '%':
			if i+2 >= len(raw) || !isHex(raw[i+1]) || !isHex(raw[i+2]) {
				return "it has a % without two hexadecimal digits after it"
			}
			i += 2
		case c >= 0x80:
			return "it has a non-ASCII character (percent-encode it; in a host, use the A-label)"
		case c == ' ':
			return "it has a space"
		case c < 0x20 || c == 0x7f:
			return "it has a control character"
		case strings.IndexByte("\"<>\\^`{|}", c) >= 0:
			return "it has a character that URIs do not allow"
		}
	}
	return ""
}

func isAlpha(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isHex(c byte) bool { return isDigit(c) || c|0x20 >= 'a' && c|0x20 <= 'f' }

// address returns the host as an IP address; false if it is a name.
func (u *uri) address() (netip.Addr, bool) {
	host := u.host
	if strings.HasPrefix(host, "[") {
		host = strings.Trim(host, "[]")
	}
	ip, err := netip.ParseAddr(host)
	return ip, err == nil
}

// isWeb reports whether the scheme is http or https.
func (u *uri) isWeb() bool { return u.scheme == "http" || u.scheme == "https" }

// isLoopback reports whether the host is exactly one of the three that native apps use
// for the loopback interface (RFC 8252 §7.3 and §8.3).
func (u *uri) isLoopback() bool {
	return u.host == "127.0.0.1" || u.host == "[::1]" || u.host == "localhost"
}

// hostFault returns the reason why DNS or IP implementations may interpret the host
// differently, or "" if there is none. Browsers interpret every host that ends in a
// number as an IPv4 address, so such a host must be one in canonical dotted form.
func (u *uri) hostFault() string {
	host := u.host
	switch {
	case host == "":
		return "it has no host"
	case host[0] == '[':
		ip, ok := u.address()
		if !ok || !ip.Is6() || ip.Zone() != "" || host[len(host)-1] != ']' {
			return "the host in brackets is not an IPv6 address"
		}
		return ""
	case strings.IndexByte(host, '%') >= 0:
		return "the host is percent-encoded"
	case strings.IndexFunc(host, func(r rune) bool { return r >= 0x80 }) >= 0:
		return "the host is not ASCII; use its A-label (xn--…)"
	case host[len(host)-1] == '.':
		return "the host ends in a dot"
	case len(host) > 253:
		return "the host is longer than 253 characters"
	}
	labels := strings.Split(host, ".")
	if isNumeric(labels[len(labels)-1]) {
		if ip, ok := u.address(); !ok || !ip.Is4() {
			return "the host ends in a number, but is not an IPv4 address in dotted form"
		}
		return ""
	}
	for _, label := range labels {
		if !wellFormedLabel(label) {
			return "the host is not a DNS name"
		}
	}
	return ""
}

// isNumeric reports whether browsers interpret the label as a number, which may be
// hexadecimal (WHATWG URL, "ends in a number").
func isNumeric(label string) bool {
	if len(label) >= 2 && label[0] == '0' && label[1]|0x20 == 'x' {
		return strings.Trim(strings.ToLower(label[2:]), "0123456789abcdef") == ""
	}
	return label != "" && strings.Trim(label, "0123456789") == ""
}

// wellFormedLabel checks the letters-digits-hyphen rule of RFC 1123 §2.1.
func wellFormedLabel(label string) bool {
	if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
		return false
	}
	for _, c := range []byte(label) {
		if !isAlpha(c) && !isDigit(c) && c != '-' {
			return false
		}
	}
	return true
}

// pathTrick returns what different parsers may interpret differently in the path, or ""
// if there is nothing (RFC 3986 §6.2.2.3, RFC 9700 §4.1).
func (u *uri) pathTrick() string {
	if strings.HasPrefix(u.path, "//") {
		return "the path starts with an empty segment"
	}
	lower := strings.ToLower(u.path)
	switch {
	case strings.IndexByte(lower, '\\') >= 0 || strings.Contains(lower, "%5c"):
		return "the path has a backslash"
	case strings.Contains(lower, "%2f"):
		return "the path has an encoded slash"
	}
	if hasDotSegment(lower) {
		return "the path has a dot segment"
	}
	return ""
}

// hasDotSegment reports whether a parser may interpret a segment of the path as "." or
// "..": a parser that decodes percent-encodings, once or several times, or one that
// removes path parameters (RFC 3986 §3.3) before it removes dot segments, as Java
// servlet containers do with "..;a=b".
func hasDotSegment(path string) bool {
	for range 3 { // no known parser decodes more often, and each round reads the whole path
		path = percentDecoded(path)
	}
	for segment := range strings.FieldsFuncSeq(path, func(r rune) bool { return r == '/' || r == '\\' }) {
		if name, _, _ := strings.Cut(segment, ";"); name == "." || name == ".." {
			return true
		}
	}
	return false
}

// normalised returns the URI after the syntax-based normalisation of RFC 3986 §6.2.2
// and, for http and https, the scheme-based one of §6.2.3.
func (u *uri) normalised() string { return u.normalise(true) }

// syntaxNormalised returns the URI after the normalisation of RFC 3986 §6.2.2 alone: default ports and empty
// paths are kept.
func (u *uri) syntaxNormalised() string { return u.normalise(false) }

func (u *uri) normalise(schemeBased bool) string {
	var b strings.Builder
	b.Grow(len(u.raw) + 1)
	b.WriteString(u.scheme)
	b.WriteByte(':')
	if u.hasAuthority {
		b.WriteString("//")
		b.WriteString(strings.ToLower(u.host))
		switch {
		case u.port == "" || schemeBased && u.isDefaultPort():
		case schemeBased:
			b.WriteByte(':')
			b.WriteString(strings.TrimLeft(u.port, "0"))
		default:
			b.WriteByte(':')
			b.WriteString(u.port)
		}
	}
	if schemeBased && u.path == "" && u.isWeb() {
		b.WriteByte('/')
	}
	writeNormalised(&b, u.path)
	if len(u.raw) > 0 && strings.IndexByte(u.raw, '?') >= 0 {
		b.WriteByte('?')
		writeNormalised(&b, u.query)
	}
	return b.String()
}

func (u *uri) isDefaultPort() bool {
	port := strings.TrimLeft(u.port, "0")
	return u.scheme == "https" && port == "443" || u.scheme == "http" && port == "80"
}

// writeNormalised upper-cases the hexadecimal digits of percent-encodings and
// decodes those of unreserved characters (RFC 3986 §6.2.2.1 and §6.2.2.2).
func writeNormalised(b *strings.Builder, s string) {
	for i := 0; i < len(s); i++ {
		if s[i] != '%' || i+2 >= len(s) || !isHex(s[i+1]) || !isHex(s[i+2]) {
			b.WriteByte(s[i])
			continue
		}
		if c := unhex(s[i+1])<<4 | unhex(s[i+2]); isUnreserved(c) {
			b.WriteByte(c)
		} else {
			b.WriteString(strings.ToUpper(s[i : i+3]))
		}
		i += 2
	}
}

func unhex(c byte) byte {
	if isDigit(c) {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}

// percentDecoded returns s with every well-formed percent-encoding decoded.
func percentDecoded(s string) string {
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]) {
			b.WriteByte(unhex(s[i+1])<<4 | unhex(s[i+2]))
			i += 2
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func isUnreserved(c byte) bool {
	return isAlpha(c) || isDigit(c) || c == '-' || c == '.' || c == '_' || c == '~'
}

// specialPurpose lists the addresses from which clients' keys are never fetched: those
// that are not globally reachable according to the IANA special-purpose registries
// (RFC 6890), IPv6 addresses that contain an IPv4 address, multicast, and the address
// at which a large cloud provider serves metadata to its virtual machines.
var specialPurpose = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),
	netip.MustParsePrefix("10.0.0.0/8"),
	netip.MustParsePrefix("100.64.0.0/10"),
	netip.MustParsePrefix("127.0.0.0/8"),
	netip.MustParsePrefix("168.63.129.16/32"),
	netip.MustParsePrefix("169.254.0.0/16"),
	netip.MustParsePrefix("172.16.0.0/12"),
	netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"),
	netip.MustParsePrefix("192.31.196.0/24"),
	netip.MustParsePrefix("192.52.193.0/24"),
	netip.MustParsePrefix("192.88.99.0/24"),
	netip.MustParsePrefix("192.168.0.0/16"),
	netip.MustParsePrefix("192.175.48.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"),
	netip.MustParsePrefix("224.0.0.0/4"),
	netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("2001::/23"),
	netip.MustParsePrefix("2001:db8::/32"),
	netip.MustParsePrefix("2002::/16"),
	netip.MustParsePrefix("3fff::/20"),
}

// globalUnicast6 is the only block from which public IPv6 addresses are allocated. It
// excludes mapped, translated (64:ff9b::/96), local and multicast addresses.
var globalUnicast6 = netip.MustParsePrefix("2000::/3")

// IsPublicAddress reports whether ip is a globally reachable unicast address, from
// which clients' keys may be fetched.
func IsPublicAddress(ip netip.Addr) bool {
	if ip.Is6() && !globalUnicast6.Contains(ip) {
		return false
	}
	for _, p := range specialPurpose {
		if p.Contains(ip) {
			return false
		}
	}
	return ip.IsValid() && ip.Zone() == ""
}
