package main

import (
	"context"
	"sync"
	"time"

	"github.com/clientele-oauth/clientele/api/client"
)

// follower reads the change feed all the while, from where it was each time that
// it was interrupted.
type follower struct {
	seen  map[place]int
	group sync.WaitGroup
	stop  context.CancelFunc
}

func follow(ctx context.Context, url, token string) (*follower, error) {
	registry, err := client.Connect(url, client.Settings{Token: client.StaticToken(token), Attempts: 1})
	if err != nil {
		return nil, err
	}
	f := &follower{seen: map[place]int{}}
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
				f.seen[place{*change.ClientID, *change.Revision}]++
			}
			params.After = page.JSON200.Data.Next
		}
	})
	return f, nil
}

// end stops and holds what was read against the whole feed: each revision once,
// none that is not there, and none left out before the last one of its client.
func (f *follower) end(marks map[place]string, v *verdict) {
	newest := map[string]int64{}
	for where, times := range f.seen {
		newest[where.clientID] = max(newest[where.clientID], where.revision)
		if times > 1 {
			v.Doubled++
			v.notes = append(v.notes, "a reader got a change twice")
		}
		if _, there := marks[where]; !there {
			v.wrong("a reader got revision %d of %s, which is not in the log", where.revision, where.clientID)
		}
	}
	for id, last := range newest {
		for n := int64(1); n <= last; n++ {
			if f.seen[place{id, n}] == 0 {
				v.Lost++
				v.notes = append(v.notes, "a reader was not given a change")
			}
		}
	}
}
