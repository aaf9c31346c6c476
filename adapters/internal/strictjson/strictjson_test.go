package strictjson_test

import (
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/internal/strictjson"
)

func TestObjectIsStrict(t *testing.T) {
	for text, want := range map[string]error{
		`{"a":1,"a":2}`:         strictjson.ErrDuplicateName,
		`{"a":1,"\u0061":2}`:    strictjson.ErrDuplicateName,
		`{"a":[{"b":1,"b":2}]}`: strictjson.ErrDuplicateName,
		`{"a":1}x`:              strictjson.ErrTrailingData,
		`{"a":1}{}`:             strictjson.ErrTrailingData,
		`[]`:                    strictjson.ErrType,
		`"a"`:                   strictjson.ErrType,
		``:                      strictjson.ErrType,
	} {
		_, err := strictjson.Object([]byte(text))
		require.ErrorIs(t, err, want, text)
	}
	for _, text := range []string{`{"a":`, `{"a":1,}`, `{a:1}`, "{\"a\":\"\xff\"}", `{"a":"\ud800"}`} {
		_, err := strictjson.Object([]byte(text))
		require.Error(t, err, text)
		require.NotErrorIs(t, err, strictjson.ErrType, text)
	}

	members, err := strictjson.Object([]byte(" {\"a\": [1, {}], \"A\": \"\\u0062\"}\n"))
	require.NoError(t, err)
	assert.Equal(t, map[string]jsontext.Value{"a": jsontext.Value("[1, {}]"), "A": jsontext.Value(`"\u0062"`)}, members)
	elements, err := strictjson.Array(members["a"])
	require.NoError(t, err)
	assert.Equal(t, []jsontext.Value{jsontext.Value("1"), jsontext.Value("{}")}, elements)
	text, ok := strictjson.String(members["A"])
	assert.True(t, ok)
	assert.Equal(t, "b", text)
}

func TestOtherTypesAreRejected(t *testing.T) {
	for _, value := range []string{"", "{}", `"a"`, "1", "null"} {
		_, err := strictjson.Array(jsontext.Value(value))
		require.ErrorIs(t, err, strictjson.ErrType, value)
	}
	for _, value := range []string{"", "{}", "[]", "1", "null"} {
		_, ok := strictjson.String(jsontext.Value(value))
		assert.False(t, ok, value)
	}
}
