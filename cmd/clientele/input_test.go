package main_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// check and apply report the same problems of a client_id, with file and line.
func TestClientIDProblemsHaveFileAndLine(t *testing.T) {
	data := t.TempDir()
	p := start(t, "--dev", "--data", data)
	registry := pipeline{p.URL, adminToken(t, data)}
	for id, want := range map[string]string{
		"my#client":              "client_id has a character other than A-Z a-z 0-9 - . _ ~ : / @ + and space",
		strings.Repeat("a ", 2):  "client_id must not begin or end with a space",
		"HTTPS://app.example":    "client_id must not begin with http:// or https://",
		strings.Repeat("a", 256): "client_id is longer than 255 characters",
		"":                       "client_id is empty",
		".":                      "client_id must not be . or ..",
		"..":                     "client_id must not be . or ..",
		"büro":                   "client_id has a character other than A-Z a-z 0-9 - . _ ~ : / @ + and space",
	} {
		file := filepath.Join(data, "file.yaml")
		require.NoError(t, os.WriteFile(file, []byte("name: App\ngrant_types: [client_credentials]\nclient_id: '"+id+"'\n"), 0o600))
		checked := registry.run(t, "check", file)
		assert.Equal(t, 1, checked.status, id)
		assert.Contains(t, checked.output, file+":3: violation at /client_id: "+want)
		applied := registry.run(t, "apply", "-f", file, "--yes")
		assert.Equal(t, 2, applied.status, id)
		assert.Contains(t, applied.errors, file+":3: at /client_id: "+want)
	}
	for name, text := range map[string]string{
		"a.yaml": "client_id: twice\nname: App\ngrant_types: [client_credentials]\n",
		"b.yaml": "name: App\nclient_id: twice\ngrant_types: [client_credentials]\n",
	} {
		require.NoError(t, os.MkdirAll(filepath.Join(data, "clients"), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(data, "clients", name), []byte(text), 0o600))
	}
	dir := filepath.Join(data, "clients")
	first, second := filepath.Join(dir, "a.yaml")+":1", filepath.Join(dir, "b.yaml")+":2"
	checked := registry.run(t, "check", dir)
	assert.Equal(t, 1, checked.status)
	assert.Contains(t, checked.output, second+": violation at /client_id: twice is already declared at "+first)
	applied := registry.run(t, "apply", "-f", dir, "--yes")
	assert.Equal(t, 2, applied.status)
	assert.Contains(t, applied.errors, second+": at /client_id: twice is already declared at "+first)
}

// Commands read only regular files, so that none of them blocks forever.
func TestOnlyRegularFilesAreRead(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo.yaml")
	require.NoError(t, syscall.Mkfifo(fifo, 0o600))
	good := filepath.Join(dir, "good.yaml")
	require.NoError(t, os.WriteFile(good, []byte("client_id: a\nname: A\n"), 0o600))
	registry := pipeline{"http://127.0.0.1:1", "x"}
	for name, tt := range map[string]struct {
		args   []string
		status int
		want   string
	}{
		"check a FIFO":               {[]string{"check", fifo}, 2, "fifo.yaml: cannot be read: is not a regular file"},
		"check a device":             {[]string{"check", "/dev/zero"}, 2, "/dev/zero: cannot be read: is not a regular file"},
		"check a folder with a FIFO": {[]string{"check", dir}, 2, "fifo.yaml: cannot be read: is not a regular file"},
		"apply a FIFO":               {[]string{"apply", "-f", fifo}, 2, "fifo.yaml: cannot be read: is not a regular file"},
		"apply a device":             {[]string{"apply", "-f", "/dev/zero"}, 2, "/dev/zero: cannot be read: is not a regular file"},
		"import a FIFO":              {[]string{"import", "--from", "hydra", fifo}, 1, "is not a regular file"},
		"import a device":            {[]string{"import", "--from", "hydra", "/dev/zero"}, 1, "is not a regular file"},
		"token file is a FIFO":       {[]string{"apply", "-f", good, "--token-file", fifo}, 1, "is not a regular file"},
		"token file is a device":     {[]string{"apply", "-f", good, "--token-file", "/dev/zero"}, 1, "is not a regular file"},
		"CA file is a FIFO":          {[]string{"export", "-o", dir, "--ca-file", fifo}, 1, "is not a regular file"},
		"key CA file is a FIFO":      {[]string{"check", good, "--key-ca-file", fifo}, 1, "is not a regular file"},
		"pepper file is a FIFO":      {[]string{"serve", "--dev", "--data", filepath.Join(dir, "data"), "--pepper-file", fifo}, 1, "is not a regular file"},
		"certificate is a FIFO":      {[]string{"serve", "--dev", "--data", filepath.Join(dir, "data"), "--listen", "127.0.0.1:0", "--tls-cert-file", fifo, "--tls-key-file", fifo}, 1, "is not a regular file"},
		"health certificate":         {[]string{"health", "--tls-cert-file", fifo}, 1, "is not a regular file"},
		"secrets file is a FIFO":     {[]string{"apply", "-f", good, "--yes", "--secrets-file", fifo}, 1, ""},
	} {
		t.Run(name, func(t *testing.T) {
			ended := registry.run(t, tt.args...)
			assert.Equal(t, tt.status, ended.status, ended.output+ended.errors)
			assert.Contains(t, ended.output+ended.errors, tt.want)
		})
	}
}

func TestFileSizeAndFindingsAreLimited(t *testing.T) {
	dir := t.TempDir()
	big := filepath.Join(dir, "big.json")
	require.NoError(t, os.WriteFile(big, bytes.Repeat([]byte(" "), 32<<20+1), 0o600))
	checked := pipeline{}.run(t, "check", big)
	assert.Equal(t, 2, checked.status)
	assert.Contains(t, checked.output, "is larger than 32 MiB")
	require.NoError(t, os.WriteFile(big, bytes.Repeat([]byte("1 "), 1<<20), 0o600))
	checked = pipeline{}.run(t, "check", big)
	assert.Equal(t, 2, checked.status)
	assert.Contains(t, checked.output, "more than 10000 findings; the rest of the file was not checked")
	assert.Less(t, len(checked.output), 4<<20)
}

// A byte order mark is accepted in JSON and in YAML.
func TestByteOrderMarksAreAccepted(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"a.json": validClient, "a.yaml": "name: Shop\nredirect_uris: ['https://shop.example.com/cb']\n", "no-ending": validClient,
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte("\ufeff"+text), 0o600))
		output, status := clientele(t, dir, "", "check", name)
		assert.Equal(t, 0, status, output)
	}
	output, status := clientele(t, dir, "\ufeff"+validClient, "check", "-")
	assert.Equal(t, 0, status, output)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "hydra.json"), []byte("\ufeff"+`{"client_id": "a"}`), 0o600))
	output, status = clientele(t, dir, "", "import", "--from", "hydra", "hydra.json")
	assert.Equal(t, 0, status, output)
}

func TestCheckReadsFolders(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "clients", "below"), 0o700))
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "empty"), 0o700))
	for name, text := range map[string]string{"clients/a.json": validClient, "clients/below/b.yml": rejectedClient, "clients/README.md": "no client"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	output, status := clientele(t, dir, "", "check", "clients")
	assert.Equal(t, 1, status)
	assert.Contains(t, output, "clients/below/b.yml:3: violation at ")
	assert.Contains(t, output, "2 clients checked, 1 rejected")
	output, status = clientele(t, dir, "", "check", "empty")
	assert.Equal(t, 2, status)
	assert.Contains(t, output, "empty: cannot be read: has no .yaml, .yml or .json files")
}

// A command that waits for standard input ends when it is interrupted.
func TestAnInterruptEndsReading(t *testing.T) {
	for _, args := range [][]string{
		{"check", "-"}, {"apply", "-f", "-", "--url", "http://127.0.0.1:1", "--token", "x"}, {"import", "--from", "hydra", "-"},
	} {
		command := exec.Command(binary, args...)
		_, err := command.StdinPipe()
		require.NoError(t, err)
		var errors strings.Builder
		command.Stderr = &errors
		require.NoError(t, command.Start())
		awaitReading(t, command.Process.Pid)
		require.NoError(t, command.Process.Signal(os.Interrupt))
		_ = command.Wait()
		assert.Equal(t, 130, command.ProcessState.ExitCode(), args)
		assert.Equal(t, "clientele: interrupted\n", errors.String())
	}
}

// awaitReading waits until the process reads standard input. At that time it
// already handles signals.
func awaitReading(t *testing.T, pid int) {
	t.Helper()
	require.Eventually(t, func() bool {
		tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/syscall", pid))
		if err != nil {
			return false
		}
		for _, task := range tasks {
			if text, err := os.ReadFile(task); err == nil && strings.HasPrefix(string(text), "0 0x0 ") { // read(0, …)
				return true
			}
		}
		return false
	}, time.Minute, 5*time.Millisecond)
}

// The check of a large file ends when it is interrupted.
func TestAnInterruptEndsChecking(t *testing.T) {
	file := filepath.Join(t.TempDir(), "large.json")
	text := bytes.Repeat([]byte(`{"name": "Shop", "redirect_uris": ["https://shop.example.com/callback"]}`+"\n"), 400_000)
	require.NoError(t, os.WriteFile(file, text, 0o600))
	command := exec.Command(binary, "check", file)
	require.NoError(t, command.Start())
	require.Eventually(t, func() bool { return memoryOf(t, command.Process.Pid, "RssAnon") > int64(len(text)) }, time.Minute, time.Millisecond)
	require.NoError(t, command.Process.Signal(os.Interrupt))
	_ = command.Wait()
	assert.Equal(t, 130, command.ProcessState.ExitCode())
}

// memoryOf returns a size from /proc/PID/status in bytes: VmHWM is the peak of the resident
// set, RssAnon the current resident set without mapped files such as the program.
func memoryOf(t *testing.T, pid int, name string) int64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	require.NoError(t, err)
	_, size, found := strings.Cut(string(status), name+":")
	require.True(t, found)
	kilobytes, err := strconv.ParseInt(strings.Fields(size)[0], 10, 64)
	require.NoError(t, err)
	return kilobytes * 1024
}

// The memory for a check is a small multiple of the file size, for every kind of content.
// It is measured as the peak of the resident set, minus the peak for a file with one
// client.
func TestCheckMemoryIsASmallMultipleOfTheFile(t *testing.T) {
	const size = 24 << 20
	repeated := func(head, unit, tail string) []byte {
		return append(append([]byte(head), bytes.Repeat([]byte(unit), (size-len(head)-len(tail))/len(unit))...), tail...)
	}
	client := `{"client_id": "app-1", "name": "Shop", "redirect_uris": ["https://shop.example.com/callback"], "scopes": ["openid", "profile"], "logo_url": "https://shop.example.com/logo.png"}`
	yaml := "name: Shop\nredirect_uris:\n  - https://shop.example.com/callback\nscopes: [openid, profile]\nlogo_url: https://shop.example.com/logo.png\n"
	forms := map[string][]byte{
		"clients.json":      repeated("[", strings.Replace(client, `"client_id": "app-1", `, "", 1)+",", client+"]"),
		"clients.jsonl":     repeated("", strings.Replace(client, `"client_id": "app-1", `, "", 1)+"\n", ""),
		"clients.yaml":      repeated("", yaml+"---\n", ""),
		"list.yaml":         repeated("", "- {name: Shop, redirect_uris: ['https://shop.example.com/callback'], scopes: [openid, profile]}\n", ""),
		"numbers.json":      repeated("[", "1,", "1]"),
		"one list.json":     repeated(`{"redirect_uris": [`, "1,", "1]}"),
		"members.json":      repeated(`{"name": "x"`, `,"a":1`, "}"),
		"nested.json":       repeated(`[`, "[],", "[]]"),
		"long text.json":    repeated(`{"name": "`, "x", `"}`),
		"dashes.yaml":       repeated("", "- a\n", ""),
		"flow.yaml":         repeated("[", "a,", "a]"),
		"comments.yaml":     repeated("name: x\n", "# comment\n", ""),
		"long text.yaml":    repeated("name: '", "x", "'\n"),
		"empty docs.yaml":   repeated("", "---\n", ""),
		"small docs.yaml":   repeated("", "---\na\n", ""),
		"block scalar.yaml": repeated("name: |\n", "  a\n", ""),
		"anchors.yaml":      repeated("x: &x [a, a, a, a, a, a, a, a]\ny:\n", " - [*x, *x, *x, *x, *x, *x]\n", ""),
	}
	dir := t.TempDir()
	resident := func(name string, text []byte) int64 {
		file := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(file, text, 0o600))
		command := exec.Command(binary, "check", file, "-") // after the file, it waits for standard input
		stdin, err := command.StdinPipe()
		require.NoError(t, err)
		require.NoError(t, command.Start())
		awaitReading(t, command.Process.Pid)
		peak := memoryOf(t, command.Process.Pid, "VmHWM")
		require.NoError(t, stdin.Close())
		_ = command.Wait()
		require.NoError(t, os.Remove(file))
		return peak
	}
	base := resident("one.json", []byte(client))
	for name, text := range forms {
		additional := resident(name, text) - base
		t.Logf("%s: %.1f times", name, float64(additional)/float64(len(text)))
		assert.Less(t, additional, int64(6*len(text)), "%s: %d MiB for a file of %d MiB", name, additional>>20, len(text)>>20)
	}
}
