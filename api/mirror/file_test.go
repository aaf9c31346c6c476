package mirror_test

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/api/client"
	"github.com/clientele-oauth/clientele/api/mirror"
	"github.com/clientele-oauth/clientele/cmd/servicetest"
)

func TestAServerStartsWithoutTheRegistry(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	secret := r.register("app", nil)
	r.register("suspended", nil)
	r.update("suspended", client.UpdateClientRequest{Status: new("suspended")})
	r.register("doomed", nil)
	file := filepath.Join(t.TempDir(), "mirror")
	config := mirror.Config{Client: connect(t, r.url, r.token()), File: file, Verifiers: true}
	m := open(t, config)
	r.register("after", nil)
	soon(t, func() bool { _, err := m.Get("after"); return err == nil }, "created")
	require.NoError(t, m.Close())
	info, err := os.Stat(file)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.NotContains(t, string(text), secret)
	assert.NoFileExists(t, file+".tmp")

	r.kill()
	m = open(t, config)
	h := m.Health()
	assert.True(t, h.Synced && h.FromFile)
	assert.Less(t, h.Age, time.Minute)
	assert.Equal(t, 4, h.Clients)
	_, err = m.Get("after")
	require.NoError(t, err)
	_, err = m.Get("suspended")
	require.ErrorIs(t, err, mirror.ErrNotFound)
	assert.True(t, verified(t, m, "app", secret).Local)

	// The mirror continues at the position of the file when the registry is back.
	address := r.address
	r.address = "127.0.0.1:0"
	r.start()
	_, err = connect(t, r.url, must(servicetest.Token(r.data))(t)).DeleteClientWithResponse(t.Context(), "doomed", nil)
	require.NoError(t, err)
	r.kill()
	r.address = address
	r.start()
	requireNotFound(t, m, "doomed")
	soon(t, func() bool { return !m.Health().FromFile }, "no longer from the file")
}

func TestAFileWithoutHashesHasNoHashes(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	secret := r.register("app", nil)
	file := filepath.Join(t.TempDir(), "mirror")
	config := mirror.Config{Client: connect(t, r.url, r.token()), File: file, Verifiers: true}
	require.NoError(t, open(t, config).Close())
	assert.Contains(t, read(t, file), `"hash"`)

	config.Verifiers = false
	m := open(t, config)
	assert.False(t, verified(t, m, "app", secret).Local, "hashes of the file are not used")
	require.NoError(t, m.Close())
	assert.NotContains(t, read(t, file), `"hash"`)

	config.Verifiers = true
	m = open(t, config)
	soon(t, func() bool { return !m.Health().FromFile }, "read again")
	assert.True(t, verified(t, m, "app", secret).Local)
}

func read(t testing.TB, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	return string(text)
}

// A client that was suspended while the server was down is not served for a moment.
func TestAStartWaitsForTheRegistry(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	r.register("app", nil)
	config := mirror.Config{Client: connect(t, r.url, r.token()), File: filepath.Join(t.TempDir(), "mirror")}
	require.NoError(t, open(t, config).Close())
	r.update("app", client.UpdateClientRequest{Status: new("suspended")})
	m := open(t, config)
	_, err := m.Get("app")
	require.ErrorIs(t, err, mirror.ErrNotFound)
	assert.False(t, m.Health().FromFile)
	require.NoError(t, m.Close())
	assert.False(t, open(t, config).Health().FromFile, "nothing has changed, and this is known at once")
}

func TestADamagedFileIsIgnored(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	r.register("app", func(c *client.CreateClientRequest) { c.Scopes = &[]string{"payments"} })
	file := filepath.Join(t.TempDir(), "mirror")
	config := mirror.Config{Client: connect(t, r.url, r.token()), File: file}
	require.NoError(t, open(t, config).Close())
	good := read(t, file)
	for name, text := range map[string]string{
		"empty":            "",
		"no JSON":          "\x00\x01\x02",
		"half":             good[:len(good)/2],
		"no end":           good[:strings.LastIndex(strings.TrimSpace(good), "\n")+1],
		"a changed value":  strings.Replace(good, "payments", "paymentz", 1),
		"another version":  strings.Replace(good, `"clientele_mirror":1`, `"clientele_mirror":2`, 1),
		"another registry": strings.Replace(good, r.address, "other.example.com", 1),
		"a line too long":  strings.Repeat("x", 9<<20),
	} {
		require.NotEqual(t, good, text, name)
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600), name)
		var logged bytes.Buffer
		config.Log = slog.New(slog.NewTextHandler(&logged, nil))
		m := open(t, config)
		assert.Contains(t, logged.String(), "the file of the mirror is ignored", name)
		assert.False(t, m.Health().FromFile, name)
		c, err := m.Get("app")
		require.NoError(t, err, name)
		assert.Equal(t, []string{"payments"}, c.Scopes, name)
		require.NoError(t, m.Close())
		assert.Equal(t, lines(good), lines(read(t, file)), "%s: it is written again", name)
	}
	require.NoError(t, os.Chmod(file, 0o666))
	var logged bytes.Buffer
	config.Log = slog.New(slog.NewTextHandler(&logged, nil))
	open(t, config)
	assert.Contains(t, logged.String(), "other users can write to it")
	config.File = t.TempDir() // a folder
	m, err := mirror.Open(t.Context(), config)
	require.NoError(t, err)
	_, err = m.Get("app")
	require.NoError(t, err)
	require.Error(t, m.Close())
}

func lines(text string) int { return strings.Count(text, "\n") }

func TestAFileThatCannotBeWrittenIsReported(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	r.register("app", nil)
	var logged bytes.Buffer
	m, err := mirror.Open(t.Context(), mirror.Config{
		Client: connect(t, r.url, r.token()), File: filepath.Join(t.TempDir(), "none", "mirror"), Log: slog.New(slog.NewTextHandler(&logged, nil)),
	})
	require.NoError(t, err)
	_, err = m.Get("app")
	require.NoError(t, err)
	require.Error(t, m.Close())
	assert.Contains(t, logged.String(), "cannot be written")
}

// The age of the copy counts from the contact, not from the start of the server.
func TestACopyFromTheFileGetsTooOld(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	r.register("app", nil)
	config := mirror.Config{Client: connect(t, r.url, r.token()), File: filepath.Join(t.TempDir(), "mirror"), MaxStaleness: time.Hour}
	require.NoError(t, open(t, config).Close())
	r.kill()
	var clock shiftedClock
	clock.shift(2 * time.Hour)
	m, err := tryOpenAt(t, config, clock.now)
	require.NoError(t, err)
	_, err = m.Get("app")
	require.ErrorIs(t, err, mirror.ErrStale)

	var behind shiftedClock
	behind.shift(-2 * time.Hour)
	m, err = tryOpenAt(t, config, behind.now)
	require.NoError(t, err)
	_, err = m.Get("app")
	require.NoError(t, err)
	behind.shift(61 * time.Minute)
	_, err = m.Get("app")
	require.ErrorIs(t, err, mirror.ErrStale, "a file from the future is not usable for longer")
}

func TestTheFileFollowsChanges(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	file := filepath.Join(t.TempDir(), "mirror")
	open(t, mirror.Config{Client: connect(t, r.url, r.token()), File: file})
	soon(t, func() bool { _, err := os.Stat(file); return err == nil }, "written after the start")
	r.register("app", nil)
	soon(t, func() bool { return strings.Contains(read(t, file), `"app"`) }, "written after a change, without Close")
}
