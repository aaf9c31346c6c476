package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"github.com/clientele-oauth/clientele/adapters/jwks"
	"github.com/clientele-oauth/clientele/adapters/ratelimit"
	"github.com/clientele-oauth/clientele/adapters/registrationfile"
	"github.com/clientele-oauth/clientele/adapters/rest"
	"github.com/clientele-oauth/clientele/adapters/statements"
	"github.com/clientele-oauth/clientele/adapters/telemetry"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// registrationFlags configure registration from outside.
type registrationFlags struct {
	RegistrationFile string         `env:"CLIENTELE_REGISTRATION_FILE" type:"existingfile" placeholder:"FILE" help:"YAML or JSON file with the policies of tenants for dynamic client registration (RFC 7591, RFC 7592) and client ID metadata documents, which are off if unset. It is reloaded when it changes, and needs --public-url. clientele reference registration-file prints its JSON Schema."`
	TrustedProxy     []proxyNetwork `env:"CLIENTELE_TRUSTED_PROXY" placeholder:"ADDRESS" help:"Addresses or networks (CIDR) of reverse proxies. Rate limits per address use the X-Forwarded-For header only of requests from these."`
}

// checkRegistrationFile rejects a file without the URL that responses are made from.
func (f registrationFlags) checkRegistrationFile(public publicFlags) error {
	if f.RegistrationFile != "" && public.PublicURL == "" {
		return errors.New("--registration-file needs --public-url (CLIENTELE_PUBLIC_URL)")
	}
	return nil
}

// proxies returns the networks of the trusted proxies.
func (f registrationFlags) proxies() []netip.Prefix {
	var networks []netip.Prefix
	for _, proxy := range f.TrustedProxy {
		networks = append(networks, proxy.Prefix)
	}
	return networks
}

// proxyNetwork is an address, or a network in CIDR notation.
type proxyNetwork struct{ netip.Prefix }

// UnmarshalText implements [encoding.TextUnmarshaler]. An address is the network of one
// address.
func (n *proxyNetwork) UnmarshalText(text []byte) error {
	if address, err := netip.ParseAddr(string(text)); err == nil && address.Zone() == "" {
		address = address.Unmap()
		n.Prefix = netip.PrefixFrom(address, address.BitLen())
		return nil
	}
	network, err := netip.ParsePrefix(string(text))
	if err != nil || network.Addr().Is4In6() {
		return fmt.Errorf("%q is not an address or a network, such as 10.0.0.7 or 10.0.0.0/8", text)
	}
	n.Prefix = network.Masked()
	return nil
}

// Rate limits of registrations from outside, for each process.
const (
	registrationsPerMinute = 10  // from an address
	registrationsPerHour   = 100 // from an address
	managementPerMinute    = 60  // from an address
	failedTokensPerMinute  = 30  // from an address
	tokenUsesPerMinute     = 60  // with an initial access token
)

// registrationLimits returns the rate limits of each address.
func registrationLimits() rest.RegistrationLimits {
	return rest.RegistrationLimits{
		Register: ratelimit.ByNetwork(time.Now,
			ratelimit.Rate{Count: registrationsPerMinute, Period: time.Minute}, ratelimit.Rate{Count: registrationsPerHour, Period: time.Hour}),
		Management:   ratelimit.ByNetwork(time.Now, ratelimit.Rate{Count: managementPerMinute, Period: time.Minute}),
		FailedTokens: ratelimit.ByNetwork(time.Now, ratelimit.Rate{Count: failedTokensPerMinute, Period: time.Minute}),
	}
}

// registrations returns the ports and options for registrations from outside that the flags
// configure, and the note of /readyz about the file. Without a file, nothing is allowed.
func (c *serveCommand) registrations(
	book *domain.Rulebook, store application.RegistrationStore, resolver *jwks.Resolver, metrics *telemetry.Metrics, log *slog.Logger,
) (config application.RegistrationConfig, note func(context.Context) string, err error) {
	statementVerifier, err := statements.New(statements.Options{Keys: metrics.TimeKeys(resolver), Log: log})
	if err != nil {
		return config, nil, err
	}
	config = application.RegistrationConfig{
		Store:      metrics.TimeRegistrations(store),
		Policies:   registrationfile.Policies{},
		Statements: statementVerifier,
		Documents:  metrics.CountDocuments(resolver),
		PublicURL:  c.publicBase(),
		Tokens:     ratelimit.Per(tokenUsesPerMinute, time.Minute, time.Now),
	}
	if c.RegistrationFile == "" {
		return config, func(context.Context) string { return "" }, nil
	}
	file, err := registrationfile.Open(c.RegistrationFile, book, log, time.Now)
	if err != nil {
		return config, nil, err
	}
	config.Policies = file
	return config, file.Note, nil
}

// countRegisteredEvery is how often the clients that registered themselves are counted.
const countRegisteredEvery = 30 * time.Second

// countRegistered counts the clients that registered themselves, and the documents that wait
// for approval, at once and then periodically. The function that it returns stops this.
func countRegistered(
	ctx context.Context, store application.RegistrationStore, metrics *telemetry.Registered, log *slog.Logger,
) (end func()) {
	count := func(ctx context.Context) {
		counts, err := store.CountRegistered(ctx)
		if err != nil {
			log.WarnContext(ctx, "the clients that registered themselves were not counted", "error", err)
			return
		}
		metrics.Counted(counts)
	}
	first, cancel := context.WithTimeout(ctx, flushTimeout)
	defer cancel()
	count(first)
	return repeat(ctx, countRegisteredEvery, count)
}

// watchRegistrationFile checks each second whether the registration file has changed, so that
// a change is in force soon also after a time without requests. The function that it returns
// stops this.
func watchRegistrationFile(ctx context.Context, note func(context.Context) string) (end func()) {
	return repeat(ctx, time.Second, func(ctx context.Context) { note(ctx) })
}

// deleteUnusedEvery is how often the service looks for unused clients.
const deleteUnusedEvery = time.Minute

// deleteUnused deletes clients that registered themselves and were not used, periodically.
// The function that it returns stops this.
func deleteUnused(ctx context.Context, registry *application.Registry, log *slog.Logger) (end func()) {
	return repeat(ctx, deleteUnusedEvery, func(ctx context.Context) {
		deleted, err := registry.DeleteUnused(ctx, serviceActor())
		if err != nil {
			log.WarnContext(ctx, "unused clients were not deleted yet", "error", err)
		}
		if deleted > 0 {
			log.InfoContext(ctx, "unused clients deleted", "clients", deleted)
		}
	})
}
