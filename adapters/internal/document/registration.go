package document

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/mailru/easyjson/jlexer"

	"github.com/clientele-oauth/clientele/adapters/internal/jsonobject"
	"github.com/clientele-oauth/clientele/adapters/internal/registrationpolicy"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// errRegistration reports that a registration cannot be decoded.
var errRegistration = fmt.Errorf("%w: registration", application.ErrUnreadable)

// The stored form of [domain.Registration]. Few clients have one, so that it is written and
// read by reflection, unlike the document. Most conversions between these types and those
// of the domain do not compile if a field is missing. New versions only add members.
type (
	registration struct {
		Via         domain.Via             `json:"via,omitzero"`
		TokenID     string                 `json:"token_id,omitzero"`
		IssuedBy    string                 `json:"issued_by,omitzero"`
		Policy      json.RawMessage        `json:"policy,omitzero"`
		Locks       []string               `json:"locks,omitempty"`
		MadeUpName  bool                   `json:"made_up_name,omitzero"`
		Statement   *statement             `json:"statement,omitzero"`
		AccessToken *registrationToken     `json:"access_token,omitzero"`
		Document    *approvedDocumentState `json:"document,omitzero"`
	}

	statement struct {
		Issuer         string    `json:"issuer,omitzero"`
		SoftwareID     string    `json:"software_id,omitzero"`
		Fixed          change    `json:"fixed,omitzero"`
		Ceiling        change    `json:"ceiling,omitzero"`
		Text           string    `json:"text,omitzero"`
		ID             []byte    `json:"id,omitzero"`
		ExpiresAt      time.Time `json:"expires_at,omitzero"`
		UniqueSoftware bool      `json:"unique_software,omitzero"`
	}

	// change is a [domain.Change]. Empty are the fields that it clears.
	change struct {
		Values json.RawMessage `json:"values,omitempty"`
		Empty  []string        `json:"empty,omitempty"`
	}

	registrationToken struct {
		Hash      []byte         `json:"hash,omitzero"`
		KeyID     string         `json:"key_id,omitzero"`
		CreatedAt time.Time      `json:"created_at,omitzero"`
		Previous  *previousToken `json:"previous,omitzero"`
	}

	previousToken struct {
		Hash      []byte    `json:"hash,omitzero"`
		KeyID     string    `json:"key_id,omitzero"`
		ExpiresAt time.Time `json:"expires_at,omitzero"`
	}

	approvedDocumentState struct {
		Digest     string                 `json:"digest,omitzero"`
		ApprovedAt time.Time              `json:"approved_at,omitzero"`
		FetchedAt  time.Time              `json:"fetched_at,omitzero"`
		Changes    domain.DocumentChanges `json:"changes,omitempty"`
		Pending    *pendingDocument       `json:"pending,omitzero"`
	}

	pendingDocument struct {
		Digest  string    `json:"digest,omitzero"`
		SeenAt  time.Time `json:"seen_at,omitzero"`
		Changed []string  `json:"changed,omitzero"`
	}
)

// EncodeRegistration returns the registration of the client; nil if it has none. The error
// wraps [application.ErrUnstorable] if it would not be decoded as it is.
func EncodeRegistration(c domain.Client) ([]byte, error) {
	r := c.Registration()
	if r == nil {
		return nil, nil
	}
	var check checker
	if check.registration(r); check.err != nil {
		return nil, check.err
	}
	policy, err := EncodePolicy(r.Policy)
	if err != nil {
		return nil, err
	}
	stored := registration{
		Via: r.Via, TokenID: r.TokenID, IssuedBy: r.IssuedBy, Policy: policy,
		MadeUpName: r.MadeUpName, AccessToken: storedToken(r.AccessToken), Document: storedDocument(r.Document),
	}
	for f := range r.Locks.All() {
		stored.Locks = append(stored.Locks, f.String())
	}
	if s := r.Statement; s != nil {
		stored.Statement = &statement{
			Issuer: s.Issuer, SoftwareID: s.SoftwareID, Fixed: storedChange(s.Fixed), Ceiling: storedChange(s.Ceiling),
			Text: s.Text, ExpiresAt: s.ExpiresAt.UTC(), UniqueSoftware: s.UniqueSoftware,
		}
		if s.ID != nil {
			stored.Statement.ID = s.ID[:]
		}
	}
	text, err := json.Marshal(stored)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", application.ErrUnstorable, err)
	}
	return text, nil
}

func storedToken(t *domain.RegistrationToken) *registrationToken {
	if t == nil {
		return nil
	}
	stored := &registrationToken{t.Hash, t.KeyID, t.CreatedAt.UTC(), nil}
	if p := t.Previous; p != nil {
		previous := previousToken(*p)
		previous.ExpiresAt = previous.ExpiresAt.UTC()
		stored.Previous = &previous
	}
	return stored
}

func storedDocument(d *domain.ApprovedDocument) *approvedDocumentState {
	if d == nil {
		return nil
	}
	stored := &approvedDocumentState{Digest: d.Digest, ApprovedAt: d.ApprovedAt.UTC(), FetchedAt: d.FetchedAt.UTC()}
	for member, at := range d.Changes {
		stored.Changes = stored.Changes.With([]string{member}, at.UTC())
	}
	if p := d.Pending; p != nil {
		pending := pendingDocument(*p)
		pending.SeenAt = pending.SeenAt.UTC()
		stored.Pending = &pending
	}
	return stored
}

func storedChange(c domain.Change) (stored change) {
	if c.IsEmpty() {
		return stored
	}
	var w jsonobject.Writer
	w.Object("", func() {
		for f := range c.Named().All() {
			if v := c.Value(f); v.IsEmpty() {
				stored.Empty = append(stored.Empty, f.String())
			} else {
				jsonobject.Value(&w, f.String(), v)
			}
		}
	})
	if len(w) > len("{}") {
		stored.Values = json.RawMessage(w)
	}
	return stored
}

// decodeRegistration is the inverse of [EncodeRegistration] for a registration. The error
// wraps [errRegistration], and contains no part of the text.
func decodeRegistration(text []byte) (*domain.Registration, error) {
	var stored registration
	if err := json.Unmarshal(text, &stored); err != nil {
		return nil, fmt.Errorf("%w: %s", errRegistration, whereOf(err))
	}
	r := &domain.Registration{Via: stored.Via, TokenID: stored.TokenID, IssuedBy: stored.IssuedBy, MadeUpName: stored.MadeUpName}
	if stored.Policy != nil {
		var err error
		if r.Policy, err = DecodePolicy(stored.Policy); err != nil {
			return nil, fmt.Errorf("%w: %w", errRegistration, err)
		}
	}
	for _, name := range stored.Locks {
		if f, known := domain.FieldNamed(name, domain.LastField); known {
			r.Locks.Add(f)
		}
	}
	if t := stored.AccessToken; t != nil {
		r.AccessToken = &domain.RegistrationToken{Hash: t.Hash, KeyID: t.KeyID, CreatedAt: t.CreatedAt, Previous: (*domain.PreviousToken)(t.Previous)}
	}
	if d := stored.Document; d != nil {
		r.Document = &domain.ApprovedDocument{
			Digest: d.Digest, ApprovedAt: d.ApprovedAt, FetchedAt: d.FetchedAt,
			Changes: d.Changes, Pending: (*domain.PendingDocument)(d.Pending),
		}
	}
	if s := stored.Statement; s != nil {
		var err error
		if r.Statement, err = s.decode(); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// whereOf describes an error of encoding/json without a part of the input.
func whereOf(err error) string {
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Sprintf("wrong type of %q", wrong.Field)
	}
	if wrong, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Sprintf("no JSON at byte %d", wrong.Offset)
	}
	return "a value is malformed"
}

func (s *statement) decode() (*domain.Statement, error) {
	decoded := &domain.Statement{
		Issuer: s.Issuer, SoftwareID: s.SoftwareID, Text: s.Text, ExpiresAt: s.ExpiresAt, UniqueSoftware: s.UniqueSoftware,
	}
	if s.ID != nil {
		id := [32]byte{}
		if len(s.ID) != len(id) {
			return nil, fmt.Errorf("%w: the identifier of the statement has %d bytes", errRegistration, len(s.ID))
		}
		copy(id[:], s.ID)
		decoded.ID = &id
	}
	var err error
	if decoded.Fixed, err = s.Fixed.decode(); err != nil {
		return nil, err
	}
	decoded.Ceiling, err = s.Ceiling.decode()
	return decoded, err
}

func (c change) decode() (domain.Change, error) {
	var empty []domain.Field
	for _, name := range c.Empty {
		if f, known := domain.FieldNamed(name, domain.LastField); known {
			empty = append(empty, f)
		}
	}
	if c.Values == nil {
		return domain.ChangeOf(domain.Settings{}, empty...), nil
	}
	var r reader
	r.Lexer = jlexer.Lexer{Data: c.Values}
	r.readClient()
	if err := end(&r.Lexer); err != nil {
		return domain.Change{}, fmt.Errorf("%w: software statement: %w", errRegistration, err)
	}
	return domain.ChangeOf(r.state.Settings, empty...), nil
}

// Registered is what stores keep of the registration of a client in a column of its own, as
// JSON. They derive from it which clients count towards limits. It has no text from outside.
type Registered struct {
	Self     bool   `json:"self,omitzero"`     // whether the client registered itself
	Token    string `json:"token,omitzero"`    // the id of the initial access token
	Software string `json:"software,omitzero"` // see [SoftwareKey]; empty without a statement
	// Pending reports that a changed client ID metadata document waits for approval.
	Pending bool `json:"pending,omitzero"`
	// At is when the client was created, with microseconds, in UTC.
	At string `json:"at,omitzero"`
}

// RegisteredAs returns what stores derive from the registration of a client; the zero value
// if nothing depends on it.
func RegisteredAs(c *domain.Client) (as Registered) {
	r := c.Registration()
	if r == nil {
		return as
	}
	if as.Self = r.SelfRegistered(); as.Self {
		as.Token = r.TokenID
	}
	if r.Statement != nil {
		as.Software = SoftwareKey(r.Statement)
	}
	as.Pending = r.Document != nil && r.Document.Pending != nil
	if as != (Registered{}) {
		as.At = c.CreatedAt().UTC().Format("2006-01-02T15:04:05.000000Z")
	}
	return as
}

// RegisteredOf returns [RegisteredAs] as JSON; nil for the zero value.
func RegisteredOf(c *domain.Client) []byte {
	as := RegisteredAs(c)
	if as == (Registered{}) {
		return nil
	}
	text, _ := json.Marshal(as) //nolint:errchkjson // texts and flags
	return text
}

// SoftwareKey identifies the software of a statement for its issuer.
func SoftwareKey(s *domain.Statement) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d %s%s", len(s.Issuer), s.Issuer, s.SoftwareID))
	return hex.EncodeToString(sum[:])
}

// EncodePolicy returns the stored form of a policy. The error wraps
// [application.ErrUnstorable] if it would not be decoded as it is.
func EncodePolicy(p domain.RegistrationPolicy) ([]byte, error) {
	text := registrationpolicy.Encode(p)
	if back, err := registrationpolicy.Decode(text); err != nil || !reflect.DeepEqual(p, back) {
		return nil, fmt.Errorf("%w: the registration policy", application.ErrUnstorable)
	}
	return text, nil
}

// DecodePolicy is the inverse of [EncodePolicy]. The error wraps [application.ErrUnreadable].
func DecodePolicy(text []byte) (domain.RegistrationPolicy, error) {
	p, err := registrationpolicy.Decode(text)
	if err != nil {
		return p, fmt.Errorf("%w: registration policy", application.ErrUnreadable)
	}
	return p, nil
}
