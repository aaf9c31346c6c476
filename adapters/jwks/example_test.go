package jwks_test

import (
	"context"
	"fmt"

	"github.com/clientele-oauth/clientele/adapters/jwks"
)

// The facts about a key set include those that a rule rejects.
func ExampleParse() {
	set := jwks.Parse(`{"keys": [
		{"kty": "EC", "crv": "P-256", "kid": "a", "use": "sig",
			"x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
			"y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"},
		{"kty": "OKP", "crv": "Ed25519", "kid": "b", "x": "AAAA"},
		{"kty": "RSA", "kid": "c", "n": "AQAB", "e": "AQAB", "d": "AQAB"}
	]}`)
	for _, key := range set.Keys {
		fmt.Printf("%s: %s %s, malformed: %q, private: %t\n", key.KeyID, key.Type, key.Curve, key.Malformed, key.Private)
	}
	fmt.Println("thumbprint of a:", set.Keys[0].Thumbprint)
	// Output:
	// a: EC P-256, malformed: "", private: false
	// b: OKP Ed25519, malformed: "x does not have the length that its curve requires", private: false
	// c: RSA , malformed: "", private: true
	// thumbprint of a: oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U
}

// Faults of a whole set are in its Detail.
func ExampleParse_malformed() {
	fmt.Println(jwks.Parse(`{"keys": [], "keys": []}`).Detail)
	fmt.Println(jwks.Parse(`{"keys": {}}`).Detail)
	// Output:
	// duplicate member
	// keys is missing or not an array
}

// A private address is rejected without a connection.
func ExampleResolver_Fetch() {
	resolver := jwks.NewResolver(jwks.Options{})
	keys, _, err := resolver.Fetch(context.Background(), "acme", "https://10.0.0.1/jwks")
	fmt.Println(keys.Refused(), err)
	// Output: true <nil>
}
