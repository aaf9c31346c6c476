package domain

import "slices"

// SelfRegistration is a registration by the client itself (RFC 7591 §3.1).
type SelfRegistration struct {
	// Metadata names the fields of [SelfFields] that are given and not empty. Others are
	// ignored. Values may be unknown words, and there is at most one authentication
	// method.
	Metadata Change
	// Policy is that of the tenant, narrowed by that of the initial access token.
	Policy    RegistrationPolicy
	Statement *Statement // nil without one
	Via       Via
	TokenID   string
	IssuedBy  string
}

// RegisterSelf drafts the registration of a client by itself (RFC 7591 §3.1): its metadata
// with the claims of the statement, the defaults and the policy applied. Values that the
// policy does not allow, and incoherent ones that are harmless, are replaced if the result
// is a client that can work; the findings of [Draft.Decide] say so as warnings
// (§3.2.1: the server "MAY reject or replace" values). Redirect URIs are never replaced.
// The client gets a [Registration], in which the policy is pinned.
func (b *Rulebook) RegisterSelf(id Identity, r SelfRegistration) *Draft {
	return draftBy(func(server ServerMetadata) *Draft { return b.registerSelf(id, r, server) })
}

func (b *Rulebook) registerSelf(id Identity, r SelfRegistration, server ServerMetadata) *Draft {
	policy := r.Policy.WithDefaults()
	in := newIntake(id.ClientID, policy, policy.written(), server)
	in.take(r.Metadata)
	in.takeStatement(r.Statement)
	in.settle()
	if in.settings.Status == StatusSuspended {
		in.warn(ruleWaits, "", "the client is suspended until an administrator activates it; until then it cannot be used, and its registration cannot be read or changed")
	}
	d := b.draftIntake(id, in)
	d.after.state.Registration = &Registration{
		Via: r.Via, TokenID: r.TokenID, IssuedBy: r.IssuedBy,
		Policy: policy, MadeUpName: in.madeUpName, Statement: r.Statement,
	}
	return d
}

// draftIntake drafts a new client with the settings of the intake.
func (b *Rulebook) draftIntake(id Identity, in *intake) *Draft {
	after := Restore(State{Identity: id, Settings: in.settings})
	return &Draft{
		book: b, kind: registration, after: after, changed: after.Filled(), extra: in.report.findings, positions: in.positions,
	}
}

// written returns the administrator's half of a new client: [Defaults] and what the policy
// writes and forces.
func (p RegistrationPolicy) written() Settings {
	s := Defaults()
	s.Status = p.InitialStatus
	s.Profile = p.Profile
	s.RequirePKCE = p.RequirePKCE
	s.Resources = slices.Clone(p.Resources)
	s.Labels = p.Labels
	s.Owner = p.Owner
	s.AccessTokenLifetime = p.AccessTokenLifetime
	s.IDTokenLifetime = p.IDTokenLifetime
	s.RefreshTokenLifetime = p.RefreshTokenLifetime
	return s
}

// ReviseSelf drafts an update by the client itself (RFC 7592 §2.2). The metadata replace
// all fields of [SelfFields], as in [Rulebook.RegisterSelf] with the policy that is pinned
// to the client: a field that is not named is unset, or has its default. All other fields,
// and those that are locked, keep their values; is_confidential follows from the
// authentication method. Without a statement the claims of the one that the client has
// still apply. A client with several authentication methods keeps them if the metadata
// have the first one. The error is [ErrDeleted], or [ErrDocumentClient].
func (b *Rulebook) ReviseSelf(c Client, metadata Change, statement *Statement) (*Draft, error) {
	switch {
	case c.Deleted():
		return nil, ErrDeleted
	case c.isDocument():
		return nil, ErrDocumentClient
	}
	return draftBy(func(server ServerMetadata) *Draft { return b.reviseSelf(c, metadata, statement, server) }), nil
}

func (b *Rulebook) reviseSelf(c Client, metadata Change, statement *Statement, server ServerMetadata) *Draft {
	var old Registration
	if r := c.state.Registration; r != nil {
		old = *r
	}
	if statement == nil {
		statement = old.Statement
	}
	in := newIntake(c.state.Identity.ClientID, old.Policy.WithDefaults(), c.state.Settings, server)
	in.take(metadata)
	in.lockFields(c.state.Settings, old.Locks)
	in.takeStatement(statement)
	in.lockMethods(c.state.Settings)
	in.settle()
	in.unsetImpliedResponseTypes(c.state.Settings)
	d := b.reviseIntake(c, in)
	if old.MadeUpName != in.madeUpName || !sameStatement(old.Statement, statement) {
		d.registered = true
	}
	if d.registered || !d.changed.IsEmpty() {
		d.after = d.after.withRegistration(func(r *Registration) { r.MadeUpName, r.Statement = in.madeUpName, statement })
	}
	return d
}

// reviseIntake drafts c with the settings of the intake.
func (b *Rulebook) reviseIntake(c Client, in *intake) *Draft {
	d := &Draft{book: b, kind: revision, before: c, after: c, extra: in.report.findings, positions: in.positions, locked: in.locked}
	for f := range Fields() {
		d.set(f, f.Of(&in.settings))
	}
	return d
}

// sameStatement reports whether both are the same text, or nil.
func sameStatement(a, b *Statement) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Text == b.Text
}
