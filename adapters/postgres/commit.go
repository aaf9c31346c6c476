package postgres

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/clientele-oauth/clientele/adapters/internal/batch"
	"github.com/clientele-oauth/clientele/adapters/record"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// The statements of a commit: one round trip, in which the log entry is
// written only if the row took the step.
const (
	commitCreate = `
		WITH moved AS (
			INSERT INTO clients (client_id, tenant_id, revision, document, secrets, name, status, facets)
			VALUES ($1, $2, $3, $4, $5, $12, $13, $14)
			ON CONFLICT (tenant_id, client_id) DO NOTHING
			RETURNING client_id
		)` + commitLog
	commitUpdate = `
		WITH moved AS (
			UPDATE clients SET revision = $3, document = $4, secrets = $5, name = $12, status = $13, facets = $14
			WHERE client_id = $1 AND tenant_id = $2 AND revision = $3 - 1
			RETURNING client_id
		)` + commitLog
	// The end of a life, and the way back from there, stand in columns as well.
	commitEnd = `
		WITH moved AS (
			UPDATE clients SET revision = $3, document = $4, secrets = coalesce($5::json, secrets), name = $12, status = $13,
				facets = $14, deleted_at = $15, purged = $16
			WHERE client_id = $1 AND tenant_id = $2 AND revision = $3 - 1
			RETURNING client_id
		), forgotten AS (
			DELETE FROM revisions WHERE $16 AND tenant_id = $2 AND client_id = (SELECT client_id FROM moved)
			RETURNING tenant_id, xid, seq, ` + entryDigest + ` AS digest
		), kept AS (
			INSERT INTO purged_changes (tenant_id, xid, seq, digest) SELECT tenant_id, xid, seq, digest FROM forgotten
		), unused AS (
			DELETE FROM secret_uses WHERE $16 AND tenant_id = $2 AND client_id = (SELECT client_id FROM moved)
		)` + commitLog
	commitLog = `
		INSERT INTO revisions (client_id, number, tenant_id, at, action, actor, document, actor_client, request_id, reason)
		SELECT client_id, $3, $2, $6, $7, $8, $4, $9, $10, $11 FROM moved`
)

// The same for several entries, the values of each member in a column of their
// own; the answer tells which of the entries took the step.
const (
	commitCreates = commitEntries + `, created AS (
			INSERT INTO clients (client_id, tenant_id, revision, document, secrets, name, status, facets)
			SELECT client_id, tenant_id, number, document, secrets, name, status, facets FROM entries
			ON CONFLICT (tenant_id, client_id) DO NOTHING
			RETURNING tenant_id, client_id
		), moved AS (
			SELECT entries.* FROM created JOIN entries USING (tenant_id, client_id)
		)` + commitLogs
	// A row that somebody holds is not waited for.
	commitUpdates = commitEntries + `, free AS MATERIALIZED (
			SELECT clients.ctid AS place, entries.* FROM entries JOIN clients USING (tenant_id, client_id)
			WHERE clients.revision = number - 1
			FOR UPDATE OF clients SKIP LOCKED
		), moved AS (
			UPDATE clients SET revision = number, document = free.document, secrets = free.secrets,
				name = free.name, status = free.status, facets = free.facets
			FROM free WHERE clients.ctid = place
			RETURNING free.*
		)` + commitLogs
	// The planner sees neither the entries nor how many there are, and so has one
	// plan; it takes them for few, and so looks up the row of each.
	commitEntries = `
		WITH entries AS MATERIALIZED (
			SELECT client_id, tenant_id, number, document::json, secrets::json, at, action, actor, actor_client, request_id, reason,
				name, status, facets::text[], n
			FROM unnest(
				(SELECT $1::text[]), (SELECT $2::text[]), (SELECT $3::bigint[]), (SELECT $4::text[]), (SELECT $5::text[]),
				(SELECT $6::timestamptz[]), (SELECT $7::text[]), (SELECT $8::text[]), (SELECT $9::text[]), (SELECT $10::text[]),
				(SELECT $11::text[]), (SELECT $12::text[]), (SELECT $13::text[]), (SELECT $14::text[])
			) WITH ORDINALITY AS columns (
				client_id, tenant_id, number, document, secrets, at, action, actor, actor_client, request_id, reason, name, status, facets, n
			)
			LIMIT (SELECT $15::bigint)
		)`
	commitLogs = `, logged AS (
			INSERT INTO revisions (client_id, number, tenant_id, at, action, actor, document, actor_client, request_id, reason)
			SELECT client_id, number, tenant_id, at, action, actor, document, actor_client, request_id, reason FROM moved
		)
		SELECT n FROM moved`
)

// errAlone tells an entry that it did not get along with others, and nothing of
// it is done.
var errAlone = errors.New("the commit has to go alone")

// commitTogether makes one transaction of the entries, and one round trip. Those
// that have not moved their clients go alone, and find out why; where the server
// refuses one of them, nothing is done, and all go alone.
func (s *Store) commitTogether(ctx context.Context, entries []entry) []batch.Result[struct{}] {
	results := make([]batch.Result[struct{}], len(entries))
	defer func() { // here, since the caller may have left by now
		for i := range results {
			if results[i].Err == nil {
				s.news.committed(entries[i].client.tenant)
			}
		}
	}()
	if len(entries) == 1 {
		if results[0].Err = entries[0].commit(ctx, s.pool); conflicted(results[0].Err) {
			results[0].Err = errAlone // to be repeated, by the caller
		}
		return results
	}
	for i := range results {
		results[i].Err = errAlone
	}
	created, updated := together(entries)
	var batch pgx.Batch
	for _, c := range []*columns{created, updated} {
		if len(c.entries) > 0 {
			batch.Queue(c.statement, c.args()...).Query(func(rows pgx.Rows) error {
				var n int64
				_, err := pgx.ForEachRow(rows, []any{&n}, func() error {
					results[c.entries[n-1]].Err = nil
					return nil
				})
				return err
			})
		}
	}
	err := s.pool.SendBatch(ctx, &batch).Close() // an implicit transaction, until all of it is sent
	if stopsAll(err) {
		err = errAlone
	}
	if err != nil {
		for i := range results {
			results[i].Err = err
		}
	}
	return results
}

// executor is a pool or a transaction.
type executor interface {
	Exec(ctx context.Context, statement string, args ...any) (pgconn.CommandTag, error)
}

// step is what an entry does to the row of its client.
type step int

const (
	creates step = iota
	updates
	ends // its life, or begins it again; or keeps the stored secrets
)

// entry is a revision on its way into the store.
type entry struct {
	domain.Revision
	step         step
	client       key
	doc, secrets []byte
	search       record.Search
}

func entryOf(r domain.Revision) (entry, error) {
	if err := record.CheckRevision(r); err != nil {
		return entry{}, err
	}
	doc, secrets, err := record.Encode(r.Client)
	if err != nil {
		return entry{}, err
	}
	identity := r.Client.Identity()
	e := entry{
		Revision: r, step: updates, client: key{identity.TenantID, identity.ClientID},
		doc: doc, secrets: secrets, search: record.SearchOf(r.Client),
	}
	switch {
	case r.Action == domain.ActionCreate:
		e.step = creates
	case r.Action == domain.ActionRestore, r.Client.Deleted(), secrets == nil:
		e.step = ends
	}
	return e, nil
}

// commitAlone makes the entry in a transaction of its own.
func (s *Store) commitAlone(ctx context.Context, e entry) error {
	return retry(ctx, func() error { return e.commit(ctx, s.pool) })
}

// commit makes the entry by itself.
func (e entry) commit(ctx context.Context, on executor) error {
	args := []any{
		string(e.client.id), string(e.client.tenant), int64(e.Client.Revision()), e.doc, e.secrets,
		e.At, string(e.Action), e.Actor.Subject, string(e.Actor.ClientID), e.RequestID, e.Reason,
		e.search.Name, e.search.Status, e.search.Facets,
	}
	var statement string
	switch e.step {
	case creates:
		statement = commitCreate
	case updates:
		statement = commitUpdate
	case ends:
		statement = commitEnd
		args = append(args, nullTime(e.Client.DeletedAt()), e.Client.Purged())
	}
	tag, err := on.Exec(ctx, statement, args...)
	if err == nil && tag.RowsAffected() == 0 {
		err = application.ErrConflict
	}
	return err
}

// nullTime is a time as a column has it, NULL where it is zero.
func nullTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// columns are the values of several entries for one statement.
type columns struct {
	statement string
	entries   []int // where they were among all

	clients, tenants, documents, secrets, actions, actors, actorClients, requestIDs, reasons, names, statuses, facets []string
	numbers                                                                                                           []int64
	times                                                                                                             []time.Time
}

// together sorts the entries by what they do. Of several for one client only the
// first can be the next one, so the others are left out.
func together(entries []entry) (created, updated *columns) {
	created, updated = &columns{statement: commitCreates}, &columns{statement: commitUpdates}
	// One that registers a client waits for another one that is registering it, so all
	// register in the order of the key.
	order := make([]int, len(entries))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Or(
			strings.Compare(string(entries[a].client.tenant), string(entries[b].client.tenant)),
			strings.Compare(string(entries[a].client.id), string(entries[b].client.id)))
	})
	seen := make(map[key]bool, len(entries))
	for _, i := range order {
		e := &entries[i]
		if seen[e.client] {
			continue
		}
		seen[e.client] = true
		if e.step == creates {
			created.add(i, e)
		} else {
			updated.add(i, e)
		}
	}
	return created, updated
}

func (c *columns) add(i int, e *entry) {
	c.entries = append(c.entries, i)
	c.clients = append(c.clients, string(e.client.id))
	c.tenants = append(c.tenants, string(e.client.tenant))
	c.numbers = append(c.numbers, int64(e.Client.Revision()))
	c.documents = append(c.documents, string(e.doc))
	c.secrets = append(c.secrets, string(e.secrets))
	c.times = append(c.times, e.At)
	c.actions = append(c.actions, string(e.Action))
	c.actors = append(c.actors, e.Actor.Subject)
	c.actorClients = append(c.actorClients, string(e.Actor.ClientID))
	c.requestIDs = append(c.requestIDs, e.RequestID)
	c.reasons = append(c.reasons, e.Reason)
	c.names = append(c.names, e.search.Name)
	c.statuses = append(c.statuses, e.search.Status)
	c.facets = append(c.facets, arrayText(e.search.Facets))
}

func (c *columns) args() []any {
	return []any{
		c.clients, c.tenants, c.numbers, c.documents, c.secrets, c.times, c.actions, c.actors, c.actorClients, c.requestIDs, c.reasons,
		c.names, c.statuses, c.facets, len(c.entries),
	}
}

// arrayText is a list as the text of an array: a column of lists of different
// lengths is none of arrays (PostgreSQL, §8.15.2).
func arrayText(list []string) string {
	text := []byte{'{'}
	for i, element := range list {
		if i > 0 {
			text = append(text, ',')
		}
		text = append(text, '"')
		for _, c := range []byte(element) {
			if c == '"' || c == '\\' {
				text = append(text, '\\')
			}
			text = append(text, c)
		}
		text = append(text, '"')
	}
	return string(append(text, '}'))
}
