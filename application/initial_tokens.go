package application

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/clientele-oauth/clientele/domain"
)

// IssuedInitialToken is a new initial access token.
type IssuedInitialToken struct {
	domain.InitialToken

	Value    string // returned only once; empty if an earlier request created the token
	Repeated bool
}

// suspendBatch is how many clients are suspended between two reads.
const suspendBatch = 100

// CreateInitialToken creates an initial access token (RFC 7591 §3). The error is
// [ErrForbidden] unless the caller is an administrator, [ErrRegistrationOff],
// [ErrKeyReused], an [*InvalidError] if a property is out of bounds or the policy allows
// more than that of the tenant, or that of the store.
func (r *Registry) CreateInitialToken(
	ctx context.Context, caller Caller, token domain.InitialTokenProperties, opts Options,
) (IssuedInitialToken, error) {
	if err := caller.May(OpCreateRegistrationToken); err != nil {
		return IssuedInitialToken{}, err
	}
	of, err := r.RegistrationPolicy(caller.Tenant)
	if err != nil {
		return IssuedInitialToken{}, err
	}
	token = token.WithDefaults()
	if findings := slices.Concat(token.CheckLimits(), inPolicy(of.CheckTokenPolicy(r.config.Book, token.Policy))); findings.HasViolations() {
		return IssuedInitialToken{}, &InvalidError{Findings: findings}
	}
	issued, err := r.createInitialToken(ctx, caller, token, opts)
	if r.isRepeated(ctx, caller, opts, err) {
		issued, err = r.earlierInitialToken(ctx, caller, opts)
	}
	if err != nil {
		return IssuedInitialToken{}, fmt.Errorf("create an initial access token: %w", err)
	}
	return issued, nil
}

// CheckTokenPolicy returns a violation for each key of the policy of an initial access token
// that allows more than the tenant does, because of which no client can be registered, or that
// writes to clients what the rules reject. The
// tenant trusts only the issuers in its configuration. The pointers begin with the key.
func (t TenantRegistration) CheckTokenPolicy(book *domain.Rulebook, token domain.RegistrationPolicy) domain.Findings {
	policy := t.Policy
	if policy.Issuers == nil {
		policy.Issuers = make([]string, 0, len(t.Issuers))
		for i := range t.Issuers {
			policy.Issuers = append(policy.Issuers, t.Issuers[i].Issuer)
		}
	}
	if beyond := policy.Beyond(token); beyond.HasViolations() {
		return slices.Concat(beyond, book.CheckWritten(token))
	}
	return slices.Concat(policy.Narrow(token).CheckUsable(), book.CheckWritten(token))
}

// inPolicy returns the findings about a policy with the pointers that they have in a
// request for an initial access token.
func inPolicy(findings domain.Findings) domain.Findings {
	for i := range findings {
		findings[i].Pointer = "/policy" + findings[i].Pointer
	}
	return findings
}

func (r *Registry) createInitialToken(
	ctx context.Context, caller Caller, token domain.InitialTokenProperties, opts Options,
) (IssuedInitialToken, error) {
	if err := r.checkProcessed(ctx, caller, opts); err != nil {
		return IssuedInitialToken{}, err
	}
	kept, value := domain.NewInitialToken(r.config.Random.Entropy(), r.pepper(), caller.Tenant, caller.Subject, token, r.now())
	var record *IdempotencyRecord
	if opts.Idempotency != nil {
		record = &IdempotencyRecord{
			Subject: caller.Subject, Key: opts.Idempotency.Key, Fingerprint: opts.Idempotency.Fingerprint, At: kept.CreatedAt, CreatedID: kept.ID,
		}
	}
	return IssuedInitialToken{InitialToken: kept, Value: value}, r.config.Registrations.Store.CreateInitialToken(ctx, kept, record)
}

// earlierInitialToken returns the token that an earlier request created.
func (r *Registry) earlierInitialToken(ctx context.Context, caller Caller, opts Options) (IssuedInitialToken, error) {
	attempt, err := r.attempt(ctx, caller, opts)
	if err != nil {
		return IssuedInitialToken{}, err
	}
	token, err := r.config.Registrations.Store.FindInitialToken(ctx, caller.Tenant, attempt.CreatedID)
	return IssuedInitialToken{InitialToken: token, Repeated: true}, err
}

// ListInitialTokens returns a page of the initial access tokens of the caller's tenant, in
// the order of their ids, beginning after an id, also while registration is switched off for
// the tenant. The error is [ErrForbidden] unless the caller is an administrator,
// [ErrRegistrationOff] if the [RegistrationConfig] has no ports, or that of the store.
func (r *Registry) ListInitialTokens(
	ctx context.Context, caller Caller, after string, limit int,
) (tokens []domain.InitialToken, more bool, err error) {
	if err := caller.May(OpListRegistrationTokens); err != nil {
		return nil, false, err
	}
	if !r.config.Registrations.on() {
		return nil, false, ErrRegistrationOff
	}
	tokens, more, err = r.config.Registrations.Store.InitialTokens(ctx, caller.Tenant, after, limit)
	if err != nil {
		return nil, false, fmt.Errorf("list initial access tokens: %w", err)
	}
	return tokens, more, nil
}

// RevokeInitialToken revokes an initial access token of the caller's tenant: no client can
// be registered with it any more. If suspend is set, it also suspends the clients that were
// registered with it, one after the other; after an error the call can be repeated. It works
// also while registration is switched off for the tenant. The error is [ErrForbidden] unless
// the caller is an administrator, [ErrRegistrationOff] if the [RegistrationConfig] has no
// ports, [ErrNoSuchToken] or that of the store.
func (r *Registry) RevokeInitialToken(ctx context.Context, caller Caller, id string, suspend bool, opts Options) error {
	if err := caller.May(OpDeleteRegistrationToken); err != nil {
		return err
	}
	if !r.config.Registrations.on() {
		return ErrRegistrationOff
	}
	err := r.config.Registrations.Store.RevokeInitialToken(ctx, caller.Tenant, id, r.now())
	switch {
	case errors.Is(err, ErrNotFound):
		return ErrNoSuchToken
	case err != nil:
		return fmt.Errorf("revoke an initial access token: %w", err)
	case !suspend:
		return nil
	}
	return r.suspendRegisteredWith(ctx, caller, id, opts)
}

// suspendRegisteredWith suspends the clients that were registered with the token.
func (r *Registry) suspendRegisteredWith(ctx context.Context, caller Caller, tokenID string, opts Options) error {
	suspended := domain.ChangeOf(domain.Settings{Status: domain.StatusSuspended})
	var after domain.ClientID
	for {
		clients, err := r.config.Registrations.Store.RegisteredWith(ctx, caller.Tenant, tokenID, after, suspendBatch)
		if err != nil || len(clients) == 0 {
			return err
		}
		for i := range clients {
			after = clients[i].Identity().ClientID
			_, err := r.change(ctx, caller, after, domain.ActionUpdate, opts, r.revising(suspended))
			if err != nil && !errors.Is(err, ErrNotFound) { // deleted in the meantime
				return err
			}
		}
	}
}

// IssueRegistrationToken gives a client a new registration access token, which ends the one
// before it, so that it can manage its registration (RFC 7592), also a client that did not
// register itself. The error is that of [Registry.Revise], [ErrRegistrationOff] or
// [ErrManagementOff]; the caller must be an administrator.
func (r *Registry) IssueRegistrationToken(ctx context.Context, caller Caller, id domain.ClientID, opts Options) (SelfRegistered, error) {
	if err := caller.May(OpIssueClientRegistrationToken); err != nil {
		return SelfRegistered{}, err
	}
	of, err := r.RegistrationPolicy(caller.Tenant)
	if err != nil {
		return SelfRegistered{}, err
	}
	client, err := r.config.Store.Find(ctx, caller.Tenant, id)
	if err != nil {
		return SelfRegistered{}, fmt.Errorf("issue a registration access token: %w", err)
	}
	action := domain.ActionIssueRegistrationToken
	if registration := client.Registration(); registration != nil && registration.AccessToken != nil {
		action = domain.ActionRotateRegistrationToken
	}
	var value string
	revised, err := r.change(ctx, caller, id, action, opts,
		func(_ context.Context, c domain.Client, now time.Time) (outcome domain.Outcome, err error) {
			var token domain.RegistrationToken
			token, value = domain.NewRegistrationToken(r.config.Random.Entropy(), r.pepper(), now)
			outcome.Client, err = c.IssueRegistrationToken(token, of.Policy, now)
			if err == nil && of.Policy.Unmanaged {
				err = ErrManagementOff
			}
			return outcome, err
		})
	if err != nil {
		return SelfRegistered{}, err
	}
	return SelfRegistered{Client: revised.Client, Token: value}, nil
}

// RevokeRegistrationToken ends the registration access token of a client: it cannot manage
// its registration any more. The error is that of [Registry.Revise] or
// [domain.ErrNoRegistrationToken]; the caller must be an administrator.
func (r *Registry) RevokeRegistrationToken(ctx context.Context, caller Caller, id domain.ClientID, opts Options) error {
	if err := caller.May(OpRevokeClientRegistrationToken); err != nil {
		return err
	}
	_, err := r.change(ctx, caller, id, domain.ActionRevokeRegistrationToken, opts,
		func(_ context.Context, c domain.Client, now time.Time) (outcome domain.Outcome, err error) {
			outcome.Client, err = c.RevokeRegistrationToken(now)
			return outcome, err
		})
	return err
}

// DeleteLocks lifts the locks of a client: it can change again the fields that an
// administrator changed. The error is that of [Registry.Revise]; the caller must be an
// administrator. A client without locks stays as it is.
func (r *Registry) DeleteLocks(ctx context.Context, caller Caller, id domain.ClientID, opts Options) error {
	if err := caller.May(OpDeleteClientLocks); err != nil {
		return err
	}
	_, err := r.change(ctx, caller, id, domain.ActionDeleteLocks, opts,
		func(_ context.Context, c domain.Client, now time.Time) (outcome domain.Outcome, err error) {
			outcome.Client, err = c.DeleteLocks(now)
			return outcome, err
		})
	return err
}
