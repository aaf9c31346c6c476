package domain

import "time"

// SelfFields returns the fields that a client that registers itself may set: those of
// client metadata with a registered name (RFC 7591 §2, §4.1). All others are for operators
// alone.
func SelfFields() (set FieldSet) {
	for f := range Fields() {
		set.put(f, f.Metadata() != "" && f.SetBy() == Anyone)
	}
	return set
}

// lockGroups are the fields of which a client sets one: a lock of one is a lock of all.
func lockGroups() [][]Field { return [][]Field{{FieldJWKS, FieldJWKSURI}, tlsSubjects()} }

// withGroups returns the fields, and those of the groups that they are in.
func (s FieldSet) withGroups() FieldSet {
	for _, group := range lockGroups() {
		if s.hasAny(group) {
			s = s.Union(FieldsOf(group...))
		}
	}
	return s
}

// intersect returns the fields that are in both sets.
func (s FieldSet) intersect(other FieldSet) FieldSet {
	for i := range s {
		s[i] &= other[i]
	}
	return s
}

// administer completes a draft of an administrator's change of a client that registered
// itself: the fields of the client's half that changed are locked, which the client might
// otherwise change back. The half of a client
// that a client ID metadata document defines cannot be changed.
func (d *Draft) administer() {
	own := d.changed.intersect(SelfFields())
	r := d.before.state.Registration
	switch {
	case r == nil || own.IsEmpty():
	case r.Via == ViaDocument:
		found := reportOf(ruleDocumentManaged)
		for f := range own.All() {
			found.on(f, "the client ID metadata document of the client sets this; change the document, or settings that are not in it")
		}
		d.extra = append(d.extra, found.findings...)
	case r.SelfRegistered():
		d.after = d.after.withRegistration(func(r *Registration) {
			r.Locks = r.Locks.Union(own.withGroups())
			r.MadeUpName = r.MadeUpName && !own.Has(FieldName)
		})
	}
}

// DeleteLocks returns the next revision of the client, in which it may change every field
// of its half again; without locks, the client as it is. The error is [ErrDeleted].
func (c Client) DeleteLocks(now time.Time) (Client, error) {
	switch r := c.state.Registration; {
	case c.Deleted():
		return c, ErrDeleted
	case r == nil || r.Locks.IsEmpty():
		return c, nil
	}
	return c.withRegistration(func(r *Registration) { r.Locks = FieldSet{} }).next(now), nil
}
