package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"

	"github.com/jackc/pgx/v5"

	"github.com/clientele-oauth/clientele/adapters/postgres/pgtest"
)

// The SQL statements that the floor measures. Their rows have the shape and size of the service's rows.
const (
	floorTables = `
		CREATE TABLE floor_clients (LIKE clients INCLUDING ALL);
		CREATE TABLE floor_revisions (LIKE revisions INCLUDING ALL);
		ALTER TABLE floor_clients ADD COLUMN n integer UNIQUE;
		INSERT INTO floor_clients SELECT *, row_number() OVER () FROM clients;
		ANALYZE floor_clients`
	transactionScript = `
\set n random(1, %[1]d)
BEGIN;
SELECT document AS document, revision AS revision FROM floor_clients WHERE n = :n FOR UPDATE;
UPDATE floor_clients SET revision = revision + 1, document = document WHERE n = :n;
INSERT INTO floor_revisions (client_id, number, tenant_id, at, action, actor, document)
  SELECT client_id, revision, tenant_id, now(), 'update', 'bench', document FROM floor_clients WHERE n = :n;
COMMIT;
`
	readScript = `
\set n random(1, %[1]d)
SELECT document, secrets FROM floor_clients WHERE n = :n;
`
)

// floor measures the database with pgbench, without the service.
type floor struct {
	pgbench string
	url     string
	dir     string
}

func newFloor(ctx context.Context, url, dir string) (*floor, error) {
	pgbench, err := pgtest.Binary("pgbench")
	if err != nil {
		return nil, err
	}
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return nil, err
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, floorTables); err != nil {
		return nil, fmt.Errorf("create the tables of the floor: %w", err)
	}
	return &floor{pgbench: pgbench, url: url, dir: dir}, nil
}

func (f *floor) transactions(ctx context.Context, opts options) (float64, error) {
	return f.run(ctx, opts, "transaction.sql", transactionScript)
}

func (f *floor) reads(ctx context.Context, opts options) (float64, error) {
	return f.run(ctx, opts, "read.sql", readScript)
}

var tps = regexp.MustCompile(`tps = ([0-9.]+)`)

// run runs the script in pgbench and returns the transactions per second.
func (f *floor) run(ctx context.Context, opts options, name, script string) (float64, error) {
	path := filepath.Join(f.dir, name)
	if err := os.WriteFile(path, fmt.Appendf(nil, script, opts.Clients), 0o600); err != nil {
		return 0, err
	}
	command := exec.CommandContext(ctx, f.pgbench, "--no-vacuum", "--protocol=prepared",
		"--client="+strconv.Itoa(opts.Connections), "--jobs=2", "--time="+strconv.Itoa(int(opts.Duration.Seconds())),
		"--random-seed="+strconv.FormatUint(opts.Seed, 10), "--file="+path, f.url)
	output, err := command.CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("pgbench: %w: %s", err, output)
	}
	found := tps.FindSubmatch(output)
	if found == nil {
		return 0, fmt.Errorf("pgbench printed no tps: %s", output)
	}
	return strconv.ParseFloat(string(found[1]), 64)
}
