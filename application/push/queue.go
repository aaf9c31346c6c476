package push

import (
	"container/heap"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// checkpoint is a position in the feed that can be stored when all clients that changed
// before it were pushed once, successfully or not.
type checkpoint struct {
	cursor      application.Cursor
	outstanding int // clients that are not done
	complete    bool
	reconciled  bool // it is the end of a reconciliation
}

// entry is a client in the queue.
type entry struct {
	id          domain.ClientID
	checkpoints []*checkpoint // that wait for it
	since       time.Time     // when the oldest change of it was made that is not pushed yet; zero if unknown
	pushing     time.Time     // the same, of what is being pushed
	absent      bool          // the last reconciliation did not find it at the server
	attempts    int           // that failed, since the last success
	ready       bool          // in the list of clients to be pushed now
	running     bool
	again       bool      // marked while it was running
	due         time.Time // when it is pushed again; zero unless it waits
	at          int       // in the heap of waiting clients
}

// waiting is the heap of clients that wait for a time.
type waiting []*entry

func (w waiting) Len() int           { return len(w) }
func (w waiting) Less(i, j int) bool { return w[i].due.Before(w[j].due) }
func (w waiting) Swap(i, j int) {
	w[i], w[j] = w[j], w[i]
	w[i].at, w[j].at = i, j
}

// Push implements [heap.Interface].
func (w *waiting) Push(x any) {
	e := x.(*entry)
	e.at = len(*w)
	*w = append(*w, e)
}

// Pop implements [heap.Interface].
func (w *waiting) Pop() any {
	last := (*w)[len(*w)-1]
	*w = (*w)[:len(*w)-1]
	return last
}

// queue has the clients that are to be pushed, each at most once: what is pushed is the
// state of the client at that time. A client that waits for its next attempt holds up no
// other.
type queue struct {
	mu          sync.Mutex
	entries     map[domain.ClientID]*entry
	ready       []*entry // to be pushed now
	retries     []*entry // the same, of clients whose last attempt failed
	retrying    int      // that are running
	maxRetrying int      // so that clients that fail slowly leave room for others
	waiting     waiting
	checkpoints []*checkpoint // in the order of the feed
	changed     chan struct{} // closed when something becomes ready
}

// newQueue returns a queue from which as many clients are taken at the same time.
func newQueue(concurrency int) *queue {
	return &queue{entries: map[domain.ClientID]*entry{}, maxRetrying: max(concurrency/2, 1), changed: make(chan struct{})}
}

// open begins a checkpoint. [queue.mark] adds clients to it until [queue.close].
func (q *queue) open(cursor application.Cursor, reconciled bool) *checkpoint {
	q.mu.Lock()
	defer q.mu.Unlock()
	c := &checkpoint{cursor: cursor, reconciled: reconciled}
	q.checkpoints = append(q.checkpoints, c)
	return c
}

// close ends the checkpoint: it is reached when its clients are done.
func (q *queue) close(c *checkpoint) {
	q.mu.Lock()
	defer q.mu.Unlock()
	c.complete = true
}

// drop ends a checkpoint that means nothing when it is reached.
func (q *queue) drop(c *checkpoint) {
	q.mu.Lock()
	defer q.mu.Unlock()
	c.complete, c.cursor, c.reconciled = true, "", false
}

// mark adds a client, to be pushed now.
func (q *queue) mark(id domain.ClientID, c *checkpoint, since time.Time, absent bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	e := q.entries[id]
	if e == nil {
		e = &entry{id: id, at: -1}
		q.entries[id] = e
	}
	if c != nil {
		e.checkpoints = append(e.checkpoints, c)
		c.outstanding++
	}
	e.since = earlier(e.since, since)
	e.absent = absent
	q.wake(e)
}

// wake makes an entry ready, or repeats it if it is running. The caller holds the mutex.
func (q *queue) wake(e *entry) {
	switch {
	case e.ready:
		return
	case e.running:
		e.again = true
		return
	case !e.due.IsZero():
		heap.Remove(&q.waiting, e.at)
		e.due = time.Time{}
	}
	e.ready = true
	if e.attempts > 0 {
		q.retries = append(q.retries, e)
	} else {
		q.ready = append(q.ready, e)
	}
	q.signal()
}

// signal wakes those who wait for a client. The caller holds the mutex.
func (q *queue) signal() {
	close(q.changed)
	q.changed = make(chan struct{})
}

// wakeRetries makes the clients ready whose last attempt failed.
func (q *queue) wakeRetries() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, e := range slices.Clone(q.waiting) {
		if e.attempts > 0 {
			q.wake(e)
		}
	}
}

// next removes the next client that may be pushed; nil if there is none. The caller holds
// the mutex.
func (q *queue) next() (e *entry) {
	switch {
	case len(q.ready) > 0:
		e, q.ready = q.ready[0], q.ready[1:]
	case len(q.retries) > 0 && q.retrying < q.maxRetrying:
		e, q.retries = q.retries[0], q.retries[1:]
		q.retrying++
	}
	return e
}

// job is a client to be pushed.
type job struct {
	*entry

	checkpoints []*checkpoint
	since       time.Time
	absent      bool
	retry       bool
}

// take waits for a client that is to be pushed; ok is false when the context has ended.
// Every job must be given to [queue.done].
func (q *queue) take(ctx context.Context) (j job, ok bool) {
	for {
		q.mu.Lock()
		now := time.Now()
		for len(q.waiting) > 0 && !q.waiting[0].due.After(now) {
			q.wake(q.waiting[0])
		}
		if ctx.Err() != nil {
			q.mu.Unlock()
			return job{}, false
		}
		if e := q.next(); e != nil {
			j = job{entry: e, checkpoints: e.checkpoints, since: e.since, absent: e.absent, retry: e.attempts > 0}
			e.ready, e.running, e.absent = false, true, false
			e.checkpoints, e.since, e.pushing = nil, time.Time{}, e.since
			q.mu.Unlock()
			return j, true
		}
		changed := q.changed
		wait := time.Hour
		if len(q.waiting) > 0 {
			wait = q.waiting[0].due.Sub(now)
		}
		q.mu.Unlock()
		timer := time.NewTimer(wait)
		select {
		case <-changed:
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return job{}, false
		}
		timer.Stop()
	}
}

// done ends a job. If failed is true it is repeated after a pause, which grows with each
// attempt. Otherwise it is repeated after next, unless that is 0.
func (q *queue) done(j job, failed bool, next time.Duration, pause func(attempts int) time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	e := j.entry
	for _, c := range j.checkpoints {
		c.outstanding--
	}
	e.running = false
	if j.retry {
		q.retrying--
		q.signal()
	}
	if failed {
		e.attempts++
		e.since = earlier(e.since, j.since)
		next = pause(e.attempts)
	} else {
		e.attempts = 0
	}
	switch {
	case e.again:
		e.again = false
		q.wake(e)
	case next > 0:
		e.due = time.Now().Add(next)
		heap.Push(&q.waiting, e)
		q.signal() // the time may be the next one
	default:
		delete(q.entries, e.id)
	}
}

// reached removes the checkpoints that are reached, and returns the cursor of the last one;
// empty if there is none. reconciled reports whether one of them ended a reconciliation.
func (q *queue) reached() (cursor application.Cursor, reconciled bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.checkpoints) > 0 && q.checkpoints[0].complete && q.checkpoints[0].outstanding == 0 {
		if c := q.checkpoints[0].cursor; c != "" {
			cursor = c
		}
		reconciled = reconciled || q.checkpoints[0].reconciled
		q.checkpoints = q.checkpoints[1:]
	}
	return cursor, reconciled
}

// unreach puts back what could not be stored.
func (q *queue) unreach(cursor application.Cursor, reconciled bool) {
	if cursor == "" && !reconciled {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.checkpoints = append([]*checkpoint{{cursor: cursor, reconciled: reconciled, complete: true}}, q.checkpoints...)
}

// abandon ends a job that was not carried out, because the term is over. Its checkpoints
// are never reached.
func (q *queue) abandon(j job) {
	q.mu.Lock()
	defer q.mu.Unlock()
	j.running = false
}

// forgetCursors makes that no position of an open checkpoint is ever reached.
func (q *queue) forgetCursors() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, c := range q.checkpoints {
		c.cursor = ""
	}
}

// behind returns how many checkpoints are not reached.
func (q *queue) behind() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.checkpoints)
}

// size returns how many clients are to be pushed now or are being pushed, how many wait for
// another attempt, and when the oldest change was made that is not pushed yet; the zero time
// if there is none.
func (q *queue) size() (now, retried int, since time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, e := range q.entries {
		switch {
		case e.ready, e.running:
			now++
		case e.attempts > 0:
			retried++
		default:
			continue // it waits for the end of its secret
		}
		since = earlier(since, e.since)
		if e.running {
			since = earlier(since, e.pushing)
		}
	}
	return now, retried, since
}

// earlier returns the earlier of two times; a zero time does not count.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) && !b.IsZero() {
		return b
	}
	return a
}
