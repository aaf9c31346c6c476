package rest

import (
	"context"
	"time"

	"github.com/clientele-oauth/clientele/api"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// secretIsGone tells how to go on where the answer with a secret was lost.
const secretIsGone = "its secret is not stored: rotate the secret if you did not receive its value"

// ListSecrets implements GET /admin/oauth/clients/{client_id}/secrets.
func (s *server) ListSecrets(ctx context.Context, r api.ListSecretsRequestObject) (api.ListSecretsResponseObject, error) {
	states, err := s.registry.ListSecrets(ctx, requestStateOf(ctx).caller, domain.ClientID(r.ClientID))
	if err != nil {
		return nil, err
	}
	secrets := make([]api.Secret, len(states))
	for i, state := range states {
		secrets[i] = api.Secret{
			SecretID: &state.ID, Description: &state.Description, Status: new(string(state.Status)), LastFour: &state.LastFour,
			CreatedAt: new(wireTime(state.CreatedAt)), UpdatedAt: new(wireTime(state.UpdatedAt)),
			ExpiresAt: filledTime(state.ExpiresAt), LastUsedAt: filledTime(state.LastUsedAt),
		}
	}
	return api.ListSecrets200JSONResponse{
		Code: new(int32(0)), Message: new("secrets found"), Timestamp: new(wireTime(s.clock.Now())),
		Data: &api.SecretList{Secrets: &secrets},
	}, nil
}

// CreateSecret implements POST /admin/oauth/clients/{client_id}/secrets.
func (s *server) CreateSecret(ctx context.Context, r api.CreateSecretRequestObject) (api.CreateSecretResponseObject, error) {
	x := requestStateOf(ctx)
	var options application.SecretOptions
	if r.Body != nil {
		options = application.SecretOptions{Description: valueOr(r.Body.Description, ""), ExpiresAt: r.Body.ExpiresAt}
	}
	issued, err := s.registry.CreateSecret(ctx, x.caller, domain.ClientID(r.ClientID), options,
		x.options(nil, r.Params.IfMatch, r.Params.IfNoneMatch, r.Params.IdempotencyKey))
	if err = x.rejected(err); err != nil {
		return nil, err
	}
	answer := api.CreateSecret201JSONResponse{Body: api.CreateSecretDetailResponse{
		Code: new(int32(0)), Message: new("secret created"), Timestamp: new(wireTime(s.clock.Now())),
		Data: &api.CreatedSecret{
			SecretID: &issued.Secret.ID, SecretValue: filled(issued.Value), Description: &issued.Secret.Description,
			Status:    new(string(issued.Secret.Status(s.clock.Now()))),
			CreatedAt: new(wireTime(issued.Secret.CreatedAt)), ExpiresAt: filledTime(issued.Secret.ExpiresAt),
		},
	}}
	if issued.Repeated {
		answer.Body.Message = new("an earlier request with this Idempotency-Key created the secret; its value is not stored: " +
			"delete the secret and create another one if you did not receive the value")
		answer.Headers.IdempotentReplayed = new("true")
	}
	return answer, nil
}

// RotateSecret implements POST /admin/oauth/clients/{client_id}/rotate-secret.
func (s *server) RotateSecret(ctx context.Context, r api.RotateSecretRequestObject) (api.RotateSecretResponseObject, error) {
	x := requestStateOf(ctx)
	var grace *time.Duration
	if r.Body != nil && r.Body.GraceSeconds != nil {
		grace = new(time.Duration(*r.Body.GraceSeconds) * time.Second)
	}
	issued, err := s.registry.RotateSecret(ctx, x.caller, domain.ClientID(r.ClientID), grace,
		x.options(nil, r.Params.IfMatch, r.Params.IfNoneMatch, r.Params.IdempotencyKey))
	if err = x.rejected(err); err != nil {
		return nil, err
	}
	answer := api.RotateSecret200JSONResponse{Body: api.RotateSecretDetailResponse{
		Code: new(int32(0)), Message: new("secret rotated"), Timestamp: new(wireTime(s.clock.Now())),
		Data: &api.RotatedSecret{
			ClientID: &r.ClientID, SecretID: &issued.Secret.ID, NewSecret: filled(issued.Value),
			RotatedAt: new(wireTime(issued.Secret.CreatedAt)),
		},
	}}
	if issued.Repeated {
		answer.Body.Message = new("an earlier request with this Idempotency-Key rotated the secret; its value is not stored: " +
			"rotate again with a new key if you did not receive the value")
		answer.Headers.IdempotentReplayed = new("true")
	}
	return answer, nil
}

// DeleteSecret implements DELETE /admin/oauth/clients/{client_id}/secrets/{secret_id}.
func (s *server) DeleteSecret(ctx context.Context, r api.DeleteSecretRequestObject) (api.DeleteSecretResponseObject, error) {
	x := requestStateOf(ctx)
	err := s.registry.DeleteSecret(ctx, x.caller, domain.ClientID(r.ClientID), r.SecretID, x.options(nil, r.Params.IfMatch, r.Params.IfNoneMatch, nil))
	if err != nil {
		return nil, err
	}
	return api.DeleteSecret204Response{}, nil
}

// VerifySecret implements POST /admin/oauth/clients/{client_id}/verify-secret.
func (s *server) VerifySecret(ctx context.Context, r api.VerifySecretRequestObject) (api.VerifySecretResponseObject, error) {
	id, valid, err := s.registry.VerifySecret(ctx, requestStateOf(ctx).caller, domain.ClientID(r.ClientID), r.Body.Secret)
	if err != nil {
		return nil, err
	}
	message := "the secret is not valid"
	if valid {
		message = "the secret is valid"
	}
	return api.VerifySecret200JSONResponse{
		Code: new(int32(0)), Message: &message, Timestamp: new(wireTime(s.clock.Now())),
		Data: &api.Verification{Valid: &valid, SecretID: filled(id)},
	}, nil
}
