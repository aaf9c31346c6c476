package main_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Registration from outside in the running service: the file that is read again, the limits in
// force, the log and the metrics.

// outsider sends requests to a service from an address of its choice.
type outsider struct{ root, token, address string }

// do sends a request and returns the status and the text of the response.
func (o outsider) do(t *testing.T, method, path, body string) (status int, text string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, o.root+path, strings.NewReader(body))
	require.NoError(t, err)
	if o.token != "" {
		request.Header.Set("Authorization", "Bearer "+o.token)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("X-Forwarded-For", o.address)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	read, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	if response.StatusCode == http.StatusTooManyRequests {
		require.NotEmpty(t, response.Header.Get("Retry-After"))
	}
	return response.StatusCode, string(read)
}

// valueIn returns the first member of that name with a text.
func valueIn(t *testing.T, text, name string) string {
	t.Helper()
	_, rest, found := strings.Cut(text, `"`+name+`":"`)
	require.True(t, found, text)
	value, _, _ := strings.Cut(rest, `"`)
	return value
}

// replaceFile replaces a file in one step.
func replaceFile(t *testing.T, file, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(file+".new", []byte(text), 0o600))
	require.NoError(t, os.Rename(file+".new", file))
}

// registering starts a service with this registration file.
func registering(t *testing.T, data, text string, flags ...string) (p *program, file string) {
	t.Helper()
	file = filepath.Join(filepath.Dir(data), "registration.yaml")
	replaceFile(t, file, text)
	flags = slices.Concat(flags, []string{
		"--dev", "--data", data, "--public-url", "https://clientele.example.com", "--registration-file", file,
		"--trusted-proxy", "127.0.0.1", "--admin-listen", "127.0.0.1:0",
	})
	return start(t, flags...), file
}

const (
	registerPath  = "/oauth/tenant_dev/register"
	openFile      = "tenants: {tenant_dev: {registration: {enabled: true, open: true}}}"
	outsideClient = `{"redirect_uris": ["https://app.example.com/cb"], "token_endpoint_auth_method": "none"}`
)

// A new file applies to new registrations, and one with an error leaves the old one in force.
func TestTheRegistrationFileIsReadAgain(t *testing.T) {
	onBothStores(t, func(t *testing.T, data string, flags ...string) {
		p, file := registering(t, data, openFile, flags...)
		addresses := 0
		register := func() int {
			addresses++
			status, _ := outsider{root: p.URL, address: fmt.Sprintf("198.18.%d.%d", addresses/250, addresses%250)}.do(t, "POST", registerPath, outsideClient)
			return status
		}
		becomes := func(status int) {
			require.Eventually(t, func() bool { return register() == status }, 20*time.Second, 50*time.Millisecond)
		}
		require.Equal(t, http.StatusCreated, register())
		replaceFile(t, file, "tenants: {tenant_dev: {registration: {enabled: maybe}}}")
		require.Eventually(t, func() bool {
			require.Equal(t, http.StatusCreated, register(), "the old file is in force")
			return strings.Contains(p.Log.String(), "the registration file cannot be used")
		}, 20*time.Second, 50*time.Millisecond)
		replaceFile(t, file, "tenants: {tenant_dev: {registration: {enabled: true}}}")
		becomes(http.StatusUnauthorized)
		replaceFile(t, file, "tenants: {}")
		becomes(http.StatusNotFound)
		replaceFile(t, file, openFile)
		becomes(http.StatusCreated)
	})
}

// The limits are those of docs/registration.md.
func TestTheLimitsOfRegistrationsInForce(t *testing.T) {
	onBothStores(t, func(t *testing.T, data string, flags ...string) {
		p, _ := registering(t, data, openFile, flags...)
		for name, tt := range map[string]struct {
			outsider
			method, path, body string
			until, status      int
		}{
			"registrations":           {outsider{p.URL, "", "203.0.113.1"}, "POST", registerPath, outsideClient, 10, 201},
			"reads of a registration": {outsider{p.URL, "", "203.0.113.2"}, "GET", registerPath + "/x", "", 60, 401},
			"wrong tokens":            {outsider{p.URL, "wrong", "203.0.113.3"}, "GET", registerPath + "/x", "", 30, 401},
		} {
			allowed, limited := 0, false
			for range 2 * tt.until { // the limit rises again at the same time, much slower than this loop
				status, text := tt.do(t, tt.method, tt.path, tt.body)
				if limited = status == http.StatusTooManyRequests; limited {
					break
				}
				require.Equal(t, tt.status, status, "%s: %s", name, text)
				allowed++
			}
			assert.True(t, limited, name)
			assert.InDelta(t, tt.until, allowed, float64(tt.until)/10, name)
			assert.GreaterOrEqual(t, allowed, tt.until, name)
		}
		status, text := outsider{p.URL, "", "203.0.113.4"}.do(t, "POST", registerPath, outsideClient)
		assert.Equal(t, http.StatusCreated, status, "other addresses are not limited: %s", text)
	})
}

// No token, secret or address of a client is in the log of the service.
func TestTheLogHasNoTokensOfRegistrations(t *testing.T) {
	onBothStores(t, func(t *testing.T, data string, flags ...string) {
		p, _ := registering(t, data, "tenants: {tenant_dev: {registration: {enabled: true}}}", append(flags, "--log-level", "debug")...)
		admin := outsider{p.URL, adminToken(t, data), "203.0.113.9"}
		_, created := admin.do(t, "POST", "/admin/oauth/registration-tokens", `{"max_uses": 3}`)
		initial := valueIn(t, created, "token")
		status, registered := outsider{p.URL, initial, "203.0.113.8"}.do(t, "POST", registerPath, `{"redirect_uris": ["https://app.example.com/cb"]}`)
		require.Equal(t, http.StatusCreated, status, registered)
		own := outsider{p.URL, valueIn(t, registered, "registration_access_token"), "203.0.113.8"}
		path := registerPath + "/" + valueIn(t, registered, "client_id")
		for _, method := range []string{"GET", "PUT", "DELETE"} {
			own.do(t, method, path, `{"client_id": 1, "client_secret": "`+valueIn(t, registered, "client_secret")+`"}`)
		}
		outsider{p.URL, "clientele_rat_guessed", "203.0.113.8"}.do(t, "GET", path, "")
		feed := ""
		require.Eventually(t, func() bool { // other transactions in the server hold it back
			_, feed = admin.do(t, "GET", "/admin/oauth/changes", "")
			return strings.Contains(feed, `"via":"initial_access_token"`)
		}, 20*time.Second, 20*time.Millisecond)
		for _, secret := range []string{initial, own.token, valueIn(t, registered, "client_secret"), "clientele_rat_guessed", "203.0.113."} {
			assert.NotContains(t, p.Log.String(), secret)
			assert.NotContains(t, feed, secret)
		}
	})
}

// A changed document of an approved client is counted until it is approved.
func TestDocumentsThatWaitAreCounted(t *testing.T) {
	onBothStores(t, func(t *testing.T, data string, flags ...string) {
		var version atomic.Int64
		var document string
		host := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = fmt.Fprintf(w, `{"client_id": %q, "client_name": "Agent %d", "redirect_uris": ["http://127.0.0.1/cb"], "token_endpoint_auth_method": "none"}`,
				document, version.Load())
		}))
		t.Cleanup(host.Close)
		document = host.URL + "/client.json"
		const file = "tenants: {tenant_dev: {cimd: {mode: any}}}"
		query := "/admin/oauth/client-metadata?client_id=" + url.QueryEscape(document)
		waits := func(p *program, count string) { // the process serves already while it counts
			t.Helper()
			require.Eventually(t, func() bool {
				_, metrics := read(t, p.Operators+"/metrics")
				return strings.Contains(metrics, "\nclientele_documents_pending "+count+"\n")
			}, 20*time.Second, 20*time.Millisecond)
		}

		p, _ := registering(t, data, file, flags...)
		admin := outsider{p.URL, adminToken(t, data), "203.0.113.1"}
		status, found := admin.do(t, "GET", query, "")
		require.Equal(t, http.StatusOK, status, found)
		approve := func(digest string) {
			status, text := admin.do(t, "POST", "/admin/oauth/client-metadata/approvals", fmt.Sprintf(`{"client_id": %q, "digest": %q}`, document, digest))
			require.Equal(t, http.StatusOK, status, text)
		}
		approve(valueIn(t, found, "digest"))
		p.Kill() // a new process has fetched nothing yet
		version.Add(1)
		p, _ = registering(t, data, file, flags...)
		waits(p, "0")
		admin.root = p.URL
		_, changed := admin.do(t, "GET", query, "")
		_, waiting, isPending := strings.Cut(changed, `"pending":`)
		require.True(t, isPending, changed)
		require.Eventually(t, func() bool { // other transactions in the server hold it back
			_, feed := admin.do(t, "GET", "/admin/oauth/changes", "")
			return strings.Count(feed, `"action":"document_changed"`) == 1
		}, 20*time.Second, 20*time.Millisecond)
		p.Kill() // the documents are counted at the start, and then every half minute
		p, _ = registering(t, data, file, flags...)
		waits(p, "1")
		admin.root = p.URL
		approve(valueIn(t, waiting, "digest"))
		p.Kill()
		p, _ = registering(t, data, file, flags...)
		waits(p, "0")
	})
}
