package main

import (
	"io"
	"sync"
	"time"
)

// How long a line of the access log waits for others at most, and how much waits.
const (
	gatherFor   = 100 * time.Millisecond
	gatherBytes = 64 << 10
)

// gatheredLog writes what comes in one go from time to time: a write of its own for
// each request costs as much as a statement of the database. It is safe for
// concurrent use; each write is one or more whole lines.
type gatheredLog struct {
	to io.Writer

	mu      sync.Mutex
	waiting []byte

	ended, finished chan struct{}
}

func newGatheredLog(to io.Writer) *gatheredLog {
	l := &gatheredLog{to: to, ended: make(chan struct{}), finished: make(chan struct{})}
	go func() {
		defer close(l.finished)
		ticker := time.NewTicker(gatherFor)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				l.flush()
			case <-l.ended:
				l.flush()
				return
			}
		}
	}()
	return l
}

// Write implements [io.Writer]. It never fails: nobody could be told.
func (l *gatheredLog) Write(lines []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting = append(l.waiting, lines...)
	if len(l.waiting) >= gatherBytes {
		l.flushLocked()
	}
	return len(lines), nil
}

func (l *gatheredLog) flush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.flushLocked()
}

func (l *gatheredLog) flushLocked() {
	if len(l.waiting) > 0 {
		_, _ = l.to.Write(l.waiting)
		l.waiting = l.waiting[:0]
	}
}

// close writes what waits.
func (l *gatheredLog) close() {
	close(l.ended)
	<-l.finished
}
