package registrationfile_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v4"

	"github.com/clientele-oauth/clientele/adapters/internal/registrationpolicy"
	"github.com/clientele-oauth/clientele/adapters/registrationfile"
)

// compiled returns the JSON Schema of the file.
func compiled(t testing.TB) *jsonschema.Schema {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(registrationfile.Schema()))
	require.NoError(t, err)
	compiler := jsonschema.NewCompiler()
	require.NoError(t, compiler.AddResource("schema.json", document))
	schema, err := compiler.Compile("schema.json")
	require.NoError(t, err)
	return schema
}

func TestTheSchemaAcceptsWhatTheReaderAccepts(t *testing.T) {
	schema := compiled(t)
	for name, text := range accepted() {
		var value any
		require.NoError(t, yaml.Unmarshal([]byte(text), &value), name)
		require.NoError(t, schema.Validate(value), name)
	}
}

// A reader copies the examples.
func TestTheExamplesInTheDocumentationAreValid(t *testing.T) {
	page, err := os.ReadFile("../../docs/registration.md")
	require.NoError(t, err)
	schema, examples := compiled(t), 0
	for block := range strings.SplitSeq(string(page), "```") {
		text, isYAML := strings.CutPrefix(block, "yaml\n")
		if !isYAML || !strings.HasPrefix(text, "tenants:") {
			continue
		}
		examples++
		_, err := parse(t, text)
		require.NoError(t, err, text)
		var value any
		require.NoError(t, yaml.Unmarshal([]byte(text), &value))
		require.NoError(t, schema.Validate(value), text)
	}
	assert.GreaterOrEqual(t, examples, 4)
}

func TestTheSchemaRejectsWhatTheReaderRejects(t *testing.T) {
	schema := compiled(t)
	for _, text := range []string{
		`[]`, `{}`, `{"tenants": []}`, `{"tenants": {"": {}}}`, `{"tenants": {}, "x": 1}`, `{"tenants": {"a": null}}`, `{"tenants": {"a": {"x": {}}}}`,
		registration(`"grant": []`), registration(`"enabled": "true"`), registration(`"redirect_hosts": ["*example.com"]`),
		registration(`"redirect_hosts": ["https://a.example"]`), registration(`"scopes": ["a b"]`), registration(`"scopes": ["a", "a"]`),
		registration(`"grants": ["code"]`), registration(`"auth_methods": ["basic"]`), registration(`"max_clients": 0`), registration(`"secret_ttl": "1 day"`),
		registration(`"secret_ttl": -1`), registration(`"link_hosts": true`), registration(`"statement": "maybe"`), registration(`"initial_status": "deleted"`),
		registration(`"labels": {"a": 1}`), registration(`"profile": "fapi3"`), registration(`"response_types": ["x"]`),
		issuer(`"iss": "i"`), issuer(`"jwks_uri": "https://a.example"`), issuer(`"iss": "i", "jwks_uri": "https://a.example", "keys": ` + publicKey),
		issuer(`"iss": "i", "jwks_uri": "https://a.example", "algs": ["none"]`), issuer(`"iss": "i", "jwks_uri": "https://a.example", "algs": ["HS256"]`),
		issuer(`"iss": "i", "jwks_uri": "https://a.example", "roles": {"a": []}`), issuer(`"iss": "i", "jwks_uri": "https://a.example", "x": 1`),
		cimd(`"mode": "on"`), cimd(`"hosts": [1]`), cimd(`"hosts": [{"policy": {}}]`), cimd(`"hosts": [{"host": "a.example", "policy": {"open": true}}]`),
		cimd(`"max_bytes": 65537`), cimd(`"approval": true`), cimd(`"x": 1`),
	} {
		var value any
		require.NoError(t, json.Unmarshal([]byte(text), &value), text)
		require.Error(t, schema.Validate(value), text)
		_, err := parse(t, text)
		require.Error(t, err, text)
	}
}

// Each key of the table is in the schema, and the reverse.
func TestTheSchemaHasTheKeysOfTheReader(t *testing.T) {
	var document struct {
		Properties map[string]any `json:"properties"`
		Defs       map[string]struct {
			Properties map[string]any `json:"properties"`
		} `json:"$defs"`
	}
	require.NoError(t, json.Unmarshal(registrationfile.Schema(), &document))
	assert.ElementsMatch(t, registrationfile.FileKeys(), slices.Collect(maps.Keys(document.Properties)))
	for name, keys := range map[string][]string{
		"tenant": registrationfile.TenantKeys(), "registration": registrationfile.RegistrationKeys(), "issuer": registrationfile.IssuerKeys(),
		"cimd": registrationfile.DocumentKeys(), "policy": registrationpolicy.Keys(registrationpolicy.InDocuments),
	} {
		assert.ElementsMatch(t, keys, slices.Collect(maps.Keys(document.Defs[name].Properties)), name)
	}
	assert.Equal(t, "[host policy]", fmt.Sprint(registrationfile.HostKeys()))
}

// Editors show the descriptions.
func TestEachKeyOfTheSchemaHasADescription(t *testing.T) {
	var document struct {
		Defs map[string]struct {
			Properties map[string]map[string]any `json:"properties"`
		} `json:"$defs"`
	}
	require.NoError(t, json.Unmarshal(registrationfile.Schema(), &document))
	for definition, object := range document.Defs {
		for name, property := range object.Properties {
			_, refers := property["$ref"]
			assert.True(t, refers || property["description"] != nil, "%s/%s", definition, name)
		}
	}
}
