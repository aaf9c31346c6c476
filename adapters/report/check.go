package report

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/clientele-oauth/clientele/domain"
)

// File is the result of the check of one file.
type File struct {
	Name string
	// Failure is the reason why the file could not be read, and FailureLine its
	// line; nil if it could.
	Failure     error
	FailureLine int
	Clients     []Client
}

// Client is the result of the check of one client in a file.
type Client struct {
	Line     int    // first line of the client
	ClientID string // may be empty
	Findings []Finding
}

// Finding is a finding with its line in the file.
type Finding struct {
	domain.Finding
	Line int
}

// Tally counts the results of a check. Rejected clients have at least one violation;
// Unread files could not be read.
type Tally struct {
	Clients, Rejected, Violations, Warnings, Unread int
}

// Count counts the results for all files.
func Count(files []File) Tally {
	var t Tally
	for _, f := range files {
		if f.Failure != nil {
			t.Unread++
		}
		for _, c := range f.Clients {
			t.Clients++
			before := t.Violations
			for _, finding := range c.Findings {
				if finding.Level == domain.Violation {
					t.Violations++
				} else {
					t.Warnings++
				}
			}
			if t.Violations > before {
				t.Rejected++
			}
		}
	}
	return t
}

// CheckText writes a line for each finding, in the form of compiler messages, and a
// summary.
func CheckText(w io.Writer, files []File) error {
	var text strings.Builder
	for _, f := range files {
		if f.Failure != nil {
			fmt.Fprintf(&text, "%s: cannot be read: %s\n", position(f.Name, f.FailureLine), Printable(f.Failure.Error()))
		}
		for _, c := range f.Clients {
			for _, finding := range c.Findings {
				writeFinding(&text, f.Name, finding)
			}
		}
	}
	t := Count(files)
	fmt.Fprintf(&text, "%s checked, %d rejected: %s, %s", counted(t.Clients, "client"), t.Rejected,
		counted(t.Violations, "violation"), counted(t.Warnings, "warning"))
	if t.Unread > 0 {
		fmt.Fprintf(&text, "; %s could not be read", counted(t.Unread, "file"))
	}
	text.WriteByte('\n')
	_, err := io.WriteString(w, text.String())
	return err
}

// writeFinding writes a line in the form of compiler messages.
func writeFinding(w io.Writer, file string, f Finding) {
	fmt.Fprintf(w, "%s: %s at %s: %s [%s, %s]\n", position(file, f.Line), f.Level,
		Printable(orRoot(f.Pointer)), Printable(f.Message), Printable(f.Rule), Printable(f.Source))
}

// orRoot replaces the empty pointer, which means the whole client, by a slash.
func orRoot(pointer string) string {
	if pointer == "" {
		return "/"
	}
	return pointer
}

// position returns a position in a file as text; a line of 0 is omitted.
func position(file string, line int) string {
	file = Printable(file)
	if line == 0 {
		return file
	}
	return file + ":" + strconv.Itoa(line)
}

func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}

// The JSON form: findings as in responses of the service, with their lines.
type (
	checkJSON struct {
		Clients []clientJSON `json:"clients"`
		Unread  []unreadJSON `json:"unread"`
		Summary summaryJSON  `json:"summary"`
	}
	clientJSON struct {
		File       string        `json:"file"`
		Line       int           `json:"line"`
		ClientID   string        `json:"client_id,omitempty"`
		Compliant  bool          `json:"compliant"`
		Violations []findingJSON `json:"violations"`
		Warnings   []findingJSON `json:"warnings"`
	}
	findingJSON struct {
		Field   string `json:"field"`
		Message string `json:"message"`
		Rule    string `json:"rule"`
		Source  string `json:"source"`
		Line    int    `json:"line"`
	}
	unreadJSON struct {
		File    string `json:"file"`
		Line    int    `json:"line,omitempty"`
		Message string `json:"message"`
	}
	summaryJSON struct {
		Clients    int `json:"clients"`
		Rejected   int `json:"refused"` // the name is part of the output format
		Violations int `json:"violations"`
		Warnings   int `json:"warnings"`
		Unread     int `json:"unread"`
	}
)

// CheckJSON writes the results as JSON.
func CheckJSON(w io.Writer, files []File) error {
	found := checkJSON{Clients: []clientJSON{}, Unread: []unreadJSON{}, Summary: summaryJSON(Count(files))}
	for _, f := range files {
		if f.Failure != nil {
			found.Unread = append(found.Unread, unreadJSON{f.Name, f.FailureLine, f.Failure.Error()})
		}
		for _, c := range f.Clients {
			client := clientJSON{File: f.Name, Line: c.Line, ClientID: c.ClientID}
			client.Violations, client.Warnings = findingsJSON(c.Findings)
			client.Compliant = len(client.Violations) == 0
			found.Clients = append(found.Clients, client)
		}
	}
	return indented(w, found)
}

// findingsJSON returns the findings by their levels.
func findingsJSON(findings []Finding) (violations, warnings []findingJSON) {
	violations, warnings = []findingJSON{}, []findingJSON{}
	for _, f := range findings {
		presented := findingJSON{f.Pointer, f.Message, f.Rule, f.Source, f.Line}
		if f.Level == domain.Violation {
			violations = append(violations, presented)
		} else {
			warnings = append(warnings, presented)
		}
	}
	return violations, warnings
}
