//go:build acceptance && integrations

package acceptance_test

import (
	"testing"
	"time"
)

// sync returns the process that pushes the clients to a server.
func (d deployment) sync(t *testing.T, args ...string) *process {
	t.Helper()
	operators := freeAddress(t)
	return d.process("clientele sync", "http://"+operators+"/readyz", 30*time.Second, nil, binary,
		append([]string{"sync", "--tenant", "tenant_dev", "--data", d.origin.data, "--admin-listen", operators}, args...)...)
}
