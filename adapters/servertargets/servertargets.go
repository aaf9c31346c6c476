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

// Check returns what a server does not take of a client, whose identifier may be empty, with
// effective settings. A violation means that the server refuses the client, or that the
// client could not be used as it is meant; a warning means that the server ignores a
// setting. It finds nothing for a server that is not in [Names].
func Check(server string, id domain.ClientID, effective domain.Settings) domain.Findings {
	return serverlimits.CheckClient(serverlimits.Product(server), id, effective)
}

// Rules returns everything that a server does not take, in the form of rules.
func Rules(server string) []domain.Rule {
	var rules []domain.Rule
	for _, l := range serverlimits.Limits(serverlimits.Product(server)) {
		rule := domain.Rule{
			ID: l.ID, Source: l.Source, Level: domain.Warning, Softens: l.Softens,
			Summary: "the client has something that " + server + " does not take: " + l.Summary, Subject: server,
		}
		if l.Refused {
			rule.Level = domain.Violation
		}
		rules = append(rules, rule)
	}
	return rules
}
