package application

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/clientele-oauth/clientele/domain"
)

// Limits for waiting readers of the change feed.
const (
	// MaxWait is the maximum time that a reader of the change feed waits for changes.
	MaxWait = 30 * time.Second
	// pollInterval is the time after which the store is read again for waiting
	// readers if it signals no commit. Signals usually arrive promptly, but may be
	// missing.
	pollInterval = time.Second
	// pollIntervalPerGroup increases pollInterval if many groups of readers wait, so
	// that all of them together read the store at most 200 times per second.
	pollIntervalPerGroup = 5 * time.Millisecond
	// repollDelay is the delay before the store is read again if a commit was
	// signalled but not found: an older transaction that is still open may hide it.
	repollDelay = 20 * time.Millisecond
	// pollTimeout limits one read of the store for waiting readers.
	pollTimeout = 15 * time.Second
	// pacePerReader and maxPace define how long readers that just received changes
	// wait before the store is read for them again. The delay grows with the number
	// of readers, because each of them costs a response. Without it, a tenant with
	// many readers and many commits would get only responses with a single change.
	pacePerReader = time.Millisecond
	maxPace       = 500 * time.Millisecond
)

// WaitOptions define how long a reader of the change feed waits for changes.
type WaitOptions struct {
	Max  time.Duration   // the maximum wait, limited to [MaxWait]; 0 means no wait
	Stop <-chan struct{} // ends the wait when it is closed; nil never does
}

// FeedQuery selects changes of the feed.
type FeedQuery struct {
	After Cursor
	Limit int
	// Actions are the actions of the changes to return; none means all.
	Actions []domain.Action
}

// Limits of a request with [FeedQuery.Actions].
const (
	// filteredPage is the number of changes that are read at once to find those with the
	// actions, or the limit of the request if it is greater.
	filteredPage = 100
	// maxFiltered is the number of changes that a request passes over at most.
	maxFiltered = 2000
)

// Changes returns the changes in the caller's tenant after the cursor, or those in all
// tenants for a caller of [Caller.InAll]; see [Store.Changes] and [Store.AllChanges]. If
// there are none yet, it waits for them according to wait. The error is [ErrForbidden],
// [ErrCursor] or that of the store. If the context ends while Changes waits, the result is
// empty and the error is nil.
//
// With [FeedQuery.Actions] the result has only changes with these actions, but its cursor
// passes over the others, so that a reader does not read them again. The result may be
// empty although there are more changes, because a request passes over a limited number.
//
// Readers that wait at the same cursor are a group, and the store is read once for all
// of them, whatever their actions.
func (r *Registry) Changes(ctx context.Context, caller Caller, q FeedQuery, wait WaitOptions) (Changes, error) {
	if err := caller.May(OpListChanges); err != nil {
		return Changes{}, err
	}
	changes, err := r.changes(ctx, feedScope{caller.Tenant, caller.All}, q, wait)
	if err != nil {
		return Changes{}, fmt.Errorf("read the change feed: %w", err)
	}
	return changes, nil
}

// changes reads the feed once or, with actions, until there is a change with one of them.
func (r *Registry) changes(ctx context.Context, scope feedScope, q FeedQuery, wait WaitOptions) (Changes, error) {
	if len(q.Actions) == 0 {
		return r.readOrWait(ctx, scope, q.After, q.Limit, wait)
	}
	deadline := time.Now().Add(wait.Max)
	for passed := 0; ; {
		found, err := r.readOrWait(ctx, scope, q.After, max(q.Limit, filteredPage), wait)
		read := len(found.Revisions)
		found = found.only(q.Actions).first(q.Limit)
		passed += read
		if err != nil || read == 0 || len(found.Revisions) > 0 || passed >= maxFiltered || ctx.Err() != nil {
			return found, err
		}
		q.After = found.Next
		if wait.Max > 0 { // the remaining time; at least a moment, so that it stays a wait
			wait.Max = max(time.Until(deadline), time.Nanosecond)
		}
	}
}

// readOrWait reads the feed, and waits if there is nothing new and the caller wants to
// wait.
func (r *Registry) readOrWait(ctx context.Context, scope feedScope, after Cursor, limit int, wait WaitOptions) (Changes, error) {
	if wait.Max <= 0 {
		return r.read(ctx, scope, after, limit)
	}
	return r.await(ctx, groupKey{scope, after}, limit, wait)
}

// read reads the feed once.
func (r *Registry) read(ctx context.Context, scope feedScope, after Cursor, limit int) (Changes, error) {
	if scope.all {
		return r.config.Store.AllChanges(ctx, after, limit)
	}
	return r.config.Store.Changes(ctx, scope.tenant, after, limit)
}

// only returns the changes with one of the actions. Next is behind those that are left
// out.
func (c Changes) only(actions []domain.Action) Changes {
	kept := Changes{Next: c.Next, HeldBack: c.HeldBack}
	for i := range c.Revisions {
		if slices.Contains(actions, c.Revisions[i].Action) {
			kept.Revisions = append(kept.Revisions, c.Revisions[i])
			kept.After = append(kept.After, c.After[i])
		}
	}
	return kept
}

// first returns the first changes, up to limit.
func (c Changes) first(limit int) Changes {
	if len(c.Revisions) > limit && len(c.After) >= limit {
		c.Revisions, c.After = c.Revisions[:limit:limit], c.After[:limit:limit]
		c.Next = c.After[limit-1]
	}
	return c
}

// followers contains the groups of waiting readers. The zero value is ready to use.
type followers struct {
	mu     sync.Mutex
	groups map[groupKey]*group
	paces  map[feedScope]pace
}

// feedScope is the feed that a reader follows: that of a tenant, or of all tenants.
type feedScope struct {
	tenant domain.TenantID // empty if all is set
	all    bool
}

// groupKey is what the readers of a group have in common.
type groupKey struct {
	scope feedScope
	after Cursor
}

// group is the readers that wait for the same changes. It ends with the first
// changes or the first error, or when its last reader leaves.
type group struct {
	key     groupKey
	cancel  context.CancelFunc
	readers int
	limit   int     // the maximum of the limits of its readers
	empty   Changes // the result of the last read, without changes

	polled  chan struct{} // closed after the first read if it returned no changes
	done    chan struct{} // closed when changes and err are set
	changes Changes
	err     error
}

// pace is the time until which the store is not read for readers at the cursor tip.
type pace struct {
	tip   Cursor
	until time.Time
}

// await waits as a reader of the group until there are changes, the maximum wait is over
// or the context ends.
func (r *Registry) await(ctx context.Context, key groupKey, limit int, wait WaitOptions) (Changes, error) {
	timeout := time.NewTimer(min(wait.Max, MaxWait))
	defer timeout.Stop()
	g := r.join(ctx, key, limit)
	select { // the maximum wait does not apply to the first read: a slow store would never be read
	case <-g.done:
	case <-g.polled:
	case <-ctx.Done():
	}
	select {
	case <-g.done:
	case <-timeout.C:
	case <-wait.Stop:
	case <-ctx.Done():
	}
	select {
	case <-g.done:
		return g.changes.first(limit), g.err
	default:
		return r.followers.leave(g), nil
	}
}

// join adds the reader to the group with the key, and starts the group if there is none.
func (r *Registry) join(ctx context.Context, key groupKey, limit int) *group {
	f := &r.followers
	f.mu.Lock()
	defer f.mu.Unlock()
	g := f.groups[key]
	if g == nil {
		if f.groups == nil {
			f.groups, f.paces = map[groupKey]*group{}, map[feedScope]pace{}
		}
		g = &group{key: key, polled: make(chan struct{}), done: make(chan struct{}), empty: Changes{Next: key.after}}
		var following context.Context
		following, g.cancel = context.WithCancel(context.WithoutCancel(ctx)) // readers come and go
		f.groups[key] = g
		go r.follow(following, g, f.pause(key, time.Now()))
	}
	g.readers++
	g.limit = max(g.limit, limit)
	return g
}

// leave removes a reader from a group that is not done, and returns the result of the
// group's last read.
func (f *followers) leave(g *group) Changes {
	f.mu.Lock()
	defer f.mu.Unlock()
	g.readers--
	if g.readers == 0 {
		f.remove(g)
	}
	return g.empty
}

// remove ends the reads for a group. The caller holds the mutex.
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
		if cause := recover(); cause != nil { // it would end the process: this goroutine does not belong to a request
			f.end(g, Changes{}, fmt.Errorf("panic: %v\n%s", cause, debug.Stack()))
		}
	}()
	if pause > 0 {
		sleep(ctx, nil, pause)
	}
	for signalled, first := false, true; ctx.Err() == nil; {
		committed, stop := r.watch(g.key.scope) // before the read, so that later commits are signalled
		changes, err := r.poll(ctx, g)
		if err != nil || len(changes.Revisions) > 0 {
			stop()
			f.end(g, changes, err)
			return
		}
		interval := f.keepEmpty(g, changes)
		if first {
			first = false
			close(g.polled)
		}
		if signalled {
			signalled = false
			sleep(ctx, nil, repollDelay)
		} else {
			signalled = sleep(ctx, committed, interval)
		}
		stop()
	}
}

// poll reads the store once.
func (r *Registry) poll(ctx context.Context, g *group) (Changes, error) {
	ctx, cancel := context.WithTimeout(ctx, pollTimeout)
	defer cancel()
	r.followers.mu.Lock()
	limit := g.limit
	r.followers.mu.Unlock()
	return r.read(ctx, g.key.scope, g.key.after, limit)
}

// watch signals the next commit that concerns the feed.
func (r *Registry) watch(scope feedScope) (committed <-chan struct{}, stop func()) {
	if scope.all {
		return r.config.Store.WatchAll()
	}
	return r.config.Store.Watch(scope.tenant)
}

// keepEmpty stores the result of a read without changes, and returns the time until the
// next read.
func (f *followers) keepEmpty(g *group, empty Changes) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	g.empty = empty
	return max(pollInterval, time.Duration(len(f.groups))*pollIntervalPerGroup)
}

// end passes the result to the readers of a group.
func (f *followers) end(g *group, changes Changes, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	if err == nil && g.readers > 0 {
		f.prune(now)
		f.paces[g.key.scope] = pace{changes.Next, now.Add(min(time.Duration(g.readers)*pacePerReader, maxPace))}
	}
	g.changes, g.err = changes, err
	f.remove(g)
	close(g.done)
}

// pause returns how long a new group waits before its first read. Only readers at the
// newest cursor wait, if others just received changes up to it; a reader that is behind
// does not wait. The caller holds the mutex.
func (f *followers) pause(key groupKey, now time.Time) time.Duration {
	if p := f.paces[key.scope]; p.tip == key.after {
		return p.until.Sub(now)
	}
	return 0
}

// prune removes the paces in the past if there are many. The caller holds the mutex.
func (f *followers) prune(now time.Time) {
	const many = 1024
	if len(f.paces) < many {
		return
	}
	for scope, p := range f.paces {
		if now.After(p.until) {
			delete(f.paces, scope)
		}
	}
}

// sleep waits until signal is closed, the time is over or the context ends. It reports
// whether signal was closed.
func sleep(ctx context.Context, signal <-chan struct{}, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-signal:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}
