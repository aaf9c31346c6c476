package rest_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/clientele-oauth/clientele/domain"
)

// foreignClientIDs are client_ids as other systems have them, and the ones that are
// most likely to be changed on the way by an HTTP client or by the router.
func foreignClientIDs() []string {
	return []string{
		"urn:example:app:1", "app@example.com", "app+test@example.com", "team/app", "/team/app/", "//", "/", "a//b", "a/../b", "../a", "a/..",
		"a/./b", "./a", "./", "../", "a/.", "/..", "...", "my app", "a  b", "a + b", "+", "a+b", "a b+c", ":", "@", "a:b@c", "spiffe://example.com/ns/a", "~", "-", "_",
		"http:a", "changes", "a/secrets", "a/revisions/1", "a/restore", "a/secrets/b", "clients", ".well-known", "x.json", "::error::x",
		strings.Repeat("a/", 127) + "a", strings.Repeat(" b", 127)[1:] + "cd",
	}
}

// validClientID generates client_ids that the rules accept.
func validClientID() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.StringMatching(`[A-Za-z0-9._~:/@+ -]{1,40}`),
		rapid.StringMatching(`[./: +]{1,8}`),
		rapid.StringMatching(`([a-z]|\.|\.\.)(/([a-z]|\.|\.\.)){0,6}`),
	).Filter(func(id string) bool { return !domain.CheckClientID(domain.ClientID(id)).HasViolations() })
}

// everyByteEncoded percent-encodes every byte, which means the same as encoding only
// the necessary ones (RFC 3986 §6.2.2.2).
func everyByteEncoded(id string) string {
	var b strings.Builder
	for i := range len(id) {
		fmt.Fprintf(&b, "%%%02x", id[i])
	}
	return b.String()
}

// Every valid client_id can be used in every operation: through an HTTP client, in each
// encoding of the path.
func TestEveryValidClientIDCanBeUsed(t *testing.T) { onBothStores(t, testEveryValidClientID) }

func testEveryValidClientID(t *testing.T, s service) {
	server := httptest.NewServer(s.handler)
	t.Cleanup(server.Close)
	send := func(t require.TestingT, method, path, body string) (int, http.Header, map[string]any) {
		r, err := http.NewRequest(method, server.URL+path, strings.NewReader(body))
		require.NoError(t, err)
		r.Header.Set("Authorization", "Bearer admin")
		if body != "" {
			r.Header.Set("Content-Type", "application/json")
		}
		w, err := server.Client().Do(r)
		require.NoError(t, err)
		defer w.Body.Close()
		text, err := io.ReadAll(w.Body)
		require.NoError(t, err)
		decoded := map[string]any{}
		if len(text) > 0 {
			require.NoError(t, json.Unmarshal(text, &decoded), "%s", text)
		}
		return w.StatusCode, w.Header, decoded
	}
	created := map[string]bool{}
	use := func(t require.TestingT, id string) {
		if created[id] {
			return
		}
		_, _, before := send(t, "GET", clients+"?limit=1", "")
		body, err := json.Marshal(map[string]any{"client_id": id, "name": "App", "redirect_uris": []string{"https://a.example/cb"}})
		require.NoError(t, err)
		status, header, answer := send(t, "POST", clients, string(body))
		require.Equal(t, http.StatusCreated, status, "%q: %v", id, answer)
		created[id] = true
		secret := answer["data"].(map[string]any)["client_secret"]

		location := header.Get("Location")
		path, err := url.Parse(location)
		require.NoError(t, err, location)
		assert.Equal(t, clients+"/"+id, path.Path, "Location is the path of the client")
		for _, path := range []string{location, clients + "/" + url.PathEscape(id), clients + "/" + strings.ReplaceAll(url.QueryEscape(id), "+", "%20"), clients + "/" + everyByteEncoded(id)} {
			status, _, answer = send(t, "GET", path, "")
			require.Equal(t, http.StatusOK, status, "%q at %s: %v", id, path, answer)
			assert.Equal(t, id, answer["data"].(map[string]any)["client_id"], path)
		}
		path1 := clients + "/" + url.PathEscape(id)
		status, header, _ = send(t, "PUT", path1, `{"name":"Other"}`)
		assert.Equal(t, http.StatusOK, status, id)
		assert.Equal(t, `"2"`, header.Get("ETag"), id)
		body, err = json.Marshal(map[string]any{"secret": secret})
		require.NoError(t, err)
		status, _, answer = send(t, "POST", path1+"/verify-secret", string(body))
		assert.Equal(t, http.StatusOK, status, id)
		assert.Equal(t, true, answer["data"].(map[string]any)["valid"], id)
		status, _, answer = send(t, "GET", path1+"/secrets", "")
		require.Equal(t, http.StatusOK, status, id)
		secretID := answer["data"].(map[string]any)["secrets"].([]any)[0].(map[string]any)["secret_id"].(string)
		status, _, _ = send(t, "POST", path1+"/rotate-secret", `{}`)
		assert.Equal(t, http.StatusOK, status, id)
		status, _, _ = send(t, "DELETE", path1+"/secrets/"+url.PathEscape(secretID), "")
		assert.Contains(t, []int{http.StatusNoContent, http.StatusNotFound}, status, id)
		status, _, answer = send(t, "GET", path1+"/revisions?limit=1", "")
		require.Equal(t, http.StatusOK, status, id)
		assert.EqualValues(t, 3, answer["data"].(map[string]any)["revisions"].([]any)[0].(map[string]any)["number"], id)
		status, _, answer = send(t, "GET", path1+"/revisions/1", "")
		require.Equal(t, http.StatusOK, status, id)
		assert.Equal(t, id, answer["data"].(map[string]any)["client"].(map[string]any)["client_id"])
		for _, part := range []string{"/keys", "/compliance?profile=none"} {
			status, _, _ = send(t, "GET", path1+part, "")
			assert.Equal(t, http.StatusOK, status, "%q %s", id, part)
		}
		status, _, _ = send(t, "POST", path1+"/revisions/1/restore", "")
		assert.Equal(t, http.StatusOK, status, id)
		status, _, _ = send(t, "DELETE", path1, "")
		assert.Equal(t, http.StatusNoContent, status, id)
		status, _, _ = send(t, "POST", path1+"/restore", "")
		assert.Equal(t, http.StatusOK, status, id)

		// Other transactions of the server can hold changes back for a moment, also those
		// before the cursor of the list.
		after, restored := before["changes_cursor"].(string), false
		for range 100 {
			status, _, answer = send(t, "GET", "/admin/oauth/changes?limit=200&wait_seconds=30&after="+url.QueryEscape(after), "")
			require.Equal(t, http.StatusOK, status, "%v", answer)
			page := answer["data"].(map[string]any)
			for _, change := range page["changes"].([]any) {
				change := change.(map[string]any)
				restored = restored || change["client_id"] == id && change["action"] == "restore"
			}
			if after = page["next"].(string); restored {
				break
			}
		}
		assert.True(t, restored, id)
	}
	for _, id := range foreignClientIDs() {
		use(t, id)
	}
	rapid.Check(t, func(t *rapid.T) { use(t, validClientID().Draw(t, "client_id")) })

	listed := map[string]bool{}
	for path := clients + "?limit=7"; path != ""; {
		status, _, page := send(t, "GET", path, "")
		require.Equal(t, http.StatusOK, status, "%v", page)
		for _, item := range page["items"].([]any) {
			id := item.(map[string]any)["client_id"].(string)
			assert.False(t, listed[id], "%q is listed twice", id)
			listed[id] = true
		}
		path = ""
		if next, more := page["next"].(string); more {
			path = clients + "?limit=7&after=" + url.QueryEscape(next)
		}
	}
	assert.Equal(t, created, listed)
	for line := range strings.Lines(s.logs.String()) {
		var entry map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &entry), line)
		assert.NotEqual(t, "ERROR", entry["level"], line)
	}
}

// curl sends the encoded path unchanged, although it removes dot segments.
func TestCurlReachesClientIDsWithSlashesAndDots(t *testing.T) {
	curl, err := exec.LookPath("curl")
	require.NoError(t, err, "install curl")
	s := newService(t)
	server := httptest.NewServer(s.handler)
	t.Cleanup(server.Close)
	for _, id := range foreignClientIDs() {
		body, err := json.Marshal(map[string]any{"client_id": id, "name": "App", "redirect_uris": []string{"https://a.example/cb"}})
		require.NoError(t, err)
		require.Equal(t, http.StatusCreated, s.do(t, call{method: "POST", path: clients, token: "admin", body: string(body)}).status, id)
	}
	for _, id := range foreignClientIDs() {
		output, err := exec.CommandContext(t.Context(), curl, "-s", "-H", "Authorization: Bearer admin", server.URL+clients+"/"+url.PathEscape(id)).Output()
		require.NoError(t, err)
		var answer map[string]any
		require.NoError(t, json.Unmarshal(output, &answer), "%s", output)
		data, _ := answer["data"].(map[string]any)
		assert.Equal(t, id, data["client_id"], "%s", output)
	}
}

// What begins like the address of a client ID metadata document, has spaces around it,
// or is a dot segment names no new client.
func TestInvalidClientIDsAreRejected(t *testing.T) {
	s := newService(t)
	for id, want := range map[string]string{
		".": "/client_id client-id-syntax", "..": "/client_id client-id-syntax", " a": "/client_id client-id-syntax", "a ": "/client_id client-id-syntax",
		" ": "/client_id client-id-syntax", "http://a": "/client_id client-id-syntax", "HTTPS://a.example/client.json": "/client_id client-id-syntax",
		"hTtP://": "/client_id client-id-syntax", "": "/client_id contract", "a%2Fb": "/client_id contract", "a\tb": "/client_id contract",
		"a\nb": "/client_id contract", "größe": "/client_id contract", "a?b": "/client_id contract", "a#b": "/client_id contract",
		`a\b`: "/client_id contract", strings.Repeat("a", 256): "/client_id contract",
	} {
		body, err := json.Marshal(map[string]any{"client_id": id, "name": "App", "redirect_uris": []string{"https://a.example/cb"}})
		require.NoError(t, err)
		a := s.do(t, call{method: "POST", path: clients, token: "admin", body: string(body)})
		assert.Equal(t, http.StatusBadRequest, a.status, "%q: %s", id, a.text)
		assert.Equal(t, []string{want}, a.violated(), "%q", id)
	}
}
