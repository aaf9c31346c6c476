package main_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/postgres/pgtest"
	"github.com/clientele-oauth/clientele/api/client"
	"github.com/clientele-oauth/clientele/cmd/servicetest"
)

var (
	server *pgtest.Server
	binary string // the real program, built for the tests
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "clientele")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if binary, err = servicetest.Build(context.Background(), dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return pgtest.Main(m, &server)
}

// onBothStores runs a test on SQLite and on PostgreSQL. The test gets a data directory and
// the flags that select the store.
func onBothStores(t *testing.T, test func(t *testing.T, data string, flags ...string)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { test(t, t.TempDir()) })
	t.Run("postgres", func(t *testing.T) {
		url, err := server.NewDatabase(t.Context())
		require.NoError(t, err)
		test(t, t.TempDir(), "--database-url", url)
	})
}

// program is a running service.
type program struct{ *servicetest.Process }

// start runs the program and waits until it listens.
func start(t *testing.T, args ...string) *program { return startIn(t, nil, args...) }

// startIn is like start, with additional environment variables.
func startIn(t *testing.T, env []string, args ...string) *program {
	t.Helper()
	p, err := servicetest.Start(context.WithoutCancel(t.Context()), binary, servicetest.Options{Env: env}, args...)
	require.NoError(t, err)
	t.Cleanup(p.Kill)
	return &program{p}
}

// token returns a token that the program's token command issued.
func token(t *testing.T, data string, args ...string) string {
	t.Helper()
	output, err := exec.Command(binary, append([]string{"token", "--data", data}, args...)...).Output()
	require.NoError(t, err)
	return strings.TrimSpace(string(output))
}

// as returns a generated client that sends the token.
func (p *program) as(t *testing.T, token string) *client.ClientWithResponses {
	t.Helper()
	c, err := client.NewClientWithResponses(p.URL, client.WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		return nil
	}))
	require.NoError(t, err)
	return c
}

func adminToken(t *testing.T, data string) string {
	t.Helper()
	token, err := servicetest.Token(data)
	require.NoError(t, err)
	return token
}

func create(t *testing.T, c *client.ClientWithResponses) string {
	t.Helper()
	created, err := c.CreateClientWithResponse(t.Context(), nil, client.CreateClientRequest{
		Name: new("My App"), RedirectUris: &[]string{"https://app.example.com/callback"}, Scopes: &[]string{"openid"},
	})
	require.NoError(t, err)
	require.NotNil(t, created.JSON201, string(created.Body))
	return *created.JSON201.Data.ClientID
}

func TestCreateAndUpdate(t *testing.T) {
	onBothStores(t, func(t *testing.T, data string, flags ...string) {
		flags = append(flags, "--dev", "--data", data)
		p := start(t, flags...)
		admin := p.as(t, adminToken(t, data))
		id := create(t, admin)

		updated, err := admin.UpdateClientWithResponse(t.Context(), id, nil, client.UpdateClientRequest{
			Name: new("My Renamed App"), Scopes: &[]string{"openid", "profile"},
		})
		require.NoError(t, err)
		require.NotNil(t, updated.JSON200, string(updated.Body))
		assert.Equal(t, `["client_secret_basic"]`, *updated.JSON200.Data.ClientAuthMethods, "openapi.yaml: a string with the JSON text of an array")
		assert.Equal(t, `"2"`, updated.HTTPResponse.Header.Get("ETag"))

		rejected, err := admin.UpdateClientWithResponse(t.Context(), id, nil, client.UpdateClientRequest{
			RedirectUris: &[]string{"https://app.example.com/callback#top"},
			GrantTypes:   &[]string{"authorization_code", "magic"},
			Jwks:         new(`{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"1","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`),
			JwksURI:      new("https://app.example.com/jwks.json"),
		})
		require.NoError(t, err)
		require.NotNil(t, rejected.JSON400, string(rejected.Body))
		var found []string
		for _, v := range *rejected.JSON400.Violations {
			found = append(found, *v.Field+" "+*v.Rule+" "+*v.Source)
		}
		assert.Equal(t, []string{
			"/redirect_uris/0 redirect-uri-fragment RFC 6749 §3.1.2",
			"/grant_types/1 grant-type-unknown RFC 7591 §2",
			"/jwks jwks-exclusive RFC 7591 §2",
		}, found)

		stale, err := admin.UpdateClientWithResponse(t.Context(), id, &client.UpdateClientParams{IfMatch: new(`"1"`)}, client.UpdateClientRequest{Name: new("x")})
		require.NoError(t, err)
		assert.NotNil(t, stale.JSON412)

		for name, tt := range map[string]struct {
			token string
			want  int
		}{
			"no token":             {"", 401},
			"not a JWT":            {"abc", 401},
			"not an administrator": {token(t, data, "--role", "user"), 403},
			"no role":              {token(t, data, "--role", ""), 403},
			"no tenant":            {token(t, data, "--tenant", ""), 403},
			"another tenant":       {token(t, data, "--tenant", "tenant_other"), 404},
			"a scope for reading":  {token(t, data, "--role", "", "--scope", "clients:read"), 403},
			"a scope for writing":  {token(t, data, "--role", "", "--scope", "clients:write"), 200},
		} {
			response, err := p.as(t, tt.token).UpdateClientWithResponse(t.Context(), id, nil, client.UpdateClientRequest{Name: new("My Renamed App")})
			require.NoError(t, err)
			assert.Equal(t, tt.want, response.StatusCode(), name)
		}

		p.Kill()
		p = start(t, flags...)
		read, err := p.as(t, adminToken(t, data)).GetClientWithResponse(t.Context(), id, nil)
		require.NoError(t, err)
		require.NotNil(t, read.JSON200, string(read.Body))
		assert.Equal(t, updated.JSON200.Data, read.JSON200.Data)
		assert.Equal(t, `"2"`, read.HTTPResponse.Header.Get("ETag"))
		assert.NotContains(t, p.Log.String(), adminToken(t, data))
	})
}

func TestConcurrentUpdatesLoseNothing(t *testing.T) {
	onBothStores(t, func(t *testing.T, data string, flags ...string) {
		p := start(t, append(flags, "--dev", "--data", data)...)
		admin := p.as(t, adminToken(t, data))
		id := create(t, admin)

		const writers, each = 64, 3
		link := func(i, k int) *string { return new(fmt.Sprintf("https://app.example.com/%d/%d", i, k)) }
		// Each writer sets one of four fields, several times. In the end, each field has
		// the last value of one of its writers, and every acknowledged update has a
		// different revision.
		etags := make(chan string, writers*each)
		var group sync.WaitGroup
		for i := range writers {
			group.Go(func() {
				for k := range each {
					var change client.UpdateClientRequest
					switch i % 4 {
					case 0:
						change.LogoURL = link(i, k)
					case 1:
						change.Website = link(i, k)
					case 2:
						change.PrivacyPolicy = link(i, k)
					default:
						change.TermsURL = link(i, k)
					}
					response, err := admin.UpdateClientWithResponse(context.Background(), id, nil, change)
					if err != nil || response.JSON200 == nil {
						t.Errorf("writer %d: %v, %+v", i, err, response)
						return
					}
					etags <- response.HTTPResponse.Header.Get("ETag")
				}
			})
		}
		group.Wait()
		close(etags)

		acknowledged := map[string]bool{}
		for tag := range etags {
			assert.False(t, acknowledged[tag], "two changes were acknowledged as revision %s", tag)
			acknowledged[tag] = true
		}
		assert.Len(t, acknowledged, writers*each)
		read, err := admin.GetClientWithResponse(t.Context(), id, nil)
		require.NoError(t, err)
		assert.Equal(t, fmt.Sprintf(`"%d"`, 1+writers*each), read.HTTPResponse.Header.Get("ETag"))
		item := read.JSON200.Data
		for n, value := range []*string{item.LogoURL, item.Website, item.PrivacyPolicy, item.TermsURL} {
			var writer, change int
			_, err := fmt.Sscanf(*value, "https://app.example.com/%d/%d", &writer, &change)
			require.NoError(t, err)
			assert.Equal(t, n, writer%4, "a field has the value of another field")
			assert.Equal(t, each-1, change, "a later change of the same writer was lost")
		}
	})
}

func TestShutdownFinishesRequestsInFlight(t *testing.T) {
	data := t.TempDir()
	p := start(t, "--dev", "--data", data)
	id := create(t, p.as(t, adminToken(t, data)))

	// A request whose body is incomplete when the signal arrives.
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(p.URL, "http://"))
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	body := `{"name":"In flight"}`
	_, err = fmt.Fprintf(conn, "PUT /admin/oauth/clients/%s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		id, adminToken(t, data), len(body), body[:5])
	require.NoError(t, err)
	awaitInFlight(t, p)
	require.NoError(t, p.Command.Process.Signal(syscall.SIGTERM))
	require.Eventually(t, func() bool { return strings.Contains(p.Log.String(), "shutting down") }, 10*time.Second, 5*time.Millisecond)
	_, err = io.WriteString(conn, body[5:])
	require.NoError(t, err)
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	defer response.Body.Close()
	assert.Equal(t, http.StatusOK, response.StatusCode)
	<-p.Ended
	assert.True(t, p.Command.ProcessState.Success(), p.Log.String())
}

// awaitInFlight waits until the program has accepted the connection: it has responded on
// connections that were opened later.
func awaitInFlight(t *testing.T, p *program) {
	t.Helper()
	for range 3 {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.URL+"/healthz", http.NoBody)
		require.NoError(t, err)
		response, err := http.DefaultTransport.RoundTrip(r)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
	}
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
}

func TestInvalidArgumentsAreRejected(t *testing.T) {
	keys := filepath.Join(t.TempDir(), "short")
	require.NoError(t, os.WriteFile(keys, []byte("short"), 0o600))
	for name, tt := range map[string]struct {
		args []string
		want string
	}{
		"no issuer":               {[]string{"serve"}, "--issuer"},
		"an issuer with --dev":    {[]string{"serve", "--dev", "--issuer", "x", "--issuer-keys", "y"}, "--dev"},
		"an unsupported database": {[]string{"serve", "--dev", "--database-url", "mysql://x"}, "DATABASE_URL"},
		"an invalid address":      {[]string{"serve", "--dev", "--data", t.TempDir(), "--listen", "nowhere"}, "nowhere"},
		"a timeout of zero":       {[]string{"serve", "--dev", "--request-timeout", "0s"}, "--request-timeout"},
		"an invalid timeout":      {[]string{"serve", "--dev", "--request-timeout", "soon"}, "--request-timeout"},
		"an unknown log level":    {[]string{"serve", "--dev", "--log-level", "loud"}, "--log-level"},
		"an invalid extension grant": {
			[]string{"serve", "--dev", "--data", t.TempDir(), "--grant-type", "magic"}, "magic",
		},
		"a private scheme of the web": {
			[]string{"serve", "--dev", "--data", t.TempDir(), "--private-schemes", "cursor,https"}, `"https"`,
		},
		"a short pepper":                {[]string{"serve", "--dev", "--data", t.TempDir(), "--pepper-file", keys}, "32"},
		"a public URL without a scheme": {[]string{"serve", "--dev", "--public-url", "clientele.example.com"}, "--public-url must begin with"},
		"a public URL with a query":     {[]string{"serve", "--dev", "--public-url", "https://clientele.example.com/?a"}, "--public-url must not have"},
		"a public URL with a user":      {[]string{"serve", "--dev", "--public-url", "https://a@clientele.example.com"}, "--public-url must not have"},
		"a public rate of nothing":      {[]string{"serve", "--dev", "--public-rate", "0"}, "--public-rate must be at least 1"},

		"an unknown flag":       {[]string{"serve", "--verbose"}, "--verbose"},
		"a token without a key": {[]string{"token", "--data", t.TempDir()}, "--dev"},
		"a lifetime of zero":    {[]string{"token", "--ttl", "0s"}, "--ttl must be positive"},
		"a negative retention":  {[]string{"purge", "--retention=-1h"}, "--retention must not be negative"},
		"an unknown command":    {[]string{"foo"}, "unknown command foo"},
		"a misspelt command":    {[]string{"aply"}, "unknown command aply"},
		"an extra argument":     {[]string{"export", "-o", "x", "--url", "http://x", "y"}, "unexpected argument y"},
	} {
		t.Run(name, func(t *testing.T) {
			command := exec.Command(binary, tt.args...)
			command.Env = []string{"PATH=" + os.Getenv("PATH")}
			output, err := command.CombinedOutput()
			require.Error(t, err)
			assert.Contains(t, string(output), tt.want)
			assert.NotContains(t, string(output), "goroutine")
		})
	}
}

func TestMigrateAndServeWithoutMigrating(t *testing.T) {
	url, err := server.NewDatabase(t.Context())
	require.NoError(t, err)
	output, err := exec.Command(binary, "migrate", "--database-url", url).CombinedOutput()
	require.NoError(t, err, string(output))
	assert.Contains(t, string(output), "up to date")
	data := t.TempDir()
	p := start(t, "--dev", "--data", data, "--database-url", url, "--no-auto-migrate")
	create(t, p.as(t, adminToken(t, data)))
}

func TestTokensOfAnIssuer(t *testing.T) {
	// The other service trusts the development key of the first one.
	data, other := t.TempDir(), t.TempDir()
	start(t, "--dev", "--data", data).Kill()
	p := start(t, "--data", other, "--issuer", "clientele-dev", "--issuer-keys", filepath.Join(data, "signing-key.json"))
	create(t, p.as(t, adminToken(t, data)))
	assert.NoFileExists(t, filepath.Join(other, "admin.token"), "without --dev no token is issued")
	assert.NoFileExists(t, filepath.Join(other, "signing-key.json"))
}
