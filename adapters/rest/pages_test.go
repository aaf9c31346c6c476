package rest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// largeURIs returns redirect URIs as JSON, with the given total size in bytes. Lists with
// different variants are different.
func largeURIs(variant, bytes int) string {
	var uris []string
	for i := range bytes / 2000 {
		uris = append(uris, fmt.Sprintf("https://app.example.com/%d/%d/%s", variant, i, strings.Repeat("a", 1950)))
	}
	text, _ := json.Marshal(uris)
	return string(text)
}

// createLarge registers n clients of nearly the maximum size.
func createLarge(t *testing.T, s service, n int) {
	t.Helper()
	for i := range n {
		body := fmt.Sprintf(`{"client_id": "app-%03d", "name": "App", "redirect_uris": %s}`, i, largeURIs(i, 120_000))
		created := s.do(t, call{method: http.MethodPost, path: clients, token: "admin", body: body})
		require.Equal(t, http.StatusCreated, created.status, created.text)
	}
}

// meter receives a response and measures the heap at each write.
type meter struct {
	header http.Header
	status int
	bytes  int
	writes int
	peak   uint64
}

func (m *meter) Header() http.Header { return m.header }

func (m *meter) WriteHeader(status int) { m.status = status }

func (m *meter) Write(p []byte) (int, error) {
	m.bytes += len(p)
	m.writes++
	m.peak = max(m.peak, liveHeap())
	return len(p), nil
}

// liveHeap returns the size of the heap in bytes, after a garbage collection.
func liveHeap() uint64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

// measure serves a request. It returns the meter, whose peak is relative to the heap
// before the request.
func (s service) measure(t *testing.T, path string) *meter {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://service", http.NoBody)
	target, err := url.Parse(path)
	require.NoError(t, err)
	r.URL = target
	r.Header.Set("Authorization", "Bearer admin")
	m := &meter{header: http.Header{}, status: http.StatusOK}
	before := liveHeap()
	s.handler.ServeHTTP(m, r)
	m.peak -= min(before, m.peak)
	return m
}

// The memory for serving a page is at most a few times the size limit of a page, however
// large its clients are.
func TestMemoryOfLargePagesIsBounded(t *testing.T) {
	const many, revisions = 60, 60 // of 120 kB each, together more than three pages
	onBothStores(t, func(t *testing.T, s service) {
		createLarge(t, s, many)
		for i := range revisions {
			updated := s.do(t, call{method: http.MethodPut, path: clients + "/app-000", token: "admin", body: `{"redirect_uris": ` + largeURIs(1000+i, 120_000) + `}`})
			require.Equal(t, http.StatusOK, updated.status, updated.text)
		}
		for _, tt := range []struct {
			path  string
			bytes int // minimum size of the response
		}{
			{clients + "?page_size=80", many * 118_000}, // a numbered page is always complete
			{clients + "?page_size=80&redirect_host=app.example.com", many * 118_000},
			{clients + "?limit=500", application.PageBytes},
			{clients + "/app-000/revisions?limit=100", application.PageBytes},
			{"/admin/oauth/changes?limit=100", application.PageBytes},
		} {
			m := s.measure(t, tt.path)
			assert.Equal(t, http.StatusOK, m.status, tt.path)
			assert.GreaterOrEqual(t, m.bytes, tt.bytes, tt.path)
			assert.Greater(t, m.writes, 4, "%s is not sent in parts", tt.path)
			assert.Less(t, float64(m.peak)/application.PageBytes, 3.0, "%s: memory, in pages", tt.path)
			if tt.bytes == application.PageBytes {
				assert.Less(t, m.bytes, 3*application.PageBytes, tt.path)
			}
		}
	})
}

// Lists of large clients are complete, by cursor and by page number.
func TestLargeClientsArePagedThroughCompletely(t *testing.T) {
	const many = 50
	onBothStores(t, func(t *testing.T, s service) {
		createLarge(t, s, many)
		var found []string
		next, pages := "", 0
		for {
			pages++
			path := clients + "?limit=500"
			if next != "" {
				path += "&after=" + next
			}
			page := s.do(t, call{method: http.MethodGet, path: path, token: "admin"})
			require.Equal(t, http.StatusOK, page.status, page.text)
			found = append(found, clientIDs(page)...)
			if next, _ = page.body["next"].(string); next == "" {
				break
			}
		}
		require.Len(t, found, many)
		assert.Equal(t, 3, pages, "the size limit of a page allows 18 of these clients")
		for i, id := range found {
			assert.Equal(t, fmt.Sprintf("app-%03d", i), id)
		}
		first := s.do(t, call{method: http.MethodGet, path: clients + "?page_size=30", token: "admin"})
		second := s.do(t, call{method: http.MethodGet, path: clients + "?page_size=30&page=2", token: "admin"})
		assert.Equal(t, found[:30], clientIDs(first), "a numbered page is complete")
		assert.Equal(t, found[30:], clientIDs(second))
		assert.InDelta(t, many, first.body["total"], 0)
		assert.Equal(t, map[string]any{
			"page": 1.0, "page_size": 30.0, "total": 50.0, "total_pages": 2.0, "has_next": true, "has_prev": false,
		}, first.body["pagination"])
	})
}

func clientIDs(r response) []string {
	var ids []string
	items, _ := r.body["items"].([]any)
	for _, item := range items {
		fields, _ := item.(map[string]any)
		id, _ := fields["client_id"].(string)
		ids = append(ids, id)
	}
	return ids
}

func TestSmallPagesHaveAContentLength(t *testing.T) {
	s := newService(t)
	s.do(t, call{method: http.MethodPost, path: clients, token: "admin", body: `{"name": "App", "grant_types": ["client_credentials"], "scopes": ["a"]}`})
	for _, path := range []string{clients, clients + "?limit=10", "/admin/oauth/changes"} {
		page := s.do(t, call{method: http.MethodGet, path: path, token: "admin"})
		assert.Equal(t, strconv.Itoa(len(page.text)), page.header.Get("Content-Length"), path)
	}
}

// failingStore is a store whose second and later lists fail.
type failingStore struct {
	fixedStore
	lists *int
}

func (f failingStore) List(ctx context.Context, tenant domain.TenantID, q application.Query) (application.Page, error) {
	if *f.lists++; *f.lists > 1 {
		return application.Page{}, application.ErrUnavailable
	}
	q.Limit /= 2
	return f.fixedStore.List(ctx, tenant, q)
}

func TestIncompletePageIsDetectable(t *testing.T) {
	small := domain.Restore(domain.State{Identity: domain.Identity{ClientID: "app"}})
	s := serviceOver(t, failingStore{fixedStore{client: small}, new(int)})
	page := s.do(t, call{method: http.MethodGet, path: clients + "?page_size=10", token: "admin"})
	assert.Equal(t, http.StatusServiceUnavailable, page.status, "nothing was sent yet")

	large := domain.Restore(domain.State{
		Identity: domain.Identity{ClientID: "app"}, Settings: domain.Settings{Name: strings.Repeat("a", 100_000)},
	})
	s = serviceOver(t, failingStore{fixedStore{client: large}, new(int)})
	assert.PanicsWithValue(t, http.ErrAbortHandler, func() { s.measure(t, clients+"?page_size=10") },
		"the server closes the connection")
	assert.Contains(t, s.logs.String(), "response aborted")
}

// slowStore is a store whose lists take until their context ends.
type slowStore struct{ fixedStore }

func (slowStore) List(ctx context.Context, _ domain.TenantID, _ application.Query) (application.Page, error) {
	<-ctx.Done()
	return application.Page{}, errors.Join(application.ErrUnavailable, ctx.Err())
}

func TestSlowListGets503WithAReason(t *testing.T) {
	s := serviceOver(t, slowStore{}, func(c *setup) { c.Registry.ListTime = time.Millisecond })
	page := s.do(t, call{method: http.MethodGet, path: clients, token: "admin"})
	assert.Equal(t, http.StatusServiceUnavailable, page.status)
	assert.Equal(t, "1", page.header.Get("Retry-After"))
	assert.Contains(t, page.body["message"], "the list took too long")
}

func TestQuotaOfClientsPerTenant(t *testing.T) {
	onBothStores(t, func(t *testing.T, s service) {
		create := func(id, token string) response {
			return s.do(t, call{method: http.MethodPost, path: clients, token: token, body: `{"client_id": "` + id + `", "name": "App", "redirect_uris": ["https://app.example.com/cb"]}`})
		}
		require.Equal(t, http.StatusCreated, create("one", "admin").status)
		require.Equal(t, http.StatusCreated, create("two", "admin").status)
		over := create("three", "admin")
		assert.Equal(t, http.StatusConflict, over.status)
		assert.Contains(t, over.body["message"], "reached its limit of clients")
		assert.Equal(t, http.StatusConflict, s.do(t, call{method: http.MethodPost, path: clients + "?dry_run=true", token: "admin", body: `{"name": "App"}`}).status)
		assert.Equal(t, http.StatusCreated, create("one", "other-tenant").status, "another tenant has its own quota")

		require.Equal(t, http.StatusNoContent, s.do(t, call{method: http.MethodDelete, path: clients + "/one", token: "admin"}).status)
		require.Equal(t, http.StatusCreated, create("three", "admin").status, "deleted clients do not count")
		restored := s.do(t, call{method: http.MethodPost, path: clients + "/one/restore", token: "admin"})
		assert.Equal(t, http.StatusConflict, restored.status)
		assert.Contains(t, restored.body["message"], "reached its limit of clients")
		updated := s.do(t, call{method: http.MethodPut, path: clients + "/two", token: "admin", body: `{"name": "Another"}`})
		assert.Equal(t, http.StatusOK, updated.status, "updates do not depend on the quota")
	}, func(c *setup) { c.Registry.MaxClients = 2 })
}

func TestTooLargeClientIsRejected(t *testing.T) {
	s := newService(t)
	created := s.do(t, call{method: http.MethodPost, path: clients, token: "admin", body: `{"name": "App", "redirect_uris": ` + largeURIs(0, 140_000) + `}`})
	assert.Equal(t, http.StatusBadRequest, created.status)
	assert.Contains(t, created.text, `"client-size"`)
	assert.Contains(t, created.text, `"/redirect_uris"`)
}
