package push

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// outageAfter is how many attempts fail in a row until the server counts as unavailable.
// Then one client is tried at a time, and when it succeeds all others are.
const outageAfter = 5

// maxReported limits the clients that are logged one by one between two reconciliations: a
// server that has lost its data has lost all clients.
const maxReported = 100

// maxBehind limits the pages of the feed that are read before the clients in them are
// pushed.
const maxBehind = 64

// feedPage is the number of changes that are read at once.
const feedPage = 500

// errFinished ends a term that was to run once.
var errFinished = errors.New("finished")

// term is the time in which a worker has the lease.
type term struct {
	*Worker

	lease  Lease
	queue  *queue
	cancel context.CancelCauseFunc

	reconciling atomic.Bool
	reading     atomic.Bool // whether the feed is behind or cannot be read
	lastRead    atomic.Pointer[time.Time]

	reported atomic.Int32              // clients that were logged since the last reconciliation
	failures atomic.Int32              // in a row
	probe    atomic.Pointer[time.Time] // when the next client is tried during an outage

	unfinished *checkpoint // of the first reconciliation, until one has succeeded

	saving    sync.Mutex                   // one writer to the ledger
	outcomes  map[domain.ClientID]*Problem // since the last write; nil: solved. Guarded by Worker.mu
	problems  map[domain.ClientID]Problem  // guarded by Worker.mu
	cursor    application.Cursor           // from which the feed is read; set before cursorSet is closed
	cursorSet chan struct{}
}

// run starts everything that a term does, and returns when it is over.
func (t *term) run(ctx context.Context, group *sync.WaitGroup, once bool) {
	group.Go(func() { t.prolong(ctx) })
	group.Go(func() { t.saveRegularly(ctx) })
	group.Go(func() { t.watchSecrets(ctx) })
	for range t.config.Concurrency {
		group.Go(func() { t.push(ctx) })
	}
	if once {
		if err := t.reconcileOnce(ctx); err != nil {
			t.cancel(err)
			return
		}
		for ctx.Err() == nil {
			if now, _, _ := t.queue.size(); now == 0 {
				t.cancel(errFinished)
			}
			sleep(ctx, t.config.Timing.Save/10)
		}
		return
	}
	group.Go(func() { t.follow(ctx) })
	t.reconcileRegularly(ctx)
}

// prolong keeps the lease. If it cannot, it ends the term before another worker can have
// the lease.
func (t *term) prolong(ctx context.Context) {
	ttl := t.config.Timing.Lease
	sure := time.Now().Add(ttl)
	for {
		sleep(ctx, ttl/4)
		if ctx.Err() != nil {
			return
		}
		asked := time.Now()
		attempt, cancel := context.WithTimeout(ctx, time.Until(sure.Add(-ttl/8)))
		lease, err := t.acquire(attempt)
		cancel()
		switch {
		case err == nil && lease.Fence == t.lease.Fence:
			sure = asked.Add(ttl)
		case err == nil || errors.Is(err, ErrLeaseHeld):
			t.cancel(ErrLeaseLost)
			return
		case time.Now().After(sure.Add(-ttl / 4)):
			t.cancel(fmt.Errorf("%w, or may have: %w", ErrLeaseLost, err))
			return
		}
	}
}

// saveRegularly writes the progress to the ledger.
func (t *term) saveRegularly(ctx context.Context) {
	for {
		sleep(ctx, t.config.Timing.Save)
		if ctx.Err() != nil {
			return
		}
		err := t.save(ctx)
		if errors.Is(err, ErrLeaseLost) {
			t.cancel(ErrLeaseLost)
			return
		}
		if err != nil && ctx.Err() == nil {
			t.config.Log.WarnContext(ctx, "the progress was not saved; trying again", "error", err)
			sleep(ctx, t.config.Timing.MinPause)
		}
	}
}

// save writes what was done since the last time. A cursor is only written together with the
// outcome of every client that changed before it, or after that.
func (t *term) save(ctx context.Context) error {
	t.saving.Lock()
	defer t.saving.Unlock()
	cursor, reconciled := t.queue.reached() // before the outcomes, which are noted earlier
	t.mu.Lock()
	outcomes := t.outcomes
	t.outcomes = map[domain.ClientID]*Problem{}
	t.mu.Unlock()
	if cursor == "" && !reconciled && len(outcomes) == 0 {
		return nil
	}
	p := Progress{Cursor: cursor, Reconciled: reconciled}
	for id, problem := range outcomes {
		if problem == nil {
			p.Solved = append(p.Solved, id)
		} else {
			p.Problems = append(p.Problems, *problem)
		}
	}
	err := t.config.Ledger.SaveProgress(ctx, t.lease, p)
	if err == nil {
		if reconciled {
			t.mu.Lock()
			t.reconciled = t.compared
			t.mu.Unlock()
		}
		return nil
	}
	t.queue.unreach(cursor, reconciled)
	t.mu.Lock()
	for id, problem := range outcomes {
		if _, newer := t.outcomes[id]; !newer {
			t.outcomes[id] = problem
		}
	}
	t.mu.Unlock()
	return err
}

// note keeps the outcome of a client, to be saved; nil means that it has no problem.
func (t *term) note(ctx context.Context, id domain.ClientID, problem *Problem) {
	t.mu.Lock()
	defer t.mu.Unlock()
	before, had := t.problems[id]
	switch {
	case problem == nil && !had:
		return
	case problem == nil:
		delete(t.problems, id)
	case had && before.Kind == problem.Kind && before.Reason == problem.Reason && before.Revision == problem.Revision:
		return
	default:
		t.problems[id] = *problem
	}
	t.outcomes[id] = problem
	if problem != nil {
		level := t.level(ctx)
		if problem.Kind == ProblemPending { // during an outage, of every client
			level = slog.LevelDebug
		}
		t.config.Log.Log(ctx, level, "client is not at the server as it should be",
			"client_id", id, "problem", problem.Kind, "reason", problem.Reason, "target", t.config.Key.Target)
	}
}

// push pushes clients of the queue, one after the other.
func (t *term) push(ctx context.Context) {
	for {
		j, ok := t.queue.take(ctx)
		if !ok {
			return
		}
		t.awaitServer(ctx)
		d, problem, err := t.attempt(ctx, j.id, j.absent)
		if err != nil && ctx.Err() != nil {
			t.queue.abandon(j)
			return
		}
		t.note(ctx, j.id, problem)
		if err != nil {
			t.failures.Add(1)
		}
		t.queue.done(j, err != nil, d.recheck, t.retryPause)
		if err == nil && t.failures.Swap(0) >= outageAfter {
			t.queue.wakeRetries()
		}
	}
}

// awaitServer waits for the turn to try a client while the server does not respond.
func (t *term) awaitServer(ctx context.Context) {
	for t.failures.Load() >= outageAfter && ctx.Err() == nil {
		at, now := t.probe.Load(), time.Now()
		if at != nil && now.Before(*at) {
			sleep(ctx, min(at.Sub(now), t.config.Timing.Probe/4))
			continue
		}
		if t.probe.CompareAndSwap(at, new(now.Add(t.config.Timing.Probe))) {
			return
		}
	}
}

// attempt pushes one client once.
func (t *term) attempt(ctx context.Context, id domain.ClientID, absent bool) (d Decision, problem *Problem, err error) {
	ctx, cancel := context.WithTimeout(ctx, t.config.Timing.Attempt)
	defer cancel()
	var refused string
	d, err = t.decide(ctx, id, absent)
	if err == nil {
		refused, err = t.apply(ctx, d)
	}
	switch {
	case absent && errors.Is(err, ErrExists): // it was created since the reconciliation
		return t.attempt(ctx, id, false)
	case err != nil:
		return d, &Problem{ClientID: id, Kind: ProblemPending, Reason: Words(err.Error()), Revision: d.Revision}, err
	case refused != "":
		return d, &Problem{ClientID: id, Kind: ProblemRefused, Reason: Words(refused), Revision: d.Revision}, nil
	}
	if d.Step != StepNone {
		t.pushed.Add(1)
		if d.Drift {
			t.drift.Add(1)
			t.config.Log.Log(ctx, t.level(ctx), "client was changed at the server; repaired",
				"client_id", id, "attributes", attributesOf(d), "target", t.config.Key.Target)
		}
	}
	if d.Secret != "" {
		return d, &Problem{ClientID: id, Kind: ProblemSecret, Reason: Words(d.Secret), Revision: d.Revision}, nil
	}
	return d, nil, nil
}

// level returns the level at which one client is logged.
func (t *term) level(ctx context.Context) slog.Level {
	switch n := t.reported.Add(1); {
	case n < maxReported:
		return slog.LevelWarn
	case n == maxReported:
		t.config.Log.WarnContext(ctx, "many clients are not at the server as they should be; the next ones are logged at the level debug until the next reconciliation")
	}
	return slog.LevelDebug
}

// attributesOf returns the names of the attributes that differ.
func attributesOf(d Decision) []string {
	if d.Step == StepCreate {
		return []string{"the whole client"}
	}
	var names []string
	for _, difference := range d.Differences {
		names = append(names, difference.Attribute)
	}
	return names
}

// retryPause returns the time before the next attempt to push a client. During an outage
// [term.awaitServer] limits the attempts of all clients together. If the pauses of single
// clients grew during that time, none would be tried soon after the return of the server.
func (t *term) retryPause(attempts int) time.Duration {
	if t.failures.Load() >= outageAfter {
		return t.config.Timing.Probe
	}
	return t.pause(attempts)
}

// pause returns the time before the next attempt: it doubles with each, and varies.
func (t *term) pause(attempts int) time.Duration {
	pause := t.config.Timing.MinPause << min(attempts-1, 16)
	pause = min(pause, t.config.Timing.MaxPause)
	return pause/2 + rand.N(pause/2+1) //nolint:gosec // spreads attempts, protects nothing
}

// follow reads the feed, and marks the clients that have changed.
func (t *term) follow(ctx context.Context) {
	select {
	case <-t.cursorSet:
	case <-ctx.Done():
		return
	}
	cursor := t.cursor
	now := t.config.Clock.Now()
	t.lastRead.Store(&now)
	for failures := 0; ctx.Err() == nil; {
		if t.queue.behind() > maxBehind {
			t.reading.Store(true)
			sleep(ctx, t.config.Timing.Save)
			continue
		}
		started := t.config.Clock.Now()
		changes, err := t.config.Registry.Changes(ctx, t.caller(), application.FeedQuery{After: cursor, Limit: feedPage}, application.WaitOptions{Max: application.MaxWait})
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, application.ErrCursor): // a backup was restored: everything may be different
			t.config.Log.WarnContext(ctx, "the registry has another history; reconciling from the beginning", "error", err)
			t.cancel(t.forget(ctx))
			return
		case err != nil:
			failures++
			t.reading.Store(true)
			t.config.Log.WarnContext(ctx, "the changes cannot be read; trying again", "error", err)
			sleep(ctx, t.pause(failures))
			continue
		}
		failures = 0
		t.reading.Store(false)
		t.lastRead.Store(&started)
		cursor = changes.Next
		if len(changes.Revisions) == 0 {
			continue
		}
		c := t.queue.open(cursor, false)
		for _, r := range changes.Revisions {
			t.queue.mark(r.Client.Identity().ClientID, c, r.At, false)
		}
		t.queue.close(c)
	}
}

// errStartAgain ends a term because the feed has another history.
var errStartAgain = errors.New("the cursor is from another history")

// forget replaces the position in the feed by the newest one of the registry's present
// history. Nothing is missed, because the next term begins with a reconciliation.
func (t *term) forget(ctx context.Context) error {
	t.saving.Lock() // no position of the old history is stored after this
	defer t.saving.Unlock()
	t.queue.forgetCursors()
	page, err := t.config.Registry.Snapshot(ctx, t.caller(), application.ClientKey{}, false)
	if err == nil {
		err = t.config.Ledger.SaveProgress(ctx, t.lease, Progress{Cursor: page.Changes})
	}
	return errors.Join(errStartAgain, err)
}

// watchSecrets marks the clients whose secrets in the file have changed.
func (t *term) watchSecrets(ctx context.Context) {
	for ctx.Err() == nil {
		for _, id := range t.config.Secrets.Changed() {
			t.queue.mark(id, nil, t.config.Clock.Now(), false)
		}
		sleep(ctx, t.config.Timing.Secrets)
	}
}

// sleep waits for the time or the end of the context.
func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
