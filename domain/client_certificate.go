package domain

import (
	"crypto/sha256"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// ClientCertificate has the facts about the certificate of a mutual TLS connection.
type ClientCertificate struct {
	SHA256    [sha256.Size]byte // of its DER encoding
	NotBefore time.Time
	NotAfter  time.Time
	// Subject has the relative distinguished names in the order of the certificate, the
	// most general one first.
	Subject []RelativeName
	// The subject alternative names (RFC 5280 §4.2.1.6), as the certificate has them.
	SANDNS   []string
	SANURI   []string
	SANIP    []netip.Addr
	SANEmail []string
}

// RelativeName is a relative distinguished name: a set of attributes.
type RelativeName []NameAttribute

// NameAttribute is an attribute of a name in a certificate.
type NameAttribute struct {
	Type string // its OID, as a dotted number
	Text string // the value as text; empty if it is not of a text type
	DER  string // the DER encoding of the value
}

// Check returns why the certificate cannot authenticate a client now, whatever the client.
// It does not validate a chain, which only the server that has the connection can do.
func (c *ClientCertificate) Check(now time.Time) AuthFailure {
	if now.Before(c.NotBefore) || now.After(c.NotAfter) {
		return FailureCertificateExpired
	}
	return ""
}

// IsIn reports whether the certificate is the first one in the "x5c" of a key of the set
// (RFC 8705 §2.2).
func (c *ClientCertificate) IsIn(set KeySet) bool {
	return slices.ContainsFunc(set.Keys, func(k Key) bool {
		return k.usable() && k.Certificate != nil && k.Certificate.Malformed == "" && k.Certificate.Matches && k.Certificate.SHA256 == c.SHA256
	})
}

// Has reports whether the certificate has the expected subject (RFC 8705 §2.1.2). It is
// false unless exactly one property of the subject is set.
func (c *ClientCertificate) Has(subject TLSSubject) bool {
	set := 0
	for _, text := range []string{subject.DN, subject.SANDNS, subject.SANURI, subject.SANIP, subject.SANEmail} {
		if text != "" {
			set++
		}
	}
	switch {
	case set != 1:
		return false
	case subject.DN != "":
		return c.hasDN(subject.DN)
	case subject.SANDNS != "":
		return slices.ContainsFunc(c.SANDNS, func(name string) bool { return strings.EqualFold(name, subject.SANDNS) })
	case subject.SANURI != "":
		return slices.Contains(c.SANURI, subject.SANURI)
	case subject.SANIP != "":
		ip, err := netip.ParseAddr(subject.SANIP)
		return err == nil && slices.Contains(c.SANIP, ip)
	default:
		return slices.ContainsFunc(c.SANEmail, func(name string) bool { return equalMailboxes(name, subject.SANEmail) })
	}
}

// equalMailboxes compares e-mail addresses: the part before the @ exactly, the host without
// regard to case (RFC 5280 §7.5).
func equalMailboxes(a, b string) bool {
	i, j := strings.LastIndexByte(a, '@'), strings.LastIndexByte(b, '@')
	return i >= 0 && j >= 0 && a[:i] == b[:j] && strings.EqualFold(a[i:], b[j:])
}

// hasDN reports whether the subject is the distinguished name in the string form of RFC
// 4514, which has the relative names in reverse order (§2.1).
func (c *ClientCertificate) hasDN(text string) bool {
	names, fault := parseDN(text)
	if fault != "" || len(names) != len(c.Subject) {
		return false
	}
	slices.Reverse(names)
	for i, name := range names {
		if !name.equals(c.Subject[i]) {
			return false
		}
	}
	return true
}

// equals reports whether two sets of attributes are equal.
func (n relativeName) equals(in RelativeName) bool {
	if len(n) != len(in) {
		return false
	}
	rest := slices.Clone(in)
	for _, a := range n {
		i := slices.IndexFunc(rest, a.equals)
		if i < 0 {
			return false
		}
		rest = slices.Delete(rest, i, i+1)
	}
	return true
}

// equals compares values of text types without regard to case and to repeated spaces, as
// the attributes of names are compared (caseIgnoreMatch, RFC 4517 §4.2.11, RFC 5280 §7.1).
func (a dnAttribute) equals(in NameAttribute) bool {
	switch {
	case attributeType(a.name) != in.Type:
		return false
	case a.hex:
		return a.value == in.DER
	default:
		return in.Text != "" && strings.EqualFold(collapsed(a.value), collapsed(in.Text))
	}
}

func collapsed(text string) string { return strings.Join(strings.Fields(text), " ") }

// attributeType returns the OID of an attribute type, which may be one already. Names are
// those of RFC 4514 §3 and others that are in use, without regard to case; an unknown name
// has no OID, so it matches nothing.
func attributeType(name string) string {
	if isNumericOID(name) {
		return name
	}
	switch strings.ToUpper(name) {
	case "CN":
		return "2.5.4.3"
	case "SN", "SURNAME":
		return "2.5.4.4"
	case "SERIALNUMBER":
		return "2.5.4.5"
	case "C":
		return "2.5.4.6"
	case "L":
		return "2.5.4.7"
	case "ST", "S":
		return "2.5.4.8"
	case "STREET":
		return "2.5.4.9"
	case "O":
		return "2.5.4.10"
	case "OU":
		return "2.5.4.11"
	case "TITLE", "T":
		return "2.5.4.12"
	case "DESCRIPTION":
		return "2.5.4.13"
	case "BUSINESSCATEGORY":
		return "2.5.4.15"
	case "POSTALCODE":
		return "2.5.4.17"
	case "NAME":
		return "2.5.4.41"
	case "GN", "GIVENNAME":
		return "2.5.4.42"
	case "INITIALS":
		return "2.5.4.43"
	case "GENERATIONQUALIFIER":
		return "2.5.4.44"
	case "DNQUALIFIER", "DNQ":
		return "2.5.4.46"
	case "PSEUDONYM":
		return "2.5.4.65"
	case "ORGANIZATIONIDENTIFIER":
		return "2.5.4.97"
	case "DC":
		return "0.9.2342.19200300.100.1.25"
	case "UID":
		return "0.9.2342.19200300.100.1.1"
	case "EMAILADDRESS", "E":
		return "1.2.840.113549.1.9.1"
	case "JURISDICTIONLOCALITYNAME", "JURISDICTIONL":
		return "1.3.6.1.4.1.311.60.2.1.1"
	case "JURISDICTIONSTATEORPROVINCENAME", "JURISDICTIONST":
		return "1.3.6.1.4.1.311.60.2.1.2"
	case "JURISDICTIONCOUNTRYNAME", "JURISDICTIONC":
		return "1.3.6.1.4.1.311.60.2.1.3"
	default:
		return ""
	}
}
