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

// step is a command on a page, and the output that the page shows after it, or "".
type step struct {
	command, shown string
}

var fenced = regexp.MustCompile("(?s)```(sh|json|text)\n(.*?)```")

// steps returns the commands in a section of a page.
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

// volatile lists the parts of an output that differ between runs.
var volatile = []struct {
	pattern *regexp.Regexp
	as      string
}{
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`), "TIME"},
	{regexp.MustCompile(`(app-|client_|secret_|"request_id": ?")[0-9a-f]{8}-[0-9a-f-]{27}`), "${1}ID"},
	{regexp.MustCompile(`clientele_[A-Za-z0-9_-]{43}[0-9a-f]{8}`), "SECRET"},
	{regexp.MustCompile(`"(s\d+)\.[0-9a-f]{20}"`), `"$1.DIGEST"`}, // a cursor of the change feed
	{regexp.MustCompile(`("secret_last_four": ?)"[0-9a-f]{4}"`), `$1"LAST"`},
	{regexp.MustCompile(`("(?:changes_cursor|next)": ?)"[^"]*"`), `$1"CURSOR"`},
	{regexp.MustCompile(`("client_id_issued_at": ?)\d+`), "${1}0"},
	{regexp.MustCompile(`("hash": ?)"[0-9a-f]{64}"`), `$1"HASH"`},
	{regexp.MustCompile(`clients exported: \d+`), "clients exported: N"}, // counts all clients of the tenant
}

func normalised(text string) string {
	for _, v := range volatile {
		text = v.pattern.ReplaceAllString(text, v.as)
	}
	return text
}

// sections are the sections with commands, in reading order, and the number of outputs that
// each one shows.
var sections = []struct {
	page, heading string
	shown         int
}{
	{"README.md", "Install", 0},
	{"README.md", "The first update", 3},
	{"docs/tutorial.md", "Ten minutes", 12},
	{"docs/using.md", "Walkthrough", 8},
	{"docs/using.md", "Reading everything: snapshot and feed", 1},
	{"docs/using.md", "In a pipeline", 3},
	{"docs/using.md", "In an authorization server", 2},
}

// The commands of each section work on a new service.
func TestTheSectionsShowTheRealOutput(t *testing.T) {
	for _, section := range sections {
		t.Run(section.page+" "+section.heading, func(t *testing.T) {
			assert.Equal(t, section.shown, runSteps(t, steps(t, section.page, section.heading)))
		})
	}
}

// The commands of all sections also work one after the other on one service: no section
// interferes with another one.
func TestAllSectionsInOrderShowTheRealOutput(t *testing.T) {
	var list []step
	shown := 0
	for _, section := range sections {
		list = append(list, steps(t, section.page, section.heading)...)
		shown += section.shown
	}
	assert.Equal(t, shown, runSteps(t, list))
}

// The pages install the program in one way, and call it in one way.
func TestThePagesCallTheProgramInOneWay(t *testing.T) {
	for _, page := range []string{"README.md", "docs/tutorial.md", "docs/using.md", "docs/operating.md"} {
		text, err := os.ReadFile("../../" + page)
		require.NoError(t, err)
		assert.NotContains(t, string(text), "go run ./cmd/clientele", page)
		assert.NotContains(t, strings.ReplaceAll(string(text), install, ""), "dist/", page)
	}
}

// install is the line that installs the program.
const install = `make build && export PATH="$PWD/dist:$PATH"`

// The code that the README shows for each language is in the program that the acceptance
// tests run.
func TestTheREADMEQuotesThePrograms(t *testing.T) {
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

// runSteps runs the commands against a new service and compares each output with the one
// that the page shows; a command without one must print nothing. It returns the number of
// outputs that are shown.
func runSteps(t *testing.T, list []step) (shown int) {
	t.Helper()
	dir := t.TempDir()
	return runStepsOn(t, start(t, "--dev", "--data", filepath.Join(dir, "data")), dir, list)
}

// runStepsOn is runSteps for a service that runs, in a folder. The script begins with the
// lines in before.
func runStepsOn(t *testing.T, p *program, dir string, list []step, before ...string) (shown int) {
	t.Helper()
	const mark = "----- step -----"
	var script strings.Builder
	script.WriteString(strings.Join(append(before, "set -euo pipefail"), "\n") + "\n")
	for _, s := range list {
		script.WriteString(strings.NewReplacer(
			"http://127.0.0.1:8080", p.URL, install, "export PATH='"+filepath.Dir(binary)+"':$PATH",
		).Replace(s.command))
		script.WriteString("\nprintf '\\n%s\\n' '" + mark + "'\n")
	}
	command := exec.Command("bash", "-c", script.String())
	command.Dir = dir
	command.Env = append(os.Environ(), "no_proxy=*", "PATH="+filepath.Dir(binary)+string(os.PathListSeparator)+os.Getenv("PATH"))
	output, err := command.CombinedOutput()
	require.NoError(t, err, string(output))
	outputs := strings.Split(string(output), mark)
	for i, s := range list {
		if s.shown == "" {
			assert.Empty(t, strings.TrimSpace(outputs[i]), "the page does not show this output: %s", s.command)
			continue
		}
		shown++
		if !json.Valid([]byte(s.shown)) { // text
			assert.Equal(t, normalised(strings.TrimSpace(s.shown)), normalised(strings.TrimSpace(outputs[i])), s.command)
			continue
		}
		assert.JSONEq(t, normalised(s.shown), normalised(outputs[i]), s.command)
	}
	return shown
}

// Each piece of code in the guide for authorization servers is tested: it is a whole snippet
// of the README of an integration, or a part of an example.
func TestTheGuideShowsTestedCode(t *testing.T) {
	code := regexp.MustCompile("(?s)```(?:js|go|java|properties)\n(.*?)```")
	read := func(file string) string {
		text, err := os.ReadFile("../../" + file)
		require.NoError(t, err)
		return string(text)
	}
	tested := map[string]bool{}
	for _, readme := range []string{"node/README.md", "go/README.md", "spring/README.md"} {
		for _, block := range code.FindAllStringSubmatch(read("adapters/integrations/"+readme), -1) {
			tested[block[1]] = true
		}
	}
	example := read("adapters/integrations/node/example/own-token.js")
	blocks := code.FindAllStringSubmatch(read("docs/authorization-servers.md"), -1)
	require.Len(t, blocks, 5)
	for _, block := range blocks {
		assert.True(t, tested[block[1]] || strings.HasSuffix(example, block[1]), "%s", block[1])
	}
}

// Each link of the pages leads to a file, and to a heading in it.
func TestTheLinksLead(t *testing.T) {
	for _, page := range []string{"authorization-servers.md", "sync.md"} {
		t.Run(page, func(t *testing.T) { checkLinks(t, page) })
	}
}

func checkLinks(t *testing.T, of string) {
	t.Helper()
	const docs = "../../docs/"
	guide, err := os.ReadFile(docs + of)
	require.NoError(t, err)
	links := regexp.MustCompile(`\]\(([^)]+)\)`).FindAllStringSubmatch(string(guide), -1)
	require.NotEmpty(t, links)
	for _, link := range links {
		page, anchor, _ := strings.Cut(link[1], "#")
		if page == "" {
			page = of
		}
		path := filepath.Join(docs, page)
		_, err := os.Stat(path)
		require.NoError(t, err, link[1])
		if anchor == "" {
			continue
		}
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		found := false
		for _, heading := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(string(text), -1) {
			name := regexp.MustCompile(`[^a-z0-9 _-]`).ReplaceAllString(strings.ToLower(heading[1]), "")
			found = found || strings.ReplaceAll(name, " ", "-") == anchor
		}
		assert.True(t, found, "no heading for %s", link[1])
	}
}
