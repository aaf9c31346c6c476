package rest

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"github.com/clientele-oauth/clientele/adapters/wire"
	"github.com/clientele-oauth/clientele/api"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// CreateClient implements POST /admin/oauth/clients.
func (s *server) CreateClient(ctx context.Context, r api.CreateClientRequestObject) (api.CreateClientResponseObject, error) {
	dryRun := r.Params.DryRun != nil && *r.Params.DryRun
	registered, err := s.registry.Register(ctx, exchangeOf(ctx).caller, wire.RegistrationOf(r.Body), application.Options{DryRun: dryRun})
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
	if dryRun {
		body.Message = new("dry run: the client would be created")
		return api.CreateClient200JSONResponse(body), nil
	}
	id := registered.Client.Identity().ClientID
	return api.CreateClient201JSONResponse{
		Body: body,
		Headers: api.CreateClient201ResponseHeaders{
			ETag:     new(etag(registered.Client.Revision())),
			Location: new("/admin/oauth/clients/" + url.PathEscape(string(id))),
		},
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
	opts := application.Options{DryRun: r.Params.DryRun != nil && *r.Params.DryRun}
	if r.Params.IfMatch != nil {
		demanded, anything := entityTags(*r.Params.IfMatch)
		if !anything {
			opts.IfMatch = demanded
		}
	}
	revised, err := s.registry.Revise(ctx, exchangeOf(ctx).caller, domain.ClientID(r.ClientID), wire.ChangeOf(r.Body), opts)
	if err != nil {
		return nil, err
	}
	message := "client updated"
	if opts.DryRun {
		message = "dry run: the client would be updated"
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
