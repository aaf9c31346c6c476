package jws

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	_ "crypto/sha256" // hashes of the algorithms
	_ "crypto/sha512" // hashes of the algorithms
	"math/big"
	"strings"
)

// Verify reports whether the signature of a compact JWS is valid (RFC 7515 §5.2) for the
// algorithm, which the caller must have checked. The signature covers the bytes that were
// received: a library that encodes the header again before it verifies rejects valid ones
// with white space in it.
//
// It supports RS256 to RS512, PS256 to PS512, ES256 to ES512 (RFC 7518 §3.1), and EdDSA and
// Ed25519 with keys of that curve (RFC 8037 §3.1, RFC 9864 §2.2).
func Verify(text, algorithm string, key crypto.PublicKey) bool {
	end := strings.LastIndexByte(text, '.')
	if end < 0 {
		return false
	}
	signature, err := decodeSegment(text[end+1:])
	if err != nil {
		return false
	}
	signed := []byte(text[:end])
	if algorithm == "EdDSA" || algorithm == "Ed25519" {
		public, ok := key.(ed25519.PublicKey)
		return ok && ed25519.Verify(public, signed, signature)
	}
	hash := hashOf(algorithm)
	if hash == 0 {
		return false
	}
	h := hash.New()
	h.Write(signed)
	digest := h.Sum(nil)
	switch public := key.(type) {
	case *rsa.PublicKey:
		switch algorithm[:2] {
		case "PS": // the salt has the size of the hash (RFC 7518 §3.5)
			return rsa.VerifyPSS(public, hash, digest, signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) == nil
		case "RS":
			return rsa.VerifyPKCS1v15(public, hash, digest, signature) == nil
		default:
			return false
		}
	case *ecdsa.PublicKey:
		// R and S, each with the length of a coordinate (RFC 7518 §3.4)
		size := (public.Curve.Params().BitSize + 7) / 8
		if public.Curve != curveOf(algorithm) || len(signature) != 2*size {
			return false
		}
		r, s := new(big.Int), new(big.Int)
		return ecdsa.Verify(public, digest, r.SetBytes(signature[:size]), s.SetBytes(signature[size:]))
	default:
		return false
	}
}

// hashOf returns the hash of an algorithm; 0 if it is not supported.
func hashOf(algorithm string) crypto.Hash {
	switch algorithm {
	case "RS256", "PS256", "ES256":
		return crypto.SHA256
	case "RS384", "PS384", "ES384":
		return crypto.SHA384
	case "RS512", "PS512", "ES512":
		return crypto.SHA512
	default:
		return 0
	}
}

// curveOf returns the curve of an ECDSA algorithm; nil for another algorithm.
func curveOf(algorithm string) elliptic.Curve {
	switch algorithm {
	case "ES256":
		return elliptic.P256()
	case "ES384":
		return elliptic.P384()
	case "ES512":
		return elliptic.P521()
	default:
		return nil
	}
}
