package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"math"

	"github.com/clientele-oauth/clientele/adapters/internal/document"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// revisionColumns are the columns that readRevision reads.
const revisionColumns = `at, action, actor, actor_client, request_id, reason, tenant_id, client_id, number, document, actor_details`

// Revisions implements [application.Store].
func (s *Store) Revisions(
	ctx context.Context, tenant domain.TenantID, id domain.ClientID, before domain.RevisionNumber, limit int,
) ([]domain.Revision, error) {
	const query = `
		SELECT ` + revisionColumns + ` FROM revisions
		WHERE client_id = ? AND tenant_id = ? AND number < ?
		ORDER BY number DESC LIMIT ?`
	if before == 0 {
		before = math.MaxInt64
	}
	var revisions []domain.Revision
	var budget application.Budget
	err := s.each(ctx, s.reader, query, []any{string(id), string(tenant), int64(before), limit}, func(rows *sql.Rows) error {
		if budget.Spent() && len(revisions) > 1 {
			return errSpent
		}
		r, err := readRevision(rows)
		revisions = append(revisions, r)
		budget.Take(&r.Client)
		return err
	})
	return revisions, unlessSpent(err)
}

// readRevision reads the revisionColumns and the columns before them into more. An entry
// that cannot be decoded has [domain.Revision.Unreadable].
func readRevision(rows *sql.Rows, more ...any) (domain.Revision, error) {
	var (
		at, action, actor, actorClient, requestID, reason string
		row                                               document.Row
		details                                           []byte
	)
	if err := rows.Scan(append(more, &at, &action, &actor, &actorClient, &requestID, &reason,
		&row.TenantID, &row.ClientID, &row.Revision, &row.Document, &details)...); err != nil {
		return domain.Revision{}, err
	}
	r := domain.Revision{
		Action: domain.Action(action), Actor: domain.Actor{Subject: actor, ClientID: domain.ClientID(actorClient)},
		RequestID: requestID, Reason: reason,
	}
	var unreadable, badTime error
	r.Client, unreadable = row.Decode()
	r.At, badTime = textTime(at)
	badActor := document.DecodeActor(&r.Actor, details)
	if unreadable != nil || badTime != nil || badActor != nil {
		r.Client, r.Unreadable = row.Tombstone(), true
	}
	return r, nil
}

// List implements [application.Store]. One transaction reads a page, so it shows the clients
// of one point in time.
func (s *Store) List(ctx context.Context, tenant domain.TenantID, q application.Query) (page application.Page, err error) {
	tx, err := s.lists.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return application.Page{}, translate(err)
	}
	defer func() { _ = tx.Rollback() }() // it only reads
	last, err := newestIn(ctx, tx, scopeOf(tenant))
	if err != nil {
		return application.Page{}, translate(err)
	}
	page = application.Page{Clients: make([]domain.Client, 0, q.Limit), Changes: last}

	query, args, total, err := rows(ctx, tx, tenant, q)
	if err != nil {
		return application.Page{}, err
	}
	page.Total = total
	err = s.collect(ctx, tx, &page, q, query, args...)
	return page, err
}

// collect adds the clients that a statement returns to a page, up to its limits.
func (s *Store) collect(ctx context.Context, tx *sql.Tx, page *application.Page, q application.Query, query string, args ...any) error {
	budget := application.NewBudget(q.MaxBytes)
	return unlessSpent(s.each(ctx, tx, query, args, func(rows *sql.Rows) error {
		if len(page.Clients)+len(page.Unreadable) == q.Limit || budget.Spent() {
			page.More = true
			return errSpent
		}
		client, err := readClient(rows)
		if unreadable, ok := errors.AsType[*application.UnreadableError](err); ok {
			page.Unreadable = append(page.Unreadable, unreadable)
			return nil
		}
		budget.Take(&client)
		page.Clients = append(page.Clients, client)
		return err
	}))
}

// ListAll implements [application.Store]. One transaction reads a page, so it shows the
// clients of one point in time.
func (s *Store) ListAll(ctx context.Context, after application.ClientKey, limit int) (page application.Page, err error) {
	const query = `
		SELECT ` + clientColumns + ` FROM clients
		WHERE deleted_at IS NULL AND (tenant_id, client_id) > (?, ?) ORDER BY tenant_id, client_id LIMIT ?`
	tx, err := s.lists.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return application.Page{}, translate(err)
	}
	defer func() { _ = tx.Rollback() }() // it only reads
	page.Clients = make([]domain.Client, 0, limit)
	if page.Changes, err = newestIn(ctx, tx, scope{feed: feedOfAll()}); err != nil {
		return application.Page{}, translate(err)
	}
	err = s.collect(ctx, tx, &page, application.Query{Limit: limit}, query, string(after.TenantID), string(after.ClientID), limit+1)
	return page, err
}

// errSpent stops the reading of a page that is complete.
var errSpent = errors.New("the page is complete")

// unlessSpent returns err, or nil for errSpent.
func unlessSpent(err error) error {
	if errors.Is(err, errSpent) {
		return nil
	}
	return err
}

var _ application.Store = (*Store)(nil)
