package registrationfile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/clientele-oauth/clientele/adapters/internal/contract"
	"github.com/clientele-oauth/clientele/adapters/internal/metadata/self"
	"github.com/clientele-oauth/clientele/adapters/internal/registrationpolicy"
	"github.com/clientele-oauth/clientele/adapters/internal/settingsfile"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// Checker compares registration requests and client ID metadata documents with the policy
// of a tenant, without a registry and without a network.
type Checker struct {
	inspector *application.Inspector
	documents DocumentParser
	requests  *self.Reader
	policies  *contract.Schema // of the policy of an initial access token in the API
}

// DocumentParser reads the text of client ID metadata documents.
type DocumentParser interface {
	// ParseClientDocument reads the text of the document at a URL. The error is an
	// [*application.DocumentError].
	ParseClientDocument(url domain.ClientID, text []byte) (domain.MetadataDocument, error)
}

// NewChecker returns a checker. The error reports an invalid openapi.yaml.
func NewChecker(inspector *application.Inspector, documents DocumentParser) (*Checker, error) {
	requests, err := self.NewReader()
	if err != nil {
		return nil, err
	}
	policies, err := contract.RequestSchema("RegistrationPolicy")
	if err != nil {
		return nil, err
	}
	return &Checker{inspector, documents, requests, policies}, nil
}

// Checked is the result of a comparison.
type Checked struct {
	// Client is the client that would be registered; nil if there is a violation.
	Client   *domain.Client
	Findings []LocatedFinding
}

// LocatedFinding is a finding with its pointer in the standard names, and its line in the
// text; 0 if it has none.
type LocatedFinding struct {
	domain.Finding

	Line int
}

// Request checks a registration request in JSON (RFC 7591 §3.1). token is the policy of the
// initial access token; nil for one that narrows nothing. The software statement is not
// verified.
func (c *Checker) Request(
	ctx context.Context, tenant domain.TenantID, of application.TenantRegistration, token *domain.RegistrationPolicy, text []byte,
) Checked {
	var findings domain.Findings
	if !of.Enabled {
		findings = append(findings, fromPolicy("registration is switched off for this tenant; set enabled"))
	}
	request, malformed, err := c.requests.Read(text)
	if err != nil {
		return checked(text, nil, append(findings, unreadable("RFC 7591 §3.1", fmt.Errorf("the request %w", err))))
	}
	registration := domain.SelfRegistration{Metadata: request.Metadata, Policy: of.Policy}
	if token != nil {
		registration.Policy = of.Policy.Narrow(*token)
	}
	if request.Statement != "" {
		registration.Statement = &domain.Statement{Text: request.Statement}
		findings = append(findings, statementFinding(of.TrustedIssuers(registration.Policy)))
	}
	draft := c.inspector.Book.RegisterSelf(domain.Identity{TenantID: tenant}, registration)
	outcome := c.inspector.Decide(ctx, draft)
	findings = append(append(findings, self.Places(malformed)...), self.Places(outcome.Findings.Independent(malformed.Fields()))...)
	return checked(text, c.shown(outcome.Client), findings)
}

// Document checks a client ID metadata document and its URL. If the tenant requires an
// approval, a warning says so.
func (c *Checker) Document(
	ctx context.Context, tenant domain.TenantID, of application.TenantRegistration, url domain.ClientID, text []byte,
) Checked {
	findings := self.Places(c.inspector.Book.Policy().CheckDocumentURL(url))
	if findings.HasViolations() {
		return checked(text, nil, findings)
	}
	most := cmp.Or(of.Documents.MaxBytes, domain.DefaultDocumentBytes)
	if _, admitted := of.Documents.Admits(url); !admitted {
		findings = append(findings, fromPolicy("the tenant does not admit client ID metadata documents of this host; see cimd"))
	} else if len(text) > most {
		findings = append(findings, fromPolicy(fmt.Sprintf("the document has %d bytes, and at most %d are allowed; see max_bytes", len(text), most)))
	}
	document, err := c.documents.ParseClientDocument(url, text)
	if failed, ok := errors.AsType[*application.DocumentError](err); ok && len(failed.Findings) > 0 {
		return checked(text, nil, append(findings, self.Places(failed.Findings)...))
	} else if err != nil {
		return checked(text, nil, append(findings, unreadable("draft-ietf-oauth-client-id-metadata-document §4", err)))
	}
	if of.Documents.RequireApproval {
		waits := fromPolicy("the document is used only after an administrator approves it; see approval")
		waits.Level = domain.Warning
		findings = append(findings, waits)
	}
	outcome := c.inspector.Decide(ctx, c.inspector.Book.RegisterDocument(tenant, document, of.Documents))
	return checked(text, c.shown(outcome.Client), append(findings, self.Places(outcome.Findings)...))
}

// shown returns the client as a response shows it, with the response types that it may
// request.
func (c *Checker) shown(client domain.Client) *domain.Client {
	shown := client.WithResponseTypes(c.inspector.Book.Effective(client.Settings()).ResponseTypes)
	return &shown
}

// checked locates the findings in the text.
func checked(text []byte, client *domain.Client, findings domain.Findings) Checked {
	result := Checked{Client: client}
	if findings.HasViolations() {
		result.Client = nil
	}
	root, err := settingsfile.Decode("", text)
	for _, f := range findings {
		located := LocatedFinding{Finding: f}
		if err == nil {
			located.Line = root.LineOf(f.Pointer)
		}
		result.Findings = append(result.Findings, located)
	}
	return result
}

// fromPolicy returns a violation of the policy as a whole.
func fromPolicy(message string) domain.Finding {
	return domain.RegistrationFinding(domain.RuleRegistrationPolicy, "", message)
}

// unreadable returns a violation for a text that cannot be read.
func unreadable(source string, err error) domain.Finding {
	message := err.Error()
	if failed, ok := errors.AsType[*application.DocumentError](err); ok {
		message = failed.Message
	}
	return domain.Finding{Rule: contract.RuleContract, Source: source, Level: domain.Violation, Message: message, KeyIndex: domain.NoKey}
}

// statementFinding returns the finding for a software statement in a request in JSON. The
// statement is not verified.
func statementFinding(trusted []domain.StatementIssuer) domain.Finding {
	f := fromPolicy("the software statement is not verified here, and its claims are not applied")
	f.Pointer = "/software_statement"
	switch {
	case len(trusted) == 0:
		f.Message = "software statements are not accepted; see statement and issuers"
	case !slices.ContainsFunc(trusted, func(i domain.StatementIssuer) bool { return !i.RequestJWT }):
		f.Message = "software statements are accepted only in requests that are JWTs; see request_jwt"
	default:
		f.Level = domain.Warning
	}
	return f
}

// TokenPolicy reads the policy of an initial access token of the tenant, in YAML or JSON. The
// error joins an [*Error] for each fault.
func (c *Checker) TokenPolicy(file string, text []byte, of application.TenantRegistration) (domain.RegistrationPolicy, error) {
	root, err := settingsfile.Decode(file, text)
	if err != nil {
		return domain.RegistrationPolicy{}, err
	}
	object, ok := root.JSON().(map[string]any)
	if !ok {
		return domain.RegistrationPolicy{}, &Error{File: file, Line: root.LineOf(""), Message: "must be an object"}
	}
	policy, breaches := registrationpolicy.Read(object, registrationpolicy.InToken, "")
	if len(breaches) == 0 {
		breaches = c.policies.Check(object) // which allows less: durations are numbers
	}
	if len(breaches) == 0 {
		for _, finding := range of.CheckTokenPolicy(c.inspector.Book, policy) {
			breaches = append(breaches, contract.Breach{Pointer: finding.Pointer, Message: finding.Message})
		}
	}
	return policy, root.Located(file, breaches)
}
