package domain

import (
	"net/netip"
	"slices"
	"strings"
)

// The rows on pairwise subjects and their sectors: OIDC Core §8, OIDC Registration §2 and
// §5, CIBA Core §4.
func subjectRules() []Rule {
	subjectType := []Field{FieldSubjectType}
	location := []Field{FieldSectorIdentifierURI}
	contained := []Field{
		FieldSectorIdentifierURI, FieldRedirectURIs, FieldJWKSURI, FieldGrantTypes, FieldCIBADeliveryMode, FieldCIBANotificationEndpoint,
	}
	sector := append([]Field{FieldSubjectType}, contained...)
	return []Rule{
		{
			ID: "subject-type-unknown", Level: Violation, Source: "OIDC Registration §2", needs: subjectType,
			Summary: "the subject type is neither public nor pairwise",
			check: func(j *candidate, r *report) {
				if j.SubjectType != "" && j.SubjectType != SubjectPublic && j.SubjectType != SubjectPairwise {
					r.on(FieldSubjectType, "the subject type must be public or pairwise")
				}
			},
		},
		{
			ID: "sector-identifier-syntax", Level: Violation, Source: "OIDC Registration §2, §5; RFC 3986 §6.2.2.3", needs: location,
			Summary: "it is not an absolute https URI with a host, has user information or a fragment, or violates redirect-uri-host, redirect-uri-wildcard or redirect-uri-path-tricks",
			check: eachURIOf([]Field{FieldSectorIdentifierURI}, func(_ *candidate, u *uri) string {
				return sectorIdentifierURIFault(u)
			}),
		},
		{
			ID: "sector-identifier-address", Level: Violation, Source: "own", needs: location,
			Summary: "the host is localhost or an IP address that is not public; a name that resolves to such an address is reported by sector-identifier-unreachable, like a name that does not exist",
			check: eachURIOf([]Field{FieldSectorIdentifierURI}, func(j *candidate, u *uri) string {
				return when(j.sector.Refused() || !j.policy.allowsFetchHost(u),
					"the host is not public, and the document is fetched only from public hosts; publish it on a public host")
			}),
		},
		{
			ID: "sector-identifier-unreachable", Level: Violation, Softens: true, Source: "OIDC Registration §5", needs: contained,
			Summary: "the document could not be fetched within the limits and without a redirect, or the name has no public address; a warning if the deployment fetches nothing",
			check:   checkSectorIdentifierReached,
		},
		{
			ID: "sector-identifier-content", Level: Violation, Source: "OIDC Registration §5", needs: contained,
			Summary: "the document is not one JSON array of strings, is larger than 64 KiB, or has more than 1000 strings",
			check: func(j *candidate, r *report) {
				if detail, malformed := j.sector.Malformed(); malformed {
					r.on(FieldSectorIdentifierURI, "the document must be a JSON array of URIs: %s", detail)
				}
			},
		},
		{
			ID: "sector-identifier-missing", Level: Violation, Source: "OIDC Registration §5, OIDC Core §8.1, CIBA Core §4", needs: contained,
			Summary: "the document does not contain, byte for byte, a redirect URI, or with CIBA by poll or ping the jwks_uri, or by push the notification endpoint",
			check: func(j *candidate, r *report) {
				if _, seen := j.sector.URIs(); !seen || j.SectorIdentifierURI == "" {
					return
				}
				for _, u := range j.sectorURIs() {
					if j.sector.lists(u.uri) {
						continue
					}
					pointer := u.field.pointer()
					if u.field == FieldRedirectURIs {
						pointer = u.field.element(u.element)
					}
					r.add(r.rule.Level, pointer, u.field.String()+" "+u.uri,
						"the document at the sector_identifier_uri does not contain this URI; add it there, byte for byte")
				}
			},
		},
		{
			ID: "sector-identifier-unproven", Level: Warning, Source: "own", needs: contained,
			Summary: "sector_identifier_uri is set, but the client has no URI that its document must contain, so nothing shows that the client belongs to the sector",
			check: func(j *candidate, r *report) {
				if j.SectorIdentifierURI != "" && len(j.sectorURIs()) == 0 {
					r.on(FieldSectorIdentifierURI, "the client has no URI to look for in the document, so nothing shows that it belongs to this sector; check it yourself")
				}
			},
		},
		{
			ID: "sector-identifier-required", Level: Violation, Source: "OIDC Core §8.1", needs: sector,
			Summary: "the subject type is pairwise and the redirect URIs have several hosts (in lower case, without ports), but sector_identifier_uri is not set",
			check: func(j *candidate, r *report) {
				if j.SubjectType != SubjectPairwise || j.SectorIdentifierURI != "" {
					return
				}
				if hosts := j.redirectHosts(); len(hosts) > 1 {
					r.on(FieldSectorIdentifierURI, "the redirect URIs have %d hosts, so the sector is not defined; set sector_identifier_uri", len(hosts))
				}
			},
		},
		{
			ID: "pairwise-no-sector", Level: Violation, Source: "CIBA Core §4; device_code: own", needs: sector,
			Summary: "the subject type is pairwise and nothing defines the sector: no sector_identifier_uri, no redirect URI with a host, no jwks_uri (CIBA by poll or ping, device_code), no notification endpoint (CIBA by push)",
			check: func(j *candidate, r *report) {
				switch {
				case j.SubjectType != SubjectPairwise || j.SectorIdentifierURI != "" || len(j.redirectHosts()) > 0,
					(j.pollsOrPings() || j.hasGrant(GrantDeviceCode)) && j.Keys.uri != "",
					j.CIBA.DeliveryMode == DeliveryPush && j.CIBA.NotificationEndpoint != "":
					return
				}
				r.on(FieldSubjectType, "pairwise subjects need a host as their sector, and the client has none; set sector_identifier_uri")
			},
		},
		{
			ID: "pairwise-ciba-proof", Level: Violation, Source: "CIBA Core §4",
			needs:   []Field{FieldSubjectType, FieldGrantTypes, FieldCIBADeliveryMode, FieldAuthMethods, FieldCIBARequestSigningAlg},
			Summary: "the subject type is pairwise with CIBA by poll or ping, and no private_key_jwt, self_signed_tls_client_auth or backchannel_authentication_request_signing_alg proves that the keys at the jwks_uri are the client's",
			check: func(j *candidate, r *report) {
				if j.SubjectType != SubjectPairwise || !j.pollsOrPings() ||
					j.hasMethod(AuthPrivateKeyJWT) || j.hasMethod(AuthSelfSignedTLS) || j.CIBA.RequestSigningAlg != "" {
					return
				}
				r.on(FieldSubjectType, "the client must prove that the keys at its jwks_uri are its own: list private_key_jwt or self_signed_tls_client_auth, or set backchannel_authentication_request_signing_alg")
			},
		},
		{
			ID: "pairwise-ciba-sector", Level: Violation, Source: "CIBA Core §4; other hosts: own", needs: sector,
			Summary: "the subject type is pairwise with CIBA by poll or ping, and there is no jwks_uri; or a redirect URI has another host than the jwks_uri, and sector_identifier_uri is not set",
			check:   checkCIBASector,
		},
		{
			ID: "pairwise-shared-sector", Level: Warning, Source: "OIDC Core §8.1", needs: sector,
			Summary: "the subject type is pairwise, the only host is loopback, and sector_identifier_uri is not set: every such client is in one sector",
			check: func(j *candidate, r *report) {
				if j.SubjectType != SubjectPairwise || j.SectorIdentifierURI != "" {
					return
				}
				hosts := j.redirectHosts()
				if len(hosts) != 1 {
					return
				}
				ip, err := netip.ParseAddr(hosts[0])
				if hosts[0] == "localhost" || err == nil && ip.IsLoopback() {
					r.on(FieldSubjectType, "the sector is the loopback host, which other clients share, so they receive the same subjects; set sector_identifier_uri")
				}
			},
		},
	}
}

func checkSectorIdentifierReached(j *candidate, r *report) {
	level := r.rule.Level
	off := j.policy.KeyPreflight == PreflightOff
	if off {
		level = Warning
	}
	reason, unreachable := j.sector.Unreachable()
	switch {
	case j.SectorIdentifierURI == "":
	case unreachable:
		r.add(level, FieldSectorIdentifierURI.pointer(), "", "the document could not be fetched: %s", reason)
	case off && j.sector.state == sectorUnexamined && j.policy.CheckSectorIdentifierURI(j.SectorIdentifierURI) == nil:
		r.add(level, FieldSectorIdentifierURI.pointer(), "", "the document was not fetched, because this deployment fetches nothing; check that it contains the URIs of the client")
	}
}

func checkCIBASector(j *candidate, r *report) {
	if j.SubjectType != SubjectPairwise || !j.pollsOrPings() {
		return
	}
	if j.Keys.uri == "" {
		r.on(FieldJWKSURI, "pairwise subjects with CIBA by poll or ping need a jwks_uri, whose host is the sector; set it")
		return
	}
	keys := parseURI(j.Keys.uri)
	other := slices.ContainsFunc(j.redirectHosts(), func(host string) bool { return host != keys.sectorHost() })
	if j.SectorIdentifierURI == "" && other {
		r.on(FieldSectorIdentifierURI, "a redirect URI and the jwks_uri have different hosts (%s), so the sector is not defined; set sector_identifier_uri",
			quoted(strings.ToLower(keys.host)))
	}
}
