package push

import (
	"context"
	"errors"
	"time"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// Ledger keeps, for each tenant and target, which process pushes and how far it is. A
// store implements it; the sentences here are tested by the suite in package pushtest.
// Times are those of the store's clock.
type Ledger interface {
	// AcquireLease gives the holder the right to push until the time to live has
	// passed, and prolongs it if the holder has it already. Each change of the holder
	// gives a greater [Lease.Fence]. The error is [ErrLeaseHeld] if another holder has
	// it. Exactly one of several concurrent calls of different holders succeeds.
	AcquireLease(ctx context.Context, of Key, holder string, ttl time.Duration) (Lease, error)

	// ReleaseLease ends the lease, so that another holder can have it at once. There is
	// no error if it has ended already.
	ReleaseLease(ctx context.Context, l Lease) error

	// SaveProgress stores what was done under the lease, all or nothing, durably before
	// it returns. The error is [ErrLeaseLost] if another holder has had it since;
	// then nothing changes.
	SaveProgress(ctx context.Context, l Lease, p Progress) error

	// PushStates returns what is stored for the targets of a tenant, ordered by target.
	PushStates(ctx context.Context, tenant domain.TenantID) ([]State, error)
}

// Key identifies what is kept in a [Ledger].
type Key struct {
	Tenant domain.TenantID
	Target string // the product and where it is, e.g. "hydra http://127.0.0.1:4445"
}

// Lease is the right to push.
type Lease struct {
	Key
	Holder string
	Fence  int64
}

// Progress is what was done since the last time.
type Progress struct {
	// Cursor is the position in the feed before which every change was pushed or has a
	// problem; empty leaves it as it is.
	Cursor application.Cursor
	// Problems replace those of the same clients, and Solved have none any more.
	Problems []Problem
	Solved   []domain.ClientID
	// Reconciled reports that a reconciliation has ended.
	Reconciled bool
}

// ProblemKind is why a client is not at the server as it should be.
type ProblemKind string

// The kinds of problems.
const (
	// ProblemRefused means that the server does not accept the client. It is pushed again when it
	// changes, and at the next reconciliation.
	ProblemRefused ProblemKind = "refused"
	// ProblemPending means that the last attempt failed, and is repeated.
	ProblemPending ProblemKind = "pending"
	// ProblemSecret means that the server holds the client, but not a secret that is valid in the
	// registry, or soon no more.
	ProblemSecret ProblemKind = "secret"
)

// Problem is a client that is not at the server as it should be.
type Problem struct {
	ClientID domain.ClientID
	Kind     ProblemKind
	Reason   string // one line, see [Words]
	Revision domain.RevisionNumber
	At       time.Time // when it was stored last
}

// State is what is stored for a target.
type State struct {
	Key
	Holder       string    // empty if no process pushes
	LeaseEnds    time.Time // zero if no process pushes
	Cursor       application.Cursor
	SavedAt      time.Time // when progress was stored last; zero if never
	ReconciledAt time.Time // zero if never
	Problems     []Problem // ordered by client
}

// The errors of a [Ledger].
var (
	// ErrLeaseHeld: another process pushes.
	ErrLeaseHeld = errors.New("another process pushes to this target")
	// ErrLeaseLost: another process has taken over.
	ErrLeaseLost = errors.New("another process has taken over")
)
