package application

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/clientele-oauth/clientele/domain"
)

// ResolvedDocument is a client that a client ID metadata document defines
// (draft-ietf-oauth-client-id-metadata-document).
type ResolvedDocument struct {
	Client     domain.Client // its revision is 0 unless the document is approved
	Warnings   domain.Findings
	Digest     string    // of the document that Client follows
	FetchedAt  time.Time // while no document can be used, see [domain.ApprovedDocument.FetchedAt]
	FreshUntil time.Time // until when the result may be reused
	// Changes are those of the approvals of a client that is approved, which are stored. For
	// others they are as in [FetchedDocument].
	Changes domain.DocumentChanges
	// Approved reports that an administrator approved the document, and Pending is the
	// newest document if it differs from it.
	Approved bool
	Pending  *domain.PendingDocument
	// Review is what an approval of the pending document would do; nil if none is pending, or
	// if it cannot be fetched at the moment.
	Review *DocumentReview
}

// DocumentReview is what an approval of a document would do, as far as is known without a
// fetch of keys or of a sector identifier.
type DocumentReview struct {
	Violations  domain.Findings // for which the approval would be rejected
	Differences []domain.Difference
}

// approvedFresh is how long the approved configuration may be reused while its document is
// not available.
const approvedFresh = time.Minute

// ResolveDocument returns the client whose identifier is the URL of a client ID metadata
// document, as the caller's tenant admits it. It makes no client and no revision, except
// that a changed document of an approved client is noted in one revision with
// [domain.ActionDocumentChanged].
//
// For an approved client, the result follows the approved document, also if the one at the
// URL has changed or is not available. For all others, nothing is returned that is not
// fresh. A document that was fetched before and violates rules is fetched again, so that an
// owner who has repaired it does not wait.
//
// The error is [ErrForbidden], an [*InvalidError] if the URL is malformed, a
// [*DocumentError] if it defines no usable client, a [*RetryError] that wraps
// [ErrTooManyRequests] if the host was asked too often, [ErrTooManyFetches], or that of the
// store.
func (r *Registry) ResolveDocument(ctx context.Context, caller Caller, url domain.ClientID) (ResolvedDocument, error) {
	if err := caller.May(OpGetClientMetadata); err != nil {
		return ResolvedDocument{}, err
	}
	resolved, err := r.resolveDocument(ctx, caller.Tenant, url)
	if err != nil {
		return ResolvedDocument{}, fmt.Errorf("resolve a client ID metadata document: %w", err)
	}
	return resolved, nil
}

// resolveDocument is ResolveDocument without the permission.
func (r *Registry) resolveDocument(ctx context.Context, tenant domain.TenantID, url domain.ClientID) (ResolvedDocument, error) {
	request, err := r.documentAt(tenant, url)
	if err != nil {
		return ResolvedDocument{}, err
	}
	stored, err := r.config.Store.Find(ctx, tenant, url)
	switch {
	case err == nil:
		return request.resolveStored(ctx, stored)
	case !errors.Is(err, ErrNotFound):
		return ResolvedDocument{}, err
	}
	fetched, outcome, err := request.check(ctx)
	if err != nil {
		return ResolvedDocument{}, err
	}
	resolved := fetched.resolved(outcome.Client.Unapproved(fetched.Document.FetchedAt), request.withWarnings(outcome.Findings))
	if request.policy.RequireApproval {
		return ResolvedDocument{}, &DocumentError{
			Reason: DocumentDenied, Waiting: &resolved,
			Message: "the document waits for the approval of an administrator; its digest is " + fetched.Document.Digest,
		}
	}
	return resolved, nil
}

// documentClient returns the client that a client ID metadata document defines, for a use
// case of the client. The error is [ErrNotFound] if it defines none that can be used, a
// [*RetryError] that wraps [ErrUnavailable] if this is not known, because the document cannot
// be fetched, and otherwise that of [Registry.ResolveDocument].
func (r *Registry) documentClient(ctx context.Context, tenant domain.TenantID, url domain.ClientID) (domain.Client, error) {
	resolved, err := r.resolveDocument(ctx, tenant, url)
	document, unusable := errors.AsType[*DocumentError](err)
	_, invalid := errors.AsType[*InvalidError](err)
	switch {
	case err == nil:
		return resolved.Client, nil
	case unusable && document.Reason == DocumentUnreachable:
		return domain.Client{}, &RetryError{
			Cause: ErrUnavailable, After: undecidedAfter,
			Message: "the client ID metadata document of the client cannot be read: " + document.Message,
		}
	case unusable, invalid:
		return domain.Client{}, ErrNotFound
	default:
		return domain.Client{}, fmt.Errorf("resolve a client ID metadata document: %w", err)
	}
}

// documentRequest is the resolution or the approval of one document.
type documentRequest struct {
	registry *Registry
	tenant   domain.TenantID
	url      domain.ClientID
	policy   domain.DocumentPolicy
	findings domain.Findings // warnings about the URL
}

// documentAt returns the request for a document that the tenant admits, as far as its URL
// shows: before anything is fetched. The error is an [*InvalidError] or a [*DocumentError].
func (r *Registry) documentAt(tenant domain.TenantID, url domain.ClientID) (documentRequest, error) {
	findings := r.config.Book.Policy().CheckDocumentURL(url)
	if findings.HasViolations() {
		return documentRequest{}, &InvalidError{Findings: findings}
	}
	policy := r.config.Registrations.tenant(tenant).Documents
	request := documentRequest{registry: r, tenant: tenant, url: url, policy: policy, findings: findings}
	if _, admitted := request.policy.Admits(url); !admitted {
		return documentRequest{}, documentDenied("the policy of the tenant does not admit this document")
	}
	return request, nil
}

// withWarnings returns the warnings about the URL and those among the findings.
func (d documentRequest) withWarnings(findings domain.Findings) domain.Findings {
	return slices.Concat(d.findings, findings.Warnings())
}

func documentDenied(reason string) error {
	return &DocumentError{Reason: DocumentDenied, Message: reason}
}

// fetch returns the document, or what was fetched a short while ago unless again is set.
func (d documentRequest) fetch(ctx context.Context, again bool) (FetchedDocument, error) {
	return d.registry.config.Registrations.Documents.FetchClientDocument(ctx, d.tenant, d.url, d.policy.MaxBytes, again)
}

// check fetches the document and checks the client that it defines. If it violates rules,
// the error is a [*DocumentError]; one that was fetched before is fetched again first (§5.2:
// documents that are invalid must not be cached).
func (d documentRequest) check(ctx context.Context) (FetchedDocument, domain.Outcome, error) {
	fetched, err := d.fetch(ctx, false)
	if err != nil {
		return FetchedDocument{}, domain.Outcome{}, err
	}
	outcome, err := d.checkDraft(ctx, d.firstDraft(fetched))
	rejection, isRejected := errors.AsType[*DocumentError](err)
	if !isRejected || !fetched.Cached {
		return fetched, outcome, err
	}
	switch fetched, err = d.fetch(ctx, true); {
	case errors.Is(err, ErrTooManyRequests), errors.Is(err, ErrTooManyFetches):
		return FetchedDocument{}, domain.Outcome{}, rejection
	case err != nil:
		return FetchedDocument{}, domain.Outcome{}, err
	}
	outcome, err = d.checkDraft(ctx, d.firstDraft(fetched))
	return fetched, outcome, err
}

// firstDraft returns the draft of the client of a document that was not approved before.
func (d documentRequest) firstDraft(fetched FetchedDocument) *domain.Draft {
	return d.registry.config.Book.RegisterDocument(d.tenant, fetched.Document, d.policy)
}

// checkDraft validates the draft of the client that a document defines. The error is a
// [*DocumentError] if it violates rules.
func (d documentRequest) checkDraft(ctx context.Context, draft *domain.Draft) (domain.Outcome, error) {
	outcome, err := d.registry.decide(ctx, d.tenant, draft, d.registry.now())
	switch {
	case err != nil:
		return domain.Outcome{}, err
	case outcome.Findings.HasViolations():
		return domain.Outcome{}, &DocumentError{
			Reason: DocumentRejected, Message: "the client that the document defines violates rules", Findings: outcome.Findings,
		}
	}
	return outcome, nil
}

// resolved returns the result for a client that follows the document.
func (f FetchedDocument) resolved(client domain.Client, warnings domain.Findings) ResolvedDocument {
	return ResolvedDocument{
		Client: client, Warnings: warnings, Digest: f.Document.Digest, FetchedAt: f.Document.FetchedAt, FreshUntil: f.FreshUntil,
		Changes: f.Changes,
	}
}

// resolveStored returns the result for a client that is stored, because its document was
// approved.
func (d documentRequest) resolveStored(ctx context.Context, stored domain.Client) (ResolvedDocument, error) {
	registration := stored.Registration()
	switch {
	case stored.Deleted():
		return ResolvedDocument{}, documentDenied("an administrator deleted the client")
	case registration == nil || registration.Document == nil:
		return ResolvedDocument{}, documentDenied(domain.ErrNoDocumentClient.Error())
	case stored.Settings().Status != domain.StatusActive:
		return ResolvedDocument{}, documentDenied("an administrator suspended the client")
	}
	fetched, err := d.fetch(ctx, false)
	failure, unusable := errors.AsType[*DocumentError](err)
	switch {
	case unusable:
		return d.unavailable(ctx, stored, failure.Error())
	case errors.Is(err, ErrTooManyRequests), errors.Is(err, ErrTooManyFetches):
		return d.unavailable(ctx, stored, err.Error())
	case err != nil:
		return ResolvedDocument{}, err
	}
	stored, err = d.note(ctx, stored, fetched)
	if err != nil {
		return ResolvedDocument{}, err
	}
	warnings, err := d.warnings(ctx, stored)
	if err != nil {
		return ResolvedDocument{}, err
	}
	document := stored.Registration().Document
	resolved := fetched.resolved(stored, warnings)
	if document.Pending != nil && document.Pending.Digest == fetched.Document.Digest {
		if resolved.Review, err = d.review(ctx, stored, fetched); err != nil {
			return ResolvedDocument{}, err
		}
	}
	resolved.Digest, resolved.Changes, resolved.Approved, resolved.Pending = document.Digest, document.Changes, true, document.Pending
	return resolved, nil
}

// unavailable returns the result for an approved client whose document cannot be read at the
// moment: what was approved stays in force.
func (d documentRequest) unavailable(ctx context.Context, stored domain.Client, reason string) (ResolvedDocument, error) {
	warnings, err := d.warnings(ctx, stored)
	if err != nil {
		return ResolvedDocument{}, err
	}
	document := stored.Registration().Document
	return ResolvedDocument{
		Client: stored, Digest: document.Digest, Changes: document.Changes, Approved: true, Pending: document.Pending,
		FetchedAt: document.Fetched(), FreshUntil: d.registry.now().Add(approvedFresh),
		Warnings: append(warnings, domain.RegistrationFinding(domain.RuleDocumentUnavailable, "",
			"the document cannot be used at the moment, and the approved configuration stays in force: "+reason)),
	}, nil
}

// warnings returns the warnings about the URL and the approved configuration of a client.
func (d documentRequest) warnings(ctx context.Context, stored domain.Client) (domain.Findings, error) {
	facts, err := d.knownFacts(ctx, stored.Settings().Keys)
	if err != nil {
		return nil, err
	}
	found, err := d.registry.config.Book.DocumentWarnings(stored, d.policy, facts, d.registry.now())
	if err != nil { // deleted in the meantime, which is reported elsewhere
		return d.findings, nil //nolint:nilerr // see above
	}
	return d.withWarnings(found), nil
}

// review returns what an approval of the document would do for an approved client.
func (d documentRequest) review(ctx context.Context, stored domain.Client, fetched FetchedDocument) (*DocumentReview, error) {
	draft, err := d.registry.config.Book.ReviseDocument(stored, fetched.Document, d.policy)
	if err != nil { // deleted in the meantime, which is reported elsewhere
		return nil, nil //nolint:nilerr,nilnil // see above
	}
	source, _ := draft.Keys()
	facts, err := d.knownFacts(ctx, source)
	if err != nil {
		return nil, err
	}
	draft = draft.For(facts.Server)
	return &DocumentReview{
		Violations:  draft.Decide(facts, d.registry.now()).Findings.Violations(),
		Differences: domain.Compare(stored.Settings(), draft.Settings()),
	}, nil
}

// knownFacts returns the facts about a client that need no fetch.
func (d documentRequest) knownFacts(ctx context.Context, source domain.KeySource) (domain.Facts, error) {
	keys, err := resolve(ctx, d.registry.config.Keys, d.tenant, source, false)
	return domain.Facts{
		Keys: keys, Sector: domain.SectorIdentifierUnexamined(), Server: serverOf(ctx, d.registry.config.Servers, d.tenant),
	}, err
}

// note stores that the document of an approved client changed, or that it is the approved
// one again, once for each change. It returns the client as it then is.
func (d documentRequest) note(ctx context.Context, stored domain.Client, fetched FetchedDocument) (domain.Client, error) {
	actor := domain.Actor{Subject: subjectOfSelf, ClientID: d.url, Via: domain.ViaDocument}
	service := Caller{Tenant: d.tenant, Subject: subjectOfSelf, ClientID: d.url, registration: &actor}
	digest, fetchedAt := fetched.Document.Digest, fetched.Document.FetchedAt
	if stored.Registration().Document.HasSeen(digest, fetchedAt) { // mostly; without another read
		return stored, nil
	}
	revised, err := d.registry.change(ctx, service, d.url, domain.ActionDocumentChanged, Options{},
		func(ctx context.Context, c domain.Client, now time.Time) (outcome domain.Outcome, err error) {
			outcome.Client = c
			if r := c.Registration(); r != nil && r.Document != nil && r.Document.HasSeen(digest, fetchedAt) {
				return outcome, nil
			}
			outcome.Client, err = c.DocumentChanged(domain.PendingDocument{Digest: digest, SeenAt: fetchedAt, Changed: d.changed(ctx, c, fetched)}, now)
			return outcome, err
		})
	if errors.Is(err, ErrNotFound) {
		err = documentDenied("an administrator deleted the client")
	}
	return revised.Client, err
}

// changed returns the names of the members in which a document differs from the
// configuration of an approved client, sorted.
func (d documentRequest) changed(ctx context.Context, c domain.Client, fetched FetchedDocument) []string {
	draft, err := d.registry.config.Book.ReviseDocument(c, fetched.Document, d.policy)
	if err != nil { // deleted in the meantime, which is reported elsewhere
		return nil
	}
	draft = draft.For(serverOf(ctx, d.registry.config.Servers, d.tenant))
	names := append(draft.ChangedMembers(), fetched.Document.Secrets...)
	if fetched.Document.ClientID != string(d.url) {
		names = append(names, "client_id")
	}
	slices.Sort(names)
	return names
}

// ApproveDocument approves the document with the digest as the configuration of the client
// whose identifier is its URL, and stores this client. From then on it is a client like any
// other, and changes of the document wait for a further approval. A document that is
// approved already makes no revision.
//
// The error is [ErrForbidden] unless the caller is an administrator, an [*InvalidError] if
// the URL is malformed or if the document at it has another digest, or a [*DocumentError]
// if it defines no usable client. Otherwise it is that of [Registry.Revise] or
// [Registry.Register].
func (r *Registry) ApproveDocument(ctx context.Context, caller Caller, url domain.ClientID, digest string, opts Options) (Revised, error) {
	if err := caller.May(OpApproveClientMetadata); err != nil {
		return Revised{}, err
	}
	request, err := r.documentAt(caller.Tenant, url)
	if err != nil {
		return Revised{}, err
	}
	fetched, err := request.fetchDigest(ctx, digest)
	if err != nil {
		return Revised{}, fmt.Errorf("approve a client ID metadata document: %w", err)
	}
	revised, err := request.approveFirst(ctx, caller, fetched, opts)
	if !errors.Is(err, ErrConflict) {
		return revised, err
	}
	return r.change(ctx, caller, url, domain.ActionApproveDocument, opts,
		func(ctx context.Context, c domain.Client, _ time.Time) (domain.Outcome, error) {
			draft, err := r.config.Book.ReviseDocument(c, fetched.Document, request.policy)
			if err != nil {
				return domain.Outcome{}, err
			}
			return request.checkDraft(ctx, draft)
		})
}

// fetchDigest returns the document at the URL, which must have the digest.
func (d documentRequest) fetchDigest(ctx context.Context, digest string) (FetchedDocument, error) {
	fetched, err := d.fetch(ctx, false)
	if err == nil && fetched.Document.Digest != digest && fetched.Cached {
		fetched, err = d.fetch(ctx, true)
	}
	if err == nil && fetched.Document.Digest != digest {
		err = &InvalidError{Findings: domain.Findings{domain.RegistrationFinding(domain.RuleDocumentDigest, "/digest",
			"the document at the URL has another digest; examine it again and approve "+fetched.Document.Digest)}}
	}
	return fetched, err
}

// approveFirst stores the client of a document that was not approved before. The error is
// [ErrConflict] if it was.
func (d documentRequest) approveFirst(ctx context.Context, caller Caller, fetched FetchedDocument, opts Options) (Revised, error) {
	r := d.registry
	switch _, err := r.config.Store.Find(ctx, d.tenant, d.url); {
	case err == nil:
		return Revised{}, ErrConflict
	case !errors.Is(err, ErrNotFound):
		return Revised{}, err
	}
	if err := r.checkQuota(ctx, d.tenant); err != nil {
		return Revised{}, err
	}
	outcome, err := d.checkDraft(ctx, d.firstDraft(fetched))
	if err != nil {
		return Revised{}, err
	}
	revised := Revised{Client: outcome.Client, Warnings: outcome.Findings.Warnings()}
	if opts.DryRun {
		return revised, nil
	}
	revised.Client = revised.Client.WithID("client_" + r.config.Random.ID())
	return revised, r.commit(ctx, caller, domain.ActionApproveDocument, revised.Client, opts)
}
