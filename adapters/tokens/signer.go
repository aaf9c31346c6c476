package tokens

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

// Signer signs access tokens for development, with a key that only its file
// contains.
type Signer struct {
	issuer SingleIssuer
	key    jwk.Key
}

// OpenSigner returns a signer with the key in the file at path, a JWK Set that only
// its owner may read. The error is [fs.ErrNotExist] if there is no such file.
func OpenSigner(path string, issuer SingleIssuer) (*Signer, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("development key: %w", err)
	}
	set, err := jwk.Parse(text)
	if err != nil || set.Len() != 1 {
		return nil, fmt.Errorf("development key: %s does not contain exactly one key; remove it to create a new one", path)
	}
	key, _ := set.Key(0)
	return &Signer{issuer: issuer, key: key}, nil
}

// OpenOrCreateSigner is like [OpenSigner], but creates the key if there is no file.
// If several processes do so concurrently, one creates it and all use it.
func OpenOrCreateSigner(path string, issuer SingleIssuer) (*Signer, error) {
	signer, err := OpenSigner(path, issuer)
	if !errors.Is(err, fs.ErrNotExist) {
		return signer, err
	}
	if err := createKey(path); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("development key: %w", err)
	}
	return OpenSigner(path, issuer)
}

// createKey writes a new key to a temporary file and links it to path, so that the
// file is complete from the start and is never replaced.
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

// Claims are the contents of a token to be signed.
type Claims struct {
	Subject string
	Tenant  string
	Role    string // may be empty
	Scope   string // space-separated; may be empty
	TTL     time.Duration
}

// Sign returns an access token (RFC 9068) that a verifier with the rules of the same
// issuer accepts.
func (s *Signer) Sign(c Claims, now time.Time) (string, error) {
	builder := jwt.NewBuilder().
		Issuer(s.issuer.Issuer).
		Audience([]string{s.issuer.Audience}).
		Subject(c.Subject).
		JwtID(uuid.NewString()).
		IssuedAt(now).
		NotBefore(now).
		Expiration(now.Add(c.TTL))
	if c.Tenant != "" {
		builder = builder.Claim(s.issuer.TenantClaim, c.Tenant)
	}
	if c.Role != "" {
		builder = builder.Claim(s.issuer.RoleClaim, []string{c.Role})
	}
	if c.Scope != "" {
		builder = builder.Claim("scope", c.Scope)
	}
	token, err := builder.Build()
	if err != nil {
		return "", fmt.Errorf("development token: %w", err)
	}
	headers := jws.NewHeaders()
	if err := headers.Set(jws.TypeKey, s.issuer.Types[0]); err != nil {
		return "", fmt.Errorf("development token: %w", err)
	}
	signed, err := jwt.Sign(token, jwt.WithKey(jwa.ES256, s.key, jws.WithProtectedHeaders(headers)))
	if err != nil {
		return "", fmt.Errorf("development token: %w", err)
	}
	return string(signed), nil
}
