package postgres

import (
	"context"
	"crypto/rand"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/clientele-oauth/clientele/adapters/internal/notify"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// How other replicas learn of commits. NOTIFY inside of a commit would make all commits
// wait for each other, because the server holds a lock while it appends to its one queue
// of notifications. So one notification is sent after the commits of broadcastDelay.
const (
	channel          = "clientele_changes"
	broadcastDelay   = 20 * time.Millisecond
	broadcastTimeout = 5 * time.Second
)

// notifier signals commits to readers that wait for the change feed: to those of this
// process at once, to those of other replicas a little later. No reader depends on it,
// since each also polls from time to time.
type notifier struct {
	pool  *pgxpool.Pool
	route *route
	end   context.CancelFunc
	done  sync.WaitGroup
	ctx   context.Context //nolint:containedctx // ends with the store; the goroutines run until then

	listen sync.Once
	send   chan struct{}

	readers notify.Hub
	self    string // identifies this process in notifications

	mu      sync.Mutex
	pending map[domain.TenantID]struct{} // tenants of the next notification
}

func startNotifier(pool *pgxpool.Pool, route *route) *notifier {
	ctx, cancel := context.WithCancel(context.Background())
	n := &notifier{pool: pool, route: route, end: cancel, ctx: ctx, send: make(chan struct{}, 1), self: rand.Text()}
	n.done.Go(n.broadcast)
	return n
}

func (n *notifier) stop() {
	n.end()
	n.done.Wait()
}

// Watch implements [application.Store]. The first call makes the store listen to the
// other replicas, on a connection of its own.
func (s *Store) Watch(tenant domain.TenantID) (changed <-chan struct{}, stop func()) {
	s.notifier.listen.Do(func() { s.notifier.done.Go(s.notifier.listenOn) })
	return s.notifier.readers.Watch(tenant)
}

// WatchAll implements [application.Store], like Watch.
func (s *Store) WatchAll() (changed <-chan struct{}, stop func()) {
	s.notifier.listen.Do(func() { s.notifier.done.Go(s.notifier.listenOn) })
	return s.notifier.readers.WatchAll()
}

// publish signals a commit of this process.
func (n *notifier) publish(tenant domain.TenantID) {
	n.readers.Publish(tenant)
	n.mu.Lock()
	if n.pending == nil {
		n.pending = map[domain.TenantID]struct{}{}
	}
	n.pending[tenant] = struct{}{}
	n.mu.Unlock()
	select {
	case n.send <- struct{}{}:
	default: // the next notification includes this commit
	}
}

// broadcast sends notifications to the other replicas until the store is closed. A
// replica that misses one finds the change when it polls, a second later.
func (n *notifier) broadcast() {
	sending := outage{log: n.route.log, subject: "notifications to other replicas"}
	for {
		select {
		case <-n.send:
		case <-n.ctx.Done():
			return
		}
		if !n.sleep(broadcastDelay) {
			return
		}
		ctx, cancel := context.WithTimeout(n.ctx, broadcastTimeout)
		// There is nothing to be made durable, so the server need not wait for the disk.
		_, err := n.pool.Exec(ctx, `SET LOCAL synchronous_commit = off; SELECT pg_notify($1, $2)`,
			pgx.QueryExecModeSimpleProtocol, channel, n.payload())
		cancel()
		if n.ctx.Err() == nil {
			sending.note(err)
		}
	}
}

// sleep reports whether the time passed before the store was closed.
func (n *notifier) sleep(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-n.ctx.Done():
		return false
	}
}

var _ application.Store = (*Store)(nil)
