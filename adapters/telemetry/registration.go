package telemetry

import (
	"context"
	"time"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// TimeRegistrations returns the store of registrations with its calls timed and its failures
// counted, as those of [Metrics.TimeStore].
func (m *Metrics) TimeRegistrations(next application.RegistrationStore) application.RegistrationStore {
	return timedRegistrations{timedStore{m: m}, next}
}

type timedRegistrations struct {
	timed timedStore // only for its method done
	next  application.RegistrationStore
}

// CommitRegistration implements [application.RegistrationStore].
func (s timedRegistrations) CommitRegistration(
	ctx context.Context, r domain.Revision, claim application.RegistrationClaim, record *application.IdempotencyRecord,
) (err error) {
	defer func(began time.Time) { s.timed.done("CommitRegistration", began, err) }(time.Now())
	return s.next.CommitRegistration(ctx, r, claim, record)
}

// AdoptRegistration implements [application.RegistrationStore].
func (s timedRegistrations) AdoptRegistration(ctx context.Context, c domain.Client) (err error) {
	defer func(began time.Time) { s.timed.done("AdoptRegistration", began, err) }(time.Now())
	return s.next.AdoptRegistration(ctx, c)
}

// CreateInitialToken implements [application.RegistrationStore].
func (s timedRegistrations) CreateInitialToken(
	ctx context.Context, t domain.InitialToken, record *application.IdempotencyRecord,
) (err error) {
	defer func(began time.Time) { s.timed.done("CreateInitialToken", began, err) }(time.Now())
	return s.next.CreateInitialToken(ctx, t, record)
}

// FindInitialToken implements [application.RegistrationStore].
func (s timedRegistrations) FindInitialToken(
	ctx context.Context, tenant domain.TenantID, id string,
) (t domain.InitialToken, err error) {
	defer func(began time.Time) { s.timed.done("FindInitialToken", began, err) }(time.Now())
	return s.next.FindInitialToken(ctx, tenant, id)
}

// InitialTokens implements [application.RegistrationStore].
func (s timedRegistrations) InitialTokens(
	ctx context.Context, tenant domain.TenantID, after string, limit int,
) (tokens []domain.InitialToken, more bool, err error) {
	defer func(began time.Time) { s.timed.done("InitialTokens", began, err) }(time.Now())
	return s.next.InitialTokens(ctx, tenant, after, limit)
}

// RevokeInitialToken implements [application.RegistrationStore].
func (s timedRegistrations) RevokeInitialToken(ctx context.Context, tenant domain.TenantID, id string, at time.Time) (err error) {
	defer func(began time.Time) { s.timed.done("RevokeInitialToken", began, err) }(time.Now())
	return s.next.RevokeInitialToken(ctx, tenant, id, at)
}

// RegisteredWith implements [application.RegistrationStore].
func (s timedRegistrations) RegisteredWith(
	ctx context.Context, tenant domain.TenantID, tokenID string, after domain.ClientID, limit int,
) (clients []domain.Client, err error) {
	defer func(began time.Time) { s.timed.done("RegisteredWith", began, err) }(time.Now())
	return s.next.RegisteredWith(ctx, tenant, tokenID, after, limit)
}

// NoteSeen implements [application.RegistrationStore].
func (s timedRegistrations) NoteSeen(ctx context.Context, seen application.Seen) (err error) {
	defer func(began time.Time) { s.timed.done("NoteSeen", began, err) }(time.Now())
	return s.next.NoteSeen(ctx, seen)
}

// SeenTimes implements [application.RegistrationStore].
func (s timedRegistrations) SeenTimes(
	ctx context.Context, tenant domain.TenantID, id domain.ClientID,
) (first, last time.Time, err error) {
	defer func(began time.Time) { s.timed.done("SeenTimes", began, err) }(time.Now())
	return s.next.SeenTimes(ctx, tenant, id)
}

// Unseen implements [application.RegistrationStore].
func (s timedRegistrations) Unseen(
	ctx context.Context, tenant domain.TenantID, after application.UnseenPosition, before time.Time, limit int,
) (clients []domain.Client, err error) {
	defer func(began time.Time) { s.timed.done("Unseen", began, err) }(time.Now())
	return s.next.Unseen(ctx, tenant, after, before, limit)
}

// CommitUnseen implements [application.RegistrationStore].
func (s timedRegistrations) CommitUnseen(ctx context.Context, r domain.Revision) (err error) {
	defer func(began time.Time) { s.timed.done("CommitUnseen", began, err) }(time.Now())
	return s.next.CommitUnseen(ctx, r)
}

// CountRegistered implements [application.RegistrationStore].
func (s timedRegistrations) CountRegistered(ctx context.Context) (count application.RegisteredCount, err error) {
	defer func(began time.Time) { s.timed.done("CountRegistered", began, err) }(time.Now())
	return s.next.CountRegistered(ctx)
}

// DeleteStatementUses implements [application.RegistrationStore].
func (s timedRegistrations) DeleteStatementUses(ctx context.Context, expired time.Time, limit int) (deleted int, err error) {
	defer func(began time.Time) { s.timed.done("DeleteStatementUses", began, err) }(time.Now())
	return s.next.DeleteStatementUses(ctx, expired, limit)
}
