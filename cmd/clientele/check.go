package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/clientele-oauth/clientele/adapters/clientfile"
	"github.com/clientele-oauth/clientele/adapters/report"
	"github.com/clientele-oauth/clientele/adapters/secrethash"
	"github.com/clientele-oauth/clientele/adapters/servermetadata"
	"github.com/clientele-oauth/clientele/adapters/servertargets"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

type rulesCommand struct {
	Format string `default:"table" enum:"table,json,markdown" help:"table, json or markdown (${default})."`
}

// Run prints the rulebook.
func (c rulesCommand) Run() error {
	switch c.Format {
	case "json":
		return report.RulesJSON(os.Stdout, domain.PublishedRules())
	case "markdown":
		return report.RulesMarkdown(os.Stdout, domain.PublishedRules())
	default:
		return report.RulesTable(os.Stdout, domain.PublishedRules())
	}
}

// exitError is an exit status of the program. No message is printed for it.
type exitError int

// Error implements the error interface.
func (e exitError) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// Exit statuses of check.
const (
	errRejected = exitError(1) // a client violates a rule
	errUnread   = exitError(2) // a file, or the metadata of the server, could not be read
)

type checkCommand struct {
	Files     []string `arg:"" name:"file" help:"JSON or YAML files with client configurations, or folders of such files; - is standard input."`
	Format    string   `default:"text" enum:"text,json,sarif" help:"text, json or sarif (${default})."`
	Profile   string   `enum:",${profiles}" default:"" placeholder:"NAME" help:"Validate every client as if it claimed this profile: ${profiles}."`
	Dev       bool     `help:"Validate as a service in development mode, which allows loopback addresses for back-channel logout and CIBA notification."`
	FetchKeys bool     `help:"Also fetch and check the keys at jwks_uri and the document at sector_identifier_uri; nothing else uses the network, except for a URL of --server-metadata."`
	ruleFlags `embed:"" group:"Rules"`
	keyFlags  `embed:"" group:"Keys at a jwks_uri, with --fetch-keys"`

	Target []string `group:"Rules" enum:"${serverTargets}" placeholder:"SERVER" help:"Also report what an authorization server refuses (violations) or ignores (warnings): ${serverTargets}; may be repeated."`

	ServerMetadata string `group:"Rules" placeholder:"LOCATION" help:"URL or file of the authorization server's metadata (OpenID Connect Discovery, RFC 8414): clients are also validated against what it supports."`
}

// Run validates the files. The exit status is 0 if every client is valid, 1 if one is
// rejected, and 2 if a file, or the metadata of the server, could not be read.
func (c *checkCommand) Run(ctx context.Context) error {
	policy := rulePolicy(c.ruleFlags, c.keyFlags, string(domain.PreflightWarn), c.Dev)
	book, err := domain.NewRulebook(policy)
	if err != nil {
		return err
	}
	resolver, err := c.resolver(policy)
	if err != nil {
		return err
	}
	servers, err := c.servers(ctx)
	if err != nil {
		printError(err)
		return errUnread
	}
	reader, err := clientfile.NewReader()
	if err != nil {
		return err
	}
	inspector := &application.Inspector{Book: book, Keys: resolver, Sectors: resolver, Servers: servers, Clock: systemClock{}, FetchKeys: c.FetchKeys}
	var files []report.File
	declared := &clientfile.Identifiers{}
	for _, in := range inputs(ctx, c.Files) {
		files = append(files, c.check(ctx, reader, inspector, declared, in))
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	switch c.Format {
	case "json":
		err = report.CheckJSON(os.Stdout, files)
	case "sarif":
		rules := domain.PublishedRules()
		for _, server := range c.Target {
			rules = append(rules, servertargets.Rules(server)...)
		}
		err = report.CheckSARIF(os.Stdout, files, rules, buildVersion())
	default:
		err = report.CheckText(os.Stdout, files)
	}
	tally := report.Count(files)
	switch {
	case err != nil:
		return err
	case tally.Unread > 0:
		return errUnread
	case tally.Rejected > 0:
		return errRejected
	default:
		return nil
	}
}

// servers returns the authorization server that the flag names, if any. Its metadata must
// be readable.
func (c *checkCommand) servers(ctx context.Context) (*servermetadata.Servers, error) {
	var locations []servermetadata.Location
	if c.ServerMetadata != "" {
		locations = append(locations, servermetadata.Location{At: c.ServerMetadata})
	}
	servers, err := servermetadata.New(locations, slog.New(slog.DiscardHandler), time.Now)
	if err == nil {
		err = servers.Load(ctx)
	}
	return servers, err
}

// maxFindings is the maximum number of findings that are kept for one file.
const maxFindings = 10_000

// secretHashFindings returns what is wrong with the hash of a secret, if there is one.
func secretHashFindings(hash string) domain.Findings {
	if hash == "" {
		return nil
	}
	_, err := secrethash.New(1).Parse(hash)
	if invalid, ok := errors.AsType[*application.InvalidError](err); ok {
		return invalid.Findings
	}
	return nil
}

// check validates one file, and adds the identifiers in it to declared.
func (c *checkCommand) check(
	ctx context.Context, reader *clientfile.Reader, inspector *application.Inspector, declared *clientfile.Identifiers, in input,
) report.File {
	file := report.File{Name: in.name, Failure: in.err}
	if file.Failure != nil {
		return file
	}
	text, err := readInput(ctx, in.name)
	if err != nil {
		file.Failure = err
		return file
	}
	found := 0
	err = reader.Each(ctx, in.name, text, func(d clientfile.Document) error {
		if c.Profile != "" {
			d.Change = d.Change.With(domain.FieldProfile, domain.Settings{Profile: domain.Profile(c.Profile)})
		}
		findings := declared.Problems(d, in.name)
		if len(d.Breaches) == 0 {
			findings = append(findings, inspector.Inspect(ctx, d.Change)...)
			effective := inspector.Book.Effective(inspector.Book.Register(domain.Identity{}, d.Change).Settings())
			for _, server := range c.Target {
				findings = append(findings, servertargets.Check(server, domain.ClientID(d.ClientID), effective)...)
			}
		}
		findings = append(findings, secretHashFindings(d.SecretHash)...)
		client := report.Client{Line: d.Line(""), ClientID: d.ClientID}
		for _, f := range findings {
			line := d.Line(f.Pointer)
			f.Pointer = d.Place(f.Pointer)
			client.Findings = append(client.Findings, report.Finding{Finding: f, Line: line})
		}
		file.Clients = append(file.Clients, client)
		if found += len(findings); found > maxFindings {
			return fmt.Errorf("more than %d findings; the rest of the file was not checked", maxFindings)
		}
		return nil
	})
	file.Failure = err
	if syntax, ok := errors.AsType[*clientfile.SyntaxError](err); ok {
		file.Failure, file.FailureLine = errors.New(syntax.Message), syntax.Line
	}
	return file
}
