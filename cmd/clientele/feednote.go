package main

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// readerFlags bound the readers of the change feed, beside --max-following.
type readerFlags struct {
	MaxFollowingPerCaller int `default:"64" env:"CLIENTELE_MAX_FOLLOWING_PER_CALLER" placeholder:"N" help:"Maximum requests of one caller that wait for changes at the same time; more get 429 (${default})."`
	MaxFollowingPerTenant int `default:"256" env:"CLIENTELE_MAX_FOLLOWING_PER_TENANT" placeholder:"N" help:"Maximum requests of one tenant that wait for changes at the same time; more get 429 (${default})."`
}

// How often the age of held-back changes is read from the store, and how long that
// may take. /readyz needs no token, so that its requests must not cost more.
const (
	feedNoteEvery   = 5 * time.Second
	feedNoteTimeout = 2 * time.Second
)

// feedNote returns the note of /readyz about a change feed that is held back; a lag
// of nil never is. An error of the store is none of its subjects.
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
