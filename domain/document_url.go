package domain

import "strings"

// IsDocumentURL reports whether the identifier begins like the URL of a client ID metadata
// document: with http:// or https://, in any case. No other client has such an identifier.
func (id ClientID) IsDocumentURL() bool { return isMetadataDocumentID(id) }

// CheckDocumentURL validates the URL of a client ID metadata document before it is fetched
// (draft-ietf-oauth-client-id-metadata-document §3). [Policy].Loopback allows http at a
// loopback address.
func (p Policy) CheckDocumentURL(id ClientID) Findings {
	u := parseURI(string(id))
	var findings Findings
	add := func(rule, message string) {
		findings = append(findings, RegistrationFinding(rule, clientIDPointer, message))
	}
	if fault := documentURLFault(id, &u, p.Loopback); fault != "" {
		add(ruleDocumentURL, fault)
		return findings
	}
	if strings.Contains(u.raw, "?") {
		add(ruleDocumentQuery, "the URL has a query; publish the document at a URL without one")
	}
	if u.path == "/" {
		add(ruleDocumentRoot, "the path is /, so the URL names a whole site; publish the document at a path of its own")
	}
	return findings
}

// documentURLFault returns why the URL cannot identify a client, "" if it can.
func documentURLFault(id ClientID, u *uri, loopback bool) string {
	switch {
	case u.fault != "":
		return "client_id is not an absolute URL: " + u.fault
	case !id.IsPossible():
		return "client_id is longer than 255 characters"
	case u.scheme != "https" && (!loopback || u.redirectKind() != RedirectLoopback):
		return "the scheme must be https"
	case u.userinfo:
		return "the URL must not have user information"
	case u.hasFragment:
		return "the URL must not have a fragment"
	case u.path == "":
		return "the URL must have a path"
	case hasDotSegment(u.path):
		return "the path must not have a dot segment"
	default:
		return u.hostFault()
	}
}

// Admits reports whether the policy admits the document with this URL, before it is
// fetched, and returns the ceilings for its client: those of the tenant, narrowed by the
// policy of the entry that has the host. Entries are compared as in
// [RegistrationPolicy.RedirectHosts]; of several the longest applies.
func (p DocumentPolicy) Admits(id ClientID) (ceilings RegistrationPolicy, ok bool) {
	u := parseURI(string(id))
	entry := p.entry(u.canonicalHost())
	switch p.Mode {
	case DocumentsAllow:
		ok = entry != nil
	case DocumentsDeny:
		ok = entry == nil
	case DocumentsAny:
		ok = true
	default:
		ok = false
	}
	ceilings = p.Ceilings.WithDefaults()
	if entry != nil && entry.Policy != nil {
		ceilings = p.Ceilings.Narrow(*entry.Policy)
	}
	return ceilings, ok
}

// entry returns the most specific entry that has the host, nil if none has.
func (p DocumentPolicy) entry(host string) *DocumentHost {
	var found *DocumentHost
	for i := range p.Hosts {
		e := &p.Hosts[i]
		if hostPattern(e.Host).matches(host) && (found == nil || len(e.Host) > len(found.Host) || hostPattern(found.Host).isWildcard() && !hostPattern(e.Host).isWildcard()) {
			found = e
		}
	}
	return found
}
