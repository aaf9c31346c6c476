package application

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/clientele-oauth/clientele/domain"
)

// SecretOptions are the options of a new secret.
type SecretOptions struct {
	Description string
	// ExpiresAt is the end of the secret. nil means never, or after the secret_ttl with which
	// the client registered itself.
	ExpiresAt *time.Time
	// Hash is the hash of a value that the client already has, made by another system;
	// empty for a new random value. Only administrators may give one.
	Hash string
}

// IssuedSecret is a new secret.
type IssuedSecret struct {
	Client domain.Client
	Secret domain.Secret
	// Value is returned only once; it is empty if an earlier request created the
	// secret, and for an imported secret, whose value only the client knows.
	Value    string
	Repeated bool
}

// SecretState is a secret and its last use.
type SecretState struct {
	domain.Secret
	Status     domain.SecretStatus
	LastUsedAt time.Time // zero if it was never used
}

// ListSecrets returns the records of a client's secrets, oldest first. The errors are
// those of [Registry.Find].
func (r *Registry) ListSecrets(ctx context.Context, caller Caller, id domain.ClientID) ([]SecretState, error) {
	client, err := r.find(ctx, caller, OpListSecrets, id)
	if err == nil {
		err = requireSecrets(client)
	}
	if err != nil {
		return nil, err
	}
	used, err := r.config.Store.SecretUses(ctx, caller.Tenant, id)
	if err != nil {
		return nil, fmt.Errorf("list secrets: %w", err)
	}
	now := r.now()
	var states []SecretState
	for _, s := range client.Secrets() {
		state := SecretState{Secret: s, Status: s.Status(now), LastUsedAt: used[s.ID]}
		if at := r.uses.last(caller.Tenant, id, s.ID); at.After(state.LastUsedAt) {
			state.LastUsedAt = at
		}
		states = append(states, state)
	}
	return states, nil
}

// CreateSecret adds a secret to a client. The errors are those of [Registry.Revise],
// [domain.Secret.WithExpiry] and [SecretHashes.Parse], [ErrKeyReused],
// [domain.ErrNoSecretUse], [domain.ErrTooManySecrets] and [domain.ErrSecretsUnreadable].
func (r *Registry) CreateSecret(
	ctx context.Context, caller Caller, id domain.ClientID, options SecretOptions, opts Options,
) (IssuedSecret, error) {
	if err := caller.May(OpCreateSecret); err != nil {
		return IssuedSecret{}, err
	}
	secretOf := r.newSecret
	if options.Hash != "" {
		if err := caller.mayImport(OpCreateSecret); err != nil {
			return IssuedSecret{}, err
		}
		hash, err := r.config.Hashes.Parse(options.Hash)
		if err != nil {
			return IssuedSecret{}, err
		}
		secretOf = func(now time.Time) (domain.Secret, string) { return r.importedSecret(hash, now), "" }
	}
	return r.issue(ctx, caller, id, domain.ActionCreateSecret, opts, secretOf,
		func(c domain.Client, s *domain.Secret, now time.Time) (domain.Client, error) {
			s.Description = options.Description
			*s = limited(c, *s)
			if options.ExpiresAt != nil && !c.Deleted() {
				var err error
				if *s, err = s.WithExpiry(*options.ExpiresAt, now); err != nil {
					return c, err
				}
			}
			return c.IssueSecret(*s, now)
		})
}

// RotateSecret replaces the secrets of a client with a new one. The replaced secrets
// still verify for the grace period; nil means the default of the registry. The new one of a
// client that registered itself with a secret_ttl ends after this time. The errors
// are those of [Registry.Revise], [ErrKeyReused], [domain.ErrNoSecretUse] and
// [domain.ErrSecretsUnreadable].
func (r *Registry) RotateSecret(
	ctx context.Context, caller Caller, id domain.ClientID, grace *time.Duration, opts Options,
) (IssuedSecret, error) {
	if err := caller.May(OpRotateSecret); err != nil {
		return IssuedSecret{}, err
	}
	if grace == nil {
		grace = &r.config.Grace
	}
	return r.issue(ctx, caller, id, domain.ActionRotateSecret, opts, r.newSecret,
		func(c domain.Client, s *domain.Secret, now time.Time) (domain.Client, error) {
			*s = limited(c, *s)
			return c.RotateSecret(*s, *grace, now)
		})
}

// limited returns a new secret of the client that ends after the
// [domain.RegistrationPolicy.SecretTTL] with which it registered itself.
func limited(c domain.Client, s domain.Secret) domain.Secret {
	if registration := c.Registration(); registration.SelfRegistered() && registration.Policy.SecretTTL > 0 {
		s.ExpiresAt = s.CreatedAt.Add(registration.Policy.SecretTTL)
	}
	return s
}

// issue creates a secret and adds it to the client.
func (r *Registry) issue(
	ctx context.Context, caller Caller, id domain.ClientID, action domain.Action, opts Options,
	secretOf func(now time.Time) (secret domain.Secret, value string),
	put func(domain.Client, *domain.Secret, time.Time) (domain.Client, error),
) (IssuedSecret, error) {
	err := r.checkProcessed(ctx, caller, opts)
	if err == nil {
		var secret domain.Secret
		var value string
		var revised Revised
		revised, err = r.change(ctx, caller, id, action, opts,
			func(_ context.Context, c domain.Client, now time.Time) (outcome domain.Outcome, err error) {
				secret, value = secretOf(now)
				outcome.Client, err = put(c, &secret, now)
				return outcome, err
			})
		if err == nil {
			return IssuedSecret{Client: revised.Client, Secret: secret, Value: value}, nil
		}
	}
	if !r.isRepeated(ctx, caller, opts, err) {
		return IssuedSecret{}, err
	}
	return r.earlierSecret(ctx, caller, opts)
}

// earlierSecret returns the secret that an earlier request created. If it was deleted in
// the meantime, only its id and the time are known.
func (r *Registry) earlierSecret(ctx context.Context, caller Caller, opts Options) (IssuedSecret, error) {
	attempt, err := r.attempt(ctx, caller, opts)
	if err != nil {
		return IssuedSecret{}, err
	}
	client, err := r.config.Store.Find(ctx, caller.Tenant, attempt.ClientID)
	if err == nil {
		err = requireSecrets(client)
	}
	if err != nil {
		return IssuedSecret{}, err
	}
	issued := IssuedSecret{Client: client, Repeated: true, Secret: domain.Secret{ID: attempt.CreatedID, CreatedAt: attempt.At}}
	for _, s := range client.Secrets() {
		if s.ID == attempt.CreatedID {
			issued.Secret = s
		}
	}
	return issued, nil
}

// DeleteSecret deletes a secret of a client. The errors are those of [Registry.Revise],
// [domain.ErrNoSuchSecret], [domain.ErrLastSecret] and [domain.ErrSecretsUnreadable].
func (r *Registry) DeleteSecret(ctx context.Context, caller Caller, id domain.ClientID, secretID string, opts Options) error {
	if err := caller.May(OpDeleteSecret); err != nil {
		return err
	}
	_, err := r.change(ctx, caller, id, domain.ActionDeleteSecret, opts,
		func(_ context.Context, c domain.Client, now time.Time) (outcome domain.Outcome, err error) {
			outcome.Client, err = c.DeleteSecret(secretID, now)
			return outcome, err
		})
	return err
}

func (r *Registry) newSecret(now time.Time) (secret domain.Secret, value string) {
	return domain.NewSecret("secret_"+r.config.Random.ID(), r.config.Random.Entropy(), r.pepper(), now)
}

// pepper returns the key that new hashes are made under; the zero value if there is none.
func (r *Registry) pepper() domain.Pepper {
	if len(r.config.Peppers) == 0 {
		return domain.Pepper{}
	}
	return r.config.Peppers[0]
}

// importedSecret returns the record of a secret of another system.
func (r *Registry) importedSecret(hash domain.ImportedHash, now time.Time) domain.Secret {
	return domain.ImportSecret("secret_"+r.config.Random.ID(), hash, now)
}

// FlushSecretUses stores the times of last use that are not stored yet. It must be called
// every few seconds and at shutdown: between the calls the times are only in memory, so
// that a verification does not write to the store. Times that could not be stored are
// kept for the next call.
func (r *Registry) FlushSecretUses(ctx context.Context) error {
	uses := r.uses.take()
	if len(uses) == 0 {
		return nil
	}
	if err := r.config.Store.NoteSecretUses(ctx, uses); err != nil {
		for _, use := range uses {
			r.uses.note(use)
		}
		return fmt.Errorf("store uses of secrets: %w", err)
	}
	return nil
}

// secretUses contains the latest use of each secret until it is stored.
type secretUses struct {
	mu      sync.Mutex
	pending map[secretKey]time.Time
}

type secretKey struct {
	tenant domain.TenantID
	client domain.ClientID
	secret string
}

func (u *secretUses) note(use SecretUse) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.pending == nil {
		u.pending = map[secretKey]time.Time{}
	}
	key := secretKey{use.TenantID, use.ClientID, use.SecretID}
	if use.At.After(u.pending[key]) {
		u.pending[key] = use.At
	}
}

func (u *secretUses) last(tenant domain.TenantID, id domain.ClientID, secretID string) time.Time {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.pending[secretKey{tenant, id, secretID}]
}

// take returns the uses and removes them.
func (u *secretUses) take() []SecretUse {
	u.mu.Lock()
	defer u.mu.Unlock()
	uses := make([]SecretUse, 0, len(u.pending))
	for key, at := range u.pending {
		uses = append(uses, SecretUse{TenantID: key.tenant, ClientID: key.client, SecretID: key.secret, At: at})
	}
	u.pending = nil
	return uses
}
