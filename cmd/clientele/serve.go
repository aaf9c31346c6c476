package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/alecthomas/kong"
	"github.com/google/uuid"

	"github.com/clientele-oauth/clientele/adapters/credentials"
	"github.com/clientele-oauth/clientele/adapters/ratelimit"
	"github.com/clientele-oauth/clientele/adapters/rest"
	"github.com/clientele-oauth/clientele/adapters/rest/docs"
	"github.com/clientele-oauth/clientele/adapters/secrethash"
	"github.com/clientele-oauth/clientele/adapters/telemetry"
	"github.com/clientele-oauth/clientele/adapters/tokens"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// Timeouts and limits of the HTTP server.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 30 * time.Second
	idleTimeout       = 2 * time.Minute
	writeMargin       = 15 * time.Second // on top of the request's deadline
	maxHeaderBytes    = 32 << 10
)

// maxVerifyMaxAge is the maximum of --verify-max-age, and of max_age_seconds in
// openapi.yaml.
const maxVerifyMaxAge = time.Hour

// slowVerifications returns how many secrets are verified against slow hashes at once:
// half of the processors, so that the service has the other half, and at most 4, because
// each can take 128 MiB of memory.
func slowVerifications() int { return min(max(runtime.GOMAXPROCS(0)/2, 1), 4) }

// minPepperBytes is the minimum length of a pepper: the length of the hash.
const minPepperBytes = sha256.Size

type serveCommand struct {
	Listen     string `default:"127.0.0.1:8080" env:"CLIENTELE_LISTEN" placeholder:"ADDR" help:"Address to listen on (${default})."`
	Dev        bool   `env:"CLIENTELE_DEV" help:"Development mode: generate a signing key, write an administrator token to the data directory, and allow loopback addresses for back-channel logout and CIBA notification."`
	storeFlags `embed:""`
	tokenFlags `embed:"" group:"Access tokens"`

	ruleFlags      `embed:"" group:"Rules"`
	serverFlags    `embed:"" group:"Rules"`
	keyFlags       `embed:"" group:"Keys at a jwks_uri"`
	KeyPreflight   string        `default:"warn" enum:"off,warn,require" env:"CLIENTELE_KEY_PREFLIGHT" group:"Keys at a jwks_uri" help:"What to do when a client is changed and its keys cannot be fetched: off, warn, require (${default}). off fetches nothing, also no sector identifier; otherwise a client whose sector identifier cannot be fetched is rejected."`
	FAPISigningAlg string        `name:"fapi-signing-alg" default:"PS256" enum:"PS256,ES256" env:"CLIENTELE_FAPI_SIGNING_ALG" group:"Rules" help:"Algorithm with which the authorization server signs for clients of a FAPI profile that do not declare one, as shown in their effective settings: PS256, ES256 (${default})."`
	PepperFile     []string      `env:"CLIENTELE_PEPPER_FILE" group:"Secrets" type:"existingfile" placeholder:"FILE" help:"Files with keys of at least 32 bytes for hashing client secrets. The first key hashes new secrets; all of them verify."`
	MissingPepper  bool          `name:"allow-missing-pepper" env:"CLIENTELE_ALLOW_MISSING_PEPPER" group:"Secrets" help:"Start even if stored secrets are hashed under a pepper that is not configured. These secrets are then invalid."`
	SecretGrace    time.Duration `default:"4h" env:"CLIENTELE_SECRET_GRACE" group:"Secrets" help:"How long a secret stays valid after a rotation replaced it (${default}); 0 revokes it immediately."`
	VerifyRate     int           `default:"1000" env:"CLIENTELE_VERIFY_RATE" group:"Secrets" placeholder:"N" help:"Rate limit for verifying secrets and authenticating clients, per second, caller and process (${default})."`
	VerifyFailures int           `default:"60" env:"CLIENTELE_VERIFY_FAILURES" group:"Secrets" placeholder:"N" help:"Failed verifications of a client's secrets per minute and process (${default}). Beyond that, wrong values get 429; secrets that cannot be guessed are still accepted."`
	VerifyMaxAge   time.Duration `default:"10s" env:"CLIENTELE_VERIFY_MAX_AGE" group:"Secrets" help:"How long callers may keep a positive result of a verification (max_age_seconds in the response), at most 1h (${default}); 0 does not allow it."`
	TLSCertFile    string        `name:"tls-cert-file" env:"CLIENTELE_TLS_CERT_FILE" group:"Network" type:"existingfile" placeholder:"FILE" help:"Certificate, with its chain, in PEM, to serve HTTPS. It is reloaded when it changes."`
	TLSKeyFile     string        `name:"tls-key-file" env:"CLIENTELE_TLS_KEY_FILE" group:"Network" type:"existingfile" placeholder:"FILE" help:"Private key of the certificate, in PEM."`
	AdminListen    string        `env:"CLIENTELE_ADMIN_LISTEN" group:"Network" placeholder:"ADDR" help:"Address of the admin listener for operators: /metrics, /healthz, /readyz and /debug/pprof; disabled if unset."`
	publicFlags    `embed:"" group:"Public keys"`

	registrationFlags `embed:"" group:"Registration"`

	MaxConcurrent   int `default:"256" env:"CLIENTELE_MAX_CONCURRENT" group:"Limits" placeholder:"N" help:"Maximum concurrent requests; as many again may queue for one second, the rest get 503 (${default})."`
	MaxFollowing    int `default:"1024" env:"CLIENTELE_MAX_FOLLOWING" group:"Limits" placeholder:"N" help:"Maximum requests that wait for changes at the same time (${default})."`
	readerFlags     `embed:"" group:"Limits"`
	CallerRate      int           `env:"CLIENTELE_CALLER_RATE" group:"Limits" placeholder:"N" help:"Rate limit per caller and process, in requests per second; no limit if unset."`
	ListTimeout     time.Duration `default:"5s" env:"CLIENTELE_LIST_TIMEOUT" group:"Limits" help:"Maximum time for a list of clients in the store; a slower list gets 503 (${default})."`
	MaxClients      int           `env:"CLIENTELE_MAX_CLIENTS" group:"Limits" placeholder:"N" help:"Maximum clients per tenant, not counting deleted ones; no limit if unset."`
	AutoMigrate     bool          `default:"true" negatable:"" env:"CLIENTELE_AUTO_MIGRATE" help:"Migrate the schema at start (on)."`
	RequestTimeout  time.Duration `default:"15s" env:"CLIENTELE_REQUEST_TIMEOUT" help:"Maximum time to process a request (${default})."`
	ShutdownTimeout time.Duration `default:"30s" env:"CLIENTELE_SHUTDOWN_TIMEOUT" help:"Maximum time to drain requests at shutdown (${default})."`
	LogLevel        slog.Level    `default:"info" env:"CLIENTELE_LOG_LEVEL" help:"Minimum log level: debug, info, warn, error (${default})."`
}

// Validate rejects configurations with which the service cannot work, or not safely.
func (c *serveCommand) Validate(kctx *kong.Context) error {
	if err := c.validate(c.Dev, givenFlags(kctx)); err != nil {
		return err
	}
	if err := errors.Join(c.checkPublic(), c.checkRegistrationFile(c.publicFlags)); err != nil {
		return err
	}
	switch {
	case c.RequestTimeout <= 0 || c.ShutdownTimeout <= 0 || c.KeyTimeout <= 0:
		return errors.New("--request-timeout, --shutdown-timeout and --key-timeout must be greater than zero")
	case c.SecretGrace < 0 || c.SecretGrace > domain.MaxGrace:
		return fmt.Errorf("--secret-grace must be between 0 and %s", domain.MaxGrace)
	case c.VerifyRate <= 0:
		return errors.New("--verify-rate must be at least 1")
	case c.VerifyFailures <= 0:
		return errors.New("--verify-failures must be at least 1")
	case c.VerifyMaxAge < 0 || c.VerifyMaxAge > maxVerifyMaxAge:
		return fmt.Errorf("--verify-max-age must be between 0 and %s", maxVerifyMaxAge)
	case (c.TLSCertFile == "") != (c.TLSKeyFile == ""):
		return errors.New("--tls-cert-file and --tls-key-file must be set together")
	case c.MaxConcurrent <= 0 || c.MaxFollowing <= 0:
		return errors.New("--max-concurrent and --max-following must be at least 1")
	case c.ListTimeout <= 0:
		return errors.New("--list-timeout must be greater than zero")
	case c.MaxClients < 0:
		return errors.New("--max-clients must not be negative")
	case c.MaxFollowingPerCaller <= 0 || c.MaxFollowingPerTenant <= 0:
		return errors.New("--max-following-per-caller and --max-following-per-tenant must be at least 1")
	case c.CallerRate < 0:
		return errors.New("--caller-rate must not be negative")
	}
	return nil
}

// systemClock is the machine's clock.
type systemClock struct{}

// Now implements [application.Clock].
func (systemClock) Now() time.Time { return time.Now() }

// systemRandom is the random number generator of the operating system.
type systemRandom struct{}

// ID implements [application.Random] with a UUID of version 7 (RFC 9562 §5.7).
func (systemRandom) ID() string { return uuid.Must(uuid.NewV7()).String() }

// Entropy implements [application.Random].
func (systemRandom) Entropy() (entropy [domain.SecretEntropy]byte) {
	_, _ = rand.Read(entropy[:]) // never fails: crypto/rand crashes the program instead of returning an error
	return entropy
}

// defaultGCPercent is the service's default for GOGC, see [debug.SetGCPercent]. The service
// keeps only some MiB in its heap, so that with Go's default of 100 the garbage collector
// runs many times a second. docs/performance.md has what that costs, and the memory that
// this value takes instead.
const defaultGCPercent = 200

// setGCPercent sets the default for GOGC unless the environment sets it.
func setGCPercent() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(defaultGCPercent)
	}
}

// Run serves until the context ends, and then drains the requests in flight.
func (c *serveCommand) Run(ctx context.Context) (err error) {
	setGCPercent()
	// The handler writes each line before the call returns, with one write(2). So the line
	// of a request is written before its handler returns, and is not lost if the process is
	// killed after the response.
	lines := slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: c.LogLevel})
	traces, err := telemetry.TracingFromEnvironment(ctx, buildVersion(), slog.New(lines))
	if err != nil {
		return err
	}
	log := slog.New(traces.LogHandler(lines))
	defer closeTraces(ctx, traces, log)

	db, err := c.openLogging(ctx, traces, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.close()) }()
	metrics := telemetry.NewMetrics(buildVersion())
	db.watch(metrics)
	if c.AutoMigrate {
		steps, err := db.migrate(ctx)
		if err != nil {
			return err
		}
		log.InfoContext(ctx, "schema is up to date", "steps", steps)
	}
	verifier, issuers, err := c.verifier(log, metrics)
	if err != nil {
		return err
	}
	policy := rulePolicy(c.ruleFlags, c.keyFlags, c.KeyPreflight, c.Dev)
	policy.ProfileSigningAlg = c.FAPISigningAlg
	book, err := domain.NewRulebook(policy)
	if err != nil {
		return err
	}
	resolver, err := c.resolver(policy)
	if err != nil {
		return err
	}
	servers, err := c.servers(log)
	if err != nil {
		return err
	}
	_ = servers.Load(ctx) // failures are logged, and the service works without the metadata
	servers.Ages(metrics.WatchServerMetadata)
	peppers, err := readPeppers(c.PepperFile)
	if err != nil {
		return err
	}
	required := &requiredPeppers{keys: db.keys, configured: peppers, allowMissing: c.MissingPepper, log: log}
	if err := required.checkAtStart(ctx, c.AutoMigrate); err != nil {
		return err
	}
	registrations, registrationNote, err := c.registrations(book, db.registrations, resolver, metrics, log)
	if err != nil {
		return err
	}
	store := metrics.TimeStore(metrics.ReportUnreadable(db, log))
	registry := application.NewRegistry(application.Config{
		Book:          book,
		Store:         store,
		Keys:          metrics.TimeKeys(resolver),
		Sectors:       metrics.CountSectors(resolver),
		Servers:       servers,
		Clock:         systemClock{},
		Random:        systemRandom{},
		Peppers:       peppers,
		Grace:         c.SecretGrace,
		Verifications: ratelimit.PerSecond(c.VerifyRate, time.Now),
		Failures:      ratelimit.FailuresPerMinute(c.VerifyFailures, time.Now),

		Credentials:     credentials.Reader{},
		VerificationAge: c.VerifyMaxAge,
		Hashes:          secrethash.New(slowVerifications()),

		ListTime:      c.ListTimeout,
		MaxClients:    c.MaxClients,
		Registrations: registrations,
	})
	draining, drain := context.WithCancel(context.WithoutCancel(ctx))
	defer drain()
	pages, err := docs.NewHandler(domain.PublishedRules())
	if err != nil {
		return err
	}
	surface := rest.Config{
		Registry: registry,
		Tokens:   verifier,
		Checks: []rest.Check{
			{Name: "service", Run: func(context.Context) error {
				if draining.Err() != nil {
					return errors.New("shutting down")
				}
				return nil
			}},
			{Name: "store", Run: func(ctx context.Context) error {
				if err := db.Ping(ctx); err != nil {
					return err
				}
				return required.check(ctx)
			}},
			{Name: "issuer keys", Run: issuers.ready, Detail: issuers.detail},
		},
		Clock:         systemClock{},
		Log:           log,
		Deadline:      c.RequestTimeout,
		Draining:      draining.Done(),
		MaxConcurrent: c.MaxConcurrent,
		MaxFollowing:  c.MaxFollowing,
		Docs:          pages,
		Observer:      metrics,
		Trace:         traces.Requests,
	}
	surface.Registrations, surface.TrustedProxies = registrationLimits(), c.proxies()
	surface.PublicURL, surface.Addresses = c.publicBase(), ratelimit.ByNetwork(time.Now, ratelimit.Rate{Count: c.PublicRate, Period: time.Second})
	if c.CallerRate > 0 {
		surface.Callers = ratelimit.PerSecond(c.CallerRate, time.Now)
	}
	surface.MaxFollowingPerCaller, surface.MaxFollowingPerTenant = c.MaxFollowingPerCaller, c.MaxFollowingPerTenant
	surface.Notes = []rest.Note{
		{Name: "change feed", Read: feedNote(db.feedLag)},
		{Name: "server metadata", Read: servers.Note},
		{Name: "registration file", Read: registrationNote},
	}
	handler, err := rest.NewHandler(surface)
	if err != nil {
		return err
	}
	served := make(chan error, 2)
	if c.AdminListen != "" {
		operators, err := serveOperators(ctx, c.AdminListen, rest.NewOperatorHandler(surface, metrics.Handler()), log, func(err error) { served <- err })
		if err != nil {
			return err
		}
		defer func() { _ = operators.Close() }() // operators can use it until the end of the shutdown
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", c.Listen)
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      c.RequestTimeout + writeMargin,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		HTTP2:             http2Limits(),
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	serve := server.Serve
	if c.TLSCertFile != "" {
		shown, err := openCertificate(c.TLSCertFile, c.TLSKeyFile, log)
		if err != nil {
			return errors.Join(err, listener.Close())
		}
		server.TLSConfig = shown.config()
		serve = func(l net.Listener) error { return server.ServeTLS(l, "", "") }
	}
	log.InfoContext(ctx, "listening", "address", listener.Addr().String(), "dev", c.Dev, "tls", c.TLSCertFile != "")
	if c.Dev {
		c.greet(os.Stdout, listener.Addr())
	}
	defer flushSecretUses(ctx, registry, log)()
	defer forgetAssertions(ctx, registry, log)()
	defer watchRegistrationFile(ctx, registrationNote)()
	defer deleteUnused(ctx, registry, log)()
	defer countRegistered(ctx, registrations.Store, metrics.WatchRegistered(), log)()
	defer recordSecretEnds(ctx, store, metrics.WatchSecretEnds(time.Now), log)()
	go func() { served <- serve(listener) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	drain()
	log.Info("shutting down")
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.ShutdownTimeout)
	defer cancel()
	if err := server.Shutdown(grace); err != nil {
		return fmt.Errorf("requests were still in flight after %s: %w", c.ShutdownTimeout, err)
	}
	return nil
}

// serveOperators starts the admin listener. It calls failed with an error that ends it.
func serveOperators(
	ctx context.Context, address string, handler http.Handler, log *slog.Logger, failed func(error),
) (*http.Server, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: readHeaderTimeout, IdleTimeout: idleTimeout}
	log.InfoContext(ctx, "admin listener started", "operators", listener.Addr().String())
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			failed(err)
		}
	}()
	return server, nil
}

// closeTraces sends the remaining spans, for at most [flushTimeout].
func closeTraces(ctx context.Context, traces *telemetry.Tracing, log *slog.Logger) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushTimeout)
	defer cancel()
	if err := traces.Close(ctx); err != nil {
		log.WarnContext(ctx, "the last spans were not sent", "error", err)
	}
}

// How often the last uses of secrets are written and expired records of used assertions
// are deleted, and the timeout for each of these.
const (
	flushEvery   = 5 * time.Second
	forgetEvery  = time.Minute
	flushTimeout = 5 * time.Second
)

// flushSecretUses writes the last uses of secrets periodically. The function that it
// returns stops this and writes the remaining ones.
func flushSecretUses(ctx context.Context, registry *application.Registry, log *slog.Logger) (end func()) {
	return repeat(ctx, flushEvery, func(ctx context.Context) {
		if err := registry.FlushSecretUses(ctx); err != nil {
			log.WarnContext(ctx, "the last uses of secrets were not written yet", "error", err)
		}
	})
}

// forgetAssertions deletes expired records of used client assertions periodically. The
// function that it returns stops this.
func forgetAssertions(ctx context.Context, registry *application.Registry, log *slog.Logger) (end func()) {
	return repeat(ctx, forgetEvery, func(ctx context.Context) {
		if err := registry.DeleteExpiredUses(ctx); err != nil {
			log.WarnContext(ctx, "expired records of used client assertions were not deleted yet", "error", err)
		}
	})
}

// repeat calls do periodically, with [flushTimeout]. The function that it returns stops
// this, after a last call.
func repeat(ctx context.Context, every time.Duration, do func(context.Context)) (end func()) {
	ctx = context.WithoutCancel(ctx)
	call := func() {
		ctx, cancel := context.WithTimeout(ctx, flushTimeout)
		defer cancel()
		do(ctx)
	}
	ended, finished := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(finished)
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				call()
			case <-ended:
				call()
				return
			}
		}
	}()
	return func() {
		close(ended)
		<-finished
	}
}

// verifier returns the verifier of access tokens, and the issuers whose keys it uses. In
// development mode, it first creates the signing key in the data directory if there is
// none, and an administrator token.
func (c *serveCommand) verifier(log *slog.Logger, metrics *telemetry.Metrics) (*tokens.Verifier, trustedIssuers, error) {
	if c.Dev {
		if err := c.makeData(); err != nil {
			return nil, nil, err
		}
		signer, err := tokens.OpenOrCreateSigner(devKeyFile(c.Data), devIssuerRules())
		if err != nil {
			return nil, nil, err
		}
		if err := writeDevToken(signer, c.Data); err != nil {
			return nil, nil, err
		}
	}
	rules, err := c.issuerRules(c.Dev, c.Data)
	if err != nil {
		return nil, nil, err
	}
	issuers := tokens.NewIssuers(rules, tokens.KeySettings{
		Log:     log,
		Ignored: func(issuer string, key tokens.IgnoredKey) { metrics.IssuerKeyIgnored(issuer, string(key.Reason)) },
	}, time.Now)
	for _, issuer := range issuers {
		metrics.WatchIssuerKeys(issuer.Keys.Issuer(), issuer.Keys.Age)
	}
	verifier, err := tokens.NewVerifier(issuers, time.Now)
	return verifier, issuers, err
}

// readPeppers reads the keys for hashing secrets. The ID of a pepper is derived from its
// content; each hash is stored with the ID of its pepper.
func readPeppers(paths []string) ([]domain.Pepper, error) {
	var peppers []domain.Pepper
	for _, path := range paths {
		key, err := readSetting(path)
		if err != nil {
			return nil, fmt.Errorf("pepper: %w", err)
		}
		if len(key) < minPepperBytes {
			return nil, fmt.Errorf("pepper: %s has %d bytes; it needs %d", path, len(key), minPepperBytes)
		}
		sum := sha256.Sum256(append([]byte("pepper id "), key...))
		peppers = append(peppers, domain.Pepper{ID: hex.EncodeToString(sum[:4]), Key: key})
	}
	return peppers, nil
}
