package report

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/clientele-oauth/clientele/adapters/internal/jsonobject"
	"github.com/clientele-oauth/clientele/adapters/internal/metadata/self"
	"github.com/clientele-oauth/clientele/domain"
)

// Registration is the check of a file about registration from outside, and of what was
// compared with it.
type Registration struct {
	File    string
	Tenants []TenantPolicy
	Checks  []RegistrationCheck
}

// TenantPolicy is what a file allows for a tenant.
type TenantPolicy struct {
	Tenant       domain.TenantID
	Registration bool // switched on
	Open         bool // without an initial access token
	Issuers      int  // of software statements
	Documents    domain.DocumentMode
}

// RegistrationCheck is the result for a registration request or a client ID metadata
// document.
type RegistrationCheck struct {
	File     string
	Tenant   domain.TenantID
	Client   *domain.Client // that would be registered; nil if there is a violation
	Findings []Finding      // with pointers in the standard names
}

// RegistrationText writes a line for each tenant or, if there are checks, for each finding,
// and the clients that would be registered, as JSON in the standard names.
func RegistrationText(w io.Writer, r Registration) error {
	var text strings.Builder
	fmt.Fprintf(&text, "%s: valid, %s\n", Printable(r.File), counted(len(r.Tenants), "tenant"))
	for _, t := range r.Tenants {
		if len(r.Checks) == 0 {
			fmt.Fprintf(&text, "%s: %s\n", Printable(string(t.Tenant)), t.summary())
		}
	}
	for _, check := range r.Checks {
		for _, finding := range check.Findings {
			writeFinding(&text, check.File, finding)
		}
		if check.Client == nil {
			fmt.Fprintf(&text, "%s: rejected for %s\n", Printable(check.File), Printable(string(check.Tenant)))
			continue
		}
		fmt.Fprintf(&text, "%s: accepted for %s, as\n", Printable(check.File), Printable(string(check.Tenant)))
		if err := indented(&text, standardNames(check.Client)); err != nil {
			return err
		}
	}
	_, err := io.WriteString(w, text.String())
	return err
}

// summary returns what is allowed, in words.
func (t TenantPolicy) summary() string {
	registration := "registration off"
	switch {
	case t.Registration && t.Open:
		registration = "open registration"
	case t.Registration:
		registration = "registration with an initial access token"
	}
	return fmt.Sprintf("%s, %s of software statements, client ID metadata documents %s", registration, counted(t.Issuers, "issuer"), t.Documents)
}

// standardNames returns the members of the client that it set or that it got, in the form of
// a response to it (RFC 7591 §3.2.1).
func standardNames(c *domain.Client) json.RawMessage {
	var w jsonobject.Writer
	w.Object("", func() {
		w.TextUnlessEmpty("client_id", string(c.Identity().ClientID))
		self.WriteMetadata(&w, c)
	})
	return json.RawMessage(w)
}

// The JSON form of the check of a file about registration from outside.
type (
	registrationJSON struct {
		File    string                  `json:"file"`
		Tenants []tenantPolicyJSON      `json:"tenants"`
		Checks  []registrationCheckJSON `json:"checks"`
	}
	tenantPolicyJSON struct {
		Tenant       string `json:"tenant_id"`
		Registration bool   `json:"registration"`
		Open         bool   `json:"open"`
		Issuers      int    `json:"issuers"`
		Documents    string `json:"cimd"`
	}
	registrationCheckJSON struct {
		File       string          `json:"file"`
		Tenant     string          `json:"tenant_id"`
		Compliant  bool            `json:"compliant"`
		Violations []findingJSON   `json:"violations"`
		Warnings   []findingJSON   `json:"warnings"`
		Client     json.RawMessage `json:"client,omitempty"`
	}
)

// RegistrationJSON writes the results as JSON.
func RegistrationJSON(w io.Writer, r Registration) error {
	written := registrationJSON{File: r.File, Tenants: []tenantPolicyJSON{}, Checks: []registrationCheckJSON{}}
	for _, t := range r.Tenants {
		written.Tenants = append(written.Tenants, tenantPolicyJSON{string(t.Tenant), t.Registration, t.Open, t.Issuers, string(t.Documents)})
	}
	for _, check := range r.Checks {
		presented := registrationCheckJSON{File: check.File, Tenant: string(check.Tenant), Compliant: check.Client != nil}
		presented.Violations, presented.Warnings = findingsJSON(check.Findings)
		if check.Client != nil {
			presented.Client = standardNames(check.Client)
		}
		written.Checks = append(written.Checks, presented)
	}
	return indented(w, written)
}
