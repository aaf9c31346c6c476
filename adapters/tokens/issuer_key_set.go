package tokens

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/lestrrat-go/jwx/v2/jwa"

	"github.com/clientele-oauth/clientele/adapters/internal/jwk"
	"github.com/clientele-oauth/clientele/adapters/internal/strictjson"
	"github.com/clientele-oauth/clientele/domain"
)

// Bounds of an issuer's key set.
const (
	maxIssuerKeysBytes = 1 << 20
	maxIssuerKeys      = 200
	// minIssuerKeyBits is the smallest RSA modulus (RFC 7518 §3.3).
	minIssuerKeyBits = 2048
	// maxKeyCandidates bounds the keys with which one token is verified.
	maxKeyCandidates = 8
)

// issuerKeySet contains the keys of an issuer that can verify tokens. It is
// immutable.
type issuerKeySet struct {
	keys    []issuerKey
	ignored []IgnoredKey
}

// issuerKey is a public key that can verify tokens.
type issuerKey struct {
	id         string // "kid"; empty if it has none
	public     crypto.PublicKey
	algorithms []jwa.SignatureAlgorithm
}

// IgnoredKey is a key of an issuer's set that cannot be used. Other keys of the
// set are not affected (RFC 7517 §5).
type IgnoredKey struct {
	Index  int    // position in the set, from 0
	KeyID  string // "kid"; empty if it is absent or invalid
	Reason KeyFault
	Detail string // human-readable, without key material
}

// KeyFault is the reason why a key is ignored. There are few reasons, so that a
// metric can have them as a label.
type KeyFault string

// The reasons for which a key is ignored.
const (
	KeyMalformed   KeyFault = "malformed"   // not a JWK, or not a valid key
	KeyUnsupported KeyFault = "unsupported" // its type, curve, use or algorithm is not accepted for tokens
	KeySymmetric   KeyFault = "symmetric"   // everyone who can read it could sign tokens
	KeyWeak        KeyFault = "weak"        // an RSA key below 2048 bits (RFC 7518 §3.3)
	KeyDuplicate   KeyFault = "duplicate"   // the set has the same key with the same kid before it
	KeyUnnamed     KeyFault = "no_kid"      // it has no kid, but tokens must name their key
	KeySurplus     KeyFault = "surplus"     // the set has more keys than are read
)

// notForSigning is the detail for encryption keys. Many issuers publish them in the
// same set.
const notForSigning = "use is not sig"

// errNoUsableKey means that every key of a set is ignored.
var errNoUsableKey = errors.New("no key in the set can verify a token")

// parseIssuerKeys reads a JWK Set (RFC 7517 §5), or a single JWK, and keeps the
// public part of the keys that can verify a token. With requireKeyID, keys without a
// "kid" are ignored. The error is about the set as a whole: it is not a JWK Set, or
// has no usable key.
func parseIssuerKeys(text []byte, requireKeyID bool) (*issuerKeySet, error) {
	elements, err := keysInSet(text)
	if err != nil {
		return nil, err
	}
	set := &issuerKeySet{}
	seen := map[string]bool{}
	for i, element := range elements {
		if i == maxIssuerKeys {
			set.ignored = append(set.ignored, IgnoredKey{
				Index: i, Reason: KeySurplus, Detail: fmt.Sprintf("a set may have at most %d keys; this key and later ones are ignored", maxIssuerKeys),
			})
			break
		}
		key, thumbprint, fault := parseIssuerKey(element)
		if fault == nil && key.id == "" && requireKeyID {
			fault = &IgnoredKey{Reason: KeyUnnamed, Detail: "it has no kid, but tokens must name their key"}
		}
		if identity := key.id + " " + thumbprint; fault == nil && seen[identity] {
			fault = &IgnoredKey{Reason: KeyDuplicate, Detail: "the set has the same key with the same kid before it"}
		} else {
			seen[identity] = true
		}
		if fault != nil {
			fault.Index, fault.KeyID = i, key.id
			set.ignored = append(set.ignored, *fault)
			continue
		}
		set.keys = append(set.keys, key)
	}
	if len(set.keys) == 0 {
		return set, fmt.Errorf("%w (keys: %d)%s", errNoUsableKey, len(elements), firstFault(set.ignored))
	}
	return set, nil
}

func firstFault(ignored []IgnoredKey) string {
	if len(ignored) == 0 {
		return ""
	}
	return fmt.Sprintf("; keys/%d: %s", ignored[0].Index, ignored[0].Detail)
}

// keysInSet returns the elements of "keys". Only the structure of the set must be
// valid: duplicate names in one key make that key unusable, not the set.
func keysInSet(text []byte) ([]jsontext.Value, error) {
	if len(text) > maxIssuerKeysBytes {
		return nil, fmt.Errorf("the key set is larger than %d bytes", maxIssuerKeysBytes)
	}
	dec := jsontext.NewDecoder(bytes.NewReader(text), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if dec.PeekKind() != jsontext.KindBeginObject {
		return nil, errors.New("the key set is not a JSON object")
	}
	_, err := dec.ReadToken()
	var keys jsontext.Value
	single := false
	for err == nil && dec.PeekKind() != jsontext.KindEndObject {
		var name jsontext.Token
		if name, err = dec.ReadToken(); err != nil {
			break
		}
		member := name.String()
		var value jsontext.Value
		if value, err = dec.ReadValue(); err != nil {
			break
		}
		single = single || member == "kty"
		if member == "keys" {
			if keys != nil {
				return nil, errors.New("the key set has two members named keys")
			}
			keys = value.Clone()
		}
	}
	if err == nil {
		_, err = dec.ReadToken()
	}
	if err != nil {
		return nil, errors.New("the key set is not JSON")
	}
	if _, err := dec.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, errors.New("the key set has data after the JSON object")
	}
	switch {
	case keys == nil && single:
		return []jsontext.Value{text}, nil
	case keys.Kind() != jsontext.KindBeginArray:
		return nil, errors.New("the key set has no member keys that is an array")
	}
	return elementsOf(keys)
}

// elementsOf splits an array without validating its elements.
func elementsOf(array jsontext.Value) ([]jsontext.Value, error) {
	dec := jsontext.NewDecoder(bytes.NewReader(array), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	_, err := dec.ReadToken()
	var elements []jsontext.Value
	for err == nil && dec.PeekKind() != jsontext.KindEndArray {
		var value jsontext.Value
		if value, err = dec.ReadValue(); err == nil {
			elements = append(elements, value.Clone())
		}
	}
	if err != nil {
		return nil, errors.New("the key set is not JSON")
	}
	return elements, nil
}

// parseIssuerKey reads one key. Only the public part of a private key is used, as in
// the key file of development mode. The fault is the reason why the key is ignored;
// then at most its kid is set.
func parseIssuerKey(text jsontext.Value) (key issuerKey, thumbprint string, fault *IgnoredKey) {
	ignore := func(reason KeyFault, detail string) (issuerKey, string, *IgnoredKey) {
		return issuerKey{id: key.id}, "", &IgnoredKey{Reason: reason, Detail: detail}
	}
	members, err := strictjson.Object(text)
	switch {
	case errors.Is(err, strictjson.ErrDuplicateName):
		return ignore(KeyMalformed, "it has a duplicate member")
	case err != nil:
		return ignore(KeyMalformed, jwk.NotAnObject)
	}
	reader := jwk.NewReader(members)
	key.id = reader.Text("kid")
	facts := domain.Key{Type: reader.Text("kty"), Use: reader.Text("use"), Algorithm: reader.Text("alg"), Operations: reader.Texts("key_ops")}
	if fault := reader.Fault(); fault != "" {
		return ignore(KeyMalformed, fault)
	}
	if _, shared := members["k"]; shared || facts.Type == "oct" {
		return ignore(KeySymmetric, "it is symmetric")
	}
	if facts.Use != "" && facts.Use != "sig" {
		return ignore(KeyUnsupported, notForSigning)
	}
	if facts.Operations != nil && !slices.Contains(facts.Operations, "verify") && !slices.Contains(facts.Operations, "sign") {
		return ignore(KeyUnsupported, "key_ops does not include verify")
	}
	normalize(members, facts.Type)
	reader.ReadPublic(&facts)
	switch {
	case facts.Unsupported:
		return ignore(KeyUnsupported, "kty or crv is not supported")
	case reader.Fault() != "":
		return ignore(KeyMalformed, reader.Fault())
	case facts.Type == "RSA" && facts.Bits < minIssuerKeyBits:
		return ignore(KeyWeak, fmt.Sprintf("it has %d bits; at least %d are required", facts.Bits, minIssuerKeyBits))
	case facts.Type == "RSA" && (facts.Exponent < 3 || facts.Exponent%2 == 0 || facts.Exponent > math.MaxInt32):
		return ignore(KeyUnsupported, "the exponent e is not supported")
	}
	if key.algorithms = algorithmsOf(facts); len(key.algorithms) == 0 {
		return ignore(KeyUnsupported, "no accepted algorithm uses it")
	}
	if key.public, err = reader.CryptoKey(facts); err != nil {
		return ignore(KeyMalformed, jwk.NotOnCurve)
	}
	return key, facts.Thumbprint, nil
}

// coordinateSize is the size of a coordinate on P-256, the only curve of "EC"
// keys that an accepted algorithm uses (RFC 7518 §6.2.1.2).
const coordinateSize = 32

// normalize converts the numbers of a key into their canonical form (RFC 7518 §2).
// Clients must use that form, but issuers are trusted, and some publish numbers with
// padding, in the alphabet of standard base64, with an additional leading zero octet,
// or without required leading zero octets.
func normalize(members map[string]jsontext.Value, kty string) {
	for _, name := range []string{"n", "e", "x", "y"} {
		text, ok := strictjson.String(members[name])
		if !ok {
			continue
		}
		text = strings.TrimRight(strings.NewReplacer("+", "-", "/", "_").Replace(text), "=")
		octets, err := base64.RawURLEncoding.DecodeString(text)
		if err != nil {
			continue // reading the member reports it
		}
		if kty != "OKP" {
			octets = bytes.TrimLeft(octets, "\x00")
		}
		if kty == "EC" && len(octets) < coordinateSize {
			octets = append(make([]byte, coordinateSize-len(octets)), octets...)
		}
		members[name] = jsontext.Value(`"` + base64.RawURLEncoding.EncodeToString(octets) + `"`)
	}
}

// algorithmsOf lists the accepted algorithms that a key is for (RFC 7518 §3.1,
// RFC 8037 §3.1): those of its type or, if it has an "alg", only that one.
func algorithmsOf(key domain.Key) []jwa.SignatureAlgorithm {
	var algorithms []jwa.SignatureAlgorithm
	switch {
	case key.Type == "RSA":
		algorithms = []jwa.SignatureAlgorithm{jwa.RS256, jwa.PS256}
	case key.Curve == "P-256":
		algorithms = []jwa.SignatureAlgorithm{jwa.ES256}
	case key.Curve == "Ed25519":
		algorithms = []jwa.SignatureAlgorithm{jwa.EdDSA}
	}
	if key.Algorithm == "" {
		return algorithms
	}
	return slices.DeleteFunc(algorithms, func(a jwa.SignatureAlgorithm) bool { return string(a) != key.Algorithm })
}

// has reports whether the set has a key with that ID. The empty ID of a token
// without a "kid" matches every set.
func (s *issuerKeySet) has(keyID string) bool {
	return keyID == "" || slices.ContainsFunc(s.keys, func(k issuerKey) bool { return k.id == keyID })
}

// candidates returns the keys that may have signed a token: those for its algorithm
// with its "kid", or with any if it has none.
func (s *issuerKeySet) candidates(header tokenHeader) []issuerKey {
	var candidates []issuerKey
	for _, key := range s.keys {
		if (header.keyID == "" || key.id == header.keyID) && slices.Contains(key.algorithms, header.algorithm) {
			candidates = append(candidates, key)
		}
		if len(candidates) == maxKeyCandidates {
			break
		}
	}
	return candidates
}

// describe returns the ID and the type of a key for a report.
func (k issuerKey) describe() string {
	kind := "Ed25519"
	switch public := k.public.(type) {
	case *rsa.PublicKey:
		kind = fmt.Sprintf("RSA %d", public.N.BitLen())
	case *ecdsa.PublicKey:
		if public.Curve == elliptic.P256() {
			kind = "P-256"
		}
	}
	return fmt.Sprintf("kid %s (%s)", excerpt(k.id), kind)
}
