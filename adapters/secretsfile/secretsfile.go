// Package secretsfile reads the values of client secrets from a file that the operator
// keeps, for authorization servers that need the values. The registry has only hashes.
//
// The file is a JSON or YAML object with a value for each client_id:
//
//	shop: clientele_04W2Nklhft9FRVQevH1W6qELanBQakl_hgUzzcLo3mc50dc2368
//	billing: clientele_…
//
// It may also have a JSON object in each line, as "clientele apply --secrets-file" writes
// them; the last one of a client counts:
//
//	{"client_id": "shop", "client_secret": "clientele_…"}
package secretsfile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"sync"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/clientele-oauth/clientele/adapters/internal/configured"
	"github.com/clientele-oauth/clientele/domain"
)

// maxBytes limits the size of the file: about 100,000 clients.
const maxBytes = 16 << 20

// othersMay are the permissions that a file with secrets must not have.
const othersMay fs.FileMode = 0o077

// File is a file with secrets, which is read again when it changes. The zero value has no
// secrets. It is safe for concurrent use.
type File struct {
	path string
	log  *slog.Logger

	mu      sync.Mutex
	values  map[domain.ClientID]string
	read    version
	refused string // the reason why the last read failed, to report each only once
}

// version tells one content of a file from the next.
type version struct {
	size     int64
	modified time.Time
	inode    any
}

// Open reads the file. The error is for a file that cannot be read, or that others can
// read.
func Open(path string, log *slog.Logger) (*File, error) {
	f := &File{path: path, log: log}
	info, err := os.Stat(path)
	if err == nil {
		f.values, err = read(path, info)
	}
	if err != nil {
		return nil, fmt.Errorf("secrets file: %w", err)
	}
	f.read = versionOf(info)
	return f, nil
}

func versionOf(info fs.FileInfo) version {
	return version{info.Size(), info.ModTime(), inode(info)}
}

// Secret returns the value of a client's secret.
func (f *File) Secret(id domain.ClientID) (value string, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	value, ok = f.values[id]
	return value, ok
}

// Changed reads the file again if it has changed, and returns the clients whose values
// have. If it cannot be read, the values of before stay, and the reason is logged once.
func (f *File) Changed() []domain.ClientID {
	if f.path == "" {
		return nil
	}
	info, err := os.Stat(f.path)
	f.mu.Lock()
	defer f.mu.Unlock()
	if err == nil && versionOf(info) == f.read {
		return nil
	}
	var values map[domain.ClientID]string
	if err == nil {
		values, err = read(f.path, info)
	}
	if err != nil {
		if reason := err.Error(); reason != f.refused {
			f.refused = reason
			f.log.Warn("the file with the secrets cannot be read; keeping the values of before", "error", err)
		}
		return nil
	}
	var changed []domain.ClientID
	for id, value := range values {
		if f.values[id] != value {
			changed = append(changed, id)
		}
	}
	for id := range f.values {
		if _, kept := values[id]; !kept {
			changed = append(changed, id)
		}
	}
	f.values, f.read, f.refused = maps.Clone(values), versionOf(info), ""
	return changed
}

// read reads the values. No error repeats a part of the file.
func read(path string, info fs.FileInfo) (map[domain.ClientID]string, error) {
	if info.Mode().Perm()&othersMay != 0 {
		return nil, fmt.Errorf("%s can be read by others (mode %04o); use chmod 600", path, info.Mode().Perm())
	}
	text, err := configured.ReadFile(path, maxBytes)
	if err != nil {
		return nil, err
	}
	values, isLines := parseLines(text)
	if !isLines {
		if err := yaml.Unmarshal(text, &values); err != nil { // JSON is YAML
			return nil, fmt.Errorf("%s is neither an object with a text for each client_id nor a list of lines from clientele apply", path)
		}
	}
	for id, value := range values {
		if value == "" {
			return nil, fmt.Errorf("%s: the secret of %q is empty", path, id)
		}
	}
	return values, nil
}

// parseLines reads the lines that "clientele apply" writes; ok is false if the text has
// another form.
func parseLines(text []byte) (values map[domain.ClientID]string, ok bool) {
	values = map[domain.ClientID]string{}
	for line := range bytes.Lines(text) {
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		var entry struct {
			ID    domain.ClientID `json:"client_id"`
			Value string          `json:"client_secret"`
		}
		decoder := json.NewDecoder(bytes.NewReader(line))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&entry); err != nil || entry.ID == "" || decoder.More() {
			return nil, false
		}
		values[entry.ID] = entry.Value
	}
	return values, true
}
