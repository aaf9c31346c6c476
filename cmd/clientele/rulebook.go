package main

import (
	"crypto/x509"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/clientele-oauth/clientele/adapters/jwks"
	"github.com/clientele-oauth/clientele/domain"
)

// ruleFlags configure the rules of a deployment.
type ruleFlags struct {
	GrantType       []string `env:"CLIENTELE_GRANT_TYPE" placeholder:"URI" help:"Extension grant types to allow (RFC 6749 §4.5)."`
	PrivateSchemes  []string `env:"CLIENTELE_PRIVATE_SCHEMES" placeholder:"SCHEME" help:"Private-use schemes without a dot that redirect URIs may have, e.g. cursor,oc; they are reported as warnings."`
	PrivateNetworks bool     `name:"allow-private-networks" env:"CLIENTELE_ALLOW_PRIVATE_NETWORKS" help:"Allow addresses of private networks (RFC 1918, RFC 4193) for back-channel logout and CIBA notification."`
	Declarations    string   `default:"warn" enum:"warn,require" env:"CLIENTELE_DECLARATIONS" help:"What to do with a client that does not declare what its FAPI profile requires, such as PKCE, PAR or sender-constrained tokens: warn, require (${default})."`
}

// keyFlags configure how the keys and sector identifiers of clients are fetched.
type keyFlags struct {
	KeyNetwork []netip.Prefix `env:"CLIENTELE_KEY_NETWORK" placeholder:"CIDR" help:"Private networks from which client keys and sector identifiers may be fetched, e.g. 10.1.0.0/16."`
	KeyHost    []string       `env:"CLIENTELE_KEY_HOST" placeholder:"NAME" help:"Hosts from which client keys and sector identifiers may be fetched even if their address is private."`
	KeyCAFile  string         `name:"key-ca-file" env:"CLIENTELE_KEY_CA_FILE" type:"existingfile" placeholder:"FILE" help:"Certificate authorities for the hosts of client keys and sector identifiers, in PEM; replaces those of the system."`
	KeyTimeout time.Duration  `default:"3s" env:"CLIENTELE_KEY_TIMEOUT" help:"Timeout for fetching a client's keys, including redirects, or its sector identifier (${default})."`
}

// rulePolicy returns the policy of the rulebook that the flags configure; dev is that of
// a service in development mode.
func rulePolicy(rules ruleFlags, keys keyFlags, preflight string, dev bool) domain.Policy {
	policy := domain.Policy{
		KeyNetworks:     keys.KeyNetwork,
		KeyPreflight:    domain.KeyPreflight(preflight),
		Declarations:    domain.Declarations(rules.Declarations),
		PrivateNetworks: rules.PrivateNetworks,
		Loopback:        dev,
	}
	for _, scheme := range rules.PrivateSchemes {
		policy.PrivateSchemes = append(policy.PrivateSchemes, strings.ToLower(scheme))
	}
	for _, grant := range rules.GrantType {
		policy.GrantTypes = append(policy.GrantTypes, domain.GrantType(grant))
	}
	for _, host := range keys.KeyHost {
		policy.KeyHosts = append(policy.KeyHosts, strings.ToLower(host))
	}
	return policy
}

// resolver returns the resolver of clients' keys and sector identifiers that the flags
// configure.
func (f keyFlags) resolver(policy domain.Policy) (*jwks.Resolver, error) {
	options := jwks.Options{Policy: policy, Timeout: f.KeyTimeout}
	if f.KeyCAFile != "" {
		text, err := readSetting(f.KeyCAFile)
		if err != nil {
			return nil, fmt.Errorf("certificate authorities: %w", err)
		}
		options.Roots = x509.NewCertPool()
		if !options.Roots.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("certificate authorities: %s contains no PEM certificate", f.KeyCAFile)
		}
	}
	return jwks.NewResolver(options), nil
}
