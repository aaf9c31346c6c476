package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"github.com/clientele-oauth/clientele/adapters/internal/document"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// The plans of lists must not depend on the statistics of the tables, which are missing or
// out of date after a tenant has grown. Without statistics the planner assumes that a
// tenant has few clients, and reads and sorts all of them for each page. So each statement
// has only one possible plan: other operations are disabled for the transaction, and an
// index that must not be used is hidden by an expression. Compilation (JIT) is disabled as
// well: the planner adds a high cost to a disabled scan that it needs all the same, such as
// that of a table without an index, and the cost would trigger compilation.
const (
	// inOrder allows only scans in the order of an index.
	inOrder = `SELECT set_config('jit', 'off', true), set_config('enable_sort', 'off', true), set_config('enable_bitmapscan', 'off', true), ` +
		`set_config('enable_seqscan', 'off', true)`
	// byIndex also allows bitmap scans, which GIN and BRIN indexes need.
	byIndex = `SELECT set_config('jit', 'off', true), set_config('enable_sort', 'off', true), set_config('enable_bitmapscan', 'on', true), ` +
		`set_config('enable_seqscan', 'off', true)`
)

// Limits of what one strategy reads before the next one is tried.
const (
	// fewClients is the maximum number of clients that are selected by an index.
	fewClients = 1000
	// smallTenant is the number of clients up to which all clients of a tenant are checked,
	// instead of those of all tenants that an index selects.
	smallTenant = 2000
	// manyCandidates is the maximum number of clients of all tenants that an index selects.
	// Beyond it, the clients of the tenant are read in order: a filter that matches few
	// clients of this tenant may match many of other tenants.
	manyCandidates = 20000
	// firstScan is how many clients are read in order, before an index is used, if the
	// filters usually match many clients.
	firstScan = 1000
	// recentChanges is the maximum number of log entries that are read for updated_since.
	recentChanges = 20000
)

// A strategy is one of the statements that can read a list.
type strategy int

const (
	// scan reads the clients in order until the page is full.
	scan strategy = iota
	// boundedScan is scan that gives up after firstScan clients.
	boundedScan
	// byFilter selects clients by the indexes of facets and names, and gives up at
	// fewClients.
	byFilter
	// byTime selects clients by the index of the times of changes, and gives up at
	// recentChanges.
	byTime
)

// strategies lists the strategies to try for a query, in order. The last one never gives
// up.
func (s *Store) strategies(ctx context.Context, q application.Query) ([]strategy, error) {
	facets := len(document.Facets(q)) > 0
	var list []strategy
	if facets && q.Name == "" && q.UpdatedSince.IsZero() && q.RedirectHost == "" && q.Offset == 0 && (!q.Count || !q.Selects()) {
		list = append(list, boundedScan)
	}
	if !q.UpdatedSince.IsZero() {
		list = append(list, byTime)
	}
	names, err := s.namesIndexed(ctx)
	if err != nil {
		return nil, err
	}
	if facets || names && hasTrigram(q.Name) {
		list = append(list, byFilter)
	}
	return append(list, scan), nil
}

// hasTrigram reports whether the index of names can find a substring of a name.
func hasTrigram(part string) bool { return utf8.RuneCountInString(document.Fold(part)) >= 3 }

// namesIndexed reports whether there is an index of names: without the extension pg_trgm
// the migration does not create it.
func (s *Store) namesIndexed(ctx context.Context) (bool, error) {
	if known := s.names.Load(); known != 0 {
		return known == 1, nil
	}
	var found bool
	if err := s.pool.QueryRow(ctx, `SELECT to_regclass('clients_name') IS NOT NULL`).Scan(&found); err != nil {
		return false, translate(err)
	}
	if found {
		s.names.Store(1)
	} else {
		s.names.Store(2)
	}
	return found, nil
}

// listing is the statement of a list with its settings and arguments. It returns a row
// with the position in the feed, the total, and whether the strategy gave up; then the
// clients.
type listing struct {
	settings, statement string
	args                []any
}

// conditions collects the arguments of a statement.
type conditions struct {
	args []any
}

// value adds an argument and returns the expression for it. The subquery hides the value
// from the planner, so that there is one plan for all values.
func (c *conditions) value(v any, kind string) string {
	c.args = append(c.args, v)
	return `(SELECT $` + strconv.Itoa(len(c.args)) + `::` + kind + `)`
}

// listingOf returns the statement of a strategy. limit is the maximum number of clients
// that it returns, which is one more than the page may have.
func listingOf(by strategy, tenant domain.TenantID, q application.Query, limit int) listing {
	c := &conditions{}
	c.args = append(c.args, string(tenant)) // $1
	const whose = `tenant_id = $1 AND deleted_at IS NULL`
	after := c.value(string(q.After), "text")
	facets, pattern, since := document.Facets(q), "", ""
	if len(facets) > 0 {
		facets := c.value(facets, "text[]")
		pattern += ` AND %[1]s @> ` + facets
	}
	if q.Name != "" {
		pattern += ` AND %[2]s LIKE ` + c.value(document.Pattern(document.Fold(q.Name)), "text")
	}
	if !q.UpdatedSince.IsZero() {
		since = c.value(q.UpdatedSince, "timestamptz")
	}
	// The expressions in checks prevent the use of the indexes of facets and names.
	checks := fmt.Sprintf(pattern, `(facets || '{}'::text[])`, `(name || '')`)
	indexed := fmt.Sprintf(pattern, `facets`, `name`)
	if !hasTrigram(q.Name) {
		indexed = fmt.Sprintf(strings.Split(pattern, ` AND %[2]s`)[0], `facets`)
	}
	if pattern == "" {
		checks, indexed = "", ""
	}
	if since != "" { // the newest revision first, which the index finds
		changed := ` AND (SELECT true FROM revisions r WHERE r.tenant_id = $1 AND r.client_id = clients.client_id AND r.at >= ` + since +
			` ORDER BY r.number DESC LIMIT 1)`
		checks += changed
	}

	switch by {
	case byFilter, byTime:
		few := `
			(SELECT client_id FROM clients WHERE (SELECT is_small FROM tenant) AND ` + whose + checks + ` LIMIT ` + strconv.Itoa(fewClients) + `)
			UNION ALL
			(SELECT client_id FROM candidates AS clients WHERE ` + whose + checks + ` LIMIT ` + strconv.Itoa(fewClients) + `)`
		head := `
		WITH tenant AS MATERIALIZED (
			SELECT coalesce(sum(clients), 0) <= ` + strconv.Itoa(smallTenant) + ` AS is_small FROM client_counts WHERE tenant_id = $1
		), candidates AS MATERIALIZED (
			SELECT tenant_id, client_id, deleted_at, name, facets FROM clients
			WHERE NOT (SELECT is_small FROM tenant)` + indexed + ` LIMIT ` + strconv.Itoa(manyCandidates) + `
		), few AS MATERIALIZED (` + few + `
		), found AS MATERIALIZED (
			SELECT count(*) AS clients,
				count(*) >= ` + strconv.Itoa(fewClients) + ` OR (SELECT count(*) FROM candidates) >= ` + strconv.Itoa(manyCandidates) + ` AS many
			FROM few
		)`
		if by == byTime {
			head = `
		WITH recent AS MATERIALIZED (
			SELECT tenant_id, client_id FROM revisions WHERE at >= ` + since + ` LIMIT ` + strconv.Itoa(recentChanges) + `
		), few AS MATERIALIZED (
			SELECT client_id FROM (
				SELECT client_id AS changed FROM recent WHERE tenant_id = $1 AND (SELECT count(*) FROM recent) < ` + strconv.Itoa(recentChanges) + ` GROUP BY client_id
			) AS changes CROSS JOIN LATERAL (
				SELECT client_id FROM clients WHERE ` + whose + ` AND client_id = changed` + checks + ` LIMIT 1
			) AS one
		), found AS MATERIALIZED (
			SELECT count(*) AS clients, (SELECT count(*) FROM recent) >= ` + strconv.Itoa(recentChanges) + ` AS many FROM few
		)`
		}
		total := `NULL::bigint`
		if q.Count {
			total = `(SELECT clients FROM found)`
		}
		return listing{byIndex, head + `
		SELECT ` + newestPosition + `, ` + total + `, (SELECT many FROM found), NULL, NULL::bigint, NULL::json, NULL::json, NULL::json
		UNION ALL (
			SELECT NULL, NULL, NULL, client_id, revision, document, secrets, registration
			FROM unnest((
				SELECT (array_agg(client_id ORDER BY client_id))[` + c.value(q.Offset+1, "int") + `:` + c.value(q.Offset+limit, "int") + `]
				FROM few WHERE client_id > ` + after + ` AND NOT (SELECT many FROM found)
			)) AS chosen (id) CROSS JOIN LATERAL (
				SELECT client_id, revision, document, secrets, registration FROM clients WHERE tenant_id = $1 AND client_id = chosen.id LIMIT 1
			) AS one)`, c.args}
	default:
		total := `NULL::bigint`
		switch {
		case q.Count && q.Selects():
			total = `(SELECT count(*) FROM clients WHERE ` + whose + checks + `)`
		case q.Count && q.Status != "":
			total = `(SELECT coalesce(sum(clients), 0)::bigint FROM client_counts WHERE tenant_id = $1 AND status = ` + c.value(string(q.Status), "text") + `)`
		case q.Count:
			total = `(SELECT coalesce(sum(clients), 0)::bigint FROM client_counts WHERE tenant_id = $1)`
		}
		clients := `clients`
		if by == boundedScan {
			clients = `(
				SELECT * FROM clients WHERE tenant_id = $1 AND client_id > ` + after + ` ORDER BY client_id LIMIT ` + strconv.Itoa(firstScan) + `
			) AS clients`
		}
		return listing{inOrder, `
		SELECT ` + newestPosition + `, ` + total + `, false, NULL, NULL::bigint, NULL::json, NULL::json, NULL::json
		UNION ALL (
			SELECT NULL, NULL, NULL, client_id, revision, document, secrets, registration FROM ` + clients + `
			WHERE ` + whose + checks + ` AND client_id > ` + after + `
			ORDER BY client_id LIMIT ` + strconv.Itoa(limit) + ` OFFSET ` + strconv.Itoa(q.Offset) + `)`, c.args}
	}
}

// List implements [application.Store]. One statement reads a page, so it shows the clients
// of one point in time.
func (s *Store) List(ctx context.Context, tenant domain.TenantID, q application.Query) (application.Page, error) {
	select {
	case s.listing <- struct{}{}:
		defer func() { <-s.listing }()
	case <-ctx.Done():
		return application.Page{}, translate(ctx.Err())
	}
	strategies, err := s.strategies(ctx, q)
	if err != nil {
		return application.Page{}, err
	}
	for _, by := range strategies {
		page, complete, err := s.listBy(ctx, by, tenant, q)
		if complete || err != nil {
			return page, translate(err)
		}
	}
	return application.Page{}, fmt.Errorf("list: no strategy for %+v", q) // cannot happen: the last one is always complete
}

// listBy reads a list with one strategy. complete is false if the strategy gave up.
func (s *Store) listBy(
	ctx context.Context, by strategy, tenant domain.TenantID, q application.Query,
) (page application.Page, complete bool, err error) {
	limit := s.sizes.rows(tenant, q)
	l := listingOf(by, tenant, q, limit)
	page.Clients = make([]domain.Client, 0, min(q.Limit, limit))
	budget := application.NewBudget(q.MaxBytes)
	var (
		newest       *string
		total        *int64
		gaveUp       *bool
		id           *string
		revision     *int64
		doc, secrets []byte
		registration []byte
	)
	var statements pgx.Batch
	statements.Queue(l.settings)
	statements.Queue(l.statement, l.args...).Query(func(rows pgx.Rows) error {
		_, err := pgx.ForEachRow(rows, []any{&newest, &total, &gaveUp, &id, &revision, &doc, &secrets, &registration}, func() error {
			if newest != nil {
				page.Changes = application.Cursor(*newest)
				complete = !*gaveUp
				if total != nil {
					page.Total = int(*total)
				}
				return nil
			}
			if len(page.Clients)+len(page.Unreadable) == limit-1 || budget.Spent() {
				page.More = true // the server sends the rest, which is dropped
				return nil
			}
			client, err := document.Row{
				TenantID: tenant, ClientID: domain.ClientID(*id), Revision: domain.RevisionNumber(*revision), Document: doc, Secrets: secrets, Registration: registration,
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
		return application.Page{}, false, err
	}
	s.sizes.note(tenant, q, page, budget)
	if by == boundedScan {
		complete = page.More
	}
	return page, complete, nil
}
