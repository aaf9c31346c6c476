package contract

import (
	"strings"

	"github.com/clientele-oauth/clientele/api"
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

// RuleListOf converts rules to their form in responses.
func RuleListOf(rules []domain.Rule) api.RuleList {
	presented := make([]api.Rule, len(rules))
	for i, rule := range rules {
		levels, profiles := LevelNames(rule), ProfileNames(rule)
		presented[i] = api.Rule{
			ID: new(rule.ID), Subject: new(rule.Subject), Levels: &levels, AppliesTo: &profiles,
			Summary: new(rule.Summary), Source: new(rule.Source),
		}
	}
	return api.RuleList{Rules: &presented}
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

// FindingsOf converts findings to their form in responses. The result is never nil.
func FindingsOf(findings domain.Findings) []api.Finding {
	presented := make([]api.Finding, len(findings))
	for i, f := range findings {
		presented[i] = api.Finding{Field: new(f.Pointer), Rule: new(f.Rule), Message: new(f.Message), Source: new(f.Source)}
	}
	return presented
}
