package domain

import (
	"cmp"
	"slices"
)

// Change sets some fields of a configuration: those that it names. Fields that it
// does not name keep their values; a field that it names with its empty value is
// cleared. The zero value changes nothing.
type Change struct {
	values Settings
	named  FieldSet
}

// ChangeOf returns the change that sets every field that is set in s, and clears
// the fields in empty (for a flag: makes it false).
func ChangeOf(s Settings, empty ...Field) Change {
	c := Change{values: s, named: s.filled()}
	for _, f := range empty {
		c.named.Add(f)
	}
	return c
}

// ChangeTo returns the change that turns any configuration into s: it names every
// field.
func ChangeTo(s Settings) Change {
	c := Change{values: s}
	for f := range Fields() {
		c.named.Add(f)
	}
	return c
}

// Set names the field and returns a pointer to its value in the change, for writing.
func (c *Change) Set(f Field) Value {
	c.named.Add(f)
	return f.Of(&c.values)
}

// Without returns the change without the field.
func (c Change) Without(f Field) Change {
	c.named.Remove(f)
	var unset Settings
	f.Of(&c.values).set(f.Of(&unset))
	return c
}

// With returns the change that also sets the field to its value in s.
func (c Change) With(f Field, s Settings) Change {
	c.Set(f).set(f.Of(&s))
	return c
}

// Named returns the fields that the change names.
func (c Change) Named() FieldSet { return c.named }

// Names reports whether the change names the field.
func (c Change) Names(f Field) bool { return c.named.Has(f) }

// IsEmpty reports whether the change names no field.
func (c Change) IsEmpty() bool { return c.named.IsEmpty() }

// Values returns the values of the named fields; all other fields are unset.
func (c Change) Values() Settings { return c.values }

// Value returns the value of the field in the change; it is empty if the change does
// not name the field. It must not be written to.
func (c *Change) Value(f Field) Value { return f.Of(&c.values) }

// Over returns s with the change applied. The result may have two sources of keys,
// which a rule then reports.
func (c Change) Over(s Settings) Settings {
	c.applyTo(&s)
	return s
}

func (c *Change) applyTo(s *Settings) {
	for f := range c.named.All() {
		f.Of(s).set(f.Of(&c.values))
	}
}

// Needed returns the part of the change that has an effect on the configuration s: it
// does not name the fields that already have their values. The differences are the
// effects, sorted by the names of the fields.
func (c Change) Needed(s Settings) (needed Change, differences []Difference) {
	needed = c
	for f := range c.named.All() {
		before, after := f.Of(&s), f.Of(&c.values)
		if before.equal(after) {
			needed = needed.Without(f)
			continue
		}
		differences = append(differences, Difference{f, Plain(before), Plain(after)})
	}
	sortByName(differences)
	return needed, differences
}

// Difference is one field in which two configurations differ. A value is as [Plain]
// returns it.
type Difference struct {
	Field         Field
	Before, After any
}

// Pointer is the JSON Pointer (RFC 6901) of the field.
func (d Difference) Pointer() string { return d.Field.pointer() }

// Compare returns the fields in which two configurations differ, sorted by name.
func Compare(before, after Settings) []Difference {
	var differences []Difference
	for f := range Fields() {
		if was, is := f.Of(&before), f.Of(&after); !was.equal(is) {
			differences = append(differences, Difference{f, Plain(was), Plain(is)})
		}
	}
	sortByName(differences)
	return differences
}

func sortByName(differences []Difference) {
	slices.SortFunc(differences, func(a, b Difference) int { return cmp.Compare(a.Field.String(), b.Field.String()) })
}
