package jwk_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/internal/jwk"
)

const (
	ed25519X = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
	okp      = `"kty":"OKP","crv":"Ed25519","x":"` + ed25519X + `"`
)

func TestPublicSet(t *testing.T) {
	tests := map[string]struct {
		set  string
		want string // empty if nothing may be published
	}{
		"only public members": {
			`{"keys":[{` + okp + `,"ext":true,"x5u":"https://a.example/","jku":"https://a.example/","vendor":{"d":1}}],"issuer":"x"}`, `{"keys":[{` + okp + `}]}`,
		},
		"every public member": {
			`{"keys":[{"x5t#S256":"c","x5t":"b","x5c":["MA=="],"kid":"1","alg":"EdDSA","key_ops":["verify"],"use":"sig",` + okp + `}]}`,
			`{"keys":[{"kty":"OKP","use":"sig","key_ops":["verify"],"alg":"EdDSA","kid":"1","crv":"Ed25519","x":"` + ed25519X + `","x5c":["MA=="],"x5t":"b","x5t#S256":"c"}]}`,
		},
		"values keep their text": {`{"keys":[{"kid":"\u0041\/","x5c":[ "MA\u003d=" ],` + okp + `}]}`, `{"keys":[{"kty":"OKP","kid":"\u0041\/","crv":"Ed25519","x":"` + ed25519X + `","x5c":[ "MA\u003d=" ]}]}`},
		"a private key is omitted": {
			`{"keys":[{` + okp + `,"d":"AA"},{` + okp + `,"kid":"2"}]}`, `{"keys":[{"kty":"OKP","kid":"2","crv":"Ed25519","x":"` + ed25519X + `"}]}`,
		},
		"a symmetric key is omitted":   {`{"keys":[{"kty":"oct","k":"AA"}]}`, ""},
		"a symmetric value is omitted": {`{"keys":[{` + okp + `,"k":"AA"}]}`, ""},
		"an unknown type is omitted":   {`{"keys":[{"kty":"AKP","pub":"AA"}]}`, ""},
		"a malformed key is omitted":   {`{"keys":[{"kty":"OKP","crv":"Ed25519","x":"AA"}]}`, ""},
		"a point off the curve":        {`{"keys":[{"kty":"EC","crv":"P-256","x":"` + strings.Repeat("A", 43) + `","y":"` + strings.Repeat("A", 43) + `"}]}`, ""},
		"a kid that is not a string":   {`{"keys":[{` + okp + `,"kid":{"a":1}}]}`, ""},
		"an x5c that is not an array":  {`{"keys":[{` + okp + `,"x5c":"MA=="}]}`, ""},
		"a duplicate member":           {`{"keys":[{` + okp + `,"kty":"OKP"}]}`, ""},
		"a member in another case":     {`{"KEYS":[{` + okp + `}]}`, ""},
		"an element that is no object": {`{"keys":[1]}`, ""},
		"no keys":                      {`{"keys":[]}`, ""},
		"no set":                       {`[]`, ""},
		"no JSON":                      {`{"keys":[{` + okp + `}]`, ""},
		"trailing data":                {`{"keys":[{` + okp + `}]} x`, ""},
		"more than 50 keys":            {`{"keys":[` + strings.Repeat(`{`+okp+`},`, 50) + `{` + okp + `}]}`, ""},
	}
	for name, tt := range tests {
		set, ok := jwk.PublicSet(tt.set)
		assert.Equal(t, tt.want != "", ok, name)
		if ok {
			assert.Equal(t, tt.want, string(set), name)
		}
	}
}

// What is published is a JSON object without private parameters, and is published again
// as it is.
func FuzzPublicSet(f *testing.F) {
	for _, text := range []string{
		`{"keys":[{` + okp + `,"kid":"1","d":"AA"},{` + okp + `,"x5c":["MA=="]}]}`, `{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB","k":1}]}`, `{}`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		set, ok := jwk.PublicSet(text)
		if !ok {
			return
		}
		var decoded struct{ Keys []map[string]any }
		require.NoError(t, json.Unmarshal(set, &decoded))
		require.NotEmpty(t, decoded.Keys)
		for _, key := range decoded.Keys {
			for _, member := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "priv", "k", "x5u", "jku"} {
				require.NotContains(t, key, member)
			}
		}
		again, ok := jwk.PublicSet(string(set))
		require.True(t, ok)
		require.Equal(t, string(set), string(again))
	})
}
