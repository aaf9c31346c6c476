package jwks_test

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/jwks"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// A name with a private address and a name that does not exist have the same result
// and the same delay, also behind a redirect.
func TestPrivateAndMissingNamesAreIndistinguishable(t *testing.T) {
	network := newNetwork(t)
	network.names.set("keys.test", "127.0.0.2")
	network.names.set("internal.test", "127.0.0.1")
	certificate := network.certificate(time.Now().Add(time.Hour))
	internal := network.serve("127.0.0.1", certificate, good)
	host := network.serve("127.0.0.2", certificate, func(rw http.ResponseWriter, r *http.Request) {
		http.Redirect(rw, r, "https://"+r.URL.Query().Get("to")+":"+internal.port+"/", http.StatusFound)
	})
	var waits atomic.Int64
	options := network.options()
	options.Wait = func(_ context.Context, d time.Duration) {
		assert.LessOrEqual(t, d, options.Timeout/2)
		waits.Add(1)
	}
	resolver := jwks.NewResolver(options)
	var first domain.Keys
	for i, uri := range []string{
		"https://internal.test:" + internal.port + "/",
		"https://missing.test:" + internal.port + "/",
		"https://keys.test:" + host.port + "/?to=internal.test",
		"https://keys.test:" + host.port + "/?to=missing.test",
	} {
		keys := fetch(t, resolver, uri)
		if i == 0 {
			first = keys
			_, unreachable := keys.Unreachable()
			require.True(t, unreachable)
		}
		assert.Equal(t, first, keys, uri)
		assert.EqualValues(t, i+1, waits.Load(), uri)
	}
	assert.Zero(t, internal.connections.Load())
}

// No connection is opened for a URI that the policy rejects, also behind a redirect.
func TestNoConnectionForARejectedURI(t *testing.T) {
	network := newNetwork(t)
	network.names.set("keys.test", "127.0.0.2")
	certificate := network.certificate(time.Now().Add(time.Hour))
	var authorized atomic.Int64
	target := network.serve("127.0.0.2", certificate, func(rw http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			authorized.Add(1)
		}
		good(rw, r)
	})
	host := network.serve("127.0.0.2", certificate, func(rw http.ResponseWriter, r *http.Request) {
		http.Redirect(rw, r, "https://user:pass@keys.test:"+target.port+"/", http.StatusFound)
	})
	resolver := jwks.NewResolver(network.options())
	for _, uri := range []string{
		"https://user:pass@keys.test:" + target.port + "/", "https://user@keys.test:" + target.port + "/", "http://keys.test:" + target.port + "/",
		"https://keys.test:" + target.port + "/#a", "https://keys.test.:" + target.port + "/", "https://2130706434:" + target.port + "/", "/keys", "",
	} {
		assert.Equal(t, domain.KeysUnexamined(), fetch(t, resolver, uri), uri)
	}
	assert.Equal(t, domain.KeysRefused(), fetch(t, resolver, "https://localhost:"+target.port+"/"))
	assert.Zero(t, target.connections.Load())

	reason, unreachable := fetch(t, resolver, "https://keys.test:"+host.port+"/").Unreachable()
	assert.True(t, unreachable)
	assert.Contains(t, reason, "redirects to a URI")
	assert.Zero(t, target.connections.Load())
	assert.Zero(t, authorized.Load())
}

func TestThreeRedirectsAreFollowedWithoutAReferer(t *testing.T) {
	network := newNetwork(t)
	network.names.set("keys.test", "127.0.0.2")
	var requests, referers atomic.Int64
	host := network.serve("127.0.0.2", network.certificate(time.Now().Add(time.Hour)), func(rw http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		if r.Referer() != "" {
			referers.Add(1)
		}
		remaining := r.URL.Path[1:]
		if remaining == "" {
			good(rw, r)
			return
		}
		http.Redirect(rw, r, "/"+remaining[1:]+"?secret=1", http.StatusFound)
	})
	resolver := jwks.NewResolver(network.options())
	for redirects, followed := range map[int]bool{1: true, 3: true, 4: false, 9: false} {
		requests.Store(0)
		keys := fetch(t, resolver, "https://keys.test:"+host.port+"/"+strings.Repeat("x", redirects)+"?secret=1")
		_, seen := keys.Set()
		assert.Equal(t, followed, seen, "%d redirects", redirects)
		assert.EqualValues(t, min(redirects, 3)+1, requests.Load(), "%d redirects", redirects)
		if !followed {
			reason, _ := keys.Unreachable()
			assert.Contains(t, reason, "more than 3 times")
		}
	}
	assert.Zero(t, referers.Load())
}

func TestFreshnessIsLifetimeLessAge(t *testing.T) {
	network := newNetwork(t)
	network.names.set("keys.test", "127.0.0.2")
	var requests atomic.Int64
	var headers atomic.Pointer[http.Header]
	host := network.serve("127.0.0.2", network.certificate(time.Now().Add(time.Hour)), func(rw http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		maps.Copy(rw.Header(), *headers.Load())
		good(rw, r)
	})
	var c manualClock
	at := func(d time.Duration) string { return c.now().Add(d).UTC().Format(http.TimeFormat) }
	for name, tt := range map[string]struct {
		header map[string]string
		fresh  time.Duration
	}{
		"max-age and Age":           {map[string]string{"Cache-Control": "max-age=300", "Age": "100"}, 200 * time.Second},
		"Age beyond max-age":        {map[string]string{"Cache-Control": "max-age=300", "Age": "400"}, 10 * time.Second},
		"Age without a lifetime":    {map[string]string{"Age": "20"}, 40 * time.Second},
		"Age is not a number":       {map[string]string{"Cache-Control": "max-age=300", "Age": "old"}, 300 * time.Second},
		"Expires and Date":          {map[string]string{"Expires": at(10 * time.Minute), "Date": at(0)}, 10 * time.Minute},
		"Expires, Date and Age":     {map[string]string{"Expires": at(10 * time.Minute), "Date": at(0), "Age": "60"}, 9 * time.Minute},
		"an old Date":               {map[string]string{"Cache-Control": "max-age=300", "Date": at(-time.Minute)}, 4 * time.Minute},
		"Expires and an old Date":   {map[string]string{"Expires": at(5 * time.Minute), "Date": at(-5 * time.Minute)}, 5 * time.Minute},
		"Expires in the past":       {map[string]string{"Expires": at(-time.Minute), "Date": at(0)}, 10 * time.Second},
		"Expires is not a date":     {map[string]string{"Expires": "0", "Date": at(0)}, 10 * time.Second},
		"Expires and max-age":       {map[string]string{"Cache-Control": "max-age=120", "Expires": at(10 * time.Minute), "Date": at(0)}, 2 * time.Minute},
		"s-maxage and max-age":      {map[string]string{"Cache-Control": "max-age=120, s-maxage=240"}, 4 * time.Minute},
		"max-age twice":             {map[string]string{"Cache-Control": "max-age=120, max-age=240"}, 2 * time.Minute},
		"private in a shared cache": {map[string]string{"Cache-Control": "private, max-age=120"}, 10 * time.Second},
		"Expires far in the future": {map[string]string{"Expires": at(24 * time.Hour), "Date": at(0)}, time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			header := http.Header{}
			for name, value := range tt.header {
				header.Set(name, value)
			}
			headers.Store(&header)
			var current manualClock
			options := network.options()
			options.Now, options.Timeout = current.now, time.Minute
			resolver := jwks.NewResolver(options)
			requestsAfterFetch := func() int64 {
				fetch(t, resolver, "https://keys.test:"+host.port+"/")
				return requests.Load()
			}
			first := requestsAfterFetch()
			current.advance(tt.fresh - time.Millisecond)
			assert.Equal(t, first, requestsAfterFetch(), "fetched again while fresh")
			current.advance(2 * time.Millisecond)
			assert.Equal(t, first+1, requestsAfterFetch(), "not fetched again when stale")
		})
	}
}

// hang listens on an address, accepts connections and sends nothing.
func hang(t *testing.T, host string) (port string, accepted <-chan struct{}) {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", net.JoinHostPort(host, "0"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	reached := make(chan struct{}, 1000)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			reached <- struct{}{}
			go func() {
				<-t.Context().Done()
				_ = conn.Close()
			}()
			go func() { _, _ = io.Copy(io.Discard, conn) }()
		}
	}()
	_, port, err = net.SplitHostPort(listener.Addr().String())
	require.NoError(t, err)
	return port, reached
}

// One tenant uses up its share with 20 hosts that do not respond, four fetches each.
// Another tenant can still fetch, and so can others that have no fetch in progress.
func TestHangingHostsOfOneTenantDoNotBlockOthers(t *testing.T) {
	network := newNetwork(t)
	network.names.set("keys.test", "127.0.0.2")
	hanging, accepted := hang(t, "127.0.0.2")
	host := network.serve("127.0.0.2", network.certificate(time.Now().Add(time.Hour)), good)
	options := network.options()
	options.Timeout = time.Minute
	resolver := jwks.NewResolver(options)

	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	defer group.Wait()
	defer cancel()
	const hosts, perHost, share, total, reserved = 20, 4, 16, 128, 32
	errs := make(chan error, 10*total)
	start := func(tenant domain.TenantID, host, path string) {
		group.Go(func() {
			_, _, err := resolver.Fetch(ctx, tenant, "https://"+host+":"+hanging+"/"+path)
			errs <- err
		})
	}
	for h := range hosts {
		name := fmt.Sprintf("hanging-%d.test", h)
		network.names.set(name, "127.0.0.2")
		for path := range perHost {
			start("greedy", name, strconv.Itoa(path))
		}
	}
	for range share {
		<-accepted
	}
	for range hosts*perHost - share {
		require.ErrorIs(t, <-errs, application.ErrTooManyFetches)
	}
	keys, _, err := resolver.Fetch(t.Context(), "modest", "https://keys.test:"+host.port+"/1")
	require.NoError(t, err)
	_, seen := keys.Set()
	assert.True(t, seen)

	// Six tenants with full shares leave only the places that are reserved for
	// tenants without a fetch in progress.
	for tenant := 1; tenant < (total-reserved)/share; tenant++ {
		for path := range share {
			start(domain.TenantID(fmt.Sprint("greedy", tenant)), fmt.Sprintf("hanging-%d.test", path), fmt.Sprint("greedy", tenant))
		}
	}
	for range total - reserved - share {
		<-accepted
	}
	start("late", "hanging-0.test", "late1")
	<-accepted
	_, _, err = resolver.Fetch(t.Context(), "late", "https://keys.test:"+host.port+"/2")
	require.ErrorIs(t, err, application.ErrTooManyFetches)
	keys, _, err = resolver.Fetch(t.Context(), "modest", "https://keys.test:"+host.port+"/3")
	require.NoError(t, err)
	_, seen = keys.Set()
	assert.True(t, seen)

	// A tenant is not rejected because it shares a request with one that has no
	// share left.
	for i := range 50 {
		uri := fmt.Sprintf("https://keys.test:%s/joined%d", host.port, i)
		var both sync.WaitGroup
		both.Go(func() { _, _, _ = resolver.Fetch(t.Context(), "greedy", uri) })
		both.Go(func() {
			_, _, err := resolver.Fetch(t.Context(), "modest", uri)
			assert.NoError(t, err)
		})
		both.Wait()
	}
}
