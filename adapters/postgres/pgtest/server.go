// Package pgtest starts temporary PostgreSQL servers for tests and benchmarks. It uses the
// binaries of the machine; the servers listen only on a Unix socket in a temporary folder.
package pgtest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// startTimeout bounds how long a server may take until it responds.
const startTimeout = 30 * time.Second

// Server is a running PostgreSQL.
type Server struct {
	dir      string
	settings []string
	process  *syscall.SysProcAttr
	command  *exec.Cmd
	base     *url.URL // of a server that is not ours (TEST_DATABASE_URL); nil otherwise
	serial   atomic.Int64
}

// Binary finds a program of PostgreSQL: in $PG_BIN, on the PATH, or where
// Debian and similar systems install it.
func Binary(name string) (string, error) {
	if dir := os.Getenv("PG_BIN"); dir != "" {
		return exec.LookPath(filepath.Join(dir, name))
	}
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if len(found) == 0 {
		return "", fmt.Errorf("PostgreSQL's %s is missing: install PostgreSQL (Debian: apt-get install postgresql), or name its folder in PG_BIN", name)
	}
	slices.Sort(found)
	return found[len(found)-1], nil
}

// Start creates a cluster and starts it, with settings such as "fsync=off". If
// TEST_DATABASE_URL is set, it uses that server instead.
func Start(ctx context.Context, settings ...string) (*Server, error) {
	return StartIn(ctx, os.TempDir(), settings...)
}

// StartIn is Start with the cluster in a folder below parent.
func StartIn(ctx context.Context, parent string, settings ...string) (*Server, error) {
	if given := os.Getenv("TEST_DATABASE_URL"); given != "" {
		base, err := url.Parse(given)
		if err != nil {
			return nil, errors.New("TEST_DATABASE_URL is not a URL")
		}
		return &Server{base: base}, nil
	}
	s, err := newServer(parent, settings)
	if err != nil {
		return nil, err
	}
	if err := s.create(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// create creates the cluster and starts it.
func (s *Server) create(ctx context.Context) error {
	err := s.tool(ctx, "initdb", "--no-sync", "-A", "trust", "--locale=C", "-E", "UTF8", "-U", "postgres", "-D", s.data())
	if err == nil {
		err = s.Launch(ctx)
	}
	if err != nil {
		return errors.Join(err, s.Stop())
	}
	return nil
}

// newServer creates the empty folder of a server.
func newServer(parent string, settings []string) (*Server, error) {
	dir, err := os.MkdirTemp(parent, "pg")
	if err != nil {
		return nil, fmt.Errorf("PostgreSQL: %w", err)
	}
	s := &Server{dir: dir, settings: settings}
	if s.process, err = unprivileged(dir); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

// tool runs one of PostgreSQL's programs.
func (s *Server) tool(ctx context.Context, name string, args ...string) error {
	binary, err := Binary(name)
	if err != nil {
		return err
	}
	command := exec.CommandContext(ctx, binary, args...)
	command.SysProcAttr = s.process
	command.Dir = s.dir
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, output)
	}
	return nil
}

// Launch starts the server, which must not be running, and waits until it responds.
func (s *Server) Launch(ctx context.Context) error {
	binary, err := Binary("postgres")
	if err != nil {
		return err
	}
	args := []string{"-D", s.data(), "-k", s.dir, "-c", "listen_addresses="}
	for _, setting := range s.settings {
		args = append(args, "-c", setting)
	}
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("PostgreSQL: %w", err)
	}
	defer log.Close()
	s.command = exec.CommandContext(context.WithoutCancel(ctx), binary, args...) // only Stop and Crash end it
	s.command.SysProcAttr = s.process
	s.command.Dir = s.dir
	s.command.Stdout, s.command.Stderr = log, log
	if err := s.command.Start(); err != nil {
		return fmt.Errorf("PostgreSQL: %w", err)
	}
	return s.awaitResponse(ctx)
}

// unprivileged returns how to start PostgreSQL, which does not run as root: for root, under
// the account of postgres or nobody, which then owns dir.
func unprivileged(dir string) (*syscall.SysProcAttr, error) {
	attributes := &syscall.SysProcAttr{}
	dieWithParent(attributes)
	if os.Getuid() != 0 {
		return attributes, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		account, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(account.Uid, 10, 32)
		if err != nil {
			continue
		}
		gid, err := strconv.ParseUint(account.Gid, 10, 32)
		if err != nil {
			continue
		}
		attributes.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		return attributes, os.Chown(dir, int(uid), int(gid))
	}
	return nil, errors.New("PostgreSQL does not run as root, and there is neither a postgres nor a nobody account")
}

// awaitResponse connects until the server responds.
func (s *Server) awaitResponse(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, s.URL("postgres"))
		if err == nil {
			return conn.Close(ctx)
		}
		if !s.Running() {
			log, _ := os.ReadFile(filepath.Join(s.dir, "log"))
			return fmt.Errorf("PostgreSQL ended: %s", log)
		}
		select {
		case <-ctx.Done():
			log, _ := os.ReadFile(filepath.Join(s.dir, "log"))
			return fmt.Errorf("PostgreSQL does not answer: %w: %s", err, log)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// URL returns the connection string of a database.
func (s *Server) URL(database string) string {
	if s.base != nil {
		named := *s.base
		named.Path = "/" + database
		return named.String()
	}
	query := url.Values{"host": {s.dir}, "user": {"postgres"}}
	return (&url.URL{Scheme: "postgres", Path: "/" + database, RawQuery: query.Encode()}).String()
}

// Socket returns the folder of the server's socket.
func (s *Server) Socket() string { return s.dir }

// NewDatabase creates an empty database and returns its connection string.
func (s *Server) NewDatabase(ctx context.Context) (string, error) {
	maintenance := s.URL("postgres")
	if s.base != nil {
		maintenance = s.base.String()
	}
	conn, err := pgx.Connect(ctx, maintenance)
	if err != nil {
		return "", fmt.Errorf("new database: %w", err)
	}
	defer conn.Close(ctx)
	name := fmt.Sprintf("clientele_test_%d_%d", os.Getpid(), s.serial.Add(1))
	if _, err := conn.Exec(ctx, "CREATE DATABASE "+pgx.Identifier{name}.Sanitize()); err != nil {
		return "", fmt.Errorf("new database: %w", err)
	}
	return s.URL(name), nil
}

// Stop ends the server at once and removes its files.
func (s *Server) Stop() error {
	s.Crash()
	if s.dir == "" {
		return nil
	}
	return os.RemoveAll(s.dir)
}

// Main starts a server for the tests of a package, sets *server, runs the tests, and returns
// the exit status. The server does not sync to the disk: that is faster, and no test needs
// its data after a power failure.
func Main(m interface{ Run() int }, server **Server) int {
	started, err := Start(context.Background(), "fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=200")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	*server = started
	status := m.Run()
	if err := started.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return status
}
