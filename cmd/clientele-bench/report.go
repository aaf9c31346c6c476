package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"
)

// costs is the CPU time of the service, the database and the load.
type costs struct {
	service, database, load time.Duration
}

// cpuTime returns the CPU time used so far.
func (b *bench) cpuTime() (c costs, err error) {
	for _, t := range append([]*target{b.postgres, b.sqlite}, b.extra...) {
		spent, err := processTime(t.Command.Process.Pid)
		if err != nil {
			return c, err
		}
		c.service += spent
	}
	for _, pid := range b.database.Processes() {
		if spent, err := processTime(pid); err == nil { // a process that has ended is included in the first one's time
			c.database += spent
		}
	}
	var own syscall.Rusage
	err = syscall.Getrusage(syscall.RUSAGE_SELF, &own)
	c.load = time.Duration(own.Utime.Nano() + own.Stime.Nano())
	return c, err
}

// since returns the costs of each of the n requests since before.
func (c costs) since(before costs, n uint64) costs {
	of := func(d time.Duration) time.Duration { return d / time.Duration(max(n, 1)) } //nolint:gosec // a small number
	return costs{of(c.service - before.service), of(c.database - before.database), of(c.load - before.load)}
}

// String formats the costs in microseconds.
func (c costs) String() string {
	return fmt.Sprintf("%d µs service, %d µs database, %d µs load",
		c.service.Microseconds(), c.database.Microseconds(), c.load.Microseconds())
}

func (b *bench) median(name string) float64 {
	sorted := slices.Sorted(slices.Values(b.results[name]))
	return sorted[len(sorted)/2]
}

// tail returns the median and the 99th percentile of the latency of an update, at half
// the peak rate.
func (b *bench) tail(ctx context.Context) (median, ninetyNinth time.Duration, err error) {
	half := vegeta.Rate{Freq: int(b.median("update") / 2), Per: time.Second}
	metrics, err := b.load.atRate(ctx, headersOf(b.load.tokens), b.load.update, half)
	if err != nil {
		return 0, 0, err
	}
	return metrics.Latencies.P50, metrics.Latencies.P99, nil
}

// figures is the content of the file with the results.
type figures struct {
	Ratios        map[string]float64 `json:"ratios"`
	P99OverMedian float64            `json:"p99_over_median"`
	RSSMiB        float64            `json:"rss_mib"`
	RestMiB       float64            `json:"rest_mib"`
	ReadyMS       float64            `json:"ready_ms"`
	BinaryMiB     float64            `json:"binary_mib"`
	PerSecond     map[string]float64 `json:"per_second"`
}

const mib = 1 << 20

// report prints the medians and writes the ratios to a file.
func (b *bench) report(ctx context.Context) error {
	small, large := fmt.Sprintf(" of tenant_%d", b.opts.Small), fmt.Sprintf(" of tenant_%d", b.opts.Large)
	ratio := func(name, floor string) float64 { return b.median(name) / b.median(floor) }
	f := figures{PerSecond: map[string]float64{}, Ratios: map[string]float64{
		"update_T":     ratio("update", "T"),
		"create_T":     ratio("create", "T"),
		"read_R":       ratio("read", "R"),
		"list100_R":    ratio("walk by 100"+small, "R"),
		"list_1m_10k":  ratio("walk by 100"+large, "walk by 100"+small),
		"search_R":     ratio("search by name"+small, "R"),
		"feed_R":       ratio("feed, nothing new"+small, "R"),
		"verify_R":     ratio("verify a secret", "R"),
		"unmodified_R": ratio("read, not modified", "R"),

		"update_waiting":         ratio("update while readers wait", "update"),
		"update_followed":        ratio("update while readers follow", "update"),
		"sqlite_update_waiting":  ratio("SQLite: update while readers wait", "SQLite: update"),
		"sqlite_update_followed": ratio("SQLite: update while readers follow", "SQLite: update"),
	}}
	for name := range b.results {
		f.PerSecond[name] = b.median(name)
	}
	median, ninetyNinth, err := b.tail(ctx)
	if err != nil {
		return err
	}
	f.P99OverMedian = float64(ninetyNinth) / float64(median)
	peakMemory, err := residentMemory(b.postgres.Command.Process.Pid, "VmHWM")
	if err != nil {
		return err
	}
	for _, peak := range b.peaks { // measuring them resets the one of the process
		peakMemory = max(peakMemory, peak)
	}
	binary, err := os.Stat(b.binary)
	if err != nil {
		return err
	}
	f.RSSMiB, f.RestMiB, f.BinaryMiB = float64(peakMemory)/mib, float64(b.postgres.idleMemory)/mib, float64(binary.Size())/mib
	f.ReadyMS = float64(b.postgres.ready.Microseconds()) / 1000

	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "\tover HTTP /s\tfloor /s\tratio\ttarget\tservice µs\tdatabase µs\tload µs\t")
	for _, row := range []struct {
		name, floor, target string
	}{
		{"update", "T", "0.75"},
		{"update of the name", "T", ""},
		{"create", "T", "0.75"},
		{"read", "R", "0.25"},
		{"read, not modified", "R", ""},
		{"verify a secret", "R", ""},
		{"walk by 100" + small, "R", "0.035"},
		{"page of 100" + small, "R", ""},
		{"search by name" + small, "R", ""},
		{"feed, nothing new" + small, "R", "0.25"},
	} {
		c := b.costs[row.name]
		fmt.Fprintf(table, "%s (%s)\t%.0f\t%.0f\t%.3f\t%s\t%d\t%d\t%d\t\n", strings.TrimSuffix(row.name, small), row.floor,
			b.median(row.name), b.median(row.floor), ratio(row.name, row.floor), row.target,
			c.service.Microseconds(), c.database.Microseconds(), c.load.Microseconds())
	}
	fmt.Fprintf(table, "\t\t\t\t\t\t\t\t\n\tof %d /s\tof %d /s\tratio\ttarget\t\t\t\t\n", b.opts.Large, b.opts.Small)
	for _, name := range []string{
		"walk by 100", "page of 100", "search by name", "filter by host", "feed, nothing new", "feed, 100 changes",
	} {
		target := ""
		if name == "walk by 100" {
			target = "0.9"
		}
		fmt.Fprintf(table, "%s\t%.0f\t%.0f\t%.3f\t%s\t\t\t\t\n", name, b.median(name+large), b.median(name+small), ratio(name+large, name+small), target)
	}
	b.reportSnapshots(table, &f)
	b.reportGrown(table, &f)
	fmt.Fprintln(table, "\t\t\t\t\t\t\t\t\n\tSQLite /s\t\t\t\tservice µs\t\tload µs\t")
	for _, name := range []string{
		"update", "create", "read", "read, not modified", "verify a secret", "page of 100", "feed, 100 changes",
	} {
		c := b.costs["SQLite: "+name]
		fmt.Fprintf(table, "%s\t%.0f\t\t\t\t%d\t\t%d\t\n", name, b.median("SQLite: "+name), c.service.Microseconds(), c.load.Microseconds())
	}
	fmt.Fprintln(table, "\t\t\t\t\t\t\t\t\n\twith /s\twithout /s\tratio\ttarget\treaders\tresponses /s\t\t")
	for _, on := range []string{"", "SQLite: "} {
		for _, row := range []struct {
			name, target string
			readers      int
		}{{"update while readers wait", "0.9", waitingReaders}, {"update while readers follow", "", followingReaders}} {
			name := on + row.name
			fmt.Fprintf(table, "%s\t%.0f\t%.0f\t%.3f\t%s\t%d\t%.0f\t\t\n", name, b.median(name), b.median(on+"update"),
				ratio(name, on+"update"), row.target, row.readers, float64(b.responses[name])/b.opts.Duration.Seconds())
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Printf("update at half its peak: median %s, 99th percentile %s, %.1f times (target 4)\n", median, ninetyNinth, f.P99OverMedian)
	fmt.Printf("memory of the service: %.0f MiB at rest, %.0f MiB at most (target 80); the binary has %.0f MiB\n", f.RestMiB, f.RSSMiB, f.BinaryMiB)
	fmt.Printf("from its start to ready on a migrated database: %.0f ms (target 300)\n", f.ReadyMS)
	fmt.Printf("%d connections, %d clients to update and read, medians of %d rounds of %s; service, database and load on one machine\n",
		b.opts.Connections, b.opts.Clients, b.opts.Rounds, b.opts.Duration)
	encoded, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(b.opts.Out), 0o755); err != nil { //nolint:gosec // results may be read by all users
		return err
	}
	return os.WriteFile(b.opts.Out, append(encoded, '\n'), 0o644) //nolint:gosec // results may be read by all users
}
