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

// The plans of lists must not depend on the statistics of the tables, which are
// missing or out of date after a tenant has grown. Without them the planner reckons
// that a tenant has few clients, and reads and sorts all of them for each page. So
// each statement leaves it one plan: what it must not do is switched off for the
// transaction, and an index that must not be used is hidden behind an expression. So
// is compilation: the costs that a plan gets for a scan that is switched off and still
// needed, as that of a table without an index, would bring it about.
const (
	// inOrder leaves only scans in the order of an index.
	inOrder = `SELECT set_config('jit', 'off', true), set_config('enable_sort', 'off', true), set_config('enable_bitmapscan', 'off', true), ` +
		`set_config('enable_seqscan', 'off', true)`
	// byIndex also leaves bitmaps, without which GIN and BRIN indexes cannot be read.
	byIndex = `SELECT set_config('jit', 'off', true), set_config('enable_sort', 'off', true), set_config('enable_bitmapscan', 'on', true), ` +
		`set_config('enable_seqscan', 'off', true)`
)

// Bounds of what a list reads before it takes another way.
const (
	// fewClients is how many clients are looked up by what a query asks for, before
	// it is known that there are many.
	fewClients = 1000
	// smallTenant is the number of clients up to which those of a tenant are all
	// looked at, instead of those of all tenants that an index leads to.
	smallTenant = 2000
	// manyCandidates is how many clients of all tenants that an index leads to are looked
	// at, before those of the tenant are looked at in order: others may have in great
	// numbers what few clients of this tenant have.
	manyCandidates = 20000
	// firstLook is how many clients are looked at in order for a page whose filters
	// many clients usually match, before an index is asked.
	firstLook = 1000
	// recentChanges is how many entries of the log are looked at for updated_since.
	recentChanges = 20000
)

// A way is one of the statements by which a list may be read.
type way int

const (
	// wayWalk reads the clients in order until the page is full.
	wayWalk way = iota
	// wayLook is wayWalk that gives up after firstLook clients.
	wayLook
	// wayFilter looks up the clients by the indexes of facets and names, and gives up
	// at fewClients.
	wayFilter
	// wayRecent looks up the clients by the index of the times of changes, and gives
	// up at recentChanges.
	wayRecent
)

// ways lists the ways to try for a query, in order. The last one never gives up.
func (s *Store) ways(ctx context.Context, q application.Query) ([]way, error) {
	facets := len(document.Facets(q)) > 0
	var list []way
	if facets && q.Name == "" && q.UpdatedSince.IsZero() && q.RedirectHost == "" && q.Offset == 0 && (!q.Count || !q.Selects()) {
		list = append(list, wayLook)
	}
	if !q.UpdatedSince.IsZero() {
		list = append(list, wayRecent)
	}
	names, err := s.namesIndexed(ctx)
	if err != nil {
		return nil, err
	}
	if facets || names && hasTrigram(q.Name) {
		list = append(list, wayFilter)
	}
	return append(list, wayWalk), nil
}

// hasTrigram reports whether the index of names can find a part of a name.
func hasTrigram(part string) bool { return utf8.RuneCountInString(document.Fold(part)) >= 3 }

// namesIndexed reports whether there is an index of names; see the migration.
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

// listing is a statement of a list: what is switched off for it, its text, and its
// values. It returns a row with the place in the feed, the total and whether the
// way gave up, and then the clients.
type listing struct {
	settings, statement string
	args                []any
}

// conditions collects the conditions of a query and their values.
type conditions struct {
	args []any
}

// value adds a value and returns its place in the statement. The planner does not
// see it, so that there is one plan for all values.
func (c *conditions) value(v any, kind string) string {
	c.args = append(c.args, v)
	return `(SELECT $` + strconv.Itoa(len(c.args)) + `::` + kind + `)`
}

// listingOf makes the statement of a way. limit is how many clients it returns at
// most: one more than the page may have.
func listingOf(w way, tenant domain.TenantID, q application.Query, limit int) listing {
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
	// Without an index, and with the indexes of facets and of names.
	checks := fmt.Sprintf(pattern, `(facets || '{}'::text[])`, `(name || '')`)
	indexed := fmt.Sprintf(pattern, `facets`, `name`)
	if !hasTrigram(q.Name) {
		indexed = fmt.Sprintf(strings.Split(pattern, ` AND %[2]s`)[0], `facets`)
	}
	if pattern == "" {
		checks, indexed = "", ""
	}
	if since != "" { // the newest revision first: an index leads to it
		changed := ` AND (SELECT true FROM revisions r WHERE r.tenant_id = $1 AND r.client_id = clients.client_id AND r.at >= ` + since +
			` ORDER BY r.number DESC LIMIT 1)`
		checks += changed
	}

	switch w {
	case wayFilter, wayRecent:
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
		if w == wayRecent {
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
		SELECT ` + newestPosition + `, ` + total + `, (SELECT many FROM found), NULL, NULL::bigint, NULL::json, NULL::json
		UNION ALL (
			SELECT NULL, NULL, NULL, client_id, revision, document, secrets
			FROM unnest((
				SELECT (array_agg(client_id ORDER BY client_id))[` + c.value(q.Offset+1, "int") + `:` + c.value(q.Offset+limit, "int") + `]
				FROM few WHERE client_id > ` + after + ` AND NOT (SELECT many FROM found)
			)) AS chosen (id) CROSS JOIN LATERAL (
				SELECT client_id, revision, document, secrets FROM clients WHERE tenant_id = $1 AND client_id = chosen.id LIMIT 1
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
		if w == wayLook {
			clients = `(
				SELECT * FROM clients WHERE tenant_id = $1 AND client_id > ` + after + ` ORDER BY client_id LIMIT ` + strconv.Itoa(firstLook) + `
			) AS clients`
		}
		return listing{inOrder, `
		SELECT ` + newestPosition + `, ` + total + `, false, NULL, NULL::bigint, NULL::json, NULL::json
		UNION ALL (
			SELECT NULL, NULL, NULL, client_id, revision, document, secrets FROM ` + clients + `
			WHERE ` + whose + checks + ` AND client_id > ` + after + `
			ORDER BY client_id LIMIT ` + strconv.Itoa(limit) + ` OFFSET ` + strconv.Itoa(q.Offset) + `)`, c.args}
	}
}

// List implements [application.Store]. A page is that of one statement, and so of one
// moment.
func (s *Store) List(ctx context.Context, tenant domain.TenantID, q application.Query) (application.Page, error) {
	select {
	case s.listing <- struct{}{}:
		defer func() { <-s.listing }()
	case <-ctx.Done():
		return application.Page{}, translate(ctx.Err())
	}
	ways, err := s.ways(ctx, q)
	if err != nil {
		return application.Page{}, err
	}
	for _, w := range ways {
		page, complete, err := s.listBy(ctx, w, tenant, q)
		if complete || err != nil {
			return page, translate(err)
		}
	}
	return application.Page{}, fmt.Errorf("list: no way to read %+v", q) // the last one is always complete
}

// listBy reads a list by one way, and reports whether that did not give up.
func (s *Store) listBy(
	ctx context.Context, w way, tenant domain.TenantID, q application.Query,
) (page application.Page, complete bool, err error) {
	limit := s.sizes.rows(tenant, q)
	l := listingOf(w, tenant, q, limit)
	page.Clients = make([]domain.Client, 0, min(q.Limit, limit))
	budget := application.NewBudget(q.MaxBytes)
	var (
		newest       *string
		total        *int64
		gaveUp       *bool
		id           *string
		revision     *int64
		doc, secrets []byte
	)
	var batch pgx.Batch
	batch.Queue(l.settings)
	batch.Queue(l.statement, l.args...).Query(func(rows pgx.Rows) error {
		_, err := pgx.ForEachRow(rows, []any{&newest, &total, &gaveUp, &id, &revision, &doc, &secrets}, func() error {
			if newest != nil {
				page.Changes = application.Cursor(*newest)
				complete = !*gaveUp
				if total != nil {
					page.Total = int(*total)
				}
				return nil
			}
			if len(page.Clients)+len(page.Unreadable) == limit-1 || budget.Spent() {
				page.More = true // the server sends the rest, which is not kept
				return nil
			}
			client, err := document.Row{
				TenantID: tenant, ClientID: domain.ClientID(*id), Revision: domain.RevisionNumber(*revision), Document: doc, Secrets: secrets,
			}.Decode()
			if unreadable, ok := errors.AsType[*application.UnreadableError](err); ok {
				page.Unreadable = append(page.Unreadable, unreadable)
				return nil
			}
			budget.Take(client)
			page.Clients = append(page.Clients, client)
			return err
		})
		return err
	})
	if err := s.pool.SendBatch(ctx, &batch).Close(); err != nil {
		return application.Page{}, false, err
	}
	s.sizes.note(tenant, q, page, budget)
	if w == wayLook {
		complete = page.More
	}
	return page, complete, nil
}
