package mirror

import (
	"context"
	"errors"
	"sync"
	"time"
)

// How long what a server should publish is used, how long a request for it may take, since
// discovery works without it, and how long after a failure the next attempt is made.
const (
	metadataFresh   = time.Minute
	metadataTimeout = 2 * time.Second
	metadataFailure = 5 * time.Second
)

// ServerMetadata are the members of the metadata of an authorization server (RFC 8414 §2) about
// the ways in which new clients register.
type ServerMetadata struct {
	// RegistrationEndpoint is where clients register themselves at the registry (RFC 7591);
	// empty unless registration is open to all.
	RegistrationEndpoint string `json:"registration_endpoint,omitempty"`
	// DocumentsSupported reports whether a client_id may be the URL of a client ID metadata
	// document. It is false without [Config].Documents.
	DocumentsSupported bool `json:"client_id_metadata_document_supported,omitempty"`
}

// serverMetadata is what was known last. The zero value is ready to use.
type serverMetadata struct {
	mu      sync.Mutex
	known   ServerMetadata
	next    time.Time     // when the next request is due
	running chan struct{} // closed when the request that runs has ended; nil if none runs
}

// ServerMetadata returns what the server should publish, as the policy of the registry has
// it. It requests them from the registry at most once a minute, with one request for all
// callers. While the registry is unavailable, or if the context ends before it responds, the
// result is what was known last.
func (m *Mirror) ServerMetadata(ctx context.Context) ServerMetadata {
	if running := m.joinServerMetadata(); running != nil {
		select {
		case <-running:
		case <-ctx.Done():
		}
	}
	s := &m.published
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.known
}

// joinServerMetadata returns a channel that is closed when the request that runs has ended. It
// starts one if it is time for it. The result is nil if there is nothing to wait for.
func (m *Mirror) joinServerMetadata() <-chan struct{} {
	m.mu.RLock()
	defer m.mu.RUnlock()
	s := &m.published
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running == nil && !m.closed && !m.now().Before(s.next) {
		s.running = make(chan struct{})
		m.flights.Go(m.requestServerMetadata)
	}
	return s.running
}

// requestServerMetadata requests the metadata from the registry, and keeps them.
func (m *Mirror) requestServerMetadata() {
	started := m.now()
	known, err := m.registry.serverMetadata(m.context)
	known.DocumentsSupported = known.DocumentsSupported && m.config.Documents
	s := &m.published
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		s.known, s.next = known, started.Add(metadataFresh)
	} else {
		s.next = m.now().Add(metadataFailure)
	}
	close(s.running)
	s.running = nil
}

// serverMetadata requests the metadata of the server from the registry.
func (r registry) serverMetadata(ctx context.Context) (ServerMetadata, error) {
	ctx, cancel := context.WithTimeout(ctx, metadataTimeout)
	defer cancel()
	response, err := r.client.GetAuthorizationServerMetadata(ctx, nil)
	var body struct {
		Data *ServerMetadata `json:"data"`
	}
	if _, err := read(response, err, maxSmallBytes, &body); err != nil {
		return ServerMetadata{}, err
	}
	if body.Data == nil {
		return ServerMetadata{}, errors.New("the response has no metadata of a server")
	}
	return *body.Data, nil
}
