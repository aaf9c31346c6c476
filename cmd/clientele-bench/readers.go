package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"
)

// The readers of the change feed during the measurement of updates.
const (
	waitingReaders = 1024
	// followingReaders is the number of readers that receive every change. Their cost is
	// proportional to their number and to the number of changes, in every implementation.
	followingReaders = 16
	// waitingTenants is the number of tenants that the waiting readers belong to. Their
	// feeds have nothing new.
	waitingTenants = 16
	readersTimeout = time.Minute
)

// readers is a group of readers that wait for changes until it is stopped.
type readers struct {
	stop      context.CancelFunc
	group     sync.WaitGroup
	mu        sync.Mutex
	conns     []net.Conn
	responses atomic.Int64
	failure   atomic.Pointer[error]
}

// startReaders starts n readers of the tenants' feeds, each at the end of its feed. It
// returns when all of them wait.
func startReaders(ctx context.Context, t *target, n int, tenants ...string) (*readers, error) {
	r := &readers{}
	ctx, r.stop = context.WithCancel(ctx)
	followed := make([]tenant, len(tenants))
	for i, name := range tenants {
		tokens, err := t.issuer.tokens(name)
		if err != nil {
			return nil, errors.Join(err, r.end())
		}
		followed[i] = tenant{name: name, tokens: tokens}
	}
	if err := t.findFeedEnds(ctx, followed); err != nil {
		return nil, errors.Join(err, r.end())
	}
	connections := &fasthttp.HostClient{
		Addr: strings.TrimPrefix(t.URL, "http://"), MaxConns: n, ReadTimeout: readersTimeout, MaxIdleConnDuration: readersTimeout,
		Dial: func(address string) (net.Conn, error) { return r.dial(ctx, address) },
	}
	for i := range n {
		own := followed[i%len(followed)]
		r.group.Go(func() { r.follow(ctx, connections, t.URL, own.tokens[0], own.changes) })
	}
	deadline := time.Now().Add(readersTimeout)
	for {
		wait, err := t.waiting(ctx)
		switch {
		case wait == n && err == nil:
			return r, nil
		case err != nil, r.failure.Load() != nil, time.Now().After(deadline):
			return nil, errors.Join(err, fmt.Errorf("only %d of %d readers wait", wait, n), r.end())
		}
	}
}

// waiting returns how many requests wait for changes, according to the service's metrics.
func (t *target) waiting(ctx context.Context) (n int, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, t.Operators+"/metrics", http.NoBody)
	if err != nil {
		return 0, err
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err
	}
	_, value, _ := strings.Cut(string(text), "\nclientele_feed_readers_waiting ")
	value, _, _ = strings.Cut(value, "\n")
	return strconv.Atoi(value)
}

func (r *readers) follow(ctx context.Context, connections *fasthttp.HostClient, url, token, after string) {
	request, response := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
	defer fasthttp.ReleaseRequest(request)
	defer fasthttp.ReleaseResponse(response)
	request.Header.Set("Authorization", "Bearer "+token)
	for ctx.Err() == nil {
		uri := url + "/admin/oauth/changes?limit=500&wait_seconds=30"
		if after != "" {
			uri += "&after=" + after
		}
		request.SetRequestURI(uri)
		err := connections.Do(request, response)
		if ctx.Err() != nil {
			return
		}
		if err == nil && response.StatusCode() != http.StatusOK {
			err = fmt.Errorf("reader: response %d: %s", response.StatusCode(), response.Body())
		}
		var page struct {
			Data struct {
				Next string `json:"next"`
			} `json:"data"`
		}
		if err == nil {
			err = json.Unmarshal(response.Body(), &page)
		}
		if err != nil {
			r.failure.CompareAndSwap(nil, &err)
			return
		}
		after = page.Data.Next
		r.responses.Add(1)
	}
}

// dial records the connections, so that end can close them and so end the waiting
// requests. It opens no connection after that; otherwise the client would repeat the
// requests on new ones.
func (r *readers) dial(ctx context.Context, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil && ctx.Err() != nil {
		return nil, errors.Join(ctx.Err(), conn.Close())
	}
	if err == nil {
		r.conns = append(r.conns, conn)
	}
	return conn, err
}

// end stops the readers.
func (r *readers) end() error {
	r.stop()
	r.mu.Lock()
	for _, conn := range r.conns {
		_ = conn.Close()
	}
	r.mu.Unlock()
	r.group.Wait()
	if failure := r.failure.Load(); failure != nil {
		return *failure
	}
	return nil
}

// withReaders returns the measurement with n readers that follow the tenants' feeds.
func (b *bench) withReaders(m measurement, t *target, n int, tenants ...string) measurement {
	run := m.run
	m.run = func(ctx context.Context) (float64, error) {
		waiting, err := startReaders(ctx, t, n, tenants...)
		if err != nil {
			return 0, err
		}
		before := waiting.responses.Load()
		perSecond, err := run(ctx)
		b.responses[m.name] = waiting.responses.Load() - before
		return perSecond, errors.Join(err, waiting.end())
	}
	return m
}

// idleTenants returns the names of tenants without changes.
func idleTenants() (names []string) {
	for i := range waitingTenants {
		names = append(names, fmt.Sprintf("tenant_idle_%d", i))
	}
	return names
}
