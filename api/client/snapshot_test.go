package client_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/api/client"
)

// readSnapshot returns the identifiers of the clients of a snapshot, and the error at its
// end.
func readSnapshot(t *testing.T, s *client.Snapshot) (ids []string, err error) {
	t.Helper()
	defer func() { assert.NoError(t, s.Close()) }()
	for {
		line, err := s.Next()
		if err != nil {
			return ids, err
		}
		var item client.OAuthClientItem
		require.NoError(t, json.Unmarshal(line, &item))
		ids = append(ids, *item.ClientID)
	}
}

func TestSnapshotOfTheService(t *testing.T) {
	c := connect(t, serviceURL, client.Settings{})
	for i := range 3 {
		_, err := c.CreateClientWithResponse(t.Context(), nil, client.CreateClientRequest{
			ClientID: new(fmt.Sprintf("snapshot-%d", i)), Name: new("Snapshot"), GrantTypes: &[]string{"client_credentials"},
		})
		require.NoError(t, err)
	}
	s, err := c.Snapshot(t.Context(), nil)
	require.NoError(t, err)
	ids, err := readSnapshot(t, s)
	require.ErrorIs(t, err, io.EOF)
	assert.Subset(t, ids, []string{"snapshot-0", "snapshot-1", "snapshot-2"})
	assert.Empty(t, s.Unreadable)
	changes, err := c.ListChangesWithResponse(t.Context(), &client.ListChangesParams{After: &s.ChangesCursor})
	require.NoError(t, err)
	assert.Empty(t, *changes.JSON200.Data.Changes)

	forbidden, err := client.Connect(serviceURL, client.Settings{Token: client.StaticToken("wrong"), Attempts: 1})
	require.NoError(t, err)
	_, err = forbidden.Snapshot(t.Context(), nil)
	var problem *client.ProblemError
	require.ErrorAs(t, err, &problem)
	assert.Equal(t, http.StatusUnauthorized, problem.Status)
	plain, err := client.NewClientWithResponses(serviceURL)
	require.NoError(t, err)
	_, err = plain.Snapshot(t.Context(), nil)
	require.ErrorAs(t, err, &problem)
}

// A snapshot of all tenants names the tenants of clients that cannot be read.
func TestUnreadableClientsOfASnapshotOfAllTenants(t *testing.T) {
	const text = `{"changes_cursor":"c"}` + "\n" + `{"tenant_id":"t1","unreadable":["a","b"]}` + "\n" + `{"tenant_id":"t2","client_id":"a"}` + "\n" +
		`{"tenant_id":"t2","unreadable":["c"]}` + "\n" + `{"clients":1}` + "\n"
	var query string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query = r.URL.RawQuery
		_, _ = io.WriteString(w, text)
	}))
	defer server.Close()
	all := client.GetSnapshotParamsTenantsAll
	s, err := connect(t, server.URL, client.Settings{}).Snapshot(t.Context(), &client.GetSnapshotParams{Tenants: &all})
	require.NoError(t, err)
	ids, err := readSnapshot(t, s)
	require.ErrorIs(t, err, io.EOF)
	assert.Equal(t, "tenants=all", query)
	assert.Equal(t, []string{"a"}, ids)
	assert.Equal(t, []string{"a", "b", "c"}, s.Unreadable)
	assert.Equal(t, []string{"t1", "t1", "t2"}, s.UnreadableTenants)
}

// Only a snapshot with its last line is complete.
func TestIncompleteSnapshots(t *testing.T) {
	const begin, one = `{"changes_cursor":"c"}` + "\n", `{"client_id":"a"}` + "\n"
	for name, tt := range map[string]struct {
		text     string
		complete bool
		ids      []string
	}{
		"complete":                 {begin + one + `{"unreadable":["b"]}` + "\n" + `{"clients":1}` + "\n", true, []string{"a"}},
		"empty":                    {begin + `{"clients":0}` + "\n", true, nil},
		"without the last line":    {begin + one, false, []string{"a"}},
		"in the middle of a line":  {begin + one + `{"client_id":"b`, false, []string{"a"}},
		"after the first line":     {begin, false, nil},
		"a client is missing":      {begin + one + `{"clients":2}` + "\n", false, []string{"a"}},
		"a line that is no object": {begin + one + "[]\n", false, []string{"a"}},
		"a line that is too long":  {begin + `{"client_id":"` + strings.Repeat("a", 5<<20), false, nil},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, tt.text) }))
		s, err := connect(t, server.URL, client.Settings{}).Snapshot(t.Context(), nil)
		require.NoError(t, err, name)
		ids, err := readSnapshot(t, s)
		assert.Equal(t, tt.ids, ids, name)
		if tt.complete {
			require.ErrorIs(t, err, io.EOF, name)
			assert.Equal(t, "c", s.ChangesCursor)
		} else {
			require.ErrorIs(t, err, client.ErrIncompleteSnapshot, name)
		}
		_, again := s.Next()
		assert.Equal(t, err, again, name)
		server.Close()
	}
	for _, text := range []string{"", "<html>", "{}\n", `{"changes_cursor":1}`} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }))
		_, err := connect(t, server.URL, client.Settings{}).Snapshot(t.Context(), nil)
		require.Error(t, err, text)
		server.Close()
	}
}

// slowBody is a body whose parts arrive after a pause each. When there are no more, it
// blocks until the request ends.
type slowBody struct {
	request *http.Request
	parts   []string
	pause   time.Duration
}

func (b *slowBody) Read(p []byte) (int, error) {
	if len(b.parts) == 0 {
		<-b.request.Context().Done()
		return 0, context.Cause(b.request.Context())
	}
	<-time.After(b.pause)
	n := copy(p, b.parts[0])
	b.parts = b.parts[1:]
	return n, nil
}

func (*slowBody) Close() error { return nil }

// roundTrip is a transport.
type roundTrip func(r *http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// The timeout bounds the wait for each part of a snapshot, neither the whole response nor
// the time that its reader takes.
func TestTimeoutOfASnapshot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const timeout, parts = 45 * time.Second, 6
		lines := []string{`{"changes_cursor":"c"}` + "\n"}
		for i := range parts {
			lines = append(lines, fmt.Sprintf("{\"client_id\":\"%d\"}\n", i))
		}
		transport := roundTrip(func(r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: &slowBody{r, lines, timeout - time.Second}}, nil
		})
		began := time.Now()
		s, err := connect(t, "http://service", client.Settings{HTTP: &http.Client{Transport: transport, Timeout: timeout}, Attempts: 1}).
			Snapshot(t.Context(), nil)
		require.NoError(t, err)
		for range parts {
			<-time.After(2 * timeout) // the reader is busy
			_, err := s.Next()
			require.NoError(t, err)
		}
		assert.Greater(t, time.Since(began), (2*parts+parts)*timeout-10*time.Second)
		waiting := time.Now()
		_, err = s.Next()
		require.ErrorIs(t, err, client.ErrIncompleteSnapshot)
		require.ErrorContains(t, err, "no data arrived in time")
		assert.Equal(t, timeout, time.Since(waiting))
		require.NoError(t, s.Close())

		// The wait for the response is bounded as well.
		silent := roundTrip(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, context.Cause(r.Context())
		})
		waiting = time.Now()
		_, err = connect(t, "http://service", client.Settings{HTTP: &http.Client{Transport: silent, Timeout: timeout}, Attempts: 1}).
			Snapshot(t.Context(), nil)
		require.ErrorContains(t, err, "no data arrived in time")
		assert.Equal(t, timeout, time.Since(waiting))
	})
}
