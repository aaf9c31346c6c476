package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"text/tabwriter"
	"time"
)

// snapshotName is the name of the measurement of a tenant's snapshot. The clients of a
// snapshot per second are measured with one reader, those of lists with many.
func snapshotName(t string) string { return "snapshot of " + t }

// snapshot is a measurement of complete snapshots of a tenant, one after the other, in
// clients per second. It also records the peak memory of the service.
func (b *bench) snapshot(t tenant) measurement {
	name := snapshotName(t.name)
	return measurement{name, func(ctx context.Context) (float64, error) {
		pid := b.postgres.Command.Process.Pid
		// Peaks begin at what is used now (proc(5), clear_refs).
		if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0); err != nil {
			return 0, err
		}
		before, err := b.cpuTime()
		if err != nil {
			return 0, err
		}
		clients, snapshots := 0, uint64(0)
		began := time.Now()
		for snapshots == 0 || time.Since(began) < b.opts.Duration {
			n, err := readSnapshot(ctx, b.postgres.URL, t.tokens[0])
			if err == nil && n != t.clients {
				err = fmt.Errorf("%d clients of %d", n, t.clients)
			}
			if err != nil {
				return 0, err
			}
			clients, snapshots = clients+n, snapshots+1
		}
		took := time.Since(began).Seconds()
		after, err := b.cpuTime()
		if err != nil {
			return 0, err
		}
		b.costs[name] = after.since(before, snapshots)
		peak, err := residentMemory(pid, "VmHWM")
		b.peaks[name] = max(b.peaks[name], peak)
		return float64(clients) / took, err
	}}
}

// readSnapshot reads a snapshot and returns the number of its clients. The error is for one
// that is not complete.
func readSnapshot(ctx context.Context, url, token string) (clients int, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/admin/oauth/snapshot", http.NoBody)
	if err != nil {
		return 0, err
	}
	r.Header.Set("Authorization", "Bearer "+token)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	lines, last := bufio.NewReaderSize(response.Body, 64<<10), ""
	for n := 0; ; n++ {
		line, err := lines.ReadSlice('\n')
		switch {
		case errors.Is(err, io.EOF):
			clients = n - 2 // the first and the last line are no clients
			if last != `{"clients":`+strconv.Itoa(clients)+"}\n" {
				return 0, fmt.Errorf("an incomplete snapshot (%d) ends with %s", response.StatusCode, last)
			}
			return clients, nil
		case err != nil:
			return 0, err
		}
		if len(line) < 64 {
			last = string(line)
		}
	}
}

// reportSnapshots prints the clients per second of snapshots beside those of lists, and
// the peak memory beside that at rest, and notes the ratios.
func (b *bench) reportSnapshots(table *tabwriter.Writer, f *figures) {
	fmt.Fprintln(table, "\t\t\t\t\t\t\t\t\n\tclients /s\tby lists /s\tratio\tservice ms\tdatabase ms\tpeak MiB\tat rest MiB\t\t")
	for _, n := range []int{b.opts.Small, b.opts.Large} {
		of := "tenant_" + strconv.Itoa(n)
		name, lists := snapshotName(of), 100*b.median("walk by 100 of "+of)
		f.Ratios["snapshot_"+strconv.Itoa(n)] = b.median(name) / lists
		fmt.Fprintf(table, "snapshot of %d\t%.0f\t%.0f\t%.3f\t%d\t%d\t%.0f\t%.0f\t\t\n", n, b.median(name), lists, b.median(name)/lists,
			b.costs[name].service.Milliseconds(), b.costs[name].database.Milliseconds(),
			float64(b.peaks[name])/mib, float64(b.postgres.idleMemory)/mib)
	}
}
