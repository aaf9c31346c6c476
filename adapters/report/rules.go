// Package report writes the output of commands: the rules, the findings of a check and
// the plan of an apply, as text for terminals, as JSON, and as SARIF for code scanners.
// Text from other sources is escaped, so that it cannot control a terminal or the log of
// a pipeline; see [Printable].
package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/clientele-oauth/clientele/adapters/internal/contract"
	"github.com/clientele-oauth/clientele/adapters/internal/jsonobject"
	"github.com/clientele-oauth/clientele/domain"
)

// RulesTable writes the rules as a table of text.
func RulesTable(w io.Writer, rules []domain.Rule) error {
	columns := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(columns, "RULE\tLEVEL\tPROFILES\tSOURCE\tVIOLATED WHEN")
	for _, r := range rules {
		fmt.Fprintf(columns, "%s\t%s\t%s\t%s\t%s\n", r.ID, levels(r), contract.ProfileText(r), r.Source, r.Summary)
	}
	return columns.Flush()
}

// RulesJSON writes the rules in the form of the data of GET /admin/oauth/rules.
func RulesJSON(w io.Writer, rules []domain.Rule) error {
	var list jsonobject.Writer
	list.Object("", func() { contract.WriteRules(&list, rules) })
	return indented(w, json.RawMessage(list))
}

// RulesMarkdown writes the rules as a Markdown page with a table for each subject.
func RulesMarkdown(w io.Writer, rules []domain.Rule) error {
	var page strings.Builder
	page.WriteString(`# The rules

These are the rules that every client is validated by, and their sources. ` + "`clientele rules --format markdown`" + ` prints
this page. A *violation* rejects the request; a *warning* is only reported. A rule with profiles applies only to clients
of these profiles; ` + "`none`" + ` means clients without a profile. The source ` + "`own`" + ` is a rule of this registry.
Decisions where specifications leave room, or differ from what this page was written from, are in
[architecture.md](architecture.md#interpretations).
`)
	subject := ""
	for _, r := range rules {
		if r.Subject != subject {
			subject = r.Subject
			page.WriteString("\n## " + subject + "\n\n| rule | level | profiles | violated when | source |\n|---|---|---|---|---|\n")
		}
		cells := []string{"`" + r.ID + "`", levels(r), contract.ProfileText(r), r.Summary, r.Source}
		page.WriteString("| " + strings.Join(escapedCells(cells), " | ") + " |\n")
	}
	_, err := io.WriteString(w, page.String())
	return err
}

func escapedCells(cells []string) []string {
	for i := range cells {
		cells[i] = strings.NewReplacer("|", `\|`, "<", "&lt;", "*", `\*`).Replace(cells[i])
	}
	return cells
}

func levels(r domain.Rule) string { return strings.Join(contract.LevelNames(r), " or ") }

func indented(w io.Writer, value any) error {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(value); err != nil {
		return err
	}
	_, err := w.Write(escapeJSON(text.Bytes()))
	return err
}
