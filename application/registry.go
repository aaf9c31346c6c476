package application

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/clientele-oauth/clientele/domain"
)

// An update that lost a race is decided anew, after a random pause that grows
// from minPause to maxPause so that the rivals spread out. One that still loses
// after maxAttempts is told so; nothing is lost.
const (
	maxAttempts = 100
	minPause    = time.Millisecond
	maxPause    = 50 * time.Millisecond
)

// Registry is the use cases around clients. It is safe for concurrent use.
type Registry struct {
	Book   *domain.Rulebook
	Store  Store
	Keys   KeyResolver
	Clock  Clock
	Random Random
	Pepper domain.Pepper
}

// Options say how an update or a registration is to be done.
type Options struct {
	// DryRun judges and returns what would become, and changes nothing.
	DryRun bool
	// IfMatch demands that the client is at one of these revisions; nil
	// demands nothing.
	IfMatch []domain.RevisionNumber
}

// Registered is the outcome of a registration.
type Registered struct {
	Client domain.Client
	// Secret is the value of the client's first secret, shown this once; empty
	// where no authentication method of the client uses one.
	Secret   string
	Warnings domain.Findings
}

// Revised is the outcome of an update.
type Revised struct {
	Client   domain.Client
	Warnings domain.Findings
}

// Register makes a new client in the caller's tenant. The error is
// [ErrForbidden], an [*InvalidError] with every violation, or that of the
// store. In a dry run the client has no identifiers and no secret.
func (r *Registry) Register(ctx context.Context, caller Caller, wish domain.Change, opts Options) (Registered, error) {
	if err := caller.may(PermissionWrite); err != nil {
		return Registered{}, err
	}
	source, matters := r.Book.RegistrationKeys(wish)
	keys := resolve(ctx, r.Keys, source, matters)
	now := r.now()
	identity := domain.Identity{TenantID: caller.Tenant}
	if !opts.DryRun {
		identity.ID = "client_" + r.Random.ID()
		identity.ClientID = domain.ClientID("app-" + r.Random.ID())
	}
	client, findings := r.Book.Register(identity, wish, keys, now)
	if findings.Refuse() {
		return Registered{}, &InvalidError{Findings: findings}
	}
	registered := Registered{Client: client, Warnings: findings.Warnings()}
	if opts.DryRun {
		return registered, nil
	}
	if client.UsesSecret() {
		secret, value := domain.NewSecret("secret_"+r.Random.ID(), r.Random.Entropy(), r.Pepper, now)
		registered.Client, registered.Secret = client.WithFirstSecret(secret), value
	}
	err := r.Store.Commit(ctx, domain.Revision{
		Action: domain.ActionCreate, Actor: caller.actor(), At: now, Client: registered.Client,
	})
	if err != nil {
		return Registered{}, fmt.Errorf("register a client: %w", err)
	}
	return registered, nil
}

// Find returns a client of the caller's tenant. The error is [ErrForbidden],
// [ErrNotFound] also where the client is another tenant's, or that of the
// store.
func (r *Registry) Find(ctx context.Context, caller Caller, id domain.ClientID) (domain.Client, error) {
	if err := caller.may(PermissionRead); err != nil {
		return domain.Client{}, err
	}
	client, err := r.Store.Find(ctx, caller.Tenant, id)
	if err != nil {
		return domain.Client{}, fmt.Errorf("find client: %w", err)
	}
	return client, nil
}

// Revise changes a client of the caller's tenant. A change that changes
// nothing makes no revision. An update that loses a race is decided again over
// what the other left, so updates of different members both survive.
//
// The error is [ErrForbidden], [ErrNotFound], [ErrPreconditionFailed] where
// opts.IfMatch is not met, an [*InvalidError] with every violation, or that of
// the store; the client is then as it was, except that after [ErrUnavailable]
// the caller cannot know.
func (r *Registry) Revise(
	ctx context.Context, caller Caller, id domain.ClientID, change domain.Change, opts Options,
) (Revised, error) {
	if err := caller.may(PermissionWrite); err != nil {
		return Revised{}, err
	}
	for attempt := 1; ; attempt++ {
		revised, err := r.reviseOnce(ctx, caller, id, change, opts)
		switch {
		case err == nil:
			return revised, nil
		case !errors.Is(err, ErrConflict):
			return Revised{}, fmt.Errorf("revise client: %w", err)
		case opts.IfMatch != nil:
			return Revised{}, fmt.Errorf("revise client: %w", ErrPreconditionFailed)
		case attempt == maxAttempts:
			return Revised{}, fmt.Errorf("revise client: gave up after %d attempts: %w", attempt, err)
		}
		if err := pause(ctx, attempt); err != nil {
			return Revised{}, fmt.Errorf("revise client: %w", err)
		}
	}
}

// pause waits before the next attempt; the error is [ErrConflict] where the
// context ends first.
func pause(ctx context.Context, attempt int) error {
	longest := min(minPause<<min(attempt, 10), maxPause)
	timer := time.NewTimer(rand.N(longest)) //nolint:gosec // nothing depends on anybody not guessing a pause
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return errors.Join(ErrConflict, ctx.Err())
	}
}

// reviseOnce reads, decides and commits; [ErrConflict] tells that the client
// moved on in between.
func (r *Registry) reviseOnce(
	ctx context.Context, caller Caller, id domain.ClientID, change domain.Change, opts Options,
) (Revised, error) {
	client, err := r.Store.Find(ctx, caller.Tenant, id)
	if err != nil {
		return Revised{}, err
	}
	if !opts.met(client) {
		return Revised{}, ErrPreconditionFailed
	}
	source, matters := r.Book.RevisionKeys(client, change)
	keys := resolve(ctx, r.Keys, source, matters)
	now := r.now()
	after, findings := r.Book.Revise(client, change, keys, now)
	if findings.Refuse() {
		return Revised{}, &InvalidError{Findings: findings}
	}
	revised := Revised{Client: after, Warnings: findings.Warnings()}
	if opts.DryRun || after.Revision() == client.Revision() {
		return revised, nil
	}
	return revised, r.Store.Commit(ctx, domain.Revision{
		Action: domain.ActionUpdate, Actor: caller.actor(), At: now, Client: after,
	})
}

// resolve finds out about the keys at source; those behind a URI only where
// they matter. No lock is held and no transaction open meanwhile.
func resolve(ctx context.Context, resolver KeyResolver, source domain.KeySource, matters bool) domain.Keys {
	switch {
	case source.Inline() != "":
		return domain.KeysSeen(resolver.Parse(source.Inline()))
	case source.URI() != "" && matters:
		keys, _ := resolver.Fetch(ctx, source.URI())
		return keys
	default:
		return domain.KeysUnexamined()
	}
}

// now is the time of the registry's clock, see [nowBy].
func (r *Registry) now() time.Time { return nowBy(r.Clock) }

// nowBy is the time in UTC with the resolution that every store keeps.
func nowBy(c Clock) time.Time { return c.Now().UTC().Truncate(time.Microsecond) }

func (o Options) met(c domain.Client) bool {
	if o.IfMatch == nil {
		return true
	}
	for _, n := range o.IfMatch {
		if n == c.Revision() {
			return true
		}
	}
	return false
}
