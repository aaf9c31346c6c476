package rest_test

// These tests are the rules for client ID metadata documents, each as an exchange over HTTP.

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/domain"
)

func TestClientDocumentURLs(t *testing.T) {
	onDocumentServices(t, func(t *testing.T, s *documentService) {
		for name, target := range map[string]string{
			"not https":               "http://app.example/client",
			"user information":        "https://user@app.example/client",
			"a password":              "https://user:pass@app.example/client",
			"no path":                 "https://app.example",
			"a query without a path":  "https://app.example?a",
			"a dot segment":           "https://app.example/./client",
			"two dots":                "https://app.example/a/../client",
			"two dots at the end":     "https://app.example/a/..",
			"encoded dots":            "https://app.example/a/%2e%2E/client",
			"a half encoded dot":      "https://app.example/a/.%2e/client",
			"a fragment":              "https://app.example/client#a",
			"an empty fragment":       "https://app.example/client#",
			"a backslash":             `https://app.example\client`,
			"a host that is a number": "https://2130706433/client",
			"a hexadecimal address":   "https://0x7f.1/client",
			"no host":                 "https:///client",
			"a port that is no port":  "https://app.example:99999/client",
			"a wrong encoding":        "https://app.example/%zz",
			"longer than 255":         "https://app.example/" + strings.Repeat("a", 240),
		} {
			rejected := s.resolve(t, target)
			assert.Equal(t, http.StatusBadRequest, rejected.status, "%s: %s", name, rejected.text)
			assert.Equal(t, []string{"/client_id cimd-url"}, rejected.violated(), name)
			assert.Equal(t, "the request is rejected for 1 violation", rejected.body["message"], name)
		}
		for _, target := range []string{"https://app.example/a b", "https://app.example/\n", "https://app.example/ä", "app", "", "https://app.example/\x00"} {
			assert.Equal(t, http.StatusBadRequest, s.resolve(t, target).status, "%q", target)
		}
		upper := s.resolve(t, "HTTPS://app.example/client")
		assert.Equal(t, http.StatusBadRequest, upper.status)
		assert.Contains(t, upper.text, "with its scheme in lower case")
		assert.Equal(t, http.StatusBadRequest, s.do(t, call{method: "GET", path: clientMetadata, token: "read"}).status)
		assert.Zero(t, s.requests.Load())

		for target, warning := range map[string]string{s.url("/client?a=b"): "/client_id cimd-url-query", s.url("/"): "/client_id cimd-url-root"} {
			s.serves(metadataDocument(target, nil))
			resolved := s.resolve(t, target)
			require.Equal(t, http.StatusOK, resolved.status, resolved.text)
			assert.Equal(t, []string{warning}, resolved.found("warnings"))
		}
	})
}

// documentRow is a document in which these members are not those of [metadataDocument], and what is
// found about it.
type documentRow struct {
	members    map[string]any
	violations []string // among others
	warnings   []string // all of them, if it is usable
}

func documentRows() map[string]documentRow {
	private := map[string]any{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}
	keys := func(k map[string]any) map[string]any { return map[string]any{"keys": []any{k}} }
	rows := map[string]documentRow{
		"as it should be":                 {},
		"unknown members":                 {members: map[string]any{"unknown": map[string]any{"a": []int{1}}, "client_name#de": "Anwendung"}},
		"members of administrators":       {members: map[string]any{"status": "suspended", "skip_consent": true, "labels": 1, "owner": "me", "resources": "x", "access_token_lifetime": 1}},
		"unknown grants":                  {members: map[string]any{"grant_types": []string{"authorization_code", "magic"}}, warnings: []string{"/grant_types/1 registration-value-dropped"}},
		"unknown response types":          {members: map[string]any{"response_types": []string{"code", "magic"}}, warnings: []string{"/response_types/1 registration-value-dropped"}},
		"another client_id":               {members: map[string]any{"client_id": "https://app.example/client"}, violations: []string{"/client_id cimd-client-id"}},
		"no client_id":                    {members: map[string]any{"client_id": nil}, violations: []string{"/client_id cimd-client-id"}},
		"a client_id that is a number":    {members: map[string]any{"client_id": 1}, violations: []string{"/client_id cimd-client-id"}},
		"no client_name":                  {members: map[string]any{"client_name": nil}, warnings: []string{"/client_name cimd-name"}},
		"no redirect_uris":                {members: map[string]any{"redirect_uris": nil}, violations: []string{"/redirect_uris cimd-redirects"}},
		"empty redirect_uris":             {members: map[string]any{"redirect_uris": []string{}}, violations: []string{"/redirect_uris cimd-redirects"}},
		"a client_secret":                 {members: map[string]any{"client_secret": "s"}, violations: []string{"/client_secret cimd-secret"}},
		"an end of a client_secret":       {members: map[string]any{"client_secret_expires_at": 0}, violations: []string{"/client_secret_expires_at cimd-secret"}},
		"client_secret_basic":             {members: map[string]any{"token_endpoint_auth_method": "client_secret_basic"}, violations: []string{"/token_endpoint_auth_method cimd-secret"}},
		"client_secret_post":              {members: map[string]any{"token_endpoint_auth_method": "client_secret_post"}, violations: []string{"/token_endpoint_auth_method cimd-secret"}},
		"client_secret_jwt":               {members: map[string]any{"token_endpoint_auth_method": "client_secret_jwt"}, violations: []string{"/token_endpoint_auth_method cimd-secret"}},
		"a symmetric algorithm":           {members: map[string]any{"id_token_signed_response_alg": "HS256"}, violations: []string{"/id_token_signed_response_alg cimd-secret"}},
		"a private key":                   {members: map[string]any{"jwks": keys(private)}, violations: []string{"/jwks cimd-private-key"}},
		"a symmetric key":                 {members: map[string]any{"jwks": keys(map[string]any{"kty": "oct", "k": "c2VjcmV0"})}, violations: []string{"/jwks cimd-private-key"}},
		"no authentication method":        {members: map[string]any{"token_endpoint_auth_method": nil}, warnings: []string{"/token_endpoint_auth_method cimd-method-omitted"}},
		"an unknown method":               {members: map[string]any{"token_endpoint_auth_method": "magic"}, violations: []string{"/token_endpoint_auth_method registration-auth-method"}},
		"only unknown grants":             {members: map[string]any{"grant_types": []string{"magic"}}, violations: []string{"/grant_types registration-not-allowed"}},
		"no value that is given":          {members: map[string]any{"contacts": []string{}, "logo_uri": "", "scope": ""}},
		"a logout on the machine":         {members: map[string]any{"post_logout_redirect_uris": []string{"http://127.0.0.1/bye"}}},
		"a redirect to another host":      {members: map[string]any{"redirect_uris": []string{"https://other.example/cb"}}, warnings: []string{"/redirect_uris/0 cimd-redirect-origin"}},
		"a redirect with a fragment":      {members: map[string]any{"redirect_uris": []string{"https://127.0.0.1/cb#a"}}, violations: []string{"/redirect_uris/0 redirect-uri-fragment"}},
		"a redirect that is a script":     {members: map[string]any{"redirect_uris": []string{"javascript:alert(1)"}}, violations: []string{"/redirect_uris/0 redirect-uri-scheme"}},
		"keys at an internal address":     {members: map[string]any{"jwks_uri": "https://10.0.0.1/jwks"}, violations: []string{"/jwks_uri jwks-uri-address"}},
		"a sector at an internal address": {members: map[string]any{"subject_type": "pairwise", "sector_identifier_uri": "https://10.0.0.1/sector"}, violations: []string{"/sector_identifier_uri sector-identifier-address"}},
	}
	for _, member := range []string{"logo_uri", "client_uri", "policy_uri", "tos_uri", "jwks_uri", "sector_identifier_uri", "initiate_login_uri", "backchannel_logout_uri", "frontchannel_logout_uri"} {
		for _, link := range []string{"javascript:alert(1)", "http://127.0.0.1/a", "data:text/html,a"} {
			rows[member+" "+link] = documentRow{members: map[string]any{member: link}, violations: []string{"/" + member + " cimd-link"}}
		}
	}
	rows["request_uris"] = documentRow{members: map[string]any{"request_uris": []string{"https://127.0.0.1/a", "http://127.0.0.1/b"}}, violations: []string{"/request_uris/1 cimd-link"}}
	return rows
}

func TestClientDocumentRules(t *testing.T) {
	onDocumentServices(t, func(t *testing.T, s *documentService) {
		for i, name := range slices.Sorted(maps.Keys(documentRows())) {
			row := documentRows()[name]
			t.Run(name, func(t *testing.T) {
				s.advance(time.Minute) // a host is asked ten times in a minute
				target := s.url("/client" + strconv.Itoa(i))
				s.serves(metadataDocument(target, row.members))
				got := s.resolve(t, target)
				if row.violations != nil {
					require.Equal(t, http.StatusNotFound, got.status, got.text)
					assert.Equal(t, "refused", got.body["reason"])
					assert.Subset(t, got.violated(), row.violations)
					return
				}
				require.Equal(t, http.StatusOK, got.status, got.text)
				assert.Equal(t, row.warnings, got.found("warnings"))
				assert.Equal(t, target, got.data("client_id"))
				assert.Equal(t, "tenant_a", got.data("tenant_id"))
				assert.Equal(t, "active", got.data("status"))
				assert.Equal(t, false, got.data("is_confidential"))
				assert.NotContains(t, got.text, "skip_consent\":true")
				assert.Empty(t, got.header.Get("ETag"), "nothing is stored")
			})
		}
		page := s.do(t, call{method: "GET", path: clients, token: "read"})
		assert.Empty(t, page.data("items"), "no client was made")
		feed := s.do(t, call{method: "GET", path: "/admin/oauth/changes", token: "read"})
		assert.Empty(t, feed.data("changes"), "no revision was made")
		assert.Zero(t, s.logos.Load(), "a logo is never fetched")
	})
}

// The loopback and private-use redirects of a client that does not authenticate.
func TestClientDocumentsOfNativeApps(t *testing.T) {
	onDocumentServices(t, func(t *testing.T, s *documentService) {
		s.policy.RedirectOrigin = domain.LinkHostsOff
		for path, tt := range map[string]struct {
			uris []string
			warn bool
		}{
			"/client/1": {[]string{"http://127.0.0.1/cb"}, true},
			"/client/2": {[]string{"http://127.0.0.1/cb", "com.example.app:/cb"}, true},
			"/client/3": {[]string{"http://127.0.0.1/cb", "https://app.example/cb"}, false},
		} {
			s.serves(metadataDocument(s.url(path), map[string]any{"redirect_uris": tt.uris, "application_type": "native"}))
			got := s.resolve(t, s.url(path))
			require.Equal(t, http.StatusOK, got.status, got.text)
			assert.Equal(t, tt.warn, slices.Contains(got.found("warnings"), "/redirect_uris cimd-loopback-only"), path)
		}
	})
}

func TestRedirectOriginsOfClientDocuments(t *testing.T) {
	onDocumentServices(t, func(t *testing.T, s *documentService) {
		const found = "/redirect_uris/0 cimd-redirect-origin"
		s.serves(metadataDocument(s.url("/client"), map[string]any{"redirect_uris": []string{"https://other.example/cb"}}))
		for _, mode := range []domain.LinkHosts{"", domain.LinkHostsWarn} {
			s.policy.RedirectOrigin = mode
			assert.Equal(t, []string{found}, s.resolve(t, s.url("/client")).found("warnings"))
		}
		s.policy.RedirectOrigin = domain.LinkHostsOff
		assert.Empty(t, s.resolve(t, s.url("/client")).found("warnings"))
		s.policy.RedirectOrigin = domain.LinkHostsRequire
		rejected := s.resolve(t, s.url("/client"))
		assert.Equal(t, http.StatusNotFound, rejected.status)
		assert.Equal(t, []string{found}, rejected.violated())
	})
}

// The client_id in a document is that of the request, byte for byte.
func TestSpellingsOfTheURLOfADocument(t *testing.T) {
	onDocumentServices(t, func(t *testing.T, s *documentService) {
		for i, spell := range []func(string) string{
			func(u string) string { return strings.Replace(u, "https", "HTTPS", 1) },
			func(u string) string { return u + "/" },
			func(u string) string { return u + "?" },
			func(u string) string { return strings.Replace(u, "client", "%63lient", 1) },
			func(u string) string { return strings.Replace(u, "127.0.0.1", "127.0.0.1.", 1) },
		} {
			target := s.url("/client" + strconv.Itoa(i))
			s.serves(metadataDocument(target, map[string]any{"client_id": spell(target)}))
			got := s.resolve(t, target)
			require.Equal(t, http.StatusNotFound, got.status, got.text)
			assert.Equal(t, []string{"/client_id cimd-client-id"}, got.violated())
		}
	})
}

// What a document without a method or a name is read as.
func TestDefaultsOfClientDocuments(t *testing.T) {
	onDocumentServices(t, func(t *testing.T, s *documentService) {
		s.serves(metadataDocument(s.url("/client"), map[string]any{"token_endpoint_auth_method": nil, "client_name": nil}))
		got := s.resolve(t, s.url("/client"))
		require.Equal(t, http.StatusOK, got.status, got.text)
		assert.Contains(t, got.data("client_auth_methods"), "none")
		assert.Equal(t, []any{"authorization_code"}, got.data("grant_types"))
		assert.NotEmpty(t, got.data("effective"))
		standard := s.do(t, call{method: "GET", path: clientMetadata + "?format=rfc7591&client_id=" + url.QueryEscape(s.url("/client")), token: "read"})
		require.Equal(t, http.StatusOK, standard.status, standard.text)
		assert.Equal(t, s.url("/client"), standard.body["client_id"])
		assert.Equal(t, "none", standard.body["token_endpoint_auth_method"])
		assert.NotEmpty(t, standard.body["document"])
		assert.Equal(t, []string{"/token_endpoint_auth_method cimd-method-omitted", "/client_name cimd-name"}, standard.found("warnings"))
	})
}
