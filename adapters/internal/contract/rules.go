package contract

import (
	"strings"

	"github.com/clientele-oauth/clientele/adapters/internal/jsonobject"
	"github.com/clientele-oauth/clientele/domain"
)

// NoProfile is how the wire names the rules that hold for every client.
const NoProfile = "none"

// ProfileName is how the wire names a profile.
func ProfileName(p domain.Profile) string {
	if p == domain.ProfileNone {
		return NoProfile
	}
	return string(p)
}

// WriteRules writes rules as a member called "rules".
func WriteRules(w *jsonobject.Writer, rules []domain.Rule) {
	w.Array("rules", func() {
		for _, rule := range rules {
			w.Object("", func() {
				jsonobject.Texts(w, "applies_to", ProfileNames(rule))
				w.Text("id", rule.ID)
				jsonobject.Texts(w, "levels", LevelNames(rule))
				w.Text("source", rule.Source)
				w.Text("subject", rule.Subject)
				w.Text("summary", rule.Summary)
			})
		}
	})
}

// LevelNames names the levels of a rule, the strictest first.
func LevelNames(rule domain.Rule) []string {
	var names []string
	for _, level := range rule.Levels() {
		names = append(names, level.String())
	}
	return names
}

// ProfileNames names the profiles that a rule applies in.
func ProfileNames(rule domain.Rule) []string {
	var names []string
	for _, profile := range rule.AppliesTo() {
		names = append(names, ProfileName(profile))
	}
	return names
}

// ProfileText names the profiles that the rule holds for; "all" where it holds for
// all of them and without one.
func ProfileText(rule domain.Rule) string {
	names := ProfileNames(rule)
	if len(names) == len(domain.Profiles())+1 {
		return "all"
	}
	return strings.Join(names, ", ")
}

// WriteFindings writes findings as a member of that name, an array.
func WriteFindings(w *jsonobject.Writer, name string, findings domain.Findings) {
	w.Array(name, func() {
		for _, f := range findings {
			w.Object("", func() {
				w.Text("field", f.Pointer)
				w.Text("message", f.Message)
				w.Text("rule", f.Rule)
				w.Text("source", f.Source)
			})
		}
	})
}
