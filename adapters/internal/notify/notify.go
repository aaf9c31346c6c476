// Package notify signals readers that wait for the change feed of a tenant when
// that tenant has a new commit, and readers of the feed of all tenants when any has
// one. All stores use it.
//
//	changed, stop := hub.Watch(tenant)
//	defer stop()
//	// Read the feed. If it has nothing new, wait for changed and read it again.
package notify

import (
	"sync"

	"github.com/clientele-oauth/clientele/domain"
)

// Hub holds the readers that wait. Its memory is bounded by the number of
// tenants with at least one reader. The zero value is ready to use, and all
// methods are safe for concurrent use.
type Hub struct {
	mu     sync.Mutex
	topics map[domain.TenantID]*topic
	all    *topic // of the readers of all tenants; nil if there are none
}

// topic is the signal of one tenant.
type topic struct {
	changed chan struct{} // closed by Publish
	readers int
}

// Watch returns a channel that is closed by the next signal for the tenant. stop
// releases what the hub holds for this reader; it must be called exactly once.
func (h *Hub) Watch(tenant domain.TenantID) (changed <-chan struct{}, stop func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	t := h.topics[tenant]
	if t == nil {
		if h.topics == nil {
			h.topics = map[domain.TenantID]*topic{}
		}
		t = &topic{changed: make(chan struct{})}
		h.topics[tenant] = t
	}
	t.readers++
	return t.changed, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		t.readers--
		if t.readers == 0 && h.topics[tenant] == t { // after a signal it is no longer in the map
			delete(h.topics, tenant)
		}
	}
}

// WatchAll is Watch for the signals of all tenants.
func (h *Hub) WatchAll() (changed <-chan struct{}, stop func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.all == nil {
		h.all = &topic{changed: make(chan struct{})}
	}
	t := h.all
	t.readers++
	return t.changed, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		t.readers--
		if t.readers == 0 && h.all == t {
			h.all = nil
		}
	}
}

// publishToAll signals the readers of all tenants. The caller holds the mutex.
func (h *Hub) publishToAll() {
	if h.all != nil {
		close(h.all.changed)
		h.all = nil
	}
}

// Publish signals the readers of these tenants, and those of all tenants.
func (h *Hub) Publish(tenants ...domain.TenantID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.publishToAll()
	for _, tenant := range tenants {
		if t := h.topics[tenant]; t != nil {
			close(t.changed)
			delete(h.topics, tenant)
		}
	}
}

// PublishAll signals every reader.
func (h *Hub) PublishAll() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.publishToAll()
	for _, t := range h.topics {
		close(t.changed)
	}
	clear(h.topics)
}

// Watched returns the number of tenants with at least one reader, and one more if there
// is a reader of all tenants.
func (h *Hub) Watched() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.all != nil {
		return len(h.topics) + 1
	}
	return len(h.topics)
}
