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

// onBothStores runs a test over the embedded store and over PostgreSQL. The
// test gets a data directory and the flags that choose the store.
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

// startIn is start with more in the environment.
func startIn(t *testing.T, env []string, args ...string) *program {
	t.Helper()
	p, err := servicetest.Start(context.WithoutCancel(t.Context()), binary, servicetest.Options{Env: env}, args...)
	require.NoError(t, err)
	t.Cleanup(p.Kill)
	return &program{p}
}

// token prints a token with the program's own command.
func token(t *testing.T, data string, args ...string) string {
	t.Helper()
	output, err := exec.Command(binary, append([]string{"token", "--data", data}, args...)...).Output()
	require.NoError(t, err)
	return strings.TrimSpace(string(output))
}

// as is a generated client that sends the token.
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

func TestTheMainJob(t *testing.T) {
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
		assert.Equal(t, `["client_secret_basic"]`, *updated.JSON200.Data.ClientAuthMethods, "a JSON string, by the contract")
		assert.Equal(t, `"2"`, updated.HTTPResponse.Header.Get("ETag"))

		refused, err := admin.UpdateClientWithResponse(t.Context(), id, nil, client.UpdateClientRequest{
			RedirectUris: &[]string{"https://app.example.com/callback#top"},
			GrantTypes:   &[]string{"authorization_code", "magic"},
			Jwks:         new(`{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"1","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`),
			JwksURI:      new("https://app.example.com/jwks.json"),
		})
		require.NoError(t, err)
		require.NotNil(t, refused.JSON400, string(refused.Body))
		var found []string
		for _, v := range *refused.JSON400.Violations {
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
			"no token":                {"", 401},
			"rubbish":                 {"abc", 401},
			"not an administrator":    {token(t, data, "--role", "user"), 403},
			"no role":                 {token(t, data, "--role", ""), 403},
			"no tenant":               {token(t, data, "--tenant", ""), 403},
			"another tenant":          {token(t, data, "--tenant", "tenant_other"), 404},
			"a scope that reads only": {token(t, data, "--role", "", "--scope", "clients:read"), 403},
			"a scope that writes":     {token(t, data, "--role", "", "--scope", "clients:write"), 200},
		} {
			answer, err := p.as(t, tt.token).UpdateClientWithResponse(t.Context(), id, nil, client.UpdateClientRequest{Name: new("My Renamed App")})
			require.NoError(t, err)
			assert.Equal(t, tt.want, answer.StatusCode(), name)
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

func TestSixtyFourWritersOfOneClientLoseNothing(t *testing.T) {
	onBothStores(t, func(t *testing.T, data string, flags ...string) {
		p := start(t, append(flags, "--dev", "--data", data)...)
		admin := p.as(t, adminToken(t, data))
		id := create(t, admin)

		const writers, each = 64, 3
		link := func(i, k int) *string { return new(fmt.Sprintf("https://app.example.com/%d/%d", i, k)) }
		// Each writer sets one of four members; the last value that each
		// acknowledged is one of those sent, and every acknowledgement has a
		// revision of its own.
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
					answer, err := admin.UpdateClientWithResponse(context.Background(), id, nil, change)
					if err != nil || answer.JSON200 == nil {
						t.Errorf("writer %d: %v, %+v", i, err, answer)
						return
					}
					etags <- answer.HTTPResponse.Header.Get("ETag")
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
			assert.Equal(t, n, writer%4, "a member holds another's value")
			assert.Equal(t, each-1, change, "a later change of the same writer was lost")
		}
	})
}

func TestShutdownFinishesRequestsInFlight(t *testing.T) {
	data := t.TempDir()
	p := start(t, "--dev", "--data", data)
	id := create(t, p.as(t, adminToken(t, data)))

	// A request whose body is still on its way when the signal comes.
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
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	defer answer.Body.Close()
	assert.Equal(t, http.StatusOK, answer.StatusCode)
	<-p.Ended
	assert.True(t, p.Command.ProcessState.Success(), p.Log.String())
}

// awaitInFlight makes sure that the program has taken the connection: one that
// it accepted later has been answered.
func awaitInFlight(t *testing.T, p *program) {
	t.Helper()
	for range 3 {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.URL+"/healthz", http.NoBody)
		require.NoError(t, err)
		answer, err := http.DefaultTransport.RoundTrip(r)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
	}
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
}

func TestConfigurationsThatAreRefused(t *testing.T) {
	keys := filepath.Join(t.TempDir(), "short")
	require.NoError(t, os.WriteFile(keys, []byte("short"), 0o600))
	for name, tt := range map[string]struct {
		args []string
		says string
	}{
		"no issuer":                {[]string{"serve"}, "--issuer"},
		"an issuer in development": {[]string{"serve", "--dev", "--issuer", "x", "--issuer-keys", "y"}, "--dev"},
		"another database":         {[]string{"serve", "--dev", "--database-url", "mysql://x"}, "DATABASE_URL"},
		"no address":               {[]string{"serve", "--dev", "--data", t.TempDir(), "--listen", "nowhere"}, "nowhere"},
		"a deadline of nothing":    {[]string{"serve", "--dev", "--request-timeout", "0s"}, "--request-timeout"},
		"a deadline that is none":  {[]string{"serve", "--dev", "--request-timeout", "soon"}, "--request-timeout"},
		"a log level that is none": {[]string{"serve", "--dev", "--log-level", "loud"}, "--log-level"},
		"an extension that is none": {
			[]string{"serve", "--dev", "--data", t.TempDir(), "--grant-type", "magic"}, "magic",
		},
		"a private scheme of the web": {
			[]string{"serve", "--dev", "--data", t.TempDir(), "--private-schemes", "cursor,https"}, `"https"`,
		},
		"a short pepper":        {[]string{"serve", "--dev", "--data", t.TempDir(), "--pepper-file", keys}, "32"},
		"an unknown flag":       {[]string{"serve", "--verbose"}, "--verbose"},
		"a token without a key": {[]string{"token", "--data", t.TempDir()}, "--dev"},
		"a token of no length":  {[]string{"token", "--ttl", "0s"}, "--ttl must be positive"},
		"a negative retention":  {[]string{"purge", "--retention=-1h"}, "--retention must not be negative"},
		"an unknown command":    {[]string{"foo"}, "unknown command foo"},
		"a misspelt command":    {[]string{"aply"}, "unknown command aply"},
		"an argument too many":  {[]string{"export", "-o", "x", "--url", "http://x", "y"}, "unexpected argument y"},
	} {
		t.Run(name, func(t *testing.T) {
			command := exec.Command(binary, tt.args...)
			command.Env = []string{"PATH=" + os.Getenv("PATH")}
			output, err := command.CombinedOutput()
			require.Error(t, err)
			assert.Contains(t, string(output), tt.says)
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
	// The development key of one service is the issuer of the other.
	data, other := t.TempDir(), t.TempDir()
	start(t, "--dev", "--data", data).Kill()
	p := start(t, "--data", other, "--issuer", "clientele-dev", "--issuer-keys", filepath.Join(data, "signing-key.json"))
	create(t, p.as(t, adminToken(t, data)))
	assert.NoFileExists(t, filepath.Join(other, "admin.token"), "without --dev no token is ever made")
	assert.NoFileExists(t, filepath.Join(other, "signing-key.json"))
}
