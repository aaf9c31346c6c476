package jose

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/google/uuid"
	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jws"
	"github.com/lestrrat-go/jwx/v2/jwt"
)

// Signer makes access tokens for development, with a key of its own that never
// leaves its file.
type Signer struct {
	rules TokenRules
	key   jwk.Key
}

// OpenSigner returns the signer whose key is in the file at path, a JWK Set
// that only its owner may read, or fs.ErrNotExist.
func OpenSigner(path string, rules TokenRules) (*Signer, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("development key: %w", err)
	}
	set, err := jwk.Parse(text)
	if err != nil || set.Len() != 1 {
		return nil, fmt.Errorf("development key: %s holds no single key; remove it to have a new one made", path)
	}
	key, _ := set.Key(0)
	return &Signer{rules: rules, key: key}, nil
}

// OpenOrCreateSigner is [OpenSigner] that makes the key where there is none.
// Of several processes that do so at once, one makes it and all use it.
func OpenOrCreateSigner(path string, rules TokenRules) (*Signer, error) {
	signer, err := OpenSigner(path, rules)
	if !errors.Is(err, fs.ErrNotExist) {
		return signer, err
	}
	if err := createKey(path); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("development key: %w", err)
	}
	return OpenSigner(path, rules)
}

// createKey writes a new key beside path and links it into place, so that the
// file is whole from its first moment and never replaced.
func createKey(path string) error {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	key, err := jwk.FromRaw(private)
	if err != nil {
		return err
	}
	for name, value := range map[string]any{
		jwk.KeyIDKey: uuid.NewString(), jwk.AlgorithmKey: jwa.ES256, jwk.KeyUsageKey: jwk.ForSignature,
	} {
		if err := key.Set(name, value); err != nil {
			return err
		}
	}
	text, err := json.Marshal(map[string]any{"keys": []jwk.Key{key}})
	if err != nil {
		return err
	}
	temporary, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(temporary.Name())
	_, err = temporary.Write(text)
	if err := errors.Join(err, temporary.Sync(), temporary.Close()); err != nil {
		return err
	}
	return os.Link(temporary.Name(), path)
}

// Grant is what a token is to say.
type Grant struct {
	Subject string
	Tenant  string
	Role    string // empty for none
	Scope   string // space-separated; empty for none
	TTL     time.Duration
}

// Sign makes an access token (RFC 9068) that the verifier with the same rules
// accepts.
func (s *Signer) Sign(g Grant, now time.Time) (string, error) {
	builder := jwt.NewBuilder().
		Issuer(s.rules.Issuer).
		Audience([]string{s.rules.Audience}).
		Subject(g.Subject).
		JwtID(uuid.NewString()).
		IssuedAt(now).
		NotBefore(now).
		Expiration(now.Add(g.TTL))
	if g.Tenant != "" {
		builder = builder.Claim(s.rules.TenantClaim, g.Tenant)
	}
	if g.Role != "" {
		builder = builder.Claim(s.rules.RoleClaim, []string{g.Role})
	}
	if g.Scope != "" {
		builder = builder.Claim("scope", g.Scope)
	}
	token, err := builder.Build()
	if err != nil {
		return "", fmt.Errorf("development token: %w", err)
	}
	headers := jws.NewHeaders()
	if err := headers.Set(jws.TypeKey, s.rules.Types[0]); err != nil {
		return "", fmt.Errorf("development token: %w", err)
	}
	signed, err := jwt.Sign(token, jwt.WithKey(jwa.ES256, s.key, jws.WithProtectedHeaders(headers)))
	if err != nil {
		return "", fmt.Errorf("development token: %w", err)
	}
	return string(signed), nil
}
