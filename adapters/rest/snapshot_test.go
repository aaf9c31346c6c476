package rest_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

const snapshotPath = "/admin/oauth/snapshot"

// oneKey is a key set with a public key.
const oneKey = `{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"1","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`

// linesOf decodes the lines of a snapshot.
func linesOf(t require.TestingT, text string) []map[string]any {
	var lines []map[string]any
	for line := range strings.Lines(text) {
		var object map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &object), "%q", line)
		lines = append(lines, object)
	}
	return lines
}

// register registers a client with the fields of the body.
func (s service) register(t *testing.T, id, fields string) {
	t.Helper()
	a := s.do(t, call{method: "POST", path: clients, token: "admin", body: `{"client_id":"` + id + `",` + fields + `}`})
	require.Equal(t, http.StatusCreated, a.status, a.text)
}

func TestSnapshotHasAllClientsOfTheTenant(t *testing.T) { onBothStores(t, testSnapshot) }

func testSnapshot(t *testing.T, s service) {
	empty := s.do(t, call{method: "GET", path: snapshotPath, token: "read"})
	assert.Equal(t, []map[string]any{{"changes_cursor": empty.lines(t)[0]["changes_cursor"]}, {"clients": 0.0}}, empty.lines(t))

	s.register(t, "keyed", `"name":"Keyed","grant_types":["client_credentials"],"client_auth_methods":["private_key_jwt"],"jwks":`+strconv.Quote(oneKey))
	s.register(t, "plain", `"name":"Plain","redirect_uris":["https://a.example/cb"]`)
	s.register(t, "gone", `"name":"Gone","redirect_uris":["https://a.example/cb"]`)
	s.register(t, "paused", `"name":"Paused","redirect_uris":["https://a.example/cb"]`)
	require.Equal(t, 204, s.do(t, call{method: "DELETE", path: clients + "/gone", token: "admin"}).status)
	require.Equal(t, 200, s.do(t, call{method: "PUT", path: clients + "/paused", token: "admin", body: `{"status":"suspended"}`}).status)
	other := s.do(t, call{method: "POST", path: clients, token: "other-tenant", body: webApp})
	require.Equal(t, 201, other.status)

	a := s.do(t, call{method: "GET", path: snapshotPath, token: "read"})
	require.Equal(t, http.StatusOK, a.status, a.text)
	assert.Equal(t, "application/x-ndjson", a.header.Get("Content-Type"))
	assert.True(t, strings.HasSuffix(a.text, "}\n"))
	lines := a.lines(t)
	require.Len(t, lines, 5)
	assert.Equal(t, []string{"changes_cursor"}, slices.Collect(maps.Keys(lines[0])))
	assert.Equal(t, map[string]any{"clients": 3.0}, lines[4])
	var ids []any
	for _, line := range lines[1:4] {
		ids = append(ids, line["client_id"])
		item := s.do(t, call{method: "GET", path: clients + "/" + line["client_id"].(string) + "?include=jwks", token: "admin"})
		assert.Equal(t, item.body["data"], line, "a line is the item of the client with its keys")
		assert.Equal(t, item.header.Get("ETag"), fmt.Sprintf(`"%v"`, line["revision"]))
	}
	assert.Equal(t, []any{"keyed", "paused", "plain"}, ids)
	assert.Contains(t, a.text, `"jwks":`+strconv.Quote(oneKey), "exactly as registered")
	assert.Equal(t, "suspended", lines[2]["status"])
	assert.NotContains(t, lines[3], "jwks", "the client has no inline keys")
	assert.Equal(t, a.text, s.do(t, call{method: "GET", path: snapshotPath + "?include=jwks", token: "read"}).text, "a snapshot always has the keys")

	next := s.do(t, call{method: "GET", path: "/admin/oauth/changes?after=" + lines[0]["changes_cursor"].(string), token: "read"})
	assert.Equal(t, []any{}, next.data("changes"))
	foreign := s.do(t, call{method: "GET", path: snapshotPath, token: "other-tenant"}).lines(t)
	assert.Equal(t, other.data("client_id"), foreign[1]["client_id"])
	assert.Len(t, foreign, 3)

	head := s.do(t, call{method: "HEAD", path: snapshotPath, token: "read"})
	assert.Equal(t, http.StatusOK, head.status)
	assert.Equal(t, "application/x-ndjson", head.header.Get("Content-Type"))
	assert.Empty(t, head.text)
}

// A line has a client in the same form as the operation that reads one client.
func TestSnapshotsInOtherForms(t *testing.T) {
	s := newService(t)
	s.register(t, "keyed", `"name":"Keyed","grant_types":["client_credentials"],"client_auth_methods":["private_key_jwt"],"jwks":`+strconv.Quote(oneKey))
	s.register(t, "plain", `"name":"Plain","redirect_uris":["https://a.example/cb"]`)
	for _, query := range []string{"format=rfc7591", "effective=true", "format=rfc7591&effective=true"} {
		for _, line := range s.do(t, call{method: "GET", path: snapshotPath + "?" + query, token: "read"}).lines(t)[1:3] {
			path := clients + "/" + line["client_id"].(string) + "?" + query
			if !strings.Contains(query, "format") {
				path += "&include=jwks"
			}
			var one map[string]any
			require.NoError(t, json.Unmarshal([]byte(s.do(t, call{method: "GET", path: path, token: "admin"}).text), &one))
			if data, enveloped := one["data"].(map[string]any); enveloped {
				one = data
			}
			assert.Equal(t, one, line, query)
		}
	}
}

func TestSnapshotWithSecretVerifiers(t *testing.T) {
	s := newService(t)
	s.register(t, "keyed", `"name":"Keyed","grant_types":["client_credentials"],"client_auth_methods":["private_key_jwt"],"jwks":`+strconv.Quote(oneKey))
	s.register(t, "plain", `"name":"Plain","redirect_uris":["https://a.example/cb"]`)
	path := snapshotPath + "?include=secret_verifiers"
	rejected := s.do(t, call{method: "GET", path: path, token: "read"})
	assert.Equal(t, http.StatusForbidden, rejected.status)
	assert.Contains(t, rejected.text, "clients:verifiers")
	lines := s.do(t, call{method: "GET", path: path, token: "admin"}).lines(t)
	assert.Equal(t, []any{}, lines[1]["secret_verifiers"])
	assert.Equal(t, s.do(t, call{method: "GET", path: clients + "/plain/secret-verifiers", token: "admin"}).data("secret_verifiers"), lines[2]["secret_verifiers"])
	assert.Len(t, lines[2]["secret_verifiers"], 1)
	without := s.do(t, call{method: "GET", path: snapshotPath, token: "admin"})
	assert.NotContains(t, without.text, "secret_verifiers")
}

// lines decodes the lines of a snapshot.
func (r response) lines(t *testing.T) []map[string]any {
	t.Helper()
	require.Equal(t, http.StatusOK, r.status, r.text)
	return linesOf(t, r.text)
}

func TestIncludeAddsTheKeysToItemsAndLists(t *testing.T) {
	s := newService(t)
	s.register(t, "keyed", `"name":"Keyed","grant_types":["client_credentials"],"client_auth_methods":["private_key_jwt"],"jwks":`+strconv.Quote(oneKey))
	for _, path := range []string{clients + "/keyed", clients, clients + "?limit=5"} {
		separator := "?"
		if strings.Contains(path, "?") {
			separator = "&"
		}
		without := s.do(t, call{method: "GET", path: path, token: "admin"})
		assert.NotContains(t, without.text, `"jwks"`, path)
		assert.Contains(t, without.text, `"revision":1`, path)
		with := s.do(t, call{method: "GET", path: path + separator + "include=jwks", token: "admin"})
		assert.Contains(t, with.text, `"jwks":`+strconv.Quote(oneKey), path)
		for _, value := range []string{"", "keys", "JWKS", "jwks,jwks"} {
			wrong := s.do(t, call{method: "GET", path: path + separator + "include=" + value, token: "admin"})
			assert.Equal(t, http.StatusBadRequest, wrong.status, "%s: %q", path, value)
			assert.Equal(t, []string{"?include contract"}, wrong.violated())
		}
	}
	assert.Equal(t, []string{"?include contract"}, s.do(t, call{method: "GET", path: snapshotPath + "?include=secrets", token: "admin"}).violated())
	assert.Equal(t, []string{"?after contract"}, s.do(t, call{method: "GET", path: snapshotPath + "?after=x", token: "admin"}).violated())
}

// A dry run shows no revision, because it creates none.
func TestDryRunsHaveNoRevision(t *testing.T) {
	s := newService(t)
	id := s.create(t)
	assert.EqualValues(t, 2, s.do(t, call{method: "PUT", path: clients + "/" + id, token: "admin", body: `{"name":"B"}`}).data("revision"))
	assert.Nil(t, s.do(t, call{method: "PUT", path: clients + "/" + id + "?dry_run=true", token: "admin", body: `{"name":"C"}`}).data("revision"))
	assert.EqualValues(t, 1, s.do(t, call{method: "POST", path: clients, token: "admin", body: webApp}).data("revision"))
	assert.Nil(t, s.do(t, call{method: "POST", path: clients + "?dry_run=true", token: "admin", body: webApp}).data("revision"))
	assert.Nil(t, s.do(t, call{method: "PUT", path: clients + "/" + id, token: "write", body: `{"name":"D"}`}).data("revision"), "the caller may not read")
}

func TestSnapshotNamesUnreadableClients(t *testing.T) {
	onBothStoresWithSQL(t, func(t *testing.T, s service, execute func(statement string)) {
		for _, id := range []string{"a", "b", "c"} {
			s.register(t, id, `"name":"App","redirect_uris":["https://a.example/cb"]`)
		}
		execute(`UPDATE clients SET document = '{"name":5}' WHERE client_id = 'b'`)
		lines := s.do(t, call{method: "GET", path: snapshotPath, token: "admin"}).lines(t)
		require.Len(t, lines, 5)
		assert.Equal(t, "a", lines[1]["client_id"])
		assert.Equal(t, "c", lines[2]["client_id"])
		assert.Equal(t, map[string]any{"unreadable": []any{"b"}}, lines[3])
		assert.Equal(t, map[string]any{"clients": 2.0}, lines[4])
	})
}

// pagedStore is a store that calls a function before it returns each list.
type pagedStore struct {
	application.Store
	before func(lists int) error
	lists  int
}

func (p *pagedStore) List(ctx context.Context, tenant domain.TenantID, q application.Query) (application.Page, error) {
	p.lists++
	if err := p.before(p.lists); err != nil {
		return application.Page{}, err
	}
	return p.Store.List(ctx, tenant, q)
}

// A snapshot that fails has no last line, and the connection is closed.
func TestIncompleteSnapshotIsDetectable(t *testing.T) {
	failAt := func(n int) func(int) error {
		return func(lists int) error {
			if lists >= n {
				return application.ErrUnavailable
			}
			return nil
		}
	}
	large := domain.Restore(domain.State{
		Identity: domain.Identity{ClientID: "app"}, Settings: domain.Settings{Name: strings.Repeat("a", 100_000)},
	})
	for first, status := range map[int]int{1: http.StatusServiceUnavailable, 3: 0} {
		s := serviceOver(t, &pagedStore{Store: fixedStore{client: large}, before: failAt(first)}, func(c *setup) { c.Registry.SnapshotPage = 3 })
		if status != 0 {
			a := s.do(t, call{method: "GET", path: snapshotPath, token: "admin"})
			assert.Equal(t, status, a.status, "nothing was sent yet")
			assert.Equal(t, "application/json", a.header.Get("Content-Type"))
			continue
		}
		server := httptest.NewServer(s.handler)
		t.Cleanup(server.Close)
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+snapshotPath, http.NoBody)
		require.NoError(t, err)
		r.Header.Set("Authorization", "Bearer admin")
		response, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		defer response.Body.Close()
		assert.Equal(t, http.StatusOK, response.StatusCode)
		lines := bufio.NewScanner(response.Body)
		lines.Buffer(nil, 1<<20)
		last := ""
		for lines.Scan() {
			last = lines.Text()
		}
		require.Error(t, lines.Err(), "the connection ends in the middle of a chunk")
		assert.NotContains(t, last, `{"clients":`)
		server.Close()
		assert.Contains(t, s.logs.String(), "response aborted")
		assert.Contains(t, s.logs.String(), `"route":"`+snapshotPath+`"`, "an aborted request is in the access log")
	}
	// A failure before anything was sent is an error response, also after the first page.
	small := domain.Restore(domain.State{Identity: domain.Identity{ClientID: "app"}})
	s := serviceOver(t, &pagedStore{Store: fixedStore{client: small}, before: failAt(2)}, func(c *setup) { c.Registry.SnapshotPage = 3 })
	assert.Equal(t, http.StatusServiceUnavailable, s.do(t, call{method: "GET", path: snapshotPath, token: "admin"}).status)
}

// endless is a store with a snapshot that never ends.
func endless() application.Store {
	return fixedStore{client: domain.Restore(domain.State{
		Identity: domain.Identity{ClientID: "app"}, Settings: domain.Settings{Name: strings.Repeat("a", 100_000)},
	})}
}

// openSnapshot requests a snapshot and returns the connection after the first byte of the
// response. Nothing more is read.
func openSnapshot(t *testing.T, server *httptest.Server) net.Conn {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", server.Listener.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	_, err = fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer admin\r\n\r\n", snapshotPath)
	require.NoError(t, err)
	_, err = conn.Read(make([]byte, 1))
	require.NoError(t, err)
	return conn
}

// Readers that do not read hold no slot for concurrent requests; the number of snapshots
// is limited; and the service ends a snapshot whose reader does not take a page in time.
func TestSnapshotsOfSlowReaders(t *testing.T) {
	s := serviceOver(t, endless(), func(c *setup) { c.MaxConcurrent = 1; c.Deadline = 20 * time.Second })
	server := httptest.NewServer(s.handler)
	t.Cleanup(server.Close)
	var conns []net.Conn
	for range 4 {
		conns = append(conns, openSnapshot(t, server))
	}
	read := s.do(t, call{method: "GET", path: clients + "/app", token: "read"})
	assert.Equal(t, http.StatusOK, read.status, "the only slot is free")
	fifth := s.do(t, call{method: "GET", path: snapshotPath, token: "admin"})
	assert.Equal(t, http.StatusTooManyRequests, fifth.status, fifth.text)
	assert.Equal(t, "1", fifth.header.Get("Retry-After"))
	assert.Contains(t, fifth.body["message"], "too many snapshots of this caller or tenant")
	another := s.do(t, call{method: "HEAD", path: snapshotPath, token: "read"})
	assert.Equal(t, http.StatusOK, another.status, "another caller of the tenant")
	for _, conn := range conns {
		require.NoError(t, conn.Close())
	}
	require.Eventually(t, func() bool {
		return s.do(t, call{method: "HEAD", path: snapshotPath, token: "admin"}).status == http.StatusOK
	}, 10*time.Second, 10*time.Millisecond, "the snapshots end with their connections")

	s = serviceOver(t, endless(), func(c *setup) { c.Deadline = 50 * time.Millisecond })
	var served sync.WaitGroup
	served.Add(1)
	server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer served.Done()
		s.handler.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	openSnapshot(t, server)
	served.Wait() // the reader takes nothing, so only the deadline ends the handler
	assert.Contains(t, s.logs.String(), "response aborted")
}

// A snapshot continues after the service began to shut down, but not for longer than
// another request may take.
func TestSnapshotDuringShutdown(t *testing.T) {
	draining := make(chan struct{})
	close(draining)
	s := newService(t, func(c *setup) { c.Draining = draining; c.Registry.SnapshotPage = 1; c.MaxConcurrent = 1 })
	for range 3 {
		s.create(t)
	}
	assert.Len(t, s.do(t, call{method: "GET", path: snapshotPath, token: "admin"}).lines(t), 5)
	s = serviceOver(t, endless(), func(c *setup) {
		c.Draining = draining
		c.Registry.SnapshotPage = 1
		c.Deadline = 100 * time.Millisecond
	})
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, snapshotPath, http.NoBody)
	r.Header.Set("Authorization", "Bearer admin")
	assert.PanicsWithValue(t, http.ErrAbortHandler, func() { s.handler.ServeHTTP(&discardingWriter{header: http.Header{}}, r) })
	assert.Contains(t, s.logs.String(), "shutting down")
}

// The memory for a snapshot does not depend on the number of clients.
func TestMemoryOfASnapshotIsBounded(t *testing.T) {
	const many = 80 // of 120 kB each
	onBothStores(t, func(t *testing.T, s service) {
		createLarge(t, s, many)
		m := s.measure(t, snapshotPath)
		assert.Equal(t, http.StatusOK, m.status)
		assert.Greater(t, m.bytes, many*118_000)
		assert.Greater(t, m.writes, 40, "it is not sent in parts")
		assert.Less(t, float64(m.peak)/application.PageBytes, 3.0, "memory, in pages")
	})
}

// mirror is a copy of a tenant: the items of its clients without what the feed does not
// have, by identifier.
type mirror struct {
	clients map[string]map[string]any
	deleted map[string]float64 // the revisions that deleted clients
	cursor  string
}

// withoutSecrets returns an item without what depends on secrets, which are not in the feed.
func withoutSecrets(item map[string]any) map[string]any {
	item = maps.Clone(item)
	delete(item, "secret_last_four")
	return item
}

// load reads a snapshot into the mirror.
func (m *mirror) load(t require.TestingT, text string) {
	m.clients, m.deleted = map[string]map[string]any{}, map[string]float64{}
	lines := linesOf(t, text)
	m.cursor, _ = lines[0]["changes_cursor"].(string)
	for _, line := range lines[1 : len(lines)-1] {
		m.clients[line["client_id"].(string)] = withoutSecrets(line)
	}
	require.EqualValues(t, len(m.clients), lines[len(lines)-1]["clients"])
}

// apply applies a change, unless it is older than the copy.
func (m *mirror) apply(change map[string]any) {
	id, revision := change["client_id"].(string), change["revision"].(float64)
	if old, known := m.clients[id]; known && old["revision"].(float64) >= revision || m.deleted[id] >= revision {
		return
	}
	delete(m.clients, id)
	item := maps.Clone(change["client"].(map[string]any))
	if _, deleted := item["deleted_at"]; deleted {
		m.deleted[id] = revision
		return
	}
	item["revision"] = revision
	if jwks, ok := change["jwks"]; ok {
		item["jwks"] = jwks
	}
	m.clients[id] = item
}

// follow applies the changes after the cursor, until there are no more.
func (m *mirror) follow(t *testing.T, s service) {
	for {
		page := s.do(t, call{method: "GET", path: "/admin/oauth/changes?limit=3&after=" + m.cursor, token: "read"})
		require.Equal(t, http.StatusOK, page.status, page.text)
		changes, _ := page.data("changes").([]any)
		if len(changes) == 0 {
			return
		}
		m.cursor = page.data("next").(string)
		for _, change := range changes {
			m.apply(change.(map[string]any))
		}
	}
}

// change makes a random change, which may be rejected.
func change(t *testing.T, s service, choice, client int) {
	id := fmt.Sprintf("app-%02d", client)
	path := clients + "/" + id
	for _, c := range [][]call{
		{{method: "POST", path: clients, body: `{"client_id":"` + id + `","name":"App","redirect_uris":["https://a.example/cb"]}`}},
		{{method: "PUT", path: path, body: fmt.Sprintf(`{"name":"App %d"}`, rand.N(1000))}},
		{{method: "PUT", path: path, body: `{"status":"suspended"}`}, {method: "PUT", path: path, body: `{"status":"active"}`}},
		{{method: "DELETE", path: path}},
		{{method: "POST", path: path + "/restore"}},
		{{method: "PUT", path: path, body: `{"jwks":` + strconv.Quote(oneKey) + `}`}, {method: "PUT", path: path, body: `{"jwks":""}`}},
		{{method: "POST", path: path + "/rotate-secret"}},
	}[choice] {
		c.token = "admin"
		a := s.do(t, c)
		require.Less(t, a.status, 500, a.text)
	}
}

// changeKinds is the number of kinds of changes.
const changeKinds = 7

// A snapshot and the changes after its cursor give the registry, whatever changes between
// the pages of the snapshot and at the same time.
func TestSnapshotAndFeedGiveTheRegistry(t *testing.T) {
	const count = 12
	var between *pagedStore
	onBothStores(t, func(t *testing.T, s service) {
		for i := range count {
			change(t, s, 0, i)
		}
		rapid.Check(t, func(r *rapid.T) {
			plan := rapid.SliceOfN(rapid.SliceOfN(rapid.Custom(func(r *rapid.T) [2]int {
				return [2]int{rapid.IntRange(0, changeKinds-1).Draw(r, "kind"), rapid.IntRange(0, count).Draw(r, "client")}
			}), 0, 4), 8, 8).Draw(r, "changes before each page")
			steps := 0
			between.before = func(int) error {
				for _, c := range plan[steps%len(plan)] {
					change(t, s, c[0], c[1])
				}
				steps++
				return nil
			}
			snapshot := s.do(t, call{method: "GET", path: snapshotPath, token: "read"})
			between.before = func(int) error { return nil }
			require.Equal(r, http.StatusOK, snapshot.status, snapshot.text)
			requireEqualToRegistry(t, s, snapshot.text)
		})

		// The same with concurrent writers.
		stop := make(chan struct{})
		var writers sync.WaitGroup
		for w := range 3 {
			writers.Go(func() {
				random := rand.New(rand.NewPCG(uint64(w), 1))
				for {
					select {
					case <-stop:
						return
					default:
						change(t, s, random.IntN(changeKinds), random.IntN(count))
					}
				}
			})
		}
		var snapshots []string
		for range 10 {
			snapshots = append(snapshots, s.do(t, call{method: "GET", path: snapshotPath, token: "read"}).text)
		}
		close(stop)
		writers.Wait()
		for _, text := range snapshots {
			requireEqualToRegistry(t, s, text)
		}
	}, func(c *setup) {
		between = &pagedStore{Store: c.Registry.Store, before: func(int) error { return nil }}
		c.Registry.Store = between
		c.Registry.SnapshotPage = 2
	})
}

// requireEqualToRegistry follows the changes after a snapshot, and requires that the
// result is what the registry has now.
func requireEqualToRegistry(t *testing.T, s service, snapshot string) {
	t.Helper()
	var copied, now mirror
	copied.load(t, snapshot)
	current := s.do(t, call{method: "GET", path: snapshotPath, token: "read"})
	now.load(t, current.text)
	deadline := time.Now().Add(time.Minute)
	for {
		copied.follow(t, s)
		// The feed may hold the newest changes back for a moment.
		if assert.ObjectsAreEqual(now.clients, copied.clients) || time.Now().After(deadline) {
			break
		}
	}
	require.Equal(t, now.clients, copied.clients)
}
