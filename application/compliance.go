package application

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/clientele-oauth/clientele/domain"
)

// KeysInForce contains the current keys of a client and the findings about them.
type KeysInForce struct {
	Source    domain.KeySource
	Keys      domain.Keys
	FetchedAt time.Time       // zero if the keys are not at a URI
	Findings  domain.Findings // only those about keys
}

// ClientKeys returns the keys of a client of the caller's tenant. It fetches keys at a
// URI regardless of the policy for updates. The client may be one that only a client ID
// metadata document defines. The errors are those of [Registry.Find] and
// [KeyResolver.Fetch], and a [*RetryError] that wraps [ErrUnavailable] if this document
// cannot be fetched.
func (r *Registry) ClientKeys(ctx context.Context, caller Caller, id domain.ClientID) (KeysInForce, error) {
	client, err := r.findOrResolve(ctx, caller, OpGetClientKeys, id)
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
	facts := domain.Facts{Keys: inForce.Keys, Server: serverOf(ctx, r.config.Servers, caller.Tenant)}
	inForce.Findings = r.config.Book.Validate(settings, facts, r.now()).AboutKeys()
	return inForce, nil
}

// findOrResolve is find, also for a client that only a client ID metadata document defines.
func (r *Registry) findOrResolve(ctx context.Context, caller Caller, op Operation, id domain.ClientID) (domain.Client, error) {
	client, err := r.find(ctx, caller, op, id)
	if !errors.Is(err, ErrNotFound) || !id.IsDocumentURL() {
		return client, err
	}
	return r.documentClient(ctx, caller.Tenant, id)
}

// Effective returns the settings that an authorization server is to apply for a client
// with the given settings (see [domain.Rulebook.Effective]).
func (r *Registry) Effective(settings domain.Settings) domain.Settings {
	return r.config.Book.Effective(settings)
}

// PublicKeys returns the JWK Set of an active client: its inline keys as they were
// registered, or those that were fetched from its jwks_uri a short while ago. It needs no
// permission and fetches nothing. The error is [ErrNotFound], also if the tenant does not
// exist, if the client is deleted or suspended, and if there are no keys, or that of the
// store. The set may have private parameters if it was fetched; the caller must publish
// only public ones.
func (r *Registry) PublicKeys(ctx context.Context, tenant domain.TenantID, id domain.ClientID) (jwks string, err error) {
	client, err := r.config.Store.Find(ctx, tenant, id)
	if err != nil {
		return "", fmt.Errorf("read the public keys of a client: %w", err)
	}
	settings := client.Settings()
	if client.Deleted() || settings.Status != domain.StatusActive {
		return "", ErrNotFound
	}
	if uri := settings.Keys.URI(); uri != "" {
		jwks, _ = r.config.Keys.Cached(uri)
	} else {
		jwks = settings.Keys.Inline()
	}
	if jwks == "" {
		return "", ErrNotFound
	}
	return jwks, nil
}

// Assess checks a client of the caller's tenant against profiles. The errors are those
// of [Registry.Find] and [KeyResolver.Fetch].
func (r *Registry) Assess(
	ctx context.Context, caller Caller, id domain.ClientID, profiles []domain.Profile,
) ([]domain.Assessment, error) {
	client, err := r.find(ctx, caller, OpGetClientCompliance, id)
	if err != nil {
		return nil, err
	}
	return r.assess(ctx, caller.Tenant, client.Settings(), profiles)
}

// AssessDraft checks an unsaved configuration against profiles: the result of a
// registration with the change. The error is [ErrForbidden], or an [*InvalidError] if
// both jwks and jwks_uri are set, which cannot be a configuration.
func (r *Registry) AssessDraft(
	ctx context.Context, caller Caller, change domain.Change, profiles []domain.Profile,
) ([]domain.Assessment, error) {
	if err := caller.May(OpCheckCompliance); err != nil {
		return nil, err
	}
	draft := r.config.Book.Register(domain.Identity{}, change)
	if findings := draft.ConflictingKeys(); findings.HasViolations() {
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
	sector, err := resolveSector(ctx, r.config.Sectors, tenant, settings.SectorIdentifierURI, true)
	if err != nil {
		return nil, fmt.Errorf("assess a client: %w", err)
	}
	facts := domain.Facts{Keys: keys, Sector: sector, Server: serverOf(ctx, r.config.Servers, tenant)}
	now := r.now()
	assessed := make([]domain.Assessment, len(profiles))
	for i, profile := range profiles {
		assessed[i] = r.config.Book.Assess(settings, profile, facts, now)
	}
	return assessed, nil
}

// Rules returns the rulebook. The error is [ErrForbidden].
func (r *Registry) Rules(caller Caller) ([]domain.Rule, error) {
	if err := caller.May(OpListRules); err != nil {
		return nil, err
	}
	return domain.PublishedRules(), nil
}
