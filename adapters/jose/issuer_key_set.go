package jose

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/lestrrat-go/jwx/v2/jwa"

	"github.com/clientele-oauth/clientele/domain"
)

// Bounds of an issuer's key set.
const (
	maxIssuerKeysBytes = 1 << 20
	maxIssuerKeys      = 200
	// minIssuerKeyBits is the smallest RSA modulus (RFC 7518 §3.3).
	minIssuerKeyBits = 2048
	// maxKeyCandidates bounds the keys that one token is tried with.
	maxKeyCandidates = 8
)

// issuerKeySet is the keys of an issuer that can verify tokens. It never
// changes.
type issuerKeySet struct {
	keys    []issuerKey
	ignored []IgnoredKey
	digest  [sha256.Size]byte // of the text that it was read from
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
	Index  int    // place in the set, from 0
	KeyID  string // "kid"; empty if it has none that can be read
	Reason KeyFault
	Detail string // for people, without key material
}

// KeyFault is why a key is ignored. There are few, so that a metric can count
// by them.
type KeyFault string

// The reasons for which a key is ignored.
const (
	KeyMalformed   KeyFault = "malformed"   // not a JWK, or its members make no key
	KeyUnsupported KeyFault = "unsupported" // of a type, curve, use or algorithm that no accepted token has
	KeySymmetric   KeyFault = "symmetric"   // every reader of it could make tokens
	KeyWeak        KeyFault = "weak"        // an RSA key below 2048 bits (RFC 7518 §3.3)
	KeyDuplicate   KeyFault = "duplicate"   // the same key under the same kid is in the set already
	KeyUnnamed     KeyFault = "no_kid"      // it has no kid, and tokens must name their key
	KeySurplus     KeyFault = "surplus"     // beyond the number of keys that are read
)

// notForSigning is the fault of keys that are for encryption. Many issuers
// publish them in the same set.
const notForSigning = "its use is not sig"

// errNoUsableKey is a set in which every key is ignored.
var errNoUsableKey = errors.New("no key in the set can verify a token")

// parseIssuerKeys reads a JWK Set (RFC 7517 §5), or a single JWK, and keeps the
// public part of the keys that can verify a token. With requireKeyID keys
// without a "kid" are ignored. The error is about the set as a whole: it is not
// a JWK Set, or has no usable key.
func parseIssuerKeys(text []byte, requireKeyID bool) (*issuerKeySet, error) {
	elements, err := keysInSet(text)
	if err != nil {
		return nil, err
	}
	set := &issuerKeySet{digest: sha256.Sum256(text)}
	seen := map[string]bool{}
	for i, element := range elements {
		if i == maxIssuerKeys {
			set.ignored = append(set.ignored, IgnoredKey{
				Index: i, Reason: KeySurplus, Detail: fmt.Sprintf("a set may have at most %d keys; this one and those after it are not read", maxIssuerKeys),
			})
			break
		}
		key, thumbprint, fault := parseIssuerKey(element)
		if fault == nil && key.id == "" && requireKeyID {
			fault = &IgnoredKey{Reason: KeyUnnamed, Detail: "it has no kid, and tokens must name their key"}
		}
		if identity := key.id + " " + thumbprint; fault == nil && seen[identity] {
			fault = &IgnoredKey{Reason: KeyDuplicate, Detail: "the same key is in the set already"}
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
		return set, fmt.Errorf("%w: of %d keys none is usable%s", errNoUsableKey, len(elements), firstFault(set.ignored))
	}
	return set, nil
}

func firstFault(ignored []IgnoredKey) string {
	if len(ignored) == 0 {
		return ""
	}
	return fmt.Sprintf("; keys/%d: %s", ignored[0].Index, ignored[0].Detail)
}

// keysInSet returns the elements of "keys". Only the frame must be correct:
// names that repeat inside one key make that key unusable, not the set.
func keysInSet(text []byte) ([]jsontext.Value, error) {
	if len(text) > maxIssuerKeysBytes {
		return nil, fmt.Errorf("the key set is over %d bytes", maxIssuerKeysBytes)
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
				return nil, errors.New("the key set has keys twice")
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
		return nil, errors.New("the key set has no array keys")
	}
	return elementsOf(keys)
}

// elementsOf splits an array without looking into its elements.
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

// parseIssuerKey reads one key. Of a private key, as in the key file of
// development mode, the public part is taken. The fault says why the key is
// ignored; the key then has at most its kid.
func parseIssuerKey(text jsontext.Value) (key issuerKey, thumbprint string, fault *IgnoredKey) {
	ignore := func(reason KeyFault, detail string) (issuerKey, string, *IgnoredKey) {
		return issuerKey{id: key.id}, "", &IgnoredKey{Reason: reason, Detail: detail}
	}
	members, err := readObject(text)
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName):
		return ignore(KeyMalformed, "it has a duplicate name")
	case err != nil:
		return ignore(KeyMalformed, "it is not a JSON object")
	}
	k := reader{members: members}
	key.id = k.text("kid")
	facts := domain.Key{Type: k.text("kty"), Use: k.text("use"), Algorithm: k.text("alg"), Operations: k.texts("key_ops")}
	if k.fault != "" {
		return ignore(KeyMalformed, k.fault)
	}
	if _, shared := members["k"]; shared || facts.Type == "oct" {
		return ignore(KeySymmetric, "it is symmetric")
	}
	if facts.Use != "" && facts.Use != "sig" {
		return ignore(KeyUnsupported, notForSigning)
	}
	if facts.Operations != nil && !slices.Contains(facts.Operations, "verify") && !slices.Contains(facts.Operations, "sign") {
		return ignore(KeyUnsupported, "its key_ops do not include verify")
	}
	normalize(members, facts.Type)
	k.readPublic(&facts)
	switch {
	case facts.Unsupported:
		return ignore(KeyUnsupported, "its kty or crv is not supported")
	case k.fault != "":
		return ignore(KeyMalformed, k.fault)
	case facts.Type == "RSA" && facts.Bits < minIssuerKeyBits:
		return ignore(KeyWeak, fmt.Sprintf("it has %d bits; at least %d are needed", facts.Bits, minIssuerKeyBits))
	case facts.Type == "RSA" && (facts.Exponent < 3 || facts.Exponent%2 == 0 || facts.Exponent > math.MaxInt32):
		return ignore(KeyUnsupported, "its exponent is not supported")
	}
	if key.algorithms = algorithmsOf(facts); len(key.algorithms) == 0 {
		return ignore(KeyUnsupported, "no accepted algorithm uses it")
	}
	if key.public, err = cryptoKey(k.required); err != nil {
		return ignore(KeyMalformed, "its members make no key, or a point that is not on its curve")
	}
	return key, facts.Thumbprint, nil
}

// coordinateSize is the size of a coordinate on P-256, the only curve of "EC"
// keys that an accepted algorithm uses (RFC 7518 §6.2.1.2).
const coordinateSize = 32

// normalize brings the numbers of a key into their canonical form (RFC 7518 §2).
// Clients must use that form; but issuers are trusted, and some publish their
// numbers with padding, in the alphabet of standard base64, with a zero octet
// before them, or without zero octets that belong there.
func normalize(members map[string]jsontext.Value, kty string) {
	for _, name := range []string{"n", "e", "x", "y"} {
		text, ok := textOf(members[name])
		if !ok {
			continue
		}
		text = strings.TrimRight(strings.NewReplacer("+", "-", "/", "_").Replace(text), "=")
		octets, err := base64.RawURLEncoding.DecodeString(text)
		if err != nil {
			continue // it is reported when it is read
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
// RFC 8037 §3.1): those of its type or, if it has an "alg", that one alone.
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

// has reports whether the set has a key of that id. A token without a "kid"
// asks for none in particular.
func (s *issuerKeySet) has(keyID string) bool {
	return keyID == "" || slices.ContainsFunc(s.keys, func(k issuerKey) bool { return k.id == keyID })
}

// candidates returns the keys that may have signed a token: those with its
// "kid", or all if it names none, that are for its algorithm.
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

// describe names a key for people: its type and its id.
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
