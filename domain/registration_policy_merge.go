package domain

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// defaultMaxClients limits the clients of a tenant that registered themselves, unless its
// policy has another limit.
const defaultMaxClients = 1000

// WithDefaults returns the policy in which everything that has a default is given. It
// removes what no client can register itself: extension grants (RFC 6749 §4.5), and
// client_secret_jwt, which needs the value of a secret.
//
// An open policy allows no more than authorization_code, refresh_token, none and
// private_key_jwt, and requires PKCE: anyone may register such a client.
func (p RegistrationPolicy) WithDefaults() RegistrationPolicy {
	grants := []GrantType{GrantAuthorizationCode, GrantRefreshToken}
	p.Grants = only(orDefault(p.Grants, grants), GrantType.registrable)
	methods := []AuthMethod{AuthNone, AuthSecretBasic, AuthSecretPost, AuthPrivateKeyJWT}
	p.AuthMethods = only(orDefault(p.AuthMethods, methods), AuthMethod.registrable)
	p.RedirectKinds = orDefault(p.RedirectKinds, redirectKinds())
	if p.Open {
		p.Grants = common(grants, p.Grants)
		p.AuthMethods = common([]AuthMethod{AuthNone, AuthPrivateKeyJWT}, p.AuthMethods)
		p.RequirePKCE = true
	}
	p.InitialStatus = cmp.Or(p.InitialStatus, StatusActive)
	p.LinkHosts = cmp.Or(p.LinkHosts, LinkHostsWarn)
	p.Statement = cmp.Or(p.Statement, StatementNone)
	p.MaxClients = cmp.Or(p.MaxClients, defaultMaxClients)
	return p
}

// registrable reports whether a policy can allow the grant to clients that register
// themselves.
func (g GrantType) registrable() bool { return g.known() }

// registrable reports whether a policy can allow the method to clients that register
// themselves.
func (m AuthMethod) registrable() bool { return m.known() && m != AuthSecretJWT }

func redirectKinds() []RedirectKind {
	return []RedirectKind{RedirectHTTPS, RedirectLoopback, RedirectPrivateUse}
}

// Narrow returns the policy of which a client must meet both p and by. It is never wider
// than p: lists are intersected, flags are true if they are in either, and the stricter of
// two limits applies. What p writes to clients has precedence. Open and CORS are those of
// p. The result is with defaults.
func (p RegistrationPolicy) Narrow(by RegistrationPolicy) RegistrationPolicy {
	n := p.WithDefaults()
	n.RedirectHosts = commonHosts(n.RedirectHosts, by.RedirectHosts)
	n.RedirectKinds = common(n.RedirectKinds, by.RedirectKinds)
	n.Grants = common(n.Grants, by.Grants)
	n.ResponseTypes = commonResponseTypes(n.ResponseTypes, by.ResponseTypes)
	n.AuthMethods = common(n.AuthMethods, by.AuthMethods)
	n.Scopes = common(n.Scopes, by.Scopes)
	n.DefaultScopes = orDefault(by.DefaultScopes, n.DefaultScopes)
	if n.Scopes != nil && n.DefaultScopes != nil {
		n.DefaultScopes = common(n.Scopes, n.DefaultScopes)
	}
	n.AuthorizationDetailsTypes = common(n.AuthorizationDetailsTypes, by.AuthorizationDetailsTypes)
	n.Resources = common(n.Resources, by.Resources)
	n.Issuers = common(n.Issuers, by.Issuers)
	return n.force(by).limit(by)
}

// force returns the policy with what by forces and writes.
func (p RegistrationPolicy) force(by RegistrationPolicy) RegistrationPolicy {
	if by.Profile.strengthens(p.Profile) {
		p.Profile = by.Profile
	}
	p.RequirePKCE = p.RequirePKCE || by.RequirePKCE
	p.PAR = p.PAR || by.PAR
	p.DPoP = p.DPoP || by.DPoP
	p.MTLS = p.MTLS || by.MTLS
	p.SignedRequests = p.SignedRequests || by.SignedRequests
	p.Unmanaged = p.Unmanaged || by.Unmanaged
	p.RotateOnUpdate = p.RotateOnUpdate || by.RotateOnUpdate
	if by.InitialStatus == StatusSuspended {
		p.InitialStatus = StatusSuspended
	}
	p.Labels = labelsOfBoth(p.Labels, by.Labels)
	p.Owner = cmp.Or(p.Owner, by.Owner)
	return p
}

// labelsOfBoth returns the labels of p, and those of by whose names p does not have, as many
// as a client can have: without the last names of by if there are more.
func labelsOfBoth(p, by map[string]string) map[string]string {
	if len(by) == 0 {
		return p
	}
	labels := make(map[string]string, len(p)+len(by))
	maps.Copy(labels, p)
	for _, name := range slices.Sorted(maps.Keys(by)) {
		if _, has := labels[name]; !has && len(labels) < MaxLabels {
			labels[name] = by[name]
		}
	}
	return labels
}

// limit returns the policy with the stricter limits of both.
func (p RegistrationPolicy) limit(by RegistrationPolicy) RegistrationPolicy {
	p.AccessTokenLifetime = lower(p.AccessTokenLifetime, by.AccessTokenLifetime)
	p.IDTokenLifetime = lower(p.IDTokenLifetime, by.IDTokenLifetime)
	p.RefreshTokenLifetime = lower(p.RefreshTokenLifetime, by.RefreshTokenLifetime)
	p.LinkHosts = stricter(linkHostsModes(), p.LinkHosts, by.LinkHosts)
	if p.Statement.Accepts() || by.Statement == StatementRequired { // optional accepts what none does not
		p.Statement = stricter(statementModes(), p.Statement, by.Statement)
	}
	p.MaxClients = lower(p.MaxClients, by.MaxClients)
	p.SecretTTL = lower(p.SecretTTL, by.SecretTTL)
	p.UnusedTTL = lower(p.UnusedTTL, by.UnusedTTL)
	return p
}

// linkHostsModes lists the modes, the strictest one first.
func linkHostsModes() []LinkHosts { return []LinkHosts{LinkHostsRequire, LinkHostsWarn, LinkHostsOff} }

// statementModes lists the modes, the strictest one first.
func statementModes() []StatementMode {
	return []StatementMode{StatementRequired, StatementOptional, StatementNone}
}

// stricter returns the mode that comes first in the list. A mode that is not in the list
// counts as not given.
func stricter[S ~string](modes []S, a, b S) S {
	i, k := slices.Index(modes, a), slices.Index(modes, b)
	if k >= 0 && (i < 0 || k < i) {
		return b
	}
	return a
}

// lower returns the lower of two limits; 0 means none.
func lower[N int | int64 | time.Duration](a, b N) N {
	if b > 0 && (a == 0 || b < a) {
		return b
	}
	return a
}

// orDefault returns the list, or the default if it is not given.
func orDefault[S any](list, otherwise []S) []S {
	if list == nil {
		return otherwise
	}
	return list
}

// only returns the elements that are allowed, in their order.
func only[S any](list []S, allowed func(S) bool) []S {
	return slices.DeleteFunc(slices.Clone(list), func(s S) bool { return !allowed(s) })
}

// common returns the elements that both lists have, in the order of b. A nil list is not
// given and has everything.
func common[S comparable](a, b []S) []S {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	list := []S{}
	for _, s := range b {
		if slices.Contains(a, s) && !slices.Contains(list, s) {
			list = append(list, s)
		}
	}
	return list
}

// commonResponseTypes is [common] for response types, whose words have no order.
func commonResponseTypes(a, b []ResponseType) []ResponseType {
	if a == nil || b == nil {
		return common(a, b)
	}
	list := []ResponseType{}
	for _, t := range b {
		if hasResponseType(a, t) && !hasResponseType(list, t) {
			list = append(list, t)
		}
	}
	return list
}

func hasResponseType(list []ResponseType, t ResponseType) bool {
	return slices.ContainsFunc(list, func(other ResponseType) bool { return wordsOf(other) == wordsOf(t) })
}

// strengthens reports whether the profile requires everything that the other one requires,
// and more.
func (p Profile) strengthens(other Profile) bool {
	switch other {
	case ProfileNone:
		return p != ProfileNone
	case ProfileFAPI1:
		return p == ProfileFAPI1Baseline || p == ProfileFAPI1Advanced
	case ProfileFAPI1Baseline:
		return p == ProfileFAPI1Advanced
	case ProfileFAPI2:
		return p == ProfileFAPI2Security || p == ProfileFAPI2MessageSigning
	case ProfileFAPI2Security:
		return p == ProfileFAPI2MessageSigning
	default:
		return false
	}
}
