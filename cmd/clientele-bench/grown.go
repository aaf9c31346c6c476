package main

import (
	"context"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/jackc/pgx/v5"
)

// These measurements compare reads of two tenants of the same size: one that has just
// grown from nothing, so that PostgreSQL has no statistics about it, and one with
// statistics.
const (
	grownClients  = 30_000
	grownName     = "grown"   // without statistics
	analyzedName  = "settled" // with statistics
	grownTarget   = "0.8"
	grownFraction = 4 // the other measurements last this many times as long
)

// grownReads returns the requests to measure, with their names.
func grownReads(t tenant, l *load) []struct {
	name string
	next request
} {
	return []struct {
		name string
		next request
	}{
		{"page of 100", t.page(l)},
		{"walk by 100", t.walk(l)},
		{"search by name", t.search(l)},
		{"filter by host", t.filter(l)},
		{"feed, 100 changes", t.feed(l)},
	}
}

// grown starts a service on each of two databases and sends requests while the
// databases are empty, so that PostgreSQL has plans for empty tables. It then fills both
// databases, and collects statistics in one of them.
func (b *bench) grown(ctx context.Context, dir string, tokens *issuer) (list []measurement, err error) {
	for _, name := range []string{grownName, analyzedName} {
		url, err := b.database.NewDatabase(ctx)
		if err != nil {
			return nil, err
		}
		service, err := startService(ctx, b.binary, dir+"/"+name, url, tokens, b.opts)
		if err != nil {
			return nil, err
		}
		b.extra = append(b.extra, service)
		if _, _, err := service.populate(ctx, 1); err != nil {
			return nil, err
		}
		grownTenant := tenant{name: name, clients: grownClients}
		if grownTenant.tokens, err = tokens.tokens(name); err != nil {
			return nil, err
		}
		opts := b.opts
		opts.Duration = 100 * time.Millisecond
		l := newLoad(service, nil, "", grownTenant.tokens, opts)
		for _, read := range grownReads(grownTenant, l) {
			if _, _, err := l.peak(ctx, headersOf(grownTenant.tokens), read.next); err != nil {
				return nil, err
			}
		}
		if err := fillGrown(ctx, url, name); err != nil {
			return nil, err
		}
		l.opts.Duration = b.opts.Duration / grownFraction
		for _, read := range grownReads(grownTenant, l) {
			list = append(list, b.overHTTP(name+": "+read.name, l, grownTenant.tokens, read.next))
		}
	}
	return list, nil
}

// fillGrown fills the tenant. It collects statistics only for analyzedName, and turns
// off automatic collection for both tenants.
func fillGrown(ctx context.Context, url, name string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	statements := `ALTER TABLE clients SET (autovacuum_enabled = off); ALTER TABLE revisions SET (autovacuum_enabled = off);
		ALTER TABLE client_counts SET (autovacuum_enabled = off); ALTER TABLE clients DISABLE TRIGGER USER;` +
		fmt.Sprintf(fillTenant, name, grownClients) + `; ALTER TABLE clients ENABLE TRIGGER USER`
	if _, err := conn.Exec(ctx, statements, pgx.QueryExecModeSimpleProtocol); err != nil {
		return fmt.Errorf("fill a tenant: %w", err)
	}
	// Merge the pending lists of the GIN indexes, so that the tenants differ only in
	// statistics.
	const mergePending = `SELECT gin_clean_pending_list('clients_facets'), gin_clean_pending_list('clients_name')`
	if _, err := conn.Exec(ctx, mergePending); err != nil {
		return err
	}
	if name == analyzedName {
		_, err = conn.Exec(ctx, `ANALYZE`)
	}
	return err
}

// reportGrown prints the ratios and adds them to the figures.
func (b *bench) reportGrown(table *tabwriter.Writer, f *figures) {
	fmt.Fprintf(table, "\t\t\t\t\t\t\t\t\n\twithout statistics /s\twith /s\tratio\ttarget\t\t\t\t\n")
	for _, read := range grownReads(tenant{clients: grownClients}, nil) {
		without, with := b.median(grownName+": "+read.name), b.median(analyzedName+": "+read.name)
		f.Ratios["no_statistics, "+read.name] = without / with
		fmt.Fprintf(table, "%s of %d\t%.0f\t%.0f\t%.3f\t%s\t\t\t\t\n", read.name, grownClients, without, with, without/with, grownTarget)
	}
}
