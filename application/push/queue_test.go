package push

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/domain"
)

// taken takes the next client of the queue, which must have one.
func taken(t *testing.T, q *queue) job {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	j, ok := q.take(ctx)
	require.True(t, ok)
	return j
}

// isEmpty reports whether nothing can be taken now.
func isEmpty(q *queue) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.waiting) > 0 {
		q.wake(q.waiting[0])
	}
	return q.next() == nil
}

func soon(int) time.Duration { return time.Nanosecond }

func TestAClientThatChangesWhileItIsPushedIsPushedAgain(t *testing.T) {
	q := newQueue(2)
	first := q.open("s1", false)
	q.mark("a", first, time.Time{}, true)
	q.close(first)
	j := taken(t, q)
	assert.True(t, j.absent)
	second := q.open("s2", false)
	q.mark("a", second, time.Time{}, false)
	q.close(second)
	assert.True(t, isEmpty(q), "a client is not pushed twice at the same time")
	cursor, _ := q.reached()
	assert.Empty(t, cursor)
	q.done(j, false, 0, soon)
	cursor, _ = q.reached()
	assert.EqualValues(t, "s1", cursor, "the second change is not pushed yet")
	j = taken(t, q)
	assert.False(t, j.absent)
	q.done(j, false, 0, soon)
	cursor, _ = q.reached()
	assert.EqualValues(t, "s2", cursor)
	assert.True(t, isEmpty(q))
	assert.Empty(t, q.entries)
}

func TestClientsThatFailedLeaveRoomForOthers(t *testing.T) {
	q := newQueue(4)
	ids := []domain.ClientID{"a", "b", "c", "d"}
	for _, id := range ids {
		q.mark(id, nil, time.Time{}, false)
	}
	for range ids {
		q.done(taken(t, q), true, 0, soon)
	}
	one, two := taken(t, q), taken(t, q)
	assert.True(t, isEmpty(q), "two of four places are for others")
	q.mark("new", nil, time.Time{}, false)
	assert.Equal(t, domain.ClientID("new"), taken(t, q).id)
	q.done(one, false, 0, soon)
	three := taken(t, q)
	assert.NotEqual(t, one.id, three.id)
	assert.NotEqual(t, two.id, three.id)
}

func TestACheckpointWaitsForThoseBeforeIt(t *testing.T) {
	q := newQueue(2)
	first, second := q.open("s1", true), q.open("s2", false)
	q.mark("a", first, time.Time{}, false)
	q.mark("b", second, time.Time{}, false)
	q.close(second)
	a, b := taken(t, q), taken(t, q)
	q.done(b, false, 0, soon)
	cursor, reconciled := q.reached()
	assert.Empty(t, cursor)
	assert.False(t, reconciled)
	q.done(a, true, 0, func(int) time.Duration { return time.Hour })
	cursor, _ = q.reached()
	assert.Empty(t, cursor, "more clients may belong to it")
	q.close(first)
	cursor, reconciled = q.reached()
	assert.EqualValues(t, "s2", cursor, "a client that failed was tried")
	assert.True(t, reconciled)
	q.unreach(cursor, reconciled)
	again, reconciled := q.reached()
	assert.Equal(t, cursor, again)
	assert.True(t, reconciled)
}

func TestForgottenCursorsAreNotReached(t *testing.T) {
	q := newQueue(1)
	old := q.open("s1", false)
	q.mark("a", old, time.Time{}, false)
	q.close(old)
	q.forgetCursors()
	q.done(taken(t, q), false, 0, soon)
	cursor, _ := q.reached()
	assert.Empty(t, cursor)
}
