package registrationfile

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/clientele-oauth/clientele/adapters/internal/settingsfile"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// checkInterval is the minimum time between two checks whether the file has changed.
const checkInterval = time.Second

// File has the policies of a file. It reads the file again when it changes; then the new
// policies are in force within a second. A file that cannot be read or has faults changes
// nothing: the policies before it stay in force.
//
// File is safe for concurrent use. A caller that finds the file changed waits until it has
// read it; all others return without waiting.
//
// Replace a file by renaming another one to its name, so that it is never read half-written.
type File struct {
	path string
	book *domain.Rulebook
	log  *slog.Logger
	now  func() time.Time

	current atomic.Pointer[Policies]
	failing atomic.Bool

	// checking guards the fields below. Only a check holds it, so that no caller waits for the
	// file while another one reads it.
	checking  sync.Mutex
	checkedAt time.Time
	status    os.FileInfo       // of the last read; nil if it failed
	reported  [sha256.Size]byte // the digest of the content or error that was last reported
}

// Open reads a file for the first time. The error is that of [Parse], or that of reading.
// log receives the changes of the file and its faults.
func Open(path string, book *domain.Rulebook, log *slog.Logger, now func() time.Time) (*File, error) {
	f := &File{path: path, book: book, log: log.With("file", path), now: now}
	f.checkedAt = now()
	f.status, _ = os.Stat(path) // before reading, so that a later change is noticed
	policies, _, err := f.read()
	if err != nil {
		return nil, err
	}
	f.current.Store(&policies)
	return f, nil
}

// Registration implements [application.RegistrationPolicies].
func (f *File) Registration(tenant domain.TenantID) application.TenantRegistration {
	return f.policies().Registration(tenant)
}

// Tenants implements [application.RegistrationPolicies].
func (f *File) Tenants() []domain.TenantID { return f.policies().Tenants() }

// Note returns a text for operators if the file cannot be used, so that the policies before
// it are in force; empty otherwise.
func (f *File) Note(context.Context) string {
	f.policies()
	if !f.failing.Load() {
		return ""
	}
	return "cannot be read or has faults, see the log; the policies before the change stay in force"
}

// policies returns the policies in force. It first checks whether the file has changed, unless
// another caller does.
func (f *File) policies() *Policies {
	if f.checking.TryLock() {
		defer f.checking.Unlock()
		if now := f.now(); now.Sub(f.checkedAt) >= checkInterval {
			f.checkedAt = now
			f.check()
		}
	}
	return f.current.Load()
}

// check reads the file again if it has changed. The caller holds the mutex.
func (f *File) check() {
	status, err := os.Stat(f.path)
	if err == nil && f.status != nil && !changed(f.status, status) {
		return
	}
	policies, content, err := f.read()
	if after, failed := os.Stat(f.path); failed == nil && status != nil && changed(status, after) {
		return // it is being written; the next check reads it
	}
	f.status = status
	if content == nil { // what prevents the read, such as permissions, may end without a trace on the file
		f.status = nil
	}
	if err != nil {
		f.report(content, err)
		return
	}
	f.current.Store(&policies)
	f.failing.Store(false)
	f.reported = [sha256.Size]byte{}
	f.log.Info("the registration file was read again", "tenants", len(policies.tenants))
}

// report logs a file that cannot be used, once for each content.
func (f *File) report(content []byte, err error) {
	f.failing.Store(true)
	digest := sha256.Sum256(fmt.Appendf(content, "\x00%s", err))
	if digest != f.reported {
		f.reported = digest
		f.log.Error("the registration file cannot be used; the policies before it stay in force", "error", err)
	}
}

// read reads the file. The content is nil if that failed; it may be there with an error about it.
func (f *File) read() (policies Policies, content []byte, err error) {
	if content, err = settingsfile.Read(f.path); err == nil {
		policies, err = Parse(f.path, content, f.book)
	}
	if err != nil {
		err = fmt.Errorf("registration file: %w", err)
	}
	return policies, content, err
}

// changed reports whether the file is another one, or was written.
func changed(before, after os.FileInfo) bool {
	return !os.SameFile(before, after) || !before.ModTime().Equal(after.ModTime()) || before.Size() != after.Size()
}
