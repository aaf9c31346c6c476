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

// The campaign in short; "make torture" is the long form.
func TestNothingIsLostUnderFire(t *testing.T) {
	opts := options{Seed: 7, Fault: 300 * time.Millisecond, Idle: 300, Out: filepath.Join(t.TempDir(), "torture.json")}
	verdicts, err := campaign(t.Context(), opts)
	require.NoError(t, err)
	assert.Len(t, verdicts, len(scenarios())+2)
	total, err := report(opts, verdicts)
	require.NoError(t, err)
	assert.Zero(t, total.Lost)
	assert.Zero(t, total.Doubled)
	assert.Zero(t, total.Wrong)
	assert.Equal(t, total.Acknowledged, total.Found)
	assert.Positive(t, total.Kills)
	assert.FileExists(t, opts.Out)
}

// A transaction that is running still holds the feed back; what is behind it is
// not lost.
func TestTheCheckWaitsForTheEndOfTheFeed(t *testing.T) {
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

	books := newLedger()
	l := newLoad(p.URL, token, 1, books)
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
	require.NoError(t, check(t.Context(), p.URL, token, books, reader, &v))
	require.NoError(t, <-ended)
	assert.Equal(t, v.Acknowledged, v.Found)
	assert.Zero(t, v.Lost+v.Doubled+v.Wrong, v.notes)
}

// The check is worth nothing if it cannot find what is wrong.
func TestTheCheckFindsWhatIsLostDoubledAndWrong(t *testing.T) {
	data := t.TempDir()
	binary, err := servicetest.Build(t.Context(), t.TempDir())
	require.NoError(t, err)
	p, err := servicetest.Start(t.Context(), binary, servicetest.Options{}, "--dev", "--data", data)
	require.NoError(t, err)
	t.Cleanup(p.Kill)
	token, err := servicetest.Token(data)
	require.NoError(t, err)
	books := newLedger()
	l := newLoad(p.URL, token, 1, books)
	reader, err := follow(t.Context(), p.URL, token)
	require.NoError(t, err)
	require.NoError(t, l.start(t.Context()))
	require.Eventually(t, func() bool { return books.acks() > 100 }, time.Minute, time.Millisecond)
	l.end()
	update := func(mark string) {
		status, _, err := l.send(t.Context(), "PUT", "/admin/oauth/clients/shared-0", mark, map[string]any{"website": markURL(mark)}, nil)
		require.NoError(t, err)
		require.Equal(t, 200, status)
	}
	again := func() verdict {
		var v verdict
		reader, err := follow(t.Context(), p.URL, token)
		require.NoError(t, err)
		reader.stop()
		reader.group.Wait()
		require.NoError(t, check(t.Context(), p.URL, token, books, reader, &v))
		return v
	}
	reader.stop()
	reader.group.Wait()
	var v verdict
	require.NoError(t, check(t.Context(), p.URL, token, books, reader, &v))
	assert.Equal(t, v.Acknowledged, v.Found)
	assert.Zero(t, v.Lost+v.Doubled+v.Wrong, v.notes)

	update("never-asked-for")
	assert.Equal(t, 1, again().Wrong)
	books.unknown["never-asked-for"] = true
	assert.Zero(t, again().Wrong)

	books.acknowledged(entry{"shared-0", 5000, "lost"})
	assert.Equal(t, 1, again().Lost)
	books.entries = books.entries[:len(books.entries)-1]

	for _, mark := range []string{"twice", "between", "twice"} {
		books.unknown[mark] = true
		update(mark)
	}
	assert.Equal(t, 1, again().Doubled)

	books.entries[0].revision++
	assert.Equal(t, 1, again().Wrong)

	books.answered(500, "x", "a defect")
	assert.Equal(t, 2, again().Wrong)

	reader.seen[place{"shared-0", 1}] = 2
	delete(reader.seen, place{"shared-1", 1})
	v = verdict{}
	marks := map[place]string{}
	for where := range reader.seen {
		marks[where] = "m"
	}
	reader.seen[place{"nobody", 1}] = 1
	reader.end(marks, &v)
	assert.Equal(t, verdict{Lost: 1, Doubled: 1, Wrong: 1, notes: v.notes}, v)
}
