package rest

import (
	"context"

	"github.com/clientele-oauth/clientele/adapters/internal/contract"
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
	return api.ListRules200JSONResponse{
		Code: new(int32(0)), Message: new("rules found"), Timestamp: new(wireTime(s.clock.Now())),
		Data: new(contract.RuleListOf(rules)),
	}, nil
}

// GetClientCompliance implements GET /admin/oauth/clients/{client_id}/compliance.
func (s *server) GetClientCompliance(
	ctx context.Context, r api.GetClientComplianceRequestObject,
) (api.GetClientComplianceResponseObject, error) {
	assessed, err := s.registry.Assess(ctx, requestStateOf(ctx).caller, domain.ClientID(r.ClientID), profiles(r.Params.Profile))
	if err != nil {
		return nil, err
	}
	return api.GetClientCompliance200JSONResponse(s.compliance(assessed)), nil
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
	return api.CheckCompliance200JSONResponse(s.compliance(assessed)), nil
}

// profiles are the ones to judge by: the one that is asked for, or all.
func profiles(asked *api.ProfileName) []domain.Profile {
	switch {
	case asked == nil:
		return append([]domain.Profile{domain.ProfileNone}, domain.Profiles()...)
	case *asked == contract.NoProfile:
		return []domain.Profile{domain.ProfileNone}
	default:
		return []domain.Profile{domain.Profile(*asked)}
	}
}

// compliance is the success envelope around assessments.
func (s *server) compliance(assessed []domain.Assessment) api.ComplianceDetailResponse {
	reports := make([]api.ComplianceReport, len(assessed))
	for i, a := range assessed {
		reports[i] = presentAssessment(a)
	}
	return api.ComplianceDetailResponse{
		Code: new(int32(0)), Message: new("judged"), Timestamp: new(wireTime(s.clock.Now())),
		Data: &api.Compliance{Reports: &reports},
	}
}

// How many findings a report lists: of one rule, and of all. The size of a report
// then depends on the rulebook, not on how often a request breaks it.
const (
	maxOfRule   = 20
	maxReported = 100
)

func presentAssessment(a domain.Assessment) api.ComplianceReport {
	failed, warned, passed := []api.RuleResult{}, []api.RuleResult{}, []api.RuleResult{}
	room := maxReported
	for _, result := range a.Results {
		listed := result.Findings[:min(len(result.Findings), maxOfRule, room)]
		room -= len(listed)
		presented := api.RuleResult{
			Rule: new(result.Rule.ID), Summary: new(result.Rule.Summary), Source: new(result.Rule.Source),
			Findings: new(contract.FindingsOf(listed)),
		}
		if omitted := len(result.Findings) - len(listed); omitted > 0 {
			presented.FindingsOmitted = new(int64(omitted))
		}
		switch {
		case result.Findings.HasViolations():
			failed = append(failed, presented)
		case len(result.Findings) > 0:
			warned = append(warned, presented)
		default:
			passed = append(passed, presented)
		}
	}
	obligations := make([]api.Obligation, len(a.Obligations))
	for i, o := range a.Obligations {
		obligations[i] = api.Obligation{Demand: new(o.Demand), Source: new(o.Source)}
	}
	return api.ComplianceReport{
		Profile: new(contract.ProfileName(a.Profile)), Compliant: new(a.Compliant()),
		Failed: &failed, Warned: &warned, Passed: &passed, Obligations: &obligations,
	}
}

// GetClientKeys implements GET /admin/oauth/clients/{client_id}/keys.
func (s *server) GetClientKeys(ctx context.Context, r api.GetClientKeysRequestObject) (api.GetClientKeysResponseObject, error) {
	inForce, err := s.registry.ClientKeys(ctx, requestStateOf(ctx).caller, domain.ClientID(r.ClientID))
	if err != nil {
		return nil, err
	}
	return api.GetClientKeys200JSONResponse{
		Code: new(int32(0)), Message: new("keys found"), Timestamp: new(wireTime(s.clock.Now())),
		Data: new(presentKeys(inForce)),
	}, nil
}

func presentKeys(k application.KeysInForce) api.ClientKeys {
	presented := api.ClientKeys{Source: new("none"), State: new("none")}
	switch {
	case k.Source.URI() != "":
		presented.Source, presented.JwksURI = new("jwks_uri"), new(k.Source.URI())
		presented.FetchedAt = new(wireTime(k.FetchedAt))
	case k.Source.Inline() != "":
		presented.Source = new("jwks")
	}
	set, seen := k.Keys.Set()
	reason, unreachable := k.Keys.Unreachable()
	switch {
	case seen:
		presented.State = new("seen")
		presented.Detail = filled(set.Detail)
	case unreachable:
		presented.State, presented.Detail = new("unreachable"), &reason
	case k.Keys.Refused():
		presented.State = new("refused")
	}
	keys := make([]api.ClientKey, len(set.Keys))
	for i, key := range set.Keys {
		keys[i] = presentKey(key)
		keys[i].Violations, keys[i].Warnings = about(k.Findings, i)
	}
	presented.Keys = &keys
	presented.Violations, presented.Warnings = about(k.Findings, domain.NoKey)
	return presented
}

func presentKey(key domain.Key) api.ClientKey {
	presented := api.ClientKey{
		Kid: filled(key.KeyID), Kty: filled(key.Type), Crv: filled(key.Curve), Alg: filled(key.Algorithm),
		Use: filled(key.Use), Thumbprint: filled(key.Thumbprint),
	}
	if key.Bits > 0 {
		presented.Size = new(int32(key.Bits)) //nolint:gosec // at most the bits of a key set of 64 KiB
	}
	if key.Operations != nil {
		presented.KeyOps = &key.Operations
	}
	if key.Public != nil {
		presented.PublicKey = &key.Public
	}
	if c := key.Certificate; c != nil && c.Malformed == "" {
		presented.CertificateNotBefore = new(wireTime(c.NotBefore))
		presented.CertificateNotAfter = new(wireTime(c.NotAfter))
	}
	return presented
}

// about picks the findings about one key, or about none.
func about(findings domain.Findings, keyIndex int) (violations, warnings *[]api.Finding) {
	var some domain.Findings
	for _, f := range findings {
		if f.KeyIndex == keyIndex {
			some = append(some, f)
		}
	}
	return new(contract.FindingsOf(some.Violations())), new(contract.FindingsOf(some.Warnings()))
}
