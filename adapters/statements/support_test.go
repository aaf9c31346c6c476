package statements_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jws"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/jwks"
	"github.com/clientele-oauth/clientele/adapters/statements"
	"github.com/clientele-oauth/clientele/domain"
)

const tenant = domain.TenantID("tenant_dev")

var now = time.Date(2026, 4, 15, 10, 30, 0, 0, time.UTC)

// manualClock is a clock that advances only when a test advances it.
type manualClock struct{ offset atomic.Int64 }

func (c *manualClock) now() time.Time          { return now.Add(time.Duration(c.offset.Load())) }
func (c *manualClock) advance(d time.Duration) { c.offset.Add(int64(d)) }

// signingKey is a key with a kid.
type signingKey struct {
	id      string
	private crypto.Signer
}

// The keys of the tests. An RSA key takes a while to make.
var (
	issuerKey   = sync.OnceValue(func() signingKey { return newRSA("issuer-1") })
	softwareKey = sync.OnceValue(func() signingKey { return newRSA("software-1") })
	otherKey    = sync.OnceValue(func() signingKey { return newRSA("issuer-1") })
	ellipticKey = sync.OnceValue(func() signingKey {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			panic(err)
		}
		return signingKey{"issuer-ec", key}
	})
)

func newRSA(id string) signingKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return signingKey{id, key}
}

// public returns the public part as a JWK.
func (k signingKey) public(t testing.TB) jwk.Key {
	t.Helper()
	key, err := jwk.FromRaw(k.private.Public())
	require.NoError(t, err)
	require.NoError(t, key.Set(jwk.KeyIDKey, k.id))
	return key
}

// keySet returns the text of a JWK Set.
func keySet(t testing.TB, keys ...signingKey) string {
	t.Helper()
	set := jwk.NewSet()
	for _, key := range keys {
		require.NoError(t, set.AddKey(key.public(t)))
	}
	text, err := json.Marshal(set)
	require.NoError(t, err)
	return string(text)
}

// claims are those of a JWT.
type claims map[string]any

// with returns the claims with others; nil removes one.
func (c claims) with(others claims) claims {
	result := maps.Clone(c)
	for name, value := range others {
		if value == nil {
			delete(result, name)
		} else {
			result[name] = value
		}
	}
	return result
}

// sign returns a JWS with the kid of the key, and further header parameters.
func (k signingKey) sign(t testing.TB, algorithm jwa.SignatureAlgorithm, c claims, header map[string]any) string {
	t.Helper()
	payload, err := json.Marshal(c)
	require.NoError(t, err)
	headers := jws.NewHeaders()
	if k.id != "" {
		require.NoError(t, headers.Set(jws.KeyIDKey, k.id))
	}
	for name, value := range header {
		require.NoError(t, headers.Set(name, value))
	}
	signed, err := jws.Sign(payload, jws.WithKey(algorithm, k.private, jws.WithProtectedHeaders(headers)))
	require.NoError(t, err)
	return string(signed)
}

// site is an HTTP server for keys whose content changes.
type site struct {
	url      string
	root     *x509.Certificate // of https
	requests atomic.Int64
	mu       sync.Mutex
	text     string
	status   int
}

func (s *site) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	s.requests.Add(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(s.status)
	_, _ = w.Write([]byte(s.text))
}

func (s *site) set(status int, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status, s.text = status, text
}

func newSite(t testing.TB, secure bool, text string) *site {
	t.Helper()
	s := &site{text: text, status: http.StatusOK}
	server := httptest.NewUnstartedServer(s)
	if secure {
		server.StartTLS()
		s.root = server.Certificate()
	} else {
		server.Start()
	}
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

// newVerifier returns a verifier that reads the keys of software at these sites.
func newVerifier(t testing.TB, clock *manualClock, sites ...*site) *statements.Verifier {
	t.Helper()
	roots := x509.NewCertPool()
	for _, s := range sites {
		roots.AddCert(s.root)
	}
	resolver := jwks.NewResolver(jwks.Options{
		Policy: domain.Policy{KeyNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}, Roots: roots, Now: clock.now,
	})
	verifier, err := statements.New(statements.Options{Keys: resolver, Now: clock.now})
	require.NoError(t, err)
	return verifier
}

// shared is the verifier of the tests that fetch no keys. Reading openapi.yaml takes a while.
var shared struct {
	once     sync.Once
	verifier *statements.Verifier
}

func verifierWithoutSites(t testing.TB) *statements.Verifier {
	t.Helper()
	shared.once.Do(func() { shared.verifier = newVerifier(t, &manualClock{}) })
	return shared.verifier
}

// signText returns a JWS with ES256 whose payload is any text, encoded.
func signText(key signingKey, payload string) string {
	text := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"ES256","kid":"`+key.id+`"}`)) + "." + payload
	digest := sha256.Sum256([]byte(text))
	r, s, err := ecdsa.Sign(rand.Reader, key.private.(*ecdsa.PrivateKey), digest[:])
	if err != nil {
		panic(err)
	}
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}
