package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/clientele-oauth/clientele/adapters/jwks"
	"github.com/clientele-oauth/clientele/adapters/registrationfile"
	"github.com/clientele-oauth/clientele/adapters/report"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

type checkRegistrationCommand struct {
	File        string `arg:"" help:"Registration file, as for serve --registration-file; - is standard input."`
	Request     string `placeholder:"FILE" help:"Also check a registration request (RFC 7591 §3.1) against the policy of the tenant; - is standard input. It must be JSON, not a JWT, and its software statement is not verified."`
	Document    string `placeholder:"FILE" help:"Also check a client ID metadata document against the policy of the tenant; - is standard input. Needs --url."`
	URL         string `name:"url" placeholder:"URL" help:"URL of the document, which is its client_id."`
	Tenant      string `placeholder:"NAME" help:"Tenant whose policy applies; required if the file has several."`
	TokenPolicy string `placeholder:"FILE" help:"Policy of the initial access token of the request, in YAML or JSON, as in the body of POST /admin/oauth/registration-tokens; if omitted, the token does not narrow the policy of the tenant."`
	Format      string `default:"text" enum:"text,json" help:"text or json (${default})."`
	Dev         bool   `help:"Validate as a service in development mode, which allows loopback addresses in more places."`
	ruleFlags   `embed:"" group:"Rules"`
}

// Validate rejects combinations of flags without effect.
func (c *checkRegistrationCommand) Validate() error {
	inputs := 0
	for _, name := range []string{c.File, c.Request, c.Document, c.TokenPolicy} {
		if name == standardInput {
			inputs++
		}
	}
	switch {
	case (c.Document == "") != (c.URL == ""):
		return errors.New("--document and --url must be set together")
	case c.TokenPolicy != "" && c.Request == "":
		return errors.New("--token-policy has no effect without --request")
	case c.Tenant != "" && c.Request == "" && c.Document == "":
		return errors.New("--tenant has no effect without --request or --document")
	case inputs > 1:
		return errors.New("only one file can be standard input")
	}
	return nil
}

// Run validates the file and what is compared with it. The exit status is 0 if everything is
// valid, 1 if the file has faults or a request or document is rejected, and 2 if a file
// could not be read.
func (c *checkRegistrationCommand) Run(ctx context.Context) error {
	policy := rulePolicy(c.ruleFlags, keyFlags{}, string(domain.PreflightWarn), c.Dev)
	book, err := domain.NewRulebook(policy)
	if err != nil {
		return err
	}
	text, err := c.read(ctx, c.File)
	if err != nil {
		return err
	}
	policies, err := registrationfile.Parse(c.File, text, book)
	if err != nil {
		printError(err)
		return errRejected
	}
	result := report.Registration{File: c.File}
	for _, tenant := range policies.Tenants() {
		result.Tenants = append(result.Tenants, tenantPolicy(tenant, policies.Registration(tenant)))
	}
	resolver := jwks.NewResolver(jwks.Options{Policy: policy})
	inspector := &application.Inspector{Book: book, Keys: resolver, Sectors: resolver, Clock: systemClock{}} // fetches nothing
	checker, err := registrationfile.NewChecker(inspector, resolver)
	if err != nil {
		return err
	}
	if result.Checks, err = c.checks(ctx, checker, policies); err != nil {
		return err
	}
	return c.print(result)
}

// checks compares the request and the document with the policy of the tenant.
func (c *checkRegistrationCommand) checks(
	ctx context.Context, checker *registrationfile.Checker, policies registrationfile.Policies,
) (checks []report.RegistrationCheck, err error) {
	if c.Request == "" && c.Document == "" {
		return nil, nil
	}
	tenant, err := c.tenant(policies)
	if err != nil {
		printError(err)
		return nil, errUnread
	}
	of := policies.Registration(tenant)
	if c.Request != "" {
		token, err := c.tokenPolicy(ctx, checker, of)
		if err != nil {
			return nil, err
		}
		text, err := c.read(ctx, c.Request)
		if err != nil {
			return nil, err
		}
		checks = append(checks, presented(c.Request, tenant, checker.Request(ctx, tenant, of, token, text)))
	}
	if c.Document != "" {
		text, err := c.read(ctx, c.Document)
		if err != nil {
			return nil, err
		}
		checks = append(checks, presented(c.Document, tenant, checker.Document(ctx, tenant, of, domain.ClientID(c.URL), text)))
	}
	return checks, nil
}

// tenant returns the tenant of the flag, or the only one of the file.
func (c *checkRegistrationCommand) tenant(policies registrationfile.Policies) (domain.TenantID, error) {
	tenants := policies.Tenants()
	var names []string
	for _, tenant := range tenants {
		if string(tenant) == c.Tenant {
			return tenant, nil
		}
		names = append(names, string(tenant))
	}
	switch {
	case c.Tenant != "":
		return "", fmt.Errorf("%s has no tenant %s; it has: %s", c.File, c.Tenant, strings.Join(names, ", "))
	case len(tenants) != 1:
		return "", fmt.Errorf("%s has %d tenants; choose one with --tenant: %s", c.File, len(tenants), strings.Join(names, ", "))
	}
	return tenants[0], nil
}

// tokenPolicy returns the policy of the initial access token; nil without one.
func (c *checkRegistrationCommand) tokenPolicy(
	ctx context.Context, checker *registrationfile.Checker, of application.TenantRegistration,
) (*domain.RegistrationPolicy, error) {
	if c.TokenPolicy == "" {
		return nil, nil //nolint:nilnil // no policy is no error
	}
	text, err := c.read(ctx, c.TokenPolicy)
	if err != nil {
		return nil, err
	}
	policy, err := checker.TokenPolicy(c.TokenPolicy, text, of)
	if err != nil {
		printError(err)
		return nil, errRejected
	}
	return &policy, nil
}

// read returns the text of a file. It prints the error, and returns [errUnread] for it.
func (c *checkRegistrationCommand) read(ctx context.Context, name string) ([]byte, error) {
	text, err := readInput(ctx, name)
	if err == nil || ctx.Err() != nil {
		return text, err
	}
	printError(fmt.Errorf("%s: %w", name, err))
	return nil, errUnread
}

func (c *checkRegistrationCommand) print(result report.Registration) error {
	write := report.RegistrationText
	if c.Format == "json" {
		write = report.RegistrationJSON
	}
	if err := write(os.Stdout, result); err != nil {
		return err
	}
	for _, check := range result.Checks {
		if check.Client == nil {
			return errRejected
		}
	}
	return nil
}

func tenantPolicy(tenant domain.TenantID, of application.TenantRegistration) report.TenantPolicy {
	mode := of.Documents.Mode
	if mode == "" {
		mode = domain.DocumentsOff
	}
	return report.TenantPolicy{Tenant: tenant, Registration: of.Enabled, Open: of.Policy.Open, Issuers: len(of.Issuers), Documents: mode}
}

// presented returns the result of a check as it is printed.
func presented(file string, tenant domain.TenantID, checked registrationfile.Checked) report.RegistrationCheck {
	check := report.RegistrationCheck{File: file, Tenant: tenant, Client: checked.Client}
	for _, f := range checked.Findings {
		check.Findings = append(check.Findings, report.Finding{Finding: f.Finding, Line: f.Line})
	}
	return check
}
