package domain

import (
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// Rule is one row of the rulebook.
type Rule struct {
	// ID is the stable, public name of the rule, e.g. "redirect-uri-fragment".
	ID string
	// Source names the text that rules it; "own" is a rule without one.
	Source string
	// Level is the rule's level; where Softens is set, its strictest one.
	Level Level
	// Softens says that the rule is only a warning in some cases that its
	// Summary names.
	Softens bool
	// Summary completes the sentence "violated when …".
	Summary string
	// Subject is the part of the rulebook that the row stands in, e.g.
	// "Redirect URIs".
	Subject string

	in    profileSet
	needs []Field // the members that decide it
	keys  bool    // it judges what is known about keys
	check func(*judged, *report)
}

// AppliesTo lists the profiles that the rule applies in; [ProfileNone] stands
// for clients without one.
func (r Rule) AppliesTo() []Profile { return r.in.profiles() }

// Levels lists the levels that the rule can have, the strictest first.
func (r Rule) Levels() []Level {
	if r.Softens {
		return []Level{Violation, Warning}
	}
	return []Level{r.Level}
}

// KeyPreflight says what is made of keys that could not be fetched.
type KeyPreflight string

// The policies for keys behind a URI.
const (
	// PreflightOff does not look at them when a client is changed.
	PreflightOff KeyPreflight = "off"
	// PreflightWarn looks, and warns where they cannot be seen; under a FAPI
	// profile whose rules depend on them it refuses.
	PreflightWarn KeyPreflight = "warn"
	// PreflightRequire refuses a client whose keys cannot be seen.
	PreflightRequire KeyPreflight = "require"
)

// Policy is what a deployment may decide about the rules.
type Policy struct {
	// GrantTypes are extension grants (RFC 6749 §4.5) beside [GrantTypes];
	// each is an absolute URI.
	GrantTypes []GrantType
	// KeyNetworks are networks that are not public and may hold clients' keys
	// all the same.
	KeyNetworks []netip.Prefix
	// KeyHosts are names of hosts whose addresses need not be public to hold
	// clients' keys.
	KeyHosts []string
	// KeyPreflight is the policy for keys behind a URI; empty is
	// [PreflightWarn].
	KeyPreflight KeyPreflight
}

// Rulebook judges configurations: the rows of [Rules] under the policy of a
// deployment. It is safe for concurrent use.
type Rulebook struct {
	policy Policy
	rules  []Rule
}

// NewRulebook returns the rulebook under policy, and an error where the policy
// itself makes no sense.
func NewRulebook(policy Policy) (*Rulebook, error) {
	for _, g := range policy.GrantTypes {
		if u := parseURI(string(g)); u.fault != "" {
			return nil, fmt.Errorf("extension grant type %s is not an absolute URI (RFC 6749 §4.5): %s", quoted(g), u.fault)
		}
	}
	switch policy.KeyPreflight {
	case "":
		policy.KeyPreflight = PreflightWarn
	case PreflightOff, PreflightWarn, PreflightRequire:
	default:
		return nil, fmt.Errorf("key preflight %s must be off, warn or require", quoted(policy.KeyPreflight))
	}
	return &Rulebook{policy: policy, rules: Rules()}, nil
}

// Rules returns the rows of the rulebook in the order in which they are judged
// and published.
func Rules() []Rule {
	subjects := []struct {
		name  string
		rules []Rule
	}{
		{"Redirect URIs", redirectURIRules()},
		{"Grants", grantRules()},
		{"Client authentication", slices.Concat(authenticationRules(), tlsSubjectRules())},
		{"Scopes", scopeRules()},
		{"Keys", keyRules()},
		{"Metadata", metadataRules()},
		{"Identifier", clientIDRules()},
		{"Size", sizeRules()},
	}
	var all []Rule
	for _, s := range subjects {
		for _, r := range s.rules {
			r.Subject = s.name
			if r.in == 0 {
				r.in = everywhere
			}
			all = append(all, r)
		}
	}
	return all
}

// judged is a configuration on the table: the settings, and what the checks
// of several rules need to know of them.
type judged struct {
	draft
	policy  *Policy
	profile Profile // one that [Profile.JudgedAs] returned
	keys    Keys
	now     time.Time
	uris    []uri // RedirectURIs, cut into parts
}

// judge runs every rule that applies to d under profile.
func (b *Rulebook) judge(d draft, profile Profile, keys Keys, now time.Time) Findings {
	judgedAs, _ := profile.JudgedAs()
	j := &judged{draft: d, policy: &b.policy, profile: judgedAs, keys: keys, now: now}
	j.uris = make([]uri, len(d.RedirectURIs))
	for i, raw := range d.RedirectURIs {
		j.uris[i] = parseURI(string(raw))
	}
	var r report
	for i := range b.rules {
		rule := &b.rules[i]
		if rule.in&judgedAs.bit() == 0 {
			continue
		}
		r.rule = rule
		rule.check(j, &r)
	}
	return r.findings
}

// Judge runs every rule over settings, as they would be judged for a client
// that is created with them.
func (b *Rulebook) Judge(settings Settings, keys Keys, now time.Time) Findings {
	return b.judge(draft{Settings: settings}, settings.Profile, keys, now)
}

// defaults is the configuration that a registration starts from (RFC 7591 §2
// for the omitted members; the authentication method is chosen once it is
// known whether the client is confidential).
func defaults() Settings {
	return Settings{
		Status:       StatusActive,
		Confidential: true,
		GrantTypes:   []GrantType{GrantAuthorizationCode},
	}
}

// draftOf is what a registration asks for.
func draftOf(wish Change) draft {
	d := wish.apply(defaults())
	if wish.AuthMethods == nil {
		d.AuthMethods = []AuthMethod{AuthSecretBasic}
		if !d.Confidential {
			d.AuthMethods = []AuthMethod{AuthNone}
		}
	}
	return d
}

// RegistrationKeys returns where the keys of a client registered by wish would
// be, so that they can be resolved before the rulebook is asked, and whether
// the policy wants keys behind a URI to be looked at.
func (b *Rulebook) RegistrationKeys(wish Change) (source KeySource, matters bool) {
	return draftOf(wish).Keys, b.policy.KeyPreflight != PreflightOff
}

// Register makes a new client of revision 1 from the wish, over the defaults
// of RFC 7591 §2: authorization_code, confidential, and client_secret_basic or,
// for a public client, none. Where the findings refuse it, the client is the
// zero one.
func (b *Rulebook) Register(id Identity, wish Change, keys Keys, now time.Time) (Client, Findings) {
	d := draftOf(wish)
	d.clientID = id.ClientID
	findings := b.judge(d, d.Profile, keys, now)
	if findings.Refuse() {
		return Client{}, findings
	}
	return Client{state: State{
		Identity:  id,
		Settings:  d.Settings,
		Revision:  1,
		CreatedAt: now,
		UpdatedAt: now,
	}}, findings
}

// RevisionKeys returns where the keys of c would be after change, and whether
// the change makes it matter what they are: whether it touches anything that a
// rule about keys depends on, and the policy wants keys behind a URI to be
// looked at.
func (b *Rulebook) RevisionKeys(c Client, change Change) (source KeySource, matters bool) {
	d := change.apply(c.state.Settings)
	if b.policy.KeyPreflight == PreflightOff {
		return d.Keys, false
	}
	if demandsAll(c.state.Settings, d.Settings) {
		return d.Keys, true
	}
	changed := differences(c.state.Settings, d.Settings)
	for i := range b.rules {
		if b.rules[i].keys && changed.hasAny(b.rules[i].needs) {
			return d.Keys, true
		}
	}
	return d.Keys, false
}

// demandsAll reports whether the step from one configuration to the other is
// one that everything must hold for: reactivating a client, or choosing a
// profile.
func demandsAll(from, to Settings) bool {
	reactivates := from.Status != StatusActive && to.Status == StatusActive
	chooses := from.Profile != to.Profile && to.Profile != ProfileNone
	return reactivates || chooses
}

// Revise returns c as change makes it, one revision further; c itself where
// the change changes nothing. keys is what is known about the keys after the
// change ([Rulebook.RevisionKeys]).
//
// A violation that stood before and is not touched by the change comes back
// as a standing warning: rules tighten over time, and a newer one must not
// keep an operator from mending something else. Reactivating a client and
// choosing a profile demand that everything holds. Where the findings refuse
// the change, c is returned unchanged. Secrets that no authentication method
// uses any more are revoked.
func (b *Rulebook) Revise(c Client, change Change, keys Keys, now time.Time) (Client, Findings) {
	before := c.state.Settings
	d := change.apply(before)
	findings := b.judge(d, d.Profile, keys, now)
	changed := differences(before, d.Settings)
	if findings.Refuse() && !demandsAll(before, d.Settings) {
		findings = b.soften(findings, before, changed, keys, now)
	}
	if findings.Refuse() || len(changed) == 0 {
		return c, findings
	}
	revised := c.next(now)
	revised.state.Settings = d.Settings
	if !revised.UsesSecret() {
		// They would come back to life with the method.
		revised.state.Secrets, revised.state.SecretsUnreadable = nil, false
	}
	return revised, findings
}

// RestorationKeys returns where the keys of a deleted client are, and whether
// the policy wants keys behind a URI to be looked at before it is restored.
func (b *Rulebook) RestorationKeys(c Client) (source KeySource, matters bool) {
	active := c.state.Settings.Status == StatusActive
	return c.state.Settings.Keys, active && b.policy.KeyPreflight != PreflightOff
}

// Restore returns a deleted client as it was, one revision further. That an
// active client comes back demands that everything holds, by today's rules; a
// suspended one comes back with what stands against it as warnings. Where the
// findings refuse it, c is returned unchanged.
func (b *Rulebook) Restore(c Client, keys Keys, now time.Time) (Client, Findings) {
	findings := b.Judge(c.state.Settings, keys, now)
	if c.state.Settings.Status != StatusActive {
		for i := range findings {
			if findings[i].Level == Violation {
				findings[i].stand()
			}
		}
	}
	if findings.Refuse() {
		return c, findings
	}
	c.state.DeletedAt = time.Time{}
	return c.next(now), findings
}

// soften turns the violations that stood in the settings before and are not
// touched by the change into warnings.
func (b *Rulebook) soften(findings Findings, before Settings, changed fields, keys Keys, now time.Time) Findings {
	if changed.has(FieldJWKS) || changed.has(FieldJWKSURI) {
		keys = KeysUnexamined() // what is known is about the new keys
	}
	stood := b.judge(draft{Settings: before}, before.Profile, keys, now)
	for i := range findings {
		f := &findings[i]
		if f.Level != Violation || !slices.ContainsFunc(stood, func(s Finding) bool {
			return s.Level == Violation && s.sameAs(*f) && f.amount <= s.amount
		}) {
			continue
		}
		if f.subject != "" || !changed.hasAny(f.needs) {
			f.stand()
		}
	}
	return findings
}
