// Package declare brings a registry in line with declared configurations. [NewPlan]
// compares them with the registered clients and has the registry validate every
// difference before anything is changed. [Apply] then makes the changes, each only if the
// client is still at the revision that was compared. Repeating both has no further
// effect.
package declare

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"sync"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// Registered is a client in a registry. Inline keys are set only if they were requested.
type Registered struct {
	ID       domain.ClientID
	Revision domain.RevisionNumber
	Settings domain.Settings
	Warnings domain.Findings // about the current configuration
}

// Registry is the registry to change. Its errors are those of [application.Registry].
type Registry interface {
	// Find returns a client, with its inline keys if keysMatter is true.
	Find(ctx context.Context, id domain.ClientID, keysMatter bool) (Registered, error)
	// Walk calls visit with the identifier of every client that can be read. If some
	// cannot be read, the error at the end wraps [application.ErrUnreadable] and names
	// them.
	Walk(ctx context.Context, visit func(domain.ClientID) error) error
	// All calls visit with every client that can be read, with its keys and without
	// warnings. If there are others, the error at the end wraps
	// [application.ErrUnreadable] and names them. If it has another error, some clients
	// were not visited.
	All(ctx context.Context, visit func(Registered) error) error
	// Register registers the declared client or, in a dry run, only validates it. The
	// secret is returned only once; it is empty if there is none, or if the declaration
	// has its hash.
	Register(ctx context.Context, d Declaration, dryRun bool) (secret string, warnings domain.Findings, err error)
	// Revise changes a client that is at that revision or, in a dry run, only
	// validates the change.
	Revise(ctx context.Context, at Registered, change domain.Change, dryRun bool) (warnings domain.Findings, err error)
	// Delete deletes a client that is at that revision.
	Delete(ctx context.Context, at Registered) error
	// LastChange returns the newest change of a client, deleted or not.
	LastChange(ctx context.Context, id domain.ClientID) (LastChange, error)
	// AsOf returns a revision of a client, with its keys.
	AsOf(ctx context.Context, id domain.ClientID, revision domain.RevisionNumber) (Registered, error)
	// Restore restores a deleted client that is at that revision or, in a dry run,
	// only validates the restoration. It returns the client's new revision; 0 in a dry
	// run.
	Restore(ctx context.Context, at Registered, how Restoration) (now domain.RevisionNumber, warnings domain.Findings, err error)
}

// Declaration is the declared configuration of a client. Fields that the change does
// not name may have any value.
type Declaration struct {
	ID     domain.ClientID
	Change domain.Change
	// SecretHash is the hash of the secret that the client has in another system, for
	// a client that is registered; existing clients keep their secrets. It is never
	// shown. Empty for a new secret.
	SecretHash string
}

// Kind is the kind of a step.
type Kind string

// The kinds of steps.
const (
	Create    Kind = "create"
	Update    Kind = "update"
	Delete    Kind = "delete"
	Restore   Kind = "restore" // of a deleted client, see [NewPlan]
	Unchanged Kind = "unchanged"
)

// Step is the planned change of one client.
type Step struct {
	Kind Kind
	ID   domain.ClientID
	// Declaration is the index of the declaration; -1 for a deletion, which has none.
	Declaration int
	Differences []domain.Difference
	Warnings    domain.Findings
	// Rejection is the reason why the registry would reject the change; nil if it
	// would accept it.
	Rejection error
	// SecretsReturn reports that a restored client can authenticate with its secrets
	// from before the deletion, if they are still valid.
	SecretsReturn bool

	change     domain.Change
	before     Registered
	secretHash string
}

// registration returns what a step of the kind [Create] registers, which is an active
// client.
func (s Step) registration() Declaration {
	return Declaration{ID: s.ID, Change: s.change.Without(domain.FieldStatus), SecretHash: s.secretHash}
}

// Plan contains the steps in the order of the declarations, deletions last.
type Plan struct {
	Steps []Step
}

// Count returns the number of steps of the kind.
func (p Plan) Count(kind Kind) int {
	n := 0
	for _, step := range p.Steps {
		if step.Kind == kind {
			n++
		}
	}
	return n
}

// Changes returns the number of steps that change something.
func (p Plan) Changes() int { return len(p.Steps) - p.Count(Unchanged) }

// Rejected returns the number of steps that the registry would reject.
func (p Plan) Rejected() int {
	n := 0
	for _, step := range p.Steps {
		if step.Rejection != nil {
			n++
		}
	}
	return n
}

// concurrency is the number of clients that are processed at once.
const concurrency = 8

// Progress is called with the number of processed clients and the total, which is 0 if it
// is unknown.
type Progress func(done, of int)

// NewPlan compares the declarations with the registry, which validates the differences.
// With prune, the plan deletes clients without a declaration. A declared client that was
// deleted is restored and then changed to its declaration. Changes that the registry
// rejects are part of the plan; the error is about other failures of the registry.
func NewPlan(ctx context.Context, r Registry, declarations []Declaration, prune bool, progress Progress) (Plan, error) {
	steps := make([]Step, len(declarations))
	err := each(ctx, len(declarations), progress, func(ctx context.Context, i int) (err error) {
		steps[i], err = compare(ctx, r, i, declarations[i])
		return err
	})
	if err != nil || !prune {
		return Plan{steps}, err
	}
	named := map[domain.ClientID]bool{}
	for _, d := range declarations {
		named[d.ID] = true
	}
	var gone []Step
	err = r.Walk(ctx, func(id domain.ClientID) error {
		if !named[id] {
			gone = append(gone, Step{Kind: Delete, ID: id, Declaration: -1})
		}
		return nil
	})
	if err != nil {
		return Plan{}, err
	}
	err = each(ctx, len(gone), nil, func(ctx context.Context, i int) (err error) {
		gone[i].before, err = r.Find(ctx, gone[i].ID, false)
		return err
	})
	return Plan{append(steps, gone...)}, err
}

// compare returns the step for a declaration.
func compare(ctx context.Context, r Registry, index int, d Declaration) (Step, error) {
	step := Step{Kind: Update, ID: d.ID, Declaration: index}
	found, err := r.Find(ctx, d.ID, d.Change.Names(domain.FieldJWKS))
	switch {
	case errors.Is(err, application.ErrNotFound):
		step.Kind, step.change, step.secretHash = Create, d.Change, d.SecretHash
		step.Differences = declared(d.Change)
		_, step.Warnings, err = r.Register(ctx, step.registration(), true)
		switch {
		case errors.Is(err, application.ErrTaken):
			return compareDeleted(ctx, r, step, d)
		case errors.Is(err, application.ErrNotFound): // the server is not a registry
			return step, err
		}
		return step.validated(err)
	case err != nil:
		return step, about(d.ID, err)
	}
	step.before = found
	change, err := finishing(ctx, r, found, d.Change)
	if err != nil {
		return step, about(d.ID, err)
	}
	if step.change, step.Differences = neededOf(change, found.Settings); len(step.Differences) == 0 {
		step.Kind, step.Warnings = Unchanged, found.Warnings
		return step, nil
	}
	step.Warnings, err = r.Revise(ctx, found, step.change, true)
	return step.validated(err)
}

// validated adds a rejection to the step. Other errors are returned.
func (s Step) validated(err error) (Step, error) {
	var invalid *application.InvalidError
	if errors.As(err, &invalid) || errors.Is(err, application.ErrTaken) || errors.Is(err, application.ErrPreconditionFailed) {
		s.Rejection = err
		return s, nil
	}
	if err != nil {
		return s, about(s.ID, err)
	}
	return s, nil
}

// neededOf is like [domain.Change.Needed], but compares inline keys as JSON values.
func neededOf(change domain.Change, s domain.Settings) (domain.Change, []domain.Difference) {
	if change.Names(domain.FieldJWKS) && sameJSON(change.Values().Keys.Inline(), s.Keys.Inline()) {
		change = change.Without(domain.FieldJWKS)
	}
	return change.Needed(s)
}

// sameJSON reports whether two texts represent the same JSON value.
func sameJSON(a, b string) bool {
	var one, other any
	if json.Unmarshal([]byte(a), &one) != nil || json.Unmarshal([]byte(b), &other) != nil {
		return a == b
	}
	return reflect.DeepEqual(one, other)
}

// Secret is the first secret of a new client, which is returned only once.
type Secret struct {
	ID    domain.ClientID
	Value string
}

// Apply executes the steps. It stops at the first step that fails and returns its error.
// Completed steps are kept, and a new plan contains only the remaining ones. Each secret
// is passed to keep before the next step begins; calls of keep do not overlap.
func Apply(ctx context.Context, r Registry, p Plan, keep func(Secret) error, progress Progress) error {
	var todo []Step
	for _, step := range p.Steps {
		if step.Kind != Unchanged {
			todo = append(todo, step)
		}
	}
	var keeping sync.Mutex
	return each(ctx, len(todo), progress, func(ctx context.Context, i int) error {
		secret, err := execute(ctx, r, todo[i])
		if secret != "" {
			keeping.Lock()
			defer keeping.Unlock()
			err = errors.Join(keep(Secret{todo[i].ID, secret}), err)
		}
		if err != nil {
			return stepError(todo[i], err)
		}
		return nil
	})
}

// execute executes a step.
func execute(ctx context.Context, r Registry, step Step) (secret string, err error) {
	switch step.Kind {
	case Create:
		if secret, _, err = r.Register(ctx, step.registration(), false); err != nil {
			return "", err
		}
		if status := step.change.Values().Status; step.change.Names(domain.FieldStatus) && status != domain.StatusActive {
			var made Registered
			if made, err = r.Find(ctx, step.ID, false); err == nil {
				_, err = r.Revise(ctx, made, domain.ChangeOf(domain.Settings{Status: status}), false)
			}
		}
		return secret, err
	case Delete:
		return "", r.Delete(ctx, step.before)
	case Restore:
		return "", restore(ctx, r, step)
	default:
		_, err = r.Revise(ctx, step.before, step.change, false)
		return "", err
	}
}

// Export calls write for every client, including its keys, one after the other, and
// returns the number of clients. The total is unknown until the end, so progress is called
// with 0 for it. If the registry cannot read some clients, all others are written, and the
// error names the missing ones; it wraps [application.ErrUnreadable].
func Export(ctx context.Context, r Registry, progress Progress, write func(Registered) error) (n int, err error) {
	err = r.All(ctx, func(found Registered) error {
		if err := write(found); err != nil {
			return err
		}
		if n++; progress != nil {
			progress(n, 0)
		}
		return nil
	})
	return n, err
}

// each calls do for the numbers below n, several at once, until a call fails.
func each(ctx context.Context, n int, progress Progress, do func(ctx context.Context, i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var (
		group      sync.WaitGroup
		mu         sync.Mutex
		next, done int
	)
	work := func() {
		for {
			mu.Lock()
			i := next
			next++
			mu.Unlock()
			if i >= n || ctx.Err() != nil {
				return
			}
			if err := do(ctx, i); err != nil {
				cancel(err)
				return
			}
			mu.Lock()
			if done++; progress != nil {
				progress(done, n)
			}
			mu.Unlock()
		}
	}
	for range min(concurrency, n) {
		group.Go(work)
	}
	group.Wait()
	return context.Cause(ctx)
}
