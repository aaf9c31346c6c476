package rest_test

import (
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/registrationfile"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// Changes of the registration file while clients exist.

// replacedPolicies are the policies of the registration file, which a test replaces.
type replacedPolicies struct{ of atomic.Value }

func (p *replacedPolicies) file() application.RegistrationPolicies {
	return p.of.Load().(application.RegistrationPolicies)
}

func (p *replacedPolicies) Registration(tenant domain.TenantID) application.TenantRegistration {
	return p.file().Registration(tenant)
}

func (p *replacedPolicies) Tenants() []domain.TenantID { return p.file().Tenants() }

// fileService is a service on a clock and a registration file that the test changes.
type fileService struct {
	service
	documentClock
	policies replacedPolicies
	registry *application.Registry
}

// replaceFile replaces the registration file.
func (s *fileService) replaceFile(t *testing.T, file string) {
	t.Helper()
	book, err := domain.NewRulebook(domain.Policy{KeyPreflight: domain.PreflightOff})
	require.NoError(t, err)
	policies, err := registrationfile.Parse("test.yaml", []byte(file), book)
	require.NoError(t, err)
	s.policies.of.Store(policies)
}

// deleteUnused deletes unused clients, and returns how many it deleted.
func (s *fileService) deleteUnused(t *testing.T) int {
	t.Helper()
	deleted, err := s.registry.DeleteUnused(t.Context(), domain.Actor{Subject: "clientele"})
	require.NoError(t, err)
	return deleted
}

// restore restores the client as an administrator.
func (c *selfClient) restore(t *testing.T) response {
	t.Helper()
	return c.service.do(t, call{method: "POST", path: clients + "/" + c.id + "/restore", token: "admin"})
}

// onFile runs a test on both stores with a registration file that the test replaces.
func onFile(t *testing.T, file string, test func(t *testing.T, s *fileService)) {
	t.Helper()
	var current *fileService
	onBothStores(t, func(t *testing.T, s service) {
		current.service = s
		test(t, current)
	}, registering(t, file), func(c *setup) {
		current = &fileService{}
		current.replaceFile(t, file)
		c.Clock, c.Registry.Clock = &current.documentClock, &current.documentClock
		c.Registry.Registrations.Policies = &current.policies
		current.registry = application.NewRegistry(c.Registry)
	})
}

func TestUnusedClientsThatAreKept(t *testing.T) {
	const day = 24 * time.Hour
	with := func(ttl time.Duration) string { return onlyTenant("unused_ttl: " + strconv.Itoa(int(ttl/time.Second))) }
	for name, tt := range map[string]struct {
		registered string // the file when the client registers
		change     func(t *testing.T, s *fileService, c *selfClient)
		deleted    []int // one search each day after the change
	}{
		"an unused client": {with(2 * day), nil, []int{0, 0, 1, 0}},
		"a client that was restored has its whole time again": {with(2 * day), func(t *testing.T, s *fileService, c *selfClient) {
			s.advance(2*day + time.Second)
			require.Equal(t, 1, s.deleteUnused(t))
			require.Equal(t, http.StatusOK, c.restore(t).status)
		}, []int{0, 0, 1, 0}},
		"a client that updated itself has its whole time again": {with(2 * day), func(t *testing.T, s *fileService, c *selfClient) {
			s.advance(day)
			require.Equal(t, http.StatusOK, c.do(t, "PUT", `{"client_id":"{id}","client_name":"B","redirect_uris":["https://app.example.com/cb"]}`).status)
		}, []int{0, 0, 1, 0}},
		"a client that registered without unused_ttl stays": {onlyTenant(""), func(t *testing.T, s *fileService, _ *selfClient) {
			s.advance(100 * day)
			s.replaceFile(t, with(day))
		}, []int{0, 0}},
		"a client that is suspended stays": {with(day), func(t *testing.T, _ *fileService, c *selfClient) {
			c.change(t, `{"status":"suspended"}`)
		}, []int{0, 0, 0}},
		"a client that waits for an administrator stays": {onlyTenant("unused_ttl: 24h, initial_status: suspended"), nil, []int{0, 0, 0}},
		"a shorter time applies to new clients":          {with(2 * day), func(t *testing.T, s *fileService, _ *selfClient) { s.replaceFile(t, with(day)) }, []int{0, 0, 1}},
		"a longer time applies to all clients":           {with(day), func(t *testing.T, s *fileService, _ *selfClient) { s.replaceFile(t, with(2*day)) }, []int{0, 0, 1}},
		"nothing is deleted without unused_ttl":          {with(day), func(t *testing.T, s *fileService, _ *selfClient) { s.replaceFile(t, onlyTenant("")) }, []int{0, 0, 0}},
		"nothing is deleted while registration is off": {with(day), func(t *testing.T, s *fileService, _ *selfClient) {
			s.replaceFile(t, `tenants: {tenant_a: {registration: {enabled: false, unused_ttl: 24h}}}`)
		}, []int{0, 0, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			onFile(t, tt.registered, func(t *testing.T, s *fileService) {
				c := s.registered(t, webClient)
				if tt.change != nil {
					tt.change(t, s, c)
				}
				var deleted []int
				for range tt.deleted {
					deleted = append(deleted, s.deleteUnused(t))
					s.advance(day + time.Second)
				}
				assert.Equal(t, tt.deleted, deleted)
			})
		})
	}
}

// After a leak, an operator switches registration off first. An administrator can then still
// revoke the token and suspend its clients.
func TestTokensAreRevokedWhileRegistrationIsOff(t *testing.T) {
	for name, off := range map[string]string{
		"by the switch":             `tenants: {tenant_a: {registration: {enabled: false}}}`,
		"by removing its policy":    `tenants: {}`,
		"by removing the whole key": `tenants: {tenant_a: {}}`,
	} {
		t.Run(name, func(t *testing.T) {
			onFile(t, onlyTenant(""), func(t *testing.T, s *fileService) {
				created := s.do(t, call{method: "POST", path: tokensPath, token: "admin", body: `{"max_uses":9}`})
				leaked, id := created.data("token").(string), created.data("token_id").(string)
				register := call{method: "POST", path: registerPath, token: leaked, body: webClient}
				a := s.do(t, register)
				require.Equal(t, http.StatusCreated, a.status, a.text)
				c := clients + "/" + a.body["client_id"].(string)

				s.replaceFile(t, off)
				assert.Equal(t, http.StatusNotFound, s.do(t, call{method: "POST", path: tokensPath, token: "admin", body: `{}`}).status)
				list := s.do(t, call{method: "GET", path: tokensPath, token: "admin"})
				require.Equal(t, http.StatusOK, list.status, list.text)
				assert.Contains(t, list.text, id)
				assert.Equal(t, http.StatusForbidden, s.do(t, call{method: "GET", path: tokensPath, token: "read"}).status)
				for _, query := range []string{"", "?suspend_clients=true"} {
					revoked := s.do(t, call{method: "DELETE", path: tokensPath + "/" + id + query, token: "admin"})
					require.Equal(t, http.StatusNoContent, revoked.status, revoked.text)
				}
				assert.Equal(t, "suspended", s.do(t, call{method: "GET", path: c, token: "admin"}).data("status"))
				unknown := s.do(t, call{method: "DELETE", path: tokensPath + "/iat_" + strings.Repeat("0", 32), token: "admin"})
				assert.Equal(t, http.StatusNotFound, unknown.status)

				s.replaceFile(t, onlyTenant(""))
				assertRejected(t, s.do(t, register), 401, "invalid_token")
			})
		})
	}
}
