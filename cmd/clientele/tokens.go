package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/clientele-oauth/clientele/adapters/jose"
)

// tokenFlags say which access tokens the service accepts.
type tokenFlags struct {
	Issuer       string   `env:"CLIENTELE_ISSUER" placeholder:"URL" help:"Issuer of access tokens, the iss claim exactly."`
	IssuerKeys   string   `env:"CLIENTELE_ISSUER_KEYS" placeholder:"URL|FILE" help:"JWK Set of the issuer: an http(s) URL, or a file."`
	Audience     string   `default:"clientele" env:"CLIENTELE_AUDIENCE" help:"What the aud claim must hold (${default})."`
	TokenType    []string `default:"at+jwt,JWT" env:"CLIENTELE_TOKEN_TYPE" help:"Accepted typ headers (${default})."`
	TenantClaim  string   `default:"tenant_id" env:"CLIENTELE_TENANT_CLAIM" help:"Claim that names the tenant; a dot leads into an object (${default})."`
	RoleClaim    string   `default:"roles" env:"CLIENTELE_ROLE_CLAIM" help:"Claim with the roles; a dot leads into an object (${default})."`
	AdminRole    string   `default:"admin" env:"CLIENTELE_ADMIN_ROLE" help:"Role that makes an administrator of the tenant (${default})."`
	PlatformRole string   `env:"CLIENTELE_PLATFORM_ROLE" help:"Role that makes an administrator of every tenant, who names the one to act in; none where it is not set."`
}

// rules are the token rules of the configuration.
func (f tokenFlags) rules() jose.TokenRules {
	return jose.TokenRules{
		Issuer:       f.Issuer,
		Audience:     f.Audience,
		Types:        f.TokenType,
		TenantClaim:  f.TenantClaim,
		RoleClaim:    f.RoleClaim,
		AdminRole:    f.AdminRole,
		PlatformRole: f.PlatformRole,
	}
}

// source is where the issuer's keys are read.
func (f tokenFlags) source() jose.KeySource {
	if u, err := url.Parse(f.IssuerKeys); err == nil && (u.Scheme == "https" || u.Scheme == "http") {
		return jose.KeysFromURL(f.IssuerKeys)
	}
	return jose.KeysFromFile(f.IssuerKeys)
}

// The tokens of development mode.
const (
	devIssuer       = "clientele-dev"
	devTenant       = "tenant_dev"
	devSubject      = "dev-admin"
	devRole         = "admin"
	devPlatformRole = "platform-admin"
	devTokenTTL     = 7 * 24 * time.Hour
)

// devRules are the token rules of development mode, in which the service
// trusts its own key alone.
func devRules() jose.TokenRules {
	return jose.TokenRules{
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
	Data    string        `default:"./data" env:"CLIENTELE_DATA" placeholder:"DIR" help:"Data directory of a service that was started with --dev (${default})."`
	Subject string        `default:"${devSubject}" help:"Who the token speaks for (${default})."`
	Tenant  string        `default:"${devTenant}" help:"Tenant, empty for none (${default})."`
	Role    string        `default:"${devRole}" help:"Role, empty for none (${default} is the administrator's)."`
	Scope   string        `help:"Scopes, space-separated: clients:read, clients:verify, clients:write."`
	TTL     time.Duration `name:"ttl" default:"1h" help:"How long the token is valid (${default})."`
}

// Validate refuses tokens that nobody would accept.
func (c tokenCommand) Validate() error {
	if c.TTL <= 0 {
		return errors.New("--ttl must be positive")
	}
	if c.Subject == "" {
		return errors.New("--subject must not be empty")
	}
	return nil
}

// Run prints a token.
func (c *tokenCommand) Run() error {
	signer, err := jose.OpenSigner(devKeyFile(c.Data), devRules())
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s has no signing key; start the service there with --dev first", c.Data)
	}
	if err != nil {
		return err
	}
	token, err := signer.Sign(jose.Grant{
		Subject: c.Subject, Tenant: c.Tenant, Role: c.Role, Scope: c.Scope, TTL: c.TTL,
	}, time.Now())
	if err != nil {
		return err
	}
	_, err = fmt.Println(token)
	return err
}

// writeDevToken leaves an administrator token where people find it. The file
// is replaced as a whole, so that nobody reads half a token.
func writeDevToken(signer *jose.Signer, data string) error {
	token, err := signer.Sign(jose.Grant{
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
