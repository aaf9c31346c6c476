package sqlite_test

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/sqlite"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

var backupTime = time.Date(2026, 4, 15, 10, 30, 0, 0, time.UTC)

// openAt opens and migrates a store.
func openAt(t *testing.T, path string) *sqlite.Store {
	t.Helper()
	store, err := sqlite.Open(path)
	require.NoError(t, err)
	_, err = store.Migrate(t.Context())
	require.NoError(t, err)
	return store
}

func addClient(t *testing.T, store *sqlite.Store, id string) {
	t.Helper()
	client := domain.Restore(domain.State{
		Identity: domain.Identity{TenantID: "tenant_a", ClientID: domain.ClientID(id)}, Revision: 1, CreatedAt: backupTime, UpdatedAt: backupTime,
		Settings: domain.Settings{Name: id, Status: domain.StatusActive},
	})
	require.NoError(t, store.Commit(t.Context(), domain.Revision{Action: domain.ActionCreate, At: backupTime, Client: client}))
}

// clientsAt lists the clients of a database that is not open.
func clientsAt(t *testing.T, path string) []string {
	t.Helper()
	store := openAt(t, path)
	defer func() { require.NoError(t, store.Close()) }()
	page, err := store.List(t.Context(), "tenant_a", application.Query{Limit: 10_000})
	require.NoError(t, err)
	changes, err := store.Changes(t.Context(), "tenant_a", "", 10_000)
	require.NoError(t, err)
	assert.Len(t, changes.Revisions, len(page.Clients))
	found := []string{}
	for _, c := range page.Clients {
		found = append(found, string(c.Identity().ClientID))
	}
	return found
}

func namesIn(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	names := []string{}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestABackupHasEveryCommitBeforeItBegan(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "what? #1%41.db")
	store := openAt(t, path)
	defer func() { require.NoError(t, store.Close()) }()
	var writing sync.WaitGroup
	committed := make(chan int, 1000)
	writing.Go(func() { // commits continue during the backups
		defer close(committed)
		for i := range 200 {
			addClient(t, store, fmt.Sprintf("app-%04d", i))
			committed <- i
		}
	})
	for i := 0; ; i++ {
		last, more := <-committed
		if !more {
			break
		}
		if last%20 != 0 {
			continue
		}
		target := filepath.Join(dir, fmt.Sprintf("backup %d.db", i))
		require.NoError(t, sqlite.Backup(t.Context(), path, target))
		info, err := os.Stat(target)
		require.NoError(t, err)
		assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
		require.NoError(t, sqlite.Verify(t.Context(), target))
		found := clientsAt(t, target)
		require.Greater(t, len(found), last)
		for k := range found {
			assert.Equal(t, fmt.Sprintf("app-%04d", k), found[k], "there is no gap")
		}
	}
	writing.Wait()
}

func TestABackupOverwritesNothing(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x.db")
	require.NoError(t, openAt(t, path).Close())
	existing := filepath.Join(dir, "existing")
	require.NoError(t, os.WriteFile(existing, []byte("kept"), 0o600))
	require.ErrorIs(t, sqlite.Backup(t.Context(), path, existing), sqlite.ErrExists)
	require.ErrorIs(t, sqlite.Backup(t.Context(), path, path), sqlite.ErrExists)
	require.NoError(t, os.Symlink(filepath.Join(dir, "nowhere"), filepath.Join(dir, "link")))
	require.ErrorIs(t, sqlite.Backup(t.Context(), path, filepath.Join(dir, "link")), sqlite.ErrExists)
	text, err := os.ReadFile(existing)
	require.NoError(t, err)
	assert.Equal(t, "kept", string(text))
	require.Error(t, sqlite.Backup(t.Context(), path, filepath.Join(dir, "no such folder", "x")))
	require.ErrorIs(t, sqlite.Backup(t.Context(), filepath.Join(dir, "none.db"), filepath.Join(dir, "y")), os.ErrNotExist)
	assert.NoFileExists(t, filepath.Join(dir, "none.db"))
	assert.NoFileExists(t, filepath.Join(dir, "y"))
	for _, name := range namesIn(t, dir) {
		assert.NotContains(t, name, "partial")
	}
}

func TestADamagedDatabaseIsNoBackup(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x.db")
	store := openAt(t, path)
	for i := range 100 {
		addClient(t, store, fmt.Sprintf("app-%04d", i))
	}
	good := filepath.Join(dir, "good")
	require.NoError(t, sqlite.Backup(t.Context(), path, good))
	whole, err := os.ReadFile(good)
	require.NoError(t, err)
	require.NoError(t, store.Exec(t.Context(), `INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, 1)`))
	require.ErrorIs(t, sqlite.Backup(t.Context(), path, filepath.Join(dir, "newer")), sqlite.ErrNoBackup, "a schema that is not known")
	require.NoError(t, store.Close())

	torn := append([]byte(nil), whole...)
	for i := len(torn) / 2; i < len(torn)/2+8192; i++ {
		torn[i] = 0x55
	}
	for name, content := range map[string][]byte{
		"torn": torn, "truncated": whole[:len(whole)/2], "empty": {}, "text": []byte("client_id: app\n"),
	} {
		file := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(file, content, 0o600))
		require.ErrorIs(t, sqlite.Verify(t.Context(), file), sqlite.ErrNoBackup, name)
		_, err := sqlite.Restore(t.Context(), file, filepath.Join(dir, "restored.db"), true, backupTime)
		require.ErrorIs(t, err, sqlite.ErrNoBackup, name)
		assert.NoFileExists(t, filepath.Join(dir, "restored.db"), name)
	}
	require.NoError(t, os.WriteFile(good+"-wal", []byte("commits that are not in the file"), 0o600))
	require.ErrorIs(t, sqlite.Verify(t.Context(), good), sqlite.ErrNoBackup, "a copy without its log is not complete")
	require.ErrorIs(t, sqlite.Verify(t.Context(), dir), sqlite.ErrNoBackup)
}

func TestRestore(t *testing.T) {
	dir := t.TempDir()
	path, backup := filepath.Join(dir, "x.db"), filepath.Join(dir, "backup.db")
	store := openAt(t, path)
	addClient(t, store, "first")
	require.NoError(t, sqlite.Backup(t.Context(), path, backup))
	addClient(t, store, "second")

	_, err := sqlite.Restore(t.Context(), backup, path, false, backupTime)
	require.ErrorIs(t, err, sqlite.ErrExists)
	_, err = sqlite.Restore(t.Context(), backup, path, true, backupTime)
	require.ErrorIs(t, err, sqlite.ErrInUse)
	addClient(t, store, "third") // a rejected restore does not affect the service
	require.NoError(t, store.Close())
	assert.Equal(t, []string{"first", "second", "third"}, clientsAt(t, path))

	_, err = sqlite.Restore(t.Context(), backup, path, false, backupTime)
	require.ErrorIs(t, err, sqlite.ErrExists)
	moved, err := sqlite.Restore(t.Context(), backup, path, true, backupTime)
	require.NoError(t, err)
	assert.Equal(t, []string{"first"}, clientsAt(t, path))
	assert.Equal(t, []string{"first", "second", "third"}, clientsAt(t, moved), "the data is moved aside, not lost")
	require.NoError(t, sqlite.Verify(t.Context(), backup), "the backup stays as it is")
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())

	elsewhere := filepath.Join(dir, "elsewhere.db")
	moved, err = sqlite.Restore(t.Context(), backup, elsewhere, false, backupTime)
	require.NoError(t, err)
	assert.Empty(t, moved)
	assert.Equal(t, []string{"first"}, clientsAt(t, elsewhere))

	require.NoError(t, os.WriteFile(path, []byte("destroyed"), 0o600))
	require.NoError(t, os.WriteFile(path+"-wal", []byte("of another database"), 0o600))
	moved, err = sqlite.Restore(t.Context(), backup, path, true, backupTime.Add(1))
	require.NoError(t, err)
	assert.Equal(t, []string{"first"}, clientsAt(t, path))
	assert.FileExists(t, moved+"-wal", "a log is never left beside another database")
}
