package domain

import (
	"slices"
	"strings"
)

// Lifetimes of tokens, in seconds.
const (
	minTokenLifetime   = 60
	maxTokenLifetime   = 30 * 24 * 60 * 60 // of access and ID tokens
	longTokenLifetime  = 24 * 60 * 60
	fapi1TokenLifetime = 10 * 60 // FAPI 1.0 Part 1 §5.2.2-21
	minRefreshLifetime = 300
	maxRefreshLifetime = 5 * 365 * 24 * 60 * 60
)

// The rows on tokens, their audience and the user's consent: RFC 9700 §2.2 and §2.3,
// RFC 9449, RFC 8705 §3, RFC 8707 §2, FAPI.
func tokenRules() []Rule {
	binding := []Field{FieldDPoPBound, FieldCertificateBound}
	resources := []Field{FieldResources}
	lifetimes := []Field{FieldAccessTokenLifetime, FieldIDTokenLifetime, FieldRefreshTokenLifetime}
	refresh := []Field{FieldRefreshTokenRotation, FieldRefreshTokenLifetime}
	return []Rule{
		{
			ID: "sender-constraint-both", Level: Warning, Source: "own", needs: binding,
			Summary: "dpop_bound_access_tokens and tls_client_certificate_bound_access_tokens are both true",
			check: func(j *candidate, r *report) {
				if j.DPoPBound && j.CertificateBound {
					r.on(FieldDPoPBound, "access tokens must then be bound by DPoP and by mTLS, which few servers support; keep one of the two")
				}
			},
		},
		{
			ID: "sender-constraint-front-channel", Level: Violation, Source: "own", needs: append([]Field{FieldResponseTypes}, binding...),
			Summary: "dpop_bound_access_tokens or tls_client_certificate_bound_access_tokens is true, and a response type contains token: tokens of the authorization endpoint cannot be bound",
			check: func(j *candidate, r *report) {
				if !j.bindsTokens() {
					return
				}
				for i, t := range j.ResponseTypes {
					if slices.Contains(strings.Split(string(t), " "), "token") {
						r.at(FieldResponseTypes, i, string(t), "an access token of the authorization endpoint cannot be bound to a key; remove the response type, or the binding")
					}
				}
			},
		},
		{
			ID: "refresh-rotation-unknown", Level: Violation, Source: "own", needs: []Field{FieldRefreshTokenRotation},
			Summary: "refresh_token_rotation is neither rotate nor reuse",
			check: func(j *candidate, r *report) {
				switch j.RefreshTokenRotation {
				case "", RefreshRotate, RefreshReuse:
				default:
					r.on(FieldRefreshTokenRotation, "the rotation must be rotate or reuse")
				}
			},
		},
		{
			ID: "refresh-rotation-public", Level: Violation, Source: "RFC 9700 §2.2.2",
			needs:   append([]Field{FieldRefreshTokenRotation, FieldConfidential, FieldGrantTypes}, binding...),
			Summary: "the client is public, refresh_token is listed, refresh_token_rotation is reuse, and neither dpop_bound_access_tokens nor tls_client_certificate_bound_access_tokens is true",
			check: func(j *candidate, r *report) {
				if !j.Confidential && j.hasGrant(GrantRefreshToken) && j.RefreshTokenRotation == RefreshReuse && !j.bindsTokens() {
					r.on(FieldRefreshTokenRotation, "a stolen refresh token of a public client goes unnoticed without rotation; use rotate, or bind tokens by DPoP or mTLS")
				}
			},
		},
		{
			ID: "refresh-rotation-fapi2", Level: Violation, Source: "FAPI 2.0 SP §5.3.2.1-9", in: inFAPI2, needs: []Field{FieldRefreshTokenRotation, FieldProfile},
			Summary: "refresh_token_rotation is rotate",
			check: func(j *candidate, r *report) {
				if j.RefreshTokenRotation == RefreshRotate {
					r.on(FieldRefreshTokenRotation, "FAPI 2.0 does not allow the rotation of refresh tokens, which are bound to the client; use reuse")
				}
			},
		},
		{
			ID: "refresh-unused", Level: Warning, Source: "own", needs: append([]Field{FieldGrantTypes}, refresh...),
			Summary: "refresh_token_rotation or refresh_token_lifetime is set, but refresh_token is not listed",
			check: func(j *candidate, r *report) {
				if j.hasGrant(GrantRefreshToken) {
					return
				}
				for _, field := range refresh {
					if !field.Of(&j.Settings).IsEmpty() {
						r.on(field, "the client receives no refresh tokens; clear it, or add the grant type refresh_token")
						r.except(refresh, field)
					}
				}
			},
		},
		{
			ID: "lifetime-range", Level: Violation, Source: "own", needs: lifetimes,
			Summary: "access_token_lifetime or id_token_lifetime is not between 60 and 2592000 seconds, or refresh_token_lifetime is not between 300 and 157680000",
			check: func(j *candidate, r *report) {
				for _, field := range lifetimes {
					shortest, longest := int64(minTokenLifetime), int64(maxTokenLifetime)
					if field == FieldRefreshTokenLifetime {
						shortest, longest = minRefreshLifetime, maxRefreshLifetime
					}
					if seconds := j.seconds(field); seconds != 0 && (seconds < shortest || seconds > longest) {
						r.on(field, "the lifetime must be between %d and %d seconds; 0 is the default of the server", shortest, longest)
						r.except(lifetimes, field)
					}
				}
			},
		},
		{
			ID: "lifetime-long", Level: Warning, Source: "own", needs: lifetimes[:2],
			Summary: "access_token_lifetime or id_token_lifetime is more than 86400 seconds",
			check: func(j *candidate, r *report) {
				for _, field := range lifetimes[:2] {
					if j.seconds(field) > longTokenLifetime {
						r.on(field, "a stolen token can be used for longer than a day; use a shorter lifetime, and refresh tokens")
						r.except(lifetimes[:2], field)
					}
				}
			},
		},
		{
			ID: "lifetime-fapi1", Level: Warning, Source: "FAPI 1.0 Part 1 §5.2.2-21", in: inBaseline,
			needs:   append([]Field{FieldAccessTokenLifetime, FieldProfile}, binding...),
			Summary: "access_token_lifetime is 600 seconds or more, and neither dpop_bound_access_tokens nor tls_client_certificate_bound_access_tokens is true",
			check: func(j *candidate, r *report) {
				if j.AccessTokenLifetime >= fapi1TokenLifetime && !j.bindsTokens() {
					r.on(FieldAccessTokenLifetime, "FAPI 1.0 recommends less than 600 seconds for access tokens that are not bound to a key; use a shorter lifetime, or bind them")
				}
			},
		},
		{
			ID: "resource-syntax", Level: Violation, Softens: true, Source: "RFC 8707 §2", needs: resources,
			Summary: "a resource is not an absolute URI, or has a fragment; a warning if it has a query",
			check: func(j *candidate, r *report) {
				r.eachURI(j, Violation, resources, func(_ *candidate, u *uri) string {
					switch {
					case u.fault != "":
						return "this is not an absolute URI: " + u.fault
					default:
						return when(u.hasFragment, "a resource must not have a fragment; remove the # and everything after it")
					}
				})
				r.eachURI(j, Warning, resources, func(_ *candidate, u *uri) string {
					return when(u.fault == "" && !u.hasFragment && strings.Contains(u.raw, "?"), "a resource should not have a query; remove the ? and everything after it")
				})
			},
		},
		{
			ID: "exchange-unlimited", Level: Warning, Source: "RFC 9700 §2.3", needs: []Field{FieldGrantTypes, FieldResources},
			Summary: "token-exchange is listed without resources",
			check: func(j *candidate, r *report) {
				if j.hasGrant(GrantTokenExchange) && len(j.Resources) == 0 {
					r.on(FieldResources, "the client can exchange tokens for every resource; list those that it needs")
				}
			},
		},
		{
			ID: "skip-consent-public", Level: Warning, Source: "RFC 8252 §8.6", needs: []Field{FieldSkipConsent, FieldConfidential, FieldRedirectURIs},
			Summary: "skip_consent is true, the client is public, and a redirect URI has a custom scheme or is at a loopback address: another app can impersonate the client",
			check: func(j *candidate, r *report) {
				impersonable := func(u uri) bool { return isPrivateUse(&u) || u.isWeb() && u.isLoopback() }
				if j.SkipConsent && !j.Confidential && slices.ContainsFunc(j.uris, impersonable) {
					r.on(FieldSkipConsent, "another app on the device can receive the response without the user noticing; ask for consent, or use https redirect URIs that the app claims")
				}
			},
		},
		{
			ID: "skip-consent-device", Level: Warning, Source: "RFC 8628 §5.4", needs: []Field{FieldSkipConsent, FieldGrantTypes, FieldCIBADeliveryMode},
			Summary: "skip_consent is true, and device_code or CIBA is used: the user does not see which device is authorized",
			check: func(j *candidate, r *report) {
				if j.SkipConsent && (j.hasGrant(GrantDeviceCode) || j.usesCIBA()) {
					r.on(FieldSkipConsent, "without consent, nothing warns a user who was tricked into approving another device; ask for consent")
				}
			},
		},
	}
}

// bindsTokens reports whether access tokens must be bound to a key of the client.
func (s *Settings) bindsTokens() bool { return s.DPoPBound || s.CertificateBound }

// seconds returns the value of a field that holds a lifetime.
func (j *candidate) seconds(field Field) int64 { return field.Of(&j.Settings).(Integer).Int() }
