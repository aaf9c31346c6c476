package main

import (
	"context"
	"crypto/md5" //nolint:gosec // the same as in fillTenant, and no secret
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"
)

// load drives the service over keep-alive connections, each of which sends its
// next request when the last one is answered.
type load struct {
	service *target
	ids     []string
	secret  string // of a client, ids[0]
	opts    options
	header  http.Header

	mu     sync.Mutex
	random *rand.Rand
	serial int
}

func newLoad(s *target, ids []string, secret string, opts options) *load {
	return &load{
		service: s, ids: ids, secret: secret, opts: opts, header: headerOf(s.token),
		random: rand.New(rand.NewPCG(opts.Seed, opts.Seed)), //nolint:gosec // the same choice in every run
	}
}

func headerOf(token string) http.Header {
	return http.Header{"Authorization": {"Bearer " + token}, "Content-Type": {"application/json"}}
}

// draw chooses a number below n, and one that was never used before.
func (l *load) draw(n int) (chosen, serial int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.serial++
	return l.random.IntN(n), l.serial
}

// request is what to send, made anew for each time.
type request func() (method, path, body string)

func (l *load) client(suffix string) (path string, serial int) {
	i, serial := l.draw(len(l.ids))
	return "/admin/oauth/clients/" + l.ids[i] + suffix, serial
}

// update sets one member of one of the clients.
func (l *load) update() (method, path, body string) {
	path, serial := l.client("")
	return http.MethodPut, path, `{"logo_url":"https://app.example.com/logo-` + strconv.Itoa(serial) + `.png"}`
}

// rename sets the one member that lists are searched by.
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

// The requests about a tenant with many clients.

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
		sum := md5.Sum([]byte(strconv.Itoa(n + 1))) //nolint:gosec // the same as in fillTenant, and no secret
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

// run measures how many a second of the requests are carried out. One that
// fails makes the whole measurement fail: it is no figure then.
func (l *load) run(ctx context.Context, header http.Header, next request) (float64, error) {
	connections := uint64(l.opts.Connections) //nolint:gosec // a small number
	attacker := vegeta.NewAttacker(
		vegeta.Workers(connections), vegeta.MaxWorkers(connections), vegeta.Connections(l.opts.Connections), vegeta.KeepAlive(true),
	)
	defer attacker.Stop()
	targeter := func(t *vegeta.Target) error {
		method, path, body := next()
		t.Method, t.URL, t.Header, t.Body = method, l.service.URL+path, header, []byte(body)
		return nil
	}
	started, done := time.Now(), 0
	for result := range attacker.Attack(targeter, vegeta.Rate{}, l.opts.Duration, "") {
		if result.Error != "" {
			return 0, fmt.Errorf("answer %d %s: %s", result.Code, result.Error, result.Body)
		}
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		done++
	}
	return float64(done) / time.Since(started).Seconds(), nil
}
