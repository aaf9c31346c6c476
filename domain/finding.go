package domain

import (
	"fmt"
	"slices"
	"strconv"
)

// Level says what follows when a rule is broken.
type Level uint8

// The levels.
const (
	// Violation rejects the configuration.
	Violation Level = iota + 1
	// Warning accepts it and reports.
	Warning
)

// String returns "violation" or "warning".
func (l Level) String() string {
	if l == Violation {
		return "violation"
	}
	return "warning"
}

// NoKey is the [Finding.KeyIndex] of a finding that is about no single key.
const NoKey = -1

// Finding is one rule broken in one place.
type Finding struct {
	// Rule is the rule's id, e.g. "redirect-uri-fragment".
	Rule string
	// Level says whether the finding rejects the configuration.
	Level Level
	// Pointer is the JSON Pointer (RFC 6901) of the place, e.g.
	// "/redirect_uris/0", in a request body or in the stored client.
	Pointer string
	// Message says what is wrong and what to do. It never holds key material.
	Message string
	// Source names the text that rules it, e.g. "RFC 6749 §3.1.2".
	Source string
	// KeyIndex is the position in the key set of the key that the finding is
	// about, [NoKey] where it is about no single key.
	KeyIndex int
	// Preexisting marks a violation that existed before the change and is not
	// touched by it, which makes it a warning.
	Preexisting bool

	// subject is the offending value of a finding about one element: it tells
	// the element apart wherever it moves in its array. Empty for a finding
	// about the configuration as a whole.
	subject string
	// needs are the members that decide the rule.
	needs []Field
	// amount is by how much the rule is broken, for rules about an amount: a change
	// that does not raise it leaves the violation as it was. 0 for other rules.
	amount int
}

// sameAs reports whether f and g are the same rule broken by the same thing.
func (f Finding) sameAs(g Finding) bool {
	if f.Rule != g.Rule || f.subject != g.subject {
		return false
	}
	return f.subject != "" || f.Pointer == g.Pointer
}

// markPreexisting turns a violation into the warning of one that existed before.
func (f *Finding) markPreexisting() {
	f.Level = Warning
	f.Preexisting = true
	f.Message += " (it existed before this change, which is accepted; fix it)"
}

// Findings are the results of a validation, in the order of the rulebook.
type Findings []Finding

// Violations returns the findings that reject the configuration.
func (f Findings) Violations() Findings { return f.only(Violation) }

// Warnings returns the findings that do not.
func (f Findings) Warnings() Findings { return f.only(Warning) }

// AboutKeys returns the findings that point at the keys.
func (f Findings) AboutKeys() Findings {
	var some Findings
	for _, finding := range f {
		if finding.Pointer == FieldJWKS.pointer() || finding.Pointer == FieldJWKSURI.pointer() {
			some = append(some, finding)
		}
	}
	return some
}

func (f Findings) only(level Level) Findings {
	var some Findings
	for _, finding := range f {
		if finding.Level == level {
			some = append(some, finding)
		}
	}
	return some
}

// HasViolations reports whether any finding is a violation.
func (f Findings) HasViolations() bool {
	return slices.ContainsFunc(f, func(finding Finding) bool { return finding.Level == Violation })
}

// report collects the findings of a validation.
type report struct {
	rule     *Rule
	findings Findings
}

// at reports that element i violates the current rule, whose value
// is subject, of the array member field.
func (r *report) at(field Field, i int, subject, format string, args ...any) {
	r.add(r.rule.Level, field.element(i), subject, format, args...)
}

// on reports that the field violates the current rule as a
// whole.
func (r *report) on(field Field, format string, args ...any) {
	r.add(r.rule.Level, field.pointer(), "", format, args...)
}

// add is at and on with a level of its own, for the rules whose level depends
// on the case.
func (r *report) add(level Level, pointer, subject, format string, args ...any) {
	message := format
	if len(args) > 0 {
		message = fmt.Sprintf(format, args...)
	}
	r.findings = append(r.findings, Finding{
		Rule:     r.rule.ID,
		Level:    level,
		Pointer:  pointer,
		Message:  message,
		Source:   r.rule.Source,
		KeyIndex: NoKey,
		subject:  subject,
		needs:    r.rule.needs,
	})
}

// except says that the last finding, which is about one field of those that the rule looks
// at separately, does not depend on the others of them.
func (r *report) except(separate []Field, about Field) {
	if len(separate) < 2 {
		return
	}
	r.findings[len(r.findings)-1].needs = slices.DeleteFunc(slices.Clone(r.rule.needs), func(f Field) bool {
		return f != about && slices.Contains(separate, f)
	})
}

// maxQuoted bounds how much of a submitted value a message repeats.
const maxQuoted = 80

// quoted renders a submitted value for a message: escaped, so that nothing in
// it can act on a terminal or a log, and shortened.
func quoted[S ~string](s S) string {
	if len(s) > maxQuoted {
		return strconv.QuoteToASCII(string(s[:maxQuoted])) + "…"
	}
	return strconv.QuoteToASCII(string(s))
}
