package secrethash

import (
	"context"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

var now = time.Date(2026, 4, 15, 10, 30, 0, 0, time.UTC)

func bcryptOf(t *testing.T, value string) string {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(value), bcrypt.MinCost)
	require.NoError(t, err)
	return string(hash)
}

// held returns hashes whose computations wait until release is closed.
func held(n int) (h *Hashes, computations *atomic.Int64, release chan struct{}) {
	h, computations, release = New(n), &atomic.Int64{}, make(chan struct{})
	h.compute = func(_, value string) bool {
		computations.Add(1)
		<-release
		return value == "right"
	}
	return h, computations, release
}

// verifyAsync verifies in a goroutine of its own. The result is what the call returned.
func verifyAsync(ctx context.Context, h *Hashes, client domain.ClientID, value string) <-chan error {
	result := make(chan error, 1)
	go func() {
		_, err := h.Verify(ctx, "t", client, "hash", value)
		result <- err
	}()
	return result
}

func TestEqualVerificationsShareOneComputation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, computations, release := held(1)
		var group sync.WaitGroup
		for range 100 {
			group.Go(func() {
				valid, err := h.Verify(t.Context(), "t", "c", "hash", "right")
				assert.True(t, valid && err == nil, "%v", err)
			})
		}
		synctest.Wait()
		close(release)
		group.Wait()
		assert.EqualValues(t, 1, computations.Load())
		other, err := h.Verify(t.Context(), "other", "c", "hash", "right")
		require.NoError(t, err)
		assert.True(t, other)
		assert.EqualValues(t, 2, computations.Load())
	})
}

func TestOneClientHasALimitOfVerifications(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, computations, release := held(maxPerClient + 1)
		var results []<-chan error
		for i := range maxPerClient {
			results = append(results, verifyAsync(t.Context(), h, "c", strconv.Itoa(i)))
		}
		synctest.Wait()
		_, err := h.Verify(t.Context(), "t", "c", "hash", "one more")
		require.ErrorIs(t, err, application.ErrTooManyRequests)
		another := verifyAsync(t.Context(), h, "another", "x")
		synctest.Wait()
		assert.EqualValues(t, maxPerClient+1, computations.Load(), "other clients are not affected")
		close(release)
		for _, result := range append(results, another) {
			require.NoError(t, <-result)
		}
		_, err = h.Verify(t.Context(), "t", "c", "hash", "later")
		require.NoError(t, err)
		assert.Empty(t, h.clients)
		assert.Zero(t, h.waiting)
	})
}

func TestVerificationsWaitAMomentForTheirTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, computations, release := held(1)
		first := verifyAsync(t.Context(), h, "a", "x")
		synctest.Wait()
		second := verifyAsync(t.Context(), h, "b", "x")
		synctest.Wait()
		assert.EqualValues(t, 1, computations.Load(), "one at a time")
		require.ErrorIs(t, <-second, application.ErrTooManyVerifications, "the clock of the bubble advanced by a second")
		require.ErrorIs(t, application.ErrTooManyVerifications, application.ErrUnavailable)

		ended, cancel := context.WithCancel(t.Context())
		third := verifyAsync(ended, h, "c", "x")
		synctest.Wait()
		cancel()
		require.ErrorIs(t, <-third, application.ErrUnavailable)

		fourth := verifyAsync(t.Context(), h, "d", "x")
		synctest.Wait()
		close(release)
		require.NoError(t, <-first)
		require.NoError(t, <-fourth, "it had its turn in time")
		synctest.Wait()
		assert.Empty(t, h.clients)
	})
}

func TestOnlySoManyVerificationsWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _, release := held(1)
		var results []<-chan error
		for i := range maxWaiting + 1 {
			results = append(results, verifyAsync(t.Context(), h, domain.ClientID(strconv.Itoa(i)), "x"))
			synctest.Wait()
		}
		_, err := h.Verify(t.Context(), "t", "one more", "hash", "x")
		require.ErrorIs(t, err, application.ErrTooManyVerifications)
		close(release)
		for _, result := range results {
			require.NoError(t, <-result)
		}
	})
}

func TestAtLeastOneVerificationRuns(t *testing.T) {
	hash := bcryptOf(t, "value")
	valid, err := New(0).Verify(t.Context(), "t", "c", hash, "value")
	require.NoError(t, err)
	assert.True(t, valid)
}
