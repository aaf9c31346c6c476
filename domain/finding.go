package domain

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Level is the consequence of a violated rule.
type Level uint8

// The levels.
const (
	// Violation means that the configuration is rejected.
	Violation Level = iota + 1
	// Warning means that it is accepted and the finding is reported.
	Warning
)

// String returns "violation" or "warning".
func (l Level) String() string {
	if l == Violation {
		return "violation"
	}
	return "warning"
}

// NoKey is the [Finding.KeyIndex] of a finding that is not about one particular key.
const NoKey = -1

// Finding is a violation of one rule in one place.
type Finding struct {
	// Rule is the rule's id, e.g. "redirect-uri-fragment".
	Rule string
	// Level determines whether the configuration is rejected.
	Level Level
	// Pointer is the JSON Pointer (RFC 6901) of the place, e.g.
	// "/redirect_uris/0", in a request body or in the stored client.
	Pointer string
	// Message describes the problem and the remedy. It never contains key material.
	Message string
	// Source is the specification clause, e.g. "RFC 6749 §3.1.2".
	Source string
	// KeyIndex is the position in the key set of the key that the finding is
	// about; [NoKey] if it is not about one particular key.
	KeyIndex int
	// Preexisting marks a violation that existed before the change and is not
	// touched by it, which makes it a warning.
	Preexisting bool

	// subject is the offending value of a finding about one element. It identifies
	// the element even if its position in the array changes. It is empty for a
	// finding about the configuration as a whole.
	subject string
	// needs are the fields that the rule depends on.
	needs []Field
	// amount is the extent of the violation, for rules about an amount: a change
	// that does not increase it does not touch the violation. 0 for other rules.
	amount int
}

// sameAs reports whether f and g are violations of the same rule by the same value.
func (f Finding) sameAs(g Finding) bool {
	if f.Rule != g.Rule || f.subject != g.subject {
		return false
	}
	return f.subject != "" || f.Pointer == g.Pointer
}

// markPreexisting turns a violation that existed before the change into a warning.
func (f *Finding) markPreexisting() {
	f.Level = Warning
	f.Preexisting = true
	f.Message += " (it existed before this change, which is accepted; fix it)"
}

// Findings are the results of a validation, in the order of the rulebook.
type Findings []Finding

// Violations returns the findings that reject the configuration.
func (f Findings) Violations() Findings { return f.only(Violation) }

// Warnings returns the findings that do not reject the configuration.
func (f Findings) Warnings() Findings { return f.only(Warning) }

// AboutKeys returns the findings that point to the keys.
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

// at reports that element i of the field, an array, violates the current rule. subject
// is the value of the element.
func (r *report) at(field Field, i int, subject, format string, args ...any) {
	r.add(r.rule.Level, field.element(i), subject, format, args...)
}

// on reports that the field as a whole violates the current rule.
func (r *report) on(field Field, format string, args ...any) {
	r.add(r.rule.Level, field.pointer(), "", format, args...)
}

// add is like at and on, but takes the level, for rules whose level depends on the
// case.
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

// except records that the last finding, which is about one of the fields that the rule
// checks separately, does not depend on the others.
func (r *report) except(separate []Field, about Field) {
	if len(separate) < 2 {
		return
	}
	r.findings[len(r.findings)-1].needs = slices.DeleteFunc(slices.Clone(r.rule.needs), func(f Field) bool {
		return f != about && slices.Contains(separate, f)
	})
}

// maxQuoted limits how much of a submitted value a message repeats.
const maxQuoted = 80

// quotedList returns submitted values for a message, see [quoted].
func quotedList[S ~string](list []S) string {
	var texts []string
	for _, s := range list {
		texts = append(texts, quoted(s))
	}
	return strings.Join(texts, ", ")
}

// quoted returns a submitted value for a message: shortened, and escaped so that it
// cannot control a terminal or forge log lines.
func quoted[S ~string](s S) string {
	if len(s) > maxQuoted {
		return strconv.QuoteToASCII(string(s[:maxQuoted])) + "…"
	}
	return strconv.QuoteToASCII(string(s))
}
