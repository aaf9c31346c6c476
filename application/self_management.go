package application

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/clientele-oauth/clientele/domain"
)

// MayManage returns nil if the token is the registration access token of the client,
// before the body of the request is read. It changes nothing, so this is no use of the
// token. The error is [ErrRegistrationOff], [ErrInvalidToken], [ErrNoRegistrationToken],
// [ErrManagementDenied] or that of the store.
func (r *Registry) MayManage(ctx context.Context, tenant domain.TenantID, id domain.ClientID, token string) error {
	_, _, err := r.findManaged(ctx, tenant, id, token)
	return err
}

// findManaged returns the client that the token manages, and whether the token is the
// current one. The errors are those of [Registry.MayManage].
func (r *Registry) findManaged(
	ctx context.Context, tenant domain.TenantID, id domain.ClientID, token string,
) (client domain.Client, current bool, err error) {
	of, err := r.RegistrationPolicy(tenant)
	switch {
	case err != nil:
		return domain.Client{}, false, err
	case token == "":
		return domain.Client{}, false, ErrNoRegistrationToken
	}
	client, err = r.config.Store.Find(ctx, tenant, id)
	switch {
	case errors.Is(err, ErrNotFound):
		client = domain.Client{}
	case err != nil:
		return domain.Client{}, false, err
	}
	current, ok := client.VerifyRegistrationToken(token, r.config.Peppers, r.now()) // also without a client: it takes the same time
	switch {
	case !ok || client.Deleted():
		return domain.Client{}, false, ErrInvalidToken
	case client.Settings().Status == domain.StatusSuspended, of.Policy.Unmanaged:
		return domain.Client{}, false, ErrManagementDenied
	default:
		return client, current, nil
	}
}

// manage is findManaged for a use case. A use that shows which of two tokens the client has
// ends the other one, see [domain.Client.WithTokenUse].
func (r *Registry) manage(
	ctx context.Context, tenant domain.TenantID, id domain.ClientID, token string, reading bool,
) (domain.Client, error) {
	client, current, err := r.findManaged(ctx, tenant, id, token)
	if err != nil {
		return client, err
	}
	client, ended := client.WithTokenUse(current, reading)
	if ended {
		err = r.config.Registrations.Store.AdoptRegistration(ctx, client)
	}
	if errors.Is(err, ErrConflict) { // changed in the meantime; the next use ends the token
		err = nil
	}
	return client, err
}

// selfManager returns the caller that a client is which manages its registration.
func selfManager(c *domain.Client) Caller {
	identity, registration := c.Identity(), c.Registration()
	actor := domain.Actor{
		Subject: subjectOfSelf, ClientID: identity.ClientID, Via: domain.ViaRegistrationToken,
		TokenID: registration.TokenID, IssuedBy: registration.IssuedBy, SoftwareID: registration.Statement.Software(),
	}
	return Caller{Tenant: identity.TenantID, Subject: subjectOfSelf, ClientID: identity.ClientID, registration: &actor}
}

// FindSelf reads the registration of a client (RFC 7592 §2.1). The errors are those of
// [Registry.MayManage].
func (r *Registry) FindSelf(ctx context.Context, tenant domain.TenantID, id domain.ClientID, token string) (SelfRegistered, error) {
	client, err := r.manage(ctx, tenant, id, token, true)
	if err != nil {
		return SelfRegistered{}, err
	}
	return SelfRegistered{Client: client, SecretExpires: r.secretEnd(&client), Token: token}, nil
}

// secretEnd returns when the newest secret of the client ends; zero if it does not end.
func (r *Registry) secretEnd(c *domain.Client) time.Time {
	live := c.LiveSecrets(r.now())
	if len(live) == 0 {
		return time.Time{}
	}
	return live[len(live)-1].ExpiresAt
}

// ReviseSelf updates the registration of a client (RFC 7592 §2.2): what the client sends
// replaces all that it may set. A new software statement must be about the same software,
// by the same issuer, as the one that the client has. A client with a secret method and
// without an active secret gets a new one. An update without effect makes no revision. The
// error is that of [Registry.MayManage], a [*StatementError], [ErrReplayed],
// [ErrSoftwareTaken], [ErrPreconditionFailed], an [*InvalidError] with every violation, or
// that of the store.
func (r *Registry) ReviseSelf(ctx context.Context, id domain.ClientID, request SelfRequest) (SelfRegistered, error) {
	client, err := r.manage(ctx, request.Tenant, id, request.Token, false)
	if err != nil {
		return SelfRegistered{}, err
	}
	of, err := r.RegistrationPolicy(request.Tenant)
	if err != nil {
		return SelfRegistered{}, err
	}
	if kept := client.Registration().Statement; kept != nil && request.Statement == kept.Text {
		request.Statement = "" // the client sends back what it has read: the claims stay, as without a statement
	}
	pinned := client.Registration().Policy
	statement, err := r.statement(ctx, of.TrustedIssuers(pinned), request, r.now())
	if err != nil {
		return SelfRegistered{}, err
	}
	findings, err := r.checkPresented(ctx, &client, id, request)
	if err != nil {
		return SelfRegistered{}, err
	}
	opts := request.Options
	if statement != nil {
		opts.claim = &RegistrationClaim{Statement: statement}
	}
	update := selfUpdate{registry: r, request: request, statement: statement, findings: findings}
	revised, err := r.change(ctx, selfManager(&client), id, domain.ActionUpdate, opts, update.decide)
	if err == nil && revised.Unchanged && update.former {
		err = r.keepFormerToken(ctx, revised.Client)
	}
	if err != nil {
		return SelfRegistered{}, err
	}
	result := SelfRegistered{
		Client: revised.Client, Warnings: revised.Warnings, Token: request.Token, SecretExpires: r.secretEnd(&revised.Client),
	}
	if !revised.Unchanged {
		result.Secret = update.secret
		if update.token != "" {
			result.Token = update.token
		}
	}
	return result, nil
}

// keepFormerToken stores that the token before the last rotation is the current one again,
// after an update with it that makes no revision.
func (r *Registry) keepFormerToken(ctx context.Context, c domain.Client) error {
	err := r.config.Registrations.Store.AdoptRegistration(ctx, c)
	if errors.Is(err, ErrConflict) { // changed in the meantime; the next update does it
		return nil
	}
	return err
}

// selfUpdate is an update of a registration. Its decision can be repeated.
type selfUpdate struct {
	registry  *Registry
	request   SelfRequest
	statement *domain.Statement
	findings  domain.Findings

	secret, token string // the values of the last decision; empty if it made none
	former        bool   // the last decision makes the token before the last rotation the current one
}

// decide computes the next revision of a client.
func (u *selfUpdate) decide(ctx context.Context, c domain.Client, now time.Time) (domain.Outcome, error) {
	r := u.registry
	u.secret, u.token, u.former = "", "", false
	current, ok := c.VerifyRegistrationToken(u.request.Token, r.config.Peppers, now)
	if !ok { // taken away in the meantime
		return domain.Outcome{}, ErrInvalidToken
	}
	if kept := c.Registration().Statement; kept != nil && u.statement != nil && !kept.SameSoftware(u.statement) {
		return domain.Outcome{}, &StatementError{
			Reason: StatementInvalid, Message: "the software statement must have the iss and the software_id of the one that the client has; register other software as another client",
		}
	}
	if used, changed := c.WithTokenUse(current, false); changed { // if manage could not store it
		c, current = used, true
	}
	draft, err := r.config.Book.ReviseSelf(c, u.request.Metadata, u.statement)
	if err != nil {
		return domain.Outcome{}, err
	}
	outcome, err := r.decide(ctx, u.request.Tenant, draft, now)
	if err != nil {
		return domain.Outcome{}, err
	}
	outcome.Findings = slices.Concat(u.findings, outcome.Findings.Independent(u.findings.Fields()))
	if outcome.Findings.HasViolations() {
		return outcome, nil
	}
	policy := c.Registration().Policy
	if outcome.Client.UsesSecret() && !outcome.Client.SecretsUnreadable() && !outcome.Client.HasActiveSecret(now) {
		var secret domain.Secret
		secret, u.secret = r.selfSecret(policy, now)
		if outcome.Client.Revision() == c.Revision() {
			outcome.Client, err = outcome.Client.IssueSecret(secret, now)
		} else {
			outcome.Client = outcome.Client.WithSecret(secret, now)
		}
	}
	switch {
	case err != nil:
	case !current: // the response with the new token was lost
		outcome.Client, u.former = outcome.Client.WithFormerToken(), true
	case policy.RotateOnUpdate && outcome.Client.Revision() != c.Revision():
		var token domain.RegistrationToken
		token, u.token = domain.NewRegistrationToken(r.config.Random.Entropy(), r.pepper(), now)
		outcome.Client, err = outcome.Client.WithRotatedToken(token, now)
	}
	return outcome, err
}

// checkPresented checks the client_id and the client_secret of an update (RFC 7592 §2.2).
// The findings are those of the request and these.
func (r *Registry) checkPresented(ctx context.Context, c *domain.Client, id domain.ClientID, request SelfRequest) (domain.Findings, error) {
	findings := slices.Clone(request.Findings)
	if request.ClientID != id {
		findings = append(findings, domain.RegistrationFinding(domain.RuleClientIDRepeated, "/client_id",
			"client_id must be the identifier of the client in the path"))
	}
	if request.Secret == nil {
		return findings, nil
	}
	verified, err := r.verify(ctx, *c, *request.Secret)
	if err != nil {
		return nil, err
	}
	if !verified.Valid {
		findings = append(findings, domain.RegistrationFinding(domain.RuleSecretRepeated, "/client_secret",
			"client_secret must be a secret of the client that is valid; omit it, because an update cannot choose one"))
	}
	return findings, nil
}

// DeleteSelf deletes a client at its own request (RFC 7592 §2.3). The errors are those of
// [Registry.MayManage] and [ErrPreconditionFailed].
func (r *Registry) DeleteSelf(ctx context.Context, tenant domain.TenantID, id domain.ClientID, token string, opts Options) error {
	client, err := r.manage(ctx, tenant, id, token, false)
	if err != nil {
		return err
	}
	_, err = r.change(ctx, selfManager(&client), id, domain.ActionDelete, opts,
		func(_ context.Context, c domain.Client, now time.Time) (outcome domain.Outcome, err error) {
			if _, ok := c.VerifyRegistrationToken(token, r.config.Peppers, now); !ok {
				return outcome, ErrInvalidToken
			}
			outcome.Client, err = c.Delete(now)
			return outcome, err
		})
	if errors.Is(err, ErrNotFound) { // deleted in the meantime
		return fmt.Errorf("%w: %w", ErrInvalidToken, err)
	}
	return err
}
