package pgtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// StartOwn is [Start], but ignores TEST_DATABASE_URL: for tests that stop the server or copy
// its files.
func StartOwn(ctx context.Context, settings ...string) (*Server, error) {
	s, err := newServer(os.TempDir(), settings)
	if err != nil {
		return nil, err
	}
	return s, s.create(ctx)
}

// Copy returns a server with a copy of this server's files. This server must not be running;
// afterwards both can be launched.
func (s *Server) Copy(ctx context.Context) (*Server, error) {
	restored, err := newServer(os.TempDir(), s.settings)
	if err != nil {
		return nil, err
	}
	if output, err := exec.CommandContext(ctx, "cp", "-a", s.data(), restored.data()).CombinedOutput(); err != nil {
		return nil, errors.Join(fmt.Errorf("copy the files of PostgreSQL: %w: %s", err, output), restored.Stop())
	}
	if err := os.Remove(filepath.Join(restored.data(), "postmaster.pid")); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, errors.Join(fmt.Errorf("copy the files of PostgreSQL: %w", err), restored.Stop())
	}
	return restored, nil
}

// Tool runs one of PostgreSQL's programs, in the folder of the server.
func (s *Server) Tool(ctx context.Context, name string, args ...string) error {
	return s.tool(ctx, name, args...)
}

// RecoverTo returns a server from a base backup of this server. It replays the log up to the
// named restore point and then accepts writes. backup creates the restore point; it is called
// after the base backup.
func (s *Server) RecoverTo(ctx context.Context, point string, backup func() error) (*Server, error) {
	recovered, err := newServer(os.TempDir(), s.settings)
	if err != nil {
		return nil, err
	}
	err = recovered.tool(ctx, "pg_basebackup", "--pgdata", recovered.data(), "--wal-method=stream",
		"--checkpoint=fast", "--no-sync", "--dbname", "host="+s.dir+" user=postgres")
	if err == nil {
		err = backup()
	}
	if err == nil {
		recovered.settings = append([]string{
			"restore_command=cp " + filepath.Join(s.data(), "pg_wal") + "/%f %p",
			"recovery_target_name=" + point, "recovery_target_action=promote",
		}, s.settings...)
		err = os.WriteFile(filepath.Join(recovered.data(), "recovery.signal"), nil, 0o644) //nolint:gosec // the server runs as another user
	}
	if err == nil {
		err = recovered.Launch(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, recovered.Stop())
	}
	return recovered, nil
}

// AwaitWrites waits until the server has recovered and accepts writes.
func (s *Server) AwaitWrites(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	return s.Execute(ctx, `DO $$ BEGIN
		WHILE pg_is_in_recovery() LOOP PERFORM pg_sleep(0.01); END LOOP;
	END $$`)
}
