package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// The number of concurrent writers, and of the clients that they share: few enough for
// concurrent updates of the same client.
const (
	writers = 8
	shared  = 12
)

// attemptTimeout is how long a writer waits for a response.
const attemptTimeout = 20 * time.Second

// load makes changes as fast as it can, each with a unique mark, and records the
// responses in the ledger.
type load struct {
	url    string
	token  string
	ledger *ledger
	http   *http.Client
	seed   uint64

	group sync.WaitGroup
	stop  context.CancelFunc
}

func newLoad(url, token string, seed uint64, l *ledger) *load {
	return &load{
		url: url, token: token, ledger: l, seed: seed,
		http: &http.Client{Timeout: attemptTimeout, Transport: &http.Transport{
			MaxIdleConnsPerHost: writers, DialContext: (&net.Dialer{Timeout: time.Second}).DialContext,
		}},
	}
}

// start registers the shared clients and starts the writers.
func (l *load) start(ctx context.Context) error {
	for i := range shared {
		if err := l.register(ctx, sharedID(i), fmt.Sprintf("m-%d-shared-%d", l.seed, i)); err != nil {
			return err
		}
	}
	ctx, l.stop = context.WithCancel(ctx)
	for w := range writers {
		l.group.Go(func() { l.write(ctx, w) })
	}
	return nil
}

// end stops the writers and waits for their last responses.
func (l *load) end() {
	l.stop()
	l.group.Wait()
	l.http.CloseIdleConnections()
}

func sharedID(i int) string { return "shared-" + strconv.Itoa(i) }

// register registers a client. It repeats the request with the same idempotency key until
// the registration is acknowledged; the service must register the client only once.
func (l *load) register(ctx context.Context, id, mark string) error {
	body := map[string]any{
		"client_id": id, "name": "Torture", "website": markURL(mark),
		"redirect_uris": []string{"https://app.example.com/callback"}, "scopes": []string{"openid"},
	}
	for deadline := time.Now().Add(time.Minute); ; {
		status, revision, err := l.send(context.WithoutCancel(ctx), http.MethodPost, "/admin/oauth/clients", mark, body,
			http.Header{"Idempotency-Key": {mark}})
		switch {
		case err == nil && status == http.StatusCreated:
			l.ledger.acknowledged(entry{id, revision, mark})
			return nil
		case err == nil && status != http.StatusServiceUnavailable && status != http.StatusTooManyRequests:
			return fmt.Errorf("register %s: status %d", id, status)
		case ctx.Err() != nil:
			return ctx.Err()
		case time.Now().After(deadline):
			return fmt.Errorf("register %s: no acknowledgement within a minute", id)
		}
		pause(ctx, 5*time.Millisecond)
	}
}

// write makes changes until the context ends.
func (l *load) write(ctx context.Context, writer int) {
	random := rand.New(rand.NewPCG(l.seed, uint64(writer))) //nolint:gosec // the same choices for the same seed
	for n := 0; ctx.Err() == nil; n++ {
		mark := fmt.Sprintf("m-%d-%d-%d", l.seed, writer, n)
		if random.IntN(20) == 0 {
			_ = l.register(ctx, "own-"+mark, mark) // it also stops when the load ends
			continue
		}
		id := sharedID(random.IntN(shared))
		status, revision, err := l.send(context.WithoutCancel(ctx), http.MethodPut, "/admin/oauth/clients/"+id, mark, map[string]any{"website": markURL(mark)}, nil)
		switch {
		case err != nil || status == http.StatusServiceUnavailable:
			pause(ctx, 5*time.Millisecond)
		case status == http.StatusOK:
			l.ledger.acknowledged(entry{id, revision, mark})
		}
	}
}

func markURL(mark string) string { return "https://mark.example.com/" + mark }

// send sends one request once. It records failures in the ledger; the caller records
// acknowledgements.
func (l *load) send(
	ctx context.Context, method, path, mark string, body map[string]any, header http.Header,
) (status int, revision int64, err error) {
	text, err := json.Marshal(body)
	if err != nil {
		return 0, 0, err
	}
	if body == nil {
		text = nil // a request without a body
	}
	requestID := mark + "." + strconv.Itoa(rand.IntN(1_000_000)) //nolint:gosec // not used for security
	request, err := http.NewRequestWithContext(ctx, method, l.url+path, bytes.NewReader(text))
	if err != nil {
		return 0, 0, err
	}
	if header != nil {
		request.Header = header.Clone()
	}
	request.GetBody = nil // the transport must not repeat the request
	request.Header.Set("Authorization", "Bearer "+l.token)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("X-Request-Id", requestID)
	response, err := l.http.Do(request)
	if err != nil {
		l.ledger.noResponse(mark, requestID)
		return 0, 0, err
	}
	defer func() { _ = response.Body.Close() }()
	responseBody, err := io.ReadAll(response.Body)
	if err != nil {
		l.ledger.noResponse(mark, requestID)
		return 0, 0, err
	}
	if response.StatusCode >= http.StatusBadRequest {
		l.ledger.errorResponse(response.StatusCode, mark, fmt.Sprintf("%s %s: %d %s", method, path, response.StatusCode, responseBody))
		return response.StatusCode, 0, nil
	}
	if response.StatusCode == http.StatusNoContent || strings.Contains(path, "dry_run=true") { // no ETag
		return response.StatusCode, 0, nil
	}
	tag, err := strconv.Unquote(response.Header.Get("ETag"))
	if err != nil {
		return 0, 0, fmt.Errorf("response without ETag: %s", responseBody)
	}
	revision, err = strconv.ParseInt(tag, 10, 64)
	return response.StatusCode, revision, err
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
