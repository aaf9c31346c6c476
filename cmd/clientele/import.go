package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/clientele-oauth/clientele/adapters/clientfile"
	"github.com/clientele-oauth/clientele/adapters/clientfile/importer"
	"github.com/clientele-oauth/clientele/domain"
)

type importCommand struct {
	From   string `required:"" enum:"hydra,keycloak,rfc7591" placeholder:"SYSTEM" help:"Source system of the file: hydra, keycloak or rfc7591."`
	File   string `arg:"" help:"The export, in JSON; - is standard input."`
	Output string `short:"o" placeholder:"DIR" help:"Folder to write to, with one file per client; standard output if unset."`
	Force  bool   `help:"Replace existing files with different content."`
}

// Run converts an export into client files, and reports on standard error what it could
// not convert. The exit status is 1 if a client could not be converted, or an existing
// file with different content was kept.
func (c *importCommand) Run(ctx context.Context) error {
	text, err := readInput(ctx, c.File)
	if err != nil {
		return fmt.Errorf("%s: %w", c.File, err)
	}
	export, err := importer.Read(importer.System(c.From), text)
	if err != nil {
		return fmt.Errorf("%s: %w", c.File, err)
	}
	for _, skipped := range export.Skipped {
		note("%s", skipped)
	}
	failed := len(export.Problems)
	for _, problem := range export.Problems {
		note("error: %s", problem)
	}
	kept, lost, err := c.write(ctx, export.Clients)
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "clients read: %d, settings not converted: %d; validate the result with \"clientele check\"\n", len(export.Clients), lost)
	if failed+kept > 0 {
		return errNotApplied
	}
	return nil
}

// write writes the clients. It returns the number of existing files that were kept, and
// the number of settings that were not converted.
func (c *importCommand) write(ctx context.Context, clients []importer.Client) (kept, lost int, err error) {
	var files writer
	if c.Output != "" {
		if files, err = newWriter(c.Output, c.Force); err != nil {
			return 0, 0, err
		}
	}
	names := map[domain.ClientID]bool{}
	for _, client := range clients {
		names[client.ID] = true
	}
	for i, client := range clients {
		if err := ctx.Err(); err != nil {
			return kept, lost, err
		}
		name := client.ID
		for n := i + 1; name == ""; n++ { // a file name that no client of the export uses
			if free := domain.ClientID(fmt.Sprintf("client-%d", n)); !names[free] {
				name, names[free] = free, true
			}
		}
		for _, what := range client.Lost {
			note("%s: not converted: %s", string(name), what)
		}
		lost += len(client.Lost)
		hash, err := client.SecretHash()
		if err != nil {
			return kept, lost, fmt.Errorf("%s: %w", name, err)
		}
		text, err := clientfile.WriteImported(client.ID, client.Change, hash)
		if err != nil {
			return kept, lost, fmt.Errorf("%s: %w", name, err)
		}
		if c.Output == "" {
			if _, err := fmt.Printf("---\n%s", text); err != nil {
				return kept, lost, err
			}
			continue
		}
		switch err := files.write(fileName(name), text); {
		case errors.Is(err, errKept):
			kept++
			note("error: %s", err)
		case err != nil:
			return kept, lost, err
		}
	}
	return kept, lost, nil
}
