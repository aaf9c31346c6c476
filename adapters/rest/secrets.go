package rest

import (
	"context"
	"net/http"
	"time"

	"github.com/clientele-oauth/clientele/adapters/internal/jsonobject"
	"github.com/clientele-oauth/clientele/api"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// secretNotStored is the end of a message. It explains what to do if the response with
// the secret was lost.
const secretNotStored = "its secret is not stored: rotate the secret if you did not receive its value"

// ListSecrets implements GET /admin/oauth/clients/{client_id}/secrets.
func (s *server) ListSecrets(ctx context.Context, r api.ListSecretsRequestObject) (api.ListSecretsResponseObject, error) {
	states, err := s.registry.ListSecrets(ctx, requestStateOf(ctx).caller, domain.ClientID(r.ClientID))
	if err != nil {
		return nil, err
	}
	return s.success(http.StatusOK, "secrets found", func(w *jsonobject.Writer) {
		w.Object("data", func() {
			w.Array("secrets", func() {
				for _, state := range states {
					w.Object("", func() {
						writeSecret(w, state.Secret, state.Status)
						w.Text("last_four", state.LastFour)
						writeTime(w, "last_used_at", state.LastUsedAt)
						writeTime(w, "updated_at", state.UpdatedAt)
					})
				}
			})
		})
	}), nil
}

// writeSecret writes the fields that all responses with a secret have in common.
func writeSecret(w *jsonobject.Writer, secret domain.Secret, status domain.SecretStatus) {
	w.Text("secret_id", secret.ID)
	w.Text("description", secret.Description)
	w.Text("status", string(status))
	w.Time("created_at", secret.CreatedAt, time.RFC3339)
	writeTime(w, "expires_at", secret.ExpiresAt)
}

// CreateSecret implements POST /admin/oauth/clients/{client_id}/secrets.
func (s *server) CreateSecret(ctx context.Context, r api.CreateSecretRequestObject) (api.CreateSecretResponseObject, error) {
	x := requestStateOf(ctx)
	var options application.SecretOptions
	if r.Body != nil {
		options = application.SecretOptions{Description: valueOr(r.Body.Description, ""), ExpiresAt: r.Body.ExpiresAt, Hash: valueOr(r.Body.SecretHash, "")}
	}
	issued, err := s.registry.CreateSecret(ctx, x.caller, domain.ClientID(r.ClientID), options,
		x.options(nil, r.Params.IfMatch, r.Params.IfNoneMatch, r.Params.IdempotencyKey))
	if err = x.rejected(err); err != nil {
		return nil, err
	}
	message := "secret created"
	if issued.Repeated {
		message = "an earlier request with this Idempotency-Key created the secret"
		if options.Hash == "" {
			message += "; its value is not stored: delete the secret and create another one if you did not receive the value"
		}
	}
	return s.success(http.StatusCreated, message, func(w *jsonobject.Writer) {
		w.Object("data", func() {
			writeSecret(w, issued.Secret, issued.Secret.Status(s.clock.Now()))
			w.TextUnlessEmpty("secret_value", issued.Value) // shown only once
		})
	}).replayed(issued.Repeated), nil
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
	message := "secret rotated"
	if issued.Repeated {
		message = "an earlier request with this Idempotency-Key rotated the secret; its value is not stored: " +
			"rotate again with a new key if you did not receive the value"
	}
	return s.success(http.StatusOK, message, func(w *jsonobject.Writer) {
		w.Object("data", func() {
			w.Text("client_id", r.ClientID)
			w.Text("secret_id", issued.Secret.ID)
			w.TextUnlessEmpty("new_secret", issued.Value) // shown only once
			w.Time("rotated_at", issued.Secret.CreatedAt, time.RFC3339)
		})
	}).replayed(issued.Repeated), nil
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
	result, err := s.registry.VerifySecret(ctx, requestStateOf(ctx).caller, domain.ClientID(r.ClientID), r.Body.Secret)
	if err != nil {
		return nil, err
	}
	message := "the secret is not valid"
	if result.Valid {
		message = "the secret is valid"
	}
	return s.success(http.StatusOK, message, func(w *jsonobject.Writer) {
		w.Object("data", func() {
			writeTime(w, "expires_at", result.ExpiresAt)
			w.Int("max_age_seconds", int64(result.MaxAge/time.Second))
			w.TextUnlessEmpty("secret_id", result.SecretID)
			w.Bool("valid", result.Valid)
		})
	}), nil
}

// ListSecretVerifiers implements GET /admin/oauth/clients/{client_id}/secret-verifiers.
func (s *server) ListSecretVerifiers(
	ctx context.Context, r api.ListSecretVerifiersRequestObject,
) (api.ListSecretVerifiersResponseObject, error) {
	secrets, err := s.registry.SecretVerifiers(ctx, requestStateOf(ctx).caller, domain.ClientID(r.ClientID))
	if err != nil {
		return nil, err
	}
	return s.success(http.StatusOK, "secret verifiers found", func(w *jsonobject.Writer) {
		w.Object("data", func() { writeSecretVerifiers(w, secrets) })
	}), nil
}
