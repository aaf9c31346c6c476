package mirror

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/clientele-oauth/clientele/api/client"
)

// Errors of [Mirror]. Use errors.Is to find them.
var (
	// ErrNotFound reports that there is no such client, or that it is suspended or deleted.
	ErrNotFound = errors.New("the client does not exist or is not active")
	// ErrWrongSecret reports that the value is not a valid secret of the client.
	ErrWrongSecret = errors.New("the value is not a valid secret of the client")
	// ErrNotAuthenticated reports that a request does not authenticate a client.
	ErrNotAuthenticated = errors.New("the client is not authenticated")
	// ErrUnavailable reports that the mirror cannot know: it has no copy yet, or it needs
	// the registry and the registry is not available.
	ErrUnavailable = errors.New("the registry is not available")
	// ErrStale reports that the copy is older than [Config].MaxStaleness. It wraps
	// [ErrUnavailable].
	ErrStale = fmt.Errorf("the copy of the clients is too old: %w", ErrUnavailable)
)

// Defaults and limits of [Config].
const (
	defaultStaleness = 24 * time.Hour
	minStaleness     = 3 * time.Second
	defaultResync    = time.Hour
	minResync        = time.Second
	defaultMaxBytes  = 512 << 20
)

// Config configures a mirror. Only Client is required.
type Config struct {
	// Client is a client of the registry, made with client.Connect. Its token needs the
	// scopes clients:read and clients:verify. client.Connect calls its TokenSource for each
	// request, so a source that reads a file, or renews the token, needs nothing else.
	Client *client.ClientWithResponses
	// File is where a copy is kept, so that the server can start while the registry is not
	// available. It needs a folder that only the server can write to, and a file for each
	// mirror. It has no secrets; with Verifiers it has their hashes. Empty keeps no file.
	File string
	// MaxStaleness is how long the copy may be used without contact to the registry;
	// after that reads fail with [ErrStale]. 0 means 24 hours; negative means no limit. The
	// minimum is 3 seconds.
	MaxStaleness time.Duration
	// Verifiers keeps the hashes of secrets, so that secrets are verified without the
	// registry. The token needs the scope clients:verifiers. Hashes of other algorithms
	// than SHA-256 are not used; see "Hashes for other servers" in docs/operating.md.
	Verifiers bool
	// Resync is the time after which the mirror reads a new snapshot, because an upgrade of
	// the registry may change what a server is to apply without a revision of a client. 0
	// means an hour; negative means never.
	Resync time.Duration
	// MaxBytes limits the documents that the mirror keeps in memory. A registry with more
	// cannot be mirrored. 0 means 512 MiB.
	MaxBytes int64
	// Documents lets [Mirror.Resolve] request clients from the registry whose identifier is the
	// URL of a client ID metadata document, if the policy of the registry admits it.
	Documents bool
	// OnChange is called after each change of the copy, in the order of the changes. It
	// must not block: the mirror does not follow the registry until it returns.
	OnChange func(Change)
	// Log gets a line when the contact to the registry is lost or regained, and when a file
	// cannot be used. The default is slog.Default().
	Log *slog.Logger
}

// ActionResync is the action of a [Change] for a new snapshot.
const ActionResync = "resync"

// Change is a change of the copy.
type Change struct {
	// Action is the action in the feed, such as "update", or [ActionResync] if any client
	// may have changed; the other fields are then empty.
	Action   string
	ClientID string
	Revision int64
	// Client is nil if the client is deleted, suspended or cannot be read.
	Client *Client
}

// Mirror is a copy of the clients of a registry. It is safe for concurrent use.
type Mirror struct {
	config   Config
	registry registry
	now      func() time.Time
	key      []byte // of the HMAC of values in caches
	context  context.Context
	cancel   context.CancelFunc
	done     chan struct{} // closed when the follower has ended
	flights  sync.WaitGroup
	verify   chan struct{} // a place for each verification that runs
	// resolutions has a place for each request for a document that runs.
	resolutions chan struct{}
	documents   *documents
	published   serverMetadata

	mu       sync.RWMutex
	closed   bool
	state    *state
	contact  time.Time // when the copy was last known to be complete; zero if never
	fromFile bool      // there was no contact since the copy was read from the file
	failure  error     // of the last request of the follower; nil after a success
	synced   chan struct{}

	// The fields below belong to the follower.
	pending  map[string]bool // clients whose verifiers have to be read
	dirty    bool            // the file lacks a change
	saved    time.Time       // when the file was last written
	saveCost time.Duration   // how long that took
	saveErr  error
}

// Open returns a mirror of the registry. It returns when the copy is complete: after the
// first snapshot, or after the file was read and the registry was asked for the changes
// since, for which it waits at most two seconds. The error wraps [ErrUnavailable] and the
// reason if the context ends before there is a copy. The mirror must be closed.
func Open(ctx context.Context, config Config) (*Mirror, error) {
	return open(ctx, config, time.Now)
}

// fileWait is how long Open waits for the registry if it has a copy from the file.
const fileWait = 2 * time.Second

func open(ctx context.Context, config Config, now func() time.Time) (*Mirror, error) {
	if err := config.complete(); err != nil {
		return nil, err
	}
	m := &Mirror{
		config: config, now: now, key: make([]byte, 32),
		registry: newRegistry(config.Client, config.MaxBytes, config.Verifiers),
		state:    newState(), done: make(chan struct{}), synced: make(chan struct{}),
		verify: make(chan struct{}, maxVerifications), pending: map[string]bool{},
		resolutions: make(chan struct{}, maxResolutions), documents: newDocuments(),
	}
	if _, err := rand.Read(m.key); err != nil {
		return nil, err
	}
	loaded := m.load()
	m.context, m.cancel = context.WithCancel(context.WithoutCancel(ctx))
	go m.follow(m.context) //nolint:contextcheck // it outlives Open
	wait := ctx
	if loaded {
		var stop context.CancelFunc
		wait, stop = context.WithTimeout(ctx, fileWait)
		defer stop()
	}
	select {
	case <-m.synced:
		return m, nil
	case <-wait.Done():
	}
	if loaded && ctx.Err() == nil {
		return m, nil
	}
	reason := errors.Join(m.Health().LastError, context.Cause(ctx))
	_ = m.Close()
	return nil, fmt.Errorf("%w: %w", ErrUnavailable, reason)
}

// complete fills in the defaults.
func (c *Config) complete() error {
	if c.Client == nil {
		return errors.New("mirror: Config.Client is required")
	}
	if c.MaxStaleness == 0 {
		c.MaxStaleness = defaultStaleness
	}
	if c.MaxStaleness > 0 && c.MaxStaleness < minStaleness {
		return fmt.Errorf("mirror: Config.MaxStaleness must be at least %v", minStaleness)
	}
	if c.Resync == 0 {
		c.Resync = defaultResync
	}
	if c.Resync > 0 && c.Resync < minResync {
		return fmt.Errorf("mirror: Config.Resync must be at least %v", minResync)
	}
	if c.MaxBytes <= 0 {
		c.MaxBytes = defaultMaxBytes
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	return nil
}

// Close ends the mirror, waits for its goroutines, and writes the file. The error is that
// of writing the file. Reads continue to use the copy until it is too old.
func (m *Mirror) Close() error {
	m.mu.Lock()
	m.closed = true
	m.mu.Unlock()
	m.cancel()
	<-m.done
	m.flights.Wait()
	return m.saveErr
}

// Get returns the client, if it is in the copy and active. It sends nothing; [Mirror.Resolve] also
// finds clients that are not in the copy. The error is [ErrNotFound], [ErrStale] or
// [ErrUnavailable].
func (m *Mirror) Get(id string) (*Client, error) {
	e, err := m.find(id)
	if err != nil {
		return nil, err
	}
	return e.client, nil
}

// find returns the entry of an active client.
func (m *Mirror) find(id string) (*entry, error) {
	e, _, err := m.lookup(id)
	return e, err
}

// lookup returns the entry of an active client. known reports whether the copy has the client,
// active or not, if the copy can be used.
func (m *Mirror) lookup(id string) (e *entry, known bool, err error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.contact.IsZero() {
		if m.failure != nil {
			return nil, false, fmt.Errorf("%w: %w", ErrUnavailable, m.failure)
		}
		return nil, false, ErrUnavailable
	}
	if age := since(m.contact, m.now()); m.config.MaxStaleness > 0 && age > m.config.MaxStaleness {
		return nil, false, fmt.Errorf("%w: it is %v old", ErrStale, age.Round(time.Second))
	}
	e = m.state.clients[id]
	switch {
	case e == nil:
		return nil, false, ErrNotFound
	case e.client == nil:
		return nil, true, fmt.Errorf("%w: the registry cannot read the record of the client", ErrUnavailable)
	case !e.client.Active:
		return nil, true, ErrNotFound
	default:
		return e, true, nil
	}
}

// Health reports the state of a mirror.
type Health struct {
	// Synced reports whether there is a copy. FromFile reports that it comes from the file,
	// without contact to the registry since then.
	Synced, FromFile bool
	// Stale reports that reads fail, because the copy is older than MaxStaleness.
	Stale bool
	// Age is the time since the copy was last known to be complete. It is at most half a
	// minute while the registry is available and nothing changes.
	Age time.Duration
	// Contact is the time of the last contact.
	Contact time.Time
	// Clients is the number of clients in the copy, including suspended ones, and Bytes the
	// size of their documents.
	Clients int
	Bytes   int64
	// Documents is the number of clients that are kept in addition because [Mirror.Resolve]
	// read their client ID metadata documents.
	Documents int
	// Cursor is the position in the change feed.
	Cursor string
	// LastError is why the last request of the follower failed, or nil if it succeeded.
	LastError error
}

// Health returns the state of the mirror.
func (m *Mirror) Health() Health {
	m.mu.RLock()
	defer m.mu.RUnlock()
	h := Health{
		Synced: !m.contact.IsZero(), FromFile: m.fromFile, Contact: m.contact, Clients: len(m.state.clients),
		Bytes: m.state.bytes, Documents: m.documents.count(), Cursor: m.state.cursor, LastError: m.failure,
	}
	if h.Synced {
		h.Age = since(m.contact, m.now())
		h.Stale = m.config.MaxStaleness > 0 && h.Age > m.config.MaxStaleness
	}
	return h
}

// since returns the time between two times, by the clock that shows more: the monotonic
// clock may stop while a machine sleeps, and the other one may be set back.
func since(start, now time.Time) time.Duration {
	return max(now.Sub(start), now.Round(0).Sub(start.Round(0)), 0)
}
