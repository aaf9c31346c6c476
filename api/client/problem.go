package client

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// maxProblemBytes bounds how much of an error answer is read.
const maxProblemBytes = 1 << 20

// ProblemError is a refusal of the service. Find it with errors.As.
type ProblemError struct {
	// Status is the HTTP status, e.g. 400.
	Status int
	// Message says what is wrong, for people.
	Message string
	// Violations are everything that is wrong with a client or a request, at
	// once; only a 400 has some.
	Violations []Finding
	// RequestID finds the request in the logs of the service.
	RequestID string
	// RetryAfter is how long the service asked to wait; 0 where it did not.
	RetryAfter time.Duration
	// Repeated says that the request was sent more than once, so that an earlier
	// attempt may have been carried out.
	Repeated bool
}

// Error tells the message and every violation, a line each.
func (p *ProblemError) Error() string {
	var text strings.Builder
	fmt.Fprintf(&text, "%d: %s", p.Status, p.Message)
	for _, v := range p.Violations {
		fmt.Fprintf(&text, "\n  %s: %s [%s, %s]", filled(v.Field), filled(v.Message), filled(v.Rule), filled(v.Source))
	}
	return text.String()
}

// filled is the text of an optional member.
func filled(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}

// problemOf reads an error answer, ours or that of a proxy in between.
func problemOf(answer *http.Response) *ProblemError {
	p := &ProblemError{
		Status: answer.StatusCode, RequestID: answer.Header.Get("X-Request-Id"), RetryAfter: retryAfter(answer.Header, time.Now()),
	}
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxProblemBytes))
	var body SimpleResponse
	if err == nil && json.Unmarshal(text, &body) == nil && body.Message != nil {
		p.Message = *body.Message
		if body.Violations != nil {
			p.Violations = *body.Violations
		}
		return p
	}
	p.Message = strings.ToLower(http.StatusText(answer.StatusCode))
	return p
}
