package jwks_test

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/jwks"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

const goodSector = `["https://b.example/cb", "https://a.example/cb"]`

func fetchSector(t *testing.T, resolver *jwks.Resolver, uri string) domain.SectorIdentifier {
	t.Helper()
	sector, err := resolver.FetchSectorIdentifier(t.Context(), "a", uri)
	require.NoError(t, err)
	return sector
}

// manyStrings is an array of n strings.
func manyStrings(n int) string {
	return "[" + strings.TrimSuffix(strings.Repeat(`"a",`, n), ",") + "]"
}

func TestSectorIdentifiersOfHostileHosts(t *testing.T) {
	network := newNetwork(t)
	network.names.set("keys.test", "127.0.0.2")
	network.names.set("internal.test", "127.0.0.1")
	certificate := network.certificate(time.Now().Add(time.Hour))
	send := func(w http.ResponseWriter, kind, text string) {
		w.Header().Set("Content-Type", kind)
		_, _ = io.WriteString(w, text)
	}
	bodies := map[string]string{
		"/good":            goodSector,
		"/charset":         goodSector,
		"/empty-array":     "[]",
		"/spaces":          " \n[ ] \n",
		"/1000":            manyStrings(domain.MaxSectorIdentifierURIs),
		"/64-KiB":          `["` + strings.Repeat("a", domain.MaxSectorIdentifierBytes-4) + `"]`,
		"/1001":            manyStrings(domain.MaxSectorIdentifierURIs + 1),
		"/over-64-KiB":     `["` + strings.Repeat("a", domain.MaxSectorIdentifierBytes-3) + `"]`,
		"/empty":           "",
		"/object":          `{"uris":["https://a.example/cb"]}`,
		"/string":          `"https://a.example/cb"`,
		"/numbers":         `["https://a.example/cb",1]`,
		"/null":            `[null]`,
		"/nested":          `[["https://a.example/cb"]]`,
		"/two-arrays":      goodSector + goodSector,
		"/trailing":        goodSector + "x",
		"/unfinished":      `["https://a.example/cb"`,
		"/trailing-comma":  `["https://a.example/cb",]`,
		"/not-UTF-8":       "[\"https://a.example/\xff\"]",
		"/surrogate":       `["https://a.example/\ud800"]`,
		"/duplicate-names": `["https://a.example/cb",{"a":1,"a":2}]`,
		"/byte-order-mark": "\uFEFF" + goodSector,
		"/comment":         "// comment\n" + goodSector,
		"/deep":            strings.Repeat("[", 30_000),
	}
	internal := network.serve("127.0.0.1", certificate, func(w http.ResponseWriter, _ *http.Request) { send(w, "application/json", goodSector) })
	host := network.serve("127.0.0.2", certificate, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/charset":
			send(w, "Application/JSON; charset=utf-8", goodSector)
		case "/html":
			send(w, "text/html", goodSector)
		case "/jwk-set":
			send(w, "application/jwk-set+json", goodSector)
		case "/redirect":
			http.Redirect(w, r, "/good", http.StatusFound)
		case "/permanent-redirect":
			http.Redirect(w, r, "/good", http.StatusPermanentRedirect)
		case "/slow":
			hangUntilGone(r)
		case "/error":
			w.WriteHeader(http.StatusInternalServerError)
		case "/compressed":
			w.Header().Set("Content-Encoding", "gzip")
			send(w, "application/json", goodSector)
		default:
			send(w, "application/json", bodies[r.URL.Path])
		}
	})
	at := func(path string) string { return "https://keys.test:" + host.port + path }
	tests := map[string]struct{ uri, reason, detail string }{
		"a redirect":                 {uri: at("/redirect"), reason: "the host redirects, which is not followed"},
		"a permanent redirect":       {uri: at("/permanent-redirect"), reason: "the host redirects, which is not followed"},
		"no response":                {uri: at("/slow"), reason: "the host did not respond in time"},
		"status 500":                 {uri: at("/error"), reason: "the host responded with status 500"},
		"compressed":                 {uri: at("/compressed"), reason: "the response is compressed, although the request did not allow it"},
		"HTML":                       {uri: at("/html"), reason: "the Content-Type is not application/json"},
		"the type of a JWK Set":      {uri: at("/jwk-set"), reason: "the Content-Type is not application/json"},
		"a private address":          {uri: "https://internal.test:" + internal.port + "/", reason: "the host cannot be reached at a public address, or does not speak TLS with a valid certificate"},
		"a name that does not exist": {uri: "https://none.test/", reason: "the host cannot be reached at a public address, or does not speak TLS with a valid certificate"},
		"1001 strings":               {uri: at("/1001"), detail: "it has more than 1000 strings"},
		"over 64 KiB":                {uri: at("/over-64-KiB"), detail: "it is larger than 64 KiB"},
		"empty":                      {uri: at("/empty"), detail: "it is not an array"},
		"an object":                  {uri: at("/object"), detail: "it is not an array"},
		"a string":                   {uri: at("/string"), detail: "it is not an array"},
		"numbers":                    {uri: at("/numbers"), detail: "it has an element that is not a string"},
		"null":                       {uri: at("/null"), detail: "it has an element that is not a string"},
		"nested":                     {uri: at("/nested"), detail: "it has an element that is not a string"},
		"two arrays":                 {uri: at("/two-arrays"), detail: "it has data after the array"},
		"trailing data":              {uri: at("/trailing"), detail: "it has data after the array"},
		"unfinished":                 {uri: at("/unfinished"), detail: "it is not valid JSON"},
		"trailing comma":             {uri: at("/trailing-comma"), detail: "it is not valid JSON"},
		"not UTF-8":                  {uri: at("/not-UTF-8"), detail: "it is not valid JSON"},
		"a lone surrogate":           {uri: at("/surrogate"), detail: "it is not valid JSON"},
		"duplicate names":            {uri: at("/duplicate-names"), detail: "it is not valid JSON"},
		"byte order mark":            {uri: at("/byte-order-mark"), detail: "it is not an array"},
		"comment":                    {uri: at("/comment"), detail: "it is not an array"},
		"deep":                       {uri: at("/deep"), detail: "it is not valid JSON"},
	}
	resolver := jwks.NewResolver(network.options())
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			sector := fetchSector(t, resolver, tt.uri)
			reason, unreachable := sector.Unreachable()
			detail, malformed := sector.Malformed()
			_, seen := sector.URIs()
			assert.Equal(t, tt.reason != "", unreachable)
			assert.Equal(t, tt.detail != "", malformed)
			assert.False(t, seen)
			assert.Equal(t, tt.reason+tt.detail, map[bool]string{true: reason, false: detail}[unreachable])
		})
	}
	for path, count := range map[string]int{"/good": 2, "/charset": 2, "/empty-array": 0, "/spaces": 0, "/1000": 1000, "/64-KiB": 1} {
		uris, seen := fetchSector(t, resolver, at(path)).URIs()
		assert.True(t, seen, path)
		assert.Len(t, uris, count, path)
	}
	uris, _ := fetchSector(t, resolver, at("/good")).URIs()
	assert.Equal(t, []string{"https://a.example/cb", "https://b.example/cb"}, uris)

	for _, uri := range []string{"https://127.0.0.1:" + internal.port + "/", "https://localhost:" + internal.port + "/", "https://[::ffff:127.0.0.1]:" + internal.port + "/"} {
		assert.True(t, fetchSector(t, resolver, uri).Refused(), uri)
	}
	connections := host.connections.Load()
	for _, uri := range []string{
		"", "/", "http://keys.test:" + host.port + "/good", "https://a@keys.test:" + host.port + "/good", at("/good#a"), at("/a/../good"), at("/*"),
	} {
		assert.Equal(t, domain.SectorIdentifierUnexamined(), fetchSector(t, resolver, uri), uri)
	}
	assert.Equal(t, connections, host.connections.Load(), "connected for a URI that a rule rejects")
	assert.Zero(t, internal.connections.Load(), "connected to an address that is not allowed")
}

func TestSectorIdentifiersAreCachedApartFromKeys(t *testing.T) {
	network := newNetwork(t)
	network.names.set("keys.test", "127.0.0.2")
	var requests atomic.Int64
	host := network.serve("127.0.0.2", network.certificate(time.Now().Add(time.Hour)), func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Path == "/missing" {
			w.WriteHeader(http.StatusNotFound)
		}
		_, _ = io.WriteString(w, goodSector)
	})
	var c manualClock
	options := network.options()
	options.Now, options.Timeout = c.now, time.Minute
	resolver := jwks.NewResolver(options)
	uri, missing := "https://keys.test:"+host.port+"/", "https://keys.test:"+host.port+"/missing"

	first := fetchSector(t, resolver, uri)
	assert.Equal(t, first, fetchSector(t, resolver, uri))
	assert.EqualValues(t, 1, requests.Load())
	set, seen := fetch(t, resolver, uri).Set()
	assert.True(t, seen)
	assert.Equal(t, domain.KeySetMalformed, set.Fault, "the same document is no JWK Set")
	assert.EqualValues(t, 2, requests.Load())
	c.advance(time.Minute)
	fetchSector(t, resolver, uri)
	assert.EqualValues(t, 3, requests.Load())

	fetchSector(t, resolver, missing)
	fetchSector(t, resolver, missing)
	assert.EqualValues(t, 4, requests.Load(), "a failure is remembered")
	c.advance(2 * time.Second)
	fetchSector(t, resolver, missing)
	assert.EqualValues(t, 5, requests.Load(), "a failure is remembered for a short time only")
}

// A tenant's share of fetches is one for keys and sector identifiers.
func TestSectorIdentifiersShareTheLimitsOfKeys(t *testing.T) {
	network := newNetwork(t)
	network.names.set("keys.test", "127.0.0.2")
	hanging, accepted := hang(t, "127.0.0.2")
	options := network.options()
	options.Timeout = time.Minute
	resolver := jwks.NewResolver(options)
	uri := "https://keys.test:" + hanging + "/"
	const perHost = 4
	for i := range perHost {
		go func() { _, _, _ = resolver.Fetch(t.Context(), "a", uri+strings.Repeat("x", i)) }()
		<-accepted
	}
	_, err := resolver.FetchSectorIdentifier(t.Context(), "a", uri)
	require.ErrorIs(t, err, application.ErrTooManyFetches)
}

func FuzzSectorIdentifier(f *testing.F) {
	for _, text := range []string{goodSector, "[]", `["\u0061"]`, `[1]`, `{}`, `["a"`, `["a"]]`, "[\"\xff\"]", manyStrings(1001), `[{"a":1,"a":2}]`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		sector := jwks.ParseSectorIdentifier(text)
		uris, seen := sector.URIs()
		detail, malformed := sector.Malformed()
		if seen == malformed || malformed && detail == "" {
			t.Fatalf("seen: %t, malformed: %t (%q)", seen, malformed, detail)
		}
		// Package encoding/json reads each accepted document as well, with the same
		// result.
		var want []string
		err := json.Unmarshal(text, &want)
		if !seen {
			return
		}
		slices.Sort(want)
		if err != nil || !slices.Equal(want, uris) || !utf8.Valid(text) || len(text) > domain.MaxSectorIdentifierBytes || len(uris) > domain.MaxSectorIdentifierURIs {
			t.Fatalf("accepted %q as %q; encoding/json has %q, %v", text, uris, want, err)
		}
	})
}
