package jwk_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/internal/jwk"
	"github.com/clientele-oauth/clientele/domain"
)

// okpFault reads an OKP key whose x is given in hexadecimal, and returns its fault.
func okpFault(t *testing.T, crv, x string) string {
	t.Helper()
	octets, err := hex.DecodeString(x)
	require.NoError(t, err)
	reader := jwk.NewReader(map[string]jsontext.Value{
		"crv": jsontext.Value(`"` + crv + `"`), "kty": jsontext.Value(`"OKP"`),
		"x": jsontext.Value(`"` + base64.RawURLEncoding.EncodeToString(octets) + `"`),
	})
	key := domain.Key{Type: reader.Text("kty")}
	reader.ReadPublic(&key)
	require.False(t, key.Unsupported)
	return reader.Fault()
}

func TestKeysFromTheSpecificationsAreAccepted(t *testing.T) {
	for crv, keys := range map[string][]string{
		"Ed25519": { // RFC 8032 §7.1
			"d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
			"3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
			"fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
			"278117fc144c72340f67d0f2316e8386ceffbf2b2428c9c51fef7c597f1d426e",
		},
		"Ed448": { // RFC 8032 §7.4
			"5fd7449b59b461fd2ce787ec616ad46a1da1342485a70e1f8a0ea75d80e96778edf124769b46c7061bd6783df1e50f6cd1fa1abeafe8256180",
			"43ba28f430cdff456ae531545f7ecd0ac834a55d9358c0372bfa0c6c6798c0866aea01eb00742802b8438ea4cb82169c235160627b4c3a9480",
		},
		"X25519": { // RFC 7748 §6.1
			"8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a",
			"de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f",
		},
		"X448": { // RFC 7748 §6.2
			"9b08f7cc31b7e3e67d22d5aea121074a273bd2b83de09c63faa73d2c22c5d9bbc836647241d953d40c5b12da88120d53177f80e532c41fa0",
			"3eb7a829b0cd20f5bcfc0b599b6feccf6da4627107bdb0d4f345b43027d8b972fc3e34fb4232a13ca706dcb57aec3dae07bdc1c67bf33609",
		},
	} {
		for _, x := range keys {
			assert.Empty(t, okpFault(t, crv, x), "%s %s", crv, x)
		}
	}
}

func TestPointsOfSmallOrderAreRejected(t *testing.T) {
	const (
		order8a = "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc"
		order8b = "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03"
		zeros31 = "00000000000000000000000000000000000000000000000000000000000000"
		ones30  = "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
		zeros55 = zeros31 + "000000000000000000000000000000000000000000000000"
	)
	for crv, encodings := range map[string][]string{
		"Ed25519": {
			zeros31 + "00", zeros31 + "80", // y = 0, order 4
			"01" + zeros31[:60] + "00", "01" + zeros31[:60] + "80", // y = 1, order 1; the second is not canonical
			"ec" + ones30 + "7f", "ec" + ones30 + "ff", // y = -1, order 2; the second is not canonical
			order8a + "05", order8a + "85", order8b + "7a", order8b + "fa", // order 8
			"ed" + ones30 + "7f", "ed" + ones30 + "ff", // y = p, not canonical
			"ee" + ones30 + "7f", "ee" + ones30 + "ff", // y = p + 1, not canonical
		},
		"Ed448": {
			zeros55 + "0000", zeros55 + "0080", // y = 0, order 4
			"01" + zeros55 + "00", "01" + zeros55 + "80", // y = 1, order 1
			"fe" + ones30[:54] + "feffffffffffffffffffffffffffffffffffffffffffffffffffffff" + "00", // y = -1, order 2
			"fe" + ones30[:54] + "feffffffffffffffffffffffffffffffffffffffffffffffffffffff" + "80",
			"ff" + ones30[:54] + "feffffffffffffffffffffffffffffffffffffffffffffffffffffff" + "00", // y = p, not canonical
		},
		"X25519": {
			zeros31 + "00", zeros31 + "80", // u = 0; the highest bit is ignored
			"01" + zeros31[:60] + "00", // u = 1
			"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800", // order 8
			"5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157", // order 8
			"ec" + ones30 + "7f", // u = -1
			"ed" + ones30 + "7f", // u = p
			"ee" + ones30 + "7f", // u = p + 1
		},
		"X448": {
			zeros55 + "00", "01" + zeros55, // u = 0 and 1
			"fe" + ones30[:54] + "feffffffffffffffffffffffffffffffffffffffffffffffffffffff",                                    // u = -1
			"ff" + ones30[:54] + "feffffffffffffffffffffffffffffffffffffffffffffffffffffff",                                    // u = p
			"00000000000000000000000000000000000000000000000000000000ffffffffffffffffffffffffffffffffffffffffffffffffffffffff", // u = p + 1
		},
	} {
		for _, x := range encodings {
			fault := okpFault(t, crv, x)
			assert.Condition(t, func() bool {
				return strings.Contains(fault, "small order") || strings.Contains(fault, "canonical encoding")
			}, "%s %s: %s", crv, x, fault)
		}
	}
}

// About half of all numbers below p are the y of a point.
func TestEncodingsOffTheCurveAreRejected(t *testing.T) {
	assert.NotEmpty(t, okpFault(t, "Ed25519", "0200000000000000000000000000000000000000000000000000000000000000"), "RFC 8032 §5.1.3, step 3: no square root")
	for _, crv := range []string{"Ed25519", "Ed448"} {
		length := map[string]int{"Ed25519": 32, "Ed448": 57}[crv]
		accepted := 0
		const tries = 400
		for range tries {
			octets := make([]byte, length)
			_, err := rand.Read(octets)
			require.NoError(t, err)
			octets[length-1] &= 0x80
			if okpFault(t, crv, hex.EncodeToString(octets)) == "" {
				accepted++
			}
		}
		assert.InDelta(t, tries/2, accepted, tries/4, crv)
	}
}

func TestGeneratedKeysAreAccepted(t *testing.T) {
	for range 50 {
		public, _, err := ed25519.GenerateKey(rand.Reader)
		require.NoError(t, err)
		assert.Empty(t, okpFault(t, "Ed25519", hex.EncodeToString(public)))
	}
}

// The signature (R, S) = (any point of small order, 0) verifies under a public key
// of small order for many messages: Go's verifier accepts it, so the key must not
// be registered.
func TestAForgedSignatureVerifiesUnderARejectedKey(t *testing.T) {
	key := make([]byte, ed25519.PublicKeySize)
	key[0] = 1 // the neutral element
	signature := make([]byte, ed25519.SignatureSize)
	signature[0] = 1
	require.True(t, ed25519.Verify(key, []byte("any message"), signature))
	assert.NotEmpty(t, okpFault(t, "Ed25519", hex.EncodeToString(key)))
}
