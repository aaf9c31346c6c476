// Package postgres is the store for production: any number of replicas over
// one PostgreSQL, with no coordination besides the database.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/clientele-oauth/clientele/adapters/record"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// Store implements [application.Store] over a pool of connections.
type Store struct {
	pool *pgxpool.Pool
}

// defaultMaxConns is the size of the pool where the connection string has no
// pool_max_conns. Commits that wait for the disk together share one write of
// it, so a few more connections than processors pay.
const defaultMaxConns = 16

// Open prepares a store on the database that url names (a libpq connection
// string or URL; several hosts may stand in it, of which the one that takes
// writes is chosen). Nothing is connected yet, so that the service starts also
// while the database is away.
func Open(ctx context.Context, url string) (*Store, error) {
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
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("open PostgreSQL: %w", err)
	}
	return &Store{pool: pool}, nil
}

// Close waits for the connections in use and closes all.
func (s *Store) Close() { s.pool.Close() }

// Ping implements [application.Store].
func (s *Store) Ping(ctx context.Context) error { return translate(s.pool.Ping(ctx)) }

// Find implements [application.Store].
func (s *Store) Find(ctx context.Context, tenant domain.TenantID, id domain.ClientID) (domain.Client, error) {
	const query = `SELECT document, secrets FROM clients WHERE client_id = $1 AND tenant_id = $2`
	var doc, secrets []byte
	switch err := s.pool.QueryRow(ctx, query, string(id), string(tenant)).Scan(&doc, &secrets); {
	case errors.Is(err, pgx.ErrNoRows):
		return domain.Client{}, application.ErrNotFound
	case err != nil:
		return domain.Client{}, translate(err)
	}
	return record.Decode(doc, secrets)
}

// Commit implements [application.Store]: one statement, so one round trip, in
// which the log entry is written only if the row took the step.
func (s *Store) Commit(ctx context.Context, r domain.Revision) error {
	const create = `
		WITH moved AS (
			INSERT INTO clients (client_id, tenant_id, revision, document, secrets)
			VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (client_id) DO NOTHING
			RETURNING client_id
		)
		INSERT INTO revisions (client_id, number, tenant_id, at, action, actor, document)
		SELECT client_id, $3, $2, $6, $7, $8, $4 FROM moved`
	const update = `
		WITH moved AS (
			UPDATE clients SET revision = $3, document = $4, secrets = $5
			WHERE client_id = $1 AND tenant_id = $2 AND revision = $3 - 1
			RETURNING client_id
		)
		INSERT INTO revisions (client_id, number, tenant_id, at, action, actor, document)
		SELECT client_id, $3, $2, $6, $7, $8, $4 FROM moved`
	doc, secrets, err := record.Encode(r.Client)
	if err != nil {
		return err
	}
	statement := update
	if r.Client.Revision() == 1 {
		statement = create
	}
	identity := r.Client.Identity()
	tag, err := s.pool.Exec(ctx, statement,
		string(identity.ClientID), string(identity.TenantID), int64(r.Client.Revision()), doc, secrets,
		r.At, string(r.Action), r.Actor.Subject)
	if err != nil {
		return translate(err)
	}
	if tag.RowsAffected() == 0 {
		return application.ErrConflict
	}
	return nil
}

// Revisions implements [application.Store].
func (s *Store) Revisions(
	ctx context.Context, tenant domain.TenantID, id domain.ClientID, before domain.RevisionNumber, limit int,
) ([]domain.Revision, error) {
	const query = `
		SELECT at, action, actor, document FROM revisions
		WHERE client_id = $1 AND tenant_id = $2 AND ($3 = 0 OR number < $3)
		ORDER BY number DESC LIMIT $4`
	rows, err := s.pool.Query(ctx, query, string(id), string(tenant), int64(before), limit)
	if err != nil {
		return nil, translate(err)
	}
	revisions, err := pgx.CollectRows(rows, readRevision)
	return revisions, translate(err)
}

func readRevision(row pgx.CollectableRow) (domain.Revision, error) {
	var (
		at            time.Time
		action, actor string
		doc           []byte
	)
	if err := row.Scan(&at, &action, &actor, &doc); err != nil {
		return domain.Revision{}, err
	}
	client, err := record.Decode(doc, nil)
	return domain.Revision{
		Action: domain.Action(action),
		Actor:  domain.Actor{Subject: actor},
		At:     at.UTC(),
		Client: client,
	}, err
}

// translate tells what may pass by itself from what is a defect: a server that
// cannot be reached, is starting, stopping, full, read-only after a failover or
// refuses the credentials is [application.ErrUnavailable].
func translate(err error) error {
	var answered *pgconn.PgError
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &answered):
		return errors.Join(application.ErrUnavailable, err)
	case temporary(answered.Code):
		return errors.Join(application.ErrUnavailable, err)
	default:
		return err
	}
}

// temporary knows the SQLSTATE classes (PostgreSQL, appendix A) of a server
// that may serve again without the service being changed.
func temporary(code string) bool {
	const (
		readOnly            = "25006"
		lockNotAvailable    = "55P03"
		invalidCatalogName  = "3D000"
		serializationFailed = "40001"
		deadlock            = "40P01"
	)
	switch code {
	case readOnly, lockNotAvailable, invalidCatalogName, serializationFailed, deadlock:
		return true
	}
	for _, class := range []string{"08", "28", "53", "57", "58"} {
		if strings.HasPrefix(code, class) {
			return true
		}
	}
	return false
}
