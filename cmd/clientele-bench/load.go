package main

import (
	"context"
	"crypto/md5" //nolint:gosec // the same as in fillTenant; not used for security
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"
	"github.com/valyala/fasthttp"
	"golang.org/x/sync/errgroup"
)

// load sends requests to the service over keep-alive connections. Each connection
// sends its next request when it has the response to the previous one.
type load struct {
	url, operators string
	ids            []string
	secret         string // of the client ids[0]
	opts           options
	tokens         []string // of the tenant that the clients belong to

	mu     sync.Mutex
	random *rand.Rand
	serial int
}

func newLoad(on *target, ids []string, secret string, tokens []string, opts options) *load {
	return &load{
		url: on.URL, operators: on.Operators, ids: ids, secret: secret, opts: opts, tokens: tokens,
		random: rand.New(rand.NewPCG(opts.Seed, opts.Seed)), //nolint:gosec // the same choice in every run
	}
}

// headersOf returns the request headers for each token.
func headersOf(tokens []string) []http.Header {
	var headers []http.Header
	for _, token := range tokens {
		headers = append(headers, http.Header{"Authorization": {"Bearer " + token}, "Content-Type": {"application/json"}})
	}
	return headers
}

// draw returns a random number below n and a serial number that was never used before.
func (l *load) draw(n int) (chosen, serial int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.serial++
	return l.random.IntN(n), l.serial
}

// request returns the next request to send.
type request func() (method, path, body string)

func (l *load) client(suffix string) (path string, serial int) {
	i, serial := l.draw(len(l.ids))
	return "/admin/oauth/clients/" + l.ids[i] + suffix, serial
}

// update changes one field of a random client.
func (l *load) update() (method, path, body string) {
	path, serial := l.client("")
	return http.MethodPut, path, `{"logo_url":"https://app.example.com/logo-` + strconv.Itoa(serial) + `.png"}`
}

// rename changes the name of a random client, the field that the search uses.
func (l *load) rename() (method, path, body string) {
	path, serial := l.client("")
	return http.MethodPut, path, `{"name":"Application ` + strconv.Itoa(serial) + `"}`
}

func (l *load) read() (method, path, body string) {
	path, _ = l.client("")
	return http.MethodGet, path, ""
}

func (l *load) create() (method, path, body string) {
	_, serial := l.draw(1)
	return http.MethodPost, "/admin/oauth/clients", `{"name":"Created ` + strconv.Itoa(serial) +
		`","redirect_uris":["https://app.example.com/callback","https://app.example.com/silent"],` +
		`"grant_types":["authorization_code","refresh_token"],"scopes":["openid","profile","email","offline_access"]}`
}

func (l *load) verify() (method, path, body string) {
	return http.MethodPost, "/admin/oauth/clients/" + l.ids[0] + "/verify-secret", `{"secret":"` + l.secret + `"}`
}

// The following requests read a tenant with many clients.

func (t tenant) page(*load) request {
	return func() (string, string, string) { return http.MethodGet, "/admin/oauth/clients?page_size=100", "" }
}

func (t tenant) walk(l *load) request {
	return func() (string, string, string) {
		n, _ := l.draw(t.clients - t.clients/10)
		return http.MethodGet, fmt.Sprintf("/admin/oauth/clients?limit=100&after=app-%08d", n), ""
	}
}

func (t tenant) search(l *load) request {
	return func() (string, string, string) {
		n, _ := l.draw(t.clients)
		sum := md5.Sum([]byte(strconv.Itoa(n + 1))) //nolint:gosec // the same as in fillTenant; not used for security
		return http.MethodGet, "/admin/oauth/clients?name=" + hex.EncodeToString(sum[:])[:12], ""
	}
}

func (t tenant) filter(l *load) request {
	return func() (string, string, string) {
		n, _ := l.draw(t.clients / 10)
		return http.MethodGet, fmt.Sprintf("/admin/oauth/clients?redirect_host=h%d.example.com&status=active", n), ""
	}
}

func (t tenant) poll(*load) request {
	return func() (string, string, string) { return http.MethodGet, "/admin/oauth/changes?after=" + t.changes, "" }
}

func (t tenant) feed(*load) request {
	return func() (string, string, string) { return http.MethodGet, "/admin/oauth/changes?limit=100", "" }
}

// peak measures the requests per second if each connection sends its next request as
// soon as it has the response to the previous one. If one request fails, the whole
// measurement fails, because its result would be meaningless. The load shares the machine
// with the service, so it uses the HTTP client with the lowest cost.
func (l *load) peak(ctx context.Context, headers []http.Header, next request) (perSecond float64, requests uint64, err error) {
	client := &fasthttp.HostClient{Addr: strings.TrimPrefix(l.url, "http://"), MaxConns: l.opts.Connections}
	defer client.CloseIdleConnections()
	var (
		done  atomic.Uint64
		group errgroup.Group
	)
	began := time.Now()
	for c := range l.opts.Connections {
		group.Go(func() error {
			r, response := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
			defer fasthttp.ReleaseRequest(r)
			defer fasthttp.ReleaseResponse(response)
			for name, values := range headers[c%len(headers)] {
				r.Header.Set(name, values[0])
			}
			for time.Since(began) < l.opts.Duration && ctx.Err() == nil {
				method, path, body := next()
				r.Header.SetMethod(method)
				r.SetRequestURI(l.url + path)
				r.SetBodyString(body)
				if err := client.Do(r, response); err != nil {
					return err
				}
				if status := response.StatusCode(); status >= http.StatusBadRequest {
					return fmt.Errorf("response %d: %s", status, response.Body())
				}
				done.Add(1)
			}
			return ctx.Err()
		})
	}
	err = group.Wait()
	return float64(done.Load()) / time.Since(began).Seconds(), done.Load(), err
}

// atRate sends requests at a fixed rate, independent of the response times, and returns
// the measured latencies.
func (l *load) atRate(ctx context.Context, headers []http.Header, next request, rate vegeta.Rate) (*vegeta.Metrics, error) {
	connections := uint64(l.opts.Connections) //nolint:gosec // a small number
	attacker := vegeta.NewAttacker(
		vegeta.Workers(connections), vegeta.MaxWorkers(connections), vegeta.Connections(l.opts.Connections), vegeta.KeepAlive(true),
	)
	defer attacker.Stop()
	var turn atomic.Uint64
	targeter := func(t *vegeta.Target) error {
		method, path, body := next()
		t.Method, t.URL, t.Body = method, l.url+path, []byte(body)
		t.Header = headers[turn.Add(1)%uint64(len(headers))]
		return nil
	}
	var metrics vegeta.Metrics
	for result := range attacker.Attack(targeter, rate, l.opts.Duration, "") {
		if result.Error != "" {
			return nil, fmt.Errorf("response %d %s: %s", result.Code, result.Error, result.Body)
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		metrics.Add(result)
	}
	metrics.Close()
	return &metrics, nil
}
