// Package servicetest runs the real program in a separate process, for tests and
// benchmarks.
package servicetest

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// startTimeout is the maximum time until a service listens.
const startTimeout = time.Minute

// Package is the import path of the program.
const Package = "github.com/clientele-oauth/clientele/cmd/clientele"

// Build builds the program into a folder and returns its path.
func Build(ctx context.Context, dir string) (binary string, err error) {
	binary = filepath.Join(dir, "clientele")
	if output, err := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", binary, Package).CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the service: %w: %s", err, output)
	}
	return binary, nil
}

// Process is a running service.
type Process struct {
	Command *exec.Cmd
	// URL is the root URL of the service, without a trailing slash. Operators is that
	// of the admin listener, or "" if there is none.
	URL, Operators string
	// Ended is closed when the process has ended.
	Ended chan struct{}
	Log   *Log
}

// Options configure the process.
type Options struct {
	// Env is added to the environment, from which the database URLs are removed.
	Env []string
	// Quiet discards the log after the start, because a load test would fill it.
	Quiet bool
}

// Start runs "serve" with the arguments and waits until it listens. It uses a free port,
// unless the arguments name one. If the process ends earlier, the error contains its log.
func Start(ctx context.Context, binary string, opts Options, args ...string) (*Process, error) {
	command := exec.CommandContext(ctx, binary, append([]string{"serve", "--listen", "127.0.0.1:0"}, args...)...)
	command.Env = append(append(os.Environ(), "DATABASE_URL=", "DATABASE_DIRECT_URL="), opts.Env...)
	stderr, err := command.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := command.Start(); err != nil {
		return nil, fmt.Errorf("start the service: %w", err)
	}
	p := &Process{Command: command, Ended: make(chan struct{}), Log: &Log{}}
	listening := make(chan struct{})
	go func() {
		defer close(p.Ended)
		started := false
		lines := bufio.NewScanner(stderr)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			if started && opts.Quiet {
				continue
			}
			p.Log.add(lines.Text())
			var entry struct {
				Msg, Address, Operators string
				TLS                     bool
			}
			if started || json.Unmarshal(lines.Bytes(), &entry) != nil {
				continue
			}
			if entry.Operators != "" {
				p.Operators = "http://" + entry.Operators
			}
			if entry.Msg == "listening" {
				p.URL = "http://" + entry.Address
				if entry.TLS {
					p.URL = "https://" + entry.Address
				}
				started = true
				close(listening)
			}
		}
		_ = command.Wait()
	}()
	timer := time.NewTimer(startTimeout)
	defer timer.Stop()
	select {
	case <-listening:
		return p, nil
	case <-p.Ended:
		return nil, fmt.Errorf("the service ended before it listened: %s", p.Log)
	case <-timer.C:
		p.Kill()
		return nil, fmt.Errorf("the service did not listen in time: %s", p.Log)
	}
}

// FreeAddress returns an address of this machine at which nothing listens.
func FreeAddress(ctx context.Context) (string, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}

// Kill kills the process, which cannot clean up.
func (p *Process) Kill() {
	_ = p.Command.Process.Kill()
	<-p.Ended
}

// Token reads the administrator token that a service in development mode wrote to its
// data directory.
func Token(data string) (string, error) {
	text, err := os.ReadFile(filepath.Join(data, "admin.token"))
	return strings.TrimSpace(string(text)), err
}

// Log collects what the process writes to its standard error. It is safe for concurrent
// use.
type Log struct {
	mu    sync.Mutex
	lines []string
}

func (l *Log) add(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, line)
}

// String returns everything that was written so far.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.lines, "\n")
}
