package application_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

func TestRestoreSuspended(t *testing.T) {
	onEachStore(t, func(t *testing.T, r *registry) {
		id := register(t, r)
		_, err := r.RestoreSuspended(t.Context(), admin, id, application.Options{})
		require.ErrorIs(t, err, domain.ErrNotDeleted)
		require.NoError(t, r.Delete(t.Context(), admin, id, application.Options{}))

		_, err = r.RestoreSuspended(t.Context(), admin, id, application.Options{IfMatch: []domain.RevisionNumber{1}})
		require.ErrorIs(t, err, application.ErrPreconditionFailed)
		would, err := r.RestoreSuspended(t.Context(), admin, id, application.Options{DryRun: true})
		require.NoError(t, err)
		assert.Equal(t, domain.StatusSuspended, would.Client.Settings().Status)
		_, err = r.Find(t.Context(), admin, id)
		require.ErrorIs(t, err, application.ErrNotFound, "a dry run restores nothing")

		restored, err := r.RestoreSuspended(t.Context(), admin, id, application.Options{IfMatch: []domain.RevisionNumber{2}})
		require.NoError(t, err)
		assert.Equal(t, domain.RevisionNumber(3), restored.Client.Revision())
		assert.NotEmpty(t, restored.Client.Secrets(), "the secrets are kept")
		found, err := r.Find(t.Context(), admin, id)
		require.NoError(t, err)
		assert.Equal(t, domain.StatusSuspended, found.Settings().Status)
		assert.Equal(t, "App", found.Settings().Name)
		_, err = r.RestoreSuspended(t.Context(), admin, "none", application.Options{})
		require.ErrorIs(t, err, application.ErrNotFound)
	})
}
