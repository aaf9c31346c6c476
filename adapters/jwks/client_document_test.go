package jwks_test

import (
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
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

var _ application.ClientDocuments = (*jwks.Resolver)(nil)

// sendJSON responds with a document.
func sendJSON(w http.ResponseWriter, text string) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, text)
}

// documentFailure fetches a document that is not usable.
func documentFailure(t *testing.T, resolver *jwks.Resolver, url string, maxBytes int) *application.DocumentError {
	t.Helper()
	_, err := resolver.FetchClientDocument(t.Context(), "a", domain.ClientID(url), maxBytes, false)
	var failure *application.DocumentError
	require.ErrorAs(t, err, &failure)
	return failure
}

func TestClientDocumentsOfHostileHosts(t *testing.T) {
	network := newNetwork(t)
	network.names.set("keys.test", "127.0.0.2")
	network.names.set("internal.test", "127.0.0.1")
	certificate := network.certificate(time.Now().Add(time.Hour))
	internal := network.serve("127.0.0.1", certificate, func(w http.ResponseWriter, _ *http.Request) { sendJSON(w, "{}") })
	bodies := map[string]string{
		"/array": "[]", "/string": `"a"`, "/null": "null", "/empty": "", "/html-text": "<html>", "/unfinished": `{"client_name":"a"`,
		"/duplicate": `{"client_name":"a","client_name":"b"}`, "/duplicate-inside": `{"x":{"a":1,"a":2}}`, "/two": "{}{}", "/trailing": "{}x",
		"/not-UTF-8": "{\"client_name\":\"\xff\"}", "/byte-order-mark": "\uFEFF{}", "/deep": strings.Repeat("[", 5000),
		"/5121": `{"x":"` + strings.Repeat("a", 5121-8) + `"}`,
		"/name": `{"client_name":1}`, "/uris": `{"redirect_uris":"https://a.example"}`, "/grants": `{"grant_types":[1]}`,
		"/method": `{"token_endpoint_auth_method":["none"]}`, "/jwks": `{"jwks":"{}"}`,
	}
	host := network.serve("127.0.0.2", certificate, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/redirect":
			http.Redirect(w, r, "/good", http.StatusFound)
		case "/redirect-inside":
			http.Redirect(w, r, "https://127.0.0.1:"+internal.port+"/", http.StatusTemporaryRedirect)
		case "/201":
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusCreated)
			_, _ = io.WriteString(w, "{}")
		case "/304":
			w.WriteHeader(http.StatusNotModified)
		case "/404":
			http.NotFound(w, r)
		case "/500":
			w.WriteHeader(http.StatusInternalServerError)
		case "/html":
			w.Header().Set("Content-Type", "text/html")
			_, _ = io.WriteString(w, "{}")
		case "/text-json":
			w.Header().Set("Content-Type", "text/json")
			_, _ = io.WriteString(w, "{}")
		case "/image-json":
			w.Header().Set("Content-Type", "image/a+json")
			_, _ = io.WriteString(w, "{}")
		case "/no-type":
			w.Header()["Content-Type"] = nil
			_, _ = io.WriteString(w, "{}")
		case "/gzip":
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			_, _ = io.WriteString(z, "{}")
			_ = z.Close()
		case "/slow":
			hangUntilGone(r)
		case "/slow-body":
			sendJSON(w, "{")
			_ = http.NewResponseController(w).Flush()
			hangUntilGone(r)
		case "/endless":
			w.Header().Set("Content-Type", "application/json")
			block := []byte(strings.Repeat(" ", 1<<16))
			for r.Context().Err() == nil {
				if _, err := w.Write(block); err != nil {
					return
				}
			}
		case "/reset":
			sendJSON(w, `{"client_name":`)
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		default:
			sendJSON(w, bodies[r.URL.Path])
		}
	})
	expired := network.serve("127.0.0.2", network.certificate(time.Now().Add(-time.Hour)), func(w http.ResponseWriter, _ *http.Request) { sendJSON(w, "{}") })

	at := func(path string) string { return "https://keys.test:" + host.port + path }
	tests := map[string]struct {
		url     string
		reason  application.DocumentReason
		message string
	}{
		"a redirect":                       {at("/redirect"), "unreachable", "redirects"},
		"a redirect to an internal host":   {at("/redirect-inside"), "unreachable", "redirects"},
		"status 201":                       {at("/201"), "unreachable", "status 201"},
		"status 304":                       {at("/304"), "unreachable", "status 304"},
		"status 404":                       {at("/404"), "unreachable", "status 404"},
		"status 500":                       {at("/500"), "unreachable", "status 500"},
		"HTML":                             {at("/html"), "unreachable", "Content-Type is not application/json or application/*+json"},
		"text/json":                        {at("/text-json"), "unreachable", "Content-Type"},
		"image/a+json":                     {at("/image-json"), "unreachable", "Content-Type"},
		"no content type":                  {at("/no-type"), "unreachable", "Content-Type"},
		"compressed":                       {at("/gzip"), "unreachable", "compressed"},
		"no response":                      {at("/slow"), "unreachable", "did not respond in time"},
		"half a response":                  {at("/slow-body"), "unreachable", "did not respond in time"},
		"an aborted response":              {at("/reset"), "unreachable", "cannot be reached"},
		"an expired certificate":           {"https://keys.test:" + expired.port + "/", "unreachable", "cannot be reached"},
		"a name with a private address":    {"https://internal.test:" + internal.port + "/a", "unreachable", "cannot be reached"},
		"a name that does not exist":       {"https://none.test/a", "unreachable", "cannot be reached"},
		"loopback":                         {"https://127.0.0.1:" + internal.port + "/a", "unreachable", "nothing is fetched"},
		"localhost":                        {"https://localhost:" + internal.port + "/a", "unreachable", "nothing is fetched"},
		"loopback, mapped":                 {"https://[::ffff:127.0.0.1]:" + internal.port + "/a", "unreachable", "nothing is fetched"},
		"a metadata service":               {"https://169.254.169.254/latest", "unreachable", "nothing is fetched"},
		"http":                             {"http://keys.test:" + host.port + "/good", "unreachable", "nothing is fetched"},
		"user information":                 {"https://a@keys.test:" + host.port + "/good", "unreachable", "nothing is fetched"},
		"a fragment":                       {at("/good#a"), "unreachable", "nothing is fetched"},
		"no URL":                           {"app", "unreachable", "nothing is fetched"},
		"endless":                          {at("/endless"), "malformed", "larger than 5120 bytes"},
		"5121 bytes":                       {at("/5121"), "malformed", "larger than 5120 bytes"},
		"an array":                         {at("/array"), "malformed", "not a JSON object"},
		"a string":                         {at("/string"), "malformed", "not a JSON object"},
		"null":                             {at("/null"), "malformed", "not a JSON object"},
		"empty":                            {at("/empty"), "malformed", "not a JSON object"},
		"text that is not JSON":            {at("/html-text"), "malformed", "not"},
		"unfinished":                       {at("/unfinished"), "malformed", "not"},
		"a duplicate member":               {at("/duplicate"), "malformed", "duplicate member"},
		"a duplicate member deeper inside": {at("/duplicate-inside"), "malformed", "duplicate member"},
		"two objects":                      {at("/two"), "malformed", "data after"},
		"trailing data":                    {at("/trailing"), "malformed", "data after"},
		"not UTF-8":                        {at("/not-UTF-8"), "malformed", "not valid JSON"},
		"a byte order mark":                {at("/byte-order-mark"), "malformed", "not"},
		"deep":                             {at("/deep"), "malformed", "not"},
		"a name that is a number":          {at("/name"), "malformed", "client_name must be a string"},
		"redirect URIs that are a string":  {at("/uris"), "malformed", "redirect_uris must be an array"},
		"a grant that is a number":         {at("/grants"), "malformed", "grant_types/0 must be a string"},
		"methods that are a list":          {at("/method"), "malformed", "token_endpoint_auth_method must be a string"},
		"keys that are a string":           {at("/jwks"), "malformed", "jwks must be an object"},
	}
	var clock manualClock
	options := network.options()
	options.Now = clock.now
	resolver := jwks.NewResolver(options)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			clock.advance(time.Minute) // so that no limit of a host is reached
			failure := documentFailure(t, resolver, tt.url, 0)
			assert.Equal(t, tt.reason, failure.Reason)
			assert.Contains(t, failure.Message, tt.message)
			assert.NotContains(t, failure.Message, "127.0.0")
		})
	}
	assert.Zero(t, internal.connections.Load(), "connected to an address that is not allowed")
}

func TestClientDocumentsAreRead(t *testing.T) {
	network := newNetwork(t)
	network.names.set("keys.test", "127.0.0.2")
	var request http.Header
	const document = ` {"client_id":"u","client_name":"App","scope":"a b","redirect_uris":["https://a.example/cb"],"unknown":{"a":[]},` +
		`"token_endpoint_auth_method":"none","grant_types":["authorization_code","magic"],"status":"suspended","client_secret":"s"} `
	host := network.serve("127.0.0.2", network.certificate(time.Now().Add(time.Hour)), func(w http.ResponseWriter, r *http.Request) {
		request = r.Header
		w.Header().Set("Content-Type", map[string]string{"/": "Application/JSON; charset=utf-8", "/x": "application/vnd.x+json"}[r.URL.Path])
		_, _ = io.WriteString(w, document)
	})
	resolver := jwks.NewResolver(network.options())
	digest := sha256.Sum256([]byte(document))
	for _, path := range []string{"/", "/x"} {
		url := domain.ClientID("https://keys.test:" + host.port + path)
		fetched, err := resolver.FetchClientDocument(t.Context(), "a", url, 0, false)
		require.NoError(t, err)
		got := fetched.Document
		assert.Equal(t, domain.MetadataDocument{
			URL: url, ClientID: "u", Metadata: got.Metadata, Secrets: []string{"client_secret"}, Digest: "sha-256:" + hex.EncodeToString(digest[:]),
			FetchedAt: got.FetchedAt,
		}, got)
		assert.WithinDuration(t, time.Now(), got.FetchedAt, time.Minute)
		assert.Equal(t, domain.Settings{
			Name: "App", Scopes: []domain.Scope{"a", "b"}, RedirectURIs: []domain.RedirectURI{"https://a.example/cb"},
			AuthMethods: []domain.AuthMethod{domain.AuthNone}, GrantTypes: []domain.GrantType{"authorization_code", "magic"},
		}, got.Metadata.Values(), "members of administrators are ignored, unknown values are kept")
		parsed, err := resolver.ParseClientDocument(url, []byte(document))
		require.NoError(t, err)
		got.FetchedAt = time.Time{}
		assert.Equal(t, got, parsed)
	}
	assert.Equal(t, []string{"application/json"}, request.Values("Accept"))
	assert.Empty(t, request.Values("Cookie"))
	assert.Empty(t, request.Values("Accept-Encoding"))
}

// The bounds of the size are those of the call.
func TestClientDocumentsHaveALimitedSize(t *testing.T) {
	network := newNetwork(t)
	network.names.set("keys.test", "127.0.0.2")
	host := network.serve("127.0.0.2", network.certificate(time.Now().Add(time.Hour)), func(w http.ResponseWriter, r *http.Request) {
		size, _ := strconv.Atoi(r.URL.Path[1:])
		sendJSON(w, `{"x":"`+strings.Repeat("a", size-8)+`"}`)
	})
	resolver := jwks.NewResolver(network.options())
	for _, tt := range []struct {
		size, maxBytes int
		fits           bool
	}{
		{5120, 0, true}, {5121, 0, false}, {5121, 6000, true}, {100, 99, false}, {100, 100, true}, {65536, 65536, true}, {65537, 1 << 20, false},
	} {
		_, err := resolver.FetchClientDocument(t.Context(), "a", domain.ClientID("https://keys.test:"+host.port+"/"+strconv.Itoa(tt.size)), tt.maxBytes, false)
		if tt.fits {
			require.NoError(t, err, tt)
		} else {
			require.ErrorContains(t, err, "larger than", tt)
		}
	}
}

// A tenant's share of fetches is one for keys and documents.
func TestClientDocumentsShareTheLimitsOfKeys(t *testing.T) {
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
	_, err := resolver.FetchClientDocument(t.Context(), "a", domain.ClientID(uri), 0, false)
	require.ErrorIs(t, err, application.ErrTooManyFetches)
}

// Anyone can make an authorization server ask for documents at hosts that do not respond.
func TestUnknownClientDocumentsLeavePlacesToOtherFetches(t *testing.T) {
	network := newNetwork(t)
	network.names.set("keys.test", "127.0.0.2")
	hanging, accepted := hang(t, "127.0.0.2")
	options := network.options()
	options.Timeout = time.Minute
	clock := &manualClock{}
	options.Now = clock.now
	host := network.serve("127.0.0.2", network.certificate(time.Now().Add(time.Hour)), func(w http.ResponseWriter, r *http.Request) {
		sendJSON(w, `{"client_id":"https://`+r.Host+r.URL.Path+`","keys":[]}`)
	})
	known := domain.ClientID("https://keys.test:" + host.port + "/client")
	resolver := jwks.NewResolver(options)
	_, err := resolver.FetchClientDocument(t.Context(), "a", known, 0, false)
	require.NoError(t, err)
	clock.advance(time.Hour)
	for i := range 10 {
		name := "slow" + strconv.Itoa(i) + ".test"
		network.names.set(name, "127.0.0.2")
		go func() {
			_, _ = resolver.FetchClientDocument(t.Context(), "a", domain.ClientID("https://"+name+":"+hanging+"/"), 0, false)
		}()
		<-accepted
	}
	_, err = resolver.FetchClientDocument(t.Context(), "a", known+"2", 0, false)
	require.ErrorIs(t, err, application.ErrTooManyFetches, "an unknown document")
	_, err = resolver.FetchClientDocument(t.Context(), "b", known+"2", 0, false)
	require.NoError(t, err, "of another tenant")
	_, err = resolver.FetchClientDocument(t.Context(), "a", known, 0, false)
	require.NoError(t, err, "a known document")
	_, _, err = resolver.Fetch(t.Context(), "a", string(known))
	require.NoError(t, err, "keys")
}

// Nor do they take all places of the host of a client.
func TestUnknownClientDocumentsLeavePlacesOfTheirHost(t *testing.T) {
	network := newNetwork(t)
	network.names.set("keys.test", "127.0.0.2")
	hanging, accepted := hang(t, "127.0.0.2")
	options := network.options()
	options.Timeout = time.Minute
	resolver := jwks.NewResolver(options)
	uri := "https://keys.test:" + hanging + "/"
	const unknown = 2
	for i := range unknown {
		go func() {
			_, _ = resolver.FetchClientDocument(t.Context(), "a", domain.ClientID(uri+strings.Repeat("x", i)), 0, false)
		}()
		<-accepted
	}
	_, err := resolver.FetchClientDocument(t.Context(), "a", domain.ClientID(uri+"other"), 0, false)
	require.ErrorIs(t, err, application.ErrTooManyFetches)
	go func() { _, _, _ = resolver.Fetch(t.Context(), "a", uri) }()
	<-accepted
}

func TestClientDocumentsAtLoopbackHostsAreForDevelopment(t *testing.T) {
	var requests atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		if r.URL.Path == "/redirect" {
			http.Redirect(w, r, "/client", http.StatusFound)
			return
		}
		sendJSON(w, "{}")
	}))
	t.Cleanup(server.Close)
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	require.NoError(t, err)
	network := newNetwork(t)
	network.names.set("keys.test", "127.0.0.1")
	options := network.options()
	options.Names = nil // localhost is not a name of the network
	local := []string{"http://127.0.0.1:" + port + "/client", "http://localhost:" + port + "/client"}
	for _, url := range local {
		failure := documentFailure(t, jwks.NewResolver(options), url, 0)
		assert.Equal(t, application.DocumentUnreachable, failure.Reason)
	}
	assert.Zero(t, requests.Load())

	options.Policy.Loopback = true
	for _, url := range local {
		_, err := jwks.NewResolver(options).FetchClientDocument(t.Context(), "a", domain.ClientID(url), 0, false)
		require.NoError(t, err, url)
	}
	assert.EqualValues(t, 2, requests.Load())
	options.Names = network.names.resolver()
	for _, url := range []string{
		"http://keys.test:" + port + "/client", "https://keys.test:" + port + "/client", "http://10.0.0.1/client",
		"http://127.0.0.1:" + port + "/redirect",
	} {
		assert.Equal(t, application.DocumentUnreachable, documentFailure(t, jwks.NewResolver(options), url, 0).Reason, url)
	}
	assert.EqualValues(t, 3, requests.Load(), "a name with a loopback address is not a loopback host")
}

func FuzzClientDocument(f *testing.F) {
	for _, text := range []string{
		`{"client_id":"https://a.example/c","client_name":"A","redirect_uris":["https://a.example/cb"],"token_endpoint_auth_method":"none"}`,
		`{"jwks":{"keys":[]},"jwks_uri":"https://a.example/","scope":"a b","default_max_age":1}`, `{"client_secret":"a","client_secret_expires_at":0}`,
		`{"logo_uri":"javascript:alert(1)"}`, `{"client_name":1}`, `{"a":1,"a":2}`, `{}x`, `[]`, "{\"a\":\"\xff\"}", `{"grant_types":["magic",""]}`,
	} {
		f.Add([]byte(text))
	}
	resolver := jwks.NewResolver(jwks.Options{})
	f.Fuzz(func(t *testing.T, text []byte) {
		document, err := resolver.ParseClientDocument("https://a.example/c", text)
		if err != nil {
			failure, ok := errors.AsType[*application.DocumentError](err)
			if !ok || failure.Reason != application.DocumentMalformed || failure.Message == "" {
				t.Fatalf("%v", err)
			}
			return
		}
		var members map[string]any
		if err := json.Unmarshal(text, &members); err != nil || members == nil || !utf8.Valid(text) || len(text) > domain.MaxDocumentBytes {
			t.Fatalf("accepted %q: %v", text, err)
		}
		if id, isText := members["client_id"].(string); isText && id != document.ClientID {
			t.Fatalf("client_id %q instead of %q", document.ClientID, id)
		}
		if document.URL != "https://a.example/c" || len(document.Digest) != len("sha-256:")+2*sha256.Size {
			t.Fatalf("%+v", document)
		}
	})
}
