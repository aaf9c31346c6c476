package domain

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// policyKey is a key by which a policy narrows another one, e.g. that of an initial access
// token that of its tenant. The keys open, cors and unused_ttl narrow nothing: only the
// policy of a tenant has them.
type policyKey struct {
	name string
	// narrow changes n, which is with defaults, so that it also requires what by does.
	narrow func(n, by *RegistrationPolicy)
	// beyond returns why by allows more than p, which is with defaults; "" if it does not.
	beyond func(p, by *RegistrationPolicy) string
}

// policyKeys returns the table that [RegistrationPolicy.Narrow] and
// [RegistrationPolicy.Beyond] follow. default_scopes depends on the scopes before it.
func policyKeys() []policyKey {
	type policy = RegistrationPolicy
	return []policyKey{
		listKeyBy("redirect_hosts", commonHosts, anyCovers, func(p *policy) *[]string { return &p.RedirectHosts }),
		listKey("redirect_kinds", func(p *policy) *[]RedirectKind { return &p.RedirectKinds }),
		listKey("grants", func(p *policy) *[]GrantType { return &p.Grants }),
		listKeyBy("response_types", commonResponseTypes, hasResponseType, func(p *policy) *[]ResponseType { return &p.ResponseTypes }),
		listKey("auth_methods", func(p *policy) *[]AuthMethod { return &p.AuthMethods }),
		listKey("scopes", func(p *policy) *[]Scope { return &p.Scopes }),
		{"default_scopes", narrowDefaultScopes, defaultScopesBeyond},
		listKey("resources", func(p *policy) *[]string { return &p.Resources }),
		listKey("authorization_details_types", func(p *policy) *[]string { return &p.AuthorizationDetailsTypes }),
		{"profile", narrowProfile, profileBeyond},
		flagKey("require_pkce", func(p *policy) *bool { return &p.RequirePKCE }),
		flagKey("par", func(p *policy) *bool { return &p.PAR }),
		flagKey("dpop", func(p *policy) *bool { return &p.DPoP }),
		flagKey("mtls", func(p *policy) *bool { return &p.MTLS }),
		flagKey("signed_requests", func(p *policy) *bool { return &p.SignedRequests }),
		modeKey("initial_status", "the policy of the tenant suspends new clients", []Status{StatusSuspended, StatusActive}, func(p *policy) *Status { return &p.InitialStatus }),
		{"labels", narrowLabels, labelsBeyond},
		{"owner", narrowOwner, ownerBeyond},
		limitKey("access_token_lifetime", func(p *policy) *int64 { return &p.AccessTokenLifetime }),
		limitKey("id_token_lifetime", func(p *policy) *int64 { return &p.IDTokenLifetime }),
		limitKey("refresh_token_lifetime", func(p *policy) *int64 { return &p.RefreshTokenLifetime }),
		modeKey("link_hosts", laxer, LinkHostsModes(), func(p *policy) *LinkHosts { return &p.LinkHosts }),
		{"statement", narrowStatement, statementBeyond},
		listKey("issuers", func(p *policy) *[]string { return &p.Issuers }),
		limitKey("max_clients", func(p *policy) *int { return &p.MaxClients }),
		limitKey("secret_ttl", func(p *policy) *time.Duration { return &p.SecretTTL }),
		flagKey("management", func(p *policy) *bool { return &p.Unmanaged }),
		flagKey("rotate_on_update", func(p *policy) *bool { return &p.RotateOnUpdate }),
	}
}

// listKey is a key whose values are intersected. A nil list has everything.
func listKey[S ~string](name string, field func(*RegistrationPolicy) *[]S) policyKey {
	return listKeyBy(name, common[S], slices.Contains[[]S], field)
}

// listKeyBy is [listKey] with its own intersection, and its own test whether a list has a value.
func listKeyBy[S ~string](name string, intersect func(a, b []S) []S, has func(list []S, s S) bool, field func(*RegistrationPolicy) *[]S) policyKey {
	return policyKey{
		name:   name,
		narrow: func(n, by *RegistrationPolicy) { *field(n) = intersect(*field(n), *field(by)) },
		beyond: func(p, by *RegistrationPolicy) string { return valueBeyond(*field(p), *field(by), has) },
	}
}

// valueBeyond returns the message about the first element of by that the list does not
// have, if there is one.
func valueBeyond[S ~string](list, by []S, has func(list []S, s S) bool) string {
	i := slices.IndexFunc(by, func(s S) bool { return !has(list, s) })
	if list == nil || i < 0 {
		return ""
	}
	return quoted(by[i]) + " is beyond the policy of the tenant; remove it"
}

// flagKey is a key that is on if it is on in either policy.
func flagKey(name string, field func(*RegistrationPolicy) *bool) policyKey {
	return policyKey{
		name:   name,
		narrow: func(n, by *RegistrationPolicy) { *field(n) = *field(n) || *field(by) },
		beyond: func(_, _ *RegistrationPolicy) string { return "" },
	}
}

// limitKey is a key whose lower value applies; 0 is no limit.
func limitKey[N int | int64 | time.Duration](name string, field func(*RegistrationPolicy) *N) policyKey {
	return policyKey{
		name: name,
		narrow: func(n, by *RegistrationPolicy) {
			if own, other := field(n), *field(by); other > 0 && (*own == 0 || other < *own) {
				*own = other
			}
		},
		beyond: func(p, by *RegistrationPolicy) string {
			own, other := *field(p), *field(by)
			return when(own > 0 && other > own, "it is more than the policy of the tenant allows")
		},
	}
}

// laxer is the message about a value that is less strict.
const laxer = "it is less strict than the policy of the tenant"

// modeKey is a key with one of the values, the strictest one first. The stricter one applies.
// message is about the other one.
func modeKey[S ~string](name, message string, values []S, field func(*RegistrationPolicy) *S) policyKey {
	return policyKey{
		name:   name,
		narrow: func(n, by *RegistrationPolicy) { *field(n) = stricter(values, *field(n), *field(by)) },
		beyond: func(p, by *RegistrationPolicy) string {
			return when(isLaxer(values, *field(p), *field(by)), message)
		},
	}
}

// isLaxer reports whether by is given and less strict than own.
func isLaxer[S ~string](values []S, own, by S) bool {
	return by != "" && stricter(values, own, by) != by
}

// stricter returns the value that comes first in the list. A value that is not in the list
// counts as not given.
func stricter[S ~string](values []S, a, b S) S {
	i, k := slices.Index(values, a), slices.Index(values, b)
	if k >= 0 && (i < 0 || k < i) {
		return b
	}
	return a
}

func narrowDefaultScopes(n, by *RegistrationPolicy) {
	n.DefaultScopes = orDefault(by.DefaultScopes, n.DefaultScopes)
	if n.Scopes != nil && n.DefaultScopes != nil {
		n.DefaultScopes = common(n.Scopes, n.DefaultScopes)
	}
}

func defaultScopesBeyond(p, by *RegistrationPolicy) string {
	return valueBeyond(common(p.Scopes, by.Scopes), by.DefaultScopes, slices.Contains[[]Scope])
}

func narrowProfile(n, by *RegistrationPolicy) {
	if by.Profile.strengthens(n.Profile) {
		n.Profile = by.Profile
	}
}

func profileBeyond(p, by *RegistrationPolicy) string {
	differs := p.Profile != ProfileNone && by.Profile != ProfileNone && by.Profile != p.Profile && !by.Profile.strengthens(p.Profile)
	return when(differs, "the policy of the tenant forces another profile, which this one does not include")
}

// narrowLabels adds the labels whose names n does not have, as many as a client can have:
// without the last names if there are more.
func narrowLabels(n, by *RegistrationPolicy) {
	if len(by.Labels) == 0 {
		return
	}
	labels := make(map[string]string, len(n.Labels)+len(by.Labels))
	maps.Copy(labels, n.Labels)
	for _, name := range slices.Sorted(maps.Keys(by.Labels)) {
		if _, has := labels[name]; !has && len(labels) < MaxLabels {
			labels[name] = by.Labels[name]
		}
	}
	n.Labels = labels
}

// labelsBeyond is about labels that cannot be written beside those of p.
func labelsBeyond(p, by *RegistrationPolicy) string {
	more := 0
	for name, value := range by.Labels {
		switch own, has := p.Labels[name]; {
		case !has:
			more++
		case own != value:
			return "the policy of the tenant sets another value for a label; remove it"
		}
	}
	return when(more > 0 && len(p.Labels)+more > MaxLabels, "with those of the policy of the tenant these are more labels than a client can have")
}

func narrowOwner(n, by *RegistrationPolicy) { n.Owner = cmp.Or(n.Owner, by.Owner) }

func ownerBeyond(p, by *RegistrationPolicy) string {
	return when(p.Owner != "" && by.Owner != "" && p.Owner != by.Owner, "the policy of the tenant sets another owner")
}

// narrowStatement applies the stricter mode, except that a tenant that accepts no statement
// does not begin to accept optional ones.
func narrowStatement(n, by *RegistrationPolicy) {
	if n.Statement.Accepts() || by.Statement == StatementRequired {
		n.Statement = stricter(StatementModes(), n.Statement, by.Statement)
	}
}

func statementBeyond(p, by *RegistrationPolicy) string {
	if by.Statement.Accepts() && !p.Statement.Accepts() {
		return "the policy of the tenant accepts no software statements"
	}
	return when(isLaxer(StatementModes(), p.Statement, by.Statement), laxer)
}
