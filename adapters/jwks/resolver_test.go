package jwks_test

import (
	"compress/gzip"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"code.dny.dev/ssrf"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"
	"pgregory.net/rapid"

	"github.com/clientele-oauth/clientele/adapters/jwks"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// testNetwork simulates the Internet on this machine: names, a certificate authority
// and servers. Keys may be fetched from 127.0.0.2, but not from 127.0.0.1.
type testNetwork struct {
	t         *testing.T
	authority *ecdsa.PrivateKey
	root      *x509.Certificate
	roots     *x509.CertPool
	names     *nameServer
}

func newNetwork(t *testing.T) *testNetwork {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	root, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	roots := x509.NewCertPool()
	roots.AddCert(root)
	return &testNetwork{t, key, root, roots, newNameServer(t)}
}

// certificate returns a certificate for every name in the network.
func (network *testNetwork) certificate(notAfter time.Time) tls.Certificate {
	network.t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "keys.test"}, DNSNames: []string{"keys.test", "slow.test", "rebind.test"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv4(127, 0, 0, 2), net.IPv6loopback},
		NotBefore:   time.Now().Add(-2 * time.Hour), NotAfter: notAfter,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, network.root, network.authority.Public(), network.authority)
	require.NoError(network.t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: network.authority}
}

// site is a server that counts its connections.
type site struct {
	port        string
	connections *atomic.Int64
}

// serve starts an https server on an address of this machine.
func (network *testNetwork) serve(host string, certificate tls.Certificate, handler http.HandlerFunc) site {
	network.t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(network.t.Context(), "tcp", net.JoinHostPort(host, "0"))
	require.NoError(network.t, err)
	connections := &atomic.Int64{}
	server := httptest.NewUnstartedServer(handler)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	require.NoError(network.t, server.Listener.Close())
	server.Listener = listener
	server.EnableHTTP2 = true
	server.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
	server.StartTLS()
	network.t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	_, port, err := net.SplitHostPort(listener.Addr().String())
	require.NoError(network.t, err)
	return site{port, connections}
}

// options allow keys at 127.0.0.2.
func (network *testNetwork) options() jwks.Options {
	return jwks.Options{
		Policy:  domain.Policy{KeyNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.2/32")}},
		Timeout: 500 * time.Millisecond,
		Roots:   network.roots,
		Names:   network.names.resolver(),
	}
}

// nameServer responds to queries for A records.
type nameServer struct {
	address string
	mu      sync.Mutex
	records map[string][]string
}

func newNameServer(t *testing.T) *nameServer {
	t.Helper()
	socket, err := (&net.ListenConfig{}).ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	require.NoError(t, err)
	n := &nameServer{address: socket.LocalAddr().String(), records: map[string][]string{}}
	t.Cleanup(func() { _ = socket.Close() })
	go func() {
		buffer := make([]byte, 1500)
		for {
			length, from, err := socket.ReadFrom(buffer)
			if err != nil {
				return
			}
			if response := n.respond(buffer[:length]); response != nil {
				_, _ = socket.WriteTo(response, from)
			}
		}
	}()
	return n
}

func (n *nameServer) set(name string, addresses ...string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.records[name] = addresses
}

func (n *nameServer) respond(query []byte) []byte {
	var m dnsmessage.Message
	if m.Unpack(query) != nil || len(m.Questions) != 1 {
		return nil
	}
	q := m.Questions[0]
	m.Response, m.Authoritative, m.Additionals = true, true, nil
	n.mu.Lock()
	defer n.mu.Unlock()
	if q.Type == dnsmessage.TypeA {
		for _, address := range n.records[strings.TrimSuffix(q.Name.String(), ".")] {
			m.Answers = append(m.Answers, dnsmessage.Resource{
				Header: dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, Type: q.Type},
				Body:   &dnsmessage.AResource{A: netip.MustParseAddr(address).As4()},
			})
		}
	}
	packed, err := m.Pack()
	if err != nil {
		return nil
	}
	return packed
}

// fetch fetches the keys at a URI for a tenant.
func fetch(t *testing.T, resolver *jwks.Resolver, uri string) domain.Keys {
	t.Helper()
	keys, _, err := resolver.Fetch(t.Context(), "a", uri)
	require.NoError(t, err)
	return keys
}

func (n *nameServer) resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", n.address)
	}}
}

const goodSet = `{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"1","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`

func good(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/jwk-set+json; charset=utf-8")
	_, _ = io.WriteString(w, goodSet)
}

// hangUntilGone keeps a request open until its sender gives up.
func hangUntilGone(r *http.Request) { <-r.Context().Done() }

func TestHostileHosts(t *testing.T) {
	network := newNetwork(t)
	network.names.set("keys.test", "127.0.0.2")
	network.names.set("internal.test", "127.0.0.1")
	certificate := network.certificate(time.Now().Add(time.Hour))
	internal := network.serve("127.0.0.1", certificate, good)
	host := network.serve("127.0.0.2", certificate, func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		switch r.URL.Path {
		case "/good":
			good(rw, r)
		case "/slow-headers":
			hangUntilGone(r)
		case "/slow-body":
			for r.Context().Err() == nil {
				_, _ = io.WriteString(rw, " ")
				_ = http.NewResponseController(rw).Flush()
				runtime.Gosched()
				select {
				case <-r.Context().Done():
				case <-time.After(20 * time.Millisecond):
				}
			}
		case "/endless-body":
			block := []byte(strings.Repeat(" ", 1<<16))
			for r.Context().Err() == nil {
				if _, err := rw.Write(block); err != nil {
					return
				}
			}
		case "/endless-headers":
			for range 100 {
				rw.Header().Add("X-Long", strings.Repeat("a", 1000))
			}
			good(rw, r)
		case "/loop":
			http.Redirect(rw, r, "/loop", http.StatusFound)
		case "/one-redirect":
			http.Redirect(rw, r, "/good", http.StatusFound)
		case "/to-loopback":
			http.Redirect(rw, r, "https://127.0.0.1:"+internal.port+"/good", http.StatusFound)
		case "/to-internal-name":
			http.Redirect(rw, r, "https://internal.test:"+internal.port+"/good", http.StatusFound)
		case "/to-http":
			http.Redirect(rw, r, "http://keys.test:"+internal.port+"/good", http.StatusFound)
		case "/gzip-bomb":
			rw.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(rw)
			for range 1000 {
				if _, err := z.Write(make([]byte, 1<<16)); err != nil {
					return
				}
			}
		case "/html":
			rw.Header().Set("Content-Type", "text/html")
			_, _ = io.WriteString(rw, goodSet)
		case "/no-type":
			rw.Header()["Content-Type"] = nil
			_, _ = io.WriteString(rw, goodSet)
		case "/reset":
			_, _ = io.WriteString(rw, `{"keys":[`)
			_ = http.NewResponseController(rw).Flush()
			panic(http.ErrAbortHandler)
		case "/not-json":
			_, _ = io.WriteString(rw, "<html>")
		case "/teapot":
			rw.WriteHeader(http.StatusTeapot)
		default:
			http.NotFound(rw, r)
		}
	})
	expired := network.serve("127.0.0.2", network.certificate(time.Now().Add(-time.Hour)), good)
	unknownCA := network.serve("127.0.0.2", newNetwork(t).certificate(time.Now().Add(time.Hour)), good)

	at := func(s site, path string) string { return "https://keys.test:" + s.port + path }
	seen, unreachable, refused, unexamined := "seen", "unreachable", "refused", "unexamined"
	tests := map[string]struct {
		uri, want string
	}{
		"a valid set":                  {at(host, "/good"), seen},
		"one redirect":                 {at(host, "/one-redirect"), seen},
		"slow headers":                 {at(host, "/slow-headers"), unreachable},
		"slow body":                    {at(host, "/slow-body"), unreachable},
		"endless body":                 {at(host, "/endless-body"), seen},
		"endless headers":              {at(host, "/endless-headers"), unreachable},
		"redirect loop":                {at(host, "/loop"), unreachable},
		"redirect to loopback":         {at(host, "/to-loopback"), unreachable},
		"redirect to an internal name": {at(host, "/to-internal-name"), unreachable},
		"redirect to http":             {at(host, "/to-http"), unreachable},
		"gzip bomb":                    {at(host, "/gzip-bomb"), unreachable},
		"wrong content type":           {at(host, "/html"), unreachable},
		"no content type":              {at(host, "/no-type"), unreachable},
		"HTTP/2 reset":                 {at(host, "/reset"), unreachable},
		"not JSON":                     {at(host, "/not-json"), seen},
		"status 418":                   {at(host, "/teapot"), unreachable},
		"status 404":                   {at(host, "/none"), unreachable},
		"expired certificate":          {at(expired, "/good"), unreachable},
		"an unknown authority":         {at(unknownCA, "/good"), unreachable},
		"a closed port":                {"https://127.0.0.2:1/good", unreachable},
		"a name that does not exist":   {"https://none.test/good", unreachable},
		"loopback":                     {"https://127.0.0.1:" + internal.port + "/good", refused},
		"loopback, short":              {"https://127.1:" + internal.port + "/good", unexamined},
		"loopback, mapped":             {"https://[::ffff:127.0.0.1]:" + internal.port + "/good", refused},
		"loopback IPv6":                {"https://[::1]:" + internal.port + "/good", refused},
		"an internal name":             {"https://internal.test:" + internal.port + "/good", unreachable},
		"unspecified":                  {"https://0.0.0.0:" + internal.port + "/good", refused},
		"private":                      {"https://10.0.0.1/", refused},
		"link-local":                   {"https://169.254.169.254/latest/meta-data", refused},
		"unique-local":                 {"https://[fd00::1]/", refused},
		"multicast":                    {"https://224.0.0.1/", refused},
		"NAT64":                        {"https://[64:ff9b::7f00:1]/", refused},
	}
	resolver := jwks.NewResolver(network.options())
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			started := time.Now()
			keys := fetch(t, resolver, tt.uri)
			assert.Less(t, time.Since(started), 5*time.Second, "the fetch exceeded its deadline of half a second")
			outcome := unreachable
			if _, ok := keys.Set(); ok {
				outcome = seen
			} else if keys.Refused() {
				outcome = refused
			} else if reflect.DeepEqual(keys, domain.KeysUnexamined()) {
				outcome = unexamined
			}
			reason, _ := keys.Unreachable()
			assert.Equal(t, tt.want, outcome, reason)
			assert.NotContains(t, reason, "127.0.0")
		})
	}
	var after runtime.MemStats
	runtime.ReadMemStats(&after)
	assert.Less(t, after.HeapAlloc, before.HeapAlloc+64<<20)
	assert.Zero(t, internal.connections.Load(), "connected to an address that is not allowed")

	keys := fetch(t, resolver, at(host, "/endless-body"))
	set, _ := keys.Set()
	assert.Equal(t, domain.KeySetTooLarge, set.Fault)
	keys = fetch(t, resolver, at(host, "/not-json"))
	set, _ = keys.Set()
	assert.Equal(t, domain.KeySetMalformed, set.Fault)
	keys = fetch(t, resolver, "http://keys.test/good")
	assert.Equal(t, domain.KeysUnexamined(), keys, "another rule rejects http")
}

func TestDNSRebindingIsRejected(t *testing.T) {
	network := newNetwork(t)
	certificate := network.certificate(time.Now().Add(time.Hour))
	allowed := network.serve("127.0.0.2", certificate, good)
	_, port := allowed.connections, allowed.port
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:"+port)
	require.NoError(t, err)
	var reached atomic.Int64
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			reached.Add(1)
			_ = conn.Close()
		}
	}()
	defer func() { _ = listener.Close() }()

	var c manualClock
	options := network.options()
	options.Now, options.Timeout = c.now, time.Minute
	resolver := jwks.NewResolver(options)
	network.names.set("rebind.test", "127.0.0.2")
	keys := fetch(t, resolver, "https://rebind.test:"+port+"/")
	_, seen := keys.Set()
	require.True(t, seen)
	network.names.set("rebind.test", "127.0.0.1")
	c.advance(2 * time.Hour)
	keys = fetch(t, resolver, "https://rebind.test:"+port+"/")
	_, unreachable := keys.Unreachable()
	assert.True(t, unreachable)
	assert.Zero(t, reached.Load(), "connected to an address that is not allowed")
}

func TestAConfiguredHostMayHaveAnyAddress(t *testing.T) {
	network := newNetwork(t)
	network.names.set("keys.test", "127.0.0.1")
	host := network.serve("127.0.0.1", network.certificate(time.Now().Add(time.Hour)), good)
	options := network.options()
	options.Policy = domain.Policy{KeyHosts: []string{"keys.test"}}
	keys := fetch(t, jwks.NewResolver(options), "https://keys.test:"+host.port+"/")
	_, seen := keys.Set()
	assert.True(t, seen)
}

func TestConcurrentFetchesOfOneURIShareARequest(t *testing.T) {
	network := newNetwork(t)
	network.names.set("keys.test", "127.0.0.2")
	var requests atomic.Int64
	entered, release := make(chan struct{}, 100), make(chan struct{})
	host := network.serve("127.0.0.2", network.certificate(time.Now().Add(time.Hour)), func(rw http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		entered <- struct{}{}
		<-release
		good(rw, r)
	})
	options := network.options()
	options.Timeout = 10 * time.Second
	resolver := jwks.NewResolver(options)
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() {
			keys, _, err := resolver.Fetch(context.Background(), "a", "https://keys.test:"+host.port+"/")
			if !assert.NoError(t, err) { //nolint:testifylint // not the goroutine of the test
				return
			}
			_, seen := keys.Set()
			assert.True(t, seen)
		})
	}
	<-entered
	close(release)
	group.Wait()
	assert.EqualValues(t, 1, requests.Load())
}

func TestASlowHostDoesNotDelayOthers(t *testing.T) {
	network := newNetwork(t)
	network.names.set("keys.test", "127.0.0.2")
	network.names.set("slow.test", "127.0.0.2")
	certificate := network.certificate(time.Now().Add(time.Hour))
	entered := make(chan struct{}, 100)
	slow := network.serve("127.0.0.2", certificate, func(_ http.ResponseWriter, r *http.Request) { entered <- struct{}{}; hangUntilGone(r) })
	host := network.serve("127.0.0.2", certificate, good)
	options := network.options()
	options.Timeout = time.Minute
	resolver := jwks.NewResolver(options)

	waiting, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	const fetches = 100
	errs := make(chan error, fetches)
	for i := range fetches {
		group.Go(func() {
			_, _, err := resolver.Fetch(waiting, "a", "https://slow.test:"+slow.port+"/?"+url.QueryEscape(string(rune('a'+i))))
			errs <- err
		})
	}
	for range 4 {
		<-entered
	}
	for range fetches - 4 {
		require.ErrorIs(t, <-errs, application.ErrTooManyFetches, "few concurrent requests are sent to one host")
	}
	keys := fetch(t, resolver, "https://keys.test:"+host.port+"/")
	_, seen := keys.Set()
	assert.True(t, seen)
	cancel()
	group.Wait()
	for range 4 {
		err := <-errs
		require.ErrorIs(t, err, application.ErrUnavailable, "the caller's context ended first")
		require.NotErrorIs(t, err, application.ErrTooManyFetches)
	}
}

func TestResponsesAreReusedWhileFresh(t *testing.T) {
	network := newNetwork(t)
	network.names.set("keys.test", "127.0.0.2")
	var requests atomic.Int64
	var control atomic.Value
	host := network.serve("127.0.0.2", network.certificate(time.Now().Add(time.Hour)), func(rw http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		if value := control.Load().(string); value == "fail" {
			rw.WriteHeader(http.StatusInternalServerError)
		} else {
			rw.Header().Set("Cache-Control", value)
			good(rw, r)
		}
	})
	for value, fresh := range map[string]time.Duration{
		"":                          time.Minute,
		"public, max-age=300":       5 * time.Minute,
		`max-age="120"`:             2 * time.Minute,
		"max-age=999999999":         time.Hour,
		"max-age=99999999999999999": time.Hour,
		"max-age=0":                 10 * time.Second,
		"max-age=-5":                10 * time.Second,
		"max-age=soon":              10 * time.Second,
		"no-store":                  10 * time.Second,
		"fail":                      2 * time.Second,
	} {
		t.Run(value, func(t *testing.T) {
			control.Store(value)
			var c manualClock
			options := network.options()
			options.Now, options.Timeout = c.now, time.Minute
			resolver := jwks.NewResolver(options)
			requestsAfterFetch := func() int64 {
				fetch(t, resolver, "https://keys.test:"+host.port+"/")
				return requests.Load()
			}
			uri, text := "https://keys.test:"+host.port+"/", goodSet
			if value == "fail" {
				text = ""
			}
			_, known := resolver.Cached(uri)
			assert.False(t, known, "nothing was fetched")
			first := requestsAfterFetch()
			c.advance(fresh - time.Millisecond)
			cached, known := resolver.Cached(uri)
			assert.Equal(t, text, cached)
			assert.Equal(t, value != "fail", known)
			assert.Equal(t, first, requests.Load(), "only Fetch fetches")
			assert.Equal(t, first, requestsAfterFetch(), "fetched again while fresh")
			c.advance(2 * time.Millisecond)
			_, known = resolver.Cached(uri)
			assert.False(t, known, "the keys are stale")
			assert.Equal(t, first+1, requestsAfterFetch(), "not fetched again when stale")
		})
	}
}

// Each address that Clientele considers public is also public for a library that is
// generated from the IANA registries.
func TestPublicAddressesAgreeWithTheIANARegistries(t *testing.T) {
	guard := ssrf.New(ssrf.WithAnyPort())
	check := func(t require.TestingT, ip netip.Addr) {
		if domain.IsPublicAddress(ip) {
			network := "tcp4"
			if ip.Is6() {
				network = "tcp6"
			}
			require.NoError(t, guard.Safe(network, netip.AddrPortFrom(ip, 443).String(), nil), ip)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		check(t, netip.AddrFrom4([4]byte(rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "v4"))))
		octets := [16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "v6"))
		octets[0] = 0x20 | octets[0]&0x1f
		if rapid.Bool().Draw(t, "low") {
			octets[0], octets[1], octets[2] = 0x20, octets[1]&3, octets[2]&0x0f
		}
		check(t, netip.AddrFrom16(octets))
	})
}

// Refetch reads a document again that is fresh, at most every ten seconds. What it reads
// replaces what was known, unless it fails.
func TestDocumentsAreReadAgain(t *testing.T) {
	network := newNetwork(t)
	network.names.set("keys.test", "127.0.0.2")
	var requests atomic.Int64
	var fails atomic.Bool
	host := network.serve("127.0.0.2", network.certificate(time.Now().Add(time.Hour)), func(rw http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		if fails.Load() {
			rw.WriteHeader(http.StatusInternalServerError)
			return
		}
		rw.Header().Set("Cache-Control", "max-age=3600")
		good(rw, r)
	})
	var c manualClock
	options := network.options()
	options.Now, options.Timeout = c.now, time.Minute
	resolver := jwks.NewResolver(options)
	uri := "https://keys.test:" + host.port + "/"
	read := func(want int64, seen bool) {
		t.Helper()
		_, known := fetch(t, resolver, uri).Set()
		assert.Equal(t, []any{want, seen}, []any{requests.Load(), known})
	}
	again := func(want int64, seen bool) {
		t.Helper()
		keys, _, err := resolver.Refetch(t.Context(), "a", uri)
		require.NoError(t, err)
		_, known := keys.Set()
		assert.Equal(t, []any{want, seen}, []any{requests.Load(), known})
	}
	read(1, true)
	again(1, true) // it was just read
	c.advance(11 * time.Second)
	read(1, true)
	again(2, true)
	again(2, true)
	c.advance(11 * time.Second)
	fails.Store(true)
	again(3, false)
	again(3, false) // not more often if it fails
	read(3, true)   // what was read before is still fresh
	fails.Store(false)
	c.advance(11 * time.Second)
	again(4, true)
	c.advance(time.Hour - time.Second)
	read(4, true) // as fresh as the last read
	keys, _, err := resolver.Refetch(t.Context(), "a", "https://127.0.0.1/")
	require.NoError(t, err)
	assert.True(t, keys.Refused())
}
