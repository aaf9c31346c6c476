package tokens

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"math/big"
	"strings"

	"github.com/lestrrat-go/jwx/v2/jwa"
)

// es256Size is the size of an ES256 signature: R and S, 32 bytes each
// (RFC 7518 §3.4).
const es256Size = 64

// isSignature reports whether the signature of a compact JWS is valid (RFC 7515
// §5.2). It covers the bytes that were received. The library jwx v2 encodes the header
// again before it verifies, and so rejects valid tokens with white space in it.
func isSignature(token string, algorithm jwa.SignatureAlgorithm, key crypto.PublicKey) bool {
	end := strings.LastIndexByte(token, '.')
	signature, err := decodeSegment(token[end+1:])
	if err != nil {
		return false
	}
	signed := []byte(token[:end])
	digest := sha256.Sum256(signed)
	switch public := key.(type) {
	case *rsa.PublicKey:
		if algorithm == jwa.PS256 { // the salt has the size of the hash (RFC 7518 §3.5)
			return rsa.VerifyPSS(public, crypto.SHA256, digest[:], signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) == nil
		}
		return algorithm == jwa.RS256 && rsa.VerifyPKCS1v15(public, crypto.SHA256, digest[:], signature) == nil
	case *ecdsa.PublicKey:
		r, s := new(big.Int), new(big.Int)
		return algorithm == jwa.ES256 && len(signature) == es256Size &&
			ecdsa.Verify(public, digest[:], r.SetBytes(signature[:es256Size/2]), s.SetBytes(signature[es256Size/2:]))
	case ed25519.PublicKey:
		return algorithm == jwa.EdDSA && ed25519.Verify(public, signed, signature)
	default:
		return false
	}
}
