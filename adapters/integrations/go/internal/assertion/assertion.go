// Package assertion verifies client assertions, the credentials of private_key_jwt (RFC
// 7523 §3, OpenID Connect Core §9), with the keys of a mirror.
package assertion

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/clientele-oauth/clientele/api/mirror"
)

// Type is the client_assertion_type of private_key_jwt.
const Type = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// Limits of assertions.
const (
	maxBytes    = 16 << 10
	maxLifetime = time.Hour
	clockSkew   = 30 * time.Second
)

// ErrInvalid reports an assertion that does not authenticate a client.
var ErrInvalid = errors.New("the client assertion is not valid")

// Verifier verifies assertions.
type Verifier struct {
	Mirror *mirror.Mirror
	// Replay remembers assertions, so that each is accepted once.
	Replay Replay
	// Now is the time.
	Now func() time.Time
}

// claims are the claims of an assertion.
type claims struct {
	Issuer    string          `json:"iss"`
	Subject   string          `json:"sub"`
	Audience  json.RawMessage `json:"aud"`
	Expires   float64         `json:"exp"`
	NotBefore float64         `json:"nbf"`
	IssuedAt  float64         `json:"iat"`
	ID        string          `json:"jti"`
}

// Verify returns the client that signed the assertion. The assertion must be for one of the
// audiences. The error wraps [ErrInvalid], or is that of [mirror.Mirror.Resolve] or
// [mirror.Mirror.Keys].
func (v Verifier) Verify(ctx context.Context, text string, audiences []string) (*mirror.Client, error) {
	if len(text) > maxBytes {
		return nil, invalid("it is too long")
	}
	token, err := jose.ParseSignedCompact(text, algorithms())
	if err != nil {
		return nil, invalid("it cannot be read: %w", err)
	}
	var c claims
	if json.Unmarshal(token.UnsafePayloadWithoutVerification(), &c) != nil {
		return nil, invalid("its claims cannot be read")
	}
	client, err := v.Mirror.Resolve(ctx, c.Subject)
	if err != nil {
		return nil, err
	}
	if !client.HasAuthMethod("private_key_jwt") {
		return nil, invalid("the client does not have the method private_key_jwt")
	}
	if algorithm := token.Signatures[0].Header.Algorithm; !accepts(client, algorithm) {
		return nil, invalid("the client must not use the algorithm %s", algorithm)
	}
	keys, err := v.Mirror.Keys(ctx, client.ID)
	if err != nil {
		return nil, err
	}
	if !signed(token, keys) {
		return nil, invalid("no key of the client verifies it")
	}
	expires, err := c.check(client, audiences, v.Now())
	if err != nil {
		return nil, err
	}
	fresh, err := v.Replay.Use(ctx, client.ID, c.ID, expires)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", mirror.ErrUnavailable, err)
	}
	if !fresh {
		return nil, invalid("it was used before")
	}
	return client, nil
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrInvalid, fmt.Errorf(format, args...))
}

// algorithms are the algorithms of signatures with public keys.
func algorithms() []jose.SignatureAlgorithm {
	return []jose.SignatureAlgorithm{
		jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512,
		jose.ES256, jose.ES384, jose.ES512, jose.EdDSA,
	}
}

// accepts reports whether the client may sign with the algorithm.
func accepts(c *mirror.Client, algorithm string) bool {
	if registered := c.TokenEndpointAuthSigningAlg; registered != "" {
		return algorithm == registered || registered == "Ed25519" && algorithm == string(jose.EdDSA)
	}
	switch c.FAPIProfile {
	case "", "fapi1", "fapi1-baseline":
		return true
	default: // FAPI 1.0 Advanced §8.6, FAPI 2.0 Security Profile §5.4.1
		return slices.Contains([]string{"PS256", "ES256", "EdDSA"}, algorithm)
	}
}

// signed reports whether one of the keys verifies the signature. If the assertion names a
// key, only keys with this name are tried.
func signed(token *jose.JSONWebSignature, text []byte) bool {
	header := token.Signatures[0].Header
	return slices.ContainsFunc(Keys(text), func(key jose.JSONWebKey) bool {
		if header.KeyID != "" && key.KeyID != header.KeyID || key.Use == "enc" || key.Algorithm != "" && key.Algorithm != header.Algorithm && key.Algorithm != "Ed25519" {
			return false
		}
		_, err := token.Verify(key.Key)
		return err == nil
	})
}

// Keys returns the public keys of a JWK Set. A key of an unknown type is left out.
func Keys(text []byte) []jose.JSONWebKey {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if json.Unmarshal(text, &set) != nil {
		return nil
	}
	var keys []jose.JSONWebKey
	for _, item := range set.Keys {
		var key jose.JSONWebKey
		if key.UnmarshalJSON(item) == nil && key.IsPublic() && key.Valid() {
			keys = append(keys, key)
		}
	}
	return keys
}

// check validates the claims of an assertion whose signature is right, and returns when it
// expires.
func (c claims) check(client *mirror.Client, audiences []string, now time.Time) (expires time.Time, err error) {
	// float64 has the seconds of all times that matter; others are far away.
	at := func(seconds float64) time.Time { return time.Unix(int64(min(max(seconds, 0), 1<<40)), 0) }
	expires = at(c.Expires)
	switch {
	case c.Issuer != client.ID || c.Subject != client.ID:
		return expires, invalid("iss and sub must be the client")
	case !c.isFor(audiences, strings.HasPrefix(client.FAPIProfile, "fapi2")):
		return expires, invalid("aud is not this server")
	case c.Expires == 0 || !now.Before(expires.Add(clockSkew)):
		return expires, invalid("it has expired, or has no exp")
	case expires.After(now.Add(maxLifetime + clockSkew)):
		return expires, invalid("exp is more than an hour in the future")
	case at(c.NotBefore).After(now.Add(clockSkew)), at(c.IssuedAt).After(now.Add(clockSkew)):
		return expires, invalid("it is from the future")
	case c.ID == "":
		return expires, invalid("it has no jti")
	}
	return expires, nil
}

// isFor reports whether aud has one of the audiences. FAPI 2.0 requires a string.
func (c claims) isFor(audiences []string, single bool) bool {
	var one string
	if json.Unmarshal(c.Audience, &one) == nil {
		return slices.Contains(audiences, one)
	}
	var all []string
	if single || json.Unmarshal(c.Audience, &all) != nil {
		return false
	}
	return slices.ContainsFunc(all, func(a string) bool { return slices.Contains(audiences, a) })
}
