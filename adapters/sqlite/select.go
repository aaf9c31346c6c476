package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/clientele-oauth/clientele/adapters/internal/document"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// selection has the filters of a list. One of them leads: the clients that it selects are
// read from its index, and the other filters are checked for each of these clients. SQLite's
// planner does not know how many clients a filter selects, so each statement fixes the order
// in which its tables are read (CROSS JOIN).
type selection struct {
	tenant domain.TenantID
	facets []string
	name   string // folded
	since  string // see timeText; empty if unset
}

func selectionOf(tenant domain.TenantID, q application.Query) selection {
	s := selection{tenant: tenant, facets: document.Facets(q), name: document.Fold(q.Name)}
	if !q.UpdatedSince.IsZero() {
		s.since = timeText(q.UpdatedSince)
	}
	return s
}

// lead is the filter whose index the clients are read from: an index into selection.facets,
// or one of these constants.
type lead int

const (
	leadKey    lead = -1 // no filter: the clients of the tenant in order
	leadName   lead = -2
	leadUpdate lead = -3
)

// enough is the number of clients up to which a filter is counted. If it selects more, it is
// faster to read the clients in order until the page is full than to sort them.
const enough = 1000

// leads lists the filters that have an index. Those that usually select few clients come
// first.
func (s selection) leads() []lead {
	var list []lead
	if utf8.RuneCountInString(s.name) >= 3 { // the index has trigrams
		list = append(list, leadName)
	}
	for i := range s.facets {
		list = append(list, lead(i))
	}
	if s.since != "" {
		list = append(list, leadUpdate)
	}
	return list
}

// probe returns the statement that counts the clients of a filter, up to enough.
func (s selection) probe(l lead) (statement string, args []any) {
	const head, tail = `SELECT count(*) FROM (SELECT 1 FROM `, ` LIMIT ?)`
	switch l {
	case leadName:
		return head + `client_names WHERE name MATCH ?` + tail, []any{s.match(), enough}
	case leadUpdate:
		return head + `clients INDEXED BY clients_updated WHERE tenant_id = ? AND updated_at >= ? AND deleted_at IS NULL` + tail,
			[]any{string(s.tenant), s.since, enough}
	default:
		return head + `client_facets WHERE tenant_id = ? AND facet = ?` + tail, []any{string(s.tenant), s.facets[l], enough}
	}
}

// match returns the FTS5 expression for names that contain the text.
func (s selection) match() string { return `"` + strings.ReplaceAll(s.name, `"`, `""`) + `"` }

// choose returns the filter that selects the fewest clients. If all select many, it returns
// a facet, whose index has its clients in order, or the key.
func (s selection) choose(ctx context.Context, tx *sql.Tx) (lead, error) {
	best, least := leadKey, enough
	if len(s.facets) > 0 {
		best = 0
	}
	leads := s.leads()
	if len(leads) == 1 && len(s.facets) == 1 {
		return best, nil
	}
	for _, l := range leads {
		statement, args := s.probe(l)
		var found int
		if err := tx.QueryRowContext(ctx, statement, args...).Scan(&found); err != nil {
			return best, translate(err)
		}
		if found < least {
			best, least = l, found
		}
	}
	return best, nil
}

// from returns the tables and conditions of a statement in which the filter l leads, and the
// expression for the identifiers of the clients.
func (s selection) from(l lead) (clause, key string, args []any) {
	var from, where strings.Builder
	var values []any // of where
	key = `c.client_id`
	from.WriteString(` FROM `)
	where.WriteString(` WHERE `)
	const clients = `clients c ON c.tenant_id = f.tenant_id AND c.client_id = f.client_id`
	switch {
	case l == leadName:
		from.WriteString(`client_names n CROSS JOIN clients c ON c.n = n.rowid`)
		where.WriteString(`n.name MATCH ? AND c.tenant_id = ?`)
		values = append(values, s.match(), string(s.tenant))
	case l == leadUpdate:
		from.WriteString(`clients c INDEXED BY clients_updated`)
		where.WriteString(`c.tenant_id = ?`)
		values = append(values, string(s.tenant))
	case l >= 0:
		key = `f.client_id`
		from.WriteString(`client_facets f`)
		where.WriteString(`f.tenant_id = ? AND f.facet = ?`)
		values = append(values, string(s.tenant), s.facets[l])
	default:
		from.WriteString(`clients c`)
		where.WriteString(`c.tenant_id = ?`)
		values = append(values, string(s.tenant))
	}
	for i, facet := range s.facets {
		if lead(i) != l {
			e := "e" + strconv.Itoa(i)
			fmt.Fprintf(&from, ` CROSS JOIN client_facets %[1]s ON %[1]s.tenant_id = ? AND %[1]s.facet = ? AND %[1]s.client_id = %[2]s`, e, key)
			args = append(args, string(s.tenant), facet)
		}
	}
	if l >= 0 {
		from.WriteString(` CROSS JOIN ` + clients)
	}
	where.WriteString(` AND c.deleted_at IS NULL`)
	if s.name != "" {
		where.WriteString(` AND instr(c.name, ?) > 0`)
		values = append(values, s.name)
	}
	if s.since != "" {
		where.WriteString(` AND c.updated_at >= ?`)
		values = append(values, s.since)
	}
	return from.String() + where.String(), key, append(args, values...)
}

// ids returns the statement for the row numbers of a page, and of one more client, as a JSON
// array in the order of the clients. SQLite runs it in one step, which can be interrupted,
// and does not sort documents.
func (s selection) ids(l lead, q application.Query) (statement string, args []any) {
	clause, key, args := s.from(l)
	statement = `SELECT json_group_array(n ORDER BY id) FROM (SELECT c.n AS n, ` + key + ` AS id` + clause +
		` AND ` + key + ` > ? ORDER BY ` + key + ` LIMIT ? OFFSET ?)`
	return statement, append(args, string(q.After), q.Limit+1, q.Offset)
}

// count returns the statement that counts the clients of all pages.
func (s selection) count(l lead) (statement string, args []any) {
	clause, _, args := s.from(l)
	return `SELECT count(*)` + clause, args
}

// rows returns the statement for the clients of a page and one more client, and the total of
// all pages if the query asks for it.
func rows(
	ctx context.Context, tx *sql.Tx, tenant domain.TenantID, q application.Query,
) (statement string, args []any, total int, err error) {
	const counted = `SELECT coalesce(sum(clients), 0) FROM client_counts WHERE tenant_id = ? AND (? = '' OR status = ?)`
	if q.Count && !q.Selects() {
		err := tx.QueryRowContext(ctx, counted, string(tenant), string(q.Status), string(q.Status)).Scan(&total)
		if err != nil {
			return "", nil, 0, translate(err)
		}
	}
	if !q.Selects() && q.Status == "" {
		return inOrder, []any{string(tenant), string(q.After), q.Limit + 1, q.Offset}, total, nil
	}
	s := selectionOf(tenant, q)
	l, err := s.choose(ctx, tx)
	if err != nil {
		return "", nil, 0, err
	}
	if q.Count && q.Selects() {
		statement, args := s.count(l)
		if err := tx.QueryRowContext(ctx, statement, args...).Scan(&total); err != nil {
			return "", nil, 0, translate(err)
		}
	}
	statement, args = s.ids(l, q)
	var ids string
	if err := tx.QueryRowContext(ctx, statement, args...).Scan(&ids); err != nil {
		return "", nil, 0, translate(err)
	}
	return byNumber, []any{ids}, total, nil
}

// The statements that return clients.
const (
	inOrder = `
		SELECT c.tenant_id, c.client_id, c.revision, c.document, c.secrets, c.registration FROM clients c
		WHERE c.tenant_id = ? AND c.deleted_at IS NULL AND c.client_id > ? ORDER BY c.client_id LIMIT ? OFFSET ?`
	byNumber = `
		SELECT c.tenant_id, c.client_id, c.revision, c.document, c.secrets, c.registration
		FROM json_each(?) AS chosen CROSS JOIN clients c ON c.n = chosen.value`
)
