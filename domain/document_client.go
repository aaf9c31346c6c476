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

// Fetched returns FetchedAt, or ApprovedAt for an approval that was stored before the time of
// the fetch was.
func (a *ApprovedDocument) Fetched() time.Time {
	if a.FetchedAt.IsZero() {
		return a.ApprovedAt
	}
	return a.FetchedAt
}

// HasSeen reports whether nothing is to be noted of a document with the digest that was
// fetched for the client at the time: it is the pending one or, if none is pending, the
// approved one; or it was fetched before that one. Processes fetch a document at different
// times and may use it later, so times of fetches are compared; older ones are no change.
func (a *ApprovedDocument) HasSeen(digest string, fetched time.Time) bool {
	if a.Pending == nil {
		return a.Digest == digest || fetched.Before(a.Fetched())
	}
	return a.Pending.Digest == digest || fetched.Before(a.Pending.SeenAt)
}
