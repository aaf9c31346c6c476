package jwks_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"maps"
	"math/big"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/jwks"
	"github.com/clientele-oauth/clientele/domain"
)

// members are the members of a JWK.
type members map[string]any

// publicJWK returns the JWK of a public key.
func publicJWK(tb testing.TB, public crypto.PublicKey) members {
	tb.Helper()
	key, err := jwk.FromRaw(public)
	require.NoError(tb, err)
	text, err := json.Marshal(key)
	require.NoError(tb, err)
	var m members
	require.NoError(tb, json.Unmarshal(text, &m))
	m["kid"] = "a"
	return m
}

// and returns a copy of the key with one more member.
func (m members) and(name string, value any) members {
	changed := maps.Clone(m)
	changed[name] = value
	return changed
}

func (m members) without(name string) members {
	changed := maps.Clone(m)
	delete(changed, name)
	return changed
}

// set returns the JSON text of a JWK Set.
func set(tb testing.TB, keys ...members) string {
	tb.Helper()
	text, err := json.Marshal(map[string]any{"keys": keys})
	require.NoError(tb, err)
	return string(text)
}

func newEC(tb testing.TB) *ecdsa.PrivateKey {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(tb, err)
	return key
}

func newRSA(tb testing.TB) *rsa.PrivateKey {
	tb.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(tb, err)
	return key
}

// x5c returns a chain of one certificate for public, signed by signer.
func x5c(t *testing.T, public crypto.PublicKey, signer crypto.Signer) []string {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"},
		NotBefore: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, signer)
	require.NoError(t, err)
	return []string{base64.StdEncoding.EncodeToString(der)}
}

func b64(octets ...byte) string { return base64.RawURLEncoding.EncodeToString(octets) }

func TestParseKeysOfEveryType(t *testing.T) {
	ec, private := newEC(t), newRSA(t)
	ed, _, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	facts := jwks.Parse(set(
		t,
		publicJWK(t, ec.Public()).and("use", "sig").and("alg", "ES256").and("key_ops", []string{"verify"}),
		publicJWK(t, private.Public()),
		publicJWK(t, ed),
		members{"kty": "OKP", "crv": "Ed448", "x": "X9dEm1m0Yf0s54fsYWrUah2hNCSFpw4fig6nXYDpZ3jt8SR2m0bHBhvWeD3x5Q9s0foavq_oJWGA"},
		members{"kty": "OKP", "crv": "X448", "x": "mwj3zDG34-Z9ItWuoSEHSic70rg94Jxj-qc9LCLF2bvINmRyQdlT1AxbEtqIEg1TF3-A5TLEH6A"},
		members{"kty": "OKP", "crv": "X25519", "x": "hSDwCYkwp1R0i33ctD73Wg2_Og0mOBr066SpjqqbTmo"},
		members{"kty": "AKP"},
		members{"kty": "EC", "crv": "secp256k1", "x": "AA", "y": "AA"},
	))
	require.Equal(t, domain.KeySetReadable, facts.Fault)
	require.Len(t, facts.Keys, 8)
	for i, key := range facts.Keys {
		assert.Empty(t, key.Malformed, "key %d", i)
		assert.Equal(t, i >= 6, key.Unsupported, "key %d", i)
	}
	first, second := facts.Keys[0], facts.Keys[1]
	assert.Equal(t, "a", first.KeyID)
	assert.Equal(t, "EC", first.Type)
	assert.Equal(t, "P-256", first.Curve)
	assert.Equal(t, "sig", first.Use)
	assert.Equal(t, "ES256", first.Algorithm)
	assert.Equal(t, []string{"verify"}, first.Operations)
	assert.Equal(t, 2048, second.Bits)
	assert.Equal(t, uint64(65537), second.Exponent)

	key, err := jwk.FromRaw(ec.Public())
	require.NoError(t, err)
	thumbprint, err := key.Thumbprint(crypto.SHA256)
	require.NoError(t, err)
	assert.Equal(t, base64.RawURLEncoding.EncodeToString(thumbprint), first.Thumbprint)
}

func TestParseKeySets(t *testing.T) {
	tests := map[string]struct {
		text  string
		fault domain.KeySetFault
	}{
		"not JSON":             {`keys`, domain.KeySetMalformed},
		"an array":             {`[]`, domain.KeySetMalformed},
		"no keys":              {`{}`, domain.KeySetMalformed},
		"keys is an object":    {`{"keys":{}}`, domain.KeySetMalformed},
		"keys in upper case":   {`{"KEYS":[]}`, domain.KeySetMalformed},
		"trailing bytes":       {`{"keys":[]}x`, domain.KeySetMalformed},
		"a second text":        {`{"keys":[]}{"keys":[]}`, domain.KeySetMalformed},
		"duplicate keys":       {`{"keys":[],"keys":[]}`, domain.KeySetMalformed},
		"duplicate in a key":   {`{"keys":[{"kty":"EC","kty":"RSA"}]}`, domain.KeySetMalformed},
		"duplicate by escapes": {`{"keys":[],"ke\u0079s":[]}`, domain.KeySetMalformed},
		"truncated":            {`{"keys":[{"kty":`, domain.KeySetMalformed},
		"invalid UTF-8":        {"{\"keys\":[],\"a\":\"\xff\"}", domain.KeySetMalformed},
		"deep nesting":         {`{"keys":` + strings.Repeat("[", 30000) + strings.Repeat("]", 30000) + `}`, domain.KeySetMalformed},
		"10,000 keys":          {`{"keys":[` + strings.Repeat("{},", 9999) + `{}]}`, domain.KeySetTooLarge},
		"over 64 KiB":          {`{"keys":[]` + strings.Repeat(" ", 64<<10) + `}`, domain.KeySetTooLarge},
		"empty":                {`{"keys":[]}`, domain.KeySetReadable},
		"another member":       {`{"keys":[],"note":"x"}`, domain.KeySetReadable},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			facts := jwks.Parse(tt.text)
			assert.Equal(t, tt.fault, facts.Fault)
			assert.Equal(t, tt.fault == domain.KeySetReadable, facts.Detail == "")
		})
	}
}

func TestMalformedKeys(t *testing.T) {
	ec := publicJWK(t, newEC(t).Public())
	other := publicJWK(t, newEC(t).Public())
	rsaKey := publicJWK(t, newRSA(t).Public())
	modulus, err := base64.RawURLEncoding.DecodeString(rsaKey["n"].(string))
	require.NoError(t, err)
	even := append([]byte{}, modulus...)
	even[len(even)-1] &^= 1
	tests := map[string]members{
		"no kty":                    ec.without("kty"),
		"kty is a number":           ec.and("kty", 1),
		"kid is a number":           ec.and("kid", 7),
		"use is an array":           ec.and("use", []string{"sig"}),
		"key_ops is a string":       ec.and("key_ops", "verify"),
		"key_ops has a number":      ec.and("key_ops", []any{"verify", 1}),
		"no crv":                    ec.without("crv"),
		"crv of another type":       ec.and("crv", "Ed25519"),
		"no x":                      ec.without("x"),
		"x is null":                 ec.and("x", nil),
		"x is padded":               ec.and("x", ec["x"].(string)+"="),
		"x has a line break":        ec.and("x", ec["x"].(string)[:10]+"\n"+ec["x"].(string)[10:]),
		"x is standard base64":      ec.and("x", "+/"+ec["x"].(string)[2:]),
		"x is short":                ec.and("x", b64(1, 2, 3)),
		"not on the curve":          ec.and("y", other["y"]),
		"the point at infinity":     ec.and("x", b64(make([]byte, 32)...)).and("y", b64(make([]byte, 32)...)),
		"no n":                      rsaKey.without("n"),
		"n begins with zero":        rsaKey.and("n", b64(append([]byte{0}, modulus...)...)),
		"n is even":                 rsaKey.and("n", b64(even...)),
		"e is empty":                rsaKey.and("e", ""),
		"e has excess bits":         rsaKey.and("e", "AQAC"[:3]+"-").and("e", "AR"),
		"Ed25519 of another length": {"kty": "OKP", "crv": "Ed25519", "x": b64(1, 2, 3)},
		"Ed448 of Ed25519's length": {"kty": "OKP", "crv": "Ed448", "x": b64(make([]byte, 32)...)},
		"a member in upper case":    ec.without("x").and("X", ec["x"]),
	}
	for name, key := range tests {
		t.Run(name, func(t *testing.T) {
			facts := jwks.Parse(set(t, key))
			require.Len(t, facts.Keys, 1)
			assert.NotEmpty(t, facts.Keys[0].Malformed)
			for _, material := range []string{"n", "x", "y"} {
				if s, ok := key[material].(string); ok && len(s) > 4 {
					assert.NotContains(t, facts.Keys[0].Malformed, s)
				}
			}
		})
	}
	facts := jwks.Parse(`{"keys":[1,"x",null,[]]}`)
	require.Len(t, facts.Keys, 4)
	for _, key := range facts.Keys {
		assert.NotEmpty(t, key.Malformed)
	}
}

func TestPrivateAndSymmetricKeysAreRecognizedByAnyMember(t *testing.T) {
	ec := publicJWK(t, newEC(t).Public())
	for _, member := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "priv"} {
		for _, value := range []any{"AQ", "", nil, 1, []any{}} {
			facts := jwks.Parse(set(t, ec.and(member, value)))
			assert.True(t, facts.Keys[0].Private, "%s: %v", member, value)
			assert.Empty(t, facts.Keys[0].Thumbprint)
		}
	}
	assert.True(t, jwks.Parse(set(t, members{"kty": "oct"})).Keys[0].Symmetric)
	assert.True(t, jwks.Parse(set(t, ec.and("k", "AQ"))).Keys[0].Symmetric)
	assert.True(t, jwks.Parse(`{"keys":[{"kty":"RSA","\u0064":"AQ"}]}`).Keys[0].Private, "an escaped name")
}

func TestExponents(t *testing.T) {
	key := publicJWK(t, newRSA(t).Public())
	for e, want := range map[string]uint64{
		b64(1): 1, b64(3): 3, b64(1, 0, 1): 65537, b64(0xff, 0xff, 0xff, 0xff, 0xff): 1<<40 - 1,
		b64(1, 0, 0, 0, 0, 0, 0, 0, 1): 1<<64 - 1,
	} {
		facts := jwks.Parse(set(t, key.and("e", e)))
		assert.Empty(t, facts.Keys[0].Malformed)
		assert.Equal(t, want, facts.Keys[0].Exponent)
	}
}

// vectors returns JWKs with certificates made by OpenSSL 3.0, by their unusual
// property.
func vectors(t *testing.T) map[string]members {
	t.Helper()
	text, err := os.ReadFile("testdata/x5c.json")
	require.NoError(t, err)
	var keys map[string]members
	require.NoError(t, json.Unmarshal(text, &keys))
	return keys
}

// withTrailingByte returns a certificate with a byte after its DER.
func withTrailingByte(t *testing.T, encoded string) string {
	t.Helper()
	der, err := base64.StdEncoding.DecodeString(encoded)
	require.NoError(t, err)
	return base64.StdEncoding.EncodeToString(append(der, 0))
}

// RFC 3339 cannot represent a date whose year in UTC is after 9999, and responses
// contain these dates.
func TestCertificatesWithDatesOutsideRFC3339AreRejected(t *testing.T) {
	ec := newEC(t)
	good := x5c(t, ec.Public(), ec)[0]
	der, err := base64.StdEncoding.DecodeString(good)
	require.NoError(t, err)
	parsed, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	for notAfter, want := range map[string]bool{"99991231235959Z": true, "99991231235959-0500": false} {
		// The lengths of the enclosing SEQUENCEs change with the longer date.
		edited := withNotAfter(t, parsed.Raw, notAfter)
		facts := jwks.Parse(set(t, publicJWK(t, ec.Public()).and("x5c", []string{base64.StdEncoding.EncodeToString(edited)}))).Keys[0]
		assert.Equal(t, want, facts.Certificate.Malformed == "", "%s: %s", notAfter, facts.Certificate.Malformed)
	}
}

// withNotAfter returns the certificate with another notAfter, as a GeneralizedTime.
func withNotAfter(t *testing.T, der []byte, notAfter string) []byte {
	t.Helper()
	type validity struct{ NotBefore, NotAfter asn1.RawValue }
	type tbs struct {
		Version            asn1.RawValue
		SerialNumber       *big.Int
		SignatureAlgorithm asn1.RawValue
		Issuer             asn1.RawValue
		Validity           validity
		Subject, PublicKey asn1.RawValue
	}
	var c struct {
		TBS                           tbs
		SignatureAlgorithm, Signature asn1.RawValue
	}
	_, err := asn1.Unmarshal(der, &c)
	require.NoError(t, err)
	c.TBS.Validity.NotAfter = asn1.RawValue{Tag: asn1.TagGeneralizedTime, Bytes: []byte(notAfter)}
	edited, err := asn1.Marshal(c)
	require.NoError(t, err)
	return edited
}

// For each certificate that crypto/x509 reads, the result is the same: whether it is
// for the key, and its dates.
func FuzzCertificate(f *testing.F) {
	public := newEC(f)
	key := publicJWK(f, public.Public())
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public.Public(), public)
	require.NoError(f, err)
	f.Add(der)
	f.Fuzz(func(t *testing.T, der []byte) {
		facts := jwks.Parse(set(t, key.and("x5c", []string{base64.StdEncoding.EncodeToString(der)}))).Keys[0]
		c := facts.Certificate
		parsed, err := x509.ParseCertificate(der)
		if err != nil {
			return
		}
		if c.Malformed != "" {
			t.Fatalf("rejected a certificate that crypto/x509 reads: %s", c.Malformed)
		}
		if c.Matches != public.PublicKey.Equal(parsed.PublicKey) {
			t.Fatalf("Matches: %v; the key of crypto/x509: %v", c.Matches, parsed.PublicKey)
		}
		if !c.NotAfter.Equal(parsed.NotAfter) || !c.NotBefore.Equal(parsed.NotBefore) {
			t.Fatalf("dates: %v and %v; crypto/x509 has %v and %v", c.NotBefore, c.NotAfter, parsed.NotBefore, parsed.NotAfter)
		}
	})
}

func TestParseCertificates(t *testing.T) {
	ec, other, private := newEC(t), newEC(t), newRSA(t)
	edPublic, edPrivate, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	for name, key := range map[string]members{
		"EC":      publicJWK(t, ec.Public()).and("x5c", x5c(t, ec.Public(), ec)),
		"RSA":     publicJWK(t, private.Public()).and("x5c", x5c(t, private.Public(), private)),
		"Ed25519": publicJWK(t, edPublic).and("x5c", x5c(t, edPublic, edPrivate)),
	} {
		facts := jwks.Parse(set(t, key)).Keys[0]
		require.NotNil(t, facts.Certificate, name)
		assert.Empty(t, facts.Certificate.Malformed, name)
		assert.True(t, facts.Certificate.Matches, name)
		assert.Equal(t, 2027, facts.Certificate.NotAfter.Year(), name)
		assert.Equal(t, 2026, facts.Certificate.NotBefore.Year(), name)
	}
	for name, key := range vectors(t) {
		facts := jwks.Parse(set(t, key)).Keys[0]
		require.NotNil(t, facts.Certificate, name)
		assert.Empty(t, facts.Malformed, name)
		assert.Empty(t, facts.Certificate.Malformed, name)
		assert.True(t, facts.Certificate.Matches, name)
		assert.Equal(t, 2036, facts.Certificate.NotAfter.Year(), name)
		for other, unrelated := range vectors(t) {
			if unrelated["x"] != key["x"] {
				facts := jwks.Parse(set(t, key.and("x5c", unrelated["x5c"]))).Keys[0]
				assert.Empty(t, facts.Certificate.Malformed)
				assert.False(t, facts.Certificate.Matches, "%s with the certificate of %s", name, other)
			}
		}
	}
	ed448 := vectors(t)["Ed448"]
	encoded := ed448["x5c"].([]any)[0].(string)
	require.True(t, strings.HasSuffix(encoded, "I="))
	encoded = strings.TrimSuffix(encoded, "I=") + "J="
	facts := jwks.Parse(set(t, ed448.and("x5c", []string{encoded}))).Keys[0]
	assert.NotEmpty(t, facts.Certificate.Malformed, "bits after the last octet (RFC 4648 §3.5)")
	key := publicJWK(t, ec.Public())
	mismatch := jwks.Parse(set(t, key.and("x5c", x5c(t, other.Public(), other)))).Keys[0]
	assert.False(t, mismatch.Certificate.Matches)
	good := x5c(t, ec.Public(), ec)[0]
	for name, chain := range map[string]any{
		"a string": good, "empty": []string{}, "not base64": []string{"%"}, "base64url": []string{strings.NewReplacer("+", "-", "/", "_").Replace(good) + "-_"},
		"line feed": []string{good[:64] + "\n" + good[64:]}, "line feed at the end": []string{good + "\n"}, "carriage return": []string{"\r" + good},
		"space": []string{good[:64] + " " + good[64:]}, "no padding": []string{strings.TrimRight(good, "=") + "A"},
		"the second has a line feed": []string{good, good[:64] + "\n" + good[64:]}, "PEM": []string{"-----BEGIN CERTIFICATE-----" + good},
		"bytes after the DER": []string{withTrailingByte(t, good)}, "the second is empty": []string{good, ""},
		"not DER": []string{"AQID"}, "the second is not DER": []string{good, "AQID"}, "numbers": []int{1},
	} {
		facts := jwks.Parse(set(t, key.and("x5c", chain))).Keys[0]
		require.NotNil(t, facts.Certificate, name)
		assert.NotEmpty(t, facts.Certificate.Malformed, name)
	}
}

// Advisory GHSA-4cf7-xm37-g63h of the library jwx: a crafted member name becomes
// another member when a parsed key is serialized. This package never serializes a
// key, and the crafted name does not change the result.
func TestCraftedMemberNamesAreIgnored(t *testing.T) {
	key := publicJWK(t, newEC(t).Public())
	crafted := key.and(`x":"","d":"AQ`, "y").and(`alg","use":"enc`, "z")
	assert.Equal(t, jwks.Parse(set(t, key)), jwks.Parse(set(t, crafted)))
}

func FuzzKeySet(f *testing.F) {
	f.Add(set(f, publicJWK(f, newEC(f).Public()), publicJWK(f, newRSA(f).Public())))
	f.Add(`{"keys":[{"kty":"oct","k":"AQ"}]}`)
	f.Add(`{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`)
	f.Add(`{"keys":[{"kty":"RSA","n":"AQ","e":"AQAB","x5c":["AQ=="]}]}`)
	book, err := domain.NewRulebook(domain.Policy{})
	if err != nil {
		f.Fatal(err)
	}
	now := time.Date(2026, 4, 15, 10, 30, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, text string) {
		facts := jwks.Parse(text)
		settings := domain.Settings{
			Name: "App", Status: domain.StatusActive, Confidential: true,
			GrantTypes:  []domain.GrantType{domain.GrantClientCredentials},
			AuthMethods: []domain.AuthMethod{domain.AuthPrivateKeyJWT},
			Keys:        domain.InlineKeys(text),
		}
		if text == "" || book.Validate(settings, domain.Facts{Keys: domain.KeysSeen(facts)}, now).HasViolations() {
			return
		}
		// The library jwx reads each accepted set as well, and finds no private or
		// symmetric key in it.
		parsed, err := jwk.ParseString(text, jwk.WithIgnoreParseError(true))
		if err != nil {
			t.Fatalf("accepted %q: %v", text, err)
		}
		for i := range parsed.Len() {
			key, _ := parsed.Key(i)
			switch key.(type) {
			case jwk.SymmetricKey, jwk.RSAPrivateKey, jwk.ECDSAPrivateKey, jwk.OKPPrivateKey:
				t.Fatalf("accepted a %T", key)
			}
		}
	})
}
