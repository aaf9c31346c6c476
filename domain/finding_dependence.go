package domain

import (
	"slices"
	"strings"
)

// Independent returns the findings that do not depend on the values of the given
// fields. Use it for a configuration in which these fields could not be read.
func (f Findings) Independent(of FieldSet) Findings {
	var some Findings
	for _, finding := range f {
		at, isField := finding.field()
		depends := isField && of.Has(at) || of.hasAny(finding.needs)
		if depends || of.Has(FieldProfile) && !appliesEverywhere(finding.Rule) {
			continue
		}
		some = append(some, finding)
	}
	return some
}

// Fields returns the fields that the pointers of the findings name.
func (f Findings) Fields() (named FieldSet) {
	for i := range f {
		if at, isField := f[i].field(); isField {
			named.Add(at)
		}
	}
	return named
}

// field returns the field that the pointer names.
func (f *Finding) field() (at Field, ok bool) {
	name, _, _ := strings.Cut(strings.TrimPrefix(f.Pointer, "/"), "/")
	return FieldNamed(name, LastField)
}

// appliesEverywhere reports whether the rule applies in every profile.
func appliesEverywhere(id string) bool {
	return slices.ContainsFunc(Rules(), func(r Rule) bool { return r.ID == id && r.in == everywhere })
}
