package application_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/jwks"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

func TestADocumentIsApprovedByItsDigest(t *testing.T) {
	onDocumentHosts(t, func(t *testing.T, h *documentHost) {
		h.policy.RequireApproval = true
		digest := h.serve(t, nil)
		waiting := h.failure(t)
		assert.Equal(t, application.DocumentDenied, waiting.Reason)
		assert.Contains(t, waiting.Message, digest)
		require.NotNil(t, waiting.Waiting)
		assert.Equal(t, "App", waiting.Waiting.Client.Settings().Name)
		assert.Equal(t, digest, waiting.Waiting.Digest)

		_, err := h.ApproveDocument(t.Context(), admin, h.url, "sha-256:00", application.Options{})
		var invalid *application.InvalidError
		require.ErrorAs(t, err, &invalid)
		assert.Equal(t, "/digest", invalid.Findings[0].Pointer)
		assert.Contains(t, invalid.Findings[0].Message, digest)
		dry, err := h.ApproveDocument(t.Context(), admin, h.url, digest, application.Options{DryRun: true})
		require.NoError(t, err)
		assert.Empty(t, dry.Client.Identity().ID)
		assert.Empty(t, h.actions(t))

		revised := h.approve(t, digest)
		assert.EqualValues(t, 1, revised.Client.Revision())
		assert.NotEmpty(t, revised.Client.Identity().ID)
		assert.Contains(t, rulesOf(revised.Warnings), "cimd-redirect-origin")
		found, err := h.Find(t.Context(), admin, h.url)
		require.NoError(t, err)
		assert.Equal(t, domain.ViaDocument, found.Registration().Via)
		assert.Equal(t, &domain.ApprovedDocument{Digest: digest, ApprovedAt: h.clock.Now(), FetchedAt: h.clock.Now()}, found.Registration().Document)
		log, err := h.Store.Revisions(t.Context(), "tenant_a", h.url, 0, 1)
		require.NoError(t, err)
		assert.Equal(t, domain.Actor{Subject: "alice", Via: domain.ViaAdmin}, log[0].Actor)

		resolved := h.resolve(t)
		assert.True(t, resolved.Approved)
		assert.EqualValues(t, 1, resolved.Client.Revision())
		assert.Equal(t, digest, resolved.Digest)
		assert.Nil(t, resolved.Pending)
		assert.Contains(t, rulesOf(resolved.Warnings), "cimd-redirect-origin")

		assert.True(t, h.approve(t, digest).Unchanged)
		assert.Equal(t, []domain.Action{domain.ActionApproveDocument}, h.actions(t))
	})
}

func TestADocumentThatIsRejectedCannotBeApproved(t *testing.T) {
	onDocumentHosts(t, func(t *testing.T, h *documentHost) {
		rejected := map[string]any{"client_secret": "s"}
		for range 2 { // not approved before, and approved before
			_, err := h.ApproveDocument(t.Context(), admin, h.url, h.serve(t, rejected), application.Options{})
			var failure *application.DocumentError
			require.ErrorAs(t, err, &failure)
			assert.Equal(t, application.DocumentRejected, failure.Reason)
			h.approve(t, h.serve(t, nil))
		}
		assert.Equal(t, []domain.Action{domain.ActionApproveDocument}, h.actions(t))
	})
}

func TestAChangedDocumentWaitsForApproval(t *testing.T) {
	onDocumentHosts(t, func(t *testing.T, h *documentHost) {
		first := h.serve(t, nil)
		h.approve(t, first)

		second := h.serve(t, map[string]any{"client_name": "Other", "redirect_uris": []string{"https://other.example/cb"}})
		noticed := h.clock.Now()
		for range 3 {
			resolved := h.resolve(t)
			assert.Equal(t, "App", resolved.Client.Settings().Name, "the approved document stays in force")
			assert.Equal(t, first, resolved.Digest)
			assert.Equal(t, &domain.PendingDocument{Digest: second, SeenAt: noticed, Changed: []string{"client_name", "redirect_uris"}}, resolved.Pending)
			assert.Empty(t, resolved.Changes, "nothing has changed for the client")
			assert.EqualValues(t, 2, resolved.Client.Revision())
			h.clock.advance(time.Minute)
		}
		log, err := h.Store.Revisions(t.Context(), "tenant_a", h.url, 0, 1)
		require.NoError(t, err)
		assert.Equal(t, domain.ActionDocumentChanged, log[0].Action)
		assert.Equal(t, domain.Actor{Subject: "registration", ClientID: h.url, Via: domain.ViaDocument}, log[0].Actor)

		third := h.serve(t, map[string]any{"client_name": "Third"})
		assert.Equal(t, third, h.resolve(t).Pending.Digest)
		h.serve(t, nil)
		assert.Nil(t, h.resolve(t).Pending, "it is the approved one again")
		h.serve(t, map[string]any{"client_name": "Other", "redirect_uris": []string{"https://other.example/cb"}})
		h.resolve(t)

		_, err = h.ApproveDocument(t.Context(), admin, h.url, first, application.Options{})
		var invalid *application.InvalidError
		require.ErrorAs(t, err, &invalid, "the document is another one now")
		revised := h.approve(t, second)
		assert.Equal(t, "Other", revised.Client.Settings().Name)
		changes := domain.DocumentChanges{"client_name": h.clock.Now(), "redirect_uris": h.clock.Now()}
		assert.Equal(t, &domain.ApprovedDocument{Digest: second, ApprovedAt: h.clock.Now(), FetchedAt: h.clock.Now(), Changes: changes}, revised.Client.Registration().Document)
		resolved := h.resolve(t)
		assert.Equal(t, second, resolved.Digest)
		assert.Equal(t, changes, resolved.Changes)
		restarted := &documentHost{registry: h.replica(), url: h.url}
		assert.Equal(t, changes, restarted.resolve(t).Changes)
		h.fail()
		assert.Equal(t, changes, h.resolve(t).Changes, "also while the document is not available")
		assert.Equal(t, h.clock.Now().Add(-5*time.Minute), h.resolve(t).FetchedAt)
		assert.Nil(t, resolved.Pending)
		assert.Equal(t, []domain.Action{
			domain.ActionApproveDocument, domain.ActionDocumentChanged, domain.ActionDocumentChanged, domain.ActionDocumentChanged,
			domain.ActionDocumentChanged, domain.ActionApproveDocument,
		}, h.actions(t))
	})
}

// The names of the members are those of the document, and only of what a document can set.
func TestTheMembersThatAPendingDocumentChanges(t *testing.T) {
	onDocumentHosts(t, func(t *testing.T, h *documentHost) {
		h.approve(t, h.serve(t, nil))
		_, err := h.Revise(t.Context(), admin, h.url, domain.ChangeOf(domain.Settings{Owner: "team"}), application.Options{})
		require.NoError(t, err)
		h.serve(t, map[string]any{"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": "https://app.example/keys", "scope": "openid"})
		assert.Equal(t, []string{"jwks_uri", "scope", "token_endpoint_auth_method"}, h.resolve(t).Pending.Changed)
	})
}

// An administrator approves the document that is served now, also if an older one is fresh.
func TestTheDocumentThatIsServedNowIsApproved(t *testing.T) {
	onDocumentHosts(t, func(t *testing.T, h *documentHost) {
		h.resolve(t)
		second := h.serve(t, map[string]any{"client_name": "Other"})
		h.clock.advance(-5 * time.Minute)
		assert.Equal(t, "App", h.resolve(t).Client.Settings().Name, "it is fresh")
		assert.Equal(t, "Other", h.approve(t, second).Client.Settings().Name)
	})
}

func TestAnApprovalCountsAsAClient(t *testing.T) {
	onDocumentHosts(t, func(t *testing.T, h *documentHost) {
		h.with(func(c *application.Config) { c.MaxClients = 1 })
		other := register(t, h.registry)
		digest := h.serve(t, nil)
		_, err := h.ApproveDocument(t.Context(), admin, h.url, digest, application.Options{})
		require.ErrorIs(t, err, application.ErrQuota)
		require.NoError(t, h.Delete(t.Context(), admin, other, application.Options{}))
		h.approve(t, digest)
	})
}

func TestAnApprovedClientStaysInForceWhileItsDocumentIsNotUsable(t *testing.T) {
	onDocumentHosts(t, func(t *testing.T, h *documentHost) {
		digest := h.serve(t, nil)
		h.approve(t, digest)
		check := func(fresh time.Duration) {
			t.Helper()
			resolved := h.resolve(t)
			assert.Equal(t, "App", resolved.Client.Settings().Name)
			assert.Equal(t, digest, resolved.Digest)
			assert.Equal(t, []string{"cimd-redirect-origin", "cimd-unavailable"}, rulesOf(resolved.Warnings))
			assert.Equal(t, h.clock.Now().Add(fresh), resolved.FreshUntil)
		}
		h.fail()
		check(time.Minute)
		h.mu.Lock()
		h.status, h.text = http.StatusOK, "[]"
		h.mu.Unlock()
		for range 20 { // then the host must not be asked
			check(time.Minute)
		}
		assert.Equal(t, []domain.Action{domain.ActionApproveDocument}, h.actions(t))
		h.serve(t, map[string]any{"logo_uri": "javascript:alert(1)"})
		assert.NotNil(t, h.resolve(t).Pending, "one that is rejected waits as well, but cannot be approved")
	})
}

func TestAdministratorsTakeClientsOfDocumentsAway(t *testing.T) {
	onDocumentHosts(t, func(t *testing.T, h *documentHost) {
		digest := h.serve(t, nil)
		h.approve(t, digest)
		status := func(s domain.Status) {
			t.Helper()
			_, err := h.Revise(t.Context(), admin, h.url, domain.ChangeOf(domain.Settings{Status: s}), application.Options{})
			require.NoError(t, err)
		}
		status(domain.StatusSuspended)
		before := h.requests.Load()
		assert.Contains(t, h.failure(t).Message, "suspended")
		status(domain.StatusActive)
		h.resolve(t)
		require.NoError(t, h.Delete(t.Context(), admin, h.url, application.Options{}))
		assert.Contains(t, h.failure(t).Message, "deleted")
		_, err := h.ApproveDocument(t.Context(), admin, h.url, digest, application.Options{})
		require.ErrorIs(t, err, application.ErrNotFound, "a deleted client is restored first")
		_, err = h.Restore(t.Context(), admin, h.url, application.Options{})
		require.NoError(t, err)
		h.resolve(t)
		assert.Equal(t, before, h.requests.Load(), "nothing is fetched for a client that is not served")
	})
}

// Of many that notice a change at the same time one makes the revision.
func TestOneRevisionForEachChangeOfADocument(t *testing.T) {
	onDocumentHosts(t, func(t *testing.T, h *documentHost) {
		digest := h.serve(t, nil)
		each := func(do func() error) {
			t.Helper()
			var group sync.WaitGroup
			for range 32 {
				group.Go(func() { assert.NoError(t, do()) })
			}
			group.Wait()
		}
		each(func() error {
			_, err := h.ApproveDocument(t.Context(), admin, h.url, digest, application.Options{})
			return err
		})
		second := h.serve(t, map[string]any{"client_name": "Other"})
		each(func() error {
			resolved, err := h.ResolveDocument(t.Context(), admin, h.url)
			if err == nil && (resolved.Pending == nil || resolved.Pending.Digest != second) {
				err = errors.New("the change is missing in the result")
			}
			return err
		})
		each(func() error {
			_, err := h.ApproveDocument(t.Context(), admin, h.url, second, application.Options{})
			return err
		})
		assert.Equal(t, []domain.Action{domain.ActionApproveDocument, domain.ActionDocumentChanged, domain.ActionApproveDocument}, h.actions(t))
	})
}

// Replicas read a document at different times. What one of them read earlier than the last
// change or approval is no news, or they would undo each other's notes with every request.
func TestReplicasThatReadADocumentAtDifferentTimesNoteAChangeOnce(t *testing.T) {
	onDocumentHosts(t, func(t *testing.T, h *documentHost) {
		other := &documentHost{registry: h.replica(), url: h.url}
		h.approve(t, h.serve(t, nil))
		second := h.serve(t, map[string]any{"client_name": "Other"})
		h.clock.advance(-4 * time.Minute) // what the first replica read is still fresh
		for range 3 {
			assert.Equal(t, second, other.resolve(t).Pending.Digest)
			resolved := h.resolve(t)
			require.NotNil(t, resolved.Pending)
			assert.Equal(t, second, resolved.Pending.Digest)
			h.clock.advance(time.Second)
		}
		other.approve(t, second)
		for range 3 {
			resolved := h.resolve(t)
			assert.Nil(t, resolved.Pending, "the first document is the older one")
			assert.Equal(t, "Other", resolved.Client.Settings().Name)
			assert.Nil(t, other.resolve(t).Pending)
			h.clock.advance(time.Second)
		}
		assert.Equal(t, []domain.Action{domain.ActionApproveDocument, domain.ActionDocumentChanged, domain.ActionApproveDocument}, h.actions(t))
	})
}

// A document that was withdrawn is not noted again by a process that still has it, and what
// was fetched before it was noted, but is used later, does not hide newer documents.
func TestReplicasThatReadADocumentAtDifferentTimesNoteAWithdrawalOnce(t *testing.T) {
	onDocumentHosts(t, func(t *testing.T, h *documentHost) {
		other := &documentHost{registry: h.replica(), url: h.url}
		digest := h.serve(t, nil)
		h.approve(t, digest)
		h.serve(t, map[string]any{"client_name": "Other"})
		require.NotNil(t, other.resolve(t).Pending)
		h.serve(t, nil)
		h.clock.advance(-4 * time.Minute) // what the other replica read is still fresh
		for range 3 {
			assert.Nil(t, h.resolve(t).Pending)
			assert.Nil(t, other.resolve(t).Pending, "the other document is the older one")
			h.clock.advance(time.Second)
		}
		assert.Equal(t, []domain.Action{domain.ActionApproveDocument, domain.ActionDocumentChanged, domain.ActionDocumentChanged}, h.actions(t))
	})
}

// An older document that a process approves or notes is older also if it does so late.
func TestADocumentThatWasFetchedAfterAnApprovedOneIsNewer(t *testing.T) {
	onDocumentHosts(t, func(t *testing.T, h *documentHost) {
		other := &documentHost{registry: h.replica(), url: h.url}
		digest := h.serve(t, nil)
		h.resolve(t)
		second := h.serve(t, map[string]any{"client_name": "Other"})
		h.clock.advance(-4 * time.Minute) // what the first replica read is still fresh
		assert.Equal(t, "Other", other.resolve(t).Client.Settings().Name)
		h.clock.advance(time.Second)
		h.approve(t, digest)
		waiting := other.resolve(t)
		require.NotNil(t, waiting.Pending)
		assert.Equal(t, second, waiting.Pending.Digest)
		assert.Equal(t, second, h.resolve(t).Pending.Digest)
	})
}

// replica returns another process on the same store.
func (h *documentHost) replica() *registry {
	r := *h.registry
	r.with(func(c *application.Config) {
		c.Registrations.Documents = jwks.NewResolver(jwks.Options{Policy: domain.Policy{Loopback: true}, Now: h.clock.Now})
	})
	return &r
}

// What an authorization server does not support is left out of a document, and is no change.
func TestAPendingDocumentIsReadForTheServer(t *testing.T) {
	onDocumentHosts(t, func(t *testing.T, h *documentHost) {
		h.with(func(c *application.Config) {
			c.Servers = oneServer{domain.NewServerMetadata(map[string][]string{"grant_types_supported": {"authorization_code"}}, false)}
		})
		h.approve(t, h.serve(t, nil))
		h.serve(t, map[string]any{"grant_types": []string{"authorization_code", "refresh_token"}, "client_name": "Other"})
		resolved := h.resolve(t)
		require.NotNil(t, resolved.Pending)
		assert.Equal(t, []string{"client_name"}, resolved.Pending.Changed)
		require.Len(t, resolved.Review.Differences, 1)
		assert.Equal(t, domain.FieldName, resolved.Review.Differences[0].Field)
	})
}

// oneServer is the authorization server of every tenant.
type oneServer struct{ metadata domain.ServerMetadata }

func (s oneServer) Server(context.Context, domain.TenantID) domain.ServerMetadata { return s.metadata }
