package secretsfile

import (
	"io/fs"
	"syscall"
)

// inode returns what distinguishes a file from the one that was in its place.
func inode(info fs.FileInfo) any {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return stat.Ino
	}
	return nil
}
