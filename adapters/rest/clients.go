package rest

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/clientele-oauth/clientele/adapters/internal/contract"
	"github.com/clientele-oauth/clientele/adapters/internal/jsonobject"
	"github.com/clientele-oauth/clientele/api"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// CreateClient implements POST /admin/oauth/clients.
func (s *server) CreateClient(ctx context.Context, r api.CreateClientRequestObject) (api.CreateClientResponseObject, error) {
	x := requestStateOf(ctx)
	opts := x.options(r.Params.DryRun, nil, nil, r.Params.IdempotencyKey)
	var registered application.Registered
	var err error
	if x.secretHash != "" {
		registered, err = s.registry.Import(ctx, x.caller, x.clientID, x.change, x.secretHash, opts)
	} else {
		registered, err = s.registry.Register(ctx, x.caller, x.clientID, x.change, opts)
	}
	if err = x.rejected(err); err != nil {
		return nil, err
	}
	status, message := http.StatusCreated, "client created"
	switch {
	case opts.DryRun:
		status, message = http.StatusOK, "dry run: the client would be created"
	case registered.Repeated:
		message = "an earlier request with this Idempotency-Key created the client"
		if x.secretHash == "" {
			message += "; " + secretNotStored
		}
	}
	created := s.success(status, message, func(w *jsonobject.Writer) {
		w.Object("data", func() {
			s.writeItem(w, &registered.Client, s.clock.Now())
			if !opts.DryRun {
				w.Int("revision", int64(registered.Client.Revision()))
			}
			w.Text("jwks", registered.Client.Settings().Keys.Inline())
			w.TextUnlessEmpty("client_secret", registered.Secret) // shown only once
		})
		writeWarnings(w, registered.Warnings)
	})
	if opts.DryRun {
		return created, nil
	}
	return created.replayed(registered.Repeated).
		with("ETag", etag(registered.Client.Revision())).
		with("Location", "/admin/oauth/clients/"+url.PathEscape(string(registered.Client.Identity().ClientID))), nil
}

// ListClients implements GET /admin/oauth/clients.
func (s *server) ListClients(ctx context.Context, r api.ListClientsRequestObject) (api.ListClientsResponseObject, error) {
	p := r.Params
	byCursor := p.After != nil || p.Limit != nil
	if byCursor && (p.Page != nil || p.PageSize != nil) {
		return nil, &contractError{
			status: http.StatusBadRequest, message: "use either page and page_size, or after and limit",
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

		ApplicationType: domain.ApplicationType(valueOr(p.ApplicationType, "")),
		SoftwareID:      valueOr(p.SoftwareID, ""),
		Owner:           valueOr(p.Owner, ""),
		Label:           valueOr(p.Label, ""),

		Via:               domain.Via(valueOr(p.Via, "")),
		RegistrationToken: valueOr(p.RegistrationToken, ""),

		UpdatedSince: valueOr(p.UpdatedSince, time.Time{}),
		Offset:       int(page-1) * int(size),
		Limit:        int(size),
		Count:        true,
	}
	if byCursor {
		query.After, query.Limit = domain.ClientID(valueOr(p.After, "")), int(valueOr(p.Limit, defaultCursorLimit))
		query.Offset, query.Count = 0, false
	}
	caller := requestStateOf(ctx).caller
	found, err := s.registry.List(ctx, caller, query)
	if err != nil {
		return nil, err
	}
	now, form := s.clock.Now(), formOf(p.Format, p.Effective, p.Include != nil)
	return &stream{s, "clients found", form, func(w *jsonobject.Writer, flush func() error) error {
		w.Text("changes_cursor", string(found.Changes))
		var last domain.ClientID
		var unreadable []domain.ClientID
		total := found.Total
		w.Array("items", func() {
			for shown := 0; ; {
				for i := range found.Clients {
					w.Object("", func() { s.writeClient(w, &found.Clients[i], now, form) })
					if err = flush(); err != nil {
						return
					}
				}
				for _, u := range found.Unreadable {
					unreadable = append(unreadable, u.ClientID)
				}
				last = found.Last()
				// A numbered page is always complete. If the store cut it short because
				// of its size in bytes, read the rest now.
				shown += len(found.Clients) + len(found.Unreadable)
				if byCursor || !found.More || shown >= query.Limit {
					return
				}
				rest := query
				rest.After, rest.Offset, rest.Limit, rest.Count = last, 0, query.Limit-shown, false
				if found, err = s.registry.List(ctx, caller, rest); err != nil {
					return
				}
			}
		})
		if err != nil {
			return err
		}
		if len(unreadable) > 0 {
			w.Array("unreadable", func() {
				for _, id := range unreadable {
					w.Text("", string(id))
				}
			})
		}
		if byCursor {
			if found.More {
				w.Text("next", string(last))
			}
			return nil
		}
		pages := (int64(total) + int64(size) - 1) / int64(size)
		w.Object("pagination", func() {
			w.Bool("has_next", int64(page) < pages)
			w.Bool("has_prev", page > 1 && pages > 0)
			w.Int("page", int64(page))
			w.Int("page_size", int64(size))
			w.Int("total", int64(total))
			w.Int("total_pages", pages)
		})
		w.Int("total", int64(total))
		return nil
	}}, nil
}

// Default page sizes, with page numbers and with a cursor.
const (
	defaultPageSize    = 20
	defaultCursorLimit = 100
)

// valueOr returns the value of an optional parameter, or the default if it is omitted.
func valueOr[T any](given *T, otherwise T) T {
	if given == nil {
		return otherwise
	}
	return *given
}

// DeleteClient implements DELETE /admin/oauth/clients/{client_id}.
func (s *server) DeleteClient(ctx context.Context, r api.DeleteClientRequestObject) (api.DeleteClientResponseObject, error) {
	x := requestStateOf(ctx)
	if err := s.registry.Delete(ctx, x.caller, domain.ClientID(r.ClientID), x.options(nil, r.Params.IfMatch, r.Params.IfNoneMatch, nil)); err != nil {
		return nil, err
	}
	return api.DeleteClient204Response{}, nil
}

// RestoreClient implements POST /admin/oauth/clients/{client_id}/restore.
func (s *server) RestoreClient(ctx context.Context, r api.RestoreClientRequestObject) (api.RestoreClientResponseObject, error) {
	x := requestStateOf(ctx)
	opts := x.options(r.Params.DryRun, r.Params.IfMatch, r.Params.IfNoneMatch, nil)
	restore := s.registry.Restore
	if r.Params.Status != nil { // openapi.yaml allows only suspended
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
	return s.changed(x, message, restored, opts), nil
}

// GetClient implements GET /admin/oauth/clients/{client_id}.
func (s *server) GetClient(ctx context.Context, r api.GetClientRequestObject) (api.GetClientResponseObject, error) {
	client, err := s.registry.Find(ctx, requestStateOf(ctx).caller, domain.ClientID(r.ClientID))
	if err != nil {
		return nil, err
	}
	if valueOr(r.Params.Active, false) && client.Settings().Status != domain.StatusActive {
		return nil, application.ErrNotFound
	}
	switch unmodified, err := readConditions(client.Revision(), r.Params.IfMatch, r.Params.IfNoneMatch); {
	case err != nil:
		return nil, err
	case unmodified:
		tag := etag(client.Revision())
		return api.GetClient304Response{Headers: api.GetClient304ResponseHeaders{ETag: &tag}}, nil
	}
	first, last, err := s.registry.SeenOf(ctx, &client)
	if err != nil {
		return nil, err
	}
	return s.detail("client found", client, seen{first, last}, formOf(r.Params.Format, r.Params.Effective, r.Params.Include != nil)), nil
}

// UpdateClient implements PUT /admin/oauth/clients/{client_id}.
func (s *server) UpdateClient(ctx context.Context, r api.UpdateClientRequestObject) (api.UpdateClientResponseObject, error) {
	x := requestStateOf(ctx)
	opts := x.options(r.Params.DryRun, r.Params.IfMatch, r.Params.IfNoneMatch, nil)
	revised, err := s.registry.Revise(ctx, x.caller, domain.ClientID(r.ClientID), x.change, opts)
	if err = x.rejected(err); err != nil {
		return nil, err
	}
	message := "client updated"
	switch {
	case opts.DryRun && revised.Unchanged:
		message = "dry run: nothing to change"
	case revised.Unchanged:
		message = "client unchanged: it already has the requested configuration"
	case opts.DryRun:
		message = "dry run: the client would be updated"
	}
	switch {
	case revised.RevokedSecrets > 0:
		message += "; no authentication method uses a secret any more: " + contract.CountOf(revised.RevokedSecrets, "secret") + " revoked"
	case revised.Client.UsesSecret() && len(revised.Client.Secrets()) == 0 && !revised.Client.SecretsUnreadable():
		message += "; the client has no secret yet: create one"
	}
	return s.changed(x, message, revised, opts), nil
}

// detail responds with a client. In the standard names it is the bare document, otherwise
// the warnings about the client's secrets are added.
func (s *server) detail(message string, c domain.Client, seen seen, form clientForm) *response {
	now := s.clock.Now()
	if form.standard {
		return s.bare(func(w *jsonobject.Writer) { s.writeClient(w, &c, now, form) }).
			with("Content-Type", form.contentType()).with("ETag", etag(c.Revision()))
	}
	return s.success(http.StatusOK, message, func(w *jsonobject.Writer) {
		w.Object("data", func() {
			s.writeClient(w, &c, now, form)
			writeRegistration(w, c.Registration(), seen)
		})
		writeWarnings(w, c.SecretWarnings(now))
	}).with("ETag", etag(c.Revision()))
}
