package report

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/application/declare"
	"github.com/clientele-oauth/clientele/domain"
)

// Origin is the source of a declared client.
type Origin struct {
	File string
	// Line returns the line of the field at a JSON Pointer; an empty pointer means
	// the client itself.
	Line func(pointer string) int
}

func (o Origin) at(pointer string) string { return position(o.File, o.Line(pointer)) }

// Plan writes a plan as text: a line for each client that will change or has warnings,
// followed by its differences and the findings of the registry, and a summary. The
// origins are those of the declarations.
func Plan(w io.Writer, p declare.Plan, origins []Origin) error {
	var text strings.Builder
	signs := map[declare.Kind]string{
		declare.Create: "+", declare.Update: "~", declare.Delete: "-", declare.Restore: "^", declare.Unchanged: "=",
	}
	for _, step := range p.Steps {
		if step.Kind == declare.Unchanged && len(step.Warnings) == 0 {
			continue
		}
		fmt.Fprintf(&text, "%s %s %s", signs[step.Kind], step.Kind, Printable(string(step.ID)))
		if step.Declaration < 0 {
			text.WriteString(" (in no file)\n")
			continue
		}
		origin := origins[step.Declaration]
		fmt.Fprintf(&text, " (%s)%s\n", origin.at(""), restoration(step))
		for _, d := range step.Differences {
			difference(&text, d, step.Kind == declare.Create)
		}
		for _, f := range step.Warnings {
			fmt.Fprintf(&text, "    %s: warning: %s [%s, %s]\n", origin.at(f.Pointer), Printable(f.Message), Printable(f.Rule), Printable(f.Source))
		}
		if step.SecretsReturn && step.Rejection == nil {
			text.WriteString("    secrets from before the deletion are valid again; rotate them if others may know them\n")
		}
		rejection(&text, step.Rejection, origin)
	}
	fmt.Fprintf(&text, "%d to create, %d to update, ", p.Count(declare.Create), p.Count(declare.Update))
	if n := p.Count(declare.Restore); n > 0 {
		fmt.Fprintf(&text, "%d to restore, ", n)
	}
	fmt.Fprintf(&text, "%d to delete, %d unchanged", p.Count(declare.Delete), p.Count(declare.Unchanged))
	if n := p.Rejected(); n > 0 {
		fmt.Fprintf(&text, "; the registry rejects %d of them", n)
	}
	text.WriteString("\n")
	_, err := io.WriteString(w, text.String())
	return err
}

// rejection writes why the registry rejects a step, if it does.
func rejection(text *strings.Builder, cause error, origin Origin) {
	if invalid, ok := errors.AsType[*application.InvalidError](cause); ok {
		for _, f := range invalid.Findings.Violations() {
			fmt.Fprintf(text, "    %s: rejected: %s [%s, %s]\n", origin.at(f.Pointer), Printable(f.Message), Printable(f.Rule), Printable(f.Source))
		}
		return
	}
	if cause != nil {
		fmt.Fprintf(text, "    %s: rejected: %s\n", origin.at(""), Printable(cause.Error()))
	}
}

// difference writes how a field changes. Key sets are too long to be shown.
func difference(text *strings.Builder, d domain.Difference, created bool) {
	name := strings.TrimPrefix(d.Pointer(), "/")
	before, isList := d.Before.([]string)
	switch {
	case d.Before == nil && isEmpty(d.After): // for a new client with a default that is not empty
		fmt.Fprintf(text, "    %s: none\n", name)
	case isList:
		after, _ := d.After.([]string)
		fmt.Fprintf(text, "    %s:\n", name)
		for _, value := range before {
			if !slices.Contains(after, value) {
				fmt.Fprintf(text, "      - %s\n", Quoted(value))
			}
		}
		for _, value := range after {
			if !slices.Contains(before, value) {
				fmt.Fprintf(text, "      + %s\n", Quoted(value))
			}
		}
		if len(before) == len(after) && sameValues(before, after) {
			fmt.Fprintf(text, "      in another order: %s\n", Printable(fmt.Sprintf("%q", after)))
		}
	case d.Field == domain.FieldJWKS:
		fmt.Fprintf(text, "    %s: %s -> %s\n", name, bytesOf(d.Before), bytesOf(d.After))
	case created:
		fmt.Fprintf(text, "    %s: %s\n", name, format(d.After))
	default:
		fmt.Fprintf(text, "    %s: %s -> %s\n", name, format(d.Before), format(d.After))
	}
}

// restoration describes how a restored client differs from the deleted one.
func restoration(step declare.Step) string {
	switch {
	case step.Kind != declare.Restore:
		return ""
	case len(step.Differences) == 0:
		return ", as it was before it was deleted"
	default:
		return " as it was before it was deleted, then change:"
	}
}

// isEmpty reports whether the value is an empty list.
func isEmpty(value any) bool {
	list, isList := value.([]string)
	return isList && len(list) == 0
}

// format returns a value that is not a list as text.
func format(value any) string {
	switch value := value.(type) {
	case nil:
		return "unset"
	case map[string]string:
		var texts []string
		for _, name := range slices.Sorted(maps.Keys(value)) {
			texts = append(texts, name+"="+value[name])
		}
		return Printable(fmt.Sprintf("%q", texts))
	default:
		return Printable(fmt.Sprintf("%#v", value))
	}
}

func sameValues(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

func bytesOf(value any) string {
	text, _ := value.(string)
	if text == "" {
		return "none"
	}
	return fmt.Sprintf("a key set of %d bytes", len(text))
}
