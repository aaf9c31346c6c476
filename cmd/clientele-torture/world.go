package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/clientele-oauth/clientele/adapters/postgres/pgtest"
	"github.com/clientele-oauth/clientele/cmd/servicetest"
)

// world is the environment of a scenario: a service over a store, a load on it, and a
// ledger of the acknowledged changes.
type world struct {
	binary  string
	dir     string // the service's data directory
	address string // of the service, the same after each restart
	random  *rand.Rand
	fault   time.Duration // how long to inject faults
	idle    int           // how many idle connections to open

	database    *pgtest.Server // nil on SQLite
	databaseURL string

	// Only some scenarios have these.
	slow     *proxy         // between service and database
	standby  *pgtest.Server // of the database
	replicas *replicas      // of the service, behind a proxy
	issuer   *issuer        // of tokens

	args    []string
	process *servicetest.Process
	load    *load
	reader  *follower
	ledger  *ledger
	verdict verdict
	cleanup []func()
}

// freeAddress returns an address with a free port.
func freeAddress(ctx context.Context) (string, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}

// serve starts the service, or restarts it after it has ended.
func (w *world) serve(ctx context.Context) error {
	p, err := w.start(ctx, w.address)
	w.process = p
	return err
}

// start starts an instance of the service over the store.
func (w *world) start(ctx context.Context, address string) (*servicetest.Process, error) {
	args := append([]string{"--listen", address, "--data", w.dir, "--request-timeout", "5s"}, w.args...)
	if w.databaseURL != "" {
		args = append(args, "--database-url", w.databaseURL)
	}
	return servicetest.Start(context.WithoutCancel(ctx), w.binary, servicetest.Options{}, args...)
}

// kill kills the service without a shutdown, as a power failure would.
func (w *world) kill() {
	w.process.Kill()
	w.verdict.Kills++
}

// randomPause waits for a random time.
func (w *world) randomPause(ctx context.Context, least, most time.Duration) {
	pause(ctx, least+time.Duration(w.random.Int64N(int64(most-least))))
}

// repeat injects a fault at least once, and again until the time is over.
func (w *world) repeat(ctx context.Context, fault func() error) error {
	for end := time.Now().Add(w.fault); ; {
		if err := fault(); err != nil || time.Now().After(end) || ctx.Err() != nil {
			return errors.Join(err, ctx.Err())
		}
	}
}

// recoveryTimeout bounds how long the service may take to accept changes again.
const recoveryTimeout = 40 * time.Second

// awaitRecovery waits until changes are acknowledged again.
func (w *world) awaitRecovery(ctx context.Context) {
	for before, end := w.ledger.acks(), time.Now().Add(recoveryTimeout); w.ledger.acks() < before+2*writers; pause(ctx, 5*time.Millisecond) {
		if time.Now().After(end) {
			w.verdict.wrong("no change was acknowledged within %s after the faults", recoveryTimeout)
			return
		}
	}
}

// execute runs the statements as the superuser, each in its own transaction.
func (w *world) execute(ctx context.Context, statements ...string) error {
	for _, statement := range statements {
		if err := w.database.Execute(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	return nil
}

// newWorld creates the store of a scenario. The service connects to PostgreSQL with a role
// that owns the database and has no other privileges.
func newWorld(ctx context.Context, binary string, s scenario, seed uint64, fault time.Duration) (w *world, err error) {
	dir, err := os.MkdirTemp("", "torture")
	if err != nil {
		return nil, err
	}
	w = &world{
		binary: binary, dir: filepath.Join(dir, "data"), fault: fault, ledger: newLedger(), args: []string{"--dev"},
		random:  rand.New(rand.NewPCG(seed, 0)), //nolint:gosec // the same choices for the same seed
		cleanup: []func(){func() { _ = os.RemoveAll(dir) }},
	}
	if w.address, err = freeAddress(ctx); err != nil {
		return w, err
	}
	parent := os.TempDir()
	if s.smallDisk > 0 {
		if parent, err = w.smallDisk(s.smallDisk); err != nil {
			return w, err
		}
		w.dir = filepath.Join(parent, "data")
	}
	if s.store != onPostgres {
		return w, os.MkdirAll(w.dir, 0o700)
	}
	if w.database, err = pgtest.StartIn(ctx, parent, append([]string{"max_connections=60"}, s.settings...)...); err != nil {
		return w, err
	}
	w.cleanup = append(w.cleanup, func() { _ = w.database.Stop() })
	if s.smallDisk > 0 { // the small disk is only for the database
		w.dir = filepath.Join(dir, "data")
	}
	w.databaseURL = "postgres:///clientele?user=clientele&host=" + w.database.Socket()
	return w, errors.Join(os.MkdirAll(w.dir, 0o700),
		w.execute(ctx, "CREATE ROLE clientele LOGIN", "CREATE DATABASE clientele OWNER clientele"))
}

// smallDisk mounts a file system with the given size in MiB.
func (w *world) smallDisk(size int) (string, error) {
	dir, err := os.MkdirTemp("", "disk")
	if err != nil {
		return "", err
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%dm,mode=0777", size)); err != nil {
		return "", errors.Join(errNeedsRoot, os.Remove(dir))
	}
	w.cleanup = append([]func(){func() {
		_ = syscall.Unmount(dir, syscall.MNT_DETACH)
		_ = os.RemoveAll(dir)
	}}, w.cleanup...)
	return dir, nil
}

// errNeedsRoot is the reason why a scenario with a small disk is skipped.
var errNeedsRoot = errors.New("a small file system needs root")

// fill fills a disk to the last byte; the returned function frees the space.
func fill(dir string) (free func() error, err error) {
	path := filepath.Join(dir, "filler")
	file, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	for size := 1 << 20; size > 0; size /= 2 {
		for err = nil; err == nil; {
			_, err = io.CopyN(file, zeros{}, int64(size))
		}
	}
	_ = file.Close()
	return func() error { return os.Remove(path) }, nil
}

type zeros struct{}

// Read implements [io.Reader].
func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// close stops the service and cleans up.
func (w *world) close() {
	if w.process != nil {
		w.process.Kill()
	}
	for _, clean := range slices.Backward(w.cleanup) {
		clean()
	}
}

// logged reports whether the service has logged the request.
func logged(p *servicetest.Process, requestID string) bool {
	return strings.Contains(p.Log.String(), `"request_id":"`+requestID+`","method"`)
}
