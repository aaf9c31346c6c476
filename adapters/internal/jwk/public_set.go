package jwk

import (
	"github.com/go-json-experiment/json/jsontext"

	"github.com/clientele-oauth/clientele/adapters/internal/jsonobject"
	"github.com/clientele-oauth/clientele/adapters/internal/strictjson"
	"github.com/clientele-oauth/clientele/domain"
)

// publicMembers are the members of a key that may be published, in the order in which
// [PublicSet] writes them (RFC 7517 §4, RFC 7518 §6, RFC 8037 §2). "x5u" is not one of
// them: a reader of the set should not follow a URI that a client chose.
func publicMembers() []string {
	return []string{"kty", "use", "key_ops", "alg", "kid", "crv", "x", "y", "n", "e", "x5c", "x5t", "x5t#S256"}
}

// PrivateMembers are the private parameters of asymmetric keys (RFC 7518 §6.2.2, §6.3.2;
// RFC 9964 for "priv").
func PrivateMembers() []string { return []string{"d", "p", "q", "dp", "dq", "qi", "oth", "priv"} }

// PublicSet returns the part of a JWK Set that may be published: of each key only the
// public members, each with exactly the JSON text that it has in the set, so that no
// value is ever written differently. It omits keys that are not valid, keys of an unknown
// type, and keys with private or symmetric parameters, which are compromised. ok is false
// if the text is not a JWK Set or no key is left.
func PublicSet(text string) (set []byte, ok bool) {
	members, err := strictjson.Object([]byte(text))
	if err != nil {
		return nil, false
	}
	elements, err := strictjson.Array(members["keys"])
	if err != nil || len(elements) > domain.MaxKeys {
		return nil, false
	}
	var w jsonobject.Writer
	w.Object("", func() {
		w.Array("keys", func() {
			for _, element := range elements {
				key, err := strictjson.Object(element)
				if err != nil || !publishable(key) {
					continue
				}
				ok = true
				w.Object("", func() {
					for _, name := range publicMembers() {
						if value, present := key[name]; present {
							w.Raw(name, value)
						}
					}
				})
			}
		})
	})
	return w, ok
}

// publishable reports whether a key is a valid public key.
func publishable(members map[string]jsontext.Value) bool {
	for _, name := range append(PrivateMembers(), "k") { // "k" is a symmetric key (RFC 7518 §6.4)
		if _, present := members[name]; present {
			return false
		}
	}
	reader := NewReader(members)
	for _, name := range []string{"use", "alg", "kid", "x5t", "x5t#S256"} {
		reader.Text(name)
	}
	for _, name := range []string{"key_ops", "x5c"} {
		reader.Texts(name)
	}
	key := domain.Key{Type: reader.Text("kty")}
	reader.ReadPublic(&key)
	if reader.Fault() != "" || key.Unsupported {
		return false
	}
	if !HasCryptoKey(key) {
		return true
	}
	_, err := reader.CryptoKey(key)
	return err == nil
}
