package rest_test

import (
	"context"
	"database/sql"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/postgres"
	"github.com/clientele-oauth/clientele/adapters/sqlite"
)

// onBothStoresWithSQL runs a test with a handler on each of the stores, and a function
// that executes an SQL statement in the store's database.
func onBothStoresWithSQL(t *testing.T, test func(t *testing.T, s service, execute func(statement string))) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "test.db")
		store, err := sqlite.Open(path)
		require.NoError(t, err)
		t.Cleanup(func() { assert.NoError(t, store.Close()) })
		_, err = store.Migrate(t.Context())
		require.NoError(t, err)
		db, err := sql.Open("sqlite", path)
		require.NoError(t, err)
		t.Cleanup(func() { assert.NoError(t, db.Close()) })
		test(t, serviceOver(t, store), func(statement string) {
			_, err := db.ExecContext(t.Context(), statement)
			require.NoError(t, err)
		})
	})
	t.Run("postgres", func(t *testing.T) {
		url, err := database.NewDatabase(t.Context())
		require.NoError(t, err)
		store, err := postgres.Open(t.Context(), url, nil)
		require.NoError(t, err)
		t.Cleanup(store.Close)
		_, err = store.Migrate(t.Context())
		require.NoError(t, err)
		conn, err := pgx.Connect(t.Context(), url)
		require.NoError(t, err)
		t.Cleanup(func() { assert.NoError(t, conn.Close(context.Background())) })
		test(t, serviceOver(t, store), func(statement string) {
			_, err := conn.Exec(t.Context(), statement)
			require.NoError(t, err)
		})
	})
}

// warned lists the rules of the warnings of a response.
func warned(r response) []string {
	rules := []string{}
	warnings, _ := r.body["warnings"].([]any)
	for _, w := range warnings {
		rules = append(rules, w.(map[string]any)["rule"].(string))
	}
	return rules
}

func TestInvalidExpiryTimesAreRejected(t *testing.T) { onBothStores(t, testExpiryTimes) }

func testExpiryTimes(t *testing.T, s service) {
	id := s.create(t)
	path := clients + "/" + id
	tests := map[string]string{
		"year 10000 in UTC":                       `"9999-12-31T23:59:59-05:00"`,
		"the last second of RFC 3339":             `"9999-12-31T23:59:59Z"`,
		"the zero time":                           `"0001-01-01T00:00:00Z"`,
		"the zero time in another zone":           `"0001-01-01T01:00:00+01:00"`,
		"year 0":                                  `"0000-01-01T00:00:00Z"`,
		"year -1 in UTC":                          `"0000-01-01T00:00:00+23:59"`,
		"the past":                                `"2001-01-01T00:00:00Z"`,
		"one day more than ten years from now":    `"` + time.Now().AddDate(10, 0, 1).Format(time.RFC3339) + `"`,
		"ten years and a day in another zone too": `"` + time.Now().AddDate(10, 0, 1).In(time.FixedZone("", -12*3600)).Format(time.RFC3339) + `"`,
	}
	for name, at := range tests {
		a := s.do(t, call{method: "POST", path: path + "/secrets", token: "admin", body: `{"expires_at":` + at + `}`})
		assert.Equal(t, 400, a.status, "%s: %s", name, a.text)
		assert.Equal(t, []string{"/expires_at contract"}, a.violated(), name)
	}
	accepted := s.do(t, call{method: "POST", path: path + "/secrets", token: "admin", body: `{"expires_at":"` + time.Now().AddDate(10, 0, -1).Format(time.RFC3339) + `"}`})
	assert.Equal(t, 201, accepted.status, accepted.text)
	secrets := s.do(t, call{method: "GET", path: path + "/secrets", token: "admin"})
	list, _ := secrets.data("secrets").([]any)
	assert.Len(t, list, 2, "rejected requests store nothing")
	assert.Equal(t, `"2"`, s.do(t, call{method: "GET", path: path, token: "admin"}).header.Get("ETag"))
}

// The first release stored an expiry time that it could not read back. Such a client can
// still be read, changed and deleted, but its secrets cannot be used.
func TestClientWithUnreadableSecretsStaysUsable(t *testing.T) {
	onBothStoresWithSQL(t, testUnreadableSecrets)
}

func testUnreadableSecrets(t *testing.T, s service, execute func(string)) {
	id, other := s.create(t), s.create(t)
	path := clients + "/" + id
	execute(`UPDATE clients SET secrets = '[{"id":"s1","hash":"AQID","last_four":"cdef","created_at":"2026-04-15T10:30:00Z",` +
		`"expires_at":"10000-01-01T04:59:59Z"}]' WHERE client_id = '` + id + `'`)

	read := s.do(t, call{method: "GET", path: path, token: "admin"})
	require.Equal(t, 200, read.status, read.text)
	assert.Equal(t, []string{"secrets-unreadable"}, warned(read))
	assert.Nil(t, read.data("secret_last_four"))
	assert.ElementsMatch(t, []string{id, other}, idsOf(s.do(t, call{method: "GET", path: clients, token: "admin"})))

	for name, c := range map[string]call{
		"list":   {method: "GET", path: path + "/secrets"},
		"create": {method: "POST", path: path + "/secrets"},
		"rotate": {method: "POST", path: path + "/rotate-secret"},
		"delete": {method: "DELETE", path: path + "/secrets/s1"},
		"verify": {method: "POST", path: path + "/verify-secret", body: `{"secret":"x"}`},
	} {
		c.token = "admin"
		a := s.do(t, c)
		assert.Equal(t, 500, a.status, "%s: %s", name, a.text)
		assert.Contains(t, a.body["message"], "clientele doctor", name)
	}
	assert.Contains(t, s.logs.String(), id, "the log names the client")
	undecided := s.authenticate(t, map[string]any{"authorization": basic(id, "x")})
	assert.Equal(t, 503, undecided.status, "an authorization server must not answer invalid_client: %s", undecided.text)
	assert.Contains(t, undecided.body["message"], "clientele doctor")
	assert.NotEmpty(t, undecided.header.Get("Retry-After"))

	for name, c := range map[string]call{
		"suspend":  {method: "PUT", path: path, body: `{"status":"suspended"}`},
		"rename":   {method: "PUT", path: path, body: `{"name":"Another"}`},
		"activate": {method: "PUT", path: path, body: `{"status":"active"}`},
		"revert":   {method: "POST", path: path + "/revisions/1/restore"},
		"delete":   {method: "DELETE", path: path},
	} {
		c.token = "admin"
		a := s.do(t, c)
		assert.Less(t, a.status, 300, "%s: %s", name, a.text)
		if name == "delete" {
			a = s.do(t, call{method: "POST", path: path + "/restore", token: "admin"})
			require.Equal(t, 200, a.status, a.text)
		}
	}
	const repaired = `UPDATE clients SET secrets = CAST(replace(CAST(secrets AS text), '10000-01-01T04:59:59Z', '9999-12-31T23:59:59Z') AS `
	kind := "json"
	if strings.HasSuffix(t.Name(), "sqlite") {
		kind = "text"
	}
	execute(repaired + kind + `) WHERE client_id = '` + id + `'`)
	secrets := s.do(t, call{method: "GET", path: path + "/secrets", token: "admin"})
	require.Equal(t, 200, secrets.status, secrets.text)
	list, _ := secrets.data("secrets").([]any)
	assert.Len(t, list, 1, "the stored secrets were kept")
}

func TestUnreadableClientDoesNotAffectOthers(t *testing.T) {
	onBothStoresWithSQL(t, testUnreadableClient)
}

func testUnreadableClient(t *testing.T, s service, execute func(string)) {
	first, second := s.create(t), s.create(t)
	if second < first {
		first, second = second, first
	}
	update := s.do(t, call{method: "PUT", path: clients + "/" + second, token: "admin", body: `{"name":"Another"}`})
	require.Equal(t, 200, update.status)
	execute(`UPDATE clients SET document = '{"name":5}' WHERE client_id = '` + second + `'`)
	execute(`UPDATE revisions SET document = '{"name":5}' WHERE number = 2`)

	page := s.do(t, call{method: "GET", path: clients, token: "admin"})
	require.Equal(t, 200, page.status, page.text)
	assert.Equal(t, []string{first}, idsOf(page))
	assert.Equal(t, []any{second}, page.body["unreadable"])
	assert.EqualValues(t, 2, page.body["total"])
	next := s.do(t, call{method: "GET", path: clients + "?limit=1&after=" + first, token: "admin"})
	require.Equal(t, 200, next.status, next.text)
	assert.Equal(t, []any{second}, next.body["unreadable"])
	assert.NotContains(t, next.body, "next")
	third := s.do(t, call{method: "POST", path: clients, token: "admin", body: `{"client_id":"zzz","name":"Z","redirect_uris":["https://a.example/cb"]}`})
	require.Equal(t, 201, third.status, third.text)
	next = s.do(t, call{method: "GET", path: clients + "?limit=1&after=" + first, token: "admin"})
	assert.Equal(t, second, next.body["next"], "the list continues after the unreadable client")

	for _, c := range []call{
		{method: "GET", path: clients + "/" + second},
		{method: "PUT", path: clients + "/" + second, body: `{"status":"suspended"}`},
		{method: "DELETE", path: clients + "/" + second},
		{method: "GET", path: clients + "/" + second + "/revisions/2"},
		{method: "POST", path: clients + "/" + first + "/revisions/1/restore"},
	} {
		c.token = "admin"
		a := s.do(t, c)
		if c.path == clients+"/"+first+"/revisions/1/restore" {
			assert.Equal(t, 200, a.status, a.text)
			continue
		}
		assert.Equal(t, 500, a.status, a.text)
		assert.Contains(t, a.body["message"], "clientele doctor")
		assert.NotContains(t, a.text, "name")
	}
	assert.Contains(t, s.logs.String(), second, "the log names the client")

	history := s.do(t, call{method: "GET", path: clients + "/" + second + "/revisions", token: "admin"})
	require.Equal(t, 200, history.status, history.text)
	revisions := list(t, history.body["data"], "revisions")
	require.Len(t, revisions, 2)
	assert.Equal(t, true, revisions[0]["unreadable"])
	assert.Equal(t, "update", revisions[0]["action"])
	assert.Equal(t, []any{}, revisions[0]["differences"])
	assert.NotContains(t, revisions[1], "unreadable")

	var changes []map[string]any
	for after := ""; len(changes) < 4; {
		feed := s.do(t, call{method: "GET", path: "/admin/oauth/changes?limit=2&wait_seconds=30" + after, token: "admin"})
		require.Equal(t, 200, feed.status, feed.text)
		changes = append(changes, list(t, feed.body["data"], "changes")...)
		require.NotEmpty(t, feed.data("next"))
		after = "&after=" + feed.data("next").(string)
	}
	require.Len(t, changes, 4)
	assert.Equal(t, true, changes[2]["unreadable"])
	assert.Equal(t, second, changes[2]["client_id"])
	assert.EqualValues(t, 2, changes[2]["revision"])
	assert.NotContains(t, changes[2], "client")
	assert.Contains(t, changes[3], "client")
}

// Every response with an active confidential client that has no valid secret contains a
// warning.
func TestClientWithoutAValidSecretGetsAWarning(t *testing.T) {
	onBothStoresWithSQL(t, func(t *testing.T, s service, execute func(string)) {
		id := s.create(t)
		path := clients + "/" + id
		read := s.do(t, call{method: "GET", path: path, token: "admin"})
		assert.Empty(t, warned(read))
		assert.NotEmpty(t, read.data("secret_last_four"))
		execute(`UPDATE clients SET secrets = '[{"id":"s1","hash":"AQID","last_four":"dead","created_at":"2020-04-15T10:30:00Z",` +
			`"expires_at":"2021-01-01T04:59:59Z"}]' WHERE client_id = '` + id + `'`)

		for _, c := range []call{
			{method: "GET", path: path},
			{method: "PUT", path: path, body: `{}`},
			{method: "PUT", path: path, body: `{"name":"Another"}`},
			{method: "PUT", path: path + "?dry_run=true", body: `{"name":"A third"}`},
			{method: "POST", path: path + "/revisions/1/restore"},
			{method: "DELETE", path: path},
			{method: "POST", path: path + "/restore?dry_run=true"},
			{method: "POST", path: path + "/restore"},
		} {
			c.token = "admin"
			a := s.do(t, c)
			if c.method == http.MethodDelete {
				require.Equal(t, 204, a.status)
				continue
			}
			require.Equal(t, 200, a.status, a.text)
			assert.Equal(t, []string{"secret-none-live"}, warned(a), "%s %s", c.method, c.path)
			assert.NotContains(t, a.text, "dead", "%s %s", c.method, c.path)
		}
		assert.NotContains(t, s.do(t, call{method: "GET", path: clients, token: "admin"}).text, "dead")
		suspended := s.do(t, call{method: "PUT", path: path, token: "admin", body: `{"status":"suspended"}`})
		assert.Empty(t, warned(suspended))
		require.Equal(t, 200, s.do(t, call{method: "PUT", path: path, token: "admin", body: `{"status":"active"}`}).status)
		require.Equal(t, 201, s.do(t, call{method: "POST", path: path + "/secrets", token: "admin"}).status)
		assert.Empty(t, warned(s.do(t, call{method: "GET", path: path, token: "admin"})))
	})
}
