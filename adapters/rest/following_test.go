package rest_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/sqlite"
)

// waiting sends requests that wait for changes, and ends with the context of each.
type waiting struct {
	s     service
	group sync.WaitGroup
}

func (w *waiting) poll(ctx context.Context, token, tenant string) <-chan *httptest.ResponseRecorder {
	answered := make(chan *httptest.ResponseRecorder, 1)
	w.group.Go(func() {
		r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/admin/oauth/changes?wait_seconds=30", http.NoBody)
		r.Header.Set("Authorization", "Bearer "+token)
		if tenant != "" {
			r.Header.Set("X-Tenant-Id", tenant)
		}
		recorder := httptest.NewRecorder()
		w.s.handler.ServeHTTP(recorder, r)
		answered <- recorder
	})
	return answered
}

// watched counts the requests that wait.
type watched struct{ waiting atomic.Int64 }

func (*watched) RequestDone(string, int, time.Duration) {}
func (*watched) RuleViolated(string)                    {}
func (*watched) RequestShed(string)                     {}
func (w *watched) ReadersWaiting(more int)              { w.waiting.Add(int64(more)) }

func TestNoCallerAndNoTenantTakesAllPlacesToWait(t *testing.T) {
	store, err := sqlite.Open(filepath.Join(t.TempDir(), "test.db"))
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, store.Close()) })
	_, err = store.Migrate(t.Context())
	require.NoError(t, err)
	draining := make(chan struct{})
	places := &watched{}
	w := &waiting{s: serviceOver(t, store, func(c *setup) {
		c.MaxFollowing, c.MaxFollowingPerCaller, c.MaxFollowingPerTenant = 6, 2, 3
		c.Draining, c.Observer = draining, places
	})}
	// rejected sends a request that finds no place; the others wait, and stay.
	rejected := func(status int, token, tenant string) {
		t.Helper()
		a := <-w.poll(t.Context(), token, tenant)
		assert.Equal(t, status, a.Code, a.Body.String())
		assert.Equal(t, "1", a.Header().Get("Retry-After"))
	}
	admitted := func(ctx context.Context, n int, token, tenant string) {
		t.Helper()
		before := int(places.waiting.Load())
		for range n {
			w.poll(ctx, token, tenant)
		}
		require.Eventually(t, func() bool { return int(places.waiting.Load()) == before+n }, 20*time.Second, time.Millisecond)
	}
	leaving, leave := context.WithCancel(t.Context())
	admitted(leaving, 2, "admin", "")
	rejected(http.StatusTooManyRequests, "admin", "")
	admitted(t.Context(), 1, "read", "")
	rejected(http.StatusTooManyRequests, "read", "") // the tenant's share
	admitted(t.Context(), 1, "stranger", "")         // another tenant is served
	admitted(t.Context(), 1, "platform", "tenant_c")
	admitted(t.Context(), 1, "platform", "tenant_d")
	rejected(http.StatusTooManyRequests, "platform", "tenant_e") // one caller in all tenants
	rejected(http.StatusServiceUnavailable, "stranger", "")      // all places are taken

	without := w.s.do(t, call{method: "GET", path: "/admin/oauth/changes", token: "admin"})
	assert.Equal(t, http.StatusOK, without.status, "who does not wait needs no place")

	leave()
	require.Eventually(t, func() bool { return int(places.waiting.Load()) == 4 }, 20*time.Second, time.Millisecond, "places are free at once")
	admitted(t.Context(), 2, "admin", "")
	close(draining)
	w.group.Wait()
	assert.Zero(t, int(places.waiting.Load()))
}

// The 400 says what to do.
func TestACursorOfAnotherHistoryIsA400(t *testing.T) { onBothStores(t, anotherHistory) }

func anotherHistory(t *testing.T, s service) {
	s.create(t)
	list := s.do(t, call{method: "GET", path: clients, token: "admin"})
	cursor, _ := list.body["changes_cursor"].(string)
	require.NotEmpty(t, cursor)
	mine := s.do(t, call{method: "GET", path: "/admin/oauth/changes?after=" + cursor, token: "admin"})
	assert.Equal(t, http.StatusOK, mine.status, mine.text)
	assert.Equal(t, cursor, mine.data("next"))
	for _, c := range []call{
		{method: "GET", path: "/admin/oauth/changes?after=" + cursor, token: "stranger"},
		{method: "GET", path: "/admin/oauth/changes?after=p1.1.1", token: "admin"},
		{method: "GET", path: "/admin/oauth/changes?after=s1", token: "admin"},
		{method: "GET", path: "/admin/oauth/changes?after=s9223372036854775807.00112233445566778899", token: "admin"},
		{method: "GET", path: "/admin/oauth/changes?wait_seconds=30&after=p9223372036854775807.1.00112233445566778899", token: "admin"},
	} {
		a := s.do(t, c)
		assert.Equal(t, http.StatusBadRequest, a.status, c.path)
		assert.Equal(t, "unknown cursor; start again from the list and its changes_cursor", a.body["message"])
	}
	empty := s.do(t, call{method: "GET", path: clients, token: "stranger"})
	cursor, _ = empty.body["changes_cursor"].(string)
	require.NotEmpty(t, cursor, "the beginning has a cursor")
	a := s.do(t, call{method: "GET", path: "/admin/oauth/changes?after=" + cursor, token: "stranger"})
	assert.Equal(t, http.StatusOK, a.status, a.text)
}
