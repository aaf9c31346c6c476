package domain

import (
	"maps"
	"slices"
)

// Value points at the value of one field inside a [Settings]: a *[Text], a
// *[Flag], a [Texts], an [Integer] or a *[Map], and nothing else. Code that treats all
// fields alike switches on these five.
type Value interface {
	// IsEmpty reports whether the field is unset. Setting a field to its empty
	// value clears it.
	IsEmpty() bool
	// Bytes returns the size of the field's strings in UTF-8; numbers and booleans
	// count as 0.
	Bytes() int

	equal(other Value) bool
	set(to Value)
}

// Text is the value of a field with one string; empty means unset.
type Text string

// Flag is the value of a field with a boolean; false means unset.
type Flag bool

// List is the value of a field with strings of type S; an empty list means unset. Its
// elements are never changed in place, so configurations can share them.
type List[S ~string] []S

// Number is the value of a field that holds a positive number; 0 is unset.
type Number int64

// MaxAge is the value of a field that holds a number of seconds for which 0 has a
// meaning. The zero value is unset, which is -1 as a number.
type MaxAge struct{ oneMore int64 }

// MaxAgeOf returns the value for a number of seconds; -1 is unset.
func MaxAgeOf(seconds int64) MaxAge { return MaxAge{seconds + 1} }

// Map is the value of a field that holds names with a text each; an empty map is
// unset. It is never changed in place, so configurations share it.
type Map map[string]string

// Integer is the value of a field that holds a whole number: a *[Number] or a
// *[MaxAge].
type Integer interface {
	Value
	// Int returns the number.
	Int() int64
	// SetInt replaces the number.
	SetInt(number int64)
}

// Texts is the value of a field with several strings of any type: a *[List].
type Texts interface {
	Value
	// Len returns the number of strings.
	Len() int
	// Text returns the i-th string.
	Text(i int) string
	// SetTexts replaces all strings.
	SetTexts(texts []string)
}

// IsEmpty implements [Value].
func (t *Text) IsEmpty() bool { return *t == "" }

// Bytes implements [Value].
func (t *Text) Bytes() int { return len(*t) }

func (t *Text) equal(other Value) bool { return *t == *other.(*Text) }
func (t *Text) set(to Value)           { *t = *to.(*Text) }

// IsEmpty implements [Value].
func (f *Flag) IsEmpty() bool { return !bool(*f) }

// Bytes implements [Value].
func (f *Flag) Bytes() int { return 0 }

func (f *Flag) equal(other Value) bool { return *f == *other.(*Flag) }
func (f *Flag) set(to Value)           { *f = *to.(*Flag) }

// IsEmpty implements [Value].
func (l *List[S]) IsEmpty() bool { return len(*l) == 0 }

// Bytes implements [Value].
func (l *List[S]) Bytes() (n int) {
	for _, text := range *l {
		n += len(text)
	}
	return n
}

func (l *List[S]) equal(other Value) bool { return slices.Equal(*l, *other.(*List[S])) }
func (l *List[S]) set(to Value)           { *l = *to.(*List[S]) }

// Len implements [Texts].
func (l *List[S]) Len() int { return len(*l) }

// Text implements [Texts].
func (l *List[S]) Text(i int) string { return string((*l)[i]) }

// SetTexts implements [Texts].
func (l *List[S]) SetTexts(texts []string) {
	if len(texts) == 0 {
		*l = nil
		return
	}
	list := make(List[S], len(texts))
	for i, text := range texts {
		list[i] = S(text)
	}
	*l = list
}

// IsEmpty implements [Value].
func (n *Number) IsEmpty() bool { return *n == 0 }

// Bytes implements [Value].
func (n *Number) Bytes() int { return 0 }

func (n *Number) equal(other Value) bool { return *n == *other.(*Number) }
func (n *Number) set(to Value)           { *n = *to.(*Number) }

// Int implements [Integer].
func (n *Number) Int() int64 { return int64(*n) }

// SetInt implements [Integer].
func (n *Number) SetInt(number int64) { *n = Number(number) }

// IsEmpty implements [Value].
func (a *MaxAge) IsEmpty() bool { return a.oneMore == 0 }

// Bytes implements [Value].
func (a *MaxAge) Bytes() int { return 0 }

func (a *MaxAge) equal(other Value) bool { return *a == *other.(*MaxAge) }
func (a *MaxAge) set(to Value)           { *a = *to.(*MaxAge) }

// Int implements [Integer]. It returns -1 if the value is unset.
func (a *MaxAge) Int() int64 { return a.oneMore - 1 }

// SetInt implements [Integer]. -1 is unset.
func (a *MaxAge) SetInt(number int64) { *a = MaxAgeOf(number) }

// IsEmpty implements [Value].
func (m *Map) IsEmpty() bool { return len(*m) == 0 }

// Bytes implements [Value].
func (m *Map) Bytes() (n int) {
	for name, text := range *m {
		n += len(name) + len(text)
	}
	return n
}

func (m *Map) equal(other Value) bool { return maps.Equal(*m, *other.(*Map)) }
func (m *Map) set(to Value)           { *m = *to.(*Map) }

// Names returns the names in order.
func (m *Map) Names() []string { return slices.Sorted(maps.Keys(*m)) }

// Plain returns the value as a string, a bool, an int64, a []string or a
// map[string]string; the last two are never nil. For an unset number it returns nil.
func Plain(v Value) any {
	switch v := v.(type) {
	case *Text:
		return string(*v)
	case *Flag:
		return bool(*v)
	case Texts:
		list := make([]string, v.Len())
		for i := range list {
			list[i] = v.Text(i)
		}
		return list
	case Integer:
		if v.IsEmpty() {
			return nil
		}
		return v.Int()
	case *Map:
		texts := make(map[string]string, len(*v))
		maps.Copy(texts, *v)
		return texts
	}
	return nil
}
