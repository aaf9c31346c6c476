// Package push keeps an authorization server that cannot read the registry up to date: it
// pushes the clients of one tenant to a [Target], and repairs what differs there. It is a
// driving part of the application: it reads the registry through its use cases, as a
// caller with [application.PermissionRead].
package push

import (
	"context"
	"errors"
	"iter"

	"github.com/clientele-oauth/clientele/domain"
)

// Target is an authorization server that clients are pushed to. The sentences here are
// tested by the suite in package pushtest, which every target runs.
//
// A target owns the clients that have a [Mark], and of these only the attributes that it
// manages. It changes nothing else at the server, and never looks at the registry.
//
// Its methods are safe for concurrent use, but the calls about one client are not
// concurrent. They return soon after the context ends, read at most a bounded number of
// bytes of each response, and repeat nothing: the worker retries. An error is a
// [*RefusedError] if the server, or the target itself, does not accept this client as it
// is; [ErrNotHeld] and [ErrExists] where the methods say so; anything else means that
// nothing is known about the result, and the call is repeated later. So wrong credentials,
// rate limits (429), 5xx and timeouts are not refusals. No error contains a secret or
// credentials.
type Target interface {
	// Name is the name of the product, e.g. "hydra". It is constant.
	Name() string

	// Traits describes what the server can do. It is constant.
	Traits() Traits

	// Check returns what the server does not take of a client, without a request. A
	// violation means that it would refuse the client or that the client could not be
	// used as it is meant; then the client is not pushed. A warning means that the
	// server ignores a setting. Pointers are into the client in the form of the
	// registry, e.g. "/redirect_uris/0".
	Check(want Client) domain.Findings

	// List returns all clients at the server, managed or not, in any order. It reads
	// them in pages, so a client that is created or deleted during that time may be missing.
	// The iteration ends with the first error.
	List(ctx context.Context) iter.Seq2[Held, error]

	// Find returns what the server holds under the identifier, managed or not. The
	// error is [ErrNotHeld] if it holds nothing.
	Find(ctx context.Context, id domain.ClientID) (Held, error)

	// Differences returns the managed attributes whose values at the server are not
	// those that Put would write, in a fixed order; none right after a Put. The mark
	// and secrets are no attributes. Whether the client is enabled is one, named
	// "enabled". It may send requests to read what List leaves out.
	Differences(ctx context.Context, want Client, held Held) ([]Difference, error)

	// Put makes the server hold the client, with its mark. If held is nil it creates
	// the client, and the error is [ErrExists] if the server holds one with this
	// identifier. Otherwise held is what List or Find returned; it replaces the
	// managed attributes and leaves all others as they are, and the error is
	// [ErrNotHeld] if the server holds nothing any more. It can take over a client
	// without a mark: whether it may is the worker's decision.
	//
	// Afterwards the server serves the client if want.Enabled() is true. Otherwise it
	// issues no more tokens to it, but keeps its secret and, if the server can, its
	// sessions. The secret becomes want.Secret; if that is empty, the server keeps
	// the one that it has.
	Put(ctx context.Context, want Client, held *Held) error

	// Disable makes the server issue no more tokens to a client that it holds, as Put
	// does for a client that is not enabled, and writes the mark. It is for a client
	// whose configuration is not known any more. A later Put enables it again, with
	// the secret that it had. The error is [ErrNotHeld] if the server holds nothing.
	Disable(ctx context.Context, held Held, mark Mark) error

	// Delete removes a client with all that belongs to it, for good. There is no error
	// if the server holds nothing.
	Delete(ctx context.Context, held Held) error
}

// Preparer is implemented by a target that needs something at the server that does not
// belong to one client. Prepare is called before each reconciliation. If dryRun is true it
// changes nothing, and the differences are what it would change.
type Preparer interface {
	Prepare(ctx context.Context, dryRun bool) ([]Difference, error)
}

// Traits describes what a server can do.
type Traits struct {
	// VerifiesSecrets reports that the server asks the registry about every secret that
	// a client presents. Then no secrets are pushed, and every client keeps working
	// through a rotation. Otherwise it holds one value for each client, which must be
	// known to be pushed.
	VerifiesSecrets bool
	// Concurrency is how many calls at a time the server can be expected to serve well.
	Concurrency int
}

// Client is a client as a server is to hold it.
type Client struct {
	// Client has the settings that an authorization server is to apply (effective
	// settings), and no records of secrets. It is not deleted.
	domain.Client
	// Secret is the value of the secret that the server is to accept from now on, also
	// for a client that is not enabled; empty for the one that it has, if any. A new
	// client that uses a secret always has a value, unless [Traits.VerifiesSecrets]. A
	// client that uses no secret has none.
	Secret string
	// Mark is to be kept with the client.
	Mark Mark
}

// Enabled reports whether the server is to serve the client.
func (c Client) Enabled() bool { return c.Settings().Status == domain.StatusActive }

// Mark is what a target keeps at the server beside a client that it manages, in a place
// that clients and users do not see. The names of the parts at the server are tenant,
// revision and secret_id, below one name "clientele" or with it as a prefix. The zero
// value is the mark of a client that is not managed.
type Mark struct {
	// Tenant is that of the client in the registry. Clients with the mark of another
	// tenant are another worker's.
	Tenant domain.TenantID
	// Revision is the one that was pushed.
	Revision domain.RevisionNumber
	// SecretID identifies the secret in the registry whose value the server holds.
	// [LockedSecret] means a random value that no client has; empty means no secret.
	SecretID string
}

// LockedSecret is the [Mark.SecretID] of a random secret that no client has.
const LockedSecret = "locked"

// Held is a client at a server.
type Held struct {
	ClientID domain.ClientID
	Mark     Mark // the zero value if the client is not managed, or its mark cannot be read
	Enabled  bool
	// Native is for the target that returned it: the server's own document, or what it
	// needs of it. It has no secrets.
	Native any
}

// Managed reports whether the client has a mark.
func (h Held) Managed() bool { return h.Mark.Tenant != "" }

// Difference is one attribute that is not as it should be.
type Difference struct {
	Attribute string // in the server's words, e.g. "redirect_uris"
	Held      string // its value at the server, for people; see [Words]
	Want      string // the value that Put writes
}

// The errors of a [Target].
var (
	// ErrNotHeld: the server holds no client with this identifier.
	ErrNotHeld = errors.New("the server has no client with this identifier")
	// ErrExists: the server holds a client with this identifier already.
	ErrExists = errors.New("the server already has a client with this identifier")
)

// RefusedError reports that a server does not accept a client. The client is pushed again
// when it changes, and at the next reconciliation.
type RefusedError struct {
	// Reason is what the server said, see [Words]. It has no secrets.
	Reason string
}

// Error returns the reason.
func (e *RefusedError) Error() string { return "refused: " + e.Reason }

// Refused returns a [*RefusedError] with the words of the server.
func Refused(said string) error { return &RefusedError{Reason: Words(said)} }
