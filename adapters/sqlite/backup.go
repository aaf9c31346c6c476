package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"
	"github.com/pressly/goose/v3"

	"github.com/clientele-oauth/clientele/application"
)

// The errors of Backup, Verify and Restore. In each case nothing was changed.
var (
	// ErrExists: the target exists already.
	ErrExists = errors.New("the target exists already")
	// ErrInUse: another process has the database open.
	ErrInUse = errors.New("the database is in use")
	// ErrNoBackup: the file is damaged, or not a database of this program.
	ErrNoBackup = errors.New("not a usable clientele database")
)

// Backup copies the database at path to a new file at target, which has every commit that was
// acknowledged before the call. It may be called while other processes use the database. It
// writes the copy to a temporary file beside the target, syncs and verifies it, and then
// renames it. The error is [ErrExists], [ErrNoBackup], or one of the file system or of
// SQLite; then it has not created target.
func Backup(ctx context.Context, path, target string) (err error) {
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("back up: %w", err)
	}
	if _, err := os.Lstat(target); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("back up to %s: %w", target, errors.Join(ErrExists, err))
	}
	// SQLite writes into an empty file, which keeps its mode.
	temporary, err := createTemporary(target)
	if err != nil {
		return fmt.Errorf("back up: %w", err)
	}
	defer func() { _ = os.Remove(temporary) }()
	if err := vacuumInto(ctx, path, temporary); err != nil {
		return fmt.Errorf("back up: %w", translate(err))
	}
	if err := syncFile(temporary); err != nil {
		return fmt.Errorf("back up: %w", err)
	}
	if err := Verify(ctx, temporary); err != nil {
		return fmt.Errorf("back up: verify the copy: %w", err)
	}
	return publish(temporary, target)
}

// vacuumInto copies the database as of one point in time (SQLite, "VACUUM INTO").
func vacuumInto(ctx context.Context, path, target string) (err error) {
	db, err := openFile(path, "mode=rw&_pragma=busy_timeout(5000)")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	_, err = db.ExecContext(ctx, `VACUUM INTO ?`, target)
	return err
}

// Verify returns an error that wraps [ErrNoBackup] unless the file is an intact
// database with a schema that this version knows. It changes nothing.
func Verify(ctx context.Context, path string) (err error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("%w: it is not a regular file", ErrNoBackup)
	}
	for _, suffix := range []string{"-wal", "-journal"} {
		if info, err := os.Stat(path + suffix); err == nil && info.Size() > 0 {
			return fmt.Errorf("%w: %s exists, so the file is a copy of a database in use and not complete", ErrNoBackup, path+suffix)
		}
	}
	// Immutable: SQLite creates neither locks nor files beside it.
	db, err := openFile(path, "mode=ro&immutable=1")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := checkIntegrity(ctx, db); err != nil {
		return err
	}
	return checkVersion(ctx, db)
}

// checkIntegrity reads every page and index (SQLite, "PRAGMA integrity_check").
func checkIntegrity(ctx context.Context, db *sql.DB) error {
	var found string
	switch err := db.QueryRowContext(ctx, `PRAGMA integrity_check(1)`).Scan(&found); {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return fmt.Errorf("%w: %w", ErrNoBackup, err)
	case found != "ok":
		return fmt.Errorf("%w: integrity check: %s", ErrNoBackup, found)
	default:
		return nil
	}
}

// checkVersion compares the version of the schema with the newest one that this program knows.
func checkVersion(ctx context.Context, db *sql.DB) error {
	var version sql.NullInt64
	if err := db.QueryRowContext(ctx, `SELECT max(version_id) FROM goose_db_version WHERE is_applied`).Scan(&version); err != nil {
		return fmt.Errorf("%w: it has no schema version: %w", ErrNoBackup, err)
	}
	known, err := newestVersion()
	switch {
	case err != nil:
		return err
	case version.Int64 < 1:
		return fmt.Errorf("%w: it has no schema", ErrNoBackup)
	case version.Int64 > known:
		return fmt.Errorf("%w: its schema has version %d, and this program knows %d; use a newer one", ErrNoBackup, version.Int64, known)
	default:
		return nil
	}
}

// newestVersion returns the number of the last migration. Those in Go have lower numbers.
func newestVersion() (newest int64, err error) {
	files, err := fs.Glob(migrations, "migrations/*.sql")
	for _, name := range files {
		version, err := goose.NumericComponent(name)
		if err != nil {
			return 0, err
		}
		newest = max(newest, version)
	}
	return newest, err
}

// Restore replaces the database at path with a copy of the backup, which it verifies first.
// If there is data, it changes nothing and returns [ErrExists], unless aside is set: then it
// renames the data, and returns its new name. The error is [ErrInUse] if another process has
// the database open. Processes that start in the meantime wait until Restore has finished
// before they migrate.
func Restore(ctx context.Context, backup, path string, aside bool, now time.Time) (moved string, err error) {
	if err := Verify(ctx, backup); err != nil {
		return "", fmt.Errorf("restore %s: %w", backup, err)
	}
	lock := flock.New(path + ".migrating")
	if locked, err := lock.TryLock(); err != nil || !locked {
		return "", fmt.Errorf("restore: %w", errors.Join(ErrInUse, err))
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	temporary, err := createTemporary(path)
	if err != nil {
		return "", fmt.Errorf("restore: %w", err)
	}
	defer func() { _ = os.Remove(temporary) }()
	if err := copyFile(backup, temporary); err != nil {
		return "", fmt.Errorf("restore: %w", err)
	}
	if err := Verify(ctx, temporary); err != nil {
		return "", fmt.Errorf("restore: verify the copy: %w", err)
	}
	if moved, err = moveAside(ctx, path, aside, now); err != nil {
		return moved, fmt.Errorf("restore: %w", err)
	}
	if moved == "" {
		return "", publish(temporary, path)
	}
	if err := os.Rename(temporary, path); err != nil { // atomic: there is always a database
		return moved, err
	}
	return moved, syncDir(path)
}

// databaseFiles returns the files of a database. The write-ahead log of one database must
// never be beside another one.
func databaseFiles(path string) []string {
	return []string{path, path + "-wal", path + "-shm", path + "-journal"}
}

// moveAside renames the files of a database that is not in use. The database itself keeps its
// old name as well.
func moveAside(ctx context.Context, path string, allowed bool, now time.Time) (moved string, err error) {
	var existing []string
	for _, name := range databaseFiles(path) {
		switch _, err := os.Lstat(name); {
		case err == nil:
			existing = append(existing, name)
		case !errors.Is(err, fs.ErrNotExist):
			return "", err
		}
	}
	if len(existing) == 0 {
		return "", nil
	}
	if !allowed {
		return "", fmt.Errorf("%s: %w", path, ErrExists)
	}
	if err := checkUnused(ctx, path); err != nil {
		return "", err
	}
	moved = path + ".before-restore-" + now.UTC().Format("20060102T150405.000000000Z")
	for _, name := range existing {
		keep := os.Rename
		if name == path {
			keep = os.Link // the copy of the backup is renamed over it
		}
		err := keep(name, moved+strings.TrimPrefix(name, path))
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // SQLite may have removed its log
			return moved, err
		}
	}
	return moved, nil
}

// checkUnused returns [ErrInUse] if another connection has the database open. To find out, it
// leaves the write-ahead log mode, which needs exclusive access (SQLite, "PRAGMA
// journal_mode") and moves the content of the log into the file. A damaged file cannot be
// checked this way, but no service can use it either.
func checkUnused(ctx context.Context, path string) (err error) {
	const magic = "SQLite format 3\x00" // SQLite, "Database File Format" §1.3.1
	begin := make([]byte, len(magic))
	if file, err := os.Open(path); err == nil {
		_, _ = io.ReadFull(file, begin) // a shorter file is no database
		_ = file.Close()
	}
	if string(begin) != magic {
		return nil // SQLite would remove the log beside it
	}
	db, err := openFile(path, "mode=rw&_pragma=busy_timeout(0)")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var mode string
	err = db.QueryRowContext(ctx, `PRAGMA journal_mode = DELETE`).Scan(&mode)
	if errors.Is(translate(err), application.ErrUnavailable) || err == nil && mode != "delete" {
		return errors.Join(ErrInUse, err)
	}
	return nil
}

// openFile opens an SQLite file with one connection.
func openFile(path, parameters string) (*sql.DB, error) {
	absolute, err := filepath.Abs(path) // a file URL needs an absolute path
	if err != nil {
		return nil, err
	}
	dsn := url.URL{Scheme: "file", Opaque: (&url.URL{Path: absolute}).EscapedPath(), RawQuery: parameters}
	db, err := sql.Open("sqlite", dsn.String())
	if err == nil {
		db.SetMaxOpenConns(1)
	}
	return db, err
}

// createTemporary creates an empty file beside target that only its owner can read.
func createTemporary(target string) (name string, err error) {
	file, err := os.CreateTemp(filepath.Dir(target), filepath.Base(target)+".partial-*")
	if err != nil {
		return "", err
	}
	return file.Name(), file.Close()
}

func copyFile(from, to string) (err error) {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	target, err := os.OpenFile(to, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	if _, err = io.Copy(target, source); err == nil {
		err = target.Sync()
	}
	return errors.Join(err, target.Close())
}

func syncFile(name string) error {
	file, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(file.Sync(), file.Close())
}

// publish durably gives a complete file its name, and never replaces another file: unlike a
// rename, a hard link fails if the name exists.
func publish(temporary, target string) error {
	if err := os.Link(temporary, target); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("%s: %w", target, ErrExists)
		}
		if err := os.Rename(temporary, target); err != nil { // a file system without hard links
			return err
		}
	}
	return syncDir(target)
}

// syncDir makes the directory entry of a file durable.
func syncDir(name string) error {
	dir, err := os.Open(filepath.Dir(name))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
