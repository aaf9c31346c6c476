package servermetadata_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/servermetadata"
	"github.com/clientele-oauth/clientele/domain"
)

// manualClock is a clock that advances only when a test advances it.
type manualClock struct{ offset atomic.Int64 }

func (c *manualClock) now() time.Time {
	return time.Date(2026, 4, 15, 10, 30, 0, 0, time.UTC).Add(time.Duration(c.offset.Load()))
}

func (c *manualClock) advance(d time.Duration) { c.offset.Add(int64(d)) }

// logBuffer keeps what is logged.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) count(message string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Count(b.text.String(), message)
}

// with is the metadata of a server that supports one grant type.
func with(grant string) string {
	return fmt.Sprintf(`{"issuer":"https://as.example","grant_types_supported":[%q]}`, grant)
}

func parsed(t *testing.T, text string) domain.ServerMetadata {
	t.Helper()
	metadata, err := servermetadata.Parse([]byte(text))
	require.NoError(t, err)
	return metadata
}

func newServers(t *testing.T, now func() time.Time, locations ...string) (*servermetadata.Servers, *logBuffer) {
	t.Helper()
	all := make([]servermetadata.Location, len(locations))
	for i, text := range locations {
		location, err := servermetadata.ParseLocation(text)
		require.NoError(t, err)
		all[i] = location
	}
	logs := &logBuffer{}
	servers, err := servermetadata.New(all, slog.New(slog.NewTextHandler(logs, nil)), now)
	require.NoError(t, err)
	return servers, logs
}

func TestEachTenantHasItsServer(t *testing.T) {
	folder := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(folder, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	acme, others := file("acme.json", with("a")), file("others.json", with("b"))
	servers, logs := newServers(t, time.Now, "acme="+acme, others)
	require.NoError(t, servers.Load(t.Context()))
	assert.Equal(t, parsed(t, with("a")), servers.Server(t.Context(), "acme"))
	assert.Equal(t, parsed(t, with("b")), servers.Server(t.Context(), "another"))
	assert.Empty(t, servers.Note(t.Context()))
	assert.Zero(t, logs.count("level="))

	only, _ := newServers(t, time.Now, "acme="+acme)
	assert.Equal(t, parsed(t, with("a")), only.Server(t.Context(), "acme"), "read when it is needed first")
	assert.Equal(t, domain.ServerMetadata{}, only.Server(t.Context(), "another"))
}

func TestAFileIsReadAgainWhenItChanges(t *testing.T) {
	path := filepath.Join(t.TempDir(), "metadata.json")
	servers, logs := newServers(t, time.Now, path)
	require.Error(t, servers.Load(t.Context()), "the file is missing")
	assert.Equal(t, domain.ServerMetadata{}, servers.Server(t.Context(), "acme"))
	assert.Equal(t, "cannot be read for 1 of 1 authorization servers; what was read last, if anything, stays in use", servers.Note(t.Context()))
	assert.Equal(t, 1, logs.count("cannot be read"))

	write := func(text string) { require.NoError(t, os.WriteFile(path, []byte(text), 0o600)) }
	write(with("a"))
	assert.Equal(t, parsed(t, with("a")), servers.Server(t.Context(), "acme"))
	assert.Empty(t, servers.Note(t.Context()))
	assert.Equal(t, 1, logs.count("can be read again"))
	write(with("another"))
	assert.Equal(t, parsed(t, with("another")), servers.Server(t.Context(), "acme"))
	for _, text := range []string{"{", `{"grant_types_supported":"a"}`, `{"a":1,"a":2}`, with("a") + with("a"), strings.Repeat(" ", 1<<20) + "{}"} {
		write(text)
		assert.Equal(t, parsed(t, with("another")), servers.Server(t.Context(), "acme"), "the last metadata stays in use: %.20s", text)
		assert.NotEmpty(t, servers.Note(t.Context()))
	}
	assert.Equal(t, 2, logs.count("cannot be read"), "a failure is logged when it begins")
	require.NoError(t, os.Remove(path))
	assert.Equal(t, parsed(t, with("another")), servers.Server(t.Context(), "acme"))
	require.NoError(t, os.Mkdir(path, 0o700))
	assert.Equal(t, parsed(t, with("another")), servers.Server(t.Context(), "acme"))
	require.NoError(t, os.Remove(path))
	write(with("c"))
	assert.Equal(t, parsed(t, with("c")), servers.Server(t.Context(), "acme"))
}

// host serves metadata.
type host struct {
	*httptest.Server
	text      atomic.Value // what is served; "" is a 503
	requested chan struct{}
}

func newHost(t *testing.T) *host {
	t.Helper()
	h := &host{requested: make(chan struct{}, 100)}
	h.text.Store(with("a"))
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		h.requested <- struct{}{}
		text := h.text.Load().(string)
		if text == "" {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		_, _ = io.WriteString(w, text)
	}))
	t.Cleanup(h.Close)
	return h
}

// settle waits for a read that is in progress, or makes another one.
func (h *host) settle(t *testing.T, servers *servermetadata.Servers) {
	t.Helper()
	require.NoError(t, servers.Load(t.Context()))
	select {
	case <-h.requested:
	default:
	}
}

func TestAURLIsReadAgainInTheBackground(t *testing.T) {
	h := newHost(t)
	var clock manualClock
	servers, logs := newServers(t, clock.now, "acme="+h.URL+"/metadata?a=b")
	var age func() (time.Duration, bool)
	servers.Ages(func(tenant domain.TenantID, of func() (time.Duration, bool)) {
		assert.Equal(t, domain.TenantID("acme"), tenant)
		age = of
	})
	_, ok := age()
	assert.False(t, ok, "it was never read")
	require.NoError(t, servers.Load(t.Context()))
	<-h.requested
	a, b := parsed(t, with("a")), parsed(t, with("b"))
	assert.Equal(t, a, servers.Server(t.Context(), "acme"))

	h.text.Store(with("b"))
	clock.advance(5*time.Minute - time.Millisecond)
	assert.Equal(t, a, servers.Server(t.Context(), "acme"))
	assert.False(t, servers.Due("acme"), "read while fresh")
	at, _ := age()
	assert.Equal(t, 5*time.Minute-time.Millisecond, at)
	clock.advance(time.Millisecond)
	servers.Server(t.Context(), "acme")
	<-h.requested // in the background
	h.settle(t, servers)
	assert.Equal(t, b, servers.Server(t.Context(), "acme"))

	h.text.Store("")
	clock.advance(time.Hour)
	assert.Equal(t, b, servers.Server(t.Context(), "acme"), "the last metadata stays in use")
	<-h.requested
	assert.Equal(t, 1, logs.count("cannot be read"))
	clock.advance(time.Minute - time.Millisecond)
	assert.False(t, servers.Due("acme"), "read again too soon after a failure")
	h.text.Store(with("a"))
	clock.advance(time.Millisecond)
	servers.Server(t.Context(), "acme")
	<-h.requested
	h.settle(t, servers)
	assert.Equal(t, a, servers.Server(t.Context(), "acme"))

	h.text.Store(with("b"))
	clock.advance(time.Hour)
	assert.Equal(t, b, servers.Server(t.Context(), "acme"), "callers wait for a set that is an hour old")
}

func TestTheServiceWorksWithoutMetadata(t *testing.T) {
	release := make(chan struct{})
	hanging := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer hanging.Close()
	defer close(release)
	var clock manualClock
	servers, _ := newServers(t, clock.now, hanging.URL)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.Error(t, servers.Load(ctx))
	assert.Equal(t, domain.ServerMetadata{}, servers.Server(t.Context(), "acme"), "nothing waits for a server that never responded")
}

func TestRedirectsFromHTTPSToHTTPAreNotFollowed(t *testing.T) {
	h := newHost(t)
	for path, limit := range map[string]int{"/a": 3, "/b": 4} {
		redirecting := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if n := len(r.URL.Path); n-2 < limit-1 {
				http.Redirect(w, r, r.URL.Path+"x", http.StatusFound)
				return
			}
			http.Redirect(w, r, h.URL, http.StatusFound)
		}))
		servers, _ := newServers(t, time.Now, redirecting.URL+path)
		assert.Equal(t, limit == 3, servers.Load(t.Context()) == nil, "%d redirects", limit)
		redirecting.Close()
	}
}

func TestParseLocation(t *testing.T) {
	for text, want := range map[string]servermetadata.Location{
		"https://as.example/.well-known/openid-configuration": {At: "https://as.example/.well-known/openid-configuration"},
		"acme=https://as.example/m?a=b":                       {Tenant: "acme", At: "https://as.example/m?a=b"},
		"https://as.example/m?a=b":                            {At: "https://as.example/m?a=b"},
		"acme=metadata.json":                                  {Tenant: "acme", At: "metadata.json"},
		"./a=b.json":                                          {At: "./a=b.json"},
		"metadata.json":                                       {At: "metadata.json"},
		"urn:tenant:a=/etc/metadata.json":                     {Tenant: "urn:tenant:a", At: "/etc/metadata.json"},
	} {
		location, err := servermetadata.ParseLocation(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, location, text)
		assert.Equal(t, text, location.String())
	}
	for _, text := range []string{"", "=a.json", "acme=", "https://", "acme=https://", "https://a:b@as.example/", "http://%zz/"} {
		_, err := servermetadata.ParseLocation(text)
		require.Error(t, err, text)
		assert.NotContains(t, err.Error(), "a:b", "no password is shown")
	}
	location := servermetadata.Location{At: "a.json"}
	_, err := servermetadata.New([]servermetadata.Location{location, location}, slog.New(slog.DiscardHandler), time.Now)
	require.Error(t, err)
}

func TestParse(t *testing.T) {
	assert.Equal(t, domain.NewServerMetadata(nil, false), parsed(t, `{}`))
	assert.Equal(t, domain.NewServerMetadata(nil, true), parsed(t, ` {"require_signed_request_object":true} `))
	assert.Equal(t, domain.NewServerMetadata(map[string][]string{"scopes_supported": {}}, false), parsed(t, `{"scopes_supported":[],"grant_types_supported":null,"claims_supported":1}`))
	for _, text := range []string{
		``, `[]`, `null`, `{"scopes_supported":{}}`, `{"scopes_supported":[1]}`, `{"require_signed_request_object":"true"}`, `{} {}`, "{\"a\":\"\xff\"}",
	} {
		_, err := servermetadata.Parse([]byte(text))
		require.Error(t, err, text)
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range []string{with("a"), `{}`, `{"require_signed_request_object":true}`, `{"response_types_supported":["code id_token","id_token code",""]}`, `{"a":1,"a":2}`} {
		f.Add([]byte(text))
	}
	book, err := domain.NewRulebook(domain.Policy{})
	if err != nil {
		f.Fatal(err)
	}
	settings := domain.Defaults()
	settings.Scopes = []domain.Scope{"openid"}
	settings.ResponseTypes = []domain.ResponseType{"id_token code"}
	f.Fuzz(func(_ *testing.T, text []byte) {
		if metadata, err := servermetadata.Parse(text); err == nil {
			book.Validate(settings, domain.Facts{Server: metadata}, time.Time{})
		}
	})
}
