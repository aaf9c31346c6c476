package tokens_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/clientele-oauth/clientele/adapters/tokens"
)

// Sign a token with a development key, and verify it.
func ExampleVerifier_Verify() {
	folder, err := os.MkdirTemp("", "tokens")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(folder)
	issuer := tokens.SingleIssuer{
		Issuer:      "https://id.example.com",
		Keys:        filepath.Join(folder, "key.json"),
		Audience:    "clientele",
		Types:       []string{"at+jwt"},
		TenantClaim: "tenant_id",
		RoleClaim:   "realm_access.roles",
		AdminRole:   "admin",
	}
	signer, err := tokens.OpenOrCreateSigner(issuer.Keys, issuer)
	if err != nil {
		panic(err)
	}
	token, err := signer.Sign(tokens.Claims{Subject: "alice", Tenant: "acme", Scope: "clients:read", TTL: time.Minute}, time.Now())
	if err != nil {
		panic(err)
	}

	rules, err := issuer.Rules()
	if err != nil {
		panic(err)
	}
	issuers := tokens.NewIssuers([]tokens.IssuerRules{rules}, tokens.KeySettings{}, time.Now)
	verifier, err := tokens.NewVerifier(issuers, time.Now)
	if err != nil {
		panic(err)
	}
	caller, err := verifier.Verify(context.Background(), token)
	if err != nil {
		panic(err)
	}
	fmt.Println(caller.Subject, caller.Tenant, caller.Permissions)
	_, err = verifier.Verify(context.Background(), token+"A")
	fmt.Println(err)
	// Output:
	// alice acme [clients:read]
	// no valid access token: the signature is not valid
}

// All faults in an issuers file are reported, with their lines.
func ExampleParseIssuers() {
	_, err := tokens.ParseIssuers("issuers.yaml", []byte(`issuers:
  - issuer: https://id.example.com
    keys: {url: id.example.com/jwks}
    audience: clientele
    tenant: {claim: exp}
`))
	fmt.Println(err)
	// Output:
	// issuers.yaml:4: /issuers/0/audience: unknown key; did you mean audiences?
	// issuers.yaml:5: /issuers/0/tenant/claim: the claim exp does not describe the caller
}
