package document

import (
	"slices"
	"strings"
	"time"

	"golang.org/x/text/cases"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// Search contains the columns that a store uses to find a client.
type Search struct {
	// Name is the client's name; see [Fold].
	Name string
	// Facets are the properties for the filters of lists, each as "kind:value".
	Facets []string
	Status string
	// Registered is the text that [RegisteredOf] returns.
	Registered []byte
	// SecretEnd is when a secret of the client ends next; zero if none does. See
	// [application.Store.SecretEnds].
	SecretEnd time.Time
}

// SearchOf returns the search columns of the client.
func SearchOf(c domain.Client) Search {
	settings := c.Settings()
	found := Search{
		Name: Fold(settings.Name), Status: string(settings.Status), Facets: []string{}, SecretEnd: c.NextSecretEnd(time.Time{}),
	}
	for f := range c.Filled().All() {
		if f.Facet() == "" {
			continue
		}
		switch v := c.Value(f).(type) {
		case *domain.Text:
			found.add(f, string(*v))
		case domain.Texts:
			for i := range v.Len() {
				found.add(f, v.Text(i))
			}
		case *domain.Map: // found by the name, and by the name with its text
			for _, name := range v.Names() {
				found.add(f, name)
				found.add(f, name+"="+(*v)[name])
			}
		}
	}
	if r := c.Registration(); r != nil {
		found.Registered = RegisteredOf(&c)
		found.addRegistration(r)
	}
	return found
}

// The kinds of facets that are not those of fields.
const (
	facetVia   = "via:"
	facetToken = "registration_token:"
)

// addRegistration adds the facets of a registration.
func (s *Search) addRegistration(r *domain.Registration) {
	if r.Via != "" {
		s.Facets = append(s.Facets, facetVia+string(r.Via))
	}
	if r.TokenID != "" {
		s.Facets = append(s.Facets, facetToken+r.TokenID)
	}
}

// add adds the facet for a value of the field, without duplicates.
func (s *Search) add(f domain.Field, value string) {
	if value = f.FacetValue(value); value == "" {
		return
	}
	if facet := facet(f, value); !slices.Contains(s.Facets, facet) {
		s.Facets = append(s.Facets, facet)
	}
}

func facet(f domain.Field, value string) string { return f.Facet() + ":" + value }

// Facets returns the facets that a client must have to match the query, most
// selective first.
func Facets(q application.Query) []string {
	var wanted []string
	if q.RegistrationToken != "" {
		wanted = append(wanted, facetToken+q.RegistrationToken)
	}
	for _, filter := range []struct {
		field domain.Field
		value string
	}{
		{domain.FieldRedirectURIs, strings.ToLower(q.RedirectHost)},
		{domain.FieldScopes, string(q.Scope)},
		{domain.FieldSoftwareID, q.SoftwareID},
		{domain.FieldOwner, q.Owner},
		{domain.FieldLabels, q.Label},
		{domain.FieldApplicationType, string(q.ApplicationType)},
		{domain.FieldProfile, string(q.Profile)},
		{domain.FieldAuthMethods, string(q.AuthMethod)},
		{domain.FieldGrantTypes, string(q.GrantType)},
		{domain.FieldStatus, string(q.Status)},
	} {
		if filter.value != "" {
			wanted = append(wanted, facet(filter.field, filter.value))
		}
	}
	if q.Via != "" {
		wanted = append(wanted, facetVia+string(q.Via))
	}
	return wanted
}

// Fold returns a name in the form for searches: with Unicode's full case folding, so
// that searches give the same result in every store.
func Fold(name string) string { return cases.Fold().String(name) }

// Pattern returns a pattern for SQL's LIKE that matches every string that contains the
// text. The escape character is the backslash.
func Pattern(text string) string {
	return "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(text) + "%"
}
