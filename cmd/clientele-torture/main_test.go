package main

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/postgres/pgtest"
	"github.com/clientele-oauth/clientele/cmd/servicetest"
)

// This runs a short campaign; "make torture" runs the long one.
func TestNoAcknowledgedChangeIsLost(t *testing.T) {
	opts := options{Seed: 7, Fault: 300 * time.Millisecond, Idle: 300, Out: filepath.Join(t.TempDir(), "torture.json")}
	results, err := campaign(t.Context(), opts)
	require.NoError(t, err)
	assert.Len(t, results, len(scenarios())+2)
	total, err := report(opts, results)
	require.NoError(t, err)
	assert.Zero(t, total.Lost)
	assert.Zero(t, total.Doubled)
	assert.Zero(t, total.Wrong)
	assert.Equal(t, total.Acknowledged, total.Found)
	assert.Positive(t, total.Kills)
	assert.FileExists(t, opts.Out)
}

// A running transaction delays the feed. The changes after it are not lost.
func TestCheckWaitsForEndOfFeed(t *testing.T) {
	database, err := pgtest.Start(t.Context(), "fsync=off")
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, database.Stop()) })
	url, err := database.NewDatabase(t.Context())
	require.NoError(t, err)
	data := t.TempDir()
	binary, err := servicetest.Build(t.Context(), t.TempDir())
	require.NoError(t, err)
	p, err := servicetest.Start(t.Context(), binary, servicetest.Options{}, "--dev", "--data", data, "--database-url", url)
	require.NoError(t, err)
	t.Cleanup(p.Kill)
	token, err := servicetest.Token(data)
	require.NoError(t, err)
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	_, err = conn.Exec(t.Context(), "BEGIN; SELECT pg_current_xact_id()", pgx.QueryExecModeSimpleProtocol)
	require.NoError(t, err)

	records := newLedger()
	l := newLoad(p.URL, token, 1, records)
	reader, err := follow(t.Context(), p.URL, token)
	require.NoError(t, err)
	require.NoError(t, l.start(t.Context()))
	l.end()
	reader.stop()
	reader.group.Wait()
	ended := make(chan error, 1)
	time.AfterFunc(500*time.Millisecond, func() {
		_, err := conn.Exec(context.Background(), "ROLLBACK")
		ended <- err
	})
	var v verdict
	require.NoError(t, check(t.Context(), p.URL, token, records, reader, &v))
	require.NoError(t, <-ended)
	assert.Equal(t, v.Acknowledged, v.Found)
	assert.Zero(t, v.Lost+v.Doubled+v.Wrong, v.notes)
}

// A check that finds no faults proves nothing unless it can find them.
func TestCheckFindsLostDoubledAndWrongChanges(t *testing.T) {
	data := t.TempDir()
	binary, err := servicetest.Build(t.Context(), t.TempDir())
	require.NoError(t, err)
	p, err := servicetest.Start(t.Context(), binary, servicetest.Options{}, "--dev", "--data", data)
	require.NoError(t, err)
	t.Cleanup(p.Kill)
	token, err := servicetest.Token(data)
	require.NoError(t, err)
	records := newLedger()
	l := newLoad(p.URL, token, 1, records)
	reader, err := follow(t.Context(), p.URL, token)
	require.NoError(t, err)
	require.NoError(t, l.start(t.Context()))
	require.Eventually(t, func() bool { return records.acks() > 100 }, time.Minute, time.Millisecond)
	l.end()
	update := func(mark string) {
		status, _, err := l.send(t.Context(), "PUT", "/admin/oauth/clients/shared-0", mark, map[string]any{"website": markURL(mark)}, nil)
		require.NoError(t, err)
		require.Equal(t, 200, status)
	}
	checkAgain := func() verdict {
		var v verdict
		reader, err := follow(t.Context(), p.URL, token)
		require.NoError(t, err)
		reader.stop()
		reader.group.Wait()
		require.NoError(t, check(t.Context(), p.URL, token, records, reader, &v))
		return v
	}
	reader.stop()
	reader.group.Wait()
	var v verdict
	require.NoError(t, check(t.Context(), p.URL, token, records, reader, &v))
	assert.Equal(t, v.Acknowledged, v.Found)
	assert.Zero(t, v.Lost+v.Doubled+v.Wrong, v.notes)

	update("never-requested")
	assert.Equal(t, 1, checkAgain().Wrong)
	records.unknown["never-requested"] = true
	assert.Zero(t, checkAgain().Wrong)

	records.acknowledged(entry{"shared-0", 5000, "lost"})
	assert.Equal(t, 1, checkAgain().Lost)
	records.entries = records.entries[:len(records.entries)-1]

	for _, mark := range []string{"twice", "between", "twice"} {
		records.unknown[mark] = true
		update(mark)
	}
	assert.Equal(t, 1, checkAgain().Doubled)

	records.entries[0].revision++
	assert.Equal(t, 1, checkAgain().Wrong)

	records.errorResponse(500, "x", "internal error")
	assert.Equal(t, 2, checkAgain().Wrong)

	reader.seen[clientRevision{"shared-0", 1}] = 2
	delete(reader.seen, clientRevision{"shared-1", 1})
	v = verdict{}
	marks := map[clientRevision]string{}
	for r := range reader.seen {
		marks[r] = "m"
	}
	reader.seen[clientRevision{"unknown", 1}] = 1
	reader.compare(marks, &v)
	assert.Equal(t, verdict{Lost: 1, Doubled: 1, Wrong: 1, notes: v.notes}, v)
}
