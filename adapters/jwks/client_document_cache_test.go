package jwks_test

import (
	"context"
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

// document is a host with one document, which a test changes.
type documentHost struct {
	url      domain.ClientID
	requests atomic.Int64
	mu       sync.Mutex
	respond  http.HandlerFunc
}

func (h *documentHost) now(respond http.HandlerFunc) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.respond = respond
}

// serves makes the host respond with a text, and a value of Cache-Control unless that is
// empty.
func (h *documentHost) serves(text, cacheControl string) {
	h.now(func(w http.ResponseWriter, _ *http.Request) {
		if cacheControl != "" {
			w.Header().Set("Cache-Control", cacheControl)
		}
		sendJSON(w, text)
	})
}

func newDocumentHost(t *testing.T) (*documentHost, *jwks.Resolver, *manualClock) {
	t.Helper()
	network := newNetwork(t)
	network.names.set("keys.test", "127.0.0.2")
	var h documentHost
	host := network.serve("127.0.0.2", network.certificate(time.Now().Add(time.Hour)), func(w http.ResponseWriter, r *http.Request) {
		h.requests.Add(1)
		h.mu.Lock()
		defer h.mu.Unlock()
		w.Header()["Date"] = nil
		h.respond(w, r)
	})
	h.url = domain.ClientID("https://keys.test:" + host.port + "/client")
	clock := &manualClock{}
	options := network.options()
	options.Now, options.Timeout = clock.now, time.Minute
	return &h, jwks.NewResolver(options), clock
}

func TestClientDocumentsAreReusedWhileTheyAreFresh(t *testing.T) {
	for cacheControl, fresh := range map[string]time.Duration{
		"":                        5 * time.Minute,
		"max-age=600":             10 * time.Minute,
		"max-age=5":               time.Minute,
		"max-age=0":               time.Minute,
		"max-age=86400":           24 * time.Hour,
		"max-age=999999999999999": 24 * time.Hour,
		"max-age=a":               time.Minute,
		"no-store":                time.Minute,
		"no-store, max-age=3600":  time.Minute,
		"no-cache":                time.Minute,
		"private, max-age=3600":   time.Minute,
		"public":                  5 * time.Minute,
	} {
		t.Run(cacheControl, func(t *testing.T) {
			host, resolver, clock := newDocumentHost(t)
			host.serves("{}", cacheControl)
			began := clock.now()
			fetch := func() application.FetchedDocument {
				fetched, err := resolver.FetchClientDocument(t.Context(), "a", host.url, 0, false)
				require.NoError(t, err)
				return fetched
			}
			first := fetch()
			assert.Equal(t, began, first.Document.FetchedAt)
			assert.Equal(t, began.Add(fresh), first.FreshUntil)
			clock.advance(fresh - time.Nanosecond)
			first.Cached = true
			assert.Equal(t, first, fetch())
			assert.EqualValues(t, 1, host.requests.Load())
			clock.advance(time.Nanosecond)
			assert.Equal(t, clock.now(), fetch().Document.FetchedAt)
			assert.EqualValues(t, 2, host.requests.Load())

			_, err := resolver.FetchClientDocument(t.Context(), "a", host.url, 0, true)
			require.NoError(t, err)
			assert.EqualValues(t, 3, host.requests.Load(), "a refetch does not return what was read before")
		})
	}
}

// A failure and a bad document are not remembered, and nothing stale takes their place.
func TestBadClientDocumentsAreNotReused(t *testing.T) {
	host, resolver, clock := newDocumentHost(t)
	failing := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "max-age=3600")
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	host.now(failing)
	assert.Equal(t, application.DocumentUnreachable, documentFailure(t, resolver, string(host.url), 0).Reason)
	host.serves(`{"client_name":1}`, "max-age=3600")
	assert.Equal(t, application.DocumentMalformed, documentFailure(t, resolver, string(host.url), 0).Reason)
	host.serves(`{"client_name":"a"}`, "")
	_, err := resolver.FetchClientDocument(t.Context(), "a", host.url, 0, false)
	require.NoError(t, err)
	clock.advance(5 * time.Minute)
	host.now(failing)
	assert.Equal(t, application.DocumentUnreachable, documentFailure(t, resolver, string(host.url), 0).Reason)
	assert.EqualValues(t, 4, host.requests.Load())
}

func TestClientDocumentsAreFetchedTenTimesPerMinuteAndHost(t *testing.T) {
	host, resolver, clock := newDocumentHost(t)
	host.serves("[]", "")
	for i := range 10 {
		assert.Equal(t, application.DocumentMalformed, documentFailure(t, resolver, string(host.url)+strconv.Itoa(i), 0).Reason)
	}
	_, err := resolver.FetchClientDocument(t.Context(), "b", host.url, 0, false)
	require.ErrorIs(t, err, application.ErrTooManyRequests)
	var retry *application.RetryError
	require.ErrorAs(t, err, &retry)
	assert.Equal(t, 6*time.Second, retry.After.Round(time.Millisecond))
	assert.EqualValues(t, 10, host.requests.Load())
	spelled := domain.ClientID(strings.Replace(string(host.url), "keys.test", "Keys.Test", 1))
	_, err = resolver.FetchClientDocument(t.Context(), "a", spelled, 0, false)
	require.ErrorIs(t, err, application.ErrTooManyRequests, "another spelling of the same host")

	other, err := resolver.FetchClientDocument(t.Context(), "a", "https://none.test/a", 0, false)
	assert.Empty(t, other)
	require.ErrorContains(t, err, "cannot be reached", "another host has a limit of its own")

	clock.advance(6 * time.Second)
	host.serves("{}", "")
	_, err = resolver.FetchClientDocument(t.Context(), "a", host.url, 0, false)
	require.NoError(t, err)
	_, err = resolver.FetchClientDocument(t.Context(), "a", host.url, 0, false)
	require.NoError(t, err, "what is known needs no fetch")
	_, err = resolver.FetchClientDocument(t.Context(), "a", host.url, 0, true)
	require.ErrorIs(t, err, application.ErrTooManyRequests)
	clock.advance(time.Hour)
	for range 10 {
		_, err = resolver.FetchClientDocument(t.Context(), "a", host.url, 0, true)
		require.NoError(t, err)
	}
	_, err = resolver.FetchClientDocument(t.Context(), "a", host.url, 0, true)
	require.ErrorIs(t, err, application.ErrTooManyRequests, "fetches that were not made do not accumulate")
}

// Anyone can make an authorization server ask for URLs at the host of another client, and so use
// up the fetches from this host.
func TestOthersCannotUseUpTheFetchesOfAClient(t *testing.T) {
	host, resolver, clock := newDocumentHost(t)
	own := func(id domain.ClientID) { host.serves(`{"client_id":"`+string(id)+`"}`, "") }
	own(host.url)
	_, err := resolver.FetchClientDocument(t.Context(), "a", host.url, 0, false)
	require.NoError(t, err)
	clock.advance(5 * time.Minute)
	host.serves("[]", "")
	for i := range 10 {
		assert.Equal(t, application.DocumentMalformed, documentFailure(t, resolver, string(host.url)+strconv.Itoa(i), 0).Reason)
	}
	other := host.url + "other"
	_, err = resolver.FetchClientDocument(t.Context(), "a", other, 0, false)
	require.ErrorIs(t, err, application.ErrTooManyRequests)
	own(host.url)
	for range 10 {
		_, err = resolver.FetchClientDocument(t.Context(), "a", host.url, 0, true)
		require.NoError(t, err, "the host has a document of a client at this URL")
	}
	_, err = resolver.FetchClientDocument(t.Context(), "a", host.url, 0, true)
	require.ErrorIs(t, err, application.ErrTooManyRequests, "the client has a limit of its own")

	clock.advance(time.Hour)
	_, err = resolver.FetchClientDocument(t.Context(), "a", other, 0, false) // which has the document of the first client
	require.NoError(t, err)
	for range 9 {
		_, err = resolver.FetchClientDocument(t.Context(), "a", other, 0, true)
		require.NoError(t, err)
	}
	_, err = resolver.FetchClientDocument(t.Context(), "a", other+"2", 0, false)
	require.ErrorIs(t, err, application.ErrTooManyRequests, "a host that responds with anything is not that of every URL")
}

func TestChangesOfClientDocumentsAreNoticed(t *testing.T) {
	host, resolver, clock := newDocumentHost(t)
	const key = `"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"`
	start := clock.now()
	minute := func(n int) time.Time { return start.Add(time.Duration(n) * time.Minute) }
	for i, step := range []struct {
		text    string
		changes domain.DocumentChanges
	}{
		{`{"client_name":"a"}`, nil},
		{`{"client_name":"a"}`, nil},
		{`{"client_name": "\u0061", "tos_uri": null}`, nil}, // another text for the same values
		{`{"client_name":"b","redirect_uris":["https://a.example/"]}`, domain.DocumentChanges{"client_name": minute(3), "redirect_uris": minute(3)}},
		{`{"client_name":"b","redirect_uris":["https://a.example/"]}`, domain.DocumentChanges{"client_name": minute(3), "redirect_uris": minute(3)}},
		{
			`{"client_name":"b","jwks":{"keys":[{` + key + `}]},"unknown":1}`,
			domain.DocumentChanges{"client_name": minute(3), "jwks": minute(5), "redirect_uris": minute(5)},
		},
		{
			`{"client_name":"b","jwks":{"keys":[{` + key + `,"kid":"1"}]},"unknown":2}`,
			domain.DocumentChanges{"client_name": minute(3), "jwks": minute(6), "redirect_uris": minute(5)},
		},
		{
			`{"client_name":"b","jwks_uri":"https://a.example/"}`,
			domain.DocumentChanges{"client_name": minute(3), "jwks": minute(7), "jwks_uri": minute(7), "redirect_uris": minute(5)},
		},
		{
			`{"client_name":"b"}`,
			domain.DocumentChanges{"client_name": minute(3), "jwks": minute(7), "jwks_uri": minute(8), "redirect_uris": minute(5)},
		},
	} {
		host.serves(step.text, "max-age=0")
		fetched, err := resolver.FetchClientDocument(t.Context(), "a", host.url, 0, false)
		require.NoError(t, err)
		assert.Equal(t, step.changes, fetched.Changes, i)
		clock.advance(time.Minute)
	}
	host.serves("[]", "")
	assert.Equal(t, application.DocumentMalformed, documentFailure(t, resolver, string(host.url), 0).Reason)
	host.serves(`{"client_name":"b","software_id":"s"}`, "")
	fetched, err := resolver.FetchClientDocument(t.Context(), "a", host.url, 0, false)
	require.NoError(t, err)
	_, changed := fetched.Changes.Last()
	assert.Equal(t, []string{"software_id"}, changed, "a bad document is not one to compare with")
}

func TestConcurrentFetchesOfOneClientDocumentShareARequest(t *testing.T) {
	host, resolver, _ := newDocumentHost(t)
	entered, release := make(chan struct{}, 1), make(chan struct{})
	host.now(func(w http.ResponseWriter, _ *http.Request) {
		entered <- struct{}{}
		<-release
		sendJSON(w, `{"client_name":"a"}`)
	})
	var group sync.WaitGroup
	for i := range 20 {
		group.Go(func() {
			fetched, err := resolver.FetchClientDocument(context.Background(), domain.TenantID(strconv.Itoa(i)), host.url, 0, false)
			assert.NoError(t, err) //nolint:testifylint // not the goroutine of the test
			assert.Equal(t, "a", fetched.Document.Metadata.Values().Name)
		})
	}
	<-entered
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := resolver.FetchClientDocument(ended, "x", host.url, 0, false)
	require.ErrorIs(t, err, application.ErrUnavailable)
	close(release)
	group.Wait()
	assert.EqualValues(t, 1, host.requests.Load())
}
