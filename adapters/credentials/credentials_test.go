package credentials_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwt"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/credentials"
	"github.com/clientele-oauth/clientele/domain"
)

var reader credentials.Reader

var now = time.Date(2026, 4, 15, 10, 30, 0, 0, time.UTC)

func newKey(t testing.TB) (*ecdsa.PrivateKey, domain.Key) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	octets, err := key.PublicKey.Bytes()
	require.NoError(t, err)
	coordinate := base64.RawURLEncoding.EncodeToString
	return key, domain.Key{Type: "EC", Curve: "P-256", Public: map[string]string{
		"kty": "EC", "crv": "P-256", "x": coordinate(octets[1:33]), "y": coordinate(octets[33:]),
	}}
}

// What another library writes is read as it was written.
func TestAssertionsOfAnotherLibrary(t *testing.T) {
	key, public := newKey(t)
	_, another := newKey(t)
	token, err := jwt.NewBuilder().Issuer("app").Subject("app").Audience([]string{"a", "b"}).JwtID("1").
		Expiration(now).IssuedAt(now.Add(-time.Minute)).NotBefore(now.Add(-time.Second)).Build()
	require.NoError(t, err)
	signed, err := jwt.Sign(token, jwt.WithKey(jwa.ES256, key))
	require.NoError(t, err)
	read, ok := reader.ReadAssertion(string(signed))
	require.True(t, ok)
	read.ExpiresAt, read.IssuedAt, read.NotBefore = read.ExpiresAt.UTC(), read.IssuedAt.UTC(), read.NotBefore.UTC()
	assert.Equal(t, domain.ClientAssertion{
		Algorithm: "ES256", Type: "jwt", Issuer: "app", Subject: "app", Audience: []string{"a", "b"}, AudienceList: true, ID: "1",
		ExpiresAt: now, IssuedAt: now.Add(-time.Minute), NotBefore: now.Add(-time.Second),
	}, read)
	assert.True(t, reader.IsSignedBy(string(signed), "ES256", public))
	assert.False(t, reader.IsSignedBy(string(signed), "ES256", another))
	assert.False(t, reader.IsSignedBy(string(signed), "ES384", public))
	assert.False(t, reader.IsSignedBy(string(signed), "ES256", domain.Key{Type: "EC", Curve: "P-256"}))
	assert.False(t, reader.IsSignedBy(string(signed), "EdDSA", domain.Key{Type: "OKP", Curve: "Ed448", Public: map[string]string{"x": "AA"}}))
}

func TestClaimsOfAnotherTypeAreMalformed(t *testing.T) {
	segment := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	for payload, want := range map[string]bool{
		`{}`: true, `{"aud":"a"}`: true, `{"aud":[]}`: true, `{"exp":1e9}`: true,
		`{"iss":1}`: false, `{"sub":null}`: false, `{"jti":1}`: false, `{"exp":"1"}`: false, `{"exp":-1}`: false, `{"exp":1e300}`: false,
		`{"iat":true}`: false, `{"nbf":[]}`: false, `{"aud":1}`: false, `{"aud":[1]}`: false, `{"aud":null}`: false, `[]`: false,
	} {
		_, ok := reader.ReadAssertion(segment(`{"alg":"ES256"}`) + "." + segment(payload) + ".AQ")
		assert.Equal(t, want, ok, payload)
	}
}

// newCertificate returns a certificate with a subject, and alternative names of each form.
func newCertificate(t testing.TB) []byte {
	t.Helper()
	key, _ := newKey(t)
	spiffe, err := url.Parse("spiffe://example.com/app")
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: now, NotAfter: now.Add(time.Hour),
		Subject:  pkix.Name{CommonName: "Übung", Organization: []string{"Example"}, Country: []string{"DE"}},
		DNSNames: []string{"app.example.com"}, EmailAddresses: []string{"app@example.com"}, URIs: []*url.URL{spiffe},
		IPAddresses: []net.IP{net.IPv4(192, 0, 2, 1), net.ParseIP("2001:db8::1")},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	return der
}

func encoded(der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func TestCertificatesInEveryForm(t *testing.T) {
	der := newCertificate(t)
	for name, text := range map[string]string{
		"PEM":                      encoded(der),
		"PEM after spaces":         "\n " + encoded(der),
		"PEM with CRLF":            strings.ReplaceAll(encoded(der), "\n", "\r\n"),
		"percent-encoded":          url.PathEscape(encoded(der)),
		"percent-encoded wholly":   strings.ReplaceAll(url.QueryEscape(encoded(der)), "+", "%20"),
		"structured field":         ":" + base64.StdEncoding.EncodeToString(der) + ":",
		"with the rest of a chain": encoded(der) + encoded(der),
	} {
		c, ok := reader.ReadCertificate(text)
		require.True(t, ok, name)
		assert.Equal(t, sha256.Sum256(der), c.SHA256, name)
		assert.Equal(t, []time.Time{now, now.Add(time.Hour)}, []time.Time{c.NotBefore, c.NotAfter}, name)
		assert.True(t, c.Has(domain.TLSSubject{DN: "CN=Übung,O=Example,C=DE"}), name)
		assert.Equal(t, []string{"app.example.com"}, c.SANDNS)
		assert.Equal(t, []string{"spiffe://example.com/app"}, c.SANURI)
		assert.Equal(t, []string{"app@example.com"}, c.SANEmail)
		assert.Equal(t, []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")}, c.SANIP)
	}
	for name, text := range map[string]string{
		"empty":            "",
		"no PEM":           "MIIB",
		"another type":     strings.ReplaceAll(encoded(der), "CERTIFICATE", "PUBLIC KEY"),
		"cut off":          encoded(der[:len(der)-1]),
		"half an escape":   url.PathEscape(encoded(der)) + "%2",
		"open field":       ":" + base64.StdEncoding.EncodeToString(der),
		"field of nothing": "::",
		"too long":         strings.Repeat(" ", 32<<10) + encoded(der),
	} {
		_, ok := reader.ReadCertificate(text)
		assert.False(t, ok, name)
	}
}

// Values of names are read from every type of string that certificates have.
func TestTypesOfStringsInNames(t *testing.T) {
	key, _ := newKey(t)
	for name, tt := range map[string]struct {
		tag   int
		bytes string
		want  string
	}{
		"UTF8String":      {asn1.TagUTF8String, "App €", "App €"},
		"PrintableString": {asn1.TagPrintableString, "App", "App"},
		"IA5String":       {asn1.TagIA5String, "App@", "App@"},
		"T61String":       {asn1.TagT61String, "\xdcbung", "Übung"},
		"BMPString":       {asn1.TagBMPString, "\x20\xac\x00A", "€A"},
		"BIT STRING":      {asn1.TagBitString, "\x00A", ""},
		"odd BMPString":   {asn1.TagBMPString, "A", ""},
	} {
		value, err := asn1.Marshal(asn1.RawValue{Class: asn1.ClassUniversal, Tag: tt.tag, Bytes: []byte(tt.bytes)})
		require.NoError(t, err)
		template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: now, NotAfter: now}
		template.RawSubject, err = asn1.Marshal([]any{subjectSET{{asn1.ObjectIdentifier{2, 5, 4, 3}, asn1.RawValue{FullBytes: value}}}})
		require.NoError(t, err)
		der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
		require.NoError(t, err)
		c, ok := reader.ReadCertificate(encoded(der))
		if tt.want == "" && !ok {
			continue // crypto/x509 rejects it
		}
		require.True(t, ok, name)
		assert.Equal(t, domain.RelativeName{{Type: "2.5.4.3", Text: tt.want, DER: string(value)}}, c.Subject[0], name)
	}
}

// subjectSET is a relative distinguished name.
type subjectSET []struct {
	Type  asn1.ObjectIdentifier
	Value asn1.RawValue
}

// No text makes the reader panic, and what it accepts is signed by no key that has not
// signed it.
func FuzzAssertion(f *testing.F) {
	key, public := newKey(f)
	_, another := newKey(f)
	token, err := jwt.NewBuilder().Issuer("app").Subject("app").Audience([]string{"a"}).JwtID("1").Expiration(now).Build()
	require.NoError(f, err)
	signed, err := jwt.Sign(token, jwt.WithKey(jwa.ES256, key))
	require.NoError(f, err)
	valid := string(signed)
	f.Add(valid)
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Add("eyJhbGciOiJFUzI1NiIsImNyaXQiOltdfQ.e30.AQ")
	f.Fuzz(func(t *testing.T, text string) {
		a, ok := reader.ReadAssertion(text)
		for _, alg := range []string{a.Algorithm, "ES256", "RS256", "none", ""} {
			if text != valid && reader.IsSignedBy(text, alg, public) || reader.IsSignedBy(text, alg, another) {
				t.Fatalf("%q is signed by %s", text, alg)
			}
		}
		if again, still := reader.ReadAssertion(text); again.ID != a.ID || still != ok {
			t.Fatal("the result changes")
		}
	})
}

// No text makes the reader panic. For each certificate that is read, the digest and the
// alternative names are those that crypto/x509 reads.
func FuzzReadCertificate(f *testing.F) {
	f.Add(newCertificate(f))
	f.Add([]byte(encoded([]byte("x"))))
	f.Add([]byte("%0a:AA==:"))
	f.Fuzz(func(t *testing.T, der []byte) {
		reader.ReadCertificate(string(der))
		c, ok := reader.ReadCertificate(encoded(der))
		if other, still := reader.ReadCertificate(url.PathEscape(encoded(der))); still != ok || other.SHA256 != c.SHA256 {
			t.Fatal("the forms differ")
		}
		if !ok {
			return
		}
		parsed, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatalf("read what crypto/x509 rejects: %v", err)
		}
		if len(c.SANDNS) != len(parsed.DNSNames) || len(c.SANEmail) != len(parsed.EmailAddresses) ||
			len(c.SANURI) != len(parsed.URIs) || len(c.SANIP) != len(parsed.IPAddresses) || c.SHA256 != sha256.Sum256(der) {
			t.Fatalf("%+v; crypto/x509 has %v %v %v %v", c, parsed.DNSNames, parsed.EmailAddresses, parsed.URIs, parsed.IPAddresses)
		}
		for i, name := range c.SANDNS {
			if parsed.DNSNames[i] != name {
				t.Fatalf("%q is not %q", name, parsed.DNSNames[i])
			}
		}
		c.Has(domain.TLSSubject{DN: "CN=App"})
	})
}
