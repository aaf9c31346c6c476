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

// How many write at once, and to how many clients: few enough to meet.
const (
	writers = 8
	shared  = 12
)

// attemptTimeout is when a writer gives an answer up.
const attemptTimeout = 20 * time.Second

// load writes as fast as it can, each change with a mark of its own, and keeps
// the ledger.
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

// start registers the shared clients and begins to write.
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

// end ends the writing, after the last answers.
func (l *load) end() {
	l.stop()
	l.group.Wait()
	l.http.CloseIdleConnections()
}

func sharedID(i int) string { return "shared-" + strconv.Itoa(i) }

// register makes a client and asks again, with the same key, until it is told
// that it was done; it is to be done once.
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
			return fmt.Errorf("register %s: %d", id, status)
		case ctx.Err() != nil:
			return ctx.Err()
		case time.Now().After(deadline):
			return fmt.Errorf("register %s: no acknowledgement in a minute", id)
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
			_ = l.register(ctx, "own-"+mark, mark) // an end of the load ends it too
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

// send sends one request once and notes what became of it, acknowledgements
// excepted.
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
	requestID := mark + "." + strconv.Itoa(rand.IntN(1_000_000)) //nolint:gosec // only to tell requests apart
	request, err := http.NewRequestWithContext(ctx, method, l.url+path, bytes.NewReader(text))
	if err != nil {
		return 0, 0, err
	}
	if header != nil {
		request.Header = header.Clone()
	}
	request.GetBody = nil // the transport is not to send it again by itself
	request.Header.Set("Authorization", "Bearer "+l.token)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("X-Request-Id", requestID)
	answer, err := l.http.Do(request)
	if err != nil {
		l.ledger.unanswered(mark, requestID)
		return 0, 0, err
	}
	defer func() { _ = answer.Body.Close() }()
	said, err := io.ReadAll(answer.Body)
	if err != nil {
		l.ledger.unanswered(mark, requestID)
		return 0, 0, err
	}
	if answer.StatusCode >= http.StatusBadRequest {
		l.ledger.answered(answer.StatusCode, mark, fmt.Sprintf("%s %s: %d %s", method, path, answer.StatusCode, said))
		return answer.StatusCode, 0, nil
	}
	if answer.StatusCode == http.StatusNoContent || strings.Contains(path, "dry_run=true") { // which have no ETag
		return answer.StatusCode, 0, nil
	}
	tag, err := strconv.Unquote(answer.Header.Get("ETag"))
	if err != nil {
		return 0, 0, fmt.Errorf("an answer without ETag: %s", said)
	}
	revision, err = strconv.ParseInt(tag, 10, 64)
	return answer.StatusCode, revision, err
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
