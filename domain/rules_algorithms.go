package domain

import (
	"slices"
	"strings"
)

// algNone is the algorithm of JWTs without a signature (RFC 7518 §3.6).
const algNone = "none"

// algorithmKind is what a field with an algorithm is about.
type algorithmKind uint8

const (
	signature     algorithmKind = iota + 1 // a JWS "alg", RFC 7518 §3.1
	keyManagement                          // a JWE "alg", RFC 7518 §4.1
	encryption                             // a JWE "enc", RFC 7518 §5.1
)

// algorithmField is a field that holds an algorithm.
type algorithmField struct {
	field Field
	kind  algorithmKind
}

// algorithmFields lists the fields that hold an algorithm, in the order of the fields.
func algorithmFields() [17]algorithmField {
	return [...]algorithmField{
		{FieldIDTokenSigningAlg, signature},
		{FieldIDTokenEncryptionAlg, keyManagement},
		{FieldIDTokenEncryption, encryption},
		{FieldUserInfoSigningAlg, signature},
		{FieldUserInfoEncryptionAlg, keyManagement},
		{FieldUserInfoEncryption, encryption},
		{FieldIntrospectionSigningAlg, signature},
		{FieldIntrospectionEncryptionAlg, keyManagement},
		{FieldIntrospectionEncryption, encryption},
		{FieldAuthorizationSigningAlg, signature},
		{FieldAuthorizationEncryptionAlg, keyManagement},
		{FieldAuthorizationEncryption, encryption},
		{FieldRequestObjectSigningAlg, signature},
		{FieldRequestObjectEncryptionAlg, keyManagement},
		{FieldRequestObjectEncryption, encryption},
		{FieldAuthSigningAlg, signature},
		{FieldCIBARequestSigningAlg, signature},
	}
}

// algorithmsOf lists the fields of that kind.
func algorithmsOf(kind algorithmKind) []Field {
	var fields []Field
	for _, f := range algorithmFields() {
		if f.kind == kind {
			fields = append(fields, f.field)
		}
	}
	return fields
}

// isSignatureAlgorithm reports whether alg is a registered asymmetric JWS algorithm
// (RFC 7518 §3.1, RFC 8037 §3.1, RFC 8812 §3.2, RFC 9864 §2.2).
func isSignatureAlgorithm(alg string) bool {
	switch alg {
	case "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "ES256K", "EdDSA", crvEd25519, crvEd448:
		return true
	default:
		return false
	}
}

// isKeyManagement reports whether alg is a registered asymmetric JWE "alg" (RFC 7518
// §4.1, RFC 8037 §3.2).
func isKeyManagement(alg string) bool {
	switch alg {
	case "RSA1_5", "RSA-OAEP", "RSA-OAEP-256", "RSA-OAEP-384", "RSA-OAEP-512",
		"ECDH-ES", "ECDH-ES+A128KW", "ECDH-ES+A192KW", "ECDH-ES+A256KW":
		return true
	default:
		return false
	}
}

// isContentEncryption reports whether enc is a registered JWE "enc" (RFC 7518 §5.1).
func isContentEncryption(enc string) bool {
	switch enc {
	case "A128CBC-HS256", "A192CBC-HS384", "A256CBC-HS512", "A128GCM", "A192GCM", "A256GCM":
		return true
	default:
		return false
	}
}

// isSymmetric reports whether the key of a registered "alg" of that kind would be a
// shared secret.
func (k algorithmKind) isSymmetric(alg string) bool {
	switch alg {
	case "HS256", "HS384", "HS512":
		return k == signature
	case "dir", "A128KW", "A192KW", "A256KW", "A128GCMKW", "A192GCMKW", "A256GCMKW",
		"PBES2-HS256+A128KW", "PBES2-HS384+A192KW", "PBES2-HS512+A256KW":
		return k == keyManagement
	default:
		return false
	}
}

// knows reports whether alg is an asymmetric algorithm of that kind, or a content
// encryption.
func (k algorithmKind) knows(alg string) bool {
	switch k {
	case signature:
		return isSignatureAlgorithm(alg)
	case keyManagement:
		return isKeyManagement(alg)
	default:
		return isContentEncryption(alg)
	}
}

// The rows on the algorithms of JWTs: RFC 7518, OIDC Registration §2, OIDC Core §10, JARM
// §3, RFC 9101 §10.5, RFC 8725, FAPI.
func algorithmRules() []Rule {
	var every []Field
	for _, f := range algorithmFields() {
		every = append(every, f.field)
	}
	signatures, encryptions := algorithmsOf(signature), algorithmsOf(keyManagement)
	keys := []Field{FieldJWKS, FieldJWKSURI}
	return []Rule{
		{
			ID: "alg-unknown", Level: Violation, Source: "RFC 7518 §3.1, §4.1, §5.1", needs: every,
			Summary: "it is not a registered algorithm, or is registered for another kind of field (a JWS alg, a JWE alg or a JWE enc); an algorithm that the metadata of the authorization server lists for the field is known",
			check: eachAlgorithm(func(j *candidate, f algorithmField, alg string) string {
				if f.kind.knows(alg) || f.kind.isSymmetric(alg) || alg == algNone || j.server.supports(f.field, alg) {
					return ""
				}
				return quoted(alg) + " is not a known algorithm for this field; use one such as " + map[algorithmKind]string{
					signature: "PS256 or ES256", keyManagement: "RSA-OAEP-256 or ECDH-ES", encryption: "A256GCM",
				}[f.kind]
			}),
		},
		{
			ID: "alg-symmetric", Level: Violation, Source: "own; OIDC Core §10.1, §10.2", needs: every,
			Summary: "its key would be the client secret, of which only a hash is stored: HS256, HS384, HS512, dir, A128KW and the other algorithms with a shared key",
			check: eachAlgorithm(func(_ *candidate, f algorithmField, alg string) string {
				return when(f.kind.isSymmetric(alg), "the key of "+alg+" would be the client secret, of which only a hash is stored; use an algorithm with a key pair")
			}),
		},
		{
			ID: "alg-none", Level: Violation, Softens: true, Source: "OIDC Registration §2; JARM §3",
			needs:   append([]Field{FieldResponseTypes, FieldGrantTypes}, every...),
			Summary: "it is none, except for request_object_signing_alg and, if no response type contains id_token, for id_token_signed_response_alg; a warning for userinfo_signed_response_alg, which is the same as unset",
			check:   checkAlgNone,
		},
		{
			ID: "alg-none-unsafe", Level: Warning, Softens: true,
			Source:  "FAPI 1.0 Part 2 §8.6-3; FAPI 2.0 SP §5.4.1; RFC 9101 §10.5",
			needs:   []Field{FieldRequestObjectSigningAlg, FieldIDTokenSigningAlg, FieldRequireSignedRequestObject, FieldResponseTypes, FieldGrantTypes, FieldProfile},
			Summary: "request_object_signing_alg is none, or id_token_signed_response_alg is none where alg-none allows it; a violation in fapi1-advanced, fapi2-security and fapi2-message-signing, and for request_object_signing_alg if require_signed_request_object is true",
			check:   checkAlgNoneUnsafe,
		},
		{
			ID: "enc-without-alg", Level: Violation, Source: "OIDC Registration §2; JARM §3", needs: slices.Concat(encryptions, algorithmsOf(encryption)),
			Summary: "an enc is set without the alg of the same encryption",
			check: func(j *candidate, r *report) {
				var alg Field // of the same encryption, which precedes the enc in the table
				for _, f := range algorithmFields() {
					switch {
					case f.kind == keyManagement:
						alg = f.field
					case f.kind == encryption && j.algorithm(f.field) != "" && j.algorithm(alg) == "":
						r.alone(Violation, f.field, []Field{alg}, "it has no effect without %s; set that too, or clear this", alg)
					}
				}
			},
		},
		{
			ID: "encryption-key", Level: Violation, Source: "OIDC Core §10.2", keys: true,
			needs:   append(keys[:2:2], encryptions...),
			Summary: "an encrypted_response_alg is set, and no key of the client can be used for it: its kty does not fit, its use is sig, or its alg is another one",
			check:   checkEncryptionKeys,
		},
		{
			ID: "signing-key", Level: Violation, Softens: true, Source: "OIDC Core §10.1; CIBA Core §4", keys: true,
			needs:   append(keys[:2:2], FieldRequestObjectSigningAlg, FieldAuthSigningAlg, FieldAuthMethods, FieldCIBARequestSigningAlg),
			Summary: "request_object_signing_alg, token_endpoint_auth_signing_alg with private_key_jwt, or backchannel_authentication_request_signing_alg is set, and no key of the client can verify such a signature; a warning if there are no keys at all, but for backchannel_authentication_request_signing_alg",
			check:   checkSigningKeys,
		},
		{
			ID: "signed-request-key", Level: Violation, Source: "RFC 9101 §10.5", keys: true,
			needs:   append(keys[:2:2], FieldRequireSignedRequestObject),
			Summary: "require_signed_request_object is true, and no key of the client can verify a signature",
			check: func(j *candidate, r *report) {
				switch {
				case !j.RequireSignedRequestObject:
				case j.Keys.IsNone():
					r.on(FieldJWKS, "signed request objects need the client's public keys; set jwks or jwks_uri")
				case j.keys.lack(Key.verifies):
					r.on(j.Keys.field(), "signed request objects need a signature key, but no key in the set can be used as one; add one")
				}
			},
		},
		{
			ID: "auth-signing-alg-unused", Level: Warning, Source: "OIDC Registration §2", needs: []Field{FieldAuthSigningAlg, FieldAuthMethods},
			Summary: "token_endpoint_auth_signing_alg is set without private_key_jwt",
			check: func(j *candidate, r *report) {
				if j.AuthSigningAlg != "" && !j.hasMethod(AuthPrivateKeyJWT) {
					r.on(FieldAuthSigningAlg, "only private_key_jwt signs client assertions; add the method, or clear this field")
				}
			},
		},
		{
			ID: "alg-rsa1_5", Level: Warning, Softens: true, Source: "FAPI 1.0 Part 2 §8.6.1; RFC 8725 §3.2", needs: append([]Field{FieldProfile}, encryptions...),
			Summary: "it is RSA1_5; a violation in fapi1-advanced, fapi2-security and fapi2-message-signing",
			check: func(j *candidate, r *report) {
				level := Warning
				if j.signsStrictly() {
					level = Violation
				}
				for _, f := range algorithmFields() {
					if f.kind == keyManagement && j.algorithm(f.field) == "RSA1_5" {
						r.alone(level, f.field, []Field{FieldProfile}, "RSA1_5 is open to padding oracle attacks; use RSA-OAEP-256 or ECDH-ES")
					}
				}
			},
		},
		{
			ID: "alg-fapi", Level: Violation, Source: "FAPI 1.0 Part 2 §8.6-1; FAPI 2.0 SP §5.4.1-1", in: inAdvanced | inFAPI2,
			needs:   append([]Field{FieldProfile}, signatures...),
			Summary: "a signature algorithm is not PS256 or ES256 (FAPI 2.0: or EdDSA with Ed25519); none is left to alg-none and alg-none-unsafe",
			check: func(j *candidate, r *report) {
				allowed := profileAlgorithms(j.profile)
				for _, f := range algorithmFields() {
					alg := j.algorithm(f.field)
					if f.kind == signature && alg != "" && alg != algNone && !f.kind.isSymmetric(alg) && !slices.Contains(allowed, alg) {
						r.alone(Violation, f.field, []Field{FieldProfile}, "%s is not one of the profile's signature algorithms; use one of %s", quoted(alg), strings.Join(allowed, ", "))
					}
				}
			},
		},
		{
			ID: "jarm-encryption-fapi2", Level: Warning, Source: "FAPI 2.0 MS §6.1", in: inMessageSigning,
			needs:   []Field{FieldAuthorizationEncryptionAlg, FieldProfile},
			Summary: "authorization_encrypted_response_alg is set",
			check: func(j *candidate, r *report) {
				if j.Authorization.KeyManagement != "" {
					r.on(FieldAuthorizationEncryptionAlg, "the response has only a code, which needs no encryption; clear this field")
				}
			},
		},
		{
			ID: "userinfo-encrypted-unsigned", Level: Warning, Source: "own", needs: []Field{FieldUserInfoSigningAlg, FieldUserInfoEncryptionAlg},
			Summary: "userinfo_encrypted_response_alg is set without userinfo_signed_response_alg",
			check: func(j *candidate, r *report) {
				if j.UserInfo.KeyManagement != "" && (j.UserInfo.Signing == "" || j.UserInfo.Signing == algNone) {
					r.on(FieldUserInfoEncryptionAlg, "anyone can encrypt for the client, so an encrypted response proves nothing about its sender; set userinfo_signed_response_alg too")
				}
			},
		},
	}
}

// algorithm returns the value of a field that holds an algorithm.
func (j *candidate) algorithm(f Field) string { return string(*f.Of(&j.Settings).(*Text)) }

// signsStrictly reports whether the profile restricts the algorithms of JWTs.
func (j *candidate) signsStrictly() bool { return (inAdvanced|inFAPI2)&j.profile.bit() != 0 }

// eachAlgorithm makes a check of a candidate from one of a single field with an algorithm
// and returns the message where it is broken, "" where not.
func eachAlgorithm(check func(*candidate, algorithmField, string) string) func(*candidate, *report) {
	return func(j *candidate, r *report) {
		for _, f := range algorithmFields() {
			alg := j.algorithm(f.field)
			if alg == "" {
				continue
			}
			if message := check(j, f, alg); message != "" {
				r.alone(r.rule.Level, f.field, nil, "%s", message)
			}
		}
	}
}

// alone reports that one of the fields that the current rule needs violates it by itself
// or together with the other given ones. A change of the remaining fields does not touch
// the finding.
func (r *report) alone(level Level, field Field, with []Field, format string, args ...any) {
	r.add(level, field.pointer(), "", format, args...)
	r.findings[len(r.findings)-1].needs = append([]Field{field}, with...)
}

// returnsIDToken reports whether the authorization endpoint returns an ID token to the
// client, by its response types or, where they are unset, by its grant types.
func (s *Settings) returnsIDToken() bool {
	if len(s.ResponseTypes) == 0 {
		return s.hasGrant(GrantImplicit)
	}
	return slices.ContainsFunc(s.ResponseTypes, ResponseType.returnsIDToken)
}

func checkAlgNone(j *candidate, r *report) {
	for _, f := range algorithmFields() {
		if j.algorithm(f.field) != algNone {
			continue
		}
		switch f.field {
		case FieldRequestObjectSigningAlg:
		case FieldUserInfoSigningAlg:
			r.alone(Warning, f.field, nil, "userinfo responses are plain JSON without this field; clear it")
		case FieldIDTokenSigningAlg:
			if j.returnsIDToken() {
				r.alone(Violation, f.field, []Field{FieldResponseTypes, FieldGrantTypes}, "an ID token that is returned through the browser must be signed; use an algorithm such as PS256 or ES256")
			}
		default:
			r.alone(Violation, f.field, nil, "none is not allowed here; use an algorithm, or clear the field")
		}
	}
}

func checkAlgNoneUnsafe(j *candidate, r *report) {
	level := Warning
	if j.signsStrictly() {
		level = Violation
	}
	if j.IDToken.Signing == algNone && !j.returnsIDToken() {
		r.alone(level, FieldIDTokenSigningAlg, []Field{FieldResponseTypes, FieldGrantTypes, FieldProfile}, "unsigned ID tokens can be forged by anyone on the way; use an algorithm such as PS256 or ES256")
	}
	if j.RequireSignedRequestObject {
		level = Violation
	}
	if j.RequestObject.Signing == algNone {
		r.alone(level, FieldRequestObjectSigningAlg, []Field{FieldRequireSignedRequestObject, FieldProfile}, "unsigned request objects protect nothing; use an algorithm such as PS256 or ES256, or clear the field")
	}
}

func checkEncryptionKeys(j *candidate, r *report) {
	for _, f := range algorithmFields() {
		alg := j.algorithm(f.field)
		// Request objects are encrypted with the server's key.
		if f.kind != keyManagement || f.field == FieldRequestObjectEncryptionAlg || !isKeyManagement(alg) {
			continue
		}
		switch with := []Field{FieldJWKS, FieldJWKSURI}; {
		case j.Keys.IsNone():
			r.alone(Violation, f.field, with, "responses are encrypted with the client's public key; set jwks or jwks_uri")
		case j.keys.lack(func(k Key) bool { return k.encryptsWith(alg) }):
			r.alone(Violation, f.field, with, "no key of the client can be used for %s; add one", alg)
		}
	}
}

func checkSigningKeys(j *candidate, r *report) {
	with := []Field{FieldJWKS, FieldJWKSURI}
	for _, f := range []Field{FieldRequestObjectSigningAlg, FieldAuthSigningAlg, FieldCIBARequestSigningAlg} {
		alg := j.algorithm(f)
		if !isSignatureAlgorithm(alg) {
			continue
		}
		with := with
		if f == FieldAuthSigningAlg {
			if !j.hasMethod(AuthPrivateKeyJWT) {
				continue
			}
			with = append(with[:2:2], FieldAuthMethods)
		}
		switch {
		case j.Keys.IsNone():
			level := Warning
			if f == FieldCIBARequestSigningAlg {
				level = Violation
			}
			r.alone(level, f, with, "the client has no keys to verify %s signatures; set jwks or jwks_uri", alg)
		case j.keys.lack(func(k Key) bool { return k.verifiesWith([]string{alg}) }):
			r.alone(Violation, f, with, "no key of the client can verify %s signatures; add one", alg)
		}
	}
}

// encryptsWith reports whether the key can be used to encrypt for the client with a JWE
// "alg": its type and curve fit, and neither "use", "alg" nor "key_ops" declares another
// purpose (RFC 7517 §4.2 to §4.4).
func (k Key) encryptsWith(alg string) bool {
	if !k.usable() || k.Use == useSignature || k.Algorithm != "" && k.Algorithm != alg {
		return false
	}
	does, ok := algorithmFor(alg, k.Type, k.Curve)
	return ok && does == encrypts &&
		(len(k.Operations) == 0 || slices.ContainsFunc(k.Operations, func(op string) bool { return operationPurpose(op) == encrypts }))
}
