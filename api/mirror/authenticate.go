package mirror

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/clientele-oauth/clientele/api/client"
)

// Credentials are everything in a request by which a client may authenticate.
type Credentials struct {
	// Authorization is the header of this name.
	Authorization string
	// Form is the form of the request. Only the members client_id, client_secret,
	// client_assertion_type and client_assertion are sent.
	Form url.Values
	// Certificate is the certificate of the TLS connection, in PEM or as a proxy forwards
	// it. CertificateUnverified reports that its chain was not validated.
	Certificate           string
	CertificateUnverified bool
	// Audiences are the values of aud that the server accepts in client assertions.
	Audiences []string
}

// Authentication is how a client was authenticated.
type Authentication struct {
	Client *Client
	// Method is the method that the client used.
	Method string
	// SecretID and KeyID identify what it used: a secret, or a key that has an id.
	SecretID, KeyID string
}

// Authenticate lets the registry decide which client sent a request, with every method
// that the registry supports: client_secret_basic, client_secret_post, private_key_jwt,
// tls_client_auth, self_signed_tls_client_auth and none. Each assertion is accepted once,
// by all servers together. The error is [ErrNotAuthenticated], with the reason for the log
// of the server, or [ErrUnavailable].
//
// Each call sends a request to the registry, so a server that should work without it uses
// [Mirror.VerifySecret] and [Mirror.Keys] instead.
func (m *Mirror) Authenticate(ctx context.Context, c Credentials) (Authentication, error) {
	select {
	case m.verify <- struct{}{}:
		defer func() { <-m.verify }()
	case <-ctx.Done():
		return Authentication{}, fmt.Errorf("%w: %w", ErrUnavailable, context.Cause(ctx))
	}
	return m.registry.authenticate(ctx, c)
}

// authenticate sends the request to the registry.
func (r registry) authenticate(ctx context.Context, c Credentials) (Authentication, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	member := func(name string) *string {
		if value := c.Form.Get(name); value != "" {
			return &value
		}
		return nil
	}
	for _, name := range []string{"client_id", "client_secret", "client_assertion_type", "client_assertion"} {
		if len(c.Form[name]) > 1 {
			return Authentication{}, fmt.Errorf("%w: %s is repeated", ErrNotAuthenticated, name) // RFC 6749 §3.2
		}
	}
	request := client.AuthenticateClientRequest{
		Audiences: &c.Audiences,
		Form: &client.AuthenticationForm{
			ClientID: member("client_id"), ClientSecret: member("client_secret"),
			ClientAssertionType: member("client_assertion_type"), ClientAssertion: member("client_assertion"),
		},
	}
	if c.Audiences == nil {
		request.Audiences = nil
	}
	if c.Authorization != "" {
		request.Authorization = &c.Authorization
	}
	if c.Certificate != "" {
		request.Certificate, request.CertificateVerified = &c.Certificate, new(!c.CertificateUnverified)
	}
	response, err := r.client.AuthenticateClient(ctx, &client.AuthenticateClientParams{Effective: new(true)}, request)
	var body struct {
		Data *struct {
			Method   string          `json:"method"`
			SecretID string          `json:"secret_id"`
			KeyID    string          `json:"kid"`
			Client   json.RawMessage `json:"client"`
		} `json:"data"`
	}
	if _, err = read(response, err, maxClientBytes, &body); err != nil {
		return Authentication{}, notAuthenticated(err)
	}
	if body.Data == nil {
		return Authentication{}, fmt.Errorf("%w: the response has no client", ErrUnavailable)
	}
	found, deleted, _, err := parseClient(body.Data.Client)
	if err == nil && (deleted || !found.Active) {
		err = errors.New("the response has a client that is not active")
	}
	if err != nil {
		return Authentication{}, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return Authentication{found, body.Data.Method, body.Data.SecretID, body.Data.KeyID}, nil
}

// notAuthenticated returns [ErrNotAuthenticated] if the registry said so, or rejected what
// the client sent; otherwise [ErrUnavailable].
func notAuthenticated(err error) error {
	problem, ok := errors.AsType[*client.ProblemError](err)
	switch {
	case ok && problem.Status == http.StatusUnauthorized && problem.Code == "invalid_client":
		return fmt.Errorf("%w: %s", ErrNotAuthenticated, problem.Reason)
	case ok && problem.Status == http.StatusBadRequest && len(problem.Violations) > 0,
		ok && problem.Status == http.StatusRequestEntityTooLarge && problem.RequestID != "":
		return fmt.Errorf("%w: %w", ErrNotAuthenticated, problem)
	default:
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
}
