package client

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

// maxSnapshotLine is the maximum length of a line of a snapshot, in bytes. A client has at
// most 128 KiB of values, which JSON can make six times as long.
const maxSnapshotLine = 4 << 20

// ErrIncompleteSnapshot reports a snapshot that ended before its last line. What was read
// may be used, but clients are missing; start again from the beginning.
var ErrIncompleteSnapshot = errors.New("the snapshot is incomplete")

// errSnapshotStalled reports that no data arrived within the timeout of the HTTP client.
var errSnapshotStalled = errors.New("no data arrived in time")

// Snapshot is the response to GET /admin/oauth/snapshot, which is read while it arrives,
// so that its size does not matter. It must be closed.
type Snapshot struct {
	// ChangesCursor is where to continue in the change feed.
	ChangesCursor string
	// Unreadable lists the client_ids of the clients that the service could not read. It is
	// complete after Next has returned io.EOF.
	Unreadable []string
	// UnreadableTenants lists the tenants of these clients, in the same order; they are
	// empty unless the snapshot is of all tenants.
	UnreadableTenants []string

	body    io.Closer
	scanner *bufio.Scanner
	clients int64
	ended   error // what Next returns after the last client
}

// snapshotLine has the fields by which lines other than clients are recognized.
type snapshotLine struct {
	ChangesCursor *string   `json:"changes_cursor"`
	Clients       *int64    `json:"clients"`
	Unreadable    *[]string `json:"unreadable"`
	TenantID      string    `json:"tenant_id"`
}

// Snapshot requests a snapshot of all clients of the tenant or, with params.Tenants, of all
// tenants. Connect's timeout per attempt
// then bounds each wait for data, not the whole response. Rejections are a
// [*ProblemError].
func (c *ClientWithResponses) Snapshot(ctx context.Context, params *GetSnapshotParams) (*Snapshot, error) {
	response, err := c.GetSnapshot(ctx, params)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK { // a client that Connect did not make
		defer response.Body.Close()
		return nil, problemOf(response)
	}
	s := &Snapshot{body: response.Body, scanner: bufio.NewScanner(response.Body)}
	s.scanner.Buffer(nil, maxSnapshotLine)
	first, err := s.line()
	var line snapshotLine
	if err == nil && (json.Unmarshal(first, &line) != nil || line.ChangesCursor == nil) {
		err = errors.New("the response is not a snapshot; is this the URL of a registry?")
	}
	if err != nil {
		return nil, errors.Join(err, response.Body.Close())
	}
	s.ChangesCursor = *line.ChangesCursor
	return s, nil
}

// Next returns the next client as the JSON text of an [OAuthClientItem], which is valid
// until the next call. The error is io.EOF after the last client of a complete snapshot;
// otherwise it wraps [ErrIncompleteSnapshot].
func (s *Snapshot) Next() (json.RawMessage, error) {
	for s.ended == nil {
		text, err := s.line()
		if err != nil {
			s.ended = err
			break
		}
		var line snapshotLine
		if err := json.Unmarshal(text, &line); err != nil {
			s.ended = fmt.Errorf("%w: a line is not a JSON object", ErrIncompleteSnapshot)
			break
		}
		switch {
		case line.Unreadable != nil:
			s.Unreadable = append(s.Unreadable, *line.Unreadable...)
			s.UnreadableTenants = append(s.UnreadableTenants, slices.Repeat([]string{line.TenantID}, len(*line.Unreadable))...)
		case line.Clients != nil:
			s.ended = io.EOF
			if *line.Clients != s.clients {
				s.ended = fmt.Errorf("%w: %d of %d clients arrived", ErrIncompleteSnapshot, s.clients, *line.Clients)
			}
		default:
			s.clients++
			return text, nil
		}
	}
	return nil, s.ended
}

// line returns the next line.
func (s *Snapshot) line() ([]byte, error) {
	if s.scanner.Scan() {
		return s.scanner.Bytes(), nil
	}
	return nil, errors.Join(ErrIncompleteSnapshot, s.scanner.Err())
}

// Close closes the response.
func (s *Snapshot) Close() error { return s.body.Close() }

// isSnapshot reports whether the response to the request is read while it arrives.
func isSnapshot(r *http.Request) bool {
	return r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/admin/oauth/snapshot")
}

// stream sends a request whose response may take longer than the timeout of the HTTP
// client, which then bounds the wait for the response and for each part of it.
func stream(c *http.Client, r *http.Request) (*http.Response, error) {
	if c.Timeout == 0 {
		return c.Do(r)
	}
	patient := *c
	patient.Timeout = 0
	ctx, cancel := context.WithCancelCause(r.Context())
	stall := time.AfterFunc(c.Timeout, func() { cancel(errSnapshotStalled) })
	response, err := patient.Do(r.WithContext(ctx))
	stall.Stop()
	if err != nil {
		cancel(nil)
		return nil, err
	}
	response.Body = &stalling{ReadCloser: response.Body, timer: stall, timeout: c.Timeout, cancel: cancel}
	return response, nil
}

// stalling is a body that must not keep its reader waiting for longer than the timeout.
type stalling struct {
	io.ReadCloser
	timer   *time.Timer
	timeout time.Duration
	cancel  context.CancelCauseFunc
}

// Read implements [io.Reader].
func (s *stalling) Read(p []byte) (int, error) {
	s.timer.Reset(s.timeout)
	defer s.timer.Stop()
	return s.ReadCloser.Read(p)
}

// Close implements [io.Closer].
func (s *stalling) Close() error {
	s.timer.Stop()
	s.cancel(nil)
	return s.ReadCloser.Close()
}
