package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/clientele-oauth/clientele/api/client"
)

// verdict is what became of what was acknowledged.
type verdict struct {
	Acknowledged int `json:"acknowledged"`
	Found        int `json:"found"`
	Lost         int `json:"lost"`    // acknowledged, and not in the log or not in the feed
	Doubled      int `json:"doubled"` // in the log or the feed more than once
	Wrong        int `json:"wrong"`   // anything else that must not be
	Kills        int `json:"kills"`
	// OutageMS is the longest time without an acknowledgement, in milliseconds.
	OutageMS int64 `json:"longest_outage_ms"`

	notes []string
}

// wrong notes something that must not be.
func (v *verdict) wrong(format string, args ...any) {
	v.Wrong++
	v.notes = append(v.notes, fmt.Sprintf(format, args...))
}

func (v *verdict) add(other verdict) {
	v.Acknowledged += other.Acknowledged
	v.Found += other.Found
	v.Lost += other.Lost
	v.Doubled += other.Doubled
	v.Wrong += other.Wrong
	v.Kills += other.Kills
	v.OutageMS = max(v.OutageMS, other.OutageMS)
}

// place is a revision of a client.
type place struct {
	clientID string
	revision int64
}

// check compares the ledger with what the registry has: the log of every client,
// the client itself, and the feed from its beginning.
func check(ctx context.Context, url, token string, l *ledger, reader *follower, v *verdict) error {
	registry, err := client.Connect(url, client.Settings{Token: client.StaticToken(token), LongestPause: time.Second, Attempts: 20})
	if err != nil {
		return err
	}
	marks, err := readFeed(ctx, registry, v)
	if err != nil {
		return err
	}
	v.Acknowledged += len(l.entries)
	v.OutageMS = max(v.OutageMS, l.outage.Milliseconds())
	known := map[string]bool{}
	at := map[string]place{}
	count := map[string]int{}
	for where, mark := range marks {
		count[mark]++
		at[mark] = where
	}
	for _, e := range l.entries {
		known[e.mark] = true
		switch {
		case count[e.mark] == 0:
			v.Lost++
			v.notes = append(v.notes, fmt.Sprintf("lost: %s revision %d", e.clientID, e.revision))
		case count[e.mark] > 1:
			v.Doubled++
			v.notes = append(v.notes, "doubled: "+e.mark)
		case at[e.mark] != place{e.clientID, e.revision}:
			v.wrong("%s was acknowledged as revision %d of %s and is %v", e.mark, e.revision, e.clientID, at[e.mark])
		default:
			v.Found++
		}
	}
	for mark, n := range count {
		switch {
		case strings.HasPrefix(mark, endMark): // of a check before
		case !known[mark] && !l.unknown[mark]:
			v.wrong("%s was done, and refused or never asked for", mark)
		case n > 1 && !known[mark]:
			v.Doubled++
			v.notes = append(v.notes, "doubled: "+mark)
		}
	}
	for _, odd := range l.odd {
		v.wrong("%s", odd)
	}
	reader.end(marks, v)
	if err := compareClients(ctx, registry, marks, v); err != nil {
		return err
	}
	return compareTotals(ctx, registry, v)
}

// endMark begins the marks of the changes by which checks know where the feed ends.
const endMark = "end-"

// feedPatience is for how long a transaction may hold the feed back that was under
// way when the load ended.
const feedPatience = 30 * time.Second

// readFeed reads the feed from its beginning: the mark that each revision of each
// client brought. Revisions of a client are in order, each there once. What was
// acknowledged is given to readers once no older transaction is running, so the
// end is a change that is made now, which itself is left out.
func readFeed(ctx context.Context, registry *client.ClientWithResponses, v *verdict) (map[place]string, error) {
	end := endMark + rand.Text()
	_, err := registry.CreateClientWithResponse(ctx, nil, client.CreateClientRequest{
		Name: new("The end"), Website: new(markURL(end)), RedirectUris: &[]string{"https://app.example.com/callback"},
	})
	if err != nil {
		return nil, fmt.Errorf("the end of the feed: %w", err)
	}
	marks := map[place]string{}
	last := map[string]int64{}
	params := &client.ListChangesParams{Limit: new(int32(500)), WaitSeconds: new(int32(1))}
	for began := time.Now(); ; {
		page, err := registry.ListChangesWithResponse(ctx, params)
		if err != nil {
			return nil, fmt.Errorf("the feed: %w", err)
		}
		for _, change := range *page.JSON200.Data.Changes {
			id, revision := *change.ClientID, *change.Revision
			if revision != last[id]+1 {
				v.wrong("the feed goes from revision %d of %s to %d", last[id], id, revision)
			}
			last[id] = revision
			mark := strings.TrimPrefix(*change.Client.Website, markURL(""))
			if action := *change.Action; action == "delete" || action == "restore" { // they bring no mark
				mark = actionMark(action, id, revision)
			}
			if mark == end {
				return marks, nil
			}
			marks[place{id, revision}] = mark
		}
		if len(*page.JSON200.Data.Changes) == 0 && time.Since(began) > feedPatience {
			v.wrong("the feed does not come to its end")
			return marks, nil
		}
		params.After = page.JSON200.Data.Next
	}
}

// compareClients holds the log and the state of each client against the feed.
func compareClients(ctx context.Context, registry *client.ClientWithResponses, marks map[place]string, v *verdict) error {
	newest := map[string]int64{}
	for where := range marks {
		newest[where.clientID] = max(newest[where.clientID], where.revision)
	}
	for id, revision := range newest {
		found, err := registry.GetClientWithResponse(ctx, id, nil)
		if isMarkOf("delete", marks[place{id, revision}]) {
			if problem, ok := errors.AsType[*client.ProblemError](err); !ok || problem.Status != http.StatusNotFound {
				v.wrong("%s is deleted, and reading it gives %v", id, err)
			}
			continue
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", id, err)
		}
		if tag := strconv.Quote(strconv.FormatInt(revision, 10)); found.HTTPResponse.Header.Get("ETag") != tag {
			v.wrong("%s is at %s and its log at %s", id, found.HTTPResponse.Header.Get("ETag"), tag)
		}
		if mark := marks[place{id, revision}]; !isMarkOf("restore", mark) && *found.JSON200.Data.Website != markURL(mark) {
			v.wrong("%s has %s and its log ends with %s", id, *found.JSON200.Data.Website, mark)
		}
		if !strings.HasPrefix(id, "shared-") {
			continue // one revision
		}
		seen := revision + 1
		for before := (*int64)(nil); ; {
			log, err := registry.ListRevisionsWithResponse(ctx, id, &client.ListRevisionsParams{Before: before, Limit: new(int32(100))})
			if err != nil {
				return fmt.Errorf("the log of %s: %w", id, err)
			}
			for _, r := range *log.JSON200.Data.Revisions {
				if seen--; *r.Number != seen {
					v.wrong("the log of %s has %d where %d belongs", id, *r.Number, seen)
				}
			}
			if before = log.JSON200.Data.NextBefore; before == nil {
				break
			}
		}
		if seen != 1 {
			v.wrong("the log of %s begins with %d", id, seen)
		}
	}
	return nil
}
