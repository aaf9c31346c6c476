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

// WithDirectURL sets a URL of the same database that does not lead through a pooler. It is
// used for what needs a session of its own: notifications and migrations. An empty url
// changes nothing.
func WithDirectURL(url string) Option { return func(r *route) { r.directURL = url } }

// route describes how connections reach the server: directly, or through a pooler such as
// PgBouncer. In transaction mode, a pooler runs each transaction on any free connection to
// the server. State of a session is then lost, or visible to other clients: prepared
// statements, LISTEN, advisory locks that outlast the transaction.
type route struct {
	log       *slog.Logger
	directURL string
	// direct connects without a pooler; nil if unset.
	direct *pgx.ConnConfig
	// kind caches the result of findPooler.
	kind atomic.Int32
	// probing is a mutex of findPooler whose wait ends with a context.
	probing chan struct{}
}

// The kinds of a route; 0 is unknown.
const (
	unpooled int32 = iota + 1
	pooled
)

// newRoute returns the route of a connection pool, and completes the configuration that
// was parsed from the database URL.
func newRoute(config *pgxpool.Config, url string, options []Option) (*route, error) {
	r := &route{log: slog.New(slog.DiscardHandler), probing: make(chan struct{}, 1)}
	for _, set := range options {
		set(r)
	}
	if r.directURL != "" {
		direct, err := pgxpool.ParseConfig(r.directURL) // also accepts the parameters of pools
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

// chooseMode makes a new connection send each statement as text instead of as a named
// prepared statement, if there is a pooler. A named statement exists on one connection to
// the server, and the next transaction may run on another one. PgBouncer 1.21 and newer
// can track names; with max_prepared_statements set there, the URL may have
// default_query_exec_mode=cache_statement.
func (r *route) chooseMode(ctx context.Context, config *pgx.ConnConfig) error {
	behindPooler, err := r.findPooler(ctx, config)
	if err == nil && behindPooler {
		config.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	}
	return err
}

// findPooler reports whether there is a pooler between the service and the server. It
// connects once to find out, and caches the result: a server sends the ID of its process
// when a connection starts (BackendKeyData, PostgreSQL §54.2.1). A pooler has to send
// something else, because its client has no server process of its own.
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
		return false, fmt.Errorf("detect a pooler: %w", err)
	}
	kind := unpooled
	if process != conn.PgConn().PID() {
		kind = pooled
	}
	r.kind.Store(kind)
	return kind == pooled, nil
}
