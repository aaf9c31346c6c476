package jose_test

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

	"github.com/clientele-oauth/clientele/adapters/jose"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// A name with a private address, a name that does not exist, and the same behind a
// redirect lead to equal facts, and to equal waits before they are reported.
func TestPrivateAndMissingNamesCannotBeToldApart(t *testing.T) {
	w := newWorld(t)
	w.names.set("keys.test", "127.0.0.2")
	w.names.set("inside.test", "127.0.0.1")
	certificate := w.certificate(time.Now().Add(time.Hour))
	forbidden := w.serve("127.0.0.1", certificate, good)
	host := w.serve("127.0.0.2", certificate, func(rw http.ResponseWriter, r *http.Request) {
		http.Redirect(rw, r, "https://"+r.URL.Query().Get("to")+":"+forbidden.port+"/", http.StatusFound)
	})
	var waits atomic.Int64
	rules := w.rules()
	rules.Wait = func(_ context.Context, d time.Duration) {
		assert.LessOrEqual(t, d, rules.Timeout/2)
		waits.Add(1)
	}
	resolver := jose.NewResolver(rules)
	var first domain.Keys
	for i, uri := range []string{
		"https://inside.test:" + forbidden.port + "/",
		"https://missing.test:" + forbidden.port + "/",
		"https://keys.test:" + host.port + "/?to=inside.test",
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
	assert.Zero(t, forbidden.connections.Load())
}

// Nothing is opened for a URI that breaks a rule by its text alone, neither for
// the first one nor for that of a redirect.
func TestNothingIsOpenedForAURIThatBreaksARuleByItsText(t *testing.T) {
	w := newWorld(t)
	w.names.set("keys.test", "127.0.0.2")
	certificate := w.certificate(time.Now().Add(time.Hour))
	var authorised atomic.Int64
	target := w.serve("127.0.0.2", certificate, func(rw http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			authorised.Add(1)
		}
		good(rw, r)
	})
	host := w.serve("127.0.0.2", certificate, func(rw http.ResponseWriter, r *http.Request) {
		http.Redirect(rw, r, "https://user:pass@keys.test:"+target.port+"/", http.StatusFound)
	})
	resolver := jose.NewResolver(w.rules())
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
	assert.Zero(t, authorised.Load())
}

func TestRedirectsAreFollowedThreeTimesWithoutAReferer(t *testing.T) {
	w := newWorld(t)
	w.names.set("keys.test", "127.0.0.2")
	var requests, referers atomic.Int64
	host := w.serve("127.0.0.2", w.certificate(time.Now().Add(time.Hour)), func(rw http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		if r.Referer() != "" {
			referers.Add(1)
		}
		left := r.URL.Path[1:]
		if left == "" {
			good(rw, r)
			return
		}
		http.Redirect(rw, r, "/"+left[1:]+"?secret=1", http.StatusFound)
	})
	resolver := jose.NewResolver(w.rules())
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

func TestFreshnessIsTheLifetimeLessTheAge(t *testing.T) {
	w := newWorld(t)
	w.names.set("keys.test", "127.0.0.2")
	var requests atomic.Int64
	var headers atomic.Pointer[http.Header]
	host := w.serve("127.0.0.2", w.certificate(time.Now().Add(time.Hour)), func(rw http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		maps.Copy(rw.Header(), *headers.Load())
		good(rw, r)
	})
	var c movingClock
	at := func(d time.Duration) string { return c.now().Add(d).UTC().Format(http.TimeFormat) }
	for name, tt := range map[string]struct {
		header map[string]string
		fresh  time.Duration
	}{
		"max-age and Age":               {map[string]string{"Cache-Control": "max-age=300", "Age": "100"}, 200 * time.Second},
		"Age beyond max-age":            {map[string]string{"Cache-Control": "max-age=300", "Age": "400"}, 10 * time.Second},
		"Age without a lifetime":        {map[string]string{"Age": "20"}, 40 * time.Second},
		"Age that is no number":         {map[string]string{"Cache-Control": "max-age=300", "Age": "old"}, 300 * time.Second},
		"Expires and Date":              {map[string]string{"Expires": at(10 * time.Minute), "Date": at(0)}, 10 * time.Minute},
		"Expires, Date and Age":         {map[string]string{"Expires": at(10 * time.Minute), "Date": at(0), "Age": "60"}, 9 * time.Minute},
		"an old Date":                   {map[string]string{"Cache-Control": "max-age=300", "Date": at(-time.Minute)}, 4 * time.Minute},
		"Expires and an old Date":       {map[string]string{"Expires": at(5 * time.Minute), "Date": at(-5 * time.Minute)}, 5 * time.Minute},
		"Expires in the past":           {map[string]string{"Expires": at(-time.Minute), "Date": at(0)}, 10 * time.Second},
		"Expires that is no date":       {map[string]string{"Expires": "0", "Date": at(0)}, 10 * time.Second},
		"Expires beside max-age":        {map[string]string{"Cache-Control": "max-age=120", "Expires": at(10 * time.Minute), "Date": at(0)}, 2 * time.Minute},
		"s-maxage beside max-age":       {map[string]string{"Cache-Control": "max-age=120, s-maxage=240"}, 4 * time.Minute},
		"max-age twice":                 {map[string]string{"Cache-Control": "max-age=120, max-age=240"}, 2 * time.Minute},
		"private, as the cache is none": {map[string]string{"Cache-Control": "private, max-age=120"}, 10 * time.Second},
		"Expires far off":               {map[string]string{"Expires": at(24 * time.Hour), "Date": at(0)}, time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			header := http.Header{}
			for name, value := range tt.header {
				header.Set(name, value)
			}
			headers.Store(&header)
			var moving movingClock
			rules := w.rules()
			rules.Now = moving.now
			resolver := jose.NewResolver(rules)
			ask := func() int64 {
				fetch(t, resolver, "https://keys.test:"+host.port+"/")
				return requests.Load()
			}
			first := ask()
			moving.forward(tt.fresh - time.Millisecond)
			assert.Equal(t, first, ask(), "asked again while fresh")
			moving.forward(2 * time.Millisecond)
			assert.Equal(t, first+1, ask(), "not asked again when stale")
		})
	}
}

// hang listens on an address, accepts connections and says nothing.
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

// One tenant uses up its share with 20 hosts that hang, four fetches each. Another tenant still fetches,
// and so do many others, each its first.
func TestHangingHostsOfOneTenantRefuseNoOther(t *testing.T) {
	w := newWorld(t)
	w.names.set("keys.test", "127.0.0.2")
	hanging, accepted := hang(t, "127.0.0.2")
	host := w.serve("127.0.0.2", w.certificate(time.Now().Add(time.Hour)), good)
	rules := w.rules()
	rules.Timeout = time.Minute
	resolver := jose.NewResolver(rules)

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
		w.names.set(name, "127.0.0.2")
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
	// tenants without a fetch under way.
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

	// Joining a fetch that another tenant had no share for does not fail.
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
