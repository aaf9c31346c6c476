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

// The statements of a single commit: one round trip, in which the log entry is
// inserted only if the row of the client was changed.
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
	// Deletion, purge and restoration also change deleted_at and purged. A document
	// without secrets keeps the stored ones.
	commitDeleteOrRestore = `
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

// The same for several revisions. Each parameter is an array with the values of one
// column. The statement returns the indexes, from 1, of the revisions that it stored.
const (
	commitCreates = commitEntries + `, created AS (
			INSERT INTO clients (client_id, tenant_id, revision, document, secrets, name, status, facets)
			SELECT client_id, tenant_id, number, document, secrets, name, status, facets FROM entries
			ON CONFLICT (tenant_id, client_id) DO NOTHING
			RETURNING tenant_id, client_id
		), moved AS (
			SELECT entries.* FROM created JOIN entries USING (tenant_id, client_id)
		)` + commitLogs
	// Rows that another transaction has locked are skipped.
	commitUpdates = commitEntries + `, free AS MATERIALIZED (
			SELECT clients.ctid AS row_id, entries.* FROM entries JOIN clients USING (tenant_id, client_id)
			WHERE clients.revision = number - 1
			FOR UPDATE OF clients SKIP LOCKED
		), moved AS (
			UPDATE clients SET revision = number, document = free.document, secrets = free.secrets,
				name = free.name, status = free.status, facets = free.facets
			FROM free WHERE clients.ctid = row_id
			RETURNING free.*
		)` + commitLogs
	// The subqueries hide the values and their number from the planner, so that it has
	// one plan for all values, made for a few revisions: it looks up the row of each.
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

// errNotBatched is the result of a commit that must be repeated in a transaction of
// its own. The batch has changed nothing for it.
var errNotBatched = errors.New("the commit cannot be part of a batch")

// commitBatch commits revisions in one transaction and one round trip. A revision that
// did not change the row of its client has errNotBatched: the repetition finds out
// whether that is a conflict or a lock. If a statement fails, nothing is committed and
// all have errNotBatched.
func (s *Store) commitBatch(ctx context.Context, revisions []pendingRevision) []batch.Result[struct{}] {
	results := make([]batch.Result[struct{}], len(revisions))
	defer func() { // not in Commit, whose caller may have left by now
		for i := range results {
			if results[i].Err == nil {
				s.notifier.publish(revisions[i].client.tenant)
			}
		}
	}()
	if len(revisions) == 1 {
		if results[0].Err = revisions[0].commit(ctx, s.pool); conflicted(results[0].Err) {
			results[0].Err = errNotBatched // the caller repeats it
		}
		return results
	}
	for i := range results {
		results[i].Err = errNotBatched
	}
	created, updated := groupByStatement(revisions)
	var statements pgx.Batch
	for _, c := range []*columns{created, updated} {
		if len(c.revisions) > 0 {
			statements.Queue(c.statement, c.args()...).Query(func(rows pgx.Rows) error {
				var n int64
				_, err := pgx.ForEachRow(rows, []any{&n}, func() error {
					results[c.revisions[n-1]].Err = nil
					return nil
				})
				return err
			})
		}
	}
	err := s.pool.SendBatch(ctx, &statements).Close() // a pgx batch is one implicit transaction
	if failsAlone(err) {
		err = errNotBatched
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

// step says which statement a revision needs.
type step int

const (
	create step = iota
	update
	// deleteOrRestore is also the step of a revision that keeps the stored secrets.
	deleteOrRestore
)

// pendingRevision is a revision that is to be committed, encoded for its columns.
type pendingRevision struct {
	domain.Revision
	step         step
	client       key
	doc, secrets []byte
	search       record.Search
}

// pending encodes a revision. The error is [application.ErrUnstorable] for a revision
// that could not be read back.
func pending(r domain.Revision) (pendingRevision, error) {
	if err := record.CheckRevision(r); err != nil {
		return pendingRevision{}, err
	}
	doc, secrets, err := record.Encode(r.Client)
	if err != nil {
		return pendingRevision{}, err
	}
	identity := r.Client.Identity()
	p := pendingRevision{
		Revision: r, step: update, client: key{identity.TenantID, identity.ClientID},
		doc: doc, secrets: secrets, search: record.SearchOf(r.Client),
	}
	switch {
	case r.Action == domain.ActionCreate:
		p.step = create
	case r.Action == domain.ActionRestore, r.Client.Deleted(), secrets == nil:
		p.step = deleteOrRestore
	}
	return p, nil
}

// commitAlone commits the revision in a transaction of its own.
func (s *Store) commitAlone(ctx context.Context, p pendingRevision) error {
	return retry(ctx, func() error { return p.commit(ctx, s.pool) })
}

// commit runs the statement of this revision alone. The error is
// [application.ErrConflict] if the row of the client has another revision.
func (p pendingRevision) commit(ctx context.Context, on executor) error {
	args := []any{
		string(p.client.id), string(p.client.tenant), int64(p.Client.Revision()), p.doc, p.secrets,
		p.At, string(p.Action), p.Actor.Subject, string(p.Actor.ClientID), p.RequestID, p.Reason,
		p.search.Name, p.search.Status, p.search.Facets,
	}
	var statement string
	switch p.step {
	case create:
		statement = commitCreate
	case update:
		statement = commitUpdate
	case deleteOrRestore:
		statement = commitDeleteOrRestore
		args = append(args, nullTime(p.Client.DeletedAt()), p.Client.Purged())
	}
	tag, err := on.Exec(ctx, statement, args...)
	if err == nil && tag.RowsAffected() == 0 {
		err = application.ErrConflict
	}
	return err
}

// nullTime returns the value of a nullable column: NULL for the zero time.
func nullTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// columns has the values of several revisions for one statement.
type columns struct {
	statement string
	revisions []int // their indexes in the batch

	clients, tenants, documents, secrets, actions, actors, actorClients, requestIDs, reasons, names, statuses, facets []string
	numbers                                                                                                           []int64
	times                                                                                                             []time.Time
}

// groupByStatement distributes the revisions of a batch to the statements. Of several
// revisions of one client it takes only the first: they replace the same revision, so
// at most one can be stored.
func groupByStatement(revisions []pendingRevision) (created, updated *columns) {
	created, updated = &columns{statement: commitCreates}, &columns{statement: commitUpdates}
	// An INSERT waits for a concurrent INSERT of the same key. All batches insert in the
	// order of the key, so that two of them cannot wait for each other.
	order := make([]int, len(revisions))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Or(
			strings.Compare(string(revisions[a].client.tenant), string(revisions[b].client.tenant)),
			strings.Compare(string(revisions[a].client.id), string(revisions[b].client.id)))
	})
	seen := make(map[key]bool, len(revisions))
	for _, i := range order {
		p := &revisions[i]
		if seen[p.client] {
			continue
		}
		seen[p.client] = true
		if p.step == create {
			created.add(i, p)
		} else {
			updated.add(i, p)
		}
	}
	return created, updated
}

func (c *columns) add(i int, p *pendingRevision) {
	c.revisions = append(c.revisions, i)
	c.clients = append(c.clients, string(p.client.id))
	c.tenants = append(c.tenants, string(p.client.tenant))
	c.numbers = append(c.numbers, int64(p.Client.Revision()))
	c.documents = append(c.documents, string(p.doc))
	c.secrets = append(c.secrets, string(p.secrets))
	c.times = append(c.times, p.At)
	c.actions = append(c.actions, string(p.Action))
	c.actors = append(c.actors, p.Actor.Subject)
	c.actorClients = append(c.actorClients, string(p.Actor.ClientID))
	c.requestIDs = append(c.requestIDs, p.RequestID)
	c.reasons = append(c.reasons, p.Reason)
	c.names = append(c.names, p.search.Name)
	c.statuses = append(c.statuses, p.search.Status)
	c.facets = append(c.facets, arrayText(p.search.Facets))
}

func (c *columns) args() []any {
	return []any{
		c.clients, c.tenants, c.numbers, c.documents, c.secrets, c.times, c.actions, c.actors, c.actorClients, c.requestIDs, c.reasons,
		c.names, c.statuses, c.facets, len(c.revisions),
	}
}

// arrayText returns a list as the text of a PostgreSQL array. The arrays of facets
// cannot be the elements of one array, because the elements of a multidimensional array
// must have equal lengths (PostgreSQL, §8.15.2).
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
