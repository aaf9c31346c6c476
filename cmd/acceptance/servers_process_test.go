//go:build acceptance

package acceptance_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/cmd/servicetest"
)

// process is a program that the conformance script starts, kills and starts again.
type process struct {
	name    string
	command func() *exec.Cmd // a command that has not been started
	// ready is a URL that responds with 200 when the process can be used.
	ready string
	// patience is the maximum time until it is ready.
	patience time.Duration
	log      tail
	ended    chan struct{} // closed when the running process has ended; nil before the start
	pid      int
}

// start runs the process, and returns how long it took to be ready.
func (p *process) start(t *testing.T) time.Duration {
	t.Helper()
	command := p.command()
	command.Stdout, command.Stderr = &p.log, &p.log
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // so that kill also ends what a script has started
	began := time.Now()
	require.NoError(t, command.Start(), p.name)
	ended := make(chan struct{})
	go func() {
		_ = command.Wait()
		close(ended)
	}()
	p.ended, p.pid = ended, command.Process.Pid
	p.await(t, began)
	return time.Since(began)
}

// await waits until the process is ready.
func (p *process) await(t *testing.T, began time.Time) {
	t.Helper()
	tick := time.NewTicker(max(10*time.Millisecond, p.patience/1000)) // slow servers log each look
	defer tick.Stop()
	for p.ready != "" {
		select {
		case <-p.ended:
			require.Fail(t, p.name+" ended before it was ready", p.log.String())
		case <-tick.C:
		}
		if responds(p.ready) {
			return
		}
		if time.Since(began) > p.patience {
			require.Fail(t, fmt.Sprintf("%s was not ready after %v", p.name, p.patience), p.log.String())
		}
	}
}

// responds reports whether a GET gets 200.
func responds(address string) bool {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	_ = response.Body.Close()
	return response.StatusCode == http.StatusOK
}

// kill ends the process and its children, which cannot clean up. It does nothing to a
// process that does not run.
func (p *process) kill() {
	if p.ended == nil {
		return
	}
	_ = syscall.Kill(-p.pid, syscall.SIGKILL)
	<-p.ended
	p.ended = nil
}

// killAfter kills the process at the end of the test, and prints its log if the test has
// failed.
func (p *process) killAfter(t *testing.T) {
	t.Helper()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("the end of the log of %s:\n%s", p.name, p.log.String())
		}
	})
}

// tail keeps the end of a log. It is safe for concurrent use.
type tail struct {
	mu   sync.Mutex
	text []byte
}

const maxTail = 16 << 10

func (l *tail) Write(text []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, text...)
	if len(l.text) > 2*maxTail {
		l.text = append([]byte("…"), l.text[len(l.text)-maxTail:]...)
	}
	return len(text), nil
}

func (l *tail) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.text)
}

// freeAddress returns an address at which nothing listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	address, err := servicetest.FreeAddress(t.Context())
	require.NoError(t, err)
	return address
}

// origin is a registry of its own for the test of a server. It can be killed and started
// again with the same data at the same address.
type origin struct {
	registry        // of the clients, for the administrator
	root     string // URL
	data     string // folder
	readers  string // file with the token of a server: it reads clients and verifies secrets
	process  *servicetest.Process
}

// newOrigin starts an empty registry.
func newOrigin(t *testing.T) *origin {
	t.Helper()
	o := &origin{data: t.TempDir()}
	o.start(t, "127.0.0.1:0")
	t.Cleanup(func() { o.process.Kill() })
	o.root = o.process.URL
	admin, err := servicetest.Token(o.data)
	require.NoError(t, err)
	o.registry = registry{o.root + "/admin/oauth/clients", admin}
	token := execute(t, ".", nil, binary, "token", "--data", o.data, "--role", "", "--subject", "authorization-server",
		"--scope", "clients:read clients:verify")
	o.readers = filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(o.readers, []byte(token), 0o600))
	return o
}

func (o *origin) start(t *testing.T, listen string) {
	t.Helper()
	p, err := servicetest.Start(context.WithoutCancel(t.Context()), binary, servicetest.Options{Quiet: true},
		"--listen", listen, "--dev", "--data", o.data, "--key-preflight", "off")
	require.NoError(t, err)
	o.process = p
}

// back starts the registry again after a kill.
func (o *origin) back(t *testing.T) {
	t.Helper()
	root, err := url.Parse(o.root)
	require.NoError(t, err)
	o.start(t, root.Host)
}

// admin sends a request of the administrator that must succeed, and returns the data of
// the response.
func (o *origin) admin(t *testing.T, method, path string, body any) map[string]any {
	t.Helper()
	status, response, text := o.do(t, method, path, body)
	require.Contains(t, []int{http.StatusOK, http.StatusCreated, http.StatusNoContent}, status, "%s %s: %s", method, path, strings.TrimSpace(text))
	data, _ := response["data"].(map[string]any)
	return data
}
