package sqlite

import (
	"context"
	"database/sql"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/clientele-oauth/clientele/adapters/record"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// revisionColumns are what readRevision reads.
const revisionColumns = `at, action, actor, actor_client, request_id, reason, document`

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
	err := s.each(ctx, s.reader, query, []any{string(id), string(tenant), int64(before), limit}, func(rows *sql.Rows) error {
		r, err := readRevision(rows)
		revisions = append(revisions, r)
		return err
	})
	return revisions, err
}

// readRevision reads the revisionColumns and, before them, what more there is.
func readRevision(rows *sql.Rows, more ...any) (domain.Revision, error) {
	var (
		r                              domain.Revision
		at, action, actor, actorClient string
		doc                            []byte
	)
	if err := rows.Scan(append(more, &at, &action, &actor, &actorClient, &r.RequestID, &r.Reason, &doc)...); err != nil {
		return domain.Revision{}, err
	}
	var err error
	if r.At, err = textTime(at); err != nil {
		return domain.Revision{}, err
	}
	r.Client, err = record.Decode(doc, nil)
	r.Action, r.Actor = domain.Action(action), domain.Actor{Subject: actor, ClientID: domain.ClientID(actorClient)}
	return r, err
}

// List implements [application.Store], in one transaction and so of one moment.
func (s *Store) List(ctx context.Context, tenant domain.TenantID, q application.Query) (page application.Page, err error) {
	tx, err := s.reader.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return application.Page{}, translate(err)
	}
	defer func() { _ = tx.Rollback() }() // it wrote nothing
	last, err := newest(ctx, tx, tenant)
	if err != nil {
		return application.Page{}, translate(err)
	}
	page = application.Page{Clients: make([]domain.Client, 0, q.Limit), Changes: last.cursor()}

	from, where, args, err := s.filters(ctx, tx, tenant, q)
	if err != nil {
		return application.Page{}, err
	}
	if q.Count {
		if page.Total, err = count(ctx, tx, tenant, q, from+where, args); err != nil {
			return application.Page{}, translate(err)
		}
	}
	const behind = ` AND c.client_id > ?`
	query := `SELECT c.document, c.secrets` + from + where + behind + ` ORDER BY c.client_id LIMIT ? OFFSET ?`
	if strings.Contains(from, "client_facets") { // the order of the facet's clients is the list's
		query = `SELECT c.document, c.secrets` + from + where + ` AND f.client_id > ? ORDER BY f.client_id LIMIT ? OFFSET ?`
	}
	err = s.each(ctx, tx, query, append(args, string(q.After), q.Limit+1, q.Offset), func(rows *sql.Rows) error {
		if len(page.Clients) == q.Limit {
			page.More = true
			return nil
		}
		client, err := readClient(rows)
		page.Clients = append(page.Clients, client)
		return err
	})
	return page, err
}

// commonName is the number of matches from which a part of a name is common
// enough for the clients to be read in order rather than from the index of names.
const commonName = 1000

// filters returns where the clients of a query are read from, and how they are
// chosen there. The planner knows nothing of how many clients have a facet, so
// the most selective one is named first here.
func (s *Store) filters(
	ctx context.Context, tx *sql.Tx, tenant domain.TenantID, q application.Query,
) (from, where string, args []any, err error) {
	facets := record.Facets(q)
	name := record.Fold(q.Name)
	indexed := utf8.RuneCountInString(name) >= 3 // a trigram
	matching := `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
	if indexed {
		var matches int
		err := tx.QueryRowContext(ctx,
			`SELECT count(*) FROM (SELECT 1 FROM client_names WHERE name MATCH ? LIMIT ?)`, matching, commonName).Scan(&matches)
		if err != nil {
			return "", "", nil, translate(err)
		}
		indexed = matches < commonName
	}
	switch {
	case indexed:
		from = ` FROM client_names n CROSS JOIN clients c ON c.n = n.rowid`
		where = ` WHERE n.name MATCH ? AND c.tenant_id = ?`
		args = append(args, matching, string(tenant))
	case len(facets) > 0:
		from = ` FROM client_facets f CROSS JOIN clients c ON c.tenant_id = f.tenant_id AND c.client_id = f.client_id`
		where = ` WHERE f.tenant_id = ? AND f.facet = ?`
		args = append(args, string(tenant), facets[0])
		facets = facets[1:]
	default:
		from = ` FROM clients c`
		where = ` WHERE c.tenant_id = ?`
		args = append(args, string(tenant))
	}
	where += ` AND c.deleted_at IS NULL`
	const alsoHas = ` AND EXISTS (
		SELECT 1 FROM client_facets e WHERE e.tenant_id = c.tenant_id AND e.facet = ? AND e.client_id = c.client_id)`
	where += strings.Repeat(alsoHas, len(facets))
	for _, facet := range facets {
		args = append(args, facet)
	}
	if name != "" {
		where += ` AND instr(c.name, ?) > 0`
		args = append(args, name)
	}
	if !q.UpdatedSince.IsZero() {
		where += ` AND c.client_id IN (SELECT r.client_id FROM revisions r WHERE r.tenant_id = c.tenant_id AND r.at >= ?)`
		args = append(args, timeText(q.UpdatedSince))
	}
	return from, where, args, nil
}

// count is the total of a query. The clients of a tenant, or of one status of
// it, are counted as they change.
func count(
	ctx context.Context, tx *sql.Tx, tenant domain.TenantID, q application.Query, chosen string, args []any,
) (total int, err error) {
	if !q.Selects() {
		const counted = `SELECT coalesce(sum(clients), 0) FROM client_counts WHERE tenant_id = ? AND (? = '' OR status = ?)`
		err = tx.QueryRowContext(ctx, counted, string(tenant), string(q.Status), string(q.Status)).Scan(&total)
		return total, err
	}
	err = tx.QueryRowContext(ctx, `SELECT count(*)`+chosen, args...).Scan(&total)
	return total, err
}

var _ application.Store = (*Store)(nil)
