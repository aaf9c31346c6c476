// Package servertargets tells beforehand what authorization servers do not take of a
// client.
package servertargets

import (
	"github.com/clientele-oauth/clientele/adapters/internal/serverlimits"
	"github.com/clientele-oauth/clientele/domain"
)

// Names lists the servers that the package knows.
func Names() []string {
	var names []string
	for _, p := range serverlimits.Products() {
		names = append(names, string(p))
	}
	return names
}

// Check returns what a server does not take of a configuration with effective settings. A
// violation means that the server refuses the client, or that the client could not be used
// as it is meant; a warning means that the server ignores a setting. It finds nothing for a
// server that is not in [Names].
func Check(server string, effective domain.Settings) domain.Findings {
	return serverlimits.Check(serverlimits.Product(server), effective)
}

// Limit is one thing that a server does not take, for documentation.
type Limit = serverlimits.Limit

// Limits returns everything that a server does not take.
func Limits(server string) []Limit { return serverlimits.Limits(serverlimits.Product(server)) }
