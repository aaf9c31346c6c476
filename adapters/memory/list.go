package memory

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/clientele-oauth/clientele/adapters/internal/document"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// selects returns a function that reports whether a client is part of a list. The other
// stores express the same condition in SQL.
func selects(q application.Query) func(client) bool {
	name, facets, since := document.Fold(q.Name), document.Facets(q), stored(q.UpdatedSince)
	return func(c client) bool {
		if !c.deletedAt.IsZero() || c.updatedAt.Before(since) || !strings.Contains(c.search.Name, name) {
			return false
		}
		for _, facet := range facets {
			if !slices.Contains(c.search.Facets, facet) {
				return false
			}
		}
		return true
	}
}

// List implements [application.Store].
func (s *Store) List(ctx context.Context, tenant domain.TenantID, q application.Query) (application.Page, error) {
	if err := s.lock(ctx); err != nil {
		return application.Page{}, err
	}
	defer s.mu.Unlock()
	t := s.tenant(tenant)
	selected := t.selected(selects(q))
	page := application.Page{Clients: []domain.Client{}, Changes: t.newest()}
	if q.Count {
		page.Total = len(selected)
	}
	selected = slices.DeleteFunc(selected, func(id domain.ClientID) bool { return id <= q.After })
	budget := application.NewBudget(q.MaxBytes)
	for _, id := range selected[min(q.Offset, len(selected)):] {
		if len(page.Clients)+len(page.Unreadable) == q.Limit || budget.Spent() {
			page.More = true
			break
		}
		found, err := t.clients[id].row.Decode()
		if unreadable, ok := errors.AsType[*application.UnreadableError](err); ok {
			page.Unreadable = append(page.Unreadable, unreadable)
			continue
		}
		budget.Take(&found)
		page.Clients = append(page.Clients, found)
	}
	return page, nil
}

// selected returns the identifiers of the clients that meet the condition, in order.
func (t *tenant) selected(condition func(client) bool) []domain.ClientID {
	var ids []domain.ClientID
	for _, id := range slices.Sorted(maps.Keys(t.clients)) {
		if condition(t.clients[id]) {
			ids = append(ids, id)
		}
	}
	return ids
}

// ListAll implements [application.Store].
func (s *Store) ListAll(ctx context.Context, after application.ClientKey, limit int) (application.Page, error) {
	if err := s.lock(ctx); err != nil {
		return application.Page{}, err
	}
	defer s.mu.Unlock()
	page := application.Page{Clients: []domain.Client{}, Changes: beginningOfAll}
	if log := s.log(); len(log) > 0 {
		page.Changes = prefixOfAll + log[len(log)-1].cursor
	}
	budget := application.NewBudget(0)
	for _, tenant := range slices.Sorted(maps.Keys(s.tenants)) {
		t := s.tenants[tenant]
		for _, id := range t.selected(func(c client) bool { return c.deletedAt.IsZero() }) {
			if tenant < after.TenantID || tenant == after.TenantID && id <= after.ClientID {
				continue
			}
			if len(page.Clients)+len(page.Unreadable) == limit || budget.Spent() {
				page.More = true
				return page, nil
			}
			found, err := t.clients[id].row.Decode()
			if unreadable, ok := errors.AsType[*application.UnreadableError](err); ok {
				page.Unreadable = append(page.Unreadable, unreadable)
				continue
			}
			budget.Take(&found)
			page.Clients = append(page.Clients, found)
		}
	}
	return page, nil
}

// SecretEnds implements [application.Store].
func (s *Store) SecretEnds(ctx context.Context, now time.Time, limit int) ([]application.SecretEnd, error) {
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	var due []client
	for _, t := range s.tenants {
		for _, c := range t.clients {
			if c.deletedAt.IsZero() && (c.unknown || !c.secretEnd.IsZero() && !c.secretEnd.After(now)) {
				due = append(due, c)
			}
		}
	}
	slices.SortFunc(due, func(a, b client) int {
		if a.unknown != b.unknown {
			return cmp.Compare(b.rank(), a.rank())
		}
		return cmp.Or(a.secretEnd.Compare(b.secretEnd),
			cmp.Compare(a.row.TenantID, b.row.TenantID), cmp.Compare(a.row.ClientID, b.row.ClientID))
	})
	var ends []application.SecretEnd
	for _, c := range due[:min(limit, len(due))] {
		end := application.SecretEnd{Known: !c.unknown}
		found, err := c.row.Decode()
		if unreadable, ok := errors.AsType[*application.UnreadableError](err); ok {
			end.Unreadable = unreadable
		} else {
			end.Client = found
		}
		ends = append(ends, end)
	}
	return ends, nil
}

// rank is greater for a client whose next secret end is not known.
func (c client) rank() int {
	if c.unknown {
		return 1
	}
	return 0
}

// ScheduleSecretEnd implements [application.Store].
func (s *Store) ScheduleSecretEnd(ctx context.Context, key application.ClientKey, revision domain.RevisionNumber, at time.Time) error {
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	clients := s.tenant(key.TenantID).clients
	if c, ok := clients[key.ClientID]; ok && c.row.Revision == revision {
		c.secretEnd, c.unknown = stored(at), false
		clients[key.ClientID] = c
	}
	return nil
}

// Purgeable implements [application.Store]. The result is sorted by the time of deletion.
func (s *Store) Purgeable(
	ctx context.Context, before time.Time, limit int,
) (clients []domain.Client, skipped []*application.UnreadableError, err error) {
	if err := s.lock(ctx); err != nil {
		return nil, nil, err
	}
	defer s.mu.Unlock()
	var due []client
	for _, t := range s.tenants {
		for _, c := range t.clients {
			if !c.deletedAt.IsZero() && !c.purged && c.deletedAt.Before(before) {
				due = append(due, c)
			}
		}
	}
	slices.SortFunc(due, func(a, b client) int {
		return cmp.Or(a.deletedAt.Compare(b.deletedAt),
			cmp.Compare(a.row.TenantID, b.row.TenantID), cmp.Compare(a.row.ClientID, b.row.ClientID))
	})
	for _, c := range due {
		if len(clients) == limit {
			break
		}
		found, err := c.row.Decode()
		if unreadable, ok := errors.AsType[*application.UnreadableError](err); ok {
			skipped = append(skipped, unreadable)
			continue
		}
		clients = append(clients, found)
	}
	return clients, skipped, nil
}
