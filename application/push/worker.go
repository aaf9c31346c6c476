package push

import (
	"context"
	"errors"
	"log/slog"
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
