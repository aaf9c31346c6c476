package main

import (
	"context"
	"sync"
	"time"

	"github.com/clientele-oauth/clientele/api/client"
)

// follower reads the change feed during the scenario. After an interruption it continues
// from its last position.
type follower struct {
	seen  map[clientRevision]int
	group sync.WaitGroup
	stop  context.CancelFunc
}

func follow(ctx context.Context, url, token string) (*follower, error) {
	registry, err := client.Connect(url, client.Settings{Token: client.StaticToken(token), Attempts: 1})
	if err != nil {
		return nil, err
	}
	f := &follower{seen: map[clientRevision]int{}}
	ctx, f.stop = context.WithCancel(ctx)
	f.group.Go(func() {
		params := &client.ListChangesParams{Limit: new(int32(50)), WaitSeconds: new(int32(1))}
		for ctx.Err() == nil {
			page, err := registry.ListChangesWithResponse(ctx, params)
			if err != nil {
				pause(ctx, 10*time.Millisecond)
				continue
			}
			for _, change := range *page.JSON200.Data.Changes {
				f.seen[clientRevision{*change.ClientID, *change.Revision}]++
			}
			params.After = page.JSON200.Data.Next
		}
	})
	return f, nil
}

// compare compares the revisions that the follower has read with the whole feed: it read
// each revision once, none that is not in the feed, and skipped none before the last one
// that it read of the client.
func (f *follower) compare(marks map[clientRevision]string, v *verdict) {
	newest := map[string]int64{}
	for r, times := range f.seen {
		newest[r.clientID] = max(newest[r.clientID], r.revision)
		if times > 1 {
			v.Doubled++
			v.notes = append(v.notes, "a reader received a change twice")
		}
		if _, exists := marks[r]; !exists {
			v.wrong("a reader received revision %d of %s, which is not in the log", r.revision, r.clientID)
		}
	}
	for id, last := range newest {
		for n := int64(1); n <= last; n++ {
			if f.seen[clientRevision{id, n}] == 0 {
				v.Lost++
				v.notes = append(v.notes, "a reader did not receive a change")
			}
		}
	}
}
