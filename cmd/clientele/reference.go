package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/clientele-oauth/clientele/adapters/registrationfile"
)

//go:generate sh -c "go run . reference > ../../docs/configuration.md"

// registrationFileTopic is the topic for which reference prints the JSON Schema of the
// registration file.
const registrationFileTopic = "registration-file"

type referenceCommand struct {
	Topic string `arg:"" optional:"" default:"commands" enum:"commands,registration-file" help:"commands (${default}), in Markdown; or registration-file, the JSON Schema of the file of serve --registration-file."`
}

// Run prints every command with its flags, in Markdown, or the topic.
func (c referenceCommand) Run(app *kong.Kong) error {
	if c.Topic == registrationFileTopic {
		_, err := os.Stdout.Write(registrationfile.Schema())
		return err
	}
	return writeReference(os.Stdout, app.Model)
}

// referenceIntro is the introduction of docs/configuration.md.
const referenceIntro = `# Commands and configuration

This is the reference of all commands, flags and environment variables. ` + "`clientele reference`" + ` prints it from the code;
` + "`clientele COMMAND --help`" + ` shows the same. You can set every flag that has a variable in the environment instead; a flag
takes precedence. Separate the elements of lists by commas. Write durations as ` + "`30s`, `4h`" + `.

` + "`serve`" + ` also reads the variables of OpenTelemetry: it sends traces if ` + "`OTEL_EXPORTER_OTLP_ENDPOINT`" + ` or
` + "`OTEL_TRACES_EXPORTER`" + ` is set. ` + "`GOGC` and `GOMEMLIMIT`" + ` have their usual meaning for Go
programs; the default of ` + "`GOGC`" + ` is 200.
`

func writeReference(to io.Writer, app *kong.Application) error {
	var page strings.Builder
	page.WriteString(referenceIntro)
	for _, command := range app.Leaves(true) {
		fmt.Fprintf(&page, "\n## clientele %s\n\n%s\n", command.Summary(), command.Help)
		var rows strings.Builder
		for _, positional := range command.Positional {
			fmt.Fprintf(&rows, "| `%s` | | | %s |\n", positional.Summary(), tableText(positional.Help, ""))
		}
		for _, flag := range command.Flags {
			if flag.Name == "help" || flag.Hidden {
				continue
			}
			name := "--" + flag.Name
			if flag.Negated || flag.Tag.Negatable != "" {
				name = "--[no-]" + flag.Name
			}
			fmt.Fprintf(&rows, "| `%s` | %s | %s | %s |\n", name, code(strings.Join(flag.Envs, ", ")), code(flag.Default), tableText(flag.Help, flag.Default))
		}
		if rows.Len() > 0 {
			page.WriteString("\n| flag | environment | default | |\n|---|---|---|---|\n" + rows.String())
		}
	}
	_, err := io.WriteString(to, page.String())
	return err
}

// code formats a text as inline code; an empty text stays empty.
func code(text string) string {
	if text == "" {
		return ""
	}
	return "`" + text + "`"
}

// tableText returns a help text for a cell of the table, without the default, which has its
// own column.
func tableText(help, defaultValue string) string {
	if defaultValue != "" {
		help = strings.Replace(help, " ("+defaultValue+")", "", 1)
	}
	return strings.ReplaceAll(help, "|", "\\|")
}
