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

// ServerMetadata are the members of the metadata of an authorization server (RFC 8414 §2) that
// say how clients that the server does not know yet become known to it.
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
	mu    sync.Mutex
	known ServerMetadata
	next  time.Time // when the registry is asked again
}

// ServerMetadata returns what the server should publish, as the policy of the registry has
// it. The registry is asked at most once a minute; while it is unavailable, the result is
// what was known last.
func (m *Mirror) ServerMetadata(ctx context.Context) ServerMetadata {
	s := &m.published
	s.mu.Lock() // callers wait for one request
	defer s.mu.Unlock()
	if now := m.now(); !now.Before(s.next) {
		known, err := m.registry.serverMetadata(ctx)
		if err == nil {
			s.known, s.next = known, now.Add(metadataFresh)
		} else {
			s.next = m.now().Add(metadataFailure)
		}
		s.known.DocumentsSupported = s.known.DocumentsSupported && m.config.Documents
	}
	return s.known
}

// serverMetadata asks the registry. The request does not end with that of the caller,
// because others wait for it.
func (r registry) serverMetadata(ctx context.Context) (ServerMetadata, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), metadataTimeout)
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
