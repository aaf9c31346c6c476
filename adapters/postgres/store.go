// Package postgres implements the store on PostgreSQL. Any number of replicas of
// the service may share one database; they need no other coordination.
//
//	store, err := postgres.Open(ctx, "postgres://clientele@db.internal/clientele", nil)
//	if err != nil {
//		return err
//	}
//	defer store.Close()
//	steps, err := store.Migrate(ctx)
package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/clientele-oauth/clientele/adapters/internal/batch"
	"github.com/clientele-oauth/clientele/adapters/internal/document"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// Store implements [application.Store] over a pool of connections.
type Store struct {
	pool     *pgxpool.Pool
	route    *route
	notifier *notifier
	finds    *batch.Group[key, row]
	commits  *batch.Group[pendingRevision, struct{}]
	changes  *batch.Group[feedRequest, page]
	all      *batch.Group[feedRequest, page] // the feed of all tenants
	names    atomic.Int32                    // see namesIndexed; 0 if unknown
	listing  chan struct{}                   // a semaphore of lists, see maxLists
	sizes    sizes
}

// defaultMaxConns is the size of the pool if the connection string has no
// pool_max_conns. The server flushes commits that wait for the disk at the same
// time with one write, so a few more connections than processors are faster.
const defaultMaxConns = 16

// How many batches of each kind run at once, and how many calls share one. With
// more than one, the database has work while a batch is on the network or waits
// for the disk; with many, each batch has fewer calls.
const (
	maxFindsInFlight   = 2
	maxCommitsInFlight = 3
	maxFeedsInFlight   = 2
	maxBatch           = 64
	maxFeedBatch       = 16 // pages of the feed are large
)

// Open prepares a store on the database that url names: a libpq connection string
// or URL. With several hosts, the store uses the one that accepts writes. Open does
// not connect, so that the service also starts while the database is unavailable.
// The tracer, if not nil, gets every statement.
//
// url may lead through a pooler in transaction mode, which the store detects; see
// [WithDirectURL].
func Open(ctx context.Context, url string, tracer pgx.QueryTracer, options ...Option) (*Store, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, errors.New("the database URL cannot be read") // the error of pgx may repeat the password
	}
	if !strings.Contains(url, "pool_max_conns") {
		config.MaxConns = defaultMaxConns
	}
	if len(config.ConnConfig.Fallbacks) > 0 && config.ConnConfig.ValidateConnect == nil {
		config.ConnConfig.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	}
	config.ConnConfig.Tracer = tracer
	route, err := newRoute(config, url, options)
	if err != nil {
		return nil, err
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("open PostgreSQL: %w", err)
	}
	s := &Store{pool: pool, route: route, notifier: startNotifier(pool, route)}
	s.listing = make(chan struct{}, maxLists(config.MaxConns))
	s.finds = batch.New(maxFindsInFlight, maxBatch, s.find)
	s.commits = batch.New(maxCommitsInFlight, maxBatch, s.commitBatch)
	s.changes = batch.New(maxFeedsInFlight, maxFeedBatch, s.findChanges(feedOfTenant()))
	s.all = batch.New(maxFeedsInFlight, maxFeedBatch, s.findChanges(feedOfAll()))
	return s, nil
}

// maxLists returns how many lists may use connections at once: three quarters of
// the connections, so that long lists leave some to reads of single clients, commits
// and the feed.
func maxLists(connections int32) int { return max(int(connections)*3/4, 1) }

// Close waits for the connections in use and closes all.
func (s *Store) Close() {
	s.notifier.stop()
	s.pool.Close()
}

// Ping implements [application.Store].
func (s *Store) Ping(ctx context.Context) error { return translate(s.pool.Ping(ctx)) }

// Connections returns the statistics of the pool.
func (s *Store) Connections() *pgxpool.Stat { return s.pool.Stat() }

// key identifies a client.
type key struct {
	tenant domain.TenantID
	id     domain.ClientID
}

// row has the columns of a client; document is nil if there is no such client.
type row struct {
	revision          int64
	document, secrets []byte
	registration      []byte // nil for a client without one
}

// Find implements [application.Store]. Concurrent calls share a statement.
func (s *Store) Find(ctx context.Context, tenant domain.TenantID, id domain.ClientID) (domain.Client, error) {
	found, err := s.finds.Do(ctx, key{tenant, id})
	switch {
	case err != nil:
		return domain.Client{}, translate(err)
	case found.document == nil:
		return domain.Client{}, application.ErrNotFound
	default:
		return document.Row{
			TenantID: tenant, ClientID: id, Revision: domain.RevisionNumber(found.revision), Document: found.document, Secrets: found.secrets,
			Registration: found.registration,
		}.Decode()
	}
}

// find reads clients in one statement. The subqueries hide the keys and their number
// from the planner, so that it has one plan for all values, made for a few keys.
func (s *Store) find(ctx context.Context, keys []key) []batch.Result[row] {
	const query = `
		SELECT n, revision, document, secrets, registration FROM (
			SELECT * FROM unnest((SELECT $1::text[]), (SELECT $2::text[])) WITH ORDINALITY AS keys (tenant_id, client_id, n)
			LIMIT (SELECT $3::bigint)
		) AS requested JOIN clients USING (tenant_id, client_id)`
	results := make([]batch.Result[row], len(keys))
	tenants, clients := make([]string, len(keys)), make([]string, len(keys))
	for i, k := range keys {
		tenants[i], clients[i] = string(k.tenant), string(k.id)
	}
	rows, err := s.pool.Query(ctx, query, tenants, clients, len(keys))
	if err == nil {
		var (
			n     int64
			found row
		)
		_, err = pgx.ForEachRow(rows, []any{&n, &found.revision, &found.document, &found.secrets, &found.registration}, func() error {
			results[n-1].Value = found
			return nil
		})
	}
	if err != nil {
		for i := range results {
			results[i].Err = err
		}
	}
	return results
}

// Commit implements [application.Store]. Concurrent commits share a transaction. A
// commit that cannot be part of a batch gets a transaction of its own.
func (s *Store) Commit(ctx context.Context, r domain.Revision) error {
	p, err := pending(r)
	if err != nil {
		return err
	}
	err = errNotBatched
	if p.batched() {
		_, err = s.commits.Do(ctx, p)
	}
	if errors.Is(err, errNotBatched) {
		if err = s.commitAlone(ctx, p); err == nil {
			s.notifier.publish(p.client.tenant)
		}
	}
	return translate(err)
}

// CommitOnce implements [application.Store]. The row of the attempt is written
// first: a concurrent attempt with the same key waits for it until this transaction
// has ended.
func (s *Store) CommitOnce(ctx context.Context, r domain.Revision, a application.IdempotencyRecord) error {
	p, err := pending(r)
	if err != nil {
		return err
	}
	return s.transact(ctx, p.client.tenant, func(tx pgx.Tx) error {
		if err := keepRecord(ctx, tx, p.client.tenant, &a); err != nil {
			return err
		}
		return p.commit(ctx, tx)
	})
}

// transact runs do in a transaction, which it repeats after a conflict, and signals the
// commit of the tenant.
func (s *Store) transact(ctx context.Context, tenant domain.TenantID, do func(tx pgx.Tx) error) error {
	if err := retry(ctx, func() error { return pgx.BeginFunc(ctx, s.pool, do) }); err != nil {
		return translate(err)
	}
	s.notifier.publish(tenant)
	return nil
}

// keepRecord stores an idempotency record of the tenant, unless that is nil. The error is
// [application.ErrAlreadyProcessed] or [application.ErrUnstorable].
func keepRecord(ctx context.Context, tx pgx.Tx, tenant domain.TenantID, a *application.IdempotencyRecord) error {
	const keep = `
		INSERT INTO idempotency_records AS kept (tenant_id, subject, key, fingerprint, at, client_id, revision, secret_id)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (tenant_id, subject, key) DO UPDATE
			SET fingerprint = $4, at = $5, client_id = $6, revision = $7, secret_id = $8
			WHERE kept.at < $9`
	if a == nil {
		return nil
	}
	if err := document.CheckIdempotencyRecord(*a); err != nil {
		return err
	}
	tag, err := tx.Exec(ctx, keep, string(tenant), a.Subject, a.Key, a.Fingerprint[:], a.At,
		string(a.ClientID), int64(a.Revision), a.CreatedID, a.At.Add(-application.IdempotencyRetention))
	return took(tag, err, application.ErrAlreadyProcessed)
}

// took returns the error otherwise if a statement changed no row.
func took(tag pgconn.CommandTag, err, otherwise error) error {
	if err == nil && tag.RowsAffected() == 0 {
		return otherwise
	}
	return err
}

// FindIdempotencyRecord implements [application.Store].
func (s *Store) FindIdempotencyRecord(ctx context.Context, tenant domain.TenantID, subject, key string) (application.IdempotencyRecord, error) {
	const query = `
		SELECT fingerprint, at, client_id, revision, secret_id FROM idempotency_records
		WHERE tenant_id = $1 AND subject = $2 AND key = $3`
	a := application.IdempotencyRecord{Subject: subject, Key: key}
	var fingerprint []byte
	err := s.pool.QueryRow(ctx, query, string(tenant), subject, key).
		Scan(&fingerprint, &a.At, &a.ClientID, &a.Revision, &a.CreatedID)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return application.IdempotencyRecord{}, application.ErrNotFound
	case err != nil:
		return application.IdempotencyRecord{}, translate(err)
	}
	copy(a.Fingerprint[:], fingerprint)
	a.At = a.At.UTC()
	return a, nil
}

// DeleteIdempotencyRecords implements [application.Store].
func (s *Store) DeleteIdempotencyRecords(ctx context.Context, before time.Time) error {
	return translate(retry(ctx, func() error {
		_, err := s.pool.Exec(ctx, `DELETE FROM idempotency_records WHERE at < $1`, before)
		return err
	}))
}

// UseAssertion implements [application.Store], in one round trip. A concurrent use of the
// same assertion waits for this one, and then finds its row.
func (s *Store) UseAssertion(ctx context.Context, use application.AssertionUse) error {
	const statement = `
		INSERT INTO used_assertions AS used (tenant_id, client_id, digest, expires_at) VALUES ($1, $2, $3, $4)
		ON CONFLICT (tenant_id, client_id, digest) DO UPDATE SET expires_at = excluded.expires_at WHERE used.expires_at <= $5`
	return translate(retry(ctx, func() error {
		tag, err := s.pool.Exec(ctx, statement, string(use.TenantID), string(use.ClientID), use.Digest[:], use.ExpiresAt, use.At)
		return took(tag, err, application.ErrReplayed)
	}))
}

// DeleteAssertionUses implements [application.Store]. It skips rows that another process
// deletes.
func (s *Store) DeleteAssertionUses(ctx context.Context, expired time.Time, limit int) (deleted int, err error) {
	const statement = `
		DELETE FROM used_assertions WHERE ctid = ANY (ARRAY(
			SELECT ctid FROM used_assertions WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED))`
	err = retry(ctx, func() error {
		tag, err := s.pool.Exec(ctx, statement, expired, limit)
		deleted = int(tag.RowsAffected())
		return err
	})
	return deleted, translate(err)
}

// NoteSecretUses implements [application.Store], in one round trip.
func (s *Store) NoteSecretUses(ctx context.Context, uses []application.SecretUse) error {
	const statement = `
		INSERT INTO secret_uses AS known (tenant_id, client_id, secret_id, last_used_at)
		SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[]) AS uses (t, c, s, at)
		ORDER BY t, c, s
		ON CONFLICT (tenant_id, client_id, secret_id) DO UPDATE
			SET last_used_at = greatest(known.last_used_at, excluded.last_used_at)`
	var tenants, clients, secrets []string
	var times []time.Time
	for _, use := range uses {
		tenants = append(tenants, string(use.TenantID))
		clients = append(clients, string(use.ClientID))
		secrets = append(secrets, use.SecretID)
		times = append(times, use.At)
	}
	return translate(retry(ctx, func() error {
		_, err := s.pool.Exec(ctx, statement, tenants, clients, secrets, times)
		return err
	}))
}

// AdoptSecrets implements [application.Store], in one round trip.
func (s *Store) AdoptSecrets(ctx context.Context, c domain.Client) error {
	const statement = `UPDATE clients SET secrets = $4 WHERE client_id = $1 AND tenant_id = $2 AND revision = $3`
	secrets, err := document.EncodeSecrets(c)
	if err != nil {
		return err
	}
	identity := c.Identity()
	return translate(retry(ctx, func() error {
		tag, err := s.pool.Exec(ctx, statement, string(identity.ClientID), string(identity.TenantID), int64(c.Revision()), secrets)
		return took(tag, err, application.ErrConflict)
	}))
}

// SecretUses implements [application.Store].
func (s *Store) SecretUses(ctx context.Context, tenant domain.TenantID, id domain.ClientID) (map[string]time.Time, error) {
	const query = `SELECT secret_id, last_used_at FROM secret_uses WHERE tenant_id = $1 AND client_id = $2`
	rows, err := s.pool.Query(ctx, query, string(tenant), string(id))
	if err != nil {
		return nil, translate(err)
	}
	used := map[string]time.Time{}
	var secret string
	var at pgtype.Timestamptz
	_, err = pgx.ForEachRow(rows, []any{&secret, &at}, func() error {
		if readable(at) { // a time that cannot be decoded counts as unknown
			used[secret] = at.Time.UTC()
		}
		return nil
	})
	return used, translate(err)
}

// clientColumns are the columns that readClient reads.
const clientColumns = `tenant_id, client_id, revision, document, secrets, registration`

// readClient reads the clientColumns and the columns before them into more. The error
// is an [*application.UnreadableError] if the document or the registration cannot be decoded.
func readClient(row pgx.CollectableRow, more ...any) (domain.Client, error) {
	var r document.Row
	if err := row.Scan(append(more, &r.TenantID, &r.ClientID, &r.Revision, &r.Document, &r.Secrets, &r.Registration)...); err != nil {
		return domain.Client{}, err
	}
	return r.Decode()
}

// translate marks temporary errors as [application.ErrUnavailable]: the server cannot
// be reached, is starting, stopping, full, read-only after a failover, or rejects the
// credentials. Any other error is a bug, and is returned as it is.
func translate(err error) error {
	switch {
	case err == nil, errors.Is(err, application.ErrConflict), errors.Is(err, application.ErrAlreadyProcessed),
		errors.Is(err, application.ErrReplayed), errors.Is(err, application.ErrUnreadable):
		return err
	case unavailable(err):
		return errors.Join(application.ErrUnavailable, err)
	default:
		return err
	}
}

// temporary reports whether a SQLSTATE code (PostgreSQL, appendix A) stands for a
// failure that can end without a change of the service.
func temporary(code string) bool {
	const (
		readOnly           = "25006"
		invalidCatalogName = "3D000"
	)
	switch code {
	case readOnly, lockNotAvailable, invalidCatalogName, serializationFailure, deadlockDetected:
		return true
	}
	for _, class := range []string{"08", "28", "53", "57", "58"} {
		if strings.HasPrefix(code, class) {
			return true
		}
	}
	return false
}
