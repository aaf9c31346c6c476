package main_test

import (
	"context"
	"net/http"
	"regexp"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/api/client"
)

// Operators and readers see that the feed is held back; the service stays ready.
func TestAHeldBackFeedIsReported(t *testing.T) {
	url, err := server.NewDatabase(t.Context())
	require.NoError(t, err)
	data := t.TempDir()
	p := start(t, "--dev", "--data", data, "--database-url", url)
	elsewhere, err := server.NewDatabase(t.Context())
	require.NoError(t, err)
	other, err := pgx.Connect(t.Context(), elsewhere)
	require.NoError(t, err)
	defer other.Close(context.Background())
	_, err = other.Exec(t.Context(), "BEGIN; SELECT pg_current_xact_id()")
	require.NoError(t, err)
	admin := p.as(t, adminToken(t, data))
	create(t, admin)

	heldBack := func() (seconds int64, changes int) {
		found, err := admin.ListChangesWithResponse(t.Context(), nil)
		require.NoError(t, err)
		if found.JSON200.Data.HeldBackSeconds != nil {
			seconds = *found.JSON200.Data.HeldBackSeconds
		}
		return seconds, len(*found.JSON200.Data.Changes)
	}
	require.Eventually(t, func() bool { seconds, changes := heldBack(); return seconds > 0 && changes == 0 }, 30*time.Second, 50*time.Millisecond)
	noted := regexp.MustCompile(`(?m)^change feed: held back for \d+ s by a transaction that is open in the database server$`)
	assert.Eventually(t, func() bool {
		status, text := read(t, p.URL+"/readyz")
		require.Equal(t, http.StatusOK, status, text)
		return noted.MatchString(text)
	}, 30*time.Second, 100*time.Millisecond)

	_, err = other.Exec(t.Context(), "COMMIT")
	require.NoError(t, err)
	wait := &client.ListChangesParams{WaitSeconds: new(int32(30))}
	found, err := admin.ListChangesWithResponse(t.Context(), wait)
	require.NoError(t, err)
	assert.Len(t, *found.JSON200.Data.Changes, 1)
	seconds, _ := heldBack()
	assert.Zero(t, seconds)
	assert.Eventually(t, func() bool {
		_, text := read(t, p.URL+"/readyz")
		return !noted.MatchString(text)
	}, 30*time.Second, 100*time.Millisecond)
}

func TestWaitingReadersAreLimitedByFlags(t *testing.T) {
	data := t.TempDir()
	p := start(t, "--dev", "--data", data, "--max-following-per-caller", "1", "--admin-listen", "127.0.0.1:0")
	admin := p.as(t, adminToken(t, data))
	ctx, disconnect := context.WithCancel(t.Context())
	defer disconnect()
	wait := &client.ListChangesParams{WaitSeconds: new(int32(30))}
	waiting := make(chan struct{})
	go func() {
		defer close(waiting)
		_, _ = admin.ListChangesWithResponse(ctx, wait) // canceled below
	}()
	metric := func(line string) func() bool {
		return func() bool {
			_, text := read(t, p.Operators+"/metrics")
			return regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(line) + `$`).MatchString(text)
		}
	}
	require.Eventually(t, metric("clientele_feed_readers_waiting 1"), 20*time.Second, 10*time.Millisecond)
	second, err := admin.ListChangesWithResponse(t.Context(), wait)
	require.NoError(t, err)
	require.NotNil(t, second.JSON429)
	assert.Contains(t, *second.JSON429.Message, "waiting for changes")
	assert.True(t, metric(`clientele_requests_shed_total{cause="readers"} 1`)())
	disconnect()
	<-waiting
	require.Eventually(t, metric("clientele_feed_readers_waiting 0"), 20*time.Second, 10*time.Millisecond)
}
