package main

import (
	"context"
	"fmt"
	"net/http"
	"os/exec"
	"strconv"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"

	"github.com/clientele-oauth/clientele/api/client"
)

// The number of tenants with callers that change everything concurrently, in addition to
// the tenant of the load, and the number of callers of each. They are enough for a batch
// with several changes of each kind, of several tenants.
const (
	busyTenants      = 3
	callersPerTenant = 8
)

// changeEverything makes changes of all kinds, each caller to its own clients. The
// changes are independent, so none may fail because of another, not even with a 503.
func changeEverything(ctx context.Context, w *world) error {
	if w.database != nil {
		if err := delayUpdates(ctx, w.database.URL("clientele")); err != nil {
			return err
		}
	}
	limited, cancel := context.WithTimeout(ctx, w.fault)
	defer cancel()
	loads := []*load{w.load}
	readers := []*follower{w.reader}
	for i := range busyTenants {
		token, err := exec.CommandContext(ctx, w.binary, "token", "--data", w.dir, "--tenant", fmt.Sprintf("tenant_%d", i)).Output()
		if err != nil {
			return fmt.Errorf("create a token of another tenant: %w", err)
		}
		l := newLoad(w.load.url, strings.TrimSpace(string(token)), w.load.seed, newLedger())
		reader, err := follow(ctx, l.url, l.token)
		if err != nil {
			return err
		}
		loads, readers = append(loads, l), append(readers, reader)
	}
	var group sync.WaitGroup
	for _, l := range loads[1:] {
		for caller := range callersPerTenant {
			group.Go(func() {
				for n := 0; n == 0 || limited.Err() == nil; n++ {
					l.runLifecycle(ctx, fmt.Sprintf("live-%d-%d", caller, n))
				}
			})
		}
	}
	group.Wait()
	unavailable := 0
	for i, l := range loads {
		l.ledger.mu.Lock()
		unavailable += l.ledger.statuses[http.StatusServiceUnavailable]
		l.ledger.mu.Unlock()
		if i == 0 {
			continue // checked at the end of the scenario
		}
		l.http.CloseIdleConnections()
		readers[i].stop()
		readers[i].group.Wait()
		if err := check(ctx, l.url, l.token, l.ledger, readers[i], &w.verdict); err != nil {
			return err
		}
	}
	if unavailable > 0 {
		w.verdict.wrong("%d changes were rejected with 503, but there was no fault", unavailable)
	}
	return ctx.Err()
}

// delayUpdates makes each transaction wait for up to 5 ms before it updates clients, which
// is after it registered others, so that more transactions run concurrently.
func delayUpdates(ctx context.Context, url string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	_, err = conn.Exec(ctx, `
		CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(random() * 0.005); RETURN NULL; END $$;
		CREATE TRIGGER dawdle BEFORE UPDATE ON clients FOR EACH STATEMENT EXECUTE FUNCTION dawdle()`)
	return err
}

// runLifecycle makes every kind of change to a client, until one fails.
func (l *load) runLifecycle(ctx context.Context, id string) {
	path := "/admin/oauth/clients/" + id
	revision := int64(0)
	step := func(method, path, mark string, body map[string]any) bool {
		status, actual, err := l.send(ctx, method, path, mark, body, nil)
		revision++
		if err != nil || status >= http.StatusBadRequest {
			return false
		}
		if status != http.StatusNoContent && actual != revision {
			mark = fmt.Sprintf("%s as revision %d", mark, actual) // the check finds no such mark and reports it
		}
		l.ledger.acknowledged(entry{id, revision, mark})
		return true
	}
	register := func() bool {
		mark := "m-" + id
		return step(http.MethodPost, "/admin/oauth/clients", mark, map[string]any{ // without an Idempotency-Key, so that it may share a transaction
			"client_id": id, "name": "Torture", "website": markURL(mark), "redirect_uris": []string{"https://app.example.com/callback"},
		})
	}
	setStatus := func(status string) bool {
		mark := fmt.Sprintf("m-%s-%d", id, revision+1)
		return step(http.MethodPut, path, mark, map[string]any{"status": status, "website": markURL(mark)})
	}
	remove := func() bool { return step(http.MethodDelete, path, actionMark("delete", id, revision+1), nil) }
	restore := func() bool {
		return step(http.MethodPost, path+"/restore", actionMark("restore", id, revision+1), nil)
	}
	if register() && setStatus("suspended") && setStatus("active") && remove() && restore() && setStatus("suspended") && remove() && restore() && !strings.HasSuffix(id, "0") {
		remove() // nine of ten clients stay deleted
	}
}

// actionMark returns the mark of a change that does not change the configuration and
// so cannot carry one.
func actionMark(action, id string, revision int64) string {
	return action + " of " + id + " as revision " + strconv.FormatInt(revision, 10)
}

func isMarkOf(action, mark string) bool { return strings.HasPrefix(mark, action+" of ") }

// compareTotals compares the totals that lists report with the number of listed clients.
func compareTotals(ctx context.Context, registry *client.ClientWithResponses, v *verdict) error {
	for _, status := range []string{"", "active", "suspended"} {
		params := &client.ListClientsParams{}
		if status != "" {
			params.Status = new(client.ListClientsParamsStatus(status))
		}
		first, err := registry.ListClientsWithResponse(ctx, params)
		if err != nil {
			return fmt.Errorf("read the total: %w", err)
		}
		total := *first.JSON200.Total
		listed := int64(0)
		params.Limit = new(int32(500))
		for {
			page, err := registry.ListClientsWithResponse(ctx, params)
			if err != nil {
				return fmt.Errorf("read the list: %w", err)
			}
			listed += int64(len(*page.JSON200.Items))
			if page.JSON200.Next == nil || *page.JSON200.Next == "" {
				break
			}
			params.After = page.JSON200.Next
		}
		if total != listed {
			v.wrong("the total for status %q is %d, but %d clients are listed", status, total, listed)
		}
	}
	return nil
}
