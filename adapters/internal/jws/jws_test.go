package jws_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/lestrrat-go/jwx/v2/jwa"
	jwx "github.com/lestrrat-go/jwx/v2/jws"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/internal/jws"
)

// signers returns a key for each algorithm.
func signers(t testing.TB) map[string]crypto.Signer {
	t.Helper()
	ec := func(curve elliptic.Curve) crypto.Signer {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		require.NoError(t, err)
		return key
	}
	large, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	return map[string]crypto.Signer{
		"RS256": large, "RS384": large, "RS512": large, "PS256": large, "PS384": large, "PS512": large,
		"ES256": ec(elliptic.P256()), "ES384": ec(elliptic.P384()), "ES512": ec(elliptic.P521()), "EdDSA": ed,
	}
}

// What another library signs is valid for its algorithm and key alone.
func TestSignaturesOfAnotherLibrary(t *testing.T) {
	keys := signers(t)
	for algorithm, key := range keys {
		signed, err := jwx.Sign([]byte(`{"iss":"a"}`), jwx.WithKey(jwa.SignatureAlgorithm(algorithm), key))
		require.NoError(t, err, algorithm)
		text := string(signed)
		message, err := jws.Parse(text)
		require.NoError(t, err, algorithm)
		assert.Equal(t, algorithm, message.Header.Algorithm)
		for other, otherKey := range keys {
			assert.Equal(t, other == algorithm, jws.Verify(text, other, otherKey.Public()), "%s as %s", algorithm, other)
		}
		assert.False(t, jws.Verify(text, "none", key.Public()), algorithm)
		assert.False(t, jws.Verify(text, "HS256", key.Public()), algorithm)
		assert.Equal(t, algorithm == "EdDSA", jws.Verify(text, "Ed25519", key.Public()), algorithm)
		payload := strings.Replace(text, ".", ".e30", 1)
		assert.False(t, jws.Verify(payload, algorithm, key.Public()), "%s with another payload", algorithm)
		assert.False(t, jws.Verify(text[:strings.LastIndexByte(text, '.')+1], algorithm, key.Public()), "%s without a signature", algorithm)
	}
	// A key on another curve than that of the algorithm (RFC 7518 §3.4).
	digest := sha256.Sum256([]byte("e30.e30"))
	r, s, err := ecdsa.Sign(rand.Reader, keys["ES384"].(*ecdsa.PrivateKey), digest[:])
	require.NoError(t, err)
	signature := append(r.FillBytes(make([]byte, 48)), s.FillBytes(make([]byte, 48))...)
	assert.False(t, jws.Verify("e30.e30."+base64.RawURLEncoding.EncodeToString(signature), "ES256", keys["ES384"].Public()))
	assert.False(t, jws.Verify("", "ES256", keys["ES256"].Public()))
	assert.False(t, jws.Verify("x", "ES256", nil))
}

func TestParsingIsStrict(t *testing.T) {
	encode := base64.RawURLEncoding.EncodeToString
	valid := encode([]byte(`{"alg":"ES256"}`)) + "." + encode([]byte(`{"exp":1.5,"aud":["a","b"]}`)) + ".AQ"
	message, err := jws.Parse(valid)
	require.NoError(t, err)
	audience, err := message.Payload.Texts("aud")
	require.NoError(t, err)
	assert.Equal(t, []string{"a", "b"}, audience)
	at, ok, err := message.Payload.Date("exp")
	require.NoError(t, err)
	assert.True(t, ok)
	assert.EqualValues(t, 1500, at.UnixMilli())
	for name, text := range map[string]string{
		"empty":                 "",
		"two parts":             "e30.e30",
		"four parts":            valid + ".AQ",
		"no signature":          strings.TrimSuffix(valid, "AQ"),
		"padding":               valid + "==",
		"excess bits":           strings.TrimSuffix(valid, "AQ") + "AR",
		"line break":            strings.Replace(valid, ".", "\n.", 1),
		"duplicate name":        encode([]byte(`{"alg":"ES256","alg":"none"}`)) + ".e30.AQ",
		"no object":             encode([]byte(`[]`)) + ".e30.AQ",
		"trailing data":         encode([]byte(`{"alg":"ES256"}{}`)) + ".e30.AQ",
		"a number as algorithm": encode([]byte(`{"alg":1}`)) + ".e30.AQ",
		"crit":                  encode([]byte(`{"alg":"ES256","crit":[]}`)) + ".e30.AQ",
		"b64":                   encode([]byte(`{"alg":"ES256","b64":false}`)) + ".e30.AQ",
		"not UTF-8":             encode([]byte("{\"alg\":\"\xff\"}")) + ".e30.AQ",
		"too long":              valid + strings.Repeat("A", jws.MaxBytes),
	} {
		_, err := jws.Parse(text)
		assert.Error(t, err, name)
	}
}
