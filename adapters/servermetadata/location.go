package servermetadata

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/clientele-oauth/clientele/domain"
)

// Location says where the metadata of the authorization server of a tenant is.
type Location struct {
	// Tenant is the tenant; empty means every tenant without a location of its own.
	Tenant domain.TenantID
	// At is an http or https URL, or the path of a file.
	At string
}

// ParseLocation reads a location in the form [TENANT=]LOCATION, where LOCATION is a URL
// or the path of a file. What is before the first = is the tenant if it has no slash, so
// a URL may contain a =, and a file whose name does is written with its folder.
func ParseLocation(text string) (Location, error) {
	location := Location{At: text}
	if tenant, at, ok := strings.Cut(text, "="); ok && !strings.Contains(tenant, "/") {
		if tenant == "" {
			return Location{}, fmt.Errorf("%q has no tenant before the =", text)
		}
		location = Location{Tenant: domain.TenantID(tenant), At: at}
	}
	if location.At == "" {
		return Location{}, fmt.Errorf("%q has no URL or file", text)
	}
	if location.isURL() {
		switch u, err := url.Parse(location.At); {
		case err != nil || u.Host == "":
			return Location{}, errors.New("a URL of server metadata is not valid")
		case u.User != nil:
			return Location{}, errors.New("a URL of server metadata must not have user information")
		}
	}
	return location, nil
}

// isURL reports whether the location is a URL, and not a file.
func (l Location) isURL() bool {
	scheme, _, ok := strings.Cut(l.At, "://")
	return ok && (strings.EqualFold(scheme, "https") || strings.EqualFold(scheme, "http"))
}

// String returns the location in the form that [ParseLocation] reads.
func (l Location) String() string {
	if l.Tenant == "" {
		return l.At
	}
	return string(l.Tenant) + "=" + l.At
}
