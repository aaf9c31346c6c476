package main_test

import (
	"bufio"
	"bytes"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/api/client"
)

// secretEndsOf returns how often the history of a client has the end of a secret.
func secretEndsOf(t *testing.T, c *client.ClientWithResponses, id string) (ends int) {
	t.Helper()
	log, err := c.ListRevisionsWithResponse(t.Context(), id, nil)
	require.NoError(t, err)
	require.NotNil(t, log.JSON200)
	for _, revision := range *log.JSON200.Data.Revisions {
		if *revision.Action == "expire_secret" {
			ends++
			assert.Equal(t, "clientele serve", *revision.Actor.Subject)
		}
	}
	return ends
}

// rotateFor rotates the secret of a client and returns when the old one ends at the latest.
func rotateFor(t *testing.T, c *client.ClientWithResponses, id string, seconds int32) (end time.Time) {
	t.Helper()
	rotated, err := c.RotateSecretWithResponse(t.Context(), id, nil, client.RotateSecretRequest{GraceSeconds: &seconds})
	require.NoError(t, err)
	require.NotNil(t, rotated.JSON200, string(rotated.Body))
	return time.Now().Add(time.Duration(seconds) * time.Second)
}

// On PostgreSQL two replicas record the ends, and a reader at one of them waits.
func TestTheEndOfASecretReachesReadersWithinASecond(t *testing.T) {
	onBothStores(t, func(t *testing.T, data string, flags ...string) {
		flags = append(flags, "--dev", "--data", data, "--admin-listen", "127.0.0.1:0")
		replicas := []*program{start(t, flags...)}
		if len(flags) > 5 {
			replicas = append(replicas, start(t, flags...))
		}
		admin := replicas[len(replicas)-1].as(t, adminToken(t, data))
		id := create(t, replicas[0].as(t, adminToken(t, data)))
		end := rotateFor(t, admin, id, 1)
		params := &client.ListChangesParams{
			Actions: &client.Actions{string(client.ListChangesParamsActionsExpireSecret)}, WaitSeconds: new(int32(30)),
		}
		var changes []client.Change
		for len(changes) == 0 {
			found, err := admin.ListChangesWithResponse(t.Context(), params)
			require.NoError(t, err)
			require.NotNil(t, found.JSON200, string(found.Body))
			changes, params.After = *found.JSON200.Data.Changes, found.JSON200.Data.Next
		}
		assert.Less(t, time.Since(end), 3*time.Second, "usually less than one, but the machine may be busy")
		require.Len(t, changes, 1)
		assert.Equal(t, id, *changes[0].ClientID)
		assert.EqualValues(t, 3, *changes[0].Revision)
		at, err := time.Parse(time.RFC3339, *changes[0].At)
		require.NoError(t, err)
		assert.False(t, at.Before(end.Add(-2*time.Second).Truncate(time.Second)))
		assert.Equal(t, 1, secretEndsOf(t, admin, id))

		recorded := 0
		for _, p := range replicas {
			_, text := read(t, p.Operators+"/metrics")
			assert.Contains(t, text, "clientele_secret_ends_age_seconds 0.")
			assert.Contains(t, text, "clientele_secret_ends_failed_total 0")
			recorded += strings.Count(text, "clientele_secret_ends_total 1\n")
		}
		assert.Equal(t, 1, recorded, "one replica recorded it")
	})
}

// The end of a secret that passes while no service runs is recorded when one starts.
func TestTheEndOfASecretIsRecordedAfterAStart(t *testing.T) {
	onBothStores(t, func(t *testing.T, data string, flags ...string) {
		flags = append(flags, "--dev", "--data", data)
		p := start(t, flags...)
		admin := p.as(t, adminToken(t, data))
		id := create(t, admin)
		end := rotateFor(t, admin, id, 1)
		p.Kill()
		require.Eventually(t, func() bool { return time.Now().After(end) }, 10*time.Second, 10*time.Millisecond)
		admin = start(t, flags...).as(t, adminToken(t, data))
		require.Eventually(t, func() bool { return secretEndsOf(t, admin, id) == 1 }, 20*time.Second, 20*time.Millisecond)
	})
}

// Readers of a tenant and of all tenants are told that the registry was restored from a
// backup, although other changes then take the positions of those that they have read.
func TestARestoredBackupRejectsCursorsOfBothFeeds(t *testing.T) {
	data := t.TempDir()
	start(t, "--dev", "--data", data).Kill() // makes the signing key; with --dev there is no platform role
	flags := []string{
		"--data", data, "--issuer", "clientele-dev", "--issuer-keys", filepath.Join(data, "signing-key.json"), "--platform-role", "root",
	}
	p := start(t, flags...)
	admin := p.as(t, adminToken(t, data))
	all := client.GetSnapshotParamsTenantsAll
	everything := client.ListChangesParamsTenantsAll
	cursors := func(p *program) (ofTenant, ofAll string) {
		t.Helper()
		root := p.as(t, token(t, data, "--role", "root", "--tenant", ""))
		snapshot, err := root.GetSnapshotWithResponse(t.Context(), &client.GetSnapshotParams{Tenants: &all})
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, snapshot.StatusCode(), string(snapshot.Body))
		first, err := bufio.NewReader(bytes.NewReader(snapshot.Body)).ReadString('\n')
		require.NoError(t, err)
		list, err := p.as(t, adminToken(t, data)).ListClientsWithResponse(t.Context(), nil)
		require.NoError(t, err)
		return *list.JSON200.ChangesCursor, strings.Split(first, `"`)[3]
	}
	read := func(p *program, ofTenant, ofAll string) [2]int {
		t.Helper()
		root := p.as(t, token(t, data, "--role", "root", "--tenant", ""))
		one, err := p.as(t, adminToken(t, data)).ListChangesWithResponse(t.Context(), &client.ListChangesParams{After: &ofTenant})
		require.NoError(t, err)
		both, err := root.ListChangesWithResponse(t.Context(), &client.ListChangesParams{After: &ofAll, Tenants: &everything})
		require.NoError(t, err)
		for _, response := range []*client.SimpleResponse{one.JSON400, both.JSON400} {
			if response != nil {
				assert.Equal(t, "?after", *(*response.Violations)[0].Field)
			}
		}
		return [2]int{one.StatusCode(), both.StatusCode()}
	}
	create(t, admin)
	commonTenant, commonAll := cursors(p)
	backup := filepath.Join(data, "backup.db")
	require.Equal(t, 0, runCommand(t, "backup", "--data", data, backup).status)
	for range 3 {
		create(t, admin)
	}
	lostTenant, lostAll := cursors(p)
	assert.Equal(t, [2]int{200, 200}, read(p, lostTenant, lostAll))
	p.Kill()
	require.Equal(t, 0, runCommand(t, "restore-backup", "--data", data, "--force", backup).status)
	p = start(t, flags...)
	for range 5 {
		assert.Equal(t, [2]int{400, 400}, read(p, lostTenant, lostAll))
		assert.Equal(t, [2]int{200, 200}, read(p, commonTenant, commonAll))
		create(t, p.as(t, adminToken(t, data)))
	}
}
