package rest_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/clientele-oauth/clientele/adapters/clientfile"
	"github.com/clientele-oauth/clientele/adapters/internal/document"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

const metadataType = "application/vnd.clientele.rfc7591+json"

// decoded returns a JSON object without some of its fields.
func decoded(t require.TestingT, text string, without ...string) map[string]any {
	var object map[string]any
	require.NoError(t, json.Unmarshal([]byte(text), &object))
	for _, name := range without {
		delete(object, name)
	}
	return object
}

// createBank registers a client with inline keys.
func createBank(t *testing.T, s service) {
	t.Helper()
	keys, err := json.Marshal(keySet)
	require.NoError(t, err)
	created := s.do(t, call{method: "POST", path: clients, token: "admin", body: `{
		"client_id": "bank", "name": "Bank", "redirect_uris": ["https://bank.example.com/cb"], "scopes": ["openid", "profile"],
		"client_auth_methods": ["private_key_jwt", "client_secret_basic"], "website": "https://bank.example.com/", "default_max_age": 0,
		"owner": "payments", "labels": {"example.com/tier": "gold"}, "jwks": ` + string(keys) + `}`})
	require.Equal(t, 201, created.status, created.text)
}

// In the standard names, a client is a document without an envelope.
func TestReadInStandardNames(t *testing.T) {
	onBothStores(t, func(t *testing.T, s service) {
		createBank(t, s)
		read := s.do(t, call{method: "GET", path: clients + "/bank?format=rfc7591", token: "read"})
		require.Equal(t, 200, read.status, read.text)
		assert.Equal(t, metadataType, read.header.Get("Content-Type"))
		assert.Equal(t, `"1"`, read.header.Get("ETag"))
		issued, _ := read.body["client_id_issued_at"].(float64)
		assert.WithinDuration(t, time.Now(), time.Unix(int64(issued), 0), time.Minute)
		assert.Equal(t, decoded(t, `{
			"client_id": "bank", "client_name": "Bank", "status": "active", "is_confidential": true,
			"redirect_uris": ["https://bank.example.com/cb"], "grant_types": ["authorization_code"], "scope": "openid profile",
			"token_endpoint_auth_method": "private_key_jwt", "client_auth_methods": ["private_key_jwt", "client_secret_basic"],
			"jwks": {"keys": [{"kty": "OKP", "kid": "1", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]},
			"client_uri": "https://bank.example.com/", "default_max_age": 0, "owner": "payments",
			"labels": {"example.com/tier": "gold"}, "tenant_id": "tenant_a", "revision": 1
		}`), decoded(t, read.text, "client_id_issued_at", "updated_at"))
		assert.Contains(t, read.text, `"kid":"\u0031"`, "the text of a value is kept")

		path := clients + "/bank?format=rfc7591"
		unchanged := s.do(t, call{method: "GET", path: path, token: "read", header: http.Header{"If-None-Match": {`"1"`}}})
		assert.Equal(t, 304, unchanged.status)
		assert.Empty(t, unchanged.text)
		assert.Equal(t, 412, s.do(t, call{method: "GET", path: path, token: "read", header: http.Header{"If-Match": {`"2"`}}}).status)
		assert.Equal(t, 404, s.do(t, call{method: "GET", path: clients + "/none?format=rfc7591", token: "read"}).status)
		rejected := s.do(t, call{method: "GET", path: clients + "/bank?format=RFC7591", token: "read"})
		assert.Equal(t, []string{"?format contract"}, rejected.violated())
	})
}

// Lists and the feed have the same documents as reads.
func TestListsAndTheFeedInStandardNames(t *testing.T) {
	onBothStores(t, func(t *testing.T, s service) {
		createBank(t, s)
		for _, query := range []string{"?format=rfc7591", "?format=rfc7591&effective=true"} {
			read := s.do(t, call{method: "GET", path: clients + "/bank" + query, token: "read"})
			list := s.do(t, call{method: "GET", path: clients + query, token: "read"})
			require.Equal(t, 200, list.status, list.text)
			assert.Equal(t, metadataType, list.header.Get("Content-Type"))
			assert.Equal(t, []any{read.body}, list.body["items"])
			feed := s.do(t, call{method: "GET", path: "/admin/oauth/changes" + query, token: "read"})
			require.Equal(t, 200, feed.status, feed.text)
			assert.Equal(t, metadataType, feed.header.Get("Content-Type"))
			changes, _ := feed.data("changes").([]any)
			require.Len(t, changes, 1)
			change, _ := changes[0].(map[string]any)
			assert.Equal(t, read.body, change["client"])
			assert.NotContains(t, change, "jwks")
		}
	})
}

// A suspended client is not found if only active clients are requested, whatever the
// form and the preconditions are.
func TestReadOnlyActiveClients(t *testing.T) {
	onBothStores(t, func(t *testing.T, s service) {
		createBank(t, s)
		path := clients + "/bank"
		assert.Equal(t, 200, s.do(t, call{method: "GET", path: path + "?active=true", token: "read"}).status)
		suspended := s.do(t, call{method: "PUT", path: path, token: "admin", body: `{"status":"suspended"}`})
		require.Equal(t, 200, suspended.status, suspended.text)
		for _, query := range []string{"", "?active=false", "?format=rfc7591", "?format=rfc7591&active=false"} {
			read := s.do(t, call{method: "GET", path: path + query, token: "read"})
			assert.Equal(t, 200, read.status, query)
			assert.Contains(t, read.text, `"status":"suspended"`, query)
		}
		missing := s.do(t, call{method: "GET", path: clients + "/none", token: "read"})
		for _, query := range []string{"?active=true", "?format=rfc7591&active=true"} {
			for _, header := range []http.Header{{}, {"If-None-Match": {`"2"`}}, {"If-None-Match": {"*"}}, {"If-Match": {`"1"`}}} {
				read := s.do(t, call{method: "GET", path: path + query, token: "read", header: header})
				assert.Equal(t, 404, read.status, "%s %v", query, header)
				assert.Equal(t, missing.body["message"], read.body["message"])
				assert.Empty(t, read.header.Get("ETag"))
			}
		}
	})
}

// What a server is to apply is in a response only on request, and is not stored.
func TestEffectiveConfiguration(t *testing.T) {
	onBothStores(t, func(t *testing.T, s service) {
		id := s.create(t)
		path := clients + "/" + id
		plain := s.do(t, call{method: "GET", path: path, token: "read"})
		assert.NotContains(t, plain.text, "effective")
		assert.NotContains(t, plain.text, "response_types")

		read := s.do(t, call{method: "GET", path: path + "?effective=true", token: "read"})
		effective, _ := read.data("effective").(map[string]any)
		assert.Equal(t, []any{"code"}, effective["response_types"])
		assert.Equal(t, "web", effective["application_type"])
		assert.Equal(t, "public", effective["subject_type"])
		assert.Equal(t, `["client_secret_basic"]`, effective["client_auth_methods"])
		assert.Equal(t, plain.data("name"), effective["name"])
		assert.NotContains(t, effective, "jwks")
		data, _ := read.body["data"].(map[string]any)
		delete(data, "effective")
		assert.Equal(t, plain.body["data"], data, "the fields beside it are as stored")

		list := s.do(t, call{method: "GET", path: clients + "?effective=true", token: "read"})
		items, _ := list.body["items"].([]any)
		require.Len(t, items, 1)
		assert.Equal(t, effective, items[0].(map[string]any)["effective"])
		feed := s.do(t, call{method: "GET", path: "/admin/oauth/changes?effective=true", token: "read"})
		changes, _ := feed.data("changes").([]any)
		require.Len(t, changes, 1)
		assert.Equal(t, effective, changes[0].(map[string]any)["client"].(map[string]any)["effective"])

		document := s.do(t, call{method: "GET", path: path + "?format=rfc7591&effective=true", token: "read"})
		assert.Equal(t, []any{"code"}, document.body["response_types"])
		assert.NotContains(t, document.body, "effective")
		again := s.do(t, call{method: "GET", path: path, token: "read"})
		assert.Equal(t, plain.body["data"], again.body["data"])

		// The default of RFC 7591 for absent response types is not that of the grant.
		service := s.do(t, call{method: "POST", path: clients, token: "admin", body: `{"client_id":"export","name":"Export","grant_types":["client_credentials"]}`})
		require.Equal(t, 201, service.status, service.text)
		export := s.do(t, call{method: "GET", path: clients + "/export?effective=true", token: "read"})
		assert.Equal(t, []any{}, export.data("effective").(map[string]any)["response_types"])
		export = s.do(t, call{method: "GET", path: clients + "/export?format=rfc7591&effective=true", token: "read"})
		assert.Equal(t, []any{}, export.body["response_types"])
		export = s.do(t, call{method: "GET", path: clients + "/export?format=rfc7591", token: "read"})
		assert.NotContains(t, export.body, "response_types")
	})
}

// purgedStore is a store whose only change is the purge of its client.
type purgedStore struct{ fixedStore }

func (s purgedStore) Changes(context.Context, domain.TenantID, application.Cursor, int) (application.Changes, error) {
	purge := domain.Revision{Action: domain.ActionPurge, At: s.client.UpdatedAt(), Client: s.client}
	return application.Changes{Revisions: []domain.Revision{purge}, Next: "p1.2.00112233445566778899"}, nil
}

// A purged client has an identity, but no configuration, and nothing follows from it.
func TestPurgedClientsInEveryForm(t *testing.T) {
	at := time.Date(2026, 4, 15, 10, 30, 0, 0, time.UTC)
	s := serviceOver(t, purgedStore{fixedStore{client: domain.Restore(domain.State{
		Identity: domain.Identity{ID: "client_1", TenantID: "tenant_a", ClientID: "app-123"}, Revision: 3,
		CreatedAt: at, UpdatedAt: at, DeletedAt: at, PurgedAt: at,
	})}})
	for _, query := range []string{"?format=rfc7591", "?format=rfc7591&effective=true"} {
		feed := s.do(t, call{method: "GET", path: "/admin/oauth/changes" + query, token: "read"})
		changes, _ := feed.data("changes").([]any)
		require.Len(t, changes, 1)
		assert.Equal(t, decoded(t, `{
			"client_id": "app-123", "client_id_issued_at": 1776249000, "tenant_id": "tenant_a", "revision": 3,
			"updated_at": "2026-04-15T10:30:00Z", "deleted_at": "2026-04-15T10:30:00Z"
		}`), changes[0].(map[string]any)["client"])
	}
	feed := s.do(t, call{method: "GET", path: "/admin/oauth/changes?effective=true", token: "read"})
	assert.NotContains(t, feed.text, "effective")
}

// settings are random configurations that every form can have: scopes without spaces
// (RFC 6749 §3.3), and keys in the form in which responses have them.
func settings() *rapid.Generator[domain.Settings] {
	text := rapid.OneOf(
		rapid.StringMatching(`[ -~éß😀]{1,12}`),
		rapid.SampledFrom([]string{"null", "~", "yes", "1e3", "0x1f", "- a", "a: b", "#x", `"`, `\`, "<<", "\u2028", "<&>"}),
	)
	scope := rapid.StringMatching(`[!#-\[\]-~]{1,8}`)
	keys := rapid.SampledFrom([]string{
		`{"kty":"OKP","use":"sig","alg":"EdDSA","kid":"1","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`,
		`{"kty":"OKP","kid":"\u0032 \/","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","x5c":["MA=="]}`,
	})
	return rapid.Custom(func(t *rapid.T) (s domain.Settings) {
		atURI := rapid.Bool().Draw(t, "keys at a URI")
		for f := range domain.Fields() {
			if f == domain.FieldJWKS && atURI || f == domain.FieldJWKSURI && !atURI || rapid.IntRange(0, 2).Draw(t, f.String()+" is set") == 0 {
				continue
			}
			switch v := f.Of(&s).(type) {
			case *domain.Text:
				*v = domain.Text(text.Draw(t, f.String()))
				if f == domain.FieldJWKS {
					*v = domain.Text(`{"keys":[` + strings.Join(rapid.SliceOfN(keys, 1, 3).Draw(t, "keys"), ",") + `]}`)
				}
			case *domain.Flag:
				*v = true
			case domain.Texts:
				element := text
				if f == domain.FieldScopes {
					element = scope
				}
				v.SetTexts(rapid.SliceOfN(element, 0, 4).Draw(t, f.String()))
			case *domain.MaxAge:
				v.SetInt(rapid.Int64Range(-1, 31_536_000).Draw(t, f.String()))
			case domain.Integer:
				v.SetInt(rapid.Int64Range(0, 2_592_000).Draw(t, f.String()))
			case *domain.Map:
				if labels := rapid.MapOfN(text, text, 0, 3).Draw(t, f.String()); len(labels) > 0 {
					*v = labels
				}
			}
		}
		return s
	})
}

// Random clients are the same after a round trip through every form: the stored
// document, the form of the API, the standard names, and client files. A response that
// is saved to a file can be read as it is.
func TestRoundTripsThroughEveryForm(t *testing.T) {
	store := &fixedStore{}
	s := serviceOver(t, store)
	reader, err := clientfile.NewReader()
	require.NoError(t, err)
	get := func(path string) response { return s.do(t, call{method: "GET", path: path, token: "read"}) }
	rapid.Check(t, func(t *rapid.T) {
		state := usualState()
		state.Settings = settings().Draw(t, "settings")
		store.client = domain.Restore(state)
		equal := func(name, file string, text []byte) {
			documents, err := reader.Read(file, text)
			require.NoError(t, err, "%s: %s", name, text)
			require.Len(t, documents, 1, name)
			require.Empty(t, documents[0].Breaches, "%s: %s", name, text)
			assert.Equal(t, string(state.Identity.ClientID), documents[0].ClientID, name)
			got := documents[0].Change.Values()
			if keys := state.Settings.Keys; strings.HasSuffix(file, ".yaml") && keys.Inline() != "" { // YAML has no JSON texts
				assert.JSONEq(t, keys.Inline(), got.Keys.Inline(), name)
				got.Keys = keys
			}
			assert.Equal(t, state.Settings, got, "%s: %s", name, text)
		}

		stored, secrets, err := document.Encode(store.client)
		require.NoError(t, err)
		back, err := document.Decode(stored, secrets)
		require.NoError(t, err)
		assert.Equal(t, state.Settings, back.Settings())

		file, err := clientfile.Write(state.Identity.ClientID, domain.ChangeTo(state.Settings))
		require.NoError(t, err)
		equal("a client file", "a.yaml", file)

		inStandardNames := get(clients + "/app-123?format=rfc7591")
		equal("the standard names", "a.json", []byte(inStandardNames.text))
		equal("the standard names as YAML", "a.yaml", []byte(inStandardNames.text))

		feed := get("/admin/oauth/changes?effective=true")
		change, _ := feed.data("changes").([]any)[0].(map[string]any)
		item, _ := change["client"].(map[string]any)
		if keys, given := change["jwks"]; given {
			item["jwks"] = keys
		}
		text, err := json.Marshal(item)
		require.NoError(t, err)
		equal("the form of the API", "a.json", text)
	})
}
