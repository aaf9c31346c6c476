package main

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// readerFlags limit the readers of the change feed, in addition to --max-following.
type readerFlags struct {
	MaxFollowingPerCaller int `default:"64" env:"CLIENTELE_MAX_FOLLOWING_PER_CALLER" placeholder:"N" help:"Maximum requests of one caller that wait for changes at the same time; more get 429 (${default})."`
	MaxFollowingPerTenant int `default:"256" env:"CLIENTELE_MAX_FOLLOWING_PER_TENANT" placeholder:"N" help:"Maximum requests of one tenant that wait for changes at the same time; more get 429 (${default})."`
}

// How often the age of held-back changes is read from the store, and the timeout for
// that. /readyz needs no token, so its requests must not cause more load than this.
const (
	feedNoteEvery   = 5 * time.Second
	feedNoteTimeout = 2 * time.Second
)

// feedNote returns a function that returns the note of /readyz about a change feed that
// is held back, or "". If lag is nil, the feed is never held back. Errors of the store
// are ignored; other checks of /readyz report them.
func feedNote(lag func(context.Context) (time.Duration, error)) func(context.Context) string {
	if lag == nil {
		return func(context.Context) string { return "" }
	}
	var (
		mu   sync.Mutex
		read time.Time
		note string
	)
	return func(ctx context.Context) string {
		mu.Lock()
		defer mu.Unlock()
		if time.Since(read) < feedNoteEvery {
			return note
		}
		ctx, cancel := context.WithTimeout(ctx, feedNoteTimeout)
		defer cancel()
		age, err := lag(ctx)
		read, note = time.Now(), ""
		if seconds := int(age.Seconds()); err == nil && seconds > 0 {
			note = fmt.Sprintf("held back for %d s by a transaction that is open in the database server", seconds)
		}
		return note
	}
}
