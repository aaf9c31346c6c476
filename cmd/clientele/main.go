// Command clientele is an OAuth client registry: the service, and the commands to operate
// it. This package is the composition root: it reads the configuration and connects the
// components. It contains no rules about clients.
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

	"github.com/clientele-oauth/clientele/adapters/servertargets"
	"github.com/clientele-oauth/clientele/domain"
)

//go:generate sh -c "go run . rules --format markdown > ../../docs/rules.md"

// version is set by release builds.
var version = ""

type commands struct {
	Serve             serveCommand             `cmd:"" help:"Run the service."`
	Migrate           migrateCommand           `cmd:"" help:"Migrate the database schema to the current version."`
	Purge             purgeCommand             `cmd:"" help:"Permanently remove clients deleted longer ago than --retention; tombstones remain."`
	Backup            backupCommand            `cmd:"" help:"Write a verified backup of the SQLite file; the service may be running."`
	Restore           restoreCommand           `cmd:"" name:"restore-backup" help:"Restore a backup of the SQLite file; the service must be stopped."`
	Doctor            doctorCommand            `cmd:"" help:"Find stored records that cannot be read, and repair them where possible."`
	Token             tokenCommand             `cmd:"" help:"Issue access tokens for development, and explain access tokens."`
	Rules             rulesCommand             `cmd:"" help:"Print the rules that clients are validated by."`
	Fields            fieldsCommand            `cmd:"" help:"Print the fields of a client's configuration in Markdown."`
	Check             checkCommand             `cmd:"" help:"Validate client files with the service's rules, offline."`
	CheckRegistration checkRegistrationCommand `cmd:"" help:"Validate a registration file, and check requests and documents against it, offline."`

	Import    importCommand    `cmd:"" help:"Convert exports of other systems into client files."`
	Apply     applyCommand     `cmd:"" help:"Make a registry match the files."`
	Export    exportCommand    `cmd:"" help:"Write the clients of a registry to files that apply can read."`
	Sync      syncCommand      `cmd:"" help:"Push the clients of a tenant to an authorization server that cannot read them."`
	Health    healthCommand    `cmd:"" help:"Check whether the service on this machine is ready; for container health checks."`
	Reference referenceCommand `cmd:"" hidden:"" help:"Print the reference of commands and flags in Markdown."`
	Version   versionCommand   `cmd:"" help:"Print the version."`
}

// exitUsage is the exit status for wrong arguments.
const exitUsage = 2

// exitInterrupted is the exit status after a signal: 128 plus the number of SIGINT, as
// shells expect.
const exitInterrupted = 130

func main() {
	var cli commands
	parsed := parse(&cli,
		kong.Name("clientele"),
		kong.Description("An OAuth client registry. No call can leave a client in a state that the OAuth, OpenID Connect or FAPI specifications forbid."),
		kong.Vars{"devSubject": devSubject, "devTenant": devTenant, "devRole": devRole, "profiles": profileNames(), "pushTargets": pushTargetNames(), "serverTargets": strings.Join(servertargets.Names(), ",")},
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
		printError(err)
		os.Exit(1)
	}
}

type versionCommand struct{}

// Run prints the version.
func (versionCommand) Run() error {
	_, err := fmt.Println("clientele", buildVersion())
	return err
}

// buildVersion returns the version of a release build, or else the one that the go
// command recorded.
func buildVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok && version == "" {
		return info.Main.Version
	}
	return version
}

// profileNames lists the profiles in the format of a kong enum.
func profileNames() string {
	var names []string
	for _, p := range domain.Profiles() {
		names = append(names, string(p))
	}
	return strings.Join(names, ",")
}
