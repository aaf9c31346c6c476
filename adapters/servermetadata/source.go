package servermetadata

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/clientele-oauth/clientele/adapters/internal/configured"
	"github.com/clientele-oauth/clientele/domain"
)

// How the metadata at a URL is kept.
const (
	fetchTimeout = 5 * time.Second
	// fresh is how long metadata is used without reading it again.
	fresh = 5 * time.Minute
	// stale is the age from which callers wait until it is read again, so that a
	// registry without requests does not go on with metadata of last week.
	stale = time.Hour
	// retryInterval is the minimum time between two reads after a failure.
	retryInterval = time.Minute
)

// source is the metadata at one location.
type source struct {
	location Location
	log      *slog.Logger
	now      func() time.Time
	read     func(ctx context.Context) ([]byte, error)
	flight   singleflight.Group

	mu      sync.Mutex
	known   domain.ServerMetadata // the zero value until the first success
	readAt  time.Time             // when known was last read; zero until the first success
	triedAt time.Time
	failed  error      // of the last read; nil if it succeeded
	file    fileStatus // of the last read
}

// fileStatus tells whether a file has changed.
type fileStatus struct {
	modified time.Time
	size     int64
	missing  bool
}

func newSource(location Location, log *slog.Logger, now func() time.Time) *source {
	s := &source{location: location, log: log.With("server", location.String()), now: now}
	if location.isURL() {
		client := configured.NewClient(fetchTimeout)
		s.read = func(ctx context.Context) ([]byte, error) {
			return configured.Get(ctx, client, location.At, "application/json", maxBytes)
		}
	} else {
		s.read = func(context.Context) ([]byte, error) { return configured.ReadFile(location.At, maxBytes) }
	}
	return s
}

// current returns the metadata that is known, and has it read again if it is due.
func (s *source) current(ctx context.Context) domain.ServerMetadata {
	switch {
	case !s.location.isURL():
		if s.fileChanged() {
			_ = s.load(ctx) // it was reported, and the last metadata stays in use
		}
	case s.due():
		outcome := s.refresh()
		if s.mustWait() {
			select {
			case <-outcome:
			case <-ctx.Done():
			}
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.known
}

// due reports whether the metadata at a URL is to be read again.
func (s *source) due() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed != nil || s.readAt.IsZero() {
		return s.now().Sub(s.triedAt) >= retryInterval
	}
	return s.now().Sub(s.readAt) >= fresh
}

// mustWait reports whether the metadata is too old to be used while it is read again.
func (s *source) mustWait() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed == nil && !s.readAt.IsZero() && s.now().Sub(s.readAt) >= stale
}

// fileChanged reports whether the file has changed since it was last read.
func (s *source) fileChanged() bool {
	status := statusOf(s.location.At)
	s.mu.Lock()
	defer s.mu.Unlock()
	return status != s.file
}

func statusOf(path string) fileStatus {
	info, err := os.Stat(path)
	if err != nil {
		return fileStatus{missing: true}
	}
	return fileStatus{modified: info.ModTime(), size: info.Size()}
}

// load reads the metadata, and returns the error.
func (s *source) load(ctx context.Context) error {
	select {
	case outcome := <-s.refresh():
		return outcome.Err
	case <-ctx.Done():
		return fmt.Errorf("the metadata of the authorization server at %s: %w", s.location.At, ctx.Err())
	}
}

// refresh reads the metadata once for all callers that need it at the same time.
func (s *source) refresh() <-chan singleflight.Result { return s.flight.DoChan("", s.readOnce) }

// readOnce reads the metadata. It has its own deadline, so that the end of one caller's
// request does not fail the others.
func (s *source) readOnce() (any, error) {
	ctx, cancel := context.WithTimeout(context.Background(), fetchTimeout)
	defer cancel()
	var status fileStatus
	if !s.location.isURL() {
		status = statusOf(s.location.At) // before reading, so that a later change is noticed
	}
	var metadata domain.ServerMetadata
	text, err := s.read(ctx)
	if err == nil {
		metadata, err = Parse(text)
	}
	if err != nil {
		err = fmt.Errorf("the metadata of the authorization server at %s: %w", s.location.At, err)
	}
	s.note(metadata, status, err)
	return nil, err
}

// note keeps the outcome of a read, and logs a failure when it begins and when it ends.
func (s *source) note(metadata domain.ServerMetadata, status fileStatus, err error) {
	s.mu.Lock()
	wasFailing := s.failed != nil
	s.triedAt, s.failed, s.file = s.now(), err, status
	if err == nil {
		s.known, s.readAt = metadata, s.triedAt
	}
	s.mu.Unlock()
	switch {
	case err != nil && !wasFailing:
		s.log.Warn("the metadata of an authorization server cannot be read", "error", err)
	case err == nil && wasFailing:
		s.log.Info("the metadata of an authorization server can be read again")
	}
}

// age returns the time since the metadata was last read; ok is false if it never was. A
// file that has not changed counts as read now.
func (s *source) age() (age time.Duration, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.location.isURL() && s.failed == nil && !s.readAt.IsZero() {
		return 0, true
	}
	return max(0, s.now().Sub(s.readAt)), !s.readAt.IsZero()
}

func (s *source) failing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed != nil
}
