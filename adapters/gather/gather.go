// Package gather lets callers who want the same kind of thing at the same time
// share one trip to the database for it. Nobody waits for company: who comes
// while too many trips are under way goes with the next one, and so does
// everybody else who has come by then.
package gather

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
)

// errLost is what callers are told whose trip came back without a result for them.
var errLost = errors.New("gather: the trip ended without a result")

// Result is what a trip brings back for one question.
type Result[A any] struct {
	Answer A
	Err    error
}

// Trips answers questions, several at a time.
type Trips[Q, A any] struct {
	take    func(ctx context.Context, questions []Q) []Result[A]
	atOnce  int
	seats   int
	mu      sync.Mutex
	away    int
	waiting []*caller[Q, A]
}

type caller[Q, A any] struct {
	//nolint:containedctx // it tells how long this caller waits
	ctx      context.Context
	question Q
	result   Result[A]
	back     chan struct{}
	trip     *trip // guarded by Trips.mu; nil until the caller is on one
}

// trip counts the callers that still wait for a trip. Both fields are guarded by
// Trips.mu, except that cancel may be called at any time.
type trip struct {
	callers int
	cancel  context.CancelFunc
}

// New returns trips of which so many are under way at once, each with at most so
// many questions. take makes one: it answers the questions in their order. Its
// context ends when the last of the callers stops waiting; that of a single
// caller is the caller's own.
func New[Q, A any](atOnce, seats int, take func(ctx context.Context, questions []Q) []Result[A]) *Trips[Q, A] {
	return &Trips[Q, A]{take: take, atOnce: atOnce, seats: seats}
}

// Ask returns the answer to the question, which was asked after Ask was called;
// or the context's error, where that ends before. What a caller asked for may have
// been done all the same if its context ended during the trip.
func (t *Trips[Q, A]) Ask(ctx context.Context, question Q) (A, error) {
	c := &caller[Q, A]{ctx: ctx, question: question, result: Result[A]{Err: errLost}, back: make(chan struct{})}
	t.mu.Lock()
	t.waiting = append(t.waiting, c)
	leads := t.away < t.atOnce
	if leads {
		t.away++
	}
	t.mu.Unlock()
	if leads {
		// Not on this goroutine: a trip may outlast the caller that began it.
		go t.travel() //nolint:contextcheck // it goes with the contexts of all who come along
	}
	select {
	case <-c.back:
		return c.result.Answer, c.result.Err
	case <-ctx.Done():
		t.leave(c)
	}
	select {
	case <-c.back: // it came back at the same moment
		return c.result.Answer, c.result.Err
	default:
		var none A
		return none, ctx.Err()
	}
}

// leave removes a caller whose context has ended from its trip, which ends with
// its last caller. Without a trip there is nothing to do: gather skips the caller.
func (t *Trips[Q, A]) leave(c *caller[Q, A]) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if c.trip == nil {
		return
	}
	if c.trip.callers--; c.trip.callers == 0 {
		c.trip.cancel()
	}
}

// travel makes one trip and sees that who has come meanwhile gets the next.
func (t *Trips[Q, A]) travel() {
	runtime.Gosched() // whose request has arrived already comes along
	ctx, party := t.gather()
	defer func() {
		cause := recover() // it would end the process, since nobody's request is behind this goroutine
		for _, c := range party {
			if cause != nil {
				c.result.Err = fmt.Errorf("gather: panic: %v\n%s", cause, debug.Stack())
			}
			close(c.back)
		}
		t.mu.Lock()
		defer t.mu.Unlock()
		if len(party) > 0 {
			party[0].trip.cancel()
		}
		if len(t.waiting) == 0 {
			t.away--
			return
		}
		go t.travel()
	}()
	if len(party) == 0 {
		return
	}
	questions := make([]Q, len(party))
	for i, c := range party {
		questions[i] = c.question
	}
	for i, result := range t.take(ctx, questions) {
		party[i].result = result
	}
}

// gather takes the callers that still wait from the queue, as many as there are seats, and
// returns the context of their trip.
func (t *Trips[Q, A]) gather() (ctx context.Context, party []*caller[Q, A]) {
	t.mu.Lock()
	defer t.mu.Unlock()
	rest := t.waiting
	for len(rest) > 0 && len(party) < t.seats {
		if rest[0].ctx.Err() == nil {
			party = append(party, rest[0])
		}
		rest = rest[1:]
	}
	t.waiting = append(t.waiting[:0:0], rest...)
	if len(party) == 0 {
		return nil, nil
	}
	shared := &trip{callers: len(party)}
	if len(party) == 1 {
		ctx, shared.cancel = party[0].ctx, func() {}
	} else {
		ctx, shared.cancel = context.WithCancel(context.WithoutCancel(party[0].ctx))
	}
	for _, c := range party {
		c.trip = shared
	}
	return ctx, party
}
