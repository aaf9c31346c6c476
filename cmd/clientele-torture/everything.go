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

// How many tenants there are whose callers change everything at once, besides the one
// of the load, and how many callers each has: enough for several changes of each kind,
// of several tenants, in a batch.
const (
	busyTenants = 3
	changers    = 8
)

// changeEverything makes changes of all kinds for a while, each caller with clients of
// its own. They have nothing to do with each other, so none may fail because of
// another: not even with a 503.
func changeEverything(ctx context.Context, w *world) error {
	if w.database != nil {
		if err := dawdle(ctx, w.database.URL("clientele")); err != nil {
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
			return fmt.Errorf("a token of another tenant: %w", err)
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
		for caller := range changers {
			group.Go(func() {
				for n := 0; n == 0 || limited.Err() == nil; n++ {
					l.live(ctx, fmt.Sprintf("live-%d-%d", caller, n))
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
		w.verdict.wrong("%d changes were rejected with 503, and nothing was out of order", unavailable)
	}
	return ctx.Err()
}

// dawdle lets each transaction wait for up to 5 ms before it updates clients, which is
// after it registered others, so that more of them are under way at once.
func dawdle(ctx context.Context, url string) error {
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

// live takes a client through all that can be done to it, until something fails.
func (l *load) live(ctx context.Context, id string) {
	path := "/admin/oauth/clients/" + id
	revision := int64(0)
	step := func(method, path, mark string, body map[string]any) bool {
		status, became, err := l.send(ctx, method, path, mark, body, nil)
		revision++
		if err != nil || status >= http.StatusBadRequest {
			return false
		}
		if status != http.StatusNoContent && became != revision {
			mark = fmt.Sprintf("%s as revision %d", mark, became) // it is not found, and so reported
		}
		l.ledger.acknowledged(entry{id, revision, mark})
		return true
	}
	register := func() bool {
		mark := "m-" + id
		return step(http.MethodPost, "/admin/oauth/clients", mark, map[string]any{ // without an Idempotency-Key it may share a transaction
			"client_id": id, "name": "Torture", "website": markURL(mark), "redirect_uris": []string{"https://app.example.com/callback"},
		})
	}
	set := func(status string) bool {
		mark := fmt.Sprintf("m-%s-%d", id, revision+1)
		return step(http.MethodPut, path, mark, map[string]any{"status": status, "website": markURL(mark)})
	}
	remove := func() bool { return step(http.MethodDelete, path, actionMark("delete", id, revision+1), nil) }
	restore := func() bool {
		return step(http.MethodPost, path+"/restore", actionMark("restore", id, revision+1), nil)
	}
	if register() && set("suspended") && set("active") && remove() && restore() && set("suspended") && remove() && restore() && !strings.HasSuffix(id, "0") {
		remove() // nine of ten
	}
}

// actionMark is the mark of a change that brings none, since it leaves the
// configuration as it is.
func actionMark(action, id string, revision int64) string {
	return action + " of " + id + " as revision " + strconv.FormatInt(revision, 10)
}

func isMarkOf(action, mark string) bool { return strings.HasPrefix(mark, action+" of ") }

// compareTotals holds the totals that lists report against the clients that they list.
func compareTotals(ctx context.Context, registry *client.ClientWithResponses, v *verdict) error {
	for _, status := range []string{"", "active", "suspended"} {
		params := &client.ListClientsParams{}
		if status != "" {
			params.Status = new(client.ListClientsParamsStatus(status))
		}
		first, err := registry.ListClientsWithResponse(ctx, params)
		if err != nil {
			return fmt.Errorf("the total: %w", err)
		}
		total := *first.JSON200.Total
		listed := int64(0)
		params.Limit = new(int32(500))
		for {
			page, err := registry.ListClientsWithResponse(ctx, params)
			if err != nil {
				return fmt.Errorf("the list: %w", err)
			}
			listed += int64(len(*page.JSON200.Items))
			if page.JSON200.Next == nil || *page.JSON200.Next == "" {
				break
			}
			params.After = page.JSON200.Next
		}
		if total != listed {
			v.wrong("the total of status %q is %d, and %d are listed", status, total, listed)
		}
	}
	return nil
}
