package api_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/api"
)

// document is openapi.yaml, valid as OpenAPI 3.0 with every example held
// against its schema.
func document(t *testing.T) *openapi3.T {
	t.Helper()
	loader := openapi3.NewLoader()
	doc, err := loader.LoadFromData(api.Document)
	require.NoError(t, err)
	require.NoError(t, doc.Validate(loader.Context, openapi3.EnableExamplesValidation()))
	return doc
}

// operations calls check for every operation.
func operations(t *testing.T, check func(name string, item *openapi3.PathItem, op *openapi3.Operation)) {
	t.Helper()
	for path, item := range document(t).Paths.Map() {
		for method, op := range item.Operations() {
			check(method+" "+path, item, op)
		}
	}
}

func TestEveryOperationIsDescribed(t *testing.T) {
	ids := map[string]bool{}
	operations(t, func(name string, item *openapi3.PathItem, op *openapi3.Operation) {
		assert.NotEmpty(t, op.OperationID, name)
		assert.False(t, ids[op.OperationID], "two operations are called %s", op.OperationID)
		ids[op.OperationID] = true
		assert.NotEmpty(t, op.Summary, name)
		assert.NotEmpty(t, op.Description, name)
		assert.NotEmpty(t, op.Tags, name)
		for _, p := range slices.Concat(item.Parameters, op.Parameters) {
			assert.NotEmpty(t, p.Value.Description, "%s: %s", name, p.Value.Name)
		}
		for status, response := range op.Responses.Map() {
			assert.NotEmpty(t, *response.Value.Description, "%s: %s", name, status)
		}
	})
}

func TestEveryOperationTellsItsErrors(t *testing.T) {
	operations(t, func(name string, _ *openapi3.PathItem, op *openapi3.Operation) {
		want := []string{"400", "412", "429", "500", "503"}
		registration, _ := op.Extensions["x-registration"].(bool)
		if op.Security == nil || registration { // without a token there is neither a caller nor a permission
			want = append(want, "401", "403")
		}
		if strings.Contains(name, "{client_id}") {
			want = append(want, "404")
		}
		if op.RequestBody != nil {
			want = append(want, "408", "413", "415")
		}
		for _, status := range want {
			response := op.Responses.Value(status)
			schema := "#/components/schemas/SimpleResponse"
			if registration && status != "404" { // which is that of an unknown path
				schema = "#/components/schemas/RegistrationError"
			}
			if assert.NotNil(t, response, "%s: %s", name, status) {
				assert.Equal(t, schema, response.Value.Content["application/json"].Schema.Ref, "%s: %s", name, status)
			}
		}
	})
}

func TestEveryStringAndArrayIsBoundedAndEveryMemberDescribed(t *testing.T) {
	doc := document(t)
	for name, schema := range doc.Components.Schemas {
		checkSchema(t, name, schema)
		if strings.HasSuffix(name, "Request") {
			has := schema.Value.AdditionalProperties.Has
			assert.True(t, has != nil && !*has, "%s takes unknown members", name)
		}
		for member, property := range schema.Value.Properties {
			if property.Ref == "" {
				assert.NotEmpty(t, property.Value.Description, "%s.%s", name, member)
			}
		}
	}
	operations(t, func(name string, item *openapi3.PathItem, op *openapi3.Operation) {
		for _, p := range slices.Concat(item.Parameters, op.Parameters) {
			checkSchema(t, name+" "+p.Value.Name, p.Value.Schema)
		}
		for status, response := range op.Responses.Map() {
			for header, h := range response.Value.Headers {
				checkSchema(t, fmt.Sprintf("%s %s %s", name, status, header), h.Value.Schema)
			}
		}
	})
}

func checkSchema(t *testing.T, name string, schema *openapi3.SchemaRef) {
	t.Helper()
	s := schema.Value
	switch {
	case s.Type.Is(openapi3.TypeString):
		assert.NotNil(t, s.MaxLength, "%s is a string without a bound", name)
	case s.Type.Is(openapi3.TypeArray):
		assert.NotNil(t, s.MaxItems, "%s is an array without a bound", name)
		checkSchema(t, name+"[]", s.Items)
	case s.Type.Is(openapi3.TypeInteger):
		assert.True(t, s.Min != nil && s.Max != nil, "%s is a number without bounds", name)
	case s.Type.Is(openapi3.TypeObject):
		for member, property := range s.Properties {
			if property.Ref == "" {
				checkSchema(t, name+"."+member, property)
			}
		}
	case s.Type.Is(openapi3.TypeBoolean):
	default:
		assert.Fail(t, "a schema without a type", name)
	}
}

// The members and types of the given operation are fixed: generated clients
// rely on them.
func TestTheGivenSchemasKeepTheirMembers(t *testing.T) {
	given := map[string]map[string]string{
		"UpdateClientRequest": {
			"client_auth_methods": "array", "fapi_profile": "string", "grant_types": "array", "is_confidential": "boolean",
			"jwks": "string", "jwks_uri": "string", "logo_url": "string", "name": "string", "privacy_policy": "string",
			"redirect_uris": "array", "scopes": "array", "status": "string", "terms_url": "string", "website": "string",
		},
		"OAuthClientItem": {
			"client_auth_methods": "string", "client_id": "string", "cors_origins": "array", "created_at": "string",
			"deleted_at": "string", "fapi_profile": "string", "grant_types": "array", "id": "string",
			"is_confidential": "boolean", "jwks_uri": "string", "logo_url": "string", "name": "string",
			"privacy_policy": "string", "redirect_uris": "array", "scopes": "array", "secret_last_four": "string",
			"status": "string", "tenant_id": "string", "terms_url": "string", "updated_at": "string", "website": "string",
		},
		"OAuthClientItemDetailResponse": {"code": "integer", "message": "string", "timestamp": "string"},
		"SimpleResponse":                {"code": "integer", "message": "string", "timestamp": "string"},
	}
	schemas := document(t).Components.Schemas
	for name, members := range given {
		require.Contains(t, schemas, name)
		assert.Empty(t, schemas[name].Value.Required, "%s: no member is required", name)
		for member, kind := range members {
			property := schemas[name].Value.Properties[member]
			if assert.NotNil(t, property, "%s.%s", name, member) {
				assert.True(t, property.Value.Type.Is(kind), "%s.%s", name, member)
			}
		}
	}
	assert.Contains(t, schemas["OAuthClientItem"].Value.Properties["jwks"].Value.Description, "only with `include=jwks`",
		"the item of the given operations has no keys")
}

// Every operation with a body says how large it may be, and every pattern what it
// demands, in words.
func TestEveryBodyIsBoundedAndEveryPatternExplained(t *testing.T) {
	operations(t, func(name string, item *openapi3.PathItem, op *openapi3.Operation) {
		limit, ok := op.Extensions["x-max-body-bytes"].(float64)
		assert.Equal(t, op.RequestBody != nil, ok && limit > 0, name)
		for _, p := range slices.Concat(item.Parameters, op.Parameters) {
			explained(t, name+" "+p.Value.Name, p.Value.Schema.Value)
		}
	})
	for name, schema := range document(t).Components.Schemas {
		for member, property := range schema.Value.Properties {
			explained(t, name+"."+member, property.Value)
		}
	}
}

func explained(t *testing.T, name string, schema *openapi3.Schema) {
	t.Helper()
	text, _ := schema.Extensions["x-pattern-description"].(string)
	assert.Equal(t, schema.Pattern != "", text != "", name)
}
