package main_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A request's line is in the access log before the client has the response. SIGKILL
// leaves the process no time to write buffered lines.
func TestAKilledProcessLosesNoAccessLogLines(t *testing.T) {
	data := t.TempDir()
	for i := range 10 {
		p := start(t, "--dev", "--data", data)
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.URL+"/admin/oauth/clients", http.NoBody)
		require.NoError(t, err)
		id := fmt.Sprintf("killed-%d", i)
		r.Header.Set("X-Request-Id", id)
		r.Header.Set("Authorization", "Bearer "+adminToken(t, data))
		response, err := http.DefaultClient.Do(r)
		p.Kill()
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.Equal(t, http.StatusOK, response.StatusCode)
		assert.Contains(t, p.Log.String(), `"msg":"request","request_id":"`+id+`"`)
	}
}
