package domain

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
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
	// Subject is the part of the rulebook that has the rule, e.g.
	// "Redirect URIs".
	Subject string

	in    profileSet
	needs []Field // the members that decide it
	keys  bool    // it depends on what is known about keys
	check func(*candidate, *report)
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
	// profile whose rules depend on them the client is rejected.
	PreflightWarn KeyPreflight = "warn"
	// PreflightRequire rejects a client whose keys cannot be fetched.
	PreflightRequire KeyPreflight = "require"
)

// Policy is what a deployment may decide about the rules.
type Policy struct {
	// GrantTypes are extension grants (RFC 6749 §4.5) in addition to [GrantTypes];
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
	// PrivateSchemes are private-use URI schemes without a dot, in lower case, that
	// redirect URIs may have all the same (OAuth 2.1 §2.3.1 only recommends a reversed
	// domain name).
	PrivateSchemes []string
	// PrivateNetworks allows addresses of private networks for the endpoints that
	// authorization servers send requests to: back-channel logout and CIBA notification.
	PrivateNetworks bool
	// Loopback allows loopback addresses for them. It is for development.
	Loopback bool
}

// Rulebook validates configurations: the rows of [Rules] under the policy of a
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
	for _, s := range policy.PrivateSchemes {
		if s != strings.ToLower(s) || !wellFormedScheme(s) || !isPrivateUse(&uri{scheme: s}) {
			return nil, fmt.Errorf("private scheme %s must be a URI scheme of an app, such as cursor", quoted(s))
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

// Rules returns the rows of the rulebook in the order in which they are checked
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
		{"Logout", logoutRules()},
		{"Login and requests", requestRules()},
		{"CIBA", cibaRules()},
		{"Tokens and consent", tokenRules()},
		{"Contacts, texts and labels", labelRules()},
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

// candidate is a configuration under validation: the settings, and what the checks
// of several rules need to know about them.
type candidate struct {
	Settings
	policy  *Policy
	profile Profile  // one that [Profile.ValidatedAs] returned
	id      ClientID // of a new client; empty if it exists, or if the registry generates one
	keys    Keys
	now     time.Time
	uris    []uri // RedirectURIs, cut into parts
}

// Validate runs every rule over settings, as for a client
// that is created with them.
func (b *Rulebook) Validate(settings Settings, keys Keys, now time.Time) Findings {
	return b.validate(settings, "", keys, now)
}

func (b *Rulebook) validate(settings Settings, id ClientID, keys Keys, now time.Time) Findings {
	validatedAs, _ := settings.Profile.ValidatedAs()
	j := &candidate{Settings: settings, policy: &b.policy, profile: validatedAs, id: id, keys: keys, now: now}
	j.uris = parseURIs(settings.RedirectURIs)
	var r report
	for i := range b.rules {
		rule := &b.rules[i]
		if rule.in&validatedAs.bit() == 0 {
			continue
		}
		r.rule = rule
		rule.check(j, &r)
	}
	return r.findings
}
