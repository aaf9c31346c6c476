package domain

import "time"

// WithID returns a client that is not stored yet with the registry's internal key.
func (c Client) WithID(id string) Client {
	c.state.Identity.ID = id
	return c
}

// Unapproved returns the client of a new draft of [Rulebook.RegisterDocument] as one whose
// document is not approved, and which is not stored: it is at revision 0, and was created
// when the document was fetched.
func (c Client) Unapproved(fetched time.Time) Client {
	c.state.Revision, c.state.CreatedAt, c.state.UpdatedAt = 0, fetched, fetched
	return c.withRegistration(func(r *Registration) { r.Document = nil })
}

// HasSeen reports whether nothing is to be noted of a document with the digest that was
// read for the client at the time: it is the approved one and none is pending, it is the
// pending one, or it was read before the last note or approval. Processes read a document
// at different times; older ones are no change.
func (a *ApprovedDocument) HasSeen(digest string, read time.Time) bool {
	if a.Pending == nil {
		return a.Digest == digest || read.Before(a.ApprovedAt)
	}
	return a.Pending.Digest == digest || read.Before(a.Pending.SeenAt)
}
