package document

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// Row is a stored client or revision before it is decoded. The columns next to the
// document identify it.
type Row struct {
	TenantID domain.TenantID
	ClientID domain.ClientID
	Revision domain.RevisionNumber
	Document []byte
	Secrets  []byte // nil for a revision
	// Registration is nil for a revision, and for a client without one.
	Registration []byte
}

// Unreadable returns the error for the row whose document could not be decoded; err is
// the error of [Decode].
func (r Row) Unreadable(part application.RecordPart, err error) *application.UnreadableError {
	reason := strings.TrimPrefix(err.Error(), application.ErrUnreadable.Error()+": ")
	return &application.UnreadableError{UnreadableRecord: application.UnreadableRecord{
		TenantID: r.TenantID, ClientID: r.ClientID, Revision: r.Revision, Part: part, Reason: reason,
	}}
}

// Decode decodes the client of the row. The error is an
// [*application.UnreadableError] if the document or the registration cannot be decoded, or
// the document belongs to a different client or revision than the columns.
func (r Row) Decode() (domain.Client, error) {
	c, err := decode(r.Document, r.Secrets, r.Registration)
	if err == nil {
		err = r.compare(c)
	}
	if errors.Is(err, errRegistration) {
		return domain.Client{}, r.Unreadable(application.PartRegistration, err)
	}
	if err != nil {
		return domain.Client{}, r.Unreadable(application.PartDocument, err)
	}
	return c, nil
}

// Tombstone returns a client with only the data from the columns, for a row whose
// document cannot be decoded.
func (r Row) Tombstone() domain.Client {
	return domain.Restore(domain.State{Identity: domain.Identity{TenantID: r.TenantID, ClientID: r.ClientID}, Revision: r.Revision})
}

// Examine returns the faults in the row of a client or, depending on part, of a
// revision. twin returns the document of the same revision in the other table. Both
// were written from the same bytes, so it can replace a damaged document. twin is
// called only if needed, and may return nil.
func (r Row) Examine(part application.RecordPart, twin func() ([]byte, error)) ([]application.Fault, error) {
	var faults []application.Fault
	if err := r.checkDocument(); err != nil {
		fault := application.Fault{UnreadableRecord: r.Unreadable(part, err).UnreadableRecord, Stored: r.Document}
		copied := r
		if mended := clampYears(r.Document); r.with(mended).checkDocument() == nil {
			fault.Remedy, fault.Mended = clampRemedy, mended
		} else if copied.Document, err = twin(); err != nil {
			return nil, err
		} else if copied.Document != nil && copied.checkDocument() == nil {
			fault.Remedy, fault.Mended = "replace the document with its copy", copied.Document
			if part == application.PartDocument {
				fault.Remedy += " in the log"
			}
		}
		faults = append(faults, fault)
	}
	if r.Registration != nil {
		if _, err := decodeRegistration(r.Registration); err != nil {
			faults = append(faults, application.Fault{
				UnreadableRecord: r.Unreadable(application.PartRegistration, err).UnreadableRecord, Stored: r.Registration,
			})
		}
	}
	if r.Secrets == nil {
		return faults, nil
	}
	if _, err := decodeSecrets(r.Secrets); err != nil {
		fault := application.Fault{UnreadableRecord: r.Unreadable(application.PartSecrets, err).UnreadableRecord, Stored: r.Secrets}
		mended := clampYears(r.Secrets)
		if _, err := decodeSecrets(mended); err == nil {
			fault.Remedy, fault.Mended = clampRemedy, mended
		}
		faults = append(faults, fault)
	}
	return faults, nil
}

func (r Row) with(document []byte) Row {
	r.Document = document
	return r
}

// checkDocument decodes the document and compares it with the columns.
func (r Row) checkDocument() error {
	c, err := Decode(r.Document, nil)
	if err != nil {
		return err
	}
	return r.compare(c)
}

// compare returns an error if the client differs from the one in the columns.
func (r Row) compare(c domain.Client) error {
	identity := c.Identity()
	if identity.TenantID != r.TenantID || identity.ClientID != r.ClientID || c.Revision() != r.Revision {
		return fmt.Errorf("%w: the document is that of another client or revision", application.ErrUnreadable)
	}
	return nil
}

const clampRemedy = "replace years after 9999 with 9999-12-31T23:59:59Z"

// clampYears returns the JSON text with each time whose year has more than four digits
// replaced by 9999-12-31T23:59:59Z. The first release wrote such times for expiry times
// in the year 9999 in their own zone that are in 10000 in UTC. Quotation marks inside
// strings are escaped, so this matches only field values.
func clampYears(text []byte) []byte {
	pattern := regexp.MustCompile(
		`("(?:created_at|updated_at|deleted_at|purged_at|expires_at)"\s*:\s*)"[1-9]\d{4,}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z"`)
	return pattern.ReplaceAll(bytes.Clone(text), []byte(`$1"9999-12-31T23:59:59Z"`))
}
