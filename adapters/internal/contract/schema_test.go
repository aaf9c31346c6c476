package contract_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/clientele-oauth/clientele/adapters/internal/contract"
	"github.com/clientele-oauth/clientele/api"
)

// values generates JSON values that are similar to requests.
func values(names []string) *rapid.Generator[any] {
	text := rapid.OneOf(rapid.SampledFrom([]string{"", "a", "\x00", "ä", "a b", "my app", strings.Repeat("x", 65), strings.Repeat("ö", 256), strings.Repeat("x", 257), "2030-01-01T00:00:00Z"}), rapid.String())
	scalar := rapid.OneOf(
		rapid.Map(text, func(s string) any { return s }),
		rapid.Map(rapid.Bool(), func(b bool) any { return b }),
		rapid.SampledFrom([]any{nil, 0.0, 1.0, -1.0, 0.5, 2592000.0, 2592001.0, 1e300}),
		rapid.Just(any(map[string]any{"a": 1.0})),
	)
	array := rapid.Map(rapid.SliceOfN(scalar, 0, 40), func(list []any) any { return list })
	strings := rapid.Map(rapid.SliceOfN(text, 0, 240), func(list []string) any {
		items := make([]any, len(list))
		for i, s := range list {
			items[i] = s
		}
		return items
	})
	return rapid.Custom(func(t *rapid.T) any {
		fields := map[string]any{}
		for _, name := range rapid.SliceOfN(rapid.SampledFrom(names), 0, 6).Draw(t, "names") {
			fields[name] = rapid.OneOf(scalar, array, strings).Draw(t, name)
		}
		return fields
	})
}

// For every schema of a request, the check accepts the same values as kin-openapi, as
// text and decoded.
func TestTheCheckAgreesWithKinOpenAPI(t *testing.T) {
	doc, err := openapi3.NewLoader().LoadFromData(api.Document)
	require.NoError(t, err)
	checked := 0
	for name, ref := range doc.Components.Schemas {
		if !strings.HasSuffix(name, "Request") {
			continue
		}
		checked++
		schema, err := contract.NewSchema(ref.Value)
		require.NoError(t, err)
		names := []string{"unknown"}
		for field := range ref.Value.Properties {
			names = append(names, field)
		}
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				value := values(names).Draw(t, "value")
				text, err := json.Marshal(value)
				require.NoError(t, err)
				expected := ref.Value.VisitJSON(value, openapi3.VisitAsRequest())
				if _, dated := value.(map[string]any)["expires_at"]; dated && expected != nil {
					return // kin-openapi has another pattern for times
				}
				body, err := schema.Decode(text)
				require.NoError(t, err)
				fromText := schema.InspectBody(body)
				fromValue := schema.Inspect(value)
				assert.Equal(t, expected == nil, fromText.Total() == 0, "%s: %v, %v", text, expected, fromText.Breaches)
				assert.Equal(t, fromText.Breaches, fromValue.Breaches)
				assert.Equal(t, fromText.Total(), fromValue.Total())
			})
		})
	}
	assert.Equal(t, 8, checked)
}

func request(t *testing.T, name string) *contract.Schema {
	t.Helper()
	schema, err := contract.RequestSchema(name)
	require.NoError(t, err)
	return schema
}

// Fields that violate the schema are removed from the value; the rest is kept.
func TestInspectRemovesInvalidFields(t *testing.T) {
	body, err := request(t, "UpdateClientRequest").Decode([]byte(`{"name":1,"nme":2,"scopes":["a",3],"website":"x","is_confidential":true}`))
	require.NoError(t, err)
	verdict := request(t, "UpdateClientRequest").InspectBody(body)
	assert.Equal(t, []contract.Breach{
		{Pointer: "/name", Message: "must be a string"}, {Pointer: "/nme", Message: "unknown field"}, {Pointer: "/scopes/1", Message: "must be a string"},
	}, verdict.Breaches)
	assert.Equal(t, []string{"name", "scopes"}, verdict.Broken)
	assert.True(t, verdict.Rewritten)
	assert.Equal(t, map[string]any{"website": "x", "is_confidential": true}, body.Value)
}

// The same number or time can be written in several ways.
func TestNumbersAndTimesAreNormalized(t *testing.T) {
	for text, want := range map[string]string{
		`{"grace_seconds":60}`: "", `{"grace_seconds":60.0}`: `{"grace_seconds":60}`, `{"grace_seconds":6E1}`: `{"grace_seconds":60}`,
		`{"grace_seconds":-0}`: `{"grace_seconds":-0}`,
	} {
		schema := request(t, "RotateSecretRequest")
		body, err := schema.Decode([]byte(text))
		require.NoError(t, err)
		verdict := schema.InspectBody(body)
		assert.Empty(t, verdict.Breaches, text)
		assert.Equal(t, want != "" && want != text, verdict.Rewritten, text)
		if want != "" {
			written, err := json.Marshal(body.Value)
			require.NoError(t, err)
			assert.JSONEq(t, want, string(written))
		}
	}
	schema := request(t, "CreateSecretRequest")
	body, err := schema.Decode([]byte(`{"expires_at":"2030-12-31t23:59:60z"}`))
	require.NoError(t, err)
	assert.True(t, schema.InspectBody(body).Rewritten)
	assert.Equal(t, map[string]any{"expires_at": "2031-01-01T00:00:00Z"}, body.Value)
}

// JSON that parsers interpret differently is rejected (RFC 8259 §4, §8.1), also in parts
// that the schema does not check.
func TestOnlyStrictJSONIsDecoded(t *testing.T) {
	deep := strings.Repeat("[", 20_000)
	for _, text := range []string{
		``, `{`, `{"name":"x"`, `{"name":"x"}]`, `{"name":"x"} {}`, `{"name":"a","name":"b"}`, `{"x":{"a":1,"a":2}}`, `{"name":[{"a":1,"a":2}]}`,
		`{"scopes":[` + strings.Repeat(`"a",`, 300) + `{"a":1,"a":2}]}`, "{\"name\":\"\xff\"}", "{\"x\":\"\xff\"}", `{"name":"\ud800"}`, `{"x":` + deep + `}`,
		`{"name":` + deep, `{"name":01}`, `{"name":NaN}`, `{name:1}`, "\ufeff{}", `{"scopes":[1 2]}`, `{"scopes":[,]}`,
	} {
		_, err := request(t, "UpdateClientRequest").Decode([]byte(text))
		require.Error(t, err, "%.60s", text)
	}
	_, err := request(t, "UpdateClientRequest").Decode([]byte(`{} x`))
	require.ErrorContains(t, err, "at byte 2")
	body, err := request(t, "RotateSecretRequest").Decode([]byte(`{"grace_seconds":1e999}`))
	require.NoError(t, err)
	assert.Equal(t, "must be at most 2592000", request(t, "RotateSecretRequest").InspectBody(body).Breaches[0].Message)
}

// At most a hundred breaches are listed.
func TestALongListOfBreachesEndsWithACount(t *testing.T) {
	fields := map[string]any{}
	for i := range 250 {
		fields[fmt.Sprintf("x%d", i)] = nil
	}
	breaches := request(t, "UpdateClientRequest").Check(fields)
	require.Len(t, breaches, contract.MaxBreaches+1)
	assert.Equal(t, contract.Breach{Message: "and 150 more"}, breaches[contract.MaxBreaches])
}

// A keyword that the check does not support must not be ignored silently.
func TestASchemaWithUnsupportedKeywordsIsRejected(t *testing.T) {
	text := openapi3.NewStringSchema
	for name, schema := range map[string]*openapi3.Schema{
		"no type":                     {},
		"a pattern":                   text().WithPattern("^a$"),
		"a format":                    text().WithFormat("uri"),
		"nullable":                    text().WithNullable(),
		"a number":                    openapi3.NewFloat64Schema(),
		"an exclusive bound":          openapi3.NewIntegerSchema().WithExclusiveMin(true),
		"an array without a limit":    openapi3.NewArraySchema().WithItems(text()),
		"unique elements":             openapi3.NewArraySchema().WithItems(text()).WithMaxItems(1).WithUniqueItems(true),
		"an object with other fields": openapi3.NewObjectSchema(),
		"a choice":                    openapi3.NewOneOfSchema(text()),
		"within":                      openapi3.NewArraySchema().WithItems(text().WithFormat("uri")).WithMaxItems(1),
	} {
		_, err := contract.NewSchema(schema)
		require.Error(t, err, name)
	}
}
