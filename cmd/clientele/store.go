package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/clientele-oauth/clientele/adapters/postgres"
	"github.com/clientele-oauth/clientele/adapters/sqlite"
	"github.com/clientele-oauth/clientele/adapters/telemetry"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/application/push"
	"github.com/clientele-oauth/clientele/domain"
)

// storeFlags configure where clients are stored.
type storeFlags struct {
	Data        string `default:"./data" env:"CLIENTELE_DATA" placeholder:"DIR" help:"Data directory: the SQLite file, and with --dev the signing key and the token (${default})."`
	DatabaseURL string `env:"DATABASE_URL" placeholder:"URL" help:"PostgreSQL to use instead of SQLite: postgres://user@host:5432/name; it may list several hosts."`
	DirectURL   string `name:"database-direct-url" env:"DATABASE_DIRECT_URL" placeholder:"URL" help:"The same PostgreSQL without a connection pooler, for notifications and migrations; default: --database-url."`
}

// database is a store with the functions that the composition root needs.
type database struct {
	application.Store
	migrate func(context.Context) (int, error)
	close   func() error
	// feedLag returns the age of the oldest change that the feed holds back; nil if the
	// store never holds back changes.
	feedLag func(context.Context) (time.Duration, error)
	// watch registers the metrics of the store itself.
	watch func(*telemetry.Metrics)

	examiner application.Examiner
	keys     application.SecretKeys
	ledger   push.Ledger
	// registrations keeps what registrations from outside need.
	registrations application.RegistrationStore
}

// open opens the store that the flags configure; traces may be nil.
func (f storeFlags) open(ctx context.Context, traces *telemetry.Tracing) (database, error) {
	return f.openLogging(ctx, traces, slog.New(slog.DiscardHandler))
}

// openLogging is like open, but the store logs errors of its background work.
func (f storeFlags) openLogging(ctx context.Context, traces *telemetry.Tracing, log *slog.Logger) (database, error) {
	isPostgres := func(url string) bool {
		return strings.HasPrefix(url, "postgres://") || strings.HasPrefix(url, "postgresql://")
	}
	if f.DirectURL != "" {
		if f.DatabaseURL == "" {
			return database{}, errors.New("--database-direct-url (DATABASE_DIRECT_URL) has no effect without --database-url (DATABASE_URL)")
		}
		if !isPostgres(f.DirectURL) {
			return database{}, errors.New("--database-direct-url (DATABASE_DIRECT_URL) must begin with postgres://")
		}
	}
	if f.DatabaseURL != "" {
		if !isPostgres(f.DatabaseURL) {
			return database{}, errors.New("--database-url (DATABASE_URL) must begin with postgres://")
		}
		store, err := postgres.Open(ctx, f.DatabaseURL, traces.Statements(), postgres.WithLog(log), postgres.WithDirectURL(f.DirectURL))
		if err != nil {
			return database{}, err
		}
		return database{
			Store: store, migrate: store.Migrate, feedLag: store.FeedLag, examiner: store, keys: store, ledger: store,
			registrations: store,
			close:         func() error { store.Close(); return nil },
			watch: func(m *telemetry.Metrics) {
				m.WatchFeed(store.FeedLag)
				m.WatchPool(func() telemetry.Pool {
					stat := store.Connections()
					return telemetry.Pool{
						Used: stat.AcquiredConns(), Idle: stat.IdleConns(), Limit: stat.MaxConns(),
						Waits: stat.EmptyAcquireCount(), Waited: stat.EmptyAcquireWaitTime(),
					}
				})
			},
		}, nil
	}
	if err := f.makeData(); err != nil {
		return database{}, err
	}
	store, err := sqlite.Open(f.sqliteFile())
	if err != nil {
		return database{}, err
	}
	return database{
		Store: store, migrate: store.Migrate, close: store.Close, examiner: store, keys: store, ledger: store,
		registrations: store,
		// SQLite never holds back changes.
		watch: func(m *telemetry.Metrics) {
			m.WatchFeed(func(context.Context) (time.Duration, error) { return 0, nil })
		},
	}, nil
}

// makeData creates the data directory. Only its owner can access it.
func (f storeFlags) makeData() error {
	if err := os.MkdirAll(f.Data, privateFolder); err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	// An older version or a copy may have left the signing key readable by others.
	if err := os.Chmod(devKeyFile(f.Data), privateFile); err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("data directory: %w", err)
	}
	return nil
}

type migrateCommand struct {
	storeFlags `embed:""`
}

// Run brings the schema up to date.
func (c *migrateCommand) Run(ctx context.Context) error {
	db, err := c.open(ctx, nil)
	if err != nil {
		return err
	}
	steps, err := db.migrate(ctx)
	if err := errors.Join(err, db.close()); err != nil {
		return err
	}
	_, err = fmt.Printf("the schema is up to date (migrations applied: %d)\n", steps)
	return err
}

type purgeCommand struct {
	storeFlags `embed:""`
	Retention  time.Duration `default:"720h" env:"CLIENTELE_RETENTION" help:"Purge only clients that were deleted at least this long ago (${default})."`
}

// Validate rejects a negative retention.
func (c *purgeCommand) Validate() error {
	if c.Retention < 0 {
		return errors.New("--retention must not be negative")
	}
	return nil
}

// Run permanently removes clients that were deleted longer ago than the retention. Their
// tombstones remain.
func (c *purgeCommand) Run(ctx context.Context) error {
	db, err := c.open(ctx, nil)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	store := telemetry.NewMetrics(buildVersion()).ReportUnreadable(db, log)
	purged, err := application.Purge(ctx, store, systemClock{}, domain.Actor{Subject: "clientele purge"}, c.Retention)
	if err := errors.Join(err, db.close()); err != nil {
		return err
	}
	_, err = fmt.Printf("clients purged: %d\n", purged)
	return err
}
