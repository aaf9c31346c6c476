package rest_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// fixedStore is a store that returns the same client at no cost. Benchmarks with it
// measure everything except the store.
type fixedStore struct {
	application.Store
	client domain.Client
}

func (s fixedStore) Find(context.Context, domain.TenantID, domain.ClientID) (domain.Client, error) {
	return s.client, nil
}

func (fixedStore) Commit(context.Context, domain.Revision) error { return nil }

func (s fixedStore) List(_ context.Context, _ domain.TenantID, q application.Query) (application.Page, error) {
	page := application.Page{Clients: make([]domain.Client, q.Limit), Changes: "p1.1.00112233445566778899", Total: 2 * q.Limit, More: true}
	for i := range page.Clients {
		page.Clients[i] = s.client
	}
	return page, nil
}

func (s fixedStore) Revisions(
	context.Context, domain.TenantID, domain.ClientID, domain.RevisionNumber, int,
) ([]domain.Revision, error) {
	return []domain.Revision{{
		Action: domain.ActionDelete, Actor: fullActor(), At: s.client.UpdatedAt(),
		RequestID: "4d2f7a1e", Reason: "ticket 4711", Client: s.client,
	}}, nil
}

func (s fixedStore) Changes(ctx context.Context, _ domain.TenantID, _ application.Cursor, limit int) (application.Changes, error) {
	entry, err := s.Revisions(ctx, "", "", 0, 0)
	log := slices.Repeat(entry, min(limit, 100))
	return application.Changes{Revisions: log, Next: "p1.2.00112233445566778899", HeldBack: 12 * time.Second}, err
}

func (s fixedStore) AllChanges(ctx context.Context, after application.Cursor, limit int) (application.Changes, error) {
	return s.Changes(ctx, "", after, limit)
}

func (fixedStore) Watch(domain.TenantID) (changed <-chan struct{}, stop func()) {
	return nil, func() {}
}

func (fixedStore) Ping(context.Context) error { return nil }

// discardingWriter is a ResponseWriter that discards the body.
type discardingWriter struct {
	header http.Header
	status int
}

func (w *discardingWriter) Header() http.Header { return w.header }

func (*discardingWriter) Write(p []byte) (int, error) { return len(p), nil }

func (w *discardingWriter) WriteHeader(status int) { w.status = status }

func BenchmarkHandler(b *testing.B) {
	at := time.Date(2026, 4, 15, 10, 30, 0, 123456000, time.UTC)
	client := domain.Restore(domain.State{
		Identity: domain.Identity{ID: "client_01a20abd-1183-7d1c-bedd-8e1285e95f6b", TenantID: "tenant_a", ClientID: "app-123"},
		Settings: domain.Settings{
			Name: "My App", Status: domain.StatusActive, Confidential: true,
			RedirectURIs: []domain.RedirectURI{"https://app.example.com/callback", "https://app.example.com/silent"},
			GrantTypes:   []domain.GrantType{domain.GrantAuthorizationCode, domain.GrantRefreshToken},
			Scopes:       []domain.Scope{"openid", "profile", "email", "offline_access"},
			AuthMethods:  []domain.AuthMethod{domain.AuthSecretBasic},
			LogoURL:      "https://app.example.com/logo.png", Website: "https://app.example.com/",
		},
		Secrets: []domain.Secret{{
			ID: "secret_1", Hash: make([]byte, 32), LastFour: "abcd", CreatedAt: at, UpdatedAt: at,
		}},
		Revision: 7, CreatedAt: at, UpdatedAt: at,
	})
	s := serviceOver(b, fixedStore{client: client})
	for _, bench := range []struct{ name, method, path, body string }{
		{"read", http.MethodGet, clients + "/app-123", ""},
		{"update", http.MethodPut, clients + "/app-123", `{"logo_url": "https://app.example.com/logo-%d.png"}`},
		{"create", http.MethodPost, clients, `{"name": "App %d", "redirect_uris": ["https://app.example.com/callback"]}`},
		{"verify", http.MethodPost, clients + "/app-123/verify-secret", `{"secret": "clientele_%d"}`},
		{"walk", http.MethodGet, clients + "?limit=100", ""},
		{"feed", http.MethodGet, "/admin/oauth/changes?limit=100", ""},
	} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				body := bench.body
				if body != "" {
					n++
					body = fmt.Sprintf(body, n)
				}
				r := httptest.NewRequestWithContext(b.Context(), bench.method, bench.path, strings.NewReader(body))
				r.Header.Set("Authorization", "Bearer admin")
				r.Header.Set("Content-Type", "application/json")
				w := &discardingWriter{header: http.Header{}}
				s.handler.ServeHTTP(w, r)
				s.logs.Reset()
				require.Less(b, w.status, http.StatusMultipleChoices)
			}
		})
	}
}
