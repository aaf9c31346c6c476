package adminapi_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/internal/adminapi"
)

func TestClientsFollowNoRedirect(t *testing.T) {
	server := httptest.NewServer(http.RedirectHandler("/elsewhere", http.StatusTemporaryRedirect))
	defer server.Close()
	response, err := adminapi.NewClient(0, 1).Get(server.URL)
	require.NoError(t, err)
	defer response.Body.Close()
	assert.Equal(t, http.StatusTemporaryRedirect, response.StatusCode)
	assert.Equal(t, adminapi.DefaultTimeout, adminapi.NewClient(0, 1).Timeout)
	assert.Equal(t, time.Minute, adminapi.NewClient(time.Minute, 1).Timeout)
}

func TestResponsesAreBounded(t *testing.T) {
	text, err := adminapi.Read(strings.NewReader("12345"), 5)
	require.NoError(t, err)
	assert.Equal(t, "12345", string(text))
	_, err = adminapi.Read(strings.NewReader("123456"), 5)
	require.EqualError(t, err, "the response is larger than 5 bytes")
}

func TestRefusals(t *testing.T) {
	for _, status := range []int{400, 409, 413, 422} {
		assert.True(t, adminapi.IsRefusal(status), status)
	}
	for _, status := range []int{200, 307, 401, 403, 404, 408, 429, 500, 502, 503} {
		assert.False(t, adminapi.IsRefusal(status), status)
	}
}
