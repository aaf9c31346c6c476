package application

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/clientele-oauth/clientele/domain"
)

// RegistrationConfig contains the ports and options for registrations from outside. The
// zero value switches everything off; otherwise all ports are required.
type RegistrationConfig struct {
	Store      RegistrationStore
	Policies   RegistrationPolicies
	Statements StatementVerifier
	Documents  ClientDocuments
	// PublicURL is the URL at which others reach the service, without a slash at the end.
	// Without it no client can register itself or manage its registration; client ID
	// metadata documents do not need it.
	PublicURL string
	// Tokens limits the registrations with each initial access token; nil means no limit.
	Tokens Limiter
}

// SelfRequest is a request of a client that registers itself or manages its registration.
type SelfRequest struct {
	Tenant domain.TenantID
	// Token is the bearer token of the request: an initial access token, or the registration
	// access token of the client; empty if there is none.
	Token string
	// Metadata are the client metadata with registered names that are given, see
	// [domain.SelfRegistration].
	Metadata domain.Change
	// Findings are the violations that the form of the request has; they are reported
	// together with those of the rules.
	Findings domain.Findings
	// Statement is the software statement; empty if there is none.
	Statement string
	// Verified is the software statement of a request that is a JWT, see
	// [Registry.OpenRegistration].
	Verified *domain.Statement
	// ClientID and Secret are the members client_id and client_secret of an update.
	ClientID domain.ClientID
	Secret   *string

	Options Options
}

// SelfRegistered is the result of a registration, or of the management of one.
type SelfRegistered struct {
	Client domain.Client
	// Secret is the value of a new secret, which is returned only once, and SecretExpires
	// the end of the newest secret, which is zero if it does not end.
	Secret        string
	SecretExpires time.Time
	// Token is the registration access token to return: the new one, or the presented one.
	Token    string
	Warnings domain.Findings
	// Repeated reports that an earlier request with the same idempotency key made the
	// registration. Its token and its secret are not kept.
	Repeated bool
}

// subjectOfSelf is the subject of clients that register themselves, in the log.
const subjectOfSelf = "registration"

// allowance is what a request may do that registers a client.
type allowance struct {
	tenant domain.TenantID
	policy domain.RegistrationPolicy
	// trusted are the issuers of software statements that the policy allows.
	trusted []domain.StatementIssuer
	// token is the initial access token; nil without one.
	token *domain.InitialToken
	// maxClients limits the clients of the tenant that registered themselves.
	maxClients int
}

// on reports whether the ports are set.
func (c RegistrationConfig) on() bool { return c.Store != nil }

// tenant returns the policy of a tenant, as far as the configuration allows it. The zero
// value means that everything is switched off.
func (c RegistrationConfig) tenant(id domain.TenantID) TenantRegistration {
	if !c.on() {
		return TenantRegistration{}
	}
	of := c.Policies.Registration(id)
	of.Enabled = of.Enabled && c.PublicURL != ""
	return of
}

// RegistrationPolicy returns the policy of a tenant for registrations from outside. The
// error is [ErrRegistrationOff].
func (r *Registry) RegistrationPolicy(tenant domain.TenantID) (TenantRegistration, error) {
	of := r.config.Registrations.tenant(tenant)
	if !of.Enabled {
		return TenantRegistration{}, ErrRegistrationOff
	}
	return of, nil
}

// MayRegister returns nil if a request with this token may register a client in the
// tenant, before its body is read. An initial access token without a use left is valid only
// for an idempotency key that was used with it; an empty key is none. The error is
// [ErrRegistrationOff], [ErrInvalidToken], [ErrNoRegistrationToken], [ErrTooManyRequests] or
// that of the store.
func (r *Registry) MayRegister(ctx context.Context, tenant domain.TenantID, token, key string) error {
	allowed, err := r.allowance(ctx, tenant, token, key)
	if err != nil {
		return err
	}
	limit := r.config.Registrations.Tokens
	if allowed.token != nil && limit != nil && !limit.Allow(tenant, allowed.token.ID) {
		return ErrTooManyRequests
	}
	return nil
}

// allowance finds out what a request with the token may do. See [Registry.MayRegister]
// for the idempotency key and the errors.
func (r *Registry) allowance(ctx context.Context, tenant domain.TenantID, token, key string) (allowance, error) {
	of, err := r.RegistrationPolicy(tenant)
	if err != nil {
		return allowance{}, err
	}
	allowed := allowance{tenant: tenant, policy: of.Policy, maxClients: of.Policy.MaxClients}
	switch {
	case token != "":
		initial, err := r.initialToken(ctx, tenant, token)
		if err != nil {
			return allowance{}, err
		}
		allowed.token = &initial
		allowed.policy = of.Policy.Narrow(initial.Policy)
		if initial.UsedUp() {
			if err := r.checkRepeats(ctx, allowed.caller(), key); err != nil {
				return allowance{}, err
			}
		}
	case !of.Policy.Open:
		return allowance{}, ErrNoRegistrationToken
	}
	allowed.trusted = of.TrustedIssuers(allowed.policy)
	return allowed, nil
}

// checkRepeats returns nil if the caller made a registration with the idempotency key, and
// [ErrTokenEnded] if not. Whether the requests are equal is checked when the body is known.
func (r *Registry) checkRepeats(ctx context.Context, caller Caller, key string) error {
	if key == "" {
		return ErrTokenEnded
	}
	switch _, err := r.findRecord(ctx, caller, key); {
	case errors.Is(err, ErrNotFound):
		return ErrTokenEnded
	default:
		return err
	}
}

// TrustedIssuers returns the issuers whose software statements a registration may have,
// where policy is the one of the registration, which narrows that of the tenant: none
// unless both accept software statements.
func (t TenantRegistration) TrustedIssuers(policy domain.RegistrationPolicy) []domain.StatementIssuer {
	switch {
	case !t.Policy.Statement.Accepts() || !policy.Statement.Accepts():
		return nil
	case policy.Issuers == nil:
		return t.Issuers
	}
	return slices.DeleteFunc(slices.Clone(t.Issuers), func(i domain.StatementIssuer) bool {
		return !slices.Contains(policy.Issuers, i.Issuer)
	})
}

// initialToken returns the initial access token with that value. The error is [ErrInvalidToken]
// if there is none in the tenant, or if it has ended.
func (r *Registry) initialToken(ctx context.Context, tenant domain.TenantID, value string) (domain.InitialToken, error) {
	id, ok := domain.InitialTokenID(value)
	if !ok {
		return domain.InitialToken{}, ErrInvalidToken
	}
	token, err := r.config.Registrations.Store.FindInitialToken(ctx, tenant, id)
	switch {
	case errors.Is(err, ErrNotFound):
		return domain.InitialToken{}, ErrInvalidToken
	case err != nil:
		return domain.InitialToken{}, err
	case !token.Verify(value, r.config.Peppers):
		return domain.InitialToken{}, ErrInvalidToken
	case token.Ended(r.now()):
		return domain.InitialToken{}, ErrTokenEnded
	}
	return token, nil
}

// OpenRegistration verifies a registration request that is a JWT, and the software statement
// in it. claims is the JSON object of the request. The error is that of
// [Registry.MayRegister] or of [StatementVerifier.VerifyRequest].
func (r *Registry) OpenRegistration(
	ctx context.Context, tenant domain.TenantID, token, key, text string,
) (claims []byte, statement *domain.Statement, err error) {
	allowed, err := r.allowance(ctx, tenant, token, key)
	if err != nil {
		return nil, nil, err
	}
	claims, verified, err := r.config.Registrations.Statements.VerifyRequest(
		ctx, tenant, allowed.trusted, r.RegistrationEndpoint(tenant), text, r.now())
	if err != nil {
		return nil, nil, err
	}
	return claims, &verified, nil
}

// RegisterSelf registers a client (RFC 7591 §3). The error is that of
// [Registry.MayRegister], a [*StatementError], [ErrReplayed], [ErrSoftwareTaken], a
// [*TooManyRegisteredError], [ErrQuota], [ErrKeyReused], [ErrDeletedSince], an [*InvalidError] with every
// violation, or that of the store. On error nothing was stored, and no use of the token was
// taken, except that this is unknown after [ErrUnavailable].
func (r *Registry) RegisterSelf(ctx context.Context, request SelfRequest) (SelfRegistered, error) {
	key := ""
	if request.Options.Idempotency != nil {
		key = request.Options.Idempotency.Key
	}
	allowed, err := r.allowance(ctx, request.Tenant, request.Token, key)
	if err != nil {
		return SelfRegistered{}, err
	}
	caller := allowed.caller()
	registered, err := r.registerSelf(ctx, caller, allowed, request)
	if r.isRepeated(ctx, caller, request.Options, err) {
		registered, err = r.earlierSelfRegistration(ctx, caller, request.Options)
	}
	if err != nil {
		return SelfRegistered{}, fmt.Errorf("register a client: %w", err)
	}
	return registered, nil
}

// caller returns the caller of the registration. Its subject is that of the idempotency
// records: keys of different initial access tokens are different.
func (a allowance) caller() Caller {
	caller := Caller{Tenant: a.tenant, Subject: subjectOfSelf}
	if a.token != nil {
		caller.Subject += " " + a.token.ID
	}
	return caller
}

// actor returns the author of the first revision of the client.
func (a allowance) actor(id domain.ClientID, statement *domain.Statement) domain.Actor {
	actor := domain.Actor{Subject: subjectOfSelf, ClientID: id, Via: domain.ViaOpen, SoftwareID: statement.Software()}
	switch {
	case a.token != nil:
		actor.Via, actor.TokenID, actor.IssuedBy = domain.ViaInitialToken, a.token.ID, a.token.IssuedBy
	case statement != nil:
		actor.Via = domain.ViaStatement
	}
	return actor
}

func (r *Registry) registerSelf(ctx context.Context, caller Caller, allowed allowance, request SelfRequest) (SelfRegistered, error) {
	opts := request.Options
	if err := r.checkProcessed(ctx, caller, opts); err != nil {
		return SelfRegistered{}, err
	}
	if allowed.token != nil && allowed.token.UsedUp() {
		return SelfRegistered{}, ErrTokenEnded
	}
	now := r.now()
	statement, err := r.statement(ctx, allowed.trusted, request, now)
	if err != nil {
		return SelfRegistered{}, err
	}
	if err := r.checkQuota(ctx, allowed.tenant); err != nil {
		return SelfRegistered{}, err
	}
	identity := domain.Identity{TenantID: allowed.tenant}
	if !opts.DryRun {
		identity.ID, identity.ClientID = "client_"+r.config.Random.ID(), domain.ClientID("app-"+r.config.Random.ID())
	}
	actor := allowed.actor(identity.ClientID, statement)
	caller.registration = &actor
	draft := r.config.Book.RegisterSelf(identity, domain.SelfRegistration{
		Metadata: request.Metadata, Policy: allowed.policy, Statement: statement,
		Via: actor.Via, TokenID: actor.TokenID, IssuedBy: actor.IssuedBy,
	})
	outcome, err := r.decide(ctx, allowed.tenant, draft, now)
	if err != nil {
		return SelfRegistered{}, err
	}
	outcome.Findings = outcome.Findings.Independent(request.Findings.Fields())
	if findings := slices.Concat(request.Findings, outcome.Findings); findings.HasViolations() {
		return SelfRegistered{}, &InvalidError{Findings: findings}
	}
	registered := SelfRegistered{Client: outcome.Client, Warnings: outcome.Findings.Warnings()}
	if opts.DryRun {
		return registered, nil
	}
	r.equip(&registered, allowed.policy, now)
	opts.claim = &RegistrationClaim{MaxClients: allowed.maxClients, Statement: statement}
	if allowed.token != nil {
		opts.claim.TokenID, opts.claim.MaxTokenClients = allowed.token.ID, allowed.token.Policy.MaxClients
	}
	return registered, r.commit(ctx, caller, domain.ActionCreate, registered.Client, opts)
}

// equip gives a new client its secret and its registration access token, as far as it needs
// them.
func (r *Registry) equip(registered *SelfRegistered, policy domain.RegistrationPolicy, now time.Time) {
	if registered.Client.UsesSecret() {
		secret, value := r.selfSecret(policy, now)
		registered.Client = registered.Client.WithFirstSecret(secret)
		registered.Secret, registered.SecretExpires = value, secret.ExpiresAt
	}
	if !policy.Unmanaged {
		token, value := domain.NewRegistrationToken(r.config.Random.Entropy(), r.pepper(), now)
		registered.Client = registered.Client.WithFirstRegistrationToken(token)
		registered.Token = value
	}
}

// selfSecret returns a new secret of a client that registered itself.
func (r *Registry) selfSecret(policy domain.RegistrationPolicy, now time.Time) (secret domain.Secret, value string) {
	secret, value = r.newSecret(now)
	if policy.SecretTTL > 0 {
		secret.ExpiresAt = now.Add(policy.SecretTTL)
	}
	return secret, value
}

// statement verifies the software statement of a request, if it has one. A statement is
// never ignored: one of an issuer that is not trusted is rejected.
func (r *Registry) statement(
	ctx context.Context, issuers []domain.StatementIssuer, request SelfRequest, now time.Time,
) (*domain.Statement, error) {
	switch {
	case request.Verified != nil:
		return request.Verified, nil
	case request.Statement == "":
		return nil, nil //nolint:nilnil // without a statement
	case len(issuers) == 0:
		return nil, &StatementError{Reason: StatementInvalid, Message: "software statements are not accepted here; omit software_statement"}
	}
	verified, err := r.config.Registrations.Statements.Verify(ctx, issuers, request.Statement, now)
	if err != nil {
		return nil, err
	}
	return &verified, nil
}

// earlierSelfRegistration returns the client that an earlier request registered, without
// its secret and its token, which are not kept. The error is [ErrDeletedSince] if that client
// is deleted.
func (r *Registry) earlierSelfRegistration(ctx context.Context, caller Caller, opts Options) (SelfRegistered, error) {
	record, err := r.attempt(ctx, caller, opts)
	if err != nil {
		return SelfRegistered{}, err
	}
	current, err := r.config.Store.Find(ctx, caller.Tenant, record.ClientID)
	switch {
	case errors.Is(err, ErrNotFound), err == nil && current.Deleted():
		return SelfRegistered{}, ErrDeletedSince
	case err != nil:
		return SelfRegistered{}, err
	}
	earlier, err := r.earlierRegistration(ctx, caller, opts)
	if err != nil {
		return SelfRegistered{}, err
	}
	return SelfRegistered{Client: earlier.Client.WithRegistrationOf(current), Repeated: true}, nil
}

// RegistrationEndpoint returns the URL at which clients of the tenant register themselves.
func (r *Registry) RegistrationEndpoint(tenant domain.TenantID) string {
	return r.config.Registrations.PublicURL + "/oauth/" + url.PathEscape(string(tenant)) + "/register"
}

// RegistrationURI returns the URL at which a client manages its registration (RFC 7592 §3).
func (r *Registry) RegistrationURI(tenant domain.TenantID, id domain.ClientID) string {
	return r.RegistrationEndpoint(tenant) + "/" + url.PathEscape(string(id))
}
