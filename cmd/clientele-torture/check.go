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

// verdict is the result of a check: the acknowledged changes, and what became of them.
type verdict struct {
	Acknowledged int `json:"acknowledged"`
	Found        int `json:"found"`
	Lost         int `json:"lost"`    // acknowledged, but missing in the log or in the feed
	Doubled      int `json:"doubled"` // in the log or in the feed more than once
	Wrong        int `json:"wrong"`   // every other fault
	Kills        int `json:"kills"`
	// OutageMS is the longest time without an acknowledgement, in milliseconds.
	OutageMS int64 `json:"longest_outage_ms"`

	notes []string
}

// wrong records a fault.
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

// clientRevision identifies a revision of a client.
type clientRevision struct {
	clientID string
	revision int64
}

// check compares the ledger with the registry: with the log of every client, the client
// itself, and the feed from its beginning.
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
	found := map[string]clientRevision{}
	count := map[string]int{}
	for revision, mark := range marks {
		count[mark]++
		found[mark] = revision
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
		case found[e.mark] != clientRevision{e.clientID, e.revision}:
			v.wrong("%s was acknowledged as revision %d of %s, but is %v", e.mark, e.revision, e.clientID, found[e.mark])
		default:
			v.Found++
		}
	}
	for mark, n := range count {
		switch {
		case strings.HasPrefix(mark, endMark): // of an earlier check
		case !known[mark] && !l.unknown[mark]:
			v.wrong("%s was made, but it was rejected or never requested", mark)
		case n > 1 && !known[mark]:
			v.Doubled++
			v.notes = append(v.notes, "doubled: "+mark)
		}
	}
	for _, text := range l.unexpected {
		v.wrong("%s", text)
	}
	reader.compare(marks, v)
	if err := compareClients(ctx, registry, marks, v); err != nil {
		return err
	}
	return compareTotals(ctx, registry, v)
}

// endMark is the prefix of the marks of changes that checks make to find the end of the feed.
const endMark = "end-"

// feedTimeout bounds how long a transaction that was running when the load ended may
// delay the feed.
const feedTimeout = 30 * time.Second

// readFeed reads the feed from its beginning and returns the mark of each revision of
// each client. It checks that the revisions of a client are in order, each exactly once.
// The feed returns an acknowledged change only when no older transaction is running. So
// readFeed makes a change and reads until that change; the result does not include it.
func readFeed(ctx context.Context, registry *client.ClientWithResponses, v *verdict) (map[clientRevision]string, error) {
	end := endMark + rand.Text()
	_, err := registry.CreateClientWithResponse(ctx, nil, client.CreateClientRequest{
		Name: new("The end"), Website: new(markURL(end)), RedirectUris: &[]string{"https://app.example.com/callback"},
	})
	if err != nil {
		return nil, fmt.Errorf("make a change to find the end of the feed: %w", err)
	}
	marks := map[clientRevision]string{}
	last := map[string]int64{}
	params := &client.ListChangesParams{Limit: new(int32(500)), WaitSeconds: new(int32(1))}
	for began := time.Now(); ; {
		page, err := registry.ListChangesWithResponse(ctx, params)
		if err != nil {
			return nil, fmt.Errorf("read the feed: %w", err)
		}
		for _, change := range *page.JSON200.Data.Changes {
			id, revision := *change.ClientID, *change.Revision
			if revision != last[id]+1 {
				v.wrong("in the feed, revision %d of %s is followed by %d", last[id], id, revision)
			}
			last[id] = revision
			mark := strings.TrimPrefix(*change.Client.Website, markURL(""))
			if action := *change.Action; action == "delete" || action == "restore" { // they have no mark
				mark = actionMark(action, id, revision)
			}
			if mark == end {
				return marks, nil
			}
			marks[clientRevision{id, revision}] = mark
		}
		if len(*page.JSON200.Data.Changes) == 0 && time.Since(began) > feedTimeout {
			v.wrong("the feed did not reach its end in %s", feedTimeout)
			return marks, nil
		}
		params.After = page.JSON200.Data.Next
	}
}

// compareClients compares the log and the state of each client with the feed.
func compareClients(ctx context.Context, registry *client.ClientWithResponses, marks map[clientRevision]string, v *verdict) error {
	newest := map[string]int64{}
	for r := range marks {
		newest[r.clientID] = max(newest[r.clientID], r.revision)
	}
	for id, revision := range newest {
		found, err := registry.GetClientWithResponse(ctx, id, nil)
		if isMarkOf("delete", marks[clientRevision{id, revision}]) {
			if problem, ok := errors.AsType[*client.ProblemError](err); !ok || problem.Status != http.StatusNotFound {
				v.wrong("%s is deleted, but reading it returns %v", id, err)
			}
			continue
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", id, err)
		}
		if tag := strconv.Quote(strconv.FormatInt(revision, 10)); found.HTTPResponse.Header.Get("ETag") != tag {
			v.wrong("%s has ETag %s, but its log ends at %s", id, found.HTTPResponse.Header.Get("ETag"), tag)
		}
		if mark := marks[clientRevision{id, revision}]; !isMarkOf("restore", mark) && *found.JSON200.Data.Website != markURL(mark) {
			v.wrong("%s has the website %s, but its log ends with %s", id, *found.JSON200.Data.Website, mark)
		}
		if !strings.HasPrefix(id, "shared-") {
			continue // only shared clients have many revisions
		}
		seen := revision + 1
		for before := (*int64)(nil); ; {
			log, err := registry.ListRevisionsWithResponse(ctx, id, &client.ListRevisionsParams{Before: before, Limit: new(int32(100))})
			if err != nil {
				return fmt.Errorf("read the log of %s: %w", id, err)
			}
			for _, r := range *log.JSON200.Data.Revisions {
				if seen--; *r.Number != seen {
					v.wrong("the log of %s has revision %d instead of %d", id, *r.Number, seen)
				}
			}
			if before = log.JSON200.Data.NextBefore; before == nil {
				break
			}
		}
		if seen != 1 {
			v.wrong("the log of %s begins with revision %d", id, seen)
		}
	}
	return nil
}
