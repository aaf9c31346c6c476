package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/clientele-oauth/clientele/adapters/tokens"
)

// tokenFlags configure which access tokens the service accepts: those of the issuers in
// a file, or of one issuer that the other flags describe.
type tokenFlags struct {
	IssuersFile      string        `env:"CLIENTELE_ISSUERS_FILE" type:"existingfile" placeholder:"FILE" help:"File with the issuers of access tokens and the mapping of their claims, in YAML or JSON; replaces the flags for a single issuer. See docs/issuers.md."`
	Issuer           string        `env:"CLIENTELE_ISSUER" placeholder:"URL" help:"Issuer of access tokens: the exact iss claim."`
	IssuerKeys       string        `env:"CLIENTELE_ISSUER_KEYS" placeholder:"URL|FILE" help:"JWK Set of the issuer: an http(s) URL, or a file."`
	IssuerKeysMaxAge time.Duration `default:"24h" env:"CLIENTELE_ISSUER_KEYS_MAX_AGE" help:"Age from which the issuer's keys are no longer used, if the issuer cannot be reached to read them again (${default})."`
	Audience         string        `default:"clientele" env:"CLIENTELE_AUDIENCE" help:"Required value of the aud claim (${default})."`
	TokenType        []string      `default:"at+jwt,JWT" env:"CLIENTELE_TOKEN_TYPE" help:"Accepted typ headers (${default})."`
	MaxTokenLifetime time.Duration `env:"CLIENTELE_MAX_TOKEN_LIFETIME" help:"Maximum lifetime of a token, from its iat, or from now if it has none, to its exp; unlimited if unset."`
	TenantClaim      string        `default:"tenant_id" env:"CLIENTELE_TENANT_CLAIM" help:"Claim that names the tenant; use dots for nested claims, and double quotes around names that contain dots (${default})."`
	RoleClaim        string        `default:"roles" env:"CLIENTELE_ROLE_CLAIM" help:"Claim with the roles; use dots for nested claims, and double quotes around names that contain dots (${default})."`
	AdminRole        string        `default:"admin" env:"CLIENTELE_ADMIN_ROLE" help:"Role that makes an administrator of the tenant (${default})."`
	PlatformRole     string        `env:"CLIENTELE_PLATFORM_ROLE" help:"Role that administers every tenant (select one with X-Tenant-Id); disabled if unset."`
}

// singleIssuer returns the issuer that the flags for a single issuer describe.
func (f tokenFlags) singleIssuer() tokens.SingleIssuer {
	return tokens.SingleIssuer{
		Issuer:       f.Issuer,
		Keys:         f.IssuerKeys,
		KeysMaxAge:   f.IssuerKeysMaxAge,
		Audience:     f.Audience,
		Types:        f.TokenType,
		MaxLifetime:  f.MaxTokenLifetime,
		TenantClaim:  f.TenantClaim,
		RoleClaim:    f.RoleClaim,
		AdminRole:    f.AdminRole,
		PlatformRole: f.PlatformRole,
	}
}

// issuerRules returns the rules of all configured issuers. In development mode, the only
// issuer is the signing key of the data directory.
func (f tokenFlags) issuerRules(dev bool, data string) ([]tokens.IssuerRules, error) {
	if f.IssuersFile != "" {
		return tokens.ReadIssuersFile(f.IssuersFile)
	}
	issuer := f.singleIssuer()
	if dev {
		issuer = devIssuerRules()
		issuer.Keys = devKeyFile(data)
	}
	rules, err := issuer.Rules()
	return []tokens.IssuerRules{rules}, err
}

// validate rejects missing flags, and combinations in which a flag has no effect.
func (f tokenFlags) validate(dev bool, given map[string]bool) error {
	chosen := "--dev"
	switch {
	case f.IssuersFile != "" && dev:
		return errors.New("--dev trusts only its own signing key; omit --issuers-file, or --dev")
	case f.IssuersFile != "":
		chosen = "--issuers-file"
	case !dev && (f.Issuer == "" || f.IssuerKeys == ""):
		return errors.New("set --issuer and --issuer-keys (CLIENTELE_ISSUER, CLIENTELE_ISSUER_KEYS) or --issuers-file, or --dev to try it out")
	case !dev && (len(f.TokenType) == 0 || f.TenantClaim == "" || f.RoleClaim == "" || f.AdminRole == "" || f.Audience == ""):
		return errors.New("--token-type, --tenant-claim, --role-claim, --admin-role and --audience must not be empty")
	case !dev && (f.IssuerKeysMaxAge <= 0 || f.MaxTokenLifetime < 0):
		return errors.New("--issuer-keys-max-age must be greater than zero, and --max-token-lifetime must not be negative")
	case !dev:
		_, err := f.issuerRules(false, "")
		return err
	}
	for _, name := range singleIssuerFlags() {
		if given[name] {
			return fmt.Errorf("--%s (%s) has no effect with %s; omit one of them", name, flagVariable(name), chosen)
		}
	}
	return nil
}

// singleIssuerFlags returns the names of the flags that describe a single issuer.
func singleIssuerFlags() []string {
	return []string{
		"issuer", "issuer-keys", "issuer-keys-max-age", "audience", "token-type", "max-token-lifetime", "tenant-claim", "role-claim",
		"admin-role", "platform-role",
	}
}

// flagVariable returns the environment variable of a flag of the service.
func flagVariable(name string) string {
	return "CLIENTELE_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
}

// givenFlags returns the names of the flags that the command line or the environment
// sets. An empty variable counts as unset.
func givenFlags(kctx *kong.Context) map[string]bool {
	given := map[string]bool{}
	for _, element := range kctx.Path {
		if element.Flag != nil {
			given[element.Flag.Name] = true
		}
	}
	for _, flag := range kctx.Flags() {
		for _, variable := range flag.Envs {
			given[flag.Name] = given[flag.Name] || os.Getenv(variable) != ""
		}
	}
	return given
}

// Claims and lifetime of the tokens in development mode.
const (
	devIssuer       = "clientele-dev"
	devTenant       = "tenant_dev"
	devSubject      = "dev-admin"
	devRole         = "admin"
	devPlatformRole = "platform-admin"
	devTokenTTL     = 7 * 24 * time.Hour
)

// devIssuerRules returns the issuer of development mode. In this mode, the service trusts
// only its own key.
func devIssuerRules() tokens.SingleIssuer {
	return tokens.SingleIssuer{
		Issuer:       devIssuer,
		Audience:     "clientele",
		Types:        []string{"at+jwt"},
		TenantClaim:  "tenant_id",
		RoleClaim:    "roles",
		AdminRole:    devRole,
		PlatformRole: devPlatformRole,
	}
}

func devKeyFile(data string) string { return filepath.Join(data, "signing-key.json") }

func devTokenFile(data string) string { return filepath.Join(data, "admin.token") }

type tokenCommand struct {
	Issue   tokenIssueCommand   `cmd:"" default:"withargs" help:"Print an access token signed with the development key of a data directory."`
	Inspect tokenInspectCommand `cmd:"" help:"Read a token from standard input, and explain for each issuer whether it is accepted."`
}

type tokenIssueCommand struct {
	Data    string        `default:"./data" env:"CLIENTELE_DATA" placeholder:"DIR" help:"Data directory of a service that was started with --dev (${default})."`
	Subject string        `default:"${devSubject}" help:"Subject of the token (${default})."`
	Tenant  string        `default:"${devTenant}" help:"Tenant, empty for none (${default})."`
	Role    string        `default:"${devRole}" help:"Role, empty for none (${default} makes an administrator)."`
	Scope   string        `help:"Scopes, space-separated: clients:read, clients:verify, clients:write, clients:verifiers."`
	TTL     time.Duration `name:"ttl" default:"1h" help:"How long the token is valid (${default})."`
}

// Validate rejects tokens that no service would accept.
func (c tokenIssueCommand) Validate() error {
	if c.TTL <= 0 {
		return errors.New("--ttl must be positive")
	}
	if c.Subject == "" {
		return errors.New("--subject must not be empty")
	}
	return nil
}

// Run prints a token.
func (c *tokenIssueCommand) Run() error {
	signer, err := tokens.OpenSigner(devKeyFile(c.Data), devIssuerRules())
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s has no signing key; start the service there with --dev first", c.Data)
	}
	if err != nil {
		return err
	}
	token, err := signer.Sign(tokens.Claims{
		Subject: c.Subject, Tenant: c.Tenant, Role: c.Role, Scope: c.Scope, TTL: c.TTL,
	}, time.Now())
	if err != nil {
		return err
	}
	_, err = fmt.Println(token)
	return err
}

type tokenInspectCommand struct {
	Dev        bool   `env:"CLIENTELE_DEV" help:"Check against the development key of the data directory."`
	Data       string `default:"./data" env:"CLIENTELE_DATA" placeholder:"DIR" help:"Data directory of a service that was started with --dev (${default})."`
	Offline    bool   `help:"Do not fetch the issuers' keys: show how the claims are evaluated without verifying the signature."`
	tokenFlags `embed:"" group:"Access tokens"`
}

// Validate rejects flags that have no effect.
func (c *tokenInspectCommand) Validate(kctx *kong.Context) error {
	return c.validate(c.Dev, givenFlags(kctx))
}

// maxInspectedBytes is the maximum size of the text that is read as a token.
const maxInspectedBytes = 64 << 10

// Run explains a token. The exit status is 1 if no issuer accepts it.
func (c *tokenInspectCommand) Run(ctx context.Context) error {
	rules, err := c.issuerRules(c.Dev, c.Data)
	if err != nil {
		return err
	}
	verifier, err := tokens.NewVerifier(tokens.NewIssuers(rules, tokens.KeySettings{}, time.Now), time.Now)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(io.LimitReader(os.Stdin, maxInspectedBytes))
	if err != nil {
		return fmt.Errorf("standard input: %w", err)
	}
	token := strings.TrimSpace(string(text))
	if scheme, rest, ok := strings.Cut(token, " "); ok && strings.EqualFold(scheme, "Bearer") {
		token = strings.TrimSpace(rest)
	}
	inspection := verifier.Inspect(ctx, token, c.Offline)
	if _, err := fmt.Print(inspection); err != nil {
		return err
	}
	if !inspection.Accepted() {
		return exitError(1)
	}
	return nil
}

// writeDevToken writes an administrator token to the data directory. The file is
// replaced atomically, so that no reader sees an incomplete token.
func writeDevToken(signer *tokens.Signer, data string) error {
	token, err := signer.Sign(tokens.Claims{
		Subject: devSubject, Tenant: devTenant, Role: devRole, TTL: devTokenTTL,
	}, time.Now())
	if err != nil {
		return err
	}
	temporary, err := os.CreateTemp(data, "admin.token.*") // mode 0600
	if err != nil {
		return fmt.Errorf("administrator token: %w", err)
	}
	defer os.Remove(temporary.Name())
	_, err = temporary.WriteString(token + "\n")
	if err := errors.Join(err, temporary.Close()); err != nil {
		return fmt.Errorf("administrator token: %w", err)
	}
	return os.Rename(temporary.Name(), devTokenFile(data))
}
