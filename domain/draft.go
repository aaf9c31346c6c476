package domain

import (
	"slices"
	"time"
)

// Draft is a client as a change would make it, before it is decided. Every change
// of a configuration takes this path: a draft is made, the documents that it names are
// looked up, and it is decided with them.
type Draft struct {
	book    *Rulebook
	kind    draftKind
	before  Client // the zero value for a registration
	after   Client
	changed FieldSet
}

type draftKind uint8

const (
	registration draftKind = iota
	revision
	restoration
)

// Outcome is what was decided about a draft.
type Outcome struct {
	// Client is the client as it became, one revision further. If the findings have
	// violations, or nothing changed, it is the client as it was before; for a
	// registration this is the zero value.
	Client   Client
	Findings Findings
	// Changed are the fields that changed.
	Changed FieldSet
}

// Defaults is the configuration that a registration starts from (RFC 7591 §2 for
// omitted fields). The authentication method of a public client is [AuthNone] instead.
func Defaults() Settings {
	return Settings{
		Status:       StatusActive,
		Confidential: true,
		GrantTypes:   []GrantType{GrantAuthorizationCode},
		AuthMethods:  []AuthMethod{AuthSecretBasic},
	}
}

// Register drafts a new client of revision 1: the change over [Defaults].
func (b *Rulebook) Register(id Identity, change Change) *Draft {
	settings := Defaults()
	change.applyTo(&settings)
	if !settings.Confidential && !change.Names(FieldAuthMethods) {
		settings.AuthMethods = []AuthMethod{AuthNone}
	}
	after := Restore(State{Identity: id, Settings: settings})
	return &Draft{book: b, kind: registration, after: after, changed: after.Filled()}
}

// Revise drafts c as the change makes it. A field that already has the value that
// the change sets is not changed. The error is [ErrDeleted].
func (b *Rulebook) Revise(c Client, change Change) (*Draft, error) {
	if c.Deleted() {
		return nil, ErrDeleted
	}
	d := &Draft{book: b, kind: revision, before: c, after: c}
	for f := range change.named.All() {
		d.set(f, change.Value(f))
	}
	return d, nil
}

// set gives a field of the draft a value.
func (d *Draft) set(f Field, to Value) {
	at := d.after.Value(f)
	if at.equal(to) {
		return
	}
	at.set(to)
	d.changed.Add(f)
	d.after.filled.put(f, !to.IsEmpty())
}

// Restore drafts a deleted client as it was. The error is [ErrNotDeleted] or
// [ErrPurged].
func (b *Rulebook) Restore(c Client) (*Draft, error) {
	switch {
	case c.Purged():
		return nil, ErrPurged
	case !c.Deleted():
		return nil, ErrNotDeleted
	}
	d := &Draft{book: b, kind: restoration, before: c, after: c}
	d.after.state.DeletedAt = time.Time{}
	return d, nil
}

// RestoreSuspended drafts a deleted client as suspended, with everything else as it
// was: suspension is never rejected. The error is as that of [Rulebook.Restore].
func (b *Rulebook) RestoreSuspended(c Client) (*Draft, error) {
	d, err := b.Restore(c)
	if err == nil {
		suspended := Text(StatusSuspended)
		d.set(FieldStatus, &suspended)
	}
	return d, err
}

// Settings returns the configuration as it would be, legal or not.
func (d *Draft) Settings() Settings { return d.after.state.Settings }

// RivalKeys returns the violation of a draft that has keys inline and behind a URI
// at once, which is no configuration at all; none for other drafts.
func (d *Draft) RivalKeys() Findings {
	if !d.after.state.Settings.Keys.both() {
		return nil
	}
	findings := d.validate(d.after, Facts{}, time.Time{})
	return slices.DeleteFunc(findings, func(f Finding) bool { return f.Rule != ruleJWKSExclusive })
}

// Keys returns where the client's keys would be, so that they can be looked up
// before the draft is decided. Keys behind a URI need to be fetched if the policy
// asks for it and something changes that a rule about keys depends on.
func (d *Draft) Keys() (source KeySource, fetch bool) {
	source = d.after.state.Settings.Keys
	switch {
	case d.book.policy.KeyPreflight == PreflightOff:
		return source, false
	case d.demandsAll():
		return source, true
	case d.kind == restoration: // of a suspended client; they are examined when it is activated
		return source, false
	default:
		return source, slices.ContainsFunc(d.book.rules, func(r Rule) bool { return r.keys && d.changed.hasAny(r.needs) })
	}
}

// SectorIdentifier returns where the document of the client's sector identifier would be,
// so that it can be looked up before the draft is decided. It needs to be fetched if the
// policy asks for it, and the URI or one that the document must contain is new. So URIs
// can be removed while the document cannot be fetched.
func (d *Draft) SectorIdentifier() (uri string, fetch bool) {
	from, to := &d.before.state.Settings, &d.after.state.Settings
	switch {
	case to.SectorIdentifierURI == "" || d.book.policy.KeyPreflight == PreflightOff:
		return to.SectorIdentifierURI, false
	case d.demandsAll():
		return to.SectorIdentifierURI, true
	case d.kind == restoration: // of a suspended client; it is examined when it is activated
		return to.SectorIdentifierURI, false
	default:
		contained := from.sectorURIs()
		return to.SectorIdentifierURI, d.changed.Has(FieldSectorIdentifierURI) ||
			slices.ContainsFunc(to.sectorURIs(), func(u sectorURI) bool {
				return !slices.ContainsFunc(contained, func(c sectorURI) bool { return c.uri == u.uri })
			})
	}
}

// demandsAll reports whether everything must hold for the draft: it is a new
// client, a client that becomes active, or one that chooses a profile.
func (d *Draft) demandsAll() bool {
	from, to := &d.before.state.Settings, &d.after.state.Settings
	active := to.Status == StatusActive
	switch d.kind {
	case registration:
		return true
	case restoration:
		return active
	default:
		activates := active && from.Status != StatusActive
		chooses := from.Profile != to.Profile && to.Profile != ProfileNone
		return activates || chooses
	}
}

// Decide validates the draft and returns what becomes of the client. facts is what is
// known about the keys at the source that [Draft.Keys] returned, about the document at
// the URI that [Draft.SectorIdentifier] returned, and about the authorization server.
//
// A violation that existed before and is not touched by the change is reported as a
// warning: rules tighten over time, and a newer one must not keep an operator from
// changing something else. A new client, a client that becomes active and the
// choice of a profile demand that everything holds. Secrets that no authentication
// method uses any more are revoked.
func (d *Draft) Decide(facts Facts, now time.Time) Outcome {
	findings := d.validate(d.after, facts, now)
	if findings.HasViolations() && !d.demandsAll() {
		d.markPreexisting(findings, facts, now)
	}
	if findings.HasViolations() || d.kind == revision && d.changed.IsEmpty() {
		return Outcome{Client: d.before, Findings: findings}
	}
	after := d.after.next(now)
	switch {
	case d.kind == registration:
		after.state.CreatedAt = now
	case d.kind == revision && !after.UsesSecret():
		// They would verify again if the method came back.
		after.state.Secrets, after.state.SecretsUnreadable = nil, false
	}
	return Outcome{Client: after, Findings: findings, Changed: d.changed}
}

// validate runs the rules over a client of the draft. Only the identifier of a new
// client is checked: an existing client keeps its own.
func (d *Draft) validate(c Client, facts Facts, now time.Time) Findings {
	var id ClientID
	if d.kind == registration {
		id = c.state.Identity.ClientID
	}
	return d.book.validate(c.state.Settings, id, facts, now)
}

// markPreexisting turns the violations that existed before and are not touched by
// the change into warnings.
func (d *Draft) markPreexisting(findings Findings, facts Facts, now time.Time) {
	if d.kind == restoration {
		for i := range findings {
			findings[i].markPreexisting()
		}
		return
	}
	if d.changed.Has(FieldJWKS) || d.changed.Has(FieldJWKSURI) {
		facts.Keys = KeysUnexamined() // what is known is about the new keys
	}
	if d.changed.Has(FieldSectorIdentifierURI) {
		facts.Sector = SectorIdentifierUnexamined()
	}
	existed := d.validate(d.before, facts, now)
	for i := range findings {
		f := &findings[i]
		untouched := f.subject != "" || !d.changed.hasAny(f.needs)
		if untouched && slices.ContainsFunc(existed, func(e Finding) bool {
			return e.Level == Violation && e.sameAs(*f) && f.amount <= e.amount
		}) {
			f.markPreexisting()
		}
	}
}
