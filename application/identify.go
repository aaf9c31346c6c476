package application

import (
	"context"
	"fmt"

	"github.com/clientele-oauth/clientele/domain"
)

// IdentifySecret returns the id of the secret of a client that has this value, also if the
// client is suspended; ok is false if none that is valid has it. It is for a caller that
// passes the value on to an authorization server: unlike [Registry.VerifySecret] it is no
// use of the secret, and has no rate limit, so it must not be offered to callers from
// outside. The error is as that of [Registry.VerifySecret].
func (r *Registry) IdentifySecret(
	ctx context.Context, caller Caller, client domain.Client, value string,
) (secretID string, ok bool, err error) {
	if err := caller.May(OpVerifySecret); err != nil {
		return "", false, err
	}
	if err := requireSecrets(client); err != nil {
		return "", false, err
	}
	state := client.State()
	state.Settings.Status = domain.StatusActive // a suspended client has no valid secret
	client = domain.Restore(state)
	now := r.now()
	if id, ok := client.VerifySecret(value, r.config.Peppers, now); ok {
		return id, true, nil
	}
	for _, s := range client.SlowSecrets(now) {
		identity := client.Identity()
		match, err := r.config.Hashes.Verify(ctx, identity.TenantID, identity.ClientID, s.SlowHash, value)
		if err != nil {
			return "", false, fmt.Errorf("verify an imported secret: %w", err)
		}
		if match {
			return s.ID, true, nil
		}
	}
	return "", false, nil
}
