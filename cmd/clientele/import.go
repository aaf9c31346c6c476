package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/clientele-oauth/clientele/adapters/clientfile"
	"github.com/clientele-oauth/clientele/adapters/foreign"
	"github.com/clientele-oauth/clientele/domain"
)

type importCommand struct {
	From   string `required:"" enum:"hydra,keycloak,rfc7591" placeholder:"SYSTEM" help:"What wrote the file: hydra, keycloak or rfc7591."`
	File   string `arg:"" help:"The export, in JSON; - is standard input."`
	Output string `short:"o" placeholder:"DIR" help:"Folder to write to, a file for each client; standard output where it is not set."`
}

// Run makes client files of an export, and tells on standard error what it could
// not carry over.
func (c *importCommand) Run(context.Context) error {
	text, err := readInput(c.File)
	if err != nil {
		return fmt.Errorf("%s: %w", c.File, err)
	}
	clients, err := foreign.Read(foreign.System(c.From), text)
	if err != nil {
		return fmt.Errorf("%s: %w", c.File, err)
	}
	if c.Output != "" {
		if err := os.MkdirAll(c.Output, 0o750); err != nil {
			return err
		}
	}
	lost := 0
	for i, client := range clients {
		name := string(client.ID)
		if name == "" {
			name = fmt.Sprintf("client-%d", i+1)
		}
		for _, what := range client.Lost {
			fmt.Fprintf(os.Stderr, "%s: not carried over: %s\n", name, what)
		}
		lost += len(client.Lost)
		if err := c.write(domain.ClientID(name), client); err != nil {
			return err
		}
	}
	fmt.Fprintf(os.Stderr, "clients read: %d, settings not carried over: %d; judge what was written with \"clientele check\"\n", len(clients), lost)
	return nil
}

func (c *importCommand) write(name domain.ClientID, client foreign.Client) error {
	text, err := clientfile.Write(client.ID, client.Wish)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if c.Output == "" {
		_, err = fmt.Printf("---\n%s", text)
		return err
	}
	return os.WriteFile(filepath.Join(c.Output, fileName(name)), text, 0o600)
}
