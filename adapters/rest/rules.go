package rest

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/clientele-oauth/clientele/adapters/internal/contract"
	"github.com/clientele-oauth/clientele/adapters/internal/jsonobject"
	"github.com/clientele-oauth/clientele/api"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// ListRules implements GET /admin/oauth/rules.
func (s *server) ListRules(ctx context.Context, _ api.ListRulesRequestObject) (api.ListRulesResponseObject, error) {
	rules, err := s.registry.Rules(requestStateOf(ctx).caller)
	if err != nil {
		return nil, err
	}
	return s.success(http.StatusOK, "rules found", func(w *jsonobject.Writer) {
		w.Object("data", func() { contract.WriteRules(w, rules) })
	}), nil
}

// GetClientCompliance implements GET /admin/oauth/clients/{client_id}/compliance.
func (s *server) GetClientCompliance(
	ctx context.Context, r api.GetClientComplianceRequestObject,
) (api.GetClientComplianceResponseObject, error) {
	assessed, err := s.registry.Assess(ctx, requestStateOf(ctx).caller, domain.ClientID(r.ClientID), profiles(r.Params.Profile))
	if err != nil {
		return nil, err
	}
	return s.compliance(assessed), nil
}

// CheckCompliance implements POST /admin/oauth/compliance.
func (s *server) CheckCompliance(
	ctx context.Context, r api.CheckComplianceRequestObject,
) (api.CheckComplianceResponseObject, error) {
	x := requestStateOf(ctx)
	assessed, err := s.registry.AssessDraft(ctx, x.caller, x.change, profiles(r.Params.Profile))
	if err = x.rejected(err); err != nil {
		return nil, err
	}
	return s.compliance(assessed), nil
}

// profiles returns the profiles to check against: the requested one, or all.
func profiles(requested *api.ProfileName) []domain.Profile {
	switch {
	case requested == nil:
		return append([]domain.Profile{domain.ProfileNone}, domain.Profiles()...)
	case *requested == contract.NoProfile:
		return []domain.Profile{domain.ProfileNone}
	default:
		return []domain.Profile{domain.Profile(*requested)}
	}
}

// compliance returns the response with the assessments.
func (s *server) compliance(assessed []domain.Assessment) *response {
	return s.success(http.StatusOK, "compliance checked", func(w *jsonobject.Writer) {
		w.Object("data", func() {
			w.Array("reports", func() {
				for _, a := range assessed {
					w.Object("", func() { writeAssessment(w, a) })
				}
			})
		})
	})
}

// Maximum numbers of findings in a report, per rule and in total. They limit the size
// of a report, however many violations a request has.
const (
	maxPerRule   = 20
	maxPerReport = 100
)

func writeAssessment(w *jsonobject.Writer, a domain.Assessment) {
	var failed, warned, passed []ruleResult
	remaining := maxPerReport
	for _, result := range a.Results {
		listed := result.Findings[:min(len(result.Findings), maxPerRule, remaining)]
		remaining -= len(listed)
		shown := ruleResult{result, listed}
		switch {
		case result.Findings.HasViolations():
			failed = append(failed, shown)
		case len(result.Findings) > 0:
			warned = append(warned, shown)
		default:
			passed = append(passed, shown)
		}
	}
	w.Text("profile", contract.ProfileName(a.Profile))
	w.Bool("compliant", a.Compliant())
	writeRuleResults(w, "failed", failed)
	writeRuleResults(w, "warned", warned)
	writeRuleResults(w, "passed", passed)
	w.Array("obligations", func() {
		for _, o := range a.Obligations {
			w.Object("", func() {
				w.Text("demand", o.Demand)
				w.Text("source", o.Source)
				if len(o.Rules) > 0 {
					w.Array("rules", func() {
						for _, id := range o.Rules {
							w.Text("", id)
						}
					})
				}
			})
		}
	})
}

// ruleResult is the result of one rule, and those of its findings that are listed.
type ruleResult struct {
	domain.Result
	listed domain.Findings
}

func writeRuleResults(w *jsonobject.Writer, name string, results []ruleResult) {
	w.Array(name, func() {
		for _, result := range results {
			w.Object("", func() {
				w.Text("rule", result.Rule.ID)
				w.Text("summary", result.Rule.Summary)
				w.Text("source", result.Rule.Source)
				contract.WriteFindings(w, "findings", result.listed)
				if omitted := len(result.Findings) - len(result.listed); omitted > 0 {
					w.Int("findings_omitted", int64(omitted))
				}
			})
		}
	})
}

// GetClientKeys implements GET /admin/oauth/clients/{client_id}/keys.
func (s *server) GetClientKeys(ctx context.Context, r api.GetClientKeysRequestObject) (api.GetClientKeysResponseObject, error) {
	inForce, err := s.registry.ClientKeys(ctx, requestStateOf(ctx).caller, domain.ClientID(r.ClientID))
	if err != nil {
		return nil, err
	}
	return s.success(http.StatusOK, "keys found", func(w *jsonobject.Writer) {
		w.Object("data", func() {
			if _, seen := inForce.Keys.Set(); seen && s.publicURL != "" {
				w.Text("public_url", s.publicKeysURL(requestStateOf(ctx).caller.Tenant, domain.ClientID(r.ClientID)))
			}
			writeKeys(w, inForce)
		})
	}), nil
}

func writeKeys(w *jsonobject.Writer, k application.KeysInForce) {
	source := "none"
	switch {
	case k.Source.URI() != "":
		source = "jwks_uri"
		w.Text("jwks_uri", k.Source.URI())
		w.Time("fetched_at", k.FetchedAt, time.RFC3339)
	case k.Source.Inline() != "":
		source = "jwks"
	}
	w.Text("source", source)
	state, detail := "none", ""
	set, seen := k.Keys.Set()
	reason, unreachable := k.Keys.Unreachable()
	switch {
	case seen:
		state, detail = "seen", set.Detail
	case unreachable:
		state, detail = "unreachable", reason
	case k.Keys.Refused():
		state = "refused"
	}
	w.Text("state", state)
	w.TextUnlessEmpty("detail", detail)
	w.Array("keys", func() {
		for i, key := range set.Keys {
			w.Object("", func() {
				writeKey(w, key)
				writeFindingsAbout(w, k.Findings, i)
			})
		}
	})
	writeFindingsAbout(w, k.Findings, domain.NoKey)
}

func writeKey(w *jsonobject.Writer, key domain.Key) {
	w.TextUnlessEmpty("kid", key.KeyID)
	w.TextUnlessEmpty("kty", key.Type)
	w.TextUnlessEmpty("crv", key.Curve)
	w.TextUnlessEmpty("alg", key.Algorithm)
	w.TextUnlessEmpty("use", key.Use)
	w.TextUnlessEmpty("thumbprint", key.Thumbprint)
	if key.Bits > 0 {
		w.Int("size", int64(key.Bits))
	}
	if key.Operations != nil {
		jsonobject.Texts(w, "key_ops", key.Operations)
	}
	if key.Public != nil {
		w.Object("public_key", func() {
			for _, name := range slices.Sorted(maps.Keys(key.Public)) {
				w.Text(name, key.Public[name])
			}
		})
	}
	if c := key.Certificate; c != nil && c.Malformed == "" {
		w.Time("certificate_not_before", c.NotBefore, time.RFC3339)
		w.Time("certificate_not_after", c.NotAfter, time.RFC3339)
	}
}

// writeFindingsAbout writes the findings about one key or, for domain.NoKey, those that
// are not about a single key.
func writeFindingsAbout(w *jsonobject.Writer, findings domain.Findings, keyIndex int) {
	var some domain.Findings
	for _, f := range findings {
		if f.KeyIndex == keyIndex {
			some = append(some, f)
		}
	}
	contract.WriteFindings(w, "violations", some.Violations())
	contract.WriteFindings(w, "warnings", some.Warnings())
}
