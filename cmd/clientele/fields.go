package main

import (
	"os"

	"github.com/clientele-oauth/clientele/adapters/report"
)

//go:generate sh -c "go run . fields > ../../docs/fields.md"

type fieldsCommand struct{}

// Run prints the fields of a client's configuration, in Markdown.
func (fieldsCommand) Run() error { return report.FieldsMarkdown(os.Stdout) }
