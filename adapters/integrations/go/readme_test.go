package integrations_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(text)
}

// between returns the lines of a file between two that contain the marks.
func between(t *testing.T, path, begin, end string) string {
	t.Helper()
	_, rest, found := strings.Cut(read(t, path), begin)
	require.True(t, found, path)
	_, rest, _ = strings.Cut(rest, "\n")
	part, _, found := strings.Cut(rest, end)
	require.True(t, found, path)
	return part[:strings.LastIndex(part, "\n")+1]
}

// The Go code in the README is compiled: it is that of the examples.
func TestTheReadmeIsCompiled(t *testing.T) {
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(read(t, "README.md"), -1)
	require.Len(t, blocks, 2)
	for i, path := range []string{"zitadel/example_test.go", "fosite/example_test.go"} {
		assert.Equal(t, strings.TrimSpace(between(t, path, "// readme begin", "// readme end")), strings.TrimSpace(blocks[i][1]), path)
	}
}

// What a user writes to connect a server is at most 40 lines.
func TestConnectingAServerTakesFewLines(t *testing.T) {
	for _, path := range []string{"examples/zitadel/main.go", "examples/fosite/main.go"} {
		assert.LessOrEqual(t, strings.Count(between(t, path, "// connect begin", "// connect end"), "\n"), 40, path)
	}
	for _, path := range []string{"zitadel/example_test.go", "fosite/example_test.go"} {
		assert.LessOrEqual(t, strings.Count(between(t, path, "// readme begin", "// readme end"), "\n"), 40, path)
	}
}
