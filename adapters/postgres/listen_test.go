package postgres_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/postgres"
)

// logText is a log in memory. It is safe for concurrent use.
type logText struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements [io.Writer].
func (l *logText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func openWith(t *testing.T, url string, options ...postgres.Option) *postgres.Store {
	t.Helper()
	store, err := postgres.Open(t.Context(), url, nil, options...)
	require.NoError(t, err)
	t.Cleanup(store.Close)
	return store
}

// awaitListener waits until a backend of the database listens, and returns its process ID.
func awaitListener(t *testing.T, conn *pgx.Conn) (pid int) {
	t.Helper()
	require.Eventually(t, func() bool {
		return conn.QueryRow(t.Context(), `
			SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%' AND state = 'idle'`).Scan(&pid) == nil
	}, time.Minute, time.Millisecond)
	return pid
}

// watch watches the tenant until the test ends.
func watch(t *testing.T, store *postgres.Store) <-chan struct{} {
	t.Helper()
	changed, stop := store.Watch(tenant)
	t.Cleanup(stop)
	return changed
}

func TestAnInterruptedListenerReconnectsAndSignalsReaders(t *testing.T) {
	database := newDatabase(t)
	admin := connect(t, database)
	var logged logText
	store := openWith(t, database, postgres.WithLog(slog.New(slog.NewTextHandler(&logged, nil))))
	requireSignal(t, watch(t, store)) // it listens for the first time
	first := awaitListener(t, admin)
	waiting := watch(t, store)
	execute(t, admin, `SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'`)
	requireSignal(t, waiting) // without a commit: a notification may have been missed
	assert.NotEqual(t, first, awaitListener(t, admin))
	require.Eventually(t, func() bool { return strings.Contains(logged.String(), "work again") }, time.Minute, time.Millisecond)
	assert.Equal(t, 2, strings.Count(logged.String(), "\n"), logged.String())
	assert.Contains(t, logged.String(), "57P01", "the cause")
}

func TestAListenerThatCannotConnectIsLoggedOnce(t *testing.T) {
	var logged logText
	store := openWith(t, "postgres:///none?user=postgres&host="+t.TempDir(), postgres.WithLog(slog.New(slog.NewTextHandler(&logged, nil))))
	watch(t, store)
	require.Eventually(t, func() bool { return strings.Contains(logged.String(), "interrupted") }, time.Minute, time.Millisecond)
	store.Close() // must not wait for the next attempt
	assert.Equal(t, 1, strings.Count(logged.String(), "\n"), logged.String())
}

func TestOutagesAreLoggedWhenTheyStartAndEnd(t *testing.T) {
	var logged logText
	failed := errors.New("no route")
	postgres.LogOutage(slog.New(slog.NewTextHandler(&logged, nil)), nil, failed, failed, failed, nil, nil, failed)
	assert.Equal(t, 3, strings.Count(logged.String(), "\n"), logged.String())
	assert.Equal(t, 2, strings.Count(logged.String(), "no route"))
}

func TestDelaysDoubleUpToAMaximum(t *testing.T) {
	wanted := postgres.MinDelay
	seen := map[time.Duration]bool{}
	for _, delay := range postgres.Delays(100) {
		assert.LessOrEqual(t, delay, wanted)
		assert.Greater(t, delay, wanted/2-1)
		wanted = min(2*wanted, postgres.MaxDelay)
		seen[delay] = true
	}
	assert.Greater(t, len(seen), 50, "the delays are random")
}
