package tokens

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/clientele-oauth/clientele/adapters/internal/strictjson"
	"github.com/clientele-oauth/clientele/application"
)

// Inspection explains the verification of a token. It contains claims, but never the
// token or its signature.
type Inspection struct {
	// Malformed is the reason why the token cannot be decoded; empty if it can. If
	// it is set, the other fields are not.
	Malformed string
	// Algorithm, Type, KeyID, Issuer, Subject and Expires are from the token and
	// not verified; each is quoted, or "none".
	Algorithm, Type, KeyID, Issuer, Subject, Expires string
	// Issuers has an element for each issuer of the verifier, in their order.
	Issuers []IssuerInspection
}

// IssuerInspection is the result of the rules of one issuer for a token.
type IssuerInspection struct {
	Issuer string
	Checks []Check
	// Caller is the caller that the token identifies, and Roles and Scopes are
	// those of the token; nil if a check of the claims failed.
	Caller *application.Caller
	Roles  []string
	Scopes []string
	// Grants names the role or scope behind each permission.
	Grants map[application.Permission]string
}

// Check is one check of a token.
type Check struct {
	Name   string
	Detail string // human-readable
	Passed bool
}

// Accepted reports whether all checks passed.
func (i IssuerInspection) Accepted() bool {
	return !slices.ContainsFunc(i.Checks, func(c Check) bool { return !c.Passed })
}

// Accepted reports whether the rules of an issuer accept the token.
func (i Inspection) Accepted() bool { return slices.ContainsFunc(i.Issuers, IssuerInspection.Accepted) }

// Inspect applies all checks of every issuer to a token, even if one fails. With
// offline, it does not read keys or verify the signature.
func (v *Verifier) Inspect(ctx context.Context, text string, offline bool) Inspection {
	token, err := parseToken(text)
	if err != nil {
		return Inspection{Malformed: err.Error()}
	}
	inspection := Inspection{
		Algorithm: string(token.header.algorithm), Type: quotedOrNone(token.header.typ), KeyID: quotedOrNone(token.header.keyID),
		Issuer: "none", Subject: "none", Expires: "none",
	}
	for name, into := range map[string]*string{"iss": &inspection.Issuer, "sub": &inspection.Subject} {
		if raw, ok := token.claims[name]; ok {
			*into = excerptOf(raw)
			if text, isText := strictjson.String(raw); isText {
				*into = excerpt(text)
			}
		}
	}
	if raw, ok := token.claims["exp"]; ok {
		inspection.Expires = excerptOf(raw)
		if at, _, err := token.claims.Date("exp"); err == nil {
			inspection.Expires = formatTime(at)
		}
	}
	for _, t := range v.issuers {
		inspection.Issuers = append(inspection.Issuers, v.inspect(ctx, t, token, offline))
	}
	return inspection
}

func quotedOrNone(text string) string {
	if text == "" {
		return "none"
	}
	return excerpt(text)
}

// inspect applies the rules of one issuer. It does not use its keys for a token that
// names another issuer.
func (v *Verifier) inspect(ctx context.Context, t *trusted, token *parsedToken, offline bool) IssuerInspection {
	result := IssuerInspection{Issuer: t.Rules.Issuer}
	check := func(name string, err error, detail string) bool {
		if err != nil {
			detail = err.Error()
		}
		result.Checks = append(result.Checks, Check{Name: name, Detail: detail, Passed: err == nil})
		return err == nil
	}
	named, _, err := token.claims.Text("iss")
	if err == nil && named != t.Rules.Issuer {
		err = fmt.Errorf("the token's iss is %s", quotedOrNone(named))
	}
	selected := check("issuer", err, "iss is this issuer")
	check("header", t.checkHeader(token.header), fmt.Sprintf("typ %s, kid %s", quotedOrNone(token.header.typ), quotedOrNone(token.header.keyID)))
	switch {
	case !selected:
	case offline:
		check("signature", nil, "NOT VERIFIED (offline)")
	default:
		_, key, err := t.checkSignature(ctx, token)
		detail := ""
		if err == nil {
			detail = string(token.header.algorithm) + ", " + key.describe()
		}
		check("signature", err, detail)
	}
	times, err := t.checkTimes(token.claims, v.now())
	check("lifetime", err, "expires at "+formatTime(times.expires))
	check("audience", t.checkAudience(token.claims), "accepted: "+list(t.Rules.Audiences))
	m, err := t.apply(token.claims)
	if check("claims", err, "subject and client are valid") {
		result.Caller, result.Roles, result.Scopes, result.Grants = &m.caller, m.roles, m.scopes, m.grants
	}
	return result
}

// String returns the inspection for a terminal. Values from the token are quoted.
func (i Inspection) String() string {
	var text strings.Builder
	if i.Malformed != "" {
		return "The token cannot be decoded: " + i.Malformed + "\n"
	}
	fmt.Fprintf(&text, "Token: alg %s, typ %s, kid %s\n       iss %s, sub %s, expires %s\n",
		i.Algorithm, i.Type, i.KeyID, i.Issuer, i.Subject, i.Expires)
	for _, issuer := range i.Issuers {
		text.WriteString("\n" + issuer.String())
	}
	return text.String()
}

// String returns the inspection of one issuer for a terminal.
func (i IssuerInspection) String() string {
	var text strings.Builder
	verdict := "rejected"
	if i.Accepted() {
		verdict = "accepted"
	}
	fmt.Fprintf(&text, "%s: %s\n", i.Issuer, verdict)
	line := func(name, detail string) { fmt.Fprintf(&text, "  %-12s %s\n", name, detail) }
	for _, check := range i.Checks {
		mark := "ok: "
		if !check.Passed {
			mark = "FAILED: "
		}
		line(check.Name, mark+check.Detail)
	}
	if i.Caller == nil {
		return text.String()
	}
	line("subject", strconv.Quote(i.Caller.Subject)) // bounded, as are client and tenant
	line("client", nameOrNone(i.Caller.ClientID))
	line("tenant", found(nameOrNone(i.Caller.Tenant), i.Caller.Sources.Tenant))
	line("roles", found(quotedList(i.Roles), i.Caller.Sources.Roles))
	line("scopes", found(quotedList(i.Scopes), i.Caller.Sources.Scopes))
	line("teams", quotedList(i.Caller.Teams))
	if i.Caller.Platform {
		line("platform", "administrator of every tenant")
	}
	if len(i.Caller.Permissions) == 0 {
		line("permissions", "none")
	}
	for _, permission := range i.Caller.Permissions {
		line("permission", fmt.Sprintf("%s, by %s", permission, i.Grants[permission]))
	}
	return text.String()
}

func nameOrNone[T ~string](name T) string {
	if name == "" {
		return "none"
	}
	return strconv.Quote(string(name))
}

// found returns a value with its source.
func found(value string, source application.ClaimSource) string {
	switch {
	case source.Claims == "":
		return value + " (no claim is configured)"
	case source.Missing != "":
		return fmt.Sprintf("%s (%s: %s)", value, source.Claims, source.Missing)
	default:
		return fmt.Sprintf("%s (%s)", value, source.Claims)
	}
}

func quotedList(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = excerpt(name)
	}
	return strings.Join(quoted, ", ")
}
