package jose_test

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

	"github.com/clientele-oauth/clientele/adapters/jose"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// world is a small internet on this machine: names, a certificate authority
// and servers. 127.0.0.2 stands for the addresses that may hold keys, 127.0.0.1
// for those that may not.
type world struct {
	t         *testing.T
	authority *ecdsa.PrivateKey
	root      *x509.Certificate
	roots     *x509.CertPool
	names     *nameServer
}

func newWorld(t *testing.T) *world {
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
	return &world{t, key, root, roots, newNameServer(t)}
}

// certificate is one for every name of the world.
func (w *world) certificate(notAfter time.Time) tls.Certificate {
	w.t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "keys.test"}, DNSNames: []string{"keys.test", "slow.test", "rebind.test"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv4(127, 0, 0, 2), net.IPv6loopback},
		NotBefore:   time.Now().Add(-2 * time.Hour), NotAfter: notAfter,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, w.root, w.authority.Public(), w.authority)
	require.NoError(w.t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: w.authority}
}

// site is a server and what reached it.
type site struct {
	port        string
	connections *atomic.Int64
}

// serve starts an https server on an address of this machine.
func (w *world) serve(host string, certificate tls.Certificate, handler http.HandlerFunc) site {
	w.t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(w.t.Context(), "tcp", net.JoinHostPort(host, "0"))
	require.NoError(w.t, err)
	connections := &atomic.Int64{}
	server := httptest.NewUnstartedServer(handler)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	require.NoError(w.t, server.Listener.Close())
	server.Listener = listener
	server.EnableHTTP2 = true
	server.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
	server.StartTLS()
	w.t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	_, port, err := net.SplitHostPort(listener.Addr().String())
	require.NoError(w.t, err)
	return site{port, connections}
}

// rules are those of a deployment that takes keys from 127.0.0.2.
func (w *world) rules() jose.FetchRules {
	return jose.FetchRules{
		Policy:  domain.Policy{KeyNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.2/32")}},
		Timeout: 500 * time.Millisecond,
		Roots:   w.roots,
		Names:   w.names.resolver(),
	}
}

// nameServer answers questions about A records.
type nameServer struct {
	address string
	mu      sync.Mutex
	answers map[string][]string
}

func newNameServer(t *testing.T) *nameServer {
	t.Helper()
	socket, err := (&net.ListenConfig{}).ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	require.NoError(t, err)
	n := &nameServer{address: socket.LocalAddr().String(), answers: map[string][]string{}}
	t.Cleanup(func() { _ = socket.Close() })
	go func() {
		buffer := make([]byte, 1500)
		for {
			length, from, err := socket.ReadFrom(buffer)
			if err != nil {
				return
			}
			if answer := n.answer(buffer[:length]); answer != nil {
				_, _ = socket.WriteTo(answer, from)
			}
		}
	}()
	return n
}

func (n *nameServer) set(name string, addresses ...string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.answers[name] = addresses
}

func (n *nameServer) answer(question []byte) []byte {
	var m dnsmessage.Message
	if m.Unpack(question) != nil || len(m.Questions) != 1 {
		return nil
	}
	q := m.Questions[0]
	m.Response, m.Authoritative, m.Additionals = true, true, nil
	n.mu.Lock()
	defer n.mu.Unlock()
	if q.Type == dnsmessage.TypeA {
		for _, address := range n.answers[strings.TrimSuffix(q.Name.String(), ".")] {
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

// fetch fetches for some tenant.
func fetch(t *testing.T, resolver *jose.Resolver, uri string) domain.Keys {
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

// untilGone keeps a request open for as long as the caller waits.
func untilGone(r *http.Request) { <-r.Context().Done() }

func TestHostileHosts(t *testing.T) {
	w := newWorld(t)
	w.names.set("keys.test", "127.0.0.2")
	w.names.set("inside.test", "127.0.0.1")
	certificate := w.certificate(time.Now().Add(time.Hour))
	forbidden := w.serve("127.0.0.1", certificate, good)
	host := w.serve("127.0.0.2", certificate, func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		switch r.URL.Path {
		case "/good":
			good(rw, r)
		case "/slow-headers":
			untilGone(r)
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
			http.Redirect(rw, r, "https://127.0.0.1:"+forbidden.port+"/good", http.StatusFound)
		case "/to-inside-name":
			http.Redirect(rw, r, "https://inside.test:"+forbidden.port+"/good", http.StatusFound)
		case "/to-http":
			http.Redirect(rw, r, "http://keys.test:"+forbidden.port+"/good", http.StatusFound)
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
		case "/rubbish":
			_, _ = io.WriteString(rw, "<html>")
		case "/teapot":
			rw.WriteHeader(http.StatusTeapot)
		default:
			http.NotFound(rw, r)
		}
	})
	expired := w.serve("127.0.0.2", w.certificate(time.Now().Add(-time.Hour)), good)
	stranger := w.serve("127.0.0.2", newWorld(t).certificate(time.Now().Add(time.Hour)), good)

	at := func(s site, path string) string { return "https://keys.test:" + s.port + path }
	seen, unreachable, refused, unexamined := "seen", "unreachable", "refused", "unexamined"
	tests := map[string]struct {
		uri, want string
	}{
		"a good set":                 {at(host, "/good"), seen},
		"one redirect":               {at(host, "/one-redirect"), seen},
		"slow headers":               {at(host, "/slow-headers"), unreachable},
		"slow body":                  {at(host, "/slow-body"), unreachable},
		"endless body":               {at(host, "/endless-body"), seen},
		"endless headers":            {at(host, "/endless-headers"), unreachable},
		"redirect loop":              {at(host, "/loop"), unreachable},
		"redirect to loopback":       {at(host, "/to-loopback"), unreachable},
		"redirect to an inside name": {at(host, "/to-inside-name"), unreachable},
		"redirect to http":           {at(host, "/to-http"), unreachable},
		"gzip bomb":                  {at(host, "/gzip-bomb"), unreachable},
		"wrong content type":         {at(host, "/html"), unreachable},
		"no content type":            {at(host, "/no-type"), unreachable},
		"HTTP/2 reset":               {at(host, "/reset"), unreachable},
		"rubbish":                    {at(host, "/rubbish"), seen},
		"another status":             {at(host, "/teapot"), unreachable},
		"not there":                  {at(host, "/none"), unreachable},
		"expired certificate":        {at(expired, "/good"), unreachable},
		"another authority":          {at(stranger, "/good"), unreachable},
		"a closed port":              {"https://127.0.0.2:1/good", unreachable},
		"a name that is not":         {"https://none.test/good", unreachable},
		"loopback":                   {"https://127.0.0.1:" + forbidden.port + "/good", refused},
		"loopback, short":            {"https://127.1:" + forbidden.port + "/good", unexamined},
		"loopback, mapped":           {"https://[::ffff:127.0.0.1]:" + forbidden.port + "/good", refused},
		"loopback IPv6":              {"https://[::1]:" + forbidden.port + "/good", refused},
		"an inside name":             {"https://inside.test:" + forbidden.port + "/good", unreachable},
		"unspecified":                {"https://0.0.0.0:" + forbidden.port + "/good", refused},
		"private":                    {"https://10.0.0.1/", refused},
		"link-local":                 {"https://169.254.169.254/latest/meta-data", refused},
		"unique-local":               {"https://[fd00::1]/", refused},
		"multicast":                  {"https://224.0.0.1/", refused},
		"NAT64":                      {"https://[64:ff9b::7f00:1]/", refused},
	}
	resolver := jose.NewResolver(w.rules())
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			started := time.Now()
			keys := fetch(t, resolver, tt.uri)
			assert.Less(t, time.Since(started), 5*time.Second, "the deadline of half a second holds nothing up")
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
	assert.Zero(t, forbidden.connections.Load(), "a refused address was asked")

	keys := fetch(t, resolver, at(host, "/endless-body"))
	set, _ := keys.Set()
	assert.Equal(t, domain.KeySetTooLarge, set.Fault)
	keys = fetch(t, resolver, at(host, "/rubbish"))
	set, _ = keys.Set()
	assert.Equal(t, domain.KeySetMalformed, set.Fault)
	keys = fetch(t, resolver, "http://keys.test/good")
	assert.Equal(t, domain.KeysUnexamined(), keys, "another rule refuses http")
}

func TestANameThatChangesItsMindIsJudgedByWhereItLeads(t *testing.T) {
	w := newWorld(t)
	certificate := w.certificate(time.Now().Add(time.Hour))
	allowed := w.serve("127.0.0.2", certificate, good)
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

	var c movingClock
	rules := w.rules()
	rules.Now = c.now
	resolver := jose.NewResolver(rules)
	w.names.set("rebind.test", "127.0.0.2")
	keys := fetch(t, resolver, "https://rebind.test:"+port+"/")
	_, seen := keys.Set()
	require.True(t, seen)
	w.names.set("rebind.test", "127.0.0.1")
	c.forward(2 * time.Hour)
	keys = fetch(t, resolver, "https://rebind.test:"+port+"/")
	_, unreachable := keys.Unreachable()
	assert.True(t, unreachable)
	assert.Zero(t, reached.Load(), "a refused address was asked")
}

func TestAHostThatTheDeploymentNamesMayBeAnywhere(t *testing.T) {
	w := newWorld(t)
	w.names.set("keys.test", "127.0.0.1")
	host := w.serve("127.0.0.1", w.certificate(time.Now().Add(time.Hour)), good)
	rules := w.rules()
	rules.Policy = domain.Policy{KeyHosts: []string{"keys.test"}}
	keys := fetch(t, jose.NewResolver(rules), "https://keys.test:"+host.port+"/")
	_, seen := keys.Set()
	assert.True(t, seen)
}

func TestFetchesOfOneURIAreOne(t *testing.T) {
	w := newWorld(t)
	w.names.set("keys.test", "127.0.0.2")
	var requests atomic.Int64
	entered, release := make(chan struct{}, 100), make(chan struct{})
	host := w.serve("127.0.0.2", w.certificate(time.Now().Add(time.Hour)), func(rw http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		entered <- struct{}{}
		<-release
		good(rw, r)
	})
	rules := w.rules()
	rules.Timeout = 10 * time.Second
	resolver := jose.NewResolver(rules)
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

func TestASlowHostHoldsUpNoOther(t *testing.T) {
	w := newWorld(t)
	w.names.set("keys.test", "127.0.0.2")
	w.names.set("slow.test", "127.0.0.2")
	certificate := w.certificate(time.Now().Add(time.Hour))
	entered := make(chan struct{}, 100)
	slow := w.serve("127.0.0.2", certificate, func(_ http.ResponseWriter, r *http.Request) { entered <- struct{}{}; untilGone(r) })
	host := w.serve("127.0.0.2", certificate, good)
	rules := w.rules()
	rules.Timeout = time.Minute
	resolver := jose.NewResolver(rules)

	waiting, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	const asked = 100
	errs := make(chan error, asked)
	for i := range asked {
		group.Go(func() {
			_, _, err := resolver.Fetch(waiting, "a", "https://slow.test:"+slow.port+"/?"+url.QueryEscape(string(rune('a'+i))))
			errs <- err
		})
	}
	for range 4 {
		<-entered
	}
	for range asked - 4 {
		require.ErrorIs(t, <-errs, application.ErrTooManyFetches, "a slow host is asked a few times at once only")
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

func TestAnswersAreUsedAsLongAsTheySayWithinBounds(t *testing.T) {
	w := newWorld(t)
	w.names.set("keys.test", "127.0.0.2")
	var requests atomic.Int64
	var control atomic.Value
	host := w.serve("127.0.0.2", w.certificate(time.Now().Add(time.Hour)), func(rw http.ResponseWriter, r *http.Request) {
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
			var c movingClock
			rules := w.rules()
			rules.Now = c.now
			resolver := jose.NewResolver(rules)
			ask := func() int64 {
				fetch(t, resolver, "https://keys.test:"+host.port+"/")
				return requests.Load()
			}
			first := ask()
			c.forward(fresh - time.Millisecond)
			assert.Equal(t, first, ask(), "asked again while fresh")
			c.forward(2 * time.Millisecond)
			assert.Equal(t, first+1, ask(), "not asked again when stale")
		})
	}
}

// Every address that Clientele takes for public is one that a guard made from
// the IANA registries does too.
func TestPublicAddressesAreSoByTheRegistriesOfIANA(t *testing.T) {
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
