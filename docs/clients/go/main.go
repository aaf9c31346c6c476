// Command go registers clients, updates one, reads why an update is rejected, and
// pages through the list.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"

	"github.com/clientele-oauth/clientele/api/client"
)

func main() {
	ctx := context.Background()
	api, err := client.Connect(os.Getenv("CLIENTELE_URL"), client.Settings{Token: client.StaticToken(os.Getenv("CLIENTELE_TOKEN"))})
	check(err)

	created, err := api.CreateClientWithResponse(ctx, nil, client.CreateClientRequest{
		ClientID: new("urn:example:a/../b app+1@example.com"), Name: new("Go"), RedirectUris: &[]string{"https://app.example.com/callback"},
	})
	check(err)
	clientID, revision := *created.JSON201.Data.ClientID, created.HTTPResponse.Header.Get("ETag")
	fmt.Println("created", revision)

	updated, err := api.UpdateClientWithResponse(ctx, clientID, &client.UpdateClientParams{IfMatch: &revision},
		client.UpdateClientRequest{
			LogoURL: new("https://app.example.com/logo.png"), ResponseTypes: &[]string{"code"},
			AccessTokenLifetime: new(int32(900)), Labels: &map[string]string{"example.com/tier": "gold"},
		})
	check(err)
	data := updated.JSON200.Data
	fmt.Println("updated", updated.HTTPResponse.Header.Get("ETag"), *data.LogoURL)
	fmt.Println("record", *data.ResponseTypes, *data.AccessTokenLifetime, (*data.Labels)["example.com/tier"])

	_, err = api.UpdateClientWithResponse(ctx, clientID, nil, client.UpdateClientRequest{
		RedirectUris: &[]string{"https://app.example.com/callback#top"}, GrantTypes: &[]string{"authorization_code", "magic"},
	})
	if rejected, ok := errors.AsType[*client.ProblemError](err); ok {
		for _, violation := range rejected.Violations {
			fmt.Println("rejected", *violation.Field, *violation.Rule)
		}
	}

	for n := range 4 {
		_, err := api.CreateClientWithResponse(ctx, nil, client.CreateClientRequest{
			Name: new(fmt.Sprintf("Listed %d", n)), GrantTypes: &[]string{"client_credentials"},
		})
		check(err)
	}
	listed := 0
	params := client.ListClientsParams{Name: new("listed"), Limit: new(int32(3))}
	for next := true; next; next = params.After != nil {
		page, err := api.ListClientsWithResponse(ctx, &params)
		check(err)
		listed += len(*page.JSON200.Items)
		params.After = page.JSON200.Next
	}
	fmt.Println("listed", listed)
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
