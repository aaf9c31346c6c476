package main_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/cmd/servicetest"
)

// releaseGolden has the responses of the first release to reads of its database, which is
// testdata/first-release.sql of each store. testdata/first-release/README.md describes how
// both were made.
type releaseGolden struct {
	Reads []releaseRead
	// Feeds has each tenant's complete change feed, without the division into pages.
	Feeds map[string]struct {
		Cursor  string // of the end, in the format of the first release
		Changes []any
	}
	Replays []struct {
		Tenant, Subject, Path, Body string
		Headers                     map[string]string
		Response                    map[string]any
	}
}

type releaseRead struct {
	Tenant, Method, Path, ETag string
	Status                     int
	Body                       any
	Response                   map[string]any // nil for an error, whose texts are not part of the comparison
}

// name identifies the read in the output of the test.
func (r releaseRead) name() string { return r.Tenant + " " + r.Method + " " + r.Path }

// released is a service that runs on a migrated database of the first release.
type released struct {
	*program
	data   string
	golden releaseGolden
	tokens map[string]string
}

// customGrant is the extension grant type that the first release was started with.
const customGrant = "urn:example:params:oauth:grant-type:custom"

// loadFirstRelease loads a database of the first release.
func loadFirstRelease(t *testing.T, data string, flags []string) (golden releaseGolden) {
	t.Helper()
	store, now := "sqlite", `strftime('%Y-%m-%dT%H:%M:%fZ')`
	if len(flags) > 0 {
		store, now = "postgres", `now()`
	}
	dump, err := os.ReadFile(filepath.Join("..", "..", "adapters", store, "testdata", "first-release.sql"))
	require.NoError(t, err)
	execute(t, data, flags, string(dump))
	// An idempotency record is kept for a day, so make those of the dump recent.
	attempts := map[string]string{"sqlite": "attempts", "postgres": "public.attempts"}[store]
	execute(t, data, flags, `UPDATE `+attempts+` SET at = `+now)

	file, err := os.Open(filepath.Join("testdata", "first-release", store+".json.gz"))
	require.NoError(t, err)
	defer file.Close()
	content, err := gzip.NewReader(file)
	require.NoError(t, err)
	require.NoError(t, json.NewDecoder(content).Decode(&golden))
	require.Len(t, golden.Reads, 313)
	require.Len(t, golden.Feeds["acme"].Changes, 45)
	require.Len(t, golden.Replays, 3)
	return golden
}

// migrateFirstRelease migrates a database of the first release and starts a service on it.
func migrateFirstRelease(t *testing.T, data string, flags []string) released {
	t.Helper()
	golden := loadFirstRelease(t, data, flags)
	migrated := runCommand(t, append([]string{"migrate", "--data", data}, flags...)...)
	require.Equal(t, 0, migrated.status, migrated.errors)

	pepper := func(content string) string {
		path := filepath.Join(data, "pepper-"+content)
		require.NoError(t, os.WriteFile(path, []byte(strings.Repeat(content, 32)), 0o600))
		return path
	}
	older, newer := pepper("a"), pepper("b")
	arguments := append([]string{
		"--dev", "--data", data, "--no-auto-migrate", "--grant-type", customGrant, "--key-preflight", "off",
	}, flags...)
	_, err := servicetest.Start(context.WithoutCancel(t.Context()), binary, servicetest.Options{}, append(arguments, "--pepper-file", newer)...)
	require.ErrorContains(t, err, "ff682f4e", "the migration records the peppers of the stored secrets")
	return released{start(t, append(arguments, "--pepper-file", newer+","+older)...), data, golden, map[string]string{}}
}

// send sends a request and returns the response with its decoded JSON body.
func (r released) send(
	t *testing.T, tenant, subject, method, path, body string, headers map[string]string,
) (response *http.Response, decoded map[string]any) {
	t.Helper()
	caller := tenant + " " + subject
	if r.tokens[caller] == "" {
		arguments := []string{"--tenant", tenant, "--subject", subject}
		if subject == "ci" {
			arguments = append(arguments, "--role", "", "--scope", "clients:read clients:write clients:verify")
		}
		r.tokens[caller] = token(t, r.data, arguments...)
	}
	request, err := http.NewRequestWithContext(t.Context(), method, r.URL+path, strings.NewReader(body))
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer "+r.tokens[caller])
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	for name, value := range headers {
		request.Header.Set(name, value)
	}
	response, err = http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	if len(content) > 0 {
		require.NoError(t, json.NewDecoder(bytes.NewReader(content)).Decode(&decoded), string(content))
	}
	return response, decoded
}

// repeat sends a read of the golden file again.
func (r released) repeat(t *testing.T, read releaseRead) (response *http.Response, decoded map[string]any) {
	t.Helper()
	body := ""
	if read.Body != nil {
		text, err := json.Marshal(read.Body)
		require.NoError(t, err)
		body = string(text)
	}
	return r.send(t, read.Tenant, "reader", read.Method, read.Path, body, nil)
}

// list returns the first page of a tenant's clients.
func (r released) list(t *testing.T, tenant string) (items []map[string]any, total int) {
	t.Helper()
	response, decoded := r.send(t, tenant, "reader", http.MethodGet, "/admin/oauth/clients?page=1&page_size=200", "", nil)
	require.Equal(t, http.StatusOK, response.StatusCode)
	for _, item := range decoded["items"].([]any) {
		items = append(items, item.(map[string]any))
	}
	return items, int(decoded["total"].(float64))
}

// changes follows the feed from a cursor to its end, seven changes at a time.
func (r released) changes(t *testing.T, tenant, after string) (changes []any, next string) {
	t.Helper()
	for {
		path := "/admin/oauth/changes?limit=7"
		if after != "" {
			path += "&after=" + after
		}
		response, decoded := r.send(t, tenant, "reader", http.MethodGet, path, "", nil)
		require.Equal(t, http.StatusOK, response.StatusCode)
		page := decoded["data"].(map[string]any)
		after, _ = page["next"].(string)
		if len(page["changes"].([]any)) == 0 {
			return changes, after
		}
		changes = append(changes, page["changes"].([]any)...)
	}
}

// damagedTenant has records as faults of the first release or of its disk could leave
// them. The other tenants have none.
const damagedTenant = "damaged"

// dropKnownDifferences removes the intended differences from the first release from a
// response.
func dropKnownDifferences(response any) {
	switch value := response.(type) {
	case map[string]any:
		// The wording of messages and the time of the response do not come from the
		// database. "code" is 0 for every success.
		delete(value, "code")
		delete(value, "message")
		delete(value, "timestamp")
		// Cursors have a new format that proves their history.
		// TestTheFeedOfTheFirstReleaseContinues uses them.
		delete(value, "changes_cursor")
		// Items have their revision since then; entries of the feed always had one.
		if _, item := value["tenant_id"]; item {
			delete(value, "revision")
		}
		// The newest secret of this client has expired. The first release showed its
		// last characters; later releases show those of the newest secret that has
		// not expired, see [checkLastFour].
		if value["client_id"] == "machine" {
			delete(value, "secret_last_four")
		}
		// A verification also reports since then for how long, and until when, it holds.
		if _, verification := value["valid"]; verification {
			delete(value, "max_age_seconds")
			delete(value, "expires_at")
		}
		for _, member := range value {
			dropKnownDifferences(member)
		}
	case []any:
		for _, element := range value {
			dropKnownDifferences(element)
		}
	}
}

// After its migration, a database of the first release has the same content: every client,
// list, secret, revision and key set, with the same ETags. Every secret verifies with the
// same result.
func TestADatabaseOfTheFirstReleaseKeepsItsContent(t *testing.T) {
	onBothStores(t, func(t *testing.T, data string, flags ...string) {
		r := migrateFirstRelease(t, data, flags)
		for _, read := range r.golden.Reads {
			if read.Tenant == damagedTenant {
				continue // TestDamagedRecordsOfTheFirstRelease
			}
			response, decoded := r.repeat(t, read)
			assert.Equal(t, read.Status, response.StatusCode, read.name())
			assert.Equal(t, read.ETag, response.Header.Get("ETag"), read.name())
			if read.Status != http.StatusOK {
				continue // error messages are not compared
			}
			dropKnownDifferences(read.Response)
			dropKnownDifferences(decoded)
			assert.Equal(t, read.Response, decoded, read.name())
			if read.ETag != "" {
				response, _ = r.send(t, read.Tenant, "reader", read.Method, read.Path, "", map[string]string{"If-None-Match": read.ETag})
				assert.Equal(t, http.StatusNotModified, response.StatusCode, read.name())
			}
		}
		checkLastFour(t, r)
	})
}

// checkLastFour checks the only field from the database that [dropKnownDifferences]
// removes.
func checkLastFour(t *testing.T, r released) {
	t.Helper()
	_, client := r.send(t, "acme", "reader", http.MethodGet, "/admin/oauth/clients/machine", "", nil)
	_, list := r.send(t, "acme", "reader", http.MethodGet, "/admin/oauth/clients/machine/secrets", "", nil)
	secrets := list["data"].(map[string]any)["secrets"].([]any)
	require.Len(t, secrets, 2)
	assert.Equal(t, "expired", secrets[1].(map[string]any)["status"])
	assert.Equal(t, secrets[0].(map[string]any)["last_four"], client["data"].(map[string]any)["secret_last_four"])
}

// The feed has the changes of the first release in their order, and new changes after
// them.
func TestTheFeedOfTheFirstReleaseContinues(t *testing.T) {
	onBothStores(t, func(t *testing.T, data string, flags ...string) {
		r := migrateFirstRelease(t, data, flags)
		for _, tenant := range []string{"acme", "globex"} {
			feed := r.golden.Feeds[tenant]
			changes, next := r.changes(t, tenant, "")
			dropKnownDifferences(feed.Changes)
			dropKnownDifferences(changes)
			require.Equal(t, feed.Changes, changes, tenant)

			// openapi.yaml: cursors of the first release are rejected.
			response, _ := r.send(t, tenant, "reader", http.MethodGet, "/admin/oauth/changes?after="+feed.Cursor, "", nil)
			assert.Equal(t, http.StatusBadRequest, response.StatusCode, feed.Cursor)

			_, decoded := r.send(t, tenant, "reader", http.MethodGet, "/admin/oauth/clients?limit=1", "", nil)
			for _, cursor := range []string{next, decoded["changes_cursor"].(string)} {
				changes, _ = r.changes(t, tenant, cursor)
				assert.Empty(t, changes, "%s: nothing has changed since", tenant)
			}
			response, decoded = r.send(t, tenant, "alice", http.MethodPut, "/admin/oauth/clients/web-all", `{"name":"New"}`, nil)
			require.Equal(t, http.StatusOK, response.StatusCode, decoded)
			// PostgreSQL holds the change back while another transaction is open, for example one of
			// the service that looks at the ends of secrets after a migration.
			require.Eventually(t, func() bool {
				changes, _ = r.changes(t, tenant, next)
				return len(changes) > 0
			}, 20*time.Second, 10*time.Millisecond)
			require.Len(t, changes, 1)
			assert.Equal(t, "New", changes[0].(map[string]any)["client"].(map[string]any)["name"])
		}
	})
}

// Every client of the first release can be changed, deleted, restored and purged, even if
// the current rules would reject it.
func TestClientsOfTheFirstReleaseCanBeChanged(t *testing.T) {
	onBothStores(t, func(t *testing.T, data string, flags ...string) {
		r := migrateFirstRelease(t, data, flags)
		post := func(tenant, path string, status int) {
			t.Helper()
			response, decoded := r.send(t, tenant, "alice", http.MethodPost, "/admin/oauth/clients/"+path, "", nil)
			require.Equal(t, status, response.StatusCode, "%s %s %v", tenant, path, decoded)
		}
		totals := map[string]int{"acme": 19, "globex": 3}
		for tenant, total := range totals {
			items, found := r.list(t, tenant)
			require.Len(t, items, total)
			require.Equal(t, total, found)
			for _, item := range items {
				id := item["client_id"].(string)
				if id == ".." {
					continue // HTTP clients remove this path segment, so later releases reject the identifier
				}
				path := "/admin/oauth/clients/" + id
				read, _ := r.send(t, tenant, "reader", http.MethodGet, path, "", nil)
				etag := read.Header.Get("ETag")
				response, decoded := r.send(t, tenant, "alice", http.MethodPut, path, `{"website":"https://changed.example.com"}`,
					map[string]string{"If-Match": etag})
				require.Equal(t, http.StatusOK, response.StatusCode, "%s %v", id, decoded)
				assert.NotEqual(t, etag, response.Header.Get("ETag"), id)
				if id == "tls-wildcard" || id == "tls-space" {
					assert.NotEmpty(t, decoded["warnings"], "%s: the current rules reject what the first release accepted", id)
				}
				item["website"], item["updated_at"] = "https://changed.example.com", decoded["data"].(map[string]any)["updated_at"]
				item["deleted_at"] = ""
				item["revision"] = item["revision"].(float64) + 1
				for field, value := range decoded["data"].(map[string]any) {
					if before, ok := item[field]; ok {
						assert.Equal(t, before, value, "%s: %s", id, field)
					}
				}
			}
		}
		post("acme", "history/revisions/1/restore", http.StatusOK)
		post("acme", "secrets/rotate-secret", http.StatusOK)
		for _, tenant := range []string{"acme", "globex"} {
			post(tenant, "deleted/restore", http.StatusOK)
			_, total := r.list(t, tenant)
			assert.Equal(t, totals[tenant]+1, total)
		}
		post("acme", "purged/restore", http.StatusNotFound)
		response, _ := r.send(t, "acme", "alice", http.MethodPost, "/admin/oauth/clients",
			`{"client_id":"purged","name":"Again","grant_types":["client_credentials"]}`, nil)
		assert.Equal(t, http.StatusConflict, response.StatusCode, "the identifier of a purged client stays reserved")

		purge := func() string {
			done := runCommand(t, append([]string{"purge", "--data", data, "--retention", "0s"}, flags...)...)
			require.Equal(t, 0, done.status, done.errors)
			return done.output
		}
		assert.Equal(t, "clients purged: 0\n", purge())
		for _, id := range []string{"web-all", "secrets", "restored"} {
			response, _ = r.send(t, "acme", "alice", http.MethodDelete, "/admin/oauth/clients/"+id, "", nil)
			require.Equal(t, http.StatusNoContent, response.StatusCode, id)
		}
		assert.Equal(t, "clients purged: 3\n", purge())
		_, decoded := r.send(t, "acme", "reader", http.MethodGet, "/admin/oauth/clients/web-all/revisions", "", nil)
		require.Len(t, decoded["data"].(map[string]any)["revisions"], 1)
		_, total := r.list(t, "acme")
		assert.Equal(t, totals["acme"]+1-3, total)
		items, _ := r.list(t, "globex")
		assert.Equal(t, "web-all", items[len(items)-1]["client_id"], "the client of the other tenant is unaffected")
	})
}

// An idempotency record of the first release ensures that its request is not processed
// twice. The response is not replayed; it is a 409, because records now also cover the
// preconditions and the reason of a request, which the first release did not store.
func TestIdempotencyKeysOfTheFirstReleaseAreRecognized(t *testing.T) {
	onBothStores(t, func(t *testing.T, data string, flags ...string) {
		r := migrateFirstRelease(t, data, flags)
		before, _ := r.changes(t, "acme", "")
		for _, replay := range r.golden.Replays {
			response, decoded := r.send(t, replay.Tenant, replay.Subject, http.MethodPost, replay.Path, replay.Body, replay.Headers)
			assert.Equal(t, http.StatusConflict, response.StatusCode, replay.Path)
			assert.Contains(t, decoded["message"], "Idempotency-Key", replay.Path)
		}
		after, _ := r.changes(t, "acme", "")
		assert.Len(t, after, len(before), "nothing was processed twice")
	})
}

// A damaged record of the first release affects no other record. The first release
// responded with 500 to every list, history and feed with such a record.
func TestDamagedRecordsOfTheFirstRelease(t *testing.T) {
	onBothStores(t, func(t *testing.T, data string, flags ...string) {
		r := migrateFirstRelease(t, data, flags)
		// statuses returns the statuses that differ from those of the first release.
		statuses := func() map[string]int {
			found := map[string]int{}
			for _, read := range r.golden.Reads {
				if read.Tenant != damagedTenant {
					continue
				}
				if response, _ := r.repeat(t, read); response.StatusCode != read.Status {
					found[read.Method+" "+strings.TrimPrefix(read.Path, "/admin/oauth/clients")] = response.StatusCode
				}
			}
			return found
		}
		for _, read := range r.golden.Reads {
			if read.Tenant == damagedTenant && read.Status == http.StatusOK {
				_, decoded := r.repeat(t, read)
				dropKnownDifferences(read.Response)
				dropKnownDifferences(decoded)
				assert.Equal(t, read.Response, decoded, read.name())
			}
		}
		want := map[string]int{
			// Lists omit only the client that cannot be read.
			"GET ?page=1&page_size=200": 200, "GET ?limit=500": 200, "GET ?limit=4&after=native": 200,
			"GET ?page=1&status=active": 200, "GET ?page=1&grant_type=client_credentials": 200,
			"GET ?page=1&updated_since=2000-01-01T00:00:00Z": 200,
			// A client whose secrets cannot be read is readable.
			"GET /overflow": 200, "GET /overflow/keys": 200,
			"GET /broken-secrets": 200, "GET /broken-secrets/keys": 200,
			// The other revisions of the client are readable.
			"GET /broken-revision/revisions?limit=100": 200,
		}
		assert.Equal(t, want, statuses())
		items, total := r.list(t, damagedTenant)
		assert.Len(t, items, 4)
		assert.Equal(t, 5, total)
		changes, _ := r.changes(t, damagedTenant, "")
		assert.Len(t, changes, 9)

		doctor := runCommand(t, append([]string{"doctor", "--data", data}, flags...)...)
		assert.Equal(t, 1, doctor.status, "two records cannot be repaired")
		assert.Contains(t, doctor.output, "examined 30 clients, 60 revisions, 3 idempotency records, 8 secret uses, 0 initial access tokens: 4 unreadable, 2 repaired")
		maps.Copy(want, map[string]int{
			// An expiry time after the year 9999 was repaired.
			"GET /overflow/secrets": 200, "POST /overflow/verify-secret": 200,
			// A document was repaired from its copy in the log.
			"GET /broken-document": 200, "GET /broken-document/secrets": 200, "GET /broken-document/keys": 200,
			"POST /broken-document/verify-secret": 200,
		})
		assert.Equal(t, want, statuses())
		_, decoded := r.send(t, damagedTenant, "reader", http.MethodGet, "/admin/oauth/clients/overflow/secrets", "", nil)
		secrets := decoded["data"].(map[string]any)["secrets"].([]any)
		require.Len(t, secrets, 2)
		assert.Equal(t, "9999-12-31T23:59:59Z", secrets[1].(map[string]any)["expires_at"])
		_, decoded = r.send(t, damagedTenant, "reader", http.MethodGet, "/admin/oauth/clients/broken-document", "", nil)
		assert.Equal(t, "second", decoded["data"].(map[string]any)["name"])
	})
}
