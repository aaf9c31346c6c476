package clientfile_test

import (
	"encoding/json"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/clientfile"
	"github.com/clientele-oauth/clientele/adapters/internal/contract"
	"github.com/clientele-oauth/clientele/adapters/internal/document"
	"github.com/clientele-oauth/clientele/api"
	"github.com/clientele-oauth/clientele/domain"
)

// The table of fields, the schemas of openapi.yaml, stored documents and client files
// have the same fields, with the same names. The values are the examples in openapi.yaml.
func TestAllFormatsHaveTheSameFields(t *testing.T) {
	openAPI, err := openapi3.NewLoader().LoadFromData(api.Document)
	require.NoError(t, err)
	update, item := openAPI.Components.Schemas["UpdateClientRequest"].Value, openAPI.Components.Schemas["OAuthClientItem"].Value
	assert.Len(t, update.Properties, domain.FieldsOf(allFields()...).Len())
	for f := range domain.Fields() {
		name := f.String()
		require.Contains(t, update.Properties, name)
		assert.Equal(t, f != domain.FieldJWKS, item.Properties[name] != nil, "%s in responses", name)
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
		read, err := newReader(t).Read("app.yaml", text)
		require.NoError(t, err)
		require.Empty(t, read[0].Breaches, name)
		assert.Equal(t, change, read[0].Change, name)
	}
}

func allFields() (list []domain.Field) {
	for f := range domain.Fields() {
		list = append(list, f)
	}
	return list
}
