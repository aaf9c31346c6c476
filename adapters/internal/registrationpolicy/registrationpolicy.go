// Package registrationpolicy reads and writes the JSON form of a
// [domain.RegistrationPolicy]. It is the form of the configuration file, of the API and of
// the stores; each of them allows other keys (see [Place]).
package registrationpolicy

import (
	"encoding/json"
	"errors"
	"strings"
	"sync"

	"github.com/clientele-oauth/clientele/adapters/internal/contract"
	"github.com/clientele-oauth/clientele/adapters/internal/jsonobject"
	"github.com/clientele-oauth/clientele/adapters/internal/jsonvalue"
	"github.com/clientele-oauth/clientele/domain"
)

// Place is where a policy is written. It determines the keys that the policy may have.
type Place uint8

// The places.
const (
	// InFile is the policy of a tenant in the configuration file. It has no key for the
	// issuers, because the file describes them there.
	InFile Place = 1 << iota
	// InToken is the policy of an initial access token.
	InToken
	// InDocuments is the policy for the client ID metadata documents of a host.
	InDocuments
	// Stored is a policy in a store. Read checks only the types of its values, so that a
	// policy stays readable if the bounds change, and ignores keys of later versions.
	Stored
)

// MaxClients bounds the key max_clients.
const MaxClients = 1_000_000_000

// Keys returns the keys that a policy may have in the place, in the order of the table.
func Keys(place Place) []string {
	var names []string
	for _, k := range keys() {
		if k.places&place != 0 {
			names = append(names, k.name)
		}
	}
	return names
}

// Read returns the policy that a decoded JSON object describes, which consists of nil,
// bool, string, float64, map[string]any and []any. pointer is the JSON Pointer (RFC 6901)
// of the object; those of the breaches begin with it. The breaches are unknown keys, wrong
// types, and values that are unknown or beyond the bounds, at most [contract.MaxBreaches],
// in an order that depends only on the object. The policy is complete only if there are
// none.
func Read(object map[string]any, place Place, pointer string) (domain.RegistrationPolicy, []contract.Breach) {
	var policy domain.RegistrationPolicy
	r := &jsonvalue.Reader{TypesOnly: place == Stored}
	r.Object(pointer, object, Keys(place)...)
	for _, k := range keys() {
		if value, given := object[k.name]; given && k.places&place != 0 {
			k.read(r, pointer+"/"+k.name, value, &policy)
		}
	}
	if breaches := r.Breaches(); len(breaches) > 0 || place == Stored {
		return policy, breaches
	}
	checkWritten(r, pointer, object)
	return policy, r.Breaches()
}

// clientSchema is the schema of what an administrator may set of a client.
//
//nolint:gochecknoglobals // read once, and nothing writes to it
var clientSchema = sync.OnceValues(func() (*contract.Schema, error) { return contract.RequestSchema("UpdateClientRequest") })

// checkWritten adds the breaches of the values that are written to each client, whose bounds
// in openapi.yaml are narrower than those of package jsonvalue.
func checkWritten(r *jsonvalue.Reader, pointer string, object map[string]any) {
	schema, err := clientSchema()
	if err != nil {
		r.Add(pointer, err.Error())
		return
	}
	for _, k := range keys() {
		value, given := object[k.name]
		if !given || k.writes == "" {
			continue
		}
		for _, breach := range schema.Check(map[string]any{k.writes: value}) {
			r.Add(pointer+"/"+k.name+strings.TrimPrefix(breach.Pointer, "/"+k.writes), breach.Message)
		}
	}
}

// Write writes the members of an object that describes the policy: those that are given, and
// that a policy may have in the place. [Read] returns the same policy for them, with the
// place [Stored].
func Write(w *jsonobject.Writer, p domain.RegistrationPolicy, place Place) {
	for _, k := range keys() {
		if k.places&place != 0 {
			k.write(w, k.name, &p)
		}
	}
}

// Encode returns the JSON text of a policy for a store.
func Encode(p domain.RegistrationPolicy) []byte {
	var w jsonobject.Writer
	w.Object("", func() { Write(&w, p, Stored) })
	return w
}

// Decode returns the policy that [Encode] wrote. The error is for a text that is not one.
func Decode(text []byte) (domain.RegistrationPolicy, error) {
	var object map[string]any
	if err := json.Unmarshal(text, &object); err != nil {
		return domain.RegistrationPolicy{}, err
	}
	if object == nil {
		return domain.RegistrationPolicy{}, errors.New("a registration policy must be an object")
	}
	policy, breaches := Read(object, Stored, "")
	if len(breaches) > 0 {
		return domain.RegistrationPolicy{}, errors.New("registration policy: " + breaches[0].Pointer + ": " + breaches[0].Message)
	}
	return policy, nil
}
