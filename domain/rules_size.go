package domain

import (
	"cmp"
	"slices"
)

// MaxClientBytes limits the size of a client's configuration, see [Client.Bytes]. It is
// twice [MaxKeySetBytes].
const MaxClientBytes = 128 << 10

// The rule about the total size of a client. The limits of the single fields add up to
// several times what any real client needs, and a page of a list contains many
// clients.
func sizeRules() []Rule {
	return []Rule{{
		ID: "client-size", Level: Violation, Source: "own", needs: slices.Collect(Fields()),
		Summary: "the values of all fields except the status together exceed 131072 bytes; a client that was larger before may still be changed as long as it does not grow",
		check: func(j *candidate, r *report) {
			size := j.bytes()
			if size <= MaxClientBytes {
				return
			}
			r.add(r.rule.Level, j.largest().pointer(), "client-size",
				"all values together have %d bytes, but the limit is %d; this field is the largest", size, MaxClientBytes)
			r.findings[len(r.findings)-1].amount = size
		},
	}}
}

// Bytes returns the size of the configuration: the total size of the values of all
// fields in UTF-8, except the status, because a client of any size can be suspended.
func (c *Client) Bytes() (size int) {
	for f := range c.filled.All() {
		if f != FieldStatus {
			size += f.Of(&c.state.Settings).Bytes()
		}
	}
	return size
}

func (s *Settings) bytes() (size int) {
	for f := range Fields() {
		if f != FieldStatus {
			size += f.Of(s).Bytes()
		}
	}
	return size
}

// largest returns the field with the most bytes.
func (s *Settings) largest() Field {
	return slices.MaxFunc(slices.Collect(Fields()), func(a, b Field) int { return cmp.Compare(a.Of(s).Bytes(), b.Of(s).Bytes()) })
}
