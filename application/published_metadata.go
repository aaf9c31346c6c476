package application

import (
	"context"

	"github.com/clientele-oauth/clientele/domain"
)

// PublishedMetadata is what an authorization server should publish for a tenant (RFC 8414
// §2, OpenID Connect Discovery §3). A nil list is not published.
type PublishedMetadata struct {
	// RegistrationEndpoint is empty unless registration is open: a client without an initial
	// access token would fail on a 401 instead of using another way.
	RegistrationEndpoint string
	// Documents is client_id_metadata_document_supported
	// (draft-ietf-oauth-client-id-metadata-document §6).
	Documents            bool
	GrantTypes           []domain.GrantType
	ResponseTypes        []domain.ResponseType
	AuthMethods          []domain.AuthMethod
	Scopes               []domain.Scope
	CodeChallengeMethods []string
}

// PublishedMetadata returns what the authorization server of the caller's tenant should
// publish about registration, as far as the policy of the tenant determines it. The error is
// [ErrForbidden].
func (r *Registry) PublishedMetadata(_ context.Context, caller Caller) (PublishedMetadata, error) {
	if err := caller.May(OpGetAuthorizationServerMetadata); err != nil {
		return PublishedMetadata{}, err
	}
	of := r.config.Registrations.tenant(caller.Tenant)
	published := PublishedMetadata{Documents: of.Documents.Mode.On()}
	if !of.Enabled && !published.Documents {
		return PublishedMetadata{}, nil
	}
	if of.Enabled && of.Policy.Open {
		published.RegistrationEndpoint = r.RegistrationEndpoint(caller.Tenant)
	}
	published.GrantTypes, published.ResponseTypes = of.Policy.Grants, of.Policy.UsableResponseTypes()
	published.AuthMethods, published.Scopes = of.Policy.UsableMethods(), of.Policy.Scopes
	published.CodeChallengeMethods = []string{"S256"}
	return published, nil
}
