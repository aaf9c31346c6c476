package rest

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/clientele-oauth/clientele/adapters/jsonobject"
	"github.com/clientele-oauth/clientele/adapters/wire"
	"github.com/clientele-oauth/clientele/api"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// CreateClient implements POST /admin/oauth/clients.
func (s *server) CreateClient(ctx context.Context, r api.CreateClientRequestObject) (api.CreateClientResponseObject, error) {
	x := exchangeOf(ctx)
	opts := x.options(r.Params.DryRun, nil, r.Params.IdempotencyKey)
	var id domain.ClientID
	if r.Body.ClientID != nil {
		id = domain.ClientID(*r.Body.ClientID)
	}
	registered, err := s.registry.Register(ctx, x.caller, id, wire.RegistrationOf(r.Body), opts)
	if err != nil {
		return nil, err
	}
	status, message := http.StatusCreated, "client created"
	switch {
	case opts.DryRun:
		status, message = http.StatusOK, "dry run: the client would be created"
	case registered.Repeated:
		message = "an earlier request with this Idempotency-Key created the client; " + secretIsGone
	}
	created := s.success(status, message, func(w *jsonobject.Writer) {
		w.Object("data", func() {
			writeItem(w, registered.Client)
			w.Text("jwks", registered.Client.Settings().Keys.Inline())
			w.TextUnlessEmpty("client_secret", registered.Secret) // this once
		})
		writeWarnings(w, registered.Warnings)
	})
	if opts.DryRun {
		return created, nil
	}
	if registered.Repeated {
		created = created.with("Idempotent-Replayed", "true")
	}
	return created.
		with("ETag", etag(registered.Client.Revision())).
		with("Location", "/admin/oauth/clients/"+url.PathEscape(string(registered.Client.Identity().ClientID))), nil
}

// ListClients implements GET /admin/oauth/clients.
func (s *server) ListClients(ctx context.Context, r api.ListClientsRequestObject) (api.ListClientsResponseObject, error) {
	p := r.Params
	walks := p.After != nil || p.Limit != nil
	if walks && (p.Page != nil || p.PageSize != nil) {
		return nil, &contractError{
			status: http.StatusBadRequest, message: "page and page_size are for pages, after and limit for a walk; send one pair",
		}
	}
	page, size := valueOr(p.Page, 1), valueOr(p.PageSize, defaultPageSize)
	query := application.Query{
		Name:         valueOr(p.Name, ""),
		Status:       domain.Status(valueOr(p.Status, "")),
		GrantType:    domain.GrantType(valueOr(p.GrantType, "")),
		AuthMethod:   domain.AuthMethod(valueOr(p.ClientAuthMethod, "")),
		Profile:      domain.Profile(valueOr(p.FapiProfile, "")),
		Scope:        domain.Scope(valueOr(p.Scope, "")),
		RedirectHost: valueOr(p.RedirectHost, ""),
		UpdatedSince: valueOr(p.UpdatedSince, time.Time{}),
		Offset:       int(page-1) * int(size),
		Limit:        int(size),
		Count:        true,
	}
	if walks {
		query.After, query.Limit = domain.ClientID(valueOr(p.After, "")), int(valueOr(p.Limit, defaultWalk))
		query.Offset, query.Count = 0, false
	}
	found, err := s.registry.List(ctx, exchangeOf(ctx).caller, query)
	if err != nil {
		return nil, err
	}
	return s.success(http.StatusOK, "clients found", func(w *jsonobject.Writer) {
		w.Text("changes_cursor", string(found.Changes))
		w.Array("items", func() {
			for _, c := range found.Clients {
				w.Object("", func() { writeItem(w, c) })
			}
		})
		if walks {
			if found.More {
				w.Text("next", string(found.Clients[len(found.Clients)-1].Identity().ClientID))
			}
			return
		}
		total, pages := int64(found.Total), (int64(found.Total)+int64(size)-1)/int64(size)
		w.Object("pagination", func() {
			w.Bool("has_next", int64(page) < pages)
			w.Bool("has_prev", page > 1 && pages > 0)
			w.Int("page", int64(page))
			w.Int("page_size", int64(size))
			w.Int("total", total)
			w.Int("total_pages", pages)
		})
		w.Int("total", total)
	}), nil
}

// How many clients an answer has where the caller says nothing.
const (
	defaultPageSize = 20
	defaultWalk     = 100
)

// valueOr is the value of an optional parameter.
func valueOr[T any](given *T, otherwise T) T {
	if given == nil {
		return otherwise
	}
	return *given
}

// DeleteClient implements DELETE /admin/oauth/clients/{client_id}.
func (s *server) DeleteClient(ctx context.Context, r api.DeleteClientRequestObject) (api.DeleteClientResponseObject, error) {
	x := exchangeOf(ctx)
	if err := s.registry.Delete(ctx, x.caller, domain.ClientID(r.ClientID), x.options(nil, r.Params.IfMatch, nil)); err != nil {
		return nil, err
	}
	return api.DeleteClient204Response{}, nil
}

// RestoreClient implements POST /admin/oauth/clients/{client_id}/restore.
func (s *server) RestoreClient(ctx context.Context, r api.RestoreClientRequestObject) (api.RestoreClientResponseObject, error) {
	x := exchangeOf(ctx)
	opts := x.options(r.Params.DryRun, r.Params.IfMatch, nil)
	restore := s.registry.Restore
	if r.Params.Status != nil { // openapi.yaml allows suspended alone
		restore = s.registry.RestoreSuspended
	}
	restored, err := restore(ctx, x.caller, domain.ClientID(r.ClientID), opts)
	if err != nil {
		return nil, err
	}
	message := "client restored"
	if opts.DryRun {
		message = "dry run: the client would be restored"
	}
	return s.detail(message, restored.Client, restored.Warnings), nil
}

// GetClient implements GET /admin/oauth/clients/{client_id}.
func (s *server) GetClient(ctx context.Context, r api.GetClientRequestObject) (api.GetClientResponseObject, error) {
	client, err := s.registry.Find(ctx, exchangeOf(ctx).caller, domain.ClientID(r.ClientID))
	if err != nil {
		return nil, err
	}
	tag := etag(client.Revision())
	if r.Params.IfNoneMatch != nil {
		// The weak comparison is for If-None-Match (RFC 9110 §13.1.2).
		known, anything := entityTags(strings.ReplaceAll(*r.Params.IfNoneMatch, "W/", ""))
		if anything || slices.Contains(known, client.Revision()) {
			return api.GetClient304Response{Headers: api.GetClient304ResponseHeaders{ETag: &tag}}, nil
		}
	}
	return s.detail("client found", client, nil), nil
}

// UpdateClient implements PUT /admin/oauth/clients/{client_id}.
func (s *server) UpdateClient(ctx context.Context, r api.UpdateClientRequestObject) (api.UpdateClientResponseObject, error) {
	x := exchangeOf(ctx)
	opts := x.options(r.Params.DryRun, r.Params.IfMatch, nil)
	revised, err := s.registry.Revise(ctx, x.caller, domain.ClientID(r.ClientID), wire.ChangeOf(r.Body), opts)
	if err != nil {
		return nil, err
	}
	message := "client updated"
	if opts.DryRun {
		message = "dry run: the client would be updated"
	}
	switch {
	case revised.RevokedSecrets > 0:
		message += "; no authentication method uses a secret any more: " + count(revised.RevokedSecrets, "secret") + " revoked"
	case revised.Client.UsesSecret() && len(revised.Client.Secrets()) == 0:
		message += "; it has no secret yet: create one"
	}
	return s.detail(message, revised.Client, revised.Warnings), nil
}

// detail answers with a client.
func (s *server) detail(message string, c domain.Client, warnings domain.Findings) *answer {
	return s.success(http.StatusOK, message, func(w *jsonobject.Writer) {
		w.Object("data", func() { writeItem(w, c) })
		writeWarnings(w, warnings)
	}).with("ETag", etag(c.Revision()))
}
