package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Option changes how a store connects to its database.
type Option func(*route)

// WithLog sets where the store reports that it cannot exchange notifications with
// other replicas. The default is to report nothing.
func WithLog(log *slog.Logger) Option { return func(r *route) { r.log = log } }

// WithDirectURL names the same database on a way without a pooler, for what needs a
// session of its own: notifications and migrations. An empty url changes nothing.
func WithDirectURL(url string) Option { return func(r *route) { r.directURL = url } }

// route is how connections reach the server: directly, or through a pooler such as
// PgBouncer, which in its transaction mode gives each transaction any connection to
// the server that is free. State of a session is then lost or met by others: prepared
// statements, LISTEN, advisory locks that outlast the transaction.
type route struct {
	log       *slog.Logger
	directURL string
	// direct connects without a pooler; nil if unset.
	direct *pgx.ConnConfig
	// kind caches what findPooler found.
	kind atomic.Int32
	// probing is held by the one who finds out.
	probing chan struct{}
}

// The kinds of a route; 0 is an unknown one.
const (
	straight int32 = iota + 1
	pooled
)

// newRoute completes the configuration of a pool of connections, as the database URL
// has it.
func newRoute(config *pgxpool.Config, url string, options []Option) (*route, error) {
	r := &route{log: slog.New(slog.DiscardHandler), probing: make(chan struct{}, 1)}
	for _, set := range options {
		set(r)
	}
	if r.directURL != "" {
		direct, err := pgxpool.ParseConfig(r.directURL) // it also knows the parameters of pools
		if err != nil {
			return nil, errors.New("the direct database URL cannot be read") // the error of pgx may repeat the password
		}
		r.direct = direct.ConnConfig
		if len(r.direct.Fallbacks) > 0 && r.direct.ValidateConnect == nil {
			r.direct.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
		}
	}
	switch config.ConnConfig.DefaultQueryExecMode {
	case pgx.QueryExecModeCacheStatement, pgx.QueryExecModeCacheDescribe:
	default:
		return nil, errors.New("default_query_exec_mode in the database URL must be cache_statement or cache_describe")
	}
	if !strings.Contains(url, "default_query_exec_mode") {
		config.BeforeConnect = r.chooseMode
	}
	return r, nil
}

// chooseMode makes a new connection send each statement with its text, without a name,
// if a pooler is between: a statement with a name is known to one connection of the
// server, and the next transaction may go to another one. PgBouncer 1.21 and newer
// can keep track of names; with max_prepared_statements set there, the URL may say
// default_query_exec_mode=cache_statement.
func (r *route) chooseMode(ctx context.Context, config *pgx.ConnConfig) error {
	behindPooler, err := r.findPooler(ctx, config)
	if err == nil && behindPooler {
		config.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	}
	return err
}

// findPooler reports whether there is a pooler between. It finds out once: a server
// names its process when a connection begins (BackendKeyData, PostgreSQL §54.2.1), and
// a pooler has to name something else, since its client has no server process for
// itself.
func (r *route) findPooler(ctx context.Context, config *pgx.ConnConfig) (bool, error) {
	if known := r.kind.Load(); known != 0 {
		return known == pooled, nil
	}
	select {
	case r.probing <- struct{}{}:
		defer func() { <-r.probing }()
	case <-ctx.Done():
		return false, ctx.Err()
	}
	if known := r.kind.Load(); known != 0 {
		return known == pooled, nil
	}
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return false, err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	var process uint32
	err = conn.QueryRow(ctx, `SELECT pg_backend_pid()`, pgx.QueryExecModeSimpleProtocol).Scan(&process)
	if err != nil {
		return false, fmt.Errorf("look for a pooler: %w", err)
	}
	kind := straight
	if process != conn.PgConn().PID() {
		kind = pooled
	}
	r.kind.Store(kind)
	return kind == pooled, nil
}
