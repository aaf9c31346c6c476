package importer

import (
	"net/url"
	"slices"
	"strings"

	"github.com/clientele-oauth/clientele/domain"
)

// keycloakLogout reads where a user is sent after a logout, and where logouts are
// reported.
func keycloakLogout(o, attributes *object, c *domain.Change, root string, redirects *[]domain.RedirectURI) {
	setTexts(c, domain.FieldPostLogoutRedirectURIs, keycloakPostLogout(attributes, root, redirects))
	if c.Names(domain.FieldBackchannelLogoutURI) {
		session, _ := attributeFlag(attributes, "backchannel.logout.session.required")
		setFlag(c, domain.FieldBackchannelLogoutSession, session)
	}
	uri := text[string](attributes, "frontchannel.logout.url")
	switch {
	case uri == nil:
	case !o.flag("frontchannelLogout"):
		attributes.report("frontchannel.logout.url", "is ignored: frontchannelLogout is not set")
	default:
		setText(c, domain.FieldFrontchannelLogoutURI, uri)
		session, given := attributeFlag(attributes, "frontchannel.logout.session.required")
		setFlag(c, domain.FieldFrontchannelLogoutSession, session || !given) // the default of Keycloak is true
	}
}

// keycloakPostLogout reads the URIs after a logout. If there are none, or one is "+", the
// redirect URIs are such URIs; if the first is "-", there are none.
func keycloakPostLogout(attributes *object, root string, redirects *[]domain.RedirectURI) *[]domain.RedirectURI {
	const name = "post.logout.redirect.uris"
	given := attributeList(attributes, name)
	if len(given) > 0 && given[0] == "-" {
		return &[]domain.RedirectURI{}
	}
	list, seen := []domain.RedirectURI{}, map[domain.RedirectURI]bool{}
	add := func(uri domain.RedirectURI) {
		if !seen[uri] {
			seen[uri] = true
			list = append(list, uri)
		}
	}
	for _, uri := range given {
		if uri == "+" {
			continue
		}
		if absolute := absoluteRedirect(attributes, name, uri, root); absolute != "" {
			add(absolute)
		}
	}
	if (len(given) == 0 || slices.Contains(given, "+")) && redirects != nil {
		for _, uri := range *redirects {
			add(uri)
		}
	}
	if len(list) == 0 {
		return nil
	}
	return &list
}

// keycloakWebsite returns the base URL or, if there is none, the root URL.
func keycloakWebsite(o *object, root string) *domain.Link {
	base, _ := take[string](o, "baseUrl")
	given := base
	switch {
	case base == "":
		base = root
	case strings.HasPrefix(base, "/"):
		base = strings.TrimSuffix(root, "/") + base
	}
	if strings.HasPrefix(base, "https://") {
		return new(domain.Link(base))
	}
	if given != "" {
		o.report("baseUrl", given+" is not an https URL")
	}
	return nil
}

// keycloakRedirects makes relative URIs absolute. Patterns cannot be converted: a
// redirect URI must match exactly (RFC 9700 §2.1).
func keycloakRedirects(o *object, root string) *[]domain.RedirectURI {
	list := texts[domain.RedirectURI](o, "redirectUris")
	if list == nil {
		return nil
	}
	kept := []domain.RedirectURI{}
	for _, uri := range *list {
		if absolute := absoluteRedirect(o, "redirectUris", string(uri), root); absolute != "" {
			kept = append(kept, absolute)
		}
	}
	return &kept
}

// absoluteRedirect makes a redirect URI absolute. For one that cannot be converted it
// returns "" and reports the field.
func absoluteRedirect(o *object, field, uri, root string) domain.RedirectURI {
	if strings.HasPrefix(uri, "/") {
		uri = strings.TrimSuffix(root, "/") + uri
	}
	switch {
	case strings.Contains(uri, "*"):
		o.report(field, uri+" is a pattern; name each redirect URI")
	case strings.HasPrefix(uri, "/"):
		o.report(field, uri+" is relative, and there is no rootUrl")
	default:
		return domain.RedirectURI(uri)
	}
	return ""
}

// keycloakOrigins reads the web origins. "+" means the origins of the redirect URIs.
func keycloakOrigins(o *object, root string, redirects *[]domain.RedirectURI) *[]domain.Origin {
	list := texts[domain.Origin](o, "webOrigins")
	if list == nil {
		return nil
	}
	kept := []domain.Origin{}
	keep := func(address string) bool {
		origin := originOf(address)
		if origin != "" && !slices.Contains(kept, origin) {
			kept = append(kept, origin)
		}
		return origin != ""
	}
	for _, origin := range *list {
		switch text := string(origin); {
		case text == "+":
			if redirects != nil {
				for _, uri := range *redirects {
					keep(string(uri))
				}
			}
			o.report("webOrigins", "+ is converted to the origins of the redirect URIs")
		case text == "":
			o.report("webOrigins", "an empty origin allows nothing and is left out")
		case strings.Contains(text, "*"):
			o.report("webOrigins", text+" is a pattern; name each origin")
		case strings.HasPrefix(text, "/"):
			if !keep(root) {
				o.report("webOrigins", text+" is relative, and rootUrl has no origin")
			}
		default:
			if !keep(text) {
				o.report("webOrigins", text+" is not an origin")
			}
		}
	}
	return &kept
}

// originOf returns the origin of an http or https URL (RFC 6454 §4), or "" for any
// other URL.
func originOf(address string) domain.Origin {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return ""
	}
	return domain.Origin(u.Scheme + "://" + u.Host)
}
