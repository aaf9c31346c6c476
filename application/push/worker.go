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

// Secrets knows the values of secrets, which the registry does not have.
type Secrets interface {
	// Secret returns the value that a client uses, if it is known.
	Secret(id domain.ClientID) (value string, ok bool)
	// Changed returns the clients whose values have changed since the last call. It is
	// called about every second.
	Changed() []domain.ClientID
}

// Config contains the ports and options of a [Worker].
type Config struct {
	Registry *application.Registry
	Tenant   domain.TenantID
	Target   Target
	Ledger   Ledger
	Key      Key    // in the ledger
	Holder   string // of the lease: a name that no other process has
	Secrets  Secrets
	Clock    application.Clock
	Random   application.Random
	Log      *slog.Logger

	// Adopt lets the worker take over clients at the server that are not managed.
	Adopt bool
	// KeepEndedSecrets leaves a secret at the server that is no longer valid in the
	// registry, if its successor is not known.
	KeepEndedSecrets bool
	// DisableUnknown lets a reconciliation disable any number of clients that the
	// registry has never had, see [ErrUnknownClients].
	DisableUnknown bool
	// Reconcile is the time between reconciliations.
	Reconcile time.Duration
	// Concurrency limits the clients that are pushed at the same time; 0 means that of
	// the target's [Traits].
	Concurrency int
	// Timing has the other times; fields that are 0 have their defaults.
	Timing Timing
}

// Timing has the times of a [Worker] that need no configuration.
type Timing struct {
	Attempt  time.Duration // for pushing one client; default 15 s
	MinPause time.Duration // before the second attempt; it doubles with each; default 500 ms
	MaxPause time.Duration // default 1 min
	Lease    time.Duration // default 5 s
	Save     time.Duration // between writes to the ledger; default 200 ms
	Probe    time.Duration // between attempts while the server does not respond; default 1 s
	Secrets  time.Duration // between calls of [Secrets.Changed]; default 1 s
}

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

// Worker pushes the clients of a tenant to a target. It is level-triggered: a change of a
// client only says that it is to be pushed, and what is pushed is its latest state. So a
// client that the server refuses, or that takes long, holds up no other one, and it does
// not matter if a change is seen twice.
//
// Several workers with the same [Key], in any number of processes, elect one by a lease in
// the ledger.
type Worker struct {
	config Config
	salt   [domain.SecretEntropy]byte

	mu         sync.Mutex
	identified map[domain.ClientID]identified
	term       *term
	problems   map[domain.ClientID]Problem // as they are stored, or will be
	reconciled time.Time                   // up to when clients were at the server; zero if unknown
	compared   time.Time                   // when the last comparison began

	pushed, drift atomic.Int64
}

// NewWorker returns a worker. It does nothing before [Worker.Run].
func NewWorker(c Config) *Worker {
	setDefault := func(d *time.Duration, to time.Duration) {
		if *d == 0 {
			*d = to
		}
	}
	setDefault(&c.Timing.Attempt, 15*time.Second)
	setDefault(&c.Timing.MinPause, 500*time.Millisecond)
	setDefault(&c.Timing.MaxPause, time.Minute)
	setDefault(&c.Timing.Lease, 5*time.Second)
	setDefault(&c.Timing.Save, 200*time.Millisecond)
	setDefault(&c.Timing.Probe, time.Second)
	setDefault(&c.Timing.Secrets, time.Second)
	if c.Concurrency == 0 {
		c.Concurrency = max(c.Target.Traits().Concurrency, 1)
	}
	return &Worker{config: c, salt: c.Random.Entropy(), identified: map[domain.ClientID]identified{}, problems: map[domain.ClientID]Problem{}}
}

// caller returns the caller that the worker is for the registry.
func (w *Worker) caller() application.Caller {
	return application.Caller{
		Subject: "clientele sync", Tenant: w.config.Tenant,
		Permissions: []application.Permission{application.PermissionRead, application.PermissionVerify},
	}
}

// Stats are the figures of a worker.
type Stats struct {
	Active  bool // whether it has the lease
	Queue   int  // clients to be pushed now
	Retried int  // clients whose last attempt failed
	Refused int  // clients that the server refuses
	Secrets int  // clients without a secret that is valid at both sides
	Pushed  int64
	// Drift counts clients at the server that differed from what was pushed last, and
	// were repaired.
	Drift int64
	// Lag is the age of the oldest change that is not pushed yet. It includes changes
	// that cannot be read yet because the registry is not available.
	Lag time.Duration
	// Reconciling reports that a reconciliation is under way.
	Reconciling bool
}

// Stats returns the figures at this moment.
func (w *Worker) Stats() Stats {
	s := Stats{Pushed: w.pushed.Load(), Drift: w.drift.Load()}
	w.mu.Lock()
	t := w.term
	for _, p := range w.problems {
		switch p.Kind {
		case ProblemRefused:
			s.Refused++
		case ProblemSecret:
			s.Secrets++
		case ProblemPending:
		}
	}
	w.mu.Unlock()
	if t == nil {
		return s
	}
	s.Active = true
	var since time.Time
	s.Queue, s.Retried, since = t.queue.size()
	if read := t.lastRead.Load(); read != nil && t.reading.Load() {
		since = earlier(since, *read)
	}
	if !since.IsZero() {
		s.Lag = max(w.config.Clock.Now().Sub(since), 0)
	}
	s.Reconciling = t.reconciling.Load()
	return s
}

// Run pushes until the context ends, whenever it has the lease. The error is nil then.
func (w *Worker) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		lease, err := w.acquire(ctx)
		if err == nil {
			w.config.Log.InfoContext(ctx, "pushing", "target", w.config.Key.Target, "tenant", w.config.Tenant)
			err = w.serve(ctx, lease, false)
		}
		if ctx.Err() != nil {
			break
		}
		if err != nil && !errors.Is(err, ErrLeaseHeld) {
			w.config.Log.WarnContext(ctx, "not pushing; trying again", "error", err)
		}
		sleep(ctx, w.config.Timing.Lease/4)
	}
	return nil //nolint:nilerr // the end of the context is how it ends
}

// RunOnce takes the lease, reconciles once, pushes everything that is to be pushed, and
// returns when nothing is left but clients that cannot be pushed now. The error is
// [ErrLeaseHeld], that of the registry or the server, or that of the context.
func (w *Worker) RunOnce(ctx context.Context) error {
	lease, err := w.acquire(ctx)
	if err != nil {
		return err
	}
	return w.serve(ctx, lease, true)
}

// Problems returns the clients that are not at the server as they should be.
func (w *Worker) Problems() []Problem {
	w.mu.Lock()
	defer w.mu.Unlock()
	return sortedProblems(w.problems)
}

func (w *Worker) acquire(ctx context.Context) (Lease, error) {
	return w.config.Ledger.AcquireLease(ctx, w.config.Key, w.config.Holder, w.config.Timing.Lease)
}

// serve pushes for as long as the worker has the lease.
func (w *Worker) serve(ctx context.Context, lease Lease, once bool) error {
	states, err := w.config.Ledger.PushStates(ctx, w.config.Tenant)
	if err != nil {
		return err
	}
	leased, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	t := &term{
		Worker: w, lease: lease, queue: newQueue(w.config.Concurrency), cancel: cancel,
		outcomes: map[domain.ClientID]*Problem{}, problems: map[domain.ClientID]Problem{}, cursorSet: make(chan struct{}),
	}
	var reconciled time.Time
	for _, s := range states {
		if s.Key != w.config.Key {
			continue
		}
		t.cursor, reconciled = s.Cursor, s.ReconciledAt
		for _, p := range s.Problems {
			t.problems[p.ClientID] = p
			if p.Kind == ProblemPending {
				t.queue.mark(p.ClientID, nil, time.Time{}, false)
			}
		}
	}
	w.mu.Lock()
	w.term, w.problems, w.reconciled = t, t.problems, reconciled
	w.mu.Unlock()

	var group sync.WaitGroup
	t.run(leased, &group, once)
	group.Wait()
	w.mu.Lock()
	w.term = nil
	w.mu.Unlock()

	cause := context.Cause(leased)
	after, stop := context.WithTimeout(context.WithoutCancel(ctx), w.config.Timing.Lease)
	defer stop()
	if !errors.Is(cause, ErrLeaseLost) {
		err := errors.Join(t.save(after), w.config.Ledger.ReleaseLease(after, lease))
		if err != nil {
			w.config.Log.WarnContext(after, "the progress was not saved", "error", err)
		}
	}
	if errors.Is(cause, errFinished) {
		return nil
	}
	return cause
}

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
// clients grew meanwhile, none would be tried soon after the return of the server.
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

// forget stores that there is no position in the feed any more, so that the next term
// begins with a reconciliation.
func (t *term) forget(ctx context.Context) error {
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
