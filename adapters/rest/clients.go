package rest

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

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
	body := api.CreateClientDetailResponse{
		Code:      new(int32(0)),
		Message:   new("client created"),
		Timestamp: new(wireTime(s.clock.Now())),
		Data:      new(presentCreated(registered)),
		Warnings:  presentWarnings(registered.Warnings),
	}
	if opts.DryRun {
		body.Message = new("dry run: the client would be created")
		return api.CreateClient200JSONResponse(body), nil
	}
	headers := api.CreateClient201ResponseHeaders{
		ETag:     new(etag(registered.Client.Revision())),
		Location: new("/admin/oauth/clients/" + url.PathEscape(string(registered.Client.Identity().ClientID))),
	}
	if registered.Repeated {
		body.Message = new("an earlier request with this Idempotency-Key created the client; " + secretIsGone)
		headers.IdempotentReplayed = new("true")
	}
	return api.CreateClient201JSONResponse{Body: body, Headers: headers}, nil
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
	items := make([]api.OAuthClientItem, len(found.Clients))
	for i, c := range found.Clients {
		items[i] = presentClient(c)
	}
	answer := api.ListClients200JSONResponse{
		Code: new(int32(0)), Message: new("clients found"), Timestamp: new(wireTime(s.clock.Now())),
		Items: &items, ChangesCursor: new(string(found.Changes)),
	}
	switch {
	case !walks:
		total, pages := int64(found.Total), (int64(found.Total)+int64(size)-1)/int64(size)
		answer.Total = &total
		answer.Pagination = &api.Pagination{
			Page: new(int64(page)), PageSize: new(int64(size)), Total: &total, TotalPages: &pages,
			HasNext: new(int64(page) < pages), HasPrev: new(page > 1 && pages > 0),
		}
	case found.More:
		answer.Next = items[len(items)-1].ClientID
	}
	return answer, nil
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
	opts := x.options(r.Params.DryRun, nil, nil)
	restored, err := s.registry.Restore(ctx, x.caller, domain.ClientID(r.ClientID), opts)
	if err != nil {
		return nil, err
	}
	message := "client restored"
	if opts.DryRun {
		message = "dry run: the client would be restored"
	}
	return api.RestoreClient200JSONResponse{
		Body:    s.detail(message, restored.Client, restored.Warnings),
		Headers: api.RestoreClient200ResponseHeaders{ETag: new(etag(restored.Client.Revision()))},
	}, nil
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
	return api.GetClient200JSONResponse{
		Body:    s.detail("client found", client, nil),
		Headers: api.GetClient200ResponseHeaders{ETag: &tag},
	}, nil
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
	return api.UpdateClient200JSONResponse{
		Body:    s.detail(message, revised.Client, revised.Warnings),
		Headers: api.UpdateClient200ResponseHeaders{ETag: new(etag(revised.Client.Revision()))},
	}, nil
}

// detail is the success envelope around a client.
func (s *server) detail(message string, c domain.Client, warnings domain.Findings) api.OAuthClientItemDetailResponse {
	return api.OAuthClientItemDetailResponse{
		Code:      new(int32(0)),
		Message:   &message,
		Timestamp: new(wireTime(s.clock.Now())),
		Data:      new(presentClient(c)),
		Warnings:  presentWarnings(warnings),
	}
}
