package fosite

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/ory/fosite"

	"github.com/clientele-oauth/clientele/api/mirror"
)

// Provider returns the provider with what it lacks: an outage is a server_error at every
// endpoint (the library takes it for an unknown client at the authorization endpoint, and
// for a success at the revocation endpoint), and what a client requires of an authorization
// request is enforced for it (PKCE with S256, pushed authorization requests).
func (c *Clients) Provider(p fosite.OAuth2Provider) fosite.OAuth2Provider { return &provider{p, c} }

// provider is a provider that responds to outages correctly.
type provider struct {
	fosite.OAuth2Provider
	clients *Clients
}

// outage returns the error of an outage that is wrapped in err, or err.
func outage(err error) error {
	if errors.Is(err, mirror.ErrUnavailable) {
		return failure(stripped{err})
	}
	return err
}

// stripped hides the error of the library that wraps an outage.
type stripped struct{ err error }

// Error implements error.
func (s stripped) Error() string { return s.err.Error() }

// Is implements the interface of [errors.Is].
func (s stripped) Is(target error) bool { return target == mirror.ErrUnavailable }

// NewAuthorizeRequest implements [fosite.OAuth2Provider].
func (p *provider) NewAuthorizeRequest(ctx context.Context, r *http.Request) (fosite.AuthorizeRequester, error) {
	request, err := p.OAuth2Provider.NewAuthorizeRequest(ctx, r)
	if err == nil {
		// The client of a pushed request may have changed since.
		if _, err := p.clients.Client(ctx, request.GetClient().GetID()); err != nil {
			return fosite.NewAuthorizeRequest(), outage(err) // which is not redirected
		}
		err = p.check(ctx, request, strings.HasPrefix(r.Form.Get("request_uri"), pushedPrefix))
	}
	return request, outage(err)
}

// pushedPrefix is how the library's request_uri values of pushed requests begin.
const pushedPrefix = "urn:ietf:params:oauth:request_uri:"

// check checks what the client requires of an authorization request.
func (p *provider) check(ctx context.Context, request fosite.AuthorizeRequester, pushed bool) error {
	found, err := p.clients.Client(ctx, request.GetClient().GetID())
	if err != nil {
		return err
	}
	form := request.GetRequestForm()
	challenge, method := form.Get("code_challenge"), form.Get("code_challenge_method")
	code := request.GetResponseTypes().Has("code")
	switch {
	case found.RequirePAR && !pushed:
		return fosite.ErrInvalidRequest.WithHint("The client must push its authorization requests.")
	case code && challenge == "" && (found.RequirePKCE || !found.Confidential):
		return fosite.ErrInvalidRequest.WithHint("The client must use PKCE.")
	case challenge != "" && method != "S256":
		return fosite.ErrInvalidRequest.WithHint("The code_challenge_method must be S256.")
	}
	return nil
}

// NewAccessRequest implements [fosite.OAuth2Provider].
func (p *provider) NewAccessRequest(ctx context.Context, r *http.Request, session fosite.Session) (fosite.AccessRequester, error) {
	request, err := p.OAuth2Provider.NewAccessRequest(ctx, r, session)
	return request, outage(err)
}

// NewRevocationRequest implements [fosite.OAuth2Provider].
func (p *provider) NewRevocationRequest(ctx context.Context, r *http.Request) error {
	return outage(p.OAuth2Provider.NewRevocationRequest(ctx, r))
}

// WriteRevocationResponse implements [fosite.OAuth2Provider].
func (p *provider) WriteRevocationResponse(ctx context.Context, w http.ResponseWriter, err error) {
	if errors.Is(err, mirror.ErrUnavailable) {
		p.WriteAccessError(ctx, w, nil, err)
		return
	}
	p.OAuth2Provider.WriteRevocationResponse(ctx, w, err)
}

// NewIntrospectionRequest implements [fosite.OAuth2Provider]. The library reports every
// failure as a wrong secret, so the secret is verified before, and then kept by the mirror.
func (p *provider) NewIntrospectionRequest(
	ctx context.Context, r *http.Request, session fosite.Session,
) (fosite.IntrospectionResponder, error) {
	if _, _, basic := r.BasicAuth(); basic {
		if _, err := p.clients.authenticate(ctx, r, nil, nil); errors.Is(err, mirror.ErrUnavailable) {
			return &fosite.IntrospectionResponse{}, failure(err)
		} else if err != nil {
			return &fosite.IntrospectionResponse{}, fosite.ErrRequestUnauthorized.WithWrap(err).WithDebug(err.Error())
		}
	}
	response, err := p.OAuth2Provider.NewIntrospectionRequest(ctx, r, session)
	return response, outage(err)
}

// WriteIntrospectionError implements [fosite.OAuth2Provider]. The library responds to
// errors that it does not know with {"active": false}.
func (p *provider) WriteIntrospectionError(ctx context.Context, w http.ResponseWriter, err error) {
	if errors.Is(err, mirror.ErrUnavailable) {
		p.WriteAccessError(ctx, w, nil, err)
		return
	}
	p.OAuth2Provider.WriteIntrospectionError(ctx, w, err)
}

// NewPushedAuthorizeRequest implements [fosite.OAuth2Provider].
func (p *provider) NewPushedAuthorizeRequest(ctx context.Context, r *http.Request) (fosite.AuthorizeRequester, error) {
	request, err := p.OAuth2Provider.NewPushedAuthorizeRequest(ctx, r)
	if err == nil {
		err = p.check(ctx, request, true)
	}
	return request, outage(err)
}
