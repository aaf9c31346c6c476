package domain

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"
)

// alg sets a field that holds an algorithm.
func alg(field Field, value string) func(*Settings) {
	return func(s *Settings) { *field.Of(s).(*Text) = Text(value) }
}

func signedRequests(s *Settings) { s.RequireSignedRequestObject = true }

// algorithmExamples holds the examples of the rules on algorithms.
func algorithmExamples() map[string][]example {
	encryptionKey := with(rsaKey(), func(k *Key) { k.KeyID = "enc"; k.Use = useEncryption })
	signatureKey := with(ecKey(), func(k *Key) { k.Use = useSignature })
	unread := KeysUnexamined()
	unreachable := KeysUnreachable("no response in time")
	return map[string][]example{
		"alg-unknown": {
			{name: "unknown", edit: alg(FieldIDTokenSigningAlg, "PS257"), at: "/id_token_signed_response_alg"},
			{
				name: "unknown here, known to the server", edit: alg(FieldIDTokenSigningAlg, "ML-DSA-44"),
				server: server("id_token_signing_alg_values_supported", "ML-DSA-44"),
			},
			{
				name: "known to the server for another field", edit: alg(FieldUserInfoSigningAlg, "ML-DSA-44"),
				server: server("id_token_signing_alg_values_supported", "ML-DSA-44"), at: "/userinfo_signed_response_alg",
			},
			{name: "another case", edit: alg(FieldRequestObjectSigningAlg, "ps256"), at: "/request_object_signing_alg"},
			{name: "a JWE alg for signatures", edit: alg(FieldUserInfoSigningAlg, "RSA-OAEP"), at: "/userinfo_signed_response_alg"},
			{name: "a JWS alg for keys", edit: alg(FieldIDTokenEncryptionAlg, "RS256"), at: "/id_token_encrypted_response_alg"},
			{name: "an enc for keys", edit: alg(FieldRequestObjectEncryptionAlg, "A128GCM"), at: "/request_object_encryption_alg"},
			{name: "a JWE alg for content", edit: alg(FieldAuthorizationEncryption, "A128KW"), at: "/authorization_encrypted_response_enc"},
			{name: "a shared key of the other kind", edit: alg(FieldIntrospectionEncryptionAlg, "HS256"), at: "/introspection_encrypted_response_alg"},
			{name: "any", edit: alg(FieldCIBARequestSigningAlg, "any"), at: "/backchannel_authentication_request_signing_alg"},
			{name: "RS256", edit: alg(FieldIDTokenSigningAlg, "RS256")},
			{name: "EdDSA", edit: alg(FieldAuthSigningAlg, "EdDSA")},
			{name: "ES256K", edit: alg(FieldIntrospectionSigningAlg, "ES256K")},
			{name: "ECDH-ES", edit: alg(FieldUserInfoEncryptionAlg, "ECDH-ES+A256KW")},
			{name: "A256GCM", edit: alg(FieldUserInfoEncryption, "A256GCM")},
			{name: "a shared key", edit: alg(FieldIDTokenSigningAlg, "HS256")},
			{name: "none", edit: alg(FieldIDTokenSigningAlg, "none")},
		},
		"alg-symmetric": {
			{name: "HS256", edit: alg(FieldIDTokenSigningAlg, "HS256"), at: "/id_token_signed_response_alg"},
			{name: "client assertions", edit: alg(FieldAuthSigningAlg, "HS512"), at: "/token_endpoint_auth_signing_alg"},
			{name: "dir", edit: alg(FieldUserInfoEncryptionAlg, "dir"), at: "/userinfo_encrypted_response_alg"},
			{name: "request objects", edit: alg(FieldRequestObjectEncryptionAlg, "A256GCMKW"), at: "/request_object_encryption_alg"},
			{name: "passwords", edit: alg(FieldIDTokenEncryptionAlg, "PBES2-HS256+A128KW"), at: "/id_token_encrypted_response_alg"},
			{name: "content is always encrypted so", edit: alg(FieldIDTokenEncryption, "A128CBC-HS256")},
			{name: "RS256", edit: alg(FieldIDTokenSigningAlg, "RS256")},
		},
		"alg-none": {
			{name: "authorization responses", edit: alg(FieldAuthorizationSigningAlg, "none"), at: "/authorization_signed_response_alg"},
			{name: "introspection responses", edit: alg(FieldIntrospectionSigningAlg, "none"), at: "/introspection_signed_response_alg"},
			{name: "client assertions", edit: alg(FieldAuthSigningAlg, "none"), at: "/token_endpoint_auth_signing_alg"},
			{name: "CIBA requests", edit: alg(FieldCIBARequestSigningAlg, "none"), at: "/backchannel_authentication_request_signing_alg"},
			{name: "encryption", edit: alg(FieldIDTokenEncryptionAlg, "none"), at: "/id_token_encrypted_response_alg"},
			{name: "content", edit: alg(FieldIDTokenEncryption, "none"), at: "/id_token_encrypted_response_enc"},
			{name: "ID tokens through the browser", edit: all(hybrid, responseTypes("id_token code"), alg(FieldIDTokenSigningAlg, "none")), at: "/id_token_signed_response_alg"},
			{name: "ID tokens by the implicit grant", edit: all(hybrid, alg(FieldIDTokenSigningAlg, "none")), at: "/id_token_signed_response_alg"},
			{name: "userinfo", edit: alg(FieldUserInfoSigningAlg, "none"), at: "/userinfo_signed_response_alg", level: Warning},
			{name: "request objects", edit: alg(FieldRequestObjectSigningAlg, "none")},
			{name: "ID tokens from the token endpoint", edit: alg(FieldIDTokenSigningAlg, "none")},
			{name: "implicit for access tokens", edit: all(hybrid, responseTypes("code", "token"), alg(FieldIDTokenSigningAlg, "none"))},
		},
		"alg-none-unsafe": {
			{name: "request objects", edit: alg(FieldRequestObjectSigningAlg, "none"), at: "/request_object_signing_alg"},
			{name: "ID tokens", edit: alg(FieldIDTokenSigningAlg, "none"), at: "/id_token_signed_response_alg"},
			{name: "ID tokens in Advanced", profile: ProfileFAPI1Advanced, edit: alg(FieldIDTokenSigningAlg, "none"), at: "/id_token_signed_response_alg", level: Violation},
			{name: "request objects in FAPI 2.0", profile: ProfileFAPI2Security, edit: alg(FieldRequestObjectSigningAlg, "none"), at: "/request_object_signing_alg", level: Violation},
			{name: "request objects in Baseline", profile: ProfileFAPI1Baseline, edit: alg(FieldRequestObjectSigningAlg, "none"), at: "/request_object_signing_alg"},
			{name: "signed ones are required", edit: all(signedRequests, alg(FieldRequestObjectSigningAlg, "none")), at: "/request_object_signing_alg", level: Violation},
			{name: "ID tokens, and signed requests are required", edit: all(signedRequests, alg(FieldIDTokenSigningAlg, "none")), at: "/id_token_signed_response_alg"},
			{name: "another rule rejects it", edit: all(hybrid, alg(FieldIDTokenSigningAlg, "none"))},
			{name: "userinfo", profile: ProfileFAPI2Security, edit: alg(FieldUserInfoSigningAlg, "none")},
			{name: "unset"},
		},
		"enc-without-alg": {
			{name: "ID tokens", edit: alg(FieldIDTokenEncryption, "A256GCM"), at: "/id_token_encrypted_response_enc"},
			{name: "request objects", edit: alg(FieldRequestObjectEncryption, "A256GCM"), at: "/request_object_encryption_enc"},
			{name: "the alg of another one", edit: all(alg(FieldAuthorizationEncryption, "A256GCM"), alg(FieldIDTokenEncryptionAlg, "ECDH-ES")), at: "/authorization_encrypted_response_enc"},
			{name: "both", edit: all(alg(FieldUserInfoEncryption, "A256GCM"), alg(FieldUserInfoEncryptionAlg, "ECDH-ES"))},
			{name: "the alg alone", edit: alg(FieldUserInfoEncryptionAlg, "ECDH-ES")},
		},
		"encryption-key": {
			{name: "another kty", edit: alg(FieldIDTokenEncryptionAlg, "RSA-OAEP"), at: "/id_token_encrypted_response_alg"},
			{name: "a signature key", edit: alg(FieldUserInfoEncryptionAlg, "ECDH-ES"), set: keySet(signatureKey), at: "/userinfo_encrypted_response_alg"},
			{
				name: "a key for another alg", edit: alg(FieldAuthorizationEncryptionAlg, "RSA-OAEP"), at: "/authorization_encrypted_response_alg",
				set: keySet(ecKey(), with(encryptionKey, func(k *Key) { k.Algorithm = "RSA-OAEP-256" })),
			},
			{
				name: "key_ops for signatures", edit: alg(FieldIntrospectionEncryptionAlg, "ECDH-ES"), at: "/introspection_encrypted_response_alg",
				set: keySet(with(ecKey(), func(k *Key) { k.Operations = []string{"verify"} })),
			},
			{name: "Ed25519", edit: alg(FieldIDTokenEncryptionAlg, "ECDH-ES"), set: keySet(edKey()), at: "/id_token_encrypted_response_alg"},
			{name: "no keys", edit: all(methods(AuthSecretBasic), noKeys, alg(FieldIDTokenEncryptionAlg, "RSA-OAEP")), at: "/id_token_encrypted_response_alg"},
			{name: "a key for both", edit: alg(FieldIDTokenEncryptionAlg, "ECDH-ES")},
			{name: "an encryption key", edit: alg(FieldIDTokenEncryptionAlg, "RSA-OAEP-256"), set: keySet(signatureKey, encryptionKey)},
			{
				name: "a key for that alg", edit: alg(FieldIDTokenEncryptionAlg, "RSA-OAEP-256"),
				set: keySet(signatureKey, with(encryptionKey, func(k *Key) { k.Algorithm = "RSA-OAEP-256"; k.Operations = []string{"wrapKey"} })),
			},
			{name: "request objects use the server's key", edit: alg(FieldRequestObjectEncryptionAlg, "RSA-OAEP")},
			{name: "keys that were not read", edit: all(keysAt("https://a.example/jwks"), alg(FieldIDTokenEncryptionAlg, "RSA-OAEP")), keys: &unread},
			{name: "keys that could not be read", edit: all(keysAt("https://a.example/jwks"), alg(FieldIDTokenEncryptionAlg, "RSA-OAEP")), keys: &unreachable},
			{name: "an unknown algorithm", edit: alg(FieldIDTokenEncryptionAlg, "RSA-OAEP-1")},
		},
		"signing-key": {
			{name: "request objects", edit: alg(FieldRequestObjectSigningAlg, "PS256"), at: "/request_object_signing_alg"},
			{name: "client assertions", edit: alg(FieldAuthSigningAlg, "ES384"), at: "/token_endpoint_auth_signing_alg"},
			{name: "CIBA requests", edit: alg(FieldCIBARequestSigningAlg, "RS256"), at: "/backchannel_authentication_request_signing_alg"},
			{
				name: "an encryption key", edit: all(methods(AuthTLS), alg(FieldRequestObjectSigningAlg, "ES256")), at: "/request_object_signing_alg",
				set: keySet(with(ecKey(), func(k *Key) { k.Use = useEncryption })),
			},
			{
				name: "a key for another alg", edit: alg(FieldRequestObjectSigningAlg, "PS256"), at: "/request_object_signing_alg",
				set: keySet(with(rsaKey(), func(k *Key) { k.Algorithm = "RS256" })),
			},
			{name: "no keys", edit: all(methods(AuthSecretBasic), noKeys, alg(FieldRequestObjectSigningAlg, "RS256")), at: "/request_object_signing_alg", level: Warning},
			{name: "no keys for CIBA requests", edit: all(methods(AuthSecretBasic), noKeys, alg(FieldCIBARequestSigningAlg, "RS256")), at: "/backchannel_authentication_request_signing_alg"},
			{name: "a key that fits", edit: all(alg(FieldRequestObjectSigningAlg, "ES256"), alg(FieldAuthSigningAlg, "ES256"), alg(FieldCIBARequestSigningAlg, "ES256"))},
			{name: "another method", edit: all(methods(AuthSecretBasic), alg(FieldAuthSigningAlg, "PS256"))},
			{name: "a signature of the server", edit: alg(FieldIDTokenSigningAlg, "PS256")},
			{name: "none", edit: alg(FieldRequestObjectSigningAlg, "none")},
			{name: "keys that were not read", edit: all(keysAt("https://a.example/jwks"), alg(FieldRequestObjectSigningAlg, "PS256")), keys: &unread},
		},
		"signed-request-key": {
			{name: "no keys", edit: all(methods(AuthSecretBasic), noKeys, signedRequests), at: "/jwks"},
			{name: "an encryption key", edit: all(methods(AuthTLS), signedRequests), set: keySet(encryptionKey), at: "/jwks"},
			{name: "a signature key", edit: signedRequests},
			{name: "not required", edit: all(methods(AuthSecretBasic), noKeys)},
			{name: "keys that were not read", edit: all(keysAt("https://a.example/jwks"), signedRequests), keys: &unread},
		},
		"auth-signing-alg-unused": {
			{name: "client_secret_basic", edit: all(methods(AuthSecretBasic), alg(FieldAuthSigningAlg, "ES256")), at: "/token_endpoint_auth_signing_alg"},
			{name: "private_key_jwt", edit: alg(FieldAuthSigningAlg, "ES256")},
			{name: "unset", edit: methods(AuthSecretBasic)},
		},
		"alg-rsa1_5": {
			{name: "ID tokens", edit: alg(FieldIDTokenEncryptionAlg, "RSA1_5"), at: "/id_token_encrypted_response_alg"},
			{name: "request objects", edit: alg(FieldRequestObjectEncryptionAlg, "RSA1_5"), at: "/request_object_encryption_alg"},
			{name: "in Baseline", profile: ProfileFAPI1Baseline, edit: alg(FieldIDTokenEncryptionAlg, "RSA1_5"), at: "/id_token_encrypted_response_alg"},
			{name: "in Advanced", profile: ProfileFAPI1Advanced, edit: alg(FieldIDTokenEncryptionAlg, "RSA1_5"), at: "/id_token_encrypted_response_alg", level: Violation},
			{name: "in FAPI 2.0", profile: ProfileFAPI2MessageSigning, edit: alg(FieldUserInfoEncryptionAlg, "RSA1_5"), at: "/userinfo_encrypted_response_alg", level: Violation},
			{name: "RSA-OAEP", profile: ProfileFAPI1Advanced, edit: alg(FieldIDTokenEncryptionAlg, "RSA-OAEP")},
		},
		"alg-fapi": {
			{name: "RS256 for ID tokens", profile: ProfileFAPI1Advanced, edit: alg(FieldIDTokenSigningAlg, "RS256"), at: "/id_token_signed_response_alg"},
			{name: "PS512", profile: ProfileFAPI2Security, edit: alg(FieldRequestObjectSigningAlg, "PS512"), at: "/request_object_signing_alg"},
			{name: "EdDSA in FAPI 1.0", profile: ProfileFAPI1Advanced, edit: alg(FieldAuthSigningAlg, "EdDSA"), at: "/token_endpoint_auth_signing_alg"},
			{name: "Ed448", profile: ProfileFAPI2Security, edit: alg(FieldAuthorizationSigningAlg, "Ed448"), at: "/authorization_signed_response_alg"},
			{name: "CIBA requests", profile: ProfileFAPI2MessageSigning, edit: alg(FieldCIBARequestSigningAlg, "RS256"), at: "/backchannel_authentication_request_signing_alg"},
			{name: "PS256", profile: ProfileFAPI1Advanced, edit: alg(FieldIDTokenSigningAlg, "PS256")},
			{name: "EdDSA in FAPI 2.0", profile: ProfileFAPI2Security, edit: alg(FieldIDTokenSigningAlg, "EdDSA")},
			{name: "Ed25519 in FAPI 2.0", profile: ProfileFAPI2Security, edit: alg(FieldIDTokenSigningAlg, "Ed25519")},
			{name: "none for userinfo", profile: ProfileFAPI2Security, edit: alg(FieldUserInfoSigningAlg, "none")},
			{name: "in Baseline", profile: ProfileFAPI1Baseline, edit: alg(FieldIDTokenSigningAlg, "RS256")},
			{name: "unset", profile: ProfileFAPI1Advanced},
		},
		"jarm-encryption-fapi2": {
			{name: "Message Signing", profile: ProfileFAPI2MessageSigning, edit: alg(FieldAuthorizationEncryptionAlg, "ECDH-ES"), at: "/authorization_encrypted_response_alg"},
			{name: "Advanced", profile: ProfileFAPI1Advanced, edit: alg(FieldAuthorizationEncryptionAlg, "ECDH-ES")},
			{name: "unset", profile: ProfileFAPI2MessageSigning},
		},
		"userinfo-encrypted-unsigned": {
			{name: "unsigned", edit: alg(FieldUserInfoEncryptionAlg, "ECDH-ES"), at: "/userinfo_encrypted_response_alg"},
			{name: "none", edit: all(alg(FieldUserInfoEncryptionAlg, "ECDH-ES"), alg(FieldUserInfoSigningAlg, "none")), at: "/userinfo_encrypted_response_alg"},
			{name: "signed", edit: all(alg(FieldUserInfoEncryptionAlg, "ECDH-ES"), alg(FieldUserInfoSigningAlg, "ES256"))},
			{name: "not encrypted", edit: alg(FieldUserInfoSigningAlg, "ES256")},
		},
	}
}

// A value has one fault at most: it is unknown, has a shared key, is none, or is an
// algorithm of its kind.
func TestEveryAlgorithmIsOfOneSort(t *testing.T) {
	for _, f := range algorithmFields() {
		for _, value := range someAlgorithms() {
			sorts := 0
			for _, is := range []bool{f.kind.knows(value), f.kind.isSymmetric(value), value == algNone} {
				if is {
					sorts++
				}
			}
			assert.LessOrEqual(t, sorts, 1, "%s %s", f.field, value)
		}
	}
}

func TestAnAlgorithmThatExistedDoesNotRejectAnother(t *testing.T) {
	before := stored(alg(FieldIDTokenSigningAlg, "HS256"))
	book := testBook(t, Policy{})
	_, findings := reviseClient(book, before, ChangeOf(Settings{UserInfo: Algorithms{Signing: "ES256"}}), KeysSeen(*keySet(ecKey())), testNow)
	assert.Empty(t, findings.Violations())
	assert.Equal(t, []string{"alg-symmetric"}, rulesOf(findings))
	_, findings = reviseClient(book, before, ChangeOf(Settings{IDToken: Algorithms{Signing: "HS512"}}), KeysSeen(*keySet(ecKey())), testNow)
	assert.Equal(t, []string{"alg-symmetric"}, rulesOf(findings.Violations()))
}

// someAlgorithms lists values for fields with algorithms: known ones of each kind, and
// others.
func someAlgorithms() []string {
	return []string{
		"", "none", "RS256", "PS256", "ES256", "ES384", "ES256K", "EdDSA", "Ed25519", "Ed448", "HS256",
		"RSA1_5", "RSA-OAEP", "RSA-OAEP-256", "ECDH-ES", "ECDH-ES+A128KW", "dir", "A128KW", "PBES2-HS256+A128KW",
		"A128CBC-HS256", "A256GCM", "magic", " ",
	}
}

// drawAlgorithms fills the fields of response types, algorithms and FAPI declarations.
func drawAlgorithms(t *rapid.T, s *Settings) {
	s.ResponseTypes = rapid.SliceOfN(rapid.SampledFrom([]ResponseType{
		"code", "token", "id_token", "none", "code id_token", "id_token code", "code id_token token", "code  token", "magic", "",
	}), 0, 3).Draw(t, "response types")
	s.ResponseModes = rapid.SliceOfN(rapid.SampledFrom([]ResponseMode{
		"query", "fragment", "form_post", "jwt", "query.jwt", "fragment.jwt", "form_post.jwt", "web_message", "",
	}), 0, 2).Draw(t, "response modes")
	s.ApplicationType = rapid.SampledFrom([]ApplicationType{"", ApplicationWeb, ApplicationNative, "desktop"}).Draw(t, "application type")
	fields := algorithmFields()
	for range rapid.IntRange(0, 4).Draw(t, "algorithms") {
		f := rapid.SampledFrom(fields[:]).Draw(t, "algorithm of")
		*f.field.Of(s).(*Text) = Text(rapid.SampledFrom(someAlgorithms()).Draw(t, f.field.String()))
	}
	for _, flag := range []*bool{&s.DPoPBound, &s.CertificateBound, &s.RequirePAR, &s.RequirePKCE, &s.RequireSignedRequestObject} {
		*flag = rapid.Bool().Draw(t, "declared")
	}
}
