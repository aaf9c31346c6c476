package domain

import "strings"

// clientIDPointer is the JSON Pointer (RFC 6901) of the identifier in a
// registration. It is not a [Field]: a client keeps the one it was created with.
const clientIDPointer = "/client_id"

// MaxClientIDLength is the maximum length of a client_id in bytes.
const MaxClientIDLength = 255

// CheckClientID validates the client_id of a new client. It
// returns one violation of the rule client-id-syntax, which points to
// "/client_id", or no findings. [Rulebook.Register] applies the same rule.
//
// A valid client_id has 1 to [MaxClientIDLength] characters. They are the ones that
// RFC 3986 §2.3 calls unreserved, and colon, slash, at sign, plus sign and space,
// with which other systems build client_ids (RFC 6749 §2.2 leaves the form to the
// server, and appendix A.1 allows all visible ASCII characters and the space). In a
// URI path, slash and space must be percent-encoded.
//
// It is not "." or "..": HTTP clients remove such path segments (RFC 3986 §5.2.4), so
// that the client could not be addressed. Inside a longer client_id dots are safe,
// because an encoded slash separates no segments. It neither begins nor ends with a
// space, which people and files lose. It does not begin with "http://" or "https://",
// in any case: such a client_id is the address of a client ID metadata document
// (draft-ietf-oauth-client-id-metadata-document §3), not the name of a registration.
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

// IsPossible reports whether a client can have the identifier: 1 to [MaxClientIDLength]
// visible ASCII characters and spaces. The rule for new clients is stricter.
func (id ClientID) IsPossible() bool {
	if id == "" || len(id) > MaxClientIDLength {
		return false
	}
	return strings.IndexFunc(string(id), func(r rune) bool { return r < ' ' || r > '~' }) < 0
}

// clientIDRules are the rules about the identifier of a new client.
func clientIDRules() []Rule {
	return []Rule{{
		ID: "client-id-syntax", Level: Violation, Source: "RFC 6749 §2.2, RFC 3986 §5.2.4",
		Summary: "the client_id of a new client is . or .., is longer than 255 characters, has characters other than A-Z a-z 0-9 - . _ ~ : / @ + and space, begins or ends with a space, or begins with http:// or https://",
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
		return "client_id is longer than 255 characters"
	case id == "." || id == "..":
		return "client_id must not be . or ..: HTTP clients remove such path segments, so the client could not be addressed"
	case !allBytes(string(id), isClientIDByte):
		return "client_id has a character other than A-Z a-z 0-9 - . _ ~ : / @ + and space"
	case id[0] == ' ' || id[len(id)-1] == ' ':
		return "client_id must not begin or end with a space"
	case isMetadataDocumentID(id):
		return "client_id must not begin with http:// or https://, which is reserved for client ID metadata documents; choose another one"
	default:
		return ""
	}
}

// isClientIDByte reports whether a client_id may have the byte.
func isClientIDByte(c byte) bool {
	return isUnreserved(c) || c == ':' || c == '/' || c == '@' || c == '+' || c == ' '
}

// isMetadataDocumentID reports whether id begins like the address of a client ID
// metadata document.
func isMetadataDocumentID(id ClientID) bool {
	lower := strings.ToLower(string(id))
	return strings.HasPrefix(lower, "http://") || strings.HasPrefix(lower, "https://")
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
