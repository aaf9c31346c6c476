package rest

import (
	"time"

	"github.com/clientele-oauth/clientele/adapters/internal/jsonobject"
	"github.com/clientele-oauth/clientele/domain"
)

// clientForm is the form in which a response shows clients.
type clientForm struct {
	keys bool // with the inline keys
}

// writeClient writes the fields of a client at its current revision. Reads, lists and
// snapshots use it, so that a client has one form in all of them. now determines which
// secrets have expired.
func (s *server) writeClient(w *jsonobject.Writer, c *domain.Client, now time.Time, form clientForm) {
	s.writeItem(w, c, now)
	w.Int("revision", int64(c.Revision()))
	if form.keys && c.Filled().Has(domain.FieldJWKS) {
		jsonobject.Value(w, domain.FieldJWKS.String(), c.Value(domain.FieldJWKS))
	}
}
