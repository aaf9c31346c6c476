package application

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
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

// Config is what a [Registry] works with.
type Config struct {
	Book   *domain.Rulebook
	Store  Store
	Keys   KeyResolver
	Clock  Clock
	Random Random
	// Peppers are the keys that secrets are hashed under: the first hashes new
	// ones, all verify. Without any, secrets are hashed without a key.
	Peppers []domain.Pepper
	// Grace is how long a secret still verifies after it was replaced by a rotation,
	// unless the caller says otherwise.
	Grace time.Duration
	// Verifications limits how often secrets are verified; nil does not.
	Verifications Limiter
	// ListTime limits the time of a list, which is less than that of a request, so
	// that lists leave the store to others; 0 does not limit it.
	ListTime time.Duration
	// SnapshotPage is the maximum number of clients that are read at once for a
	// snapshot; 0 is [defaultSnapshotPage].
	SnapshotPage int
	// MaxClients limits how many clients a tenant may have, deleted ones not
	// counted; 0 does not limit it.
	MaxClients int
}

// Registry has a method for each use case. Each of them checks the permission of
// its caller first; only [Registry.PublicKeys] needs none. It is safe for concurrent use, and must not be copied.
type Registry struct {
	config    Config
	uses      secretUses
	followers followers
}

// NewRegistry returns the registry that works with c.
func NewRegistry(c Config) *Registry { return &Registry{config: c} }

// Options say how a change is to be done.
type Options struct {
	// DryRun validates and returns the result, and changes nothing.
	DryRun bool
	// IfMatch demands that the client is at one of these revisions; nil
	// demands nothing.
	IfMatch []domain.RevisionNumber
	// IfNoneMatch demands that the client is at none of these revisions.
	IfNoneMatch []domain.RevisionNumber
	// IfAbsent demands that the client does not exist; a deleted one does not.
	IfAbsent bool
	// Reason and RequestID are kept in the log.
	Reason    string
	RequestID string
	// Idempotency makes the change once, however often it is asked for; nil
	// makes it each time. It has no meaning in a dry run.
	Idempotency *Idempotency
}

// Idempotency recognises a request that comes again.
type Idempotency struct {
	Key         string
	Fingerprint [32]byte // of everything that the request asks for
}

// Registered is the outcome of a registration.
type Registered struct {
	Client domain.Client
	// Secret is the value of the client's first secret, shown this once; empty
	// where no authentication method of the client uses one, and where the
	// registration was done by an earlier request.
	Secret   string
	Warnings domain.Findings
	// Repeated says that an earlier request with the same idempotency key did
	// it. The client is as it was registered.
	Repeated bool
}

// Revised is the outcome of a change.
type Revised struct {
	Client   domain.Client
	Warnings domain.Findings
	// Unchanged reports that there was nothing to change: Client is as it was
	// before, at the same revision.
	Unchanged bool
	// RevokedSecrets counts the secrets that ended with the change, since no
	// authentication method uses one any more.
	RevokedSecrets int
}

// Register makes a new client in the caller's tenant, with the given identifier
// or, where that is empty, one of its own. The error is [ErrForbidden],
// [ErrTaken], [ErrQuota], [ErrKeyReused], an [*InvalidError] with every violation,
// or that of the store. In a dry run the client has no identifiers of its own and no
// secret.
func (r *Registry) Register(
	ctx context.Context, caller Caller, id domain.ClientID, change domain.Change, opts Options,
) (Registered, error) {
	if err := caller.May(OpCreateClient); err != nil {
		return Registered{}, err
	}
	registered, err := r.register(ctx, caller, id, change, opts)
	if r.repeats(ctx, caller, opts, err) {
		registered, err = r.registeredBefore(ctx, caller, opts)
	}
	if err != nil {
		return Registered{}, fmt.Errorf("register a client: %w", err)
	}
	return registered, nil
}

func (r *Registry) register(
	ctx context.Context, caller Caller, id domain.ClientID, change domain.Change, opts Options,
) (Registered, error) {
	if err := r.doneBefore(ctx, caller, opts); err != nil {
		return Registered{}, err
	}
	if id != "" {
		switch _, err := r.config.Store.Find(ctx, caller.Tenant, id); {
		case err == nil:
			return Registered{}, ErrTaken
		case !errors.Is(err, ErrNotFound):
			return Registered{}, err
		}
	}
	if err := r.checkQuota(ctx, caller.Tenant); err != nil {
		return Registered{}, err
	}
	now := r.now()
	identity := domain.Identity{TenantID: caller.Tenant, ClientID: id}
	if !opts.DryRun {
		identity.ID = "client_" + r.config.Random.ID()
		if id == "" {
			identity.ClientID = domain.ClientID("app-" + r.config.Random.ID())
		}
	}
	outcome, err := r.decide(ctx, caller.Tenant, r.config.Book.Register(identity, change), now)
	if err != nil {
		return Registered{}, err
	}
	if outcome.Findings.HasViolations() {
		return Registered{}, &InvalidError{Findings: outcome.Findings}
	}
	registered := Registered{Client: outcome.Client, Warnings: outcome.Findings.Warnings()}
	if opts.DryRun {
		return registered, nil
	}
	if registered.Client.UsesSecret() {
		var secret domain.Secret
		secret, registered.Secret = r.newSecret(now)
		registered.Client = registered.Client.WithFirstSecret(secret)
	}
	err = r.commit(ctx, caller, domain.ActionCreate, registered.Client, opts)
	if errors.Is(err, ErrConflict) {
		err = ErrTaken
	}
	return registered, err
}

// registeredBefore is the outcome of the registration that an earlier request
// made.
func (r *Registry) registeredBefore(ctx context.Context, caller Caller, opts Options) (Registered, error) {
	attempt, err := r.attempt(ctx, caller, opts)
	if err != nil {
		return Registered{}, err
	}
	first, err := r.revision(ctx, caller.Tenant, attempt.ClientID, attempt.Revision)
	return Registered{Client: first.Client, Repeated: true}, err
}

// Find returns a client of the caller's tenant. The error is [ErrForbidden],
// [ErrNotFound] also where the client is deleted or another tenant's, or that of
// the store.
func (r *Registry) Find(ctx context.Context, caller Caller, id domain.ClientID) (domain.Client, error) {
	return r.find(ctx, caller, OpGetClient, id)
}

// find is Find for whichever operation.
func (r *Registry) find(ctx context.Context, caller Caller, op Operation, id domain.ClientID) (domain.Client, error) {
	if err := caller.May(op); err != nil {
		return domain.Client{}, err
	}
	client, err := r.config.Store.Find(ctx, caller.Tenant, id)
	if err == nil && client.Deleted() {
		err = ErrNotFound
	}
	if err != nil {
		return domain.Client{}, fmt.Errorf("find client: %w", err)
	}
	return client, nil
}

// List returns a page of the clients of the caller's tenant. The error is
// [ErrForbidden], [ErrListTime] or that of the store.
func (r *Registry) List(ctx context.Context, caller Caller, q Query) (Page, error) {
	return r.list(ctx, caller, OpListClients, q)
}

// list is List for whichever operation.
func (r *Registry) list(ctx context.Context, caller Caller, op Operation, q Query) (Page, error) {
	if err := caller.May(op); err != nil {
		return Page{}, err
	}
	var page Page
	err := r.withinListTime(ctx, func(ctx context.Context) (err error) {
		page, err = r.config.Store.List(ctx, caller.Tenant, q)
		return err
	})
	if err != nil {
		return Page{}, fmt.Errorf("list clients: %w", err)
	}
	return page, nil
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
	if err := caller.May(OpUpdateClient); err != nil {
		return Revised{}, err
	}
	return r.change(ctx, caller, id, domain.ActionUpdate, opts, r.revising(change))
}

// Delete ends a client of the caller's tenant: it is gone from lists and reads
// until it is restored or purged, and its identifier stays taken. The error is as
// that of [Registry.Revise].
func (r *Registry) Delete(ctx context.Context, caller Caller, id domain.ClientID, opts Options) error {
	if err := caller.May(OpDeleteClient); err != nil {
		return err
	}
	_, err := r.change(ctx, caller, id, domain.ActionDelete, opts,
		func(_ context.Context, c domain.Client, now time.Time) (outcome domain.Outcome, err error) {
			outcome.Client, err = c.Delete(now)
			return outcome, err
		})
	return err
}

// Restore brings a deleted client back. That it is active demands that it keeps
// today's rules. The error is as that of [Registry.Revise], or [domain.ErrNotDeleted]
// or [ErrQuota]; [ErrNotFound] where it was purged.
func (r *Registry) Restore(ctx context.Context, caller Caller, id domain.ClientID, opts Options) (Revised, error) {
	return r.restore(ctx, caller, id, opts, r.config.Book.Restore)
}

// RestoreSuspended restores a deleted client as suspended, whatever its status
// was, so that its configuration can be changed before it is active again. No
// rule rejects it, and keys behind a URI are examined when it is activated. The
// error is as that of [Registry.Restore].
func (r *Registry) RestoreSuspended(ctx context.Context, caller Caller, id domain.ClientID, opts Options) (Revised, error) {
	return r.restore(ctx, caller, id, opts, r.config.Book.RestoreSuspended)
}

func (r *Registry) restore(
	ctx context.Context, caller Caller, id domain.ClientID, opts Options, restore func(domain.Client) (*domain.Draft, error),
) (Revised, error) {
	if err := caller.May(OpRestoreClient); err != nil {
		return Revised{}, err
	}
	return r.change(ctx, caller, id, domain.ActionRestore, opts,
		func(ctx context.Context, c domain.Client, now time.Time) (domain.Outcome, error) {
			draft, err := restore(c)
			if err == nil {
				err = r.checkQuota(ctx, caller.Tenant)
			}
			if err != nil {
				return domain.Outcome{}, err
			}
			return r.decide(ctx, caller.Tenant, draft, now)
		})
}

// decision says what a client becomes. Nothing is stored if there is an error, if
// the findings have violations, or if the client is at the same revision as before.
type decision func(ctx context.Context, c domain.Client, now time.Time) (domain.Outcome, error)

// revising is the decision to change settings.
func (r *Registry) revising(change domain.Change) decision {
	return func(ctx context.Context, c domain.Client, now time.Time) (domain.Outcome, error) {
		draft, err := r.config.Book.Revise(c, change)
		if err != nil {
			return domain.Outcome{}, err
		}
		return r.decide(ctx, c.Identity().TenantID, draft, now)
	}
}

// decide looks up the keys that the draft needs, and decides it. No lock is held and
// no transaction is open while keys are fetched. The error is that of
// [KeyResolver.Fetch].
func (r *Registry) decide(ctx context.Context, tenant domain.TenantID, draft *domain.Draft, now time.Time) (domain.Outcome, error) {
	source, fetch := draft.Keys()
	keys, err := resolve(ctx, r.config.Keys, tenant, source, fetch)
	if err != nil {
		return domain.Outcome{}, err
	}
	return draft.Decide(keys, now), nil
}

// change reads, decides and commits, and does so again where the client moved
// on in between.
func (r *Registry) change(
	ctx context.Context, caller Caller, id domain.ClientID, action domain.Action, opts Options, decide decision,
) (Revised, error) {
	for attempt := 1; ; attempt++ {
		revised, err := r.changeOnce(ctx, caller, id, action, opts, decide)
		switch {
		case err == nil:
			return revised, nil
		case !errors.Is(err, ErrConflict):
			return Revised{}, fmt.Errorf("%s client: %w", action, err)
		case opts.IfMatch != nil:
			return Revised{}, fmt.Errorf("%s client: %w", action, ErrPreconditionFailed)
		case attempt == maxAttempts:
			return Revised{}, fmt.Errorf("%s client: gave up after %d attempts: %w", action, attempt, err)
		}
		if err := pause(ctx, attempt); err != nil {
			return Revised{}, fmt.Errorf("%s client: %w", action, err)
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

// changeOnce reads, decides and commits; [ErrConflict] tells that the client
// moved on in between.
func (r *Registry) changeOnce(
	ctx context.Context, caller Caller, id domain.ClientID, action domain.Action, opts Options, decide decision,
) (Revised, error) {
	before, err := r.config.Store.Find(ctx, caller.Tenant, id)
	if err != nil {
		return Revised{}, err
	}
	unmet := opts.unmet(before)
	if unmet != nil && !before.Deleted() && action != domain.ActionRestore {
		return Revised{}, unmet // before keys are fetched for nothing
	}
	outcome, err := decide(ctx, before, r.now())
	switch {
	case errors.Is(err, domain.ErrDeleted), errors.Is(err, domain.ErrPurged):
		return Revised{}, ErrNotFound
	case err != nil:
		return Revised{}, err
	case unmet != nil:
		return Revised{}, unmet
	case outcome.Findings.HasViolations():
		return Revised{}, &InvalidError{Findings: outcome.Findings}
	}
	after := outcome.Client
	revised := Revised{Client: after, Warnings: outcome.Findings.Warnings(), Unchanged: after.Revision() == before.Revision()}
	if !after.UsesSecret() {
		revised.RevokedSecrets = len(before.Secrets())
	}
	if opts.DryRun || revised.Unchanged {
		return revised, nil
	}
	return revised, r.commit(ctx, caller, action, after, opts)
}

// commit writes a client's new revision.
func (r *Registry) commit(ctx context.Context, caller Caller, action domain.Action, c domain.Client, opts Options) error {
	revision := domain.Revision{
		Action: action, Actor: caller.actor(), At: c.UpdatedAt(), Client: c, Reason: opts.Reason, RequestID: opts.RequestID,
	}
	if opts.Idempotency == nil {
		return r.config.Store.Commit(ctx, revision)
	}
	attempt := IdempotencyRecord{
		Subject: caller.Subject, Key: opts.Idempotency.Key, Fingerprint: opts.Idempotency.Fingerprint, At: c.UpdatedAt(),
		ClientID: c.Identity().ClientID, Revision: c.Revision(),
	}
	if secrets := c.Secrets(); len(secrets) > 0 { // what can be repeated made the newest one
		attempt.SecretID = secrets[len(secrets)-1].ID
	}
	return r.config.Store.CommitOnce(ctx, revision, attempt)
}

// doneBefore returns [ErrAlreadyProcessed] where an earlier request with the same
// idempotency key was carried out.
func (r *Registry) doneBefore(ctx context.Context, caller Caller, opts Options) error {
	if opts.Idempotency == nil || opts.DryRun {
		return nil
	}
	switch _, err := r.attempt(ctx, caller, opts); {
	case err == nil:
		return ErrAlreadyProcessed
	case errors.Is(err, ErrNotFound):
		return nil
	default:
		return err
	}
}

// repeats reports whether a request that failed was carried out by an earlier
// one, or by its twin meanwhile: what the twin left is then in its way, as that
// of a stranger would be.
func (r *Registry) repeats(ctx context.Context, caller Caller, opts Options, failure error) bool {
	return failure != nil && (errors.Is(failure, ErrAlreadyProcessed) || errors.Is(r.doneBefore(ctx, caller, opts), ErrAlreadyProcessed))
}

// attempt is what an earlier request with the same idempotency key did. The
// error is [ErrNotFound] or, where it was another request, [ErrKeyReused].
func (r *Registry) attempt(ctx context.Context, caller Caller, opts Options) (IdempotencyRecord, error) {
	attempt, err := r.config.Store.FindIdempotencyRecord(ctx, caller.Tenant, caller.Subject, opts.Idempotency.Key)
	switch {
	case err != nil:
		return IdempotencyRecord{}, err
	case r.now().Sub(attempt.At) > IdempotencyRetention:
		return IdempotencyRecord{}, ErrNotFound
	case attempt.Fingerprint != opts.Idempotency.Fingerprint:
		return IdempotencyRecord{}, ErrKeyReused
	default:
		return attempt, nil
	}
}

// resolve reads the keys at source; those behind a URI only if fetch is set. The
// error is that of [KeyResolver.Fetch].
func resolve(
	ctx context.Context, resolver KeyResolver, tenant domain.TenantID, source domain.KeySource, fetch bool,
) (domain.Keys, error) {
	switch {
	case source.Inline() != "":
		return domain.KeysSeen(resolver.Parse(source.Inline())), nil
	case source.URI() != "" && fetch:
		keys, _, err := resolver.Fetch(ctx, tenant, source.URI())
		return keys, err
	default:
		return domain.KeysUnexamined(), nil
	}
}

// now is the time of the registry's clock, see [nowBy].
func (r *Registry) now() time.Time { return nowBy(r.config.Clock) }

// nowBy is the time in UTC with the resolution that every store keeps.
func nowBy(c Clock) time.Time { return c.Now().UTC().Truncate(time.Microsecond) }

// unmet returns nil where the preconditions hold for the client, otherwise
// [ErrPreconditionFailed] or [ErrExists] (RFC 9110 §13.2.2: If-Match first).
func (o Options) unmet(c domain.Client) error {
	switch {
	case o.IfMatch != nil && !slices.Contains(o.IfMatch, c.Revision()):
		return ErrPreconditionFailed
	case slices.Contains(o.IfNoneMatch, c.Revision()), o.IfAbsent && !c.Deleted():
		return ErrExists
	default:
		return nil
	}
}
