package mirror

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/clientele-oauth/clientele/api/client"
)

// Pauses of the follower after a failure. They double, and a random half of each keeps
// many servers from asking at the same time. A Retry-After of the registry counts up to
// maxRetryAfter.
const (
	firstPause    = 100 * time.Millisecond
	maxPause      = 500 * time.Millisecond
	maxRetryAfter = time.Minute
)

// maxWait is how long the registry may wait for a change before it responds.
const maxWait = 25 * time.Second

// tooSoon is the time below which a response without changes did not wait.
const tooSoon = 500 * time.Millisecond

// The actions of changes that the mirror treats in a way of their own.
const (
	actionCreate = "create"
	actionDelete = "delete"
	actionPurge  = "purge"
	actionUpdate = "update"
	actionRevert = "revert"
)

// follow keeps the copy up to date until the context ends.
func (m *Mirror) follow(ctx context.Context) {
	defer close(m.done)
	for failures := 0; ctx.Err() == nil; {
		idle, err := m.step(ctx)
		if ctx.Err() != nil {
			break
		}
		m.note(err)
		if err == nil && !idle {
			failures = 0
		} else {
			failures++
			pause(ctx, pauseAfter(failures, err))
		}
		m.saveIfDue()
	}
	m.saveAtEnd()
}

// step reads a snapshot, or waits for changes and applies them. It then reads the hashes
// of secrets that changed. It reports idle if the registry responded without a change and
// without waiting for one.
func (m *Mirror) step(ctx context.Context) (idle bool, err error) {
	s := m.state // only the follower writes it
	if s.cursor == "" || m.config.Resync > 0 && since(s.snapshot, m.now()) > m.config.Resync {
		err = m.resync(ctx)
	} else {
		idle, err = m.poll(ctx)
	}
	if errors.Is(err, errLostCursor) {
		m.mu.Lock()
		m.state.cursor = "" // the next step reads a snapshot; until then the copy remains in use
		m.mu.Unlock()
	}
	if err == nil {
		err = m.readHashes(ctx)
	}
	return idle, err
}

// resync replaces the copy by a new snapshot with all changes until now. Only then is it
// visible: the feed repeats changes from before the snapshot, and for a client that was
// deleted since then they would bring it back for a moment.
func (m *Mirror) resync(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, snapshotTimeout)
	defer cancel()
	started := m.now()
	s, err := m.registry.snapshot(ctx, m.config.MaxBytes)
	if err != nil {
		return err
	}
	s.snapshot = started
	for {
		p, err := m.registry.changes(ctx, s.cursor, 0)
		if err != nil {
			return err
		}
		if _, err := m.apply(ctx, s, p.changes); err != nil {
			return err
		}
		s.cursor = p.next
		if p.last {
			m.mu.Lock()
			m.state = s
			m.documents.dropAll() // those of clients that were created and deleted since then, too
			m.mu.Unlock()
			m.reached(p.heldBack)
			break
		}
	}
	m.dirty = true
	m.report(Change{Action: ActionResync})
	return nil
}

// poll waits for changes and applies them. It reports idle as step does.
func (m *Mirror) poll(ctx context.Context) (idle bool, err error) {
	started, wait := m.now(), m.wait()
	p, err := m.registry.changes(ctx, m.state.cursor, wait)
	if err != nil {
		return false, err
	}
	applied, err := m.apply(ctx, m.state, p.changes)
	if err != nil {
		return false, err
	}
	m.mu.Lock()
	m.state.cursor = p.next
	m.mu.Unlock()
	m.dirty = m.dirty || len(p.changes) > 0
	if p.last {
		m.reached(p.heldBack)
	}
	for _, c := range applied {
		m.report(c)
	}
	return wait > 0 && len(p.changes) == 0 && since(started, m.now()) < tooSoon, nil
}

// wait returns how long the registry may wait for a change: shorter if the copy may only
// be a little old, or if the follower has other work soon. The first request after a start
// or a failure does not wait, so that the contact is known at once.
func (m *Mirror) wait() time.Duration {
	if m.fromFile || m.failure != nil {
		return 0
	}
	wait := maxWait
	if m.config.MaxStaleness > 0 {
		wait = min(wait, m.config.MaxStaleness/3)
	}
	if len(m.pending) > 0 {
		wait = time.Second
	}
	if m.dirty && m.config.File != "" {
		wait = min(wait, m.saveInterval()-since(m.saved, m.now())+time.Second)
	}
	return max(wait, time.Second)
}

// reached notes that the copy was complete a moment ago.
func (m *Mirror) reached(heldBack time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.contact, m.fromFile = m.now().Add(-heldBack), false
	select {
	case <-m.synced:
	default:
		close(m.synced)
	}
}

// apply applies the changes to the state, which may be the visible one: all of them or, if
// there is an error, none; but if the state becomes larger than [Config].MaxBytes, any of
// them. It returns those that were newer than the state. The caches of all their clients
// are dropped.
func (m *Mirror) apply(ctx context.Context, s *state, changes []change) ([]Change, error) {
	results := map[string]*entry{}
	var applied []Change
	for _, c := range changes {
		old, ok := results[c.ClientID]
		if !ok {
			old = s.clients[c.ClientID]
		}
		e, newer, err := m.next(ctx, old, c)
		if err != nil {
			return nil, err
		}
		results[c.ClientID] = e
		if newer {
			applied = append(applied, shown(c, e))
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for id, e := range results {
		m.documents.drop(id)
		if e == nil {
			s.remove(id)
		} else if err := s.set(id, e, m.config.MaxBytes); err != nil {
			return nil, err
		}
	}
	return applied, nil
}

// shown returns the change as OnChange gets it.
func shown(c change, e *entry) Change {
	shown := Change{Action: c.Action, ClientID: c.ClientID, Revision: c.Revision}
	if e != nil && e.client != nil && e.client.Active {
		shown.Client = e.client
	}
	return shown
}

// next returns what becomes of an entry by a change: nil if the client is gone.
func (m *Mirror) next(ctx context.Context, old *entry, c change) (e *entry, applied bool, err error) {
	switch {
	case old != nil && c.Revision < old.revision:
		return old.fresh(), false, nil
	case c.Action == actionDelete, c.Action == actionPurge:
		return nil, true, nil
	case c.Unreadable:
		return &entry{revision: c.Revision}, true, nil
	case old != nil && old.client != nil && c.Revision == old.revision:
		m.await(old.client)
		return old.fresh(), true, nil
	case old == nil && c.Action != actionCreate:
		// The client was deleted when the snapshot was read, and the feed does not return
		// the deletion yet; or it was restored. The registry knows which.
		if e, err = m.registry.get(ctx, c.ClientID); err != nil {
			return nil, false, err
		}
	default:
		id, parsed, err := newEntry(c.Client)
		if err == nil && id != c.ClientID {
			err = fmt.Errorf("a change of the client %q has the client %q", c.ClientID, id)
		}
		if err != nil {
			return nil, false, err
		}
		e = parsed
	}
	if e == nil {
		return nil, true, nil
	}
	if keepsSecrets(old, e.client, c.Action) {
		if e, err = e.withHashes(old.hashes); err != nil {
			return nil, false, err
		}
	} else {
		m.await(e.client)
	}
	return e, true, nil
}

// keepsSecrets reports whether a change certainly left the secrets as they were.
func keepsSecrets(old *entry, c *Client, action string) bool {
	return old != nil && old.client != nil && old.hashes != nil && (action == actionUpdate || action == actionRevert) &&
		old.client.Active == c.Active && old.client.Confidential == c.Confidential && slices.Equal(old.client.AuthMethods, c.AuthMethods)
}

// await notes that the hashes of the client's secrets have to be read.
func (m *Mirror) await(c *Client) {
	if m.config.Verifiers && c.HasSecrets() {
		m.pending[c.ID] = true
	}
}

// readHashes reads the hashes of secrets that changed. What fails is tried again by the
// next step; until then each verification is a request to the registry.
func (m *Mirror) readHashes(ctx context.Context) error {
	for id := range m.pending {
		e := m.state.clients[id]
		if e == nil || e.client == nil {
			delete(m.pending, id)
			continue
		}
		hashes, err := m.registry.hashes(ctx, id)
		if err != nil {
			return fmt.Errorf("hashes of secrets: %w", err)
		}
		if hashes != nil {
			if e, err = e.withHashes(hashes); err != nil {
				return err
			}
			m.mu.Lock()
			err = m.state.set(id, e, m.config.MaxBytes)
			m.mu.Unlock()
			if err != nil {
				return err
			}
			m.dirty = true
		}
		delete(m.pending, id)
	}
	return nil
}

func (m *Mirror) report(c Change) {
	if m.config.OnChange != nil {
		m.config.OnChange(c)
	}
}

// note keeps the result of a step, and logs when the contact is lost or regained.
func (m *Mirror) note(err error) {
	m.mu.Lock()
	before, contact := m.failure, m.contact
	m.failure = err
	m.mu.Unlock()
	switch {
	case err != nil && before == nil && contact.IsZero():
		m.config.Log.Warn("the registry cannot be mirrored yet", "error", err)
	case err != nil && before == nil:
		m.config.Log.Warn("the registry cannot be followed; the copy of the clients remains in use", "error", err,
			"copy_of", contact.UTC().Format(time.RFC3339))
	case err == nil && before != nil:
		m.config.Log.Info("the registry is followed again")
	}
}

// pauseAfter returns the pause after a number of failures in a row.
func pauseAfter(failures int, err error) time.Duration {
	longest := min(firstPause<<min(failures-1, 10), maxPause)
	d := longest/2 + rand.N(longest/2) //nolint:gosec // a pause need not be unpredictable
	if problem, ok := errors.AsType[*client.ProblemError](err); ok {
		d = max(d, min(problem.RetryAfter, maxRetryAfter))
	}
	return d
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
