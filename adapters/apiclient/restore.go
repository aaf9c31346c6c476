package apiclient

import (
	"context"

	"github.com/clientele-oauth/clientele/api/client"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/application/declare"
	"github.com/clientele-oauth/clientele/domain"
)

// LastChange implements [declare.Registry].
func (r *Registry) LastChange(ctx context.Context, id domain.ClientID) (declare.LastChange, error) {
	page, err := r.client.ListRevisionsWithResponse(ctx, string(id), &client.ListRevisionsParams{Limit: new(int32(1))})
	if err != nil {
		return declare.LastChange{}, translate(err)
	}
	if page.JSON200 == nil || page.JSON200.Data == nil || page.JSON200.Data.Revisions == nil {
		return declare.LastChange{}, errUnexpectedResponse(page.StatusCode())
	}
	if len(*page.JSON200.Data.Revisions) == 0 {
		return declare.LastChange{}, application.ErrNotFound
	}
	newest := (*page.JSON200.Data.Revisions)[0]
	if newest.Number == nil {
		return declare.LastChange{}, errUnexpectedResponse(page.StatusCode())
	}
	return declare.LastChange{
		Revision: domain.RevisionNumber(*newest.Number), Action: domain.Action(value(newest.Action)), Reason: value(newest.Reason),
	}, nil
}

// AsOf implements [declare.Registry].
func (r *Registry) AsOf(
	ctx context.Context, id domain.ClientID, revision domain.RevisionNumber,
) (declare.Registered, error) {
	found, err := r.client.GetRevisionWithResponse(ctx, string(id), int64(revision), nil)
	if err != nil {
		return declare.Registered{}, translate(err)
	}
	if found.JSON200 == nil || found.JSON200.Data == nil || found.JSON200.Data.Client == nil {
		return declare.Registered{}, errUnexpectedResponse(found.StatusCode())
	}
	settings, err := settingsIn(found.Body, "data", "client")
	if err != nil {
		return declare.Registered{}, err
	}
	if settings.Keys.URI() == "" {
		settings.Keys = domain.InlineKeys(value(found.JSON200.Data.Jwks))
	}
	return declare.Registered{ID: id, Revision: revision, Settings: settings}, nil
}

// Restore implements [declare.Registry].
func (r *Registry) Restore(
	ctx context.Context, at declare.Registered, how declare.Restoration,
) (now domain.RevisionNumber, warnings domain.Findings, err error) {
	params := &client.RestoreClientParams{DryRun: &how.DryRun, IfMatch: new(etag(at))}
	if how.Suspended {
		params.Status = new(client.RestoreClientParamsStatusSuspended)
	}
	if how.Reason != "" {
		params.XChangeReason = &how.Reason
	}
	restored, err := r.client.RestoreClientWithResponse(ctx, string(at.ID), params)
	if err != nil {
		return 0, nil, translate(err)
	}
	if restored.JSON200 == nil {
		return 0, nil, errUnexpectedResponse(restored.StatusCode())
	}
	if !how.DryRun { // a dry run creates no revision
		now, err = revisionOf(restored.HTTPResponse.Header)
	}
	return now, findingsOf(restored.JSON200.Warnings, domain.Warning), err
}
