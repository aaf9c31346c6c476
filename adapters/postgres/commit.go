package postgres

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/clientele-oauth/clientele/adapters/internal/batch"
	"github.com/clientele-oauth/clientele/adapters/internal/document"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// The statements of a single commit: one round trip, in which the log entry is
// inserted only if the row of the client was changed.
const (
	commitCreate = `
		WITH moved AS (
			INSERT INTO clients (client_id, tenant_id, revision, document, secrets, name, status, facets, secret_end, registration, registered)
			VALUES ($1, $2, $3, $4, $5, $12, $13, $14, $15, $16, $17)
			ON CONFLICT (tenant_id, client_id) DO NOTHING
			RETURNING client_id
		)` + commitLog
	commitUpdate = `
		WITH moved AS (
			UPDATE clients SET revision = $3, document = $4, secrets = $5, name = $12, status = $13, facets = $14, secret_end = $15,
				registration = $16, registered = $17
			WHERE client_id = $1 AND tenant_id = $2 AND revision = $3 - 1
			RETURNING client_id
		)` + commitLog
	// commitUpdateUnlocked changes nothing if another transaction has locked the row.
	commitUpdateUnlocked = `
		WITH unlocked AS MATERIALIZED (
			SELECT ctid AS row_id FROM clients WHERE client_id = $1 AND tenant_id = $2 AND revision = $3 - 1
			FOR UPDATE SKIP LOCKED
		), moved AS (
			UPDATE clients SET revision = $3, document = $4, secrets = $5, name = $12, status = $13, facets = $14, secret_end = $15,
				registration = $16, registered = $17
			FROM unlocked WHERE clients.ctid = row_id
			RETURNING client_id
		)` + commitLog
	// Deletion, purge and restoration also change deleted_at and purged. A document
	// without secrets keeps the stored ones, and their end.
	commitDeleteOrRestore = `
		WITH moved AS (
			UPDATE clients SET revision = $3, document = $4, secrets = coalesce($5::json, secrets), name = $12, status = $13,
				facets = $14, secret_end = CASE WHEN $5::json IS NULL THEN secret_end ELSE $15 END,
				registration = $16, registered = $17, deleted_at = $19, purged = $20
			WHERE client_id = $1 AND tenant_id = $2 AND revision = $3 - 1
			RETURNING client_id
		), forgotten AS (
			DELETE FROM revisions WHERE $20 AND tenant_id = $2 AND client_id = (SELECT client_id FROM moved)
			RETURNING tenant_id, xid, seq, ` + entryDigest + ` AS digest
		), kept AS (
			INSERT INTO purged_changes (tenant_id, xid, seq, digest) SELECT tenant_id, xid, seq, digest FROM forgotten
		), unused AS (
			DELETE FROM secret_uses WHERE $20 AND tenant_id = $2 AND client_id = (SELECT client_id FROM moved)
		), unseen AS (
			DELETE FROM client_seen WHERE $20 AND tenant_id = $2 AND client_id = (SELECT client_id FROM moved)
		)` + commitLog
	commitLog = `
		INSERT INTO revisions (client_id, number, tenant_id, at, action, actor, document, actor_client, request_id, reason, actor_details)
		SELECT client_id, $3, $2, $6, $7, $8, $4, $9, $10, $11, $18 FROM moved`
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
	var statements pgx.Batch
	for _, i := range batchOrder(revisions) {
		statement := commitUpdateUnlocked
		if revisions[i].step == create {
			statement = commitCreate
		}
		statements.Queue(statement, revisions[i].args()...).Exec(func(tag pgconn.CommandTag) error {
			if tag.RowsAffected() > 0 {
				results[i].Err = nil
			}
			return nil
		})
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
	registration []byte // nil for a client without one
	search       document.Search
}

// pending encodes a revision. The error is [application.ErrUnstorable] for a revision
// that could not be read back.
func pending(r domain.Revision) (pendingRevision, error) {
	if err := document.CheckRevision(r); err != nil {
		return pendingRevision{}, err
	}
	doc, secrets, err := document.Encode(r.Client)
	if err != nil {
		return pendingRevision{}, err
	}
	registration, err := document.EncodeRegistration(r.Client)
	if err != nil {
		return pendingRevision{}, err
	}
	identity := r.Client.Identity()
	p := pendingRevision{
		Revision: r, step: update, client: key{identity.TenantID, identity.ClientID},
		doc: doc, secrets: secrets, registration: registration, search: document.SearchOf(r.Client),
	}
	switch {
	case r.Client.Revision() == 1:
		p.step = create
	case r.Action == domain.ActionRestore, r.Client.Deleted(), secrets == nil:
		p.step = deleteOrRestore
	}
	return p, nil
}

// batched reports whether the revision can share a transaction with others. The deletion of
// a client, and the creation of one that registered itself, wait for counters of their tenant
// (migration 55).
func (p *pendingRevision) batched() bool {
	return p.step != deleteOrRestore && (p.step != create || p.search.Registered == nil)
}

// commitAlone commits the revision in a transaction of its own.
func (s *Store) commitAlone(ctx context.Context, p pendingRevision) error {
	return retry(ctx, func() error { return p.commit(ctx, s.pool) })
}

// commit runs the statement of this revision alone. The error is
// [application.ErrConflict] if the row of the client has another revision.
func (p *pendingRevision) commit(ctx context.Context, on executor) error {
	args := p.args()
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

// args returns the arguments that all statements have.
func (p *pendingRevision) args() []any {
	return []any{
		string(p.client.id), string(p.client.tenant), int64(p.Client.Revision()), p.doc, p.secrets,
		p.At, string(p.Action), p.Actor.Subject, string(p.Actor.ClientID), p.RequestID, p.Reason,
		p.search.Name, p.search.Status, p.search.Facets, nullTime(p.search.SecretEnd),
		p.registration, p.search.Registered, document.EncodeActor(p.Actor),
	}
}

// batchOrder returns the indexes of the revisions in the order in which a batch commits
// them: by step and key. An INSERT waits for a concurrent INSERT of the same key, so all
// batches insert in the same order: two of them cannot wait for each other. Of several
// revisions of one client, batchOrder returns only the first: they replace the same
// revision, so at most one can be stored.
func batchOrder(revisions []pendingRevision) []int {
	var order []int
	seen := make(map[key]bool, len(revisions))
	for i := range revisions {
		if client := revisions[i].client; !seen[client] {
			seen[client] = true
			order = append(order, i)
		}
	}
	slices.SortFunc(order, func(i, j int) int {
		a, b := &revisions[i], &revisions[j]
		return cmp.Or(
			cmp.Compare(a.step, b.step),
			cmp.Compare(a.client.tenant, b.client.tenant),
			cmp.Compare(a.client.id, b.client.id))
	})
	return order
}
