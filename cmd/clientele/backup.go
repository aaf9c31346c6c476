package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/clientele-oauth/clientele/adapters/sqlite"
)

// postgresBackup is the error for PostgreSQL. It names the tools to use instead, but not
// the URL, which may include a password.
const postgresBackup = `no backup was made: back up PostgreSQL with its own tools, e.g. pg_dump --format=custom --file=clientele.dump "$DATABASE_URL", ` +
	`or pg_basebackup with archived WAL`

// postgresRestore is the error for PostgreSQL. It names the tools to use instead.
const postgresRestore = `nothing was restored: restore PostgreSQL with its own tools, e.g. ` +
	`pg_restore --exit-on-error --single-transaction --dbname="$DATABASE_URL" clientele.dump into an empty database`

type backupCommand struct {
	storeFlags `embed:""`
	File       string `arg:"" help:"File to write the backup to; it must not exist yet."`
}

// Run writes a backup of the SQLite file. The service may be running.
func (c *backupCommand) Run(ctx context.Context) error {
	if c.DatabaseURL != "" {
		return errors.New(postgresBackup)
	}
	if err := c.requireData(); err != nil {
		return err
	}
	if err := sqlite.Backup(ctx, c.sqliteFile(), c.File); err != nil {
		return err
	}
	info, err := os.Stat(c.File)
	if err != nil {
		return err
	}
	_, err = fmt.Printf("backup written and verified: %s (%d bytes)\n", c.File, info.Size())
	return err
}

type restoreCommand struct {
	storeFlags `embed:""`
	File       string `arg:"" type:"existingfile" help:"Backup to restore."`
	Force      bool   `help:"If there already is data, rename it and restore."`
}

// Run restores a backup of the SQLite file. It fails if the service is running.
func (c *restoreCommand) Run(ctx context.Context) error {
	if c.DatabaseURL != "" {
		return errors.New(postgresRestore)
	}
	if err := c.makeData(); err != nil {
		return err
	}
	moved, err := sqlite.Restore(ctx, c.File, c.sqliteFile(), c.Force, time.Now())
	switch {
	case errors.Is(err, sqlite.ErrInUse):
		return fmt.Errorf("%w; stop the service first", err)
	case errors.Is(err, sqlite.ErrExists):
		return fmt.Errorf("%w; use --force to rename it and restore", err)
	case err != nil:
		return err
	}
	if moved != "" {
		fmt.Printf("the previous data is now %s\n", moved)
	}
	_, err = fmt.Printf("restored: %s\n", c.sqliteFile())
	return err
}
