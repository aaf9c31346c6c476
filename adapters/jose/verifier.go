package jose

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jws"
	"github.com/lestrrat-go/jwx/v2/jwt"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// maxTokenBytes bounds the access tokens that are looked at.
const maxTokenBytes = 16 << 10

// clockSkew is by how much the issuer's clock may differ.
const clockSkew = 30 * time.Second

// acceptedAlgorithms are the signature algorithms of access tokens: no
// symmetric one, no "none".
func acceptedAlgorithms() []jwa.SignatureAlgorithm {
	return []jwa.SignatureAlgorithm{jwa.RS256, jwa.PS256, jwa.ES256, jwa.EdDSA}
}

// TokenRules say what an access token must be and which of its claims say who
// the caller is.
type TokenRules struct {
	Issuer   string // "iss", exactly
	Audience string // one of "aud"
	// Types are the accepted "typ" header values, compared without regard to
	// case, e.g. "at+jwt" (RFC 9068 §2.1) and "JWT".
	Types []string
	// TenantClaim names the claim with the tenant, RoleClaim the one with the
	// roles, a string or an array of strings. A dot leads into an object, as in
	// "realm_access.roles", where no claim has that very name.
	TenantClaim string
	RoleClaim   string
	// AdminRole is the role that makes an administrator of the tenant.
	AdminRole    string
	PlatformRole string // that makes an administrator of every tenant; empty for none
}

// Verifier verifies access tokens (RFC 9068, RFC 7519, RFC 8725).
type Verifier struct {
	rules TokenRules
	keys  *IssuerKeys
	now   func() time.Time

	mu       sync.RWMutex
	verified map[[sha256.Size]byte]verified
}

// maxClaimBytes bounds the names that a token brings into the log.
const maxClaimBytes = 255

// maxVerified bounds the tokens whose verification is remembered.
const maxVerified = 4096

// verified is the outcome of a token's verification: most of a request's
// cost, and the same for the same token as long as it has not expired and the
// issuer's keys are the same ones.
type verified struct {
	caller  application.Caller
	kid     string
	keys    jwk.Set
	expires time.Time
}

// NewVerifier returns a verifier of tokens by rules, signed with keys.
func NewVerifier(rules TokenRules, keys *IssuerKeys, now func() time.Time) *Verifier {
	return &Verifier{rules: rules, keys: keys, now: now, verified: map[[sha256.Size]byte]verified{}}
}

// Verify returns who the token speaks for. The error is
// [application.ErrUnauthenticated] with the reason, or
// [application.ErrUnavailable] where the issuer's keys cannot be had. A valid
// token without a tenant gives a caller that may do nothing.
func (v *Verifier) Verify(ctx context.Context, token string) (application.Caller, error) {
	digest := sha256.Sum256([]byte(token))
	if caller, ok := v.remembered(ctx, digest); ok {
		return caller, nil
	}
	kid, err := v.header(token)
	if err != nil {
		return application.Caller{}, fmt.Errorf("%w: %w", application.ErrUnauthenticated, err)
	}
	set, err := v.keys.Set(ctx, kid)
	if err != nil {
		return application.Caller{}, err
	}
	parsed, err := jwt.Parse([]byte(token),
		jwt.WithKeySet(set, jws.WithRequireKid(true), jws.WithInferAlgorithmFromKey(true)),
		jwt.WithIssuer(v.rules.Issuer),
		jwt.WithAudience(v.rules.Audience),
		jwt.WithRequiredClaim(jwt.ExpirationKey),
		jwt.WithRequiredClaim(jwt.SubjectKey),
		jwt.WithAcceptableSkew(clockSkew),
		jwt.WithClock(jwt.ClockFunc(v.now)),
		jwt.WithContext(ctx),
	)
	if err != nil {
		return application.Caller{}, fmt.Errorf("%w: %w", application.ErrUnauthenticated, err)
	}
	caller, err := v.caller(parsed)
	if err != nil {
		return application.Caller{}, fmt.Errorf("%w: %w", application.ErrUnauthenticated, err)
	}
	v.remember(digest, verified{caller: caller, kid: kid, keys: set, expires: parsed.Expiration().Add(clockSkew)})
	return caller, nil
}

// remembered returns who a token speaks for that was verified before, with the
// keys that the issuer still has.
func (v *Verifier) remembered(ctx context.Context, digest [sha256.Size]byte) (application.Caller, bool) {
	v.mu.RLock()
	known, ok := v.verified[digest]
	v.mu.RUnlock()
	if !ok || !v.now().Before(known.expires) {
		return application.Caller{}, false
	}
	set, err := v.keys.Set(ctx, known.kid)
	return known.caller, err == nil && set == known.keys
}

func (v *Verifier) remember(digest [sha256.Size]byte, outcome verified) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.verified) >= maxVerified {
		clear(v.verified)
	}
	v.verified[digest] = outcome
}

// header reads the protected header before any key is touched. Only the
// compact form is a bearer token, and its own "jku", "jwk" and "x5u" are never
// used.
func (v *Verifier) header(token string) (kid string, err error) {
	if len(token) > maxTokenBytes {
		return "", errors.New("the token is too long")
	}
	message, err := jws.Parse([]byte(token), jws.WithCompact())
	if err != nil || len(message.Signatures()) != 1 {
		return "", errors.New("the token is not a compact JWS")
	}
	header := message.Signatures()[0].ProtectedHeaders()
	if !slices.Contains(acceptedAlgorithms(), header.Algorithm()) {
		return "", errors.New("the token's algorithm is not accepted")
	}
	if !slices.ContainsFunc(v.rules.Types, func(t string) bool {
		return strings.EqualFold(strings.TrimPrefix(strings.ToLower(header.Type()), "application/"), t)
	}) {
		return "", errors.New("the token's typ is not accepted")
	}
	if header.KeyID() == "" {
		return "", errors.New("the token names no key")
	}
	return header.KeyID(), nil
}

// caller reads who the token speaks for.
func (v *Verifier) caller(token jwt.Token) (application.Caller, error) {
	claims := token.PrivateClaims()
	tenant, _ := claim(claims, v.rules.TenantClaim).(string)
	client, ok := claims["client_id"].(string) // RFC 9068 §2.2
	if !ok {
		client, _ = claims["azp"].(string) // OIDC Core §2
	}
	for _, text := range []string{token.Subject(), tenant, client} {
		if len(text) > maxClaimBytes || strings.ContainsFunc(text, unicode.IsControl) {
			return application.Caller{}, errors.New("the token's subject, tenant or client_id is no name")
		}
	}
	caller := application.Caller{Subject: token.Subject(), Tenant: domain.TenantID(tenant), ClientID: domain.ClientID(client)}
	roles := texts(claim(claims, v.rules.RoleClaim))
	caller.Platform = v.rules.PlatformRole != "" && slices.Contains(roles, v.rules.PlatformRole)
	if caller.Platform || slices.Contains(roles, v.rules.AdminRole) {
		caller.Permissions = application.Permissions()
		return caller, nil
	}
	granted := texts(claims["scope"])
	for _, p := range application.Permissions() {
		if slices.Contains(granted, string(p)) {
			caller.Permissions = append(caller.Permissions, p)
		}
	}
	return caller, nil
}

// claim finds a claim by its name or, where there is none, by its path.
func claim(claims map[string]any, name string) any {
	if value, ok := claims[name]; ok {
		return value
	}
	first, rest, nested := strings.Cut(name, ".")
	if !nested {
		return nil
	}
	inner, ok := claims[first].(map[string]any)
	if !ok {
		return nil
	}
	return claim(inner, rest)
}

// texts reads a claim that is an array of strings, or one string of words
// (RFC 9068 §2.2.3 for "scope").
func texts(value any) []string {
	switch value := value.(type) {
	case string:
		return strings.Fields(value)
	case []any:
		var list []string
		for _, element := range value {
			if s, ok := element.(string); ok {
				list = append(list, s)
			}
		}
		return list
	default:
		return nil
	}
}
