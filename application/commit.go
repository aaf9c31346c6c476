package application

// This file is the path of every change of a client: read, decide, commit.

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/clientele-oauth/clientele/domain"
)

// An update that lost a race is retried after a random pause, which grows from minPause
// to maxPause to spread out concurrent updates. After maxAttempts the caller gets
// [ErrConflict], and nothing was changed.
const (
	maxAttempts = 100
	minPause    = time.Millisecond
	maxPause    = 50 * time.Millisecond
)

// decision computes the next revision of a client. Nothing is stored if there is an
// error, if the findings have violations, or if the revision is unchanged.
type decision func(ctx context.Context, c domain.Client, now time.Time) (domain.Outcome, error)

// revising returns the decision that applies a change to the configuration.
func (r *Registry) revising(change domain.Change) decision {
	return func(ctx context.Context, c domain.Client, now time.Time) (domain.Outcome, error) {
		draft, err := r.config.Book.Revise(c, change)
		if err != nil {
			return domain.Outcome{}, err
		}
		return r.decide(ctx, c.Identity().TenantID, draft, now)
	}
}

// decide reads the documents that the draft needs, and validates it. No lock is held and
// no transaction is open while they are fetched. The error is that of
// [KeyResolver.Fetch].
func (r *Registry) decide(ctx context.Context, tenant domain.TenantID, draft *domain.Draft, now time.Time) (domain.Outcome, error) {
	source, fetch := draft.Keys()
	keys, err := resolve(ctx, r.config.Keys, tenant, source, fetch)
	if err != nil {
		return domain.Outcome{}, err
	}
	uri, fetch := draft.SectorIdentifier()
	sector, err := resolveSector(ctx, r.config.Sectors, tenant, uri, fetch)
	if err != nil {
		return domain.Outcome{}, err
	}
	return draft.Decide(domain.Facts{Keys: keys, Sector: sector, Server: serverOf(ctx, r.config.Servers, tenant)}, now), nil
}

// change reads, decides and commits. It repeats this if the client was changed in the
// meantime.
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

// pause waits before the next attempt. The error is [ErrConflict] if the context ends
// first.
func pause(ctx context.Context, attempt int) error {
	longest := min(minPause<<min(attempt, 10), maxPause)
	timer := time.NewTimer(rand.N(longest)) //nolint:gosec // the pause is not a secret
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return errors.Join(ErrConflict, ctx.Err())
	}
}

// changeOnce reads, decides and commits. The error is [ErrConflict] if the client was
// changed in the meantime.
func (r *Registry) changeOnce(
	ctx context.Context, caller Caller, id domain.ClientID, action domain.Action, opts Options, decide decision,
) (Revised, error) {
	before, err := r.config.Store.Find(ctx, caller.Tenant, id)
	if err != nil {
		return Revised{}, err
	}
	unmet := opts.unmet(before)
	if unmet != nil && !before.Deleted() && action != domain.ActionRestore {
		return Revised{}, unmet // without fetching keys
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

// commit stores the new revision of a client.
func (r *Registry) commit(ctx context.Context, caller Caller, action domain.Action, c domain.Client, opts Options) error {
	revision := domain.Revision{
		Action: action, Actor: caller.actor(), At: c.UpdatedAt(), Client: c, Reason: opts.Reason, RequestID: opts.RequestID,
	}
	attempt := opts.record(caller, c)
	if action == domain.ActionRestore && r.config.Registrations.on() {
		opts.claim = softwareClaim(&c)
	}
	switch {
	case opts.claim != nil:
		return r.config.Registrations.Store.CommitRegistration(ctx, revision, *opts.claim, attempt)
	case attempt != nil:
		return r.config.Store.CommitOnce(ctx, revision, *attempt)
	default:
		return r.config.Store.Commit(ctx, revision)
	}
}

// softwareClaim returns the claim of a restored client to its software; nil unless its
// statement makes it unique. The statement itself is not used again.
func softwareClaim(c *domain.Client) *RegistrationClaim {
	registration := c.Registration()
	if registration == nil || registration.Statement == nil || !registration.Statement.UniqueSoftware {
		return nil
	}
	statement := *registration.Statement
	statement.ID = nil
	return &RegistrationClaim{Statement: &statement}
}

// record returns the idempotency record of a request with this result; nil if the request
// has no idempotency key.
func (o Options) record(caller Caller, c domain.Client) *IdempotencyRecord {
	if o.Idempotency == nil {
		return nil
	}
	attempt := &IdempotencyRecord{
		Subject: caller.Subject, Key: o.Idempotency.Key, Fingerprint: o.Idempotency.Fingerprint, At: c.UpdatedAt(),
		ClientID: c.Identity().ClientID, Revision: c.Revision(),
	}
	if secrets := c.Secrets(); len(secrets) > 0 { // requests that can be repeated create the newest secret
		attempt.CreatedID = secrets[len(secrets)-1].ID
	}
	return attempt
}

// checkProcessed returns [ErrAlreadyProcessed] if an earlier request with the same
// idempotency key succeeded.
func (r *Registry) checkProcessed(ctx context.Context, caller Caller, opts Options) error {
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

// isRepeated reports whether a request failed because an equal request succeeded, either
// earlier or in the meantime. In the second case the failure may be any conflict with
// the result of that request.
func (r *Registry) isRepeated(ctx context.Context, caller Caller, opts Options, failure error) bool {
	return failure != nil && (errors.Is(failure, ErrAlreadyProcessed) || errors.Is(r.checkProcessed(ctx, caller, opts), ErrAlreadyProcessed))
}

// attempt returns the record of an earlier request with the same idempotency key. The
// error is [ErrNotFound] or, if that was a different request, [ErrKeyReused].
func (r *Registry) attempt(ctx context.Context, caller Caller, opts Options) (IdempotencyRecord, error) {
	attempt, err := r.findRecord(ctx, caller, opts.Idempotency.Key)
	if err == nil && attempt.Fingerprint != opts.Idempotency.Fingerprint {
		return IdempotencyRecord{}, ErrKeyReused
	}
	return attempt, err
}

// findRecord returns the record of an earlier request of the caller with the idempotency
// key. The error is [ErrNotFound] or that of the store.
func (r *Registry) findRecord(ctx context.Context, caller Caller, key string) (IdempotencyRecord, error) {
	record, err := r.config.Store.FindIdempotencyRecord(ctx, caller.Tenant, caller.Subject, key)
	switch {
	case err != nil:
		return IdempotencyRecord{}, err
	case r.now().Sub(record.At) > IdempotencyRetention:
		return IdempotencyRecord{}, ErrNotFound
	default:
		return record, nil
	}
}

// resolve reads the keys at source; keys at a URI only if fetch is true. The error is
// that of [KeyResolver.Fetch].
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

// resolveSector reads the document at a sector_identifier_uri if fetch is set. The error
// is that of [SectorResolver.FetchSectorIdentifier].
func resolveSector(
	ctx context.Context, resolver SectorResolver, tenant domain.TenantID, uri string, fetch bool,
) (domain.SectorIdentifier, error) {
	if uri == "" || !fetch {
		return domain.SectorIdentifierUnexamined(), nil
	}
	return resolver.FetchSectorIdentifier(ctx, tenant, uri)
}

// serverOf returns what the authorization server of the tenant supports.
func serverOf(ctx context.Context, servers Servers, tenant domain.TenantID) domain.ServerMetadata {
	if servers == nil {
		return domain.ServerMetadata{}
	}
	return servers.Server(ctx, tenant)
}

// unmet returns nil if the client meets the preconditions, otherwise
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
