//go:build acceptance

package acceptance_test

import (
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
)

// A server that has no file yet reads all clients before it can serve the last one. The
// time is printed, and not limited, because it depends on the machine.
func TestTenThousandClientsFromCold(t *testing.T) {
	const clients = 10_000
	o := newOrigin(t)
	o.fill(t, clients)
	last := relyingParty{id: fmt.Sprintf("app-%05d", clients-1), method: methodNone, redirectURI: callback, scope: "openid"}
	for _, server := range []authorizationServer{oidcProviderServer(), zitadelServer(), fositeServer()} {
		t.Run(server.name, func(t *testing.T) {
			listen := freeAddress(t)
			deployed := server.deploy(t, deployment{o, listen, "http://" + listen, t.TempDir()})
			deployed.server.killAfter(t)
			began := time.Now()
			deployed.server.start(t)
			c := &conformance{server: server, origin: o, running: deployed, endpoints: discover(t, deployed.issuer)}
			look := c.logIn(last, enforced)
			took := c.await(t, "the last of 10,000 clients", began, time.Minute, look)
			t.Logf("%s serves the last of %d clients %d ms after its start", server.name, clients, took.Milliseconds())
			measured.add(server.name, map[string]string{"start with 10,000 clients": strconv.FormatInt(took.Milliseconds(), 10)})
		})
	}
}

// fill creates public clients app-00000, app-00001, …
func (o *origin) fill(t *testing.T, clients int) {
	t.Helper()
	const callers = 16
	group, ctx := errgroup.WithContext(t.Context())
	for caller := range callers {
		group.Go(func() error {
			for n := caller; n < clients; n += callers {
				status, response, err := o.send(ctx, http.MethodPost, "", map[string]any{
					"client_id": fmt.Sprintf("app-%05d", n), "name": fmt.Sprintf("App %d", n), "is_confidential": false,
					"client_auth_methods": []string{methodNone}, "redirect_uris": []string{callback, fmt.Sprintf("https://app-%d.example.com/callback", n)},
					"scopes": []string{"openid", "profile"},
				})
				if err != nil {
					return err
				}
				if status != http.StatusCreated {
					return fmt.Errorf("%d: %s", status, response)
				}
			}
			return nil
		})
	}
	require.NoError(t, group.Wait())
}
