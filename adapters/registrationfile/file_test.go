package registrationfile_test

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/registrationfile"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

var _ application.RegistrationPolicies = (*registrationfile.File)(nil)

// clock is a clock that advances only when a test advances it.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) advance(by time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(by)
}

// watched is an open file.
type watched struct {
	*registrationfile.File

	path    string
	clock   *clock
	logs    *bytes.Buffer
	written time.Time
}

// tenant is a file with one tenant.
func tenant(name string) string { return "tenants: {" + name + ": {registration: {enabled: true}}}\n" }

func open(t *testing.T, text string) *watched {
	t.Helper()
	w := &watched{path: filepath.Join(t.TempDir(), "registration.yaml"), clock: &clock{at: time.Now()}, logs: &bytes.Buffer{}}
	w.written = w.clock.at.Add(-time.Hour)
	w.write(t, text)
	var err error
	w.File, err = registrationfile.Open(w.path, rulebook(t, domain.Policy{}), slog.New(slog.NewTextHandler(w.logs, nil)), w.clock.now)
	require.NoError(t, err)
	return w
}

// write writes the file, with a later time than before.
func (w *watched) write(t *testing.T, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(w.path, []byte(text), 0o600))
	w.written = w.written.Add(time.Second)
	require.NoError(t, os.Chtimes(w.path, w.written, w.written))
}

// later returns the tenants after the next check.
func (w *watched) later() []domain.TenantID {
	w.clock.advance(time.Second)
	return w.Tenants()
}

func TestAChangedFileIsReadAgain(t *testing.T) {
	w := open(t, tenant("one"))
	assert.Equal(t, []domain.TenantID{"one"}, w.Tenants())
	w.write(t, tenant("two"))
	assert.Equal(t, []domain.TenantID{"one"}, w.Tenants(), "the file is checked at most once a second")
	w.clock.advance(time.Second - 1)
	assert.Equal(t, []domain.TenantID{"one"}, w.Tenants())
	w.clock.advance(1)
	assert.True(t, w.Registration("two").Enabled)
	assert.False(t, w.Registration("one").Enabled)
	assert.Equal(t, 1, strings.Count(w.logs.String(), "read again"))
	w.later()
	assert.Equal(t, 1, strings.Count(w.logs.String(), "read again"), "a file that has not changed is not read again")

	other := filepath.Join(t.TempDir(), "other")
	require.NoError(t, os.WriteFile(other, []byte(tenant("six")), 0o600))
	require.NoError(t, os.Chtimes(other, w.written, w.written))
	require.NoError(t, os.Rename(other, w.path))
	assert.Equal(t, []domain.TenantID{"six"}, w.later(), "another file with the same time and size")
	require.NoError(t, os.WriteFile(w.path, []byte(tenant("seven")), 0o600))
	require.NoError(t, os.Chtimes(w.path, w.written, w.written))
	assert.Equal(t, []domain.TenantID{"seven"}, w.later(), "another size at the same time")
	assert.Empty(t, w.Note(t.Context()))
}

func TestABrokenFileKeepsThePoliciesInForce(t *testing.T) {
	w := open(t, tenant("one"))
	w.write(t, "tenants:\n  two: {registrations: {}}\n")
	assert.Equal(t, []domain.TenantID{"one"}, w.later())
	assert.Contains(t, w.Note(t.Context()), "the policies before the change stay in force")
	assert.Contains(t, w.logs.String(), "registration.yaml:2: /tenants/two/registrations: unknown key; did you mean registration?")
	w.write(t, "tenants:\n  two: {registrations: {}}\n")
	w.later()
	assert.Equal(t, 1, strings.Count(w.logs.String(), "cannot be used"), "a content is reported once")
	w.write(t, "tenants: []\n")
	w.later()
	assert.Equal(t, 2, strings.Count(w.logs.String(), "cannot be used"))
	w.write(t, tenant("two"))
	assert.Equal(t, []domain.TenantID{"two"}, w.later())
	assert.Empty(t, w.Note(t.Context()))
}

func TestAMissingFileKeepsThePoliciesInForce(t *testing.T) {
	w := open(t, tenant("one"))
	require.NoError(t, os.Remove(w.path))
	assert.Equal(t, []domain.TenantID{"one"}, w.later())
	assert.Equal(t, []domain.TenantID{"one"}, w.later())
	assert.NotEmpty(t, w.Note(t.Context()))
	assert.Equal(t, 1, strings.Count(w.logs.String(), "cannot be used"))
	require.NoError(t, os.Mkdir(w.path, 0o700))
	assert.Equal(t, []domain.TenantID{"one"}, w.later())
	assert.Contains(t, w.logs.String(), "is not a regular file")
	require.NoError(t, os.Remove(w.path))
	w.write(t, tenant("two"))
	assert.Equal(t, []domain.TenantID{"two"}, w.later())
	assert.Empty(t, w.Note(t.Context()))
}

// A file that could not be read for a reason that leaves no trace on it, such as its permissions
// or too many open files, is read as soon as that is possible.
func TestAFileThatBecomesReadableIsRead(t *testing.T) {
	w := open(t, tenant("one"))
	w.write(t, tenant("two"))
	withoutDescriptors(t, func() {
		assert.Equal(t, []domain.TenantID{"one"}, w.later())
		assert.Equal(t, []domain.TenantID{"one"}, w.later())
		assert.NotEmpty(t, w.Note(t.Context()))
	})
	assert.Equal(t, 1, strings.Count(w.logs.String(), "too many open files"))
	assert.Equal(t, []domain.TenantID{"two"}, w.later())
	assert.Empty(t, w.Note(t.Context()))
}

// withoutDescriptors runs a function while the process cannot open a file.
func withoutDescriptors(t *testing.T, run func()) {
	t.Helper()
	var before syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &before))
	none := before
	none.Cur = 0
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &none))
	defer func() { require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &before)) }()
	run()
}

// The note appears even if no client registers.
func TestTheNoteChecksTheFile(t *testing.T) {
	w := open(t, tenant("one"))
	w.write(t, "{")
	w.clock.advance(time.Second)
	assert.NotEmpty(t, w.Note(t.Context()))
}

func TestAFileMustBeValidAtTheStart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "registration.yaml")
	log, book := slog.New(slog.DiscardHandler), rulebook(t, domain.Policy{})
	_, err := registrationfile.Open(path, book, log, time.Now)
	require.ErrorIs(t, err, os.ErrNotExist)
	require.NoError(t, os.WriteFile(path, []byte("tenants: []"), 0o600))
	_, err = registrationfile.Open(path, book, log, time.Now)
	require.ErrorContains(t, err, path+":1: /tenants: must be an object")
	require.NoError(t, os.WriteFile(path, bytes.Repeat([]byte("#"), 1<<20+1), 0o600))
	_, err = registrationfile.Open(path, book, log, time.Now)
	require.ErrorContains(t, err, "larger than")
}

// A reader sees the whole file before a change or the whole file after it.
func TestConcurrentReadersSeeWholeFiles(t *testing.T) {
	w := open(t, tenant("t0"))
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 200 {
				assert.Len(t, w.Tenants(), 1)
				w.Registration("t0")
				w.Note(t.Context())
			}
		})
	}
	for i := range 20 {
		replacement := w.path + ".new"
		require.NoError(t, os.WriteFile(replacement, []byte(tenant("t"+strconv.Itoa(i))), 0o600))
		require.NoError(t, os.Rename(replacement, w.path))
		w.clock.advance(time.Second)
	}
	group.Wait()
	assert.Equal(t, []domain.TenantID{"t19"}, w.later())
}

// slowLog is a log whose lines take as long as wait.
type slowLog struct{ wait func() }

// Write implements [io.Writer].
func (l slowLog) Write(line []byte) (int, error) {
	l.wait()
	return len(line), nil
}

// A check that takes long, here because its log does, blocks the one caller that runs it.
func TestCallersDoNotWaitForACheck(t *testing.T) {
	w := open(t, tenant("one"))
	limit, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	checking, release := make(chan struct{}), make(chan struct{})
	log := slowLog{func() {
		close(checking)
		select {
		case <-release:
		case <-limit.Done():
		}
	}}
	var err error
	w.File, err = registrationfile.Open(w.path, rulebook(t, domain.Policy{}), slog.New(slog.NewTextHandler(log, nil)), w.clock.now)
	require.NoError(t, err)
	w.write(t, "{")
	var group sync.WaitGroup
	group.Go(func() { w.later() })
	<-checking
	assert.Equal(t, []domain.TenantID{"one"}, w.later())
	assert.True(t, w.Registration("one").Enabled)
	w.Note(t.Context())
	require.NoError(t, limit.Err(), "the calls return during the check")
	close(release)
	group.Wait()
	assert.NotEmpty(t, w.Note(t.Context()))
}
