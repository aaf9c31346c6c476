// Command clientele is an OAuth client registry: the service, and what is
// needed around it. This package is the composition root; it reads the
// configuration and wires the parts, and decides nothing about clients.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/clientele-oauth/clientele/domain"
)

//go:generate sh -c "go run . rules --format markdown > ../../docs/rules.md"

// version is set by release builds.
var version = ""

type commands struct {
	Serve     serveCommand     `cmd:"" help:"Run the service."`
	Migrate   migrateCommand   `cmd:"" help:"Bring the database schema up to date."`
	Purge     purgeCommand     `cmd:"" help:"Remove for good what was deleted long ago; tombstones stay."`
	Backup    backupCommand    `cmd:"" help:"Write a verified backup of the SQLite file, also while the service runs."`
	Restore   restoreCommand   `cmd:"" name:"restore-backup" help:"Restore a backup of the SQLite file while the service does not run."`
	Doctor    doctorCommand    `cmd:"" help:"Find stored records that cannot be read, and repair what is possible."`
	Token     tokenCommand     `cmd:"" help:"Issue access tokens for development, and explain access tokens."`
	Rules     rulesCommand     `cmd:"" help:"Print the rules that clients are judged by."`
	Check     checkCommand     `cmd:"" help:"Judge client configurations in files, as the service would."`
	Import    importCommand    `cmd:"" help:"Make client files of what other systems export."`
	Apply     applyCommand     `cmd:"" help:"Make a registry what files say."`
	Export    exportCommand    `cmd:"" help:"Write the clients of a registry to files, as apply reads them."`
	Health    healthCommand    `cmd:"" help:"Ask the service on this machine whether it is ready; for health checks of containers."`
	Reference referenceCommand `cmd:"" hidden:"" help:"Print the reference of commands and flags in Markdown."`
	Version   versionCommand   `cmd:"" help:"Print the version."`
}

// exitUsage is how the program ends where its arguments make no sense.
const exitUsage = 2

// exitInterrupted is how the program ends where a signal stopped it, as shells
// expect of SIGINT.
const exitInterrupted = 130

func main() {
	var cli commands
	parsed := parse(&cli,
		kong.Name("clientele"),
		kong.Description("An OAuth client registry that no call can leave in a state that the OAuth, OpenID Connect and FAPI texts forbid."),
		kong.Vars{"devSubject": devSubject, "devTenant": devTenant, "devRole": devRole, "profiles": profileNames()},
		kong.Exit(func(status int) { os.Exit(min(status, exitUsage)) }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
	)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	parsed.BindTo(ctx, (*context.Context)(nil))
	err := parsed.Run()
	interrupted := errors.Is(err, context.Canceled) && ctx.Err() != nil
	stop()
	if status, ok := errors.AsType[exitError](err); ok {
		os.Exit(int(status))
	}
	switch {
	case interrupted:
		fmt.Fprintln(os.Stderr, "clientele: interrupted")
		os.Exit(exitInterrupted)
	case err != nil:
		complain(err)
		os.Exit(1)
	}
}

type versionCommand struct{}

// Run prints the version.
func (versionCommand) Run() error {
	_, err := fmt.Println("clientele", buildVersion())
	return err
}

// buildVersion is the version of a release, or what the go command noted.
func buildVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok && version == "" {
		return info.Main.Version
	}
	return version
}

// profileNames lists the profiles as an enumeration of kong's.
func profileNames() string {
	var names []string
	for _, p := range domain.Profiles() {
		names = append(names, string(p))
	}
	return strings.Join(names, ",")
}
