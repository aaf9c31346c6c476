package domain

import "time"

// The ids of the warnings about a client's secrets. They are as stable as those of
// [Rules], but the warnings depend on secrets and on the time, not only on the
// configuration.
const (
	// WarnNoLiveSecret: the client is active and confidential, one of its
	// authentication methods uses a secret, and no secret of the client verifies.
	WarnNoLiveSecret = "secret-none-live"
	// WarnSecretsUnreadable: the store cannot read the client's secrets.
	WarnSecretsUnreadable = "secrets-unreadable"
)

// SecretWarnings returns the warnings about the client's secrets: at most one. A
// client without a secret that verifies cannot authenticate with the methods that
// use one (RFC 6749 §2.3.1). This happens when its secrets expire, when a client or
// an earlier revision is restored, and when a secret method is added.
func (c *Client) SecretWarnings(now time.Time) Findings {
	warning := Finding{Level: Warning, Pointer: FieldAuthMethods.pointer(), KeyIndex: NoKey}
	switch {
	case !c.UsesSecret() || c.state.Settings.Status != StatusActive || c.Deleted():
		return nil
	case c.state.SecretsUnreadable:
		warning.Rule, warning.Source = WarnSecretsUnreadable, "own"
		warning.Message = "the stored secrets of the client cannot be read, so none is valid; the operator can repair them with clientele doctor"
	case len(unexpired(c.state.Secrets, now)) == 0:
		warning.Rule, warning.Source = WarnNoLiveSecret, "RFC 6749 §2.3.1"
		warning.Message = "client_auth_methods has a method that uses a client secret, but the client has no valid secret; create one"
	default:
		return nil
	}
	return Findings{warning}
}

// SecretsUnreadable reports whether the store cannot read the client's secrets.
func (c Client) SecretsUnreadable() bool { return c.state.SecretsUnreadable }

// HasLiveSecretUnder reports whether the client has a secret or a registration access token
// that has not expired and is hashed with the pepper with that id. It returns true if the
// store cannot read the secrets.
func (c *Client) HasLiveSecretUnder(keyID string, now time.Time) bool {
	if c.state.SecretsUnreadable {
		return true
	}
	for _, s := range c.state.Secrets {
		if s.KeyID == keyID && s.Status(now) != SecretExpired {
			return true
		}
	}
	return c.state.Registration.hasTokenUnder(keyID, now)
}
