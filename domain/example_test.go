package domain_test

import (
	"fmt"
	"time"

	"github.com/clientele-oauth/clientele/domain"
)

// Validate the configuration of a new client.
func ExampleRulebook_Register() {
	book, err := domain.NewRulebook(domain.Policy{})
	if err != nil {
		panic(err)
	}
	draft := book.Register(domain.Identity{TenantID: "acme", ClientID: "shop"}, domain.ChangeOf(domain.Settings{
		Name:         "Shop",
		RedirectURIs: []domain.RedirectURI{"https://shop.example/callback#done", "http://shop.example/callback"},
		GrantTypes:   []domain.GrantType{domain.GrantAuthorizationCode, domain.GrantPassword},
	}))
	outcome := draft.Decide(domain.Facts{}, time.Date(2026, 4, 15, 10, 30, 0, 0, time.UTC))
	for _, finding := range outcome.Findings.Violations() {
		fmt.Println(finding.Rule, finding.Pointer)
	}
	// Output:
	// redirect-uri-fragment /redirect_uris/0
	// redirect-uri-http /redirect_uris/1
	// grant-password /grant_types/1
}

// A violation that existed before a change does not reject an unrelated change.
func ExampleRulebook_Revise() {
	book, err := domain.NewRulebook(domain.Policy{})
	if err != nil {
		panic(err)
	}
	client := domain.Restore(domain.State{ // as read from a store
		Identity: domain.Identity{TenantID: "acme", ClientID: "shop"},
		Revision: 1,
		Settings: domain.Settings{
			Name: "Shop", Status: domain.StatusActive, Confidential: true,
			AuthMethods:  []domain.AuthMethod{domain.AuthSecretBasic},
			RedirectURIs: []domain.RedirectURI{"https://*.shop.example/callback"},
			GrantTypes:   []domain.GrantType{domain.GrantAuthorizationCode},
		},
	})
	draft, err := book.Revise(client, domain.ChangeOf(domain.Settings{Name: "New Shop"}))
	if err != nil {
		panic(err)
	}
	outcome := draft.Decide(domain.Facts{}, time.Date(2026, 4, 15, 10, 30, 0, 0, time.UTC))
	fmt.Println("revision:", outcome.Client.Revision())
	for _, warning := range outcome.Findings.Warnings() {
		fmt.Println(warning.Rule, warning.Level, warning.Preexisting)
	}
	// Output:
	// revision: 2
	// redirect-uri-wildcard warning true
}
