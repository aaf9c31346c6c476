package report

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/clientele-oauth/clientele/adapters/wire"
	"github.com/clientele-oauth/clientele/api"
	"github.com/clientele-oauth/clientele/domain"
)

// File is what was found about one file.
type File struct {
	Name string
	// Failure says why the file could not be read, on which line; nil where it
	// could.
	Failure     error
	FailureLine int
	Clients     []Client
}

// Client is what was found about one configuration in a file.
type Client struct {
	Line     int    // where it begins
	ClientID string // may be empty
	Findings []Finding
}

// Finding is a finding and the line that it points at.
type Finding struct {
	domain.Finding
	Line int
}

// Tally counts what was found.
type Tally struct {
	Clients, Refused, Violations, Warnings, Unread int
}

// Count counts what was found in all files.
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
				t.Refused++
			}
		}
	}
	return t
}

// CheckText writes a line for each finding, as compilers do, and a sum.
func CheckText(w io.Writer, files []File) error {
	var text strings.Builder
	for _, f := range files {
		if f.Failure != nil {
			fmt.Fprintf(&text, "%s: cannot be read: %s\n", place(f.Name, f.FailureLine), Printable(f.Failure.Error()))
		}
		for _, c := range f.Clients {
			for _, finding := range c.Findings {
				fmt.Fprintf(&text, "%s: %s at %s: %s [%s, %s]\n", place(f.Name, finding.Line), finding.Level,
					Printable(orWhole(finding.Pointer)), Printable(finding.Message), Printable(finding.Rule), Printable(finding.Source))
			}
		}
	}
	t := Count(files)
	fmt.Fprintf(&text, "%s checked, %d rejected: %s, %s", counted(t.Clients, "client"), t.Refused,
		counted(t.Violations, "violation"), counted(t.Warnings, "warning"))
	if t.Unread > 0 {
		fmt.Fprintf(&text, "; %s could not be read", counted(t.Unread, "file"))
	}
	text.WriteByte('\n')
	_, err := io.WriteString(w, text.String())
	return err
}

// orWhole names the configuration itself, whose pointer is empty.
func orWhole(pointer string) string {
	if pointer == "" {
		return "/"
	}
	return pointer
}

// place is a place in a file, for people.
func place(file string, line int) string {
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

// The JSON form: findings as the service answers them, with their lines.
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
		api.Finding
		Line int `json:"line"`
	}
	unreadJSON struct {
		File    string `json:"file"`
		Line    int    `json:"line,omitempty"`
		Message string `json:"message"`
	}
	summaryJSON struct {
		Clients    int `json:"clients"`
		Refused    int `json:"refused"`
		Violations int `json:"violations"`
		Warnings   int `json:"warnings"`
		Unread     int `json:"unread"`
	}
)

// CheckJSON writes what was found for programs.
func CheckJSON(w io.Writer, files []File) error {
	found := checkJSON{Clients: []clientJSON{}, Unread: []unreadJSON{}, Summary: summaryJSON(Count(files))}
	for _, f := range files {
		if f.Failure != nil {
			found.Unread = append(found.Unread, unreadJSON{f.Name, f.FailureLine, f.Failure.Error()})
		}
		for _, c := range f.Clients {
			one := clientJSON{File: f.Name, Line: c.Line, ClientID: c.ClientID, Violations: []findingJSON{}, Warnings: []findingJSON{}}
			for _, finding := range c.Findings {
				presented := findingJSON{wire.FindingsOf(domain.Findings{finding.Finding})[0], finding.Line}
				if finding.Level == domain.Violation {
					one.Violations = append(one.Violations, presented)
				} else {
					one.Warnings = append(one.Warnings, presented)
				}
			}
			one.Compliant = len(one.Violations) == 0
			found.Clients = append(found.Clients, one)
		}
	}
	return indented(w, found)
}
