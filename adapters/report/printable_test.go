package report_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/report"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/application/declare"
	"github.com/clientele-oauth/clientele/domain"
)

func TestPrintable(t *testing.T) {
	for text, want := range map[string]string{
		"Büro 日本 😀":                          "Büro 日本 😀",
		"می\u200cخواهم":                      "می\u200cخواهم",
		"\x1b[31mred":                        `\x1b[31mred`,
		"a\nb\r\tc":                          `a\nb\r\tc`,
		"\u009b31m":                          `\u009b31m`,
		"a\u202egnp.exe":                     `a\u202egnp.exe`,
		"a\u2028b":                           `a\u2028b`,
		"\x7f":                               `\x7f`,
		"\xff\xfe":                           `\xff\xfe`,
		"\ufffd":                             "\ufffd",
		"::error::wrong":                     `\x3a:error::wrong`,
		"  ::set-output name=a::b":           `  \x3a:set-output name=a::b`,
		"https://[::1]/callback":             "https://[::1]/callback",
		"x ##[error]y":                       `x #\x23[error]y`,
		"\n::error::hidden behind a newline": `\n::error::hidden behind a newline`,
	} {
		assert.Equal(t, want, report.Printable(text), "%q", text)
	}
	assert.Equal(t, `"a\"\x1b#\x23[x]"`, report.Quoted("a\"\x1b##[x]"))
}

// hostile is text that controls a terminal or the log of a pipeline if it is printed
// unescaped.
const hostile = "\x1b]0;x\a\n::error::##[error]\u202e"

// assertEscaped fails if a report contains a character that only the hostile text has,
// or a line that is a workflow command.
func assertEscaped(t *testing.T, text string) {
	t.Helper()
	for _, dangerous := range []string{"\x1b", "\a", "\u202e", "##["} {
		assert.False(t, strings.Contains(text, dangerous), "%q is not escaped", dangerous) //nolint:testifylint // the text is long
	}
	for line := range strings.Lines(text) {
		assert.False(t, strings.HasPrefix(strings.TrimSpace(line), "::"), line)
	}
}

// A plan and a check escape all text from other sources: names, identifiers, values,
// messages of the registry, rules, sources, file names.
func TestReportsEscapeTextFromOtherSources(t *testing.T) {
	finding := domain.Finding{Rule: hostile, Level: domain.Warning, Pointer: "/" + hostile, Message: hostile, Source: hostile}
	violation := finding
	violation.Level = domain.Violation
	origin := report.Origin{File: "::error::" + hostile, Line: func(string) int { return 0 }}
	all := domain.Compare(domain.Settings{}, domain.Settings{
		Name: hostile, Status: hostile, Confidential: true, RedirectURIs: []domain.RedirectURI{hostile}, Profile: hostile,
		Scopes: []domain.Scope{hostile}, Keys: domain.KeysAt(hostile), LogoURL: hostile, Website: hostile,
		TLSSubject: domain.TLSSubject{DN: hostile},
	})
	plan := declare.Plan{Steps: []declare.Step{
		{Kind: declare.Create, ID: hostile, Differences: all, Warnings: domain.Findings{finding}, Rejection: errors.New(hostile)},
		{Kind: declare.Update, ID: hostile, Differences: all, Rejection: &application.InvalidError{Findings: domain.Findings{violation}}},
		{Kind: declare.Restore, ID: hostile, Differences: all, SecretsReturn: true},
		{Kind: declare.Delete, ID: hostile, Declaration: -1},
	}}
	var text bytes.Buffer
	require.NoError(t, report.Plan(&text, plan, []report.Origin{origin}))
	assertEscaped(t, text.String())

	files := []report.File{
		{Name: "::error::" + hostile, Failure: errors.New(hostile)},
		{Name: "::error::" + hostile, Clients: []report.Client{{ClientID: hostile, Findings: []report.Finding{{Finding: violation}, {Finding: finding}}}}},
	}
	for name, write := range map[string]func() error{
		"text":  func() error { return report.CheckText(&text, files) },
		"json":  func() error { return report.CheckJSON(&text, files) },
		"sarif": func() error { return report.CheckSARIF(&text, files, domain.Rules(), "1") },
	} {
		text.Reset()
		require.NoError(t, write(), name)
		assertEscaped(t, text.String())
		assert.Equal(t, name != "text", json.Valid(text.Bytes()), name)
	}
}
