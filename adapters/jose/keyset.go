// Package jose is all of Clientele that knows JOSE: it reads JSON Web Key Sets
// into the facts that rules judge, and verifies access tokens.
//
// The library behind it, jwx v2, stays inside. A key that jwx parsed is never
// serialised again: what is stored is the text that was submitted, and only
// after the strict reading of this package.
package jose

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"math"
	"math/big"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/lestrrat-go/jwx/v2/jwk"

	"github.com/clientele-oauth/clientele/domain"
)

// Parse reads the JSON text of a JWK Set (RFC 7517 §5) strictly: no duplicate
// member at any depth, no invalid UTF-8, no byte behind the text, member names
// compared by case. What is wrong is in the facts; none of them repeats key
// material.
func (*Resolver) Parse(jwks string) domain.KeySet {
	return parseKeySet([]byte(jwks))
}

func parseKeySet(text []byte) domain.KeySet {
	if len(text) > domain.MaxKeySetBytes {
		return domain.KeySet{Fault: domain.KeySetTooLarge, Detail: "it is over 64 KiB"}
	}
	set, err := readObject(text)
	if err != nil {
		return domain.KeySet{Fault: domain.KeySetMalformed, Detail: describe(err)}
	}
	keys, err := readArray(set["keys"])
	if err != nil {
		return domain.KeySet{Fault: domain.KeySetMalformed, Detail: "its member keys is not an array"}
	}
	if len(keys) > domain.MaxKeys {
		return domain.KeySet{Fault: domain.KeySetTooLarge, Detail: "it has over 50 keys"}
	}
	facts := domain.KeySet{Keys: make([]domain.Key, len(keys))}
	for i, key := range keys {
		facts.Keys[i] = parseKey(key)
	}
	return facts
}

var errNotThat = errors.New("not of the expected JSON type")

// readObject reads the members of the one JSON object that text is.
func readObject(text []byte) (map[string]jsontext.Value, error) {
	dec := jsontext.NewDecoder(bytes.NewReader(text))
	if dec.PeekKind() != '{' {
		_, err := dec.ReadValue()
		return nil, errors.Join(err, errNotThat)
	}
	if _, err := dec.ReadToken(); err != nil {
		return nil, err
	}
	members := map[string]jsontext.Value{}
	for dec.PeekKind() != '}' {
		name, err := dec.ReadToken()
		if err != nil {
			return nil, err
		}
		member := name.String()
		value, err := dec.ReadValue()
		if err != nil {
			return nil, err
		}
		members[member] = value.Clone()
	}
	if _, err := dec.ReadToken(); err != nil {
		return nil, err
	}
	if _, err := dec.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, errors.Join(err, errTrailing)
	}
	return members, nil
}

var errTrailing = errors.New("bytes behind the JSON text")

// describe tells the kind of the error without the text of it, which may hold
// what was read.
func describe(err error) string {
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName):
		return "a member stands in it twice"
	case errors.Is(err, errTrailing):
		return "bytes follow the JSON text"
	case errors.Is(err, errNotThat):
		return "it is not a JSON object"
	default:
		return "it is not JSON"
	}
}

// readArray reads the elements of the one JSON array that text is.
func readArray(text []byte) ([]jsontext.Value, error) {
	var elements []jsontext.Value
	dec := jsontext.NewDecoder(bytes.NewReader(text))
	if dec.PeekKind() != '[' {
		return nil, errNotThat
	}
	if _, err := dec.ReadToken(); err != nil {
		return nil, err
	}
	for dec.PeekKind() != ']' {
		value, err := dec.ReadValue()
		if err != nil {
			return nil, err
		}
		elements = append(elements, value.Clone())
	}
	return elements, nil
}

// privateMembers are the members of which none may be published (RFC 7518
// §6.2.2 and §6.3.2, RFC 9964 for "priv"), whatever the type of the key.
func privateMembers() []string { return []string{"d", "p", "q", "dp", "dq", "qi", "oth", "priv"} }

// parseKey reads one JWK. It looks for what must not be there first, and reads
// nothing further of a key that holds it.
func parseKey(text jsontext.Value) domain.Key {
	members, err := readObject(text)
	if err != nil {
		return domain.Key{Malformed: "it is not a JSON object"}
	}
	k := reader{members: members}
	key := domain.Key{
		Type:      k.text("kty"),
		KeyID:     k.text("kid"),
		Use:       k.text("use"),
		Algorithm: k.text("alg"),
	}
	for _, member := range privateMembers() {
		_, has := members[member]
		key.Private = key.Private || has
	}
	_, hasK := members["k"]
	key.Symmetric = key.Type == "oct" || hasK
	if key.Private || key.Symmetric {
		return key
	}
	for _, member := range []string{"x5u", "jku"} {
		if _, has := members[member]; has {
			key.References = append(key.References, member)
		}
	}
	key.Operations = k.texts("key_ops")
	k.readPublic(&key)
	if key.Malformed = k.fault; key.Malformed != "" || key.Unsupported {
		key.Thumbprint = ""
		return key
	}
	key.Public = k.public
	if hasCryptoKey(key) {
		if _, err = cryptoKey(k.required); err != nil {
			key.Malformed = "its members make no key, or a point that is not on its curve"
			key.Thumbprint, key.Public = "", nil
			return key
		}
	}
	if chain, has := members["x5c"]; has {
		key.Certificate = parseCertificates(chain, &key)
	}
	return key
}

// reader takes members out of a JWK and keeps the first thing that is wrong
// with them.
type reader struct {
	members  map[string]jsontext.Value
	fault    string
	required string            // the JSON text of the members that make the key, and no others
	public   map[string]string // the same members
}

func (r *reader) note(fault string) {
	if r.fault == "" {
		r.fault = fault
	}
}

// text returns a string member, "" where it is absent.
func (r *reader) text(member string) string {
	raw, ok := r.members[member]
	if !ok {
		return ""
	}
	var s string
	if raw.Kind() != '"' || json.Unmarshal(raw, &s) != nil {
		r.note("its " + member + " is not a string")
	}
	return s
}

// texts returns a member that is an array of strings, nil where it is absent.
func (r *reader) texts(member string) []string {
	raw, ok := r.members[member]
	if !ok {
		return nil
	}
	var list []string
	values, err := readArray(raw)
	for _, value := range values {
		var s string
		if value.Kind() != '"' || json.Unmarshal(value, &s) != nil {
			err = errNotThat
		}
		list = append(list, s)
	}
	if err != nil {
		r.note("its " + member + " is not an array of strings")
	}
	return list
}

// bytes returns a member that is base64url (RFC 7515 §2) in its one canonical
// form: no padding, no line break, no stray bits at the end.
func (r *reader) bytes(member string) []byte {
	s := r.text(member)
	decoded, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || s == "" || strings.ContainsAny(s, "\r\n") {
		r.note("its " + member + " is missing or not canonical base64url")
	}
	return decoded
}

// number returns a member that is a Base64urlUInt (RFC 7518 §2): no leading
// zero octet.
func (r *reader) number(member string) *big.Int {
	octets := r.bytes(member)
	if len(octets) > 0 && octets[0] == 0 {
		r.note("its " + member + " begins with a zero octet")
	}
	return new(big.Int).SetBytes(octets)
}

// sized notes where a member is not as long as the curve says (RFC 7518
// §6.2.1.2, RFC 8037 §2).
func (r *reader) sized(member string, length int) {
	if octets := r.bytes(member); len(octets) != length {
		r.note("its " + member + " is not as long as its curve says")
	}
}

// curves gives the kty and the length in octets of a coordinate or a public
// key on each curve.
func curves(crv string) (kty string, length int) {
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

// readPublic reads the public members that the type of the key has.
func (r *reader) readPublic(key *domain.Key) {
	switch key.Type {
	case "RSA":
		modulus, exponent := r.number("n"), r.number("e")
		if modulus.Bit(0) == 0 {
			r.note("its modulus is even")
		}
		key.Bits = modulus.BitLen()
		key.Exponent = math.MaxUint64
		if exponent.IsUint64() {
			key.Exponent = exponent.Uint64()
		}
		key.Thumbprint = r.thumbprint("e", "kty", "n")
	case "EC", "OKP":
		key.Curve = r.text("crv")
		kty, length := curves(key.Curve)
		if kty != key.Type {
			key.Unsupported = key.Curve != "" && kty == ""
			if !key.Unsupported {
				r.note("its crv is missing or belongs to another kty")
			}
			return
		}
		r.sized("x", length)
		if key.Type == "OKP" {
			if r.fault == "" {
				r.fault = okpFault(key.Curve, r.bytes("x"))
			}
			key.Thumbprint = r.thumbprint("crv", "kty", "x")
			return
		}
		r.sized("y", length)
		key.Thumbprint = r.thumbprint("crv", "kty", "x", "y")
	case "":
		r.note("it has no kty")
	default:
		key.Unsupported = true
	}
}

// thumbprint is that of RFC 7638 §3; members are the required ones of the
// type, in lexicographic order. Their text, which it leaves in r.required, is
// what the key is made of: no other member can disturb or add to that.
func (r *reader) thumbprint(members ...string) string {
	r.public = make(map[string]string, len(members))
	required := make([]string, len(members))
	for i, member := range members {
		r.public[member] = r.text(member)
		required[i] = `"` + member + `":"` + r.text(member) + `"`
	}
	r.required = "{" + strings.Join(required, ",") + "}"
	sum := sha256.Sum256([]byte(r.required))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// hasCryptoKey reports whether Go knows keys of this type; of Ed448 and X448
// it knows none, and the members alone must do. An exponent that does not fit
// is judged by its size.
func hasCryptoKey(key domain.Key) bool {
	return key.Curve != "Ed448" && key.Curve != "X448" && key.Exponent <= math.MaxInt32
}

// cryptoKey makes Go's public key of the required members of a JWK, which were
// read as canonical base64url. A point that is not on its curve is an error.
func cryptoKey(required string) (crypto.PublicKey, error) {
	parsed, err := jwk.ParseKey([]byte(required))
	if err != nil {
		return nil, err
	}
	var public any
	if err := parsed.Raw(&public); err != nil {
		return nil, err
	}
	if ec, ok := public.(*ecdsa.PublicKey); ok {
		if _, err := ec.ECDH(); err != nil {
			return nil, err
		}
	}
	return public, nil
}
