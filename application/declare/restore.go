package declare

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// A declared client that was deleted is restored. If its configuration is not
// the declared one, it is restored suspended, and one update changes and
// activates it: it is never active with a configuration that no file declares.
// If an apply is interrupted between the two, the client stays suspended, with
// restoreReason in its history. The next plan recognises this and completes the change.

// restoreReason is the change reason of the restoration of a client that is restored
// suspended and then activated.
const restoreReason = "clientele apply: to be changed to its declared configuration and activated"

// ErrPurged reports that the client_id belonged to a client that was purged.
var ErrPurged = errors.New("the client_id belonged to a client that was permanently removed, and stays reserved: choose another client_id")

// LastChange is the newest change of a client.
type LastChange struct {
	Revision domain.RevisionNumber
	Action   domain.Action
	Reason   string // of the change; may be empty
}

// Restoration contains the options for restoring a deleted client.
type Restoration struct {
	Suspended bool // restore as suspended, regardless of the earlier status
	DryRun    bool
	Reason    string // stored in the client's history; may be empty
}

// compareDeleted returns the step for a declaration whose client_id is in use, although
// no such client is found.
func compareDeleted(ctx context.Context, r Registry, step Step, d Declaration) (Step, error) {
	last, err := r.LastChange(ctx, d.ID)
	switch {
	case err != nil:
		return step, about(d.ID, err)
	case last.Action == domain.ActionPurge:
		step.Rejection = ErrPurged
		return step, nil
	case last.Action != domain.ActionDelete: // restored by another caller in the meantime
		step.Rejection = application.ErrTaken
		return step, nil
	}
	if step.before, err = r.AsOf(ctx, d.ID, last.Revision); err != nil {
		return step, about(d.ID, err)
	}
	before := step.before.Settings
	step.Kind = Restore
	step.change, step.Differences = neededOf(d.Change, before)
	whole := d.Change.Over(before)
	step.SecretsReturn = whole.UsesSecret()
	if len(step.Differences) == 0 {
		_, step.Warnings, err = r.Restore(ctx, step.before, Restoration{DryRun: true})
		return step.validated(err)
	}
	// The update cannot be validated while the client is deleted, but a
	// registration with the resulting configuration can.
	_, step.Warnings, err = r.Register(ctx, Declaration{Change: domain.ChangeTo(whole).Without(domain.FieldStatus)}, true)
	if whole.Status != domain.StatusActive {
		err = step.tolerate(err)
	}
	return step.validated(err)
}

// tolerate turns violations in fields that the step does not change into warnings: the
// registry accepts them in a suspended client.
func (s *Step) tolerate(err error) error {
	invalid, ok := errors.AsType[*application.InvalidError](err)
	if !ok {
		return err
	}
	var left domain.Findings
	for _, f := range invalid.Findings {
		field, _, _ := strings.Cut(strings.TrimPrefix(f.Pointer, "/"), "/")
		changed := slices.ContainsFunc(s.Differences, func(d domain.Difference) bool { return d.Pointer() == "/"+field })
		if f.Level == domain.Violation && changed {
			left = append(left, f)
			continue
		}
		f.Level = domain.Warning
		s.Warnings = append(s.Warnings, f)
	}
	if len(left) == 0 {
		return nil
	}
	return &application.InvalidError{Findings: left}
}

// restore executes a step of the kind Restore.
func restore(ctx context.Context, r Registry, step Step) error {
	status := step.before.Settings.Status
	if step.change.Names(domain.FieldStatus) {
		status = step.change.Values().Status
	}
	how := Restoration{Suspended: len(step.Differences) > 0}
	if how.Suspended && status == domain.StatusActive {
		how.Reason = restoreReason
	}
	now, _, err := r.Restore(ctx, step.before, how)
	if err != nil || !how.Suspended {
		return err
	}
	restored := Registered{ID: step.ID, Revision: now, Settings: step.before.Settings}
	restored.Settings.Status = domain.StatusSuspended
	change := step.change.With(domain.FieldStatus, domain.Settings{Status: status})
	if change, differences := change.Needed(restored.Settings); len(differences) > 0 {
		if _, err := r.Revise(ctx, restored, change, false); err != nil {
			return fmt.Errorf("it is restored and suspended, but not changed: %w", err)
		}
	}
	return nil
}

// finishing returns the declared change of a client that was found. If an earlier apply
// restored the client and was interrupted before it could change and activate it, the
// change also activates it, unless the declaration names a status.
func finishing(ctx context.Context, r Registry, found Registered, change domain.Change) (domain.Change, error) {
	if change.Names(domain.FieldStatus) || found.Settings.Status != domain.StatusSuspended {
		return change, nil
	}
	last, err := r.LastChange(ctx, found.ID)
	if err != nil {
		return change, err
	}
	if last.Revision == found.Revision && last.Action == domain.ActionRestore && last.Reason == restoreReason {
		change = change.With(domain.FieldStatus, domain.Settings{Status: domain.StatusActive})
	}
	return change, nil
}
