package postgres

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
)

// The pauses between attempts to listen: the first, which doubles with each failure,
// and the longest.
const (
	shortestPause = 250 * time.Millisecond
	longestPause  = 30 * time.Second
)

// errPooler means that notifications cannot be received on the way there is.
var errPooler = errors.New("the connection leads through a pooler")

// listenOn receives the notifications of other replicas until the store is closed.
func (n *news) listenOn() {
	listening := outage{log: n.route.log, subject: "notifications from other replicas"}
	pauses := backoff{}
	for n.ctx.Err() == nil {
		err := n.listenOnce(func() {
			pauses = backoff{}
			listening.note(nil)
		})
		if errors.Is(err, errPooler) {
			n.route.log.Warn("notifications from other replicas cannot be received through a pooler; " +
				"readers of the change feed look once a second unless a direct database URL is set")
			return
		}
		if n.ctx.Err() != nil {
			return
		}
		listening.note(err)
		n.sleep(pauses.next())
	}
}

// listenOnce listens until the connection fails. It calls begun when it listens.
func (n *news) listenOnce(begun func()) error {
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
	begun()
	n.readers.PublishAll() // notifications may have been missed until now
	for {
		notification, err := conn.WaitForNotification(n.ctx)
		if err != nil {
			return err
		}
		n.received(notification.Payload)
	}
}

// backoff is a sequence of pauses that double up to longestPause, each shortened at
// random by up to a half, so that replicas do not come back all at once.
type backoff struct{ failures int }

// next returns the next pause.
func (b *backoff) next() time.Duration {
	pause := longestPause
	if b.failures < 16 { // beyond, it is longer than the longest
		pause = min(shortestPause<<b.failures, longestPause)
	}
	b.failures++
	return pause - rand.N(pause/2) //nolint:gosec // only to spread attempts
}

// outage logs the beginning and the end of a failure, and not each failed attempt.
type outage struct {
	log     *slog.Logger
	subject string
	failing bool
}

// note takes the outcome of an attempt.
func (o *outage) note(err error) {
	switch {
	case err != nil && !o.failing:
		o.log.Warn(o.subject+" are interrupted; readers of the change feed look once a second", "error", err)
	case err == nil && o.failing:
		o.log.Info(o.subject + " are exchanged again")
	}
	o.failing = err != nil
}
