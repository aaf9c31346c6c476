package rest

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/clientele-oauth/clientele/adapters/internal/jsonobject"
	"github.com/clientele-oauth/clientele/adapters/internal/registrationpolicy"
	"github.com/clientele-oauth/clientele/api"
	"github.com/clientele-oauth/clientele/domain"
)

// CreateRegistrationToken implements POST /admin/oauth/registration-tokens.
func (s *server) CreateRegistrationToken(
	ctx context.Context, r api.CreateRegistrationTokenRequestObject,
) (api.CreateRegistrationTokenResponseObject, error) {
	x := requestStateOf(ctx)
	var token domain.InitialTokenProperties
	if r.Body != nil {
		policy, err := readPolicy(r.Body.Policy)
		if err != nil {
			return nil, err
		}
		token = domain.InitialTokenProperties{
			Description: valueOr(r.Body.Description, ""), ExpiresIn: time.Duration(valueOr(r.Body.ExpiresIn, 0)) * time.Second,
			MaxUses: int(valueOr(r.Body.MaxUses, 0)), Policy: policy,
		}
	}
	issued, err := s.registry.CreateInitialToken(ctx, x.caller, token, x.options(nil, nil, nil, r.Params.IdempotencyKey))
	if err != nil {
		return nil, err
	}
	message := "initial access token created"
	if issued.Repeated {
		message = "an earlier request with this Idempotency-Key created the token; its value is not stored: " +
			"revoke it and create another one if you did not receive the value"
	}
	return s.success(http.StatusCreated, message, func(w *jsonobject.Writer) {
		w.Object("data", func() {
			s.writeInitialToken(w, &issued.InitialToken)
			w.TextUnlessEmpty("token", issued.Value) // shown only once
		})
	}).replayed(issued.Repeated), nil
}

// readPolicy reads the policy of an initial access token.
func readPolicy(given *api.RegistrationPolicy) (domain.RegistrationPolicy, error) {
	if given == nil {
		return domain.RegistrationPolicy{}, nil
	}
	text, err := json.Marshal(given)
	if err != nil {
		return domain.RegistrationPolicy{}, err
	}
	var object map[string]any
	if err := json.Unmarshal(text, &object); err != nil {
		return domain.RegistrationPolicy{}, err
	}
	policy, breaches := registrationpolicy.Read(object, registrationpolicy.InToken, "/policy")
	var found violations
	for _, b := range breaches {
		found.add(b.Finding())
	}
	if found.total() > 0 {
		return domain.RegistrationPolicy{}, found.err()
	}
	return policy, nil
}

// writeInitialToken writes the fields of an initial access token, without its value.
func (s *server) writeInitialToken(w *jsonobject.Writer, t *domain.InitialToken) {
	w.Time("created_at", t.CreatedAt, time.RFC3339)
	w.Text("description", t.Description)
	w.Time("expires_at", t.ExpiresAt, time.RFC3339)
	w.Text("issued_by", t.IssuedBy)
	w.Int("max_uses", int64(t.MaxUses))
	w.Object("policy", func() { registrationpolicy.Write(w, t.Policy, registrationpolicy.InToken) })
	writeTime(w, "revoked_at", t.RevokedAt)
	w.Text("status", string(t.Status(s.clock.Now())))
	w.Text("token_id", t.ID)
	w.Int("uses", int64(t.Uses))
}

// ListRegistrationTokens implements GET /admin/oauth/registration-tokens.
func (s *server) ListRegistrationTokens(
	ctx context.Context, r api.ListRegistrationTokensRequestObject,
) (api.ListRegistrationTokensResponseObject, error) {
	tokens, more, err := s.registry.ListInitialTokens(ctx, requestStateOf(ctx).caller, valueOr(r.Params.After, ""),
		int(valueOr(r.Params.Limit, defaultCursorLimit)))
	if err != nil {
		return nil, err
	}
	return s.success(http.StatusOK, "initial access tokens found", func(w *jsonobject.Writer) {
		w.Object("data", func() {
			if more {
				w.Text("next", tokens[len(tokens)-1].ID)
			}
			w.Array("tokens", func() {
				for i := range tokens {
					w.Object("", func() { s.writeInitialToken(w, &tokens[i]) })
				}
			})
		})
	}), nil
}

// DeleteRegistrationToken implements DELETE /admin/oauth/registration-tokens/{token_id}.
func (s *server) DeleteRegistrationToken(
	ctx context.Context, r api.DeleteRegistrationTokenRequestObject,
) (api.DeleteRegistrationTokenResponseObject, error) {
	x := requestStateOf(ctx)
	err := s.registry.RevokeInitialToken(ctx, x.caller, r.TokenID, valueOr(r.Params.SuspendClients, false), x.options(nil, nil, nil, nil))
	if err != nil {
		return nil, err
	}
	return api.DeleteRegistrationToken204Response{}, nil
}

// IssueClientRegistrationToken implements POST
// /admin/oauth/clients/{client_id}/registration-token.
func (s *server) IssueClientRegistrationToken(
	ctx context.Context, r api.IssueClientRegistrationTokenRequestObject,
) (api.IssueClientRegistrationTokenResponseObject, error) {
	x := requestStateOf(ctx)
	issued, err := s.registry.IssueRegistrationToken(ctx, x.caller, domain.ClientID(r.ClientID),
		x.options(nil, r.Params.IfMatch, r.Params.IfNoneMatch, nil))
	if err != nil {
		return nil, err
	}
	identity := issued.Client.Identity()
	return s.success(http.StatusCreated, "registration access token issued", func(w *jsonobject.Writer) {
		w.Object("data", func() {
			w.Text("client_id", string(identity.ClientID))
			w.Text("registration_access_token", issued.Token) // shown only once
			w.Text("registration_client_uri", s.registry.RegistrationURI(identity.TenantID, identity.ClientID))
		})
	}).with("ETag", etag(issued.Client.Revision())), nil
}

// RevokeClientRegistrationToken implements DELETE
// /admin/oauth/clients/{client_id}/registration-token.
func (s *server) RevokeClientRegistrationToken(
	ctx context.Context, r api.RevokeClientRegistrationTokenRequestObject,
) (api.RevokeClientRegistrationTokenResponseObject, error) {
	x := requestStateOf(ctx)
	err := s.registry.RevokeRegistrationToken(ctx, x.caller, domain.ClientID(r.ClientID),
		x.options(nil, r.Params.IfMatch, r.Params.IfNoneMatch, nil))
	if err != nil {
		return nil, err
	}
	return api.RevokeClientRegistrationToken204Response{}, nil
}

// DeleteClientLocks implements DELETE /admin/oauth/clients/{client_id}/locks.
func (s *server) DeleteClientLocks(
	ctx context.Context, r api.DeleteClientLocksRequestObject,
) (api.DeleteClientLocksResponseObject, error) {
	x := requestStateOf(ctx)
	err := s.registry.DeleteLocks(ctx, x.caller, domain.ClientID(r.ClientID), x.options(nil, r.Params.IfMatch, r.Params.IfNoneMatch, nil))
	if err != nil {
		return nil, err
	}
	return api.DeleteClientLocks204Response{}, nil
}

// ReportClientSeen implements POST /admin/oauth/clients/{client_id}/seen.
func (s *server) ReportClientSeen(ctx context.Context, r api.ReportClientSeenRequestObject) (api.ReportClientSeenResponseObject, error) {
	if err := s.registry.NoteSeen(ctx, requestStateOf(ctx).caller, domain.ClientID(r.ClientID)); err != nil {
		return nil, err
	}
	return api.ReportClientSeen204Response{}, nil
}
