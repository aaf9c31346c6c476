// Command clientele-torture injects faults into the service while clients write to it,
// and compares the acknowledged changes with the stored ones. It exits with 1 if something
// was lost, doubled or wrong.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/alecthomas/kong"

	"github.com/clientele-oauth/clientele/cmd/servicetest"
)

type options struct {
	Seed  uint64        `default:"1" help:"Random seed (${default})."`
	Fault time.Duration `default:"12s" help:"Duration of each fault (${default})."`
	Idle  int           `default:"10000" help:"Idle connections to open (${default})."`
	Only  []string      `placeholder:"TEXT" help:"Run only the faults whose names contain TEXT."`
	Out   string        `default:"dist/torture.json" help:"File to write the result to (${default})."`
}

func main() {
	var opts options
	kong.Parse(&opts, kong.Description("Inject faults into the service, and compare the acknowledged writes with the stored ones."))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	results, err := campaign(ctx, opts)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "torture:", err)
		os.Exit(1)
	}
	total, err := report(opts, results)
	if err != nil {
		fmt.Fprintln(os.Stderr, "torture:", err)
	}
	if err != nil || total.Lost+total.Doubled+total.Wrong > 0 {
		os.Exit(1)
	}
}

// scenarioResult is the result of a scenario.
type scenarioResult struct {
	Scenario string `json:"scenario"`
	Store    string `json:"store"`
	verdict
	// Skipped is the reason why the scenario did not run, or empty.
	Skipped string `json:"left_out,omitempty"`
}

// campaign runs the selected scenarios one after the other.
func campaign(ctx context.Context, opts options) ([]scenarioResult, error) {
	dir, err := os.MkdirTemp("", "torture")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	binary, err := servicetest.Build(ctx, dir)
	if err != nil {
		return nil, err
	}
	var results []scenarioResult
	for _, s := range scenarios() {
		name := s.name + " (" + s.store + ")"
		if len(opts.Only) > 0 && !slices.ContainsFunc(opts.Only, func(part string) bool { return strings.Contains(name, part) }) {
			continue
		}
		v, err := runScenario(ctx, binary, s, opts)
		result := scenarioResult{Scenario: s.name, Store: s.store, verdict: v}
		switch {
		case errors.Is(err, errNeedsRoot):
			result.Skipped = err.Error()
		case err != nil:
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		results = append(results, result)
		fmt.Fprintf(os.Stderr, "%s: %d acknowledged\n", name, v.Acknowledged)
	}
	for _, store := range []string{onSQLite, onPostgres} {
		name := upgradeScenario + " (" + store + ")"
		if len(opts.Only) > 0 && !slices.ContainsFunc(opts.Only, func(part string) bool { return strings.Contains(name, part) }) {
			continue
		}
		v, err := upgrade(ctx, binary, store, opts)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		results = append(results, scenarioResult{Scenario: upgradeScenario, Store: store, verdict: v})
		fmt.Fprintf(os.Stderr, "%s: %d acknowledged\n", name, v.Acknowledged)
	}
	return results, nil
}

// runScenario runs one scenario: it starts the load, injects the faults, ends both and
// checks the registry.
func runScenario(ctx context.Context, binary string, s scenario, opts options) (v verdict, err error) {
	w, err := newWorld(ctx, binary, s, opts.Seed, opts.Fault)
	if w != nil {
		defer w.close()
	}
	if err != nil {
		return v, err
	}
	w.idle = opts.Idle
	if s.before != nil {
		if err := s.before(ctx, w); err != nil {
			return v, err
		}
	}
	if w.replicas == nil { // replicas are started already
		if err := w.serve(ctx); err != nil {
			return v, err
		}
	}
	token, err := servicetest.Token(w.dir)
	if err != nil {
		return v, err
	}
	url := "http://" + w.address
	w.load = newLoad(url, token, opts.Seed, w.ledger)
	if err := w.load.start(ctx); err != nil {
		return v, err
	}
	if w.reader, err = follow(ctx, url, token); err != nil {
		return v, err
	}
	err = s.faults(ctx, w)
	if err == nil {
		w.awaitRecovery(ctx)
	}
	w.load.end()
	w.reader.stop()
	w.reader.group.Wait()
	if err != nil {
		return v, err
	}
	err = check(ctx, url, token, w.ledger, w.reader, &w.verdict)
	return w.verdict, err
}

// report prints the results and writes them to a file.
func report(opts options, results []scenarioResult) (total verdict, err error) {
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "fault\tstore\tacknowledged\tfound\tlost\tdoubled\twrong\tkills\tlongest outage")
	row := func(name, store string, v verdict) {
		fmt.Fprintf(table, "%s\t%s\t%d\t%d\t%d\t%d\t%d\t%d\t%s\n", name, store, v.Acknowledged, v.Found, v.Lost, v.Doubled, v.Wrong, v.Kills,
			time.Duration(v.OutageMS)*time.Millisecond)
	}
	for _, v := range results {
		if v.Skipped != "" {
			fmt.Fprintf(table, "%s\t%s\tskipped: %s\n", v.Scenario, v.Store, v.Skipped)
			continue
		}
		row(v.Scenario, v.Store, v.verdict)
		total.add(v.verdict)
	}
	row("all", "", total)
	if err := table.Flush(); err != nil {
		return total, err
	}
	for _, v := range results {
		for i, note := range v.notes {
			if i == 10 {
				fmt.Printf("%s (%s): and %d more\n", v.Scenario, v.Store, len(v.notes)-i)
				break
			}
			fmt.Printf("%s (%s): %s\n", v.Scenario, v.Store, note)
		}
	}
	fmt.Printf("seed %d, each fault for %s\n", opts.Seed, opts.Fault)
	encoded, err := json.MarshalIndent(struct {
		verdict
		Seed      uint64           `json:"seed"`
		Scenarios []scenarioResult `json:"scenarios"`
	}{total, opts.Seed, results}, "", "  ")
	if err != nil {
		return total, err
	}
	if err := os.MkdirAll(filepath.Dir(opts.Out), 0o755); err != nil { //nolint:gosec // results may be read by all users
		return total, err
	}
	return total, os.WriteFile(opts.Out, append(encoded, '\n'), 0o644) //nolint:gosec // results may be read by all users
}
