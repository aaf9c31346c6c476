package domain

import "time"

// DocumentMode is which client ID metadata documents a tenant admits.
type DocumentMode string

// The modes; empty is [DocumentsOff].
const (
	DocumentsOff   DocumentMode = "off"
	DocumentsAllow DocumentMode = "allow" // those of the listed hosts
	DocumentsDeny  DocumentMode = "deny"  // all but those of the listed hosts
	DocumentsAny   DocumentMode = "any"
)

// On reports whether the tenant admits documents.
func (m DocumentMode) On() bool { return m != "" && m != DocumentsOff }

// DocumentPolicy is the policy of a tenant for client ID metadata documents.
type DocumentPolicy struct {
	Mode  DocumentMode
	Hosts []DocumentHost
	// RedirectOrigin is whether redirect URIs must have the host of the client_id; empty
	// is [LinkHostsWarn].
	RedirectOrigin LinkHosts
	// RequireApproval admits only documents that an administrator approved.
	RequireApproval bool
	// MaxBytes limits the size of a document; 0 is [DefaultDocumentBytes].
	MaxBytes int
	// Ceilings are those of the tenant's registration policy.
	Ceilings RegistrationPolicy
}

// Limits of the size of a document, in bytes (draft-ietf-oauth-client-id-metadata-document
// §8.7).
const (
	DefaultDocumentBytes = 5 << 10
	MaxDocumentBytes     = 64 << 10
)

// DocumentHost is an entry of a list of hosts: an exact host, or *. and a domain.
type DocumentHost struct {
	Host string
	// Policy narrows the ceilings for the documents of this host; nil if it does not.
	Policy *RegistrationPolicy
}

// MetadataDocument is a client ID metadata document as it was received.
type MetadataDocument struct {
	URL      ClientID // from which it was fetched
	ClientID string   // the member client_id; empty if it has none
	// Metadata are the members that are client metadata. Lists may contain unknown values.
	Metadata Change
	// Secrets are the forbidden members that the document has, e.g. client_secret.
	Secrets []string
	Digest  string // see [ApprovedDocument.Digest]
	// FetchedAt is when the document was fetched; zero if it was not.
	FetchedAt time.Time
}
