// Package adminapi has what the adapters that push clients to an authorization server have
// in common: how they send requests to its admin API, and read the responses.
package adminapi

import (
	"fmt"
	"io"
	"net/http"
	"time"
)

// DefaultTimeout limits a request if nothing else is configured.
const DefaultTimeout = 10 * time.Second

// NewClient returns a client that sends credentials only to the address that it is given,
// and keeps a number of connections. Its requests are limited by the timeout, or by
// [DefaultTimeout] if that is 0.
func NewClient(timeout time.Duration, connections int) *http.Client {
	if timeout == 0 {
		timeout = DefaultTimeout
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = connections
	return &http.Client{
		Timeout: timeout, Transport: transport,
		// A redirect would lose the body, or send the credentials to another address.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Read reads the body of a response. The error says so if it has more than maxBytes.
func Read(body io.Reader, maxBytes int64) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(body, maxBytes+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the response: %w", err)
	case int64(len(text)) > maxBytes:
		return nil, fmt.Errorf("the response is larger than %d bytes", maxBytes)
	default:
		return text, nil
	}
}

// IsRefusal reports whether the status of a response to a client that was sent means that
// the server does not accept this client. Other errors are about the credentials, the
// address or the server.
func IsRefusal(status int) bool {
	switch status {
	case http.StatusBadRequest, http.StatusConflict, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
		return true
	default:
		return false
	}
}
