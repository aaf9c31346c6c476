package application

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/clientele-oauth/clientele/domain"
)

// How readers of the change feed wait.
const (
	// MaxWait bounds how long a reader of the change feed waits for changes.
	MaxWait = 30 * time.Second
	// lookAgain is how often the store is read for readers that wait, even if
	// it reported no commit: signals arrive promptly, but nothing depends on them.
	lookAgain = time.Second
	// lookAgainPerGroup stretches lookAgain when many groups of readers wait, so
	// that all of them together read the store at most 200 times a second.
	lookAgainPerGroup = 5 * time.Millisecond
	// lookSoon is how soon the store is read again after a commit was reported
	// and not found: an older transaction that is still open may hide it.
	lookSoon = 20 * time.Millisecond
	// lookTimeout bounds one read of the store for readers that wait.
	lookTimeout = 15 * time.Second
	// pacePerReader and maxPace are how long the readers that were just given
	// changes wait before the store is read for them again. It grows with their
	// number, because each of them costs a response. Without it, a tenant with
	// many readers and many commits would be served nothing but responses with
	// one change each.
	pacePerReader = time.Millisecond
	maxPace       = 500 * time.Millisecond
)

// WaitOptions is how long a reader of the change feed waits for changes.
type WaitOptions struct {
	Max  time.Duration   // how long to wait; at most [MaxWait], and 0 does not wait
	Stop <-chan struct{} // ends the wait when it is closed; nil never does
}

// Changes returns what was committed in the caller's tenant behind the cursor,
// in an order that can be continued. If there is nothing yet, it waits as long as
// wait says. The error is [ErrForbidden], [ErrCursor] or that of the
// store; that the context ends while it waits is none.
//
// Readers that wait behind the same cursor are a group, and the store is read
// once for all of them.
func (r *Registry) Changes(
	ctx context.Context, caller Caller, after Cursor, limit int, wait WaitOptions,
) (Changes, error) {
	if err := caller.May(OpListChanges); err != nil {
		return Changes{}, err
	}
	var changes Changes
	var err error
	if wait.Max <= 0 {
		changes, err = r.config.Store.Changes(ctx, caller.Tenant, after, limit)
	} else {
		changes, err = r.await(ctx, groupKey{caller.Tenant, after}, limit, wait)
	}
	if err != nil {
		return Changes{}, fmt.Errorf("read the change feed: %w", err)
	}
	return changes, nil
}

// first returns the first changes, at most limit.
func (c Changes) first(limit int) Changes {
	if len(c.Revisions) > limit && len(c.After) >= limit {
		c.Revisions, c.After = c.Revisions[:limit:limit], c.After[:limit:limit]
		c.Next = c.After[limit-1]
	}
	return c
}

// followers are the groups of readers that wait. The zero value is ready to use.
type followers struct {
	mu     sync.Mutex
	groups map[groupKey]*group
	paces  map[domain.TenantID]pace
}

// groupKey is what the readers of a group have in common.
type groupKey struct {
	tenant domain.TenantID
	after  Cursor
}

// group is the readers that wait for the same changes. It ends with the first
// changes or the first error, or when its last reader leaves.
type group struct {
	key     groupKey
	cancel  context.CancelFunc
	readers int
	limit   int     // the greatest of its readers
	nothing Changes // what the last read returned while there were no changes

	looked  chan struct{} // closed after the first read, if it returned no changes
	ended   chan struct{} // closed when changes and err are set
	changes Changes
	err     error
}

// pace says that readers behind the cursor wait until then before the store is
// read for them.
type pace struct {
	tip   Cursor
	until time.Time
}

// await waits in the group of the key until there are changes, or the reader's
// wait or the context ends.
func (r *Registry) await(ctx context.Context, key groupKey, limit int, wait WaitOptions) (Changes, error) {
	enough := time.NewTimer(min(wait.Max, MaxWait))
	defer enough.Stop()
	g := r.join(ctx, key, limit)
	select { // the first read is never cut short: a slow store would never be read
	case <-g.ended:
	case <-g.looked:
	case <-ctx.Done():
	}
	select {
	case <-g.ended:
	case <-enough.C:
	case <-wait.Stop:
	case <-ctx.Done():
	}
	select {
	case <-g.ended:
		return g.changes.first(limit), g.err
	default:
		return r.followers.leave(g), nil
	}
}

// join makes the reader a member of the group, and starts the group if there is
// none.
func (r *Registry) join(ctx context.Context, key groupKey, limit int) *group {
	f := &r.followers
	f.mu.Lock()
	defer f.mu.Unlock()
	g := f.groups[key]
	if g == nil {
		if f.groups == nil {
			f.groups, f.paces = map[groupKey]*group{}, map[domain.TenantID]pace{}
		}
		g = &group{key: key, looked: make(chan struct{}), ended: make(chan struct{}), nothing: Changes{Next: key.after}}
		var following context.Context
		following, g.cancel = context.WithCancel(context.WithoutCancel(ctx)) // readers come and go
		f.groups[key] = g
		go r.follow(following, g, f.pause(key, time.Now()))
	}
	g.readers++
	g.limit = max(g.limit, limit)
	return g
}

// leave takes a reader out of a group that has not ended for it, and returns what
// was known last.
func (f *followers) leave(g *group) Changes {
	f.mu.Lock()
	defer f.mu.Unlock()
	g.readers--
	if g.readers == 0 {
		f.remove(g)
	}
	return g.nothing
}

// remove ends the reads for a group. The mutex is held.
func (f *followers) remove(g *group) {
	if f.groups[g.key] == g {
		delete(f.groups, g.key)
	}
	g.cancel()
}

// follow reads the store for a group until it ends.
func (r *Registry) follow(ctx context.Context, g *group, pause time.Duration) {
	f := &r.followers
	defer func() {
		if cause := recover(); cause != nil { // it would end the process: no request is behind this goroutine
			f.end(g, Changes{}, fmt.Errorf("panic: %v\n%s", cause, debug.Stack()))
		}
	}()
	if pause > 0 {
		sleep(ctx, nil, pause)
	}
	for signalled, first := false, true; ctx.Err() == nil; {
		news, stop := r.config.Store.Watch(g.key.tenant) // before the read: later commits are signalled
		changes, err := r.look(ctx, g)
		if err != nil || len(changes.Revisions) > 0 {
			stop()
			f.end(g, changes, err)
			return
		}
		again := f.found(g, changes)
		if first {
			first = false
			close(g.looked)
		}
		if signalled {
			signalled = false
			sleep(ctx, nil, lookSoon)
		} else {
			signalled = sleep(ctx, news, again)
		}
		stop()
	}
}

// look reads the store once.
func (r *Registry) look(ctx context.Context, g *group) (Changes, error) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	r.followers.mu.Lock()
	limit := g.limit
	r.followers.mu.Unlock()
	return r.config.Store.Changes(ctx, g.key.tenant, g.key.after, limit)
}

// found keeps a read that returned no changes, and returns when to read again.
func (f *followers) found(g *group, nothing Changes) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	g.nothing = nothing
	return max(lookAgain, time.Duration(len(f.groups))*lookAgainPerGroup)
}

// end gives the readers of a group what was read.
func (f *followers) end(g *group, changes Changes, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	if err == nil && g.readers > 0 {
		f.prune(now)
		f.paces[g.key.tenant] = pace{changes.Next, now.Add(min(time.Duration(g.readers)*pacePerReader, maxPace))}
	}
	g.changes, g.err = changes, err
	f.remove(g)
	close(g.ended)
}

// pause is how long a new group waits before its first read. Only readers that
// stand where others were just given changes wait; a reader that is behind does
// not. The mutex is held.
func (f *followers) pause(key groupKey, now time.Time) time.Duration {
	if p := f.paces[key.tenant]; p.tip == key.after {
		return p.until.Sub(now)
	}
	return 0
}

// prune forgets the paces that are over, once there are many. The mutex is held.
func (f *followers) prune(now time.Time) {
	const many = 1024
	if len(f.paces) < many {
		return
	}
	for tenant, p := range f.paces {
		if now.After(p.until) {
			delete(f.paces, tenant)
		}
	}
}

// sleep waits for news, at most that long, and reports whether there were any.
func sleep(ctx context.Context, news <-chan struct{}, longest time.Duration) bool {
	timer := time.NewTimer(longest)
	defer timer.Stop()
	select {
	case <-news:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}
