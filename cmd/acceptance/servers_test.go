//go:build acceptance

package acceptance_test

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// authorizationServer describes a server that runs on the registry, to the conformance
// script. The zero values of what it can do describe a server that does everything.
type authorizationServer struct {
	name string
	// limit is how long a change may take until the server enforces it.
	limit time.Duration
	// deploy prepares the server, which is not started yet. It is called once, with a
	// running registry.
	deploy func(t *testing.T, d deployment) *running

	// alsoRefuses are error codes other than invalid_client with which the server rejects
	// wrong credentials and clients that are suspended or deleted.
	alsoRefuses []string
	// refusesKeysWith is the error code for a key that is not the client's, if it is not
	// invalid_client.
	refusesKeysWith string
}

// deployment is what a server is started with.
type deployment struct {
	origin *origin
	listen string // address of the server
	issuer string
	dir    string // folder for its files
}

// running is a server that has been deployed.
type running struct {
	issuer string
	server *process
	// companion pushes changes to the server; nil if the server reads them.
	companion *process
	// handOver gives the secret of a client to a companion of a server that does not ask the
	// registry: it holds one secret of each client, which the registry does not know. nil if
	// the server asks the registry.
	handOver func(t *testing.T, client, secret string)
}

// holdsSecrets reports whether the server verifies secrets itself, also while the registry
// is away.
func (r *running) holdsSecrets() bool { return r.handOver != nil }

// reported is what the companion must say of a client whose secret it does not have.
func (r *running) reported(client string) bool {
	for line := range strings.Lines(r.companion.log.String()) {
		if strings.Contains(line, client) && strings.Contains(line, "secret") {
			return true
		}
	}
	return false
}

// example returns the process of an example server: the contract that all of them follow.
func (d deployment) example(name string, patience time.Duration, env []string, program string, args ...string) *running {
	environment := append([]string{
		"CLIENTELE_URL=" + d.origin.root, "CLIENTELE_TOKEN_FILE=" + d.origin.readers,
		"LISTEN=" + d.listen, "MIRROR_FILE=" + filepath.Join(d.dir, "mirror"),
	}, env...)
	return &running{issuer: d.issuer, server: d.process(name, d.issuer+"/.well-known/openid-configuration", patience, environment, program, args...)}
}

// process returns a process that runs in the folder of the deployment.
func (d deployment) process(name, ready string, patience time.Duration, env []string, program string, args ...string) *process {
	return &process{name: name, ready: ready, patience: patience, command: func() *exec.Cmd {
		command := exec.Command(program, args...)
		command.Dir, command.Env = d.dir, append(os.Environ(), env...)
		return command
	}}
}

// conformance is one run of the script.
type conformance struct {
	server  authorizationServer
	origin  *origin
	running *running
	endpoints
	figures map[string]string // of each step
	changed time.Time         // when the registry has acknowledged the last change
}

// conform runs the conformance script against a server: the behaviour that it must have,
// whatever it is written in, and how long each change takes.
func conform(t *testing.T, server authorizationServer) {
	t.Helper()
	c := &conformance{server: server, origin: newOrigin(t), figures: map[string]string{}}
	listen := freeAddress(t)
	c.running = server.deploy(t, deployment{c.origin, listen, "http://" + listen, t.TempDir()})
	c.running.server.killAfter(t)
	if c.running.companion != nil {
		c.running.companion.killAfter(t)
	}
	c.record("start", c.running.server.start(t))
	if c.running.companion != nil {
		c.running.companion.start(t)
	}
	c.endpoints = discover(t, c.running.issuer)
	for _, step := range []struct {
		name string
		run  func(t *testing.T)
	}{
		{"code with PKCE", c.codeWithPKCE},
		{"wrong code verifier", c.wrongVerifier},
		{"client credentials", c.clientCredentials},
		{"private_key_jwt", c.privateKeyJWT},
		{"wrong secret", c.wrongSecret},
		{"scope beyond the client's", c.foreignScope},
		{"redirect URI changed", c.redirectURIChanged},
		{"suspended, and active again", c.suspended},
		{"rotated without a grace period", c.rotated},
		{"rotated with a grace period", c.rotatedWithGrace},
		{"deleted, and restored", c.deleted},
		{"key revoked", c.keyRevoked},
		{"400 token requests", c.busy},
		{"registry away, and back", c.outage},
		{"server away, and back", c.absence},
	} {
		t.Run(step.name, step.run)
	}
	measured.add(server.name, c.figures)
}

// The clients of the script. Each step has its own, so that none depends on another.

func (c *conformance) create(t *testing.T, party relyingParty, grants []string, more map[string]any) relyingParty {
	t.Helper()
	body := map[string]any{
		"client_id": party.id, "name": "The client " + party.id, "grant_types": grants, "scopes": strings.Fields(party.scope),
		"client_auth_methods": []string{party.method}, "is_confidential": party.method != methodNone,
	}
	if slices.Contains(grants, "authorization_code") {
		body["redirect_uris"] = []string{party.redirectURI}
	}
	maps.Copy(body, more)
	party.secret, _ = c.change(t, http.MethodPost, "", body)["client_secret"].(string)
	c.handOver(t, party)
	c.enforced(t, "created", c.acceptance(party))
	return party
}

// handOver gives a secret to a server that holds secrets, as whoever creates or rotates
// it must.
func (c *conformance) handOver(t *testing.T, party relyingParty) {
	t.Helper()
	if c.running.holdsSecrets() && party.secret != "" {
		c.running.handOver(t, party.id, party.secret)
		c.changed = time.Now()
	}
}

// public creates a client without credentials.
func (c *conformance) public(t *testing.T, id string) relyingParty {
	t.Helper()
	party := relyingParty{id: id, method: methodNone, redirectURI: callback, scope: "openid profile"}
	return c.create(t, party, []string{"authorization_code"}, nil)
}

// confidential creates a client with a secret, and all grants.
func (c *conformance) confidential(t *testing.T, id string) relyingParty {
	t.Helper()
	party := relyingParty{id: id, method: methodBasic, redirectURI: callback, scope: "openid profile payments offline_access"}
	return c.create(t, party, []string{"authorization_code", "refresh_token", "client_credentials"}, nil)
}

// keyed creates a client with a key.
func (c *conformance) keyed(t *testing.T, id string) relyingParty {
	t.Helper()
	key := newSigningKey(t, id+"-1")
	party := relyingParty{id: id, method: methodKey, redirectURI: callback, scope: "openid payments", key: key}
	return c.create(t, party, []string{"authorization_code", "client_credentials"}, map[string]any{
		"jwks": key.jwks(t), "token_endpoint_auth_signing_alg": "ES256", // some servers have a default: RS256
	})
}

// change makes a change in the registry, and starts the clock.
func (c *conformance) change(t *testing.T, method, path string, body any) map[string]any {
	t.Helper()
	data := c.origin.admin(t, method, path, body)
	c.changed = time.Now()
	return data
}

func (c *conformance) record(step string, took time.Duration) {
	c.figures[step] = strconv.FormatInt(took.Milliseconds(), 10)
}

// verdict is what a probe finds: only the old and the new behaviour are right.
type verdict int

const (
	wrong verdict = iota
	notYet
	enforced
)

// probe looks at the server once, and returns what it saw.
type probe func(ctx context.Context, t *testing.T) (verdict, string)

// enforced waits until the last change is enforced, within the limit of the server, and
// records how long that took.
func (c *conformance) enforced(t *testing.T, step string, look probe) {
	t.Helper()
	took := c.await(t, step, c.changed, c.server.limit, look)
	t.Logf("%s: %d ms", step, took.Milliseconds())
	if known, err := time.ParseDuration(c.figures[step] + "ms"); err != nil || took > known { // the slowest one
		c.record(step, took)
	}
}

// await looks every few milliseconds, until the change of before is enforced.
func (c *conformance) await(t *testing.T, step string, began time.Time, limit time.Duration, look probe) time.Duration {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		v, seen := look(t.Context(), t)
		took := time.Since(began)
		switch {
		case v == enforced && took <= limit:
			return took
		case v == wrong:
			require.Fail(t, step+": neither the old nor the new behaviour", "after %d ms: %s", took.Milliseconds(), seen)
		case took > limit:
			require.Fail(t, step+": not enforced in time", "after %d ms, the limit is %d ms: %s", took.Milliseconds(), limit.Milliseconds(), seen)
		}
		<-tick.C
	}
}

// The two outcomes of credentials. A client that is accepted, but sends no code, gets
// invalid_grant.
func accepted(o *outcome) bool { return o.granted() || o.refused("invalid_grant") }

func (c *conformance) refused(o *outcome) bool {
	return o.refused(append([]string{"invalid_client"}, c.server.alsoRefuses...)...)
}

// ask sends the cheapest request for which a client must authenticate.
func (c *conformance) ask(ctx context.Context, party relyingParty) (*outcome, error) {
	if party.method == methodNone {
		return party.authenticate(ctx, c.endpoints)
	}
	return party.credentials(ctx, c.endpoints, "")
}

// atToken is a probe of the token endpoint.
func atToken(request func(ctx context.Context) (*outcome, error), after, before func(o *outcome) bool) probe {
	return func(ctx context.Context, _ *testing.T) (verdict, string) {
		o, err := request(ctx)
		switch {
		case err != nil:
			return wrong, err.Error()
		case after(o):
			return enforced, o.String()
		case before(o):
			return notYet, o.String()
		}
		return wrong, o.String()
	}
}

// acceptance looks whether the credentials of the client are accepted.
func (c *conformance) acceptance(party relyingParty) probe {
	return atToken(func(ctx context.Context) (*outcome, error) { return c.ask(ctx, party) }, accepted, c.refused)
}

// refusal looks whether the credentials of the client are rejected.
func (c *conformance) refusal(party relyingParty) probe {
	refused := c.refused
	if party.method == methodKey && c.server.refusesKeysWith != "" {
		refused = func(o *outcome) bool { return c.refused(o) || o.refused(c.server.refusesKeysWith) }
	}
	return atToken(func(ctx context.Context) (*outcome, error) { return c.ask(ctx, party) }, refused, accepted)
}

// logIn looks whether the server accepts an authorization request of the client.
// That it does is the old behaviour (notYet) or the new one (enforced).
func (c *conformance) logIn(party relyingParty, accepts verdict) probe {
	return func(ctx context.Context, t *testing.T) (verdict, string) {
		t.Helper()
		shown, err := newBrowser(t).open(ctx, http.MethodGet, party.authorizationURL(c.endpoints, newProof(), rand.Text()), nil, party.redirectURI)
		switch {
		case err != nil:
			return wrong, err.Error()
		case shown.asksForPassword():
			return accepts, shown.String()
		case shown.returned != nil: // an open redirector: the URI is no longer, or not yet, the client's
			return wrong, shown.String()
		}
		if accepts == enforced {
			return notYet, shown.String()
		}
		return enforced, shown.String()
	}
}

// The steps.

func (c *conformance) codeWithPKCE(t *testing.T) {
	web := c.public(t, "web")
	o, err := web.login(t.Context(), t, c.endpoints)
	require.NoError(t, err)
	require.True(t, o.granted(), o)
	assert.NotEmpty(t, o.tokens.ID, "no ID token: %s", o.text)
	if c.UserInfo != "" {
		assert.Equal(t, http.StatusOK, c.userInfo(t, o.tokens.Access))
	}
}

func (c *conformance) userInfo(t *testing.T, accessToken string) (status int) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.UserInfo, http.NoBody)
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer "+accessToken)
	response, err := tokenClient.Do(request)
	require.NoError(t, err)
	_ = response.Body.Close()
	return response.StatusCode
}

func (c *conformance) wrongVerifier(t *testing.T) {
	web := c.public(t, "web-verifier")
	code, err := web.code(t.Context(), t, c.endpoints, newProof())
	require.NoError(t, err)
	o, err := web.exchange(t.Context(), c.endpoints, code, newProof())
	require.NoError(t, err)
	assert.True(t, o.refused("invalid_grant"), o)
}

func (c *conformance) clientCredentials(t *testing.T) {
	for _, method := range []string{methodBasic, methodPost} {
		party := c.create(t, relyingParty{id: "service-" + method, method: method, scope: "payments"}, []string{"client_credentials"}, nil)
		o, err := party.credentials(t.Context(), c.endpoints, "payments")
		require.NoError(t, err)
		assert.True(t, o.granted(), "%s: %s", method, o)
	}
}

func (c *conformance) privateKeyJWT(t *testing.T) {
	bank := c.keyed(t, "bank")
	o, err := bank.login(t.Context(), t, c.endpoints)
	require.NoError(t, err)
	assert.True(t, o.granted(), o)
	other := bank
	other.key = newSigningKey(t, "bank-1") // the same kid
	o, err = c.ask(t.Context(), other)
	require.NoError(t, err)
	assert.True(t, c.refused(o), o)
}

func (c *conformance) wrongSecret(t *testing.T) {
	shop := c.confidential(t, "shop-wrong")
	for _, secret := range []string{"clientele_" + strings.Repeat("A", 51), "", shop.id, shop.secret + "x"} {
		impostor := shop
		impostor.secret = secret
		o, err := c.ask(t.Context(), impostor)
		require.NoError(t, err)
		noSecret := secret == "" && o.refused("invalid_request")
		assert.True(t, c.refused(o) || noSecret, "%q: %s", secret, o)
	}
	shop.id = "nobody"
	o, err := c.ask(t.Context(), shop)
	require.NoError(t, err)
	assert.True(t, c.refused(o), "an unknown client: %s", o)
}

// A server may reject scopes that the client does not have, or leave them out and say so
// (RFC 6749 §3.3).
func (c *conformance) foreignScope(t *testing.T) {
	party := c.create(t, relyingParty{id: "service-scope", method: methodBasic, scope: "payments"}, []string{"client_credentials"}, nil)
	o, err := party.credentials(t.Context(), c.endpoints, "payments email")
	require.NoError(t, err)
	if o.granted() {
		require.NotNil(t, o.tokens.Scope, "the scope of the token is not the requested one, or the client got more than it has: %s", o.text)
		assert.NotContains(t, strings.Fields(*o.tokens.Scope), "email")
		return
	}
	assert.True(t, o.refused("invalid_scope"), o)
}

func (c *conformance) redirectURIChanged(t *testing.T) {
	before := c.public(t, "web-moved")
	after := before
	after.redirectURI = "https://app.example.com/moved"
	c.change(t, http.MethodPut, "/"+before.id, map[string]any{"redirect_uris": []string{after.redirectURI}})
	c.enforced(t, "redirect URI: new accepted", c.logIn(after, enforced))
	c.enforced(t, "redirect URI: old refused", c.logIn(before, notYet))
	o, err := after.login(t.Context(), t, c.endpoints)
	require.NoError(t, err)
	assert.True(t, o.granted(), o)
}

func (c *conformance) suspended(t *testing.T) {
	shop := c.confidential(t, "shop-suspended")
	tokens, err := shop.login(t.Context(), t, c.endpoints)
	require.NoError(t, err)
	require.True(t, tokens.granted(), tokens)
	require.NotEmpty(t, tokens.tokens.Refresh, "no refresh token: %s", tokens.text)

	c.change(t, http.MethodPut, "/"+shop.id, map[string]any{"status": "suspended"})
	c.enforced(t, "suspended: token refused", c.refusal(shop))
	c.enforced(t, "suspended: authorize refused", c.logIn(shop, notYet))
	o, err := shop.refresh(t.Context(), c.endpoints, tokens.tokens.Refresh)
	require.NoError(t, err)
	assert.True(t, c.refused(o), "refresh: %s", o)
	c.figures["suspended: refresh"] = fmt.Sprint(o.status, " ", o.code)
	if c.UserInfo != "" {
		c.figures["suspended: userinfo"] = strconv.Itoa(c.userInfo(t, tokens.tokens.Access))
	}

	c.change(t, http.MethodPut, "/"+shop.id, map[string]any{"status": "active"})
	c.enforced(t, "active again: token", c.acceptance(shop))
	c.enforced(t, "active again: authorize", c.logIn(shop, enforced))
	o, err = shop.refresh(t.Context(), c.endpoints, tokens.tokens.Refresh)
	require.NoError(t, err)
	assert.True(t, o.granted(), "refresh token of before: %s", o)
}

// rotate rotates the secret of a client and returns the client with its new secret.
func (c *conformance) rotate(t *testing.T, party relyingParty, grace int) relyingParty {
	t.Helper()
	secret, _ := c.change(t, http.MethodPost, "/"+party.id+"/rotate-secret", map[string]any{"grace_seconds": grace})["new_secret"].(string)
	require.NotEmpty(t, secret)
	party.secret = secret
	return party
}

func (c *conformance) rotated(t *testing.T) {
	before := c.confidential(t, "shop-rotated")
	after := c.rotate(t, before, 0)
	c.handOver(t, after)
	c.enforced(t, "rotated: old refused", c.refusal(before))
	c.enforced(t, "rotated: new accepted", c.acceptance(after))
	c.holds(t, c.refusal(before)) // also when the new one is known
}

func (c *conformance) rotatedWithGrace(t *testing.T) {
	const grace = 3 * time.Second
	before := c.confidential(t, "shop-grace")
	began := time.Now()
	after := c.rotate(t, before, int(grace.Seconds()))
	if c.running.holdsSecrets() { // and the new one is not handed over: never silently
		c.enforced(t, "rotated: reported", c.report(before))
	} else {
		c.enforced(t, "rotated with a grace period: new accepted", c.acceptance(after))
	}
	c.holds(t, c.acceptance(before))
	ended := c.await(t, "end of the grace period", began, grace+c.server.limit, c.refusal(before))
	assert.GreaterOrEqual(t, ended, grace, "the grace period ended too early")
	c.record("grace of 3000 ms ended", ended)
	if c.running.holdsSecrets() {
		c.handOver(t, after)
		c.enforced(t, "rotated with a grace period: new accepted", c.acceptance(after))
	}
	c.holds(t, c.acceptance(after))
}

// holds requires that the probe finds what it wants at once.
func (c *conformance) holds(t *testing.T, look probe) {
	t.Helper()
	v, seen := look(t.Context(), t)
	require.Equal(t, enforced, v, seen)
}

// report looks whether the companion has reported that the server has not the secret of a
// client.
func (c *conformance) report(party relyingParty) probe {
	return func(context.Context, *testing.T) (verdict, string) {
		if c.running.reported(party.id) {
			return enforced, ""
		}
		return notYet, "the companion does not report that the server has not the secret of " + party.id
	}
}

func (c *conformance) deleted(t *testing.T) {
	shop := c.confidential(t, "shop-deleted")
	c.change(t, http.MethodDelete, "/"+shop.id, nil)
	c.enforced(t, "deleted: token refused", c.refusal(shop))
	c.enforced(t, "deleted: authorize refused", c.logIn(shop, notYet))
	c.change(t, http.MethodPost, "/"+shop.id+"/restore", nil)
	c.enforced(t, "restored: token", c.acceptance(shop))
	c.enforced(t, "restored: authorize", c.logIn(shop, enforced))
}

func (c *conformance) keyRevoked(t *testing.T) {
	before := c.keyed(t, "bank-revoked")
	after := before
	after.key = newSigningKey(t, "bank-revoked-2")
	c.change(t, http.MethodPut, "/"+before.id, map[string]any{"jwks": after.key.jwks(t)})
	c.enforced(t, "key revoked: old refused", c.refusal(before))
	c.enforced(t, "key revoked: new accepted", c.acceptance(after))
	c.holds(t, c.refusal(before))
}

// outage: the registry, and what pushes its changes, is killed; the server goes on, also
// after it was started again; the registry comes back.
func (c *conformance) outage(t *testing.T) {
	web, bank, verified := c.public(t, "web-outage"), c.keyed(t, "bank-outage"), c.confidential(t, "shop-verified")
	unverified := relyingParty{id: "shop-unverified", method: methodBasic, redirectURI: callback, scope: "openid"}
	unverified.secret, _ = c.change(t, http.MethodPost, "", map[string]any{
		"client_id": unverified.id, "name": "Never seen", "grant_types": []string{"authorization_code", "client_credentials"},
		"redirect_uris": []string{callback}, "scopes": []string{"openid"}, "client_auth_methods": []string{methodBasic},
	})["client_secret"].(string)
	c.enforced(t, "created: authorize", c.logIn(unverified, enforced))
	if c.handOver(t, unverified); c.running.holdsSecrets() {
		c.enforced(t, "created", c.acceptance(unverified))
	}

	c.origin.process.Kill()
	if c.running.companion != nil {
		c.running.companion.kill()
	}
	back := sync.OnceFunc(func() {
		c.origin.back(t)
		if c.running.companion != nil {
			c.running.companion.start(t)
		}
	})
	defer back() // for the next step, if this one fails
	works := func(t *testing.T, phase string) {
		t.Helper()
		for _, party := range []relyingParty{web, bank} {
			o, err := party.login(t.Context(), t, c.endpoints)
			require.NoError(t, err, party.id)
			assert.True(t, o.granted(), "%s: %s", party.id, o)
		}
		impostor := verified
		impostor.secret = unverified.secret
		for name, party := range map[string]relyingParty{"a secret that was verified before": verified, "a secret that was never verified": unverified, "a wrong secret": impostor} {
			o, err := c.ask(t.Context(), party)
			require.NoError(t, err, name)
			c.figures[phase+": "+name] = fmt.Sprint(o.status, " ", o.code)
			switch {
			case c.running.holdsSecrets() && name == "a wrong secret":
				assert.True(t, c.refused(o), "%s: %s", name, o)
			case c.running.holdsSecrets():
				assert.True(t, o.granted(), "%s: %s", name, o)
			case name == "a secret that was verified before" && o.granted(): // from the cache
			default:
				assert.True(t, o.unavailable(), "%s must be neither invalid_client nor a redirect: %s", name, o)
			}
		}
	}
	// Long enough for whatever a server waits between its attempts to reach the registry.
	const away = 4 * time.Second
	began := time.Now()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	if !t.Run("the server goes on", func(t *testing.T) {
		for works(t, "registry away"); time.Since(began) < away && !t.Failed(); works(t, "registry away, some seconds later") {
			<-tick.C
		}
	}) {
		return
	}
	c.running.server.kill()
	c.record("restart without the registry", c.running.server.start(t))
	if !t.Run("the server starts without the registry", func(t *testing.T) { works(t, "restarted without the registry") }) {
		return
	}
	back()
	moved := web
	moved.redirectURI = "https://app.example.com/moved"
	c.change(t, http.MethodPut, "/"+web.id, map[string]any{"redirect_uris": []string{moved.redirectURI}})
	c.enforced(t, "registry back: first change", c.logIn(moved, enforced))
	c.holds(t, c.logIn(web, notYet))
	c.holds(t, c.acceptance(verified))
	c.holds(t, c.acceptance(unverified))
}

// absence: changes are made while the server does not run. It is back when it serves a
// client: a server that has just started can take seconds for its first token.
func (c *conformance) absence(t *testing.T) {
	steady, shop, bank := c.keyed(t, "bank-steady"), c.confidential(t, "shop-absence"), c.keyed(t, "bank-absence")
	c.running.server.kill()
	c.change(t, http.MethodPut, "/"+shop.id, map[string]any{"status": "suspended"})
	c.change(t, http.MethodDelete, "/"+bank.id, nil)
	c.record("restart", c.running.server.start(t))
	c.holds(t, c.acceptance(steady))
	c.changed = time.Now()
	c.enforced(t, "server back: suspended", c.refusal(shop))
	c.enforced(t, "server back: deleted", c.refusal(bank))
}

// busy: many token requests of one client must not fail, whatever the registry allows for
// verifications of wrong secrets.
func (c *conformance) busy(t *testing.T) {
	const requests, callers = 400, 16
	shop := c.confidential(t, "shop-busy")
	began := time.Now()
	var callersDone sync.WaitGroup
	failures := make(chan string, requests)
	for caller := range callers {
		callersDone.Go(func() {
			for n := caller; n < requests; n += callers {
				if o, err := c.ask(t.Context(), shop); err != nil {
					failures <- err.Error()
				} else if !o.granted() {
					failures <- o.String()
				}
			}
		})
	}
	callersDone.Wait()
	close(failures)
	failed := 0
	for failure := range failures {
		if failed++; failed == 1 {
			assert.Fail(t, "a token request failed", failure)
		}
	}
	assert.Zero(t, failed, "failed token requests of %d", requests)
	c.figures["token requests of one client, a second"] = fmt.Sprintf("%.0f", requests/time.Since(began).Seconds())
}

// measurements collects the figures of all servers that were tested.
type measurements struct {
	mu      sync.Mutex
	servers []string
	figures map[string]map[string]string // by server and step
}

func (m *measurements) add(server string, figures map[string]string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.figures == nil {
		m.figures = map[string]map[string]string{}
	}
	if m.figures[server] == nil {
		m.servers = append(m.servers, server)
		m.figures[server] = map[string]string{}
	}
	maps.Copy(m.figures[server], figures)
}

// String returns a table with a row for each step, or "" if no server was tested.
func (m *measurements) String() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	steps := map[string]bool{}
	for _, of := range m.figures {
		for step := range of {
			steps[step] = true
		}
	}
	if len(steps) == 0 {
		return ""
	}
	var text strings.Builder
	fmt.Fprintf(&text, "\nMilliseconds from the registry's response to the first enforcing response of the server:\n\n| step | %s |\n|---|%s\n",
		strings.Join(m.servers, " | "), strings.Repeat("---|", len(m.servers)))
	for _, step := range slices.Sorted(maps.Keys(steps)) {
		fmt.Fprintf(&text, "| %s |", step)
		for _, server := range m.servers {
			fmt.Fprintf(&text, " %s |", cmp.Or(m.figures[server][step], "-"))
		}
		text.WriteString("\n")
	}
	return text.String()
}
