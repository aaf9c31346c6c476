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
	"text/tabwriter"
	"time"

	"github.com/alecthomas/kong"

	"github.com/clientele-oauth/clientele/adapters/postgres/pgtest"
)

type options struct {
	Clients     int           `default:"1000" help:"Clients to update and read (${default})."`
	Connections int           `default:"16" help:"Connections, also of pgbench (${default})."`
	Rounds      int           `default:"3" help:"Interleaved rounds; the median counts (${default})."`
	Duration    time.Duration `default:"5s" help:"Length of each measurement (${default})."`
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
	ids, err := service.populate(ctx, opts.Clients)
	if err != nil {
		return err
	}
	floor, err := newFloor(ctx, url, dir)
	if err != nil {
		return err
	}
	load := newLoad(service, ids, opts)

	measurements := []measurement{
		{"T", func(ctx context.Context) (float64, error) { return floor.transactions(ctx, opts) }},
		{"update", load.updates},
		{"R", func(ctx context.Context) (float64, error) { return floor.reads(ctx, opts) }},
		{"read", load.reads},
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
	return report(opts, results)
}

// report prints the medians, and writes the ratios.
func report(opts options, results map[string][]float64) error {
	median := func(name string) float64 {
		sorted := slices.Sorted(slices.Values(results[name]))
		return sorted[len(sorted)/2]
	}
	ratios := map[string]float64{
		"update_T": median("update") / median("T"),
		"read_R":   median("read") / median("R"),
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "\tover HTTP /s\tbare /s\tratio\t")
	fmt.Fprintf(table, "update (T)\t%.0f\t%.0f\t%.2f\t\n", median("update"), median("T"), ratios["update_T"])
	fmt.Fprintf(table, "read (R)\t%.0f\t%.0f\t%.2f\t\n", median("read"), median("R"), ratios["read_R"])
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Printf("%d connections, %d clients, medians of %d rounds of %s; service, database and load on one machine\n",
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
