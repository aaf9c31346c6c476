package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/clientele-oauth/clientele/application"
)

// examineBatch is the number of records that doctor reads at once.
const examineBatch = 100

// Exit statuses of doctor.
const (
	errUnreadableLeft = exitError(1) // a record cannot be read and was not repaired
	errNotExamined    = exitError(3) // the store could not be examined completely
)

type doctorCommand struct {
	storeFlags `embed:""`
	DryRun     bool `help:"Only report; repair nothing."`
}

// Run reads every stored record, lists those that cannot be read, and repairs them where
// possible. The service may be running. The exit status is 0 if every record can be read
// now, 1 if some cannot, 2 for wrong arguments, and 3 if the store could not be examined
// completely.
func (c *doctorCommand) Run(ctx context.Context) error {
	left, err := c.examine(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, "clientele:", err)
		return errNotExamined
	}
	if left > 0 {
		return errUnreadableLeft
	}
	return nil
}

// examine returns the number of faults that remain.
func (c *doctorCommand) examine(ctx context.Context) (left int, err error) {
	if err := c.requireData(); err != nil {
		return 0, err
	}
	db, err := c.open(ctx, nil)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, db.close()) }()
	var counts []string
	faults, repaired := 0, 0
	for _, kind := range application.RecordKinds() {
		examined := 0
		for position := ""; ; {
			found, err := db.examiner.Examine(ctx, kind, position, examineBatch)
			if err != nil {
				return 0, fmt.Errorf("examine %s: %w", kind, err)
			}
			examined += found.Examined
			for _, fault := range found.Faults {
				faults++
				done, err := c.handle(ctx, db.examiner, fault)
				if err != nil {
					return 0, err
				}
				if done {
					repaired++
				}
			}
			if position = found.Next; position == "" {
				break
			}
		}
		counts = append(counts, fmt.Sprintf("%d %s", examined, kind))
	}
	fmt.Printf("examined %s: %d unreadable, %d repaired\n", strings.Join(counts, ", "), faults, repaired)
	return faults - repaired, nil
}

// handle reports a fault, and repairs it if possible, unless this is a dry run.
func (c *doctorCommand) handle(ctx context.Context, examiner application.Examiner, fault application.Fault) (repaired bool, err error) {
	result := "cannot be repaired automatically"
	switch {
	case fault.Remedy == "":
	case c.DryRun:
		result = "can be repaired: " + fault.Remedy
	default:
		if repaired, err = examiner.Mend(ctx, fault); err != nil {
			return false, fmt.Errorf("repair %w", errors.Join(&application.UnreadableError{UnreadableRecord: fault.UnreadableRecord}, err))
		}
		result = "repaired: " + fault.Remedy
		if !repaired {
			result = "not repaired: it was changed in the meantime; run this command again"
		}
	}
	// Quoted, so that stored names cannot send control sequences to a terminal.
	_, err = fmt.Printf("tenant %q, client %q, revision %d: the %s cannot be read (%q); %s\n",
		fault.TenantID, fault.ClientID, fault.Revision, fault.Part, fault.Reason, result)
	return repaired, err
}

// sqliteFile is the path of the SQLite file.
func (f storeFlags) sqliteFile() string { return filepath.Join(f.Data, "clientele.db") }

// requireData returns an error if the flags name an SQLite file that does not exist.
func (f storeFlags) requireData() error {
	if f.DatabaseURL != "" {
		return nil
	}
	if _, err := os.Stat(f.sqliteFile()); err != nil {
		return fmt.Errorf("no database found: %w", err)
	}
	return nil
}
