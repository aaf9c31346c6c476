// Package sqlite is the embedded store: one file, one process, nothing to set
// up. Many read at once; writes go one after the other.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/clientele-oauth/clientele/adapters/record"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// maxReaders bounds the connections that read.
const maxReaders = 8

// Store implements [application.Store] over one SQLite file.
type Store struct {
	writer *sql.DB // one connection: SQLite has one writer, and waiting in Go is fairer than its busy loop
	reader *sql.DB
}

// Open opens the file at path and makes it where there is none. A commit is on
// the disk when it returns (write-ahead log, full synchronisation).
func Open(path string) (*Store, error) {
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
	return &Store{writer: writer, reader: reader}, nil
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

// Close closes the file.
func (s *Store) Close() error { return errors.Join(s.reader.Close(), s.writer.Close()) }

// Ping implements [application.Store].
func (s *Store) Ping(ctx context.Context) error { return translate(s.reader.PingContext(ctx)) }

// Find implements [application.Store].
func (s *Store) Find(ctx context.Context, tenant domain.TenantID, id domain.ClientID) (domain.Client, error) {
	const query = `SELECT document, secrets FROM clients WHERE client_id = ? AND tenant_id = ?`
	var doc, secrets []byte
	switch err := s.reader.QueryRowContext(ctx, query, string(id), string(tenant)).Scan(&doc, &secrets); {
	case errors.Is(err, sql.ErrNoRows):
		return domain.Client{}, application.ErrNotFound
	case err != nil:
		return domain.Client{}, translate(err)
	}
	return record.Decode(doc, secrets)
}

// Commit implements [application.Store]: one transaction, which takes the
// write lock before it looks.
func (s *Store) Commit(ctx context.Context, r domain.Revision) error {
	doc, secrets, err := record.Encode(r.Client)
	if err != nil {
		return err
	}
	tx, err := s.writer.BeginTx(ctx, nil)
	if err != nil {
		return translate(err)
	}
	if err := commit(ctx, tx, r, string(doc), string(secrets)); err != nil {
		return errors.Join(translate(err), tx.Rollback())
	}
	return translate(tx.Commit())
}

func commit(ctx context.Context, tx *sql.Tx, r domain.Revision, doc, secrets string) error {
	const create = `
		INSERT INTO clients (revision, document, secrets, client_id, tenant_id) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (client_id) DO NOTHING`
	const update = `
		UPDATE clients SET revision = ?, document = ?, secrets = ?
		WHERE client_id = ? AND tenant_id = ? AND revision = ?`
	const log = `
		INSERT INTO revisions (client_id, number, tenant_id, at, action, actor, document)
		VALUES (?, ?, ?, ?, ?, ?, ?)`
	identity, number := r.Client.Identity(), int64(r.Client.Revision())
	statement := create
	args := []any{number, doc, secrets, string(identity.ClientID), string(identity.TenantID)}
	if number > 1 {
		statement, args = update, append(args, number-1)
	}
	result, err := tx.ExecContext(ctx, statement, args...)
	if err != nil {
		return err
	}
	moved, err := result.RowsAffected()
	if err != nil {
		return err
	}
	if moved == 0 {
		return application.ErrConflict
	}
	_, err = tx.ExecContext(ctx, log,
		string(identity.ClientID), number, string(identity.TenantID), r.At.UTC().Format(time.RFC3339Nano),
		string(r.Action), r.Actor.Subject, doc)
	return err
}

// Revisions implements [application.Store].
func (s *Store) Revisions(
	ctx context.Context, tenant domain.TenantID, id domain.ClientID, before domain.RevisionNumber, limit int,
) ([]domain.Revision, error) {
	const query = `
		SELECT at, action, actor, document FROM revisions
		WHERE client_id = ? AND tenant_id = ? AND (? = 0 OR number < ?)
		ORDER BY number DESC LIMIT ?`
	rows, err := s.reader.QueryContext(ctx, query, string(id), string(tenant), int64(before), int64(before), limit)
	if err != nil {
		return nil, translate(err)
	}
	defer rows.Close()
	var revisions []domain.Revision
	for rows.Next() {
		r, err := readRevision(rows)
		if err != nil {
			return nil, err
		}
		revisions = append(revisions, r)
	}
	return revisions, translate(rows.Err())
}

func readRevision(rows *sql.Rows) (domain.Revision, error) {
	var at, action, actor string
	var doc []byte
	if err := rows.Scan(&at, &action, &actor, &doc); err != nil {
		return domain.Revision{}, err
	}
	when, err := time.Parse(time.RFC3339Nano, at)
	if err != nil {
		return domain.Revision{}, fmt.Errorf("read a revision: %w", err)
	}
	client, err := record.Decode(doc, nil)
	return domain.Revision{
		Action: domain.Action(action),
		Actor:  domain.Actor{Subject: actor},
		At:     when,
		Client: client,
	}, err
}

// translate tells what may pass by itself from what is a defect: a file that
// is locked, a disk that is full or fails, a request that ran out of time is
// [application.ErrUnavailable].
func translate(err error) error {
	var answered *sqlite.Error
	switch {
	case err == nil, errors.Is(err, application.ErrConflict):
		return err
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return errors.Join(application.ErrUnavailable, err)
	case errors.As(err, &answered) && temporary(answered.Code()):
		return errors.Join(application.ErrUnavailable, err)
	default:
		return err
	}
}

// temporary knows the result codes of a file that may be usable again without
// the service being changed; the low byte is the primary code.
func temporary(code int) bool {
	switch code & 0xff {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR,
		sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_NOMEM:
		return true
	default:
		return false
	}
}
