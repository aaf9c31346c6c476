package main_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// step is a command of a page and the answer shown behind it, "" where none is.
type step struct {
	command, shown string
}

var fenced = regexp.MustCompile("(?s)```(sh|json|text)\n(.*?)```")

// steps reads the commands of a section of a page.
func steps(t *testing.T, page, heading string) []step {
	t.Helper()
	text, err := os.ReadFile("../../" + page)
	require.NoError(t, err)
	_, section, found := strings.Cut(string(text), "\n## "+heading+"\n")
	require.True(t, found, "%s has no section %s", page, heading)
	section, _, _ = strings.Cut(section, "\n## ")
	var list []step
	for _, block := range fenced.FindAllStringSubmatch(section, -1) {
		if block[1] == "sh" {
			list = append(list, step{command: block[2]})
		} else {
			list[len(list)-1].shown = block[2]
		}
	}
	return list
}

// What differs from one run to the next.
var volatile = []struct {
	pattern *regexp.Regexp
	as      string
}{
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`), "TIME"},
	{regexp.MustCompile(`(app-|client_|secret_|"request_id": ?")[0-9a-f]{8}-[0-9a-f-]{27}`), "${1}ID"},
	{regexp.MustCompile(`clientele_[A-Za-z0-9_-]{43}[0-9a-f]{8}`), "SECRET"},
	{regexp.MustCompile(`"(s\d+)\.[0-9a-f]{20}"`), `"$1.DIGEST"`}, // a cursor of the change feed
	{regexp.MustCompile(`("secret_last_four": ?)"[0-9a-f]{4}"`), `$1"LAST"`},
}

func normalised(text string) string {
	for _, v := range volatile {
		text = v.pattern.ReplaceAllString(text, v.as)
	}
	return text
}

func TestTheREADMEShowsWhatHappens(t *testing.T) {
	assert.Equal(t, 2, walk(t, steps(t, "README.md", "The first update")))
}

func TestTheTutorialShowsWhatHappens(t *testing.T) {
	assert.Equal(t, 11, walk(t, steps(t, "docs/tutorial.md", "Ten minutes")))
}

func TestTheGuideShowsWhatHappens(t *testing.T) {
	assert.Equal(t, 6, walk(t, steps(t, "docs/using.md", "A walk through")))
	assert.Equal(t, 2, walk(t, steps(t, "docs/using.md", "In a pipeline")))
}

// What the README shows of a program in each language stands in the program that
// the acceptance tests run.
func TestTheREADMEShowsThePrograms(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	for language, path := range map[string]string{
		"go": "go/main.go", "ts": "typescript/main.ts", "python": "python/main.py", "java": "java/src/main/java/Main.java",
	} {
		program, err := os.ReadFile("../../docs/clients/" + path)
		require.NoError(t, err)
		_, excerpt, found := strings.Cut(string(text), "```"+language+"\n")
		require.True(t, found, language)
		excerpt, _, _ = strings.Cut(excerpt, "```")
		for line := range strings.Lines(excerpt) {
			assert.Contains(t, string(program), strings.TrimSpace(line), language)
		}
	}
}

// walk runs the commands against a new service and compares each answer that is
// shown; it returns how many are.
func walk(t *testing.T, list []step) (shown int) {
	t.Helper()
	dir := t.TempDir()
	p := start(t, "--dev", "--data", filepath.Join(dir, "data"))
	const mark = "----- step -----"
	var script strings.Builder
	script.WriteString("set -euo pipefail\n")
	for _, s := range list {
		script.WriteString(strings.NewReplacer(
			"http://127.0.0.1:8080", p.URL, "go run ./cmd/clientele", binary, "dist/clientele", binary,
		).Replace(s.command))
		script.WriteString("\nprintf '\\n%s\\n' '" + mark + "'\n")
	}
	command := exec.Command("bash", "-c", script.String())
	command.Dir = dir
	command.Env = append(os.Environ(), "no_proxy=*")
	output, err := command.CombinedOutput()
	require.NoError(t, err, string(output))
	answers := strings.Split(string(output), mark)
	for i, s := range list {
		if s.shown == "" {
			continue
		}
		shown++
		if !json.Valid([]byte(s.shown)) { // text
			assert.Equal(t, strings.TrimSpace(s.shown), strings.TrimSpace(answers[i]), s.command)
			continue
		}
		assert.JSONEq(t, normalised(s.shown), normalised(answers[i]), s.command)
	}
	return shown
}
