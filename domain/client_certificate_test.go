package domain

import (
	"encoding/hex"
	"net/netip"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"
)

func named(names ...RelativeName) ClientCertificate { return ClientCertificate{Subject: names} }

func attribute(oid, text string) NameAttribute {
	return NameAttribute{Type: oid, Text: text, DER: "\x0c" + string(rune(len(text))) + text}
}

const (
	oidCN = "2.5.4.3"
	oidO  = "2.5.4.10"
	oidC  = "2.5.4.6"
)

func TestDistinguishedNamesOfCertificates(t *testing.T) {
	subject := named(
		RelativeName{attribute(oidC, "DE")}, RelativeName{attribute(oidO, "Example, Inc.")},
		RelativeName{attribute(oidCN, "My  App"), attribute("0.9.2342.19200300.100.1.1", "7")},
	)
	der := hex.EncodeToString([]byte(attribute(oidC, "DE").DER))
	for text, want := range map[string]bool{
		`CN=My App+UID=7,O=Example\, Inc.,C=DE`:                                              true,
		`UID=7+CN=My App,O=Example\, Inc.,C=DE`:                                              true,
		`cn=my app+uid=7,o=EXAMPLE\2c inc.,c=de`:                                             true,
		`2.5.4.3=My App+0.9.2342.19200300.100.1.1=7,2.5.4.10=Example\, Inc.,2.5.4.6=#` + der: true,
		`CN=My App,O=Example\, Inc.,C=DE`:                                                    false,
		`O=Example\, Inc.,C=DE`:                                                              false,
		`C=DE,O=Example\, Inc.,CN=My App+UID=7`:                                              false,
		`CN=My App+UID=7,O=Example\, Inc.,C=FR`:                                              false,
		`CN=My App+UID=7,O=Example\, Inc.,C=#0c024652`:                                       false,
		`CN=MyApp+UID=7,O=Example\, Inc.,C=DE`:                                               false,
		`CN=My App+CN=My App,O=Example\, Inc.,C=DE`:                                          false,
		`CN=My App+UID=7,OU=Example\, Inc.,C=DE`:                                             false,
		`unknownName=My App+UID=7,O=Example\, Inc.,C=DE`:                                     false,
		`CN=*+UID=7,O=Example\, Inc.,C=DE`:                                                   false,
		`/C=DE/O=Example, Inc./CN=My App`:                                                    false,
		``:                                                                                   false,
	} {
		assert.Equal(t, want, subject.Has(TLSSubject{DN: text}), text)
	}
	assert.False(t, new(ClientCertificate).Has(TLSSubject{DN: "CN=App"}), "a certificate without a subject")
	untyped := named(RelativeName{{Type: oidCN, DER: "\x03\x02\x00\x41"}})
	assert.False(t, untyped.Has(TLSSubject{DN: "CN="}), "a value that is no text")
}

// A value of a name matches itself, however it is escaped, and no other value.
func TestEscapedNamesMatchTheirCertificates(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringN(1, 20, -1).Filter(func(text string) bool {
			return utf8.ValidString(text) && collapsed(text) != ""
		}).Draw(t, "text")
		c := named(RelativeName{attribute(oidCN, text)})
		assert.True(t, c.Has(TLSSubject{DN: "CN=" + escapedDN(text)}), "%q", escapedDN(text))
		assert.False(t, c.Has(TLSSubject{DN: "CN=" + escapedDN(text+"x")}))
	})
}

func TestAlternativeNamesOfCertificates(t *testing.T) {
	c := ClientCertificate{
		SANDNS: []string{"a.example.com", "App.example.com"}, SANURI: []string{"spiffe://example.com/App"},
		SANIP: []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")}, SANEmail: []string{"App@Example.com"},
		Subject: []RelativeName{{attribute(oidCN, "app.example.com")}},
	}
	for subject, want := range map[TLSSubject]bool{
		{SANDNS: "app.example.com"}:          true,
		{SANDNS: "example.com"}:              false,
		{SANDNS: "x.app.example.com"}:        false,
		{SANURI: "spiffe://example.com/App"}: true,
		{SANURI: "spiffe://example.com/app"}: false,
		{SANIP: "192.0.2.1"}:                 true,
		{SANIP: "2001:db8::1"}:               true,
		{SANIP: "192.0.2.2"}:                 false,
		{SANEmail: "App@example.com"}:        true,
		{SANEmail: "app@example.com"}:        false,
		{}:                                   false,
	} {
		assert.Equal(t, want, c.Has(subject), "%+v", subject)
	}
	for _, several := range []TLSSubject{
		{SANDNS: "app.example.com", DN: "CN=app.example.com"},
		{SANDNS: "a.example.com", SANEmail: "App@example.com"},
	} {
		assert.False(t, c.Has(several), "%v", several)
	}
	assert.False(t, new(ClientCertificate).Has(TLSSubject{SANIP: "192.0.2.1"}))
}

func TestCertificatesOfKeys(t *testing.T) {
	c := ClientCertificate{SHA256: [32]byte{1}}
	key := Key{Type: ktyEC, Curve: crvP256, Certificate: &Certificate{SHA256: [32]byte{1}, Matches: true}}
	of := func(change func(*Key)) KeySet {
		k, certificate := key, *key.Certificate
		k.Certificate = &certificate
		change(&k)
		return KeySet{Keys: []Key{{Type: ktyEC, Curve: crvP256}, k}}
	}
	assert.True(t, c.IsIn(of(func(*Key) {})))
	for name, change := range map[string]func(*Key){
		"another certificate":                  func(k *Key) { k.Certificate.SHA256[0] = 2 },
		"a certificate of another key":         func(k *Key) { k.Certificate.Matches = false },
		"a key that cannot be used":            func(k *Key) { k.Malformed = "x" },
		"a certificate that cannot be read":    func(k *Key) { k.Certificate.Malformed = "x" },
		"a private key that has been revealed": func(k *Key) { k.Private = true },
	} {
		assert.False(t, c.IsIn(of(change)), name)
	}
	assert.False(t, new(ClientCertificate).IsIn(KeySet{Keys: []Key{{Type: ktyEC, Curve: crvP256, Certificate: &Certificate{Malformed: "x"}}}}))

	now := time.Date(2026, 4, 15, 10, 30, 0, 0, time.UTC)
	valid := ClientCertificate{NotBefore: now, NotAfter: now.Add(time.Hour)}
	for at, want := range map[time.Duration]AuthFailure{
		-time.Second: FailureCertificateExpired, 0: "", time.Hour: "", time.Hour + time.Second: FailureCertificateExpired,
	} {
		assert.Equal(t, want, valid.Check(now.Add(at)), at)
	}
}
