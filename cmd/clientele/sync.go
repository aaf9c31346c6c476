package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kong"
	"golang.org/x/term"

	"github.com/clientele-oauth/clientele/adapters/hydra"
	"github.com/clientele-oauth/clientele/adapters/report"
	"github.com/clientele-oauth/clientele/adapters/secrethash"
	"github.com/clientele-oauth/clientele/adapters/secretsfile"
	"github.com/clientele-oauth/clientele/adapters/telemetry"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/application/push"
	"github.com/clientele-oauth/clientele/domain"
)

// pushTarget is an authorization server that clients can be pushed to.
type pushTarget struct {
	name string
	open func(*syncCommand) (push.Target, error) // sends no request
}

// pushTargets lists the servers that --to can name.
func pushTargets() []pushTarget {
	return []pushTarget{
		{"hydra", func(c *syncCommand) (push.Target, error) {
			return hydra.New(hydra.Config{URL: c.Target, Authorize: c.authorization, Timeout: c.TargetTimeout})
		}},
		{"keycloak", openKeycloak},
	}
}

// pushTargetNames lists the names of the servers.
func pushTargetNames() string {
	var names []string
	for _, t := range pushTargets() {
		names = append(names, t.name)
	}
	return strings.Join(names, ", ")
}

type syncCommand struct {
	storeFlags `embed:""`

	Tenant string `env:"CLIENTELE_TENANT" required:"" placeholder:"ID" help:"Tenant whose clients are pushed."`
	To     string `placeholder:"SERVER" env:"CLIENTELE_SYNC_TO" help:"Product of the authorization server: ${pushTargets}."`
	Target string `placeholder:"URL" env:"CLIENTELE_SYNC_TARGET" help:"URL of the server's admin API, e.g. http://127.0.0.1:4445. http is accepted for loopback and private addresses."`

	DryRun bool   `help:"Only compare the server with the registry, and report what differs; the exit status is 3 if anything does, or if a client could not use its secret there."`
	Once   bool   `help:"Reconcile once, push what differs, and end; the exit status is 1 if a client could not be pushed as it should be."`
	Status bool   `help:"Only show who pushes, how far it is, and which clients the servers refuse."`
	Format string `default:"text" enum:"text,json" help:"text or json, for --dry-run and --status (${default})."`

	AllowHTTP     bool          `name:"allow-http" env:"CLIENTELE_SYNC_ALLOW_HTTP" group:"Authorization server" help:"Accept http for any address of the admin API. Secrets are then sent unencrypted."`
	TokenFile     string        `env:"CLIENTELE_SYNC_TOKEN_FILE" group:"Authorization server" type:"existingfile" placeholder:"FILE" help:"File with a bearer token for the admin API. It is read again for each request."`
	BasicFile     string        `env:"CLIENTELE_SYNC_BASIC_FILE" group:"Authorization server" type:"existingfile" placeholder:"FILE" help:"File with a name, a colon and a password for the admin API, instead of a token."`
	TargetTimeout time.Duration `default:"10s" env:"CLIENTELE_SYNC_TARGET_TIMEOUT" group:"Authorization server" help:"Timeout of a request to the admin API (${default})."`
	Concurrency   int           `env:"CLIENTELE_SYNC_CONCURRENCY" group:"Authorization server" placeholder:"N" help:"Clients that are pushed at the same time; default: what the server is known to serve well."`

	Keycloak keycloakFlags `embed:"" group:"Keycloak"`

	Reconcile      time.Duration `default:"10m" env:"CLIENTELE_SYNC_RECONCILE" help:"Time between complete comparisons of the server with the registry, which also repair what was changed at the server (${default})."`
	Adopt          bool          `env:"CLIENTELE_SYNC_ADOPT" help:"Take over clients at the server that have the identifier of a client in the registry and are not managed. Otherwise they are refused."`
	DisableUnknown bool          `env:"CLIENTELE_SYNC_DISABLE_UNKNOWN" help:"Let a comparison disable more than a few managed clients that the registry has never had. Otherwise it stops, because the database may be the wrong one."`

	SecretsFile      string   `env:"CLIENTELE_SYNC_SECRETS_FILE" group:"Secrets" placeholder:"FILE" help:"JSON or YAML file with the secret of each client_id, or the file of apply --secrets-file. Only its owner may be able to read it. It is read again when it changes."`
	KeepEndedSecrets bool     `env:"CLIENTELE_SYNC_KEEP_ENDED_SECRETS" group:"Secrets" help:"Leave a secret at the server that is no longer valid in the registry, if its successor is not in the secrets file. Otherwise it is replaced by a random one."`
	PepperFile       []string `env:"CLIENTELE_PEPPER_FILE" group:"Secrets" type:"existingfile" placeholder:"FILE" help:"Files with the keys for hashing client secrets, as for serve."`
	MissingPepper    bool     `name:"allow-missing-pepper" env:"CLIENTELE_ALLOW_MISSING_PEPPER" group:"Secrets" help:"As for serve: secrets that are hashed under a pepper that is not configured are invalid."`
	FAPISigningAlg   string   `name:"fapi-signing-alg" default:"PS256" enum:"PS256,ES256" env:"CLIENTELE_FAPI_SIGNING_ALG" group:"Rules" help:"As for serve (${default})."`

	AdminListen string     `env:"CLIENTELE_ADMIN_LISTEN" placeholder:"ADDR" help:"Address of the admin listener for operators: /metrics, /healthz and /readyz; disabled if unset."`
	AutoMigrate bool       `default:"true" negatable:"" env:"CLIENTELE_AUTO_MIGRATE" help:"Migrate the schema at start (on)."`
	LogLevel    slog.Level `default:"info" env:"CLIENTELE_LOG_LEVEL" help:"Minimum log level: debug, info, warn, error (${default})."`
}

// Validate rejects configurations with which nothing can be pushed, or not safely.
func (c *syncCommand) Validate(*kong.Context) error {
	modes := 0
	for _, mode := range []bool{c.DryRun, c.Once, c.Status} {
		if mode {
			modes++
		}
	}
	switch {
	case modes > 1:
		return errors.New("--dry-run, --once and --status exclude each other")
	case c.Status:
		return nil
	case !slices.ContainsFunc(pushTargets(), func(t pushTarget) bool { return t.name == c.To }):
		return fmt.Errorf("--to must be one of %s", pushTargetNames())
	case c.To == "keycloak" && (c.TokenFile != "" || c.BasicFile != ""):
		return errors.New("--token-file and --basic-file are not for Keycloak; use --keycloak-secret-file")
	case c.TokenFile != "" && c.BasicFile != "":
		return errors.New("--token-file and --basic-file exclude each other")
	case c.Reconcile <= 0 || c.TargetTimeout <= 0:
		return errors.New("--reconcile and --target-timeout must be greater than zero")
	case c.Concurrency < 0:
		return errors.New("--concurrency must not be negative")
	}
	if c.To == "keycloak" {
		if err := c.Keycloak.validate(); err != nil {
			return err
		}
	}
	return checkTargetURL(c.Target, c.AllowHTTP)
}

// checkTargetURL rejects URLs of an admin API that would send secrets unencrypted over a
// network, unless the operator allows it.
func checkTargetURL(target string, allowHTTP bool) error {
	at, err := url.Parse(target)
	if err != nil || at.Scheme != "https" && at.Scheme != "http" || at.Hostname() == "" {
		return errors.New("--target must begin with https:// or http://, followed by a host")
	}
	if at.User != nil || at.RawQuery != "" || at.Fragment != "" || strings.ContainsAny(target, "?#") {
		return errors.New("--target must not have a user name, a query or a fragment")
	}
	if at.Scheme == "https" || allowHTTP || at.Hostname() == "localhost" {
		return nil
	}
	if ip, err := netip.ParseAddr(at.Hostname()); err == nil && (ip.IsLoopback() || ip.IsPrivate()) {
		return nil
	}
	return errors.New("--target must begin with https://, or be at a loopback or private address; --allow-http accepts any address")
}

// authorization returns the header Authorization for the admin API.
func (c *syncCommand) authorization() (string, error) {
	switch {
	case c.TokenFile != "":
		token, err := readSetting(c.TokenFile)
		return "Bearer " + string(bytes.TrimSpace(token)), err
	case c.BasicFile != "":
		pair, err := readSetting(c.BasicFile)
		return "Basic " + base64.StdEncoding.EncodeToString(bytes.TrimSpace(pair)), err
	default:
		return "", nil
	}
}

// key identifies the target in the database.
func (c *syncCommand) key() push.Key {
	target := c.To + " " + strings.TrimRight(c.Target, "/")
	if c.To == "keycloak" {
		target += "/realms/" + c.Keycloak.Realm
	}
	return push.Key{Tenant: domain.TenantID(c.Tenant), Target: target}
}

// Run pushes until the context ends. With --once, the exit status is 1 if a client could
// not be pushed as it should be; with --dry-run it is 3 if anything differs.
func (c *syncCommand) Run(ctx context.Context) (err error) {
	log := slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: c.LogLevel}))
	if err := c.requireData(); err != nil { // the server's clients would be unknown to an empty registry
		return err
	}
	db, err := c.openLogging(ctx, nil, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.close()) }()
	if c.AutoMigrate {
		if _, err := db.migrate(ctx); err != nil {
			return err
		}
	}
	if c.Status {
		return c.showStatus(ctx, db)
	}
	worker, err := c.worker(ctx, db, log)
	if err != nil {
		return err
	}
	switch {
	case c.DryRun:
		return c.showPlan(ctx, worker)
	case c.Once:
		defer reportProgress(ctx, worker)()
		return c.runOnce(ctx, worker)
	}
	metrics := telemetry.NewMetrics(buildVersion())
	metrics.WatchPush(c.key().Target, worker.Stats)
	db.watch(metrics)
	if c.AdminListen != "" {
		operators, err := serveOperators(ctx, c.AdminListen, syncOperatorHandler(metrics, db), log, func(err error) {
			log.WarnContext(ctx, "the admin listener has ended", "error", err)
		})
		if err != nil {
			return err
		}
		defer func() { _ = operators.Close() }()
	}
	defer reportProgress(ctx, worker)()
	return worker.Run(ctx)
}

// worker returns the worker that the flags configure.
func (c *syncCommand) worker(ctx context.Context, db database, log *slog.Logger) (*push.Worker, error) {
	book, err := domain.NewRulebook(domain.Policy{ProfileSigningAlg: c.FAPISigningAlg})
	if err != nil {
		return nil, err
	}
	peppers, err := readPeppers(c.PepperFile)
	if err != nil {
		return nil, err
	}
	secrets := &secretsfile.File{}
	if c.SecretsFile != "" {
		required := &requiredPeppers{keys: db.keys, configured: peppers, allowMissing: c.MissingPepper, log: log}
		if err := required.checkAtStart(ctx, c.AutoMigrate); err != nil {
			return nil, err
		}
		if secrets, err = secretsfile.Open(c.SecretsFile, log); err != nil {
			return nil, err
		}
	}
	i := slices.IndexFunc(pushTargets(), func(t pushTarget) bool { return t.name == c.To })
	target, err := pushTargets()[i].open(c)
	if err != nil {
		return nil, err
	}
	if _, err := c.authorization(); err != nil {
		return nil, err
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return push.NewWorker(push.Config{
		Registry: application.NewRegistry(application.Config{
			Book: book, Store: db, Clock: systemClock{}, Random: systemRandom{},
			Peppers: peppers, Hashes: secrethash.New(slowVerifications()),
		}),
		Tenant: domain.TenantID(c.Tenant), Target: target, Ledger: db.ledger, Key: c.key(),
		Holder:  fmt.Sprintf("%s:%d:%s", host, os.Getpid(), systemRandom{}.ID()),
		Secrets: secrets, Clock: systemClock{}, Random: systemRandom{}, Log: log,
		Adopt: c.Adopt, KeepEndedSecrets: c.KeepEndedSecrets, DisableUnknown: c.DisableUnknown,
		Reconcile: c.Reconcile, Concurrency: c.Concurrency,
	}), nil
}

func (c *syncCommand) showStatus(ctx context.Context, db database) error {
	states, err := db.ledger.PushStates(ctx, domain.TenantID(c.Tenant))
	if err != nil {
		return err
	}
	if c.Format == "json" {
		return report.PushStatesJSON(os.Stdout, states)
	}
	return report.PushStates(os.Stdout, states)
}

func (c *syncCommand) showPlan(ctx context.Context, worker *push.Worker) error {
	plan, err := worker.Plan(ctx)
	if err != nil {
		return err
	}
	if c.Format == "json" {
		err = report.PushPlanJSON(os.Stdout, c.key().Target, plan)
	} else {
		err = report.PushPlan(os.Stdout, c.key().Target, plan)
	}
	if plan.Clients == 0 {
		fmt.Fprintf(os.Stderr, "the registry has no clients of the tenant %s\n", report.Printable(c.Tenant))
	}
	if err == nil && (plan.Drifted() || plan.LacksSecrets()) {
		err = errPending
	}
	return err
}

func (c *syncCommand) runOnce(ctx context.Context, worker *push.Worker) error {
	if err := worker.RunOnce(ctx); err != nil {
		return err
	}
	problems := worker.Problems()
	if err := report.PushProblems(os.Stderr, problems); err != nil {
		return err
	}
	stats := worker.Stats()
	fmt.Fprintf(os.Stderr, "changes pushed: %d; clients with problems: %d\n", stats.Pushed, len(problems))
	if len(problems) > 0 {
		return errNotApplied
	}
	return nil
}

// How often a long push reports its progress, and from how many clients on.
const (
	progressAtTerminal = time.Second
	progressInLog      = 10 * time.Second
	longPush           = 50
)

// reportProgress reports on standard error how many clients are left, while there are many.
// The function that it returns ends this.
func reportProgress(ctx context.Context, worker *push.Worker) (end func()) {
	interval := progressInLog
	if term.IsTerminal(int(os.Stderr.Fd())) {
		interval = progressAtTerminal
	}
	ctx, cancel := context.WithCancel(ctx)
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		ticker := time.NewTicker(interval)
		defer ticker.Stop()
		before := worker.Stats()
		long := false
		for {
			select {
			case <-ticker.C:
			case <-ctx.Done():
				return
			}
			now := worker.Stats()
			if left := now.Queue + now.Retried; left >= longPush || long && left != before.Queue+before.Retried {
				fmt.Fprintf(os.Stderr, "pushed %d, %d left (%.0f/s), refused %d, failed %d\n",
					now.Pushed, left, float64(now.Pushed-before.Pushed)/interval.Seconds(), now.Refused, now.Retried)
				long = left > 0
			}
			before = now
		}
	}()
	return func() {
		cancel()
		<-finished
	}
}

// syncOperatorHandler serves the admin listener.
func syncOperatorHandler(metrics *telemetry.Metrics, db database) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metrics.Handler())
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), flushTimeout)
		defer cancel()
		if err := db.Ping(ctx); err != nil {
			http.Error(w, "the store is not available", http.StatusServiceUnavailable)
		}
	})
	return mux
}
