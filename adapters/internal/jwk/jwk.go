// Package jwk reads the public part of a JSON Web Key (RFC 7517 §4, RFC 7518 §6,
// RFC 8037 §2) strictly: each value must be in its one canonical form, and must be
// a valid key. What a key may be used for is decided by the callers.
//
//	reader := jwk.NewReader(members)
//	key := domain.Key{Type: reader.Text("kty")}
//	reader.ReadPublic(&key)
//	if reader.Fault() == "" && !key.Unsupported {
//		public, err := reader.CryptoKey(key)
//	}
package jwk

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/clientele-oauth/clientele/adapters/internal/strictjson"
	"github.com/clientele-oauth/clientele/domain"
)

// Faults that callers report too.
const (
	NotAnObject = "not a JSON object"
	NotOnCurve  = "the point (x, y) is not on its curve"
)

// Reader reads the members of one JWK and keeps the first fault.
type Reader struct {
	members map[string]jsontext.Value
	fault   string
	public  map[string]string // the members that make the key, and no others
}

// NewReader returns a reader of the members of a JWK.
func NewReader(members map[string]jsontext.Value) *Reader { return &Reader{members: members} }

// Fault returns the first fault, in words without key material; empty if there is
// none.
func (r *Reader) Fault() string { return r.fault }

// Public returns the members that make the key (RFC 7638 §3.2), after
// [Reader.ReadPublic] read them without a fault.
func (r *Reader) Public() map[string]string { return r.public }

func (r *Reader) setFault(fault string) {
	if r.fault == "" {
		r.fault = fault
	}
}

// Text returns a string, empty if the member is absent.
func (r *Reader) Text(member string) string {
	raw, ok := r.members[member]
	if !ok {
		return ""
	}
	text, ok := strictjson.String(raw)
	if !ok {
		r.setFault(member + " is not a string")
	}
	return text
}

// Texts returns an array of strings, nil if the member is absent.
func (r *Reader) Texts(member string) []string {
	raw, ok := r.members[member]
	if !ok {
		return nil
	}
	elements, err := strictjson.Array(raw)
	valid := err == nil
	var texts []string
	for _, element := range elements {
		text, ok := strictjson.String(element)
		valid = valid && ok
		texts = append(texts, text)
	}
	if !valid {
		r.setFault(member + " is not an array of strings")
	}
	return texts
}

// octets returns a base64url value (RFC 7515 §2) in its one canonical form: no
// padding, no line break, no excess bits at the end.
func (r *Reader) octets(member string) []byte {
	text := r.Text(member)
	decoded, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || text == "" || strings.ContainsAny(text, "\r\n") {
		r.setFault(member + " is missing or not canonical base64url")
	}
	return decoded
}

// number returns a Base64urlUInt (RFC 7518 §2): no leading zero octet.
func (r *Reader) number(member string) *big.Int {
	octets := r.octets(member)
	if len(octets) > 0 && octets[0] == 0 {
		r.setFault(member + " has a leading zero octet")
	}
	return new(big.Int).SetBytes(octets)
}

// sized requires the length that the curve prescribes (RFC 7518 §6.2.1.2, RFC 8037
// §2).
func (r *Reader) sized(member string, length int) {
	if octets := r.octets(member); len(octets) != length {
		r.setFault(member + " does not have the length that its curve requires")
	}
}

// curve returns the "kty" of a curve, and the length in octets of a coordinate or
// a public key on it; an empty "kty" if the curve is unknown.
func curve(crv string) (kty string, length int) {
	switch crv {
	case "P-256":
		return "EC", 32
	case "P-384":
		return "EC", 48
	case "P-521":
		return "EC", 66
	case "Ed25519", "X25519":
		return "OKP", 32
	case "X448":
		return "OKP", 56
	case "Ed448":
		return "OKP", 57
	default:
		return "", 0
	}
}

// ReadPublic reads the public members that keys of the type have, and sets the
// facts that follow from them: Curve, Bits, Exponent, Thumbprint (RFC 7638), and
// Unsupported for an unknown "kty" or "crv".
func (r *Reader) ReadPublic(key *domain.Key) {
	switch key.Type {
	case "RSA":
		modulus, exponent := r.number("n"), r.number("e")
		if modulus.Bit(0) == 0 {
			r.setFault("the modulus n is even")
		}
		key.Bits = modulus.BitLen()
		key.Exponent = math.MaxUint64
		if exponent.IsUint64() {
			key.Exponent = exponent.Uint64()
		}
		key.Thumbprint = r.thumbprint("e", "kty", "n")
	case "EC", "OKP":
		key.Curve = r.Text("crv")
		kty, length := curve(key.Curve)
		if kty != key.Type {
			key.Unsupported = key.Curve != "" && kty == ""
			if !key.Unsupported {
				r.setFault("crv is missing or belongs to another kty")
			}
			return
		}
		r.sized("x", length)
		if key.Type == "OKP" {
			if r.fault == "" {
				r.fault = okpFault(key.Curve, r.octets("x"))
			}
			key.Thumbprint = r.thumbprint("crv", "kty", "x")
			return
		}
		r.sized("y", length)
		key.Thumbprint = r.thumbprint("crv", "kty", "x", "y")
	case "":
		r.setFault("kty is missing")
	default:
		key.Unsupported = true
	}
}

// thumbprint returns the thumbprint of RFC 7638 §3 and keeps the members that it
// covers, which are those that make the key. They are the required ones of the type,
// in lexicographic order.
func (r *Reader) thumbprint(members ...string) string {
	r.public = make(map[string]string, len(members))
	required := make([]string, len(members))
	for i, member := range members {
		r.public[member] = r.Text(member)
		required[i] = `"` + member + `":"` + r.Text(member) + `"`
	}
	sum := sha256.Sum256([]byte("{" + strings.Join(required, ",") + "}"))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// HasCryptoKey reports whether Go's standard library has keys of this type. It has
// none for Ed448 and X448, for which the checks of [Reader.ReadPublic] must suffice.
// An exponent that does not fit is reported by its size.
func HasCryptoKey(key domain.Key) bool {
	return key.Curve != "Ed448" && key.Curve != "X448" && key.Exponent <= math.MaxInt32
}

var errNoCryptoKey = errors.New("the standard library has no such key")

// CryptoKey returns the public key, of a key for which [HasCryptoKey] holds and that
// [Reader.ReadPublic] read without a fault. The error is about a point that is not on
// its curve.
func (r *Reader) CryptoKey(key domain.Key) (crypto.PublicKey, error) {
	switch key.Type + " " + key.Curve {
	case "RSA ":
		return &rsa.PublicKey{N: r.number("n"), E: int(r.number("e").Int64())}, nil
	case "EC P-256":
		return r.point(elliptic.P256())
	case "EC P-384":
		return r.point(elliptic.P384())
	case "EC P-521":
		return r.point(elliptic.P521())
	case "OKP Ed25519":
		return ed25519.PublicKey(r.octets("x")), nil
	case "OKP X25519":
		return ecdh.X25519().NewPublicKey(r.octets("x"))
	default:
		return nil, errNoCryptoKey
	}
}

// point returns a key on an elliptic curve (SEC 1 §2.3.4, uncompressed).
func (r *Reader) point(on elliptic.Curve) (crypto.PublicKey, error) {
	return ecdsa.ParseUncompressedPublicKey(on, slices.Concat([]byte{4}, r.octets("x"), r.octets("y")))
}

// PublicKey returns the key that facts describe; ok is false if the standard library has
// no such key, see [HasCryptoKey], or if the facts are not of a key that could be read.
func PublicKey(key domain.Key) (public crypto.PublicKey, ok bool) {
	if !HasCryptoKey(key) {
		return nil, false
	}
	members := make(map[string]jsontext.Value, len(key.Public))
	for name, value := range key.Public {
		members[name] = jsontext.Value(strconv.Quote(value)) // base64url and names, which need no other quoting
	}
	public, err := NewReader(members).CryptoKey(key)
	return public, err == nil
}
