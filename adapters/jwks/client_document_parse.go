package jwks

// This file reads client ID metadata documents
// (draft-ietf-oauth-client-id-metadata-document §4).

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/clientele-oauth/clientele/adapters/internal/metadata/self"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// ParseClientDocument reads one JSON object, strictly, see [Parse]. Members that are no
// client metadata, or that only administrators may set, are ignored. A member with a value
// of another type or beyond the bounds of openapi.yaml makes the document malformed. The
// error is an [*application.DocumentError].
func (r *Resolver) ParseClientDocument(id domain.ClientID, text []byte) (domain.MetadataDocument, error) {
	document, _, err := r.documents.parse(id, text)
	return document, err
}

func (d *documents) parse(id domain.ClientID, text []byte) (domain.MetadataDocument, memberDigests, error) {
	reader, err := d.reader()
	if err != nil {
		return domain.MetadataDocument{}, nil, err
	}
	if len(text) > domain.MaxDocumentBytes {
		return domain.MetadataDocument{}, nil, documentMalformed(fmt.Sprintf("the document is larger than %d bytes", domain.MaxDocumentBytes))
	}
	request, findings, err := reader.Read(text)
	if malformed, ok := errors.AsType[*self.MalformedError](err); ok {
		return domain.MetadataDocument{}, nil, documentMalformed("the document " + malformed.Message)
	}
	if err != nil {
		return domain.MetadataDocument{}, nil, err
	}
	if len(findings) > 0 {
		return domain.MetadataDocument{}, nil, &application.DocumentError{
			Reason: application.DocumentMalformed, Message: findings[0].Message, Findings: findings,
		}
	}
	digest := sha256.Sum256(text)
	return domain.MetadataDocument{
		URL: id, ClientID: request.ClientID, Metadata: request.Metadata, Secrets: request.Secrets,
		Digest: "sha-256:" + hex.EncodeToString(digest[:]),
	}, digestMembers(request.Members), nil
}

func documentMalformed(reason string) error {
	return &application.DocumentError{Reason: application.DocumentMalformed, Message: reason}
}

// memberDigests are digests of the values of the members of a document that are client
// metadata, by name.
type memberDigests map[string][sha256.Size]byte

// digestMembers returns the digests of the members of a document. Values that differ only
// in their form have one digest (RFC 8785).
func digestMembers(members map[string]jsontext.Value) memberDigests {
	digests := memberDigests{}
	for f := range domain.SelfFields().All() {
		value, given := members[f.Metadata()]
		if !given || value.Kind() == jsontext.KindNull {
			continue
		}
		if value = value.Clone(); value.Canonicalize() == nil {
			digests[f.Metadata()] = sha256.Sum256(value)
		}
	}
	return digests
}

// differences returns the names of the members that differ, sorted.
func (m memberDigests) differences(before memberDigests) (names []string) {
	for f := range domain.SelfFields().All() {
		name := f.Metadata()
		was, wasGiven := before[name]
		is, isGiven := m[name]
		if wasGiven != isGiven || was != is {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// documentVersion is what is remembered of the last document that was read at a URL.
type documentVersion struct {
	members memberDigests
	own     bool // its client_id is the URL
	changes domain.DocumentChanges
}

// size is about the memory that the version takes, in bytes.
func (v documentVersion) size() int { return 2 * sha256.Size * (len(v.members) + len(v.changes) + 1) }
