package jwks

import (
	"errors"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/clientele-oauth/clientele/adapters/internal/jwk"
	"github.com/clientele-oauth/clientele/adapters/internal/strictjson"
	"github.com/clientele-oauth/clientele/domain"
)

// Parse reads the JSON text of a JWK Set (RFC 7517 §5) strictly: no duplicate
// names at any depth, no invalid UTF-8, no trailing data, member names compared by
// case. It does not fail: faults are part of the result, for the set in
// [domain.KeySet] and for each key in [domain.Key]. They do not repeat key material.
func Parse(text string) domain.KeySet { return parse([]byte(text)) }

// Parse implements [application.KeyResolver] by [Parse].
func (*Resolver) Parse(text string) domain.KeySet { return Parse(text) }

func parse(text []byte) domain.KeySet {
	if len(text) > domain.MaxKeySetBytes {
		return domain.KeySet{Fault: domain.KeySetTooLarge, Detail: "larger than 64 KiB"}
	}
	set, err := strictjson.Object(text)
	if err != nil {
		return domain.KeySet{Fault: domain.KeySetMalformed, Detail: detail(err)}
	}
	elements, err := strictjson.Array(set["keys"])
	if err != nil {
		return domain.KeySet{Fault: domain.KeySetMalformed, Detail: "keys is missing or not an array"}
	}
	if len(elements) > domain.MaxKeys {
		return domain.KeySet{Fault: domain.KeySetTooLarge, Detail: "more than 50 keys"}
	}
	keys := make([]domain.Key, len(elements))
	for i, element := range elements {
		keys[i] = parseKey(element)
	}
	return domain.KeySet{Keys: keys}
}

// detail describes an error without its text, which may contain what was read.
func detail(err error) string {
	switch {
	case errors.Is(err, strictjson.ErrDuplicateName):
		return "duplicate member"
	case errors.Is(err, strictjson.ErrTrailingData):
		return "data after the JSON text"
	case errors.Is(err, strictjson.ErrType):
		return "not a JSON object"
	default:
		return "not valid JSON"
	}
}

// parseKey reads one JWK. It first checks for members that must not be there, and
// reads nothing more from a key that has one.
func parseKey(text jsontext.Value) domain.Key {
	members, err := strictjson.Object(text)
	if err != nil {
		return domain.Key{Malformed: jwk.NotAnObject}
	}
	reader := jwk.NewReader(members)
	key := domain.Key{
		Type:      reader.Text("kty"),
		KeyID:     reader.Text("kid"),
		Use:       reader.Text("use"),
		Algorithm: reader.Text("alg"),
	}
	for _, name := range jwk.PrivateMembers() {
		_, present := members[name]
		key.Private = key.Private || present
	}
	_, hasSecret := members["k"]
	key.Symmetric = key.Type == "oct" || hasSecret
	if key.Private || key.Symmetric {
		return key
	}
	for _, name := range []string{"x5u", "jku"} {
		if _, present := members[name]; present {
			key.References = append(key.References, name)
		}
	}
	key.Operations = reader.Texts("key_ops")
	reader.ReadPublic(&key)
	if key.Malformed = reader.Fault(); key.Malformed != "" || key.Unsupported {
		key.Thumbprint = ""
		return key
	}
	if jwk.HasCryptoKey(key) {
		if _, err := reader.CryptoKey(key); err != nil {
			key.Malformed, key.Thumbprint = jwk.NotOnCurve, ""
			return key
		}
	}
	key.Public = reader.Public()
	if chain, present := members["x5c"]; present {
		key.Certificate = parseCertificates(chain, &key)
	}
	return key
}
