package postgres

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
)

// The delays between attempts to listen: the first one, which doubles with each failure,
// and the maximum.
const (
	minDelay = 250 * time.Millisecond
	maxDelay = 30 * time.Second
)

// errPooler means that the connections cannot receive notifications.
var errPooler = errors.New("the connection leads through a pooler")

// listenOn receives the notifications of other replicas until the store is closed.
func (n *notifier) listenOn() {
	listening := outage{log: n.route.log, subject: "notifications from other replicas"}
	delays := backoff{}
	for n.ctx.Err() == nil {
		err := n.listenOnce(func() {
			delays = backoff{}
			listening.note(nil)
		})
		if errors.Is(err, errPooler) {
			n.route.log.Warn("notifications from other replicas cannot be received through a pooler; " +
				"readers of the change feed poll once a second unless a direct database URL is set")
			return
		}
		if n.ctx.Err() != nil {
			return
		}
		listening.note(err)
		n.sleep(delays.next())
	}
}

// listenOnce listens until the connection fails. It calls started once it listens.
func (n *notifier) listenOnce(started func()) error {
	config := n.route.direct
	if config == nil {
		config = n.pool.Config().ConnConfig
		if behindPooler, err := n.route.findPooler(n.ctx, config); err != nil {
			return err
		} else if behindPooler {
			return errPooler
		}
	}
	conn, err := pgx.ConnectConfig(n.ctx, config)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(n.ctx)) }()
	if _, err := conn.Exec(n.ctx, "LISTEN "+channel); err != nil {
		return err
	}
	started()
	n.readers.PublishAll() // notifications may have been missed until now
	for {
		notification, err := conn.WaitForNotification(n.ctx)
		if err != nil {
			return err
		}
		n.received(notification.Payload)
	}
}

// backoff is a sequence of delays that double up to maxDelay. Each is shortened at random
// by up to a half, so that replicas do not reconnect at the same moment.
type backoff struct{ failures int }

// next returns the next delay.
func (b *backoff) next() time.Duration {
	delay := maxDelay
	if b.failures < 16 { // a larger shift exceeds maxDelay and may overflow
		delay = min(minDelay<<b.failures, maxDelay)
	}
	b.failures++
	return delay - rand.N(delay/2) //nolint:gosec // only spreads the attempts
}

// outage logs the start and the end of a failure, but not each failed attempt.
type outage struct {
	log     *slog.Logger
	subject string
	failing bool
}

// note records the result of an attempt.
func (o *outage) note(err error) {
	switch {
	case err != nil && !o.failing:
		o.log.Warn(o.subject+" are interrupted; readers of the change feed poll once a second", "error", err)
	case err == nil && o.failing:
		o.log.Info(o.subject + " work again")
	}
	o.failing = err != nil
}
