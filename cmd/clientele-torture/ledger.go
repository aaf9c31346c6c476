package main

import (
	"sync"
	"time"
)

// ledger records, outside the service, what the service has acknowledged. It is safe
// for concurrent use.
type ledger struct {
	mu         sync.Mutex
	entries    []entry
	unknown    map[string]bool // marks of changes that may have been made
	failed     map[string]bool // ids of requests without a response
	lastAck    time.Time
	outage     time.Duration // longest time without an acknowledgement
	statuses   map[int]int
	unexpected []string // responses that no caller should get
}

// entry is an acknowledged change: the revision of the client that it created, and the
// mark that identifies the change.
type entry struct {
	clientID string
	revision int64
	mark     string
}

func newLedger() *ledger {
	return &ledger{unknown: map[string]bool{}, failed: map[string]bool{}, statuses: map[int]int{}}
}

// acknowledged records an acknowledged change.
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

// noResponse records a request without a response; its change may have been made.
func (l *ledger) noResponse(mark, requestID string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.unknown[mark] = true
	l.failed[requestID] = true
}

// errorResponse records an error status. After a 503 the change may have been made.
func (l *ledger) errorResponse(status int, mark, text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.statuses[status]++
	switch status {
	case 503:
		l.unknown[mark] = true
	case 401, 404, 409, 412, 429: // expected in some scenarios
	default:
		l.unexpected = append(l.unexpected, text)
	}
}

// acks returns the number of acknowledged changes.
func (l *ledger) acks() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.entries)
}
