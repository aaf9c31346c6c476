package telemetry

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// ReportUnreadable returns the store with its reads observed: each time that a read
// includes a stored record that cannot be decoded, the record is logged with its
// tenant, client and revision, and counted in clientele_unreadable_records_total.
func (m *Metrics) ReportUnreadable(next application.Store, log *slog.Logger) application.Store {
	return reportingStore{Store: next, m: m, log: log}
}

type reportingStore struct {
	application.Store
	m   *Metrics
	log *slog.Logger
}

func (s reportingStore) report(ctx context.Context, e *application.UnreadableError) {
	s.m.unreadable.WithLabelValues(string(e.Part)).Inc()
	s.log.ErrorContext(ctx, "a stored record cannot be decoded; run clientele doctor", "tenant", string(e.TenantID),
		"client_id", string(e.ClientID), "revision", int64(e.Revision), "part", string(e.Part), "reason", e.Reason)
}

// reportClients reports the clients whose secrets cannot be decoded.
func (s reportingStore) reportClients(ctx context.Context, clients ...domain.Client) {
	for i := range clients {
		if clients[i].SecretsUnreadable() {
			s.report(ctx, application.Unreadable(clients[i], application.PartSecrets, "the secrets cannot be decoded"))
		}
	}
}

func (s reportingStore) reportRevisions(ctx context.Context, revisions []domain.Revision) {
	for i := range revisions {
		if revisions[i].Unreadable {
			s.report(ctx, application.Unreadable(revisions[i].Client, application.PartRevision, "the entry cannot be decoded"))
		}
	}
}

func (s reportingStore) reportAll(ctx context.Context, list []*application.UnreadableError) {
	for _, e := range list {
		s.report(ctx, e)
	}
}

// Find implements [application.Store].
func (s reportingStore) Find(ctx context.Context, tenant domain.TenantID, id domain.ClientID) (domain.Client, error) {
	c, err := s.Store.Find(ctx, tenant, id)
	if unreadable, ok := errors.AsType[*application.UnreadableError](err); ok {
		s.report(ctx, unreadable)
	}
	s.reportClients(ctx, c)
	return c, err
}

// List implements [application.Store].
func (s reportingStore) List(ctx context.Context, tenant domain.TenantID, q application.Query) (application.Page, error) {
	page, err := s.Store.List(ctx, tenant, q)
	s.reportAll(ctx, page.Unreadable)
	s.reportClients(ctx, page.Clients...)
	return page, err
}

// Revisions implements [application.Store].
func (s reportingStore) Revisions(
	ctx context.Context, tenant domain.TenantID, id domain.ClientID, before domain.RevisionNumber, limit int,
) ([]domain.Revision, error) {
	log, err := s.Store.Revisions(ctx, tenant, id, before, limit)
	s.reportRevisions(ctx, log)
	return log, err
}

// Changes implements [application.Store].
func (s reportingStore) Changes(
	ctx context.Context, tenant domain.TenantID, after application.Cursor, limit int,
) (application.Changes, error) {
	changes, err := s.Store.Changes(ctx, tenant, after, limit)
	s.reportRevisions(ctx, changes.Revisions)
	return changes, err
}

// AllChanges implements [application.Store].
func (s reportingStore) AllChanges(ctx context.Context, after application.Cursor, limit int) (application.Changes, error) {
	changes, err := s.Store.AllChanges(ctx, after, limit)
	s.reportRevisions(ctx, changes.Revisions)
	return changes, err
}

// ListAll implements [application.Store].
func (s reportingStore) ListAll(ctx context.Context, after application.ClientKey, limit int) (application.Page, error) {
	page, err := s.Store.ListAll(ctx, after, limit)
	s.reportAll(ctx, page.Unreadable)
	s.reportClients(ctx, page.Clients...)
	return page, err
}

// SecretEnds implements [application.Store].
func (s reportingStore) SecretEnds(ctx context.Context, now time.Time, limit int) ([]application.SecretEnd, error) {
	ends, err := s.Store.SecretEnds(ctx, now, limit)
	for _, end := range ends {
		if end.Unreadable != nil {
			s.report(ctx, end.Unreadable)
			continue
		}
		s.reportClients(ctx, end.Client)
	}
	return ends, err
}

// Purgeable implements [application.Store].
func (s reportingStore) Purgeable(
	ctx context.Context, before time.Time, limit int,
) ([]domain.Client, []*application.UnreadableError, error) {
	clients, skipped, err := s.Store.Purgeable(ctx, before, limit)
	s.reportAll(ctx, skipped)
	return clients, skipped, err
}
