package mirror_test

import (
	"context"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/clientele-oauth/clientele/api/client"
	"github.com/clientele-oauth/clientele/api/mirror"
	"github.com/clientele-oauth/clientele/cmd/servicetest"
)

// binary is the program.
var binary string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "clientele")
	if err != nil {
		log.Print(err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if binary, err = servicetest.Build(context.Background(), dir); err != nil {
		log.Print(err)
		return 1
	}
	if code := m.Run(); code != 0 {
		return code
	}
	if err := goleak.Find(); err != nil {
		log.Print(err)
		return 1
	}
	return 0
}

// registry is a running registry that can be killed and started again at its address.
type registry struct {
	t       testing.TB
	data    string
	address string
	process *servicetest.Process
	url     string
	admin   *client.ClientWithResponses
	args    []string
}

func newRegistry(t testing.TB, args ...string) *registry {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	r := &registry{t: t, data: t.TempDir(), address: listener.Addr().String(), args: args}
	require.NoError(t, listener.Close())
	r.start()
	t.Cleanup(r.kill)
	token, err := servicetest.Token(r.data)
	require.NoError(t, err)
	r.admin = connect(t, r.url, token)
	return r
}

func (r *registry) start() {
	r.t.Helper()
	process, err := servicetest.Start(context.Background(), binary, servicetest.Options{Quiet: true},
		append([]string{"--dev", "--listen", r.address, "--data", r.data}, r.args...)...)
	require.NoError(r.t, err)
	r.process, r.url = process, process.URL
}

func (r *registry) kill() {
	if r.process != nil {
		r.process.Kill()
		r.process = nil
	}
}

// token returns a token with exactly the scopes that a mirror needs.
func (r *registry) token() string {
	r.t.Helper()
	output, err := exec.Command(binary, "token", "--data", r.data, "--role", "", "--scope",
		"clients:read clients:verify clients:verifiers").Output()
	require.NoError(r.t, err)
	return strings.TrimSpace(string(output))
}

// connect returns a client whose connections are closed at the end of the test.
func connect(t testing.TB, at, token string) *client.ClientWithResponses {
	t.Helper()
	return connectWith(t, at, client.StaticToken(token))
}

func connectWith(t testing.TB, at string, token client.TokenSource) *client.ClientWithResponses {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	c, err := client.Connect(at, client.Settings{
		Token: token, HTTP: &http.Client{Transport: transport, Timeout: 45 * time.Second}, LongestPause: 50 * time.Millisecond,
	})
	require.NoError(t, err)
	return c
}

// register registers a client with a secret, and returns the secret.
func (r *registry) register(id string, change func(*client.CreateClientRequest)) string {
	r.t.Helper()
	body := client.CreateClientRequest{ClientID: &id, Name: new(id), GrantTypes: &[]string{"client_credentials"}}
	if change != nil {
		change(&body)
	}
	created, err := r.admin.CreateClientWithResponse(context.Background(), nil, body)
	require.NoError(r.t, err)
	if created.JSON201.Data.ClientSecret == nil {
		return ""
	}
	return *created.JSON201.Data.ClientSecret
}

// update changes a client.
func (r *registry) update(id string, body client.UpdateClientRequest) {
	r.t.Helper()
	_, err := r.admin.UpdateClientWithResponse(context.Background(), id, nil, body)
	require.NoError(r.t, err)
}

// changes collects the changes that a mirror reports.
type changes struct {
	mu  sync.Mutex
	all []mirror.Change
}

func (c *changes) add(change mirror.Change) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = append(c.all, change)
}

func (c *changes) actions() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var actions []string
	for _, change := range c.all {
		actions = append(actions, change.Action)
	}
	return actions
}

// open opens a mirror that is closed at the end of the test.
func open(t testing.TB, config mirror.Config) *mirror.Mirror {
	t.Helper()
	m, err := tryOpen(t, config)
	require.NoError(t, err)
	return m
}

func tryOpen(t testing.TB, config mirror.Config) (*mirror.Mirror, error) {
	t.Helper()
	return tryOpenAt(t, config, time.Now)
}

func tryOpenAt(t testing.TB, config mirror.Config, now func() time.Time) (*mirror.Mirror, error) {
	t.Helper()
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	m, err := mirror.OpenAt(ctx, config, now)
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	return m, nil
}

// soon waits until the condition holds.
func soon(t testing.TB, condition func() bool, message string) {
	t.Helper()
	require.Eventually(t, condition, 30*time.Second, 2*time.Millisecond, message)
}

// proxy is between the mirror and the registry, and may replace responses.
type proxy struct {
	*httptest.Server
	mu      sync.Mutex
	replace func(w http.ResponseWriter, r *http.Request, through http.Handler)
	n       map[string]int
}

func newProxy(t testing.TB, to string) *proxy {
	t.Helper()
	target, err := url.Parse(to)
	require.NoError(t, err)
	through := httputil.NewSingleHostReverseProxy(target)
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	through.Transport = transport
	through.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }
	p := &proxy{n: map[string]int{}}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		p.n[filepath.Base(r.URL.Path)]++
		replace := p.replace
		p.mu.Unlock()
		if replace == nil {
			through.ServeHTTP(w, r)
			return
		}
		replace(w, r, through)
	}))
	t.Cleanup(p.Close)
	return p
}

func (p *proxy) set(replace func(w http.ResponseWriter, r *http.Request, through http.Handler)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.replace = replace
}

// seen returns how many requests had the last element in their path.
func (p *proxy) seen(element string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.n[element]
}

func must[T any](value T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		require.NoError(t, err)
		return value
	}
}

func requireNotFound(t testing.TB, m *mirror.Mirror, id string) {
	t.Helper()
	soon(t, func() bool {
		_, err := m.Get(id)
		return assert.ObjectsAreEqual(mirror.ErrNotFound, err)
	}, id+" is found")
}
