package domain

import (
	"net/netip"
	"strings"
	"unicode/utf8"
)

// The rules about the expected subject of a client's certificate: RFC 8705 §2.1.2
// names the five forms, RFC 4514 and RFC 5280 §4.2.1.6 define their syntax.
func tlsSubjectRules() []Rule {
	row := func(id string, field Field, source, summary string, value func(TLSSubject) string, fault func(string) string) Rule {
		return Rule{
			ID: id, Level: Violation, Source: source, needs: []Field{field}, Summary: summary,
			check: func(j *candidate, r *report) {
				if text := value(j.TLSSubject); text != "" {
					if message := fault(text); message != "" {
						r.on(field, "%s", message)
					}
				}
			},
		}
	}
	return []Rule{
		row("tls-subject-dn-syntax", FieldTLSSubjectDN, "RFC 8705 §2.1.2, RFC 4514 §3",
			"tls_client_auth_subject_dn is not a distinguished name of RFC 4514, such as CN=app,O=Example,C=DE",
			func(s TLSSubject) string { return s.DN }, dnFault),
		row("tls-san-dns-syntax", FieldTLSSANDNS, "RFC 8705 §2.1.2, RFC 5280 §4.2.1.6",
			"tls_client_auth_san_dns is not a DNS name, or is a wildcard",
			func(s TLSSubject) string { return s.SANDNS }, sanDNSFault),
		row("tls-san-uri-syntax", FieldTLSSANURI, "RFC 8705 §2.1.2, RFC 5280 §4.2.1.6",
			"tls_client_auth_san_uri is not a URI of RFC 3986 with a scheme and something after it",
			func(s TLSSubject) string { return s.SANURI }, sanURIFault),
		row("tls-san-ip-syntax", FieldTLSSANIP, "RFC 8705 §2.1.2, RFC 5952 §4",
			"tls_client_auth_san_ip is not an IPv4 address in dotted decimal notation or an IPv6 address as RFC 5952 writes it",
			func(s TLSSubject) string { return s.SANIP }, sanIPFault),
		row("tls-san-email-syntax", FieldTLSSANEmail, "RFC 8705 §2.1.2, RFC 5280 §4.2.1.6, RFC 5321 §4.1.2",
			"tls_client_auth_san_email is not a mailbox such as app@example.com",
			func(s TLSSubject) string { return s.SANEmail }, sanEmailFault),
	}
}

// dnFault returns the reason why text is not a distinguishedName of RFC 4514 §3, or ""
// if it is. The empty name is also rejected: it does not identify a certificate.
func dnFault(text string) string {
	switch {
	case strings.HasPrefix(text, "/"):
		return "this is the one-line form of OpenSSL; use a distinguished name of RFC 4514, with the most specific part first, such as CN=app,O=Example,C=DE"
	case !utf8.ValidString(text):
		return "this is not a distinguished name of RFC 4514: it is not UTF-8"
	}
	if _, fault := parseDN(text); fault != "" {
		return "this is not a distinguished name of RFC 4514 such as CN=app,O=Example,C=DE: " + fault
	}
	return ""
}

// dnAttribute is an attribute of a distinguished name in its string form.
type dnAttribute struct {
	name  string // a descriptor such as CN, or a numeric OID
	value string // the octets that the value encodes; for hex, the BER encoding
	hex   bool   // whether the value has the form that starts with #
}

// relativeName is a relative distinguished name in its string form.
type relativeName []dnAttribute

// parseDN reads a distinguishedName of RFC 4514 §3: its relative distinguished names, the
// most specific one first.
func parseDN(text string) (names []relativeName, fault string) {
	var name relativeName
	for {
		var attribute dnAttribute
		if attribute, text, fault = cutAttribute(text); fault != "" {
			return nil, fault
		}
		name = append(name, attribute)
		if text == "" || text[0] == ',' {
			names, name = append(names, name), nil
		}
		if text == "" {
			return names, ""
		}
		text = text[1:] // the comma or plus sign
	}
}

// cutAttribute reads attributeType EQUALS attributeValue from the start of text.
// The rest is empty or begins with the comma or plus sign that follows.
func cutAttribute(text string) (attribute dnAttribute, rest, fault string) {
	name, value, found := strings.Cut(text, "=")
	attribute.name = name
	switch {
	case strings.HasPrefix(text, " "):
		return attribute, "", "it has a space where an attribute starts; remove spaces before attributes and after commas"
	case !found:
		return attribute, "", "an attribute has no equals sign"
	case !isDescriptor(name) && !isNumericOID(name):
		return attribute, "", "an attribute type is neither a name such as CN nor a dotted number"
	case strings.HasPrefix(value, "#"):
		digits := 0
		for digits+1 < len(value) && isHex(value[digits+1]) {
			digits++
		}
		rest = value[1+digits:]
		if digits == 0 || digits%2 != 0 || rest != "" && rest[0] != ',' && rest[0] != '+' {
			return attribute, "", "a value that starts with # is not pairs of hexadecimal digits"
		}
		octets := make([]byte, 0, digits/2)
		for i := 1; i < digits; i += 2 {
			octets = append(octets, unhex(value[i])<<4|unhex(value[i+1]))
		}
		attribute.hex, attribute.value = true, string(octets)
		return attribute, rest, ""
	default:
		attribute.value, rest, fault = cutAttributeValue(value)
		return attribute, rest, fault
	}
}

// cutAttributeValue reads the string form of an attributeValue, and checks that its
// escapes encode UTF-8 (RFC 4514 §2.4).
func cutAttributeValue(text string) (value, rest, fault string) {
	var octets []byte
	i, escaped := 0, false // whether the last character was escaped
	for ; i < len(text) && text[i] != ',' && text[i] != '+'; i++ {
		c := text[i]
		escaped = c == '\\'
		switch {
		case c == 0 || c == '"' || c == ';' || c == '<' || c == '>':
			return "", "", "a value has a character that must be escaped with a backslash"
		case c == ' ' && i == 0:
			return "", "", "a value starts with a space that is not escaped with a backslash"
		case !escaped:
		case i+2 < len(text) && isHex(text[i+1]) && isHex(text[i+2]):
			c = unhex(text[i+1])<<4 | unhex(text[i+2])
			i += 2
		case i+1 < len(text) && strings.IndexByte(`\"+,;<> #=`, text[i+1]) >= 0:
			c = text[i+1]
			i++
		default:
			return "", "", "a backslash is not followed by a special character or two hexadecimal digits"
		}
		octets = append(octets, c)
	}
	switch {
	case i > 0 && text[i-1] == ' ' && !escaped:
		return "", "", "a value ends in a space that is not escaped with a backslash"
	case !utf8.Valid(octets):
		return "", "", "the escapes of a value encode octets that are not UTF-8"
	default:
		return string(octets), text[i:], ""
	}
}

// isDescriptor reports whether s is a descr: ALPHA *( ALPHA / DIGIT / "-" ),
// RFC 4512 §1.4.
func isDescriptor(s string) bool {
	for i, c := range []byte(s) {
		if !isAlpha(c) && (i == 0 || !isDigit(c) && c != '-') {
			return false
		}
	}
	return s != ""
}

// isNumericOID reports whether s is a numericoid: number 1*( "." number ),
// RFC 4512 §1.4.
func isNumericOID(s string) bool {
	numbers := 0
	for number := range strings.SplitSeq(s, ".") {
		if number == "" || strings.Trim(number, "0123456789") != "" || len(number) > 1 && number[0] == '0' {
			return false
		}
		numbers++
	}
	return numbers > 1
}

// sanDNSFault returns the reason why text is not a dNSName, or "" if it is. A wildcard
// is rejected although certificates may have one: an authorization server that
// interprets it as a pattern would accept the certificates of other hosts.
func sanDNSFault(text string) string {
	u := uri{host: text}
	switch _, isAddress := u.address(); {
	case strings.Contains(text, "*"):
		return "a wildcard does not identify one client; use the full DNS name"
	case isAddress:
		return "this is an IP address; use tls_client_auth_san_ip"
	}
	if fault := u.hostFault(); fault != "" {
		return "this is not a DNS name such as app.example.com: " + strings.ReplaceAll(fault, "the host", "it")
	}
	return ""
}

// sanURIFault returns the reason why text is not a uniformResourceIdentifier, or "" if
// it is: a URI with a scheme, a scheme-specific part and, if it has an authority, a
// host.
func sanURIFault(text string) string {
	u := parseURI(text)
	switch {
	case u.fault != "":
		return "this is not a URI with a scheme, such as https://app.example.com or spiffe://example.com/app: " + u.fault
	case u.hasAuthority && u.host == "":
		return "this URI has no host after the //"
	case !u.hasAuthority && u.path == "":
		return "this URI has nothing after its scheme"
	default:
		return ""
	}
}

// sanIPFault returns the reason why text is not an IP address in the form that
// RFC 8705 §2.1.2 requires for its version, or "" if it is.
func sanIPFault(text string) string {
	ip, err := netip.ParseAddr(text)
	switch {
	case err != nil || ip.Zone() != "":
		return "this is not an IP address such as 192.0.2.1 or 2001:db8::1"
	case ip.String() != text:
		return "use the form of RFC 5952 for this IPv6 address: " + ip.String()
	default:
		return ""
	}
}

// sanEmailFault returns the reason why text is not an rfc822Name, or "" if it is:
// Local-part "@" ( Domain / address-literal ) in ASCII, without a display name, comment
// or angle brackets.
func sanEmailFault(text string) string {
	const example = "this is not an e-mail address such as app@example.com: "
	at := strings.LastIndexByte(text, '@')
	if at < 0 {
		return example + "it has no @"
	}
	local, domain := text[:at], text[at+1:]
	if len(local) > 64 || !isDotAtom(local) && !isQuotedLocal(local) { // RFC 5321 §4.5.3.1.1
		return example + "the part before the @ is malformed"
	}
	if literal, ok := strings.CutPrefix(domain, "["); ok {
		literal, closed := strings.CutSuffix(literal, "]")
		six, isSix := strings.CutPrefix(literal, "IPv6:")
		ip, err := netip.ParseAddr(six)
		if !closed || err != nil || ip.Zone() != "" || ip.Is6() != isSix {
			return example + "the address in brackets is malformed"
		}
		return ""
	}
	if sanDNSFault(domain) != "" {
		return example + "the part after the @ is not a DNS name"
	}
	return ""
}

// isDotAtom reports whether s is a Dot-string: atoms of atext with single dots
// between them (RFC 5321 §4.1.2).
func isDotAtom(s string) bool {
	for atom := range strings.SplitSeq(s, ".") {
		if atom == "" || !allBytes(atom, isAtomByte) {
			return false
		}
	}
	return true
}

// isAtomByte reports whether c is a character of atext (RFC 5322 §3.2.3).
func isAtomByte(c byte) bool {
	return isAlpha(c) || isDigit(c) || strings.IndexByte("!#$%&'*+-/=?^_`{|}~", c) >= 0
}

// isQuotedLocal reports whether s is a Quoted-string (RFC 5321 §4.1.2).
func isQuotedLocal(s string) bool {
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return false
	}
	for i := 1; i < len(s)-1; i++ {
		switch c := s[i]; {
		case c < ' ' || c > '~' || c == '"':
			return false
		case c == '\\':
			if i++; i == len(s)-1 || s[i] < ' ' || s[i] > '~' {
				return false
			}
		}
	}
	return true
}
