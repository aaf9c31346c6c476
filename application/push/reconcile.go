package push

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// reconcileRegularly reconciles at the beginning of the term and regularly after that.
func (t *term) reconcileRegularly(ctx context.Context) {
	for failures := 0; ctx.Err() == nil; {
		pause := t.config.Reconcile
		if err := t.reconcileOnce(ctx); err != nil && ctx.Err() == nil {
			failures++
			pause = min(t.pause(failures), t.config.Reconcile)
			t.config.Log.WarnContext(ctx, "the reconciliation failed; trying again", "error", err)
		} else {
			failures = 0
		}
		sleep(ctx, pause)
	}
}

// reconcileOnce compares what the server holds with the registry, and marks the clients
// that differ, to be pushed again. Without a stored cursor, the feed is read from where the
// first comparison began, and no cursor is stored before one has ended.
func (t *term) reconcileOnce(ctx context.Context) error {
	t.reconciling.Store(true)
	t.reported.Store(0)
	defer t.reconciling.Store(false)
	c, began := t.unfinished, t.config.Clock.Now()
	start := func(at application.Cursor) {
		select {
		case <-t.cursorSet: // the feed is read already
			if c == nil {
				c = t.queue.open("", true)
			}
		default:
			if t.cursor != "" {
				c = t.queue.open("", true)
			} else {
				t.cursor, c = at, t.queue.open(at, true)
				t.unfinished = c
			}
			close(t.cursorSet)
		}
	}
	err := t.compare(ctx, start, func(id domain.ClientID, absent bool, since time.Time) { t.queue.mark(id, c, since, absent) })
	if err != nil {
		if c != nil && c != t.unfinished {
			t.queue.drop(c)
		}
		return err
	}
	for id := range t.copyProblems() { // also those that the server refused
		t.queue.mark(id, c, time.Time{}, false)
	}
	t.mu.Lock()
	t.compared = began
	t.mu.Unlock()
	t.queue.close(c)
	t.unfinished = nil
	return nil
}

// copyProblems returns the clients with problems.
func (w *Worker) copyProblems() map[domain.ClientID]Problem {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.problems)
}

func sortedProblems(problems map[domain.ClientID]Problem) []Problem {
	return slices.SortedFunc(maps.Values(problems), func(a, b Problem) int { return cmp.Compare(a.ClientID, b.ClientID) })
}

// compare lists the clients at the server and in the registry, and calls differs for each
// one that differs, or may differ; since is when it was changed, if the server does not have
// that change yet. start is called with the position in the feed from which
// nothing is missed.
func (w *Worker) compare(ctx context.Context, start func(application.Cursor), differs func(id domain.ClientID, absent bool, since time.Time)) error {
	// The position is read first: a client that is registered after the listing of the
	// server is in the feed, or in the page and then pushed for nothing.
	page, err := w.config.Registry.Snapshot(ctx, w.caller(), application.ClientKey{}, false)
	if err != nil {
		return fmt.Errorf("read the registry: %w", err)
	}
	start(page.Changes)
	if p, ok := w.config.Target.(Preparer); ok {
		if _, err := p.Prepare(ctx, false); err != nil {
			return fmt.Errorf("prepare the server: %w", err)
		}
	}
	held, err := w.listHeld(ctx)
	if err != nil {
		return err
	}
	owned := 0
	for _, at := range held {
		if w.owns(&at) {
			owned++
		}
	}
	for {
		for _, client := range page.Clients {
			id := client.Identity().ClientID
			at, isHeld := held[id]
			delete(held, id)
			if !isHeld {
				differs(id, true, client.UpdatedAt())
				continue
			}
			d, err := w.decideFor(ctx, client, &at)
			if err != nil || d.Step != StepNone || d.recheck > 0 || d.Secret != "" {
				since := time.Time{}
				if at.Mark.Revision != client.Revision() {
					since = client.UpdatedAt()
				}
				differs(id, false, since) // the attempt reports an error
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
		}
		for _, unreadable := range page.Unreadable {
			delete(held, unreadable.ClientID)
			differs(unreadable.ClientID, false, time.Time{})
		}
		if !page.More {
			break
		}
		if page, err = w.config.Registry.Snapshot(ctx, w.caller(), page.LastKey(), false); err != nil {
			return fmt.Errorf("read the registry: %w", err)
		}
	}
	return w.compareRest(ctx, held, owned, func(id domain.ClientID) { differs(id, false, time.Time{}) })
}

// Limits of the clients that are disabled because the registry does not know them.
const (
	unknownAlways = 10  // as many are always disabled
	unknownShare  = 0.2 // of the managed clients
)

// ErrUnknownClients reports that the registry has never had many of the clients that the
// worker manages at the server. So it may be the wrong database, and nothing is disabled.
var ErrUnknownClients = errors.New("the registry has never had these clients")

// compareRest compares what the server holds of clients that the registry does not list:
// they are deleted or were purged, or the registry has never had them.
func (w *Worker) compareRest(ctx context.Context, held map[domain.ClientID]Held, owned int, differs func(domain.ClientID)) error {
	unknown := []domain.ClientID{}
	for id, at := range held {
		if !w.owns(&at) {
			continue
		}
		client, deleted, purged, err := w.lookup(ctx, id)
		switch {
		case errors.Is(err, application.ErrUnreadable):
			differs(id)
		case err != nil:
			return fmt.Errorf("read the registry: %w", err)
		case deleted && client.Revision() == 0:
			if at.Enabled {
				unknown = append(unknown, id)
			}
		case at.Enabled || purged || !deleted:
			differs(id)
		}
	}
	if many := len(unknown) > unknownAlways && float64(len(unknown)) > unknownShare*float64(owned); many && !w.config.DisableUnknown {
		return fmt.Errorf("%w: %d of %d clients that are managed at the server, such as %q; if it is the right database, --disable-unknown disables them",
			ErrUnknownClients, len(unknown), owned, unknown[0])
	}
	for _, id := range unknown {
		differs(id)
	}
	return nil
}

// listHeld returns what the server holds. Of clients that are not the worker's only what
// is needed to tell is kept.
func (w *Worker) listHeld(ctx context.Context) (map[domain.ClientID]Held, error) {
	all := map[domain.ClientID]Held{}
	for held, err := range w.config.Target.List(ctx) {
		if err != nil {
			return nil, fmt.Errorf("list the clients at the server: %w", err)
		}
		if !w.owns(&held) && !w.config.Adopt {
			held.Native = nil
		}
		all[held.ClientID] = held
	}
	return all, nil
}

// Plan is what a worker would do.
type Plan struct {
	// Prepare is what would change at the server that does not belong to one client.
	Prepare []Difference
	// Decisions are about the clients that are not at the server as they should be, and
	// those with something to know, ordered by client.
	Decisions []Decision
	Clients   int // in the registry
	// ByRotation counts the clients by what happens when their secret is rotated.
	ByRotation map[Rotation]int
}

// Drifted reports whether anything is to be done.
func (p Plan) Drifted() bool {
	return len(p.Prepare) > 0 || slices.ContainsFunc(p.Decisions, func(d Decision) bool { return d.Step != StepNone })
}

// LacksSecrets reports whether a client cannot use a secret that the registry accepts, or
// soon cannot.
func (p Plan) LacksSecrets() bool {
	return slices.ContainsFunc(p.Decisions, func(d Decision) bool { return d.Secret != "" })
}

// Plan compares the server with the registry, and changes nothing.
func (w *Worker) Plan(ctx context.Context) (Plan, error) {
	plan := Plan{ByRotation: map[Rotation]int{}}
	if p, ok := w.config.Target.(Preparer); ok {
		var err error
		if plan.Prepare, err = p.Prepare(ctx, true); err != nil {
			return plan, fmt.Errorf("compare the server: %w", err)
		}
	}
	held, err := w.listHeld(ctx)
	if err != nil {
		return plan, err
	}
	add := func(d Decision) {
		plan.Decisions = append(plan.Decisions, d)
	}
	after := application.ClientKey{}
	for {
		page, err := w.config.Registry.Snapshot(ctx, w.caller(), after, false)
		if err != nil {
			return plan, fmt.Errorf("read the registry: %w", err)
		}
		for _, client := range page.Clients {
			id := client.Identity().ClientID
			at, isHeld := held[id]
			delete(held, id)
			d, err := w.decideFor(ctx, client, pointerIf(isHeld, at))
			if err == nil && d.Step != StepNone && isHeld { // it may have changed since the listing
				d, err = w.decide(ctx, id, false)
			}
			if err != nil {
				if ctx.Err() != nil {
					return plan, err
				}
				d.Step, d.Refusal = StepRefuse, Words("not compared: "+err.Error())
			}
			plan.Clients++
			plan.ByRotation[d.Rotation]++
			add(d)
		}
		for _, unreadable := range page.Unreadable {
			delete(held, unreadable.ClientID)
			add(Decision{ClientID: unreadable.ClientID, Step: StepRefuse, Refusal: Words(unreadable.Error())})
		}
		if !page.More {
			break
		}
		after = page.LastKey()
	}
	for id, at := range held {
		if !w.owns(&at) {
			continue
		}
		d, err := w.decide(ctx, id, false)
		if err != nil {
			return plan, fmt.Errorf("%s: %w", id, err)
		}
		if d.Step != StepNone {
			add(d)
		}
	}
	slices.SortFunc(plan.Decisions, func(a, b Decision) int { return cmp.Compare(a.ClientID, b.ClientID) })
	return plan, nil
}

// pointerIf returns a pointer to the value, or nil.
func pointerIf[T any](ok bool, value T) *T {
	if !ok {
		return nil
	}
	return &value
}
