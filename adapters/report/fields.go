package report

import (
	"io"
	"strings"

	"github.com/clientele-oauth/clientele/domain"
)

// FieldsMarkdown writes the fields of a client's configuration as a Markdown page.
func FieldsMarkdown(w io.Writer) error {
	var page strings.Builder
	page.WriteString(`# The fields

These are the fields of a client's configuration. ` + "`clientele fields`" + ` prints this page. Requests, responses, client files,
stored documents and the history use the same names. The second column is the name in client metadata (RFC 7591 §2), which
[metadata.md](metadata.md) describes. Lists can be filtered by a field that has a filter. Operators are the callers that may
write clients; the client itself is not one.

| field | client metadata | kind | filter | set by | description |
|---|---|---|---|---|---|
`)
	for f := range domain.Fields() {
		cells := []string{asCode(f.String()), asCode(f.Metadata()), kindOf(f), asCode(f.Facet()), f.SetBy().String(), f.About()}
		page.WriteString("| " + strings.Join(escapedCells(cells), " | ") + " |\n")
	}
	_, err := io.WriteString(w, page.String())
	return err
}

func kindOf(f domain.Field) string {
	switch f.Of(new(domain.Settings)).(type) {
	case *domain.Flag:
		return "boolean"
	case domain.Texts:
		return "list of strings"
	case domain.Integer:
		return "whole number"
	case *domain.Map:
		return "object of strings"
	default:
		return "string"
	}
}

func asCode(text string) string {
	if text == "" {
		return ""
	}
	return "`" + text + "`"
}
