package main

import (
	"errors"
	"io"
	"os"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/clientele-oauth/clientele/adapters/report"
)

// parse parses the arguments of the program, and exits with [exitUsage] if they are
// wrong.
func parse(cli *commands, options ...kong.Option) *kong.Context {
	parser := kong.Must(cli, append(options, kong.Writers(os.Stdout, escaping{os.Stderr}))...)
	parsed, err := parser.Parse(os.Args[1:])
	if err != nil {
		parser.Errorf("%s", usageMessage(err))
		parser.Exit(exitUsage)
	}
	return parsed
}

// usageMessage returns the message for wrong arguments.
func usageMessage(err error) string {
	message := err.Error()
	failed, ok := errors.AsType[*kong.ParseError](err)
	if argument, unexpected := strings.CutPrefix(message, "unexpected argument "); unexpected && ok && failed.Context.Selected() == nil {
		return "unknown command " + argument + `; "clientele --help" lists the commands`
	}
	return message
}

// escaping is a writer that escapes each line with [report.Printable].
type escaping struct{ to io.Writer }

// Write implements [io.Writer].
func (e escaping) Write(text []byte) (int, error) {
	var lines strings.Builder
	for line := range strings.Lines(string(text)) {
		content, ends := strings.CutSuffix(line, "\n")
		lines.WriteString(report.Printable(content))
		if ends {
			lines.WriteByte('\n')
		}
	}
	if _, err := io.WriteString(e.to, lines.String()); err != nil {
		return 0, err
	}
	return len(text), nil
}
