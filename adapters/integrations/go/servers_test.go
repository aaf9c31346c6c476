// Package integrations has the tests of the example servers, which run as processes with a
// real registry.
package integrations_test

import (
	"context"
	"log"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/integrations/go/internal/servertest"
	"github.com/clientele-oauth/clientele/api/client"
)

// The programs.
var (
	registryBinary string
	serverBinaries = map[string]string{}
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "clientele")
	if err != nil {
		log.Print(err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if registryBinary, err = servertest.Build(dir, "../../..", "./cmd/clientele"); err != nil {
		log.Print(err)
		return 1
	}
	for _, name := range []string{"zitadel", "fosite"} {
		if serverBinaries[name], err = servertest.Build(dir, ".", "./examples/"+name); err != nil {
			log.Print(err)
			return 1
		}
	}
	return m.Run()
}

// world is a registry with clients, and a server.
type world struct {
	*testing.T
	*servertest.Registry
	servertest.Server

	name, listen, file string
	process            *exec.Cmd
	secrets            map[string]string
	key, spare         servertest.Key
}

const redirect = "https://app.example.com/callback"

// newWorld registers clients and starts the server.
func newWorld(t *testing.T, name string) *world {
	t.Helper()
	w := &world{
		T: t, Registry: servertest.NewRegistry(t, registryBinary), name: name, listen: servertest.FreeAddress(t),
		file: filepath.Join(t.TempDir(), "mirror"), secrets: map[string]string{},
		key: servertest.NewKey(t, "one"), spare: servertest.NewKey(t, "two"),
	}
	code := []string{"authorization_code", "refresh_token"}
	all := []string{"authorization_code", "refresh_token", "client_credentials"}
	w.client("public", code, "none")
	w.client("basic", all, "client_secret_basic")
	w.client("post", all, "client_secret_post")
	w.client("unseen", all, "client_secret_basic")
	w.client("key", all, "private_key_jwt")
	w.client("both", all, "client_secret_basic", "private_key_jwt")
	w.startServer()
	return w
}

// client registers a client with the authentication methods.
func (w *world) client(id string, grants []string, methods ...string) {
	body := client.CreateClientRequest{
		ClientID: &id, Name: &id, GrantTypes: &grants, RedirectUris: &[]string{redirect}, ClientAuthMethods: &methods,
		Scopes: &[]string{"openid", "profile", "email", "offline_access", "payments"},
	}
	for _, method := range methods {
		if method == "private_key_jwt" {
			body.Jwks = new(servertest.JWKS(w, w.key, w.spare))
		}
	}
	if methods[0] == "none" {
		body.IsConfidential = new(false)
	}
	w.secrets[id] = w.Register(body)
}

// startServer starts the server and waits until it is ready.
func (w *world) startServer() {
	w.Helper()
	w.process = exec.CommandContext(context.Background(), serverBinaries[w.name])
	w.process.Env = append(os.Environ(), "CLIENTELE_URL="+w.URL, "CLIENTELE_TOKEN_FILE="+w.TokenFile, "LISTEN="+w.listen, "MIRROR_FILE="+w.file)
	if testing.Verbose() {
		w.process.Stderr = os.Stderr
	}
	require.NoError(w, w.process.Start())
	process := w.process
	w.Cleanup(func() { _, _ = process.Process.Kill(), process.Wait() })
	w.Server = servertest.Discover(w, "http://"+w.listen)
}

// stopServer lets the server end by itself.
func (w *world) stopServer() {
	require.NoError(w, w.process.Process.Signal(os.Interrupt))
	require.NoError(w, w.process.Wait())
}

// within a second, the condition holds. It returns after how long.
func (w *world) within(what string, condition func() bool) {
	w.Helper()
	started := time.Now()
	for !condition() {
		if time.Since(started) > time.Second {
			require.FailNow(w, what+" was not enforced within a second")
		}
	}
	w.Logf("%s enforced within %v", what, time.Since(started).Round(time.Millisecond))
}

// tokens requests client credentials of a client with client_secret_basic.
func (w *world) tokens(id, secret string) servertest.Response {
	w.Helper()
	return servertest.Post(w, w.Token, servertest.CredentialsForm("payments"), id, secret)
}

// byKey requests client credentials with an assertion.
func (w *world) byKey(id string, key servertest.Key) servertest.Response {
	w.Helper()
	return servertest.Post(w, w.Token, servertest.CredentialsForm("payments", key.Assertion(w, servertest.Claims(id, w.Token))...))
}

// code logs in, and returns a code.
func (w *world) code(id, scope string) string {
	w.Helper()
	response := w.Authorize(w, w.AuthorizeURL(id, redirect, scope))
	require.NotEmpty(w, response.Code(), "%d %s %s", response.Status, response.Location, response.Text)
	return response.Code()
}

func TestServers(t *testing.T) {
	for name := range serverBinaries {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, name)
			for _, step := range []struct {
				name string
				run  func(*world)
			}{
				{"code with PKCE", codeWithPKCE},
				{"client credentials", clientCredentials},
				{"assertions", assertions},
				{"methods", methods},
				{"authorization requests", authorizationRequests},
				{"pushed authorization requests", pushedRequests},
				{"introspection and revocation", introspectionAndRevocation},
				{"changes", changes},
				{"secrets", secrets},
				{"keys", keys},
				{"outage", outage},
			} {
				require.True(t, t.Run(step.name, func(t *testing.T) {
					w.T = t
					step.run(w)
				}))
			}
		})
	}
}

func codeWithPKCE(w *world) {
	for _, id := range []string{"public", "basic", "post", "key"} {
		authenticated := func(form url.Values) servertest.Response {
			switch id {
			case "public":
				form.Set("client_id", id)
			case "post":
				form.Set("client_id", id)
				form.Set("client_secret", w.secrets[id])
			case "key":
				pairs := w.key.Assertion(w, servertest.Claims(id, w.Issuer))
				form.Set(pairs[0], pairs[1])
				form.Set(pairs[2], pairs[3])
			default:
				return servertest.Post(w, w.Token, form, id, w.secrets[id])
			}
			return servertest.Post(w, w.Token, form)
		}
		code := w.code(id, "openid profile email offline_access payments")
		wrong := authenticated(servertest.CodeForm(code, redirect, "code_verifier", "xx"+servertest.Verifier))
		assert.Equal(w, "invalid_grant", wrong.ErrorCode(), id)
		code = w.code(id, "openid profile email offline_access payments")
		none := authenticated(servertest.CodeForm(code, redirect, "code_verifier", ""))
		assert.Equal(w, http.StatusBadRequest, none.Status, "%s: a code that was requested with PKCE", id)
		code = w.code(id, "openid profile email offline_access payments")
		tokens := authenticated(servertest.CodeForm(code, redirect))
		require.Equal(w, http.StatusOK, tokens.Status, "%s: %s", id, tokens.Text)
		assert.NotEmpty(w, tokens.Value("id_token"), id)
		user := servertest.Get(w, w.Userinfo, tokens.Value("access_token"))
		assert.Equal(w, "alice", user.Value("sub"), "%s: %s", id, user.Text)
		assert.Equal(w, "alice@example.com", user.Value("email"), id)
		again := authenticated(servertest.CodeForm(code, redirect))
		assert.Equal(w, "invalid_grant", again.ErrorCode(), "%s: a code twice", id)

		code = w.code(id, "openid offline_access")
		tokens = authenticated(servertest.CodeForm(code, redirect))
		refreshed := authenticated(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {tokens.Value("refresh_token")}})
		require.Equal(w, http.StatusOK, refreshed.Status, "%s: %s", id, refreshed.Text)
		assert.NotEmpty(w, refreshed.Value("refresh_token"), id)
	}
}

func clientCredentials(w *world) {
	tokens := w.tokens("basic", w.secrets["basic"])
	require.Equal(w, http.StatusOK, tokens.Status, tokens.Text)
	assert.NotEmpty(w, tokens.Value("access_token"))
	for _, r := range []servertest.Response{w.tokens("basic", "wrong"), w.tokens("nobody", "wrong"), w.tokens("basic", ""), w.tokens("public", "x")} {
		assert.Equal(w, "invalid_client", r.ErrorCode())
		assert.Contains(w, []int{http.StatusUnauthorized, http.StatusBadRequest}, r.Status)
	}
	scope := servertest.Post(w, w.Token, servertest.CredentialsForm("admin"), "basic", w.secrets["basic"])
	assert.Equal(w, "invalid_scope", scope.ErrorCode())
	grant := servertest.Post(w, w.Token, servertest.CredentialsForm("payments", "client_id", "public"))
	assert.GreaterOrEqual(w, grant.Status, 400, "a public client has no client credentials")
}

func assertions(w *world) {
	r := w.byKey("key", w.key)
	require.Equal(w, http.StatusOK, r.Status, r.Text)
	form := servertest.CredentialsForm("payments", w.key.Assertion(w, servertest.Claims("key", w.Token))...)
	assert.Equal(w, http.StatusOK, servertest.Post(w, w.Token, form).Status)
	assert.Equal(w, "invalid_client", servertest.Post(w, w.Token, form).ErrorCode(), "twice")
	other := servertest.NewKey(w, w.key.ID)
	assert.Equal(w, "invalid_client", w.byKey("key", other).ErrorCode(), "a key of another client")
	assert.Equal(w, "invalid_client", w.byKey("basic", w.key).ErrorCode(), "a client without keys")
	now := time.Now()
	for name, change := range map[string]func(map[string]any){
		"another issuer":    func(c map[string]any) { c["iss"] = "basic" },
		"another audience":  func(c map[string]any) { c["aud"] = "https://other.example.com" },
		"no audience":       func(c map[string]any) { delete(c, "aud") },
		"expired":           func(c map[string]any) { c["exp"] = now.Add(-time.Minute).Unix() },
		"no exp":            func(c map[string]any) { delete(c, "exp") },
		"expires next year": func(c map[string]any) { c["exp"] = now.Add(8760 * time.Hour).Unix() },
		"from the future":   func(c map[string]any) { c["iat"] = now.Add(time.Hour).Unix() },
		"not yet":           func(c map[string]any) { c["nbf"] = now.Add(time.Hour).Unix() },
		"no jti":            func(c map[string]any) { delete(c, "jti") },
		"a number":          func(c map[string]any) { c["sub"] = 7 },
	} {
		claims := servertest.Claims("key", w.Token)
		change(claims)
		r := servertest.Post(w, w.Token, servertest.CredentialsForm("payments", w.key.Assertion(w, claims)...))
		assert.Equal(w, "invalid_client", r.ErrorCode(), "%s: %s", name, r.Text)
	}
	r = servertest.Post(w, w.Token, servertest.CredentialsForm("payments", append(w.key.Assertion(w, servertest.Claims("key", w.Token)), "client_id", "both")...))
	assert.Equal(w, "invalid_client", r.ErrorCode(), "another client_id")
}

// A client may use all of its methods, and no other.
func methods(w *world) {
	assert.Equal(w, http.StatusOK, w.tokens("both", w.secrets["both"]).Status)
	assert.Equal(w, http.StatusOK, w.byKey("both", w.key).Status)
	post := func(id string) servertest.Response {
		return servertest.Post(w, w.Token, servertest.CredentialsForm("payments", "client_id", id, "client_secret", w.secrets[id]))
	}
	assert.Equal(w, http.StatusOK, post("post").Status)
	assert.Equal(w, "invalid_client", post("basic").ErrorCode())
	assert.Equal(w, "invalid_client", w.tokens("post", w.secrets["post"]).ErrorCode())
	assert.Equal(w, "invalid_client", servertest.Post(w, w.Token, servertest.CredentialsForm("payments", "client_id", "basic")).ErrorCode(), "none")
	two := servertest.Post(w, w.Token, servertest.CredentialsForm("payments", w.key.Assertion(w, servertest.Claims("both", w.Token))...), "both", w.secrets["both"])
	assert.Contains(w, []string{"invalid_client", "invalid_request"}, two.ErrorCode(), "two methods")
	named := servertest.Post(w, w.Token, servertest.CredentialsForm("payments", "client_id", "post"), "basic", w.secrets["basic"])
	assert.Contains(w, []string{"invalid_client", "invalid_request"}, named.ErrorCode(), "two clients")
}

func authorizationRequests(w *world) {
	for name, at := range map[string]string{
		"an unknown client":       w.AuthorizeURL("nobody", redirect, "openid"),
		"another redirect URI":    w.AuthorizeURL("public", redirect+"/", "openid"),
		"a redirect URI with a ?": w.AuthorizeURL("public", redirect+"?x=1", "openid"),
		"another case":            w.AuthorizeURL("public", "https://app.example.com/Callback", "openid"),
	} {
		r := w.Authorize(w, at)
		assert.Empty(w, r.Location, name)
		assert.Contains(w, []int{http.StatusBadRequest, http.StatusUnauthorized}, r.Status, "%s: %s", name, r.Text)
	}
	w.Update("basic", client.UpdateClientRequest{RequirePkce: new(true)})
	w.within("PKCE", func() bool {
		r := w.Authorize(w, w.AuthorizeURL("basic", redirect, "openid", "code_challenge", "", "code_challenge_method", ""))
		return r.RedirectedError() == "invalid_request"
	})
	w.Update("basic", client.UpdateClientRequest{RequirePkce: new(false)})
	w.within("no PKCE", func() bool {
		return w.Authorize(w, w.AuthorizeURL("basic", redirect, "openid", "code_challenge", "", "code_challenge_method", "")).Code() != ""
	})
	for name, at := range map[string]string{
		"a public client without PKCE": w.AuthorizeURL("public", redirect, "openid", "code_challenge", "", "code_challenge_method", ""),
		"plain":                        w.AuthorizeURL("public", redirect, "openid", "code_challenge_method", "plain"),
		"a response type":              w.AuthorizeURL("public", redirect, "openid", "response_type", "id_token"),
	} {
		r := w.Authorize(w, at)
		assert.Empty(w, r.Code(), name)
		assert.Contains(w, r.Location, redirect, name)
	}
	scope := w.Authorize(w, w.AuthorizeURL("public", redirect, "admin"))
	assert.Equal(w, "invalid_scope", scope.RedirectedError())
	w.Update("public", client.UpdateClientRequest{Scopes: &[]string{"openid"}})
	w.within("scopes", func() bool {
		r := w.Authorize(w, w.AuthorizeURL("public", redirect, "openid email"))
		if r.Code() == "" {
			return r.RedirectedError() == "invalid_scope"
		}
		tokens := servertest.Post(w, w.Token, servertest.CodeForm(r.Code(), redirect, "client_id", "public"))
		return tokens.Value("scope") == "openid"
	})
	w.Update("public", client.UpdateClientRequest{Scopes: &[]string{"openid", "profile", "email", "offline_access", "payments"}})

	// What the library does not do is not silently ignored.
	w.Update("key", client.UpdateClientRequest{DpopBoundAccessTokens: new(true)})
	w.within("DPoP", func() bool { return w.byKey("key", w.key).ErrorCode() == "invalid_client" })
	w.Update("key", client.UpdateClientRequest{DpopBoundAccessTokens: new(false)})
	w.within("no DPoP", func() bool { return w.byKey("key", w.key).Status == http.StatusOK })
}

// A client that must push its requests cannot do without, or is not served at all.
func pushedRequests(w *world) {
	at := w.AuthorizeURL("basic", redirect, "openid")
	w.Update("basic", client.UpdateClientRequest{RequirePushedAuthorizationRequests: new(true)})
	w.within("PAR", func() bool { return w.Authorize(w, at).Code() == "" })
	if w.name == "fosite" {
		query, err := url.Parse(at)
		require.NoError(w, err)
		pushed := servertest.Post(w, w.Issuer+"/par", query.Query(), "basic", w.secrets["basic"])
		require.Equal(w, http.StatusCreated, pushed.Status, pushed.Text)
		code := w.Authorize(w, w.Authorization+"?"+url.Values{"client_id": {"basic"}, "request_uri": {pushed.Value("request_uri")}}.Encode()).Code()
		assert.NotEmpty(w, code)
	}
	w.Update("basic", client.UpdateClientRequest{RequirePushedAuthorizationRequests: new(false)})
	w.within("no PAR", func() bool { return w.Authorize(w, at).Code() != "" })
}

func introspectionAndRevocation(w *world) {
	token := w.tokens("basic", w.secrets["basic"]).Value("access_token")
	form := url.Values{"token": {token}}
	r := servertest.Post(w, w.Introspection, form, "basic", w.secrets["basic"])
	assert.Equal(w, true, r.Body["active"], r.Text)
	r = servertest.Post(w, w.Introspection, form, "basic", "wrong")
	assert.GreaterOrEqual(w, r.Status, 400)
	assert.Nil(w, r.Body["active"])
	assert.GreaterOrEqual(w, servertest.Post(w, w.Revocation, form, "basic", "wrong").Status, 400)
	assert.Equal(w, http.StatusOK, servertest.Post(w, w.Revocation, form, "basic", w.secrets["basic"]).Status)
	r = servertest.Post(w, w.Introspection, form, "basic", w.secrets["basic"])
	assert.Equal(w, false, r.Body["active"], r.Text)
}

func changes(w *world) {
	other := "https://app.example.com/other"
	w.Update("public", client.UpdateClientRequest{RedirectUris: &[]string{other}})
	w.within("redirect URI", func() bool {
		return w.Authorize(w, w.AuthorizeURL("public", other, "openid")).Code() != ""
	})
	assert.Empty(w, w.Authorize(w, w.AuthorizeURL("public", redirect, "openid")).Location)
	w.Update("public", client.UpdateClientRequest{RedirectUris: &[]string{redirect}})
	w.within("redirect URI back", func() bool { return w.Authorize(w, w.AuthorizeURL("public", redirect, "openid")).Code() != "" })

	tokens := servertest.Post(w, w.Token, servertest.CodeForm(w.code("basic", "openid offline_access"), redirect), "basic", w.secrets["basic"])
	w.Update("basic", client.UpdateClientRequest{Status: new("suspended")})
	w.within("suspended", func() bool { return w.tokens("basic", w.secrets["basic"]).ErrorCode() == "invalid_client" })
	assert.Empty(w, w.Authorize(w, w.AuthorizeURL("basic", redirect, "openid")).Location)
	assert.GreaterOrEqual(w, servertest.Get(w, w.Userinfo, tokens.Value("access_token")).Status, 400, "old access tokens")
	refresh := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {tokens.Value("refresh_token")}}
	assert.Equal(w, "invalid_client", servertest.Post(w, w.Token, refresh, "basic", w.secrets["basic"]).ErrorCode())
	w.Update("basic", client.UpdateClientRequest{Status: new("active")})
	w.within("active", func() bool { return w.tokens("basic", w.secrets["basic"]).Status == http.StatusOK })
	assert.Equal(w, http.StatusOK, servertest.Post(w, w.Token, refresh, "basic", w.secrets["basic"]).Status)

	_, err := w.Admin.DeleteClientWithResponse(w.Context(), "basic", nil)
	require.NoError(w, err)
	w.within("deleted", func() bool { return w.tokens("basic", w.secrets["basic"]).ErrorCode() == "invalid_client" })
	_, err = w.Admin.RestoreClientWithResponse(w.Context(), "basic", nil)
	require.NoError(w, err)
	w.Update("basic", client.UpdateClientRequest{Status: new("active")})
	w.within("restored", func() bool { return w.tokens("basic", w.secrets["basic"]).Status == http.StatusOK })
}

func secrets(w *world) {
	old := w.secrets["post"]
	post := func(secret string) servertest.Response {
		return servertest.Post(w, w.Token, servertest.CredentialsForm("payments", "client_id", "post", "client_secret", secret))
	}
	require.Equal(w, http.StatusOK, post(old).Status)
	current := w.Rotate("post", 2)
	rotated := time.Now()
	w.within("rotated", func() bool { return post(current).Status == http.StatusOK })
	assert.Equal(w, http.StatusOK, post(old).Status, "in grace")
	for post(old).Status == http.StatusOK {
		require.Less(w, time.Since(rotated), 3*time.Second, "grace is over")
	}
	assert.Greater(w, time.Since(rotated), time.Second)
	w.secrets["post"] = w.Rotate("post", 0)
	w.within("rotated without grace", func() bool { return post(current).ErrorCode() == "invalid_client" })
	assert.Equal(w, http.StatusOK, post(w.secrets["post"]).Status)
}

func keys(w *world) {
	assert.Equal(w, http.StatusOK, w.byKey("key", w.spare).Status)
	w.Update("key", client.UpdateClientRequest{Jwks: new(servertest.JWKS(w, w.key))})
	w.within("key revoked", func() bool { return w.byKey("key", w.spare).ErrorCode() == "invalid_client" })
	assert.Equal(w, http.StatusOK, w.byKey("key", w.key).Status)
}

func outage(w *world) {
	code := w.code("basic", "openid")
	w.Kill()
	still := func(when string) {
		tokens := servertest.Post(w, w.Token, servertest.CodeForm(w.code("public", "openid email"), redirect, "client_id", "public"))
		assert.Equal(w, http.StatusOK, tokens.Status, "%s: %s", when, tokens.Text)
		assert.Equal(w, "alice", servertest.Get(w, w.Userinfo, tokens.Value("access_token")).Value("sub"), when)
		assert.Equal(w, http.StatusOK, w.byKey("key", w.key).Status, when)
		for _, r := range []servertest.Response{
			w.tokens("unseen", w.secrets["unseen"]), w.tokens("basic", "wrong"),
			servertest.Post(w, w.Token, servertest.CodeForm(code, redirect), "unseen", w.secrets["unseen"]),
			servertest.Post(w, w.Introspection, url.Values{"token": {"x"}}, "unseen", w.secrets["unseen"]),
			servertest.Post(w, w.Revocation, url.Values{"token": {"x"}}, "unseen", w.secrets["unseen"]),
		} {
			assert.Equal(w, http.StatusServiceUnavailable, r.Status, "%s: %s", when, r.Text)
			assert.Equal(w, "server_error", r.ErrorCode(), when)
			assert.Empty(w, r.Location, when)
		}
		assert.Equal(w, "invalid_client", w.tokens("nobody", "x").ErrorCode(), when)
	}
	still("registry away")
	w.stopServer()
	w.startServer()
	still("server restarted without the registry")
	w.Start()
	back := time.Now()
	require.Eventually(w, func() bool { return w.tokens("unseen", w.secrets["unseen"]).Status == http.StatusOK }, 5*time.Second, time.Millisecond)
	w.Update("unseen", client.UpdateClientRequest{Status: new("suspended")})
	require.Eventually(w, func() bool { return w.tokens("unseen", w.secrets["unseen"]).ErrorCode() == "invalid_client" }, 5*time.Second, time.Millisecond)
	w.Logf("a change is enforced %v after the return of the registry", time.Since(back).Round(time.Millisecond))
}
