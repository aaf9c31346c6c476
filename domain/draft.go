package domain

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// Draft is the result of a change before it is validated. Every change of a
// configuration takes this path: create a draft, look up the documents that it names, and
// call [Draft.Decide] with the facts about them.
type Draft struct {
	book    *Rulebook
	kind    draftKind
	before  Client // the zero value for a registration
	after   Client
	changed FieldSet

	// extra are findings that depend on how the draft was made, not on the client alone.
	extra Findings
	// positions are those that values had in the request, and locked the fields that an
	// administrator set, see [intake].
	positions map[Field][]int
	locked    FieldSet
	// registered reports that the registration of the client changes, even if no field does.
	registered bool
	// approves makes the time of the decision that of the approval of the document.
	approves bool
	// knowing drafts the same again for a known authorization server, so that what it does
	// not support is left out; nil if the draft does not depend on it.
	knowing func(ServerMetadata) *Draft
}

// draftBy returns the draft that build makes, as for an unknown authorization server, and
// keeps build for [Draft.Decide].
func draftBy(build func(ServerMetadata) *Draft) *Draft {
	d := build(ServerMetadata{})
	d.knowing = build
	return d
}

type draftKind uint8

const (
	registration draftKind = iota
	revision
	restoration
)

// Outcome is the result of [Draft.Decide].
type Outcome struct {
	// Client is the next revision of the client. If the findings have violations, or
	// nothing changed, it is the client before the change; for a registration, that
	// is the zero value.
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

// Register drafts a new client with revision 1: the change applied to [Defaults].
func (b *Rulebook) Register(id Identity, change Change) *Draft {
	settings := Defaults()
	change.applyTo(&settings)
	if !settings.Confidential && !change.Names(FieldAuthMethods) {
		settings.AuthMethods = []AuthMethod{AuthNone}
	}
	after := Restore(State{Identity: id, Settings: settings})
	return &Draft{book: b, kind: registration, after: after, changed: after.Filled()}
}

// Revise drafts c with the change applied. A field that already has the value in the
// change counts as unchanged. The change is one of an administrator: if the client
// registered itself, it cannot change the fields of [SelfFields] that change here any more;
// if it is defined by a client ID metadata document, these fields cannot be changed. The
// error is [ErrDeleted].
func (b *Rulebook) Revise(c Client, change Change) (*Draft, error) {
	if c.Deleted() {
		return nil, ErrDeleted
	}
	d := &Draft{book: b, kind: revision, before: c, after: c}
	for f := range change.named.All() {
		d.set(f, change.Value(f))
	}
	d.administer()
	return d, nil
}

// set sets a field of the draft.
func (d *Draft) set(f Field, to Value) {
	at := d.after.Value(f)
	if at.equal(to) {
		return
	}
	at.set(to)
	d.changed.Add(f)
	d.after.filled.put(f, !to.IsEmpty())
}

// Restore drafts a deleted client as it was before its deletion. The error is
// [ErrNotDeleted] or [ErrPurged].
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

// RestoreSuspended drafts a deleted client as suspended, otherwise as it was before its
// deletion. No rule rejects this. The errors are those of [Rulebook.Restore].
func (b *Rulebook) RestoreSuspended(c Client) (*Draft, error) {
	d, err := b.Restore(c)
	if err == nil {
		suspended := Text(StatusSuspended)
		d.set(FieldStatus, &suspended)
	}
	return d, err
}

// Settings returns the resulting configuration, valid or not.
func (d *Draft) Settings() Settings { return d.after.state.Settings }

// ConflictingKeys returns the violation of a draft with both inline keys and a URI of
// keys, which cannot be a configuration; it is empty for other drafts.
func (d *Draft) ConflictingKeys() Findings {
	if !d.after.state.Settings.Keys.both() {
		return nil
	}
	findings := d.validate(d.after, Facts{}, time.Time{})
	return slices.DeleteFunc(findings, func(f Finding) bool { return f.Rule != ruleJWKSExclusive })
}

// Keys returns the source of the client's keys, which the caller reads before it calls
// [Draft.Decide]. fetch reports whether keys at a URI must be fetched: the policy
// requires it, and a field changes that a rule about keys depends on.
func (d *Draft) Keys() (source KeySource, fetch bool) {
	source = d.after.state.Settings.Keys
	switch {
	case d.book.policy.KeyPreflight == PreflightOff:
		return source, false
	case d.requiresAll():
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
	case d.requiresAll():
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

// requiresAll reports whether also violations that existed before reject the draft: it
// is a new client, a client that becomes active, or one that chooses a profile.
func (d *Draft) requiresAll() bool {
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

// For returns the same draft for the authorization server, so that what it does not support
// is left out; d itself if nothing is known about the server, or if the draft does not depend
// on it.
func (d *Draft) For(server ServerMetadata) *Draft {
	if d.knowing == nil || len(server.supported) == 0 {
		return d
	}
	return d.knowing(server)
}

// Decide validates the draft and returns the outcome. The facts are about the keys at the
// source that [Draft.Keys] returned, about the document at the URI that
// [Draft.SectorIdentifier] returned, and about the authorization server.
//
// A violation that existed before and is not touched by the change is reported as a
// warning: rules become stricter over time, and a new rule must not prevent unrelated
// changes. A new client, a client that becomes active and one that chooses a profile
// must not violate any rule. Secrets that no authentication method uses any more are
// revoked.
func (d *Draft) Decide(facts Facts, now time.Time) Outcome {
	if known := d.For(facts.Server); known != d {
		return known.Decide(facts, now)
	}
	findings := d.validate(d.after, facts, now)
	if findings.HasViolations() && !d.requiresAll() {
		d.markPreexisting(findings, facts, now)
	}
	d.locate(findings)
	findings = slices.Concat(findings, d.extra, d.subjectWarnings())
	if d.after.isDocument() {
		findings = findings.ofDocument()
	}
	if findings.HasViolations() || d.kind == revision && d.changed.IsEmpty() && !d.registered {
		return Outcome{Client: d.before, Findings: findings}
	}
	after := d.after.next(now)
	if d.approves {
		after = after.approvedAt(now, d.ChangedMembers())
	}
	switch {
	case d.kind == registration:
		after.state.CreatedAt = now
	case d.kind == revision && !after.UsesSecret():
		// Otherwise they would verify again once such a method is added.
		after.state.Secrets, after.state.SecretsUnreadable = nil, false
	}
	return Outcome{Client: after, Findings: findings, Changed: d.changed}
}

// validate applies the rules to a client of the draft. It checks the identifier only of
// a new client: an existing client keeps its identifier.
func (d *Draft) validate(c Client, facts Facts, now time.Time) Findings {
	var id ClientID
	if d.kind == registration && !c.isDocument() {
		id = c.state.Identity.ClientID
	}
	return d.book.validate(c.state.Settings, id, facts, now)
}

// locate makes the findings of the rules point to the places of the values in the request, and
// says of a field that an administrator set that the request cannot change it.
func (d *Draft) locate(findings Findings) {
	for i := range findings {
		f := &findings[i]
		name, element, _ := strings.Cut(strings.TrimPrefix(f.Pointer, "/"), "/")
		field, known := FieldNamed(name, LastField)
		if !known {
			continue
		}
		if index, err := strconv.Atoi(element); err == nil && index < len(d.positions[field]) {
			f.Pointer = field.element(d.positions[field][index])
		}
		if d.locked.Has(field) {
			f.Message += "; an administrator set this field, and it keeps its value: change the others, or ask the administrator"
		}
	}
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
		facts.Keys = KeysUnexamined() // the facts are about the new keys
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
