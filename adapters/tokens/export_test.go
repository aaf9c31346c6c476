package tokens

import (
	"context"

	"github.com/clientele-oauth/clientele/adapters/internal/jws"
)

// Has reports whether the issuer has a usable key with that ID.
func (k *IssuerKeys) Has(ctx context.Context, keyID string) (bool, error) {
	set, err := k.current(ctx, keyID)
	return err == nil && set.has(keyID), err
}

// ParseToken decodes a token without verifying it.
func ParseToken(text string) error {
	_, err := parseToken(text)
	return err
}

// SignatureIsValid verifies a compact JWS with the key of a JWK.
func SignatureIsValid(token, jwk string) bool {
	parsed, _, fault := parseIssuerKey([]byte(jwk))
	return fault == nil && jws.Verify(token, string(parsed.algorithms[0]), parsed.public)
}
