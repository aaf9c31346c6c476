package clientfile_test

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/clientfile"
	"github.com/clientele-oauth/clientele/adapters/internal/contract"
	"github.com/clientele-oauth/clientele/adapters/internal/document"
	"github.com/clientele-oauth/clientele/adapters/internal/jsonobject"
	"github.com/clientele-oauth/clientele/adapters/internal/metadata"
	"github.com/clientele-oauth/clientele/api"
	"github.com/clientele-oauth/clientele/domain"
)

// The table of fields, the schemas of openapi.yaml, stored documents, client files, the
// documentation and the form of RFC 7591 have the same fields, with the names in the
// table. The values are the examples in openapi.yaml.
func TestAllFormatsHaveTheSameFields(t *testing.T) {
	openAPI, err := openapi3.NewLoader().LoadFromData(api.Document)
	require.NoError(t, err)
	update, item := openAPI.Components.Schemas["UpdateClientRequest"].Value, openAPI.Components.Schemas["OAuthClientItem"].Value
	documented, effective := openAPI.Components.Schemas["ClientMetadata"].Value, openAPI.Components.Schemas["EffectiveConfiguration"].Value
	reader := newReader(t)
	page, err := os.ReadFile("../../docs/fields.md")
	require.NoError(t, err)
	assert.Len(t, update.Properties, domain.FieldsOf(allFields()...).Len())
	assert.Len(t, effective.Properties, len(update.Properties)-1, "without jwks")
	// A document also has all methods, client_id, client_id_issued_at, tenant_id,
	// updated_at, deleted_at and revision; that of a client ID metadata document also has
	// document and warnings.
	assert.Len(t, documented.Properties, len(update.Properties)+9)
	for f := range domain.Fields() {
		name := f.String()
		require.Contains(t, update.Properties, name)
		assert.Contains(t, item.Properties, name, "in responses")
		assert.Equal(t, f != domain.FieldJWKS, effective.Properties[name] != nil, "%s as servers apply it", name)
		assert.Contains(t, documented.Properties, metadata.Name(f))
		assert.Contains(t, string(page), "\n| `"+name+"` |")
		example := update.Properties[name].Value.Example
		require.NotNil(t, example, name)
		change := contract.ChangeOf(map[string]any{name: example})
		assert.Equal(t, domain.FieldsOf(f), change.Named())
		assert.False(t, change.Value(f).IsEmpty(), name)

		client := domain.Restore(domain.State{Settings: change.Values()})
		stored, _, err := document.Encode(client)
		require.NoError(t, err)
		var fields map[string]any
		require.NoError(t, json.Unmarshal(stored, &fields))
		assert.Contains(t, fields, name)
		decoded, err := document.Decode(stored, nil)
		require.NoError(t, err)
		assert.Equal(t, change.Values(), decoded.Settings(), name)
		assert.Equal(t, domain.FieldsOf(f), decoded.Filled())

		text, err := clientfile.Write("app", change)
		require.NoError(t, err)
		assert.Contains(t, string(text), "\n"+name+":")
		read, err := reader.Read("app.yaml", text)
		require.NoError(t, err)
		require.Empty(t, read[0].Breaches, name)
		assert.Equal(t, change, read[0].Change, name)

		var inStandardNames jsonobject.Writer
		inStandardNames.Object("", func() { metadata.Write(&inStandardNames, &client, false) })
		fields = nil
		require.NoError(t, json.Unmarshal(inStandardNames, &fields))
		require.Contains(t, fields, metadata.Name(f))
		require.NoError(t, documented.Properties[metadata.Name(f)].Value.VisitJSON(fields[metadata.Name(f)]))
		read, err = reader.Read("app.json", inStandardNames)
		require.NoError(t, err)
		require.Empty(t, read[0].Breaches, name)
		got := read[0].Change.Values()
		if f == domain.FieldJWKS { // the members of a key are in another order
			assert.JSONEq(t, change.Values().Keys.Inline(), got.Keys.Inline())
			got.Keys = change.Values().Keys
		}
		assert.Equal(t, change.Values(), got, name)
	}
}

func allFields() (list []domain.Field) {
	for f := range domain.Fields() {
		list = append(list, f)
	}
	return list
}
