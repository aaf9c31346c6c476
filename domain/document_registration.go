package domain

import (
	"slices"
	"strings"
	"time"
)

// RegisterDocument drafts the client that a client ID metadata document defines, as an
// active one with the URL as its client_id. The document is read as the metadata of a
// client that registers itself, see [Rulebook.RegisterSelf], with the ceilings of the
// policy, and without what that replaces in place of a rejection: the client does not
// learn of it. [Draft.Decide] approves the document at its time.
func (b *Rulebook) RegisterDocument(tenant TenantID, d MetadataDocument, p DocumentPolicy) *Draft {
	return draftBy(func(server ServerMetadata) *Draft { return b.registerDocument(tenant, d, p, server) })
}

func (b *Rulebook) registerDocument(tenant TenantID, d MetadataDocument, p DocumentPolicy, server ServerMetadata) *Draft {
	ceilings, _ := p.Admits(d.URL)
	base := ceilings.written()
	base.Status = StatusActive
	in := d.intake(p, ceilings, base, server)
	draft := b.draftIntake(Identity{ID: "", TenantID: tenant, ClientID: d.URL}, in)
	draft.after.state.Registration = &Registration{
		Via: ViaDocument, Policy: ceilings, MadeUpName: in.madeUpName, Document: &ApprovedDocument{Digest: d.Digest, FetchedAt: d.FetchedAt},
	}
	draft.approves = true
	return draft
}

// ReviseDocument drafts c with a changed client ID metadata document, which is approved.
// The administrator's half keeps its values. The error is [ErrDeleted] or
// [ErrNoDocumentClient].
func (b *Rulebook) ReviseDocument(c Client, d MetadataDocument, p DocumentPolicy) (*Draft, error) {
	switch {
	case c.Deleted():
		return nil, ErrDeleted
	case !c.isDocument():
		return nil, ErrNoDocumentClient
	}
	return draftBy(func(server ServerMetadata) *Draft { return b.reviseDocument(c, d, p, server) }), nil
}

func (b *Rulebook) reviseDocument(c Client, d MetadataDocument, p DocumentPolicy, server ServerMetadata) *Draft {
	ceilings, _ := p.Admits(d.URL)
	in := d.intake(p, ceilings, c.state.Settings, server)
	draft := b.reviseIntake(c, in)
	old := c.state.Registration
	draft.approves = true
	draft.registered = old.Document == nil || old.Document.Digest != d.Digest || old.Document.Pending != nil
	draft.after = draft.after.withRegistration(func(r *Registration) {
		r.Policy, r.MadeUpName = ceilings, in.madeUpName
		approved := &ApprovedDocument{Digest: d.Digest, FetchedAt: d.FetchedAt}
		if r.Document != nil {
			approved.Changes = r.Document.Changes
		}
		r.Document = approved
	})
	return draft
}

// DocumentWarnings returns the warnings about the approved configuration of a client that a
// client ID metadata document defines, without those about values that were not approved.
// The error is [ErrDeleted] or [ErrNoDocumentClient].
func (b *Rulebook) DocumentWarnings(c Client, p DocumentPolicy, facts Facts, now time.Time) (Findings, error) {
	if !c.isDocument() {
		return nil, ErrNoDocumentClient
	}
	draft, err := b.Revise(c, Change{})
	if err != nil {
		return nil, err
	}
	in := &intake{id: c.state.Identity.ClientID, settings: c.state.Settings, document: true}
	if c.state.Registration.MadeUpName {
		in.warnMadeUpName()
	}
	if in.policy, _ = p.Admits(in.id); in.policy.LinkHosts == LinkHostsRequire {
		in.policy.LinkHosts = LinkHostsWarn // it is approved already
	}
	in.checkLinks()
	in.checkDocumentURIs(in.id, p.RedirectOrigin)
	return slices.Concat(draft.Decide(facts, now).Findings, in.report.findings).Warnings(), nil
}

// isDocument reports whether a client ID metadata document defines the client.
func (c *Client) isDocument() bool {
	return c.state.Registration != nil && c.state.Registration.Via == ViaDocument
}

// DocumentChanged returns the next revision of a client that a client ID metadata document
// defines: the document changed, and waits for approval. The settings stay. A pending
// document that is the approved one ends the waiting. The error is [ErrDeleted] or
// [ErrNoDocumentClient].
func (c Client) DocumentChanged(p PendingDocument, now time.Time) (Client, error) {
	switch {
	case c.Deleted():
		return c, ErrDeleted
	case !c.isDocument() || c.state.Registration.Document == nil:
		return c, ErrNoDocumentClient
	}
	document := *c.state.Registration.Document
	document.Pending = &p
	if p.Digest == document.Digest {
		document.Pending, document.FetchedAt = nil, p.SeenAt
	}
	return c.withRegistration(func(r *Registration) { r.Document = &document }).next(now), nil
}

// approvedAt returns the client with the time of the approval of its document, which changed
// these members of the configuration that was approved before.
func (c Client) approvedAt(now time.Time, members []string) Client {
	return c.withRegistration(func(r *Registration) {
		approved := *r.Document
		approved.ApprovedAt, approved.Changes = now, approved.Changes.With(members, now)
		r.Document = &approved
	})
}

// ChangedMembers returns the names of the members that a document changes, sorted; none for
// a client that was not stored before.
func (d *Draft) ChangedMembers() []string {
	if d.kind == registration {
		return nil
	}
	return documentMembers(d.changed)
}

// intake reads the document as the metadata of a client.
func (d MetadataDocument) intake(p DocumentPolicy, ceilings RegistrationPolicy, base Settings, server ServerMetadata) *intake {
	in := newIntake(d.URL, ceilings, base, server)
	in.document = true
	in.take(d.Metadata)
	in.checkDocument(d)
	in.settle()
	in.checkDocumentURIs(d.URL, p.RedirectOrigin)
	return in
}

// checkDocument checks the members of a document before they are read as a client.
func (in *intake) checkDocument(d MetadataDocument) {
	if d.ClientID != string(d.URL) {
		in.reject(ruleDocumentID, clientIDPointer, "client_id must be the URL of the document, byte for byte")
	}
	for _, name := range d.Secrets {
		in.reject(ruleDocumentSecret, "/"+name, "a document is public, so it must not have %s; remove it", name)
	}
	for f := range SelfFields().All() {
		if alg, isText := f.Of(&in.settings).(*Text); isText && isSharedKeyAlgorithm(f, string(*alg)) {
			in.reject(ruleDocumentSecret, f.pointer(), "%s needs a shared key, which the client of a document does not have; use an asymmetric algorithm", *alg)
		}
	}
	for f := range SelfFields().All() {
		if !isDocumentLink(f) {
			continue
		}
		in.eachURI([]Field{f}, func(u *uri, _ Field, pointer string) {
			if u.scheme != "https" || u.fault != "" {
				in.find(ruleDocumentLink, Violation, pointer, u.raw, "the URI must be https")
			}
		})
	}
}

// isSharedKeyAlgorithm reports whether the field is an algorithm whose key is a secret of
// client and server.
func isSharedKeyAlgorithm(f Field, alg string) bool {
	return strings.HasSuffix(f.Metadata(), "_alg") && (signature.isSymmetric(alg) || keyManagement.isSymmetric(alg))
}

// isDocumentLink reports whether the field has URIs that are opened or fetched, and to
// which no response of the authorization server is sent.
func isDocumentLink(f Field) bool {
	switch f {
	case FieldTLSSANURI, FieldRedirectURIs, FieldPostLogoutRedirectURIs:
		return false
	case FieldCIBANotificationEndpoint:
		return true
	default:
		name := f.Metadata()
		return strings.HasSuffix(name, "_uri") || strings.HasSuffix(name, "_uris")
	}
}

func (in *intake) rejectDocumentMethod(m AuthMethod) {
	if m.usesSecret() {
		in.reject(ruleDocumentSecret, FieldAuthMethods.pointer(), "%s uses a shared secret, which the client of a document does not have; use none or private_key_jwt", m)
		return
	}
	in.reject(ruleMethodReplaced, FieldAuthMethods.pointer(), "%s", in.methodFault(m))
}

// checkDocumentURIs checks the redirect URIs of a document against its URL.
func (in *intake) checkDocumentURIs(id ClientID, origin LinkHosts) {
	s := &in.settings
	uris := parseURIs(s.RedirectURIs)
	if len(uris) == 0 && s.redirects() {
		in.reject(ruleDocumentURIs, FieldRedirectURIs.pointer(), "the document has no redirect_uris, which its grant types need")
	}
	own := parseURI(string(id))
	if level, checked := origin.level(); checked {
		for i := range uris {
			if uris[i].policyHost() != own.canonicalHost() {
				in.find(ruleDocumentOrigin, level, FieldRedirectURIs.element(i), uris[i].raw, "the host is not %s, that of the client_id; users should see both", own.canonicalHost())
			}
		}
	}
	remote := func(u uri) bool {
		kind := u.redirectKind()
		return kind != RedirectLoopback && kind != RedirectPrivateUse
	}
	if len(uris) > 0 && !s.Confidential && !slices.ContainsFunc(uris, remote) {
		in.warn(ruleDocumentLoopback, FieldRedirectURIs.pointer(), "every program on the machine of a user can act as this client; show the user the client_id and where the redirect goes")
	}
}

// ofDocument returns the findings of the rules as they are for a client ID metadata
// document, which has some rules of its own in place of them.
func (f Findings) ofDocument() Findings {
	key := registrationRule(ruleDocumentKey)
	f = slices.DeleteFunc(f, func(finding Finding) bool { return strings.HasPrefix(finding.Rule, "grant-needs-redirect-uri") })
	for i := range f {
		if f[i].Rule == "jwk-private" || f[i].Rule == "jwk-symmetric" {
			f[i].Rule, f[i].Source = key.ID, key.Source
		}
	}
	return f
}
