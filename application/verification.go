package application

import (
	"context"
	"time"

	"github.com/clientele-oauth/clientele/domain"
)

// Verification is the result of verifying a secret.
type Verification struct {
	Valid     bool
	SecretID  string    // empty if it is not valid
	ExpiresAt time.Time // when the secret expires; zero if it does not, or is not valid
	// MaxAge is how long the caller may keep a positive result, in whole seconds: at most
	// [Config.VerificationAge], and not beyond the end of the secret. It is 0 for a
	// negative result: the value may be that of a secret that is created a moment later.
	MaxAge time.Duration
}

// VerifySecret reports whether value is a secret of the client that is valid now, and
// which. It takes the same time whether it is or not, as far as the registry's own
// hashes go; for hashes of other systems see [SecretHashes]. The error is as that of
// [Registry.Find], [domain.ErrSecretsUnreadable], or that of [SecretHashes.Verify]. It is
// [ErrTooManyRequests] before anything is computed if the caller verifies too often.
//
// It is a [*RetryError] for [ErrTooManyRequests] if too many verifications of the client
// have failed, but never for a value that cannot have been guessed: a secret that the
// registry made, or another one of which the value looks random, is valid however many
// have failed, so that wrong values cannot lock a client out. A secret that
// could be guessed is then valid only if this process has verified it before.
func (r *Registry) VerifySecret(ctx context.Context, caller Caller, id domain.ClientID, value string) (Verification, error) {
	if err := caller.May(OpVerifySecret); err != nil {
		return Verification{}, err
	}
	if err := r.checkVerificationRate(caller); err != nil {
		return Verification{}, err
	}
	client, err := r.find(ctx, caller, OpVerifySecret, id)
	if err == nil {
		err = requireSecrets(client)
	}
	if err != nil {
		return Verification{}, err
	}
	return r.verify(ctx, client, value)
}

// checkVerificationRate returns [ErrTooManyRequests] if the caller verifies too often.
func (r *Registry) checkVerificationRate(caller Caller) error {
	if r.config.Verifications != nil && !r.config.Verifications.Allow(caller.Tenant, caller.Subject) {
		return ErrTooManyRequests
	}
	return nil
}

// verify is VerifySecret for a client whose secrets can be read.
func (r *Registry) verify(ctx context.Context, client domain.Client, value string) (Verification, error) {
	now := r.now()
	identity := client.Identity()
	secretID, valid := client.VerifySecret(value, r.config.Peppers, now)
	secret, _ := client.Secret(secretID)
	switch {
	case valid && !secret.Guessable():
	case len(client.LiveSecrets(now)) == 0: // so there is nothing to guess
		return Verification{}, nil
	default:
		if provenID, ok := r.proven.find(r.config.Random, client, value, now); ok {
			secretID, valid = provenID, true
		} else if err := r.checkFailures(identity); err != nil {
			return Verification{}, err
		}
	}
	if !valid {
		var err error
		if secretID, valid, err = r.verifySlowly(ctx, client, value, now); err != nil {
			return Verification{}, err
		}
	}
	if !valid {
		r.failed(identity)
		return Verification{}, nil
	}
	r.uses.note(SecretUse{TenantID: identity.TenantID, ClientID: identity.ClientID, SecretID: secretID, At: now})
	r.adopt(ctx, client, secretID, value)
	secret, _ = client.Secret(secretID)
	if secret.Guessable() {
		r.proven.note(r.config.Random, client, secretID, value)
	}
	result := Verification{Valid: true, SecretID: secretID, ExpiresAt: secret.ExpiresAt, MaxAge: r.config.VerificationAge}
	if !secret.ExpiresAt.IsZero() {
		result.MaxAge = min(result.MaxAge, secret.ExpiresAt.Sub(now))
	}
	result.MaxAge = result.MaxAge.Truncate(time.Second)
	return result, nil
}

// checkFailures returns a [*RetryError] if too many verifications of the client have failed.
func (r *Registry) checkFailures(of domain.Identity) error {
	if r.config.Failures == nil {
		return nil
	}
	wait := r.config.Failures.Wait(of.TenantID, of.ClientID)
	if wait <= 0 {
		return nil
	}
	return &RetryError{
		Cause: ErrTooManyRequests, After: wait,
		Message: "too many verifications of this client's secrets have failed, so this value is not verified",
	}
}

// failed counts a failed verification.
func (r *Registry) failed(of domain.Identity) {
	if r.config.Failures != nil {
		r.config.Failures.Failed(of.TenantID, of.ClientID)
	}
}

// verifySlowly verifies value against the hashes of other systems. All are computed, so
// that a wrong value costs as much as a right one.
func (r *Registry) verifySlowly(
	ctx context.Context, client domain.Client, value string, now time.Time,
) (secretID string, valid bool, err error) {
	identity := client.Identity()
	for _, s := range client.SlowSecrets(now) {
		match, err := r.config.Hashes.Verify(ctx, identity.TenantID, identity.ClientID, s.SlowHash, value)
		if err != nil {
			return "", false, err
		}
		if match {
			secretID, valid = s.ID, true
		}
	}
	return secretID, valid, nil
}

// adoptTime limits how long a verification waits until the hash of an imported secret is
// replaced.
const adoptTime = time.Second

// adopt replaces the hash of an imported secret, now that its value is known, by one of
// the registry's own. The verification has succeeded already, so it does not matter if
// this fails, because the client changed or the store cannot write: the next
// verification tries it again.
func (r *Registry) adopt(ctx context.Context, client domain.Client, secretID, value string) {
	adopted, ok := client.AdoptSecret(secretID, value, r.pepper())
	if !ok {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, adoptTime)
	defer cancel()
	_ = r.config.Store.AdoptSecrets(ctx, adopted)
}

// SecretVerifiers returns what is needed to verify the client's secrets elsewhere: those
// that are valid now, oldest first, with their hashes. The error is as that of
// [Registry.Find], or [domain.ErrSecretsUnreadable].
func (r *Registry) SecretVerifiers(ctx context.Context, caller Caller, id domain.ClientID) ([]domain.Secret, error) {
	client, err := r.find(ctx, caller, OpListSecretVerifiers, id)
	if err == nil {
		err = requireSecrets(client)
	}
	if err != nil {
		return nil, err
	}
	return client.LiveSecrets(r.now()), nil
}
