package report

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/application/declare"
	"github.com/clientele-oauth/clientele/domain"
)

// Origin says where a declaration stands.
type Origin struct {
	File string
	// Line returns the line of the member at a JSON Pointer, "" for the whole.
	Line func(pointer string) int
}

func (o Origin) at(pointer string) string { return place(o.File, o.Line(pointer)) }

// Plan writes what is to be done, for people: a line for each client that is not
// to stay as it is or has warnings, its differences below it, what the registry says to it, and
// a sum. Origins are those of the declarations.
func Plan(w io.Writer, p declare.Plan, origins []Origin) error {
	var text strings.Builder
	signs := map[declare.Kind]string{declare.Create: "+", declare.Update: "~", declare.Delete: "-", declare.Unchanged: "="}
	for _, step := range p.Steps {
		if step.Kind == declare.Unchanged && len(step.Warnings) == 0 {
			continue
		}
		fmt.Fprintf(&text, "%s %s %s", signs[step.Kind], step.Kind, step.ID)
		if step.Declaration < 0 {
			text.WriteString(", which no file declares\n")
			continue
		}
		origin := origins[step.Declaration]
		fmt.Fprintf(&text, " (%s)\n", origin.at(""))
		for _, d := range step.Differences {
			difference(&text, d, step.Kind == declare.Create)
		}
		for _, f := range step.Warnings {
			fmt.Fprintf(&text, "    %s: warning: %s [%s, %s]\n", origin.at(f.Pointer), f.Message, f.Rule, f.Source)
		}
		refused(&text, step.Refusal, origin)
	}
	fmt.Fprintf(&text, "%d to create, %d to update, %d to delete, %d unchanged", p.Count(declare.Create), p.Count(declare.Update),
		p.Count(declare.Delete), p.Count(declare.Unchanged))
	if n := p.Refused(); n > 0 {
		fmt.Fprintf(&text, "; the registry refuses %d of them", n)
	}
	text.WriteString("\n")
	_, err := io.WriteString(w, text.String())
	return err
}

// refused tells why the registry would not take a step, if it would not.
func refused(text *strings.Builder, refusal error, origin Origin) {
	if invalid, ok := errors.AsType[*application.InvalidError](refusal); ok {
		for _, f := range invalid.Findings.Violations() {
			fmt.Fprintf(text, "    %s: refused: %s [%s, %s]\n", origin.at(f.Pointer), f.Message, f.Rule, f.Source)
		}
		return
	}
	if refusal != nil {
		fmt.Fprintf(text, "    %s: refused: %v\n", origin.at(""), refusal)
	}
}

// difference tells how a member changes. Key sets are too long to be read.
func difference(text *strings.Builder, d domain.Difference, created bool) {
	name := strings.TrimPrefix(d.Pointer(), "/")
	before, isList := d.Before.([]string)
	switch {
	case isList:
		after, _ := d.After.([]string)
		fmt.Fprintf(text, "    %s:\n", name)
		for _, value := range before {
			if !slices.Contains(after, value) {
				fmt.Fprintf(text, "      - %q\n", value)
			}
		}
		for _, value := range after {
			if !slices.Contains(before, value) {
				fmt.Fprintf(text, "      + %q\n", value)
			}
		}
		if len(before) == len(after) && sameValues(before, after) {
			fmt.Fprintf(text, "      in another order: %q\n", after)
		}
	case d.Field == domain.FieldJWKS:
		fmt.Fprintf(text, "    %s: %s -> %s\n", name, bytesOf(d.Before), bytesOf(d.After))
	case created:
		fmt.Fprintf(text, "    %s: %#v\n", name, d.After)
	default:
		fmt.Fprintf(text, "    %s: %#v -> %#v\n", name, d.Before, d.After)
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
