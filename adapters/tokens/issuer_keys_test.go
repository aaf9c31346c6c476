package tokens_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/tokens"
	"github.com/clientele-oauth/clientele/application"
)

// The examples of RFC 7515 A.3 and RFC 8037 A.4.
func TestSignaturesFromTheSpecifications(t *testing.T) {
	const es256 = `{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}`
	const signed = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ."
	const signature = "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
	assert.True(t, tokens.SignatureIsValid(signed+signature, es256))
	assert.False(t, tokens.SignatureIsValid(signed+signature[:len(signature)-2]+"AA", es256))
	assert.False(t, tokens.SignatureIsValid(signed+"AA", es256), "too short")
	assert.False(t, tokens.SignatureIsValid(signed+signature+"AAAA", es256), "too long")
	zeros := base64.RawURLEncoding.EncodeToString(make([]byte, 64))
	assert.False(t, tokens.SignatureIsValid(signed+zeros, es256), "R and S are zero")

	const ed25519 = `{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`
	const message = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc."
	const edSignature = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
	assert.True(t, tokens.SignatureIsValid(message+edSignature, ed25519))
	assert.False(t, tokens.SignatureIsValid(message+"A"+edSignature[1:], ed25519))
}

// A key that cannot be used does not affect the others (RFC 7517 §5).
func TestUnusableKeysAreIgnored(t *testing.T) {
	key := newEdKey(t, "k1")
	other := newEdKey(t, "other")
	for name, tt := range map[string]struct {
		jwk    string
		reason tokens.KeyFault
	}{
		"an unknown kty":                    {`{"kty":"AKP","alg":"ML-DSA-44","pub":"AA","kid":"x"}`, tokens.KeyUnsupported},
		"an RSA key without n":              {`{"kty":"RSA","e":"AQAB","kid":"x"}`, tokens.KeyMalformed},
		"null":                              {`null`, tokens.KeyMalformed},
		"a number":                          {`7`, tokens.KeyMalformed},
		"an array":                          {`[]`, tokens.KeyMalformed},
		"an empty object":                   {`{}`, tokens.KeyMalformed},
		"a numeric kid":                     {strings.Replace(other.jwk(""), `"kid":"other"`, `"kid":7`, 1), tokens.KeyMalformed},
		"a null kid":                        {strings.Replace(other.jwk(""), `"kid":"other"`, `"kid":null`, 1), tokens.KeyMalformed},
		"no kid":                            {strings.Replace(other.jwk(""), `,"kid":"other"`, ``, 1), tokens.KeyUnnamed},
		"a numeric kty":                     {`{"kty":1,"kid":"x"}`, tokens.KeyMalformed},
		"a numeric alg":                     {other.jwk(`,"alg":1`), tokens.KeyMalformed},
		"a numeric use":                     {other.jwk(`,"use":1`), tokens.KeyMalformed},
		"key_ops is a string":               {other.jwk(`,"key_ops":"verify"`), tokens.KeyMalformed},
		"key_ops is encrypt":                {other.jwk(`,"key_ops":["encrypt"]`), tokens.KeyUnsupported},
		"an algorithm that is not accepted": {other.jwk(`,"alg":"RS512"`), tokens.KeyUnsupported},
		"another curve":                     {`{"kty":"EC","crv":"P-384","x":"AA","y":"AA","kid":"x"}`, tokens.KeyMalformed},
		"an unknown curve":                  {`{"kty":"EC","crv":"P-192","x":"AA","y":"AA","kid":"x"}`, tokens.KeyUnsupported},
		"a point not on its curve": {fmt.Sprintf(`{"kty":"EC","crv":"P-256","x":%q,"y":%[1]q,"kid":"x"}`,
			base64.RawURLEncoding.EncodeToString(bytes.Repeat([]byte{1}, 32))), tokens.KeyMalformed},
		"an RSA key of 1024 bits": {fmt.Sprintf(`{"kty":"RSA","n":%q,"e":"AQAB","kid":"x"}`,
			base64.RawURLEncoding.EncodeToString(bytes.Repeat([]byte{0xff}, 128))), tokens.KeyWeak},
		"an even exponent": {fmt.Sprintf(`{"kty":"RSA","n":%q,"e":"AQ","kid":"x"}`,
			base64.RawURLEncoding.EncodeToString(bytes.Repeat([]byte{0xff}, 256))), tokens.KeyUnsupported},
		"a symmetric key":    {`{"kty":"oct","k":"AAAA","kid":"x"}`, tokens.KeySymmetric},
		"a duplicate name":   {`{"kty":"OKP","kty":"OKP","kid":"x"}`, tokens.KeyMalformed},
		"invalid UTF-8":      {`{"kty":"OKP","kid":"` + "\xff" + `"}`, tokens.KeyMalformed},
		"the same key twice": {key.jwk(""), tokens.KeyDuplicate},
	} {
		t.Run(name, func(t *testing.T) {
			for index, text := range map[int]string{
				0: `{"keys":[` + tt.jwk + `,` + key.jwk("") + `]}`,
				1: `{"keys":[` + key.jwk("") + `,` + tt.jwk + `]}`,
			} {
				var ignored []tokens.IgnoredKey
				var log bytes.Buffer
				settings := tokens.KeySettings{
					Issuer: "https://issuer.example", RequireKeyID: true, Log: slog.New(slog.NewTextHandler(&log, nil)),
					Ignored: func(_ string, key tokens.IgnoredKey) { ignored = append(ignored, key) },
				}
				rules, err := edRules().Rules()
				require.NoError(t, err)
				verifier, err := tokens.NewVerifier([]tokens.Issuer{{Rules: rules, Keys: tokens.NewIssuerKeys(textSource(text), settings, clock)}}, clock)
				require.NoError(t, err)
				_, err = verifier.Verify(t.Context(), key.sign(edHeader, edPayload))
				require.NoError(t, err, "the other key is used")
				require.Len(t, ignored, 1)
				assert.Equal(t, tt.reason, ignored[0].Reason, ignored[0].Detail)
				if tt.reason != tokens.KeyDuplicate {
					assert.Equal(t, index, ignored[0].Index)
				}
				assert.Contains(t, log.String(), "level=WARN")
				assert.Contains(t, log.String(), "reason="+string(tt.reason))
			}
		})
	}
}

// Some issuers publish numbers in other forms than RFC 7518 §2 and §6.2.1.2 require:
// with padding, in the alphabet of standard base64, with an additional leading zero
// octet, or without required ones.
func TestNonCanonicalNumbersOfIssuersAreAccepted(t *testing.T) {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	signed := "eyJhbGciOiJSUzI1NiJ9." + base64.RawURLEncoding.EncodeToString([]byte("{}"))
	digest := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(rand.Reader, private, crypto.SHA256, digest[:])
	require.NoError(t, err)
	token := signed + "." + base64.RawURLEncoding.EncodeToString(signature)
	n := private.N.Bytes()
	for name, text := range map[string]string{
		"canonical":       base64.RawURLEncoding.EncodeToString(n),
		"padded":          base64.URLEncoding.EncodeToString(n),
		"standard base64": base64.StdEncoding.EncodeToString(n),
		"a leading zero":  base64.RawURLEncoding.EncodeToString(append([]byte{0}, n...)),
	} {
		assert.True(t, tokens.SignatureIsValid(token, fmt.Sprintf(`{"kty":"RSA","n":%q,"e":"AQAB"}`, text)), name)
		assert.True(t, tokens.SignatureIsValid(token, fmt.Sprintf(`{"kty":"RSA","n":%q,"e":"AAEAAQ=="}`, text)), name)
	}

	// A key whose x has a leading zero octet, which is omitted.
	var key *ecdsa.PrivateKey
	for key == nil || key.X.BitLen() > 248 {
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		require.NoError(t, err)
	}
	jwk := func(x []byte) string {
		return fmt.Sprintf(`{"kty":"EC","crv":"P-256","x":%q,"y":%q}`,
			base64.RawURLEncoding.EncodeToString(x), base64.RawURLEncoding.EncodeToString(key.Y.FillBytes(make([]byte, 32))))
	}
	digest = sha256.Sum256([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, key, digest[:])
	require.NoError(t, err)
	raw := append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	token = signed + "." + base64.RawURLEncoding.EncodeToString(raw)
	assert.True(t, tokens.SignatureIsValid(token, jwk(key.X.FillBytes(make([]byte, 32)))))
	assert.True(t, tokens.SignatureIsValid(token, jwk(key.X.Bytes())), "shorter")
	assert.True(t, tokens.SignatureIsValid(token, jwk(key.X.FillBytes(make([]byte, 33)))), "longer")
	assert.False(t, tokens.SignatureIsValid(token, jwk(make([]byte, 32))))
}

func TestEncryptionKeysAreIgnoredWithoutAWarning(t *testing.T) {
	key, encryption := newEdKey(t, "k1"), newEdKey(t, "enc")
	var log bytes.Buffer
	keys := tokens.NewIssuerKeys(textSource(`{"keys":[`+encryption.jwk(`,"use":"enc"`)+`,`+key.jwk(`,"use":"sig","key_ops":["verify"],"alg":"EdDSA"`)+`]}`),
		tokens.KeySettings{Log: slog.New(slog.NewTextHandler(&log, nil))}, clock)
	has, err := keys.Has(t.Context(), "k1")
	require.NoError(t, err)
	assert.True(t, has)
	has, err = keys.Has(t.Context(), "enc")
	require.NoError(t, err)
	assert.False(t, has)
	assert.Empty(t, log.String())
}

func TestIgnoredKeysAreReportedOncePerChangeOfTheSet(t *testing.T) {
	key := newEdKey(t, "k1")
	text := `{"keys":[null,` + key.jwk("") + `]}`
	var c manualClock
	var log bytes.Buffer
	count := 0
	keys := tokens.NewIssuerKeys(func(context.Context) ([]byte, error) { return []byte(text), nil }, tokens.KeySettings{
		Log: slog.New(slog.NewTextHandler(&log, nil)), Ignored: func(string, tokens.IgnoredKey) { count++ },
	}, c.now)
	for range 3 {
		_, err := keys.Has(t.Context(), "k1")
		require.NoError(t, err)
		c.advance(time.Hour)
	}
	assert.Equal(t, 1, count)
	assert.Equal(t, 1, strings.Count(log.String(), "\n"))
	text = `{"keys":[null,7,` + key.jwk("") + `]}`
	_, err := keys.Has(t.Context(), "k1")
	require.NoError(t, err)
	assert.Equal(t, 3, count)
}

func TestSetsWithoutAUsableKey(t *testing.T) {
	key := newEdKey(t, "k1")
	for text, message := range map[string]string{
		`{"keys":[]}`:                     "no key in the set can verify a token (keys: 0)",
		`{"keys":[null]}`:                 "no key in the set can verify a token (keys: 1); keys/0: not a JSON object",
		`{"keys":[{"kty":"AKP"}]}`:        "not supported",
		`{}`:                              "no member keys that is an array",
		`{"keys":null}`:                   "no member keys that is an array",
		`{"keys":{}}`:                     "no member keys that is an array",
		`[]`:                              "not a JSON object",
		`x`:                               "not a JSON object",
		``:                                "not a JSON object",
		`{"keys":[` + key.jwk("") + `]`:   "not JSON",
		`{"keys":[` + key.jwk("") + `]}x`: "after the JSON object",
		`{"keys":[` + key.jwk("") + `],"keys":[]}`: "two members named keys",
		strings.Repeat(" ", 1<<20) + "{}":          "larger than 1048576 bytes",
	} {
		_, err := tokens.NewIssuerKeys(textSource(text), tokens.KeySettings{Issuer: "https://issuer.example"}, clock).Has(t.Context(), "k1")
		require.ErrorIs(t, err, application.ErrUnavailable)
		require.ErrorContains(t, err, message, text[:min(len(text), 40)])
		require.ErrorContains(t, err, "https://issuer.example")
	}
	_, err := tokens.NewIssuerKeys(textSource(key.jwk("")), tokens.KeySettings{}, clock).Has(t.Context(), "k1")
	require.NoError(t, err, "a single JWK is accepted as a set")
	many := `{"keys":[` + strings.Repeat("null,", 300) + key.jwk("") + `]}`
	var ignored []tokens.IgnoredKey
	_, err = tokens.NewIssuerKeys(textSource(many), tokens.KeySettings{
		Ignored: func(_ string, key tokens.IgnoredKey) { ignored = append(ignored, key) },
	}, clock).Has(t.Context(), "k1")
	require.ErrorIs(t, err, application.ErrUnavailable)
	assert.Len(t, ignored, 201, "keys beyond the limit are not read")
	assert.Equal(t, tokens.KeySurplus, ignored[200].Reason)
}

func FuzzIssuerKeys(f *testing.F) {
	key := newEdKey(f, "k1")
	f.Add([]byte(`{"keys":[` + key.jwk("") + `]}`))
	f.Add([]byte(`{"keys":[null,{"kty":"AKP"},{"kty":"RSA","e":"AQAB"}]}`))
	f.Add([]byte(key.jwk(`,"use":"enc"`)))
	f.Fuzz(func(t *testing.T, text []byte) {
		keys := tokens.NewIssuerKeys(textSource(string(text)), tokens.KeySettings{}, clock)
		if _, err := keys.Has(t.Context(), "k1"); err != nil && !errors.Is(err, application.ErrUnavailable) {
			t.Fatal(err)
		}
	})
}

// agingIssuer is an issuer whose keys and availability change.
type agingIssuer struct {
	text  atomic.Value // string
	down  atomic.Bool
	reads atomic.Int64
	read  chan struct{} // an element for each read
}

func newAgingIssuer(keys ...edKey) *agingIssuer {
	i := &agingIssuer{read: make(chan struct{}, 100)}
	i.publish(keys...)
	return i
}

func (i *agingIssuer) publish(keys ...edKey) {
	var texts []string
	for _, key := range keys {
		texts = append(texts, key.jwk(""))
	}
	i.text.Store(`{"keys":[` + strings.Join(texts, ",") + `]}`)
}

func (i *agingIssuer) source(context.Context) ([]byte, error) {
	i.reads.Add(1)
	defer func() { i.read <- struct{}{} }()
	if i.down.Load() {
		return nil, errors.New("down")
	}
	return []byte(i.text.Load().(string)), nil
}

func TestARevokedKeyIsRejectedAfterAnIdleHour(t *testing.T) {
	revoked, next := newEdKey(t, "k1"), newEdKey(t, "k2")
	issuer := newAgingIssuer(revoked)
	var c manualClock
	verifier := verifierOf(t, edRules(), issuer.source, c.now)
	token := revoked.sign(edHeader, with(t, edPayload, `1776249060`, `1776335400`))
	_, err := verifier.Verify(t.Context(), token)
	require.NoError(t, err)
	issuer.publish(next)
	c.advance(time.Hour)
	for range 2 {
		_, err = verifier.Verify(t.Context(), token)
		require.ErrorIs(t, err, application.ErrUnauthenticated, "the first request waits for the keys to be read again")
	}
}

func TestKeysAreReadAgainDependingOnTheirAge(t *testing.T) {
	key := newEdKey(t, "k1")
	for name, tt := range map[string]struct {
		age        time.Duration
		reads      int64 // when the request returns, unless a read runs in the background
		background bool
	}{
		"fresh":      {4 * time.Minute, 1, false},
		"aging":      {6 * time.Minute, 1, true},
		"stale":      {15 * time.Minute, 2, false},
		"a day old":  {24 * time.Hour, 2, false},
		"a week old": {7 * 24 * time.Hour, 2, false},
	} {
		t.Run(name, func(t *testing.T) {
			issuer := newAgingIssuer(key)
			var c manualClock
			keys := tokens.NewIssuerKeys(issuer.source, tokens.KeySettings{}, c.now)
			_, err := keys.Has(t.Context(), "k1")
			require.NoError(t, err)
			<-issuer.read
			c.advance(tt.age)
			_, err = keys.Has(t.Context(), "k1")
			require.NoError(t, err)
			if tt.background {
				<-issuer.read
				return
			}
			assert.Equal(t, tt.reads, issuer.reads.Load())
		})
	}
}

func TestKeysOfAnUnreachableIssuerAreUsedUpToTheirMaximumAge(t *testing.T) {
	key := newEdKey(t, "k1")
	issuer := newAgingIssuer(key)
	var c manualClock
	rules, err := edRules().Rules()
	require.NoError(t, err)
	keys := tokens.NewIssuerKeys(issuer.source, tokens.KeySettings{MaxAge: 2 * time.Hour}, c.now)
	verifier, err := tokens.NewVerifier([]tokens.Issuer{{Rules: rules, Keys: keys}}, c.now)
	require.NoError(t, err)
	token := key.sign(edHeader, with(t, edPayload, `1776249060`, `1776335400`))
	_, known := keys.Age()
	assert.False(t, known)
	_, err = verifier.Verify(t.Context(), token)
	require.NoError(t, err)
	require.NoError(t, keys.Ready(t.Context()))
	issuer.down.Store(true)

	c.advance(2*time.Hour - time.Second)
	_, err = verifier.Verify(t.Context(), token)
	require.NoError(t, err)
	age, known := keys.Age()
	assert.True(t, known)
	assert.Equal(t, 2*time.Hour-time.Second, age)

	c.advance(time.Second)
	for range 2 {
		_, err = verifier.Verify(t.Context(), token)
		require.ErrorIs(t, err, application.ErrUnavailable, "503, not 401: the token may be valid")
		require.NotErrorIs(t, err, application.ErrUnauthenticated)
	}
	require.ErrorIs(t, keys.Ready(t.Context()), application.ErrUnavailable)

	issuer.down.Store(false)
	c.advance(2 * time.Second)
	_, err = verifier.Verify(t.Context(), token)
	require.NoError(t, err)
}

// While the issuer is known to be down, callers do not wait for it.
func TestCallersDoNotWaitForAnIssuerThatIsDown(t *testing.T) {
	key := newEdKey(t, "k1")
	issuer := newAgingIssuer(key)
	var c manualClock
	hang := make(chan struct{})
	var hanging atomic.Bool
	keys := tokens.NewIssuerKeys(func(ctx context.Context) ([]byte, error) {
		if hanging.Load() {
			<-hang
		}
		return issuer.source(ctx)
	}, tokens.KeySettings{}, c.now)
	_, err := keys.Has(t.Context(), "k1")
	require.NoError(t, err)
	issuer.down.Store(true)
	c.advance(time.Hour)
	_, err = keys.Has(t.Context(), "k1") // waits, and fails
	require.NoError(t, err)
	assert.Equal(t, int64(2), issuer.reads.Load())
	hanging.Store(true)
	c.advance(20 * time.Second)
	_, err = keys.Has(t.Context(), "k1") // would never return if it waited
	require.NoError(t, err)
	close(hang)
}

func TestAChangedKeyFileIsReadAgain(t *testing.T) {
	first, second := newEdKey(t, "k1"), newEdKey(t, "k1")
	path := filepath.Join(t.TempDir(), "keys.json")
	require.NoError(t, os.WriteFile(path, []byte(`{"keys":[`+first.jwk("")+`]}`), 0o600))
	r := edRules()
	r.Keys = path
	rules, err := r.Rules()
	require.NoError(t, err)
	var c manualClock
	verifier, err := tokens.NewVerifier(tokens.NewIssuers([]tokens.IssuerRules{rules}, tokens.KeySettings{}, c.now), c.now)
	require.NoError(t, err)
	_, err = verifier.Verify(t.Context(), first.sign(edHeader, edPayload))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, []byte(`{"keys":[`+second.jwk("")+`]}`), 0o600))
	c.advance(time.Second)
	_, err = verifier.Verify(t.Context(), first.sign(edHeader, edPayload))
	require.ErrorIs(t, err, application.ErrUnauthenticated)
	_, err = verifier.Verify(t.Context(), second.sign(edHeader, edPayload))
	require.NoError(t, err)
	require.NoError(t, os.Remove(path))
	c.advance(time.Second)
	_, err = verifier.Verify(t.Context(), second.sign(edHeader, edPayload))
	require.NoError(t, err, "the last keys are used while the file is missing")
}

// metadataServer serves issuer metadata and keys from a map of paths.
func metadataServer(t *testing.T) (*httptest.Server, map[string]string) {
	t.Helper()
	documents := map[string]string{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, ok := documents[r.URL.Path]
		if to, isRedirect := strings.CutPrefix(text, "redirect:"); isRedirect {
			http.Redirect(w, r, to, http.StatusFound)
			return
		}
		if !ok {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write([]byte(text))
	}))
	t.Cleanup(server.Close)
	return server, documents
}

func TestKeysByDiscovery(t *testing.T) {
	key := newEdKey(t, "k1")
	set := `{"keys":[` + key.jwk("") + `]}`
	metadata := func(issuer, jwksURI string) string {
		text, err := json.Marshal(map[string]string{"issuer": issuer, "jwks_uri": jwksURI})
		require.NoError(t, err)
		return string(text)
	}
	for name, tt := range map[string]struct {
		path    string // of the issuer
		serve   func(root, issuer string) map[string]string
		message string // empty if it succeeds
	}{
		"OpenID Connect": {"/realms/main", func(root, issuer string) map[string]string {
			return map[string]string{"/realms/main/.well-known/openid-configuration": metadata(issuer, root+"/keys"), "/keys": set}
		}, ""},
		"OpenID Connect, with a trailing slash": {"/", func(root, issuer string) map[string]string {
			return map[string]string{"/.well-known/openid-configuration": metadata(issuer, root+"/keys"), "/keys": set}
		}, ""},
		"RFC 8414": {"/oauth2/default", func(root, issuer string) map[string]string {
			return map[string]string{"/.well-known/oauth-authorization-server/oauth2/default": metadata(issuer, root+"/keys"), "/keys": set}
		}, ""},
		"metadata of another issuer": {"/a", func(root, _ string) map[string]string {
			return map[string]string{"/a/.well-known/openid-configuration": metadata(root+"/b", root+"/keys"), "/keys": set}
		}, "names the issuer"},
		"metadata of the issuer with a trailing slash": {"", func(root, issuer string) map[string]string {
			return map[string]string{"/.well-known/openid-configuration": metadata(issuer+"/", root+"/keys"), "/keys": set}
		}, "names the issuer"},
		"metadata without an issuer": {"", func(root, _ string) map[string]string {
			return map[string]string{"/.well-known/openid-configuration": `{"jwks_uri":"` + root + `/keys"}`, "/keys": set}
		}, "names the issuer"},
		"metadata without jwks_uri": {"", func(_, issuer string) map[string]string {
			return map[string]string{"/.well-known/openid-configuration": `{"issuer":"` + issuer + `"}`}
		}, "no jwks_uri"},
		"a jwks_uri that is a file": {"", func(_, issuer string) map[string]string {
			return map[string]string{"/.well-known/openid-configuration": metadata(issuer, "file:///etc/passwd")}
		}, "no jwks_uri"},
		"metadata that is not an object": {"", func(string, string) map[string]string {
			return map[string]string{"/.well-known/openid-configuration": `[]`}
		}, "not a JSON object"},
		"a duplicate issuer": {"", func(root, issuer string) map[string]string {
			return map[string]string{"/.well-known/openid-configuration": `{"issuer":"` + issuer + `","issuer":"x","jwks_uri":"` + root + `/keys"}`, "/keys": set}
		}, "not a JSON object"},
		"no metadata": {"", func(string, string) map[string]string { return nil }, "404"},
		"endless redirects": {"", func(string, string) map[string]string {
			return map[string]string{"/.well-known/openid-configuration": "redirect:/.well-known/openid-configuration"}
		}, "redirects"},
	} {
		t.Run(name, func(t *testing.T) {
			server, documents := metadataServer(t)
			issuer := server.URL + tt.path
			maps.Copy(documents, tt.serve(server.URL, issuer))
			text, err := tokens.KeysByDiscovery(issuer)(t.Context())
			if tt.message != "" {
				require.ErrorContains(t, err, tt.message)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, set, string(text))
		})
	}
	for _, issuer := range []string{"", "issuer", "ftp://x", "https://", "https://x?y", "https://x#y", "https://u:p@x"} {
		_, err := tokens.KeysByDiscovery(issuer)(t.Context())
		require.ErrorContains(t, err, "discovery requires", issuer)
	}
}

func TestARedirectFromHTTPSToHTTPIsRejected(t *testing.T) {
	plain, documents := metadataServer(t)
	documents["/keys"] = `{"keys":[]}`
	secure := httptest.NewTLSServer(http.RedirectHandler(plain.URL+"/keys", http.StatusFound))
	defer secure.Close()
	before := http.DefaultTransport
	http.DefaultTransport = secure.Client().Transport
	defer func() { http.DefaultTransport = before }()
	_, err := tokens.KeysFromURL(secure.URL)(t.Context())
	require.ErrorContains(t, err, "redirect from https to http")
}

// The key file of development mode contains the private key.
func TestThePublicPartOfAPrivateKeyIsUsed(t *testing.T) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	key, err := jwk.FromRaw(private)
	require.NoError(t, err)
	require.NoError(t, key.Set(jwk.KeyIDKey, "k1"))
	text, err := json.Marshal(map[string]any{"keys": []jwk.Key{key}})
	require.NoError(t, err)
	has, err := tokens.NewIssuerKeys(textSource(string(text)), tokens.KeySettings{}, clock).Has(t.Context(), "k1")
	require.NoError(t, err)
	assert.True(t, has)
}
