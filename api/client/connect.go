package client

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"time"
)

// TokenSource returns an access token that is valid now. It is called for each attempt
// of a request and may cache the token. It must be safe for concurrent use. The Token
// method of a golang.org/x/oauth2 source can be adapted in two lines.
type TokenSource func(ctx context.Context) (string, error)

// StaticToken returns a source that always returns the given token. It does not renew
// the token.
func StaticToken(token string) TokenSource {
	return func(context.Context) (string, error) { return token, nil }
}

// maxTokenBytes is the maximum size of a file with a token.
const maxTokenBytes = 64 << 10

// FileToken returns a source that reads the token from a file for each request, so that
// so the program that renews the file needs no further step. Space around the token is ignored.
func FileToken(path string) TokenSource {
	return func(context.Context) (string, error) {
		file, err := os.Open(path)
		if err != nil {
			return "", err
		}
		defer file.Close()
		text, err := io.ReadAll(io.LimitReader(file, maxTokenBytes))
		if err != nil {
			return "", err
		}
		token := strings.TrimSpace(string(text))
		if token == "" {
			return "", errors.New("the file has no token")
		}
		return token, nil
	}
}

// Settings configure a client of the service.
type Settings struct {
	// Token authenticates each request; required.
	Token TokenSource
	// HTTP sends the requests. The default is a client with a timeout of 45 seconds
	// per attempt, which is longer than the service takes for any response.
	HTTP *http.Client
	// Attempts is the maximum number of times that a request is sent, including the
	// first. 0 means 4; 1 disables retries.
	Attempts int
	// LongestPause is the maximum pause before a retry. It also limits a pause that
	// the service requests with Retry-After. 0 means 10 seconds.
	LongestPause time.Duration
	// Tenant is the tenant to act in, for callers with the platform role. If it is
	// empty, the tenant of the token applies.
	Tenant string
}

// Defaults of [Settings].
const (
	defaultTimeout  = 45 * time.Second
	defaultAttempts = 4
	defaultPause    = 10 * time.Second
)

// Connect returns a client of the service at the URL, e.g.
// "https://clientele.example.com". It sends nothing yet. The client
//
//   - authenticates each request with a token of the source;
//   - retries any request that was rejected with 429;
//   - retries a request without a response, or with a response of 502, 503 or 504, if
//     it is safe to repeat: a read, an update, a deletion, or a POST with an
//     Idempotency-Key (see [Repeatable]). Registrations, new secrets and rotations get
//     an Idempotency-Key if they have none;
//   - pauses before each retry, with exponential backoff and for at least as long as
//     Retry-After says, up to [Settings].LongestPause;
//   - returns an error response as a [*ProblemError] with all violations, so that
//     callers can ignore the JSON4xx fields of results.
//
// A retried update sets the same values again. With If-Match, a retry can fail with 412
// although the first attempt succeeded, because that attempt created a new revision.
// [ProblemError].Repeated reports that a request was sent more than once.
func Connect(url string, s Settings) (*ClientWithResponses, error) {
	sender := &sender{
		token: s.Token, http: s.HTTP, attempts: s.Attempts, maxPause: s.LongestPause, tenant: s.Tenant,
	}
	if sender.http == nil {
		sender.http = &http.Client{Timeout: defaultTimeout}
	}
	if sender.attempts == 0 {
		sender.attempts = defaultAttempts
	}
	if sender.maxPause == 0 {
		sender.maxPause = defaultPause
	}
	return NewClientWithResponses(url, WithHTTPClient(sender))
}
