package domain

import (
	"iter"
	"math/bits"
	"slices"
)

// FieldSet is a set of fields. The zero value is empty.
type FieldSet [(fieldCount + 63) / 64]uint64

// FieldsOf returns the set of the given fields.
func FieldsOf(fields ...Field) (set FieldSet) {
	for _, f := range fields {
		set.Add(f)
	}
	return set
}

// Add adds f to the set.
func (s *FieldSet) Add(f Field) { s[f/64] |= 1 << (f % 64) }

// Remove removes f from the set.
func (s *FieldSet) Remove(f Field) { s[f/64] &^= 1 << (f % 64) }

func (s *FieldSet) put(f Field, in bool) {
	if in {
		s.Add(f)
	} else {
		s.Remove(f)
	}
}

// Has reports whether f is in the set.
func (s FieldSet) Has(f Field) bool { return s[f/64]&(1<<(f%64)) != 0 }

// IsEmpty reports whether no field is in the set.
func (s FieldSet) IsEmpty() bool { return s == FieldSet{} }

// Len returns the number of fields in the set.
func (s FieldSet) Len() (n int) {
	for _, word := range s {
		n += bits.OnesCount64(word)
	}
	return n
}

// Union returns the fields that are in either set.
func (s FieldSet) Union(other FieldSet) FieldSet {
	for i := range s {
		s[i] |= other[i]
	}
	return s
}

// All returns the fields of the set in the order of [Fields].
func (s FieldSet) All() iter.Seq[Field] {
	return func(yield func(Field) bool) {
		for i, word := range s {
			for ; word != 0; word &= word - 1 {
				if !yield(Field(64*i + bits.TrailingZeros64(word))) { //nolint:gosec // below fieldCount, which a Field can hold
					return
				}
			}
		}
	}
}

// hasAny reports whether any of the fields is in the set.
func (s FieldSet) hasAny(fields []Field) bool {
	return slices.ContainsFunc(fields, s.Has)
}
