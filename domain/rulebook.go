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
	// Source is the specification clause; "own" means a rule of Clientele itself.
	Source string
	// Level is the rule's level; if Softens is set, the strictest one.
	Level Level
	// Softens reports that the rule is only a warning in some cases, which its
	// Summary describes.
	Softens bool
	// Summary completes the sentence "violated when …".
	Summary string
	// Subject is the part of the rulebook that contains the rule, e.g.
	// "Redirect URIs".
	Subject string

	in    profileSet
	needs []Field // the fields that it depends on
	keys  bool    // it depends on facts about keys
	check func(*candidate, *report)
}

// AppliesTo lists the profiles in which the rule applies; [ProfileNone] means clients
// without a profile.
func (r Rule) AppliesTo() []Profile { return r.in.profiles() }

// Levels lists the levels that the rule can have, strictest first.
func (r Rule) Levels() []Level {
	if r.Softens {
		return []Level{Violation, Warning}
	}
	return []Level{r.Level}
}

// KeyPreflight defines what happens if a client is changed and its keys, or the document
// at its sector_identifier_uri, cannot be fetched.
type KeyPreflight string

// The policies for keys and documents at a URI.
const (
	// PreflightOff does not fetch them when a client is changed. It warns about a
	// sector_identifier_uri, whose document is never checked then.
	PreflightOff KeyPreflight = "off"
	// PreflightWarn fetches them, and warns if that fails for keys; it rejects a client
	// with a FAPI profile whose rules depend on the keys, and a client whose document at
	// a sector_identifier_uri cannot be fetched.
	PreflightWarn KeyPreflight = "warn"
	// PreflightRequire also rejects a client whose keys cannot be fetched.
	PreflightRequire KeyPreflight = "require"
)

// Policy contains the options of the rules that a deployment can configure.
type Policy struct {
	// GrantTypes are extension grants (RFC 6749 §4.5) in addition to [GrantTypes];
	// each is an absolute URI.
	GrantTypes []GrantType
	// KeyNetworks are private networks from which clients' keys and sector identifiers
	// may be fetched.
	KeyNetworks []netip.Prefix
	// KeyHosts are names of hosts from which clients' keys and sector identifiers may be
	// fetched even if their addresses are private.
	KeyHosts []string
	// KeyPreflight is the policy for keys and documents at a URI; empty means
	// [PreflightWarn].
	KeyPreflight KeyPreflight
	// Declarations is the policy for what clients of a FAPI profile do not declare;
	// empty is [DeclarationsWarn].
	Declarations Declarations
	// ProfileSigningAlg is the signature algorithm that [Rulebook.Effective] returns in
	// the profiles that do not allow RS256: PS256 or ES256; empty is PS256.
	ProfileSigningAlg string
	// PrivateSchemes are private-use URI schemes without a dot, in lower case, that
	// redirect URIs may have anyway (OAuth 2.1 §2.3.1 only recommends a reversed
	// domain name).
	PrivateSchemes []string
	// PrivateNetworks allows addresses of private networks for the endpoints that
	// authorization servers send requests to: back-channel logout and CIBA notification.
	PrivateNetworks bool
	// Loopback allows loopback addresses for them, and for client ID metadata documents. It
	// is for development.
	Loopback bool
}

// Rulebook validates configurations: it applies the [Rules] with the policy of a
// deployment. It is safe for concurrent use.
type Rulebook struct {
	policy Policy
	rules  []Rule
}

// NewRulebook returns a rulebook with the policy. The error reports an invalid policy.
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
	switch policy.Declarations {
	case "":
		policy.Declarations = DeclarationsWarn
	case DeclarationsWarn, DeclarationsRequire:
	default:
		return nil, fmt.Errorf("declarations %s must be warn or require", quoted(policy.Declarations))
	}
	switch policy.ProfileSigningAlg {
	case "":
		policy.ProfileSigningAlg = defaultProfileAlg
	case "PS256", "ES256":
	default:
		return nil, fmt.Errorf("signature algorithm %s must be PS256 or ES256", quoted(policy.ProfileSigningAlg))
	}
	return &Rulebook{policy: policy, rules: Rules()}, nil
}

// Policy returns the policy of the deployment, with the defaults.
func (b *Rulebook) Policy() Policy { return b.policy }

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
		{"Responses", responseRules()},
		{"Application type", applicationTypeRules()},
		{"Scopes", scopeRules()},
		{"Keys", keyRules()},
		{"Algorithms", algorithmRules()},
		{"FAPI declarations", fapiRules()},
		{"Metadata", metadataRules()},
		{"Logout", logoutRules()},
		{"Login and requests", requestRules()},
		{"CIBA", cibaRules()},
		{"Tokens and consent", tokenRules()},
		{"Contacts, texts and labels", labelRules()},
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

// candidate is a configuration under validation: the settings, and derived values that
// several rules use.
type candidate struct {
	Settings
	policy  *Policy
	profile Profile  // one that [Profile.ValidatedAs] returned
	id      ClientID // of a new client; empty if it exists, or if the registry generates one
	keys    Keys
	sector  SectorIdentifier
	server  ServerMetadata
	now     time.Time
	uris    []uri // the parsed RedirectURIs
}

// Validate applies every rule to the settings, as for a new client.
func (b *Rulebook) Validate(settings Settings, facts Facts, now time.Time) Findings {
	return b.validate(settings, "", facts, now)
}

func (b *Rulebook) validate(settings Settings, id ClientID, facts Facts, now time.Time) Findings {
	validatedAs, _ := settings.Profile.ValidatedAs()
	j := &candidate{
		Settings: settings, policy: &b.policy, profile: validatedAs, id: id,
		keys: facts.Keys, sector: facts.Sector, server: facts.Server, now: now,
	}
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
