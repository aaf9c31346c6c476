package rest

import (
	"time"

	"github.com/clientele-oauth/clientele/adapters/internal/jsonobject"
	"github.com/clientele-oauth/clientele/adapters/internal/metadata"
	"github.com/clientele-oauth/clientele/domain"
)

// metadataType is the media type of responses with clients in the standard names. It
// differs from that of other responses because openapi.yaml has one schema per type.
const metadataType = "application/vnd.clientele.rfc7591+json"

// formatRFC7591 is the value of the parameter format for the standard names.
const formatRFC7591 = "rfc7591"

// clientForm is the form in which a response shows clients. The zero value is the form of
// the API.
type clientForm struct {
	standard  bool // in the standard names (RFC 7591 §2)
	effective bool // with what an authorization server is to apply
	keys      bool // with the inline keys, which clients in the standard names always have
	revision  bool // with the number of the revision
	verifiers bool // with the hashes of the secrets, which need a permission of their own
}

// formOf returns the form of clients at their current revision that the parameters of a
// request select.
func formOf[F ~string](format *F, effective *bool, keys bool) clientForm {
	return clientForm{
		standard: valueOr(format, "") == formatRFC7591, effective: valueOr(effective, false), keys: keys, revision: true,
	}
}

// contentType returns the media type of a response with clients in the form.
func (f clientForm) contentType() string {
	if f.standard {
		return metadataType
	}
	return jsonType
}

// writeClient writes the fields of a client. Reads, lists, snapshots and the feed use it, so
// that a client has one form in all of them. now determines which secrets have expired.
func (s *server) writeClient(w *jsonobject.Writer, c *domain.Client, now time.Time, form clientForm) {
	switch {
	case form.standard && form.effective:
		metadata.Write(w, new(s.resolved(c)), true)
	case form.standard:
		metadata.Write(w, c, false)
	default:
		s.writeItem(w, c, now)
		if form.revision {
			w.Int("revision", int64(c.Revision()))
		}
		if form.keys && c.Filled().Has(domain.FieldJWKS) {
			jsonobject.Value(w, domain.FieldJWKS.String(), c.Value(domain.FieldJWKS))
		}
		if form.effective && !c.Purged() {
			w.Object("effective", func() { s.writeEffective(w, new(s.resolved(c))) })
		}
	}
	if form.verifiers && !c.State().SecretsUnreadable {
		writeSecretVerifiers(w, c.LiveSecrets(now))
	}
}

// resolved returns the client with the settings that an authorization server is to apply.
// They are never stored.
func (s *server) resolved(c *domain.Client) domain.Client {
	state := c.State()
	state.Settings = s.registry.Effective(state.Settings)
	return domain.Restore(state)
}

// writeEffective writes the settings of a resolved client. It always writes
// response_types, because the default of RFC 7591 §2 for an absent field is "code".
func (s *server) writeEffective(w *jsonobject.Writer, resolved *domain.Client) {
	for f := range s.alwaysShown.Union(resolved.Filled()).Union(domain.FieldsOf(domain.FieldResponseTypes)).All() {
		writeField(w, resolved, f)
	}
}
