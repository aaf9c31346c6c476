// Package servertest starts a registry and drives authorization servers over HTTP, for
// tests.
package servertest

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/api/client"
	"github.com/clientele-oauth/clientele/cmd/servicetest"
)

// Build builds a package of the module in the folder (relative to that of the test), and
// returns the path of the program.
func Build(dir, module, pkg string) (string, error) {
	binary := filepath.Join(dir, filepath.Base(pkg))
	command := exec.CommandContext(context.Background(), "go", "build", "-o", binary, pkg)
	command.Dir = module
	if output, err := command.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w: %s", pkg, err, output)
	}
	return binary, nil
}

// Registry is a running registry that can be killed and started again at its address.
type Registry struct {
	// URL is its root, TokenFile a file with a token for servers, and Admin a client of it.
	URL, TokenFile string
	Admin          *client.ClientWithResponses

	t       testing.TB
	binary  string
	data    string
	address string
	flags   []string
	process *servicetest.Process
}

// NewRegistry starts a registry that ends with the test. Its public URL is where it listens.
func NewRegistry(t testing.TB, binary string, flags ...string) *Registry {
	t.Helper()
	r := &Registry{t: t, binary: binary, data: t.TempDir(), address: FreeAddress(t), flags: flags}
	r.Start()
	t.Cleanup(r.Kill)
	r.TokenFile = filepath.Join(r.data, "server.token")
	token, err := exec.CommandContext(t.Context(), binary, "token", "--data", r.data, "--role", "", "--scope", "clients:read clients:verify").Output()
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(r.TokenFile, token, 0o600))
	r.Admin, err = client.Connect(r.URL, client.Settings{Token: client.FileToken(filepath.Join(r.data, "admin.token"))})
	require.NoError(t, err)
	return r
}

// FreeAddress returns an address without a listener.
func FreeAddress(t testing.TB) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}

// Start starts the registry again.
func (r *Registry) Start() {
	r.t.Helper()
	process, err := servicetest.Start(context.Background(), r.binary, servicetest.Options{Quiet: true},
		append([]string{"--dev", "--listen", r.address, "--data", r.data, "--public-url", "http://" + r.address}, r.flags...)...)
	require.NoError(r.t, err)
	r.process, r.URL = process, process.URL
}

// Kill kills the registry.
func (r *Registry) Kill() {
	if r.process != nil {
		r.process.Kill()
		r.process = nil
	}
}

// Register registers a client, and returns its secret if it has one.
func (r *Registry) Register(body client.CreateClientRequest) string {
	r.t.Helper()
	created, err := r.Admin.CreateClientWithResponse(context.Background(), nil, body)
	require.NoError(r.t, err)
	if created.JSON201.Data.ClientSecret == nil {
		return ""
	}
	return *created.JSON201.Data.ClientSecret
}

// Update changes a client.
func (r *Registry) Update(id string, body client.UpdateClientRequest) {
	r.t.Helper()
	_, err := r.Admin.UpdateClientWithResponse(context.Background(), id, nil, body)
	require.NoError(r.t, err)
}

// Rotate rotates the secret of a client, and returns the new one.
func (r *Registry) Rotate(id string, graceSeconds int32) string {
	r.t.Helper()
	rotated, err := r.Admin.RotateSecretWithResponse(context.Background(), id, nil, client.RotateSecretRequest{GraceSeconds: &graceSeconds})
	require.NoError(r.t, err)
	return strings.TrimSpace(*rotated.JSON200.Data.NewSecret)
}
