package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/clientele-oauth/clientele/adapters/clientfile"
)

// maxSettingFile is the maximum size in bytes of a file that a flag names: a token, a
// key or certificates.
const maxSettingFile = 1 << 20

// standardInput is the file name that means standard input.
const standardInput = "-"

// readInput reads a file of clients, or standard input, of at most
// [clientfile.MaxFileBytes]. It returns when the context ends, even while it waits for
// standard input.
func readInput(ctx context.Context, name string) ([]byte, error) {
	if name != standardInput {
		text, err := readRegular(name, clientfile.MaxFileBytes)
		if errors.Is(err, errNotRegular) {
			err = fmt.Errorf("%w; pipe it into standard input and name it %s", err, standardInput)
		}
		return text, err
	}
	type outcome struct {
		text []byte
		err  error
	}
	read := make(chan outcome, 1)
	go func() {
		text, err := readAtMost(os.Stdin, clientfile.MaxFileBytes)
		read <- outcome{text, err}
	}()
	select {
	case got := <-read:
		return got.text, got.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// readSetting reads a file that a flag names.
func readSetting(name string) ([]byte, error) {
	text, err := readRegular(name, maxSettingFile)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return text, nil
}

// errNotRegular is the error for a FIFO, a device or a socket instead of a file.
var errNotRegular = errors.New("is not a regular file")

// readRegular reads a regular file of at most the given number of bytes. Other kinds of
// files are errors, because opening a FIFO or reading a device could block forever. The
// error does not name the file.
func readRegular(name string, most int64) ([]byte, error) {
	file, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a FIFO without a writer would block
	if err != nil {
		return nil, withoutPath(err)
	}
	defer file.Close()
	info, err := file.Stat()
	switch {
	case err != nil:
		return nil, withoutPath(err)
	case info.IsDir():
		return nil, errors.New("is a folder")
	case !info.Mode().IsRegular():
		return nil, errNotRegular
	}
	return readAtMost(file, most)
}

func readAtMost(from io.Reader, most int64) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(from, most+1))
	switch {
	case err != nil:
		return nil, withoutPath(err)
	case int64(len(text)) > most:
		return nil, fmt.Errorf("is larger than %d MiB", most>>20)
	default:
		return text, nil
	}
}

// withoutPath removes the path from an error about a file, because callers print the
// name before the error.
func withoutPath(err error) error {
	if failed, ok := errors.AsType[*os.PathError](err); ok {
		return failed.Err
	}
	return err
}

// input is a file of clients to read, or the error that prevents it.
type input struct {
	name string
	err  error
}

// inputs lists the files to read. A folder is replaced by the YAML and JSON files in it and
// in its subfolders, in lexical order.
func inputs(ctx context.Context, names []string) []input {
	var files []input
	for _, name := range names {
		info, err := os.Stat(name)
		if name == standardInput || err != nil || !info.IsDir() { // reading it reports the error
			files = append(files, input{name: name})
			continue
		}
		found := len(files)
		err = filepath.WalkDir(name, func(path string, entry fs.DirEntry, err error) error {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err == nil && !entry.IsDir() && slices.Contains([]string{".yaml", ".yml", ".json"}, strings.ToLower(filepath.Ext(path))) {
				files = append(files, input{name: path})
			}
			return err
		})
		switch {
		case err != nil:
			files = append(files, input{name: name, err: withoutPath(err)})
		case len(files) == found:
			files = append(files, input{name: name, err: errors.New("has no .yaml, .yml or .json files")})
		}
	}
	return files
}
