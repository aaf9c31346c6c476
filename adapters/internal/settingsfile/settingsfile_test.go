package settingsfile_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/internal/settingsfile"
)

const text = `a:
  b/c:
    - x
    - {d: 1.5, e: null}
    - off
  "~": [true, 0x10, .inf, 1e3, "7"]
`

func decoded(t *testing.T) *settingsfile.Value {
	t.Helper()
	root, err := settingsfile.Decode("f", []byte(text))
	require.NoError(t, err)
	return root
}

func TestLinesAreFoundByTheirPointers(t *testing.T) {
	root := decoded(t)
	for pointer, line := range map[string]int{
		"": 1, "/a": 1, "/a/b~1c": 2, "/a/b~1c/0": 3, "/a/b~1c/1/d": 4, "/a/b~1c/2": 5, "/a/~0": 6, "/a/~0/1": 6,
		"/z": 1, "/a/b~1c/9": 2, "/a/b~1c/-1": 2, "/a/b~1c/1/z/z": 4, "/a/b~1c/x": 2,
	} {
		assert.Equal(t, line, root.LineOf(pointer), pointer)
	}
}

func TestValuesAreThoseOfJSON(t *testing.T) {
	value := decoded(t).JSON().(map[string]any)["a"].(map[string]any)
	assert.Equal(t, []any{"x", map[string]any{"d": 1.5, "e": nil}, "off"}, value["b/c"], "off is a string in YAML 1.2")
	list := value["~"].([]any)
	assert.Equal(t, []any{true, 1000.0, "7"}, []any{list[0], list[3], list[4]})
	for _, i := range []int{1, 2} {
		assert.True(t, math.IsNaN(list[i].(float64)), "JSON has no such number")
	}
}

func TestErrorsAreInTheOrderOfTheirLines(t *testing.T) {
	require.NoError(t, settingsfile.Join(nil))
	err := settingsfile.Join([]*settingsfile.Error{{File: "f", Line: 2, Setting: "/b", Message: "two"}, {File: "f", Line: 1, Message: "one"}})
	assert.EqualError(t, err, "f:1: one\nf:2: /b: two")
}
