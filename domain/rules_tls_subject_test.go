package domain

import (
	"net/mail"
	"net/netip"
	"net/url"
	"strings"
	"testing"
)

// Parsers of the standard library interpret every accepted value the same way, and a
// name that is escaped according to RFC 4514 §2.4 is accepted.
func FuzzTLSSubject(f *testing.F) {
	for _, cases := range examples() {
		for _, e := range cases {
			settings := legal()
			if e.edit != nil {
				e.edit(&settings)
			}
			if s := settings.TLSSubject; s != (TLSSubject{}) {
				f.Add(s.DN + s.SANDNS + s.SANURI + s.SANIP + s.SANEmail)
			}
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		if dnFault(text) == "" && (strings.HasPrefix(text, " ") || !strings.Contains(text, "=")) {
			t.Fatalf("accepted the DN %q", text)
		}
		if fault := dnFault("CN=" + escapedDN(text)); strings.ToValidUTF8(text, "") == text && fault != "" {
			t.Fatalf("rejected the DN with the value %q: %s", text, fault)
		}
		if ip, err := netip.ParseAddr(text); sanIPFault(text) == "" && (err != nil || ip.String() != text) {
			t.Fatalf("accepted the address %q", text)
		}
		if u, err := url.Parse(text); sanURIFault(text) == "" && (err != nil || u.Scheme == "") {
			t.Fatalf("accepted the URI %q: %v", text, err)
		}
		if _, err := mail.ParseAddress("<" + text + ">"); sanEmailFault(text) == "" && err != nil && !strings.Contains(text, "@[") && text[0] != '"' {
			t.Fatalf("accepted the mailbox %q: %v", text, err)
		}
	})
}

// escapedDN escapes a value according to RFC 4514 §2.4.
func escapedDN(value string) string {
	var b strings.Builder
	for i, c := range []byte(value) {
		edge := c == ' ' && (i == 0 || i == len(value)-1) || c == '#' && i == 0
		switch {
		case c == 0:
			b.WriteString(`\00`)
			continue
		case edge || strings.IndexByte(`"+,;<>\`, c) >= 0:
			b.WriteByte('\\')
		}
		b.WriteByte(c)
	}
	return b.String()
}
