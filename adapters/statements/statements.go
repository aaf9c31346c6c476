// Package statements verifies software statements (RFC 7591 §2.3) and registration requests
// that are JWTs, and reads the client metadata in them. The form of the statements of an
// issuer, such as those of Open Banking directories, is configuration
// ([domain.StatementIssuer]).
//
//	verifier, err := statements.New(statements.Options{Keys: resolver})
//	statement, err := verifier.Verify(ctx, issuers, text, time.Now())
package statements

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/clientele-oauth/clientele/adapters/internal/contract"
	"github.com/clientele-oauth/clientele/adapters/internal/jwk"
	"github.com/clientele-oauth/clientele/adapters/internal/jws"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// MaxRequestBytes limits a registration request that is a JWT. It contains a statement of
// up to [jws.MaxBytes], which base64url makes longer by a third.
const MaxRequestBytes = 64 << 10

// Options configure a [Verifier].
type Options struct {
	// Keys reads the keys of software, whose locations are not trusted. It must be set.
	Keys application.KeyResolver
	// Now returns the current time; nil means [time.Now]. It is used for the keys of
	// issuers.
	Now func() time.Time
	// Log receives a warning when the keys of an issuer can no longer be read; nil
	// discards them.
	Log *slog.Logger
}

// Verifier implements [application.StatementVerifier]. It keeps the keys that issuers
// publish for five minutes, and for up to fifteen if they cannot be read again. It is safe
// for concurrent use.
type Verifier struct {
	keys    application.KeyResolver
	issuers *issuerKeys
	schema  *contract.Schema
}

// New returns a verifier. It reads no keys yet. An error means that openapi.yaml does not
// describe a configuration.
func New(options Options) (*Verifier, error) {
	if options.Now == nil {
		options.Now = time.Now
	}
	if options.Log == nil {
		options.Log = slog.New(slog.DiscardHandler)
	}
	schema, err := contract.RequestSchema("UpdateClientRequest")
	if err == nil {
		err = schema.CheckFields(nil)
	}
	if err != nil {
		return nil, fmt.Errorf("the form of software statements: %w", err)
	}
	return &Verifier{keys: options.Keys, issuers: newIssuerKeys(options), schema: schema}, nil
}

// Verify implements [application.StatementVerifier]. The checks are, in this order: the
// form, the issuer, the algorithm, the signature by a key of the issuer, the times, the
// identifier, the form of the metadata, and at last whether the software is admitted. It
// rejects the statements of issuers with [domain.StatementIssuer.RequestJWT]: without a
// signed request, any holder of a statement could register the software.
func (v *Verifier) Verify(
	ctx context.Context, issuers []domain.StatementIssuer, text string, now time.Time,
) (domain.Statement, error) {
	statement, issuer, err := v.verify(ctx, issuers, text, now)
	if err == nil && issuer.RequestJWT {
		err = &application.StatementError{
			Reason: application.StatementInvalidRequest,
			Message: "a software statement of this issuer is accepted only in a signed registration (application/jwt or application/jose), not in an update; " +
				"to renew it, register again",
		}
	}
	if err != nil {
		return domain.Statement{}, err
	}
	return statement, nil
}

// verify returns the statement and its issuer.
func (v *Verifier) verify(
	ctx context.Context, issuers []domain.StatementIssuer, text string, now time.Time,
) (statement domain.Statement, issuer domain.StatementIssuer, err error) {
	message, err := jws.Parse(text)
	if err != nil {
		return statement, issuer, rejected("the software statement is malformed: %v", err)
	}
	name, _, err := message.Payload.Text("iss")
	if err != nil {
		return statement, issuer, rejected("the software statement is malformed: %v", err)
	}
	index := slices.IndexFunc(issuers, func(i domain.StatementIssuer) bool { return i.Issuer == name })
	if index < 0 || name == "" {
		return statement, issuer, rejected("the issuer of the software statement is not trusted")
	}
	issuer = issuers[index]
	if err := v.checkSignature(ctx, issuer, message); err != nil {
		return statement, issuer, err
	}
	statement = domain.Statement{Issuer: name, Text: text, UniqueSoftware: issuer.UniqueSoftware}
	remembered, err := checkStatementTimes(issuer, message.Payload, now)
	if err != nil {
		return statement, issuer, err
	}
	if issuer.OnceOnly {
		id, _, err := message.Payload.Text("jti")
		if err != nil || id == "" {
			return statement, issuer, rejected("the software statement has no jti")
		}
		statement.ID, statement.ExpiresAt = digestOf(name, id), remembered
	}
	if err := v.readMetadata(issuer, message.Payload, &statement); err != nil {
		return statement, issuer, err
	}
	if issuer.UniqueSoftware && statement.SoftwareID == "" {
		return statement, issuer, rejected("the software statement has no %s, by which software of its issuer is registered once", issuer.ClaimFor(domain.FieldSoftwareID))
	}
	return statement, issuer, admit(issuer, message.Payload)
}

// digestOf identifies a message with this jti by this issuer.
func digestOf(issuer, id string) *[sha256.Size]byte {
	digest := sha256.Sum256([]byte(issuer + "\x00" + id))
	return &digest
}

// checkSignature verifies a statement with a key of its issuer. Header parameters never
// choose the key (jku, jwk, x5u, x5c), except its kid.
func (v *Verifier) checkSignature(ctx context.Context, issuer domain.StatementIssuer, message *jws.Message) error {
	if !accepts(issuer, message.Header) {
		return rejected("the alg or typ of the software statement is not accepted for its issuer")
	}
	set, err := v.issuers.find(ctx, issuer, message)
	switch {
	case errors.Is(err, application.ErrUnavailable):
		return err
	case len(set.Signers(message.Header.Algorithm, message.Header.KeyID)) == 0:
		return rejected("the issuer has no key with the kid and for the algorithm of the software statement")
	case !isSigned(message, set):
		return rejected("the signature of the software statement is not valid")
	}
	return nil
}

// accepts reports whether messages may be signed with the algorithm in the header, and
// whether their media type is not that of a JWT for another purpose, such as at+jwt
// (RFC 8725 §3.11).
func accepts(issuer domain.StatementIssuer, header jws.Header) bool {
	return slices.Contains(issuer.Algorithms, header.Algorithm) && !strings.HasSuffix(jws.MediaType(header.Type), "+jwt")
}

// isSigned reports whether one of the keys has signed the message.
func isSigned(message *jws.Message, set domain.KeySet) bool {
	return slices.ContainsFunc(set.Signers(message.Header.Algorithm, message.Header.KeyID), func(key domain.Key) bool {
		public, ok := jwk.PublicKey(key)
		return ok && jws.Verify(message.Text, message.Header.Algorithm, public)
	})
}

// rejected returns the error for an invalid statement.
func rejected(format string, args ...any) error {
	return &application.StatementError{Reason: application.StatementInvalid, Message: fmt.Sprintf(format, args...)}
}

var _ application.StatementVerifier = (*Verifier)(nil)
