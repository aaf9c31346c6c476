package domain

import (
	"crypto/sha256"
	"slices"
	"time"
)

// Limits of a JWK Set.
const (
	MaxKeySetBytes = 64 << 10 // of its JSON text
	MaxKeys        = 50
)

// Bounds of the modulus of an RSA key, in bits.
const (
	minRSABits = 2048
	maxRSABits = 8192
)

// KeySetFault is the reason why a text is not a usable JWK Set.
type KeySetFault uint8

// The faults of a JWK Set as a whole.
const (
	KeySetReadable  KeySetFault = iota
	KeySetMalformed             // not the JSON text of an object with an array "keys" (RFC 7517 §5)
	KeySetTooLarge              // over [MaxKeySetBytes] or [MaxKeys]
)

// KeySet contains the facts about the keys in a JWK Set that rules check. It contains
// no secret key material.
type KeySet struct {
	Fault  KeySetFault
	Detail string // describes the fault without repeating a value; empty if there is none
	Keys   []Key
}

// Key contains the facts about one JWK (RFC 7517 §4).
type Key struct {
	KeyID      string   // "kid"
	Type       string   // "kty"
	Curve      string   // "crv", for EC and OKP keys
	Bits       int      // length of the modulus, for RSA keys
	Exponent   uint64   // public exponent, for RSA keys; the maximum value means "or larger"
	Use        string   // "use"
	Algorithm  string   // "alg"
	Operations []string // "key_ops"
	Thumbprint string   // RFC 7638, SHA-256; empty if the key cannot be read
	// Public contains only the members that form the public key (RFC 7518 §6); nil
	// if the key cannot be read.
	Public map[string]string

	// Private and Symmetric report that the JWK contains values that must never be
	// published; the other facts about such a key are unset.
	Private   bool
	Symmetric bool
	// Malformed is the reason why the key cannot be read, without any of its values;
	// empty if it can be read.
	Malformed string
	// Unsupported reports that the type or the curve is unknown, so that the key is
	// ignored (RFC 7517 §5).
	Unsupported bool

	// Certificate is the first certificate in "x5c"; nil if there is none.
	Certificate *Certificate
	// References lists the members of the key with URLs ("x5u", "jku"), which are
	// never followed.
	References []string
}

// Certificate contains the facts about the first certificate in a JWK's "x5c"
// (RFC 7517 §4.7).
type Certificate struct {
	Malformed string // the reason why it cannot be read; empty if it can
	Matches   bool   // its public key is that of the JWK
	SHA256    [sha256.Size]byte
	NotBefore time.Time
	NotAfter  time.Time
}

// usable reports whether the key can be used at all.
func (k Key) usable() bool {
	return !k.Private && !k.Symmetric && k.Malformed == "" && !k.Unsupported
}

// The "use" values of RFC 7517 §4.2.
const (
	useSignature  = "sig"
	useEncryption = "enc"
)

// algorithmPurpose is what a JWS or JWE algorithm uses a key for.
type algorithmPurpose uint8

const (
	signs algorithmPurpose = iota + 1
	encrypts
)

// The key types and curves that Clientele knows (RFC 7518 §6, RFC 8037 §2).
const (
	ktyRSA = "RSA"
	ktyEC  = "EC"
	ktyOKP = "OKP"

	crvP256    = "P-256"
	crvP384    = "P-384"
	crvP521    = "P-521"
	crvEd25519 = "Ed25519"
	crvEd448   = "Ed448"
	crvX25519  = "X25519"
	crvX448    = "X448"
)

// algorithmFor returns what alg uses a key of this type and curve for. It returns false
// if alg is not a known asymmetric algorithm or cannot use such a key (RFC 7518 §3.1
// and §4.1, RFC 8037 §3, RFC 9864 §2.2).
func algorithmFor(alg, kty, crv string) (algorithmPurpose, bool) {
	switch alg {
	case "RS256", "RS384", "RS512", "PS256", "PS384", "PS512":
		return signs, kty == ktyRSA
	case "RSA1_5", "RSA-OAEP", "RSA-OAEP-256", "RSA-OAEP-384", "RSA-OAEP-512":
		return encrypts, kty == ktyRSA
	case "ES256":
		return signs, crv == crvP256
	case "ES384":
		return signs, crv == crvP384
	case "ES512":
		return signs, crv == crvP521
	case "EdDSA":
		return signs, crv == crvEd25519 || crv == crvEd448
	case crvEd25519, crvEd448:
		return signs, crv == alg
	case "ECDH-ES", "ECDH-ES+A128KW", "ECDH-ES+A192KW", "ECDH-ES+A256KW":
		return encrypts, kty == ktyEC || crv == crvX25519 || crv == crvX448
	default:
		return 0, false
	}
}

// purpose returns what the key is for, according to "use", "alg", "key_ops" or its
// curve; 0 if it may be used for both.
func (k Key) purpose() algorithmPurpose {
	switch k.Use {
	case useSignature:
		return signs
	case useEncryption:
		return encrypts
	}
	if does, ok := algorithmFor(k.Algorithm, k.Type, k.Curve); ok {
		return does
	}
	switch k.Curve {
	case crvEd25519, crvEd448:
		return signs
	case crvX25519, crvX448:
		return encrypts
	}
	for _, op := range k.Operations {
		if does := operationPurpose(op); does != 0 {
			return does
		}
	}
	return 0
}

// operationPurpose returns the purpose of a "key_ops" value (RFC 7517 §4.3); 0 if the
// value is not registered.
func operationPurpose(op string) algorithmPurpose {
	switch op {
	case "sign", "verify":
		return signs
	case "encrypt", "decrypt", "wrapKey", "unwrapKey", "deriveKey", "deriveBits":
		return encrypts
	default:
		return 0
	}
}

// verifies reports whether the key can verify a signature: its type and curve
// have a signature algorithm, and none of "use", "alg" and "key_ops" declares
// another purpose (RFC 7517 §4.2 to §4.4). Values of "use" other than "sig" and
// "enc" are valid, but their purpose is unknown here.
func (k Key) verifies() bool {
	if !k.usable() || k.Use != "" && k.Use != useSignature || k.Curve == crvX25519 || k.Curve == crvX448 {
		return false
	}
	if does, ok := algorithmFor(k.Algorithm, k.Type, k.Curve); k.Algorithm != "" && (!ok || does != signs) {
		return false
	}
	return len(k.Operations) == 0 || slices.Contains(k.Operations, "verify")
}

// verifiesWith reports whether the key can verify a signature made with one
// of the algorithms.
func (k Key) verifiesWith(algorithms []string) bool {
	if !k.verifies() {
		return false
	}
	for _, alg := range algorithms {
		if k.Algorithm != "" && k.Algorithm != alg {
			continue
		}
		if _, ok := algorithmFor(alg, k.Type, k.Curve); ok {
			return true
		}
	}
	return false
}

// Keys is what is known about the keys of a client when it is validated. The zero value
// means that nothing is known: the client has no keys, or they were not examined.
type Keys struct {
	state  keysState
	set    KeySet
	reason string
}

type keysState uint8

const (
	keysUnexamined keysState = iota
	keysSeen
	keysUnreachable
	keysRefused
)

// KeysUnexamined returns the state of keys that were not examined. Rules about
// the keys themselves then find nothing.
func KeysUnexamined() Keys { return Keys{} }

// KeysSeen returns the state of keys that were read, inline or at a URI.
func KeysSeen(set KeySet) Keys { return Keys{state: keysSeen, set: set} }

// KeysUnreachable returns the state of keys that could not be fetched or read within
// the limits. The reason must not disclose anything about the internal network.
func KeysUnreachable(reason string) Keys { return Keys{state: keysUnreachable, reason: reason} }

// Unreachable returns the reason why the keys could not be fetched; false if they were
// fetched or no fetch was attempted.
func (k Keys) Unreachable() (reason string, ok bool) { return k.reason, k.state == keysUnreachable }

// Refused reports whether the jwks_uri names a host from which keys are never fetched.
func (k Keys) Refused() bool { return k.state == keysRefused }

// KeysRefused returns the state of keys whose jwks_uri names a host from which keys are
// never fetched ([ErrFetchURIHost]). A name that resolves to an address that is not
// public is [KeysUnreachable], like one that does not exist.
func KeysRefused() Keys { return Keys{state: keysRefused} }

// Set returns the keys; false if they were not read.
func (k Keys) Set() (KeySet, bool) { return k.set, k.state == keysSeen }

// lack reports whether the keys were read and can returns false for each of them. It
// returns false for keys that are absent, were not examined or could not be read: other
// rules report those.
func (k Keys) lack(can func(Key) bool) bool {
	set, seen := k.Set()
	return seen && set.Fault == KeySetReadable && !slices.ContainsFunc(set.Keys, can)
}
