//go:build acceptance

package acceptance_test

import (
	"path/filepath"
	"testing"
	"time"
)

const integrations = "../../adapters/integrations"

func TestServerZitadel(t *testing.T) { conform(t, zitadelServer()) }

func TestServerFosite(t *testing.T) { conform(t, fositeServer()) }

func zitadelServer() authorizationServer {
	return authorizationServer{name: "zitadel/oidc", limit: time.Second, deploy: goExample("zitadel")}
}

func fositeServer() authorizationServer {
	return authorizationServer{name: "fosite", limit: time.Second, deploy: goExample("fosite")}
}

// goExample builds an example of the Go module of integrations.
func goExample(name string) func(t *testing.T, d deployment) *running {
	return func(t *testing.T, d deployment) *running {
		t.Helper()
		program := filepath.Join(d.dir, name)
		execute(t, integrations+"/go", nil, "go", "build", "-o", program, "./examples/"+name)
		return d.example(name, 10*time.Second, nil, program)
	}
}
