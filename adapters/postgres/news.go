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

// How commits are told to the other replicas. A notification inside of a
// commit would make all commits wait for each other, since the server puts
// notifications in one queue while it holds a lock; so they are sent afterwards,
// one for all commits of a while.
const (
	channel      = "clientele_changes"
	sendEvery    = 20 * time.Millisecond
	sendDeadline = 5 * time.Second
)

// news hears of commits, in this process at once and in others a little later.
// It is a courtesy: whoever waits looks from time to time all the same.
type news struct {
	pool  *pgxpool.Pool
	route *route
	end   context.CancelFunc
	done  sync.WaitGroup
	ctx   context.Context //nolint:containedctx // the life of the goroutines

	listen sync.Once
	send   chan struct{}

	readers notify.Hub
	self    string // names this process in notifications

	mu      sync.Mutex
	pending map[domain.TenantID]struct{} // tenants that other replicas are to be told of
}

func startNews(pool *pgxpool.Pool, route *route) *news {
	ctx, cancel := context.WithCancel(context.Background())
	n := &news{pool: pool, route: route, end: cancel, ctx: ctx, send: make(chan struct{}, 1), self: rand.Text()}
	n.done.Go(n.sendAll)
	return n
}

func (n *news) stop() {
	n.end()
	n.done.Wait()
}

// Watch implements [application.Store]. The first one who watches makes the
// store listen to the other replicas, over a connection of its own.
func (s *Store) Watch(tenant domain.TenantID) (news <-chan struct{}, stop func()) {
	s.news.listen.Do(func() { s.news.done.Go(s.news.listenOn) })
	return s.news.readers.Watch(tenant)
}

// committed signals a commit of this process.
func (n *news) committed(tenant domain.TenantID) {
	n.readers.Publish(tenant)
	n.mu.Lock()
	if n.pending == nil {
		n.pending = map[domain.TenantID]struct{}{}
	}
	n.pending[tenant] = struct{}{}
	n.mu.Unlock()
	select {
	case n.send <- struct{}{}:
	default: // one that is about to be sent tells of this commit too
	}
}

// sendAll tells the other replicas of commits, those of a while at once. That
// one of them does not hear of it costs it a second.
func (n *news) sendAll() {
	sending := outage{log: n.route.log, subject: "notifications to other replicas"}
	for {
		select {
		case <-n.send:
		case <-n.ctx.Done():
			return
		}
		if !n.sleep(sendEvery) {
			return
		}
		ctx, cancel := context.WithTimeout(n.ctx, sendDeadline)
		// Nothing depends on its being on the disk.
		_, err := n.pool.Exec(ctx, `SET LOCAL synchronous_commit = off; SELECT pg_notify($1, $2)`,
			pgx.QueryExecModeSimpleProtocol, channel, n.payload())
		cancel()
		if n.ctx.Err() == nil {
			sending.note(err)
		}
	}
}

// sleep reports whether the time passed before the store was closed.
func (n *news) sleep(d time.Duration) bool {
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
