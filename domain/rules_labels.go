package domain

import (
	"iter"
	"maps"
	"slices"
	"strings"
)

// MaxLabels is the maximum number of labels of a client.
const MaxLabels = 32

// MaxLabelNameLength is the length of the longest name of a label, in bytes.
const MaxLabelNameLength = 128

// reservedLabels is the prefix of names of labels that Clientele keeps for itself.
const reservedLabels = "clientele/"

// The rows on what people read about a client, and on lists and labels as such: RFC 7591
// §2, own.
func labelRules() []Rule {
	labels := []Field{FieldLabels}
	texts := []Field{FieldDescription, FieldOwner, FieldSoftwareID, FieldSoftwareVersion, FieldContacts, FieldDefaultACRValues, FieldLabels}
	lists := []Field{FieldResponseModes, FieldContacts, FieldDefaultACRValues, FieldRequestURIs, FieldResources}
	return []Rule{
		{
			ID: "label-syntax", Level: Violation, Source: "own", needs: labels,
			Summary: "the name of a label is longer than 128 characters, or is not a prefix of a-z 0-9 . -, a slash, and a name of a-z 0-9 . _ -",
			check: func(j *candidate, r *report) {
				for name := range j.labels() {
					if !isLabelName(name) {
						r.add(r.rule.Level, FieldLabels.pointer(), name, "%s is not the name of a label; use a prefix and a name, such as example.com/tier, of at most %d characters",
							quoted(name), MaxLabelNameLength)
					}
				}
			},
		},
		{
			ID: "label-reserved", Level: Violation, Source: "own", needs: labels,
			Summary: "the name of a label begins with clientele/",
			check: func(j *candidate, r *report) {
				for name := range j.labels() {
					if strings.HasPrefix(name, reservedLabels) {
						r.add(r.rule.Level, labelPointer(name), name, "labels under clientele/ are reserved; use a prefix of your own")
					}
				}
			},
		},
		{
			ID: "text-deceptive", Level: Violation, Source: "own; RFC 5892 appendix A.1, A.2", needs: texts,
			Summary: "description, owner, software_id, software_version, a contact, an element of default_acr_values or the value of a label has a character that name-text does not allow; line breaks and tabs are allowed in description",
			check:   func(j *candidate, r *report) { checkTexts(j, r, texts) },
		},
		{
			ID: "contact-form", Level: Warning, Source: "RFC 7591 §2", needs: []Field{FieldContacts},
			Summary: "a contact has no @",
			check: func(j *candidate, r *report) {
				for i, contact := range j.Contacts {
					if contact != "" && !strings.Contains(contact, "@") {
						r.at(FieldContacts, i, contact, "%s is not an e-mail address; use one", quoted(contact))
					}
				}
			},
		},
		{
			ID: "list-element", Level: Violation, Source: "own", needs: lists,
			Summary: "an element of response_modes, contacts, default_acr_values, request_uris or resources is empty, or is listed twice",
			check:   func(j *candidate, r *report) { checkElements(j, r, lists) },
		},
	}
}

// checkTexts reports the invisible characters in the texts of the fields.
func checkTexts(j *candidate, r *report, fields []Field) {
	found := func(field Field, c rune, pointer, subject string) {
		r.add(r.rule.Level, pointer, subject, "the text has the character U+%04X, which is invisible here and can deceive readers; remove it", c)
		r.except(fields, field)
	}
	for _, field := range fields {
		switch value := field.Of(&j.Settings).(type) {
		case *Text:
			allowed := ""
			if field == FieldDescription {
				allowed = "\n\r\t"
			}
			if c, ok := invisible(string(*value), allowed); ok {
				found(field, c, field.pointer(), "")
			}
		case Texts:
			for i := range value.Len() {
				if c, ok := invisible(value.Text(i), ""); ok {
					found(field, c, field.element(i), field.String()+" "+value.Text(i))
				}
			}
		case *Map:
			for name, text := range j.labels() {
				if c, ok := invisible(text, ""); ok {
					found(field, c, labelPointer(name), name+"="+text)
				}
			}
		}
	}
}

// checkElements reports the empty and the repeated elements of the fields, which are
// lists.
func checkElements(j *candidate, r *report, fields []Field) {
	for _, field := range fields {
		list := field.Of(&j.Settings).(Texts)
		seen := make(map[string]bool, list.Len())
		for i := range list.Len() {
			element := list.Text(i)
			switch {
			case element == "":
				r.at(field, i, field.String(), "an element must not be empty; remove it")
			case seen[element]:
				r.at(field, i, field.String()+" "+element, "%s is listed twice; remove one", quoted(element))
			default:
				seen[element] = true
				continue
			}
			r.except(fields, field)
		}
	}
}

// labels returns the labels in the order of their names.
func (s *Settings) labels() iter.Seq2[string, string] {
	return func(yield func(name, text string) bool) {
		if len(s.Labels) == 0 {
			return
		}
		for _, name := range slices.Sorted(maps.Keys(s.Labels)) {
			if !yield(name, s.Labels[name]) {
				return
			}
		}
	}
}

// labelPointer is the JSON Pointer of a label, or of all labels if the name is not that of
// a label, which can have any length and any characters.
func labelPointer(name string) string {
	if isLabelName(name) {
		return FieldLabels.entry(name)
	}
	return FieldLabels.pointer()
}

// isLabelName reports whether name is [a-z0-9.-]+/[a-z0-9._-]+ and not too long.
func isLabelName(name string) bool {
	prefix, rest, ok := strings.Cut(name, "/")
	if !ok || prefix == "" || rest == "" || len(name) > MaxLabelNameLength {
		return false
	}
	return !strings.ContainsFunc(prefix, func(r rune) bool { return !isLabelCharacter(r) }) &&
		!strings.ContainsFunc(rest, func(r rune) bool { return r != '_' && !isLabelCharacter(r) })
}

func isLabelCharacter(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '.' || r == '-'
}
