package mirror_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/api/client"
	"github.com/clientele-oauth/clientele/api/mirror"
)

// Whatever the registry sends instead of changes, the copy remains as it is, the mirror
// does not ask all the time, and it goes on when the registry is right again.
func TestInvalidFeeds(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	r.register("app", func(c *client.CreateClientRequest) { c.Scopes = &[]string{"payments"} })
	r.update("app", client.UpdateClientRequest{Name: new("Second revision")})
	item := func(format string, args ...any) http.HandlerFunc {
		return respond(`{"data":{"next":"s9.x","changes":[` + fmt.Sprintf(format, args...) + `]}}`)
	}
	for name, invalid := range map[string]http.HandlerFunc{
		"garbage":     respond("\x00\xff"),
		"a page":      respond("<html></html>"),
		"null":        respond("null"),
		"an array":    respond("[]"),
		"no data":     respond("{}"),
		"no position": respond(`{"data":{"changes":[]}}`),
		"half":        respond(`{"data":{"next":"x","changes":[{"client_`),
		"nothing, at once": func(w http.ResponseWriter, r *http.Request) {
			write(w, `{"data":{"next":"`+r.URL.Query().Get("after")+`","changes":[]}}`)
		},
		"the same position": func(w http.ResponseWriter, r *http.Request) {
			write(w, `{"data":{"next":"`+r.URL.Query().Get("after")+`","changes":[`+document("app", 9)+`]}}`)
		},
		"a change without client": item(`{"action":"update","revision":9}`),
		"no document":             item(`{"action":"update","client_id":"app","revision":9}`),
		"a wrong type":            item(`{"action":"update","client_id":"app","revision":9,"client":{"client_id":7}}`),
		"another client":          item(`{"action":"update","client_id":"app","revision":9,"client":%s}`, documentOf("other", 9)),
		"no revision":             item(`{"action":"update","client_id":"app","revision":9,"client":{"client_id":"app","status":"active"}}`),
		"an unknown status":       item(`{"action":"update","client_id":"app","revision":9,"client":{"client_id":"app","revision":9,"status":"new"}}`),
		"a lifetime":              item(`{"action":"update","client_id":"app","revision":9,"client":{"client_id":"app","revision":9,"status":"active","access_token_lifetime":-5}}`),
		"a good one before":       item(`{"action":"update","client_id":"app","revision":9,"client":%s},{"action":"create","client_id":"b","revision":1}`, documentOf("app", 9)),
		"older":                   item(`{"action":"update","client_id":"app","revision":1,"client":%s}`, documentOf("app", 1)),
		"the same revision":       item(`{"action":"update","client_id":"app","revision":2,"client":%s}`, documentOf("app", 2)),
		"too many":                item("%s", strings.TrimSuffix(strings.Repeat(document("x", 1)+",", 501), ",")),
		"500":                     status(http.StatusInternalServerError),
		"400":                     status(http.StatusBadRequest),
		"endless":                 endless,
		"endless spaces":          func(w http.ResponseWriter, _ *http.Request) { forever(w, []byte(strings.Repeat(" ", 1<<16))) },
		"no response":             func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProxy(t, r.url)
			m := open(t, mirror.Config{Client: connect(t, p.URL, r.token())})
			var responses atomic.Int32
			started := time.Now()
			p.set(only("changes", func(w http.ResponseWriter, r *http.Request) { responses.Add(1); invalid(w, r) }))
			p.CloseClientConnections() // the request that waits
			// A connection that is closed during a request repeats it at once, and the first response
			// may be a good one; at least two pauses are between five responses.
			soon(t, func() bool { return responses.Load() > 4 }, "asked again")
			assert.Greater(t, time.Since(started), 100*time.Millisecond, "with pauses")
			c, err := m.Get("app")
			require.NoError(t, err)
			assert.Equal(t, []string{"payments"}, c.Scopes)
			p.set(nil)
			soon(t, func() bool { return m.Health().LastError == nil }, "goes on")
			c, err = m.Get("app")
			require.NoError(t, err)
			assert.Equal(t, []string{"payments"}, c.Scopes)
		})
	}
}

func documentOf(id string, revision int) string {
	return fmt.Sprintf(`{"client_id":%q,"revision":%d,"status":"active","scope":"stolen"}`, id, revision)
}

func document(id string, revision int) string {
	return fmt.Sprintf(`{"action":"update","client_id":%q,"revision":%d,"client":%s}`, id, revision, documentOf(id, revision))
}

func respond(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { write(w, text) }
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

func endless(w http.ResponseWriter, _ *http.Request) {
	forever(w, bytes.Repeat([]byte(`{"data":{"next":"`), 4096))
}

func forever(w http.ResponseWriter, text []byte) {
	w.Header().Set("Content-Type", "application/json")
	for {
		if _, err := w.Write(text); err != nil {
			return
		}
	}
}

// A snapshot that is not complete and right leaves no copy.
func TestInvalidSnapshots(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	r.register("app", nil)
	first := `{"changes_cursor":"s1.00000000000000000000"}` + "\n"
	for name, invalid := range map[string]http.HandlerFunc{
		"garbage":           respond("\x00\xff"),
		"no position":       respond(`{"changes_cursor":""}` + "\n" + `{"clients":0}` + "\n"),
		"half":              respond(first + documentOf("app", 1) + "\n"),
		"a wrong number":    respond(first + documentOf("app", 1) + "\n" + `{"clients":2}` + "\n"),
		"a client twice":    respond(first + documentOf("app", 1) + "\n" + documentOf("app", 2) + "\n" + `{"clients":2}` + "\n"),
		"a wrong client":    respond(first + `{"client_id":"x"}` + "\n" + `{"clients":1}` + "\n"),
		"an unknown cursor": respond(first + documentOf("app", 1) + "\n" + `{"clients":1}` + "\n"),
		"endless line": func(w http.ResponseWriter, _ *http.Request) {
			write(w, first)
			forever(w, bytes.Repeat([]byte("x"), 1<<16))
		},
		"endless clients": func(w http.ResponseWriter, _ *http.Request) {
			write(w, first)
			for i := 0; ; i++ {
				if _, err := w.Write([]byte(documentOf(strconv.Itoa(i), 1) + "\n")); err != nil {
					return
				}
			}
		},
		"endless unreadable": func(w http.ResponseWriter, _ *http.Request) {
			write(w, first)
			forever(w, bytes.Repeat([]byte(`{"unreadable":["x"]}`+"\n"), 4096))
		},
		"403": status(http.StatusForbidden),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProxy(t, r.url)
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			var responses atomic.Int32
			started := time.Now()
			p.set(only("snapshot", func(w http.ResponseWriter, r *http.Request) {
				if responses.Add(1) == 3 { // two attempts have failed
					cancel()
				}
				invalid(w, r)
			}))
			_, err := mirror.Open(ctx, mirror.Config{Client: connect(t, p.URL, r.token()), MaxBytes: 1 << 20})
			require.ErrorIs(t, err, mirror.ErrUnavailable)
			require.ErrorIs(t, err, context.Canceled)
			if strings.HasPrefix(name, "endless ") {
				assert.Regexp(t, "larger than Config.MaxBytes|token too long", err.Error())
			}
			assert.Greater(t, time.Since(started), 100*time.Millisecond, "with pauses")
			p.set(nil)
			m := open(t, mirror.Config{Client: connect(t, p.URL, r.token())})
			_, err = m.Get("app")
			require.NoError(t, err)
		})
	}
}

// A registry that was restored from a backup does not have the position of the mirror.
func TestALostPosition(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	r.register("app", func(c *client.CreateClientRequest) { c.Scopes = &[]string{"old"} })
	var seen changes
	p := newProxy(t, r.url)
	m := open(t, mirror.Config{Client: connect(t, p.URL, r.token()), OnChange: seen.add})
	r.update("app", client.UpdateClientRequest{Scopes: &[]string{"new"}})
	r.register("later", nil)
	soon(t, func() bool { _, err := m.Get("later"); return err == nil }, "created")

	other := newRegistry(t) // has neither the position nor the later client
	other.register("app", func(c *client.CreateClientRequest) { c.Scopes = &[]string{"old"} })
	q := newProxy(t, other.url)
	token := other.token()
	p.set(func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		r.Header.Set("Authorization", "Bearer "+token)
		q.Config.Handler.ServeHTTP(w, r)
	})
	p.CloseClientConnections()
	requireNotFound(t, m, "later")
	c, err := m.Get("app")
	require.NoError(t, err)
	assert.Equal(t, []string{"old"}, c.Scopes, "the snapshot replaces newer revisions of another history")
	soon(t, func() bool { return m.Health().LastError == nil }, "goes on")
	assert.Equal(t, "resync", seen.actions()[len(seen.actions())-1])
}

// Changes that arrive while the snapshot is read are not lost, whatever the snapshot has of
// them, and a client that was deleted in the meantime does not come back.
func TestChangesDuringTheSnapshot(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	r.register("a", nil)
	r.register("deleted", nil)
	r.register("z", nil)
	change := func() {
		r.update("a", client.UpdateClientRequest{Scopes: &[]string{"during"}})
		r.update("deleted", client.UpdateClientRequest{Scopes: &[]string{"during"}})
		_, err := r.admin.DeleteClientWithResponse(t.Context(), "deleted", nil)
		require.NoError(t, err)
		r.update("z", client.UpdateClientRequest{Status: new("suspended")})
	}
	create := func() { r.register("created", nil) }
	p := newProxy(t, r.url)
	p.set(only("snapshot", func(w http.ResponseWriter, req *http.Request) {
		// The first line is from before the changes, the others from after them.
		first, _, _ := strings.Cut(fetch(t, r, req), "\n")
		change()
		_, rest, _ := strings.Cut(fetch(t, r, req), "\n")
		create()
		w.Header().Set("Content-Type", "application/x-ndjson")
		_, _ = w.Write([]byte(first + "\n" + rest))
	}))
	var seen changes
	m := open(t, mirror.Config{Client: connect(t, p.URL, r.token()), OnChange: seen.add})
	c, err := m.Get("a")
	require.NoError(t, err)
	assert.Equal(t, []string{"during"}, c.Scopes)
	assert.EqualValues(t, 2, c.Revision)
	for _, id := range []string{"deleted", "z"} {
		_, err = m.Get(id)
		require.ErrorIs(t, err, mirror.ErrNotFound, id)
	}
	_, err = m.Get("created")
	require.NoError(t, err)
	assert.Equal(t, []string{"resync"}, seen.actions(), "nothing of it was visible before")
}

// fetch sends the request of a mirror to the registry.
func fetch(t *testing.T, r *registry, request *http.Request) string {
	t.Helper()
	recorder := httptest.NewRecorder()
	p := newProxy(t, r.url)
	p.Config.Handler.ServeHTTP(recorder, request)
	return recorder.Body.String()
}

// The feed may return the changes before a deletion while it holds the deletion back. The
// client must not come back.
func TestAChangeOfAClientThatIsGone(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	r.register("gone", nil)
	r.update("gone", client.UpdateClientRequest{Scopes: &[]string{"x"}})
	_, err := r.admin.DeleteClientWithResponse(t.Context(), "gone", nil)
	require.NoError(t, err)
	p := newProxy(t, r.url)
	var seen changes
	m := open(t, mirror.Config{Client: connect(t, p.URL, r.token()), OnChange: seen.add})
	// The first response may be lost with the connections that are closed below.
	p.set(func(w http.ResponseWriter, req *http.Request, through http.Handler) {
		if strings.HasSuffix(req.URL.Path, "changes") && len(seen.actions()) < 2 {
			write(w, `{"data":{"next":"`+m.Health().Cursor+`x","changes":[`+document("gone", 2)+`]}}`)
			return
		}
		through.ServeHTTP(w, req)
	})
	p.CloseClientConnections()
	soon(t, func() bool { return len(seen.actions()) >= 2 }, "the change arrived")
	_, err = m.Get("gone")
	require.ErrorIs(t, err, mirror.ErrNotFound)
}

func TestRetryAfterIsHonoured(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	p := newProxy(t, r.url)
	m := open(t, mirror.Config{Client: connect(t, p.URL, r.token())})
	var requests atomic.Int32
	p.set(only("changes", func(w http.ResponseWriter, _ *http.Request) {
		requests.Add(1)
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusTooManyRequests)
	}))
	started := time.Now()
	p.CloseClientConnections()
	soon(t, func() bool { return requests.Load() > 4 }, "after the client gave up") // it tries four times
	assert.Greater(t, time.Since(started), 900*time.Millisecond)
	assert.NoError(t, func() error { _, err := m.Get("nobody"); return notUnavailable(err) }())
}

func notUnavailable(err error) error {
	if strings.Contains(err.Error(), "not available") {
		return err
	}
	return nil
}

// A token that expires is read again from its file.
func TestARenewedToken(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	r.register("app", nil)
	file := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(file, []byte("expired"), 0o600))
	c := connectWith(t, r.url, client.FileToken(file))
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err := mirror.Open(ctx, mirror.Config{Client: c})
	require.ErrorIs(t, err, mirror.ErrUnavailable)
	require.ErrorContains(t, err, "401")

	require.NoError(t, os.WriteFile(file, []byte(r.token()), 0o600))
	m := open(t, mirror.Config{Client: c})
	require.NoError(t, os.WriteFile(file, []byte("expired"), 0o600))
	r.register("later", nil) // ends the wait; the next request has the expired token
	soon(t, func() bool { return m.Health().LastError != nil }, "expired")
	_, err = m.Get("app")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, []byte(r.token()), 0o600))
	soon(t, func() bool { return m.Health().LastError == nil }, "renewed")
}

// The record of a client that the registry cannot read is an outage for this client.
func TestAnUnreadableClient(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	r.register("app", nil)
	r.register("good", nil)
	p := newProxy(t, r.url)
	p.set(only("snapshot", func(w http.ResponseWriter, req *http.Request) {
		text := fetch(t, r, req)
		first, _, _ := strings.Cut(text, "\n")
		w.Header().Set("Content-Type", "application/x-ndjson")
		_, _ = w.Write([]byte(first + "\n" + `{"unreadable":["app"]}` + "\n" + documentOf("good", 1) + "\n" + `{"clients":1}` + "\n"))
	}))
	config := mirror.Config{Client: connect(t, p.URL, r.token()), File: filepath.Join(t.TempDir(), "mirror")}
	m := open(t, config)
	_, err := m.Get("app")
	require.ErrorIs(t, err, mirror.ErrUnavailable)
	_, err = m.VerifySecret(t.Context(), "app", "x")
	require.ErrorIs(t, err, mirror.ErrUnavailable)
	_, err = m.Get("good")
	require.NoError(t, err)
	require.NoError(t, m.Close())
	m = open(t, config)
	_, err = m.Get("app")
	require.ErrorIs(t, err, mirror.ErrUnavailable, "the file has it, too")
	r.update("app", client.UpdateClientRequest{Name: new("Readable")})
	soon(t, func() bool { _, err := m.Get("app"); return err == nil }, "readable again")
}
