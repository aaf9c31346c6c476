package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/clientele-oauth/clientele/application/push"
	"github.com/clientele-oauth/clientele/domain"
)

// maxNamed limits how many clients a summary names.
const maxNamed = 10

// PushPlan writes what a server holds otherwise than the registry, and what a rotation of
// secrets does to the clients.
func PushPlan(w io.Writer, target string, p push.Plan) error {
	var text strings.Builder
	for _, d := range p.Prepare {
		fmt.Fprintf(&text, "~ server: %s\n", pushDifference(d))
	}
	drifted := 0
	for _, d := range p.Decisions {
		id := Printable(string(d.ClientID))
		switch d.Step {
		case push.StepNone:
		case push.StepCreate:
			fmt.Fprintf(&text, "+ create %s\n", id)
		case push.StepReplace:
			fmt.Fprintf(&text, "~ change %s\n", id)
		case push.StepDisable:
			fmt.Fprintf(&text, "~ disable %s (not in the registry)\n", id)
		case push.StepDelete:
			fmt.Fprintf(&text, "- delete %s (purged)\n", id)
		case push.StepRefuse:
			fmt.Fprintf(&text, "! cannot push %s: %s\n", id, Printable(d.Refusal))
		}
		if d.Step != push.StepNone {
			drifted++
			for _, difference := range d.Differences {
				fmt.Fprintf(&text, "    %s\n", pushDifference(difference))
			}
			if d.Step == push.StepReplace && len(d.Differences) == 0 {
				text.WriteString("    the mark or the secret\n")
			}
		}
		if d.Secret != "" {
			fmt.Fprintf(&text, "! secret of %s: %s\n", id, Printable(d.Secret))
		}
	}
	writeIgnored(&text, p)
	writeRotation(&text, p)
	fmt.Fprintf(&text, "%s compared with %s, %d differ\n", counted(p.Clients, "client"), Printable(target), drifted)
	_, err := io.WriteString(w, text.String())
	return err
}

func pushDifference(d push.Difference) string {
	return fmt.Sprintf("%s: %s -> %s", Printable(d.Attribute), Printable(orNothing(d.Held)), Printable(orNothing(d.Want)))
}

func orNothing(value string) string {
	if value == "" {
		return "(none)"
	}
	return value
}

// writeIgnored summarises what the server ignores: a line for each limit.
func writeIgnored(text *strings.Builder, p push.Plan) {
	type ignored struct {
		finding domain.Finding
		ids     []string
	}
	byRule := map[string]*ignored{}
	var order []string
	for _, d := range p.Decisions {
		for _, f := range d.Ignored {
			key := f.Rule + f.Pointer
			if byRule[key] == nil {
				byRule[key] = &ignored{finding: f}
				order = append(order, key)
			}
			byRule[key].ids = append(byRule[key].ids, string(d.ClientID))
		}
	}
	slices.Sort(order)
	for _, key := range order {
		i := byRule[key]
		fmt.Fprintf(text, "ignored at %s: %s [%s, %s]: %s\n", Printable(i.finding.Pointer), Printable(i.finding.Message),
			Printable(i.finding.Rule), Printable(i.finding.Source), named(i.ids))
	}
}

// writeRotation says which clients keep working when their secret is rotated.
func writeRotation(text *strings.Builder, p push.Plan) {
	var follows, needs []string
	for _, d := range p.Decisions {
		switch d.Rotation {
		case push.RotationFollows:
			follows = append(follows, string(d.ClientID))
		case push.RotationNeedsValue:
			needs = append(needs, string(d.ClientID))
		case push.RotationNone:
		}
	}
	if n := p.ByRotation[push.RotationNone]; n > 0 {
		fmt.Fprintf(text, "rotation: %s without a secret: not affected\n", counted(n, "client"))
	}
	if len(follows) > 0 {
		fmt.Fprintf(text, "rotation: the server asks the registry about each secret, so these keep working: %s\n", named(follows))
	}
	if len(needs) > 0 {
		fmt.Fprintf(text, "rotation: the server takes only the value of a secret, and no hash. After a rotation these keep the old secret until its grace period ends, and stop working then unless the new value is in the secrets file: %s\n", named(needs))
	}
}

// named returns the number of clients, and the first names.
func named(ids []string) string {
	shown := make([]string, 0, maxNamed)
	for _, id := range ids[:min(len(ids), maxNamed)] {
		shown = append(shown, Printable(id))
	}
	text := counted(len(ids), "client") + " (" + strings.Join(shown, ", ")
	if len(ids) > maxNamed {
		text += ", …"
	}
	return text + ")"
}

// The JSON form of a plan.
type (
	pushPlanJSON struct {
		Target    string               `json:"target"`
		Clients   int                  `json:"clients"`
		Drifted   bool                 `json:"drifted"`
		Server    []pushDifferenceJSON `json:"server"`
		Decisions []pushDecisionJSON   `json:"decisions"`
	}
	pushDecisionJSON struct {
		ClientID    domain.ClientID      `json:"client_id"`
		Step        string               `json:"step"`
		Differences []pushDifferenceJSON `json:"differences"`
		Refusal     string               `json:"refusal,omitempty"`
		Secret      string               `json:"secret,omitempty"`
		Rotation    string               `json:"rotation,omitempty"`
		Ignored     []findingJSON        `json:"ignored"`
	}
	pushDifferenceJSON struct {
		Attribute string `json:"attribute"`
		Held      string `json:"held"`
		Want      string `json:"want"`
	}
)

func pushDifferencesJSON(differences []push.Difference) []pushDifferenceJSON {
	list := []pushDifferenceJSON{}
	for _, d := range differences {
		list = append(list, pushDifferenceJSON(d))
	}
	return list
}

// PushPlanJSON writes the plan as JSON.
func PushPlanJSON(w io.Writer, target string, p push.Plan) error {
	plan := pushPlanJSON{
		Target: target, Clients: p.Clients, Drifted: p.Drifted(), Server: pushDifferencesJSON(p.Prepare), Decisions: []pushDecisionJSON{},
	}
	for _, d := range p.Decisions {
		step := string(d.Step)
		if d.Step == push.StepNone {
			step = "none"
		}
		decision := pushDecisionJSON{
			ClientID: d.ClientID, Step: step, Differences: pushDifferencesJSON(d.Differences), Refusal: d.Refusal, Secret: d.Secret,
			Rotation: string(d.Rotation), Ignored: []findingJSON{},
		}
		for _, f := range d.Ignored {
			decision.Ignored = append(decision.Ignored, findingJSON{Field: f.Pointer, Message: f.Message, Rule: f.Rule, Source: f.Source})
		}
		plan.Decisions = append(plan.Decisions, decision)
	}
	return indented(w, plan)
}

// PushStates writes for each target who pushes, how far it is, and what it could not push.
func PushStates(w io.Writer, states []push.State) error {
	var text strings.Builder
	for _, s := range states {
		fmt.Fprintf(&text, "%s\n  pushed by:       %s\n  saved:           %s\n  reconciled:      %s\n  cursor:          %s\n", Printable(s.Target),
			Printable(orNobody(s.Holder)), timeOrNever(s.SavedAt), timeOrNever(s.ReconciledAt), Printable(orNothing(string(s.Cursor))))
		if len(s.Problems) == 0 {
			text.WriteString("  every client is at the server as it should be\n")
			continue
		}
		table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "  CLIENT\tPROBLEM\tREVISION\tSINCE\tREASON")
		for _, p := range s.Problems {
			fmt.Fprintf(table, "  %s\t%s\t%d\t%s\t%s\n", Printable(string(p.ClientID)), p.Kind, p.Revision, timeOrNever(p.At), Printable(p.Reason))
		}
		if err := table.Flush(); err != nil {
			return err
		}
	}
	if len(states) == 0 {
		text.WriteString("no clients of this tenant have been pushed\n")
	}
	_, err := io.WriteString(w, text.String())
	return err
}

func orNobody(holder string) string {
	if holder == "" {
		return "nobody"
	}
	return holder
}

func timeOrNever(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.UTC().Format(time.RFC3339)
}

// The JSON form of the states.
type (
	pushStateJSON struct {
		TenantID     domain.TenantID   `json:"tenant_id"`
		Target       string            `json:"target"`
		Holder       string            `json:"holder,omitempty"`
		LeaseEnds    *time.Time        `json:"lease_ends,omitempty"`
		Cursor       string            `json:"cursor,omitempty"`
		SavedAt      *time.Time        `json:"saved_at,omitempty"`
		ReconciledAt *time.Time        `json:"reconciled_at,omitempty"`
		Problems     []pushProblemJSON `json:"problems"`
	}
	pushProblemJSON struct {
		ClientID domain.ClientID       `json:"client_id"`
		Problem  push.ProblemKind      `json:"problem"`
		Reason   string                `json:"reason"`
		Revision domain.RevisionNumber `json:"revision"`
		At       time.Time             `json:"at"`
	}
)

// PushStatesJSON writes the states as JSON.
func PushStatesJSON(w io.Writer, states []push.State) error {
	list := []pushStateJSON{}
	for _, s := range states {
		state := pushStateJSON{
			TenantID: s.Tenant, Target: s.Target, Holder: s.Holder, Cursor: string(s.Cursor), LeaseEnds: unlessZero(s.LeaseEnds),
			SavedAt: unlessZero(s.SavedAt), ReconciledAt: unlessZero(s.ReconciledAt), Problems: []pushProblemJSON{},
		}
		for _, p := range s.Problems {
			state.Problems = append(state.Problems, pushProblemJSON{p.ClientID, p.Kind, p.Reason, p.Revision, p.At})
		}
		list = append(list, state)
	}
	return indented(w, list)
}

func unlessZero(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// PushProblems writes the clients that could not be pushed as they should be, one per line.
func PushProblems(w io.Writer, problems []push.Problem) error {
	var text strings.Builder
	for _, p := range problems {
		fmt.Fprintf(&text, "! %s (%s): %s\n", Printable(string(p.ClientID)), p.Kind, Printable(p.Reason))
	}
	_, err := io.WriteString(w, text.String())
	return err
}
