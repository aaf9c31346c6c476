package domain

import (
	"slices"
	"sync"
)

// The ids of the rules about registrations from outside.
const (
	ruleValueDropped   = "registration-value-dropped"
	ruleValueReplaced  = "registration-value-replaced"
	ruleNotAllowed     = "registration-not-allowed"
	ruleMethodReplaced = "registration-auth-method"
	ruleNameMadeUp     = "registration-name"
	ruleRedirectHost   = "registration-redirect-host"
	ruleRedirectKind   = "registration-redirect-kind"
	ruleLinkHost       = "link-host"
	ruleStatement      = "registration-statement"
	ruleClaim          = "registration-statement-claim"
	ruleLocked         = "registration-locked"
	ruleInitialToken   = "registration-token"
	ruleWaits          = "registration-waits"

	// RuleClientIDRepeated and RuleSecretRepeated are the rules about what an update
	// repeats, and RuleForbiddenMember the one about what it must not have.
	RuleClientIDRepeated = "registration-client-id"
	RuleSecretRepeated   = "registration-client-secret"
	RuleForbiddenMember  = "registration-member"

	ruleDocumentURL      = "cimd-url"
	ruleDocumentQuery    = "cimd-url-query"
	ruleDocumentRoot     = "cimd-url-root"
	ruleDocumentID       = "cimd-client-id"
	ruleDocumentName     = "cimd-name"
	ruleDocumentURIs     = "cimd-redirects"
	ruleDocumentSecret   = "cimd-secret"
	ruleDocumentKey      = "cimd-private-key"
	ruleDocumentMethod   = "cimd-method-omitted"
	ruleDocumentLink     = "cimd-link"
	ruleDocumentOrigin   = "cimd-redirect-origin"
	ruleDocumentLoopback = "cimd-loopback-only"
	ruleDocumentManaged  = "cimd-managed"

	// RuleDocumentDigest is the rule about the digest of an approval, and
	// RuleDocumentUnavailable the warning about an approved document that is not usable any
	// more.
	RuleDocumentDigest      = "cimd-digest"
	RuleDocumentUnavailable = "cimd-unavailable"
)

// RegistrationRules lists the rules for clients that register themselves, and for client
// ID metadata documents, in addition to those of [Rules]. They depend on the policy and on
// what was sent, not only on the resulting client.
func RegistrationRules() []Rule {
	rules := append(selfRegistrationRules(), documentRules()...)
	for i := range rules {
		rules[i].in = everywhere
	}
	return rules
}

// PublishedRules lists the rules that responses can name, for documentation: [Rules] and
// [RegistrationRules].
func PublishedRules() []Rule { return slices.Concat(Rules(), RegistrationRules()) }

// registrationRules has the rules by their ids.
//
//nolint:gochecknoglobals // built once, and nothing writes to it
var registrationRules = sync.OnceValue(func() map[string]*Rule {
	byID := map[string]*Rule{}
	for _, rule := range RegistrationRules() {
		byID[rule.ID] = &rule
	}
	return byID
})

// registrationRule returns the rule with the id, which exists.
func registrationRule(id string) *Rule { return registrationRules()[id] }

// reportOf returns a report of the registration rule with the id.
func reportOf(id string) *report { return &report{rule: registrationRule(id)} }

// RegistrationFinding returns a finding of the rule of [RegistrationRules] with that id,
// which must exist: it has the level and the source of the rule, and is not about one
// particular key.
func RegistrationFinding(id, pointer, message string) Finding {
	r := reportOf(id)
	r.add(r.rule.Level, pointer, "", "%s", message)
	return r.findings[0]
}

func selfRegistrationRules() []Rule {
	rules := []Rule{
		{
			ID: RuleRegistrationPolicy, Level: Violation, Source: "own",
			Summary: "a key of a registration policy has an invalid value, or prevents that any client is registered, or the policy of an initial access token allows more than that of the tenant",
		},
		{
			ID: ruleValueDropped, Level: Warning, Source: "RFC 7591 §2, §3.2.1",
			Summary: "a value of a list is unknown, or the policy, the profile or the authorization server does not allow it: it is left out, and the rest is registered",
		},
		{
			ID: ruleNotAllowed, Level: Violation, Source: "RFC 7591 §3.2.1, §3.2.2",
			Summary: "no value is left of a list after the values that are unknown or not allowed",
		},
		{
			ID: ruleValueReplaced, Level: Warning, Source: "RFC 7591 §3.2.1",
			Summary: "a value is not coherent with others, or has no meaning here, and is replaced: a response type that the grants do not allow, response types that follow from the grants and that the policy does not allow, the scopes of a client ID metadata document if none is allowed, an application_type other than web and native, a signature algorithm that means any or none",
		},
		{
			ID: ruleMethodReplaced, Level: Violation, Softens: true, Source: "RFC 7591 §2, §3.2.1",
			Summary: "the policy does not allow the authentication method, or the default one: a warning if the first allowed method that the metadata satisfies replaces it, which is none only if the client did not name a method or PKCE is required",
		},
		{
			ID: ruleNameMadeUp, Level: Warning, Source: "RFC 7591 §2",
			Summary: "client_name is missing: the registry chooses a name",
		},
		{
			ID: ruleRedirectHost, Level: Violation, Source: "RFC 7591 §5; OIDC Registration §3.2",
			Summary: "the policy does not allow the host of a redirect URI, of a post-logout redirect URI or of a logout URI; the host of a private-use scheme is the scheme in reverse order",
		},
		{
			ID: ruleRedirectKind, Level: Violation, Source: "RFC 8252 §7; OIDC Registration §3.2",
			Summary: "the policy does not allow redirect URIs, post-logout redirect URIs and logout URIs of this kind: https, loopback or private-use",
		},
		{
			ID: ruleLinkHost, Level: Violation, Softens: true, Source: "RFC 7591 §5",
			Summary: "the host of logo_uri, client_uri, tos_uri or policy_uri is not that of a redirect URI; a warning unless the policy requires it",
		},
		{
			ID: ruleStatement, Level: Violation, Source: "RFC 7591 §2.3",
			Summary: "the policy requires a software statement, and there is none",
		},
		{
			ID: ruleClaim, Level: Violation, Softens: true, Source: "RFC 7591 §2.3, §3.1.1",
			Summary: "the client sends another value than its software statement: a warning, and that of the statement applies; a violation for a redirect URI that is not in the statement",
		},
		{
			ID: ruleInitialToken, Level: Violation, Source: "own",
			Summary: "a property of a new initial access token is out of bounds: its lifetime, its uses or its description",
		},
		{
			ID: ruleWaits, Level: Warning, Source: "own",
			Summary: "the policy suspends new clients: the registration waits for an administrator",
		},
		{
			ID: RuleClientIDRepeated, Level: Violation, Source: "RFC 7592 §2.2",
			Summary: "an update does not have the client_id of the client",
		},
		{
			ID: RuleSecretRepeated, Level: Violation, Source: "RFC 7592 §2.2",
			Summary: "an update has a client_secret that is no valid secret of the client",
		},
		{
			ID: RuleForbiddenMember, Level: Violation, Source: "RFC 7592 §2.2",
			Summary: "an update has registration_access_token, registration_client_uri, client_secret_expires_at or client_id_issued_at",
		},
		{
			ID: ruleLocked, Level: Warning, Source: "RFC 7591 §3.2.1; RFC 7592 §2.2",
			Summary: "the client sends another value for a field that an administrator changed, which it keeps",
		},
	}
	for i := range rules {
		rules[i].Subject = "Registration from outside"
	}
	return rules
}

func documentRules() []Rule {
	rules := []Rule{
		{
			ID: ruleDocumentURL, Level: Violation, Source: "CIMD §3",
			Summary: "the client_id of a client ID metadata document is not an https URL with a path, or has user information, a fragment, a dot segment (also encoded), a backslash, a space, a control character or an ambiguous host, or is longer than 255 characters",
		},
		{
			ID: ruleDocumentQuery, Level: Warning, Source: "CIMD §3",
			Summary: "the URL of a client ID metadata document has a query",
		},
		{
			ID: ruleDocumentRoot, Level: Warning, Source: "CIMD §3",
			Summary: "the path of the URL of a client ID metadata document is /",
		},
		{
			ID: ruleDocumentID, Level: Violation, Source: "CIMD §4",
			Summary: "the client_id in the document is not the URL of the document, byte for byte",
		},
		{
			ID: ruleDocumentName, Level: Warning, Source: "MCP authorization",
			Summary: "the document has no client_name",
		},
		{
			ID: ruleDocumentURIs, Level: Violation, Source: "CIMD §4.2",
			Summary: "the document has no redirect_uris, and a grant type needs one",
		},
		{
			ID: ruleDocumentSecret, Level: Violation, Source: "CIMD §4.1",
			Summary: "the document has client_secret or client_secret_expires_at, an authentication method with a shared secret, or an algorithm with a shared key",
		},
		{
			ID: ruleDocumentKey, Level: Violation, Source: "CIMD §4.1",
			Summary: "a key in the document has private parameters, or is symmetric",
		},
		{
			ID: ruleDocumentMethod, Level: Warning, Source: "own; CIMD §4.1",
			Summary: "the document has no token_endpoint_auth_method, which is read as none, since the default client_secret_basic is not allowed",
		},
		{
			ID: ruleDocumentLink, Level: Violation, Source: "CIMD §8.6",
			Summary: "a URI other than those of redirect_uris and post_logout_redirect_uris is not https",
		},
		{
			ID: ruleDocumentOrigin, Level: Violation, Softens: true, Source: "CIMD §8.1",
			Summary: "the host of a redirect URI is not that of the client_id; a warning unless the policy requires it",
		},
		{
			ID: ruleDocumentLoopback, Level: Warning, Source: "MCP authorization, security considerations",
			Summary: "every redirect URI is at a loopback address or has a private-use scheme, and the client does not authenticate: every program on the machine of a user can act as this client",
		},
		{
			ID: RuleDocumentDigest, Level: Violation, Source: "own",
			Summary: "an approval has another digest than the document has now",
		},
		{
			ID: RuleDocumentUnavailable, Level: Warning, Source: "own",
			Summary: "an approved document cannot be used any more: it stays in force as it was approved",
		},
		{
			ID: ruleDocumentManaged, Level: Violation, Source: "own",
			Summary: "an administrator changes metadata that the document of the client sets",
		},
	}
	for i := range rules {
		rules[i].Subject = "Client ID metadata documents"
	}
	return rules
}
