package keycloak

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/clientele-oauth/clientele/adapters/internal/adminapi"
	"github.com/clientele-oauth/clientele/application/push"
)

const (
	// maxResponse limits what is read of a response; a page of clients is the largest.
	maxResponse = 16 << 20
	// maxError limits what is read of a response that reports an error.
	maxError = 16 << 10
	// tokenMargin is how long before its end an access token is not used any more.
	tokenMargin = 10 * time.Second
)

// Config describes a realm, and how to use its Admin REST API.
type Config struct {
	// URL is the base URL of the server, e.g. "https://login.example.com", without
	// "/realms" and "/admin".
	URL string
	// Realm is the realm that gets the clients.
	Realm string
	// ClientRealm is the realm of ClientID; empty for Realm.
	ClientRealm string
	// ClientID is a client with a service account that has the role manage-clients of
	// the realm, and view-realm or manage-realm.
	ClientID string
	// ClientSecret returns its secret. It is called for each new token, so the secret
	// can be rotated.
	ClientSecret func() (string, error)
	// Authenticator has clients that use a secret authenticate through the
	// authenticator "clientele-secret", which asks the registry.
	Authenticator bool
	// SetUpFlow has Prepare add the authenticator to the client authentication flow of
	// the realm, which needs the role manage-realm.
	SetUpFlow bool
	// Timeout is the maximum time of one request; 0 means [adminapi.DefaultTimeout].
	Timeout time.Duration
}

// server sends requests to a realm.
type server struct {
	config Config
	admin  string // the URL of the realm in the Admin REST API
	tokens string // the token endpoint
	http   *http.Client

	mu      sync.Mutex
	token   string
	expires time.Time
}

func newServer(config Config) (*server, error) {
	base, err := url.Parse(config.URL)
	switch {
	case err != nil:
		return nil, errors.New("the URL of Keycloak is malformed")
	case base.Scheme != "https" && base.Scheme != "http" || base.Host == "" || base.User != nil || base.RawQuery != "" || base.Fragment != "":
		return nil, errors.New("the URL of Keycloak must be an http or https URL without user, query and fragment")
	case config.Realm == "":
		return nil, errors.New("the realm is missing")
	case config.ClientID == "" || config.ClientSecret == nil:
		return nil, errors.New("the client for the Admin REST API, or its secret, is missing")
	}
	if config.ClientRealm == "" {
		config.ClientRealm = config.Realm
	}
	root := strings.TrimRight(config.URL, "/")
	return &server{
		config: config,
		admin:  root + "/admin/realms/" + url.PathEscape(config.Realm),
		tokens: root + "/realms/" + url.PathEscape(config.ClientRealm) + "/protocol/openid-connect/token",
		http:   adminapi.NewClient(config.Timeout, concurrency),
	}, nil
}

// statusError is a response with a status other than 2xx.
type statusError struct {
	method, path string
	status       int
	said         string // the words of the server, for people
}

func (e *statusError) Error() string {
	return fmt.Sprintf("keycloak: %s %s: status %d: %s", e.method, e.path, e.status, e.said)
}

// statusOf returns the status of a [*statusError]; 0 for any other error.
func statusOf(err error) int {
	if failed, ok := errors.AsType[*statusError](err); ok {
		return failed.status
	}
	return 0
}

// call sends a request to a path of the realm. It encodes body and decodes the response
// into response, unless they are nil.
func (s *server) call(ctx context.Context, method, path string, body, response any) error {
	token, err := s.accessToken(ctx)
	if err != nil {
		return err
	}
	var content io.Reader = http.NoBody
	if body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			return err
		}
		content = bytes.NewReader(encoded)
	}
	req, err := http.NewRequestWithContext(ctx, method, s.admin+path, content)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Accept", "application/json")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	err = s.send(req, path, response)
	if statusOf(err) == http.StatusUnauthorized {
		s.forget(token)
	}
	return err
}

// send sends a request and decodes the response. path is for errors.
func (s *server) send(req *http.Request, path string, response any) error {
	resp, err := s.http.Do(req)
	if err != nil {
		return fmt.Errorf("keycloak: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, maxError)) // the status alone will do
		return &statusError{method: req.Method, path: path, status: resp.StatusCode, said: words(text)}
	}
	if response == nil {
		return nil
	}
	text, err := adminapi.Read(resp.Body, maxResponse)
	if err == nil {
		err = json.Unmarshal(text, response)
	}
	if err != nil {
		return fmt.Errorf("keycloak: %s %s: %w", req.Method, path, err)
	}
	return nil
}

// words returns what a response says about an error. Keycloak has several forms.
func words(response []byte) string {
	var form struct {
		Message     string `json:"errorMessage"`
		Description string `json:"error_description"`
		Error       string `json:"error"`
	}
	if json.Unmarshal(response, &form) != nil {
		return push.Words(string(response))
	}
	switch {
	case form.Message != "":
		return push.Words(form.Message)
	case form.Description != "":
		return push.Words(form.Error + ": " + form.Description)
	default:
		return push.Words(form.Error)
	}
}

// accessToken returns an access token of the service account.
func (s *server) accessToken(ctx context.Context) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.token != "" && time.Now().Before(s.expires) {
		return s.token, nil
	}
	secret, err := s.config.ClientSecret()
	if err != nil {
		return "", fmt.Errorf("the secret of %s: %w", s.config.ClientID, err)
	}
	form := url.Values{"grant_type": {"client_credentials"}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.tokens, strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(url.QueryEscape(s.config.ClientID), url.QueryEscape(secret)) // RFC 6749 §2.3.1
	var response struct {
		Token     string `json:"access_token"`
		ExpiresIn int64  `json:"expires_in"`
	}
	asked := time.Now()
	if err := s.send(req, "token endpoint", &response); err != nil {
		return "", err
	}
	if response.Token == "" {
		return "", errors.New("keycloak: the token endpoint returned no access token")
	}
	s.token, s.expires = response.Token, asked.Add(time.Duration(response.ExpiresIn)*time.Second-tokenMargin)
	return s.token, nil
}

// forget drops a token that the server does not accept any more.
func (s *server) forget(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.token == token {
		s.token = ""
	}
}
