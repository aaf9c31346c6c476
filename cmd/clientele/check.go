package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/clientele-oauth/clientele/adapters/clientfile"
	"github.com/clientele-oauth/clientele/adapters/report"
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
		return report.RulesJSON(os.Stdout, domain.Rules())
	case "markdown":
		return report.RulesMarkdown(os.Stdout, domain.Rules())
	default:
		return report.RulesTable(os.Stdout, domain.Rules())
	}
}

// exitError ends the program with a status of its own, and nothing more to
// say.
type exitError int

// Error is only there to make it one.
func (e exitError) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// How check ends where not everything is well.
const (
	errRefused = exitError(1)
	errUnread  = exitError(2)
)

type checkCommand struct {
	Files     []string `arg:"" name:"file" help:"JSON or YAML files with client configurations; - is standard input."`
	Format    string   `default:"text" enum:"text,json,sarif" help:"text, json or sarif (${default})."`
	Profile   string   `enum:",${profiles}" default:"" placeholder:"NAME" help:"Judge every client as if it claimed this profile: ${profiles}."`
	FetchKeys bool     `help:"Fetch the keys behind a jwks_uri and judge them too; nothing else uses the network."`
	ruleFlags `embed:"" group:"Rules"`
	keyFlags  `embed:"" group:"Keys behind a jwks_uri, with --fetch-keys"`
}

// Run judges the files and ends with 0 where every client is legal, 1 where
// one is refused, 2 where a file could not be read.
func (c *checkCommand) Run(ctx context.Context) error {
	policy := rulePolicy(c.ruleFlags, c.keyFlags, string(domain.PreflightWarn))
	book, err := domain.NewRulebook(policy)
	if err != nil {
		return err
	}
	resolver, err := c.resolver(policy)
	if err != nil {
		return err
	}
	reader, err := clientfile.NewReader()
	if err != nil {
		return err
	}
	inspector := &application.Inspector{Book: book, Keys: resolver, Clock: systemClock{}, FetchKeys: c.FetchKeys}
	files := make([]report.File, len(c.Files))
	for i, name := range c.Files {
		files[i] = c.check(ctx, reader, inspector, name)
	}
	switch c.Format {
	case "json":
		err = report.CheckJSON(os.Stdout, files)
	case "sarif":
		err = report.CheckSARIF(os.Stdout, files, domain.Rules(), buildVersion())
	default:
		err = report.CheckText(os.Stdout, files)
	}
	tally := report.Count(files)
	switch {
	case err != nil:
		return err
	case tally.Unread > 0:
		return errUnread
	case tally.Refused > 0:
		return errRefused
	default:
		return nil
	}
}

// check judges one file.
func (c *checkCommand) check(
	ctx context.Context, reader *clientfile.Reader, inspector *application.Inspector, name string,
) report.File {
	text, err := readInput(name)
	if err != nil {
		return report.File{Name: name, Failure: err}
	}
	documents, err := reader.Read(name, text)
	if err != nil {
		file := report.File{Name: name, Failure: err}
		if syntax, ok := errors.AsType[*clientfile.SyntaxError](err); ok {
			file.Failure, file.FailureLine = errors.New(syntax.Message), syntax.Line
		}
		return file
	}
	file := report.File{Name: name}
	for _, d := range documents {
		if c.Profile != "" {
			d.Wish.Profile = new(domain.Profile(c.Profile))
		}
		findings := d.Breaches
		if len(findings) == 0 {
			findings = inspector.Inspect(ctx, d.Wish)
		}
		client := report.Client{Line: d.Line(""), ClientID: d.ClientID}
		for _, f := range findings {
			client.Findings = append(client.Findings, report.Finding{Finding: f, Line: d.Line(f.Pointer)})
		}
		file.Clients = append(file.Clients, client)
	}
	return file
}

// readInput reads a file, or standard input where the name is "-".
func readInput(name string) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(os.Stdin)
	}
	text, err := os.ReadFile(name)
	if failed, ok := errors.AsType[*os.PathError](err); ok {
		return nil, failed.Err // the name stands before it
	}
	return text, err
}
