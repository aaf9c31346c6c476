package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"
)

// load drives the service over keep-alive connections, each of which sends its
// next request when the last one is answered.
type load struct {
	service *service
	ids     []string
	opts    options
	header  http.Header

	mu     sync.Mutex
	random *rand.Rand
	serial int
}

func newLoad(s *service, ids []string, opts options) *load {
	return &load{
		service: s, ids: ids, opts: opts,
		header: http.Header{"Authorization": {"Bearer " + s.token}, "Content-Type": {"application/json"}},
		random: rand.New(rand.NewPCG(opts.Seed, opts.Seed)), //nolint:gosec // the same choice in every run
	}
}

// next chooses a client and a number that was never used before.
func (l *load) next() (url string, serial int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.serial++
	return l.service.url + "/admin/oauth/clients/" + l.ids[l.random.IntN(len(l.ids))], l.serial
}

// updates measures PUT of one member of one of the clients.
func (l *load) updates(ctx context.Context) (float64, error) {
	return l.attack(ctx, func(t *vegeta.Target) error {
		url, serial := l.next()
		t.Method, t.URL, t.Header = http.MethodPut, url, l.header
		t.Body = fmt.Appendf(nil, `{"name":"Application %d"}`, serial)
		return nil
	})
}

// reads measures GET of one of the clients.
func (l *load) reads(ctx context.Context) (float64, error) {
	return l.attack(ctx, func(t *vegeta.Target) error {
		url, _ := l.next()
		t.Method, t.URL, t.Header = http.MethodGet, url, l.header
		return nil
	})
}

// attack runs as many requests as the connections can carry. A request that
// fails makes the whole measurement fail: it is no figure then.
func (l *load) attack(ctx context.Context, targeter vegeta.Targeter) (float64, error) {
	connections := uint64(l.opts.Connections) //nolint:gosec // a small number
	attacker := vegeta.NewAttacker(
		vegeta.Workers(connections), vegeta.MaxWorkers(connections), vegeta.Connections(l.opts.Connections), vegeta.KeepAlive(true),
	)
	defer attacker.Stop()
	started, done := time.Now(), 0
	for result := range attacker.Attack(targeter, vegeta.Rate{}, l.opts.Duration, "") {
		if result.Code != http.StatusOK {
			return 0, fmt.Errorf("answer %d %s: %s", result.Code, result.Error, result.Body)
		}
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		done++
	}
	return float64(done) / time.Since(started).Seconds(), nil
}
