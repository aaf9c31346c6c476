package application

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/clientele-oauth/clientele/domain"
)

// AuthenticationRequest is what a client sent to an authorization server to authenticate,
// and what the server accepts.
type AuthenticationRequest struct {
	Authorization string // the header
	Form          domain.AuthForm
	// Certificate is the certificate of the mutual TLS connection, see
	// [CredentialReader.ReadCertificate].
	Certificate string
	// CertificateUnverified reports that the chain of the certificate was not
	// validated. It can then not be used for tls_client_auth.
	CertificateUnverified bool
	// Audiences are the values of "aud" that the server accepts in client assertions.
	Audiences []string
}

// Authentication is the result of authenticating a client.
type Authentication struct {
	Client domain.Client
	Method domain.AuthMethod
	// SecretID is the secret, if the method uses one.
	SecretID string
	// KeyID is the "kid" of the key that signed the assertion, if it has one.
	KeyID string
	// CacheableUntil is until when the result may be kept for the same request; zero if it
	// must not be kept, as for an assertion, which is used only once.
	CacheableUntil time.Time
}

// undecidedAfter is after which time a request may be repeated that could not be decided.
// Failures to fetch keys are remembered for this time.
const undecidedAfter = 2 * time.Second

// Authenticate decides which client of the caller's tenant sent a request (RFC 6749 §2.3,
// OIDC Core §9, RFC 7523 §3, RFC 8705 §2). The error is an [*AuthenticationError] if no
// client is authenticated, [ErrNoAudiences], [ErrTooManyRequests] and a [*RetryError] as for
// [Registry.VerifySecret], or wraps [ErrUnavailable] if it cannot be decided: the store or
// the keys of the client are not available, or its stored record cannot be read.
//
// An assertion counts as used only if everything else about it is valid, so that only
// a holder of the client's key can use it up.
func (r *Registry) Authenticate(ctx context.Context, caller Caller, request AuthenticationRequest) (Authentication, error) {
	if err := caller.May(OpAuthenticateClient); err != nil {
		return Authentication{}, err
	}
	if err := r.checkVerificationRate(caller); err != nil {
		return Authentication{}, err
	}
	attempt := authentication{registry: r, tenant: caller.Tenant, request: request}
	result, failure, err := attempt.run(ctx)
	switch {
	case err != nil:
		return Authentication{}, fmt.Errorf("authenticate client: %w", undecided(err))
	case failure != "":
		return Authentication{}, &AuthenticationError{Reason: failure, ClientID: attempt.credentials.ClientID}
	default:
		return result, nil
	}
}

// undecided converts an error about the stored record of a client to one that says that
// nothing is known. The authorization server must not take it for a failed authentication,
// nor for a bug.
func undecided(err error) error {
	if !errors.Is(err, ErrUnreadable) && !errors.Is(err, domain.ErrSecretsUnreadable) {
		return err
	}
	return &RetryError{
		Cause: fmt.Errorf("%w: %s", ErrUnavailable, err.Error()), After: undecidedAfter,
		Message: "the stored record of the client cannot be read; the operator can repair it with clientele doctor",
	}
}

// authentication is the authentication of one client.
type authentication struct {
	registry *Registry
	tenant   domain.TenantID
	request  AuthenticationRequest

	credentials domain.Credentials
	assertion   domain.ClientAssertion
	certificate domain.ClientCertificate
	client      domain.Client
}

// run returns the result, why the client is not authenticated, or why this is not known.
func (a *authentication) run(ctx context.Context) (result Authentication, failure domain.AuthFailure, err error) {
	if failure, err = a.read(); failure != "" || err != nil {
		return result, failure, err
	}
	if failure, err = a.find(ctx); failure != "" || err != nil {
		return result, failure, err
	}
	methods, failure := a.client.Settings().Accepts(a.credentials, a.request.Certificate != "")
	if failure != "" {
		return result, failure, nil
	}
	for _, method := range methods {
		result = Authentication{Client: a.client, Method: method}
		switch method {
		case domain.AuthSecretBasic, domain.AuthSecretPost:
			failure, err = a.bySecret(ctx, &result)
		case domain.AuthPrivateKeyJWT:
			failure, err = a.byAssertion(ctx, &result)
		case domain.AuthTLS, domain.AuthSelfSignedTLS:
			failure, err = a.byCertificate(ctx, &result)
		default: // none: a public client only identifies itself
			a.keep(&result, time.Time{})
		}
		if failure == "" || err != nil {
			break
		}
	}
	return result, failure, err
}

// read reads the credentials, and finds out which client they are about.
func (a *authentication) read() (failure domain.AuthFailure, err error) {
	if a.credentials, failure = domain.ReadCredentials(a.request.Authorization, a.request.Form); failure != "" {
		a.credentials.ClientID = a.request.Form.ClientID
		return failure, nil
	}
	reader := a.registry.config.Credentials
	if a.request.Certificate != "" && a.credentials.Method == "" {
		var ok bool
		if a.certificate, ok = reader.ReadCertificate(a.request.Certificate); !ok {
			return domain.FailureCertificateMalformed, nil
		}
	}
	if a.credentials.Method != domain.AuthPrivateKeyJWT {
		return "", nil
	}
	if len(a.request.Audiences) == 0 {
		return "", ErrNoAudiences
	}
	var ok bool
	if a.assertion, ok = reader.ReadAssertion(a.credentials.Assertion); !ok {
		return domain.FailureAssertionMalformed, nil
	}
	id, failure := a.assertion.Names()
	switch {
	case failure != "":
		return failure, nil
	case a.credentials.ClientID != "" && a.credentials.ClientID != id:
		return domain.FailureIdentities, nil
	}
	a.credentials.ClientID = id
	return "", nil
}

// find reads the client, also one that a client ID metadata document defines. For a client
// that does not exist, a secret is hashed all the same, so that this takes the time of a wrong
// secret.
func (a *authentication) find(ctx context.Context) (domain.AuthFailure, error) {
	identity := domain.Identity{TenantID: a.tenant, ClientID: a.credentials.ClientID}
	var err error
	if identity.ClientID.IsPossible() {
		a.client, err = a.registry.config.Store.Find(ctx, a.tenant, identity.ClientID)
	} else {
		err = ErrNotFound
	}
	switch {
	case err == nil && !a.client.Deleted():
		if a.client.Settings().Status != domain.StatusActive {
			return domain.FailureSuspended, nil
		}
		return "", nil
	case err != nil && !errors.Is(err, ErrNotFound):
		return "", err
	case err != nil && identity.ClientID.IsDocumentURL() && a.credentials.Secret == "":
		return a.resolve(ctx)
	}
	if a.credentials.Secret != "" {
		var unknown domain.Client
		unknown.VerifySecret(a.credentials.Secret, a.registry.config.Peppers, a.registry.now())
		if err := a.registry.checkFailures(identity); err != nil {
			return "", err
		}
		a.registry.failed(identity)
	}
	return domain.FailureUnknown, nil
}

// resolve reads the client from its client ID metadata document, if that defines one.
func (a *authentication) resolve(ctx context.Context) (failure domain.AuthFailure, err error) {
	a.client, err = a.registry.documentClient(ctx, a.tenant, a.credentials.ClientID)
	if errors.Is(err, ErrNotFound) {
		return domain.FailureUnknown, nil
	}
	return "", err
}

// bySecret authenticates the client by a secret.
func (a *authentication) bySecret(ctx context.Context, result *Authentication) (domain.AuthFailure, error) {
	if err := requireSecrets(a.client); err != nil {
		return "", err
	}
	verification, err := a.registry.verify(ctx, a.client, a.credentials.Secret)
	switch {
	case err != nil:
		return "", err
	case !verification.Valid:
		return domain.FailureSecret, nil
	}
	result.SecretID = verification.SecretID
	a.keep(result, verification.ExpiresAt)
	return "", nil
}

// keep allows the caller to keep the result, but not beyond the end, if there is one.
func (a *authentication) keep(result *Authentication, end time.Time) {
	now, age := a.registry.now(), a.registry.config.VerificationAge
	if !end.IsZero() {
		age = min(age, end.Sub(now))
	}
	if age = age.Truncate(time.Second); age > 0 {
		result.CacheableUntil = now.Add(age)
	}
}

// byAssertion authenticates the client by an assertion (RFC 7523 §3).
func (a *authentication) byAssertion(ctx context.Context, result *Authentication) (domain.AuthFailure, error) {
	now := a.registry.now()
	if failure := a.assertion.Check(a.client.Settings(), a.request.Audiences, now); failure != "" {
		return failure, nil
	}
	failure, err := a.matchKeys(ctx, func(set domain.KeySet) domain.AuthFailure {
		keys := set.SigningKeys(&a.assertion)
		for _, key := range keys {
			if a.registry.config.Credentials.IsSignedBy(a.credentials.Assertion, a.assertion.Algorithm, key) {
				result.KeyID = key.KeyID
				return ""
			}
		}
		if len(keys) == 0 {
			return domain.FailureAssertionKey
		}
		return domain.FailureAssertionSignature
	})
	if failure != "" || err != nil {
		return failure, err
	}
	err = a.registry.config.Store.UseAssertion(ctx, AssertionUse{
		TenantID: a.tenant, ClientID: a.credentials.ClientID, Digest: sha256.Sum256([]byte(a.assertion.ID)),
		At: now, ExpiresAt: a.assertion.UsedUntil(),
	})
	if errors.Is(err, ErrReplayed) {
		return domain.FailureAssertionReplayed, nil
	}
	return "", err
}

// byCertificate authenticates the client by the certificate of the connection (RFC 8705
// §2).
func (a *authentication) byCertificate(ctx context.Context, result *Authentication) (domain.AuthFailure, error) {
	failure := a.certificate.Check(a.registry.now())
	var err error
	switch {
	case failure != "":
	case result.Method == domain.AuthTLS && a.request.CertificateUnverified:
		failure = domain.FailureCertificateUnverified
	case result.Method == domain.AuthTLS && !a.certificate.Has(a.client.Settings().TLSSubject):
		failure = domain.FailureCertificateSubject
	case result.Method == domain.AuthSelfSignedTLS:
		failure, err = a.matchKeys(ctx, func(set domain.KeySet) domain.AuthFailure {
			if !a.certificate.IsIn(set) {
				return domain.FailureCertificateUnknown
			}
			return ""
		})
	}
	if failure == "" && err == nil {
		a.keep(result, a.certificate.NotAfter)
	}
	return failure, err
}

// matchKeys looks for what the client presents in its keys. Keys at a URI are read again if
// it is not in those that are known, because the client may have replaced them.
func (a *authentication) matchKeys(
	ctx context.Context, match func(domain.KeySet) domain.AuthFailure,
) (domain.AuthFailure, error) {
	source, resolver := a.client.Settings().Keys, a.registry.config.Keys
	if source.URI() == "" {
		return match(resolver.Parse(source.Inline())), nil
	}
	failure := domain.FailureAssertionKey
	for _, fetch := range []func(context.Context, domain.TenantID, string) (domain.Keys, time.Time, error){resolver.Fetch, resolver.Refetch} {
		keys, _, err := fetch(ctx, a.tenant, source.URI())
		if err != nil {
			return "", err
		}
		set, seen := keys.Set()
		if !seen || set.Fault != domain.KeySetReadable {
			return "", keysUndecided(keys, set)
		}
		if failure = match(set); failure == "" {
			break
		}
	}
	return failure, nil
}

// keysUndecided returns the error about keys that were not read.
func keysUndecided(keys domain.Keys, set domain.KeySet) error {
	reason, unreachable := keys.Unreachable()
	switch {
	case unreachable:
	case keys.Refused():
		reason = "nothing is fetched from its host"
	default:
		reason = "it is not a JWK Set: " + set.Detail
	}
	return &RetryError{
		Cause: ErrUnavailable, After: undecidedAfter,
		Message: "the jwks_uri of the client cannot be read: " + reason,
	}
}

// How many records of uses are deleted at once, and how often in one call.
const (
	usesBatch   = 1000
	usesBatches = 100
)

// DeleteExpiredUses deletes the records of used assertions and software statements that have
// expired, in batches, so that no statement of the store takes long. It should be called
// every minute; each process may do so.
func (r *Registry) DeleteExpiredUses(ctx context.Context) error {
	if err := r.deleteExpired(ctx, r.config.Store.DeleteAssertionUses); err != nil {
		return fmt.Errorf("delete records of used assertions: %w", err)
	}
	if !r.config.Registrations.on() {
		return nil
	}
	if err := r.deleteExpired(ctx, r.config.Registrations.Store.DeleteStatementUses); err != nil {
		return fmt.Errorf("delete records of used software statements: %w", err)
	}
	return nil
}

// deleteExpired deletes expired records in batches.
func (r *Registry) deleteExpired(ctx context.Context, from func(ctx context.Context, expired time.Time, limit int) (int, error)) error {
	now := r.now()
	for range usesBatches {
		deleted, err := from(ctx, now, usesBatch)
		if err != nil || deleted < usesBatch {
			return err
		}
	}
	return nil
}
