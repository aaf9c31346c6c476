//go:build acceptance && integrations

package acceptance_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestServerSpring(t *testing.T) { conform(t, springServer()) }

func springServer() authorizationServer {
	return authorizationServer{name: "Spring", limit: time.Second, deploy: func(t *testing.T, d deployment) *running {
		t.Helper()
		source, err := filepath.Abs(integrations + "/spring")
		require.NoError(t, err)
		execute(t, source, nil, tool(t, "mvn", "maven"), "-B", "-q", "-DskipTests", "package")
		jars, err := filepath.Glob(filepath.Join(source, "example", "target", "*.jar"))
		require.NoError(t, err)
		require.Len(t, jars, 1, "the program of the example")
		return d.example("spring", 2*time.Minute, nil, tool(t, "java", "default-jre-headless"), "-Xmx256m", "-jar", jars[0])
	}}
}
