package application

import (
	"context"
	"fmt"
	"time"

	"github.com/clientele-oauth/clientele/domain"
)

// KeysInForce is what the registry knows about the keys of a client now.
type KeysInForce struct {
	Source    domain.KeySource
	Keys      domain.Keys
	FetchedAt time.Time       // zero where the keys are not behind a URI
	Findings  domain.Findings // those that are about keys
}

// ClientKeys returns the keys of a client of the caller's tenant, fetching those
// behind a URI whatever the policy for updates is. The error is as that of
// [Registry.Find], or that of [KeyResolver.Fetch].
func (r *Registry) ClientKeys(ctx context.Context, caller Caller, id domain.ClientID) (KeysInForce, error) {
	client, err := r.find(ctx, caller, OpGetClientKeys, id)
	if err != nil {
		return KeysInForce{}, err
	}
	settings := client.Settings()
	inForce := KeysInForce{Source: settings.Keys}
	if uri := settings.Keys.URI(); uri != "" {
		inForce.Keys, inForce.FetchedAt, err = r.config.Keys.Fetch(ctx, caller.Tenant, uri)
	} else {
		inForce.Keys, err = resolve(ctx, r.config.Keys, caller.Tenant, settings.Keys, false)
	}
	if err != nil {
		return KeysInForce{}, fmt.Errorf("read the keys of a client: %w", err)
	}
	inForce.Findings = r.config.Book.Validate(settings, inForce.Keys, r.now()).AboutKeys()
	return inForce, nil
}

// Effective returns the settings that an authorization server is to apply for a client
// with the given settings (see [domain.Rulebook.Effective]).
func (r *Registry) Effective(settings domain.Settings) domain.Settings {
	return r.config.Book.Effective(settings)
}

// Assess holds a client of the caller's tenant against profiles. The error is
// as that of [Registry.Find], or that of [KeyResolver.Fetch].
func (r *Registry) Assess(
	ctx context.Context, caller Caller, id domain.ClientID, profiles []domain.Profile,
) ([]domain.Assessment, error) {
	client, err := r.find(ctx, caller, OpGetClientCompliance, id)
	if err != nil {
		return nil, err
	}
	return r.assess(ctx, caller.Tenant, client.Settings(), profiles)
}

// AssessDraft checks a configuration that is not stored against profiles: the one
// that a registration by the change would have. The error is [ErrForbidden], or an
// [*InvalidError] where both jwks and jwks_uri are given, which is no
// configuration at all.
func (r *Registry) AssessDraft(
	ctx context.Context, caller Caller, change domain.Change, profiles []domain.Profile,
) ([]domain.Assessment, error) {
	if err := caller.May(OpCheckCompliance); err != nil {
		return nil, err
	}
	draft := r.config.Book.Register(domain.Identity{}, change)
	if findings := draft.RivalKeys(); findings.HasViolations() {
		return nil, fmt.Errorf("assess a draft: %w", &InvalidError{Findings: findings})
	}
	return r.assess(ctx, caller.Tenant, draft.Settings(), profiles)
}

func (r *Registry) assess(
	ctx context.Context, tenant domain.TenantID, settings domain.Settings, profiles []domain.Profile,
) ([]domain.Assessment, error) {
	keys, err := resolve(ctx, r.config.Keys, tenant, settings.Keys, true)
	if err != nil {
		return nil, fmt.Errorf("assess a client: %w", err)
	}
	now := r.now()
	assessed := make([]domain.Assessment, len(profiles))
	for i, profile := range profiles {
		assessed[i] = r.config.Book.Assess(settings, profile, keys, now)
	}
	return assessed, nil
}

// Rules returns the rulebook. The error is [ErrForbidden].
func (r *Registry) Rules(caller Caller) ([]domain.Rule, error) {
	if err := caller.May(OpListRules); err != nil {
		return nil, err
	}
	return domain.Rules(), nil
}
