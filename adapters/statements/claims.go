package statements

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/clientele-oauth/clientele/adapters/internal/jws"
	"github.com/clientele-oauth/clientele/adapters/internal/strictjson"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// clockSkew is the tolerated difference to the clocks of others.
const clockSkew = time.Minute

// checkStatementTimes checks the times of a statement, and returns until when its use must be
// remembered.
func checkStatementTimes(issuer domain.StatementIssuer, claims jws.Members, now time.Time) (remembered time.Time, err error) {
	remembered, err = checkTimes(claims, now, issuer.MaxAge, issuer.RequireExpiry)
	if err != nil {
		return remembered, rejected("the software statement: %v", err)
	}
	return remembered, nil
}

// checkTimes checks "exp", "nbf" and "iat" (RFC 7519 §4.1.4 to §4.1.6). "iat" is required,
// since the age counts from it; "exp" only if requireExpiry is set.
//
// remembered is until when the use of a message must be remembered, so that it is not accepted
// again if the maximum age is raised later: until it expires, or has any age that can be
// configured.
func checkTimes(claims jws.Members, now time.Time, maxAge time.Duration, requireExpiry bool) (remembered time.Time, err error) {
	issued, dated, err := claims.Date("iat")
	if err != nil {
		return remembered, err
	}
	expires, ends, err := claims.Date("exp")
	if err != nil {
		return remembered, err
	}
	begins, _, err := claims.Date("nbf")
	if err != nil {
		return remembered, err
	}
	tooOld, anyAge := issued.Add(maxAge+clockSkew), issued.Add(domain.MaxStatementAge+clockSkew)
	switch {
	case !dated:
		return remembered, errors.New("iat is missing")
	case !ends && requireExpiry:
		return remembered, errors.New("exp is missing")
	case ends && !now.Before(expires.Add(clockSkew)):
		return remembered, errors.New("it has expired")
	case now.Add(clockSkew).Before(begins):
		return remembered, errors.New("it is not valid yet (nbf)")
	case now.Add(clockSkew).Before(issued):
		return remembered, errors.New("it was issued in the future (iat)")
	case !now.Before(tooOld):
		return remembered, fmt.Errorf("it is too old: iat may be at most %s ago", maxAge)
	case !ends || expires.Add(clockSkew).After(anyAge):
		return anyAge, nil
	case expires.Add(clockSkew).After(tooOld):
		return expires.Add(clockSkew), nil
	default:
		return tooOld, nil
	}
}

// admit checks the claims that must have certain values, and that the software has an
// admitted role. The error is a [*application.StatementError] with [application.StatementUnapproved].
func admit(issuer domain.StatementIssuer, claims jws.Members) error {
	for _, name := range slices.Sorted(maps.Keys(issuer.Required)) {
		if text, ok := scalar(claims[name]); !ok || text != issuer.Required[name] {
			return &application.StatementError{Reason: application.StatementUnapproved, Message: "the software is not admitted: the claim " + name + " does not have the required value"}
		}
	}
	if !issuer.AdmitsOneOf(rolesOf(issuer, claims)) {
		return &application.StatementError{Reason: application.StatementUnapproved, Message: "the software is not admitted: it has none of the admitted roles"}
	}
	return nil
}

// scalar returns the text of a claim that is a string, a number or a boolean.
func scalar(value jsontext.Value) (text string, ok bool) {
	switch value.Kind() {
	case jsontext.KindString:
		return strictjson.String(value)
	case jsontext.KindNumber, jsontext.KindTrue, jsontext.KindFalse:
		return string(bytes.TrimSpace(value)), true
	default:
		return "", false
	}
}

// rolesOf returns the roles of the software; none if the claim does not have their form.
func rolesOf(issuer domain.StatementIssuer, claims jws.Members) []string {
	roles, err := claims.Texts(issuer.RoleClaim)
	if err != nil {
		return nil
	}
	return roles
}
