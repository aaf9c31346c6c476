package domain

// clientIDPointer is the JSON Pointer (RFC 6901) of the identifier in a
// registration. It is not a [Field]: a client keeps the one it was created with.
const clientIDPointer = "/client_id"

// MaxClientIDLength is the maximum length of a client_id in bytes.
const MaxClientIDLength = 128

// CheckClientID validates the client_id of a new client. It
// returns one violation of the rule client-id-syntax, which points to
// "/client_id", or no findings. [Rulebook.Register] applies the same rule.
//
// A valid client_id has 1 to [MaxClientIDLength] of the characters that
// RFC 3986 §2.3 calls unreserved, so that it is the same in a URI path, a
// form body and an HTTP Basic header. It is not "." or "..": HTTP clients remove
// such path segments (RFC 3986 §5.2.4), so that the client could not be
// addressed.
func CheckClientID(id ClientID) Findings {
	fault := clientIDFault(id)
	if fault == "" {
		return nil
	}
	rule := clientIDRules()[0]
	r := report{rule: &rule}
	r.add(rule.Level, clientIDPointer, "", "%s", fault)
	return r.findings
}

// clientIDRules are the rules about the identifier of a new client.
func clientIDRules() []Rule {
	return []Rule{{
		ID: "client-id-syntax", Level: Violation, Source: "RFC 3986 §2.3, §5.2.4",
		Summary: "the client_id of a new client is . or .., is longer than 128 characters, or has characters other than A-Z a-z 0-9 - . _ ~",
		check: func(j *candidate, r *report) {
			if j.id == "" {
				return // the registry generates one
			}
			if fault := clientIDFault(j.id); fault != "" {
				r.add(r.rule.Level, clientIDPointer, "", "%s", fault)
			}
		},
	}}
}

// clientIDFault returns the reason why id is not valid, or "" if it is.
func clientIDFault(id ClientID) string {
	switch {
	case id == "":
		return "client_id is empty"
	case len(id) > MaxClientIDLength:
		return "client_id is longer than 128 characters"
	case id == "." || id == "..":
		return "client_id must not be . or ..: HTTP clients remove such path segments, so the client could not be addressed"
	case !allBytes(string(id), isUnreserved):
		return "client_id has a character other than A-Z a-z 0-9 - . _ ~"
	default:
		return ""
	}
}

// allBytes reports whether is returns true for every byte of s.
func allBytes(s string, is func(byte) bool) bool {
	for i := range len(s) {
		if !is(s[i]) {
			return false
		}
	}
	return true
}
