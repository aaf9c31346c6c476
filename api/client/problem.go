package client

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// maxProblemBytes is the maximum size of an error response that is read.
const maxProblemBytes = 1 << 20

// ProblemError is an error response of the service, or of a proxy in front of it. Use
// errors.As to find it.
type ProblemError struct {
	// Status is the HTTP status, e.g. 400.
	Status int
	// Message is a human-readable description of the error.
	Message string
	// Violations lists every violation of the client or the request. Only a 400 has
	// violations.
	Violations []Finding
	// Code is "invalid_client" if AuthenticateClient did not authenticate the client, and
	// Reason then says why. Of all other errors, only that of GetClientMetadata for a document
	// that is not usable has a Reason.
	Code, Reason string
	// RequestID identifies the request in the logs of the service.
	RequestID string
	// RetryAfter is the time to wait before a retry, from the Retry-After header; 0 if
	// there is none.
	RetryAfter time.Duration
	// Repeated reports whether the request was sent more than once. An earlier attempt
	// may have succeeded.
	Repeated bool
}

// Error returns the status and the message, and each violation on a line of its own.
func (p *ProblemError) Error() string {
	var text strings.Builder
	fmt.Fprintf(&text, "%d: %s", p.Status, p.Message)
	for _, v := range p.Violations {
		fmt.Fprintf(&text, "\n  %s: %s [%s, %s]", filled(v.Field), filled(v.Message), filled(v.Rule), filled(v.Source))
	}
	return text.String()
}

// filled returns the value of an optional field, or "" if it is missing.
func filled(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}

// problemOf reads an error response of the service or of a proxy.
func problemOf(response *http.Response) *ProblemError {
	p := &ProblemError{
		Status: response.StatusCode, RequestID: response.Header.Get("X-Request-Id"), RetryAfter: retryAfter(response.Header, time.Now()),
	}
	text, err := io.ReadAll(io.LimitReader(response.Body, maxProblemBytes))
	var body SimpleResponse
	if err == nil && json.Unmarshal(text, &body) == nil && body.Message != nil {
		p.Message, p.Code, p.Reason = *body.Message, filled(body.Error), filled(body.Reason)
		if body.Violations != nil {
			p.Violations = *body.Violations
		}
		return p
	}
	p.Message = strings.ToLower(http.StatusText(response.StatusCode))
	return p
}
