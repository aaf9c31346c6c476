package domain

import "slices"

// Value points at the value of one field inside a [Settings]: a *[Text], a
// *[Flag] or a [Texts], and nothing else. Code that treats all fields alike switches on
// these three.
type Value interface {
	// IsEmpty reports whether the field is unset. Setting a field to its empty
	// value clears it.
	IsEmpty() bool
	// Bytes returns the size of the field's strings in UTF-8.
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

// Plain returns the value as a string, a bool or a []string, which is never nil.
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
	}
	return nil
}
