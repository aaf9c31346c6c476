package rest

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/clientele-oauth/clientele/adapters/internal/contract"
	"github.com/clientele-oauth/clientele/adapters/internal/jsonobject"
	"github.com/clientele-oauth/clientele/adapters/internal/metadata/self"
	"github.com/clientele-oauth/clientele/api"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// GetClientMetadata implements GET /admin/oauth/client-metadata: the client that a client ID
// metadata document defines, in the form of a GET of a client, so that an authorization
// server needs no other code for it.
func (s *server) GetClientMetadata(ctx context.Context, r api.GetClientMetadataRequestObject) (api.GetClientMetadataResponseObject, error) {
	resolved, err := s.registry.ResolveDocument(ctx, requestStateOf(ctx).caller, domain.ClientID(r.Params.ClientID))
	if err != nil {
		return nil, err
	}
	now := s.clock.Now()
	form := clientForm{
		standard: valueOr(r.Params.Format, "") == formatRFC7591, effective: true, keys: true, revision: resolved.Client.Revision() > 0,
	}
	write := func(w *jsonobject.Writer) {
		s.writeClient(w, &resolved.Client, now, form)
		writeDocument(w, &resolved)
	}
	warnings := self.Places(resolved.Warnings) // they are about the document, not the client
	if form.standard {
		return s.bare(func(w *jsonobject.Writer) {
			write(w)
			writeWarnings(w, warnings)
		}).with("Content-Type", form.contentType()), nil
	}
	return s.success(http.StatusOK, "client found", func(w *jsonobject.Writer) {
		w.Object("data", func() { write(w) })
		writeWarnings(w, warnings)
	}), nil
}

// writeDocument writes what is known about a client ID metadata document.
func writeDocument(w *jsonobject.Writer, d *application.ResolvedDocument) {
	changedAt, changed := d.Changes.Last()
	w.Object("document", func() {
		w.Bool("approved", d.Approved)
		jsonobject.Texts(w, "changed", changed)
		writeTime(w, "changed_at", changedAt)
		w.Text("digest", d.Digest)
		writeTime(w, "fetched_at", d.FetchedAt)
		writeTime(w, "fresh_until", d.FreshUntil)
		w.Bool("keys_changed", domain.ChangesKeys(changed))
		w.Object("members_changed_at", func() {
			for _, member := range slices.Sorted(maps.Keys(d.Changes)) {
				w.Time(member, d.Changes[member], time.RFC3339)
			}
		})
		writePending(w, d.Pending, d.Review)
	})
}

// writePending writes a document that waits for approval, if there is one, and its review
// unless that is nil.
func writePending(w *jsonobject.Writer, p *domain.PendingDocument, review *application.DocumentReview) {
	if p == nil {
		return
	}
	w.Object("pending", func() {
		jsonobject.Texts(w, "changed", p.Changed)
		if review != nil {
			writeDifferences(w, review.Differences)
		}
		w.Text("digest", p.Digest)
		w.Time("seen_at", p.SeenAt, time.RFC3339)
		if review != nil {
			violations := self.Places(review.Violations)
			contract.WriteFindings(w, "violations", violations[:min(len(violations), maxViolations)])
		}
	})
}

// ApproveClientMetadata implements POST /admin/oauth/client-metadata/approvals.
func (s *server) ApproveClientMetadata(
	ctx context.Context, r api.ApproveClientMetadataRequestObject,
) (api.ApproveClientMetadataResponseObject, error) {
	x := requestStateOf(ctx)
	opts := x.options(nil, nil, nil, nil)
	approved, err := s.registry.ApproveDocument(ctx, x.caller, domain.ClientID(r.Body.ClientID), r.Body.Digest, opts)
	if err != nil {
		return nil, err
	}
	message := "document approved"
	if approved.Unchanged {
		message = "nothing to change: this document is approved already"
	}
	return s.changed(x, message, approved, opts), nil
}

// GetAuthorizationServerMetadata implements GET /admin/oauth/authorization-server-metadata.
func (s *server) GetAuthorizationServerMetadata(
	ctx context.Context, _ api.GetAuthorizationServerMetadataRequestObject,
) (api.GetAuthorizationServerMetadataResponseObject, error) {
	published, err := s.registry.PublishedMetadata(ctx, requestStateOf(ctx).caller)
	if err != nil {
		return nil, err
	}
	return s.success(http.StatusOK, "metadata found", func(w *jsonobject.Writer) {
		w.Object("data", func() {
			w.Bool("client_id_metadata_document_supported", published.Documents)
			writeSupported(w, "code_challenge_methods", published.CodeChallengeMethods)
			writeSupported(w, "grant_types", published.GrantTypes)
			w.TextUnlessEmpty("registration_endpoint", published.RegistrationEndpoint)
			writeSupported(w, "response_types", published.ResponseTypes)
			writeSupported(w, "scopes", published.Scopes)
			writeSupported(w, "token_endpoint_auth_methods", published.AuthMethods)
		})
	}), nil
}

// writeSupported writes a list of authorization server metadata (RFC 8414 §2), unless it is
// not published.
func writeSupported[S ~string](w *jsonobject.Writer, name string, list []S) {
	if list != nil {
		jsonobject.Texts(w, name+"_supported", list)
	}
}
