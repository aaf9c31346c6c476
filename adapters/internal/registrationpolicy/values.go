package registrationpolicy

import (
	"slices"
	"strings"

	"github.com/clientele-oauth/clientele/adapters/internal/jsonvalue"
	"github.com/clientele-oauth/clientele/domain"
)

// grantFault allows the grant types that the registry supports, and URIs of extension grants
// (RFC 6749 §4.5).
func grantFault(given string) string {
	if strings.Contains(given, ":") {
		return jsonvalue.TextFault(given)
	}
	return jsonvalue.OneOf(domain.GrantTypes()...)(given)
}

// responseTypeFault allows the words of OAuth 2.0 Multiple Response Type Encoding
// Practices.
func responseTypeFault(given string) string {
	for word := range strings.SplitSeq(given, " ") {
		if !slices.Contains([]string{"code", "id_token", "token", "none"}, word) {
			return "must be words such as code or code id_token, with one space between two"
		}
	}
	return ""
}

// resourceFault allows absolute URIs without a fragment (RFC 8707 §2).
func resourceFault(given string) string {
	scheme, rest, _ := strings.Cut(given, ":")
	if scheme == "" || rest == "" || strings.ContainsAny(scheme, "/?# ") {
		return "must be an absolute URI"
	}
	return jsonvalue.When(strings.Contains(given, "#"), "must not have a fragment") + jsonvalue.Printable(given)
}
