package client

import (
	"context"
	"net/http"
	"time"
)

// TokenSource returns an access token that is valid now; it is asked for each
// request and keeps a token for as long as it sees fit. It must be safe for
// concurrent use. The Token method of golang.org/x/oauth2's sources fits in two
// lines.
type TokenSource func(ctx context.Context) (string, error)

// StaticToken is the source of one token that somebody else keeps valid.
func StaticToken(token string) TokenSource {
	return func(context.Context) (string, error) { return token, nil }
}

// Settings say how to talk to a service.
type Settings struct {
	// Token authenticates each request; required.
	Token TokenSource
	// HTTP sends the requests; nil is a client with a timeout of 45 seconds for
	// each attempt, longer than any answer takes.
	HTTP *http.Client
	// Attempts bounds how often one request is sent; 0 is 4, 1 never repeats.
	Attempts int
	// LongestPause bounds the pause before a repetition, also one that the service
	// asks for by Retry-After; 0 is 10 seconds.
	LongestPause time.Duration
	// Tenant is the tenant to act in, for callers with the platform role; empty is
	// the token's own.
	Tenant string
}

// What a Settings leaves open.
const (
	defaultTimeout  = 45 * time.Second
	defaultAttempts = 4
	defaultPause    = 10 * time.Second
)

// Connect returns a client of the service at the URL, e.g.
// "https://clientele.example.com". It
//
//   - authenticates each request with a token of the source;
//   - sends a request again, after a pause that grows or that the service asked
//     for, where the answer is 429 or 503, or none came, as long as doing it twice
//     does no harm: a read, an update, a deletion, or a POST with an
//     Idempotency-Key. Registrations and new secrets get a key where they have
//     none. See [Repeatable];
//   - returns a refusal as an error, a [*ProblemError] that holds every violation, so
//     that the JSON4xx members of results are of no concern.
//
// An update that is sent again sets the same values again. With If-Match it may
// come back as a 412 although its first attempt was carried out, since the client
// has moved on by it; [ProblemError].Repeated tells.
func Connect(url string, s Settings) (*ClientWithResponses, error) {
	sender := &sender{
		token: s.Token, http: s.HTTP, attempts: s.Attempts, longest: s.LongestPause, tenant: s.Tenant,
	}
	if sender.http == nil {
		sender.http = &http.Client{Timeout: defaultTimeout}
	}
	if sender.attempts == 0 {
		sender.attempts = defaultAttempts
	}
	if sender.longest == 0 {
		sender.longest = defaultPause
	}
	return NewClientWithResponses(url, WithHTTPClient(sender))
}
