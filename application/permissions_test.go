package application_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// operationCalls returns a call of each operation for the client id. A registration uses
// the identifier fresh.
func operationCalls(r *registry, id, fresh domain.ClientID) map[application.Operation]func(context.Context, application.Caller) error {
	none := application.Options{}
	return map[application.Operation]func(context.Context, application.Caller) error{
		application.OpCreateClient: func(ctx context.Context, c application.Caller) error {
			_, err := r.Register(ctx, c, fresh, validChange(), none)
			return err
		},
		application.OpGetClient: func(ctx context.Context, c application.Caller) error {
			_, err := r.Find(ctx, c, id)
			return err
		},
		application.OpListClients: func(ctx context.Context, c application.Caller) error {
			page, err := r.List(ctx, c, application.Query{Limit: 1000})
			return foundIn(page.Clients, id, err)
		},
		application.OpGetSnapshot: func(ctx context.Context, c application.Caller) error {
			page, err := r.Snapshot(ctx, c, "", false)
			return foundIn(page.Clients, id, err)
		},
		application.OpUpdateClient: func(ctx context.Context, c application.Caller) error {
			_, err := r.Revise(ctx, c, id, domain.ChangeOf(domain.Settings{Name: "x"}), none)
			return err
		},
		application.OpDeleteClient: func(ctx context.Context, c application.Caller) error { return r.Delete(ctx, c, id, none) },
		application.OpRestoreClient: func(ctx context.Context, c application.Caller) error {
			_, err := r.Restore(ctx, c, id, none)
			return err
		},
		application.OpListSecrets: func(ctx context.Context, c application.Caller) error {
			_, err := r.ListSecrets(ctx, c, id)
			return err
		},
		application.OpCreateSecret: func(ctx context.Context, c application.Caller) error {
			_, err := r.CreateSecret(ctx, c, id, application.SecretOptions{}, none)
			return err
		},
		application.OpRotateSecret: func(ctx context.Context, c application.Caller) error {
			_, err := r.RotateSecret(ctx, c, id, nil, none)
			return err
		},
		application.OpDeleteSecret: func(ctx context.Context, c application.Caller) error {
			return r.DeleteSecret(ctx, c, id, "no such secret", none)
		},
		application.OpVerifySecret: func(ctx context.Context, c application.Caller) error {
			_, err := r.VerifySecret(ctx, c, id, "x")
			return err
		},
		application.OpAuthenticateClient: func(ctx context.Context, c application.Caller) error {
			_, err := r.Authenticate(ctx, c, application.AuthenticationRequest{Form: domain.AuthForm{ClientID: id, ClientSecret: "x"}})
			if failed, ok := errors.AsType[*application.AuthenticationError](err); ok {
				if failed.Reason == domain.FailureUnknown {
					return application.ErrNotFound
				}
				return nil // the method is not registered
			}
			return err
		},
		application.OpListSecretVerifiers: func(ctx context.Context, c application.Caller) error {
			_, err := r.SecretVerifiers(ctx, c, id)
			return err
		},
		application.OpListRevisions: func(ctx context.Context, c application.Caller) error {
			_, _, err := r.History(ctx, c, id, 0, 10)
			return err
		},
		application.OpGetRevision: func(ctx context.Context, c application.Caller) error {
			_, err := r.RevisionOf(ctx, c, id, 1)
			return err
		},
		application.OpRestoreRevision: func(ctx context.Context, c application.Caller) error {
			_, err := r.RestoreRevision(ctx, c, id, 1, none)
			return err
		},
		application.OpListChanges: func(ctx context.Context, c application.Caller) error {
			changes, err := r.Changes(ctx, c, "", 1000, application.WaitOptions{})
			var clients []domain.Client
			for _, revision := range changes.Revisions {
				clients = append(clients, revision.Client)
			}
			return foundIn(clients, id, err)
		},
		application.OpGetClientKeys: func(ctx context.Context, c application.Caller) error {
			_, err := r.ClientKeys(ctx, c, id)
			return err
		},
		application.OpGetClientCompliance: func(ctx context.Context, c application.Caller) error {
			_, err := r.Assess(ctx, c, id, domain.Profiles())
			return err
		},
		application.OpCheckCompliance: func(ctx context.Context, c application.Caller) error {
			_, err := r.AssessDraft(ctx, c, validChange(), domain.Profiles())
			return err
		},
		application.OpListRules: func(_ context.Context, c application.Caller) error {
			_, err := r.Rules(c)
			return err
		},
	}
}

// foundIn returns nil if the client is in the list.
func foundIn(clients []domain.Client, id domain.ClientID, err error) error {
	if err != nil {
		return err
	}
	for _, c := range clients {
		if c.Identity().ClientID == id {
			return nil
		}
	}
	return application.ErrNotFound
}

// outcomes contains the errors of operations that fail even for a permitted caller.
var outcomes = map[application.Operation]error{
	application.OpRestoreClient: domain.ErrNotDeleted,
	application.OpDeleteSecret:  domain.ErrNoSuchSecret,
}

// needNoClient contains the operations that use no existing client, so that they succeed
// in any tenant.
var needNoClient = map[application.Operation]bool{
	application.OpCreateClient: true, application.OpCheckCompliance: true, application.OpListRules: true,
}

// Every operation is called with each single permission, without permissions, without a
// tenant, and from another tenant.
func TestPermissionsOfEveryOperation(t *testing.T) {
	onEachStore(t, func(t *testing.T, r *registry) {
		operations := operationCalls(r, "", "")
		for op := range operations {
			attempt := func(c application.Caller) error {
				id, fresh := register(t, r), domain.ClientID("own-"+r.Random.ID())
				return operationCalls(r, id, fresh)[op](t.Context(), c)
			}
			require.ErrorIs(t, attempt(callerWithoutPermissions), application.ErrForbidden, op)
			require.ErrorIs(t, attempt(callerWithoutTenant), application.ErrForbidden, op)
			require.ErrorIs(t, attempt(admin), outcomes[op], op)
			for _, p := range application.Permissions() {
				err := attempt(application.Caller{Subject: "s", Tenant: "tenant_a", Permissions: []application.Permission{p}})
				if p == op.Needs() {
					require.ErrorIs(t, err, outcomes[op], "%s with %s", op, p)
				} else {
					require.ErrorIs(t, err, application.ErrForbidden, "%s with %s", op, p)
				}
			}
			err := attempt(foreignCaller)
			if needNoClient[op] {
				require.NoError(t, err, op)
			} else {
				require.ErrorIs(t, err, application.ErrNotFound, "%s: another tenant's client does not exist", op)
			}
		}
		assert.Empty(t, application.Operation("magic").Needs())
	})
}

func TestIdentifiersAreUniquePerTenant(t *testing.T) {
	onEachStore(t, func(t *testing.T, r *registry) {
		_, err := r.Register(t.Context(), admin, "app-x", validChange(), application.Options{})
		require.NoError(t, err)
		_, err = r.Register(t.Context(), foreignCaller, "app-x", validChange(), application.Options{})
		require.NoError(t, err, "an error would disclose the identifiers of another tenant")
		require.NoError(t, r.Delete(t.Context(), foreignCaller, "app-x", application.Options{}))
		_, err = r.Find(t.Context(), admin, "app-x")
		require.NoError(t, err)
	})
}

func TestPlatformCallersChooseATenant(t *testing.T) {
	platform := application.Caller{Subject: "root", Permissions: application.Permissions(), Platform: true}
	there, err := platform.In("tenant_b")
	require.NoError(t, err)
	assert.Equal(t, domain.TenantID("tenant_b"), there.Tenant)
	_, err = admin.In("tenant_b")
	require.ErrorIs(t, err, application.ErrForbidden)
	same, err := admin.In("tenant_a")
	require.NoError(t, err)
	assert.Equal(t, admin, same)
	_, err = newRegistry(t).List(t.Context(), platform, application.Query{Limit: 1})
	require.ErrorIs(t, err, application.ErrForbidden, "no tenant was chosen")
}

func TestSecretVerificationsAreRateLimited(t *testing.T) {
	r := newRegistry(t)
	id := register(t, r)
	r.with(func(config *application.Config) { config.Verifications = denyAll{} })
	_, err := r.VerifySecret(t.Context(), callerWithoutPermissions, id, "x")
	require.ErrorIs(t, err, application.ErrForbidden, "forbidden calls do not count towards the limit")
	_, err = r.VerifySecret(t.Context(), admin, id, "x")
	require.ErrorIs(t, err, application.ErrTooManyRequests)
	_, err = r.Authenticate(t.Context(), callerWithoutPermissions, application.AuthenticationRequest{})
	require.ErrorIs(t, err, application.ErrForbidden)
	_, err = r.Authenticate(t.Context(), admin, application.AuthenticationRequest{})
	require.ErrorIs(t, err, application.ErrTooManyRequests)
}

type denyAll struct{}

func (denyAll) Allow(domain.TenantID, string) bool { return false }

// advance advances the clock of the registry.
func advance(r *registry, by time.Duration) { r.Clock.(*clock).advance(by) }
