package domain

// WarnSubjectsChange is the id of the warning about a change after which users have
// another subject identifier at the client. It is as stable as those of [Rules], but it
// depends on the change, not only on the configuration.
const WarnSubjectsChange = "pairwise-subjects-change"

// subjectWarnings returns a warning if the draft changes every subject identifier that
// the client receives: the subject type, or the host that is the sector of pairwise
// subjects (OIDC Core §8.1).
func (d *Draft) subjectWarnings() Findings {
	from, to := &d.before.state.Settings, &d.after.state.Settings
	if d.kind != revision || from.subjectSector() == to.subjectSector() {
		return nil
	}
	at := FieldSubjectType
	for _, f := range []Field{FieldSectorIdentifierURI, FieldRedirectURIs, FieldJWKSURI, FieldCIBANotificationEndpoint} {
		if !d.changed.Has(FieldSubjectType) && d.changed.Has(f) {
			at = f
			break
		}
	}
	return Findings{{
		Rule: WarnSubjectsChange, Level: Warning, Source: "OIDC Core §8.1", Pointer: at.pointer(), KeyIndex: NoKey,
		Message: "this changes the sub of every user at this client, so users lose their accounts there; keep the subject type and the host of the sector to avoid it",
	}}
}

// subjectSector returns the host that pairwise subjects are computed from, empty for
// public subjects, and for pairwise ones of a client without a sector.
func (s *Settings) subjectSector() string {
	if s.SubjectType != SubjectPairwise {
		return ""
	}
	candidates := []string{s.SectorIdentifierURI}
	for _, uri := range s.RedirectURIs {
		candidates = append(candidates, string(uri))
	}
	for _, raw := range append(candidates, s.Keys.uri, s.CIBA.NotificationEndpoint) {
		if u := parseURI(raw); u.isWeb() && u.host != "" {
			return u.sectorHost()
		}
	}
	return ""
}
