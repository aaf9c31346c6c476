package mirror

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/clientele-oauth/clientele/api/client"
)

// Limits of responses. The registry ends a response of the feed with the change that
// reaches 2 MiB of stored documents; JSON can make that six times as long.
const (
	maxFeedBytes   = 32 << 20
	maxClientBytes = 4 << 20
	maxSmallBytes  = 256 << 10
	// smallFeedBytes is the size below which a response of the feed cannot have ended
	// because of its size.
	smallFeedBytes = 1 << 20
	feedLimit      = 500
)

// Time limits of requests with all their retries.
const (
	requestTimeout  = 15 * time.Second // beyond the time that the registry may wait
	snapshotTimeout = 10 * time.Minute
)

// errLostCursor reports that the position is not in the history of the registry.
var errLostCursor = errors.New("the registry does not have the position in its change feed")

// registry is the registry, with bounds for everything that it sends.
type registry struct {
	client    *client.ClientWithResponses
	verifiers bool
}

func newRegistry(c *client.ClientWithResponses, limit int64, verifiers bool) registry {
	// Documents, and what belongs to the lines beside them.
	bounded := bounded{c.ClientInterface, 2*limit + maxClientBytes}
	return registry{&client.ClientWithResponses{ClientInterface: bounded}, verifiers}
}

// bounded limits the size of a snapshot.
type bounded struct {
	client.ClientInterface
	limit int64
}

// GetSnapshot implements [client.ClientInterface].
func (b bounded) GetSnapshot(
	ctx context.Context, params *client.GetSnapshotParams, editors ...client.RequestEditorFn,
) (*http.Response, error) {
	response, err := b.ClientInterface.GetSnapshot(ctx, params, editors...)
	if err == nil {
		response.Body = &limitedBody{response.Body, b.limit}
	}
	return response, err
}

// limitedBody is a body that fails beyond a limit.
type limitedBody struct {
	io.ReadCloser
	left int64
}

// Read implements [io.Reader].
func (b *limitedBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errTooLarge
	}
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.ReadCloser.Read(p)
	b.left -= int64(n)
	return n, err
}

// snapshot reads all clients into a new state.
func (r registry) snapshot(ctx context.Context, limit int64) (*state, error) {
	ctx, cancel := context.WithTimeout(ctx, snapshotTimeout)
	defer cancel()
	params := client.GetSnapshotParams{Format: new(client.GetSnapshotParamsFormatRfc7591), Effective: new(true)}
	if r.verifiers {
		params.Include = new(client.GetSnapshotParamsIncludeSecretVerifiers)
	}
	snapshot, err := r.client.Snapshot(ctx, &params)
	if err != nil {
		return nil, err
	}
	defer func() { _ = snapshot.Close() }()
	s := newState()
	s.cursor = snapshot.ChangesCursor
	if s.cursor == "" {
		return nil, errors.New("the snapshot has no position in the change feed")
	}
	for {
		line, err := snapshot.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		id, e, err := newEntry(line)
		if err != nil {
			return nil, err
		}
		if e == nil || s.clients[id] != nil {
			return nil, fmt.Errorf("the snapshot has the client %q twice, or deleted", id)
		}
		if err := s.set(id, e, limit); err != nil {
			return nil, err
		}
	}
	for _, id := range snapshot.Unreadable {
		s.clients[id] = &entry{}
	}
	return s, nil
}

// change is a change in the feed.
type change struct {
	Action     string          `json:"action"`
	ClientID   string          `json:"client_id"`
	Revision   int64           `json:"revision"`
	Unreadable bool            `json:"unreadable"`
	Client     json.RawMessage `json:"client"`
}

// page is a response of the feed.
type page struct {
	changes []change
	next    string
	// last reports that there was nothing after it.
	last bool
	// heldBack is the age of a change that the feed does not return yet.
	heldBack time.Duration
}

// changes reads the changes after the cursor. It is [errLostCursor] if the registry does
// not have it.
func (r registry) changes(ctx context.Context, cursor string, wait time.Duration) (page, error) {
	ctx, cancel := context.WithTimeout(ctx, wait+requestTimeout)
	defer cancel()
	seconds := int32(wait / time.Second) //nolint:gosec // less than a minute
	response, err := r.client.ListChanges(ctx, &client.ListChangesParams{
		After: &cursor, Limit: new(int32(feedLimit)), WaitSeconds: &seconds,
		Format: new(client.ListChangesParamsFormatRfc7591), Effective: new(true),
	})
	var body struct {
		Data *struct {
			Changes  []change `json:"changes"`
			Next     string   `json:"next"`
			HeldBack int64    `json:"held_back_seconds"`
		} `json:"data"`
	}
	size, err := read(response, err, maxFeedBytes, &body)
	if problem, ok := errors.AsType[*client.ProblemError](err); ok && problem.Status == http.StatusBadRequest && names(problem, "?after") {
		return page{}, errLostCursor
	}
	if err != nil {
		return page{}, err
	}
	p := body.Data
	if p == nil || p.Next == "" || len(p.Changes) > feedLimit || len(p.Changes) > 0 && p.Next == cursor {
		return page{}, errors.New("the response is not one of a change feed; is this the URL of a registry?")
	}
	for _, c := range p.Changes {
		if c.ClientID == "" || c.Revision < 0 {
			return page{}, errors.New("a change in the feed has no client")
		}
	}
	heldBack := time.Duration(min(max(p.HeldBack, 0), 365*24*3600)) * time.Second
	return page{p.Changes, p.Next, len(p.Changes) < feedLimit && size < smallFeedBytes, heldBack}, nil
}

// names reports whether a violation is about the field.
func names(problem *client.ProblemError, field string) bool {
	return slices.ContainsFunc(problem.Violations, func(v client.Finding) bool {
		return v.Field != nil && (*v.Field == field || strings.HasPrefix(*v.Field, field+"/"))
	})
}

// get reads one client. The entry is nil if there is none.
func (r registry) get(ctx context.Context, id string) (*entry, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	response, err := r.client.GetClient(ctx, id, &client.GetClientParams{
		Format: new(client.GetClientParamsFormatRfc7591), Effective: new(true),
	})
	var document json.RawMessage
	_, err = read(response, err, maxClientBytes, &document)
	if notFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	found, e, err := newEntry(document)
	if err == nil && found != id {
		err = fmt.Errorf("the registry returned the client %q instead of %q", found, id)
	}
	return e, err
}

// hashes reads the hashes of the secrets of a client. They are nil if there is no such
// client.
func (r registry) hashes(ctx context.Context, id string) (json.RawMessage, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	response, err := r.client.ListSecretVerifiers(ctx, id, nil)
	var body struct {
		Data *struct {
			Verifiers json.RawMessage `json:"secret_verifiers"`
		} `json:"data"`
	}
	_, err = read(response, err, maxSmallBytes, &body)
	if notFound(err) {
		return nil, nil
	}
	if err == nil && (body.Data == nil || body.Data.Verifiers == nil) {
		err = errors.New("the response has no hashes of secrets")
	}
	if err != nil {
		return nil, err
	}
	return body.Data.Verifiers, nil
}

// verification is the response to a verification.
type verification struct {
	Valid         *bool     `json:"valid"`
	SecretID      string    `json:"secret_id"`
	ExpiresAt     time.Time `json:"expires_at"`
	MaxAgeSeconds int64     `json:"max_age_seconds"`
}

// verifySecret verifies at the registry that the value is a secret of the client.
func (r registry) verifySecret(ctx context.Context, id, value string) (verification, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	response, err := r.client.VerifySecret(ctx, id, nil, client.VerifySecretRequest{Secret: value}, resendable)
	var body struct {
		Data *verification `json:"data"`
	}
	_, err = read(response, err, maxSmallBytes, &body)
	problem, ok := errors.AsType[*client.ProblemError](err)
	switch {
	case notFound(err), ok && problem.Status == http.StatusBadRequest && names(problem, "/secret"):
		return verification{}, ErrWrongSecret
	case err != nil:
		return verification{}, err
	case body.Data == nil || body.Data.Valid == nil:
		return verification{}, errors.New("the response is not one of a verification; is this the URL of a registry?")
	case !*body.Data.Valid:
		return verification{}, ErrWrongSecret
	default:
		return *body.Data, nil
	}
}

// resendable lets the HTTP client send a verification again if an idle connection was
// closed: it changes nothing. An empty value is not sent (see [http.Transport]).
func resendable(_ context.Context, r *http.Request) error {
	r.Header["X-Idempotency-Key"] = []string{}
	return nil
}

// notFound reports whether the registry itself responded that there is no such client. A
// 404 of a proxy, which has no request id, is not about the client.
func notFound(err error) bool {
	problem, ok := errors.AsType[*client.ProblemError](err)
	return ok && problem.Status == http.StatusNotFound && problem.RequestID != ""
}

// read reads a JSON response of at most limit bytes, and returns its size.
func read(response *http.Response, err error, limit int64, into any) (int, error) {
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("the registry responded with %s", response.Status)
	}
	text, err := io.ReadAll(io.LimitReader(response.Body, limit+1))
	if err != nil {
		return 0, fmt.Errorf("the response is incomplete: %w", err)
	}
	if int64(len(text)) > limit {
		return 0, fmt.Errorf("the response is larger than %d bytes", limit)
	}
	if err := json.Unmarshal(text, into); err != nil {
		return 0, fmt.Errorf("the response cannot be read: %w", err)
	}
	return len(text), nil
}
