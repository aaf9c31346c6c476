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

// KeyPreflight says what is made of keys and of documents at a sector_identifier_uri
// that could not be fetched.
type KeyPreflight string

// The policies for keys and documents behind a URI.
const (
	// PreflightOff does not look at them when a client is changed. It warns about a
	// sector_identifier_uri, whose document is never checked then.
	PreflightOff KeyPreflight = "off"
	// PreflightWarn looks, and warns where keys cannot be seen; under a FAPI
	// profile whose rules depend on them the client is rejected, and so is a client
	// whose document at a sector_identifier_uri cannot be seen.
	PreflightWarn KeyPreflight = "warn"
	// PreflightRequire also rejects a client whose keys cannot be fetched.
	PreflightRequire KeyPreflight = "require"
)

// Policy is what a deployment may decide about the rules.
type Policy struct {
	// GrantTypes are extension grants (RFC 6749 §4.5) in addition to [GrantTypes];
	// each is an absolute URI.
	GrantTypes []GrantType
	// KeyNetworks are networks that are not public and may hold clients' keys
	// and sector identifiers all the same.
	KeyNetworks []netip.Prefix
	// KeyHosts are names of hosts whose addresses need not be public to hold
	// clients' keys and sector identifiers.
	KeyHosts []string
	// KeyPreflight is the policy for keys and documents behind a URI; empty is
	// [PreflightWarn].
	KeyPreflight KeyPreflight
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
		{"Subjects", subjectRules()},
		{"Server", serverRules()},
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
	sector  SectorIdentifier
	server  ServerMetadata
	now     time.Time
	uris    []uri // RedirectURIs, cut into parts
}

// Validate runs every rule over settings, as for a client
// that is created with them.
func (b *Rulebook) Validate(settings Settings, facts Facts, now time.Time) Findings {
	return b.validate(settings, "", facts, now)
}

func (b *Rulebook) validate(settings Settings, id ClientID, facts Facts, now time.Time) Findings {
	validatedAs, _ := settings.Profile.ValidatedAs()
	j := &candidate{
		Settings: settings, policy: &b.policy, profile: validatedAs, id: id,
		keys: facts.Keys, sector: facts.Sector, server: facts.Server, now: now,
	}
	j.uris = make([]uri, len(settings.RedirectURIs))
	for i, raw := range settings.RedirectURIs {
		j.uris[i] = parseURI(string(raw))
	}
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
