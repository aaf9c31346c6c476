package application

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/clientele-oauth/clientele/domain"
)

// Config contains the ports and options of a [Registry].
type Config struct {
	Book    *domain.Rulebook
	Store   Store
	Keys    KeyResolver
	Sectors SectorResolver
	// Servers returns what the authorization servers support; nil means that nothing is
	// known.
	Servers Servers
	Clock   Clock
	Random  Random
	// Peppers are the keys with which secrets are hashed: the first one for new
	// secrets, all of them for verification. Without peppers, secrets are hashed
	// without a key.
	Peppers []domain.Pepper
	// Grace is how long a secret still verifies after it was replaced by a rotation,
	// unless the caller specifies another time.
	Grace time.Duration
	// Verifications limits the rate at which each caller verifies secrets and
	// authenticates clients; nil means no limit.
	Verifications Limiter
	// Failures limits the failed verifications of the secrets of each client; nil means
	// no limit. See [Registry.VerifySecret] for what it does to right values.
	Failures FailureLimiter
	// VerificationAge is how long the result of a verification may be kept at most; 0
	// does not allow it.
	VerificationAge time.Duration
	// Credentials reads client assertions and certificates.
	Credentials CredentialReader
	// Hashes verifies imported secrets.
	Hashes SecretHashes
	// ListTime limits the time of a list. It should be less than the time of a
	// request, so that lists do not keep the store from other requests; 0 means no
	// limit.
	ListTime time.Duration
	// SnapshotPage is the maximum number of clients that are read at once for a
	// snapshot; 0 means [defaultSnapshotPage].
	SnapshotPage int
	// MaxClients limits the number of clients per tenant, except for deleted ones; 0
	// means no limit.
	MaxClients int
	// Registrations are the ports and options for registrations from outside; the zero
	// value switches everything off.
	Registrations RegistrationConfig
}

// Registry has a method for each use case. Each method first checks the permission of
// the caller, except [Registry.PublicKeys], which needs none. A Registry is safe for
// concurrent use and must not be copied.
type Registry struct {
	config    Config
	uses      secretUses
	proven    provenSecrets
	followers followers
	seen      recentlySeen
	unused    unusedPositions
}

// NewRegistry returns a registry with these ports and options.
func NewRegistry(c Config) *Registry { return &Registry{config: c} }

// Options are the options of a change.
type Options struct {
	// DryRun validates the change and returns the result without changing anything.
	DryRun bool
	// IfMatch requires that the client is at one of these revisions; nil means any.
	IfMatch []domain.RevisionNumber
	// IfNoneMatch requires that the client is at none of these revisions.
	IfNoneMatch []domain.RevisionNumber
	// IfAbsent requires that the client does not exist, or is deleted.
	IfAbsent bool
	// Reason and RequestID are stored in the log.
	Reason    string
	RequestID string
	// Idempotency makes repeated requests take effect only once; nil disables this. It
	// has no effect in a dry run.
	Idempotency *Idempotency

	// claim is what a registration from outside uses up; nil for all other changes.
	claim *RegistrationClaim
}

// Idempotency identifies a request that may be repeated.
type Idempotency struct {
	Key         string
	Fingerprint [32]byte // digest of the whole request
}

// Registered is the result of a registration.
type Registered struct {
	Client domain.Client
	// Secret is the value of the client's first secret, which is returned only once.
	// It is empty if no authentication method of the client uses a secret, or if an
	// earlier request made the registration.
	Secret   string
	Warnings domain.Findings
	// Repeated reports that an earlier request with the same idempotency key made the
	// registration. Client is then the client as it was registered.
	Repeated bool
}

// Revised is the result of a change.
type Revised struct {
	Client   domain.Client
	Warnings domain.Findings
	// Unchanged reports that the change had no effect: Client is at the same revision
	// as before.
	Unchanged bool
	// RevokedSecrets is the number of secrets that the change revoked, because no
	// authentication method uses a secret any more.
	RevokedSecrets int
}

// Register creates a client in the caller's tenant, with the given identifier or, if
// that is empty, a generated one. The error is [ErrForbidden], [ErrTaken], [ErrQuota],
// [ErrKeyReused], an [*InvalidError] with every violation, or that of the store. In a dry
// run no identifiers are generated, and the client has no secret.
func (r *Registry) Register(
	ctx context.Context, caller Caller, id domain.ClientID, change domain.Change, opts Options,
) (Registered, error) {
	if err := caller.May(OpCreateClient); err != nil {
		return Registered{}, err
	}
	return r.registerOnce(ctx, caller, id, change, "", opts)
}

// Import is [Registry.Register] for a client that keeps the secret it has in another
// system, of which only the hash is known. The caller must be an administrator. In
// addition, an [*InvalidError] reports a hash that cannot be used.
func (r *Registry) Import(
	ctx context.Context, caller Caller, id domain.ClientID, change domain.Change, secretHash string, opts Options,
) (Registered, error) {
	if err := caller.mayImport(OpCreateClient); err != nil {
		return Registered{}, err
	}
	return r.registerOnce(ctx, caller, id, change, secretHash, opts)
}

// registerOnce registers a client, unless an earlier request with the same idempotency
// key did. secretHash is empty for a new secret.
func (r *Registry) registerOnce(
	ctx context.Context, caller Caller, id domain.ClientID, change domain.Change, secretHash string, opts Options,
) (Registered, error) {
	registered, err := r.register(ctx, caller, id, change, secretHash, opts)
	if r.isRepeated(ctx, caller, opts, err) {
		registered, err = r.earlierRegistration(ctx, caller, opts)
	}
	if err != nil {
		return Registered{}, fmt.Errorf("register a client: %w", err)
	}
	return registered, nil
}

func (r *Registry) register(
	ctx context.Context, caller Caller, id domain.ClientID, change domain.Change, secretHash string, opts Options,
) (Registered, error) {
	if err := r.checkProcessed(ctx, caller, opts); err != nil {
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
	draft := r.config.Book.Register(identity, change)
	outcome, err := r.decide(ctx, caller.Tenant, draft, now)
	if err != nil {
		return Registered{}, err
	}
	imported, findings, err := r.parseHash(secretHash, draft.Settings())
	if err != nil {
		return Registered{}, err
	}
	outcome.Findings = slices.Concat(outcome.Findings, findings)
	if outcome.Findings.HasViolations() {
		return Registered{}, &InvalidError{Findings: outcome.Findings}
	}
	registered := Registered{Client: outcome.Client, Warnings: outcome.Findings.Warnings()}
	if opts.DryRun {
		return registered, nil
	}
	if registered.Client.UsesSecret() {
		var secret domain.Secret
		if secretHash != "" {
			secret = r.importedSecret(imported, now)
		} else {
			secret, registered.Secret = r.newSecret(now)
		}
		registered.Client = registered.Client.WithFirstSecret(secret)
	}
	err = r.commit(ctx, caller, domain.ActionCreate, registered.Client, opts)
	if errors.Is(err, ErrConflict) {
		err = ErrTaken
	}
	return registered, err
}

// parseHash reads the hash of the secret of a new client, if there is one. What is wrong
// with it is in the findings, to be reported together with those of the rules.
func (r *Registry) parseHash(text string, of domain.Settings) (hash domain.ImportedHash, findings domain.Findings, err error) {
	if text == "" {
		return domain.ImportedHash{}, nil, nil
	}
	hash, err = r.config.Hashes.Parse(text)
	if invalid, ok := errors.AsType[*InvalidError](err); ok {
		findings, err = invalid.Findings, nil
	}
	if !of.UsesSecret() {
		findings = append(findings, domain.SecretHashViolation(domain.RuleSecretHashUnused,
			"no authentication method of the client uses a secret; omit secret_hash, or add client_secret_basic or client_secret_post"))
	}
	return hash, findings, err
}

// earlierRegistration returns the result of the registration by an earlier request.
func (r *Registry) earlierRegistration(ctx context.Context, caller Caller, opts Options) (Registered, error) {
	attempt, err := r.attempt(ctx, caller, opts)
	if err != nil {
		return Registered{}, err
	}
	first, err := r.revision(ctx, caller.Tenant, attempt.ClientID, attempt.Revision)
	return Registered{Client: first.Client, Repeated: true}, err
}

// Find returns a client of the caller's tenant. The error is [ErrForbidden],
// [ErrNotFound], also if the client is deleted or belongs to another tenant, or that of
// the store.
func (r *Registry) Find(ctx context.Context, caller Caller, id domain.ClientID) (domain.Client, error) {
	return r.find(ctx, caller, OpGetClient, id)
}

// find is Find for any operation.
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

// Revise changes a client of the caller's tenant. A change without effect creates no
// revision. An update that loses a race is validated again with the result of the other
// update, so updates of different fields are both kept.
//
// The error is [ErrForbidden], [ErrNotFound], [ErrPreconditionFailed] if opts.IfMatch is
// not met, an [*InvalidError] with every violation, or that of the store. On error the
// client is unchanged, except that after [ErrUnavailable] it is unknown whether the
// change was made.
func (r *Registry) Revise(
	ctx context.Context, caller Caller, id domain.ClientID, change domain.Change, opts Options,
) (Revised, error) {
	if err := caller.May(OpUpdateClient); err != nil {
		return Revised{}, err
	}
	return r.change(ctx, caller, id, domain.ActionUpdate, opts, r.revising(change))
}

// Delete deletes a client of the caller's tenant: lists and reads no longer return it,
// until it is restored. Its identifier stays reserved. The errors are those of
// [Registry.Revise].
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

// Restore restores a deleted client. If it is active, it must comply with the current
// rules. The errors are those of [Registry.Revise], [domain.ErrNotDeleted], [ErrQuota] and
// [ErrSoftwareTaken], which a dry run does not find; a purged client is [ErrNotFound].
func (r *Registry) Restore(ctx context.Context, caller Caller, id domain.ClientID, opts Options) (Revised, error) {
	return r.restore(ctx, caller, id, opts, r.config.Book.Restore)
}

// RestoreSuspended restores a deleted client as suspended, regardless of its earlier
// status, so that its configuration can be changed before it is active again. No rule
// rejects this, and keys at a URI are examined when the client is activated. The errors
// are those of [Registry.Restore].
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

// now returns the time of the registry's clock, see [nowBy].
func (r *Registry) now() time.Time { return nowBy(r.config.Clock) }

// nowBy returns the time in UTC with the resolution of the stores.
func nowBy(c Clock) time.Time { return c.Now().UTC().Truncate(time.Microsecond) }
