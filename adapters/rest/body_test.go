package rest_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/sqlite"
)

// unreadBody is a body that must not be read.
type unreadBody struct{ t *testing.T }

func (u unreadBody) Read([]byte) (int, error) {
	u.t.Error("the body is read")
	return 0, io.EOF
}

func (unreadBody) Close() error { return nil }

// sendUnread sends a request with a body that must not be read.
func (s service) sendUnread(t *testing.T, c call) int {
	t.Helper()
	r := httptest.NewRequest(c.method, "http://service"+c.path, unreadBody{t})
	r.ContentLength = 100
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+c.token)
	maps.Copy(r.Header, c.header)
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	return w.Code
}

// The service reads no body from a caller that is unknown, lacks the permission or a
// tenant, or has exceeded its rate limit. It also reads no body with an invalid
// Content-Encoding.
func TestBodiesOfRejectedRequestsAreNotRead(t *testing.T) {
	store, err := sqlite.Open(filepath.Join(t.TempDir(), "test.db"))
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, store.Close()) })
	s := serviceOver(t, store)
	limited := serviceOver(t, store, func(c *setup) { c.Callers = denyAll{} })
	bodies := 0
	for _, o := range operations(t) {
		if o.id != "createClient" && o.id != "updateClient" && o.id != "checkCompliance" &&
			o.id != "createSecret" && o.id != "rotateSecret" && o.id != "verifySecret" && o.id != "authenticateClient" {
			continue
		}
		bodies++
		for _, token := range []string{"unknown", "unavailable", "unprivileged", "read", "verify", "write", "platform"} {
			if o.permission == "clients:"+token {
				continue
			}
			assert.Contains(t, []int{401, 403, 503}, s.sendUnread(t, o.call("x", token)), "%s by %s", o.id, token)
		}
		assert.Equal(t, http.StatusTooManyRequests, limited.sendUnread(t, o.call("x", "admin")), o.id)
		c := o.call("x", "admin")
		c.header = http.Header{"X-Tenant-Id": {"tenant_b"}}
		assert.Equal(t, http.StatusForbidden, s.sendUnread(t, c), o.id)
		tenant := o.call("x", "platform")
		tenant.header = http.Header{"X-Tenant-Id": {"a b"}}
		assert.Equal(t, http.StatusBadRequest, s.sendUnread(t, tenant), o.id)
		c.header = http.Header{"Content-Encoding": {"gzip"}}
		assert.Equal(t, http.StatusUnsupportedMediaType, s.sendUnread(t, c), o.id)
	}
	assert.Equal(t, 7, bodies)
}

// sendHalf opens a connection, sends a request with half of its body, and returns the
// connection.
func sendHalf(t *testing.T, host, token, path string, length int) net.Conn {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", host)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(20*time.Second))) // so that a failing test ends
	_, err = fmt.Fprintf(conn, "PUT %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		path, host, token, length, strings.Repeat(" ", length/2))
	require.NoError(t, err)
	return conn
}

// responseToLateBody returns the response to a request whose body does not arrive.
func responseToLateBody(t *testing.T) response {
	t.Helper()
	store, err := sqlite.Open(filepath.Join(t.TempDir(), "test.db"))
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, store.Close()) })
	s := serviceOver(t, store, func(c *setup) { c.Deadline = 200 * time.Millisecond })
	server := httptest.NewServer(s.handler)
	t.Cleanup(server.Close)
	address, err := url.Parse(server.URL)
	require.NoError(t, err)
	conn := sendHalf(t, address.Host, "admin", clients+"/x", 1000)
	received, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	text, err := io.ReadAll(received.Body)
	require.NoError(t, err)
	require.NoError(t, received.Body.Close())
	a := response{status: received.StatusCode, header: received.Header, text: string(text)}
	require.NoError(t, json.Unmarshal(text, &a.body), "%s", text)
	return a
}

func TestLateBodyGets408AtTheDeadline(t *testing.T) {
	assert.Equal(t, http.StatusRequestTimeout, responseToLateBody(t).status)
}

// heapInUse returns the size of the heap in bytes, after a garbage collection.
func heapInUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// 600 senders with the same token each send half of a body of 512 KiB. Together they
// use only one caller's share of the body memory, and no slot for concurrent requests:
// other callers, and requests of the same caller without a body, are served.
func TestSlowSendersUseLittleMemoryAndBlockNoOtherCaller(t *testing.T) {
	store, err := sqlite.Open(filepath.Join(t.TempDir(), "test.db"))
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, store.Close()) })
	_, err = store.Migrate(t.Context())
	require.NoError(t, err)
	s := serviceOver(t, store, func(c *setup) { c.MaxConcurrent = 1 })
	id := s.create(t)
	server := httptest.NewServer(s.handler)
	t.Cleanup(server.Close)
	address, err := url.Parse(server.URL)
	require.NoError(t, err)

	const senders, size = 600, 512 << 10
	before := heapInUse()
	var group sync.WaitGroup
	for range senders {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address.Host)
		require.NoError(t, err)
		t.Cleanup(func() { _ = conn.Close() })
		require.NoError(t, conn.SetWriteDeadline(time.Now().Add(time.Second)))
		group.Go(func() {
			_, _ = fmt.Fprintf(conn, "PUT %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer write\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
				clients+"/"+id, size, strings.Repeat(" ", size/2)) // the service does not read from those that wait for memory
		})
	}
	group.Wait()
	// The test itself allocated 600 strings of 256 KiB; by now they are garbage.
	assert.Less(t, heapInUse()-min(before, heapInUse()), uint64(senders*size/8), "the memory of 600 bodies of 512 KiB")
	for range 3 {
		assert.Equal(t, http.StatusOK, s.do(t, call{method: "PUT", path: clients + "/" + id, token: "admin", body: `{}`}).status)
		assert.Equal(t, http.StatusOK, s.do(t, call{method: "GET", path: clients + "/" + id, token: "read"}).status)
	}
}

// A request whose deadline has passed when its body has arrived is rejected unchecked.
func TestBodiesAreNotCheckedAfterTheDeadline(t *testing.T) {
	s := serviceOver(t, fixedStore{}, func(c *setup) { c.Deadline = time.Nanosecond })
	for _, o := range operations(t) {
		if o.body {
			assert.Equal(t, http.StatusServiceUnavailable, s.do(t, o.call("x", "admin")).status, o.id)
		}
	}
}
