package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"testing"

	"github.com/clientele-oauth/clientele/api/client"
	"github.com/clientele-oauth/clientele/cmd/servicetest"
)

// The service that examples and tests use, and an administrator token.
var serviceURL, token string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "clientele")
	if err != nil {
		log.Print(err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	binary, err := servicetest.Build(context.Background(), dir)
	if err != nil {
		log.Print(err)
		return 1
	}
	service, err := servicetest.Start(context.Background(), binary, servicetest.Options{}, "--dev", "--data", dir)
	if err != nil {
		log.Print(err)
		return 1
	}
	defer service.Kill()
	serviceURL = service.URL
	if token, err = servicetest.Token(dir); err != nil {
		log.Print(err)
		return 1
	}
	return m.Run()
}

// Read a client, and update it only if it is still at the revision that was read.
func Example() {
	ctx := context.Background()
	registry, err := client.Connect(serviceURL, client.Settings{Token: client.StaticToken(token)})
	if err != nil {
		log.Fatal(err)
	}
	created, err := registry.CreateClientWithResponse(ctx, nil, client.CreateClientRequest{
		Name: new("My App"), RedirectUris: &[]string{"https://app.example.com/callback"},
	})
	if err != nil {
		log.Fatal(err)
	}
	id, revision := *created.JSON201.Data.ClientID, created.HTTPResponse.Header.Get("ETag")

	updated, err := registry.UpdateClientWithResponse(ctx, id, &client.UpdateClientParams{IfMatch: &revision}, client.UpdateClientRequest{
		LogoURL: new("https://app.example.com/logo.png"),
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(*updated.JSON200.Data.LogoURL, updated.HTTPResponse.Header.Get("ETag"))
	// Output: https://app.example.com/logo.png "2"
}

// A rejected request is an error that lists all violations.
func ExampleProblemError() {
	registry, err := client.Connect(serviceURL, client.Settings{Token: client.StaticToken(token)})
	if err != nil {
		log.Fatal(err)
	}
	_, err = registry.CreateClientWithResponse(context.Background(), nil, client.CreateClientRequest{
		Name: new("My App"), RedirectUris: &[]string{"https://app.example.com/callback#top"}, GrantTypes: &[]string{"authorization_code", "magic"},
	})
	if problem, ok := errors.AsType[*client.ProblemError](err); ok {
		for _, v := range problem.Violations {
			fmt.Println(*v.Field, *v.Rule)
		}
	}
	// Output:
	// /redirect_uris/0 redirect-uri-fragment
	// /grant_types/1 grant-type-unknown
}

// Page through all clients.
func Example_walk() {
	ctx := context.Background()
	registry, err := client.Connect(serviceURL, client.Settings{Token: client.StaticToken(token)})
	if err != nil {
		log.Fatal(err)
	}
	for i := range 3 {
		if _, err := registry.CreateClientWithResponse(ctx, nil, client.CreateClientRequest{
			ClientID: new(fmt.Sprintf("walk-%d", i)), Name: new("Walker"), GrantTypes: &[]string{"client_credentials"},
		}); err != nil {
			log.Fatal(err)
		}
	}
	params := client.ListClientsParams{Name: new("Walker"), Limit: new(int32(2))}
	for {
		page, err := registry.ListClientsWithResponse(ctx, &params)
		if err != nil {
			log.Fatal(err)
		}
		for _, item := range *page.JSON200.Items {
			fmt.Println(*item.ClientID)
		}
		if params.After = page.JSON200.Next; params.After == nil {
			return
		}
	}
	// Output:
	// walk-0
	// walk-1
	// walk-2
}

// Read all clients in one response, and then follow the changes.
func ExampleClientWithResponses_Snapshot() {
	ctx := context.Background()
	registry, err := client.Connect(serviceURL, client.Settings{Token: client.StaticToken(token)})
	if err != nil {
		log.Fatal(err)
	}
	snapshot, err := registry.Snapshot(ctx, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = snapshot.Close() }()
	revisions := map[string]int64{} // a copy of the tenant
	for {
		line, err := snapshot.Next()
		if errors.Is(err, io.EOF) {
			break // complete
		}
		var item client.OAuthClientItem
		if err == nil {
			err = json.Unmarshal(line, &item)
		}
		if err != nil {
			log.Print(err) // begin again
			return
		}
		revisions[*item.ClientID] = *item.Revision
	}
	changes, err := registry.ListChangesWithResponse(ctx, &client.ListChangesParams{After: &snapshot.ChangesCursor})
	if err != nil {
		log.Print(err)
		return
	}
	for _, change := range *changes.JSON200.Data.Changes {
		if *change.Revision > revisions[*change.ClientID] { // otherwise the copy is newer
			revisions[*change.ClientID] = *change.Revision
		}
	}
	fmt.Println("changes since the snapshot:", len(*changes.JSON200.Data.Changes))
	// Output:
	// changes since the snapshot: 0
}
