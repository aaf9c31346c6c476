package domain

import (
	"maps"
	"slices"
	"time"
)

// DocumentChanges are the names of the members of a client ID metadata document that
// changed, and when each of them last did.
type DocumentChanges map[string]time.Time

// Last returns when members last changed, and the names of those that did, sorted; the zero
// time and nil if none has changed.
func (c DocumentChanges) Last() (at time.Time, members []string) {
	for _, changed := range c {
		if changed.After(at) {
			at = changed
		}
	}
	for member, changed := range c {
		if changed.Equal(at) {
			members = append(members, member)
		}
	}
	slices.Sort(members)
	return at, members
}

// With returns the changes and those of the members at a time.
func (c DocumentChanges) With(members []string, at time.Time) DocumentChanges {
	if len(members) == 0 {
		return c
	}
	changes := DocumentChanges{}
	maps.Copy(changes, c)
	for _, member := range members {
		changes[member] = at
	}
	return changes
}

// ChangesKeys reports whether the members include those with the keys of a client.
func ChangesKeys(members []string) bool {
	return slices.Contains(members, FieldJWKS.Metadata()) || slices.Contains(members, FieldJWKSURI.Metadata())
}

// documentMembers returns the names of the fields that a document can set, sorted.
func documentMembers(fields FieldSet) []string {
	names := []string{}
	for f := range fields.intersect(SelfFields()).All() {
		names = append(names, f.Metadata())
	}
	slices.Sort(names)
	return names
}
