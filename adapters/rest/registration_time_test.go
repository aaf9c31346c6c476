package rest_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/registrationfile"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// What ends: tokens, secrets and unused clients; and what is not available.

// onClock runs a test on both stores with a clock that the test advances. registry is that of
// the service.
func onClock(t *testing.T, file string, test func(t *testing.T, s service, clock *documentClock, registry func() *application.Registry)) {
	t.Helper()
	clock, adjusted := &documentClock{}, application.Config{}
	onBothStores(t, func(t *testing.T, s service) {
		test(t, s, clock, func() *application.Registry { return application.NewRegistry(adjusted) })
	}, registering(t, file), func(c *setup) {
		c.Clock, c.Registry.Clock = clock, clock
		adjusted = c.Registry
	})
}

func TestInitialAccessTokensExpire(t *testing.T) {
	onClock(t, onlyTenant(""), func(t *testing.T, s service, clock *documentClock, _ func() *application.Registry) {
		token := s.initialToken(t, `{"expires_in":3600,"max_uses":9}`)
		register := func(token string) response {
			return s.do(t, call{method: "POST", path: registerPath, token: token, body: webClient})
		}
		clock.advance(time.Hour - time.Second)
		require.Equal(t, http.StatusCreated, register(token).status)
		clock.advance(time.Second)
		expired, unknown := register(token), register("clientele_iat_unknown")
		assertRejected(t, expired, 401, "invalid_token")
		assert.Equal(t, unknown.body, expired.body)
		list := s.do(t, call{method: "GET", path: tokensPath, token: "admin"})
		assert.Contains(t, list.text, `"status":"expired"`)
	})
}

// A client whose secret has ended gets a new one by an update, also by one without effect.
func TestUpdatesRenewSecrets(t *testing.T) {
	onClock(t, onlyTenant(`secret_ttl: 1h`), func(t *testing.T, s service, clock *documentClock, _ func() *application.Registry) {
		c := s.registered(t, webClient)
		first := c.sent.body["client_secret"].(string)
		assert.InDelta(t, clock.Now().Add(time.Hour).Unix(), c.sent.body["client_secret_expires_at"], 0)
		const update = `{"client_id":"{id}","redirect_uris":["https://app.example.com/cb"]}`
		assertMembers(t, c.do(t, "PUT", update), map[string]any{"client_secret": nil, "client_secret_expires_at": nil})
		clock.advance(time.Hour)
		assertMembers(t, c.do(t, "GET", ""), map[string]any{"client_secret": nil, "client_secret_expires_at": nil})
		renewed := c.do(t, "PUT", update)
		require.Equal(t, http.StatusOK, renewed.status, renewed.text)
		second, _ := renewed.body["client_secret"].(string)
		require.NotEmpty(t, second)
		assert.NotEqual(t, first, second)
		assert.InDelta(t, clock.Now().Add(time.Hour).Unix(), renewed.body["client_secret_expires_at"], 0)
		for value, valid := range map[string]bool{first: false, second: true} {
			a := s.do(t, call{method: "POST", path: clients + "/" + c.id + "/verify-secret", token: "verify", body: `{"secret":"` + value + `"}`})
			assert.Equal(t, valid, a.data("valid"), a.text)
		}
		ended := c.do(t, "PUT", strings.Replace(update, "{", `{"client_secret":"`+first+`",`, 1))
		assertRejected(t, ended, 400, "invalid_client_metadata")
	})
}

// changingPolicies are the policies of a file that a test replaces.
type changingPolicies struct {
	application.RegistrationPolicies
}

// A statement that was used is not accepted again if the maximum age of statements is raised.
func TestUsesOfStatementsOutlastTheMaximumAge(t *testing.T) {
	d := newDirectory(t, "https://directory.example")
	book, err := domain.NewRulebook(domain.Policy{KeyPreflight: domain.PreflightOff})
	require.NoError(t, err)
	of := func(maxAge string) application.RegistrationPolicies {
		policies, err := registrationfile.Parse("test.yaml", []byte(trusting(t, d.issuer(t, map[string]any{"max_age": maxAge}))), book)
		require.NoError(t, err)
		return policies
	}
	for name, lifetime := range map[string]time.Duration{"with exp": 48 * time.Hour, "without exp": 0} {
		t.Run(name, func(t *testing.T) {
			clock, policies := &documentClock{}, &changingPolicies{}
			onBothStores(t, func(t *testing.T, s service) {
				policies.RegistrationPolicies = of("5m")
				claims := map[string]any{"iat": clock.Now().Unix(), "exp": nil}
				if lifetime > 0 {
					claims["exp"] = clock.Now().Add(lifetime).Unix()
				}
				metadata := stated(t, d.statement(t, claims), nil)
				require.Equal(t, http.StatusCreated, s.registerSelf(t, metadata).status)
				clock.advance(10 * time.Minute)
				assert.Contains(t, s.registerSelf(t, metadata).text, "too old")
				policies.RegistrationPolicies = of("24h")
				again := s.registerSelf(t, metadata)
				assertRejected(t, again, 400, "invalid_software_statement")
				assert.Contains(t, again.text, "used before")
			}, registering(t, onlyTenant("")), func(c *setup) {
				c.Clock, c.Registry.Clock, c.Registry.Registrations.Policies = clock, clock, policies
			})
		})
	}
}

// A secret that an administrator adds or rotates also ends after secret_ttl, unless the
// administrator gives another time.
func TestSecretsOfAdministratorsEnd(t *testing.T) {
	onClock(t, onlyTenant(`secret_ttl: 1h`), func(t *testing.T, s service, clock *documentClock, _ func() *application.Registry) {
		self, byHand := s.registered(t, webClient).id, s.create(t)
		end, named := clock.Now().Add(time.Hour).Format(time.RFC3339), clock.Now().Add(48*time.Hour).Format(time.RFC3339)
		for _, tt := range []struct {
			name, id, path, body string
			end                  any
		}{
			{"rotated", self, "/rotate-secret", `{"grace_seconds":0}`, end},
			{"added", self, "/secrets", `{}`, end},
			{"rotated, of a client of an administrator", byHand, "/rotate-secret", `{"grace_seconds":0}`, nil},
			{"added, to a client of an administrator", byHand, "/secrets", `{}`, nil},
			{"added with an end", s.registered(t, webClient).id, "/secrets", `{"expires_at":"` + named + `"}`, named},
		} {
			a := s.do(t, call{method: "POST", path: clients + "/" + tt.id + tt.path, token: "admin", body: tt.body})
			require.Contains(t, []int{http.StatusOK, http.StatusCreated}, a.status, "%s: %s", tt.name, a.text)
			listed, _ := s.do(t, call{method: "GET", path: clients + "/" + tt.id + "/secrets", token: "admin"}).data("secrets").([]any)
			require.NotEmpty(t, listed, tt.name)
			assert.Equal(t, tt.end, listed[len(listed)-1].(map[string]any)["expires_at"], tt.name)
		}
	})
}

// The token that was replaced ends ten minutes later, also if the new one is never used.
func TestAReplacedTokenEnds(t *testing.T) {
	onClock(t, onlyTenant(`rotate_on_update: true`), func(t *testing.T, s service, clock *documentClock, _ func() *application.Registry) {
		c := s.registered(t, publicClient)
		updated := c.do(t, "PUT", strings.Replace(publicClient, "{", `{"client_id":"{id}","contacts":["a@example.com"],`, 1))
		next, _ := updated.body["registration_access_token"].(string)
		require.NotEqual(t, c.token, next, updated.text)
		clock.advance(10*time.Minute - time.Second)
		assert.Equal(t, http.StatusOK, c.do(t, "GET", "").status)
		clock.advance(time.Second)
		assertRejected(t, c.do(t, "GET", ""), 401, "invalid_token")
		c.token = next
		assert.Equal(t, http.StatusOK, c.do(t, "GET", "").status)
	})
}

// Clients that no server has reported are deleted after a time, if the tenant says so.
func TestUnusedClientsAreDeleted(t *testing.T) {
	onClock(t, onlyTenant(`unused_ttl: 24h`), func(t *testing.T, s service, clock *documentClock, registry func() *application.Registry) {
		unused, used, byHand := s.registered(t, publicClient), s.registered(t, publicClient), s.create(t)
		require.Equal(t, http.StatusNoContent, s.do(t, call{method: "POST", path: clients + "/" + used.id + "/seen", token: "verify"}).status)
		registration := func(id string) any {
			return s.do(t, call{method: "GET", path: clients + "/" + id, token: "admin"}).data("registration")
		}
		assert.Contains(t, registration(used.id), "first_seen_at")
		assert.Contains(t, registration(used.id), "last_seen_at")
		assert.NotContains(t, registration(unused.id), "first_seen_at")
		run := func() int {
			deleted, err := registry().DeleteUnused(t.Context(), domain.Actor{Subject: "clientele"})
			require.NoError(t, err)
			return deleted
		}
		clock.advance(24*time.Hour - time.Second)
		assert.Zero(t, run())
		clock.advance(2 * time.Second)
		assert.Equal(t, 1, run())
		assertRejected(t, unused.do(t, "GET", ""), 401, "invalid_token")
		assert.Equal(t, http.StatusOK, used.do(t, "GET", "").status)
		for id, status := range map[string]int{unused.id: 404, used.id: 200, byHand: 200} {
			assert.Equal(t, status, s.do(t, call{method: "GET", path: clients + "/" + id, token: "admin"}).status)
		}
		assert.Equal(t, http.StatusOK, s.do(t, call{method: "POST", path: clients + "/" + unused.id + "/restore", token: "admin"}).status)
	})
}

// Where the tenant switched the management off, clients cannot manage themselves, also if they
// have a token, and administrators cannot issue one.
func TestManagementIsSwitchedOff(t *testing.T) {
	const off = `management: false`
	onFile(t, onlyTenant(off), func(t *testing.T, s *fileService) {
		registered := s.registered(t, publicClient)
		assertMembers(t, registered.sent, map[string]any{"registration_access_token": nil, "registration_client_uri": nil})
		issue := func(id string) response {
			return s.do(t, call{method: "POST", path: clients + "/" + id + "/registration-token", token: "admin"})
		}
		for id, status := range map[string]int{registered.id: http.StatusConflict, s.create(t): http.StatusConflict, "unknown": http.StatusNotFound} {
			assert.Equal(t, status, issue(id).status, id)
		}
		assert.Contains(t, issue(registered.id).body["message"], "management")
		assert.NotContains(t, registered.item(t).data("registration"), "registration_token_created_at")
		s.replaceFile(t, onlyTenant(""))
		issued := issue(registered.id)
		require.Equal(t, http.StatusCreated, issued.status, issued.text)
		registered.token = issued.data("registration_access_token").(string)
		assert.Equal(t, http.StatusOK, registered.do(t, "GET", "").status)
		s.replaceFile(t, onlyTenant(off))
		assert.Equal(t, http.StatusConflict, issue(registered.id).status)
		for _, method := range []string{"GET", "PUT", "DELETE"} {
			body := map[string]string{"PUT": `{"client_id":"{id}"}`}[method]
			assertRejected(t, registered.do(t, method, body), 403, "access_denied")
		}
		registered.token = "wrong"
		assertRejected(t, registered.do(t, "GET", ""), 401, "invalid_token")
	})
}

// A client that waits for an administrator has its token, and may use it once it is active.
func TestAClientThatWaitsCannotManageItself(t *testing.T) {
	onBothStores(t, func(t *testing.T, s service) {
		c := s.registered(t, publicClient)
		assert.Contains(t, c.sent.found("warnings"), " registration-waits")
		dry := s.do(t, call{method: "POST", path: registerPath + "?dry_run=true", token: s.initialToken(t, `{}`), body: publicClient})
		assert.Equal(t, c.sent.found("warnings"), dry.found("warnings"))
		assertRejected(t, c.do(t, "GET", ""), 403, "access_denied")
		c.change(t, `{"status":"active"}`)
		assert.Equal(t, http.StatusOK, c.do(t, "GET", "").status)
		updated := c.do(t, "PUT", strings.Replace(publicClient, "{", `{"client_id":"{id}",`, 1))
		require.Equal(t, http.StatusOK, updated.status, updated.text)
		assert.Empty(t, updated.found("warnings"), "only a registration waits")
	}, registering(t, onlyTenant(`initial_status: suspended`)))
}

// A token that is revoked makes no further clients; those that it made stay.
func TestARevokedTokenLeavesItsClients(t *testing.T) {
	onBothStores(t, func(t *testing.T, s service) {
		created := s.do(t, call{method: "POST", path: tokensPath, token: "admin", body: `{"max_uses":2}`})
		token, id := created.data("token").(string), created.data("token_id").(string)
		a := s.do(t, call{method: "POST", path: registerPath, token: token, body: publicClient})
		require.Equal(t, http.StatusCreated, a.status, a.text)
		require.Equal(t, http.StatusNoContent, s.do(t, call{method: "DELETE", path: tokensPath + "/" + id, token: "admin"}).status)
		own := call{method: "GET", path: registerPath + "/" + a.body["client_id"].(string), token: a.body["registration_access_token"].(string)}
		assert.Equal(t, http.StatusOK, s.do(t, own).status)
		assertRejected(t, s.do(t, call{method: "POST", path: registerPath, token: token, body: publicClient}), 401, "invalid_token")
		require.Equal(t, http.StatusNoContent, s.do(t, call{method: "DELETE", path: tokensPath + "/" + id + "?suspend_clients=true", token: "admin"}).status)
		assertRejected(t, s.do(t, own), 403, "access_denied")
	}, registering(t, onlyTenant("")))
}

// unsteadyRegistrations is a store of registrations that cannot be reached while down is set.
type unsteadyRegistrations struct {
	application.RegistrationStore

	down *bool
}

func (u unsteadyRegistrations) FindInitialToken(ctx context.Context, tenant domain.TenantID, id string) (domain.InitialToken, error) {
	if *u.down {
		return domain.InitialToken{}, application.ErrUnavailable
	}
	return u.RegistrationStore.FindInitialToken(ctx, tenant, id)
}

func TestRegistrationsWhileTheStoreIsUnavailable(t *testing.T) {
	down := false
	onBothStores(t, func(t *testing.T, s service) {
		token := s.initialToken(t, `{}`)
		down = true
		a := s.do(t, call{method: "POST", path: registerPath, token: token, body: webClient})
		assertRejected(t, a, 503, "temporarily_unavailable")
		assert.NotEmpty(t, a.header.Get("Retry-After"))
		down = false
		assert.Equal(t, http.StatusCreated, s.do(t, call{method: "POST", path: registerPath, token: token, body: webClient}).status)
	}, registering(t, onlyTenant("")), func(c *setup) {
		c.Registry.Registrations.Store = unsteadyRegistrations{c.Registry.Registrations.Store, &down}
	})
}
