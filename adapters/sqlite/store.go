// Package sqlite implements the store on an SQLite file, for a single process and without a
// database server. Reads run in parallel; writes run one after the other.
//
//	store, err := sqlite.Open("/var/lib/clientele/clientele.db")
//	if err != nil {
//		return err
//	}
//	defer store.Close()
//	steps, err := store.Migrate(ctx)
package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/clientele-oauth/clientele/adapters/internal/batch"
	"github.com/clientele-oauth/clientele/adapters/internal/document"
	"github.com/clientele-oauth/clientele/adapters/internal/notify"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// maxReaders bounds the connections that read.
const maxReaders = 8

// maxLists bounds the connections that read lists. Lists have connections of their own, so
// that long lists do not delay other reads.
const maxLists = 4

// Store implements [application.Store] over one SQLite file.
type Store struct {
	path    string
	commits *batch.Group[domain.Revision, struct{}]
	writer  *sql.DB // one connection: SQLite allows one writer, and database/sql queues in order, unlike its busy loop
	reader  *sql.DB
	lists   *sql.DB

	readers notify.Hub // readers of the change feed
}

// Open opens the file at path, and creates it if it does not exist. A commit is on the disk
// when it returns (write-ahead log, full synchronization). Only the owner can read the file
// and those that SQLite keeps beside it.
func Open(path string) (*Store, error) {
	if err := makePrivate(path); err != nil {
		return nil, err
	}
	writer, err := open(path, "immediate")
	if err != nil {
		return nil, err
	}
	writer.SetMaxOpenConns(1)
	reader, err := open(path, "deferred")
	if err != nil {
		return nil, errors.Join(err, writer.Close())
	}
	reader.SetMaxOpenConns(maxReaders)
	reader.SetMaxIdleConns(maxReaders)
	lists, err := open(path, "deferred")
	if err != nil {
		return nil, errors.Join(err, writer.Close(), reader.Close())
	}
	lists.SetMaxOpenConns(maxLists)
	lists.SetMaxIdleConns(maxLists)
	s := &Store{path: path, writer: writer, reader: reader, lists: lists}
	s.commits = batch.New(1, maxBatch, s.commitBatch)
	return s, nil
}

func open(path, lock string) (*sql.DB, error) {
	query := url.Values{
		"_txlock": {lock},
		"_pragma": {"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)"},
	}
	dsn := url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: query.Encode()}
	db, err := sql.Open("sqlite", dsn.String())
	if err != nil {
		return nil, fmt.Errorf("open SQLite: %w", err)
	}
	return db, nil
}

// Watch implements [application.Store].
func (s *Store) Watch(tenant domain.TenantID) (changed <-chan struct{}, stop func()) {
	return s.readers.Watch(tenant)
}

// WatchAll implements [application.Store].
func (s *Store) WatchAll() (changed <-chan struct{}, stop func()) { return s.readers.WatchAll() }

// Close closes the file.
func (s *Store) Close() error {
	return errors.Join(s.lists.Close(), s.reader.Close(), s.writer.Close())
}

// Ping implements [application.Store].
func (s *Store) Ping(ctx context.Context) error { return translate(s.reader.PingContext(ctx)) }

// Find implements [application.Store].
func (s *Store) Find(ctx context.Context, tenant domain.TenantID, id domain.ClientID) (domain.Client, error) {
	const query = `SELECT ` + clientColumns + ` FROM clients WHERE client_id = ? AND tenant_id = ?`
	client, err := readClient(s.reader.QueryRowContext(ctx, query, string(id), string(tenant)))
	if errors.Is(err, sql.ErrNoRows) {
		return domain.Client{}, application.ErrNotFound
	}
	return client, translate(err)
}

// Commit implements [application.Store]. Commits that arrive while another one waits for the
// disk share the next transaction, and so one wait for the disk.
func (s *Store) Commit(ctx context.Context, r domain.Revision) error {
	_, err := s.commits.Do(ctx, r)
	if errors.Is(err, errNotBatched) {
		if err = s.write(ctx, func(tx *sql.Tx) error { return s.commit(ctx, tx, r) }); err == nil {
			s.readers.Publish(r.Client.Identity().TenantID)
		}
	}
	return translate(err)
}

// errNotBatched is the result of a commit that must be repeated in a transaction of its own,
// because another commit of its batch failed. The batch has changed nothing.
var errNotBatched = errors.New("the commit cannot be part of a batch")

// maxBatch is the maximum number of commits that share a transaction.
const maxBatch = 64

// commitBatch commits revisions in one transaction, which takes the write lock before it
// reads.
func (s *Store) commitBatch(ctx context.Context, revisions []domain.Revision) []batch.Result[struct{}] {
	results := make([]batch.Result[struct{}], len(revisions))
	err := s.write(ctx, func(tx *sql.Tx) error {
		for i, r := range revisions {
			err := s.commit(ctx, tx, r)
			if errors.Is(err, application.ErrConflict) || errors.Is(err, application.ErrUnstorable) { // this commit has changed nothing
				results[i].Err, err = err, nil
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil && len(revisions) > 1 && !errors.Is(err, application.ErrUnavailable) {
		err = errNotBatched
	}
	for i, r := range revisions {
		if err != nil {
			results[i].Err = err
		}
		if results[i].Err == nil { // not in Commit, whose caller may have left by now
			s.readers.Publish(r.Client.Identity().TenantID)
		}
	}
	return results
}

// CommitOnce implements [application.Store].
func (s *Store) CommitOnce(ctx context.Context, r domain.Revision, a application.IdempotencyRecord) error {
	tenant := r.Client.Identity().TenantID
	err := s.write(ctx, func(tx *sql.Tx) error {
		if err := keepRecord(ctx, tx, tenant, &a); err != nil {
			return err
		}
		return s.commit(ctx, tx, r)
	})
	if err == nil {
		s.readers.Publish(tenant)
	}
	return err
}

// keepRecord stores an idempotency record of the tenant, unless that is nil. The error is
// [application.ErrAlreadyProcessed] or [application.ErrUnstorable].
func keepRecord(ctx context.Context, tx *sql.Tx, tenant domain.TenantID, a *application.IdempotencyRecord) error {
	const keep = `
		INSERT INTO idempotency_records (tenant_id, subject, key, fingerprint, at, client_id, revision, secret_id)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT DO UPDATE SET
			fingerprint = excluded.fingerprint, at = excluded.at, client_id = excluded.client_id,
			revision = excluded.revision, secret_id = excluded.secret_id
			WHERE idempotency_records.at < ?`
	if a == nil {
		return nil
	}
	if err := document.CheckIdempotencyRecord(*a); err != nil {
		return err
	}
	result, err := tx.ExecContext(ctx, keep, string(tenant), a.Subject, a.Key, a.Fingerprint[:],
		timeText(a.At), string(a.ClientID), int64(a.Revision), a.CreatedID, timeText(a.At.Add(-application.IdempotencyRetention)))
	return took(result, err, application.ErrAlreadyProcessed)
}

// write runs do in a transaction of the writer.
func (s *Store) write(ctx context.Context, do func(tx *sql.Tx) error) error {
	tx, err := s.writer.BeginTx(ctx, nil)
	if err != nil {
		return translate(err)
	}
	if err := do(tx); err != nil {
		return errors.Join(translate(err), tx.Rollback())
	}
	return translate(tx.Commit())
}

// took returns the error otherwise if a statement changed no row.
func took(result sql.Result, err, otherwise error) error {
	if err != nil {
		return err
	}
	switch rows, err := result.RowsAffected(); {
	case err != nil:
		return err
	case rows == 0:
		return otherwise
	default:
		return nil
	}
}

func (s *Store) commit(ctx context.Context, tx *sql.Tx, r domain.Revision) error {
	const create = `
		INSERT INTO clients (revision, document, secrets, name, status, facets, deleted_at, purged, secret_end, updated_at,
			registration, registered, client_id, tenant_id)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)
		ON CONFLICT (tenant_id, client_id) DO NOTHING`
	const update = `
		UPDATE clients SET revision = ?1, document = ?2, secrets = coalesce(?3, secrets), name = ?4, status = ?5, facets = ?6,
			deleted_at = ?7, purged = ?8, secret_end = CASE WHEN ?3 IS NULL THEN secret_end ELSE ?9 END, updated_at = max(updated_at, ?10),
			registration = ?11, registered = ?12
		WHERE client_id = ?13 AND tenant_id = ?14 AND revision = ?15`
	const log = `
		INSERT INTO revisions (client_id, number, tenant_id, at, action, actor, actor_client, request_id, reason, document, actor_details)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	if err := document.CheckRevision(r); err != nil {
		return err
	}
	doc, secrets, err := document.Encode(r.Client)
	if err != nil {
		return err
	}
	registration, err := document.EncodeRegistration(r.Client)
	if err != nil {
		return err
	}
	search := document.SearchOf(r.Client)
	name, facets, err := searchColumns(search)
	if err != nil {
		return err
	}
	identity, number := r.Client.Identity(), int64(r.Client.Revision())
	client, tenant := string(identity.ClientID), string(identity.TenantID)
	var deletedAt sql.NullString
	if r.Client.Deleted() {
		deletedAt = sql.NullString{String: timeText(r.Client.DeletedAt()), Valid: true}
	}
	statement := create
	args := []any{
		number, string(doc), nullText(secrets), name, search.Status, facets, deletedAt, r.Client.Purged(),
		endText(search.SecretEnd), timeText(r.At), nullText(registration), nullText(search.Registered), client, tenant,
	}
	if number > 1 {
		statement, args = update, append(args, number-1)
	}
	result, err := tx.ExecContext(ctx, statement, args...)
	if err := took(result, err, application.ErrConflict); err != nil {
		return err
	}
	if r.Action == domain.ActionPurge {
		if err := s.purge(ctx, tx, tenant, client); err != nil {
			return err
		}
	}
	_, err = tx.ExecContext(ctx, log, client, number, tenant, timeText(r.At), string(r.Action),
		r.Actor.Subject, string(r.Actor.ClientID), r.RequestID, r.Reason, string(doc),
		nullText(document.EncodeActor(r.Actor)))
	return err
}

// nullText returns the value of a nullable column: NULL for nil.
func nullText(text []byte) sql.NullString {
	return sql.NullString{String: string(text), Valid: text != nil}
}

// timeText returns a time as the tables store it. All texts have the same length, so that
// they sort like the times.
func timeText(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000Z") }

// textTime parses what timeText returned.
func textTime(text string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("%w: %w", application.ErrUnreadable, err)
	}
	return t.UTC(), nil
}

// FindIdempotencyRecord implements [application.Store].
func (s *Store) FindIdempotencyRecord(ctx context.Context, tenant domain.TenantID, subject, key string) (application.IdempotencyRecord, error) {
	const query = `
		SELECT fingerprint, at, client_id, revision, secret_id FROM idempotency_records WHERE tenant_id = ? AND subject = ? AND key = ?`
	a := application.IdempotencyRecord{Subject: subject, Key: key}
	var fingerprint []byte
	var at string
	err := s.reader.QueryRowContext(ctx, query, string(tenant), subject, key).
		Scan(&fingerprint, &at, &a.ClientID, &a.Revision, &a.CreatedID)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return application.IdempotencyRecord{}, application.ErrNotFound
	case err != nil:
		return application.IdempotencyRecord{}, translate(err)
	}
	copy(a.Fingerprint[:], fingerprint)
	a.At, err = textTime(at)
	return a, err
}

// DeleteIdempotencyRecords implements [application.Store].
func (s *Store) DeleteIdempotencyRecords(ctx context.Context, before time.Time) error {
	_, err := s.writer.ExecContext(ctx, `DELETE FROM idempotency_records WHERE at < ?`, timeText(before))
	return translate(err)
}

// UseAssertion implements [application.Store].
func (s *Store) UseAssertion(ctx context.Context, use application.AssertionUse) error {
	const statement = `
		INSERT INTO used_assertions AS used (tenant_id, client_id, digest, expires_at) VALUES (?, ?, ?, ?)
		ON CONFLICT DO UPDATE SET expires_at = excluded.expires_at WHERE used.expires_at <= ?`
	result, err := s.writer.ExecContext(ctx, statement,
		string(use.TenantID), string(use.ClientID), use.Digest[:], timeText(use.ExpiresAt), timeText(use.At))
	return translate(took(result, err, application.ErrReplayed))
}

// DeleteAssertionUses implements [application.Store].
func (s *Store) DeleteAssertionUses(ctx context.Context, expired time.Time, limit int) (int, error) {
	const statement = `
		DELETE FROM used_assertions WHERE (tenant_id, client_id, digest) IN (
			SELECT tenant_id, client_id, digest FROM used_assertions WHERE expires_at <= ? ORDER BY expires_at LIMIT ?)`
	result, err := s.writer.ExecContext(ctx, statement, timeText(expired), limit)
	if err != nil {
		return 0, translate(err)
	}
	deleted, err := result.RowsAffected()
	return int(deleted), translate(err)
}

// NoteSecretUses implements [application.Store].
func (s *Store) NoteSecretUses(ctx context.Context, uses []application.SecretUse) error {
	const statement = `
		INSERT INTO secret_uses (tenant_id, client_id, secret_id, last_used_at) VALUES (?, ?, ?, ?)
		ON CONFLICT DO UPDATE SET last_used_at = max(last_used_at, excluded.last_used_at)`
	tx, err := s.writer.BeginTx(ctx, nil)
	if err != nil {
		return translate(err)
	}
	for _, use := range uses {
		_, err := tx.ExecContext(ctx, statement, string(use.TenantID), string(use.ClientID), use.SecretID, timeText(use.At))
		if err != nil {
			return errors.Join(translate(err), tx.Rollback())
		}
	}
	return translate(tx.Commit())
}

// AdoptSecrets implements [application.Store].
func (s *Store) AdoptSecrets(ctx context.Context, c domain.Client) error {
	const statement = `UPDATE clients SET secrets = ? WHERE client_id = ? AND tenant_id = ? AND revision = ?`
	secrets, err := document.EncodeSecrets(c)
	if err != nil {
		return err
	}
	identity := c.Identity()
	result, err := s.writer.ExecContext(ctx, statement,
		string(secrets), string(identity.ClientID), string(identity.TenantID), int64(c.Revision()))
	return translate(took(result, err, application.ErrConflict))
}

// SecretUses implements [application.Store].
func (s *Store) SecretUses(ctx context.Context, tenant domain.TenantID, id domain.ClientID) (map[string]time.Time, error) {
	const query = `SELECT secret_id, last_used_at FROM secret_uses WHERE tenant_id = ? AND client_id = ?`
	used := map[string]time.Time{}
	err := s.each(ctx, s.reader, query, []any{string(tenant), string(id)}, func(rows *sql.Rows) error {
		var secret, text string
		if err := rows.Scan(&secret, &text); err != nil {
			return err
		}
		if at, err := textTime(text); err == nil { // a time that cannot be decoded counts as unknown
			used[secret] = at
		}
		return nil
	})
	return used, err
}

// clientColumns are the columns that readClient reads.
const clientColumns = `tenant_id, client_id, revision, document, secrets, registration`

// readClient reads the clientColumns. The error is an [*application.UnreadableError]
// for a document or a registration that cannot be decoded.
func readClient(row interface{ Scan(to ...any) error }) (domain.Client, error) {
	var r document.Row
	if err := row.Scan(&r.TenantID, &r.ClientID, &r.Revision, &r.Document, &r.Secrets, &r.Registration); err != nil {
		return domain.Client{}, err
	}
	return r.Decode()
}

// querier is a database or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// each calls do for each row of the query.
func (*Store) each(ctx context.Context, on querier, query string, args []any, do func(*sql.Rows) error) error {
	rows, err := on.QueryContext(ctx, query, args...)
	if err != nil {
		return translate(err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := do(rows); err != nil {
			return translate(err)
		}
	}
	return translate(rows.Err())
}

// translate marks temporary errors as [application.ErrUnavailable]: the file is locked, the
// disk is full or fails, or the request has ended. Any other error is a bug, and is returned
// as it is.
func translate(err error) error {
	var failure *sqlite.Error
	switch {
	case err == nil, errors.Is(err, application.ErrConflict), errors.Is(err, application.ErrAlreadyProcessed), errors.Is(err, application.ErrReplayed):
		return err
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded),
		errors.Is(err, sql.ErrTxDone), // the context ended, and database/sql has rolled the transaction back
		errors.Is(err, sql.ErrConnDone), errors.Is(err, driver.ErrBadConn):
		return errors.Join(application.ErrUnavailable, err)
	case errors.As(err, &failure) && temporary(failure.Code()):
		return errors.Join(application.ErrUnavailable, err)
	default:
		return err
	}
}

// temporary reports whether a result code stands for a failure that can end without a change
// of the service. The low byte is the primary code.
func temporary(code int) bool {
	switch code & 0xff {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR,
		sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_PROTOCOL:
		return true
	default:
		return false
	}
}
