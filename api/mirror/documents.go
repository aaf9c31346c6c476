package mirror

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/clientele-oauth/clientele/api/client"
)

// Limits of clients that client ID metadata documents define and that are not in the copy.
const (
	maxDocuments      = 1000
	maxDocumentsBytes = 32 << 20
	maxDocumentBytes  = 512 << 10
	maxURLBytes       = 1024
	// maxChecks is how many approved documents have a check that is remembered.
	maxChecks = 10_000
	// maxResolutions is how many requests for documents run at the same time; others wait.
	maxResolutions = 16
	// maxAttempts is how often a document is requested again because the client changed
	// during the request.
	maxAttempts = 3
)

// documentTimeout limits a request with all its retries. The registry waits for the document
// for a few seconds, and a user waits for the response.
const documentTimeout = 10 * time.Second

// How long a document is used before it is requested again: as long as the registry
// specifies, within these limits. They also limit the effect of a wrong clock.
const (
	minDocumentAge = time.Second
	maxDocumentAge = 24 * time.Hour
)

// Pauses after failures. A failure of a document that is not in the copy is short, since
// users wait; that of an approved one has no effect on users.
const (
	documentFailure = time.Second
	checkFailure    = 10 * time.Second
)

// isURL reports whether an identifier is the URL of a client ID metadata document. Other
// identifiers in a registry never begin like this.
func isURL(id string) bool {
	return strings.HasPrefix(id, "https://") || strings.HasPrefix(id, "http://")
}

// Resolve returns the client, if it is active. For all clients in the copy it is as
// [Mirror.Get]. With [Config].Documents it also returns the client whose identifier is the
// URL of a client ID metadata document that the registry admits. It requests this client from
// the registry, and uses the response for as long as the registry permits.
//
// An approved document is a client in the copy, and works while the registry is
// unavailable. The registry is asked about it in the background, so that it notices that
// the document has changed. If it responds that it does not admit the document any more, the
// client is not found until it admits the document again.
//
// The error is [ErrNotFound], with the reason of the registry, [ErrStale] or
// [ErrUnavailable]. Errors are kept for at most a second.
func (m *Mirror) Resolve(ctx context.Context, id string) (*Client, error) {
	e, err := m.resolve(ctx, id)
	if err != nil {
		return nil, err
	}
	return e.client, nil
}

// resolve returns the entry of an active client in the copy, or of a document.
func (m *Mirror) resolve(ctx context.Context, id string) (*entry, error) {
	for range maxAttempts {
		e, known, err := m.lookup(id)
		switch {
		case !m.config.Documents || !isURL(id):
			return e, err
		case err == nil:
			if err := m.checkDocument(id); err != nil {
				return nil, err
			}
			return e, nil
		case known || !errors.Is(err, ErrNotFound) || len(id) > maxURLBytes:
			return nil, err // a suspended client is not read from its URL
		}
		d, err := m.joinDocument(id)
		if err != nil {
			return nil, err
		}
		select {
		case <-d.done:
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %w", ErrUnavailable, context.Cause(ctx))
		}
		if !m.documents.isOutdated(d) {
			return d.entry, d.err
		}
	}
	return nil, fmt.Errorf("%w: the client changed during every attempt", ErrUnavailable)
}

// joinDocument returns the document that is kept or being requested. It requests it if there
// is none.
func (m *Mirror) joinDocument(id string) (*document, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.closed {
		return nil, fmt.Errorf("%w: the mirror is closed", ErrUnavailable)
	}
	d, started, err := m.documents.join(id, m.now())
	if started {
		m.flights.Go(func() { m.requestDocument(id, d) })
	}
	return d, err
}

// requestDocument requests a document.
func (m *Mirror) requestDocument(id string, d *document) {
	select {
	case m.resolutions <- struct{}{}:
		defer func() { <-m.resolutions }()
	case <-m.context.Done():
		m.documents.finish(id, d, nil, fmt.Errorf("%w: the mirror is closed", ErrUnavailable), m.now())
		return
	}
	started := m.now()
	e, age, err := m.registry.document(m.context, id)
	if err != nil {
		age = documentFailure
		started = m.now()
		if !errors.Is(err, ErrNotFound) {
			err = fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
	}
	m.documents.finish(id, d, e, err, started.Add(age))
}

// documentCheck is when an approved document was last requested from the registry. The zero value
// is ready to use.
type documentCheck struct {
	mu      sync.Mutex
	running bool
	next    time.Time
	denied  error // wraps ErrNotFound if the last response was that the document is not admitted
}

// checkDocument asks the registry about an approved document in the background, at most
// once for as long as it is fresh, and returns an error if the last response was that it is
// not admitted: the policy denies it. Nothing else of the response is used: a change of the
// client is in the feed.
func (m *Mirror) checkDocument(id string) (denied error) {
	c := m.documents.check(id)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running || m.now().Before(c.next) {
		return c.denied
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.closed {
		return c.denied
	}
	select {
	case m.resolutions <- struct{}{}:
	default:
		return c.denied // a later call checks it
	}
	c.running = true
	m.flights.Go(func() {
		defer func() { <-m.resolutions }()
		_, age, err := m.registry.document(m.context, id)
		if err != nil {
			age = checkFailure
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.running, c.next = false, m.now().Add(age)
		if err == nil || errors.Is(err, ErrNotFound) {
			c.denied = err
		}
	})
	return c.denied
}

// documents are the documents that are kept, and those that are being requested.
type documents struct {
	mu    sync.Mutex
	all   map[string]*document
	bytes int64
	// checks are those of approved documents. They outlast changes of the clients.
	checks map[string]*documentCheck
}

// document is a client that a document defines, or why there is none. The fields after done
// are set before it is closed.
type document struct {
	outdated bool // the client changed; guarded by the mutex of documents
	done     chan struct{}
	entry    *entry
	err      error
	until    time.Time
}

func newDocuments() *documents {
	return &documents{all: map[string]*document{}, checks: map[string]*documentCheck{}}
}

// check returns the check of an approved document. Beyond maxChecks of them, others are
// forgotten.
func (s *documents) check(id string) *documentCheck {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.checks[id]
	if c == nil {
		for other := range s.checks {
			if len(s.checks) < maxChecks {
				break
			}
			delete(s.checks, other)
		}
		c = &documentCheck{}
		s.checks[id] = c
	}
	return c
}

// ended reports whether the request for the document has ended.
func (d *document) ended() bool {
	select {
	case <-d.done:
		return true
	default:
		return false
	}
}

// size is what the document counts for maxDocumentsBytes.
func (d *document) size() int64 {
	if !d.ended() || d.entry == nil {
		return 0
	}
	return d.entry.size()
}

// join returns the document. If started is set, it is new, and the caller has to request it.
func (s *documents) join(id string, now time.Time) (d *document, started bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d = s.all[id]; d != nil {
		if !d.ended() || now.Before(d.until) {
			return d, false, nil
		}
		s.remove(id)
	}
	if len(s.all) >= maxDocuments && !s.evict() {
		return nil, false, fmt.Errorf("%w: too many documents are requested", ErrUnavailable)
	}
	d = &document{done: make(chan struct{})}
	s.all[id] = d
	return d, true, nil
}

// finish sets the result of a request.
func (s *documents) finish(id string, d *document, e *entry, err error, until time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d.entry, d.err, d.until = e, err, until
	close(d.done)
	if s.all[id] != d {
		return
	}
	s.bytes += d.size()
	for s.bytes > maxDocumentsBytes && s.evict() {
	}
}

// evict removes the document that ends first. It reports false if all of them are being
// requested. The caller holds the mutex.
func (s *documents) evict() bool {
	first := ""
	for id, d := range s.all {
		if d.ended() && (first == "" || d.until.Before(s.all[first].until)) {
			first = id
		}
	}
	if first == "" {
		return false
	}
	s.remove(first)
	return true
}

// remove removes a document. The caller holds the mutex.
func (s *documents) remove(id string) {
	if d := s.all[id]; d != nil {
		s.bytes -= d.size()
		delete(s.all, id)
	}
}

// drop removes a document because the client changed. A request that is running may have
// read the state before the change.
func (s *documents) drop(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d := s.all[id]; d != nil {
		d.outdated = true
		s.remove(id)
	}
}

// dropAll removes all documents.
func (s *documents) dropAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, d := range s.all {
		d.outdated = true
		s.remove(id)
	}
}

func (s *documents) isOutdated(d *document) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return d.outdated
}

// count returns the number of documents that are kept.
func (s *documents) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, d := range s.all {
		if d.ended() && d.entry != nil {
			n++
		}
	}
	return n
}

// document requests the client that a document defines from the registry, and returns for how
// long the response may be used. The error wraps [ErrNotFound] if there is none.
func (r registry) document(ctx context.Context, id string) (*entry, time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, documentTimeout)
	defer cancel()
	response, err := r.client.GetClientMetadata(ctx, &client.GetClientMetadataParams{
		ClientID: id, Format: new(client.GetClientMetadataParamsFormatRfc7591),
	})
	var text json.RawMessage
	if _, err = read(response, err, maxDocumentBytes, &text); err != nil {
		return nil, 0, noDocument(err)
	}
	var body struct {
		Document struct {
			FreshUntil time.Time `json:"fresh_until"`
		} `json:"document"`
	}
	if err := json.Unmarshal(text, &body); err != nil {
		return nil, 0, fmt.Errorf("the response cannot be read: %w", err)
	}
	c, deleted, _, err := parseClient(text)
	switch {
	case err != nil:
		return nil, 0, err
	case c.ID != id:
		return nil, 0, fmt.Errorf("the registry returned the client %q instead of %q", c.ID, id)
	case deleted || !c.Active:
		return nil, 0, ErrNotFound
	default:
		return &entry{client: c, revision: c.Revision}, freshness(response.Header, body.Document.FreshUntil), nil
	}
}

// noDocument returns [ErrNotFound] with the reason if the registry itself responded that it
// does not admit the document, or that the identifier is not one of a document.
func noDocument(err error) error {
	problem, ok := errors.AsType[*client.ProblemError](err)
	switch {
	case !ok:
		return err
	case notFound(err) && problem.Reason != "":
		return fmt.Errorf("%w: its metadata document is %s", ErrNotFound, problem.Reason)
	case notFound(err), problem.Status == http.StatusBadRequest && len(problem.Violations) > 0:
		return fmt.Errorf("%w: %w", ErrNotFound, problem)
	default:
		return err
	}
}

// freshness returns how long a response may be used, by the clock of the registry.
func freshness(header http.Header, until time.Time) time.Duration {
	now, err := http.ParseTime(header.Get("Date"))
	if err != nil {
		now = time.Now()
	}
	return min(max(until.Sub(now), minDocumentAge), maxDocumentAge)
}
