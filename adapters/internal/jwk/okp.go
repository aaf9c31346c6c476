package jwk

import (
	"crypto/ecdh"
	"math/big"
	"slices"
)

// okpFault reports why x is not a public key on the curve crv of an OKP key; empty if
// it is one. Its length has been checked. Keys of small order are rejected although
// RFC 8032 does not require it: without any private key, a signature can be made that
// such a key verifies for many or all messages.
func okpFault(crv string, x []byte) string {
	switch crv {
	case "Ed25519":
		return ed25519Curve().fault(x)
	case "Ed448":
		return ed448Curve().fault(x)
	case "X25519":
		if hasSmallOrderX25519(x) {
			return smallOrder
		}
	case "X448":
		if hasSmallOrderX448(x) {
			return smallOrder
		}
	}
	return ""
}

const (
	notCanonical = "x is not the canonical encoding of a point"
	notOnCurve   = "x is not a point on its curve"
	smallOrder   = "x is a point of small order, which offers no security"
)

// edwards is a curve a·x² + y² = 1 + d·x²·y² over the integers modulo p
// (RFC 8032 §5.1 and §5.2).
type edwards struct {
	p, a, d *big.Int
}

// ed25519Curve returns the parameters of RFC 8032 §5.1: p = 2²⁵⁵ − 19, a = −1,
// d = −121665/121666.
func ed25519Curve() edwards {
	p := new(big.Int).Lsh(big.NewInt(1), 255)
	p.Sub(p, big.NewInt(19))
	d := new(big.Int).ModInverse(big.NewInt(121666), p)
	d.Mul(d, big.NewInt(-121665)).Mod(d, p)
	return edwards{p: p, a: big.NewInt(-1), d: d}
}

// ed448Curve returns the parameters of RFC 8032 §5.2: p = 2⁴⁴⁸ − 2²²⁴ − 1, a = 1,
// d = −39081.
func ed448Curve() edwards {
	return edwards{p: p448(), a: big.NewInt(1), d: big.NewInt(-39081)}
}

func p448() *big.Int {
	one := big.NewInt(1)
	p := new(big.Int).Lsh(one, 448)
	p.Sub(p, new(big.Int).Lsh(one, 224))
	return p.Sub(p, one)
}

// fault decodes a point as in RFC 8032 §5.1.3 and §5.2.3, as far as needed to know
// that it exists: y is in little-endian order with the sign of x in the highest bit,
// y < p, and (y² − 1)/(d·y² − a), which is x², is a square.
func (c edwards) fault(encoded []byte) string {
	octets := slices.Clone(encoded)
	slices.Reverse(octets)
	sign := octets[0] & 0x80
	octets[0] &^= 0x80
	y := new(big.Int).SetBytes(octets)
	if y.Cmp(c.p) >= 0 {
		return notCanonical
	}
	ySquared := c.mod(new(big.Int).Mul(y, y))
	u := c.mod(new(big.Int).Sub(ySquared, big.NewInt(1)))
	v := new(big.Int).Mul(c.d, ySquared)
	v = c.mod(v.Sub(v, c.a)) // never 0: a/d is not a square
	if u.Sign() == 0 {       // x = 0 has no sign
		if sign != 0 {
			return notCanonical
		}
		return smallOrder // (0, 1) of order 1 and (0, −1) of order 2
	}
	if big.Jacobi(c.mod(new(big.Int).Mul(u, v)), c.p) != 1 { // u/v is a square if u·v is
		return notOnCurve
	}
	// Doubling a point gives y = (y² − a·x²)/(2 − a·x² − y²), and the points of
	// order 4 are those with y = 0. So a point is of order 8 if y² = a·x².
	if y.Sign() == 0 || c.mod(new(big.Int).Mul(ySquared, v)).Cmp(c.mod(new(big.Int).Mul(c.a, u))) == 0 {
		return smallOrder
	}
	return ""
}

func (c edwards) mod(n *big.Int) *big.Int { return n.Mod(n, c.p) }

// hasSmallOrderX25519 reports whether the shared secret with the u-coordinate is
// zero for every private key (RFC 7748 §6.1). Private keys are multiples of the
// cofactor, so it is enough to try one.
func hasSmallOrderX25519(u []byte) bool {
	private, err := ecdh.X25519().NewPrivateKey(make([]byte, 32))
	if err != nil {
		return false
	}
	public, err := ecdh.X25519().NewPublicKey(u)
	if err != nil {
		return false
	}
	_, err = private.ECDH(public)
	return err != nil
}

// hasSmallOrderX448 reports the same for Curve448 (RFC 7748 §6.2): the points of
// order 2 and 4 on the curve and its twist have u = 0, 1 and −1. Values of p and above
// are reduced modulo p (RFC 7748 §5).
func hasSmallOrderX448(u []byte) bool {
	octets := slices.Clone(u)
	slices.Reverse(octets)
	p, one := p448(), big.NewInt(1)
	n := new(big.Int).SetBytes(octets)
	n.Mod(n, p)
	return n.Sign() == 0 || n.Cmp(one) == 0 || n.Add(n, one).Cmp(p) == 0
}
