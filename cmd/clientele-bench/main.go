// Command clientele-bench measures the service over HTTP beside the floor on
// the same PostgreSQL: what pgbench reaches with the bare statements. It
// starts a throw-away server and the service, drives both in turns, and prints
// medians and their ratios.
//
// T is one transaction of begin, select for update, update, insert of a log
// row and commit; R is one select by key. Both are prepared statements.
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

// measurement is something that is done as often as possible for a while.
type measurement struct {
	name string
	run  func(ctx context.Context) (perSecond float64, err error)
}

// bench is everything that is measured, and with what.
type bench struct {
	opts     options
	database *pgtest.Server
	postgres *target   // the service over PostgreSQL
	sqlite   *target   // the service over its file
	load     *load     // on the first of these
	more     []*target // further services, see grown
	binary   string
	results  map[string][]float64
	costs    map[string]costs
	peaks    map[string]int64 // the peak memory of the service, in bytes
	// responses counts what readers of the change feed were given meanwhile, in the last round.
	responses map[string]int64
}

func run(ctx context.Context, opts options) (err error) {
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b := &bench{opts: opts, results: map[string][]float64{}, costs: map[string]costs{}, peaks: map[string]int64{}, responses: map[string]int64{}}
	if b.database, err = pgtest.Start(ctx); err != nil { // with everything on that keeps data safe
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
		for _, t := range b.more {
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
				fmt.Printf(", %.0f MiB at most, %.0f MiB at rest", float64(peak)/mib, float64(b.postgres.rest)/mib)
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

// measurements lists what is measured, in the order in which that is done.
func (b *bench) measurements(ctx context.Context, url, dir string, tokens *issuer) ([]measurement, error) {
	ids, secret, err := b.postgres.populate(ctx, b.opts.Clients)
	if err != nil {
		return nil, err
	}
	floor, err := newFloor(ctx, url, dir)
	if err != nil {
		return nil, err
	}
	own, err := tokens.tokens(devTenant)
	if err != nil {
		return nil, err
	}
	b.load = newLoad(b.postgres, ids, secret, own, b.opts)
	list := []measurement{
		{"T", func(ctx context.Context) (float64, error) { return floor.transactions(ctx, b.opts) }},
		b.over("update", b.load, b.load.tokens, b.load.update),
		b.followed(b.over("update while readers wait", b.load, b.load.tokens, b.load.update), b.postgres, waitingReaders, idleTenants()...),
		b.followed(b.over("update while readers follow", b.load, b.load.tokens, b.load.update), b.postgres, followingReaders, devTenant),
		b.over("create", b.load, b.load.tokens, b.load.create),
		{"R", func(ctx context.Context) (float64, error) { return floor.reads(ctx, b.opts) }},
		b.over("read", b.load, b.load.tokens, b.load.read),
		b.conditional("read, not modified", b.load, b.load.read),
		b.over("verify a secret", b.load, b.load.tokens, b.load.verify),
		b.over("update of the name", b.load, b.load.tokens, b.load.rename),
	}
	if b.wanted("page") || b.wanted("walk") || b.wanted("search") || b.wanted("filter") || b.wanted("feed") || b.wanted("snapshot") {
		tenants, err := newTenants(ctx, b.postgres, url, b.opts.Small, b.opts.Large)
		if err != nil {
			return nil, err
		}
		for _, t := range tenants {
			list = append(list,
				b.over("page of 100 of "+t.name, b.load, t.tokens, t.page(b.load)),
				b.over("walk by 100 of "+t.name, b.load, t.tokens, t.walk(b.load)),
				b.over("search by name of "+t.name, b.load, t.tokens, t.search(b.load)),
				b.over("filter by host of "+t.name, b.load, t.tokens, t.filter(b.load)),
				b.over("feed, nothing new of "+t.name, b.load, t.tokens, t.poll(b.load)),
				b.over("feed, 100 changes of "+t.name, b.load, t.tokens, t.feed(b.load)),
				b.snapshot(t),
			)
		}
	}
	if b.wanted(grownName) || b.wanted(analyzedName) {
		grown, err := b.grown(ctx, dir, tokens)
		if err != nil {
			return nil, err
		}
		list = append(list, grown...)
	}
	if b.wanted("SQLite") {
		fileIDs, fileSecret, err := b.sqlite.populate(ctx, b.opts.Clients)
		if err != nil {
			return nil, err
		}
		file := newLoad(b.sqlite, fileIDs, fileSecret, own, b.opts)
		whole := tenant{clients: b.opts.Clients}
		list = append(list,
			b.over("SQLite: update", file, own, file.update),
			b.followed(b.over("SQLite: update while readers wait", file, own, file.update), b.sqlite, waitingReaders, idleTenants()...),
			b.followed(b.over("SQLite: update while readers follow", file, own, file.update), b.sqlite, followingReaders, devTenant),
			b.over("SQLite: create", file, own, file.create),
			b.over("SQLite: read", file, own, file.read),
			b.conditional("SQLite: read, not modified", file, file.read),
			b.over("SQLite: verify a secret", file, own, file.verify),
			b.over("SQLite: page of 100", file, own, whole.page(file)),
			b.over("SQLite: feed, 100 changes", file, own, whole.feed(file)),
		)
	}
	return slices.DeleteFunc(list, func(m measurement) bool { return !b.wanted(m.name) }), nil
}

// wanted reports whether something of that name is to be measured.
func (b *bench) wanted(name string) bool {
	return len(b.opts.Only) == 0 || slices.ContainsFunc(b.opts.Only, func(only string) bool {
		return strings.HasPrefix(name, only) || strings.HasPrefix(only, name)
	})
}

// over is a measurement over HTTP, which also notes what it costs.
func (b *bench) over(name string, l *load, tokens []string, next request) measurement {
	headers := headersOf(tokens)
	return measurement{name, func(ctx context.Context) (float64, error) {
		before, err := b.spent()
		if err != nil {
			return 0, err
		}
		profiled := b.profile(ctx, name, l.operators)
		perSecond, requests, err := l.peak(ctx, headers, next)
		if err = errors.Join(err, profiled()); err != nil {
			return 0, err
		}
		after, err := b.spent()
		b.costs[name] = after.since(before, requests)
		return perSecond, err
	}}
}

// conditional is a read that finds the client as it was known.
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
