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

	"github.com/lestrrat-go/jwx/v2/jwa"

	"github.com/clientele-oauth/clientele/application"
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

// maxClaimBytes bounds the names that a token brings into the log.
const maxClaimBytes = 255

// maxVerified bounds the tokens whose verification is remembered.
const maxVerified = 4096

// Issuer is an issuer whose access tokens are accepted.
type Issuer struct {
	Rules IssuerRules
	Keys  *IssuerKeys
}

// NewIssuers returns the issuers with these rules, whose keys are read from where
// the rules say. Of settings only the parts that are the same for all are used.
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

// Verifier verifies the access tokens of one or several issuers (RFC 9068,
// RFC 7519, RFC 8725). It is safe for concurrent use.
type Verifier struct {
	issuers []*trusted
	now     func() time.Time

	mu       sync.RWMutex
	verified map[[sha256.Size]byte]verified
}

// trusted is an issuer with its rules in the form that is compared.
type trusted struct {
	Issuer
	types  []string
	prefix string   // of its subjects
	longer []string // prefixes of other issuers that begin with prefix
}

// verified is the outcome of a token's verification: most of a request's
// cost, and the same for the same token as long as it has not expired and the
// issuer's keys are the same ones.
type verified struct {
	caller  application.Caller
	keyID   string
	issuer  *trusted
	keys    *issuerKeySet
	expires time.Time
}

// NewVerifier returns a verifier of the tokens of these issuers. The error joins
// everything that is wrong with their rules.
func NewVerifier(issuers []Issuer, now func() time.Time) (*Verifier, error) {
	v := &Verifier{now: now, verified: map[[sha256.Size]byte]verified{}}
	if len(issuers) == 0 {
		return nil, errors.New("no issuer of access tokens is configured")
	}
	rules := make([]IssuerRules, len(issuers))
	for i, issuer := range issuers {
		rules[i] = issuer.Rules
		t := &trusted{Issuer: issuer, prefix: subjectPrefix(i, issuer.Rules)}
		for _, typ := range issuer.Rules.Types {
			t.types = append(t.types, mediaType(typ))
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

// subjectPrefix is what is put before the subjects of the issuer at that place.
func subjectPrefix(place int, rules IssuerRules) string {
	switch {
	case rules.SubjectPrefix != nil:
		return *rules.SubjectPrefix
	case place == 0:
		return ""
	default:
		return rules.Issuer + " "
	}
}

// checkIssuers reports everything that is wrong with the rules of issuers that
// are trusted together.
func checkIssuers(all []IssuerRules) []*RuleError {
	var errs []*RuleError
	for i, rules := range all {
		faults := rules.check()
		for j, other := range all[:i] {
			if other.Issuer == rules.Issuer {
				faults = append(faults, &RuleError{Setting: "issuer", Message: "the same issuer is configured already"})
			}
			if subjectPrefix(i, rules) == subjectPrefix(j, other) {
				faults = append(faults, &RuleError{
					Setting: "subject_prefix", Message: "another issuer has the same; the same subject of both would be one caller",
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

// Verify returns who the token speaks for. The error is
// [application.ErrUnauthenticated] with the reason, or
// [application.ErrUnavailable] if the issuer's keys cannot be read. A valid
// token without a tenant gives a caller that may do nothing.
//
// The token's own "iss", compared exactly, selects the issuer; from then on only
// the rules and the keys of that issuer are used.
func (v *Verifier) Verify(ctx context.Context, token string) (application.Caller, error) {
	digest := sha256.Sum256([]byte(token))
	if caller, ok := v.remembered(ctx, digest); ok {
		return caller, nil
	}
	outcome, err := v.verify(ctx, token)
	switch {
	case errors.Is(err, application.ErrUnavailable):
		return application.Caller{}, err
	case err != nil:
		return application.Caller{}, fmt.Errorf("%w: %w", application.ErrUnauthenticated, err)
	}
	v.remember(digest, outcome)
	return outcome.caller, nil
}

func (v *Verifier) verify(ctx context.Context, text string) (verified, error) {
	token, err := parseToken(text)
	if err != nil {
		return verified{}, err
	}
	name, _, err := token.claims.text("iss")
	if err != nil {
		return verified{}, err
	}
	place := slices.IndexFunc(v.issuers, func(t *trusted) bool { return t.Rules.Issuer == name })
	if place < 0 {
		return verified{}, fmt.Errorf("the issuer %s is not trusted", excerpt(name))
	}
	t := v.issuers[place]
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

// remembered returns who a token speaks for that was verified before, with the
// keys that the issuer still has.
func (v *Verifier) remembered(ctx context.Context, digest [sha256.Size]byte) (application.Caller, bool) {
	v.mu.RLock()
	known, ok := v.verified[digest]
	v.mu.RUnlock()
	if !ok || !v.now().Before(known.expires) {
		return application.Caller{}, false
	}
	set, err := known.issuer.Keys.current(ctx, known.keyID)
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

// checkHeader applies the issuer's rules to a header. The algorithm was checked
// when it was read.
func (t *trusted) checkHeader(header tokenHeader) error {
	switch {
	case header.typ == "" && !t.Rules.AllowMissingType:
		return errors.New("the token has no typ")
	case header.typ != "" && !slices.Contains(t.types, mediaType(header.typ)):
		return fmt.Errorf("the token's typ %s is not accepted; accepted: %s", excerpt(header.typ), list(t.types))
	case header.keyID == "" && !t.Rules.KeyIDOptional:
		return errors.New("the token has no kid")
	}
	return nil
}

// checkSignature verifies a token with the keys of the issuer. A token without a
// "kid" whose signature no key verifies has the keys read again, as one with an
// unknown "kid" does.
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

// verifySignature tries the keys of the set that the token may be signed with.
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
		if isSignature(token.text, header.algorithm, key.public) {
			return key, nil
		}
	}
	return issuerKey{}, errors.New("the signature is not valid")
}

// checkTimes reads the times of a token and checks them.
func (t *trusted) checkTimes(claims claimSet, now time.Time) (tokenTimes, error) {
	times, err := claims.times()
	if err != nil {
		return times, err
	}
	return times, times.check(now, t.Rules.MaxLifetime)
}

// checkAudience requires that the token is for this service (RFC 7519 §4.1.3).
func (t *trusted) checkAudience(claims claimSet) error {
	audience, err := claims.texts("aud")
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(audience, func(a string) bool { return slices.Contains(t.Rules.Audiences, a) }) {
		return fmt.Errorf("aud is %s; accepted: %s", excerptOf(claims["aud"]), list(t.Rules.Audiences))
	}
	return nil
}

// apply reads who the token speaks for, with the prefix of the issuer before the
// subject. A subject that looks like one of another issuer is rejected.
func (t *trusted) apply(claims claimSet) (mapped, error) {
	m, err := t.Rules.apply(claims)
	if err != nil {
		return m, err
	}
	m.caller.Subject = t.prefix + m.caller.Subject
	if err := nameFault(m.caller.Subject); err != nil {
		return m, fmt.Errorf("sub, with its prefix, %w", err)
	}
	if slices.ContainsFunc(t.longer, func(prefix string) bool { return strings.HasPrefix(m.caller.Subject, prefix) }) {
		return m, errors.New("sub begins like the subjects of another issuer")
	}
	return m, nil
}
