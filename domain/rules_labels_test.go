package domain

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func labelExamples() map[string][]example {
	labels := func(list ...string) func(*Settings) {
		set := map[string]string{}
		for i := 0; i < len(list); i += 2 {
			set[list[i]] = list[i+1]
		}
		return setting(FieldLabels, set)
	}
	contacts := func(list ...string) func(*Settings) { return setting(FieldContacts, list) }
	return map[string][]example{
		"label-syntax": {
			{name: "no prefix", edit: labels("tier", "gold"), at: "/labels"},
			{name: "empty", edit: labels("", "gold"), at: "/labels"},
			{name: "empty prefix", edit: labels("/tier", "gold"), at: "/labels"},
			{name: "empty name", edit: labels("example.com/", "gold"), at: "/labels"},
			{name: "two slashes", edit: labels("example.com/a/b", "gold"), at: "/labels"},
			{name: "upper case", edit: labels("example.com/Tier", "gold"), at: "/labels"},
			{name: "underscore in the prefix", edit: labels("ex_ample/tier", "gold"), at: "/labels"},
			{name: "too long", edit: labels("example.com/"+strings.Repeat("a", 117), "gold"), at: "/labels"},
			{name: "the longest", edit: labels("example.com/"+strings.Repeat("a", 116), "gold")},
			{name: "every character", edit: labels("a-z.09/a_z-0.9", "", "example.com/tier", "gold")},
		},
		"label-reserved": {
			{name: "reserved", edit: labels("clientele/tier", "gold"), at: "/labels/clientele~1tier"},
			{name: "a longer prefix", edit: labels("clientele.example/tier", "gold")},
		},
		"text-deceptive": {
			{name: "description", edit: setting(FieldDescription, "Pay\u200bPal"), at: "/description"},
			{name: "owner", edit: setting(FieldOwner, "a\u202eb"), at: "/owner"},
			{name: "line break in owner", edit: setting(FieldOwner, "a\nb"), at: "/owner"},
			{name: "software_id", edit: setting(FieldSoftwareID, "a\u00adb"), at: "/software_id"},
			{name: "software_version", edit: setting(FieldSoftwareVersion, "1\u0000"), at: "/software_version"},
			{name: "contact", edit: contacts("a@example.com", "a\u2066@example.com"), at: "/contacts/1"},
			{name: "label", edit: labels("example.com/b", "x", "example.com/a", "Pay\u200cPal"), at: "/labels/example.com~1a"},
			{name: "null in a class", edit: setting(FieldDefaultACRValues, []string{"1", "a\x00b"}), at: "/default_acr_values/1"},
			{name: "null in description", edit: setting(FieldDescription, "a\x00b"), at: "/description"},
			{name: "line separator in description", edit: setting(FieldDescription, "a\u2028b"), at: "/description"},
			{name: "lines and tabs in description", edit: setting(FieldDescription, "a\r\n\tb")},
			{name: "Persian", edit: all(setting(FieldOwner, "می\u200cخواهم"), labels("example.com/a", "کتاب\u200cها"))},
			{name: "emoji", edit: setting(FieldDescription, "👩\u200d💻 ❤\ufe0f")},
			{name: "empty"},
		},
		"contact-form": {
			{name: "a name", edit: contacts("a@example.com", "Alice"), at: "/contacts/1"},
			{name: "an address", edit: contacts("a@example.com", "mailto:b@example.com")},
		},
		"list-element": {
			{name: "empty response mode", edit: setting(FieldResponseModes, []string{""}), at: "/response_modes/0"},
			{name: "contact twice", edit: contacts("a@example.com", "b@example.com", "a@example.com"), at: "/contacts/2"},
			{name: "empty class", edit: setting(FieldDefaultACRValues, []string{"1", ""}), at: "/default_acr_values/1"},
			{name: "request URI twice", edit: setting(FieldRequestURIs, []string{"https://app.example.com/a", "https://app.example.com/a"}), at: "/request_uris/1"},
			{name: "resource twice", edit: setting(FieldResources, []string{"https://a.example", "https://a.example"}), at: "/resources/1"},
			{name: "the same in two lists", edit: all(setting(FieldDefaultACRValues, []string{"a@b"}), contacts("a@b"))},
			{name: "another case", edit: setting(FieldDefaultACRValues, []string{"a", "A"})},
		},
	}
}

func TestNamesOfLabelsAreThoseOfTheExpression(t *testing.T) {
	expression := regexp.MustCompile(`^[a-z0-9.-]+/[a-z0-9._-]+$`)
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringOfN(rapid.SampledFrom([]rune("az09.-_//A~ ü")), 0, 12, -1).Draw(t, "name")
		require.Equal(t, expression.MatchString(name), isLabelName(name), "%q", name)
	})
}
