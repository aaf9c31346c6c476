// Command clientele is an OAuth client registry: the service, and what is
// needed around it. This package is the composition root; it reads the
// configuration and wires the parts, and decides nothing about clients.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/alecthomas/kong"
)

// version is set by release builds.
var version = ""

type commands struct {
	Serve   serveCommand   `cmd:"" help:"Run the service."`
	Migrate migrateCommand `cmd:"" help:"Bring the database schema up to date."`
	Token   tokenCommand   `cmd:"" help:"Print an access token signed with the development key of a data directory."`
	Version versionCommand `cmd:"" help:"Print the version."`
}

func main() {
	var cli commands
	parsed := kong.Parse(&cli,
		kong.Name("clientele"),
		kong.Description("An OAuth client registry that no call can leave in a state that the OAuth, OpenID Connect and FAPI texts forbid."),
		kong.Vars{"devSubject": devSubject, "devTenant": devTenant, "devRole": devRole},
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
	)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	parsed.BindTo(ctx, (*context.Context)(nil))
	err := parsed.Run()
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "clientele:", err)
		os.Exit(1)
	}
}

type versionCommand struct{}

// Run prints the version.
func (versionCommand) Run() error {
	v := version
	if info, ok := debug.ReadBuildInfo(); ok && v == "" {
		v = info.Main.Version
	}
	_, err := fmt.Println("clientele", v)
	return err
}
