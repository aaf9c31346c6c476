package push

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// Step is what is done at the server so that a client is there as it should be.
type Step string

// The steps.
const (
	StepNone    Step = ""
	StepCreate  Step = "create"
	StepReplace Step = "replace"
	StepDisable Step = "disable"
	StepDelete  Step = "delete"
	// StepRefuse: nothing can be done, see [Decision.Refusal].
	StepRefuse Step = "refuse"
)

// Decision is what is to be done for one client.
type Decision struct {
	ClientID    domain.ClientID
	Step        Step
	Revision    domain.RevisionNumber // in the registry; 0 if unknown
	Differences []Difference          // at the server, for [StepReplace]
	// Drift reports that the server no longer has what was pushed, although the
	// registry has not changed.
	Drift bool
	// Refusal is why the client is not pushed, in one line.
	Refusal string
	// Secret is why the client cannot or will not be able to use a secret that the
	// registry accepts, in one line; empty if it can.
	Secret string
	// Rotation is what happens when the secret of the client is rotated.
	Rotation Rotation
	// Ignored is what the server ignores.
	Ignored domain.Findings

	want    Client
	held    *Held
	locks   bool          // the secret at the server has ended and is to be replaced
	recheck time.Duration // when the secret at the server ends
	purged  bool
}

// Rotation is what happens to a client when its secret is rotated.
type Rotation string

// What happens when a secret is rotated.
const (
	// RotationNone: the client uses no secret.
	RotationNone Rotation = "no secret"
	// RotationFollows: the server asks the registry about each secret.
	RotationFollows Rotation = "keeps working"
	// RotationNeedsValue: the server keeps the old secret until its grace period is
	// over. Then it accepts none, unless it got the new value from the file with the
	// secrets.
	RotationNeedsValue Rotation = "needs the new value"
)

// lookup reads what the registry has under an identifier. deleted is true if the client is
// deleted or was never there, and purged if only its tombstone is left.
func (w *Worker) lookup(ctx context.Context, id domain.ClientID) (client domain.Client, deleted, purged bool, err error) {
	client, err = w.config.Registry.Find(ctx, w.caller(), id)
	if !errors.Is(err, application.ErrNotFound) {
		return client, false, false, err
	}
	log, _, err := w.config.Registry.History(ctx, w.caller(), id, 0, 1)
	switch {
	case errors.Is(err, application.ErrNotFound) || err == nil && len(log) == 0:
		return domain.Client{}, true, false, nil
	case err != nil:
		return domain.Client{}, false, false, err
	default:
		return log[0].Client, true, log[0].Action == domain.ActionPurge, nil
	}
}

// find returns what the server holds; nil if nothing.
func (w *Worker) find(ctx context.Context, id domain.ClientID) (*Held, error) {
	held, err := w.config.Target.Find(ctx, id)
	switch {
	case errors.Is(err, ErrNotHeld):
		return nil, nil //nolint:nilnil // nothing is a result
	case err != nil:
		return nil, fmt.Errorf("read the client at the server: %w", err)
	default:
		return &held, nil
	}
}

// decide reads the client in the registry and at the server, and decides what is to be done.
// If absent is true, it assumes that the server does not hold the client.
func (w *Worker) decide(ctx context.Context, id domain.ClientID, absent bool) (Decision, error) {
	client, deleted, purged, err := w.lookup(ctx, id)
	if err != nil {
		return Decision{ClientID: id}, err
	}
	var held *Held
	if !absent || deleted {
		if held, err = w.find(ctx, id); err != nil {
			return Decision{ClientID: id, Revision: client.Revision()}, err
		}
	}
	if deleted {
		return w.decideDeleted(id, client, purged, held), nil
	}
	return w.decideFor(ctx, client, held)
}

// owns reports whether the worker may change what the server holds.
func (w *Worker) owns(held *Held) bool { return held != nil && held.Mark.Tenant == w.config.Tenant }

// decideDeleted decides about a client that the registry does not have any more.
func (w *Worker) decideDeleted(id domain.ClientID, client domain.Client, purged bool, held *Held) Decision {
	d := Decision{ClientID: id, Revision: client.Revision(), held: held, purged: purged}
	switch {
	case !w.owns(held):
	case purged:
		d.Step = StepDelete
	case held.Enabled:
		d.Step = StepDisable
		d.Differences = []Difference{{Attribute: "enabled", Held: "true", Want: "false"}}
		d.Drift = held.Mark.Revision == client.Revision()
	}
	return d
}

// decideFor decides about a client of the registry and what the server holds.
func (w *Worker) decideFor(ctx context.Context, client domain.Client, held *Held) (Decision, error) {
	identity := client.Identity()
	d := Decision{ClientID: identity.ClientID, Revision: client.Revision(), held: held, Rotation: w.rotation(&client)}
	switch {
	case held == nil || w.owns(held):
	case held.Managed():
		d.Step, d.Refusal = StepRefuse, Words(fmt.Sprintf("the client at the server belongs to the tenant %q", held.Mark.Tenant))
		return d, nil
	case !w.config.Adopt:
		d.Step, d.Refusal = StepRefuse, "the server has a client with this identifier that is not managed; --adopt takes it over"
		return d, nil
	}
	secret, err := w.secret(ctx, client, held)
	if err != nil {
		return d, err
	}
	state := client.State()
	state.Secrets, state.SecretsUnreadable = nil, false
	state.Settings = w.config.Registry.Effective(state.Settings)
	d.want = Client{
		Client: domain.Restore(state), Secret: secret.value,
		Mark: Mark{Tenant: w.config.Tenant, Revision: client.Revision(), SecretID: secret.id},
	}
	d.Secret, d.locks, d.recheck = secret.problem, secret.ended, secret.endsIn
	findings := w.config.Target.Check(d.want)
	d.Ignored = findings.Warnings()
	if held != nil {
		if d.Differences, err = w.config.Target.Differences(ctx, d.want, *held); err != nil {
			return d, fmt.Errorf("compare the client with the server: %w", err)
		}
	}
	violations := findings.Violations()
	switch {
	case len(violations) > 0:
		d.Step = StepRefuse
		d.Refusal = Words(violations[0].Message + " (" + violations[0].Pointer + ")")
	case held == nil:
		d.Step = StepCreate
		w.mu.Lock() // it was there at the end of the last reconciliation, or had a problem
		_, problem := w.problems[d.ClientID]
		d.Drift = client.UpdatedAt().Before(w.reconciled) && !problem
		w.mu.Unlock()
	case len(d.Differences) > 0 || d.want.Secret != "" || d.want.Mark != held.Mark:
		d.Step = StepReplace
		d.Drift = len(d.Differences) > 0 && held.Mark.Revision == client.Revision()
	}
	return d, nil
}

// rotation returns what happens when the secret of the client is rotated.
func (w *Worker) rotation(c *domain.Client) Rotation {
	switch {
	case !c.UsesSecret():
		return RotationNone
	case w.config.Target.Traits().VerifiesSecrets:
		return RotationFollows
	default:
		return RotationNeedsValue
	}
}

// secretDecision is the secret that the server is to hold for a client.
type secretDecision struct {
	value   string // to be pushed; empty if the server keeps what it has
	id      string // for the mark
	problem string
	ended   bool          // the secret that the server holds is to be replaced because it has ended
	endsIn  time.Duration // until the secret that the server keeps ends; 0 if it does not
}

// secret decides which secret the server is to hold. A secret that is no longer valid in the
// registry must not work at the server either, so it is replaced by a random one if its
// successor is not known.
func (w *Worker) secret(ctx context.Context, client domain.Client, held *Held) (secretDecision, error) {
	if !client.UsesSecret() || w.config.Target.Traits().VerifiesSecrets {
		return secretDecision{}, nil
	}
	heldID := ""
	if held != nil {
		heldID = held.Mark.SecretID
	}
	if client.SecretsUnreadable() {
		return secretDecision{id: heldID, problem: "the stored secrets of the client cannot be read; see clientele doctor"}, nil
	}
	now := w.config.Clock.Now()
	var valid []domain.Secret // also those of a suspended client
	for _, s := range client.Secrets() {
		if s.Status(now) != domain.SecretExpired {
			valid = append(valid, s)
		}
	}
	keep := func(id string) (kept secretDecision) {
		i := slices.IndexFunc(valid, func(s domain.Secret) bool { return s.ID == id })
		if i >= 0 && !valid[i].ExpiresAt.IsZero() {
			kept.endsIn = max(valid[i].ExpiresAt.Sub(now), time.Millisecond)
			kept.problem = fmt.Sprintf("the secret %s at the server ends at %s; put its successor into the file with the secrets",
				id, valid[i].ExpiresAt.UTC().Format(time.RFC3339))
		}
		kept.id = id
		return kept
	}
	note := ""
	if value, given := w.config.Secrets.Secret(client.Identity().ClientID); given {
		id, ok, err := w.identify(ctx, client, value, valid)
		switch {
		case err != nil:
			return secretDecision{}, fmt.Errorf("verify the secret in the file: %w", err)
		case ok && id == heldID:
			return keep(id), nil
		case ok:
			pushed := keep(id)
			pushed.value = value
			return pushed, nil
		}
		note = "; the value in the file with the secrets is not valid in the registry"
	}
	isValid := slices.ContainsFunc(valid, func(s domain.Secret) bool { return s.ID == heldID })
	switch {
	case held != nil && isValid:
		kept := keep(heldID)
		if kept.problem == "" && note != "" {
			kept.problem = "the server keeps the secret " + heldID + note
		}
		return kept, nil
	case held != nil && !held.Managed() && len(valid) > 0: // taken over with the secret that it has
		return keep(valid[0].ID), nil
	case held != nil && heldID == LockedSecret:
		return secretDecision{id: LockedSecret, problem: "its secret is unknown to the server, which accepts none" + note}, nil
	case held != nil && heldID != "" && w.config.KeepEndedSecrets:
		return secretDecision{id: heldID, problem: "secret " + heldID + " ended, but still works at the server; its successor is unknown to the server" + note}, nil
	}
	locked := secretDecision{value: w.randomSecret(), id: LockedSecret, problem: "its secret is unknown to the server, which accepts none" + note}
	if heldID != "" {
		locked.ended, locked.problem = true, "secret "+heldID+" ended; its successor is unknown to the server"+note
	}
	return locked, nil
}

// randomSecret returns a secret that no client gets.
func (w *Worker) randomSecret() string {
	entropy := w.config.Random.Entropy()
	return "locked_" + base64.RawURLEncoding.EncodeToString(entropy[:])
}

// identified is the last value that was found to be a secret of a client.
type identified struct {
	digest [sha256.Size]byte // of the value, the client and a key of this process
	id     string
}

// identify returns the id of the valid secret with this value. The last result of each
// client is kept as long as that secret is valid, because hashes of other systems are slow.
func (w *Worker) identify(ctx context.Context, client domain.Client, value string, valid []domain.Secret) (string, bool, error) {
	id := client.Identity().ClientID
	digest := sha256.Sum256([]byte(string(w.salt[:]) + string(id) + "\x00" + value))
	w.mu.Lock()
	last, ok := w.identified[id]
	w.mu.Unlock()
	if ok && last.digest == digest && slices.ContainsFunc(valid, func(s domain.Secret) bool { return s.ID == last.id }) {
		return last.id, true, nil
	}
	secretID, ok, err := w.config.Registry.IdentifySecret(ctx, w.caller(), client, value)
	if err == nil && ok {
		w.mu.Lock()
		w.identified[id] = identified{digest, secretID}
		w.mu.Unlock()
	}
	return secretID, ok, err
}

// apply carries the decision out at the server. refused is why the server does not accept
// the client; then nothing has changed, or the client is disabled because the registry does
// not let it work any more.
func (w *Worker) apply(ctx context.Context, d Decision) (refused string, err error) {
	target := w.config.Target
	switch d.Step {
	case StepNone:
		return "", nil
	case StepDelete:
		return "", target.Delete(ctx, *d.held)
	case StepDisable:
		mark := d.held.Mark
		mark.Revision = max(d.Revision, mark.Revision)
		return "", target.Disable(ctx, *d.held, mark)
	case StepCreate:
		err = target.Put(ctx, d.want, nil)
	case StepReplace:
		err = target.Put(ctx, d.want, d.held)
	case StepRefuse:
		err = &RefusedError{Reason: d.Refusal}
	}
	refusal, ok := errors.AsType[*RefusedError](err)
	if !ok {
		return "", err
	}
	if !w.owns(d.held) || d.want.Enabled() && !d.locks {
		return refusal.Reason, nil
	}
	// What was pushed before must not go on working where the registry does not allow it.
	if d.held.Enabled {
		if err := target.Disable(ctx, *d.held, d.held.Mark); err != nil {
			return "", err
		}
	}
	return "disabled there: " + refusal.Reason, nil
}
