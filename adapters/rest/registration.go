package rest

import (
	"context"
	"fmt"
	"mime"
	"net/http"
	"time"

	"github.com/clientele-oauth/clientele/adapters/internal/jsonobject"
	"github.com/clientele-oauth/clientele/adapters/internal/metadata/self"
	"github.com/clientele-oauth/clientele/api"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// RegisterClient implements POST /oauth/{tenant}/register (RFC 7591 §3).
func (s *server) RegisterClient(ctx context.Context, r api.RegisterClientRequestObject) (api.RegisterClientResponseObject, error) {
	x := requestStateOf(ctx)
	opts := x.options(r.Params.DryRun, nil, nil, r.Params.IdempotencyKey)
	registered, err := s.registry.RegisterSelf(ctx, x.selfRequest(opts))
	if err != nil {
		return nil, err
	}
	if opts.DryRun {
		return s.registered(http.StatusOK, registered), nil
	}
	return s.registered(http.StatusCreated, registered).replayed(registered.Repeated), nil
}

// GetRegistration implements GET /oauth/{tenant}/register/{client_id} (RFC 7592 §2.1).
func (s *server) GetRegistration(ctx context.Context, r api.GetRegistrationRequestObject) (api.GetRegistrationResponseObject, error) {
	of := requestStateOf(ctx).registration
	registered, err := s.registry.FindSelf(ctx, of.tenant, of.clientID, of.token)
	if err != nil {
		return nil, err
	}
	revision := registered.Client.Revision()
	switch unmodified, err := readConditions(revision, r.Params.IfMatch, r.Params.IfNoneMatch); {
	case err != nil:
		return nil, err
	case unmodified:
		tag := etag(revision)
		return api.GetRegistration304Response{Headers: api.GetRegistration304ResponseHeaders{ETag: &tag}}, nil
	}
	return s.registered(http.StatusOK, registered), nil
}

// UpdateRegistration implements PUT /oauth/{tenant}/register/{client_id} (RFC 7592 §2.2).
func (s *server) UpdateRegistration(ctx context.Context, r api.UpdateRegistrationRequestObject) (api.UpdateRegistrationResponseObject, error) {
	x := requestStateOf(ctx)
	request := x.selfRequest(x.options(nil, r.Params.IfMatch, r.Params.IfNoneMatch, nil))
	for _, name := range x.registration.request.Forbidden {
		request.Findings = append(request.Findings, domain.RegistrationFinding(domain.RuleForbiddenMember, "/"+name, name+" must not be in an update"))
	}
	registered, err := s.registry.ReviseSelf(ctx, x.registration.clientID, request)
	if err != nil {
		return nil, err
	}
	return s.registered(http.StatusOK, registered), nil
}

// DeleteRegistration implements DELETE /oauth/{tenant}/register/{client_id} (RFC 7592 §2.3).
func (s *server) DeleteRegistration(ctx context.Context, r api.DeleteRegistrationRequestObject) (api.DeleteRegistrationResponseObject, error) {
	x := requestStateOf(ctx)
	of := x.registration
	if err := s.registry.DeleteSelf(ctx, of.tenant, of.clientID, of.token, x.options(nil, r.Params.IfMatch, r.Params.IfNoneMatch, nil)); err != nil {
		return nil, err
	}
	return api.DeleteRegistration204Response{}, nil
}

// checkRegistration checks the parameters of a request, and reads its body. Unlike the bodies
// of the admin API, it ignores unknown members.
func (s *server) checkRegistration(r *http.Request, x *requestState) error {
	if err := r.Context().Err(); err != nil {
		return fmt.Errorf("%w: %w", errOverloaded, err)
	}
	found, _ := x.operation.checkParameters(r)
	if x.operation.id == opRegisterClient && x.registration.token == "" && r.Header.Get("Idempotency-Key") != "" {
		found.add(breach("Idempotency-Key", "the parameter Idempotency-Key needs an initial access token"))
	}
	if found.total() > 0 {
		return found.err()
	}
	if !x.operation.takesBody {
		return nil
	}
	of, text := &x.registration, x.body
	x.body = nil
	x.fingerprint = fingerprint(r, text)
	var err error
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != jsonType { // a JWT
		if text, of.statement, err = s.registry.OpenRegistration(r.Context(), of.tenant, of.token, of.key, string(text)); err != nil {
			return err
		}
	}
	if of.request, of.findings, err = s.metadata.Read(text); err != nil {
		return &contractError{status: http.StatusBadRequest, message: "the body " + err.Error()}
	}
	return nil
}

// selfRequest returns the request for the use cases.
func (x *requestState) selfRequest(opts application.Options) application.SelfRequest {
	of := &x.registration
	return application.SelfRequest{
		Tenant: of.tenant, Token: of.token, Metadata: of.request.Metadata, Findings: of.findings,
		Statement: of.request.Statement, Verified: of.statement, ClientID: domain.ClientID(of.request.ClientID), Secret: of.request.Secret,
		Options: opts,
	}
}

// registered responds with a registration (RFC 7591 §3.2.1): the metadata and, both or
// neither, the secret and when it ends, and the token and the URL for the management.
func (s *server) registered(status int, registered application.SelfRegistered) *response {
	client := registered.Client.WithResponseTypes(s.registry.Effective(registered.Client.Settings()).ResponseTypes)
	identity := client.Identity()
	management := ""
	if registered.Token != "" {
		management = s.registry.RegistrationURI(identity.TenantID, identity.ClientID)
	}
	a := s.bare(func(w *jsonobject.Writer) {
		self.Write(w, &client)
		if registered.Secret != "" {
			w.Text("client_secret", registered.Secret) // shown only once
			w.Int("client_secret_expires_at", secondsOf(registered.SecretExpires))
		}
		if management != "" {
			w.Text("registration_access_token", registered.Token)
			w.Text("registration_client_uri", management)
		}
		writeWarnings(w, self.Places(registered.Warnings))
	})
	a.status = status
	if identity.ClientID == "" { // a dry run
		return a
	}
	if status == http.StatusCreated && management != "" {
		a.with("Location", management)
	}
	return a.with("ETag", etag(client.Revision()))
}

// secondsOf returns a time in seconds since 1970, and 0 for no time (RFC 7591 §3.2.1).
func secondsOf(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}
