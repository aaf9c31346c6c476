package sqlite

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// privateMode lets the owner alone read a file: it has the hashes of secrets.
const privateMode = 0o600

// makePrivate makes the file of a store if there is none, and takes the permissions
// of others from it and from the files that SQLite keeps beside it; new ones of
// these get the permissions of the store's. Files of another owner are left as
// they are.
func makePrivate(path string) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, privateMode)
	if err != nil {
		return nil //nolint:nilerr // the first use of the store reports that it cannot be opened
	}
	if err := file.Close(); err != nil {
		return fmt.Errorf("open SQLite: %w", err)
	}
	for _, name := range []string{path, path + "-wal", path + "-shm", path + "-journal", path + ".migrating"} {
		info, err := os.Stat(name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return fmt.Errorf("open SQLite: %w", err)
		case !info.Mode().IsRegular() || info.Mode().Perm()&0o077 == 0:
			continue
		}
		if err := os.Chmod(name, privateMode); err != nil && !errors.Is(err, fs.ErrPermission) {
			return fmt.Errorf("open SQLite: %w", err)
		}
	}
	return nil
}
