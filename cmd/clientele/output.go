package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/clientele-oauth/clientele/adapters/report"
)

// privateFile and privateFolder are the modes of files and folders that only their owner
// can read.
const (
	privateFile   = 0o600
	privateFolder = 0o700
)

// writer writes client files into a folder. An existing file with different content is
// kept, unless force is set. A symbolic link is never followed and never replaced.
type writer struct {
	dir   string
	force bool
}

// newWriter creates the folder if it does not exist.
func newWriter(dir string, force bool) (writer, error) {
	return writer{dir, force}, os.MkdirAll(dir, privateFolder)
}

// errKept is the error for a file that was not written because a different one exists.
var errKept = errors.New("exists with different content; use --force to replace it")

// write writes a file atomically. The error names the file; it is [errKept] if a
// different file exists.
func (w writer) write(name string, text []byte) error {
	path := filepath.Join(w.dir, name)
	if err := w.place(path, text); err != nil {
		return fmt.Errorf("%s: %w", path, withoutPath(err))
	}
	return nil
}

func (w writer) place(path string, text []byte) error {
	switch info, err := os.Lstat(path); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return errors.New("exists and is not a regular file")
	default:
		if existing, err := readRegular(path, int64(len(text))); err == nil && bytes.Equal(existing, text) {
			return nil
		}
		if !w.force {
			return errKept
		}
	}
	temporary, err := os.CreateTemp(w.dir, ".clientele-*") // created exclusively, with mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(temporary.Name())
	_, err = temporary.Write(text)
	if err := errors.Join(err, temporary.Close()); err != nil {
		return err
	}
	if w.force {
		return os.Rename(temporary.Name(), path) // replaces a link itself, not what it points to
	}
	if err := os.Link(temporary.Name(), path); !errors.Is(err, fs.ErrExist) {
		return err
	}
	return errKept // the file was created in the meantime
}

// openPrivate opens a file to append secrets to, and creates it if it does not exist. A
// symbolic link, or a file that others can read, is an error.
func openPrivate(name string) (*os.File, error) {
	file, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_APPEND|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, privateFile)
	if errors.Is(err, syscall.ELOOP) {
		return nil, fmt.Errorf("%s: is a symbolic link", name)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, withoutPath(err))
	}
	info, err := file.Stat()
	switch {
	case err != nil:
	case !info.Mode().IsRegular():
		err = errors.New("is not a regular file")
	case info.Mode().Perm()&0o077 != 0:
		err = fmt.Errorf("can be read by others (mode %04o); run chmod 600 on it, or name another file", info.Mode().Perm())
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", name, withoutPath(err)), file.Close())
	}
	return file, nil
}

// printError prints an error to standard error. Each line is escaped, because it may
// contain text from a server or a file.
func printError(err error) {
	var text strings.Builder
	for line := range strings.SplitSeq(err.Error(), "\n") {
		text.WriteString("clientele: " + report.Printable(line) + "\n")
	}
	fmt.Fprint(os.Stderr, text.String())
}

// note prints a line to standard error; the arguments are escaped.
func note(format string, args ...any) {
	for i, arg := range args {
		switch arg := arg.(type) {
		case string:
			args[i] = report.Printable(arg)
		case error:
			args[i] = report.Printable(arg.Error())
		}
	}
	fmt.Fprintf(os.Stderr, format+"\n", args...)
}
