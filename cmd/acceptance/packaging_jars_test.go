//go:build acceptance && integrations

package acceptance_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestJarsAreReproducible(t *testing.T) {
	_, sums := reproducibleRelease(t, "TARGETS=", "PACKAGES=maven")
	for _, name := range []string{"clientele-spring-authorization-server", "clientele-keycloak-authenticator"} {
		assert.Contains(t, sums, "  "+name+"-1.2.3.jar\n")
		assert.Contains(t, sums, "  "+name+"-1.2.3.pom\n")
	}
}
