package rest

import (
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// authorize rejects callers that lack the permission of the operation. The use
// cases check the same; here it is checked before the body is read, so that a
// caller without permission costs no more than its headers.
func (s *server) authorize(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := requestStateOf(r.Context())
		if err := x.caller.May(application.Operation(x.operation.id)); err != nil {
			s.rejectUnread(w, r, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// limitRate enforces the rate limit of each caller. A caller is identified by the
// subject and the tenant of its token, not by the tenant that the request acts in:
// a platform caller has one rate limit, not one for each tenant that it names.
func (s *server) limitRate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := requestStateOf(r.Context())
		if s.callers != nil && !s.callers.Allow(x.tokenTenant, x.caller.Subject) {
			s.shed(application.ErrTooManyRequests)
			s.rejectUnread(w, r, application.ErrTooManyRequests)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// limitKey identifies the caller whose limits the request counts against: the network of a
// client that registers or manages itself.
func (x *requestState) limitKey() string {
	if x.registration.network != "" {
		return x.registration.network
	}
	return string(x.tokenTenant) + "\x00" + x.caller.Subject
}

// shed counts a request that is rejected because of load.
func (s *server) shed(err error) {
	cause := "load"
	if errors.Is(err, application.ErrTooManyRequests) {
		cause = "rate"
	}
	s.observer.RequestShed(cause)
}

// maxTenantName bounds the name of a tenant, in bytes.
const maxTenantName = 255

// tenantName validates the value of X-Tenant-Id before it is used or logged.
func tenantName(name string) error {
	for _, c := range []byte(name) {
		if c <= ' ' || c > '~' {
			return errTenantName
		}
	}
	if len(name) > maxTenantName {
		return errTenantName
	}
	return nil
}

// errTenantName rejects a tenant name that cannot exist.
var errTenantName = func() error {
	found := violations{}
	found.add(breach("X-Tenant-Id", "the parameter X-Tenant-Id must have at most 255 visible ASCII characters, without spaces"))
	return found.err()
}()

// tenantsParameter is the query parameter with which a platform caller selects all
// tenants, and allTenants its value.
const (
	tenantsParameter = "tenants"
	allTenants       = "all"
)

// inAll reports whether the request selects all tenants. Only some operations have the
// parameter; the others reject it, as unknown. The query is parsed only if it may have the
// parameter, whose name can be percent-encoded, because every poll of the feed comes here.
func (op *operation) inAll(r *http.Request) bool {
	query := r.URL.RawQuery
	if !strings.Contains(query, tenantsParameter) && !strings.Contains(query, "%") {
		return false
	}
	return slices.ContainsFunc(op.parameters, func(p parameter) bool { return p.name == tenantsParameter }) &&
		slices.Contains(r.URL.Query()[tenantsParameter], allTenants)
}

// errTenantAndAll rejects a request that selects one tenant and all of them.
var errTenantAndAll = func() error {
	found := violations{}
	found.add(breach("X-Tenant-Id", "X-Tenant-Id selects one tenant and tenants=all all of them; send one of the two"))
	return found.err()
}()

// actIn sets the caller of the request. If the request names a tenant, the caller
// acts in that tenant; if it selects all tenants, in all.
func (x *requestState) actIn(caller application.Caller, tenant string, all bool) error {
	x.caller, x.tokenTenant = caller, caller.Tenant
	if all {
		inAll, err := caller.InAll()
		switch {
		case err != nil:
			return err
		case tenant != "":
			return errTenantAndAll
		}
		x.caller = inAll
		return nil
	}
	if tenant == "" {
		return nil
	}
	inTenant, err := caller.In(domain.TenantID(tenant))
	if err != nil {
		return err
	}
	if err := tenantName(tenant); err != nil {
		return err
	}
	x.caller = inTenant
	return nil
}

// logForbidden logs the claims that led to a 403. Without them, a missing role
// cannot be distinguished from a role in a different claim.
func (s *server) logForbidden(r *http.Request, err error) {
	x := requestStateOf(r.Context())
	operation := ""
	if x.operation != nil {
		operation = x.operation.id
	}
	s.log.LogAttrs(r.Context(), slog.LevelWarn, "forbidden",
		slog.String("request_id", x.requestID),
		slog.String("operation", operation),
		slog.String("error", err.Error()),
		slog.String("subject", x.caller.Subject),
		slog.String("tenant", string(x.tokenTenant)),
		slog.Any("permissions", x.caller.Permissions),
		slog.Bool("platform", x.caller.Platform),
		slog.Group("claims", logSource("tenant", x.caller.Sources.Tenant), logSource("roles", x.caller.Sources.Roles),
			logSource("scopes", x.caller.Sources.Scopes)),
	)
}

// logSource reports which claim an attribute of the caller was read from and, if
// it gave no value, why.
func logSource(name string, source application.ClaimSource) slog.Attr {
	text := source.Claims
	if source.Missing != "" {
		text += " (" + source.Missing + ")"
	}
	return slog.String(name, text)
}
