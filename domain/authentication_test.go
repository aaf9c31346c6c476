package domain

import (
	"encoding/base64"
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"
)

// Whatever a client_id and a secret consist of, a client that encodes them as RFC 6749
// §2.3.1 requires presents exactly these.
func TestBasicCredentialsAreReadAsTheyWereWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id, secret := rapid.String().Draw(t, "id"), rapid.String().Draw(t, "secret")
		header := "Basic " + base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(id)+":"+url.QueryEscape(secret)))
		got, failure := ReadCredentials(header, AuthForm{})
		if id == "" {
			assert.Equal(t, FailureUnidentified, failure)
			return
		}
		assert.Empty(t, failure)
		assert.Equal(t, Credentials{ClientID: ClientID(id), Method: AuthSecretBasic, Secret: secret}, got)
	})
}

// No request with two methods presents credentials.
func TestTwoMethodsPresentNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.SampledFrom([]string{"", "x"})
		form := AuthForm{
			ClientID: ClientID(text.Draw(t, "client_id")), ClientSecret: text.Draw(t, "client_secret"),
			Assertion:     text.Draw(t, "client_assertion"),
			AssertionType: rapid.SampledFrom([]string{"", "x", AssertionTypeJWT}).Draw(t, "client_assertion_type"),
		}
		header := rapid.SampledFrom([]string{"", "Basic eDp5"}).Draw(t, "Authorization") // x:y
		methods := 0
		for _, used := range []bool{header != "", form.ClientSecret != "", form.Assertion != "" || form.AssertionType != ""} {
			if used {
				methods++
			}
		}
		got, failure := ReadCredentials(header, form)
		if methods > 1 {
			assert.Equal(t, FailureMethods, failure)
			assert.Equal(t, Credentials{}, got)
		} else {
			assert.NotEqual(t, FailureMethods, failure)
		}
	})
}

func TestAlgorithmsOfAssertions(t *testing.T) {
	fapi1, fapi2 := []string{"PS256", "ES256"}, []string{"PS256", "ES256", "EdDSA", "Ed25519"}
	for name, tt := range map[string]struct {
		settings Settings
		want     []string
	}{
		"advanced":                 {Settings{Profile: ProfileFAPI1Advanced}, fapi1},
		"FAPI 2.0":                 {Settings{Profile: ProfileFAPI2}, fapi2},
		"message signing":          {Settings{Profile: ProfileFAPI2MessageSigning}, fapi2},
		"declared":                 {Settings{AuthSigningAlg: "RS512"}, []string{"RS512"}},
		"declared in a profile":    {Settings{AuthSigningAlg: "ES256", Profile: ProfileFAPI2Security}, []string{"ES256"}},
		"forbidden by the profile": {Settings{AuthSigningAlg: "RS256", Profile: ProfileFAPI2Security}, []string{}},
		"symmetric":                {Settings{AuthSigningAlg: "HS256"}, []string{}},
		"none":                     {Settings{AuthSigningAlg: "none"}, []string{}},
	} {
		assert.Equal(t, tt.want, tt.settings.AssertionAlgorithms(), name)
	}
	for _, settings := range []Settings{{}, {Profile: ProfileFAPI1Baseline}} {
		algorithms := settings.AssertionAlgorithms()
		assert.Len(t, algorithms, 11)
		for _, alg := range algorithms {
			assert.True(t, isSignatureAlgorithm(alg), alg)
		}
	}
}

func TestKeysThatMayHaveSigned(t *testing.T) {
	key := func(id, kty, crv string) Key {
		k := Key{KeyID: id, Type: kty, Curve: crv, Public: map[string]string{"x": "x"}}
		if kty == ktyRSA {
			k.Bits, k.Exponent = 2048, 65537
		}
		return k
	}
	ec, other, unnamed, private := key("1", ktyEC, crvP256), key("2", ktyEC, crvP256), key("", ktyEC, crvP256), key("1", ktyEC, crvP256)
	private.Private = true
	encrypts := key("1", ktyEC, crvP256)
	encrypts.Use = useEncryption
	short, even, huge := key("1", ktyRSA, ""), key("1", ktyRSA, ""), key("1", ktyRSA, "")
	short.Bits, even.Exponent, huge.Bits = 1024, 65536, 16384
	for name, tt := range map[string]struct {
		kid, alg string
		keys     []Key
		want     []Key
	}{
		"by kid":                {"1", "ES256", []Key{ec, other}, []Key{ec}},
		"two with the kid":      {"1", "ES256", []Key{ec, ec}, []Key{ec, ec}},
		"without kid":           {"", "ES256", []Key{ec, other, unnamed}, []Key{ec, other, unnamed}},
		"a key without kid":     {"3", "ES256", []Key{ec, unnamed}, []Key{unnamed}},
		"unknown kid":           {"3", "ES256", []Key{ec, other}, nil},
		"another algorithm":     {"1", "RS256", []Key{ec}, nil},
		"another curve":         {"1", "ES384", []Key{ec}, nil},
		"for encryption":        {"1", "ES256", []Key{encrypts}, nil},
		"private":               {"1", "ES256", []Key{private}, nil},
		"RSA":                   {"1", "PS256", []Key{key("1", ktyRSA, "")}, []Key{key("1", ktyRSA, "")}},
		"weak, unsound or huge": {"1", "PS256", []Key{short, even, huge}, nil},
	} {
		got := KeySet{Keys: tt.keys}.SigningKeys(&ClientAssertion{Algorithm: tt.alg, KeyID: tt.kid})
		assert.Equal(t, tt.want, got, name)
	}
}
