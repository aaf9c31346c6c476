// Command clientele-bench measures the service over HTTP beside the floor on
// the same PostgreSQL: what pgbench reaches with the bare statements. It
// starts a throw-away server and the service, drives both in turns, and prints
// medians and their ratios.
//
// T is one transaction of begin, select for update, update, insert of a log
// row and commit; R is one select by key. Both are prepared statements.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/alecthomas/kong"

	"github.com/clientele-oauth/clientele/adapters/postgres/pgtest"
)

type options struct {
	Clients     int           `default:"1000" help:"Clients to update and read (${default})."`
	Connections int           `default:"16" help:"Connections, also of pgbench (${default})."`
	Rounds      int           `default:"3" help:"Interleaved rounds; the median counts (${default})."`
	Duration    time.Duration `default:"3s" help:"Length of each measurement (${default})."`
	Only        []string      `placeholder:"NAME" help:"Measure these alone, by the beginnings of their names, and print no table."`
	Seed        uint64        `default:"1" help:"Seed of the choice of clients (${default})."`
	Out         string        `default:"dist/bench.json" help:"Where the ratios are written (${default})."`
}

func main() {
	var opts options
	kong.Parse(&opts, kong.Description("Measure updates and reads over HTTP beside the bare statements in pgbench."))
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

func run(ctx context.Context, opts options) (err error) {
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)

	database, err := pgtest.Start(ctx) // with everything on that keeps data safe
	if err != nil {
		return err
	}
	defer func() { err = orError(err, database.Stop()) }()
	url, err := database.NewDatabase(ctx)
	if err != nil {
		return err
	}
	service, err := startService(ctx, dir, url)
	if err != nil {
		return err
	}
	defer service.stop()
	ids, secret, err := service.populate(ctx, opts.Clients)
	if err != nil {
		return err
	}
	floor, err := newFloor(ctx, url, dir)
	if err != nil {
		return err
	}
	load := newLoad(service, ids, secret, opts)
	tenants, err := newTenants(ctx, service, url, smallTenant, largeTenant)
	if err != nil {
		return err
	}
	over := func(next request) func(context.Context) (float64, error) {
		return func(ctx context.Context) (float64, error) { return load.run(ctx, load.header, next) }
	}
	conditional := load.header.Clone()
	conditional.Set("If-None-Match", "*")
	measurements := []measurement{
		{"T", func(ctx context.Context) (float64, error) { return floor.transactions(ctx, opts) }},
		{"update", over(load.update)},
		{"create", over(load.create)},
		{"R", func(ctx context.Context) (float64, error) { return floor.reads(ctx, opts) }},
		{"read", over(load.read)},
		{"read, not modified", func(ctx context.Context) (float64, error) { return load.run(ctx, conditional, load.read) }},
		{"verify a secret", over(load.verify)},
		{"update of the name", over(load.rename)},
	}
	for _, t := range tenants {
		for _, about := range []struct {
			name    string
			request request
		}{
			{"page of 100", t.page(load)},
			{"walk by 100", t.walk(load)},
			{"search by name", t.search(load)},
			{"filter by host", t.filter(load)},
			{"feed, nothing new", t.poll(load)},
			{"feed, 100 changes", t.feed(load)},
		} {
			measurements = append(measurements, measurement{about.name + " of " + t.name, func(ctx context.Context) (float64, error) {
				return load.run(ctx, headerOf(t.token), about.request)
			}})
		}
	}
	if len(opts.Only) > 0 {
		measurements = slices.DeleteFunc(measurements, func(m measurement) bool {
			return !slices.ContainsFunc(opts.Only, func(name string) bool { return strings.HasPrefix(m.name, name) })
		})
	}
	results := map[string][]float64{}
	for round := range opts.Rounds + 1 {
		for _, m := range measurements {
			perSecond, err := m.run(ctx)
			if err != nil {
				return fmt.Errorf("%s: %w", m.name, err)
			}
			if round > 0 { // the first round warms up
				results[m.name] = append(results[m.name], perSecond)
			}
		}
	}
	if len(opts.Only) > 0 {
		for _, m := range measurements {
			fmt.Printf("%s: %.0f/s\n", m.name, results[m.name])
		}
		return nil
	}
	return report(opts, results)
}

// The sizes of the tenants that lists and feeds are measured on.
const (
	smallTenant = 1_000
	largeTenant = 100_000
)

// report prints the medians, and writes the ratios.
func report(opts options, results map[string][]float64) error {
	median := func(name string) float64 {
		sorted := slices.Sorted(slices.Values(results[name]))
		return sorted[len(sorted)/2]
	}
	small, large := fmt.Sprintf(" of tenant_%d", smallTenant), fmt.Sprintf(" of tenant_%d", largeTenant)
	ratios := map[string]float64{
		"update_T": median("update") / median("T"),
		"create_T": median("create") / median("T"),
		"read_R":   median("read") / median("R"),
		"feed_R":   median("feed, nothing new"+small) / median("R"),
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "\tover HTTP /s\tbare /s\tratio\t")
	for _, row := range []struct{ name, floor string }{
		{"update", "T"},
		{"update of the name", "T"},
		{"create", "T"},
		{"read", "R"},
		{"read, not modified", "R"},
		{"verify a secret", "R"},
		{"feed, nothing new" + small, "R"},
	} {
		fmt.Fprintf(table, "%s (%s)\t%.0f\t%.0f\t%.2f\t\n", strings.TrimSuffix(row.name, small), row.floor,
			median(row.name), median(row.floor), median(row.name)/median(row.floor))
	}
	fmt.Fprintf(table, "\t\t\t\t\n\tof %d /s\tof %d /s\tratio\t\n", smallTenant, largeTenant)
	for _, name := range []string{
		"page of 100", "walk by 100", "search by name", "filter by host", "feed, nothing new", "feed, 100 changes",
	} {
		ratio := median(name+large) / median(name+small)
		ratios[strings.NewReplacer(" ", "_", ",", "").Replace(name)+"_100k_1k"] = ratio
		fmt.Fprintf(table, "%s\t%.0f\t%.0f\t%.2f\t\n", name, median(name+small), median(name+large), ratio)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Printf("%d connections, %d clients to update and read, medians of %d rounds of %s; service, database and load on one machine\n",
		opts.Connections, opts.Clients, opts.Rounds, opts.Duration)
	text, err := json.MarshalIndent(map[string]any{"ratios": ratios}, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(opts.Out), 0o755); err != nil { //nolint:gosec // figures are for everybody
		return err
	}
	return os.WriteFile(opts.Out, append(text, '\n'), 0o644) //nolint:gosec // figures are for everybody
}

// orError returns the first error.
func orError(first, second error) error {
	if first != nil {
		return first
	}
	return second
}
