package statements

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/clientele-oauth/clientele/adapters/internal/jws"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// VerifyRequest implements [application.StatementVerifier]. After the statement it checks the
// signature of the request by a key of the software, which is in the statement or at the
// jwks_uri in it, and then that the software issued it (iss), for this registry (aud), a short
// while ago (iat, exp), with an identifier (jti). Unless the statement itself is for one use,
// the identifier of the request is that of the returned statement, so that a request is
// accepted only once.
func (v *Verifier) VerifyRequest(
	ctx context.Context, tenant domain.TenantID, issuers []domain.StatementIssuer, audience, text string, now time.Time,
) (claims []byte, statement domain.Statement, err error) {
	message, err := jws.ParseUpTo(text, MaxRequestBytes)
	if err != nil {
		return nil, statement, rejectedRequest("%v", err)
	}
	inner, _, err := message.Payload.Text("software_statement")
	switch {
	case err != nil:
		return nil, statement, rejectedRequest("%v", err)
	case inner == "":
		return nil, statement, rejectedRequest("software_statement is missing")
	}
	statement, issuer, err := v.verify(ctx, issuers, inner, now)
	switch {
	case err != nil:
		return nil, domain.Statement{}, err
	case !issuer.RequestJWT:
		return nil, domain.Statement{}, rejectedRequest("software of this issuer is registered with a request in JSON")
	}
	if err := v.checkRequestSignature(ctx, tenant, issuer, statement, message); err != nil {
		return nil, domain.Statement{}, err
	}
	if err := checkRequest(issuer, audience, message.Payload, now, &statement); err != nil {
		return nil, domain.Statement{}, rejectedRequest("%v", err)
	}
	claims, err = payloadOf(text)
	return claims, statement, err
}

// payloadOf returns the JSON text of the payload of a JWS that was parsed.
func payloadOf(text string) ([]byte, error) {
	claims, err := base64.RawURLEncoding.DecodeString(strings.Split(text, ".")[1])
	if err != nil {
		return nil, rejectedRequest("the payload is not base64url")
	}
	return claims, nil
}

// checkRequestSignature verifies a request with a key of the software. If the statement has
// a jwks_uri, the keys are read again if none of them verifies the request.
func (v *Verifier) checkRequestSignature(
	ctx context.Context, tenant domain.TenantID, issuer domain.StatementIssuer, statement domain.Statement, message *jws.Message,
) error {
	if !accepts(issuer, message.Header) {
		return rejectedRequest("its alg or typ is not accepted for the issuer of its software statement")
	}
	source := statement.Fixed.Values().Keys
	fetches := []func(context.Context, domain.TenantID, string) (domain.Keys, time.Time, error){v.keys.Fetch, v.keys.Refetch}
	switch {
	case source.URI() == "" && source.Inline() == "":
		return rejectedRequest("its software statement has no keys of the software")
	case source.URI() == "":
		if isSigned(message, v.keys.Parse(source.Inline())) {
			return nil
		}
		fetches = nil
	}
	for _, fetch := range fetches {
		keys, _, err := fetch(ctx, tenant, source.URI())
		if err != nil {
			return fmt.Errorf("the keys of software: %w", err)
		}
		set, ok := keys.Set()
		if !ok || set.Fault != domain.KeySetReadable {
			return rejectedRequest("the keys of the software cannot be read at the jwks_uri of its software statement")
		}
		if isSigned(message, set) {
			return nil
		}
	}
	return rejectedRequest("its signature is not by a key of the software")
}

// checkRequest checks the claims of a request.
func checkRequest(issuer domain.StatementIssuer, audience string, claims jws.Members, now time.Time, statement *domain.Statement) error {
	name, _, err := claims.Text("iss")
	switch {
	case err != nil:
		return err
	case name == "" || name != statement.SoftwareID:
		return errors.New("iss is not the software_id of the software statement")
	}
	audiences, err := claims.Texts("aud")
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(audiences, func(a string) bool { return a == audience || slices.Contains(issuer.Audiences, a) }) {
		return errors.New("aud is not the registration endpoint or another accepted audience")
	}
	remembered, err := checkTimes(claims, now, domain.DefaultStatementAge, true)
	if err != nil {
		return err
	}
	id, _, err := claims.Text("jti")
	switch {
	case err != nil:
		return err
	case id == "":
		return errors.New("jti is missing")
	case statement.ID == nil:
		statement.ID, statement.ExpiresAt = digestOf(statement.Issuer+"\x00"+name, id), remembered
	}
	return nil
}

// rejectedRequest returns the error for an invalid request.
func rejectedRequest(format string, args ...any) error {
	return &application.StatementError{
		Reason: application.StatementInvalidRequest, Message: "the signed registration request: " + fmt.Sprintf(format, args...),
	}
}
