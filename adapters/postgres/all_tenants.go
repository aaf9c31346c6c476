package postgres

import (
	"context"
	"errors"
	"strconv"

	"github.com/jackc/pgx/v5"

	"github.com/clientele-oauth/clientele/adapters/internal/document"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// listAll returns a row with the position in the feed, then the clients after a key in the
// order of the primary key. The subqueries hide the key from the planner.
const listAll = `
	SELECT ` + newestOfAll + `, NULL, NULL, NULL::bigint, NULL::json, NULL::json, NULL::json
	UNION ALL (
		SELECT NULL, tenant_id, client_id, revision, document, secrets, registration FROM clients
		WHERE deleted_at IS NULL AND (tenant_id, client_id) > ((SELECT $1::text), (SELECT $2::text))
		ORDER BY tenant_id, client_id LIMIT `

// ListAll implements [application.Store]. One statement reads a page, so it shows the
// clients of one point in time.
func (s *Store) ListAll(ctx context.Context, after application.ClientKey, limit int) (application.Page, error) {
	select {
	case s.listing <- struct{}{}:
		defer func() { <-s.listing }()
	case <-ctx.Done():
		return application.Page{}, translate(ctx.Err())
	}
	q := application.Query{Limit: limit}
	rows := s.sizes.rows("", q)
	page := application.Page{Clients: make([]domain.Client, 0, min(limit, rows))}
	budget := application.NewBudget(0)
	var (
		newest, tenant, id *string
		revision           *int64
		doc, secrets       []byte
		registration       []byte
	)
	var statements pgx.Batch
	statements.Queue(inOrder)
	statements.Queue(listAll+strconv.Itoa(rows)+`)`, string(after.TenantID), string(after.ClientID)).Query(func(found pgx.Rows) error {
		_, err := pgx.ForEachRow(found, []any{&newest, &tenant, &id, &revision, &doc, &secrets, &registration}, func() error {
			if newest != nil {
				page.Changes = application.Cursor(*newest)
				return nil
			}
			if len(page.Clients)+len(page.Unreadable) == rows-1 || budget.Spent() {
				page.More = true // the server sends the rest, which is dropped
				return nil
			}
			client, err := document.Row{
				TenantID: domain.TenantID(*tenant), ClientID: domain.ClientID(*id), Revision: domain.RevisionNumber(*revision),
				Document: doc, Secrets: secrets, Registration: registration,
			}.Decode()
			if unreadable, ok := errors.AsType[*application.UnreadableError](err); ok {
				page.Unreadable = append(page.Unreadable, unreadable)
				return nil
			}
			budget.Take(&client)
			page.Clients = append(page.Clients, client)
			return err
		})
		return err
	})
	if err := s.pool.SendBatch(ctx, &statements).Close(); err != nil {
		return application.Page{}, translate(err)
	}
	s.sizes.note("", q, page, budget)
	return page, nil
}
