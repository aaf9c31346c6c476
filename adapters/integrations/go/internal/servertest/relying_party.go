package servertest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/integrations/go/internal/assertion"
)

// Server is an authorization server, as its metadata describe it.
type Server struct {
	Issuer        string `json:"issuer"`
	Authorization string `json:"authorization_endpoint"`
	Token         string `json:"token_endpoint"`
	Userinfo      string `json:"userinfo_endpoint"`
	Introspection string `json:"introspection_endpoint"`
	Revocation    string `json:"revocation_endpoint"`
	JWKS          string `json:"jwks_uri"`
	Registration  string `json:"registration_endpoint"`
	Documents     bool   `json:"client_id_metadata_document_supported"`
}

// Discover waits until the server at the issuer is ready.
func Discover(t testing.TB, issuer string) Server {
	t.Helper()
	var s Server
	require.Eventually(t, func() bool {
		response, err := get(t, issuer+"/.well-known/openid-configuration")
		if err != nil {
			return false
		}
		defer response.Body.Close()
		return response.StatusCode == http.StatusOK && json.NewDecoder(response.Body).Decode(&s) == nil
	}, 30*time.Second, 10*time.Millisecond)
	return s
}

// get sends a request without a token.
func get(t testing.TB, to string) (*http.Response, error) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, to, nil)
	require.NoError(t, err)
	return http.DefaultClient.Do(request)
}

// Response is a response of a server.
type Response struct {
	Status   int
	Location string
	Text     string
	Body     map[string]any
}

// ErrorCode returns the member error of the response.
func (r Response) ErrorCode() string {
	text, _ := r.Body["error"].(string)
	return text
}

// Value returns a member of the response that is a string.
func (r Response) Value(name string) string {
	text, _ := r.Body[name].(string)
	return text
}

// do sends a request and follows no redirect.
func do(t testing.TB, jar http.CookieJar, request *http.Request) Response {
	t.Helper()
	c := &http.Client{
		Jar: jar, Timeout: 20 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	response, err := c.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	result := Response{Status: response.StatusCode, Location: response.Header.Get("Location"), Text: string(text)}
	_ = json.Unmarshal(text, &result.Body)
	return result
}

// Post sends a form, with client_secret_basic if there is a secret.
func Post(t testing.TB, to string, form url.Values, basic ...string) Response {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, to, strings.NewReader(form.Encode()))
	require.NoError(t, err)
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if len(basic) == 2 {
		request.SetBasicAuth(url.QueryEscape(basic[0]), url.QueryEscape(basic[1]))
	}
	return do(t, nil, request)
}

// PostJSON sends a JSON object.
func PostJSON(t testing.TB, to string, body map[string]any) Response {
	t.Helper()
	text, err := json.Marshal(body)
	require.NoError(t, err)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, to, bytes.NewReader(text))
	require.NoError(t, err)
	request.Header.Set("Content-Type", "application/json")
	return do(t, nil, request)
}

// Get sends a request with an access token, if there is one.
func Get(t testing.TB, to, token string) Response {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, to, nil)
	require.NoError(t, err)
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	return do(t, nil, request)
}

// Verifier is the code_verifier of all requests.
const Verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXkdBjftJe"

// AuthorizeURL returns the URL of an authorization request with PKCE. Further parameters
// are pairs; an empty value removes one.
func (s Server) AuthorizeURL(id, redirect, scope string, more ...string) string {
	sum := sha256.Sum256([]byte(Verifier))
	query := url.Values{
		"response_type": {"code"}, "client_id": {id}, "redirect_uri": {redirect}, "scope": {scope}, "state": {"state-1234567"},
		"nonce": {"nonce-1234567"}, "code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
	}
	for i := 0; i+1 < len(more); i += 2 {
		query.Set(more[i], more[i+1])
		if more[i+1] == "" {
			query.Del(more[i])
		}
	}
	return s.Authorization + "?" + query.Encode()
}

// Authorize sends an authorization request as a browser, logs alice in, and returns the last
// response: the redirect to the client, or an error of the server.
func (s Server) Authorize(t testing.TB, at string) Response {
	t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, at, nil)
	require.NoError(t, err)
	for range 10 {
		here := request.URL
		response := do(t, jar, request)
		switch {
		case response.Location != "":
			next, err := here.Parse(response.Location)
			require.NoError(t, err)
			if !strings.HasPrefix(next.String(), s.Issuer) {
				return response
			}
			request, err = http.NewRequestWithContext(t.Context(), http.MethodGet, next.String(), nil)
			require.NoError(t, err)
		case response.Status == http.StatusOK && strings.Contains(response.Text, `name="password"`):
			request = submit(t, here, response.Text)
		default:
			return response
		}
	}
	t.Fatal("too many redirects")
	return Response{}
}

// submit returns the request of the form in the page, with alice's password.
func submit(t testing.TB, here *url.URL, page string) *http.Request {
	t.Helper()
	form := url.Values{"username": {"alice"}, "password": {"password"}}
	for _, hidden := range regexp.MustCompile(`type="hidden" name="(\w+)" value="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		form.Set(hidden[1], html.UnescapeString(hidden[2]))
	}
	to := here
	if action := regexp.MustCompile(`action="([^"]*)"`).FindStringSubmatch(page); action != nil {
		var err error
		to, err = here.Parse(html.UnescapeString(action[1]))
		require.NoError(t, err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, to.String(), strings.NewReader(form.Encode()))
	require.NoError(t, err)
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return request
}

// Code returns the authorization code in a redirect, or "".
func (r Response) Code() string {
	at, err := url.Parse(r.Location)
	if err != nil {
		return ""
	}
	return at.Query().Get("code")
}

// RedirectedError returns the error in a redirect, or "".
func (r Response) RedirectedError() string {
	at, err := url.Parse(r.Location)
	if err != nil {
		return ""
	}
	return at.Query().Get("error")
}

// CodeForm returns the form that redeems a code.
func CodeForm(code, redirect string, more ...string) url.Values {
	return with(url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {redirect}, "code_verifier": {Verifier}}, more)
}

// CredentialsForm returns the form of a request for client credentials.
func CredentialsForm(scope string, more ...string) url.Values {
	return with(url.Values{"grant_type": {"client_credentials"}, "scope": {scope}}, more)
}

func with(form url.Values, more []string) url.Values {
	for i := 0; i+1 < len(more); i += 2 {
		form.Set(more[i], more[i+1])
		if more[i+1] == "" {
			form.Del(more[i])
		}
	}
	return form
}

// Key is a key of a client.
type Key struct {
	ID  string
	key *ecdsa.PrivateKey
}

// NewKey returns a new ES256 key.
func NewKey(t testing.TB, id string) Key {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	return Key{id, key}
}

// JWKS returns a JWK Set with the public keys, which have no use.
func JWKS(t testing.TB, keys ...Key) string {
	t.Helper()
	var set jose.JSONWebKeySet
	for _, key := range keys {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: &key.key.PublicKey, KeyID: key.ID})
	}
	text, err := json.Marshal(set)
	require.NoError(t, err)
	return string(text)
}

// Claims returns the claims of an assertion that is right.
func Claims(id, audience string) map[string]any {
	now := time.Now()
	return map[string]any{"iss": id, "sub": id, "aud": audience, "jti": rand.Text(), "iat": now.Unix(), "exp": now.Add(time.Minute).Unix()}
}

// Assertion returns pairs of a form that authenticate a client by the key.
func (k Key) Assertion(t testing.TB, claims map[string]any) []string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: k.key}, (&jose.SignerOptions{}).WithHeader("kid", k.ID))
	require.NoError(t, err)
	text, err := jwt.Signed(signer).Claims(claims).Serialize()
	require.NoError(t, err)
	return []string{"client_assertion_type", assertion.Type, "client_assertion", text}
}
