package registrationpolicy

import (
	"slices"
	"time"

	"github.com/clientele-oauth/clientele/adapters/internal/contract"
	"github.com/clientele-oauth/clientele/adapters/internal/jsonobject"
	"github.com/clientele-oauth/clientele/adapters/internal/jsonvalue"
	"github.com/clientele-oauth/clientele/domain"
)

// key is a row of the table: one key of the JSON form and its field of the policy.
type key struct {
	name   string
	places Place
	// writes is the name of the field of each client that gets the value; empty if none does.
	writes string
	// read sets the field, or adds breaches at the pointer.
	read func(r *jsonvalue.Reader, pointer string, value any, p *domain.RegistrationPolicy)
	// write writes the field if it is given.
	write func(w *jsonobject.Writer, name string, p *domain.RegistrationPolicy)
}

// writing returns the key with the field of each client that gets its value.
func (k key) writing(f domain.Field) key {
	k.writes = f.String()
	return k
}

// policy is short for the type of which each key is a field.
type policy = domain.RegistrationPolicy

const (
	everywhere    = InFile | InToken | InDocuments | Stored
	registrations = InFile | InToken | Stored // not for documents, which register nothing
	onlyTenants   = InFile | Stored
)

// keys returns the table, in the order of the specification.
func keys() []key {
	return []key{
		flag("open", onlyTenants, true, func(p *policy) *bool { return &p.Open }),
		list("redirect_hosts", everywhere, HostFault, func(p *policy) *[]string { return &p.RedirectHosts }),
		list("redirect_kinds", everywhere, jsonvalue.OneOf(domain.RedirectKinds()...), func(p *policy) *[]domain.RedirectKind { return &p.RedirectKinds }),
		list("grants", everywhere, grantFault, func(p *policy) *[]domain.GrantType { return &p.Grants }),
		list("response_types", everywhere, responseTypeFault, func(p *policy) *[]domain.ResponseType { return &p.ResponseTypes }),
		list("auth_methods", everywhere, jsonvalue.OneOf(domain.AuthMethods()...), func(p *policy) *[]domain.AuthMethod { return &p.AuthMethods }),
		list("scopes", everywhere, jsonvalue.ScopeFault, func(p *policy) *[]domain.Scope { return &p.Scopes }),
		list("default_scopes", everywhere, jsonvalue.ScopeFault, func(p *policy) *[]domain.Scope { return &p.DefaultScopes }).writing(domain.FieldScopes),
		list("resources", everywhere, resourceFault, func(p *policy) *[]string { return &p.Resources }).writing(domain.FieldResources),
		list("authorization_details_types", everywhere, jsonvalue.TextFault, func(p *policy) *[]string { return &p.AuthorizationDetailsTypes }),
		profile(),
		flag("require_pkce", everywhere, true, func(p *policy) *bool { return &p.RequirePKCE }),
		flag("par", everywhere, true, func(p *policy) *bool { return &p.PAR }),
		flag("dpop", everywhere, true, func(p *policy) *bool { return &p.DPoP }),
		flag("mtls", everywhere, true, func(p *policy) *bool { return &p.MTLS }),
		flag("signed_requests", everywhere, true, func(p *policy) *bool { return &p.SignedRequests }),
		choice("initial_status", registrations, statuses(), func(p *policy) *domain.Status { return &p.InitialStatus }),
		texts("labels", everywhere, func(p *policy) *map[string]string { return &p.Labels }).writing(domain.FieldLabels),
		text("owner", everywhere, func(p *policy) *string { return &p.Owner }).writing(domain.FieldOwner),
		number("access_token_lifetime", everywhere, maxLifetime, func(p *policy) *int64 { return &p.AccessTokenLifetime }).writing(domain.FieldAccessTokenLifetime),
		number("id_token_lifetime", everywhere, maxLifetime, func(p *policy) *int64 { return &p.IDTokenLifetime }).writing(domain.FieldIDTokenLifetime),
		number("refresh_token_lifetime", everywhere, maxLifetime, func(p *policy) *int64 { return &p.RefreshTokenLifetime }).writing(domain.FieldRefreshTokenLifetime),
		choice("link_hosts", everywhere, domain.LinkHostsModes(), func(p *policy) *domain.LinkHosts { return &p.LinkHosts }),
		choice("statement", registrations, domain.StatementModes(), func(p *policy) *domain.StatementMode { return &p.Statement }),
		list("issuers", InToken|Stored, jsonvalue.TextFault, func(p *policy) *[]string { return &p.Issuers }),
		number("max_clients", registrations, MaxClients, func(p *policy) *int { return &p.MaxClients }),
		duration("secret_ttl", registrations, func(p *policy) *time.Duration { return &p.SecretTTL }),
		duration("unused_ttl", onlyTenants, func(p *policy) *time.Duration { return &p.UnusedTTL }),
		flag("management", registrations, false, func(p *policy) *bool { return &p.Unmanaged }),
		flag("rotate_on_update", registrations, true, func(p *policy) *bool { return &p.RotateOnUpdate }),
		flag("cors", onlyTenants, true, func(p *policy) *bool { return &p.CORS }),
	}
}

// maxLifetime is the maximum of a lifetime of tokens, in seconds: the rule
// token-lifetime allows at most this for any token.
const maxLifetime = 5 * 365 * 24 * 60 * 60

func profiles() []domain.Profile {
	return slices.Concat([]domain.Profile{contract.NoProfile, domain.ProfileFAPI1, domain.ProfileFAPI2}, domain.Profiles())
}

func statuses() []domain.Status { return []domain.Status{domain.StatusActive, domain.StatusSuspended} }

// flag is a key with a boolean. The field is true if the key has the value set.
func flag(name string, places Place, set bool, field func(*policy) *bool) key {
	return key{
		name: name, places: places,
		read: func(r *jsonvalue.Reader, pointer string, value any, p *policy) {
			if given, ok := r.Bool(pointer, value); ok {
				*field(p) = given == set
			}
		},
		write: func(w *jsonobject.Writer, name string, p *policy) {
			if *field(p) {
				w.Bool(name, set)
			}
		},
	}
}

// list is a key with strings. fault returns what is wrong with one, or "".
func list[S ~string](name string, places Place, fault func(string) string, field func(*policy) *[]S) key {
	return key{
		name: name, places: places,
		read: func(r *jsonvalue.Reader, pointer string, value any, p *policy) {
			if elements, ok := r.Texts(pointer, value, fault); ok {
				*field(p) = make([]S, len(elements))
				for i, element := range elements {
					(*field(p))[i] = S(element)
				}
			}
		},
		write: func(w *jsonobject.Writer, name string, p *policy) {
			if *field(p) != nil {
				jsonobject.Texts(w, name, *field(p))
			}
		},
	}
}

// profile is the key of the profile. Its value none is no profile.
func profile() key {
	k := choice("profile", everywhere, profiles(), func(p *policy) *domain.Profile { return &p.Profile })
	read := k.read
	k.read = func(r *jsonvalue.Reader, pointer string, value any, p *policy) {
		if read(r, pointer, value, p); p.Profile == contract.NoProfile {
			p.Profile = domain.ProfileNone
		}
	}
	return k
}

// choice is a key with one of several values.
func choice[S ~string](name string, places Place, values []S, field func(*policy) *S) key {
	return key{
		name: name, places: places,
		read: func(r *jsonvalue.Reader, pointer string, value any, p *policy) {
			if given, ok := jsonvalue.Choice(r, pointer, value, values...); ok {
				*field(p) = given
			}
		},
		write: func(w *jsonobject.Writer, name string, p *policy) { w.TextUnlessEmpty(name, string(*field(p))) },
	}
}

func text(name string, places Place, field func(*policy) *string) key {
	return key{
		name: name, places: places,
		read: func(r *jsonvalue.Reader, pointer string, value any, p *policy) {
			if given, ok := r.Text(pointer, value, jsonvalue.TextFault); ok {
				*field(p) = given
			}
		},
		write: func(w *jsonobject.Writer, name string, p *policy) { w.TextUnlessEmpty(name, *field(p)) },
	}
}

// texts is a key with an object of strings.
func texts(name string, places Place, field func(*policy) *map[string]string) key {
	return key{
		name: name, places: places,
		read: func(r *jsonvalue.Reader, pointer string, value any, p *policy) {
			if given, ok := r.TextMap(pointer, value, domain.MaxLabels, domain.MaxLabelNameLength, jsonvalue.Printable); ok {
				*field(p) = given
			}
		},
		write: func(w *jsonobject.Writer, name string, p *policy) {
			if *field(p) != nil {
				given := domain.Map(*field(p))
				jsonobject.Value(w, name, &given)
			}
		},
	}
}

// number is a key with a positive integer.
func number[N int | int64](name string, places Place, most N, field func(*policy) *N) key {
	return key{
		name: name, places: places,
		read: func(r *jsonvalue.Reader, pointer string, value any, p *policy) {
			if given, ok := r.Integer(pointer, value, 1, int64(most)); ok {
				*field(p) = N(given)
			}
		},
		write: func(w *jsonobject.Writer, name string, p *policy) {
			if *field(p) != 0 {
				w.Int(name, int64(*field(p)))
			}
		},
	}
}

// duration is a key with whole seconds, as a number or as in 24h.
func duration(name string, places Place, field func(*policy) *time.Duration) key {
	return key{
		name: name, places: places,
		read: func(r *jsonvalue.Reader, pointer string, value any, p *policy) {
			if given, ok := r.Duration(pointer, value); ok {
				*field(p) = given
			}
		},
		write: func(w *jsonobject.Writer, name string, p *policy) {
			if *field(p) != 0 {
				w.Int(name, int64(*field(p)/time.Second))
			}
		},
	}
}
