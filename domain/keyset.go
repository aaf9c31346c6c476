package domain

import (
	"slices"
	"time"
)

// Bounds of a JWK Set.
const (
	MaxKeySetBytes = 64 << 10 // of its JSON text
	MaxKeys        = 50
)

// KeySetFault says why a text is no usable JWK Set at all.
type KeySetFault uint8

// The faults of a JWK Set as a whole.
const (
	KeySetReadable  KeySetFault = iota
	KeySetMalformed             // not the JSON text of an object with an array "keys" (RFC 7517 §5)
	KeySetTooLarge              // over [MaxKeySetBytes] or [MaxKeys]
)

// KeySet is what a JWK Set shows about its keys: facts, no key material.
// Key resolvers return it, and rules check it.
type KeySet struct {
	Fault  KeySetFault
	Detail string // says where the fault is, without repeating a value; empty if there is none
	Keys   []Key
}

// Key is what one JWK shows (RFC 7517 §4).
type Key struct {
	KeyID      string   // "kid"
	Type       string   // "kty"
	Curve      string   // "crv", for EC and OKP keys
	Bits       int      // length of the modulus, for RSA keys
	Exponent   uint64   // public exponent, for RSA keys; the largest value stands for any larger
	Use        string   // "use"
	Algorithm  string   // "alg"
	Operations []string // "key_ops"
	Thumbprint string   // RFC 7638, SHA-256; empty where the key cannot be read
	// Public holds the members that make the public key (RFC 7518 §6), and no
	// others; nil where the key cannot be read.
	Public map[string]string

	// Private and Symmetric say that the JWK holds what must never be
	// published; nothing else was read of such a key.
	Private   bool
	Symmetric bool
	// Malformed says in words what keeps the key from being read, repeating no
	// value of it; empty where nothing does.
	Malformed string
	// Unsupported says that the type or the curve is not a known one, so that
	// the key is ignored (RFC 7517 §5).
	Unsupported bool

	// Certificate is the first of "x5c"; nil if there is none.
	Certificate *Certificate
	// References lists the members of the key that point elsewhere ("x5u",
	// "jku") and are never followed.
	References []string
}

// Certificate is what the first certificate of a JWK's "x5c" shows
// (RFC 7517 §4.7).
type Certificate struct {
	Malformed string // why it cannot be read; empty where it can
	Matches   bool   // its public key is the JWK's
	NotBefore time.Time
	NotAfter  time.Time
}

// usable reports whether the key can be put to work at all.
func (k Key) usable() bool {
	return !k.Private && !k.Symmetric && k.Malformed == "" && !k.Unsupported
}

// The "use" values of RFC 7517 §4.2.
const (
	useSignature  = "sig"
	useEncryption = "enc"
)

// algorithmPurpose is what a JWS or JWE algorithm does with a key.
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

// algorithmFor returns what alg does with a key of this type and curve, and
// false where the two cannot go together or alg is no known asymmetric
// algorithm (RFC 7518 §3.1 and §4.1, RFC 8037 §3, RFC 9864 §2.2).
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

// purpose tells what the key is declared for, by "use", "alg" or "key_ops", or
// what its curve alone allows; 0 where it may serve both.
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

// operationPurpose tells what a "key_ops" value is for (RFC 7517 §4.3); 0
// where it is none of the registered ones.
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
// "enc" are legal, and no purpose that is known here.
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

// Keys is what is known about the keys of a client when it is validated. The
// zero value is nothing: the client has none, or they were not examined.
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

// KeysUnexamined is the state of keys that were not examined. Rules about
// the keys themselves then find nothing.
func KeysUnexamined() Keys { return Keys{} }

// KeysSeen is the knowledge of keys that were read, wherever they were.
func KeysSeen(set KeySet) Keys { return Keys{state: keysSeen, set: set} }

// KeysUnreachable is the knowledge that the keys could not be fetched or read
// within the limits; reason says why in words that tell nothing about the
// inside of the network.
func KeysUnreachable(reason string) Keys { return Keys{state: keysUnreachable, reason: reason} }

// Unreachable returns why the keys could not be fetched, and false where they
// could, or were not fetched.
func (k Keys) Unreachable() (reason string, ok bool) { return k.reason, k.state == keysUnreachable }

// Refused reports whether the jwks_uri names a host that keys are never
// asked.
func (k Keys) Refused() bool { return k.state == keysRefused }

// KeysRefused is the knowledge that the text of the jwks_uri names a host that is
// never asked ([ErrFetchURIHost]). A name that resolves to an address that is not
// public is [KeysUnreachable], like one that does not exist.
func KeysRefused() Keys { return Keys{state: keysRefused} }

// Set returns the keys, and false where they were not seen.
func (k Keys) Set() (KeySet, bool) { return k.set, k.state == keysSeen }

// lack reports whether the keys were read and none of them is one that can. Keys that
// are absent, were not looked at or could not be read lack nothing: other rules are
// about those.
func (k Keys) lack(can func(Key) bool) bool {
	set, seen := k.Set()
	return seen && set.Fault == KeySetReadable && !slices.ContainsFunc(set.Keys, can)
}
