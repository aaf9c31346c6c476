package postgres

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

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
		WHERE client_id = $1 AND tenant_id = $2 AND number < $3
		ORDER BY number DESC LIMIT $4`
	if before == 0 {
		before = math.MaxInt64
	}
	rows, err := s.pool.Query(ctx, query, string(id), string(tenant), int64(before), limit)
	if err != nil {
		return nil, translate(err)
	}
	revisions, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (domain.Revision, error) { return readRevision(row) })
	return revisions, translate(err)
}

// readRevision reads the revisionColumns and, before them, what more there is.
func readRevision(row pgx.CollectableRow, more ...any) (domain.Revision, error) {
	var (
		r             domain.Revision
		action, actor string
		actorClient   string
		doc           []byte
	)
	if err := row.Scan(append(more, &r.At, &action, &actor, &actorClient, &r.RequestID, &r.Reason, &doc)...); err != nil {
		return domain.Revision{}, err
	}
	client, err := record.Decode(doc, nil)
	r.At = r.At.UTC()
	r.Action, r.Client = domain.Action(action), client
	r.Actor = domain.Actor{Subject: actor, ClientID: domain.ClientID(actorClient)}
	return r, err
}

// FeedLag returns the age of the oldest committed change that readers of the
// feed are not given yet, since a transaction that began before it still runs;
// 0 where there is none.
func (s *Store) FeedLag(ctx context.Context) (time.Duration, error) {
	const query = `
		SELECT coalesce(extract(epoch FROM clock_timestamp() - min(held.at)), 0)::float8
		FROM (SELECT DISTINCT tenant_id FROM client_counts) AS tenants, LATERAL (
			SELECT at FROM revisions
			WHERE tenant_id = tenants.tenant_id AND xid >= pg_snapshot_xmin(pg_current_snapshot())
			ORDER BY revisions.xid, seq LIMIT 1
		) AS held` // an entry of the index for each tenant, however long the log is
	var seconds float64
	if err := s.pool.QueryRow(ctx, query).Scan(&seconds); err != nil {
		return 0, translate(err)
	}
	return time.Duration(max(seconds, 0) * float64(time.Second)), nil
}

// listStatement is the statement of a list and its values: a row that tells the
// place in the feed and the total, and the clients.
func listStatement(tenant domain.TenantID, q application.Query) (statement string, args []any) {
	where := conditions{args: []any{string(tenant)}}
	where.add(`tenant_id = $1 AND deleted_at IS NULL`)
	if q.Name != "" {
		where.add(`name LIKE %s`, record.Pattern(record.Fold(q.Name)))
	}
	facets := record.Facets(q)
	if len(facets) > 0 {
		where.add(`facets @> %s::text[]`, facets)
	}
	if !q.UpdatedSince.IsZero() {
		where.add(`client_id IN (SELECT client_id FROM revisions WHERE tenant_id = $1 AND at >= %s)`, q.UpdatedSince)
	}
	selected, total := where.text(), `NULL::bigint`
	if q.Count {
		total = where.total(q)
	}
	if q.After != "" {
		where.add(`client_id > (SELECT %s::text)`, string(q.After)) // the plan is the same wherever a walk is
	}
	page := `
			ORDER BY client_id LIMIT ` + strconv.Itoa(q.Limit+1) + ` OFFSET ` + strconv.Itoa(q.Offset) + `)`
	first := `
		SELECT ` + newestPosition + `, ` + total + `, NULL::json, NULL::json
		UNION ALL (
			SELECT NULL, NULL, document, secrets FROM clients WHERE `
	if len(facets) == 0 && q.Name == "" {
		return first + where.text() + page, where.args
	}
	// The planner does not know how many clients have a facet that few have. It
	// takes some two hundredths of all for granted, and walks through a million to
	// find ten. So a few are looked up first, by the index of what is asked for:
	// where there are no more, they are the answer; where there are, the walk in
	// the order of the key soon has its page.
	return `
		WITH few AS MATERIALIZED (SELECT client_id FROM clients WHERE ` + selected + ` LIMIT ` + strconv.Itoa(fewClients) + `)` +
		first + `(SELECT count(*) FROM few) = ` + strconv.Itoa(fewClients) + ` AND ` + where.text() + page + `
		UNION ALL (
			SELECT NULL, NULL, document, secrets FROM clients
			WHERE (SELECT count(*) FROM few) < ` + strconv.Itoa(fewClients) + ` AND client_id IN (SELECT client_id FROM few) AND ` +
		where.text() + page, where.args
}

// fewClients is how many clients are looked up by what a query asks for, before it
// is known that there are many.
const fewClients = 1000

// List implements [application.Store], in one statement and so of one moment.
func (s *Store) List(ctx context.Context, tenant domain.TenantID, q application.Query) (application.Page, error) {
	statement, args := listStatement(tenant, q)
	if q.Selects() || q.Status != "" {
		// Planned for these values: which index serves depends on how many clients
		// have what is asked for.
		args = append([]any{pgx.QueryExecModeCacheDescribe}, args...)
	}
	rows, err := s.pool.Query(ctx, statement, args...)
	if err != nil {
		return application.Page{}, translate(err)
	}
	page := application.Page{Clients: make([]domain.Client, 0, q.Limit)}
	var (
		newest       *string
		found        *int64
		doc, secrets []byte
	)
	_, err = pgx.ForEachRow(rows, []any{&newest, &found, &doc, &secrets}, func() error {
		if newest != nil {
			page.Changes = application.Cursor(*newest)
			if found != nil {
				page.Total = int(*found)
			}
			return nil
		}
		if len(page.Clients) == q.Limit {
			page.More = true
			return nil
		}
		client, err := record.Decode(doc, secrets)
		page.Clients = append(page.Clients, client)
		return err
	})
	return page, translate(err)
}

// conditions collects the conditions of a query and their values.
type conditions struct {
	parts []string
	args  []any
}

// add notes a condition; its verbs stand for the values.
func (c *conditions) add(condition string, values ...any) {
	places := make([]any, len(values))
	for i, value := range values {
		c.args = append(c.args, value)
		places[i] = "$" + strconv.Itoa(len(c.args))
	}
	c.parts = append(c.parts, fmt.Sprintf(condition, places...))
}

func (c *conditions) text() string { return strings.Join(c.parts, " AND ") }

// total is the expression that counts the clients of the query: those of a
// tenant, or of one status of it, are counted as they change.
func (c *conditions) total(q application.Query) string {
	if q.Selects() {
		every := `(SELECT count(*) FROM clients WHERE ` + c.text() + `)`
		if q.Name == "" && len(record.Facets(q)) == 0 {
			return every
		}
		return `(SELECT CASE count(*) WHEN ` + strconv.Itoa(fewClients) + ` THEN ` + every + ` ELSE count(*) END FROM few)`
	}
	counted := `tenant_id = $1`
	if q.Status != "" {
		c.args = append(c.args, string(q.Status))
		counted += ` AND status = $` + strconv.Itoa(len(c.args))
	}
	return `(SELECT coalesce(sum(clients), 0)::bigint FROM client_counts WHERE ` + counted + `)`
}
