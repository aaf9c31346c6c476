package secretsfile_test

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/secretsfile"
	"github.com/clientele-oauth/clientele/domain"
)

// file writes a private file, and returns its path.
func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secrets")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func TestForms(t *testing.T) {
	for name, text := range map[string]string{
		"JSON":  `{"a b": "one", "b": "12345678"}`,
		"YAML":  "a b: one\nb: 12345678 # a number is a text as well\n",
		"lines": "{\"client_id\":\"a b\",\"client_secret\":\"old\"}\n\n{\"client_id\":\"b\",\"client_secret\":\"12345678\"}\n{\"client_id\":\"a b\",\"client_secret\":\"one\"}\n",
	} {
		t.Run(name, func(t *testing.T) {
			f, err := secretsfile.Open(file(t, text), slog.New(slog.DiscardHandler))
			require.NoError(t, err)
			for id, want := range map[domain.ClientID]string{"a b": "one", "b": "12345678"} {
				value, ok := f.Secret(id)
				assert.True(t, ok)
				assert.Equal(t, want, value)
			}
			_, ok := f.Secret("c")
			assert.False(t, ok)
			assert.Empty(t, f.Changed())
		})
	}
}

func TestFilesThatAreRejected(t *testing.T) {
	const secret = "hunter2hunter2"
	for name, text := range map[string]string{
		"a list":         `["` + secret + `"]`,
		"nested":         `{"a": {"b": "` + secret + `"}}`,
		"broken":         `{"a": "` + secret,
		"an empty value": `{"` + secret + `x": ""}`,
		"duplicates":     "a: " + secret + "\na: other\n",
		"other lines":    `{"client_id": "a", "client_secret": "` + secret + `"}` + "\n" + secret + "\n",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := secretsfile.Open(file(t, text), slog.New(slog.DiscardHandler))
			require.Error(t, err)
			assert.NotContains(t, err.Error(), secret+`"`)
			if name != "an empty value" { // there it is the client_id
				assert.NotContains(t, err.Error(), secret)
			}
		})
	}
	_, err := secretsfile.Open(filepath.Join(t.TempDir(), "missing"), slog.New(slog.DiscardHandler))
	require.Error(t, err)
	path := file(t, "a: one\n")
	for _, mode := range []os.FileMode{0o640, 0o604, 0o620} {
		require.NoError(t, os.Chmod(path, mode))
		_, err := secretsfile.Open(path, slog.New(slog.DiscardHandler))
		require.ErrorContains(t, err, "chmod 600", "%o", mode)
	}
}

func TestAChangedFileIsReadAgain(t *testing.T) {
	var log bytes.Buffer
	path := file(t, `{"a": "one", "b": "two", "c": "three"}`)
	f, err := secretsfile.Open(path, slog.New(slog.NewTextHandler(&log, nil)))
	require.NoError(t, err)
	replace := func(text string, mode os.FileMode) { // as editors and configuration management do
		next := path + ".next"
		require.NoError(t, os.WriteFile(next, []byte(text), 0o600))
		require.NoError(t, os.Chmod(next, mode))
		require.NoError(t, os.Rename(next, path))
	}
	replace(`{"a": "one", "b": "new", "d": "four"}`, 0o600)
	changed := f.Changed()
	slices.Sort(changed)
	assert.Equal(t, []domain.ClientID{"b", "c", "d"}, changed)
	value, _ := f.Secret("b")
	assert.Equal(t, "new", value)
	_, ok := f.Secret("c")
	assert.False(t, ok)
	assert.Empty(t, f.Changed())

	for range 3 { // what cannot be read changes nothing, and is reported once
		replace("a: hunter2\n", 0o644)
		assert.Empty(t, f.Changed())
	}
	assert.Equal(t, 1, bytes.Count(log.Bytes(), []byte("\n")), log.String())
	assert.NotContains(t, log.String(), "hunter2")
	value, _ = f.Secret("a")
	assert.Equal(t, "one", value)
	require.NoError(t, os.Remove(path))
	assert.Empty(t, f.Changed())
	replace("a: back\n", 0o600)
	changed = f.Changed()
	slices.Sort(changed)
	assert.Equal(t, []domain.ClientID{"a", "b", "d"}, changed)
}

func TestWithoutAFile(t *testing.T) {
	f := &secretsfile.File{}
	_, ok := f.Secret("a")
	assert.False(t, ok)
	assert.Empty(t, f.Changed())
}
