package main

import (
	"sync"
	"time"
)

// ledger is what the service has acknowledged, kept outside of it. It is safe for
// concurrent use.
type ledger struct {
	mu       sync.Mutex
	entries  []entry
	unknown  map[string]bool // marks whose fate nobody told
	failed   map[string]bool // ids of requests that got no answer
	lastAck  time.Time
	outage   time.Duration // longest time without an acknowledgement
	statuses map[int]int
	odd      []string // answers that no caller should see
}

// entry is an acknowledged change: the revision of the client that it is, and the
// mark by which the change is recognised.
type entry struct {
	clientID string
	revision int64
	mark     string
}

func newLedger() *ledger {
	return &ledger{unknown: map[string]bool{}, failed: map[string]bool{}, statuses: map[int]int{}}
}

// acknowledged notes a change that was acknowledged.
func (l *ledger) acknowledged(e entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries = append(l.entries, e)
	now := time.Now()
	if !l.lastAck.IsZero() {
		l.outage = max(l.outage, now.Sub(l.lastAck))
	}
	l.lastAck = now
}

// unanswered notes a change that may have been carried out.
func (l *ledger) unanswered(mark, requestID string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.unknown[mark] = true
	l.failed[requestID] = true
}

// answered notes a status that is no acknowledgement. After a 503 nobody knows.
func (l *ledger) answered(status int, mark, text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.statuses[status]++
	switch status {
	case 503:
		l.unknown[mark] = true
	case 401, 404, 409, 412, 429: // as scenarios bring about
	default:
		l.odd = append(l.odd, text)
	}
}

// acks is how many changes were acknowledged so far.
func (l *ledger) acks() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.entries)
}
