package sqlite

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// privateMode lets only the owner read a file, because it has hashes of secrets.
const privateMode = 0o600

// makePrivate creates the file of a store if it does not exist, and removes the permissions
// of other users from it and from the files that SQLite keeps beside it. SQLite creates new
// ones with the permissions of the store's file. Files of another owner are not changed.
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
