package domain

import (
	"fmt"
	"slices"
	"strings"
)

// ruleJWKSExclusive is the id of the rule that only drafts can violate, see
// [KeySource].
const ruleJWKSExclusive = "jwks-exclusive"

// The rules about public keys, both inline and fetched: RFC 7517, RFC 7518,
// OIDC Core §9 and §10.1, OIDC Registration §2, FAPI on algorithms.
func keyRules() []Rule {
	source := []Field{FieldJWKS, FieldJWKSURI}
	sourceAndMethods := []Field{FieldJWKS, FieldJWKSURI, FieldAuthMethods}
	sourceAndProfile := []Field{FieldJWKS, FieldJWKSURI, FieldProfile}
	all := []Field{FieldJWKS, FieldJWKSURI, FieldAuthMethods, FieldProfile}
	location := []Field{FieldJWKSURI}
	return []Rule{
		{
			ID: ruleJWKSExclusive, Level: Violation, Source: "RFC 7591 §2", needs: source,
			Summary: "both jwks and jwks_uri are set",
			check: func(j *candidate, r *report) {
				if j.Keys.both() {
					r.on(FieldJWKS, `a client has jwks or jwks_uri, not both; to switch, send "jwks_uri": "" (or "jwks": "") in the same request`)
				}
			},
		},
		{
			ID: "jwks-syntax", Level: Violation, Source: "RFC 7517 §5", needs: source, keys: true,
			Summary: "it is not a JSON object with an array keys, has duplicate members, or has trailing data",
			check: func(j *candidate, r *report) {
				if set, seen := j.keys.Set(); seen && set.Fault == KeySetMalformed {
					r.on(j.Keys.field(), "this is not a JWK Set: %s", set.Detail)
				}
			},
		},
		{
			ID: "jwks-empty", Level: Violation, Source: "own", needs: source, keys: true,
			Summary: "keys is empty",
			check: func(j *candidate, r *report) {
				if set, seen := j.keys.Set(); seen && set.Fault == KeySetReadable && len(set.Keys) == 0 {
					r.on(j.Keys.field(), "the JWK Set has no keys; add one, or clear the field")
				}
			},
		},
		{
			ID: "jwks-bounds", Level: Violation, Source: "own", needs: source, keys: true,
			Summary: "it is larger than 64 KiB, or has more than 50 keys",
			check: func(j *candidate, r *report) {
				if set, seen := j.keys.Set(); seen && set.Fault == KeySetTooLarge {
					r.on(j.Keys.field(), "the JWK Set is too large: %s", set.Detail)
				}
			},
		},
		{
			ID: "jwk-malformed", Level: Violation, Source: "RFC 7518 §6; RFC 8032 §5.1.3, §5.2.3; RFC 7748 §6", needs: source, keys: true,
			Summary: "a parameter of a key is missing or not canonical base64url, a point is not on its curve or, for OKP keys, has small order, or the modulus is even",
			check: eachKey(func(_ *candidate, k *Key) string {
				return k.Malformed
			}),
		},
		{
			ID: "jwk-private", Level: Violation, Source: "OIDC Registration §2, RFC 7591 §2", needs: source, keys: true,
			Summary: "a key has private parameters (d, p, q, dp, dq, qi, oth, priv), regardless of its kty",
			check: eachKey(func(_ *candidate, k *Key) string {
				return when(k.Private, "it contains private key parameters; treat the key as compromised: generate a new key pair and register only the public key")
			}),
		},
		{
			ID: "jwk-symmetric", Level: Violation, Source: "OIDC Registration §2", needs: source, keys: true,
			Summary: "the kty of a key is oct, or it has the parameter k",
			check: eachKey(func(_ *candidate, k *Key) string {
				return when(k.Symmetric, "it is a symmetric key, which is a secret; register only public keys")
			}),
		},
		{
			ID: "jwk-rsa-size", Level: Violation, Source: "RFC 7518 §3.3; FAPI 1.0 Part 1 §5.2.2-5 with BCP 195; FAPI 2.0 SP §5.4.1-2",
			needs: source, keys: true,
			Summary: "an RSA key has fewer than 2048 bits, or more than 8192",
			check: eachKey(func(_ *candidate, k *Key) string {
				if !k.usable() || k.Type != ktyRSA || k.Bits >= minRSABits && k.Bits <= maxRSABits {
					return ""
				}
				return fmt.Sprintf("it is an RSA key of %d bits; use 2048 to 8192", k.Bits)
			}),
		},
		{
			ID: "jwk-rsa-exponent", Level: Violation, Softens: true, Source: "RFC 8017 §3.1, NIST SP 800-56B §6.2",
			needs: source, keys: true,
			Summary: "the public exponent of an RSA key is even or less than 3; a warning if it is less than 65537",
			check:   checkExponent,
		},
		{
			ID: "jwk-unsupported", Level: Warning, Source: "RFC 7517 §5", needs: source, keys: true,
			Summary: "the kty or crv of a key is unknown (known: RSA; P-256, P-384, P-521; Ed25519, Ed448, X25519, X448): the key is ignored",
			check: eachKey(func(_ *candidate, k *Key) string {
				return when(k.Unsupported, "its type or curve is unknown, so the key is ignored")
			}),
		},
		{
			ID: "jwk-alg", Level: Violation, Source: "RFC 7518 §3.1, RFC 8725 §3.1", needs: source, keys: true,
			Summary: "the alg of a key is unknown, none or symmetric, or not possible with its kty and crv",
			check: eachKey(func(_ *candidate, k *Key) string {
				if !k.usable() || k.Algorithm == "" {
					return ""
				}
				if _, ok := algorithmFor(k.Algorithm, k.Type, k.Curve); ok {
					return ""
				}
				return "its alg " + quoted(k.Algorithm) + " cannot be used with a key of this type and curve"
			}),
		},
		{
			ID: "jwk-use-key-ops", Level: Violation, Source: "RFC 7517 §4.3", needs: source, keys: true,
			Summary: "use and key_ops of a key contradict each other, or key_ops has a duplicate",
			check: eachKey(func(_ *candidate, k *Key) string {
				return operationsFault(k)
			}),
		},
		{
			ID: "jwk-use-required", Level: Violation, Source: "OIDC Registration §2", needs: source, keys: true,
			Summary: "the set has signature and encryption keys, and a key has no use",
			check:   checkUseRequired,
		},
		{
			ID: "jwk-kid-missing", Level: Violation, Softens: true, Source: "OIDC Core §10.1", needs: source, keys: true,
			Summary: "a key has no kid; a warning if it is the only key",
			check: func(j *candidate, r *report) {
				set, _ := j.keys.Set()
				level := Violation
				if len(set.Keys) == 1 {
					level = Warning
				}
				for i := range set.Keys {
					if set.Keys[i].KeyID == "" {
						r.key(j, level, i, &set.Keys[i], "it has no kid, which identifies the key in signatures; add one")
					}
				}
			},
		},
		{
			ID: "jwk-kid-duplicate", Level: Violation, Softens: true,
			Source: "RFC 7517 §4.5; FAPI 1.0 Part 2 §8.9-3; FAPI 2.0 SP §5.4.2-3", needs: source, keys: true,
			Summary: "two keys have the same kid; a warning if they differ in kty or use",
			check:   checkKeyIDs,
		},
		{
			ID: "jwk-x5c-mismatch", Level: Violation, Source: "RFC 7517 §4.7, RFC 4648 §3.3", needs: source, keys: true,
			Summary: "the first certificate in x5c is not for the key, or an element is not a DER certificate in base64 without line breaks",
			check: eachKey(func(_ *candidate, k *Key) string {
				switch {
				case !k.usable() || k.Certificate == nil:
					return ""
				case k.Certificate.Malformed != "":
					return k.Certificate.Malformed
				default:
					return when(!k.Certificate.Matches, "the first certificate in x5c is for another key")
				}
			}),
		},
		{
			ID: "jwk-x5c-expired", Level: Warning, Softens: true, Source: "RFC 8705 §2.2", needs: sourceAndMethods, keys: true,
			Summary: "the first certificate in x5c has expired or is not yet valid; a violation if self_signed_tls_client_auth is listed",
			check:   checkCertificateDates,
		},
		{
			ID: "jwk-x5u", Level: Warning, Source: "FAPI 2.0 SP §5.4.2-2", needs: source, keys: true,
			Summary: "a key has x5u or jku, which is never followed",
			check: eachKey(func(_ *candidate, k *Key) string {
				if len(k.References) == 0 {
					return ""
				}
				return "its " + strings.Join(k.References, " and ") + " is never followed; remove it"
			}),
		},
		{
			ID: "jwks-no-signing-key", Level: Violation, Source: "OIDC Core §9", needs: sourceAndMethods, keys: true,
			Summary: "private_key_jwt is listed, but no key can verify a signature",
			check: func(j *candidate, r *report) {
				if j.hasMethod(AuthPrivateKeyJWT) && j.keys.lack(Key.verifies) {
					r.on(j.Keys.field(), "private_key_jwt needs a signature key, but no key in the set can be used as one; add one")
				}
			},
		},
		{
			ID: "jwks-fapi-alg", Level: Violation, Source: "FAPI 1.0 Part 2 §8.6; FAPI 2.0 SP §5.4.1-1",
			in: inAdvanced | inFAPI2, needs: all, keys: true,
			Summary: "private_key_jwt is listed, but no key can be used for PS256 or ES256 (FAPI 2.0: or EdDSA with Ed25519)",
			check: func(j *candidate, r *report) {
				if j.hasMethod(AuthPrivateKeyJWT) && j.keys.lack(profileKey(j.profile)) {
					r.on(j.Keys.field(), "no key can be used for one of the profile's signature algorithms, %s; add one", strings.Join(profileAlgorithms(j.profile), ", "))
				}
			},
		},
		{
			ID: "jwk-fapi-alg", Level: Violation, Source: "FAPI 1.0 Part 2 §8.6; FAPI 2.0 SP §5.4.1-1",
			in: inAdvanced | inFAPI2, needs: sourceAndProfile, keys: true,
			Summary: "the alg of a signature key is not PS256 or ES256 (FAPI 2.0: or EdDSA with Ed25519)",
			check: eachKey(func(j *candidate, k *Key) string {
				if does, ok := algorithmFor(k.Algorithm, k.Type, k.Curve); !k.usable() || !ok || does != signs {
					return ""
				}
				algorithms := profileAlgorithms(j.profile)
				if slices.Contains(algorithms, k.Algorithm) && k.Curve != crvEd448 {
					return ""
				}
				return "its alg " + quoted(k.Algorithm) + " is not one of the profile's signature algorithms, " + strings.Join(algorithms, ", ")
			}),
		},
		{
			ID: "jwk-fapi-rsa1_5", Level: Violation, Source: "FAPI 1.0 Part 2 §8.6.1; FAPI 2.0 SP §5.4.1-1 with RFC 8725 §3.2",
			in: inAdvanced | inFAPI2, needs: sourceAndProfile, keys: true,
			Summary: "the alg of an encryption key is RSA1_5",
			check: eachKey(func(_ *candidate, k *Key) string {
				return when(k.usable() && k.Algorithm == "RSA1_5", "FAPI does not allow RSA1_5; use RSA-OAEP or ECDH-ES")
			}),
		},
		{
			ID: "jwks-signing-required", Level: Violation, Softens: true,
			Source: "FAPI 1.0 Part 2 §5.2.2-1; FAPI 2.0 MS §5.1, §5.3.1-1", in: inAdvanced | inMessageSigning,
			needs: []Field{FieldJWKS, FieldJWKSURI, FieldGrantTypes, FieldProfile}, keys: true,
			Summary: "authorization_code is listed, but there is no key for the profile's signature algorithms: signed request objects need one, even with mTLS; a warning in fapi2-message-signing, whose parts can be used separately",
			check: func(j *candidate, r *report) {
				if !j.hasGrant(GrantAuthorizationCode) {
					return
				}
				level := Violation
				if j.profile == ProfileFAPI2MessageSigning {
					level = Warning
				}
				switch {
				case j.Keys.IsNone():
					r.add(level, FieldJWKS.pointer(), "", "signed request objects need the client's public keys; set jwks or jwks_uri")
				case j.keys.lack(profileKey(j.profile)):
					r.add(level, j.Keys.field().pointer(), "", "signed request objects need a signature key for %s, but the set has none; add one",
						strings.Join(profileAlgorithms(j.profile), ", "))
				}
			},
		},
		{
			ID: "jwks-uri-syntax", Level: Violation, Source: "RFC 7591 §2, OIDC Registration §2", needs: location,
			Summary: "it is not an absolute https URI with a host, has user information or a fragment, or its host violates redirect-uri-host",
			check:   eachURIOf(location, func(_ *candidate, u *uri) string { return fetchURIFault(u) }),
		},
		{
			ID: "jwks-uri-address", Level: Violation, Source: "own; RFC 7591 §5", needs: location, keys: true,
			Summary: "the host is localhost or an IP address that is not public; a name that resolves to such an address is reported by jwks-uri-unreachable, like a name that does not exist",
			check: eachURIOf(location, func(j *candidate, u *uri) string {
				return when(j.keys.state == keysRefused || !j.policy.allowsFetchHost(u),
					"the host is not public, and keys are fetched only from public hosts; publish them on a public host, or send them inline as jwks")
			}),
		},
		{
			ID: "jwks-uri-unreachable", Level: Warning, Softens: true, Source: "own", needs: []Field{FieldJWKSURI, FieldProfile}, keys: true,
			Summary: "the keys could not be fetched or read within the limits, or the name has no public address; a violation in fapi1-advanced, fapi2-security and fapi2-message-signing, or if the deployment requires it",
			check: func(j *candidate, r *report) {
				if j.keys.state != keysUnreachable {
					return
				}
				level := Warning
				if (inAdvanced|inFAPI2)&j.profile.bit() != 0 || j.policy.KeyPreflight == PreflightRequire {
					level = Violation
				}
				r.add(level, FieldJWKSURI.pointer(), "", "the keys could not be fetched: %s", j.keys.reason)
			},
		},
	}
}

// key adds a finding about one key of the set. The pointer names the field that
// contains the set, because a JSON Pointer cannot point into the text of a string or
// into a remote document; the message names the key.
func (r *report) key(j *candidate, level Level, i int, k *Key, message string) {
	name := fmt.Sprintf("key %d", i)
	if k.KeyID != "" {
		name += " (kid " + quoted(k.KeyID) + ")"
	}
	r.add(level, j.Keys.field().pointer(), "", "%s: %s", name, message)
	r.findings[len(r.findings)-1].KeyIndex = i
}

// eachKey returns a check that calls check for each key. check returns the message of
// a violation, or "" if there is none.
func eachKey(check func(*candidate, *Key) string) func(*candidate, *report) {
	return func(j *candidate, r *report) {
		set, _ := j.keys.Set()
		for i := range set.Keys {
			if message := check(j, &set.Keys[i]); message != "" {
				r.key(j, r.rule.Level, i, &set.Keys[i], message)
			}
		}
	}
}

// profileAlgorithms lists the signature algorithms that a FAPI profile allows.
func profileAlgorithms(p Profile) []string {
	if inFAPI2&p.bit() != 0 {
		return []string{"PS256", "ES256", "EdDSA", crvEd25519}
	}
	return []string{"PS256", "ES256"}
}

// profileKey returns a function that reports whether a key can verify signatures of an
// algorithm that the FAPI profile allows.
func profileKey(p Profile) func(Key) bool {
	algorithms := profileAlgorithms(p)
	return func(k Key) bool { return k.Curve != crvEd448 && k.verifiesWith(algorithms) }
}

func checkExponent(j *candidate, r *report) {
	set, _ := j.keys.Set()
	for i := range set.Keys {
		k := &set.Keys[i]
		switch {
		case !k.usable() || k.Type != ktyRSA:
		case k.Exponent < 3 || k.Exponent%2 == 0:
			r.key(j, Violation, i, k, "its public exponent is even or less than 3, so the key is insecure; generate a new key pair with exponent 65537")
		case k.Exponent < 65537:
			r.key(j, Warning, i, k, "its public exponent is less than 65537; generate a new key pair with exponent 65537")
		}
	}
}

func operationsFault(k *Key) string {
	for i, op := range k.Operations {
		if slices.Index(k.Operations, op) < i {
			return "its key_ops has a duplicate"
		}
		does := operationPurpose(op)
		if k.Use == useSignature && does == encrypts || k.Use == useEncryption && does == signs {
			return "its use and key_ops contradict each other; remove key_ops"
		}
	}
	return ""
}

func checkUseRequired(j *candidate, r *report) {
	set, _ := j.keys.Set()
	purposes := map[algorithmPurpose]bool{}
	for i := range set.Keys {
		purposes[set.Keys[i].purpose()] = true
	}
	if !purposes[signs] || !purposes[encrypts] {
		return
	}
	for i := range set.Keys {
		if set.Keys[i].Use == "" {
			r.key(j, r.rule.Level, i, &set.Keys[i], "the set has signature and encryption keys, so every key needs a use; add it")
		}
	}
}

func checkKeyIDs(j *candidate, r *report) {
	set, _ := j.keys.Set()
	for i := range set.Keys {
		k := &set.Keys[i]
		if k.KeyID == "" {
			continue
		}
		level := Level(0)
		for before := range i {
			other := &set.Keys[before]
			if other.KeyID != k.KeyID {
				continue
			}
			if other.Type == k.Type && other.Use == k.Use {
				level = Violation
				break
			}
			level = Warning
		}
		if level != 0 {
			r.key(j, level, i, k, "an earlier key in the set has the same kid; give each key its own")
		}
	}
}

func checkCertificateDates(j *candidate, r *report) {
	set, _ := j.keys.Set()
	level := Warning
	if j.hasMethod(AuthSelfSignedTLS) {
		level = Violation
	}
	for i := range set.Keys {
		k := &set.Keys[i]
		switch c := k.Certificate; {
		case !k.usable() || c == nil || c.Malformed != "":
		case j.now.After(c.NotAfter):
			r.key(j, level, i, k, "its certificate has expired; replace it")
		case j.now.Before(c.NotBefore):
			r.key(j, level, i, k, "its certificate is not yet valid; replace it, or wait")
		}
	}
}
