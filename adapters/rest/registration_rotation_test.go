package rest_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/application"
)

// Sequences of requests with the registration access tokens of a client with
// rotate_on_update. The steps are:
//
//	PUT O name  an update with the token O that names the client; a token that it returns is
//	            the next one of N, M
//	GET O       a read with the token O; so does DELETE, with an ETag that does not match
//	wait 11m    time that passes
//
// Each step but the last must succeed; the last has the status.
func TestSequencesOfRotatedTokens(t *testing.T) {
	const firstUpdate, repeated = "PUT O b", "PUT O b, PUT O b"
	sequences := []struct {
		steps  string
		status int
	}{
		{firstUpdate + ", GET O", 200},
		{firstUpdate + ", GET N, GET O", 401},
		{firstUpdate + ", wait 11m, GET O", 401},
		{firstUpdate + ", wait 11m, GET N", 200},

		{repeated + ", wait 99h, GET O", 200},
		{repeated + ", wait 99h, GET N", 200},
		{repeated + ", PUT O b, PUT O b, wait 99h, GET N", 200},
		{repeated + ", PUT O b, wait 99h, GET O", 200},
		{repeated + ", GET N, wait 11m, GET N", 200},
		{repeated + ", GET N, GET O", 401},
		{repeated + ", PUT N b, GET O", 401},
		{repeated + ", PUT N c, GET O", 401},
		{repeated + ", PUT N c, GET N", 200},
		{repeated + ", PUT N c, wait 11m, GET M", 200},
		{repeated + ", DELETE N, GET O", 401},
		{repeated + ", DELETE N, wait 11m, GET N", 200},
		{repeated + ", GET O, GET N", 401},
		{repeated + ", GET O, wait 11m, GET O", 200},
		{repeated + ", DELETE O, GET N", 200},
		{repeated + ", PUT O c, GET N", 401}, // another update: the client has O
		{repeated + ", PUT O c, GET M, GET O", 401},

		{"PUT O b, PUT O c, wait 99h, GET N", 200},
		{"PUT O b, PUT O c, wait 99h, GET O", 200},
		{"PUT O b, wait 11m, PUT O b", 401},
	}
	onClock(t, onlyTenant(`rotate_on_update: true`), func(t *testing.T, s service, clock *documentClock, _ func() *application.Registry) {
		for _, tt := range sequences {
			t.Run(tt.steps, func(t *testing.T) { assertSequence(t, s, clock, strings.Split(tt.steps, ", "), tt.status) })
		}
	})
}

// assertSequence registers a client and sends the requests.
func assertSequence(t *testing.T, s service, clock *documentClock, steps []string, status int) {
	t.Helper()
	c := s.registered(t, publicClient)
	tokens := map[string]string{"O": c.token}
	for i, step := range steps {
		words := strings.Fields(step)
		if words[0] == "wait" {
			by, err := time.ParseDuration(words[1])
			require.NoError(t, err)
			clock.advance(by)
			continue
		}
		request, want := call{method: words[0], path: c.path, token: tokens[words[1]]}, http.StatusOK
		switch words[0] {
		case "PUT":
			request.body = fmt.Sprintf(`{"client_id":%q,"redirect_uris":["https://app.example.com/cb"],"client_name":%q}`, c.id, words[2])
		case "DELETE":
			request.header, want = http.Header{"If-Match": {`"99"`}}, http.StatusPreconditionFailed
		}
		if i == len(steps)-1 {
			want = status
		}
		a := s.do(t, request)
		require.Equal(t, want, a.status, "%s: %s", step, a.text)
		if next, _ := a.body["registration_access_token"].(string); next != "" && next != request.token {
			name := "N"
			if tokens[name] != "" {
				name = "M"
			}
			assert.Empty(t, tokens[name])
			tokens[name] = next
		}
	}
}
