package importer

import "slices"

// IgnoredMembers lists the members that are not converted without a line, each
// with the reason; attributes of Keycloak with the prefix "attributes.".
func IgnoredMembers(from System) map[string]string {
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

// IsBuiltIn reports whether Keycloak makes the client for itself.
func IsBuiltIn(id string) bool { return slices.Contains(builtIn(), id) }
