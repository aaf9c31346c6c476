package jwks

// This file compares the "x5c" of a JWK (RFC 7517 §4.7) with the key.

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/clientele-oauth/clientele/adapters/internal/jwk"
	"github.com/clientele-oauth/clientele/domain"
)

// parseCertificates reads an "x5c" (RFC 7517 §4.7): an array of certificates,
// each the standard base64 encoding of its DER, without line breaks
// (RFC 4648 §3.3). The result describes the first one, whose public key must be the
// key itself.
func parseCertificates(chain jsontext.Value, key *domain.Key) *domain.Certificate {
	reader := jwk.NewReader(map[string]jsontext.Value{"x5c": chain})
	list := reader.Texts("x5c")
	if reader.Fault() != "" || len(list) == 0 {
		return &domain.Certificate{Malformed: "x5c is not an array of at least one string"}
	}
	var first certificate
	var digest [sha256.Size]byte
	for i, encoded := range list {
		der, err := base64.StdEncoding.Strict().DecodeString(encoded)
		if err != nil || strings.ContainsAny(encoded, "\r\n") {
			return &domain.Certificate{Malformed: "x5c is not base64 without line breaks"}
		}
		parsed, ok := parseCertificate(der)
		if !ok {
			return &domain.Certificate{Malformed: "x5c has an element that is not a certificate in DER"}
		}
		if i == 0 {
			first, digest = parsed, sha256.Sum256(der)
		}
	}
	return &domain.Certificate{
		SHA256:    digest,
		Matches:   first.TBS.PublicKey.matches(key),
		NotBefore: first.TBS.Validity.NotBefore.UTC(),
		NotAfter:  first.TBS.Validity.NotAfter.UTC(),
	}
}

// certificate is the Certificate of RFC 5280 §4.1. Package crypto/x509 does not
// read keys for Ed448, X448 and RSASSA-PSS, and rejects certificates with a negative
// serial number, which RFC 5280 §4.1.2.2 asks users of certificates to handle.
type certificate struct {
	TBS                tbsCertificate
	SignatureAlgorithm pkix.AlgorithmIdentifier
	Signature          asn1.BitString
}

type tbsCertificate struct {
	Version            int `asn1:"optional,explicit,default:0,tag:0"`
	SerialNumber       *big.Int
	SignatureAlgorithm pkix.AlgorithmIdentifier
	Issuer             pkix.RDNSequence
	Validity           struct{ NotBefore, NotAfter time.Time }
	Subject            pkix.RDNSequence
	PublicKey          publicKeyInfo
	IssuerUniqueID     asn1.BitString   `asn1:"optional,tag:1"`
	SubjectUniqueID    asn1.BitString   `asn1:"optional,tag:2"`
	Extensions         []pkix.Extension `asn1:"omitempty,optional,explicit,tag:3"`
}

// publicKeyInfo is the SubjectPublicKeyInfo of RFC 5280 §4.1.2.7.
type publicKeyInfo struct {
	Algorithm pkix.AlgorithmIdentifier
	Key       asn1.BitString
}

// parseCertificate reads one certificate. It rejects dates that RFC 3339 cannot
// represent, because responses contain them.
func parseCertificate(der []byte) (certificate, bool) {
	var c certificate
	rest, err := asn1.Unmarshal(der, &c)
	if err != nil || len(rest) > 0 {
		return certificate{}, false
	}
	for _, date := range []time.Time{c.TBS.Validity.NotBefore, c.TBS.Validity.NotAfter} {
		if year := date.UTC().Year(); year < 1 || year > 9999 {
			return certificate{}, false
		}
	}
	return c, true
}

// Algorithms and curves of public keys in certificates (RFC 3279 §2.3, RFC 4055
// §1.2, RFC 5480 §2.1, RFC 8410 §3).
const (
	oidRSA     = "1.2.840.113549.1.1.1"
	oidRSAPSS  = "1.2.840.113549.1.1.10"
	oidEC      = "1.2.840.10045.2.1"
	oidP256    = "1.2.840.10045.3.1.7"
	oidP384    = "1.3.132.0.34"
	oidP521    = "1.3.132.0.35"
	oidX25519  = "1.3.101.110"
	oidX448    = "1.3.101.111"
	oidEd25519 = "1.3.101.112"
	oidEd448   = "1.3.101.113"
)

// matches reports whether the public key is that of the JWK. It compares the values
// that the keys consist of. The JWK was read without a fault.
func (p publicKeyInfo) matches(key *domain.Key) bool {
	material := func(member string) []byte {
		octets, err := base64.RawURLEncoding.DecodeString(key.Public[member])
		if err != nil {
			return nil
		}
		return octets
	}
	if p.Key.BitLength%8 != 0 {
		return false
	}
	octets := p.Key.Bytes
	switch algorithm := p.Algorithm.Algorithm.String(); algorithm {
	case oidRSA, oidRSAPSS:
		var public struct{ N, E *big.Int }
		rest, err := asn1.Unmarshal(octets, &public)
		return err == nil && len(rest) == 0 && key.Type == "RSA" &&
			bytes.Equal(public.N.Bytes(), material("n")) && bytes.Equal(public.E.Bytes(), material("e")) &&
			public.N.Sign() > 0 && public.E.Sign() > 0
	case oidEC:
		x, y := material("x"), material("y")
		if key.Type != "EC" || key.Curve != p.curve() || len(y) == 0 {
			return false
		}
		uncompressed := slices.Concat([]byte{4}, x, y)
		compressed := slices.Concat([]byte{2 | y[len(y)-1]&1}, x) // RFC 5480 §2.2
		return bytes.Equal(octets, uncompressed) || bytes.Equal(octets, compressed)
	case oidEd25519, oidEd448, oidX25519, oidX448:
		crv := map[string]string{oidEd25519: "Ed25519", oidEd448: "Ed448", oidX25519: "X25519", oidX448: "X448"}[algorithm]
		return key.Type == "OKP" && key.Curve == crv && bytes.Equal(octets, material("x"))
	default:
		return false
	}
}

// curve returns the "crv" of an EC key's named curve; empty if it is unknown.
func (p publicKeyInfo) curve() string {
	var name asn1.ObjectIdentifier
	if rest, err := asn1.Unmarshal(p.Algorithm.Parameters.FullBytes, &name); err != nil || len(rest) > 0 {
		return ""
	}
	switch name.String() {
	case oidP256:
		return "P-256"
	case oidP384:
		return "P-384"
	case oidP521:
		return "P-521"
	default:
		return ""
	}
}
