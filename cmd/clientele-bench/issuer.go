package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jws"
	"github.com/lestrrat-go/jwx/v2/jwt"
)

// issuerName is the issuer of the benchmark's tokens.
const issuerName = "https://issuer.example.com"

// issuer signs access tokens with RS256 and ES256.
type issuer struct {
	keys     []jwk.Key
	keysFile string // path of its JWK Set
}

func newIssuer(dir string) (*issuer, error) {
	i := &issuer{keysFile: filepath.Join(dir, "issuer.json")}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	public := jwk.NewSet()
	for algorithm, private := range map[jwa.SignatureAlgorithm]crypto.PrivateKey{jwa.RS256: rsaKey, jwa.ES256: ecKey} {
		key, err := jwk.FromRaw(private)
		if err != nil {
			return nil, err
		}
		if err := key.Set(jwk.AlgorithmKey, algorithm); err != nil {
			return nil, err
		}
		if err := key.Set(jwk.KeyIDKey, algorithm.String()); err != nil {
			return nil, err
		}
		publicKey, err := key.PublicKey()
		if err != nil {
			return nil, err
		}
		if err := public.AddKey(publicKey); err != nil {
			return nil, err
		}
		i.keys = append(i.keys, key)
	}
	encoded, err := json.Marshal(public)
	if err != nil {
		return nil, err
	}
	return i, os.WriteFile(i.keysFile, encoded, 0o600)
}

// tokens returns administrator tokens for a tenant, one for each algorithm.
func (i *issuer) tokens(tenant string) ([]string, error) {
	var tokens []string
	for _, key := range i.keys {
		token, err := jwt.NewBuilder().Issuer(issuerName).Audience([]string{"clientele"}).Subject("bench").
			IssuedAt(time.Now()).Expiration(time.Now().Add(time.Hour)).Claim("tenant_id", tenant).Claim("roles", []string{"admin"}).Build()
		if err != nil {
			return nil, err
		}
		header := jws.NewHeaders()
		if err := header.Set(jws.TypeKey, "at+jwt"); err != nil {
			return nil, err
		}
		signed, err := jwt.Sign(token, jwt.WithKey(key.Algorithm(), key, jws.WithProtectedHeaders(header)))
		if err != nil {
			return nil, fmt.Errorf("sign a token: %w", err)
		}
		tokens = append(tokens, string(signed))
	}
	return tokens, nil
}
