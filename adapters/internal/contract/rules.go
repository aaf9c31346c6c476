package contract

import (
	"strings"

	"github.com/clientele-oauth/clientele/adapters/internal/jsonobject"
	"github.com/clientele-oauth/clientele/domain"
)

// NoProfile is the API's name for "no profile", in which only the general rules apply.
const NoProfile = "none"

// ProfileName returns the API's name of a profile.
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

// LevelNames returns the names of the levels of a rule, strictest first.
func LevelNames(rule domain.Rule) []string {
	var names []string
	for _, level := range rule.Levels() {
		names = append(names, level.String())
	}
	return names
}

// ProfileNames returns the names of the profiles in which a rule applies.
func ProfileNames(rule domain.Rule) []string {
	var names []string
	for _, profile := range rule.AppliesTo() {
		names = append(names, ProfileName(profile))
	}
	return names
}

// ProfileText returns the names of the profiles in which the rule applies, separated
// by commas, or "all" if it applies in every profile and without one.
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
