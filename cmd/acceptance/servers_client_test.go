//go:build acceptance

package acceptance_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	methodNone  = "none"
	methodBasic = "client_secret_basic"
	methodPost  = "client_secret_post"
	methodKey   = "private_key_jwt"

	callback = "https://app.example.com/callback" // nothing listens there: the browser stops
)

// relyingParty is a client of the authorization server, as it is deployed: with its own
// idea of its secret, key and redirect URI.
type relyingParty struct {
	id, method  string
	secret      string
	key         *signingKey
	redirectURI string
	scope       string
}

// signingKey is an ES256 key.
type signingKey struct {
	id      string
	private *ecdsa.PrivateKey
}

func newSigningKey(t *testing.T, id string) *signingKey {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	return &signingKey{id, private}
}

// jwks returns the JSON text of a set with the public key.
func (k *signingKey) jwks(t *testing.T) string {
	t.Helper()
	point, err := k.private.PublicKey.Bytes()
	require.NoError(t, err)
	encode := base64.RawURLEncoding.EncodeToString
	text, err := json.Marshal(map[string]any{"keys": []map[string]any{{
		"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": k.id, "x": encode(point[1:33]), "y": encode(point[33:]),
	}}})
	require.NoError(t, err)
	return string(text)
}

// assertion returns a JWT with which a client authenticates (RFC 7523 §3).
func (k *signingKey) assertion(client, audience string) (string, error) {
	now := time.Now()
	header, err := json.Marshal(map[string]any{"alg": "ES256", "typ": "JWT", "kid": k.id})
	if err != nil {
		return "", err
	}
	claims, err := json.Marshal(map[string]any{
		"iss": client, "sub": client, "aud": audience, "jti": rand.Text(), "iat": now.Unix(), "exp": now.Add(time.Minute).Unix(),
	})
	if err != nil {
		return "", err
	}
	encode := base64.RawURLEncoding.EncodeToString
	content := encode(header) + "." + encode(claims)
	digest := sha256.Sum256([]byte(content))
	r, s, err := ecdsa.Sign(rand.Reader, k.private, digest[:])
	if err != nil {
		return "", err
	}
	signature := make([]byte, 64) // RFC 7518 §3.4
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return content + "." + encode(signature), nil
}

// endpoints are those of an authorization server, from its metadata.
type endpoints struct {
	Issuer        string `json:"issuer"`
	Authorization string `json:"authorization_endpoint"`
	Token         string `json:"token_endpoint"`
	UserInfo      string `json:"userinfo_endpoint"`
}

// discover reads the metadata of a server.
func discover(t *testing.T, issuer string) endpoints {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, issuer+"/.well-known/openid-configuration", http.NoBody)
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	var found endpoints
	require.NoError(t, json.NewDecoder(response.Body).Decode(&found))
	require.NotEmpty(t, found.Authorization, "authorization_endpoint of %s", issuer)
	require.NotEmpty(t, found.Token, "token_endpoint of %s", issuer)
	return found
}

// outcome is the response of a token endpoint.
type outcome struct {
	status   int
	code     string // error, or "" for tokens
	location string // of a redirect
	text     string
	tokens   struct {
		Access  string  `json:"access_token"`
		Refresh string  `json:"refresh_token"`
		ID      string  `json:"id_token"`
		Scope   *string `json:"scope"`
	}
}

func (o *outcome) String() string {
	if o.granted() {
		return fmt.Sprintf("%d with tokens", o.status)
	}
	if o.location != "" {
		return fmt.Sprintf("%d to %s", o.status, o.location)
	}
	return fmt.Sprintf("%d: %.300s", o.status, strings.TrimSpace(o.text))
}

// granted reports whether the client got a token.
func (o *outcome) granted() bool { return o.status == http.StatusOK && o.tokens.Access != "" }

// refused reports whether the request was rejected with one of the codes.
func (o *outcome) refused(codes ...string) bool {
	return (o.status == http.StatusBadRequest || o.status == http.StatusUnauthorized) && slices.Contains(codes, o.code)
}

// unavailable reports whether the server says that it cannot tell: neither a wrong secret
// nor a redirect.
func (o *outcome) unavailable() bool {
	return o.status >= 500 && o.code != "invalid_client" && o.location == ""
}

// tokenClient follows no redirects: a token endpoint must not send any.
var tokenClient = http.Client{
	Timeout:       20 * time.Second,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// token sends a request to the token endpoint, and authenticates as the client does.
func (c relyingParty) token(ctx context.Context, server endpoints, parameters url.Values) (*outcome, error) {
	form := maps.Clone(parameters)
	switch c.method {
	case methodNone:
		form.Set("client_id", c.id)
	case methodPost:
		form.Set("client_id", c.id)
		form.Set("client_secret", c.secret)
	case methodKey:
		assertion, err := c.key.assertion(c.id, server.Token)
		if err != nil {
			return nil, err
		}
		form.Set("client_id", c.id) // RFC 7521 §4.2 allows it, and some servers require it
		form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
		form.Set("client_assertion", assertion)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, server.Token, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Accept", "application/json")
	if c.method == methodBasic {
		request.SetBasicAuth(url.QueryEscape(c.id), url.QueryEscape(c.secret))
	}
	response, err := tokenClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return nil, err
	}
	o := &outcome{status: response.StatusCode, text: string(text), location: response.Header.Get("Location")}
	var failure struct {
		Error string `json:"error"`
	}
	if json.Unmarshal(text, &failure) == nil {
		o.code = failure.Error
	}
	if err := json.Unmarshal(text, &o.tokens); err != nil && o.status == http.StatusOK {
		return nil, fmt.Errorf("the response is not JSON: %w: %s", err, text)
	}
	return o, nil
}

// credentials requests a token for the client itself.
func (c relyingParty) credentials(ctx context.Context, server endpoints, scope string) (*outcome, error) {
	form := url.Values{"grant_type": {"client_credentials"}}
	if scope != "" {
		form.Set("scope", scope)
	}
	return c.token(ctx, server, form)
}

// refresh requests new tokens.
func (c relyingParty) refresh(ctx context.Context, server endpoints, refreshToken string) (*outcome, error) {
	return c.token(ctx, server, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refreshToken}})
}

// proof is a PKCE verifier (RFC 7636).
type proof string

func newProof() proof { return proof(rand.Text() + rand.Text()) }

func (p proof) challenge() string {
	digest := sha256.Sum256([]byte(p))
	return base64.RawURLEncoding.EncodeToString(digest[:])
}

// authorizationURL is where a browser is sent.
func (c relyingParty) authorizationURL(server endpoints, p proof, state string) string {
	return server.Authorization + "?" + url.Values{
		"response_type": {"code"}, "client_id": {c.id}, "redirect_uri": {c.redirectURI}, "scope": {c.scope},
		"state": {state}, "nonce": {rand.Text()}, "code_challenge": {p.challenge()}, "code_challenge_method": {"S256"},
		"prompt": {"consent"}, // OpenID Connect Core §11 requires it for offline_access
	}.Encode()
}

// code logs a user in, and returns the authorization code.
func (c relyingParty) code(ctx context.Context, t *testing.T, server endpoints, p proof) (string, error) {
	t.Helper()
	state := rand.Text()
	returned, err := newBrowser(t).authorize(ctx, c.authorizationURL(server, p, state), c.redirectURI)
	if err != nil {
		return "", err
	}
	if code := returned.Get("code"); code != "" && returned.Get("state") == state {
		return code, nil
	}
	return "", fmt.Errorf("the response has no code, or another state: %s", returned.Encode())
}

// exchange exchanges an authorization code.
func (c relyingParty) exchange(ctx context.Context, server endpoints, code string, p proof) (*outcome, error) {
	return c.token(ctx, server, url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {c.redirectURI}, "code_verifier": {string(p)},
	})
}

// login is the whole flow: a user logs in, and the client gets tokens.
func (c relyingParty) login(ctx context.Context, t *testing.T, server endpoints) (*outcome, error) {
	t.Helper()
	p := newProof()
	code, err := c.code(ctx, t, server, p)
	if err != nil {
		return nil, err
	}
	return c.exchange(ctx, server, code, p)
}

// authenticate finds out whether the server accepts the client's credentials, without a
// user: with a code that does not exist, a client that is accepted gets invalid_grant.
func (c relyingParty) authenticate(ctx context.Context, server endpoints) (*outcome, error) {
	return c.exchange(ctx, server, "no-such-code-"+rand.Text(), newProof())
}
