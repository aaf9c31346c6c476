package mirror_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/api/client"
	"github.com/clientele-oauth/clientele/api/mirror"
)

// documentURL is a client_id that is the URL of a metadata document.
const documentURL = "https://agent.example.com/client.json"

// documentForm is the response of the registry for a document.
func documentForm(id, until string) string {
	return fmt.Sprintf(`{"client_id":%q,"tenant_id":"tenant_dev","status":"active","client_name":"Agent",
		"redirect_uris":["https://agent.example.com/callback"],"grant_types":["authorization_code"],"scope":"openid",
		"token_endpoint_auth_method":"none","document":{"fresh_until":%q}}`, id, until)
}

// documentFor returns the document that a request is for, fresh for a minute.
func documentFor(w http.ResponseWriter, r *http.Request) {
	write(w, documentForm(r.URL.Query().Get("client_id"), time.Now().Add(time.Minute).UTC().Format(time.RFC3339)))
}

// rejection is an error response of the registry itself.
func rejection(code int, more string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Request-Id", "request")
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		_, _ = fmt.Fprintf(w, `{"code":%d,"message":"rejected"%s}`, code, more)
	}
}

// documentsMirror is a mirror whose registry responds to requests for documents like this.
func documentsMirror(t testing.TB, r *registry, respond http.HandlerFunc) (*mirror.Mirror, *proxy) {
	t.Helper()
	p := newProxy(t, r.url)
	p.set(only("client-metadata", respond))
	return open(t, mirror.Config{Client: connect(t, p.URL, r.token()), Documents: true}), p
}

func TestResolveDocuments(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	r.register("app", nil)
	m, p := documentsMirror(t, r, documentFor)
	c, err := m.Resolve(t.Context(), "app")
	require.NoError(t, err)
	assert.Equal(t, "app", c.ID)
	_, err = m.Resolve(t.Context(), "nobody")
	require.ErrorIs(t, err, mirror.ErrNotFound)
	_, err = m.Resolve(t.Context(), "https://agent.example.com/"+strings.Repeat("x", 1024))
	require.ErrorIs(t, err, mirror.ErrNotFound)
	assert.Zero(t, p.seen("client-metadata"), "only URLs of a reasonable length are requested")

	for range 3 {
		c, err = m.Resolve(t.Context(), documentURL)
		require.NoError(t, err)
	}
	assert.Equal(t, documentURL, c.ID)
	assert.Equal(t, []string{"https://agent.example.com/callback"}, c.RedirectURIs)
	assert.Equal(t, []string{"none"}, c.AuthMethods)
	assert.True(t, c.Active)
	assert.Zero(t, c.Revision)
	assert.Equal(t, 1, p.seen("client-metadata"), "it is used while it is fresh")
	assert.Equal(t, 1, m.Health().Documents)
	_, err = m.Get(documentURL)
	require.ErrorIs(t, err, mirror.ErrNotFound, "Get has the copy only")
	keys, err := m.Keys(t.Context(), documentURL)
	require.NoError(t, err)
	assert.Nil(t, keys)
	_, err = m.VerifySecret(t.Context(), documentURL, "secret")
	require.ErrorIs(t, err, mirror.ErrNotFound, "a document has no secrets")
}

func TestDocumentsAreOffByDefault(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	p := newProxy(t, r.url)
	p.set(only("client-metadata", documentFor))
	m := open(t, mirror.Config{Client: connect(t, p.URL, r.token())})
	_, err := m.Resolve(t.Context(), documentURL)
	require.ErrorIs(t, err, mirror.ErrNotFound)
	assert.Zero(t, p.seen("client-metadata"))
}

// What the registry rejects is an unknown client; what cannot be known is unavailable.
func TestDocumentsThatAreNotAdmitted(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	until := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	for name, test := range map[string]struct {
		respond http.HandlerFunc
		want    error
		text    string
	}{
		"denied":              {rejection(http.StatusNotFound, `,"reason":"denied"`), mirror.ErrNotFound, "is denied"},
		"unreachable":         {rejection(http.StatusNotFound, `,"reason":"unreachable"`), mirror.ErrNotFound, "is unreachable"},
		"malformed client_id": {rejection(http.StatusBadRequest, `,"violations":[{"field":"?client_id","rule":"cimd-url"}]`), mirror.ErrNotFound, "cimd-url"},
		"suspended":           {respond(strings.Replace(documentForm(documentURL, until), "active", "suspended", 1)), mirror.ErrNotFound, ""},
		"404 of a proxy":      {status(http.StatusNotFound), mirror.ErrUnavailable, "404"},
		"no permission":       {rejection(http.StatusForbidden, ""), mirror.ErrUnavailable, "403"},
		"a failure":           {status(http.StatusInternalServerError), mirror.ErrUnavailable, "500"},
		"another client":      {respond(documentForm("https://other.example.com/", until)), mirror.ErrUnavailable, "other.example.com"},
		"no document":         {respond(documentOf(documentURL, 1)), nil, ""},
		"garbage":             {respond("\x00\xff"), mirror.ErrUnavailable, ""},
		"null":                {respond("null"), mirror.ErrUnavailable, ""},
		"a wrong type":        {respond(`{"client_id":"` + documentURL + `","document":7}`), mirror.ErrUnavailable, ""},
		"endless":             {endless, mirror.ErrUnavailable, "larger"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, p := documentsMirror(t, r, test.respond)
			_, err := m.Resolve(t.Context(), documentURL)
			if test.want == nil {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, test.want)
			require.ErrorContains(t, err, test.text)
			p.set(only("client-metadata", documentFor))
			soon(t, func() bool {
				_, err := m.Resolve(t.Context(), documentURL)
				return err == nil
			}, "errors are kept for a second")
		})
	}
}

// All who wait for a document share one request, also for an error.
func TestDocumentsAreRequestedOnce(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	release := make(chan struct{})
	m, p := documentsMirror(t, r, func(w http.ResponseWriter, r *http.Request) {
		<-release
		if strings.HasSuffix(r.URL.Query().Get("client_id"), "/wrong") {
			rejection(http.StatusNotFound, `,"reason":"malformed"`)(w, r)
			return
		}
		documentFor(w, r)
	})
	ctx, cancel := context.WithCancel(t.Context())
	var waiting sync.WaitGroup
	var found, unknown, ended atomic.Int32
	count := func(ctx context.Context, id string) {
		waiting.Go(func() {
			_, err := m.Resolve(ctx, id)
			switch {
			case err == nil:
				found.Add(1)
			case errors.Is(err, mirror.ErrNotFound):
				unknown.Add(1)
			case errors.Is(err, context.Canceled) && errors.Is(err, mirror.ErrUnavailable):
				ended.Add(1)
			}
		})
	}
	for range 10 {
		count(t.Context(), documentURL)
		count(t.Context(), documentURL+"/wrong")
		count(ctx, documentURL)
	}
	soon(t, func() bool { return p.seen("client-metadata") == 2 }, "two documents are requested")
	cancel()
	soon(t, func() bool { return ended.Load() == 10 }, "a caller need not wait")
	close(release)
	waiting.Wait()
	assert.Equal(t, []int32{10, 10}, []int32{found.Load(), unknown.Load()})
	assert.Equal(t, 2, p.seen("client-metadata"))
}

// A document that is not fresh any more is not used, also while the registry is unavailable. The
// clock of the registry counts.
func TestDocumentsEnd(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	p := newProxy(t, r.url)
	var offset atomic.Int64
	now := func() time.Time { return time.Now().Add(time.Duration(offset.Load())) }
	p.set(only("client-metadata", func(w http.ResponseWriter, r *http.Request) {
		there := time.Now().Add(-5 * time.Hour) // where the clock is wrong
		w.Header().Set("Date", there.UTC().Format(http.TimeFormat))
		write(w, documentForm(r.URL.Query().Get("client_id"), there.Add(time.Hour).UTC().Format(time.RFC3339)))
	}))
	m, err := tryOpenAt(t, mirror.Config{Client: connect(t, p.URL, r.token()), Documents: true}, now)
	require.NoError(t, err)
	resolve := func() error {
		_, err := m.Resolve(t.Context(), documentURL)
		return err
	}
	require.NoError(t, resolve())
	offset.Store(int64(58 * time.Minute))
	require.NoError(t, resolve())
	assert.Equal(t, 1, p.seen("client-metadata"))
	p.set(only("client-metadata", status(http.StatusInternalServerError)))
	require.NoError(t, resolve(), "fresh while the registry is unavailable")
	offset.Store(int64(62 * time.Minute))
	require.ErrorIs(t, resolve(), mirror.ErrUnavailable, "not an unknown client")
	p.set(only("client-metadata", documentFor))
	soon(t, func() bool { return resolve() == nil }, "the registry is back")
}

// What the copy has of a client counts, not its document.
func TestDocumentsOfClientsInTheCopy(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	requested, changed, release := make(chan struct{}), make(chan struct{}), make(chan struct{})
	var requests atomic.Int32
	p := newProxy(t, r.url)
	p.set(func(w http.ResponseWriter, r *http.Request, through http.Handler) {
		wait := func(c chan struct{}) {
			select {
			case <-c:
			case <-r.Context().Done():
			}
		}
		query := r.URL.Query()
		switch {
		case strings.HasSuffix(r.URL.Path, "/client-metadata"):
			if requests.Add(1) == 1 {
				close(requested)
				wait(release)
			}
			documentFor(w, r)
		case query.Get("after") == "s9.x":
			wait(nil)
		case strings.HasSuffix(r.URL.Path, "/changes") && query.Get("wait_seconds") != "0":
			wait(changed)
			write(w, `{"data":{"next":"s9.x","changes":[`+suspension(1)+`]}}`) // as after an approval
		default:
			through.ServeHTTP(w, r)
		}
	})
	m := open(t, mirror.Config{Client: connect(t, p.URL, r.token()), Documents: true})
	first := make(chan error, 1)
	go func() {
		_, err := m.Resolve(t.Context(), documentURL)
		first <- err
	}()
	<-requested
	close(changed)
	soon(t, func() bool { return m.Health().Cursor == "s9.x" }, "the change is applied")
	close(release)
	require.ErrorIs(t, <-first, mirror.ErrNotFound, "the response is from before the change")
	_, err := m.Resolve(t.Context(), documentURL)
	require.ErrorIs(t, err, mirror.ErrNotFound, "a suspended client is not read from its URL")
}

func suspension(revision int) string {
	document := strings.Replace(documentOf(documentURL, revision), "active", "suspended", 1)
	return fmt.Sprintf(`{"action":"create","client_id":%q,"revision":%d,"client":%s}`, documentURL, revision, document)
}

// An approved document is requested from the registry in the background, once while it is
// fresh, and the response changes nothing.
func TestApprovedDocumentsAreChecked(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	p := newProxy(t, r.url)
	var offset atomic.Int64
	feed := make(chan string)
	now := func() time.Time { return time.Now().Add(time.Duration(offset.Load())) }
	replace := func(respond http.HandlerFunc) func(http.ResponseWriter, *http.Request, http.Handler) {
		return func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
			switch {
			case strings.HasSuffix(r.URL.Path, "/client-metadata"):
				respond(w, r)
			case strings.HasSuffix(r.URL.Path, "/snapshot"):
				write(w, `{"changes_cursor":"s1.x"}`+"\n"+documentOf(documentURL, 3)+"\n"+`{"clients":1}`+"\n")
			case r.URL.Query().Get("wait_seconds") == "0":
				write(w, `{"data":{"next":"s1.x","changes":[]}}`)
			default:
				select {
				case text := <-feed:
					write(w, text)
				case <-r.Context().Done():
				}
			}
		}
	}
	p.set(replace(documentFor))
	m, err := tryOpenAt(t, mirror.Config{
		Client: connectWith(t, p.URL, client.StaticToken("token")), Documents: true, MaxStaleness: -1, Resync: -1,
	}, now)
	require.NoError(t, err)
	resolve := func() {
		t.Helper()
		c, err := m.Resolve(t.Context(), documentURL)
		require.NoError(t, err)
		assert.EqualValues(t, 3, c.Revision, "the client of the copy")
	}
	for range 3 {
		resolve()
	}
	soon(t, func() bool { return p.seen("client-metadata") == 1 }, "it is checked")
	offset.Store(int64(50 * time.Second))
	resolve()
	assert.Equal(t, 1, p.seen("client-metadata"), "it is fresh")
	for i, respond := range []http.HandlerFunc{status(http.StatusNotFound), status(http.StatusInternalServerError), documentFor} {
		p.set(replace(respond))
		offset.Store(int64(time.Duration(i+2) * time.Minute))
		soon(t, func() bool {
			resolve()
			return p.seen("client-metadata") == i+2
		}, "it is checked again")
	}

	// The policy of the registry denies it, and later admits it again.
	found := func() bool { _, err := m.Resolve(t.Context(), documentURL); return err == nil }
	for i, change := range []struct {
		respond http.HandlerFunc
		found   bool
	}{
		{rejection(http.StatusNotFound, `,"reason":"denied"`), false},
		{status(http.StatusInternalServerError), false}, // says nothing about the policy
		{documentFor, true},
	} {
		p.set(replace(change.respond))
		offset.Store(int64(time.Duration(i+6) * time.Minute))
		soon(t, func() bool { return found() == change.found && p.seen("client-metadata") == i+5 }, "it is checked again")
		assert.Equal(t, change.found, found())
		if i == 0 { // a change of the client does not admit it
			feed <- fmt.Sprintf(`{"data":{"next":"s2.x","changes":[{"action":"update","client_id":%q,"revision":4,"client":%s}]}}`, documentURL, documentOf(documentURL, 4))
			soon(t, func() bool { return m.Health().Cursor == "s2.x" }, "the change is applied")
			assert.False(t, found())
		}
	}
}

// What is kept is bounded: the document that ends first makes room.
func TestDocumentsAreBounded(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	m, p := documentsMirror(t, r, documentFor)
	for i := range mirror.MaxDocuments + 10 {
		_, err := m.Resolve(t.Context(), fmt.Sprintf("%s/%d", documentURL, i))
		require.NoError(t, err)
	}
	assert.Equal(t, mirror.MaxDocuments, m.Health().Documents)
	_, err := m.Resolve(t.Context(), fmt.Sprintf("%s/%d", documentURL, mirror.MaxDocuments+9))
	require.NoError(t, err)
	assert.Equal(t, mirror.MaxDocuments+10, p.seen("client-metadata"), "the last one is kept")
}

// The server publishes what the policy of the registry allows, and what was known last while the
// registry is unavailable.
func TestServerMetadata(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	both := `{"data":{"registration_endpoint":"https://clientele.example.com/register","client_id_metadata_document_supported":true}}`
	for name, test := range map[string]struct {
		documents bool
		respond   http.HandlerFunc
		want      mirror.ServerMetadata
	}{
		"both":                            {true, respond(both), mirror.ServerMetadata{RegistrationEndpoint: "https://clientele.example.com/register", DocumentsSupported: true}},
		"no clients by URL in the server": {false, respond(both), mirror.ServerMetadata{RegistrationEndpoint: "https://clientele.example.com/register"}},
		"switched off":                    {true, respond(`{"data":{}}`), mirror.ServerMetadata{}},
		"no data":                         {true, respond(`{}`), mirror.ServerMetadata{}},
		"an older registry":               {true, rejection(http.StatusNotFound, ""), mirror.ServerMetadata{}},
		"garbage":                         {true, respond("\x00"), mirror.ServerMetadata{}},
		"endless":                         {true, endless, mirror.ServerMetadata{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProxy(t, r.url)
			p.set(only("authorization-server-metadata", test.respond))
			var offset atomic.Int64
			now := func() time.Time { return time.Now().Add(time.Duration(offset.Load())) }
			m, err := tryOpenAt(t, mirror.Config{Client: connect(t, p.URL, r.token()), Documents: test.documents, MaxStaleness: -1, Resync: -1}, now)
			require.NoError(t, err)
			for range 2 {
				assert.Equal(t, test.want, m.ServerMetadata(t.Context()))
			}
			assert.Equal(t, 1, p.seen("authorization-server-metadata"))
			p.set(only("authorization-server-metadata", status(http.StatusInternalServerError)))
			offset.Store(int64(2 * time.Minute))
			assert.Equal(t, test.want, m.ServerMetadata(t.Context()))
			assert.Equal(t, 2, p.seen("authorization-server-metadata"))
		})
	}
}

// Callers wait for one request together, and each of them for as long as its context lasts.
func TestServerMetadataWaitsNoLongerThanTheContext(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	requested, release := make(chan struct{}), make(chan struct{})
	p := newProxy(t, r.url)
	p.set(only("authorization-server-metadata", func(w http.ResponseWriter, r *http.Request) {
		close(requested)
		select {
		case <-release:
			write(w, `{"data":{"registration_endpoint":"https://clientele.example.com/register"}}`)
		case <-r.Context().Done():
		}
	}))
	m := open(t, mirror.Config{Client: connect(t, p.URL, r.token())})
	first := make(chan mirror.ServerMetadata, 1)
	go func() { first <- m.ServerMetadata(t.Context()) }()
	<-requested
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	assert.Empty(t, m.ServerMetadata(ended), "nothing is known yet")
	close(release)
	want := mirror.ServerMetadata{RegistrationEndpoint: "https://clientele.example.com/register"}
	assert.Equal(t, want, <-first, "the request went on")
	assert.Equal(t, want, m.ServerMetadata(ended), "what is known does not need a request")
	assert.Equal(t, 1, p.seen("authorization-server-metadata"))
	require.NoError(t, m.Close())
	assert.Equal(t, want, m.ServerMetadata(t.Context()))
}
