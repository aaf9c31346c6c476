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

// poller sends requests that wait for changes until their contexts end.
type poller struct {
	s     service
	group sync.WaitGroup
}

func (p *poller) poll(ctx context.Context, token, tenant string) <-chan *httptest.ResponseRecorder {
	responses := make(chan *httptest.ResponseRecorder, 1)
	p.group.Go(func() {
		r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/admin/oauth/changes?wait_seconds=30", http.NoBody)
		r.Header.Set("Authorization", "Bearer "+token)
		if tenant != "" {
			r.Header.Set("X-Tenant-Id", tenant)
		}
		recorder := httptest.NewRecorder()
		p.s.handler.ServeHTTP(recorder, r)
		responses <- recorder
	})
	return responses
}

// countingObserver counts the waiting requests.
type countingObserver struct{ waiting atomic.Int64 }

func (*countingObserver) RequestDone(string, int, time.Duration) {}
func (*countingObserver) RuleViolated(string)                    {}
func (*countingObserver) ClientAuthenticated(string)             {}
func (*countingObserver) RequestShed(string)                     {}
func (w *countingObserver) ReadersWaiting(more int)              { w.waiting.Add(int64(more)) }

func TestWaitingRequestsAreLimitedPerCallerAndTenant(t *testing.T) {
	store, err := sqlite.Open(filepath.Join(t.TempDir(), "test.db"))
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, store.Close()) })
	_, err = store.Migrate(t.Context())
	require.NoError(t, err)
	draining := make(chan struct{})
	observer := &countingObserver{}
	p := &poller{s: serviceOver(t, store, func(c *setup) {
		c.MaxFollowing, c.MaxFollowingPerCaller, c.MaxFollowingPerTenant = 6, 2, 3
		c.Draining, c.Observer = draining, observer
	})}
	// rejected sends a request that is rejected immediately; admitted sends requests that
	// then wait.
	rejected := func(status int, token, tenant string) {
		t.Helper()
		a := <-p.poll(t.Context(), token, tenant)
		assert.Equal(t, status, a.Code, a.Body.String())
		assert.Equal(t, "1", a.Header().Get("Retry-After"))
	}
	admitted := func(ctx context.Context, n int, token, tenant string) {
		t.Helper()
		before := int(observer.waiting.Load())
		for range n {
			p.poll(ctx, token, tenant)
		}
		require.Eventually(t, func() bool { return int(observer.waiting.Load()) == before+n }, 20*time.Second, time.Millisecond)
	}
	ctx, cancel := context.WithCancel(t.Context())
	admitted(ctx, 2, "admin", "")
	rejected(http.StatusTooManyRequests, "admin", "")
	admitted(t.Context(), 1, "read", "")
	rejected(http.StatusTooManyRequests, "read", "") // the limit of the tenant
	admitted(t.Context(), 1, "other-tenant", "")     // another tenant is served
	admitted(t.Context(), 1, "platform", "tenant_c")
	admitted(t.Context(), 1, "platform", "tenant_d")
	rejected(http.StatusTooManyRequests, "platform", "tenant_e") // the limit of the caller, in all tenants together
	rejected(http.StatusServiceUnavailable, "other-tenant", "")  // the total limit

	immediate := p.s.do(t, call{method: "GET", path: "/admin/oauth/changes", token: "admin"})
	assert.Equal(t, http.StatusOK, immediate.status, "a request that does not wait is not limited")

	cancel()
	require.Eventually(t, func() bool { return int(observer.waiting.Load()) == 4 }, 20*time.Second, time.Millisecond, "canceled requests are removed immediately")
	admitted(t.Context(), 2, "admin", "")
	close(draining)
	p.group.Wait()
	assert.Zero(t, int(observer.waiting.Load()))
}

// The message of the 400 explains what to do.
func TestCursorOfAnotherHistoryIs400(t *testing.T) { onBothStores(t, testCursorOfAnotherHistory) }

func testCursorOfAnotherHistory(t *testing.T, s service) {
	s.create(t)
	list := s.do(t, call{method: "GET", path: clients, token: "admin"})
	cursor, _ := list.body["changes_cursor"].(string)
	require.NotEmpty(t, cursor)
	own := s.do(t, call{method: "GET", path: "/admin/oauth/changes?after=" + cursor, token: "admin"})
	assert.Equal(t, http.StatusOK, own.status, own.text)
	assert.Equal(t, cursor, own.data("next"))
	for _, c := range []call{
		{method: "GET", path: "/admin/oauth/changes?after=" + cursor, token: "other-tenant"},
		{method: "GET", path: "/admin/oauth/changes?after=p1.1.1", token: "admin"},
		{method: "GET", path: "/admin/oauth/changes?after=s1", token: "admin"},
		{method: "GET", path: "/admin/oauth/changes?after=s9223372036854775807.00112233445566778899", token: "admin"},
		{method: "GET", path: "/admin/oauth/changes?wait_seconds=30&after=p9223372036854775807.1.00112233445566778899", token: "admin"},
	} {
		a := s.do(t, c)
		assert.Equal(t, http.StatusBadRequest, a.status, c.path)
		assert.Equal(t, "unknown cursor; start again from the list and its changes_cursor", a.body["message"])
	}
	empty := s.do(t, call{method: "GET", path: clients, token: "other-tenant"})
	cursor, _ = empty.body["changes_cursor"].(string)
	require.NotEmpty(t, cursor, "an empty history has a cursor")
	a := s.do(t, call{method: "GET", path: "/admin/oauth/changes?after=" + cursor, token: "other-tenant"})
	assert.Equal(t, http.StatusOK, a.status, a.text)
}
