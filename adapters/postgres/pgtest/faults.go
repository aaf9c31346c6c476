package pgtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5"
)

// Crash ends the server by an immediate shutdown, which is like a power failure for its data.
// The files stay, and Launch starts it again.
func (s *Server) Crash() {
	if s.command == nil || s.command.Process == nil {
		return
	}
	s.Thaw()                                      // a stopped process would not end
	_ = s.command.Process.Signal(syscall.SIGQUIT) // fails if it has already ended
	_ = s.command.Wait()
}

// Running reports whether the server has not ended.
func (s *Server) Running() bool {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.command.Process.Pid))
	if err != nil {
		return s.command.Process.Signal(syscall.Signal(0)) == nil // a system without /proc
	}
	_, state, _ := strings.Cut(string(status), ") ")
	return !strings.HasPrefix(state, "Z")
}

// Freeze stops all processes of the server until Thaw.
func (s *Server) Freeze() { s.signal(syscall.SIGSTOP) }

// Thaw continues a frozen server.
func (s *Server) Thaw() { s.signal(syscall.SIGCONT) }

// signal sends a signal to the server's processes. It may miss processes that start meanwhile.
func (s *Server) signal(signal syscall.Signal) {
	for _, pid := range s.Processes() {
		_ = syscall.Kill(pid, signal)
	}
}

// Processes returns the IDs of the server's processes, starting with the postmaster. Each is
// in a session of its own.
func (s *Server) Processes() []int {
	pids := []int{s.command.Process.Pid}
	entries, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, name := range entries {
		status, err := os.ReadFile(name)
		if err != nil {
			continue // it has ended
		}
		_, rest, _ := strings.Cut(string(status), ") ")
		fields := strings.Fields(rest)
		if len(fields) < 2 || fields[1] != strconv.Itoa(pids[0]) {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(name))); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// Execute runs a statement as the superuser in the maintenance database.
func (s *Server) Execute(ctx context.Context, statement string) error {
	conn, err := pgx.Connect(ctx, s.URL("postgres"))
	if err != nil {
		return fmt.Errorf("PostgreSQL: %w", err)
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, statement)
	return err
}

// Standby returns a server that replicates this one. name is its name in
// synchronous_standby_names.
func (s *Server) Standby(ctx context.Context, name string) (*Server, error) {
	follower, err := newServer(os.TempDir(), s.settings)
	if err != nil {
		return nil, err
	}
	err = follower.tool(ctx, "pg_basebackup", "--pgdata", follower.data(), "--write-recovery-conf", "--wal-method=stream",
		"--checkpoint=fast", "--no-sync", "--dbname", "host="+s.dir+" user=postgres application_name="+name)
	if err == nil {
		err = follower.Launch(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, follower.Stop())
	}
	return follower, nil
}

// Promote makes a standby accept writes.
func (s *Server) Promote(ctx context.Context) error {
	return s.Execute(ctx, "SELECT pg_promote(true)")
}
