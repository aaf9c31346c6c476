package domain

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// longURIs sets n redirect URIs of that many bytes each.
func longURIs(n, bytes int) func(*Settings) {
	return func(s *Settings) {
		s.RedirectURIs = nil
		for i := range n {
			uri := fmt.Sprintf("https://app.example.com/%03d/", i)
			s.RedirectURIs = append(s.RedirectURIs, RedirectURI(uri+strings.Repeat("a", bytes-len(uri))))
		}
	}
}

func TestEveryFieldCountsForTheSizeOfAClient(t *testing.T) {
	client := reflect.ValueOf(new(Settings)).Elem()
	for i := range client.NumField() {
		name := client.Type().Field(i).Name
		var s Settings
		field := reflect.ValueOf(&s).Elem().Field(i)
		switch {
		case name == "Status": // a client of any size can be suspended
			s.Status = "12345"
			assert.Zero(t, s.bytes())
			continue
		case name == "Keys":
			s.Keys = InlineKeys("12345")
			assert.Equal(t, 5, s.bytes())
			s.Keys = KeysAt("12345")
		case name == "TLSSubject":
			s.TLSSubject = TLSSubject{"1", "2", "3", "4", "5"}
		case field.Kind() == reflect.String:
			field.SetString("12345")
		case field.Kind() == reflect.Slice:
			list := reflect.MakeSlice(field.Type(), 2, 2)
			list.Index(0).SetString("12")
			list.Index(1).SetString("345")
			field.Set(list)
		case field.Kind() == reflect.Map:
			field.Set(reflect.ValueOf(map[string]string{"1": "2", "3": "45"}))
		case field.Kind() == reflect.Struct && name != "DefaultMaxAge":
			field.Field(0).SetString("12345")
		default:
			require.Contains(t, []reflect.Kind{reflect.Bool, reflect.Int64, reflect.Struct}, field.Kind(), name)
			continue
		}
		assert.Equal(t, 5, s.bytes(), name)
		client := Restore(State{Settings: s})
		assert.Equal(t, 5, client.Bytes(), name)
	}
}

// A client that exceeded the limit before it was introduced can be changed and shrink in
// steps, but must not grow.
func TestAClientThatIsTooLargeMayShrink(t *testing.T) {
	book := testBook(t, Policy{KeyPreflight: PreflightOff})
	settings := legal()
	longURIs(100, 2000)(&settings)
	settings.Keys = KeySource{}
	settings.AuthMethods = []AuthMethod{AuthSecretBasic}
	client := Restore(State{Settings: settings, Revision: 1})
	change := func(n, bytes int) Change {
		var s Settings
		longURIs(n, bytes)(&s)
		return ChangeOf(Settings{RedirectURIs: s.RedirectURIs})
	}
	for _, tt := range []struct {
		name     string
		change   Change
		rejected bool
		warned   bool
	}{
		{"another field", ChangeOf(Settings{Name: "App"}), false, true},
		{"smaller, but above the limit", change(90, 2000), false, true},
		{"other values of the same size", change(80, 2500), false, true},
		{"below the limit", change(10, 2000), false, false},
		{"larger", change(100, 2001), true, false},
		{"another field makes it larger", ChangeOf(Settings{Name: "A longer name"}), true, false},
		{"suspended", ChangeOf(Settings{Status: StatusSuspended}), false, true},
	} {
		revised, findings := reviseClient(book, client, tt.change, KeysUnexamined(), testNow)
		assert.Equal(t, tt.rejected, findings.HasViolations(), "%s: %v", tt.name, findings)
		assert.Equal(t, tt.warned, len(findings.Warnings()) > 0, tt.name)
		assert.Equal(t, tt.rejected, revised.Revision() == 1, tt.name)
	}
}

// The largest clients in practice are far below the limit.
func TestALargeRealisticClientIsBelowTheLimit(t *testing.T) {
	settings := legal()
	longURIs(100, 300)(&settings)
	settings.Keys = InlineKeys(strings.Repeat("k", MaxKeySetBytes))
	for i := range 200 {
		settings.Scopes = append(settings.Scopes, Scope(fmt.Sprintf("https://api.example.com/resource-%d.read", i)))
	}
	assert.Less(t, settings.bytes(), MaxClientBytes)
}
