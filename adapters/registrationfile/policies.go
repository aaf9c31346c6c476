// Package registrationfile reads the operator's file about registration from outside: for
// each tenant, whether and what clients may register themselves, which software statements
// are trusted, and which client ID metadata documents are admitted. It implements
// [github.com/clientele-oauth/clientele/application.RegistrationPolicies].
//
// [Parse] reads a text, and [Open] a file, which is read again when it changes. [Schema] is
// the JSON Schema of the file.
package registrationfile

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/clientele-oauth/clientele/adapters/internal/jsonvalue"
	"github.com/clientele-oauth/clientele/adapters/internal/registrationpolicy"
	"github.com/clientele-oauth/clientele/adapters/internal/settingsfile"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// Error is one fault in a file: it has the file, the line, and the JSON Pointer of the
// setting.
type Error = settingsfile.Error

// maxTenantBytes is the maximum length of the name of a tenant.
const maxTenantBytes = 255

// Policies are the policies of a file. They do not change, and are safe for concurrent use.
type Policies struct {
	tenants map[domain.TenantID]application.TenantRegistration
}

// Registration implements [application.RegistrationPolicies].
func (p Policies) Registration(tenant domain.TenantID) application.TenantRegistration {
	return p.tenants[tenant]
}

// Tenants implements [application.RegistrationPolicies].
func (p Policies) Tenants() []domain.TenantID { return slices.Sorted(maps.Keys(p.tenants)) }

// Parse reads the text of a file, in YAML or JSON. The error joins an [*Error] for each
// fault: a key that is unknown or duplicate, and a value of the wrong type, beyond the
// bounds or without effect.
func Parse(file string, text []byte, book *domain.Rulebook) (Policies, error) {
	root, err := settingsfile.Decode(file, text)
	if err != nil {
		return Policies{}, err
	}
	r := &reader{book: book}
	policies := r.file(root.JSON())
	if err := root.Located(file, r.Breaches()); err != nil {
		return Policies{}, err
	}
	return policies, nil
}

// reader reads the file and collects breaches.
type reader struct {
	jsonvalue.Reader

	book *domain.Rulebook
}

func (r *reader) file(root any) Policies {
	policies := Policies{tenants: map[domain.TenantID]application.TenantRegistration{}}
	object, ok := r.Object("", root, fileKeys()...)
	if !ok {
		return policies
	}
	value, given := object["tenants"]
	if !given {
		r.Add("/tenants", "is missing")
		return policies
	}
	tenants, ok := value.(map[string]any)
	if !ok {
		r.Add("/tenants", "must be an object with the names of tenants")
	}
	for _, name := range slices.Sorted(maps.Keys(tenants)) {
		at := "/tenants/" + jsonvalue.Escaped(name)
		if fault := jsonvalue.TextFault(name); fault != "" {
			r.Add(at, "the name of a tenant "+fault)
		} else if len(name) > maxTenantBytes {
			r.Add(at, fmt.Sprintf("the name of a tenant must have at most %d bytes", maxTenantBytes))
		}
		policies.tenants[domain.TenantID(name)] = r.tenant(at, tenants[name])
	}
	return policies
}

func (r *reader) tenant(pointer string, value any) application.TenantRegistration {
	var t application.TenantRegistration
	object, _ := r.Object(pointer, value, tenantKeys()...)
	if registration, given := object["registration"]; given {
		r.registration(pointer+"/registration", registration, &t)
	}
	t.Policy = t.Policy.WithDefaults()
	if cimd, given := object["cimd"]; given {
		t.Documents = r.documents(pointer+"/cimd", cimd, t.Policy)
	}
	t.Documents.Ceilings = t.Policy
	return t
}

// registration reads the registration of a tenant: its own keys, and those of the policy.
func (r *reader) registration(pointer string, value any, t *application.TenantRegistration) {
	object, ok := r.Object(pointer, value, registrationKeys()...)
	if !ok {
		return
	}
	rest := maps.Clone(object)
	maps.DeleteFunc(rest, func(name string, _ any) bool {
		return !slices.Contains(registrationpolicy.Keys(registrationpolicy.InFile), name)
	})
	t.Policy = r.policy(pointer, rest, registrationpolicy.InFile)
	if enabled, given := object["enabled"]; given {
		t.Enabled, _ = r.Bool(pointer+"/enabled", enabled)
	}
	if issuers, given := object["issuers"]; given {
		t.Issuers = r.issuers(pointer+"/issuers", issuers)
	}
	if t.Policy.Statement == domain.StatementRequired && len(t.Issuers) == 0 {
		r.Add(pointer+"/statement", "required needs at least one issuer in issuers")
	}
	r.usable(pointer, t.Policy)
}

// usable checks that clients can be registered under a policy.
func (r *reader) usable(pointer string, policy domain.RegistrationPolicy) {
	for _, finding := range policy.CheckUsable() {
		r.Add(pointer+finding.Pointer, finding.Message)
	}
}

// policy reads the keys of a policy. In addition to their form, it checks that their values
// can have an effect together.
func (r *reader) policy(pointer string, object map[string]any, place registrationpolicy.Place) domain.RegistrationPolicy {
	policy, breaches := registrationpolicy.Read(object, place, pointer)
	for _, breach := range breaches {
		r.Add(breach.Pointer, breach.Message)
	}
	if len(breaches) > 0 {
		return policy
	}
	for i, scope := range policy.DefaultScopes {
		if policy.Scopes != nil && !slices.Contains(policy.Scopes, scope) {
			r.Add(pointer+"/default_scopes/"+strconv.Itoa(i), "must be one of scopes")
		}
	}
	for _, finding := range r.book.CheckWritten(policy) {
		r.Add(pointer+finding.Pointer, finding.Message)
	}
	return policy
}
