// Package self is the form of client metadata in which clients describe themselves: the
// requests and responses of dynamic registration (RFC 7591, RFC 7592) and client ID metadata
// documents (draft-ietf-oauth-client-id-metadata-document).
//
// It is more tolerant than the form of package metadata, as these specifications require:
// unknown members are ignored, and so are the members that only administrators may set.
// [Reader.Read] reads the form and [Write] writes it; both are loops over
// [domain.SelfFields].
package self

import (
	"github.com/clientele-oauth/clientele/adapters/internal/jsonobject"
	"github.com/clientele-oauth/clientele/adapters/internal/metadata"
	"github.com/clientele-oauth/clientele/domain"
)

// Names of members that are no client metadata.
const (
	clientID          = "client_id"
	clientSecret      = "client_secret"
	softwareStatement = "software_statement"
	issuedAt          = "client_id_issued_at"
	secretExpiresAt   = "client_secret_expires_at"
	managementURI     = "registration_client_uri"
	managementToken   = "registration_access_token"
)

// Write writes the metadata of a client for a response to the client itself (RFC 7591
// §3.2.1): the client_id and when it was issued, unless none was, as in a dry run, and the
// members that are set. grant_types and
// response_types are always written, because the defaults of RFC 7591 §2 for absent ones
// are not those of the registry. A name that the registry chose is not written.
func Write(w *jsonobject.Writer, c *domain.Client) {
	if id := c.Identity().ClientID; id != "" {
		w.Text(clientID, string(id))
		w.Int(issuedAt, c.CreatedAt().Unix())
	}
	WriteMetadata(w, c)
	if registration := c.Registration(); registration != nil && registration.Statement != nil {
		w.Text(softwareStatement, registration.Statement.Text)
	}
}

// WriteMetadata writes the members of [Write] that are fields of the configuration.
func WriteMetadata(w *jsonobject.Writer, c *domain.Client) {
	shown := c.Filled().Union(domain.FieldsOf(domain.FieldGrantTypes, domain.FieldResponseTypes))
	if registration := c.Registration(); registration != nil && registration.MadeUpName {
		shown.Remove(domain.FieldName)
	}
	members := domain.SelfFields()
	for f := range shown.All() {
		if members.Has(f) {
			metadata.WriteField(w, c, f)
		}
	}
}

// Place returns the JSON Pointer in the standard names of the value at a pointer into a
// configuration.
func Place(pointer string) string {
	// A client cannot set is_confidential: it follows from its authentication method.
	d, _, _ := metadata.Recognize(map[string]any{domain.FieldAuthMethods.Metadata(): nil})
	return d.Place(pointer)
}

// Places returns findings with the pointers of [Place].
func Places(findings domain.Findings) domain.Findings {
	placed := make(domain.Findings, len(findings))
	for i, f := range findings {
		f.Pointer = Place(f.Pointer)
		placed[i] = f
	}
	return placed
}
