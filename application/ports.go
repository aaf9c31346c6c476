package application

import (
	"context"
	"time"

	"github.com/clientele-oauth/clientele/domain"
)

// Store keeps clients and the log of their revisions.
type Store interface {
	// Find returns the client of that tenant with that identifier, as its last
	// committed revision left it. Where there is none it returns [ErrNotFound].
	Find(ctx context.Context, tenant domain.TenantID, id domain.ClientID) (domain.Client, error)

	// Commit makes r the client's newest revision: it stores the client and
	// appends r to the log, both or neither, durably before it returns. The
	// revision before r's must be the newest one, otherwise nothing changes and
	// it returns [ErrConflict]; so it does where revision 1 brings an
	// identifier that is taken, in whichever tenant. A tie between concurrent
	// commits is won by exactly one.
	Commit(ctx context.Context, r domain.Revision) error

	// Revisions returns the log of a client, newest first, at most limit
	// entries with numbers below before; a before of 0 is no bound. The clients
	// in it have no secrets.
	Revisions(
		ctx context.Context, tenant domain.TenantID, id domain.ClientID, before domain.RevisionNumber, limit int,
	) ([]domain.Revision, error)

	// Ping returns nil where the store can serve.
	Ping(ctx context.Context) error
}

// KeyResolver reads public keys into the facts that rules judge.
type KeyResolver interface {
	// Parse reads the JSON text of a JWK Set. What is wrong with the text is in
	// the facts; it never fails.
	Parse(jwks string) domain.KeySet

	// Fetch reads the JWK Set behind a URI, or remembers what it read a short
	// while ago; at is when that was. It returns in a few seconds whatever the
	// host does, and never asks an address that is not allowed to hold keys.
	Fetch(ctx context.Context, uri string) (keys domain.Keys, at time.Time)
}

// Clock tells the time.
type Clock interface {
	Now() time.Time
}

// Random makes identifiers and secrets.
type Random interface {
	// ID returns a new identifier: unique, sortable by time, made of lower-case
	// letters, digits and hyphens.
	ID() string
	// Entropy returns 32 bytes that no one can guess.
	Entropy() [domain.SecretEntropy]byte
}
