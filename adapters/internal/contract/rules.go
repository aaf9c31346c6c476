package contract

import (
	"strings"

	"github.com/clientele-oauth/clientele/api"
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

// RuleListOf shows rules.
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

// FindingsOf shows findings; none are an empty list.
func FindingsOf(findings domain.Findings) []api.Finding {
	presented := make([]api.Finding, len(findings))
	for i, f := range findings {
		presented[i] = api.Finding{Field: new(f.Pointer), Rule: new(f.Rule), Message: new(f.Message), Source: new(f.Source)}
	}
	return presented
}
