package telemetry

import (
	"context"
	"errors"
	"time"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// TimeStore returns the store with its calls timed and its failures counted.
func (m *Metrics) TimeStore(next application.Store) application.Store {
	return timedStore{m: m, next: next}
}

type timedStore struct {
	m    *Metrics
	next application.Store
}

// done records a call that began at that time. An error that the caller caused, for
// example by an unknown client, is not a failure of the store.
func (s timedStore) done(call string, began time.Time, err error) {
	s.m.storeDuration.WithLabelValues(call).Observe(time.Since(began).Seconds())
	_, full := errors.AsType[*application.TooManyRegisteredError](err)
	switch {
	case err == nil, full, errors.Is(err, application.ErrNotFound), errors.Is(err, application.ErrConflict),
		errors.Is(err, application.ErrAlreadyProcessed), errors.Is(err, application.ErrReplayed),
		errors.Is(err, application.ErrTokenEnded), errors.Is(err, application.ErrSoftwareTaken),
		errors.Is(err, application.ErrCursor), errors.Is(err, context.Canceled):
	default:
		s.m.storeFailures.WithLabelValues(call).Inc()
	}
}

// Find implements [application.Store].
func (s timedStore) Find(ctx context.Context, tenant domain.TenantID, id domain.ClientID) (c domain.Client, err error) {
	defer func(began time.Time) { s.done("Find", began, err) }(time.Now())
	return s.next.Find(ctx, tenant, id)
}

// List implements [application.Store].
func (s timedStore) List(ctx context.Context, tenant domain.TenantID, q application.Query) (p application.Page, err error) {
	defer func(began time.Time) { s.done("List", began, err) }(time.Now())
	return s.next.List(ctx, tenant, q)
}

// Commit implements [application.Store].
func (s timedStore) Commit(ctx context.Context, r domain.Revision) (err error) {
	defer func(began time.Time) { s.done("Commit", began, err) }(time.Now())
	return s.next.Commit(ctx, r)
}

// CommitOnce implements [application.Store].
func (s timedStore) CommitOnce(ctx context.Context, r domain.Revision, a application.IdempotencyRecord) (err error) {
	defer func(began time.Time) { s.done("CommitOnce", began, err) }(time.Now())
	return s.next.CommitOnce(ctx, r, a)
}

// FindIdempotencyRecord implements [application.Store].
func (s timedStore) FindIdempotencyRecord(
	ctx context.Context, tenant domain.TenantID, subject, key string,
) (a application.IdempotencyRecord, err error) {
	defer func(began time.Time) { s.done("FindIdempotencyRecord", began, err) }(time.Now())
	return s.next.FindIdempotencyRecord(ctx, tenant, subject, key)
}

// Revisions implements [application.Store].
func (s timedStore) Revisions(
	ctx context.Context, tenant domain.TenantID, id domain.ClientID, before domain.RevisionNumber, limit int,
) (log []domain.Revision, err error) {
	defer func(began time.Time) { s.done("Revisions", began, err) }(time.Now())
	return s.next.Revisions(ctx, tenant, id, before, limit)
}

// Changes implements [application.Store].
func (s timedStore) Changes(
	ctx context.Context, tenant domain.TenantID, after application.Cursor, limit int,
) (c application.Changes, err error) {
	defer func(began time.Time) { s.done("Changes", began, err) }(time.Now())
	return s.next.Changes(ctx, tenant, after, limit)
}

// AllChanges implements [application.Store].
func (s timedStore) AllChanges(ctx context.Context, after application.Cursor, limit int) (c application.Changes, err error) {
	defer func(began time.Time) { s.done("AllChanges", began, err) }(time.Now())
	return s.next.AllChanges(ctx, after, limit)
}

// ListAll implements [application.Store].
func (s timedStore) ListAll(ctx context.Context, after application.ClientKey, limit int) (p application.Page, err error) {
	defer func(began time.Time) { s.done("ListAll", began, err) }(time.Now())
	return s.next.ListAll(ctx, after, limit)
}

// SecretEnds implements [application.Store].
func (s timedStore) SecretEnds(ctx context.Context, now time.Time, limit int) (ends []application.SecretEnd, err error) {
	defer func(began time.Time) { s.done("SecretEnds", began, err) }(time.Now())
	return s.next.SecretEnds(ctx, now, limit)
}

// ScheduleSecretEnd implements [application.Store].
func (s timedStore) ScheduleSecretEnd(
	ctx context.Context, client application.ClientKey, revision domain.RevisionNumber, at time.Time,
) (err error) {
	defer func(began time.Time) { s.done("ScheduleSecretEnd", began, err) }(time.Now())
	return s.next.ScheduleSecretEnd(ctx, client, revision, at)
}

// WatchAll implements [application.Store]. It is not timed, like Watch.
func (s timedStore) WatchAll() (news <-chan struct{}, stop func()) { return s.next.WatchAll() }

// Watch implements [application.Store]. It is not timed, because its purpose is to
// wait.
func (s timedStore) Watch(tenant domain.TenantID) (news <-chan struct{}, stop func()) {
	return s.next.Watch(tenant)
}

// UseAssertion implements [application.Store].
func (s timedStore) UseAssertion(ctx context.Context, use application.AssertionUse) (err error) {
	defer func(began time.Time) { s.done("UseAssertion", began, err) }(time.Now())
	return s.next.UseAssertion(ctx, use)
}

// DeleteAssertionUses implements [application.Store].
func (s timedStore) DeleteAssertionUses(ctx context.Context, expired time.Time, limit int) (deleted int, err error) {
	defer func(began time.Time) { s.done("DeleteAssertionUses", began, err) }(time.Now())
	return s.next.DeleteAssertionUses(ctx, expired, limit)
}

// NoteSecretUses implements [application.Store].
func (s timedStore) NoteSecretUses(ctx context.Context, uses []application.SecretUse) (err error) {
	defer func(began time.Time) { s.done("NoteSecretUses", began, err) }(time.Now())
	return s.next.NoteSecretUses(ctx, uses)
}

// AdoptSecrets implements [application.Store].
func (s timedStore) AdoptSecrets(ctx context.Context, c domain.Client) (err error) {
	defer func(began time.Time) { s.done("AdoptSecrets", began, err) }(time.Now())
	return s.next.AdoptSecrets(ctx, c)
}

// SecretUses implements [application.Store].
func (s timedStore) SecretUses(
	ctx context.Context, tenant domain.TenantID, id domain.ClientID,
) (used map[string]time.Time, err error) {
	defer func(began time.Time) { s.done("SecretUses", began, err) }(time.Now())
	return s.next.SecretUses(ctx, tenant, id)
}

// Purgeable implements [application.Store].
func (s timedStore) Purgeable(
	ctx context.Context, before time.Time, limit int,
) (list []domain.Client, skipped []*application.UnreadableError, err error) {
	defer func(began time.Time) { s.done("Purgeable", began, err) }(time.Now())
	return s.next.Purgeable(ctx, before, limit)
}

// DeleteIdempotencyRecords implements [application.Store].
func (s timedStore) DeleteIdempotencyRecords(ctx context.Context, before time.Time) (err error) {
	defer func(began time.Time) { s.done("DeleteIdempotencyRecords", began, err) }(time.Now())
	return s.next.DeleteIdempotencyRecords(ctx, before)
}

// Ping implements [application.Store].
func (s timedStore) Ping(ctx context.Context) (err error) {
	defer func(began time.Time) { s.done("Ping", began, err) }(time.Now())
	return s.next.Ping(ctx)
}
