package record

import (
	"strings"

	"golang.org/x/text/cases"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// Search is what a store keeps beside the document to find a client by.
type Search struct {
	// Name is the client's name, see [Fold].
	Name string
	// Facets are the properties that lists filter by, each as "kind:value".
	Facets []string
	Status string
}

// The kinds of facets.
const (
	facetHost    = "redirect_host:"
	facetScope   = "scope:"
	facetProfile = "fapi_profile:"
	facetMethod  = "client_auth_method:"
	facetGrant   = "grant_type:"
	facetStatus  = "status:"
)

// SearchOf returns what the client is found by.
func SearchOf(c domain.Client) Search {
	settings := c.Settings()
	found := Search{Name: Fold(settings.Name), Status: string(settings.Status), Facets: []string{}}
	found.Facets = facets(found.Facets, facetHost, settings.RedirectHosts()...)
	found.Facets = facets(found.Facets, facetScope, settings.Scopes...)
	found.Facets = facets(found.Facets, facetProfile, settings.Profile)
	found.Facets = facets(found.Facets, facetMethod, settings.AuthMethods...)
	found.Facets = facets(found.Facets, facetGrant, settings.GrantTypes...)
	found.Facets = facets(found.Facets, facetStatus, settings.Status)
	return found
}

// Facets returns the facets that a client must have to be in the list, those
// that fewer clients have first.
func Facets(q application.Query) []string {
	var wanted []string
	wanted = facets(wanted, facetHost, strings.ToLower(q.RedirectHost))
	wanted = facets(wanted, facetScope, q.Scope)
	wanted = facets(wanted, facetProfile, q.Profile)
	wanted = facets(wanted, facetMethod, q.AuthMethod)
	wanted = facets(wanted, facetGrant, q.GrantType)
	wanted = facets(wanted, facetStatus, q.Status)
	return wanted
}

// facets adds those of one kind; an empty value is none.
func facets[S ~string](list []string, kind string, values ...S) []string {
	for _, value := range values {
		if value != "" {
			list = append(list, kind+string(value))
		}
	}
	return list
}

// Fold is a name as it is searched: without its case (Unicode's full case
// folding), so that every store finds the same.
func Fold(name string) string { return cases.Fold().String(name) }

// Pattern is the pattern of SQL's LIKE for everything that contains the text,
// in which a backslash escapes.
func Pattern(text string) string {
	return "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(text) + "%"
}
