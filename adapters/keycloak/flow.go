package keycloak

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"

	"github.com/clientele-oauth/clientele/application/push"
)

// flowName is the client authentication flow that Prepare makes. Flows of Keycloak itself
// cannot be changed.
const flowName = "clients-with-clientele"

// alternative is the requirement of an authenticator in a client authentication flow.
const alternative = "ALTERNATIVE"

// Prepare makes sure that the realm uses the authenticator, if clients are to use it: it is
// installed, and in the client authentication flow of the realm. Otherwise clients with
// secrets could not authenticate, so that it is an error. With [Config.SetUpFlow], the flow
// is changed; a flow of Keycloak itself is copied before.
func (t *Target) Prepare(ctx context.Context, dryRun bool) ([]push.Difference, error) {
	if !t.server.config.Authenticator {
		return nil, nil
	}
	var installed []struct {
		ID string `json:"id"`
	}
	if err := t.server.call(ctx, http.MethodGet, "/authentication/client-authenticator-providers", nil, &installed); err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(installed, func(p struct {
		ID string `json:"id"`
	},
	) bool {
		return p.ID == authenticatorID
	}) {
		return nil, errors.New("keycloak: the server has no client authenticator " + authenticatorID + "; install clientele-keycloak-authenticator.jar in providers/ and run kc.sh build")
	}
	bound, err := t.boundFlow(ctx)
	if err != nil {
		return nil, err
	}
	has, err := t.authenticates(ctx, bound)
	if err != nil || has {
		return nil, err
	}
	if !t.server.config.SetUpFlow {
		return nil, errors.New("keycloak: the client authentication flow of the realm has no alternative " + authenticatorID + "; add it, or set up the flow with --keycloak-set-up-flow")
	}
	if !dryRun {
		if err := t.setUp(ctx, bound); err != nil {
			return nil, err
		}
	}
	return []push.Difference{{Attribute: "clientAuthenticationFlow", Held: push.Words(bound + " without " + authenticatorID), Want: push.Words("a flow with " + authenticatorID)}}, nil
}

// boundFlow returns the alias of the client authentication flow of the realm.
func (t *Target) boundFlow(ctx context.Context) (string, error) {
	var realm struct {
		Flow string `json:"clientAuthenticationFlow"`
	}
	if err := t.server.call(ctx, http.MethodGet, "", nil, &realm); err != nil {
		return "", err
	}
	if realm.Flow == "" {
		return "", errors.New("keycloak: the service account cannot see the client authentication flow of the realm; it needs the role view-realm")
	}
	return realm.Flow, nil
}

// execution is an authenticator in a flow. Keycloak wants all of it back.
type execution map[string]any

// executions returns the authenticators in a flow.
func (t *Target) executions(ctx context.Context, flow string) (list []execution, err error) {
	err = t.server.call(ctx, http.MethodGet, flowPath(flow)+"/executions", nil, &list)
	return list, err
}

func flowPath(flow string) string { return "/authentication/flows/" + url.PathEscape(flow) }

// authenticates reports whether the authenticator is used in a flow.
func (t *Target) authenticates(ctx context.Context, flow string) (bool, error) {
	list, err := t.executions(ctx, flow)
	return slices.ContainsFunc(list, func(e execution) bool {
		return e["providerId"] == authenticatorID && e["requirement"] == alternative
	}), err
}

// setUp adds the authenticator to the flow. It continues what an interrupted call left.
func (t *Target) setUp(ctx context.Context, bound string) error {
	var flows []struct {
		Alias   string `json:"alias"`
		BuiltIn bool   `json:"builtIn"`
	}
	if err := t.server.call(ctx, http.MethodGet, "/authentication/flows", nil, &flows); err != nil {
		return err
	}
	flow, exists := bound, false
	for _, f := range flows {
		if f.Alias == bound && f.BuiltIn {
			flow = flowName
		}
		exists = exists || f.Alias == flowName
	}
	if flow != bound && !exists {
		if err := t.server.call(ctx, http.MethodPost, flowPath(bound)+"/copy", map[string]string{"newName": flow}, nil); err != nil {
			return err
		}
	}
	if err := t.addExecution(ctx, flow); err != nil || flow == bound {
		return err
	}
	return t.server.call(ctx, http.MethodPut, "", map[string]string{"realm": t.server.config.Realm, "clientAuthenticationFlow": flow}, nil)
}

// addExecution adds the authenticator as an alternative.
func (t *Target) addExecution(ctx context.Context, flow string) error {
	of := func(e execution) bool { return e["providerId"] == authenticatorID }
	list, err := t.executions(ctx, flow)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(list, of) {
		if err := t.server.call(ctx, http.MethodPost, flowPath(flow)+"/executions/execution", map[string]string{"provider": authenticatorID}, nil); err != nil {
			return err
		}
		if list, err = t.executions(ctx, flow); err != nil {
			return err
		}
	}
	for _, e := range list {
		if of(e) && e["requirement"] != alternative {
			e["requirement"] = alternative
			return t.server.call(ctx, http.MethodPut, flowPath(flow)+"/executions", e, nil)
		}
	}
	return nil
}
