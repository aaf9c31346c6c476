package mirror

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/clientele-oauth/clientele/api/client"
)

// The file has a JSON object per line: a fileHeader, a fileEntry for each client, and a
// fileEnd.
const fileVersion = 1

// How often the file is written: after a change, and otherwise to keep the time of the
// last contact. A file that takes long to write is written less often.
const (
	saveAfterChange = 2 * time.Second
	saveOtherwise   = 5 * time.Minute
	saveShare       = 20
)

type fileHeader struct {
	Version  int       `json:"clientele_mirror"`
	Server   string    `json:"server"`
	Cursor   string    `json:"cursor"`
	Contact  time.Time `json:"contact"`
	Snapshot time.Time `json:"snapshot"`
	// Hashes reports whether the clients have the hashes of their secrets.
	Hashes bool `json:"hashes"`
}

type fileEntry struct {
	Document json.RawMessage `json:"document,omitempty"`
	// Hashes are those of the client's secrets, if the mirror keeps them.
	Hashes json.RawMessage `json:"hashes,omitempty"`
	// Unreadable is the id of a client whose record the registry cannot read, and Revision
	// its revision.
	Unreadable string `json:"unreadable,omitempty"`
	Revision   int64  `json:"revision,omitempty"`
}

type fileEnd struct {
	Clients *int   `json:"clients,omitempty"`
	SHA256  string `json:"sha256,omitempty"` // of everything before this line
}

// server returns the URL of the registry, by which a file of another one is recognized.
func (m *Mirror) server() string {
	if c, ok := m.config.Client.ClientInterface.(*client.Client); ok {
		return c.Server
	}
	return ""
}

// load reads the file, and reports whether there is a copy now. A file that cannot be used
// is ignored: the mirror then starts with a snapshot.
func (m *Mirror) load() bool {
	if m.config.File == "" {
		return false
	}
	s, header, err := m.readFile()
	if errors.Is(err, fs.ErrNotExist) {
		return false
	}
	if err != nil {
		m.config.Log.Warn("the file of the mirror is ignored", "file", m.config.File, "error", err)
		return false
	}
	if m.config.Verifiers && !header.Hashes {
		s.cursor = "" // a snapshot has the hashes
	}
	for id, e := range s.clients {
		switch {
		case !m.config.Verifiers && e.hashes != nil:
			s.bytes -= int64(len(e.hashes))
			s.clients[id] = &entry{client: e.client, revision: e.revision}
		case header.Hashes && e.client != nil && e.hashes == nil:
			m.await(e.client)
		}
	}
	now := m.now()
	m.state, m.fromFile = s, true
	m.contact = earlier(header.Contact, now)
	s.snapshot = earlier(header.Snapshot, now)
	m.saved = now
	return true
}

// earlier returns the earlier of two times: a clock may have been set back.
func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// readFile reads the file.
func (m *Mirror) readFile() (*state, fileHeader, error) {
	var header fileHeader
	file, err := os.Open(m.config.File)
	if err != nil {
		return nil, header, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, header, err
	}
	switch {
	case !info.Mode().IsRegular():
		return nil, header, errors.New("it is not a regular file")
	case info.Mode().Perm()&0o022 != 0 && runtime.GOOS != "windows":
		return nil, header, errors.New("other users can write to it")
	case info.Size() > m.maxFileBytes():
		return nil, header, errTooLarge
	}
	lines := bufio.NewScanner(io.LimitReader(file, m.maxFileBytes()))
	lines.Buffer(nil, 2*maxClientBytes)
	hash := sha256.New()
	if !lines.Scan() || json.Unmarshal(lines.Bytes(), &header) != nil || header.Version != fileVersion || header.Cursor == "" ||
		header.Contact.IsZero() {
		return nil, header, errors.New("it is not the file of a mirror, or one of another version")
	}
	if header.Server != m.server() {
		return nil, header, fmt.Errorf("it is that of the registry at %s", header.Server)
	}
	s := newState()
	s.cursor = header.Cursor
	for ended := false; !ended; {
		hash.Write(lines.Bytes())
		hash.Write([]byte("\n"))
		if !lines.Scan() {
			return nil, header, errors.Join(errors.New("it is incomplete"), lines.Err())
		}
		if ended, err = m.readLine(s, lines.Bytes(), hash.Sum(nil)); err != nil {
			return nil, header, err
		}
	}
	return s, header, nil
}

// readLine reads a line after the first, and reports whether it is the last.
func (m *Mirror) readLine(s *state, text, hash []byte) (ended bool, err error) {
	var line struct {
		fileEntry
		fileEnd
	}
	if err := json.Unmarshal(text, &line); err != nil {
		return false, errors.New("it is damaged")
	}
	if line.Clients != nil {
		if *line.Clients != len(s.clients) || line.SHA256 != hex.EncodeToString(hash) {
			return false, errors.New("it is damaged")
		}
		return true, nil
	}
	if line.Unreadable != "" {
		s.clients[line.Unreadable] = &entry{revision: line.Revision}
		return false, nil
	}
	id, e, err := newEntry(line.Document)
	if err == nil && e != nil && line.Hashes != nil {
		e, err = e.withHashes(line.Hashes)
	}
	if err == nil && e == nil {
		err = errors.New("it has a deleted client")
	}
	if err != nil {
		return false, err
	}
	return false, s.set(id, e, m.config.MaxBytes)
}

// maxFileBytes is the maximum size of the file.
func (m *Mirror) maxFileBytes() int64 { return 2*m.config.MaxBytes + 2*maxClientBytes }

// saveInterval is the time between two writes of the file after changes.
func (m *Mirror) saveInterval() time.Duration { return max(saveAfterChange, saveShare*m.saveCost) }

// saveIfDue writes the file if it is time to.
func (m *Mirror) saveIfDue() {
	if m.config.File == "" || m.state.cursor == "" || m.fromFileOrNever() {
		return
	}
	interval := m.saveInterval()
	if !m.dirty {
		interval = max(interval, saveOtherwise)
		if m.config.MaxStaleness > 0 {
			interval = min(interval, m.config.MaxStaleness/4)
		}
	}
	if m.saved.IsZero() || since(m.saved, m.now()) >= interval {
		m.save()
	}
}

// saveAtEnd writes the file at the end, so that it has the time of the last contact.
func (m *Mirror) saveAtEnd() {
	if m.config.File != "" && m.state.cursor != "" && !m.fromFileOrNever() {
		m.save()
	}
}

// fromFileOrNever reports that there was no contact yet, so that the file has nothing to
// gain.
func (m *Mirror) fromFileOrNever() bool {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.fromFile || m.contact.IsZero()
}

// save writes the file. A failure is logged once, and tried again later.
func (m *Mirror) save() {
	started := time.Now()
	m.saved = m.now()
	err := m.writeFile()
	m.saveCost = time.Since(started)
	if err != nil && m.saveErr == nil {
		m.config.Log.Error("the file of the mirror cannot be written", "file", m.config.File, "error", err)
	}
	m.saveErr = err
	m.dirty = m.dirty && err != nil
}

// writeFile writes the file under another name, and renames it when it is on the disk, so
// that there is always a complete one.
func (m *Mirror) writeFile() (err error) {
	temporary := m.config.File + ".tmp"
	if err := os.Remove(temporary); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	// A file that another program made under this name is not used.
	file, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = file.Close()
			_ = os.Remove(temporary)
		}
	}()
	if err := m.writeLines(file); err != nil {
		return err
	}
	if err := file.Sync(); err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	if err := os.Rename(temporary, m.config.File); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(m.config.File))
}

// writeLines writes the lines of the file.
func (m *Mirror) writeLines(file io.Writer) error {
	hash := sha256.New()
	buffered := bufio.NewWriterSize(file, 1<<16)
	encoder := json.NewEncoder(io.MultiWriter(buffered, hash))
	encoder.SetEscapeHTML(false)
	m.mu.RLock()
	header := fileHeader{fileVersion, m.server(), m.state.cursor, m.contact.UTC(), m.state.snapshot.UTC(), m.config.Verifiers}
	s := m.state // its clients are written only by this goroutine
	m.mu.RUnlock()
	if err := encoder.Encode(header); err != nil {
		return err
	}
	for id, e := range s.clients {
		line := fileEntry{Unreadable: id, Revision: e.revision}
		if e.client != nil {
			line = fileEntry{Document: e.client.Document, Hashes: e.hashes}
		}
		if err := encoder.Encode(line); err != nil {
			return err
		}
	}
	end, err := json.Marshal(fileEnd{Clients: new(len(s.clients)), SHA256: hex.EncodeToString(hash.Sum(nil))})
	if err != nil {
		return err
	}
	if _, err := buffered.Write(append(end, '\n')); err != nil {
		return err
	}
	return buffered.Flush()
}

// syncFolder makes a rename in the folder durable, where the system can.
func syncFolder(path string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	defer folder.Close()
	return folder.Sync()
}
