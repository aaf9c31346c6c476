package importer

import (
	"maps"
	"slices"

	"github.com/clientele-oauth/clientele/domain"
)

// IgnoredFields lists the fields that can be ignored without loss, each with the
// reason. Attributes of Keycloak have the prefix "attributes.".
func IgnoredFields(from System) map[string]string {
	list := map[string]string{}
	if from != Keycloak {
		for name, of := range ignoredMetadata() {
			list[name] = of.reason
		}
		return list
	}
	for name, of := range ignoredOfKeycloak() {
		list[name] = of.reason
	}
	for name, of := range ignoredAttributes() {
		list["attributes."+name] = of.reason
	}
	return list
}

// IsBuiltIn reports whether the client is a built-in client of Keycloak.
func IsBuiltIn(id string) bool { return slices.Contains(builtIn(), id) }

// MappedAttributes lists the attributes of Keycloak that set a field of the same form.
func MappedAttributes() map[string]domain.Field {
	list := attributeTexts()
	maps.Copy(list, attributeFlags())
	return list
}
