// Package batch combines calls that are made at the same time into one call, so
// that concurrent requests share one round trip to the database.
//
// A call never waits for others to join it. While maxInFlight batches are
// running, further calls queue up, and the next batch takes all of them, up to
// maxBatch. Without concurrency each call is a batch of one.
//
//	finds := batch.New(2, 64, findAll) // findAll reads a slice of keys in one statement
//	row, err := finds.Do(ctx, key)
package batch

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
)

// errNoResult is the error of a call for which the function returned no result.
var errNoResult = errors.New("batch: no result for this call")

// Result is the outcome of one call of a batch.
type Result[Out any] struct {
	Value Out
	Err   error
}

// Group runs calls in batches. It is safe for concurrent use.
type Group[In, Out any] struct {
	fn          func(ctx context.Context, inputs []In) []Result[Out]
	maxInFlight int
	maxBatch    int
	mu          sync.Mutex
	inFlight    int
	waiting     []*call[In, Out]
}

// call is one call of [Group.Do].
type call[In, Out any] struct {
	//nolint:containedctx // the batch needs to know whether the caller still waits
	ctx    context.Context
	input  In
	result Result[Out]
	done   chan struct{} // closed when result is final
	batch  *batch        // guarded by Group.mu; nil until the call is part of a batch
}

// batch counts the callers that still wait for a batch. Both fields are guarded by
// Group.mu, except that cancel may be called at any time.
type batch struct {
	callers int
	cancel  context.CancelFunc
}

// New returns a group that runs at most maxInFlight batches at once, each of at
// most maxBatch calls. fn runs one batch and returns the results in the order of
// the inputs. A batch of one call runs with the context of its caller. The
// context of a larger batch has the values of one of its callers, has no
// deadline, and is canceled when no caller waits any more.
func New[In, Out any](
	maxInFlight, maxBatch int, fn func(ctx context.Context, inputs []In) []Result[Out],
) *Group[In, Out] {
	return &Group[In, Out]{fn: fn, maxInFlight: maxInFlight, maxBatch: maxBatch}
}

// Do returns the result for the input. The batch always starts after Do was
// called, so a read sees everything that was committed before. If the context
// ends first, Do returns the context's error; the batch may have run all the
// same.
func (g *Group[In, Out]) Do(ctx context.Context, input In) (Out, error) {
	c := &call[In, Out]{ctx: ctx, input: input, result: Result[Out]{Err: errNoResult}, done: make(chan struct{})}
	g.mu.Lock()
	g.waiting = append(g.waiting, c)
	starts := g.inFlight < g.maxInFlight
	if starts {
		g.inFlight++
	}
	g.mu.Unlock()
	if starts {
		// On a goroutine of its own: a batch may run longer than the caller that started it waits.
		go g.run() //nolint:contextcheck // it uses the contexts of all its callers
	}
	select {
	case <-c.done:
		return c.result.Value, c.result.Err
	case <-ctx.Done():
		g.leave(c)
	}
	select {
	case <-c.done: // finished at the same moment
		return c.result.Value, c.result.Err
	default:
		var none Out
		return none, ctx.Err()
	}
}

// leave removes a caller whose context has ended from its batch, and cancels the
// batch if it was the last one. A call that still waits needs no removal:
// nextBatch skips it.
func (g *Group[In, Out]) leave(c *call[In, Out]) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if c.batch == nil {
		return
	}
	if c.batch.callers--; c.batch.callers == 0 {
		c.batch.cancel()
	}
}

// run runs one batch, and starts the next one if calls wait by then.
func (g *Group[In, Out]) run() {
	runtime.Gosched() // lets calls join whose requests have already been received
	ctx, calls := g.nextBatch()
	defer func() {
		cause := recover() // this goroutine serves no request that could recover, so a panic would end the process
		for _, c := range calls {
			if cause != nil {
				c.result.Err = fmt.Errorf("batch: panic: %v\n%s", cause, debug.Stack())
			}
			close(c.done)
		}
		g.mu.Lock()
		defer g.mu.Unlock()
		if len(calls) > 0 {
			calls[0].batch.cancel()
		}
		if len(g.waiting) == 0 {
			g.inFlight--
			return
		}
		go g.run()
	}()
	if len(calls) == 0 {
		return
	}
	inputs := make([]In, len(calls))
	for i, c := range calls {
		inputs[i] = c.input
	}
	for i, result := range g.fn(ctx, inputs) {
		calls[i].result = result
	}
}

// nextBatch takes up to maxBatch calls from the queue, and returns them with the
// context of their batch. It drops calls whose context has ended.
func (g *Group[In, Out]) nextBatch() (ctx context.Context, calls []*call[In, Out]) {
	g.mu.Lock()
	defer g.mu.Unlock()
	rest := g.waiting
	for len(rest) > 0 && len(calls) < g.maxBatch {
		if rest[0].ctx.Err() == nil {
			calls = append(calls, rest[0])
		}
		rest = rest[1:]
	}
	g.waiting = append(g.waiting[:0:0], rest...)
	if len(calls) == 0 {
		return nil, nil
	}
	ctx, cancel := sharedContext(calls)
	shared := &batch{callers: len(calls), cancel: cancel}
	for _, c := range calls {
		c.batch = shared
	}
	return ctx, calls
}

// sharedContext returns the context of a batch and the function that cancels it.
func sharedContext[In, Out any](calls []*call[In, Out]) (context.Context, context.CancelFunc) {
	if len(calls) == 1 {
		return calls[0].ctx, func() {}
	}
	return context.WithCancel(context.WithoutCancel(calls[0].ctx))
}
