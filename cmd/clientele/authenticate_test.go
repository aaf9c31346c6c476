package main_test

import (
	"encoding/base64"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/api/client"
)

// An authorization server whose only busy client requests 400 tokens at 200 a second,
// 16 at a time, is not limited by the default flags. Wrong secrets of the client are.
func TestABusyClientIsNotLimitedAndWrongSecretsAre(t *testing.T) {
	onBothStores(t, func(t *testing.T, data string, flags ...string) {
		p := start(t, append(flags, "--dev", "--data", data)...)
		created, err := p.as(t, adminToken(t, data)).CreateClientWithResponse(t.Context(), nil, client.CreateClientRequest{
			ClientID: new("busy"), Name: new("Busy"), GrantTypes: &[]string{"client_credentials"},
		})
		require.NoError(t, err)
		require.Equal(t, http.StatusCreated, created.StatusCode(), string(created.Body))
		server := p.as(t, token(t, data, "--role", "", "--scope", "clients:verify"))
		authenticate := func(secret string) *client.AuthenticateClientResult {
			header := "Basic " + base64.StdEncoding.EncodeToString([]byte("busy:"+secret))
			got, err := server.AuthenticateClientWithResponse(t.Context(), nil, client.AuthenticateClientRequest{Authorization: &header})
			if !assert.NoError(t, err) {
				return &client.AuthenticateClientResult{HTTPResponse: &http.Response{}}
			}
			return got
		}
		const requests, perSecond, callers = 400, 200, 16
		secret := *created.JSON201.Data.ClientSecret
		due := make(chan struct{}, requests)
		var group sync.WaitGroup
		for range callers {
			group.Go(func() {
				for range due {
					got := authenticate(secret)
					if assert.Equal(t, http.StatusOK, got.StatusCode(), string(got.Body)) {
						assert.Equal(t, "client_secret_basic", *got.JSON200.Data.Method)
					}
				}
			})
		}
		began, ticker := time.Now(), time.NewTicker(time.Second/perSecond)
		defer ticker.Stop()
		for range requests {
			<-ticker.C
			due <- struct{}{}
		}
		close(due)
		group.Wait()
		t.Logf("%d authentications in %v", requests, time.Since(began).Round(time.Millisecond))

		limited := 0
		for range 70 {
			switch got := authenticate("wrong"); got.StatusCode() {
			case http.StatusUnauthorized:
				assert.Equal(t, "secret_invalid", *got.JSON401.Reason)
				assert.Equal(t, "invalid_client", *got.JSON401.Error)
			case http.StatusTooManyRequests:
				limited++
				assert.Equal(t, got.HTTPResponse.Header.Get("Retry-After"), strconv.Itoa(int(*got.JSON429.RetryAfter)))
			default:
				t.Errorf("status %d: %s", got.StatusCode(), got.Body)
			}
		}
		assert.Positive(t, limited)
		assert.Equal(t, http.StatusOK, authenticate(secret).StatusCode(), "the right secret is not locked out")
	})
}
