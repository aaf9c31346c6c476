package domain

import (
	"slices"
	"strings"
	"time"
)

// RuleRegistrationPolicy is the id of the rule about policies, as in [RegistrationRules].
const RuleRegistrationPolicy = "registration-policy"

// policyReport collects the findings about a policy. Its pointers are /policy/ and the key.
type policyReport struct{ report }

func newPolicyReport() *policyReport {
	rule := registrationRule(RuleRegistrationPolicy)
	return &policyReport{report{rule: &rule}}
}

func (r *policyReport) on(key, format string, args ...any) {
	r.add(Violation, "/policy/"+key, "", format, args...)
}

// when reports the key if broken is true.
func (r *policyReport) when(broken bool, key, message string) {
	if broken {
		r.on(key, "%s", message)
	}
}

// Beyond returns a violation for each key of by that allows more than p. An initial access
// token can only narrow the policy of its tenant. The pointers are "/policy/" and the key.
func (p RegistrationPolicy) Beyond(by RegistrationPolicy) Findings {
	p = p.WithDefaults()
	r := newPolicyReport()
	for _, host := range by.RedirectHosts {
		if p.RedirectHosts != nil && !anyCovers(p.RedirectHosts, host) {
			r.beyond("redirect_hosts", host)
			break
		}
	}
	beyondList(r, "redirect_kinds", p.RedirectKinds, by.RedirectKinds)
	beyondList(r, "grants", p.Grants, by.Grants)
	for _, t := range by.ResponseTypes {
		if p.ResponseTypes != nil && !hasResponseType(p.ResponseTypes, t) {
			r.beyond("response_types", string(t))
			break
		}
	}
	beyondList(r, "auth_methods", p.AuthMethods, by.AuthMethods)
	beyondList(r, "scopes", p.Scopes, by.Scopes)
	beyondList(r, "default_scopes", common(p.Scopes, by.Scopes), by.DefaultScopes)
	beyondList(r, "resources", p.Resources, by.Resources)
	beyondList(r, "authorization_details_types", p.AuthorizationDetailsTypes, by.AuthorizationDetailsTypes)
	beyondList(r, "issuers", p.Issuers, by.Issuers)
	p.beyondWritten(r, by)
	p.beyondLimits(r, by)
	return r.findings
}

func (r *policyReport) beyond(key, value string) {
	r.on(key, "%s is beyond the policy of the tenant; remove it", quoted(value))
}

// beyondList reports the first element of by that is not in the list; nil has everything.
func beyondList[S ~string](r *policyReport, key string, list, by []S) {
	if list == nil {
		return
	}
	if i := slices.IndexFunc(by, func(s S) bool { return !slices.Contains(list, s) }); i >= 0 {
		r.beyond(key, string(by[i]))
	}
}

// beyondWritten reports what by forces or writes differently.
func (p RegistrationPolicy) beyondWritten(r *policyReport, by RegistrationPolicy) {
	differs := p.Profile != ProfileNone && by.Profile != ProfileNone && by.Profile != p.Profile && !by.Profile.strengthens(p.Profile)
	r.when(differs, "profile", "the policy of the tenant forces another profile, which this one does not include")
	r.when(p.InitialStatus == StatusSuspended && by.InitialStatus == StatusActive, "initial_status",
		"the policy of the tenant suspends new clients")
	p.beyondLabels(r, by)
	r.when(p.Owner != "" && by.Owner != "" && p.Owner != by.Owner, "owner", "the policy of the tenant sets another owner")
}

// beyondLabels reports labels of by that cannot be written beside those of p.
func (p RegistrationPolicy) beyondLabels(r *policyReport, by RegistrationPolicy) {
	more, differ := 0, false
	for name, value := range by.Labels {
		own, has := p.Labels[name]
		if !has {
			more++
		}
		differ = differ || has && own != value
	}
	r.when(differ, "labels", "the policy of the tenant sets another value for a label; remove it")
	r.when(more > 0 && len(p.Labels)+more > MaxLabels, "labels", "with those of the policy of the tenant these are more labels than a client can have")
}

// beyondLimits reports the limits of by that are less strict.
func (p RegistrationPolicy) beyondLimits(r *policyReport, by RegistrationPolicy) {
	for _, limit := range []struct {
		key     string
		own, by int64
	}{
		{"access_token_lifetime", p.AccessTokenLifetime, by.AccessTokenLifetime},
		{"id_token_lifetime", p.IDTokenLifetime, by.IDTokenLifetime},
		{"refresh_token_lifetime", p.RefreshTokenLifetime, by.RefreshTokenLifetime},
		{"max_clients", int64(p.MaxClients), int64(by.MaxClients)},
		{"secret_ttl", int64(p.SecretTTL), int64(by.SecretTTL)},
		{"unused_ttl", int64(p.UnusedTTL), int64(by.UnusedTTL)},
	} {
		r.when(limit.own > 0 && limit.by > limit.own, limit.key, "it is more than the policy of the tenant allows")
	}
	const laxer = "it is less strict than the policy of the tenant"
	r.when(by.LinkHosts != "" && stricter(linkHostsModes(), p.LinkHosts, by.LinkHosts) != by.LinkHosts, "link_hosts", laxer)
	r.when(by.Statement != "" && stricter(statementModes(), p.Statement, by.Statement) != by.Statement, "statement", laxer)
	r.when(by.Statement.Accepts() && !p.Statement.Accepts(), "statement", "the policy of the tenant accepts no software statements")
}

// CheckWritten returns the violations of what the policy writes to every client: with them,
// no client could be registered. The pointers are "/" and the key, or into its value.
func (b *Rulebook) CheckWritten(p RegistrationPolicy) Findings {
	settings := Settings{
		GrantTypes: []GrantType{GrantAuthorizationCode, GrantRefreshToken}, Scopes: []Scope{"openid"},
		Resources: p.Resources, Labels: p.Labels, Owner: p.Owner,
		AccessTokenLifetime: p.AccessTokenLifetime, IDTokenLifetime: p.IDTokenLifetime, RefreshTokenLifetime: p.RefreshTokenLifetime,
	}
	written := FieldsOf(FieldResources, FieldLabels, FieldOwner, FieldAccessTokenLifetime, FieldIDTokenLifetime, FieldRefreshTokenLifetime)
	return slices.DeleteFunc(b.Validate(settings, Facts{}, time.Time{}), func(f Finding) bool {
		name, _, _ := strings.Cut(strings.TrimPrefix(f.Pointer, "/"), "/")
		field, known := FieldNamed(name, LastField)
		return f.Level != Violation || !known || !written.Has(field)
	})
}
