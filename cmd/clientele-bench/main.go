// Command clientele-bench measures the service over HTTP and compares it with the
// floor: what pgbench achieves on the same PostgreSQL with only the SQL statements. It
// starts a temporary PostgreSQL server and the service, measures both in turn, and
// prints medians and their ratios.
//
// T is one transaction: begin, select for update, update, insert of a log row, commit.
// R is one select by key. Both use prepared statements.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/clientele-oauth/clientele/adapters/postgres/pgtest"
	"github.com/clientele-oauth/clientele/cmd/servicetest"
)

type options struct {
	Clients     int           `default:"1000" help:"Clients to update and read (${default})."`
	Small       int           `default:"10000" help:"Clients of the small tenant for measuring lists (${default})."`
	Large       int           `default:"1000000" help:"Clients of the large tenant (${default})."`
	Connections int           `default:"16" help:"Connections, for the service and for pgbench (${default})."`
	Rounds      int           `default:"3" help:"Interleaved rounds; the median is reported (${default})."`
	Duration    time.Duration `default:"3s" help:"Duration of each measurement (${default})."`
	Only        []string      `placeholder:"NAME" help:"Run only the measurements whose names start with NAME, and print no table."`
	Hold        bool          `help:"Afterwards keep everything running for inspection until standard input ends."`
	Processors  int           `placeholder:"N" help:"Processors that the service may use, like a container limit (default: all processors of the machine)."`
	Profiles    string        `placeholder:"DIR" help:"Write a CPU profile of the service to this folder for each measurement over HTTP."`
	Seed        uint64        `default:"1" help:"Random seed for the choice of clients (${default})."`
	Out         string        `default:"dist/bench.json" help:"File to write the ratios to (${default})."`
}

func main() {
	var opts options
	kong.Parse(&opts, kong.Description("Compare the service over HTTP with the plain SQL statements in pgbench."))
	opts.Processors = cmp.Or(opts.Processors, runtime.NumCPU())
	if err := run(context.Background(), opts); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// measurement measures how many operations per second are possible.
type measurement struct {
	name string
	run  func(ctx context.Context) (perSecond float64, err error)
}

// bench has the servers, the loads and the results.
type bench struct {
	opts     options
	database *pgtest.Server
	postgres *target   // the service over PostgreSQL
	sqlite   *target   // the service over SQLite
	load     *load     // of the service over PostgreSQL
	extra    []*target // more services, see grown
	binary   string
	results  map[string][]float64
	costs    map[string]costs
	peaks    map[string]int64 // the peak memory of the service, in bytes
	// responses counts the responses to readers of the change feed during a measurement,
	// in the last round.
	responses map[string]int64
}

func run(ctx context.Context, opts options) (err error) {
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b := &bench{opts: opts, results: map[string][]float64{}, costs: map[string]costs{}, peaks: map[string]int64{}, responses: map[string]int64{}}
	if b.database, err = pgtest.Start(ctx); err != nil { // with all durability settings on
		return err
	}
	defer func() { err = errors.Join(err, b.database.Stop()) }()
	url, err := b.database.NewDatabase(ctx)
	if err != nil {
		return err
	}
	if b.binary, err = servicetest.Build(ctx, dir); err != nil {
		return err
	}
	tokens, err := newIssuer(dir)
	if err != nil {
		return err
	}
	if b.postgres, err = startService(ctx, b.binary, dir+"/postgres", url, tokens, opts); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.postgres.stop()) }()
	if b.sqlite, err = startService(ctx, b.binary, dir+"/sqlite", "", tokens, opts); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.sqlite.stop()) }()

	defer func() {
		for _, t := range b.extra {
			err = errors.Join(err, t.stop())
		}
	}()
	measurements, err := b.measurements(ctx, url, dir, tokens)
	if err != nil {
		return err
	}
	for round := range opts.Rounds + 1 {
		for _, m := range measurements {
			perSecond, err := m.run(ctx)
			if err != nil {
				return fmt.Errorf("%s: %w", m.name, err)
			}
			if round > 0 { // the first round warms up
				b.results[m.name] = append(b.results[m.name], perSecond)
			}
		}
	}
	if len(opts.Only) > 0 {
		for _, m := range measurements {
			fmt.Printf("%s: %.0f/s, %s", m.name, b.results[m.name], b.costs[m.name])
			if peak := b.peaks[m.name]; peak > 0 {
				fmt.Printf(", %.0f MiB at most, %.0f MiB at rest", float64(peak)/mib, float64(b.postgres.idleMemory)/mib)
			}
			fmt.Println()
		}
		if opts.Hold {
			fmt.Printf("service %s, process %d; database %s\n", b.postgres.URL, b.postgres.Command.Process.Pid, url)
			_, err = fmt.Scanln()
		}
		return nil
	}
	return b.report(ctx)
}

// measurements returns the selected measurements, in the order in which they run.
func (b *bench) measurements(ctx context.Context, url, dir string, tokens *issuer) ([]measurement, error) {
	ids, secret, err := b.postgres.populate(ctx, b.opts.Clients)
	if err != nil {
		return nil, err
	}
	floor, err := newFloor(ctx, url, dir)
	if err != nil {
		return nil, err
	}
	adminTokens, err := tokens.tokens(devTenant)
	if err != nil {
		return nil, err
	}
	b.load = newLoad(b.postgres, ids, secret, adminTokens, b.opts)
	list := []measurement{
		{"T", func(ctx context.Context) (float64, error) { return floor.transactions(ctx, b.opts) }},
		b.overHTTP("update", b.load, b.load.tokens, b.load.update),
		b.withReaders(b.overHTTP("update while readers wait", b.load, b.load.tokens, b.load.update), b.postgres, waitingReaders, idleTenants()...),
		b.withReaders(b.overHTTP("update while readers follow", b.load, b.load.tokens, b.load.update), b.postgres, followingReaders, devTenant),
		b.overHTTP("create", b.load, b.load.tokens, b.load.create),
		{"R", func(ctx context.Context) (float64, error) { return floor.reads(ctx, b.opts) }},
		b.overHTTP("read", b.load, b.load.tokens, b.load.read),
		b.conditional("read, not modified", b.load, b.load.read),
		b.overHTTP("verify a secret", b.load, b.load.tokens, b.load.verify),
		b.overHTTP("update of the name", b.load, b.load.tokens, b.load.rename),
	}
	if b.selected("page") || b.selected("walk") || b.selected("search") || b.selected("filter") || b.selected("feed") || b.selected("snapshot") {
		tenants, err := newTenants(ctx, b.postgres, url, b.opts.Small, b.opts.Large)
		if err != nil {
			return nil, err
		}
		for _, t := range tenants {
			list = append(list,
				b.overHTTP("page of 100 of "+t.name, b.load, t.tokens, t.page(b.load)),
				b.overHTTP("walk by 100 of "+t.name, b.load, t.tokens, t.walk(b.load)),
				b.overHTTP("search by name of "+t.name, b.load, t.tokens, t.search(b.load)),
				b.overHTTP("filter by host of "+t.name, b.load, t.tokens, t.filter(b.load)),
				b.overHTTP("feed, nothing new of "+t.name, b.load, t.tokens, t.poll(b.load)),
				b.overHTTP("feed, 100 changes of "+t.name, b.load, t.tokens, t.feed(b.load)),
				b.snapshot(t),
			)
		}
	}
	if b.selected(grownName) || b.selected(analyzedName) {
		grown, err := b.grown(ctx, dir, tokens)
		if err != nil {
			return nil, err
		}
		list = append(list, grown...)
	}
	if b.selected("SQLite") {
		sqliteIDs, sqliteSecret, err := b.sqlite.populate(ctx, b.opts.Clients)
		if err != nil {
			return nil, err
		}
		sqliteLoad := newLoad(b.sqlite, sqliteIDs, sqliteSecret, adminTokens, b.opts)
		sqliteTenant := tenant{clients: b.opts.Clients}
		list = append(list,
			b.overHTTP("SQLite: update", sqliteLoad, adminTokens, sqliteLoad.update),
			b.withReaders(b.overHTTP("SQLite: update while readers wait", sqliteLoad, adminTokens, sqliteLoad.update), b.sqlite, waitingReaders, idleTenants()...),
			b.withReaders(b.overHTTP("SQLite: update while readers follow", sqliteLoad, adminTokens, sqliteLoad.update), b.sqlite, followingReaders, devTenant),
			b.overHTTP("SQLite: create", sqliteLoad, adminTokens, sqliteLoad.create),
			b.overHTTP("SQLite: read", sqliteLoad, adminTokens, sqliteLoad.read),
			b.conditional("SQLite: read, not modified", sqliteLoad, sqliteLoad.read),
			b.overHTTP("SQLite: verify a secret", sqliteLoad, adminTokens, sqliteLoad.verify),
			b.overHTTP("SQLite: page of 100", sqliteLoad, adminTokens, sqliteTenant.page(sqliteLoad)),
			b.overHTTP("SQLite: feed, 100 changes", sqliteLoad, adminTokens, sqliteTenant.feed(sqliteLoad)),
		)
	}
	return slices.DeleteFunc(list, func(m measurement) bool { return !b.selected(m.name) }), nil
}

// selected reports whether a measurement with this name must run.
func (b *bench) selected(name string) bool {
	return len(b.opts.Only) == 0 || slices.ContainsFunc(b.opts.Only, func(only string) bool {
		return strings.HasPrefix(name, only) || strings.HasPrefix(only, name)
	})
}

// overHTTP returns a measurement over HTTP, which also records the CPU time.
func (b *bench) overHTTP(name string, l *load, tokens []string, next request) measurement {
	headers := headersOf(tokens)
	return measurement{name, func(ctx context.Context) (float64, error) {
		before, err := b.cpuTime()
		if err != nil {
			return 0, err
		}
		profiled := b.profile(ctx, name, l.operators)
		perSecond, requests, err := l.peak(ctx, headers, next)
		if err = errors.Join(err, profiled()); err != nil {
			return 0, err
		}
		after, err := b.cpuTime()
		b.costs[name] = after.since(before, requests)
		return perSecond, err
	}}
}

// conditional returns a measurement of conditional reads, whose response is 304.
func (b *bench) conditional(name string, l *load, next request) measurement {
	headers := headersOf(l.tokens)
	for _, header := range headers {
		header.Set("If-None-Match", "*")
	}
	return measurement{name, func(ctx context.Context) (float64, error) {
		perSecond, _, err := l.peak(ctx, headers, next)
		return perSecond, err
	}}
}
