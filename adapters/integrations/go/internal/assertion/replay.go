package assertion

import (
	"context"
	"crypto/sha256"
	"errors"
	"sync"
	"time"
)

// Replay remembers client assertions.
type Replay interface {
	// Use reports whether the client did not use the assertion with this jti before, and
	// remembers it until it expires. It must be safe for concurrent use. Servers with
	// several replicas need one that all of them share. An error lets the authentication
	// fail as an outage.
	Use(ctx context.Context, clientID, jti string, expires time.Time) (fresh bool, err error)
}

// maxRemembered limits the memory for assertions, to about 10 MiB.
const maxRemembered = 100_000

// errFull reports that too many assertions are in use.
var errFull = errors.New("too many client assertions are in use")

// Memory is a [Replay] of one process.
type Memory struct {
	mu   sync.Mutex
	used map[[sha256.Size]byte]time.Time
	now  func() time.Time
}

// NewMemory returns a [Replay] of one process.
func NewMemory(now func() time.Time) *Memory {
	return &Memory{used: map[[sha256.Size]byte]time.Time{}, now: now}
}

// Use implements [Replay].
func (m *Memory) Use(_ context.Context, clientID, jti string, expires time.Time) (bool, error) {
	key := sha256.Sum256([]byte(clientID + "\x00" + jti))
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.used[key]; ok {
		return false, nil
	}
	if len(m.used) >= maxRemembered {
		m.forget()
	}
	if len(m.used) >= maxRemembered {
		return false, errFull
	}
	m.used[key] = expires
	return true, nil
}

// forget removes what has expired.
func (m *Memory) forget() {
	limit := m.now().Add(-clockSkew)
	for key, expires := range m.used {
		if expires.Before(limit) {
			delete(m.used, key)
		}
	}
}
