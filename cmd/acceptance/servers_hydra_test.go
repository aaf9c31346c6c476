//go:build acceptance && integrations

package acceptance_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// hydra is how Ory Hydra is started.
type hydra struct {
	program string
	admin   string // address of its admin API
	env     []string
}

// newHydra builds Hydra from its Go module, and prepares its database in a file, so that a
// restart finds it again.
func newHydra(t *testing.T, d deployment) hydra {
	t.Helper()
	program, err := filepath.Abs("../../dist/hydra/hydra")
	require.NoError(t, err)
	execute(t, integrations+"/hydra", []string{"CGO_ENABLED=1"}, "go", "build", "-tags", "sqlite,json1", "-o", program, "github.com/ory/hydra/v2")
	h := hydra{program: program, admin: freeAddress(t)}
	publicHost, publicPort, err := net.SplitHostPort(d.listen)
	require.NoError(t, err)
	adminHost, adminPort, err := net.SplitHostPort(h.admin)
	require.NoError(t, err)
	app := loginApp{admin: "http://" + h.admin}
	pages := app.serve(t)
	h.env = []string{
		"DSN=sqlite://" + filepath.Join(d.dir, "hydra.sqlite") + "?_fk=true", "SECRETS_SYSTEM=only-for-tests-0123456789",
		"URLS_SELF_ISSUER=" + d.issuer, "URLS_LOGIN=" + pages + "/login", "URLS_CONSENT=" + pages + "/consent",
		"SERVE_PUBLIC_HOST=" + publicHost, "SERVE_PUBLIC_PORT=" + publicPort, "SERVE_ADMIN_HOST=" + adminHost, "SERVE_ADMIN_PORT=" + adminPort,
		"SQA_OPT_OUT=true", "LOG_LEVEL=warn", "OIDC_DYNAMIC_CLIENT_REGISTRATION_ENABLED=false", "STRATEGIES_ACCESS_TOKEN=opaque",
	}
	execute(t, d.dir, h.env, program, "migrate", "sql", "-e", "--yes")
	return h
}

func (h hydra) process(d deployment) *process {
	return d.process("hydra", d.issuer+"/.well-known/openid-configuration", time.Minute, h.env, h.program, "serve", "all", "--dev")
}

// loginApp has the pages that Hydra does not have: for the log-in of users, and for their
// consent, which it gives without asking.
type loginApp struct {
	admin string // URL of Hydra's admin API
}

// serve starts the pages and returns their URL.
func (a loginApp) serve(t *testing.T) string {
	t.Helper()
	pages := http.NewServeMux()
	pages.HandleFunc("GET /login", a.showLogin)
	pages.HandleFunc("POST /login", a.login)
	pages.HandleFunc("GET /consent", a.consent)
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := &http.Server{Handler: pages, ReadHeaderTimeout: time.Minute}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() {
		_ = server.Close()
		require.ErrorIs(t, <-served, http.ErrServerClosed)
	})
	return "http://" + listener.Addr().String()
}

var loginPage = template.Must(template.New("login").Parse(`<!DOCTYPE html><title>Log in</title>
<form method="post" action="/login"><input type="hidden" name="challenge" value="{{.}}">
<input name="username"><input name="password" type="password"><button>Log in</button></form>`))

func (a loginApp) showLogin(w http.ResponseWriter, r *http.Request) {
	_ = loginPage.Execute(w, r.FormValue("login_challenge"))
}

func (a loginApp) login(w http.ResponseWriter, r *http.Request) {
	if r.FormValue("username") != user || r.FormValue("password") != password {
		http.Error(w, "wrong user name or password", http.StatusForbidden)
		return
	}
	a.accept(w, r, "login", r.FormValue("challenge"), map[string]any{"subject": user})
}

func (a loginApp) consent(w http.ResponseWriter, r *http.Request) {
	challenge := r.FormValue("consent_challenge")
	requested, err := a.call(r.Context(), http.MethodGet, "consent?consent_challenge="+url.QueryEscape(challenge), nil)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	a.accept(w, r, "consent", challenge, map[string]any{"grant_scope": requested["requested_scope"]})
}

// accept tells Hydra the result, and sends the browser where Hydra wants it.
func (a loginApp) accept(w http.ResponseWriter, r *http.Request, step, challenge string, body map[string]any) {
	accepted, err := a.call(r.Context(), http.MethodPut, step+"/accept?"+step+"_challenge="+url.QueryEscape(challenge), body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	next, _ := accepted["redirect_to"].(string)
	http.Redirect(w, r, next, http.StatusSeeOther)
}

// call sends a request to Hydra's admin API.
func (a loginApp) call(ctx context.Context, method, path string, body any) (map[string]any, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, method, a.admin+"/admin/oauth2/auth/requests/"+path, bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	var decoded map[string]any
	if err := json.NewDecoder(response.Body).Decode(&decoded); err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		return nil, errors.New(fmt.Sprint(response.StatusCode, decoded))
	}
	return decoded, nil
}

func TestServerHydra(t *testing.T) { conform(t, hydraServer()) }

// The conformance suite of targets, with the real server.
func TestTargetHydra(t *testing.T) {
	listen := freeAddress(t)
	d := deployment{listen: listen, issuer: "http://" + listen, dir: t.TempDir()}
	h := newHydra(t, d)
	server := h.process(d)
	server.killAfter(t)
	server.start(t)
	execute(t, "../..", []string{"HYDRA_ADMIN=http://" + h.admin, "HYDRA_PUBLIC=" + d.issuer},
		"go", "test", "-count=1", "-tags", "integrations", "./adapters/hydra")
}

// hydraServer holds the secrets that the script hands over in the file with secrets of
// clientele sync.
func hydraServer() authorizationServer {
	return authorizationServer{
		name: "Hydra", limit: 5 * time.Second, alsoRefuses: []string{"unauthorized_client"}, refusesKeysWith: "invalid_request",
		deploy: func(t *testing.T, d deployment) *running {
			t.Helper()
			h := newHydra(t, d)
			file := filepath.Join(d.dir, "secrets.json")
			known := map[string]string{}
			handOver := func(t *testing.T, client, secret string) {
				t.Helper()
				known[client] = secret
				text, err := json.Marshal(known)
				require.NoError(t, err)
				require.NoError(t, os.WriteFile(file+".new", text, 0o600))
				require.NoError(t, os.Rename(file+".new", file))
			}
			handOver(t, "none", "yet")
			companion := d.sync(t, "--to", "hydra", "--target", "http://"+h.admin, "--secrets-file", file)
			return &running{issuer: d.issuer, server: h.process(d), companion: companion, handOver: handOver}
		},
	}
}
