package application_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// The error lists everything that the caller lacks.
func TestForbiddenErrorNamesEverythingMissing(t *testing.T) {
	all := application.Permissions()
	for name, tt := range map[string]struct {
		caller  application.Caller
		missing application.ForbiddenError
		text    string
	}{
		"no permission": {
			application.Caller{Tenant: "a"},
			application.ForbiddenError{Permission: application.PermissionWrite},
			"not permitted: the permission clients:write is missing",
		},
		"no tenant": {
			application.Caller{Permissions: all},
			application.ForbiddenError{Tenant: application.TenantMissing},
			"not permitted: the access token has no tenant",
		},
		"a platform caller that chose none": {
			application.Caller{Permissions: all, Platform: true},
			application.ForbiddenError{Tenant: application.TenantNotChosen},
			"not permitted: the platform caller did not select a tenant",
		},
		"neither": {
			application.Caller{},
			application.ForbiddenError{Permission: application.PermissionWrite, Tenant: application.TenantMissing},
			"not permitted: the access token has no tenant; the permission clients:write is missing",
		},
	} {
		err := tt.caller.May(application.OpUpdateClient)
		require.ErrorIs(t, err, application.ErrForbidden, name)
		var forbidden *application.ForbiddenError
		require.ErrorAs(t, err, &forbidden, name)
		assert.Equal(t, tt.missing, *forbidden, name)
		assert.Equal(t, tt.text, err.Error())
	}
	require.NoError(t, admin.May(application.OpUpdateClient))
	require.ErrorIs(t, admin.May("magic"), application.ErrForbidden)
	_, err := admin.In("tenant_b")
	var forbidden *application.ForbiddenError
	require.ErrorAs(t, err, &forbidden)
	assert.Equal(t, application.TenantForeign, forbidden.Tenant)
	assert.Equal(t, "not permitted: the selected tenant is not the tenant of the access token", err.Error())
	assert.Equal(t, "not permitted", (&application.ForbiddenError{}).Error())
	assert.True(t, admin.Has(application.PermissionRead))
	assert.False(t, callerWithoutPermissions.Has(application.PermissionRead))
}

// Preconditions of changes (RFC 9110 §13.1), for a client that exists and for a deleted one.
func TestPreconditionsOfChanges(t *testing.T) {
	onEachStore(t, func(t *testing.T, r *registry) {
		for name, tt := range map[string]struct {
			opts application.Options
			err  error
		}{
			"none":                  {application.Options{}, nil},
			"at the revision":       {application.Options{IfMatch: []domain.RevisionNumber{9, 1}}, nil},
			"at another":            {application.Options{IfMatch: []domain.RevisionNumber{9}}, application.ErrPreconditionFailed},
			"at no revision":        {application.Options{IfMatch: []domain.RevisionNumber{}}, application.ErrPreconditionFailed},
			"not at another":        {application.Options{IfNoneMatch: []domain.RevisionNumber{9}}, nil},
			"not at this":           {application.Options{IfNoneMatch: []domain.RevisionNumber{9, 1}}, application.ErrExists},
			"absent":                {application.Options{IfAbsent: true}, application.ErrExists},
			"If-Match comes first":  {application.Options{IfMatch: []domain.RevisionNumber{9}, IfAbsent: true}, application.ErrPreconditionFailed},
			"both, and one is met":  {application.Options{IfMatch: []domain.RevisionNumber{1}, IfAbsent: true}, application.ErrExists},
			"a dry run is the same": {application.Options{IfMatch: []domain.RevisionNumber{9}, DryRun: true}, application.ErrPreconditionFailed},
		} {
			id := register(t, r)
			revised, err := r.Revise(t.Context(), admin, id, domain.ChangeOf(domain.Settings{Name: "Another"}), tt.opts)
			if tt.err == nil {
				require.NoError(t, err, name)
				assert.False(t, revised.Unchanged)
				continue
			}
			require.ErrorIs(t, err, tt.err, name)
			require.ErrorIs(t, err, application.ErrPreconditionFailed, name)
			client, err := r.Find(t.Context(), admin, id)
			require.NoError(t, err)
			assert.EqualValues(t, 1, client.Revision(), name)
		}
		id := register(t, r)
		require.NoError(t, r.Delete(t.Context(), admin, id, application.Options{}))
		_, err := r.Restore(t.Context(), admin, id, application.Options{IfMatch: []domain.RevisionNumber{1}})
		require.ErrorIs(t, err, application.ErrPreconditionFailed)
		_, err = r.Restore(t.Context(), admin, id, application.Options{IfMatch: []domain.RevisionNumber{2}, IfAbsent: true})
		require.NoError(t, err, "a deleted client does not exist")
		_, err = r.Restore(t.Context(), admin, id, application.Options{IfMatch: []domain.RevisionNumber{99}})
		require.ErrorIs(t, err, domain.ErrNotDeleted, "the state of the client is checked before the precondition (RFC 9110 §13.2.1)")
		same, err := r.Revise(t.Context(), admin, id, domain.Change{}, application.Options{})
		require.NoError(t, err)
		assert.True(t, same.Unchanged)
	})
}
