package tokens

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwa"

	"github.com/clientele-oauth/clientele/adapters/internal/jws"
	"github.com/clientele-oauth/clientele/application"
)

// clockSkew is the tolerated difference to the issuer's clock.
const clockSkew = 30 * time.Second

// acceptedAlgorithms are the signature algorithms of access tokens: no
// symmetric one, no "none".
func acceptedAlgorithms() []jwa.SignatureAlgorithm {
	return []jwa.SignatureAlgorithm{jwa.RS256, jwa.PS256, jwa.ES256, jwa.EdDSA}
}

// maxClaimBytes bounds subjects, tenants, client IDs and issuers, which appear in
// logs.
const maxClaimBytes = 255

// maxCached bounds the cached verifications.
const maxCached = 4096

// Issuer is an issuer whose access tokens are accepted.
type Issuer struct {
	Rules IssuerRules
	Keys  *IssuerKeys
}

// NewIssuers returns an issuer for each of the rules, with keys from the location in
// the rules. Only Log and Ignored of the settings are used; the others follow from the
// rules.
func NewIssuers(all []IssuerRules, settings KeySettings, now func() time.Time) []Issuer {
	issuers := make([]Issuer, len(all))
	for i, rules := range all {
		s := settings
		s.Issuer, s.MaxAge = rules.Issuer, rules.KeysMaxAge
		s.Local, s.RequireKeyID = rules.Keys.File != "", !rules.KeyIDOptional
		issuers[i] = Issuer{Rules: rules, Keys: NewIssuerKeys(rules.Keys.Source(rules.Issuer), s, now)}
	}
	return issuers
}

// Verifier verifies the access tokens of one or more issuers (RFC 9068, RFC 7519,
// RFC 8725). It is safe for concurrent use.
type Verifier struct {
	issuers []*trusted
	now     func() time.Time

	mu    sync.RWMutex
	cache map[[sha256.Size]byte]verified
}

// trusted is an issuer with values derived from its rules.
type trusted struct {
	Issuer
	types  []string // accepted media types
	prefix string   // of its subjects
	longer []string // subject prefixes of other issuers that begin with prefix
}

// verified is the result of verifying a token. Verification is most of the cost of a
// request, and the result is the same until the token expires or the issuer's keys
// change.
type verified struct {
	caller  application.Caller
	keyID   string
	issuer  *trusted
	keys    *issuerKeySet
	expires time.Time
}

// NewVerifier returns a verifier for the tokens of these issuers. The error joins a
// [*RuleError] for each fault in their rules.
func NewVerifier(issuers []Issuer, now func() time.Time) (*Verifier, error) {
	v := &Verifier{now: now, cache: map[[sha256.Size]byte]verified{}}
	if len(issuers) == 0 {
		return nil, errors.New("no issuer of access tokens is configured")
	}
	rules := make([]IssuerRules, len(issuers))
	for i, issuer := range issuers {
		rules[i] = issuer.Rules
		t := &trusted{Issuer: issuer, prefix: subjectPrefix(i, issuer.Rules)}
		for _, typ := range issuer.Rules.Types {
			t.types = append(t.types, jws.MediaType(typ))
		}
		v.issuers = append(v.issuers, t)
	}
	var errs []error
	for _, err := range checkIssuers(rules) {
		errs = append(errs, err)
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	for _, t := range v.issuers {
		for _, other := range v.issuers {
			if other.prefix != t.prefix && strings.HasPrefix(other.prefix, t.prefix) {
				t.longer = append(t.longer, other.prefix)
			}
		}
	}
	return v, nil
}

// subjectPrefix returns the prefix for the subjects of the issuer at an index.
func subjectPrefix(index int, rules IssuerRules) string {
	switch {
	case rules.SubjectPrefix != nil:
		return *rules.SubjectPrefix
	case index == 0:
		return ""
	default:
		return rules.Issuer + " "
	}
}

// checkIssuers reports all faults in the rules of issuers that one verifier trusts.
func checkIssuers(all []IssuerRules) []*RuleError {
	var errs []*RuleError
	for i, rules := range all {
		faults := rules.check()
		for j, other := range all[:i] {
			if other.Issuer == rules.Issuer {
				faults = append(faults, &RuleError{Setting: "issuer", Message: "duplicate issuer"})
			}
			if subjectPrefix(i, rules) == subjectPrefix(j, other) {
				faults = append(faults, &RuleError{
					Setting: "subject_prefix", Message: "another issuer has the same prefix; equal subjects of both would be the same caller",
				})
			}
		}
		for _, fault := range faults {
			fault.Issuer = i
		}
		errs = append(errs, faults...)
	}
	return errs
}

// Verify returns the caller that a token identifies. The error is
// [application.ErrUnauthenticated] with the reason, or [application.ErrUnavailable]
// if the issuer's keys cannot be read. A valid token without a tenant has a caller
// without access.
//
// The token's "iss", compared exactly, selects the issuer; only the rules and keys of
// that issuer are used.
func (v *Verifier) Verify(ctx context.Context, token string) (application.Caller, error) {
	digest := sha256.Sum256([]byte(token))
	if caller, ok := v.cached(ctx, digest); ok {
		return caller, nil
	}
	outcome, err := v.verify(ctx, token)
	switch {
	case errors.Is(err, application.ErrUnavailable):
		return application.Caller{}, err
	case err != nil:
		return application.Caller{}, fmt.Errorf("%w: %w", application.ErrUnauthenticated, err)
	}
	v.store(digest, outcome)
	return outcome.caller, nil
}

func (v *Verifier) verify(ctx context.Context, text string) (verified, error) {
	token, err := parseToken(text)
	if err != nil {
		return verified{}, err
	}
	name, _, err := token.claims.Text("iss")
	if err != nil {
		return verified{}, err
	}
	index := slices.IndexFunc(v.issuers, func(t *trusted) bool { return t.Rules.Issuer == name })
	if index < 0 {
		return verified{}, fmt.Errorf("the issuer %s is not trusted", excerpt(name))
	}
	t := v.issuers[index]
	if err := t.checkHeader(token.header); err != nil {
		return verified{}, err
	}
	set, _, err := t.checkSignature(ctx, token)
	if err != nil {
		return verified{}, err
	}
	times, err := t.checkTimes(token.claims, v.now())
	if err != nil {
		return verified{}, err
	}
	if err := t.checkAudience(token.claims); err != nil {
		return verified{}, err
	}
	m, err := t.apply(token.claims)
	if err != nil {
		return verified{}, err
	}
	return verified{
		caller: m.caller, keyID: token.header.keyID, issuer: t, keys: set, expires: times.expires.Add(clockSkew),
	}, nil
}

// cached returns the caller of a token that was verified before with the current keys
// of the issuer.
func (v *Verifier) cached(ctx context.Context, digest [sha256.Size]byte) (application.Caller, bool) {
	v.mu.RLock()
	known, ok := v.cache[digest]
	v.mu.RUnlock()
	if !ok || !v.now().Before(known.expires) {
		return application.Caller{}, false
	}
	set, err := known.issuer.Keys.current(ctx, known.keyID)
	return known.caller, err == nil && set == known.keys
}

func (v *Verifier) store(digest [sha256.Size]byte, outcome verified) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.cache) >= maxCached {
		clear(v.cache)
	}
	v.cache[digest] = outcome
}

// checkHeader applies the issuer's rules to a header. [parseToken] checked the
// algorithm.
func (t *trusted) checkHeader(header tokenHeader) error {
	switch {
	case header.typ == "" && !t.Rules.AllowMissingType:
		return errors.New("the token has no typ")
	case header.typ != "" && !slices.Contains(t.types, jws.MediaType(header.typ)):
		return fmt.Errorf("the token's typ %s is not accepted; accepted: %s", excerpt(header.typ), list(t.types))
	case header.keyID == "" && !t.Rules.KeyIDOptional:
		return errors.New("the token has no kid")
	}
	return nil
}

// checkSignature verifies a token with the keys of the issuer. If no key verifies a
// token without a "kid", the keys are read again, as for an unknown "kid".
func (t *trusted) checkSignature(ctx context.Context, token *parsedToken) (*issuerKeySet, issuerKey, error) {
	set, err := t.Keys.current(ctx, token.header.keyID)
	if err != nil {
		return nil, issuerKey{}, err
	}
	key, err := verifySignature(set, token)
	if err != nil && token.header.keyID == "" {
		renewed, renewErr := t.Keys.renewed(ctx, set)
		if renewErr == nil && renewed != set {
			set = renewed
			key, err = verifySignature(set, token)
		}
	}
	return set, key, err
}

// verifySignature verifies a token with each key of the set that may have signed it.
func verifySignature(set *issuerKeySet, token *parsedToken) (issuerKey, error) {
	header := token.header
	if !set.has(header.keyID) {
		return issuerKey{}, fmt.Errorf("the issuer has no usable key with the kid %s", excerpt(header.keyID))
	}
	candidates := set.candidates(header)
	if len(candidates) == 0 {
		return issuerKey{}, fmt.Errorf("the issuer's key is not for the algorithm %s", header.algorithm)
	}
	for _, key := range candidates {
		if jws.Verify(token.text, string(header.algorithm), key.public) {
			return key, nil
		}
	}
	return issuerKey{}, errors.New("the signature is not valid")
}

// checkTimes reads and checks the times of a token.
func (t *trusted) checkTimes(claims claimSet, now time.Time) (tokenTimes, error) {
	times, err := timesOf(claims)
	if err != nil {
		return times, err
	}
	return times, times.check(now, t.Rules.MaxLifetime)
}

// checkAudience requires a token for this service (RFC 7519 §4.1.3).
func (t *trusted) checkAudience(claims claimSet) error {
	audience, err := claims.Texts("aud")
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(audience, func(a string) bool { return slices.Contains(t.Rules.Audiences, a) }) {
		return fmt.Errorf("aud is %s; accepted: %s", excerptOf(claims["aud"]), list(t.Rules.Audiences))
	}
	return nil
}

// apply returns the caller with the issuer's subject prefix. It rejects a subject that
// has the prefix of another issuer.
func (t *trusted) apply(claims claimSet) (mapped, error) {
	m, err := t.Rules.apply(claims)
	if err != nil {
		return m, err
	}
	m.caller.Subject = t.prefix + m.caller.Subject
	if err := nameFault(m.caller.Subject); err != nil {
		return m, fmt.Errorf("sub with its prefix %w", err)
	}
	if slices.ContainsFunc(t.longer, func(prefix string) bool { return strings.HasPrefix(m.caller.Subject, prefix) }) {
		return m, errors.New("sub begins with the subject prefix of another issuer")
	}
	return m, nil
}
