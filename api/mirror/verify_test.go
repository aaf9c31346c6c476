package mirror_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/api/client"
	"github.com/clientele-oauth/clientele/api/mirror"
)

// rotate rotates the secret of a client without a grace period.
func (r *registry) rotate(id string, grace int32) string {
	r.t.Helper()
	rotated, err := r.admin.RotateSecretWithResponse(context.Background(), id, nil,
		client.RotateSecretRequest{GraceSeconds: &grace})
	require.NoError(r.t, err)
	return *rotated.JSON200.Data.NewSecret
}

func verified(t testing.TB, m *mirror.Mirror, id, value string) mirror.Verification {
	t.Helper()
	v, err := m.VerifySecret(t.Context(), id, value)
	require.NoError(t, err)
	return v
}

func rejected(t testing.TB, m *mirror.Mirror, id, value string) {
	t.Helper()
	_, err := m.VerifySecret(t.Context(), id, value)
	require.ErrorIs(t, err, mirror.ErrWrongSecret)
	require.NotErrorIs(t, err, mirror.ErrUnavailable)
}

func TestVerifySecret(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	secret := r.register("app", nil)
	p := newProxy(t, r.url)
	var seen changes
	m := open(t, mirror.Config{Client: connect(t, p.URL, r.token()), OnChange: seen.add})
	v := verified(t, m, "app", secret)
	assert.False(t, v.Local)
	assert.NotEmpty(t, v.SecretID)
	again := verified(t, m, "app", secret)
	assert.True(t, again.Local)
	assert.Equal(t, v.SecretID, again.SecretID)
	assert.Equal(t, 1, p.seen("verify-secret"), "the second result was kept")
	for range 3 {
		rejected(t, m, "app", "wrong")
	}
	assert.Equal(t, 4, p.seen("verify-secret"), "negative results are never kept")
	for name, value := range map[string]string{"empty": "", "no UTF-8": secret + "\xff", "long": string(make([]byte, 5000))} {
		_, err := m.VerifySecret(t.Context(), "app", value)
		require.ErrorIs(t, err, mirror.ErrWrongSecret, name)
	}
	assert.Equal(t, 4, p.seen("verify-secret"), "values that cannot be right are not sent")
	rejected(t, m, "app", string(make([]byte, 600))) // the registry rejects it with 400
	_, err := m.VerifySecret(t.Context(), "nobody", secret)
	require.ErrorIs(t, err, mirror.ErrNotFound)

	// A rotation without grace ends the old secret, although its result was kept.
	rotated := r.rotate("app", 0)
	soon(t, func() bool {
		_, err := m.VerifySecret(t.Context(), "app", secret)
		return errors.Is(err, mirror.ErrWrongSecret)
	}, "rotated")
	verified(t, m, "app", rotated)
	r.update("app", client.UpdateClientRequest{Status: new("suspended")})
	requireNotFound(t, m, "app")
	_, err = m.VerifySecret(t.Context(), "app", rotated)
	require.ErrorIs(t, err, mirror.ErrNotFound)
}

func TestASecretInGraceIsNotKeptBeyondIt(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	old := r.register("app", nil)
	var clock shiftedClock
	m, err := tryOpenAt(t, mirror.Config{Client: connect(t, r.url, r.token())}, clock.now)
	require.NoError(t, err)
	r.rotate("app", 3)
	soon(t, func() bool { c, _ := m.Get("app"); return c.Revision == 2 }, "rotated")
	v := verified(t, m, "app", old)
	assert.WithinDuration(t, time.Now().Add(3*time.Second), v.ExpiresAt, 2*time.Second)
	assert.Equal(t, 1, m.Cached("app"))
	assert.True(t, verified(t, m, "app", old).Local)
	clock.shift(4 * time.Second) // only the mirror's clock: the registry still accepts the value
	assert.False(t, verified(t, m, "app", old).Local, "the result ended with the secret")
}

func TestVerificationInAnOutage(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	secret := r.register("app", nil)
	p := newProxy(t, r.url)
	m := open(t, mirror.Config{Client: connect(t, p.URL, r.token())})
	responses := map[string]http.HandlerFunc{
		"500":            func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) },
		"503":            func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) },
		"401":            func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) },
		"403":            func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) },
		"404 of a proxy": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) },
		"400 of a proxy": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadRequest) },
		"429": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
		},
		"no response":      func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"no JSON":          func(w http.ResponseWriter, _ *http.Request) { write(w, "<html>valid</html>") },
		"other JSON":       func(w http.ResponseWriter, _ *http.Request) { write(w, `{"data":{"secret_id":"s"}}`) },
		"valid is no bool": func(w http.ResponseWriter, _ *http.Request) { write(w, `{"data":{"valid":"true"}}`) },
		"endless": func(w http.ResponseWriter, _ *http.Request) {
			for {
				if _, err := w.Write(make([]byte, 1<<16)); err != nil {
					return
				}
			}
		},
	}
	for name, respond := range responses {
		p.set(only("verify-secret", respond))
		_, err := m.VerifySecret(t.Context(), "app", secret)
		require.ErrorIs(t, err, mirror.ErrUnavailable, name)
		require.NotErrorIs(t, err, mirror.ErrWrongSecret, name)
	}
	p.set(only("verify-secret", func(w http.ResponseWriter, _ *http.Request) {
		write(w, `{"data":{"valid":true,"secret_id":"s","max_age_seconds":99999999999}}`)
	}))
	assert.False(t, verified(t, m, "app", secret).Local)
	p.set(nil)
	r.kill()
	assert.True(t, verified(t, m, "app", secret).Local, "a result is used for as long as it may be kept")
	_, err := m.VerifySecret(t.Context(), "app", "wrong")
	require.ErrorIs(t, err, mirror.ErrUnavailable)
	require.NotErrorIs(t, err, mirror.ErrWrongSecret)
	c, err := m.Get("app")
	require.NoError(t, err)
	assert.Equal(t, "app", c.ID)
}

func write(w http.ResponseWriter, text string) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(text))
}

// only replaces the responses to requests whose path ends with the element.
func only(element string, respond http.HandlerFunc) func(http.ResponseWriter, *http.Request, http.Handler) {
	return func(w http.ResponseWriter, r *http.Request, through http.Handler) {
		if len(r.URL.Path) > len(element) && r.URL.Path[len(r.URL.Path)-len(element):] == element {
			respond(w, r)
			return
		}
		through.ServeHTTP(w, r)
	}
}

// gate holds requests back until it is opened.
type gate struct {
	entered, opened chan struct{}
}

func newGate() *gate { return &gate{make(chan struct{}, 100), make(chan struct{})} }

func (g *gate) delay(element string) func(http.ResponseWriter, *http.Request, http.Handler) {
	return func(w http.ResponseWriter, r *http.Request, through http.Handler) {
		through.ServeHTTP(&gated{w, g, r.URL.Path[len(r.URL.Path)-len(element):] == element}, r)
	}
}

// gated holds a response back that the registry has made.
type gated struct {
	http.ResponseWriter
	gate *gate
	on   bool
}

func (w *gated) WriteHeader(status int) {
	if w.on {
		w.gate.entered <- struct{}{}
		<-w.gate.opened
	}
	w.ResponseWriter.WriteHeader(status)
}

// A verification that the registry made before a change must not be kept after it.
func TestAResultFromBeforeAChangeIsNotKept(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	secret := r.register("app", nil)
	p := newProxy(t, r.url)
	m := open(t, mirror.Config{Client: connect(t, p.URL, r.token())})
	g := newGate()
	p.set(g.delay("verify-secret"))
	result := make(chan error, 1)
	go func() {
		_, err := m.VerifySecret(context.Background(), "app", secret)
		result <- err
	}()
	<-g.entered // the registry found the secret valid
	r.rotate("app", 0)
	soon(t, func() bool { c, _ := m.Get("app"); return c.Revision == 2 }, "rotated")
	close(g.opened)
	require.NoError(t, <-result, "it was valid when the verification began")
	assert.Zero(t, m.Cached("app"))
	rejected(t, m, "app", secret)
}

func TestConcurrentVerificationsOfAValueAreOne(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	secret := r.register("app", nil)
	p := newProxy(t, r.url)
	m := open(t, mirror.Config{Client: connect(t, p.URL, r.token())})
	g := newGate()
	p.set(g.delay("verify-secret"))
	patient := t.Context()
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() {
			if i%2 == 0 {
				_, err := m.VerifySecret(ctx, "app", secret)
				assert.ErrorIs(t, err, mirror.ErrUnavailable, "its context ended")
				return
			}
			_, err := m.VerifySecret(patient, "app", secret)
			assert.NoError(t, err)
		})
	}
	<-g.entered
	cancel() // half of the callers leave; the others still get the result
	close(g.opened)
	all.Wait()
	assert.LessOrEqual(t, p.seen("verify-secret"), 2, "callers that come after the first result may find it kept")
	assert.Equal(t, 1, m.Cached("app"))
}

func TestAVerificationEndsWithItsLastCaller(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	secret := r.register("app", nil)
	p := newProxy(t, r.url)
	m := open(t, mirror.Config{Client: connect(t, p.URL, r.token())})
	ended := make(chan struct{})
	p.set(only("verify-secret", func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // a server notices the end of a connection only then
		<-r.Context().Done()
		close(ended)
	}))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := m.VerifySecret(ctx, "app", secret)
	require.ErrorIs(t, err, mirror.ErrUnavailable)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	<-ended
}

func TestCloseEndsVerifications(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	secret := r.register("app", nil)
	p := newProxy(t, r.url)
	m := open(t, mirror.Config{Client: connect(t, p.URL, r.token())})
	entered := make(chan struct{})
	p.set(only("verify-secret", func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		close(entered)
		<-r.Context().Done()
	}))
	result := make(chan error)
	go func() {
		_, err := m.VerifySecret(context.Background(), "app", secret)
		result <- err
	}()
	<-entered
	require.NoError(t, m.Close())
	require.ErrorIs(t, <-result, mirror.ErrUnavailable)
	_, err := m.VerifySecret(t.Context(), "app", secret)
	require.ErrorIs(t, err, mirror.ErrUnavailable)
	_, err = m.Get("app")
	require.NoError(t, err, "the copy remains")
}

func TestTheCacheIsBounded(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	r.register("app", nil)
	p := newProxy(t, r.url)
	m := open(t, mirror.Config{Client: connect(t, p.URL, r.token())})
	p.set(only("verify-secret", func(w http.ResponseWriter, _ *http.Request) {
		write(w, `{"data":{"valid":true,"secret_id":"s","max_age_seconds":10}}`)
	}))
	for i := range 100 {
		verified(t, m, "app", "value"+string(rune('0'+i)))
	}
	assert.Equal(t, 8, m.Cached("app"))
}

func TestSecretsAreVerifiedLocally(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	old := r.register("app", nil)
	p := newProxy(t, r.url)
	m := open(t, mirror.Config{Client: connect(t, p.URL, r.token()), Verifiers: true})
	v := verified(t, m, "app", old)
	assert.True(t, v.Local)
	rejected(t, m, "app", "wrong")
	assert.Equal(t, 1, p.seen("verify-secret"), "only the wrong value was sent")
	assert.Zero(t, p.seen("secret-verifiers"), "the snapshot has the hashes")

	// An update of something else keeps them; a rotation reads them again.
	r.update("app", client.UpdateClientRequest{Name: new("Other")})
	soon(t, func() bool { c, _ := m.Get("app"); return c.Revision == 2 }, "updated")
	assert.True(t, verified(t, m, "app", old).Local)
	assert.Zero(t, p.seen("secret-verifiers"))
	current := r.rotate("app", 3600)
	soon(t, func() bool { return verified(t, m, "app", current).Local && p.seen("secret-verifiers") > 0 }, "rotated")
	// A kept result of the new secret is local before the new hashes were read.
	soon(t, func() bool { return verified(t, m, "app", old).Local }, "the old secret is in grace")
	created := r.register("new", nil)
	soon(t, func() bool {
		v, err := m.VerifySecret(t.Context(), "new", created)
		return err == nil && v.Local
	}, "a new client")

	r.kill()
	assert.True(t, verified(t, m, "app", old).Local, "without the registry")
	assert.True(t, verified(t, m, "app", current).Local)
	_, err := m.VerifySecret(t.Context(), "app", "wrong")
	require.ErrorIs(t, err, mirror.ErrUnavailable, "a value that no hash matches may be that of a new secret")

	r.start()
	v = verified(t, m, "app", old)
	require.True(t, v.Local)
	r.update("app", client.UpdateClientRequest{Status: new("suspended")})
	requireNotFound(t, m, "app")
	r.update("app", client.UpdateClientRequest{Status: new("active")})
	soon(t, func() bool {
		v, err := m.VerifySecret(t.Context(), "app", current)
		return err == nil && v.Local
	}, "active again")
}

func TestAHashEndsWithItsSecret(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	old := r.register("app", nil)
	r.rotate("app", 3600)
	var clock shiftedClock
	p := newProxy(t, r.url)
	m, err := tryOpenAt(t, mirror.Config{Client: connect(t, p.URL, r.token()), Verifiers: true}, clock.now)
	require.NoError(t, err)
	assert.True(t, verified(t, m, "app", old).Local)
	clock.shift(3601 * time.Second)
	p.set(only("verify-secret", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }))
	_, err = m.VerifySecret(t.Context(), "app", old)
	require.ErrorIs(t, err, mirror.ErrUnavailable, "the mirror no longer accepts it by itself")
}

func TestHashesThatFailAreReadAgain(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	r.register("app", nil)
	p := newProxy(t, r.url)
	m := open(t, mirror.Config{Client: connect(t, p.URL, r.token()), Verifiers: true})
	p.set(only("secret-verifiers", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }))
	current := r.rotate("app", 0)
	soon(t, func() bool { return m.Health().LastError != nil }, "the failure is reported")
	assert.False(t, verified(t, m, "app", current).Local, "the registry verifies it in the meantime")
	p.set(nil)
	soon(t, func() bool {
		e, err := m.VerifySecret(t.Context(), "app", current)
		return err == nil && e.Local && m.Health().LastError == nil
	}, "read again")
	assert.Zero(t, m.Cached("app"), "it is the hash that matched")
}
