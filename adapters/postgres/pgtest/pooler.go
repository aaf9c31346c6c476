package pgtest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// poolerPort is part of the name of the pooler's socket; nothing listens on TCP.
const poolerPort = 6432

// Pooler is a running PgBouncer in transaction mode: it runs each transaction of a client on
// any free connection to the server.
type Pooler struct {
	dir     string
	user    string
	command *exec.Cmd
}

// StartPooler starts a PgBouncer for all databases of the server. The settings are
// lines of its [pgbouncer] section, such as "default_pool_size = 4".
func StartPooler(ctx context.Context, s *Server, settings ...string) (*Pooler, error) {
	binary, err := exec.LookPath("pgbouncer")
	if err != nil {
		binary, err = exec.LookPath("/usr/sbin/pgbouncer") // where Debian installs it, which may not be on the PATH
	}
	if err != nil {
		return nil, errors.New("pgbouncer is missing: install it (Debian: apt-get install pgbouncer)")
	}
	target, err := pgx.ParseConfig(s.URL("postgres"))
	if err != nil {
		return nil, fmt.Errorf("PgBouncer: %w", err)
	}
	dir, err := os.MkdirTemp("", "pgbouncer")
	if err != nil {
		return nil, fmt.Errorf("PgBouncer: %w", err)
	}
	p := &Pooler{dir: dir, user: target.User}
	lines := append([]string{
		"[databases]",
		fmt.Sprintf("* = host=%s port=%d", target.Host, target.Port),
		"[pgbouncer]",
		"listen_port = " + strconv.Itoa(poolerPort),
		"unix_socket_dir = " + dir,
		"auth_type = trust",
		"auth_file = " + filepath.Join(dir, "users"),
		"pool_mode = transaction",
		"max_client_conn = 200",
	}, settings...)
	users := fmt.Sprintf("%q %q\n", target.User, target.Password)
	err = errors.Join(
		os.WriteFile(filepath.Join(dir, "pgbouncer.ini"), []byte(strings.Join(lines, "\n")+"\n"), 0o644), //nolint:gosec // another account reads it
		os.WriteFile(filepath.Join(dir, "users"), []byte(users), 0o644),                                  //nolint:gosec // another account reads it
	)
	if err == nil {
		err = p.launch(ctx, binary)
	}
	if err != nil {
		return nil, errors.Join(err, p.Stop())
	}
	return p, nil
}

// launch starts the pooler and waits until it responds.
func (p *Pooler) launch(ctx context.Context, binary string) error {
	process, err := unprivileged(p.dir)
	if err != nil {
		return err
	}
	log, err := os.Create(filepath.Join(p.dir, "log"))
	if err != nil {
		return fmt.Errorf("PgBouncer: %w", err)
	}
	defer log.Close()
	p.command = exec.CommandContext(context.WithoutCancel(ctx), binary, filepath.Join(p.dir, "pgbouncer.ini"))
	p.command.SysProcAttr = process
	p.command.Dir = p.dir
	p.command.Stdout, p.command.Stderr = log, log
	if err := p.command.Start(); err != nil {
		return fmt.Errorf("PgBouncer: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, p.url("postgres").String())
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-ctx.Done():
			text, _ := os.ReadFile(log.Name())
			return fmt.Errorf("PgBouncer does not respond: %w: %s", err, text)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func (p *Pooler) url(database string) *url.URL {
	query := url.Values{"host": {p.dir}, "port": {strconv.Itoa(poolerPort)}, "user": {p.user}}
	return &url.URL{Scheme: "postgres", Path: "/" + database, RawQuery: query.Encode()}
}

// Through returns the connection string of a database of the server through the pooler.
func (p *Pooler) Through(database string) (string, error) {
	direct, err := pgx.ParseConfig(database)
	if err != nil {
		return "", fmt.Errorf("PgBouncer: %w", err)
	}
	return p.url(direct.Database).String(), nil
}

// Stop ends the pooler at once and removes its files.
func (p *Pooler) Stop() error {
	if p.command != nil && p.command.Process != nil {
		_ = p.command.Process.Signal(syscall.SIGKILL)
		_ = p.command.Wait()
	}
	return os.RemoveAll(p.dir)
}
