package mirror

import (
	"context"
	"time"
)

// MaxDocuments is the number of documents that are kept.
const MaxDocuments = maxDocuments

// OpenAt is Open with a clock.
func OpenAt(ctx context.Context, config Config, now func() time.Time) (*Mirror, error) {
	return open(ctx, config, now)
}

// Cached returns the number of results that are kept for a client.
func (m *Mirror) Cached(id string) int {
	e, err := m.find(id)
	if err != nil {
		return 0
	}
	e.cache.mu.Lock()
	defer e.cache.mu.Unlock()
	return len(e.cache.verified)
}
